package proxy_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"gatehouse/internal/detect"
	"gatehouse/internal/detect/attack"
	"gatehouse/internal/proxy"
	"gatehouse/internal/record"
)

// marking makes a guard that marks events, with one invocation open.
func marking(t *testing.T, policy, event string) *fixture {
	t.Helper()
	f := newGuard(t, policy)
	f.Marks = attack.Marks
	f.next(event)
	return f
}

// next ends the invocation and begins one with event.
func (f *fixture) next(event string) {
	open, _ := f.Sandbox.At()
	for _, inv := range open {
		f.Sandbox.Close(inv.RequestID)
	}
	f.Sandbox.Begin(proxy.Invocation{RequestID: "id", Event: []byte(event), Source: &detect.Source{Name: "sns", Trusted: []string{"arn"}}})
}

func TestHostFromEvent(t *testing.T) {
	tests := []struct{ event, host, path string }{
		{`{"url":"https://hooks.partner.example/x?y=1"}`, "hooks.partner.example", "url"},
		{`{"url":"https://ada:pw@hooks.partner.example:8443"}`, "hooks.partner.example", "url"},
		{`{"url":"https://HOOKS.Partner.example."}`, "hooks.partner.example", "url"},
		{`{"url":"//hooks.partner.example/x"}`, "hooks.partner.example", "url"},
		{`{"a":{"host":["hooks.partner.example"]}}`, "hooks.partner.example", "a.host[0]"},
		{`{"host":"hooks.partner.example:443"}`, "hooks.partner.example", "host"},
		{`{"domain":"partner.example"}`, "api.partner.example", "domain"},
		{`{"domain":"partner.example"}`, "api-partner.example", ""},
		{`{"domain":"other.partner.example"}`, "partner.example", ""},
		{`{"ip":"203.0.113.7"}`, "203.0.113.7", "ip"},
		{`{"ip":"http://[2001:db8::0:7]/x"}`, "2001:db8::7", "ip"},
		{`{"h":"a.io"}`, "a.io", "h"},
		{`"https://hooks.partner.example/x"`, "hooks.partner.example", "$"},
		{`{"h":"a.io"}`, "x.a.io", ""}, // too short for more than the whole
		{`{"h":"io"}`, "io", ""},
		{`{"url":"https://hooks.partner.example/` + strings.Repeat("x", 300) + `"}`, "hooks.partner.example", "url"},
		{`{"body":"{\"url\":\"https://hooks.partner.example\"}"}`, "hooks.partner.example", "body.url"},
		{`{"body":"u=https%3A%2F%2Fhooks.partner.example"}`, "hooks.partner.example", "body.u"},
		{`{"text":"see https://hooks.partner.example, please"}`, "hooks.partner.example", ""},
		{`{"text":"see https://hooks.partner.example/x, please"}`, "hooks.partner.example", "text"},
		{`{"text":"see <https://hooks.partner.example>"}`, "hooks.partner.example", "text"},
		{`{"user":"ada@partner.example"}`, "partner.example", ""},
		{`{"arn":"https://hooks.partner.example"}`, "hooks.partner.example", ""}, // AWS fills it
		{`{"https://hooks.partner.example":1}`, "hooks.partner.example", ""},
		{`{"bucket":"my-bucket-of-reports"}`, "my-bucket-of-reports.s3.eu-west-1.amazonaws.com", ""},
		{`not json`, "hooks.partner.example", ""},
	}
	for _, tt := range tests {
		for _, want := range []string{"monitor", "refuse", "allow"} {
			f := marking(t, "mode: enforce\negress: {event_data: {host: "+want+"}}", tt.event)
			target := detect.Target{Host: tt.host, Port: 443}
			v := f.Decide(&detect.Observation{Kind: detect.KindConnect, Target: target})
			again := f.Decide(&detect.Observation{Kind: detect.KindRequest, Target: target})
			blocks := tt.path != "" && want == "refuse"
			if v.Action.Blocks() != blocks || again.Action.Blocks() != blocks {
				t.Errorf("%s: %s to %s: %s, then %s", want, tt.event, tt.host, v.Action, again.Action)
			}
			if (len(f.records) == 1) != (tt.path != "" && want != "allow") {
				t.Errorf("%s: %s to %s: %d records", want, tt.event, tt.host, len(f.records))
				continue
			}
			if len(f.records) == 1 {
				r := f.records[0]
				if r.Kind != record.Attack || r.SignatureID != "egress.host-from-event" || r.Path != tt.path || r.RequestID != "id" || r.ID == v.Incident {
					t.Errorf("%s: %s to %s: record %+v", want, tt.event, tt.host, r)
				}
			}
		}
	}
}

