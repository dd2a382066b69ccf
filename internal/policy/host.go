package policy

import (
	"errors"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// hostPattern is a host as a policy names it: exactly one of its fields is set.
type hostPattern struct {
	any    bool         // "*"
	exact  string       // "api.example"
	suffix string       // ".example", written "*.example": not example itself
	net    netip.Prefix // "10.0.0.0/8", or one address
	aws    bool         // "aws:self": a service endpoint of our own partition
	tenant tenant       // "github:acme", "aws:s3/orders": of a host that many share
}

var (
	errHost = errors.New("wants a host name, *.suffix, an IP address, a CIDR block, aws:self, aws:s3/BUCKET, aws:s3:ACCOUNT, github:OWNER, slack:TEAM, discord:WEBHOOK or *")
	errURL  = errors.New("wants a host alone; scheme, port and path have keys of their own")
	errIDN  = errors.New("wants ASCII; write an international name as it is resolved, xn--…")
)

// parseHost reads a pattern. The error says what was wanted.
func parseHost(text string) (hostPattern, error) {
	s := canonical(text)
	switch s {
	case "*":
		return hostPattern{any: true}, nil
	case "aws:self":
		return hostPattern{aws: true}, nil
	}
	if t, ok, err := parseTenant(s); ok {
		return hostPattern{tenant: t}, err
	}
	if block, err := netip.ParsePrefix(s); err == nil {
		return hostPattern{net: block.Masked()}, nil
	}
	if addr, err := netip.ParseAddr(s); err == nil && addr.Zone() == "" {
		addr = addr.Unmap()
		return hostPattern{net: netip.PrefixFrom(addr, addr.BitLen())}, nil
	}
	if strings.ContainsAny(s, "/:") {
		return hostPattern{}, errURL
	}
	name, wild := strings.CutPrefix(s, "*.")
	if err := checkName(name); err != nil {
		return hostPattern{}, err
	}
	if wild {
		return hostPattern{suffix: "." + name}, nil
	}
	return hostPattern{exact: name}, nil
}

// checkName reports whether s can be a host name: at most 253 bytes, labels of
// 1 to 63 letters, digits, hyphens and underscores, the last not all digits.
func checkName(s string) error {
	if len(s) > maxName {
		return errHost
	}
	labels := strings.Split(s, ".")
	for _, label := range labels {
		if label == "" || len(label) > maxLabel {
			return errHost
		}
		if strings.IndexFunc(label, notInName) >= 0 {
			if strings.IndexFunc(label, func(r rune) bool { return r > 0x7f }) >= 0 {
				return errIDN
			}
			return errHost
		}
	}
	if strings.Trim(labels[len(labels)-1], "0123456789") == "" {
		return errHost
	}
	return nil
}

func notInName(r rune) bool {
	return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' && r != '_'
}

// name is a host to be matched: the name itself, and the address where the name
// is one.
type name struct {
	text string
	addr netip.Addr // invalid for a name
}

func nameOf(host string) name {
	n := name{text: canonical(host)}
	if addr, err := netip.ParseAddr(n.text); err == nil {
		n.addr = addr.WithZone("").Unmap()
	}
	return n
}

// match reports whether h names n, whatever is asked of it there. A pattern of
// addresses names only a host that was asked for by address.
func (h hostPattern) match(n name, region string) bool {
	switch {
	case h.any:
		return true
	case h.aws:
		return AWSService(n.text, region)
	case h.tenant.service != "":
		return h.tenant.judge(n.text, "", region, false) == yes
	case h.exact != "":
		return n.text == h.exact
	case h.suffix != "":
		return len(n.text) > len(h.suffix) && strings.HasSuffix(n.text, h.suffix)
	}
	return n.addr.IsValid() && h.net.Contains(n.addr)
}

func matchAny(patterns []hostPattern, n name, region string) bool {
	for _, h := range patterns {
		if h.match(n, region) {
			return true
		}
	}
	return false
}

// address is where egress.hosts sends a host: port 0 keeps the asked one.
type address struct {
	ip   netip.Addr
	port uint16
}

func (a address) String() string {
	if a.port == 0 {
		return a.ip.String()
	}
	return netip.AddrPortFrom(a.ip, a.port).String()
}

var errAddress = errors.New("wants an IP address, or one with a port: 127.0.0.1 or 127.0.0.1:8443")

func parseAddress(text string) (address, error) {
	if both, err := netip.ParseAddrPort(text); err == nil && both.Port() > 0 {
		return address{both.Addr(), both.Port()}, nil
	}
	ip, err := netip.ParseAddr(strings.Trim(text, "[]"))
	if err != nil {
		return address{}, errAddress
	}
	return address{ip: ip}, nil
}

// dial returns a in the form that net.Dial takes, for a request to port.
func (a address) dial(port int) string {
	if a.port > 0 {
		port = int(a.port)
	}
	return net.JoinHostPort(a.ip.String(), strconv.Itoa(port))
}
