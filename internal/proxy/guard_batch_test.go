package proxy_test

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"gatehouse/internal/detect"
	"gatehouse/internal/detect/attack"
	"gatehouse/internal/proxy"
	"gatehouse/internal/record"
)

// message is a record of SQS.
func message(id, body, group string) string {
	attributes := `{"SenderId":"AIDAEXAMPLE` + id + `"}`
	if group != "" {
		attributes = `{"SenderId":"AIDAEXAMPLE` + id + `","MessageGroupId":"` + group + `"}`
	}
	return `{"messageId":"` + id + `","body":"` + body + `","attributes":` + attributes + `,"eventSource":"aws:sqs"}`
}

func records(list ...string) string { return `{"Records":[` + strings.Join(list, ", ") + `]}` }

// twice is text in base64, twice: the engine undoes that only where it found
// nothing before.
func twice(text string) string {
	once := base64.StdEncoding.EncodeToString([]byte(text))
	return base64.StdEncoding.EncodeToString([]byte(once))
}

func TestBatches(t *testing.T) {
	var (
		a, b, c = message("a", "fine", ""), message("b", injection, ""), message("c", "well", "")
		deep    = message("d", twice(injection), "")
		flood   = message("f", `[`+strings.Repeat(`\"`+injection+`\",`, 1200)+`0]`, "")
		g1, g2  = message("g1", injection, "one"), message("g2", "fine", "one")
		h1      = message("h1", "fine", "two")
	)
	tests := []struct {
		name, policy, event string
		action              proxy.Action
		event2              string // what the function gets; "": none, or the event
		taken               string
	}{
		{"nothing found", "", records(a, c), proxy.Allow, "", ""},
		{"one of three", "", records(a, b, c), proxy.Quarantine, records(a, c), "b"},
		{"the last", "", records(a, b), proxy.Quarantine, records(a), "b"},
		{"two", "", records(b, a, b, c), proxy.Quarantine, records(a, c), "b b"},
		{"all", "", records(b, b), proxy.Refuse, "", "b b"},
		{"hidden behind a plainer one", "", records(b, a, deep), proxy.Quarantine, records(a), "b d"},
		{"hidden behind a thousand", "", records(flood, a, b, deep, c), proxy.Quarantine, records(a, c), "f b d"},
		{"outside of the records", "", `{"Records":[` + a + `],"x":"` + injection + `"}`, proxy.Refuse, "", ""},
		{"in the records and outside", "", `{"Records":[` + a + `,` + b + `],"x":"` + injection + `"}`, proxy.Refuse, "", ""},
		{"more records than are told apart", "", records(b, strings.Repeat("0,", detect.MaxParts)+"0"), proxy.Refuse, "", ""},
		{"no JSON behind them", "", records(a, b) + "]", proxy.Refuse, "", ""},
		{"fail", "events: {refuse: {sqs: fail}}", records(a, b, c), proxy.Quarantine, records(a, c), "b"},
		{"fail in a group", "events: {refuse: {sqs: fail}}", records(g1, h1, g2, a), proxy.Quarantine, records(h1, a), "g1 g2"},
		{"fail behind its group", "events: {refuse: {sqs: fail}}", records(g2, h1, g1), proxy.Quarantine, records(g2, h1), "g1"},
		{"drop in a group", "", records(g1, h1, g2), proxy.Quarantine, records(h1, g2), "g1"},
		{"fail without ids", "events: {refuse: {sqs: fail}}", records(strings.Replace(a, "messageId", "x", 1), b), proxy.Refuse, "", ""},
		{"error", "events: {refuse: {sqs: error}}", records(a, b), proxy.Refuse, "", ""},
		{"an exception", "events: {exceptions: [{rule: sqli.union, path: 'Records[1].body', reason: r}]}", records(a, b, c, b), proxy.Quarantine, records(a, b, c), "b"},
	}
	for _, mode := range []string{"enforce", "monitor"} {
		for _, tt := range tests {
			t.Run(mode+"/"+tt.name, func(t *testing.T) {
				v, all := judge(newEventGuard(t, "mode: "+mode+"\n"+tt.policy), tt.event)
				action, event2 := tt.action, tt.event2
				if mode == "monitor" {
					action, event2 = proxy.Allow, ""
				}
				var taken []string
				for _, p := range v.Taken {
					taken = append(taken, p.ID)
				}
				if v.Action != action || v.Would != tt.action || string(v.Event) != event2 || strings.Join(taken, " ") != tt.taken {
					t.Errorf("%s, would %s, taken %q, event\n%.400s\nwant\n%.400s", v.Action, v.Would, taken, v.Event, event2)
				}
				dropped := len(taken)
				if mode == "monitor" {
					dropped = 0
				}
				if r := all[len(all)-1].Receipt; r.Dropped != dropped || r.Exhausted {
					t.Errorf("receipt %+v, want %d dropped", r, dropped)
				}
			})
		}
	}
}

