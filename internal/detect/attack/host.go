package attack

import (
	"bytes"
	"net/netip"
	"unicode/utf8"
)

// reach is what a host is to a function: nothing special, or what only it can reach.
type reach uint8

const (
	reachPublic reach = iota
	reachPrivate
	reachLoopback
	reachMetadata // a service that hands out credentials
	reachRuntime  // Lambda's own API
)

// host is the host of a URL.
type host struct {
	reach  reach
	hidden bool // an address that is written as nobody writes it who does not hide it
	port   int
	end    int // where port or name end
}

// maxHost is how long a name can be, in bytes.
const maxHost = 255

// hostAt reads a host, and a port, at the beginning of b.
func hostAt(b []byte) (h host) {
	name := b[:min(len(b), maxHost)]
	if len(name) > 0 && name[0] == '[' {
		return bracketed(name)
	}
	end := 0
	for end < len(name) && !endsHost(name[end]) {
		end++
	}
	h = hostOf(name[:end])
	h.end = end
	h.readPort(b)
	return h
}

func endsHost(c byte) bool {
	return classOf[c]&(blank|quote|paren|bracket|angle|semicolon|hash|amp|bar|star|control|backslash) != 0 ||
		c == '/' || c == ':' || c == '?' || c == '@' || c == ','
}

// readPort reads the port behind the host's end, and says whether it is that of an
// API which only the function reaches.
func (h *host) readPort(b []byte) {
	rest := b[h.end:]
	if len(rest) < 2 || rest[0] != ':' {
		return
	}
	for i, c := range rest[1:min(len(rest), 6)] {
		if c < '0' || c > '9' {
			break
		}
		h.port = h.port*10 + int(c-'0')
		if i == 0 {
			h.end++
		}
		h.end++
	}
	switch {
	case h.reach != reachLoopback:
	case h.port == 9001, h.port >= 18790 && h.port <= 18792:
		h.reach = reachRuntime
	}
}

// bracketed reads an address of IPv6 in brackets.
func bracketed(b []byte) (h host) {
	end := bytes.IndexByte(b, ']')
	if end < 0 {
		return host{end: 1}
	}
	text, _, zoned := bytes.Cut(b[1:end], []byte("%"))
	addr, err := netip.ParseAddr(string(text))
	if err == nil {
		h.reach = reachOf(addr.Unmap())
		h.hidden = addr.Is4In6() && h.reach != reachPublic
		if v4, ok := embedded(addr); ok && reachOf(v4) != reachPublic {
			h.reach, h.hidden = reachOf(v4), true
		}
	}
	h.hidden = h.hidden || zoned && h.reach == reachMetadata
	h.end = end + 1
	h.readPort(b)
	return h
}

// embedded returns the address of IPv4 that one of IPv6 stands for: compatible, of
// NAT64, or of 6to4.
func embedded(addr netip.Addr) (netip.Addr, bool) {
	b := addr.As16()
	switch {
	case addr.Is4() || addr.IsLoopback() || addr.IsUnspecified():
	case [12]byte(b[:12]) == [12]byte{}, [12]byte(b[:12]) == [12]byte{1: 0x64, 2: 0xff, 3: 0x9b}:
		return netip.AddrFrom4([4]byte(b[12:])), true
	case b[0] == 0x20 && b[1] == 0x02:
		return netip.AddrFrom4([4]byte(b[2:6])), true
	}
	return netip.Addr{}, false
}

