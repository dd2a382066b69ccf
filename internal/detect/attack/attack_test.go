package attack_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"gatehouse/internal/detect"
	"gatehouse/internal/detect/attack"
)

// inspect judges event by a fresh engine.
func inspect(t testing.TB, event []byte) *detect.Result {
	t.Helper()
	var e attack.Engine
	var r detect.Result
	e.Inspect(event, e.Source(event), &r, nil)
	return &r
}

func TestInspectFindsWhere(t *testing.T) {
	const union = `1 UNION SELECT 1,2,3--`
	b64 := base64.StdEncoding.EncodeToString
	tests := []struct {
		name, event        string
		rule, path, chain  string
		raw                string // what Start and End delimit; "" is the value at hand
		matched            string
		wantGap, wantField string
	}{
		{
			name:  "SNS",
			event: `{"Records":[{"EventSource":"aws:sns","Sns":{"Message":"' OR '1'='1' --"}}]}`,
			rule:  "sqli.tautology", path: "Records[0].Sns.Message", raw: `"' OR '1'='1' --"`, matched: "' OR '1'='1' --",
		}, {
			name:  "JSON in SNS",
			event: `{"Records":[{"EventSource":"aws:sns","Sns":{"Message":"{\"q\":[\"` + union + `\"]}"}}]}`,
			rule:  "sqli.union", path: "Records[0].Sns.Message.q[0]", chain: "json", raw: `"{\"q\":[\"` + union + `\"]}"`, matched: union,
		}, {
			name:  "SNS in SQS",
			event: `{"Records":[{"eventSource":"aws:sqs","body":"{\"Message\":\"{\\\"q\\\":\\\"` + union + `\\\"}\"}"}]}`,
			rule:  "sqli.union", path: "Records[0].body.Message.q", chain: "json json", matched: union,
		},
		{name: "a key that is no name", event: `{"a b":{"c":"` + union + `"}}`, rule: "sqli.union", path: `["a b"].c`},
		{name: "in a key", event: `{"x' OR '1'='1' --":1}`, rule: "sqli.tautology", path: `["x' OR '1'='1' --"]`, raw: `"x' OR '1'='1' --"`},
		{name: "escaped", event: `{"q":"1\u0020UNION SELECT 1,2,3--"}`, rule: "sqli.union", path: "q", matched: union},
		{name: "percent", event: `{"q":"1%27%20OR%20%271%27=%271"}`, rule: "sqli.tautology", path: "q", chain: "percent"},
		{name: "percent twice", event: `{"q":"1%2527%2520OR%2520%25271%2527%253D%25271"}`, rule: "sqli.tautology", path: "q", chain: "percent percent"},
		{name: "%u", event: `{"q":"1%u0027%u0020OR%u0020%u00271%u0027%u003D%u00271"}`, rule: "sqli.tautology", path: "q", chain: "percent"},
		{name: "full width", event: `{"q":"1＇ OR ＇1＇＝＇1"}`, rule: "sqli.tautology", path: "q", chain: "width"},
		{name: "form", event: `{"body":"a=b&q=1%27+OR+%271%27%3D%271"}`, rule: "sqli.tautology", path: "body.q", chain: "form", matched: "1' OR '1'='1"},
		{name: "base64 of a form", event: `{"isBase64Encoded":true,"body":"` + b64([]byte("a=b&q=1%27+OR+%271%27%3D%271")) + `"}`, rule: "sqli.tautology", path: "body.q", chain: "base64 form"},
		{name: "base64 of JSON", event: `{"data":"` + b64([]byte(`{"q":"`+union+`"}`)) + `"}`, rule: "sqli.union", path: "data.q", chain: "base64 json"},
		{name: "base64 of text", event: `{"data":"` + b64([]byte(union)) + `"}`, rule: "sqli.union", path: "data", chain: "base64"},
		{name: "script", event: `{"c":"<img src=x onerror=alert(1)>"}`, rule: "xss.handler", path: "c"},
		{name: "one string", event: `"` + union + `"`, rule: "sqli.union", path: ""},
		{name: "no JSON", event: union, rule: "sqli.union", path: "", wantGap: "not-json", raw: union},
		{name: "malformed", event: `{"a":"` + union + `",`, rule: "sqli.union", path: "a", wantGap: "malformed"},
		{name: "no UTF-8", event: "{\"a\":\"\xff' OR '1'='1' --\"}", rule: "sqli.tautology", path: "a", wantGap: "not-utf8"},
		{name: "behind 64 KB", event: `{"a":"` + strings.Repeat("All is well. ", 5000) + `' OR 4=4 -- "}`, rule: "sqli.tautology", path: "a"},
		{name: "script behind 64 KB", event: `{"a":"` + strings.Repeat("All is well. ", 5000) + `<script>alert(1)</script>"}`, rule: "xss.tag", path: "a"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := inspect(t, []byte(tt.event))
			if len(r.Findings) != 1 {
				t.Fatalf("findings = %+v, want one", r.Findings)
			}
			f := r.Findings[0]
			if got := strings.Join(f.DecodeChain, " "); f.RuleID != tt.rule || f.Path != tt.path || got != tt.chain {
				t.Errorf("finding = %q at %q by %q, want %q at %q by %q", f.RuleID, f.Path, got, tt.rule, tt.path, tt.chain)
			}
			if raw := tt.event[f.Start:f.End]; tt.raw != "" && raw != tt.raw {
				t.Errorf("Start and End delimit %q, want %q", raw, tt.raw)
			}
			if tt.matched != "" && f.Matched != tt.matched {
				t.Errorf("matched = %q, want %q", f.Matched, tt.matched)
			}
			if tt.wantGap != "" && (len(r.Gaps) != 1 || r.Gaps[0].Reason != tt.wantGap) {
				t.Errorf("gaps = %+v, want one of %q", r.Gaps, tt.wantGap)
			}
		})
	}
}

