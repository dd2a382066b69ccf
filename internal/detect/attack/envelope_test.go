package attack_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"html"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"gatehouse/internal/detect"
	"gatehouse/internal/detect/attack"
)

// envelope is one way in which events carry what somebody sent.
type envelope struct {
	name string
	// pending envelopes are not undone yet. The test fails once they are, so that
	// they are made to hold.
	pending bool
	wrap    func(p string) string
}

// envelopes is the matrix: whatever is found raw must be found in each.
var envelopes = []envelope{
	{"value", false, func(p string) string { return object("q", p) }},
	{"value, escaped by JSON", false, func(p string) string { return `{"q":"` + jsonEscapes(p) + `"}` }},
	{"key", false, func(p string) string { return object(p, "x") }},
	{"key in a string", false, func(p string) string { return object("body", object(p, 1)) }},
	{"second of two equal keys", false, func(p string) string { return `{"q":"a pen","q":` + quoted(p) + `}` }},
	{"in an array", false, func(p string) string { return object("q", []any{1, []any{true, p}}) }},

	// JSON in strings.
	{"JSON in a string", false, func(p string) string { return object("body", object("q", p)) }},
	{"JSON, three levels", false, func(p string) string { return object("a", object("b", object("c", object("q", p)))) }},
	{"JSON in a form", false, func(p string) string { return object("body", "x=1&data="+q(object("q", p))) }},

	// Percent.
	{"form", false, func(p string) string { return object("body", "a=1&q="+q(p)+"&filter[b]=2") }},
	{"escaped", false, func(p string) string { return object("q", q(p)) }},
	{"all escaped", false, func(p string) string { return object("q", eachByte(p, "%%%02x")) }},
	{"all escaped twice", false, func(p string) string { return object("q", eachByte(p, "%%25%02X")) }},
	{"escaped three times", true, func(p string) string { return object("q", q(q(q(p)))) }},
	{"percent u", false, func(p string) string { return object("q", eachUnit(p, "%%u%04x")) }},
	{"overlong UTF-8", false, func(p string) string { return object("q", overlong(p)) }},

	// Escapes of other languages.
	{"escapes of JSON left", false, func(p string) string { return object("q", jsonEscapes(p)) }},
	{"hex escapes", false, func(p string) string { return object("q", eachByte(p, `\x%02x`)) }},
	{"escapes with braces", false, func(p string) string { return object("q", eachRune(p, `\u{%x}`)) }},
	{"HTML, hexadecimal", false, func(p string) string { return object("q", eachRune(p, "&#x%x;")) }},
	{"HTML, decimal", false, func(p string) string { return object("q", eachRune(p, "&#%d;")) }},
	{"HTML, no semicolons", false, func(p string) string { return object("q", eachRune(p, "&#%07d")) }},
	{"HTML, names", false, func(p string) string { return object("q", html.EscapeString(p)) }},
	{"full width", false, func(p string) string { return object("q", fullWidth(p)) }},
	{"NUL bytes inside", false, func(p string) string { return object("q", nulInside(p)) }},
	{"NUL bytes round it", false, func(p string) string { return object("q", "\x00"+p+"\x00") }},
	{"RFC 2047, B", false, func(p string) string { return object("value", encodedWords(p, "B", b64)) }},
	{"RFC 2047, Q", false, func(p string) string { return object("value", encodedWords(p, "Q", quotedPrintable)) }},

	// base64 and what is compressed.
	{"base64", false, func(p string) string { return object("data", b64(p)) }},
	{"base64 of JSON", false, func(p string) string { return object("data", b64(object("q", p))) }},
	{"base64 of a form", false, func(p string) string { return object("body", b64("a=1&q="+q(p))) }},
	{"base64 of base64", false, func(p string) string { return object("data", b64(b64(p))) }},
	{"base64 in JSON in base64", false, func(p string) string { return object("data", b64(object("inner", b64(p)))) }},
	{"base64 in the URL's alphabet", false, func(p string) string {
		return object("data", base64.RawURLEncoding.EncodeToString([]byte(p)))
	}},
	{"base64 in lines", false, func(p string) string { return object("data", mimeLines(b64(p+strings.Repeat(" ", 60)))) }},
	// Pending for the rows that UTF-16 cannot carry: they are not UTF-8.
	{"base64 of UTF-16", true, func(p string) string { return object("data", b64(utf16LE(p))) }},
	{"gzip", false, func(p string) string { return object("data", b64(gz(p))) }},
	{"zlib", false, func(p string) string { return object("data", b64(zl(p))) }},
	{"gzip of base64", false, func(p string) string { return object("data", b64(gz(object("q", b64(p))))) }},

	// Numbers.
	{"byte array", false, func(p string) string { return object("header", byteArray(p, false)) }},
	{"signed byte array", false, func(p string) string {
		return encode(map[string]any{"header": byteArray(p, true), "name": byteArray("é", true)})
	}},

	// Event sources.
	{"API Gateway: JSON", false, func(p string) string { return restEvent(object("q", p), "") }},
	{"API Gateway: base64 of JSON", false, func(p string) string { return restEvent(b64(object("q", p)), "") }},
	{"API Gateway: query", false, func(p string) string { return restEvent("", "a=1&q="+q(p)) }},
	{"API Gateway: multipart", false, func(p string) string { return restEvent(multipartBody(p), "") }},
	{"API Gateway: base64 of multipart", false, func(p string) string { return restEvent(b64(multipartBody(p)), "") }},
	{"API Gateway: path", false, func(p string) string {
		return encode(map[string]any{"rawPath": "/x/" + url.PathEscape(p), "pathParameters": map[string]any{"id": url.PathEscape(p)}})
	}},
	{"API Gateway: cookie", false, func(p string) string { return object("cookies", []any{"theme=" + q(p) + "; a=1"}) }},
	{"a form with a blank in it", false, func(p string) string { return object("body", "a=b c&q="+q(p)) }},
	{"a form behind a line break", false, func(p string) string { return object("body", "a=b\n&q="+q(p)) }},
	{"a form with a bracket in it", false, func(p string) string { return object("body", "a=<&q="+q(p)) }},
	{"a form that begins with no name", false, func(p string) string { return object("body", "(&q="+q(p)) }},
	{"a form with == in it", false, func(p string) string { return object("body", "a==1&q="+q(p)) }},
	{"a form with semicolons", false, func(p string) string { return object("body", "a=1;q="+q(p)) }},
	{"a header with cookies", false, func(p string) string {
		return object("headers", map[string]any{"Cookie": "x y; theme=dark; q=" + url.PathEscape(p) + "; z=1"})
	}},
	{"multipart behind a preamble", false, func(p string) string { return object("body", "preamble\r\n"+multipartBody(p)) }},
	{"multipart behind a wrong boundary", false, func(p string) string {
		return object("body", "--wrong\r\nA: b\r\n\r\n"+multipartBody(p)+"--wrong--\r\n")
	}},
	{"multipart with a long boundary", false, func(p string) string {
		return object("body", strings.ReplaceAll(multipartBody(p), "----shop", strings.Repeat("-", 100)))
	}},
	{"multipart behind a part without headers", false, func(p string) string {
		return object("body", "------shop7MA4YWxk\r\n\r\n"+filler(0, 2<<10)+"\r\n"+multipartBody(p))
	}},
	{"multipart behind a picture", false, func(p string) string {
		picture, _ := base64.StdEncoding.DecodeString(noise())
		return restEvent(b64("------shop7MA4YWxk\r\nContent-Disposition: form-data; name=\"f\"; filename=\"a.png\"\r\n\r\n"+string(picture)+"\r\n"+multipartBody(p)), "")
	}},
	{"JSON with much that is no text", false, func(p string) string {
		return restEvent(b64(`{"a":"`+strings.Repeat("\xff\x80", 200)+`","q":`+quoted(p)+"}"), "")
	}},
	{"ALB: multi-value query", false, func(p string) string {
		return object("multiValueQueryStringParameters", map[string]any{"q": []any{"a", q(p)}})
	}},
	{"SQS", false, func(p string) string { return records("aws:sqs", "body", object("q", p)) }},
	{"SQS: SNS", false, func(p string) string {
		return records("aws:sqs", "body", object("Message", object("order", map[string]any{"q": p})))
	}},
	{"SQS: EventBridge", false, func(p string) string {
		return records("aws:sqs", "body", object("detail", map[string]any{"ref": p}))
	}},
	{"SQS: SNS: S3 key", false, func(p string) string {
		return records("aws:sqs", "body", object("Message", records("aws:s3", "s3", map[string]any{"object": map[string]any{"key": q(p)}})))
	}},
	{"S3 key", true, func(p string) string {
		return records("aws:s3", "s3", map[string]any{"object": map[string]any{"key": "in/" + strings.ReplaceAll(q(p), "%2F", "/")}})
	}},
	{"Kinesis: text", false, func(p string) string { return kinesis(p) }},
	{"Kinesis: JSON", false, func(p string) string { return kinesis(object("q", p)) }},
	{"Kinesis: gzip of JSON", false, func(p string) string { return kinesis(gz(object("q", p))) }},
	{"Kinesis: KPL aggregate", false, func(p string) string { return kinesis(aggregate("nothing here", object("q", p))) }},
	{"Firehose", false, func(p string) string {
		return object("records", []any{map[string]any{"recordId": "1", "data": b64(object("q", p) + "\n" + object("q", "a pen"))}})
	}},
	{"CloudWatch Logs", true, func(p string) string {
		log := object("logEvents", []any{map[string]any{"id": "1", "message": "INFO got " + quoted(p)}})
		return object("awslogs", map[string]any{"data": b64(gz(log))})
	}},
	{"Kafka: value", false, func(p string) string { return kafka(b64(object("q", p)), nil) }},
	{"Kafka: header", false, func(p string) string {
		return kafka("eA==", []any{map[string]any{"trace": json.RawMessage(byteArray(p, true))}})
	}},
	{"RabbitMQ: header", false, func(p string) string {
		return object("rmqMessagesByQueue", map[string]any{"q::/": []any{map[string]any{"data": "eA==", "basicProperties": map[string]any{
			"headers": map[string]any{"h": map[string]any{"bytes": json.RawMessage(byteArray(p, false))}}}}}})
	}},
	{"DynamoDB: string", false, func(p string) string { return dynamo(map[string]any{"Ref": map[string]any{"S": p}}) }},
	{"DynamoDB: nested", false, func(p string) string {
		list := map[string]any{"L": []any{map[string]any{"M": map[string]any{"a": map[string]any{"S": p}}}}}
		return dynamo(map[string]any{"Refs": list})
	}},
	{"DynamoDB: binary", false, func(p string) string { return dynamo(map[string]any{"Blob": map[string]any{"B": b64(p)}}) }},
	{"JWT", false, func(p string) string {
		raw := base64.RawURLEncoding.EncodeToString
		return object("authorization", "Bearer "+raw([]byte(`{"alg":"HS256"}`))+"."+raw([]byte(object("sub", p)))+"."+raw([]byte(strings.Repeat("\xa7", 32))))
	}},

	// Behind much else.
	{"behind 8 KB of zeros", false, func(p string) string { return object("q", behind(filler(0, 8<<10)+" ", p)) }},
	{"behind 8 KB of prose", true, func(p string) string { return object("q", behind(filler(1, 8<<10)+" ", p)) }},
	{"behind 8 KB of JSON's marks", false, func(p string) string { return object("q", behind(filler(2, 8<<10)+" ", p)) }},
	{"behind 8 KB of base64", true, func(p string) string { return object("q", behind(filler(3, 8<<10)+" ", p)) }},
	{"in front of 8 KB", true, func(p string) string { return object("q", before(p, " "+filler(len(p), 8<<10))) }},
	{"behind 32 KB", true, func(p string) string { return object("q", behind(filler(len(p), 32<<10)+" ", p)) }},
	{"between 128 KB", true, func(p string) string {
		return object("q", before(behind(filler(len(p), 64<<10)+" ", p), " "+filler(len(p)+1, 64<<10)))
	}},
	{"behind 128 KB, in base64", false, func(p string) string {
		return object("q", b64(object("a", filler(len(p), 128<<10))+object("q", p)))
	}},
}

