package record_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/detect"
	"gatehouse/internal/record"
)

const snsEvent = `{"Records":[{"EventSource":"aws:sns","Sns":{"Message":"1' OR '1'='1"}}]}`

// common is what every record of the samples says.
func common(k record.Kind, n int) record.Record {
	return record.Record{
		Schema: record.Schema, ID: fmt.Sprintf("01KAQ4J1A0SAMPLE0000000%03d", n), Seq: uint64(n), Kind: k,
		Time:         time.Date(2026, 11, 23, 10, 0, 0, 123456789, time.UTC),
		FunctionName: "sns-db-checker", FunctionVersion: "$LATEST",
		FunctionARN: "arn:aws:lambda:eu-west-1:123456789012:function:sns-db-checker",
		AccountID:   "123456789012", Region: "eu-west-1",
		RequestID: "6b4d4a0a-1f4e-4c39-9a1c-2f5a8c1f0b11", TraceID: "Root=1-65f0c0de-0123456789abcdef01234567;Sampled=1",
		SandboxID: "0123456789abcdef", Generation: 1, Phase: "invoke", PolicyHash: "0123456789ab",
		GatehouseVersion: "0.1.0", VendorProduct: record.VendorProduct,
	}
}

// samples is one record of each kind, with every field that it can have.
func samples() []record.Record {
	yes, no := true, false
	log := common(record.Log, 1)
	log.LogType, log.Message = "function", "near \"'1'\": syntax error"

	platform := common(record.Platform, 2)
	platform.PlatformOf = "platform.report"
	platform.Platform = json.RawMessage(`{"requestId":"6b4d4a0a-1f4e-4c39-9a1c-2f5a8c1f0b11","status":"success","metrics":{"durationMs":12.5}}`)

	invocation := common(record.Invocation, 3)
	invocation.EventSource, invocation.Status, invocation.Action, invocation.Dest = "sns", "refused", "blocked", "sns-db-checker"
	invocation.BytesIn, invocation.BytesOut, invocation.DurationMS = 78, 4, 1.25
	invocation.Connections, invocation.Inspected, invocation.Tunnelled = 2, 1, 1
	invocation.Receipt = &record.Receipt{Bytes: 78, Strings: 2, Work: 240, Inspected: true, Dropped: 1, Findings: 1, TookUS: 41,
		Gaps: []detect.Gap{{Path: "Records[0].Sns.Blob", Reason: "budget", Bytes: 12}}}

	attack := common(record.Attack, 4)
	attack.Action, attack.WouldAction, attack.Verdict = "blocked", "blocked", "refuse"
	attack.SignatureID, attack.Signature, attack.Category, attack.Severity = "sqli.tautology", "SQL injection", "sqli", detect.High
	attack.IDSType, attack.Src, attack.Dest, attack.DVC = "application", "arn:aws:sns:eu-west-1:123456789012:checks", "sns-db-checker", attack.FunctionARN
	attack.EventSource, attack.Path, attack.Matched, attack.MatchOffset = "sns", "Records[0].Sns.Message", "1' OR '1'='1", 0
	attack.SetEvent([]byte(snsEvent), nil)

	leak := common(record.Leak, 5)
	leak.Action, leak.WouldAction, leak.Verdict, leak.Halted = "blocked", "blocked", "halt", &yes
	leak.SignatureID, leak.Signature, leak.Category, leak.Severity = "leak.own-secret", "own secret on its way out", "leak", detect.Critical
	leak.Object, leak.ObjectCategory, leak.ObjectPath, leak.Fingerprint = "AWS_SECRET_ACCESS_KEY", "credential", "env", "89abcdef0123"
	leak.EncodingChain, leak.DLPType = []string{"base64"}, "network"
	leak.Src, leak.Dest, leak.DestPort, leak.SNI, leak.TLSVersion = "sns-db-checker", "www.some.test", 443, "www.some.test", "1.3"
	leak.HTTPMethod, leak.URL, leak.Path = "GET", "https://www.some.test/?e={{AWS_SECRET_ACCESS_KEY:89abcdef0123}}", "url"

	runtime := common(record.Runtime, 6)
	runtime.Action, runtime.SignatureID, runtime.Signature = "allowed", "runtime.child-process", "a process that the function started"
	runtime.Category, runtime.Severity, runtime.IDSType, runtime.Process = "runtime", detect.Low, "host", "/bin/sh"

	connection := common(record.Connection, 7)
	connection.Action, connection.WouldAction, connection.Verdict, connection.Decrypted = "allowed", "allowed", "allow", &no
	connection.Dest, connection.DestIP, connection.DestPort, connection.Transport = "api.partner.example", "192.0.2.7", 443, "tcp"
	connection.SNI, connection.TLSVersion, connection.ALPN, connection.Via = "api.partner.example", "1.3", "h2,http/1.1", "connect"
	connection.BytesIn, connection.BytesOut, connection.DurationMS = 5120, 830, 48.5
	connection.Requests = []record.Hop{{Method: "GET", URL: "https://api.partner.example/v1/prices?a=1&b=<2>", Status: 200}}

	health := common(record.Health, 8)
	health.RequestID, health.TraceID, health.Phase = "", "", "init"
	health.Degraded = []record.Degradation{{What: "telemetry", Reason: "the platform does not offer it (202)"}}
	health.Lost, health.Rung = map[string]uint64{"log": 3}, "wrapper"
	return []record.Record{log, platform, invocation, attack, leak, runtime, connection, health}
}

