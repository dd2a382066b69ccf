package proxy_test

import (
	"fmt"
	"testing"
	"time"

	"gatehouse/internal/detect"
	"gatehouse/internal/detect/attack"
	"gatehouse/internal/proxy"
	"gatehouse/internal/record"
)

const (
	injection = "1' UNION SELECT password FROM users -- "
	sqlRule   = "sqli.union"
	snsAttack = `{"Records":[{"EventSource":"aws:sns","Sns":{"Message":"` + injection + `"}}]}`
)

// judge shows g an event and closes its invocation; the last record is its
// summary.
func judge(g *fixture, event string) (proxy.Verdict, []*record.Record) {
	g.records = nil
	g.Sandbox.Open(proxy.Invocation{RequestID: "r"})
	v := g.Decide(&detect.Observation{Kind: detect.KindEvent, RequestID: "r", Event: []byte(event)})
	g.Finish("r", "success")
	g.Sandbox = new(proxy.Sandbox) // the next event has the same id
	return v, g.records
}

// newEventGuard makes a guard with the engines that the layer has.
func newEventGuard(t testing.TB, text string) *fixture {
	t.Helper()
	g := newGuard(t, text)
	g.Engine, g.Detect = new(attack.Engine), &attack.Engine{Profile: attack.Detect}
	g.Now = func() time.Time { return time.Date(2027, 1, 31, 23, 59, 59, 0, time.UTC) }
	return g
}

// An exception covers one rule at one path of one source until its end; every one
// that applied is in the attack records and, even where nothing else was found, in
// the summary.
func TestExceptionsOfAPolicy(t *testing.T) {
	const other = `{"Records":[{"EventSource":"aws:sns","Sns":{"Message":"` + injection + `"}},{"EventSource":"aws:sns","Sns":{"Message":"` + injection + `","Subject":"` + injection + `"}}]}`
	const message = sqlRule + "@Records[*].Sns.Message"
	tests := []struct {
		name, exception, event string
		refused                bool
		exceptions             string
		attacks                int
	}{
		{"none", "", snsAttack, true, "[]", 1},
		{"covers", "path: 'Records[*].Sns.Message'", snsAttack, false, "[" + message + "]", 0},
		{"covers a name", "path: 'Records[*].Sns.*'", snsAttack, false, "[" + sqlRule + "@Records[*].Sns.*]", 0},
		{"covers one of two places", "path: 'Records[*].Sns.Message'", other, true, "[" + message + "]", 1},
		{"covers its source", "path: 'Records[*].Sns.Message', source: sns", snsAttack, false, "[" + message + "]", 0},
		{"another source", "path: 'Records[*].Sns.Message', source: sqs", snsAttack, true, "[]", 1},
		{"another path", "path: 'Records[*].Sns.Subject'", snsAttack, true, "[]", 1},
		{"on its last day", "path: 'Records[*].Sns.Message', until: 2027-01-31", snsAttack, false, "[" + message + "]", 0},
		{"expired", "path: 'Records[*].Sns.Message', until: 2027-01-30", snsAttack, true, "[]", 1},
	}
	for _, tt := range tests {
		policy := "mode: enforce\n"
		if tt.exception != "" {
			policy += "events: {exceptions: [{rule: " + sqlRule + ", " + tt.exception + ", reason: known}]}"
		}
		v, records := judge(newEventGuard(t, policy), tt.event)
		if v.Action.Blocks() != tt.refused || v.Would.Blocks() != tt.refused {
			t.Errorf("%s: %s, would %s", tt.name, v.Action, v.Would)
		}
		if len(records) != tt.attacks+1 {
			t.Fatalf("%s: %d records, want %d attacks and the summary", tt.name, len(records), tt.attacks)
		}
		for _, r := range records {
			if got := fmt.Sprint(r.Exceptions); got != tt.exceptions {
				t.Errorf("%s: the %s record has exceptions %s, want %s", tt.name, r.Kind, got, tt.exceptions)
			}
		}
		if r := records[len(records)-1]; r.Kind != record.Invocation || r.Receipt.Findings == 0 {
			t.Errorf("%s: the summary is %+v", tt.name, r)
		}
	}
}

