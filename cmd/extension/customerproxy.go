package main

import (
	"net/url"
	"strings"
)

// of returns the proxy that the customer wants for host, or nil. via is connect or
// http, as egress calls them.
func (c customerProxy) of(via, host string) *url.URL {
	wanted := c.HTTPS
	if via == "http" {
		wanted = c.HTTP
	}
	if wanted == nil {
		return nil
	}
	for entry := range strings.FieldsFuncSeq(c.No, func(r rune) bool { return r == ',' || r == ' ' }) {
		name := strings.TrimPrefix(strings.TrimPrefix(entry, "*"), ".")
		if entry == "*" || strings.EqualFold(host, name) || strings.HasSuffix(strings.ToLower(host), "."+strings.ToLower(name)) {
			return nil
		}
	}
	return wanted
}
