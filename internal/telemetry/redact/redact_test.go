package redact_test

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/record"
	"gatehouse/internal/telemetry/redact"
)

func compile(t testing.TB, c redact.Config) *redact.Masks {
	t.Helper()
	m, err := redact.Compile(c)
	if err != nil {
		t.Fatalf("Compile: %v", err)
	}
	return m
}

func TestText(t *testing.T) {
	m := compile(t, redact.Config{Defaults: true, Headers: []string{"X-Tenant-Key"}, Patterns: []string{`cust-[0-9]{4}`, `iban=([A-Z]{2})([0-9]+)`}})
	for _, tt := range []struct{ in, want string }{
		{"", ""},
		{"nothing: here, at=all", "nothing: here, at=all"},
		{"password=hunter2 next", "password={{masked:password}} next"},
		{"DB_PASSWORD: hunter2", "DB_PASSWORD: {{masked:password}}"},
		{`{"userPassword":"a\"b","n":1}`, `{"userPassword":"{{masked:password}}","n":1}`},
		{`{\"password\":\"a b\",\"n\":1}`, `{\"password\":\"{{masked:password}}\",\"n\":1}`},
		{`{'password': 'a b', 'n': 1}`, `{'password': '{{masked:password}}', 'n': 1}`},
		{`{"password":1234,"n":1}`, `{"password":{{masked:password}},"n":1}`},
		{`:password=>"x"`, `:password=>"{{masked:password}}"`},
		{`password := "x"`, `password := "{{masked:password}}"`},
		{"a=1&passwd=x%20y&b=2", "a=1&passwd={{masked:passwd}}&b=2"},
		{"password=", "password="},
		{`password=""`, `password=""`},
		{"pwd=x;secret=y", "pwd={{masked:pwd}};secret={{masked:secret}}"},
		{"password={{DB_PASSWORD:0123456789ab}}", "password={{DB_PASSWORD:0123456789ab}}"},
		{"password={{masked:password}}", "password={{masked:password}}"},
		{"DSN {{URL/password:0123456789ab}} x", "DSN {{URL/password:0123456789ab}} x"},
		{"password={{A:b}}tail", "password={{A:b}}tail"},
		{"passwords are hard: x", "passwords are hard: x"},
		{"arn:aws:secretsmanager:eu-west-1:123456789012:secret:prod/db-AbCdEf", "arn:aws:secretsmanager:eu-west-1:123456789012:secret:prod/db-AbCdEf"},

		{"Authorization: Bearer abc.def next", "Authorization: {{masked:authorization}} next"},
		{"Authorization: AWS4-HMAC-SHA256 Credential=A/b, Signature=c", "Authorization: {{masked:authorization}}"},
		{"proxy-authorization: Basic dXNlcjpwYXNz", "proxy-authorization: {{masked:authorization}}"},
		{"curl -H 'Authorization: Digest a, b' https://a.test", "curl -H 'Authorization: {{masked:authorization}}' https://a.test"},
		{"map[Authorization:[Bearer x] Accept:[*/*]]", "map[Authorization:{{masked:authorization}} Accept:[*/*]]"},
		{"Cookie: a=b; c=d\nHost: a.test", "Cookie: {{masked:cookie}}\nHost: a.test"},
		{"Set-Cookie: sid=abc; Path=/", "Set-Cookie: {{masked:cookie}}"},
		{`"cookies":["a=b","c=d"],"x":1`, `"cookies":{{masked:cookies}},"x":1`},
		{"GET /state?CheckpointToken=abc&x=1", "GET /state?CheckpointToken={{masked:CheckpointToken}}&x=1"},
		{"x-tenant-key: k 1\nb", "x-tenant-key: {{masked:x-tenant-key}}\nb"},
		{"other-x-tenant-key: k", "other-x-tenant-key: k"},
		{"x-amz-security-token: abc", "x-amz-security-token: {{masked:security_token}}"},

		{"card 4111111111111111.", "card {{masked:card:1111}}."},
		{"4111 1111 1111 1111, 5500-0000-0000-0004", "{{masked:card:1111}}, {{masked:card:0004}}"},
		{"on 12 3782 822463 10005 you", "on 12 {{masked:card:0005}} you"},
		{"4111111111111112", "4111111111111112"},                                         // the check digit
		{"1234567890123452", "1234567890123452"},                                         // no network's
		{"a4111111111111111", "a4111111111111111"},                                       // a part of a word
		{"0.4111111111111111", "0.4111111111111111"},                                     // a fraction
		{"41111111111111110000", "41111111111111110000"},                                 // too long
		{"b1a4f0c2-4111-4111-8111-411111111111", "b1a4f0c2-4111-4111-8111-411111111111"}, // a UUID
		{"4111 1111-1111 1111", "4111 1111-1111 1111"},
		{"4242424242424242 4111111111111111", "{{masked:card:4242}} {{masked:card:1111}}"},

		{"cust-1234 and cust-12", "{{masked}} and cust-12"},
		{"iban=DE123", "iban={{masked}}{{masked}}"},
	} {
		got := m.Text(tt.in)
		if got != tt.want {
			t.Errorf("Text(%q) = %q, want %q", tt.in, got, tt.want)
		}
		if again := m.Text(got); again != got && !strings.Contains(tt.in, "iban") {
			t.Errorf("Text of what it returned, %q, = %q", got, again)
		}
	}
	var none *redact.Masks
	if got := none.Text("password=x"); got != "password=x" {
		t.Errorf("Text without masks = %q", got)
	}
	if got := compile(t, redact.Config{}).Text("password=x 4111111111111111"); got != "password=x 4111111111111111" {
		t.Errorf("Text of no defaults = %q", got)
	}
}