// The detect profile asks more rules and refuses nothing, whatever the reason; its
// records say what block would do.
func TestProfile(t *testing.T) {
	tests := []struct {
		name, policy string
		event        string
		budget       int // 0: the default
		refused      bool
		would        string // of the record; "" for none
	}{
		{"block", "mode: enforce", snsAttack, 0, true, "blocked"},
		{"detect", "mode: enforce\nevents: {profile: detect}", snsAttack, 0, false, "blocked"},
		{"detect, monitor", "events: {profile: detect}", snsAttack, 0, false, "blocked"},
		{"budget", "mode: enforce\nevents: {on_budget: closed}", snsAttack, 1, true, "blocked"},
		{"budget, detect", "mode: enforce\nevents: {on_budget: closed, profile: detect}", snsAttack, 1, false, "blocked"},
		{"budget, open", "mode: enforce", snsAttack, 1, false, ""},
		{"benign, detect", "mode: enforce\nevents: {profile: detect}", `{"name":"O'Brien"}`, 0, false, ""},
	}
	for _, tt := range tests {
		g := newEventGuard(t, tt.policy)
		if tt.budget > 0 {
			only := func(int) int { return tt.budget }
			g.Engine, g.Detect = &attack.Engine{Budget: only}, &attack.Engine{Profile: attack.Detect, Budget: only}
		}
		v, records := judge(g, tt.event)
		if v.Action.Blocks() != tt.refused {
			t.Errorf("%s: %s by %q", tt.name, v.Action, v.Rule)
		}
		would, action := "", ""
		if len(records) > 1 {
			would, action = records[0].WouldAction, records[0].Action
		}
		if would != tt.would || would != "" && (action == "blocked") != tt.refused {
			t.Errorf("%s: action %q, would_action %q, want %q", tt.name, action, would, tt.would)
		}
	}
}

// A weak finding is asked for by the detect profile alone, and would not refuse.
func TestWeakFindings(t *testing.T) {
	weak := func(profile string) (proxy.Verdict, []*record.Record) {
		g := newGuard(t, "mode: enforce\nevents: {profile: "+profile+"}")
		g.Engine, g.Detect = said{}, said{{RuleID: "sqli.word", Path: "q", Weak: true}}
		return judge(g, `{"q":"a"}`)
	}
	if v, records := weak("block"); v.Action != proxy.Allow || len(records) != 1 {
		t.Errorf("block: %s, %d records", v.Action, len(records))
	}
	v, records := weak("detect")
	if v.Action != proxy.Allow || v.Would != proxy.Allow || len(records) != 2 || records[0].SignatureID != "sqli.word" || records[0].WouldAction != "allowed" {
		t.Errorf("detect: %s, would %s, %+v", v.Action, v.Would, records)
	}
}

// said is an engine that finds the same in every event.
type said []detect.Finding

func (said) Source([]byte) *detect.Source { return &detect.Source{Name: "direct"} }

func (s said) Inspect(_ []byte, _ *detect.Source, r *detect.Result, _ func() bool) {
	r.Findings = append(r.Findings, s...)
}

// What could not be inspected is not refused by the detect profile either.
func TestProfileOfWhatWasNotSeen(t *testing.T) {
	for profile, want := range map[string]bool{"block": true, "detect": false} {
		g := newEventGuard(t, "mode: enforce\nevents: {profile: "+profile+"}")
		g.FailClosed = true
		if v := g.Unseen("r", 7, "memory"); v.Action.Blocks() != want || !v.Would.Blocks() {
			t.Errorf("%s: not seen is %s, would %s", profile, v.Action, v.Would)
		}
		g.Engine, g.Detect = broken{}, broken{}
		if v, _ := judge(g, "{}"); v.Action.Blocks() != want || v.Rule != "gatehouse.broken" {
			t.Errorf("%s: broken is %s by %q", profile, v.Action, v.Rule)
		}
	}
}

// broken is an engine that panics.
type broken struct{ said }

func (broken) Inspect([]byte, *detect.Source, *detect.Result, func() bool) { panic("broken") }

// An event that used up its budget is refused in its source's form where the
// policy says closed.
func TestBudgetClosedRefusesInTheSourcesForm(t *testing.T) {
	for event, want := range map[string]detect.Form{
		snsAttack:   detect.FormSuccess,
		`{"q":"a"}`: detect.FormError,
		`{"version":"2.0","requestContext":{"http":{"method":"GET"}},"rawPath":"/a"}`: detect.FormHTTP,
		`{"Records":[{"eventSource":"aws:sqs","body":"a"}]}`:                          detect.FormDrop,
	} {
		g := newEventGuard(t, "mode: enforce\nevents: {on_budget: closed}")
		g.Engine = &attack.Engine{Budget: func(int) int { return 0 }}
		v, records := judge(g, event)
		if v.Action != proxy.Refuse || v.Rule != "event.budget" || v.Form != want {
			t.Errorf("%s: %s by %q in form %d, want form %d", event, v.Action, v.Rule, v.Form, want)
		}
		if r := records[len(records)-1]; !r.Receipt.Exhausted || len(r.Receipt.Gaps) == 0 || r.Receipt.Gaps[0].Reason != "budget" {
			t.Errorf("%s: receipt %+v", event, r.Receipt)
		}
	}
}
