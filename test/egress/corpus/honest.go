package corpus

import (
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"net/url"
	"os"
	"strings"
)

// Honest is one thing that honest functions do, and that looks like a theft to who
// knows no better.
type Honest struct {
	Name, Host string
	Transport  string // "tls" or "raw"
	// Make makes the request; what it needs of the function's environment it reads there.
	Make func() Request
}

const (
	keyID     = "AKIAIOSFODNN7EXAMPLE"
	signature = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	scope     = "/20260101/us-east-1/%s/aws4_request"
)

// signed is a request with Signature Version 4, as the SDKs sign it.
func signed(method, service, path, body string) Request {
	return Request{Method: method, Path: path, Body: body, Header: [][2]string{
		{"Authorization", "AWS4-HMAC-SHA256 Credential=" + keyID + fmt.Sprintf(scope, service) + ", SignedHeaders=host;x-amz-date;x-amz-security-token, Signature=" + signature},
		{"X-Amz-Date", "20260101T000000Z"}, {"X-Amz-Security-Token", os.Getenv("AWS_SESSION_TOKEN")},
		{"X-Amz-Content-Sha256", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"}, {"Content-Type", "application/x-amz-json-1.0"},
	}}
}

// presigned is the query of a presigned URL.
func presigned() string {
	return "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=" + url.QueryEscape(keyID+fmt.Sprintf(scope, "s3")) +
		"&X-Amz-Date=20260101T000000Z&X-Amz-Expires=900&X-Amz-Security-Token=" + url.QueryEscape(os.Getenv("AWS_SESSION_TOKEN")) +
		"&X-Amz-SignedHeaders=host&X-Amz-Signature=" + signature
}

// noise is n bytes that look like nothing.
func noise(n int) string {
	dice := rand.New(rand.NewPCG(3, uint64(n)))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(dice.Uint32())
	}
	return string(b)
}

func bearer(variable string) [2]string {
	return [2]string{"Authorization", "Bearer " + os.Getenv(variable)}
}

// otlp is telemetry as collectors take it.
func otlp() string {
	var b strings.Builder
	b.WriteString(`{"resourceSpans":[`)
	for i := range 200 {
		fmt.Fprintf(&b, `{"traceId":"%032x","spanId":"%016x","name":"GET /orders/%d","startTimeUnixNano":"17000000000000%05d","kind":2},`, i*7919, i*104729, i, i)
	}
	return b.String() + `{}]}`
}