func TestJSON(t *testing.T) {
	m := compile(t, redact.Config{
		Defaults: true,
		Paths:    []string{"Records[*].body.iban", "**.patient", `a["b.c"].*`, "rows[1]"},
		Headers:  []string{"X-Tenant-Key"},
	})
	for _, tt := range []struct{ in, want string }{
		{`{"a":1}`, `{"a":1}`},
		{`{ "headers" : { "Authorization" : "Bearer x" , "Accept":"*/*"} }`, `{ "headers" : { "Authorization" : "{{masked:authorization}}" , "Accept":"*/*"} }`},
		{`{"multiValueHeaders":{"cookie":["a=b","c=d"]},"cookies":["a=b"]}`, `{"multiValueHeaders":{"cookie":"{{masked:cookie}}"},"cookies":"{{masked:cookies}}"}`},
		{`{"x-tenant-key":[97,98]}`, `{"x-tenant-key":"{{masked:x-tenant-key}}"}`},
		{`{"password":null,"pwd":"","secret":true,"passwd":{},"passcode":7}`, `{"password":null,"pwd":"","secret":true,"passwd":{},"passcode":"{{masked:passcode}}"}`},
		{`{"password":"{{DB:0123456789ab}}"}`, `{"password":"{{DB:0123456789ab}}"}`},
		{`{"CheckpointToken":"abc","InitialExecutionState":{}}`, `{"CheckpointToken":"{{masked:CheckpointToken}}","InitialExecutionState":{}}`},
		{`{"pass\u0077ord":"x"}`, `{"pass\u0077ord":"{{masked:password}}"}`},
		{`[4111111111111111,1.5,-4111111111111111,"<4111111111111111>"]`, `["{{masked:card:1111}}",1.5,-4111111111111111,"<{{masked:card:1111}}>"]`},
		{`{"Records":[{"body":{"iban":"DE1","x":2}},{"iban":"DE2"}]}`, `{"Records":[{"body":{"iban":"{{masked}}","x":2}},{"iban":"DE2"}]}`},
		{`{"Records":[{"body":"{\"iban\":\"DE1\",\"x\":2}"}]}`, `{"Records":[{"body":"{\"iban\":\"{{masked}}\",\"x\":2}"}]}`},
		{`{"deep":[{"er":{"patient":{"name":"x"}}}]}`, `{"deep":[{"er":{"patient":"{{masked}}"}}]}`},
		{`{"a":{"b.c":{"q":1,"r":[2]},"d":1}}`, `{"a":{"b.c":{"q":"{{masked}}","r":"{{masked}}"},"d":1}}`},
		{`{"rows":["a","b","c"]}`, `{"rows":["a","{{masked}}","c"]}`},
		{`"password=x"`, `"password={{masked:password}}"`},
		{`{"Message":"{\"user\":\"a\",\"password\":\"x\"}"}`, `{"Message":"{\"user\":\"a\",\"password\":\"{{masked:password}}\"}"}`},
	} {
		got := string(m.JSON([]byte(tt.in)))
		if got != tt.want {
			t.Errorf("JSON(%s)\n = %s, want\n   %s", tt.in, got, tt.want)
		}
		if !json.Valid([]byte(got)) {
			t.Errorf("JSON(%s) is no JSON: %s", tt.in, got)
		}
	}
}