func TestGolden(t *testing.T) {
	for _, r := range samples() {
		t.Run(string(r.Kind), func(t *testing.T) {
			text, err := r.Encode()
			if err != nil {
				t.Fatal(err)
			}
			var b bytes.Buffer
			if err := json.Indent(&b, text, "", "  "); err != nil {
				t.Fatal(err)
			}
			b.WriteByte('\n')
			golden(t, filepath.Join("testdata", string(r.Kind)+".json"), b.Bytes())

			var back record.Record
			if err := json.Unmarshal(text, &back); err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(back, r) {
				t.Errorf("read back as\n%+v, want\n%+v", back, r)
			}
		})
	}
}

// TestSamplesHaveTheFieldsOfTheirKind keeps the samples to what docs/records.md
// says.
func TestSamplesHaveTheFieldsOfTheirKind(t *testing.T) {
	fields := make(map[string]record.Field)
	for _, f := range record.Fields() {
		fields[f.Name] = f
	}
	for _, r := range samples() {
		text, err := r.Encode()
		if err != nil {
			t.Fatal(err)
		}
		var members map[string]json.RawMessage
		if err := json.Unmarshal(text, &members); err != nil {
			t.Fatal(err)
		}
		for name := range members {
			if !fields[name].Of(r.Kind) {
				t.Errorf("a %s record has %s, which the docs do not give it", r.Kind, name)
			}
		}
	}
}