// A host that a rule allows by name is wanted, and so is one that event_data lists.
func TestHostFromEventThatIsWanted(t *testing.T) {
	const event = `{"url":"https://hooks.partner.example/"}`
	target := detect.Target{Host: "hooks.partner.example", Port: 443}
	for _, more := range []string{`rules: [{allow: "*.partner.example"}]`, `event_data: {host: refuse, hosts: [hooks.partner.example]}`} {
		f := marking(t, "mode: enforce\negress: {"+more+"}", event)
		if v := f.Decide(&detect.Observation{Kind: detect.KindConnect, Target: target}); v.Action != proxy.Allow || len(f.records) > 0 {
			t.Errorf("%s: %s, %d records", more, v.Action, len(f.records))
		}
	}
	f := marking(t, "mode: monitor\negress: {event_data: {host: refuse}}", event)
	if v := f.Decide(&detect.Observation{Kind: detect.KindConnect, Target: target}); v.Action != proxy.Allow || !v.Would.Blocks() || f.records[0].WouldAction != "blocked" {
		t.Errorf("monitor mode: %s, would %s", v.Action, v.Would)
	}
}

// What events before had is no news, and is not marked. To be refused it does not
// have to be news.
func TestMarksAreNews(t *testing.T) {
	const constant, url = `"table":"orders-of-the-shop"`, `"url":"https://hooks.partner.example/"`
	target := detect.Target{Host: "hooks.partner.example", Port: 443}
	f := marking(t, "mode: enforce\negress: {event_data: {host: refuse}}", `{`+constant+`,`+url+`}`)
	for i := range 3 {
		paths := f.EventPaths([]byte("/orders-of-the-shop?x"))
		if want := i == 0; (len(paths) == 1) != want {
			t.Errorf("event %d: paths %q", i, paths)
		}
		if v := f.Decide(&detect.Observation{Kind: detect.KindConnect, Target: target}); !v.Action.Blocks() {
			t.Errorf("event %d: %s", i, v.Action)
		}
		f.next(`{` + constant + `,` + url + `}`)
	}
	for i := range 1024 { // each opens a connection
		f.next(fmt.Sprintf(`{"a":"something of its own %d"}`, i))
		f.EventPaths([]byte("x"))
	}
	f.next(`{` + constant + `}`)
	if paths := f.EventPaths([]byte("orders-of-the-shop")); len(paths) != 1 {
		t.Errorf("after 1,024 events: paths %q", paths)
	}
}

func TestEventPaths(t *testing.T) {
	const event = `{"name":"Ada Lovelace, 12 St James's","id":"ord-4711-2026","short":"ada","n":123456789012}`
	tests := []struct {
		text string
		want []string
	}{
		{"/orders/ord-4711-2026", []string{"id"}},
		{"/?n=Ada+Lovelace%2C+12+St+James%27s&i=ord-4711-2026", []string{"id", "name"}},
		{"Ada Lovelace, 12 St James's", []string{"name"}},
		{"Ada Lovelace, 12 St James", nil},
		{"ada 123456789012", nil},
		{"", nil},
		{"%", nil},
	}
	for _, tt := range tests {
		got := marking(t, "", event).EventPaths([]byte(tt.text))
		slices.Sort(got)
		if !slices.Equal(got, tt.want) {
			t.Errorf("paths in %q: %q, want %q", tt.text, got, tt.want)
		}
	}
	if got := marking(t, "", `{"id":"ord-4711-2026"}`).HostPaths("ord-4711-2026.evil.test"); !slices.Equal(got, []string{"id"}) {
		t.Errorf("paths in a host's name: %q", got)
	}
}

