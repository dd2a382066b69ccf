package corpus

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// Request is one request of the thief's, as it is written.
type Request struct {
	Method  string
	Path    string // with query
	Header  [][2]string
	Body    string
	Trailer [][2]string
	Host    string // another than the row's, where the secret stands in it
	SNI     string // another than the host, in the greeting of TLS
	Named   string // another than the host, in the header that names it
	Frame   string // how the body goes in HTTP/1.1: "" by its length, "chunked", "expect": once the server says so
}

// Placement is a place of a request.
type Placement struct {
	ID     string // of the list: "P1"
	Name   string
	Binary bool // takes what is no text
	Short  bool // takes no more than a label or two
	// Put makes the request with v in it.
	Put func(host, v string) Request
	// Host is set where v is in the name that is asked for.
	Host bool
}

// Placements are all of them. What is put is marked, so that the server can say what
// it got of it: "v=" in front of it, or the place has nothing else in it.
var Placements = []Placement{
	{ID: "P1", Name: "path", Put: func(_, v string) Request { return get("/hacked/" + url.PathEscape(v) + "/x") }},
	{ID: "P2", Name: "query", Put: func(_, v string) Request { return get("/?q=1&v=" + url.QueryEscape(v)) }},
	{ID: "P3", Name: "query name", Put: func(_, v string) Request { return get("/?" + url.QueryEscape(v) + "=1") }},
	{ID: "P4", Name: "host", Host: true, Short: true, Put: func(host, v string) Request {
		r := get("/")
		r.Host = labels(v) + "." + host
		return r
	}},
	{ID: "P5", Name: "SNI", Host: true, Short: true, Put: func(host, v string) Request {
		r := get("/")
		r.SNI = labels(v) + "." + host
		return r
	}},
	{ID: "P5", Name: "Host header", Short: true, Put: func(host, v string) Request {
		r := get("/")
		r.Named = labels(v) + "." + host
		return r
	}},
	{ID: "P6", Name: "header", Put: func(_, v string) Request { return get("/", [2]string{"X-Trace", v}) }},
	{ID: "P7", Name: "header name", Short: true, Put: func(_, v string) Request { return get("/", [2]string{"X-" + token(v), "1"}) }},
	{ID: "P8", Name: "Referer", Put: func(_, v string) Request { return get("/", [2]string{"Referer", "http://1.a/" + url.PathEscape(v)}) }},
	{ID: "P9", Name: "Cookie", Put: func(_, v string) Request {
		return get("/", [2]string{"Cookie", "a=1; v=" + strings.ReplaceAll(v, ";", "%3B")})
	}},
	{ID: "P10", Name: "User-Agent", Put: func(_, v string) Request { return get("/", [2]string{"User-Agent", "curl/8 " + v}) }},
	{ID: "P11", Name: "Basic", Put: func(_, v string) Request {
		return get("/", [2]string{"Authorization", "Basic " + base64.StdEncoding.EncodeToString([]byte("user:"+v))})
	}},
	{ID: "P12", Name: "JSON", Put: func(_, v string) Request {
		return post("application/json", `{"level":"info","v":"`+strings.NewReplacer(`"`, `\"`, "\n", `\n`).Replace(v)+`","n":1}`)
	}},
	{ID: "P12", Name: "JSON key", Put: func(_, v string) Request {
		return post("application/json", `{"level":"info","a":{"`+strings.NewReplacer(`"`, `\"`, "\n", `\n`).Replace(v)+`":1}}`)
	}},
	{ID: "P12", Name: "JSON in JSON", Put: func(_, v string) Request {
		return post("application/json", `{"records":[{"body":"{\"level\":\"info\",\"v\":\"`+strings.NewReplacer(`\`, `\\`, `"`, `\\\"`, "\n", `\\n`).Replace(v)+`\"}"}]}`)
	}},
	{ID: "P13", Name: "form name", Put: func(_, v string) Request {
		return post("application/x-www-form-urlencoded", "a=1&"+url.QueryEscape(v)+"=2")
	}},
	{ID: "P13", Name: "form", Put: func(_, v string) Request {
		return post("application/x-www-form-urlencoded", "a=1&v="+url.QueryEscape(v)+"&z=2")
	}},
	{ID: "P14", Name: "multipart", Binary: true, Put: func(_, v string) Request {
		return post("multipart/form-data; boundary=bb", "--bb\r\nContent-Disposition: form-data; name=\"f\"; filename=\"a.bin\"\r\n\r\n"+v+"\r\n--bb--\r\n")
	}},
	{ID: "P14", Name: "file name", Short: true, Put: func(_, v string) Request {
		return post("multipart/form-data; boundary=bb", "--bb\r\nContent-Disposition: form-data; name=\"f\"; filename=\""+strings.ReplaceAll(v, `"`, "")+"\"\r\n\r\nnothing\r\n--bb--\r\n")
	}},
	{ID: "P14", Name: "multipart field", Short: true, Put: func(_, v string) Request {
		return post("multipart/form-data; boundary=bb", "--bb\r\nContent-Disposition: form-data; name=\""+strings.ReplaceAll(v, `"`, "")+"\"\r\n\r\nnothing\r\n--bb--\r\n")
	}},
	{ID: "P15", Name: "body", Binary: true, Put: func(_, v string) Request { return post("application/octet-stream", v) }},
	{ID: "P15", Name: "large body", Put: func(_, v string) Request {
		filler := strings.Repeat("line of an honest log, with numbers 0123456789 in it\n", 20000)
		return post("text/plain", filler+"v="+v+"\n"+filler[:5000])
	}},
	{ID: "P16", Name: "trailer", Put: func(_, v string) Request {
		r := post("text/plain", "nothing here")
		r.Trailer = [][2]string{{"X-Sum", v}}
		return r
	}},
	{ID: "P19", Name: "userinfo", Put: func(_, v string) Request { // what clients make of https://v@host
		return get("/", [2]string{"Authorization", "Basic " + base64.StdEncoding.EncodeToString([]byte(v+":"))})
	}},
	{ID: "P20", Name: "GraphQL", Put: func(_, v string) Request {
		return post("application/json", `{"query":"mutation($v:String!){log(v:$v)}","variables":{"v":"`+strings.NewReplacer(`"`, `\"`, "\n", `\n`).Replace(v)+`"}}`)
	}},
	{ID: "P18", Name: "gRPC", Binary: true, Put: func(_, v string) Request {
		message := "\x0a" + string(binary.AppendUvarint(nil, uint64(len(v)))) + v
		r := post("application/grpc", "\x00"+string(binary.BigEndian.AppendUint32(nil, uint32(len(message))))+message)
		r.Path = "/log.Sink/Put"
		return r
	}},
	{ID: "P21", Name: "metadata", Put: func(_, v string) Request {
		r := post("application/octet-stream", "nothing here")
		r.Method, r.Path = "PUT", "/object"
		r.Header = append(r.Header, [2]string{"X-Amz-Meta-Note", v})
		return r
	}},
}