func TestEncode(t *testing.T) {
	zone := time.FixedZone("", 3600)
	tests := []struct {
		name string
		in   record.Record
		want string // a part of the text
	}{
		{"time in UTC, with nanoseconds", record.Record{Time: time.Date(2026, 11, 23, 11, 0, 0, 7, zone)}, `"time":"2026-11-23T10:00:00.000000007Z"`},
		{"no HTML escapes", record.Record{URL: "https://a.test/?b=1&c=<d>"}, `"url":"https://a.test/?b=1&c=<d>"`},
		{"no UTF-8", record.Record{Message: "a\xffb"}, `"message":"a\ufffdb"`},
		{"raw JSON stays", record.Record{Event: json.RawMessage(`{"n":1.50,"s":"\u003c"}`)}, `"event":{"n":1.50,"s":"\u003c"}`},
		{"raw and no JSON", record.Record{Platform: json.RawMessage(`{"a"`)}, `"platform":"{\"a\""`},
		{"raw and no UTF-8", record.Record{MessageJSON: json.RawMessage("\"\xff\"")}, `"message_json":"\"�\""`},
		{"deep", record.Record{Event: json.RawMessage(strings.Repeat("[", 256) + strings.Repeat("]", 256))}, `"event":[[`},
		{"too deep", record.Record{Event: json.RawMessage(strings.Repeat("[", 257) + strings.Repeat("]", 257))}, `"event":"[[`},
		{"wide, and brackets in strings", record.Record{Event: json.RawMessage(`["` + strings.Repeat(`\"[`, 300) + `"` + strings.Repeat(",[]", 300) + `]`)}, `"event":["\"[`},
		{"no number", record.Record{DurationMS: math.NaN()}, `"vendor_product":"x"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.in.VendorProduct = "x"
			got, err := tt.in.Encode()
			if err != nil {
				t.Fatal(err)
			}
			if !json.Valid(got) || bytes.ContainsRune(got, '\n') || !strings.Contains(string(got), tt.want) {
				t.Errorf("got %.300s, want %s in one line of JSON", got, tt.want)
			}
		})
	}
	impossible := record.Record{Time: time.Date(10_000, 1, 1, 0, 0, 0, 0, time.UTC)}
	if _, err := impossible.Encode(); err == nil {
		t.Error("the year 10000 encodes")
	}
}

func TestShorten(t *testing.T) {
	long := strings.Repeat("x", 100_000)
	r := common(record.Attack, 1)
	r.SetEvent([]byte(`{"q":"`+long+`"}`), nil)
	for name, change := range map[string]func(*record.Record){
		"event":   func(*record.Record) {},
		"line":    func(r *record.Record) { r.Message = strings.Repeat("\x01", 100_000) },
		"hops":    func(r *record.Record) { r.Requests = []record.Hop{{URL: long}} },
		"any":     func(r *record.Record) { r.Object = long },
		"receipt": func(r *record.Record) { r.Receipt = &record.Receipt{Gaps: []detect.Gap{{Path: long}}} },
	} {
		t.Run(name, func(t *testing.T) {
			r := r
			change(&r)
			text, err := r.Encode()
			if err != nil {
				t.Fatal(err)
			}
			got := record.Shorten(text, 10_000)
			var back record.Record
			if err := json.Unmarshal(got, &back); err != nil || len(got) > 10_000 || !back.Truncated {
				t.Fatalf("%d bytes, truncated %v, %v", len(got), back.Truncated, err)
			}
			if name != "any" && (back.ID != r.ID || back.EventSHA256 != r.EventSHA256 || back.Event != nil) {
				t.Errorf("want the finding without its event: %s", got)
			}
			if again := record.Shorten(got, 10_000); &again[0] != &got[0] {
				t.Error("what fits is changed")
			}
		})
	}
	if got := record.Shorten([]byte(long), 4096); len(got) > 4096 || !json.Valid(got) {
		t.Errorf("what is no record leaves %d bytes: %.100s", len(got), got)
	}
}

func TestSecretShowsNoValue(t *testing.T) {
	const value = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
	s := record.Secret{Name: "AWS_SECRET_ACCESS_KEY", Fingerprint: record.Fingerprint([]byte("key"), []byte(value))}
	text, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	if all := fmt.Sprintf("%s %v %+v %#v %s", s, s, s, s, text); strings.Contains(all, value) || !strings.Contains(all, "{{AWS_SECRET_ACCESS_KEY:"+s.Fingerprint+"}}") {
		t.Error(all)
	}
	if len(s.Fingerprint) != 12 || s.Fingerprint == record.Fingerprint([]byte("another key"), []byte(value)) {
		t.Errorf("fingerprint %q does not depend on the key", s.Fingerprint)
	}
}

func TestIDsAreDistinctAndSortByTime(t *testing.T) {
	seen := make(map[string]bool)
	for range 1000 {
		id := record.NewID()
		if len(id) != 26 || seen[id] {
			t.Fatalf("id %q", id)
		}
		seen[id] = true
	}
	before := record.NewID()
	for deadline := time.Now().Add(time.Second); ; {
		if id := record.NewID(); id[:10] > before[:10] {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("ids do not follow the clock")
		}
	}
}

func TestFindingKinds(t *testing.T) {
	for _, k := range record.Kinds() {
		want := k.Kind == record.Attack || k.Kind == record.Leak || k.Kind == record.Runtime
		if k.Kind.Finding() != want {
			t.Errorf("%s.Finding() = %v", k.Kind, !want)
		}
	}
}