// Every table is bounded, and filled here: strings of an event, paths of a record,
// findings of an invocation, strings of events before.
func TestMarksAreBounded(t *testing.T) {
	var event strings.Builder
	event.WriteString(`{"last":0`)
	for i := range 5000 {
		fmt.Fprintf(&event, `,"k%d":"https://host-%d.partner.example/"`, i, i)
	}
	event.WriteString(`}`)
	f := marking(t, "mode: enforce\negress: {event_data: {host: refuse}}", event.String())
	all := strings.Repeat("x", 20)
	for i := range 300 {
		all += fmt.Sprintf(" https://host-%d.partner.example/", i)
	}
	if n := len(f.EventPaths([]byte(all))); n != 16 {
		t.Errorf("%d paths, want 16", n)
	}
	if p := f.EventPaths([]byte("https://host-300.partner.example/")); len(p) > 0 {
		t.Errorf("the 301st string was kept: %q", p)
	}
	for i := range 100 {
		target := detect.Target{Host: fmt.Sprintf("host-%d.partner.example", 4900+i), Port: 443}
		if v := f.Decide(&detect.Observation{Kind: detect.KindConnect, Target: target}); !v.Action.Blocks() {
			t.Fatalf("host %d of an event with too many strings was not found", 4900+i)
		}
	}
	if len(f.records) != 32 {
		t.Errorf("%d findings, want 32", len(f.records))
	}
	for i := range 170 { // more strings than are remembered
		var b strings.Builder
		for j := range 200 {
			fmt.Fprintf(&b, `,"a%d":"value %d of event %d"`, j, j, i)
		}
		f.next(`{"x":"the same in every event"` + b.String() + `}`)
		paths := f.EventPaths([]byte("the same in every event"))
		if i > 0 && len(paths) > 0 {
			t.Fatalf("event %d: a string that every event has was forgotten", i)
		}
	}
}

// Several invocations at once, or an event that is not kept: nobody knows whose
// data it is.
func TestMarksNeedOneInvocation(t *testing.T) {
	f := marking(t, "", `{"id":"ord-4711-2026"}`)
	f.Sandbox.Begin(proxy.Invocation{RequestID: "other", Event: []byte(`{"id":"ord-4711-2027"}`)})
	if p := f.EventPaths([]byte("ord-4711-2026")); p != nil {
		t.Errorf("two invocations: %q", p)
	}
	f.Sandbox.Close("id")
	f.Sandbox.Close("other")
	f.Sandbox.Begin(proxy.Invocation{RequestID: "third"})
	if p := f.EventPaths([]byte("ord-4711-2026")); p != nil {
		t.Errorf("no event: %q", p)
	}
	f.Sandbox.Close("third")
	if p := f.EventPaths([]byte("ord-4711-2026")); p != nil {
		t.Errorf("no invocation: %q", p)
	}
}

func TestEventDataInARequest(t *testing.T) {
	const event = `{"id":"ord-4711-2026"}`
	for _, tt := range []struct {
		policy        string
		blocks, found bool
	}{
		{"", false, false},
		{"mode: enforce\negress: {event_data: {request: monitor}}", false, true},
		{"mode: enforce\negress: {event_data: {request: refuse}}", true, true},
		{"mode: monitor\negress: {event_data: {request: refuse}}", false, true},
		{"mode: enforce\negress: {event_data: {request: refuse, hosts: [api.example]}}", false, false},
	} {
		f := marking(t, tt.policy, event)
		v := f.EventData(detect.Target{Host: "api.example"}, f.EventPaths([]byte("ord-4711-2026")))
		if v.Action.Blocks() != tt.blocks || (len(f.records) == 1) != tt.found {
			t.Errorf("%q: %s, %d records", tt.policy, v.Action, len(f.records))
		}
		if tt.found && (f.records[0].SignatureID != "egress.event-data" || f.records[0].Path != "id") {
			t.Errorf("%q: record %+v", tt.policy, f.records[0])
		}
	}
}

// A panic in what looks for marks costs the paths and nothing else.
func TestPanicWhileMarking(t *testing.T) {
	f := marking(t, "mode: enforce", `{}`)
	f.Marks = func([]byte, *detect.Source, func(string, []byte) bool) { panic("a bug") }
	f.EventPaths([]byte("text of some length"))
	if v := f.Decide(&detect.Observation{Kind: detect.KindConnect, Target: detect.Target{Host: "a.example", Port: 443}}); v.Action.Blocks() || f.Recovered() != 1 {
		t.Errorf("%s, %d panics", v.Action, f.Recovered())
	}
}

// FuzzMarks looks for the strings of any event in any text.
func FuzzMarks(f *testing.F) {
	f.Add(`{"url":"https://[::1%25eth0]:80/"}`, "::1", "%")
	f.Add(`{"a":"%41%4","b":"http://x@y@z.test"}`, "z.test", "a=%41+%")
	g := &proxy.Guard{Sandbox: new(proxy.Sandbox), Marks: attack.Marks}
	f.Fuzz(func(t *testing.T, event, host, text string) {
		g.Sandbox.Close("id")
		g.Sandbox.Begin(proxy.Invocation{RequestID: "id", Event: []byte(event)})
		for _, paths := range [][]string{g.EventPaths([]byte(text), []byte(event)), g.HostPaths(host)} {
			if len(paths) > 16 {
				t.Fatalf("%d paths", len(paths))
			}
		}
		if g.Recovered() > 0 {
			t.Fatal("it panicked")
		}
	})
}
