// Command runner is a runtime without a library: each event is a command, a JSON
// array of strings, which it runs with its own environment. It answers with what
// the command printed.
package main

import (
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"strings"
)

func main() {
	base := "http://" + os.Getenv("AWS_LAMBDA_RUNTIME_API") + "/2018-06-01/runtime/invocation/"
	api := &http.Client{Transport: &http.Transport{}}
	for {
		res, err := api.Get(base + "next")
		if err != nil {
			os.Exit(1)
		}
		var command []string
		if err := json.NewDecoder(res.Body).Decode(&command); err != nil || len(command) == 0 {
			os.Exit(2)
		}
		_ = res.Body.Close()
		out, err := exec.Command(command[0], command[1:]...).CombinedOutput()
		if err != nil {
			out = append(out, (" " + err.Error())...)
		}
		answer, _ := json.Marshal(string(out))
		id := res.Header.Get("Lambda-Runtime-Aws-Request-Id")
		res, err = api.Post(base+id+"/response", "application/json", strings.NewReader(string(answer)))
		if err != nil {
			os.Exit(3)
		}
		_ = res.Body.Close()
	}
}