// inBlock reports whether event may be refused.
func inBlock(e *attack.Engine, r *detect.Result, event string) bool {
	r.Reset()
	e.Inspect([]byte(event), e.Source([]byte(event)), r, nil)
	return profiles["block"].flagged(r)
}

// foundRaw is how many of our own payloads must be found as they stand.
const foundRaw = 123

// TestEnvelopes wraps payloads of our own, of all families, in each envelope, and
// some rows of the public data sets where these are.
func TestEnvelopes(t *testing.T) {
	attacks, benign := envelopePayloads(t)
	own := raw(t, attacks)
	if len(own) < foundRaw {
		t.Errorf("%d of %d are found raw, want %d", len(own), len(attacks), foundRaw)
	}
	var public []string
	t.Run("public data", func(t *testing.T) { public = raw(t, publicAttacks(t)) })
	for _, env := range envelopes {
		t.Run(env.name, func(t *testing.T) {
			t.Parallel()
			env.passes(t, benign)
			env.holds(t, env.missed(t, own), env.missed(t, public))
		})
	}
}

// publicAttacks takes some attacks of some sets.
func publicAttacks(t *testing.T) (attacks []string) {
	t.Helper()
	for _, set := range []string{"sqlmap", "httpparams", "payloadbox", "payloadsallthethings"} {
		n := 0
		rows(t, set, func(r *row) {
			if r.Y == 1 && len(r.P) >= 12 {
				if n++; n%150 == 1 {
					attacks = append(attacks, r.P)
				}
			}
		})
	}
	return attacks
}

