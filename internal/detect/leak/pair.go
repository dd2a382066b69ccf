package leak

import (
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// Pair is a host that a secret belongs to, and the places in which it goes there.
type Pair struct {
	// Host is a name, or with a dot in front all names below it.
	Host string
	// Places are the kinds of place: see detect.Outlet. "header" stands for the values
	// of all headers; empty is everywhere. At "head", which is all of them together, it
	// goes whatever they are.
	Places []string
}

// fits reports whether p is host, and place one of its.
func (p *Pair) fits(host, place string) bool {
	if host == "" || host != p.Host && (p.Host[0] != '.' || !strings.HasSuffix(host, p.Host)) {
		return false
	}
	kind, _, _ := strings.Cut(place, ":")
	return len(p.Places) == 0 || kind == "head" || slices.Contains(p.Places, kind)
}

// Paired reports whether the secret called name belongs to host, and goes there in
// place: by who issues such keys, or by what the function's own configuration says of
// it. Nothing is learned from what the function does, where a thief would be the first
// to be learned.
func (s *Set) Paired(name, host, place string) bool {
	if s == nil {
		return false
	}
	for i := range s.secrets {
		if s.secrets[i].Name != name {
			continue
		}
		for k := range s.secrets[i].Pairs {
			if s.secrets[i].Pairs[k].fits(host, place) {
				return true
			}
		}
	}
	return false
}

// header are the places of a credential in most APIs, anywhere those of few.
var inHeader, inRequest = []string{"header"}, []string{"header", "url", "body"}

// pairsOf returns where the secret in the variable called name may go. environ has the
// variables beside it.
func pairsOf(name, value string, environ []string) []Pair {
	variable, _, part := strings.Cut(name, "/")
	var pairs []Pair
	if v := vendorOf(variable, value); v != nil {
		places := inHeader
		if v.anywhere {
			places = inRequest
		}
		for _, h := range v.hosts {
			pairs = append(pairs, Pair{h, places})
		}
	}
	for _, nv := range environ {
		other, text, _ := strings.Cut(nv, "=")
		if other == variable && part || sibling(variable, other) {
			for _, h := range hostsIn(text, other != variable) {
				pairs = append(pairs, Pair{Host: h})
			}
		}
	}
	return pairs
}

// secretEnds and hostEnds are what variables of one service end in: ORDERS_DB_PASSWORD
// and ORDERS_DB_HOST.
var (
	secretEnds = [...]string{"_PASSWORD", "_PASSWD", "_PASS", "_PWD", "_SECRET", "_TOKEN", "_API_KEY", "_APIKEY", "_API_TOKEN", "_ACCESS_TOKEN", "_AUTH_TOKEN", "_KEY", "_CLIENT_SECRET"}
	hostEnds   = [...]string{"_HOST", "_HOSTNAME", "_ENDPOINT", "_URL", "_URI", "_BASE_URL", "_API_URL", "_API_HOST", "_SERVER", "_ADDRESS", "_ADDR", "_DOMAIN"}
)

// sibling reports whether other names the host of the service that variable holds a
// secret of.
func sibling(variable, other string) bool {
	for _, end := range secretEnds {
		stem, ok := strings.CutSuffix(variable, end)
		if !ok || stem == "" {
			continue
		}
		rest, ok := strings.CutPrefix(other, stem)
		if ok && slices.Contains(hostEnds[:], rest) {
			return true
		}
	}
	return false
}

// hostsIn returns the hosts in a URL, a DSN, or, where bare, a value that is a host.
func hostsIn(value string, bare bool) (hosts []string) {
	authority := value
	switch scheme, rest, ok := strings.Cut(value, "://"); {
	case ok:
		authority, _, _ = strings.Cut(rest, "/")
		authority, _, _ = strings.Cut(authority, "?")
		authority = authority[strings.LastIndexByte(authority, '@')+1:]
		if strings.HasSuffix(scheme, "+srv") { // its servers are below the name's domain
			if _, domain, ok := strings.Cut(authority, "."); ok && strings.Contains(domain, ".") {
				hosts = append(hosts, "."+strings.ToLower(domain))
			}
		}
	case strings.Contains(value, "@tcp("):
		_, authority, _ = strings.Cut(value, "@tcp(")
		authority, _, _ = strings.Cut(authority, ")")
	case strings.ContainsAny(value, "; ") && strings.Contains(value, "="):
		authority = pairHost(value)
	case !bare:
		return nil
	}
	for one := range strings.SplitSeq(authority, ",") {
		if h := hostName(one); h != "" {
			hosts = append(hosts, h)
		}
	}
	return hosts
}

// pairHost is the host of "host=db password=x" and "Server=tcp:db,1433;Password=x".
func pairHost(value string) string {
	for p := range strings.FieldsFuncSeq(value, func(r rune) bool { return r == ';' || r == ' ' }) {
		k, v, _ := strings.Cut(p, "=")
		switch strings.ToLower(strings.TrimSpace(k)) {
		case "host", "server", "endpoint", "datasource", "address":
			v = strings.TrimPrefix(strings.Trim(v, `'"`), "tcp:")
			if u, err := url.Parse(v); err == nil && u.Hostname() != "" {
				return u.Hostname()
			}
			host, _, _ := strings.Cut(v, ",")
			return host
		}
	}
	return ""
}

// hostName is the host of host:port, in lower case; "" for what is none.
func hostName(s string) string {
	s = strings.TrimSuffix(strings.ToLower(strings.TrimSpace(s)), ".")
	if a, err := netip.ParseAddrPort(s); err == nil {
		return a.Addr().Unmap().String()
	}
	if a, err := netip.ParseAddr(strings.Trim(s, "[]")); err == nil {
		return a.Unmap().String()
	}
	host, _, _ := strings.Cut(s, ":")
	if host == "" || strings.Trim(host, "abcdefghijklmnopqrstuvwxyz0123456789-._") != "" || !strings.Contains(host, ".") && host != "localhost" {
		return ""
	}
	return host
}