// reachOf says what an address is to a function.
func reachOf(a netip.Addr) reach {
	if a.Is6() {
		switch b := a.As16(); {
		case b == [16]byte{0xfd, 0, 0x0e, 0xc2, 14: 0x02, 15: 0x54}, b == [16]byte{0xfd, 0, 0x0e, 0xc2, 15: 0x23}:
			return reachMetadata // of EC2, of EKS
		case a.IsLoopback() || a.IsUnspecified():
			return reachLoopback
		case a.IsPrivate() || a.IsLinkLocalUnicast():
			return reachPrivate
		}
		return reachPublic
	}
	switch b := a.As4(); {
	case b == [4]byte{169, 254, 169, 254}, b == [4]byte{169, 254, 170, 2}, b == [4]byte{169, 254, 170, 23},
		b == [4]byte{100, 100, 100, 200}, b == [4]byte{192, 0, 0, 192}, b == [4]byte{168, 63, 129, 16}:
		return reachMetadata
	case b == [4]byte{169, 254, 100, 1}:
		return reachRuntime
	case b[0] == 127 || b == [4]byte{}:
		return reachLoopback
	case a.IsPrivate() || a.IsLinkLocalUnicast() || b[0] == 100 && b[1]&0xc0 == 64:
		return reachPrivate
	}
	return reachPublic
}

// hostOf says what a name, or an address in any notation of IPv4, is.
func hostOf(name []byte) (h host) {
	if len(name) > 0 && name[len(name)-1] == '.' {
		name = name[:len(name)-1]
	}
	if len(name) == 0 {
		return h
	}
	if classesOf(name)&high != 0 {
		return foldedHost(name)
	}
	if c := name[len(name)-1]; classOf[c]&digit != 0 || hexTail(name) {
		if addr, odd, ok := looseIPv4(name); ok {
			h.reach = reachOf(addr)
			h.hidden = odd && h.reach != reachPublic
			return h
		}
	}
	h.reach = namedReach(name)
	if h.reach == reachPublic {
		h.pointing(name)
	}
	return h
}

// foldedHost says what a name is that has characters beyond ASCII which stand for
// others.
func foldedHost(name []byte) (h host) {
	var buf [64]byte
	folded := buf[:0]
	for i := 0; i < len(name) && len(folded) < len(buf); {
		r, n := utf8.DecodeRune(name[i:])
		i += n
		ascii, ok := narrow(r)
		switch {
		case ok:
			folded = append(folded, ascii)
		case r == '。' || r == '｡':
			folded = append(folded, '.')
		case r < utf8.RuneSelf:
			folded = append(folded, byte(r))
		default:
			return h
		}
	}
	h = hostOf(folded)
	h.hidden = h.reach != reachPublic
	return h
}

// hexTail reports whether the last part of name may be a number of base 16.
func hexTail(name []byte) bool {
	return hasPrefixFold(name[bytes.LastIndexByte(name, '.')+1:], "0x")
}

// looseIPv4 reads an address as inet_aton does: one to four numbers of base 8, 10 or
// 16, of which the last fills what is left. Numbers that are too big are cut, as
// careless readers do. odd says that it is not four decimal numbers.
func looseIPv4(b []byte) (addr netip.Addr, odd, ok bool) {
	var parts [4]uint64
	n := 0
	for more := true; more; n++ {
		var part []byte
		part, b, more = bytes.Cut(b, []byte("."))
		if n == len(parts) {
			return addr, false, false
		}
		var strange bool
		if parts[n], strange, ok = looseNumber(part); !ok {
			return addr, false, false
		}
		odd = odd || strange
	}
	var v uint32
	for i, p := range parts[:n-1] {
		odd = odd || p > 255
		v |= uint32(p&255) << (24 - 8*i)
	}
	last := parts[n-1]
	odd = odd || n < 4 || last > 255
	v |= uint32(last & (1<<(8*(5-n)) - 1))
	return netip.AddrFrom4([4]byte{byte(v >> 24), byte(v >> 16), byte(v >> 8), byte(v)}), odd, true
}

// looseNumber reads a number of base 8, 10 or 16. strange: it is not the shortest
// decimal way to write it.
func looseNumber(b []byte) (v uint64, strange, ok bool) {
	base := uint64(10)
	switch {
	case len(b) == 0 || len(b) > 16:
		return 0, false, false
	case hasPrefixFold(b, "0x") && len(b) > 2:
		base, b = 16, b[2:]
	case b[0] == '0' && len(b) > 1:
		base = 8
	}
	for _, c := range b {
		d, ok := hexDigit(c)
		if !ok || uint64(d) >= base {
			return 0, false, false
		}
		v = v*base + uint64(d)
	}
	return v, base != 10, true
}

