// Command echo is a runtime without a library: it answers each event with its
// very bytes, whatever they are. It asks for events with a new connection each
// time when CLOSE is set, as some runtimes do.
package main

import (
	"bytes"
	"io"
	"net/http"
	"os"
)

func main() {
	base := "http://" + os.Getenv("AWS_LAMBDA_RUNTIME_API") + "/2018-06-01/runtime/invocation/"
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: os.Getenv("CLOSE") != ""}}
	for {
		res, err := client.Get(base + "next")
		if err != nil {
			os.Exit(1)
		}
		event, err := io.ReadAll(res.Body)
		if err != nil {
			os.Exit(2)
		}
		_ = res.Body.Close()
		id := res.Header.Get("Lambda-Runtime-Aws-Request-Id")
		res, err = client.Post(base+id+"/response", "application/octet-stream", bytes.NewReader(event))
		if err != nil {
			os.Exit(3)
		}
		_ = res.Body.Close()
	}
}