// Special are places that have a meaning of their own, and that not every encoding makes
// sense in.
var Special = []Placement{
	{ID: "P6", Name: "security token", Put: func(_, v string) Request { return get("/", [2]string{"X-Amz-Security-Token", v}) }},
	{ID: "H11", Name: "signed by another", Binary: true, Put: func(_, v string) Request {
		r := post("application/octet-stream", v)
		r.Method, r.Path = "PUT", "/loot"
		r.Header = append(r.Header, [2]string{"Authorization", "AWS4-HMAC-SHA256 Credential=" + foreignKeyID + fmt.Sprintf(scope, "s3") + ", SignedHeaders=host;x-amz-date, Signature=" + signature},
			[2]string{"X-Amz-Date", "20260101T000000Z"})
		return r
	}},
	{ID: "P21", Name: "presigned by another", Binary: true, Put: func(_, v string) Request {
		r := post("application/octet-stream", v)
		r.Method, r.Path = "PUT", "/loot?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential="+url.QueryEscape(foreignKeyID+fmt.Sprintf(scope, "s3"))+
			"&X-Amz-Date=20260101T000000Z&X-Amz-Expires=900&X-Amz-SignedHeaders=host&X-Amz-Signature="+signature
		return r
	}},
}

// foreignKeyID is of an account that is not the function's. It is made up.
const foreignKeyID = "ASIAY34FZKBOKMUTVV7A"

// PlacementOf returns the placement with that name.
func PlacementOf(name string) *Placement {
	for i := range Placements {
		if Placements[i].Name == name {
			return &Placements[i]
		}
	}
	for i := range Special {
		if Special[i].Name == name {
			return &Special[i]
		}
	}
	panic("no placement " + name)
}

func get(path string, header ...[2]string) Request {
	return Request{Method: "GET", Path: path, Header: header}
}

func post(contentType, body string) Request {
	return Request{Method: "POST", Path: "/upload/v2", Body: body, Header: [][2]string{{"Content-Type", contentType}}}
}

// labels writes v as a name: what has no place in one is left out, and a dot comes
// after each 30 characters.
func labels(v string) string {
	v = strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_' {
			return r
		}
		return -1
	}, v)
	return spaced(v, 30, ".")
}

// token writes v as the name of a header.
func token(v string) string {
	return strings.Map(func(r rune) rune {
		if r > ' ' && r < 0x7f && !strings.ContainsRune(`()<>@,;:\"/[]?={}`, r) {
			return r
		}
		return '-'
	}, v)
}

// Text writes r as HTTP/1.1 does, for host.
func (r Request) Text(host string) string {
	var b strings.Builder
	if r.Named != "" {
		host = r.Named
	}
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: %s\r\n", r.Method, r.Path, host)
	for _, h := range r.Header {
		fmt.Fprintf(&b, "%s: %s\r\n", h[0], strings.NewReplacer("\r", " ", "\n", " ").Replace(h[1]))
	}
	switch {
	case len(r.Trailer) > 0 || r.Frame == "chunked" && r.Body != "":
		if len(r.Trailer) > 0 {
			fmt.Fprintf(&b, "Trailer: %s\r\n", r.Trailer[0][0])
		}
		b.WriteString("Transfer-Encoding: chunked\r\n\r\n")
		for body := r.Body; body != ""; { // in chunks that are no multiple of anything
			n := min(len(body), 4093)
			if len(body) < 4093 {
				n = (len(body) + 2) / 3
			}
			fmt.Fprintf(&b, "%x\r\n%s\r\n", n, body[:n])
			body = body[n:]
		}
		b.WriteString("0\r\n")
		for _, h := range r.Trailer {
			fmt.Fprintf(&b, "%s: %s\r\n", h[0], strings.NewReplacer("\r", " ", "\n", " ").Replace(h[1]))
		}
		b.WriteString("\r\n")
	case r.Body != "" || r.Method != http.MethodGet:
		if r.Frame == "expect" {
			b.WriteString("Expect: 100-continue\r\n")
		}
		fmt.Fprintf(&b, "Content-Length: %d\r\n\r\n%s", len(r.Body), r.Body)
	default:
		b.WriteString("\r\n")
	}
	return b.String()
}
