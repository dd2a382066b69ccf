// Command bare is the least that an extension in Go can be: net/http, register,
// next. It is the yardstick of `bench start`.
package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
)

func main() {
	fmt.Fprintln(os.Stderr, "bare:", run("http://"+os.Getenv("AWS_LAMBDA_RUNTIME_API")+"/2020-01-01/extension"))
	os.Exit(1)
}

// run ends with an error: Lambda ends an extension that asks for no more.
func run(api string) error {
	client := http.Client{Transport: &http.Transport{}}
	register, err := http.NewRequest(http.MethodPost, api+"/register", strings.NewReader(`{"events":["INVOKE","SHUTDOWN"]}`))
	if err != nil {
		return err
	}
	register.Header.Set("Lambda-Extension-Name", filepath.Base(os.Args[0]))
	registered, err := client.Do(register)
	if err != nil {
		return err
	}
	if err := drain(registered); err != nil {
		return err
	}
	next, err := http.NewRequest(http.MethodGet, api+"/event/next", nil)
	if err != nil {
		return err
	}
	next.Header.Set("Lambda-Extension-Identifier", registered.Header.Get("Lambda-Extension-Identifier"))
	for {
		event, err := client.Do(next)
		if err != nil {
			return err
		}
		if err := drain(event); err != nil {
			return err
		}
	}
}

func drain(r *http.Response) error {
	defer r.Body.Close()
	_, err := io.Copy(io.Discard, r.Body)
	return err
}
