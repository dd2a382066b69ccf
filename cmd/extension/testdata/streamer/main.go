// Command streamer is a runtime without a library that answers in Lambda's
// streaming response mode: {"Bytes": n, "Say": "x", "Fail": true} is n bytes, then
// x and then an error in the trailers.
package main

import (
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"strings"
)

const (
	errorType = "Lambda-Runtime-Function-Error-Type"
	errorBody = "Lambda-Runtime-Function-Error-Body"
)

func main() {
	base := "http://" + os.Getenv("AWS_LAMBDA_RUNTIME_API") + "/2018-06-01/runtime/invocation/"
	for {
		res, err := http.Get(base + "next")
		if err != nil {
			os.Exit(1)
		}
		var order struct {
			Bytes int64
			Say   string
			Fail  bool
		}
		if json.NewDecoder(res.Body).Decode(&order) != nil {
			os.Exit(2)
		}
		_ = res.Body.Close()
		url := base + res.Header.Get("Lambda-Runtime-Aws-Request-Id") + "/response"
		if answer(url, order.Bytes, order.Say, order.Fail) != nil {
			os.Exit(3)
		}
	}
}

func answer(url string, n int64, say string, fail bool) error {
	trailer := http.Header{errorType: nil, errorBody: nil}
	body := io.MultiReader(io.LimitReader(endless{}, n), strings.NewReader(say), ending(func() {
		if fail {
			trailer.Set(errorType, "Function.Midway")
			trailer.Set(errorBody, base64.StdEncoding.EncodeToString([]byte(`{"errorMessage":"midway","errorType":"Midway"}`)))
		}
	}))
	req, err := http.NewRequest(http.MethodPost, url, body)
	if err != nil {
		return err
	}
	req.Trailer = trailer
	req.Header.Set("Lambda-Runtime-Function-Response-Mode", "streaming")
	req.Header.Set("Content-Type", "text/plain")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	return res.Body.Close()
}

// endless is text without end.
type endless struct{}

func (endless) Read(p []byte) (int, error) {
	return copy(p, strings.Repeat("stream of text. ", len(p)/16+1)), nil
}

// ending does something when a body is at its end.
type ending func()

func (e ending) Read([]byte) (int, error) { e(); return 0, io.EOF }