func TestInspectSaysWhatItCouldNot(t *testing.T) {
	tests := []struct {
		name, event string
		want        detect.Gap
	}{
		{"empty", "", detect.Gap{Reason: "empty"}},
		{"malformed", `{"a":"b"`, detect.Gap{Path: "a", Reason: "malformed", Bytes: 0}},
		{"trailing", `{"a":"b"} x`, detect.Gap{Reason: "malformed", Bytes: 1}},
		{"no JSON", `hello there`, detect.Gap{Reason: "not-json", Bytes: 11}},
		{"no UTF-8", "{\"a\":\"b\xffc\"}", detect.Gap{Path: "a", Reason: "not-utf8", Bytes: 3}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := inspect(t, []byte(tt.event))
			if len(r.Gaps) != 1 || r.Gaps[0] != tt.want || len(r.Findings) > 0 {
				t.Errorf("gaps = %+v, findings %+v, want %+v", r.Gaps, r.Findings, tt.want)
			}
		})
	}
}

func TestInspectDeep(t *testing.T) {
	const depth = 10_000
	event := []byte(strings.Repeat(`{"a":`, depth) + `"' OR '1'='1' --"` + strings.Repeat("}", depth))
	r := inspect(t, event)
	if len(r.Findings) != 1 || len(r.Gaps) != 1 || r.Gaps[0].Reason != "depth" {
		t.Fatalf("findings %d, gaps %+v, want one finding and a gap of depth", len(r.Findings), r.Gaps)
	}
	if f := r.Findings[0]; string(event[f.Start:f.End]) != `"' OR '1'='1' --"` || len(f.Path) > 1100 {
		t.Errorf("finding at [%d:%d], path of %d bytes", f.Start, f.End, len(f.Path))
	}
}

// TestBudgetHoldsBenign holds what strains one step of the work, each by itself, to
// the default budget without the fixed part of it.
func TestBudgetHoldsBenign(t *testing.T) {
	const (
		largest = 6 << 20 // what Lambda hands out
		some    = 512 << 10
		prose   = "It's a fine day, and O'Brien said: we'll select one of them or two -- if <it> isn't = late. "
	)
	fill := func(unit string, size int) string { return strings.Repeat(unit, size/len(unit)) }
	b64 := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	raw := func(s string) []byte { return []byte(`{"body":"` + s + `"}`) }
	quoted := func(s string) []byte {
		b, err := json.Marshal(map[string]string{"body": s})
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	tests := []struct {
		name  string
		event []byte
	}{
		{"prose", raw(fill(prose, largest))},
		{"digits", raw(fill("0123456789", largest))},
		{"base64", raw(b64(fill(prose, largest*3/4)))},
		{"quotes", raw(fill("'", largest))},
		{"base64 three times", raw(b64(b64(b64(fill(prose, some)))))},
		{"double quotes", quoted(fill(`"`, some))},
		{"percent", raw(fill("%20and%20a%20b", some))},
		{"percent of percent", raw(fill("%2520and%2520a%2520b", some))},
		{"form", raw("a=" + fill("b+c%20d&e=", some))},
		{"tags", raw(fill("<b>x</b> <i>y=z</i> ", some))},
		{"JSON in JSON", quoted(string(quoted(string(quoted(fill(prose, some))))))},
		{"short strings", []byte(`["` + fill(`it's","`, some) + `"]`)},
		{"brackets", []byte(fill("[", some) + fill("]", some))},
		{"beyond ASCII", raw(fill("Grüße aus Köln, ’s ist schön ＂ ", some))},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := inspect(t, tt.event)
			if r.Exhausted || r.Work > 40*len(tt.event) || len(r.Findings) > 0 {
				t.Errorf("work = %d for %d bytes, exhausted %v, findings %d", r.Work, len(tt.event), r.Exhausted, len(r.Findings))
			}
			t.Logf("%.1f bytes of work a byte", float64(r.Work)/float64(len(tt.event)))
		})
	}
}