// What was matched is evidence: it stays, wherever else it is hidden.
func TestRecord(t *testing.T) {
	m := compile(t, redact.Config{Defaults: true})
	form := base64.StdEncoding.EncodeToString([]byte("user=a&password=' OR 1=1 --&pwd=secret"))
	in := `{"kind":"attack","path":"password","matched":"password=' OR 1=1 --","url":"https://a.test/?password=x","requests":[{"url":"/?pwd=y"}],` +
		`"event":{"password":"' OR 1=1 --","body":"` + form + `"},"event_base64":"` + form + `"}`
	out := m.Record(&record.Record{Kind: record.Attack}, []byte(in))
	var got struct {
		Matched     string
		URL         string
		Requests    []struct{ URL string }
		Event       struct{ Password, Body string }
		EventBase64 string `json:"event_base64"`
	}
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if got.Matched != "password=' OR 1=1 --" {
		t.Errorf("matched = %q", got.Matched)
	}
	for what, hidden := range map[string]string{
		"url": got.URL, "requests": got.Requests[0].URL, "event.password": got.Event.Password,
	} {
		if !strings.Contains(hidden, "{{masked:p") || strings.Contains(hidden, "1=1") {
			t.Errorf("%s = %q", what, hidden)
		}
	}
	for what, hidden := range map[string]string{"event.body": got.Event.Body, "event_base64": got.EventBase64} {
		b, err := base64.StdEncoding.DecodeString(hidden)
		if err != nil || string(b) != "user=a&password=' OR 1=1 --{{masked:password}}" {
			t.Errorf("%s = %q, %v", what, b, err)
		}
	}
}

// The matched span is seen even in a masked field, and nothing round it.
func TestRecordShowsWhatMatched(t *testing.T) {
	m := compile(t, redact.Config{Defaults: true, Paths: []string{"iban"}, Patterns: []string{`cust-\S+`}})
	for _, tt := range []struct{ kind, matched, event, want string }{
		{"attack", `;SET password='x' WHERE 1=1`, `{"q":"a;SET password='x' WHERE 1=1; password=y"}`, `{"q":"a;SET password='x' WHERE 1=1; password={{masked:password}}"}`},
		{"attack", `' OR 1=1`, `{"password":"hunter' OR 1=1 --"}`, `{"password":"{{masked:password}}' OR 1=1{{masked:password}}"}`},
		{"attack", `' OR 1=1`, `{"headers":{"Cookie":["a=b' OR 1=1","c"]}}`, `{"headers":{"Cookie":"{{masked:cookie}}' OR 1=1{{masked:cookie}}"}}`},
		{"attack", `' OR 1=1`, `{"iban":"DE' OR 1=1' OR 1=1"}`, `{"iban":"{{masked}}' OR 1=1' OR 1=1"}`},
		{"attack", `4111111111111111 OR`, `{"q":"4111111111111111 OR 4111111111111111"}`, `{"q":"4111111111111111 OR {{masked:card:1111}}"}`},
		{"attack", `12' OR`, `{"q":"cust-1' cust-12' OR"}`, `{"q":"{{masked}} {{masked}}12' OR"}`},
		{"attack", `x`, `{"password":"xyx"}`, `{"password":"{{masked:password}}"}`}, // says nothing, and would say where
		{"leak", `hunter2`, `{"password":"hunter2"}`, `{"password":"{{masked:password}}"}`},
	} {
		matched, err := json.Marshal(tt.matched)
		if err != nil {
			t.Fatal(err)
		}
		in := `{"matched":` + string(matched) + `,"event":` + tt.event + `}`
		var got struct{ Event json.RawMessage }
		if err := json.Unmarshal(m.Record(&record.Record{Kind: record.Kind(tt.kind)}, []byte(in)), &got); err != nil || string(got.Event) != tt.want {
			t.Errorf("%s of %q: %s, %v, want %s", tt.kind, tt.matched, got.Event, err, tt.want)
		}
	}
}

// The rule in front of a reason is no name of a secret.
func TestARuleHidesNoReason(t *testing.T) {
	m := compile(t, redact.Config{Defaults: true})
	for in, want := range map[string]string{
		"leak.own-secret: Own secret leaves the function": "leak.own-secret: Own secret leaves the function",
		"egress.tls: password: hunter2":                   "egress.tls: password: {{masked:password}}",
		"secret: hunter2":                                 "secret: {{masked:secret}}",
	} {
		got := m.Record(&record.Record{Kind: record.Connection}, []byte(`{"reason":"`+in+`","verdict":"refuse"}`))
		if string(got) != `{"reason":"`+want+`","verdict":"refuse"}` {
			t.Errorf("%q became %s", in, got)
		}
	}
}