// raw returns those of attacks that are found as they stand.
func raw(t *testing.T, attacks []string) (found []string) {
	t.Helper()
	var e attack.Engine
	var r detect.Result
	for _, p := range attacks {
		if inBlock(&e, &r, object("q", p)) {
			found = append(found, p)
		} else {
			t.Logf("not found raw: %q", p)
		}
	}
	return found
}

// missed returns what is not found in env, if it is more than 1 %. Of what takes
// long every fifth is tried.
func (env *envelope) missed(t *testing.T, attacks []string) (missed []string) {
	t.Helper()
	var e attack.Engine
	var r detect.Result
	every := 1
	if len(env.wrap("x")) > 16<<10 {
		every = 5
	}
	n := 0
	for i := 0; i < len(attacks); i += every {
		n++
		if p := attacks[i]; !inBlock(&e, &r, env.wrap(p)) {
			missed = append(missed, p)
		}
	}
	t.Logf("%d of %d missed", len(missed), n)
	if len(missed)*100 <= n {
		return nil
	}
	return missed
}

// passes holds env to flagging nothing benign.
func (env *envelope) passes(t *testing.T, benign []string) {
	t.Helper()
	var e attack.Engine
	var r detect.Result
	for _, p := range benign {
		if inBlock(&e, &r, env.wrap(p)) {
			t.Errorf("%q is benign, and flagged by %s", p, r.Findings[0].RuleID)
		}
	}
}