// namedReach says what a name is that stands for one of a function's neighbours.
func namedReach(name []byte) reach {
	var buf [48]byte
	if len(name) > len(buf) || len(name) < 4 {
		return reachPublic
	}
	for i, c := range name {
		if c >= 'A' && c <= 'Z' {
			c |= 0x20
		}
		buf[i] = c
	}
	switch string(buf[:len(name)]) {
	case "metadata.google.internal", "metadata.goog", "instance-data", "instance-data.ec2.internal", "metadata.packet.net",
		"metadata.tencentyun.com", "metadata.azure.com", "metadata.azure.internal", "metadata.platformequinix.com",
		"rancher-metadata":
		return reachMetadata
	case "sandbox.localdomain":
		return reachRuntime
	case "localhost", "localhost.localdomain", "localhost4", "localhost6", "ip6-localhost", "ip6-loopback", "ipv6-localhost",
		"loopback", "localtest.me", "lvh.me", "vcap.me", "lacolhost.com", "spoofed.burpcollaborator.net", "localh.st",
		"fuf.me", "bugbounty.dod.network", "gateway.docker.internal", "host.docker.internal", "kubernetes.docker.internal",
		"kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local":
		return reachLoopback
	}
	if c := name[len(name)-1] | 0x20; c != 't' && c != 'e' {
		return reachPublic
	}
	for _, suffix := range [...]string{".localhost", ".localtest.me", ".lvh.me", ".vcap.me"} {
		if hasSuffixFold(name, suffix) {
			return reachLoopback
		}
	}
	return reachPublic
}

// pointing notes an address in a name of a service that answers with it.
func (h *host) pointing(name []byte) {
	if len(name) < 2 {
		return
	}
	switch string([]byte{name[len(name)-2] | 0x20, name[len(name)-1] | 0x20}) {
	case "io", "ms", "us", "me":
	default:
		return
	}
	for _, suffix := range [...]string{".nip.io", ".sslip.io", ".xip.io", ".1u.ms", ".rbndr.us", ".traefik.me", ".backname.io"} {
		if !hasSuffixFold(name, suffix) {
			continue
		}
		for rest := name[:len(name)-len(suffix)]; ; {
			if r := pointed(rest); r > h.reach {
				h.reach = r
			}
			dot := bytes.IndexAny(rest, ".-")
			if dot < 0 {
				return
			}
			rest = rest[dot+1:]
		}
	}
}

// pointed reads an address with dots or dashes, or in hex, at the beginning of b.
func pointed(b []byte) reach {
	var quad [4]byte
	rest := b
	for i := range quad {
		n, v := 0, 0
		for n < len(rest) && n < 3 && rest[n] >= '0' && rest[n] <= '9' {
			v = v*10 + int(rest[n]-'0')
			n++
		}
		if n == 0 || v > 255 || i < 3 && (n == len(rest) || rest[n] != '.' && rest[n] != '-') {
			return pointedHex(b)
		}
		quad[i] = byte(v)
		rest = rest[min(len(rest), n+1):]
	}
	return reachOf(netip.AddrFrom4(quad))
}

// pointedHex reads an address in eight hex digits at the beginning of b.
func pointedHex(b []byte) reach {
	var quad [4]byte
	if len(b) < 8 || len(b) > 8 && b[8] != '.' && b[8] != '-' {
		return reachPublic
	}
	for i, c := range b[:8] {
		d, ok := hexDigit(c)
		if !ok {
			return reachPublic
		}
		quad[i/2] = quad[i/2]<<4 | d
	}
	return reachOf(netip.AddrFrom4(quad))
}
