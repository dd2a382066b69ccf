// Command reverseproxy relays with the standard library's httputil.ReverseProxy.
// It is the yardstick of `bench invoke`.
//
//	reverseproxy LISTEN UPSTREAM
package main

import (
	"fmt"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: reverseproxy LISTEN UPSTREAM")
		os.Exit(2)
	}
	upstream := &url.URL{Scheme: "http", Host: os.Args[2]}
	proxy := &httputil.ReverseProxy{
		Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(upstream) },
		Transport: &http.Transport{DisableCompression: true},
	}
	fmt.Fprintln(os.Stderr, "reverseproxy:", http.ListenAndServe(os.Args[1], proxy))
	os.Exit(1)
}
