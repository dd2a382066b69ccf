package main

import (
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// of returns the proxy that the customer wants for a target, or nil. via is connect or
// http, as egress calls them.
func (c customerProxy) of(via, host string, port int) *url.URL {
	wanted := c.HTTPS
	if via == "http" {
		wanted = c.HTTP
	}
	if wanted == nil {
		return nil
	}
	host = strings.ToLower(host)
	for entry := range strings.FieldsFuncSeq(c.No, func(r rune) bool { return r == ',' || r == ' ' }) {
		if excepts(strings.ToLower(entry), host, port) {
			return nil
		}
	}
	return wanted
}

// excepts reports whether an entry of NO_PROXY names host, as Go, Python and curl
// together read it: a name with all below it, an address, a block of addresses, any of
// them but the block with a port.
func excepts(entry, host string, port int) bool {
	if entry == "*" {
		return true
	}
	addr, err := netip.ParseAddr(host)
	if block, e := netip.ParsePrefix(entry); e == nil {
		return err == nil && block.Contains(addr.Unmap())
	}
	name := entry
	if at := strings.LastIndexByte(entry, ':'); at > 0 {
		if n, e := strconv.Atoi(entry[at+1:]); e == nil && (strings.Count(entry, ":") == 1 || entry[at-1] == ']') {
			if n != port {
				return false
			}
			name = entry[:at]
		}
	}
	name = strings.Trim(name, "[]")
	name = strings.TrimPrefix(strings.TrimPrefix(name, "*"), ".")
	return name != "" && (host == name || strings.HasSuffix(host, "."+name))
}