// holds fails where more than 1 % was missed, unless env is pending.
func (env *envelope) holds(t *testing.T, own, public []string) {
	t.Helper()
	reached := len(own) == 0 && len(public) == 0
	switch {
	case !env.pending && !reached:
		t.Errorf("missed: of our own %q, of public data %q", own, public)
	case env.pending && reached:
		t.Error("is undone now: make pending false")
	}
}

// envelopePayloads reads testdata/envelope-payloads.txt.
func envelopePayloads(t *testing.T) (attacks, benign []string) {
	t.Helper()
	for _, line := range lines(t, "envelope-payloads.txt") {
		if strings.HasPrefix(line, "#") {
			continue
		}
		class, text, _ := strings.Cut(line, " ")
		p, err := strconv.Unquote(text)
		if err != nil || len(p) < 12 {
			t.Fatalf("envelope-payloads.txt: %q: %v, or shorter than 12 bytes", line, err)
		}
		if class == "benign" {
			benign = append(benign, p)
		} else {
			attacks = append(attacks, p)
		}
	}
	return attacks, benign
}

// object is a JSON object with one member, written as most clients do.
func object(key string, value any) string { return encode(map[string]any{key: value}) }

func encode(v any) string {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic(err) // what tests put together can be encoded
	}
	return strings.TrimSuffix(b.String(), "\n")
}

func quoted(s string) string { return encode(s) }
func q(s string) string      { return url.QueryEscape(s) }
func b64(s string) string    { return base64.StdEncoding.EncodeToString([]byte(s)) }
