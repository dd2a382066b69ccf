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
	if addr, ok := looseIPv4(host); ok {
		return target{host: addr.String(), port: port}, nil
	}
	if !validName(host) {
		return target{}, errTarget
	}
	return target{host: host, port: port}, nil
}

// looseIPv4 reads what C libraries take for an IPv4 address: one to four numbers,
// decimal, octal (0…) or hexadecimal (0x…), the last of which fills what is left.
// Who resolves names by such a library would dial it, so rules must see it.
// https://pubs.opengroup.org/onlinepubs/9799919799/functions/inet_addr.html
func looseIPv4(host string) (netip.Addr, bool) {
	parts := strings.Split(host, ".")
	if len(parts) > 4 {
		return netip.Addr{}, false
	}
	var sum uint64
	for i, part := range parts {
		bits := 8
		if i == len(parts)-1 {
			bits = 8 * (5 - len(parts))
		}
		n, err := strconv.ParseUint(cNumber(part), 0, bits)
		if err != nil || strings.Contains(part, "_") {
			return netip.Addr{}, false
		}
		sum = sum<<bits | n
	}
	return netip.AddrFrom4([4]byte{byte(sum >> 24), byte(sum >> 16), byte(sum >> 8), byte(sum)}), true
}

// cNumber writes a number of C's as ParseUint takes it: octal is 0o17 there.
func cNumber(s string) string {
	if len(s) > 1 && s[0] == '0' && strings.Trim(s, "01234567") == "" {
		return "0o" + s[1:]
	}
	if strings.HasPrefix(s, "0b") || strings.HasPrefix(s, "0o") {
		return "" // no number in C
	}
	return s
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
// of letters, digits, hyphens, underscores and single dots, none of them at an end.
func validName(host string) bool {
	if host == "" || len(host) > 253 || host[0] == '.' || host[len(host)-1] == '.' || strings.Contains(host, "..") {
		return false
	}
	return strings.IndexFunc(host, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' && r != '_' && r != '.'
	}) < 0
}

// String returns t as net.Dial takes it.
func (t target) String() string { return net.JoinHostPort(t.host, strconv.Itoa(t.port)) }