func TestBudgetEnds(t *testing.T) {
	event := []byte(`{"a":"` + strings.Repeat("it's ", 1000) + `","b":"' OR '1'='1' --"}`)
	e := attack.Engine{Budget: func(int) int { return 2000 }}
	var r detect.Result
	e.Inspect(event, e.Source(event), &r, nil)
	if !r.Exhausted || r.Work > 2000 || len(r.Gaps) != 1 || r.Gaps[0].Reason != "budget" {
		t.Errorf("result = %+v, want an exhausted one with a gap of budget", r)
	}
	r.Reset()
	e.Budget = nil
	e.Inspect(event, e.Source(event), &r, nil)
	if r.Exhausted || len(r.Findings) != 1 {
		t.Errorf("result with the default budget = %+v, want one finding", r)
	}
}

func TestStopEnds(t *testing.T) {
	event := []byte(`["` + strings.Repeat(`it's all fine","`, 100_000) + `"]`)
	asked := 0
	var e attack.Engine
	var r detect.Result
	e.Inspect(event, e.Source(event), &r, func() bool { asked++; return asked == 3 })
	if asked != 3 || !r.Exhausted || len(r.Gaps) != 1 || r.Gaps[0].Reason != "deadline" {
		t.Errorf("asked %d times, result %+v", asked, r)
	}
}

func TestFindingsAreBounded(t *testing.T) {
	event := []byte(`["` + strings.Repeat(`' OR '1'='1' --","`, 5000) + `"]`)
	r := inspect(t, event)
	if len(r.Findings) != 1024 || !r.Exhausted {
		t.Errorf("%d findings, exhausted %v, want 1024 and true", len(r.Findings), r.Exhausted)
	}
}

func TestInspectConcurrently(t *testing.T) {
	var e attack.Engine
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			var r detect.Result
			for n := range 50 {
				r.Reset()
				event := []byte(fmt.Sprintf(`{"k%d":"{\"n%d\":\"' OR '1'='1' --\"}"}`, i, n))
				e.Inspect(event, e.Source(event), &r, nil)
				want := fmt.Sprintf("k%d.n%d", i, n)
				if len(r.Findings) != 1 || r.Findings[0].Path != want {
					t.Errorf("findings = %+v, want one at %s", r.Findings, want)
				}
			}
		})
	}
	wg.Wait()
}

// FuzzInspect feeds the engine anything: it must not panic, must leave the event
// as it is, stay in its budget and describe what it finds truly.
func FuzzInspect(f *testing.F) {
	f.Add([]byte(`{"Records":[{"EventSource":"aws:sns","Sns":{"Message":"{\"a\":\"' OR 1=1 --\"}"}}]}`))
	f.Add([]byte(`{"body":"a=%3Cscript%3E&b=1%27+or+1%3D1--","q":"JyBPUiAnMSc9JzE="}`))
	f.Add([]byte("' OR '1'='1\xff"))
	f.Add([]byte(`{"x' OR '1'='1`))
	var e attack.Engine
	f.Fuzz(func(t *testing.T, event []byte) {
		before := bytes.Clone(event)
		var r detect.Result
		e.Inspect(event, e.Source(event), &r, nil)
		if !bytes.Equal(before, event) {
			t.Fatal("the event was modified")
		}
		if r.Exhausted || r.Work > 40*len(event)+1<<20 {
			t.Errorf("work = %d for %d bytes", r.Work, len(event))
		}
		for _, f := range r.Findings {
			if f.Start < 0 || f.End > len(event) || f.Start >= f.End {
				t.Fatalf("finding at [%d:%d] of %d", f.Start, f.End, len(event))
			}
			if raw := event[f.Start:f.End]; raw[0] != '"' && raw[0] != '[' && len(raw) != len(event) {
				t.Errorf("Start and End delimit %q", raw)
			}
			if len(f.Matched) > detect.MaxMatched || !utf8.ValidString(f.Matched) {
				t.Errorf("matched %d bytes, %q", len(f.Matched), f.Matched)
			}
		}
	})
}
