package egress

import (
	"errors"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// target is a host and a port, in one spelling.
type target struct {
	host string // lower case, no trailing dot, no brackets; addresses in canonical form
	port int
}

var errTarget = errors.New("malformed target")

// parseTarget reads the authority of a CONNECT or of a URL: "host", "host:port",
// "[::1]:443", "::1". Without a port it is def.
func parseTarget(authority string, def int) (target, error) {
	host, port, err := splitPort(authority, def)
	if err != nil {
		return target{}, err
	}
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	if addr, err := netip.ParseAddr(host); err == nil {
		return target{host: addr.WithZone("").Unmap().String(), port: port}, nil
	}
	if !validName(host) {
		return target{}, errTarget
	}
	return target{host: host, port: port}, nil
}

func splitPort(authority string, def int) (string, int, error) {
	host, text := authority, ""
	switch inside, bracketed := strings.CutPrefix(authority, "["); {
	case bracketed:
		host, text, bracketed = strings.Cut(inside, "]")
		if !bracketed || !isIPv6(host) || text != "" && text[0] != ':' {
			return "", 0, errTarget
		}
		text = strings.TrimPrefix(text, ":")
	case strings.Count(authority, ":") > 1:
		if !isIPv6(authority) {
			return "", 0, errTarget
		}
	default:
		host, text, _ = strings.Cut(authority, ":")
	}
	if text == "" {
		return host, def, nil
	}
	port, err := strconv.ParseUint(text, 10, 16)
	if err != nil || port == 0 {
		return "", 0, errTarget
	}
	return host, int(port), nil
}

func isIPv6(s string) bool {
	addr, err := netip.ParseAddr(s)
	return err == nil && addr.Is6()
}

// validName reports whether host can be asked of a resolver: at most 253 bytes
// of letters, digits, hyphens, underscores and single dots.
func validName(host string) bool {
	if host == "" || len(host) > 253 || host[0] == '.' || strings.Contains(host, "..") {
		return false
	}
	return strings.IndexFunc(host, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' && r != '_' && r != '.'
	}) < 0
}

// String returns t as net.Dial takes it.
func (t target) String() string { return net.JoinHostPort(t.host, strconv.Itoa(t.port)) }
