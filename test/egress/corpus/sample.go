package corpus

import (
	"math/rand/v2"
	"slices"
	"strings"
)

// Sample draws n thefts that nobody wrote down: each is a place, an encoding, a way to
// cut it, a way there, a host and a time; where they are nested, the encoding is two to
// four inside each other. The same seed draws the same.
func Sample(seed uint64, n int, nested bool) (rows []Row) {
	d := dice{rand.New(rand.NewPCG(seed, 77)), nested}
	for len(rows) < n {
		r := d.row()
		if r.possible() {
			rows = append(rows, r.defaults())
		}
	}
	return rows
}

type dice struct {
	*rand.Rand
	nested bool
}

// one is one of list.
func (d dice) one(list ...string) string { return list[d.IntN(len(list))] }

// of reports whether n of a hundred came up.
func (d dice) of(n int) bool { return d.IntN(100) < n }

func (d dice) row() (r Row) {
	if d.of(30) {
		r.Secret = d.one("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "DATABASE_URL", "SIGNING_KEY", "SERVICE_JWT")
	} else {
		r.Kind = d.one("", "", "hex", "UUID", "key", "password", "short", "long")
	}
	r.Place = Placements[d.IntN(len(Placements))].Name
	if d.of(25) {
		r.Place = "body"
	}
	r.Encoding = d.encoding(r.Place)
	r.Transport = d.one("", "", "", "h2", "h2", "http")
	if r.Place == "body" && d.of(40) {
		r.Transport = d.one("websocket", "raw", "rawtls")
	}
	if d.of(25) {
		r.Frame = d.one("chunked", "chunked", "expect")
	}
	if d.of(40) {
		r.Over = d.one("requests", "requests", "values", "kept", "pipelined", "subdomains", "invocations")
		if d.of(50) {
			r.Split = 2 + d.IntN(5)
		} else {
			r.Piece = 1 + d.IntN(40)
		}
	}
	if d.of(30) {
		r.Write = []int{1, 2, 7, 100, 1000, 1 << 20}[d.IntN(6)]
	}
	if d.of(25) {
		r.Host = HostClasses[d.IntN(len(HostClasses))].Name
	}
	if d.of(10) {
		r.Hello = d.one("bytes", "records")
	}
	if d.of(20) {
		r.When = d.one("init", "after", "shutdown")
	}
	return r
}

// encoding is one that goes at place, or some inside each other.
func (d dice) encoding(place string) string {
	p := PlacementOf(place)
	if p.Host {
		return d.one("hex", "base32", "none")
	}
	if p.Name == "header name" || p.Name == "Host header" {
		return d.one("none", "hex", "base32")
	}
	var names []string
	depth := 1
	if d.nested {
		depth = 2 + []int{0, 0, 0, 0, 1, 1, 2}[d.IntN(7)]
	}
	for range depth {
		for {
			e := Encodings[d.IntN(len(Encodings))]
			outer := len(names) == 0
			switch {
			case !e.Seen, e.Name == "case folded", e.Name == "none" && (!outer || d.nested):
				continue
			}
			names = append(names, e.Name)
			break
		}
	}
	return strings.Join(names, " of ")
}

// spreads are places that several values go to.
var spreads = []string{"header", "Cookie", "path", "JSON", "form", "multipart", "query"}

// possible reports whether r is a theft at all: one that a server gets something of.
func (r *Row) possible() bool {
	p, body := PlacementOf(r.Place), strings.Contains("JSON in JSON key form name multipart field body large body gRPC GraphQL file name", r.Place)
	bare := r.Transport == "websocket" || r.Transport == "raw" || r.Transport == "rawtls"
	several := r.Split > 0 || r.Piece > 0
	switch {
	case EncodingOf(r.Encoding).Binary && !p.Binary, // an object of JSON holds text alone
		strings.Contains(r.Encoding, "object of ") && EncodingOf(r.Encoding[strings.LastIndex(r.Encoding, "object of ")+len("object of "):]).Binary:
		return false
	case r.Place == "large body" && r.Write > 0 && r.Write < 1000, // a million records of TLS
		r.Transport == "http" && (r.Hello != "" || r.Place == "SNI"),
		r.Frame != "" && (!body || bare || r.Transport == "h2"),
		r.Write > 0 && r.Transport == "h2",
		r.Place == "trailer" && r.Frame == "expect",
		HostClassOf(r.Host).Literal && (p.Host || r.Place == "Host header" || r.Over == "subdomains"):
		return false
	case p.Host || r.Place == "Host header": // no more than a name holds
		return (r.Secret == "AWS_SECRET_ACCESS_KEY" || r.Secret == "" && r.Kind != "long" && r.Kind != "key") && !several && !strings.Contains(r.Encoding, " of ") && !bare
	case bare && (several && r.Over != "requests" && r.Over != "invocations" || r.Place != "body"):
		return false
	case r.Over == "values" && !slices.Contains(spreads, r.Place),
		(r.Over == "kept" || r.Over == "pipelined") && (r.Transport != "" || r.Frame == "expect" || r.Place == "trailer"),
		r.Over == "invocations" && r.When != "":
		return false
	case r.Kind == "long" || r.Secret == "SIGNING_KEY": // it takes its time
		return r.Piece == 0 || r.Piece > 8
	}
	return true
}