// TestNoTextTakesLong: whoever writes an event or a line chooses what is looked through.
func TestNoTextTakesLong(t *testing.T) {
	m := compile(t, redact.Config{Defaults: true, Paths: []string{"**.iban"}, Headers: []string{"x-key"}, Patterns: []string{`[A-Z]{2}\d{10}`}})
	for _, unit := range []string{
		"password=", "password=,", "password=\"", "password='", "password=[", "password={{", "password={{ ", "password=>", "password = \\", `\"password\":\"`,
		"cookie=;", "cookie=; ", "authorization: ", "x-key: {{", "{{", "}}", "{{masked:password}}", "=", "\\", "4111111111111111 ", "4-1-1-1-", "AA1234567890", "é=",
	} {
		short, long := timeOf(t, m, unit, 32<<10), timeOf(t, m, unit, 256<<10)
		// Eight times as much takes eight times as long. By the square it would be 64.
		if long > 24*short+20*time.Millisecond {
			t.Errorf("256 KiB of %q take %v, 32 KiB %v", unit, long, short)
		}
	}
}

// timeOf is how long masks look at size bytes of unit, the shortest of three times.
func timeOf(t *testing.T, m *redact.Masks, unit string, size int) time.Duration {
	t.Helper()
	s := strings.Repeat(unit, size/len(unit))
	quoted, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	matched, err := json.Marshal(unit)
	if err != nil {
		t.Fatal(err)
	}
	text := []byte(`{"matched":` + string(matched) + `,"event":{"body":` + string(quoted) + `,"password":` + string(quoted) + `}}`)
	shortest := time.Hour
	for range 3 {
		began := time.Now()
		m.Text(s)
		m.Record(&record.Record{Kind: record.Attack}, text)
		shortest = min(shortest, time.Since(began))
	}
	return shortest
}

func TestCompileRefuses(t *testing.T) {
	for _, c := range []redact.Config{
		{Paths: []string{""}}, {Paths: []string{"**."}}, {Paths: []string{"a..b"}}, {Paths: []string{"a[x]"}}, {Paths: []string{"a[-1]"}},
		{Paths: []string{"a*"}}, {Paths: []string{`a["b]`}}, {Paths: []string{strings.Repeat("a.", 40) + "a"}}, {Patterns: []string{"("}},
	} {
		if _, err := redact.Compile(c); err == nil {
			t.Errorf("Compile(%v) has no error", c)
		}
	}
}

// What is masked stays JSON, and nothing of a hidden value stays in sight.
func FuzzJSON(f *testing.F) {
	f.Add(`{"a":"x","password":"hidden"}`)
	f.Add(`[{"cookie":["hidden"]},"password=hidden",4111111111111111]`)
	f.Add(`{"b":"{\"password\":\"hidden\"}"}`)
	m := compile(f, redact.Config{Defaults: true, Paths: []string{"**.patient", "a[*].b"}, Patterns: []string{"x+"}})
	f.Fuzz(func(t *testing.T, text string) {
		if !json.Valid([]byte(text)) {
			return
		}
		in := `{"password":` + text + `,"n":` + text + `}`
		if !json.Valid([]byte(in)) {
			return
		}
		out := m.JSON([]byte(in))
		if !json.Valid(out) {
			t.Fatalf("JSON(%q) = %q", in, out)
		}
		if out := m.Record(new(record.Record), []byte(`{"event":`+text+`,"message":"m"}`)); !json.Valid(out) {
			t.Fatalf("Record of %q = %q", text, out)
		}
	})
}

func FuzzText(f *testing.F) {
	f.Add("password", "=", "hunter2")
	f.Add("Authorization", ": ", "Bearer abc")
	f.Add("x", "=", "4111 1111 1111 1111")
	m := compile(f, redact.Config{Defaults: true})
	f.Fuzz(func(t *testing.T, a, b, c string) {
		once := m.Text(a + b + c)
		if len(once) > 64*(1+len(a)+len(b)+len(c)) {
			t.Fatalf("Text(%q) = %d bytes", a+b+c, len(once))
		}
	})
}

func BenchmarkText(b *testing.B) {
	m := compile(b, redact.Config{Defaults: true})
	line := "line-000123 INFO order taken, the parcel leaves from Lindenweg 17 before Friday, customer c-26, took=12ms, thank you"
	b.SetBytes(int64(len(line)))
	for b.Loop() {
		m.Text(line)
	}
}

func BenchmarkJSON(b *testing.B) {
	m := compile(b, redact.Config{Defaults: true})
	line := []byte(`{"level":"INFO","location":"handler:17","message":"order taken","timestamp":"2026-11-25T10:00:00.000Z","service":"orders","cold_start":false,"function_name":"orders","function_memory_size":"256","function_request_id":"8f507cfc-xmpl-4697-b07a-ac58fc914c95","xray_trace_id":"1-5f35ae12","customer":{"id":26,"street":"Lindenweg 17"}}`)
	b.SetBytes(int64(len(line)))
	for b.Loop() {
		m.JSON(line)
	}
}