// HonestRows are what must arrive as it was sent, with no finding.
var HonestRows = []Honest{
	{Name: "a signed request to SQS", Host: "sqs.us-east-1.amazonaws.com", Make: func() Request {
		return signed("POST", "sqs", "/", `{"QueueUrl":"https://sqs.us-east-1.amazonaws.com/123456789012/orders","MessageBody":"{\"order\":7}"}`)
	}},
	{Name: "a signed request to STS", Host: "sts.us-east-1.amazonaws.com", Make: func() Request {
		return signed("POST", "sts", "/", "Action=GetCallerIdentity&Version=2011-06-15")
	}},
	{Name: "a signed upload to S3", Host: "orders.s3.us-east-1.amazonaws.com", Make: func() Request {
		return signed("PUT", "s3", "/2026/report.bin", noise(300<<10))
	}},
	{Name: "a presigned download", Host: "orders.s3.us-east-1.amazonaws.com", Make: func() Request { return get("/report.pdf?" + presigned()) }},
	{Name: "a presigned upload", Host: "orders.s3.us-east-1.amazonaws.com", Make: func() Request {
		r := post("application/octet-stream", noise(100<<10))
		r.Method, r.Path = "PUT", "/in/upload.bin?"+presigned()
		return r
	}},
	{Name: "a presigned URL for a partner", Host: "api.partner.test", Make: func() Request {
		return post("application/json", `{"download":"https://orders.s3.us-east-1.amazonaws.com/report.pdf?`+presigned()+`","order":7}`)
	}},
	{Name: "a vendor's key to the vendor", Host: "api.stripe.com", Make: func() Request {
		r := post("application/x-www-form-urlencoded", "amount=1999&currency=eur&description=order+7")
		r.Header = append(r.Header, bearer("STRIPE_API_KEY"))
		return r
	}},
	{Name: "a vendor's key in a header of its own", Host: "http-intake.logs.datadoghq.com", Make: func() Request {
		r := post("application/json", gz(otlp()))
		r.Header = append(r.Header, [2]string{"DD-API-KEY", os.Getenv("DD_API_KEY")}, [2]string{"Content-Encoding", "gzip"})
		return r
	}},
	{Name: "a token to the host that the policy pairs it with", Host: "api.internal.test", Make: func() Request {
		return get("/v1/stock", bearer("STOCK_TOKEN"))
	}},
	{Name: "a database's password to the database", Host: "db.internal.example", Transport: "raw", Make: func() Request {
		u, err := url.Parse(os.Getenv("DATABASE_URL"))
		if err != nil {
			return Request{}
		}
		password, _ := u.User.Password()
		return Request{Body: "\x00\x00\x00\x54\x00\x03\x00\x00user\x00orders\x00database\x00orders\x00\x00p\x00\x00\x00\x20" + password + "\x00Q\x00\x00\x00\x0eSELECT 1;\x00"}
	}},
	{Name: "a picture in JSON", Host: "api.partner.test", Make: func() Request {
		return post("application/json", `{"image":"data:image/jpeg;base64,`+base64.StdEncoding.EncodeToString([]byte("\xff\xd8\xff\xe0"+noise(3<<20)))+`"}`)
	}},
	{Name: "telemetry, gzip", Host: "collector.example", Make: func() Request {
		r := post("application/json", gz(otlp()))
		r.Header = append(r.Header, [2]string{"Content-Encoding", "gzip"})
		return r
	}},
	{Name: "telemetry, zstd", Host: "collector.example", Make: func() Request {
		r := post("application/json", zst(otlp()))
		r.Header = append(r.Header, [2]string{"Content-Encoding", "zstd"})
		return r
	}},
	{Name: "telemetry, br", Host: "collector.example", Make: func() Request {
		r := post("application/json", br(otlp()))
		r.Header = append(r.Header, [2]string{"Content-Encoding", "br"})
		return r
	}},
	{Name: "what was encrypted before", Host: "api.partner.test", Make: func() Request { return post("application/octet-stream", noise(1<<20)) }},
	{Name: "a cursor", Host: "api.partner.test", Make: func() Request {
		return get("/v2/orders?cursor=" + url.QueryEscape(base64.StdEncoding.EncodeToString([]byte(noise(120)))) + "&limit=50")
	}},
	{Name: "UUIDs, hashes and tags", Host: "api.partner.test", Make: func() Request {
		return post("application/json", `{"id":"8476a536-e9f4-11e8-9739-2dfe598c3fcd","sha256":"`+signature+`","etag":"\"d41d8cd98f00b204e9800998ecf8427e\"","trace":"1-5e1b4151-43a0913a12345678901234567"}`)
	}},
	{Name: "what is no secret of the environment", Host: "api.partner.test", Make: func() Request {
		return post("application/json", `{"stage":"`+os.Getenv("STAGE")+`","region":"us-east-1","debug":"true","workers":"10","function":"`+os.Getenv("AWS_LAMBDA_FUNCTION_NAME")+`","table":"`+os.Getenv("TABLE_NAME")+`"}`)
	}},
	{Name: "certificates", Host: "api.partner.test", Make: func() Request {
		return post("application/x-pem-file", "-----BEGIN CERTIFICATE-----\n"+spaced(base64.StdEncoding.EncodeToString([]byte(noise(900))), 64, "\n")+"\n-----END CERTIFICATE-----\n")
	}},
	{Name: "a lecture on injection", Host: "api.partner.test", Make: func() Request {
		return post("text/markdown", "# Security\n\nNever build SQL from strings: `' OR 1=1 --` is what O'Brien typed.\n\n```sh\nexport API_KEY=your-key-here\ncurl -H 'Authorization: Bearer <token>' https://api.example/\n```\n")
	}},
	{Name: "a form with a photograph", Host: "api.partner.test", Make: func() Request {
		return post("multipart/form-data; boundary=cc", "--cc\r\nContent-Disposition: form-data; name=\"photo\"; filename=\"a.jpg\"\r\nContent-Type: image/jpeg\r\n\r\n\xff\xd8\xff\xe0"+noise(200<<10)+"\r\n--cc--\r\n")
	}},
	{Name: "an archive", Host: "api.partner.test", Make: func() Request { return post("application/zip", zipped("nothing of interest")) }},
	{Name: "somebody else's key to a vendor, from a vault", Host: "api.openai.com", Make: func() Request {
		return get("/v1/models", [2]string{"Authorization", "Bearer sk-proj-" + strings.Repeat("Ab3dE6gH", 6)})
	}},
}

// HonestHosts are all hosts of HonestRows, in the order of their addresses.
func HonestHosts() (hosts []string) {
	seen := map[string]bool{}
	for _, h := range HonestRows {
		if !seen[h.Host] {
			seen[h.Host] = true
			hosts = append(hosts, h.Host)
		}
	}
	return hosts
}

// Behave does one honest thing.
func (t *Thief) Behave(h *Honest) error {
	r := Row{Transport: h.Transport}
	return t.send(&r, h.Host, h.Make())
}
