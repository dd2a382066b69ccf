// Command fetch is a runtime without a library: each event is a URL, a JSON
// string, which it asks for by the proxy of its environment. It answers with what
// became of that.
package main

import (
	"encoding/json"
	"net/http"
	"os"
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
		var url string
		if err := json.NewDecoder(res.Body).Decode(&url); err != nil {
			os.Exit(2)
		}
		_ = res.Body.Close()
		answer, _ := json.Marshal(fetch(url))
		id := res.Header.Get("Lambda-Runtime-Aws-Request-Id")
		res, err = api.Post(base+id+"/response", "application/json", strings.NewReader(string(answer)))
		if err != nil {
			os.Exit(3)
		}
		_ = res.Body.Close()
	}
}

func fetch(url string) string {
	res, err := http.Get(url)
	if err != nil {
		return err.Error()
	}
	_ = res.Body.Close()
	return res.Status
}