// Each record that is taken out is in a record of ours: the first of them holds
// the event, the others their own.
func TestEvidenceOfABatch(t *testing.T) {
	const many = 300
	var list []string
	for i := range many {
		list = append(list, message(fmt.Sprint(i), injection, ""))
	}
	list[1] = message("fine", "fine", "")
	g := newEventGuard(t, "mode: enforce")
	g.Value = attack.Value
	v, all := judge(g, records(list...))
	if len(v.Taken) != many-1 || len(all) != 256+1 {
		t.Fatalf("%d taken, %d records", len(v.Taken), len(all))
	}
	for i, n := range []int{0, 2, 3} {
		r := all[i]
		want := `{"Records":[` + strings.Repeat("null,", n) + list[n] + `]}`
		if i == 0 {
			want = records(list...)
		}
		if r.Path != fmt.Sprintf("Records[%d].body", n) || string(r.Event) != want || r.EventTruncated != (i > 0) ||
			r.EventSHA256 != all[0].EventSHA256 || r.EventBytes != len(records(list...)) || r.Src != fmt.Sprintf("AIDAEXAMPLE%d", n) ||
			r.Verdict != "quarantine" || r.Action != "blocked" || (r.ID == v.Incident) != (i == 0) {
			t.Errorf("record %d: %s from %s, %s %s, truncated %v, event\n%.300s\nwant\n%.300s", i, r.Path, r.Src, r.Verdict, r.Action, r.EventTruncated, r.Event, want)
		}
	}
	if r := all[256]; r.Kind != record.Invocation || r.Status != "success" || r.Action != "allowed" || r.Receipt.Dropped != many-1 {
		t.Errorf("summary %+v, receipt %+v", r, r.Receipt)
	}
}

// Of a long event the first record holds its own part, too.
func TestEvidenceOfALongBatch(t *testing.T) {
	long := message("a", strings.Repeat("word ", 60_000), "")
	bad := message("b", injection, "")
	_, all := judge(newEventGuard(t, "mode: enforce"), records(long, bad))
	if r := all[0]; string(r.Event) != `{"Records":[null,`+bad+`]}` || !r.EventTruncated || r.EventBytes != len(records(long, bad)) {
		t.Errorf("truncated %v, %d bytes, event %.300s", r.EventTruncated, r.EventBytes, r.Event)
	}
}

// An exception covers what it names and hides nothing else, though the engine
// stops at what it finds first.
func TestNothingHidesBehindAnException(t *testing.T) {
	const excepted = "mode: enforce\nevents: {exceptions: [{rule: " + sqlRule + ", path: 'Records[*].Sns.Message', reason: r}]}"
	sns := func(message, subject string) string {
		return `{"Records":[{"EventSource":"aws:sns","Sns":{"Message":"` + message + `","Subject":"` + subject + `"}}]}`
	}
	tests := []struct {
		name, event string
		action      proxy.Action
		path        string
	}{
		{"covered", sns(injection, "fine"), proxy.Allow, ""},
		{"covered, one deep", sns(twice(injection), "fine"), proxy.Allow, ""},
		{"with another rule's in the same value", sns(injection+"<script>alert(1)</script>", "fine"), proxy.Refuse, "Records[0].Sns.Message"},
		{"beside it", sns(injection, injection), proxy.Refuse, "Records[0].Sns.Subject"},
		{"deep beside it", sns(injection, twice(injection)), proxy.Refuse, "Records[0].Sns.Subject"},
		{"deep beside a thousand", `{"Records":[` + strings.Repeat(`{"Sns":{"Message":"`+injection+`"}},`, 1200) + sns(injection, twice(injection))[len(`{"Records":[`):], proxy.Refuse, "Records[1200].Sns.Subject"},
	}
	for _, tt := range tests {
		v, all := judge(newEventGuard(t, excepted), tt.event)
		if v.Action != tt.action || tt.path != "" && all[0].Path != tt.path {
			t.Errorf("%s: %s, found at %q", tt.name, v.Action, all[0].Path)
		}
		if r := all[len(all)-1].Receipt; r.Exhausted {
			t.Errorf("%s: receipt %+v", tt.name, r)
		}
	}
}

// What waits for an answer that only the function can give is delivered, and its
// record says what would have been: but not what only looks so.
func TestDelivered(t *testing.T) {
	const (
		own   = "arn:aws:lambda:eu-central-1:123456789012:function:orders"
		other = "arn:aws:lambda:eu-central-1:123456789012:function:framework"
		asked = "events: {refuse: {cloudformation: deliver}}"
	)
	tests := []struct {
		name, policy, token, arn string
		want                     proxy.Action
	}{
		{"its own", "", own, own, proxy.Allow},
		{"its own, an alias", "", own, own + ":live", proxy.Allow},
		{"its own, by an alias", "", own + ":live", own, proxy.Allow},
		{"another's", "", other, own, proxy.Refuse},
		{"a longer name", "", own + "s", own, proxy.Refuse},
		{"nobody's", "", "", own, proxy.Refuse},
		{"not known whose", "", own, "", proxy.Refuse},
		{"nothing is known", "", "", "", proxy.Refuse},
		{"another's, as asked", asked, other, own, proxy.Allow},
		{"its own, refused as asked", "events: {refuse: {cloudformation: error}}", own, own, proxy.Refuse},
	}
	for _, tt := range tests {
		g := newEventGuard(t, "mode: enforce\n"+tt.policy)
		g.Value = attack.Value
		g.Sandbox.Open(proxy.Invocation{RequestID: "r", ARN: tt.arn})
		event := `{"RequestType":"Create","ServiceToken":"` + tt.token + `","StackId":"arn:aws:cloudformation:x","LogicalResourceId":"L","ResourceType":"Custom::X","ResourceProperties":{"Note":"` + injection + `"}}`
		v := g.Decide(&detect.Observation{Kind: detect.KindEvent, RequestID: "r", Event: []byte(event)})
		r := g.records[0]
		if v.Action != tt.want || v.Would != proxy.Refuse || r.WouldAction != "blocked" || (r.Action == "blocked") != tt.want.Blocks() {
			t.Errorf("%s: %s, would %s, record %s, %s", tt.name, v.Action, v.Would, r.Action, r.WouldAction)
		}
	}
}
