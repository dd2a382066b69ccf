package console_test

import (
	"context"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/console"
	"gatehouse/internal/record"
)

const (
	token   = "11111111-2222-3333-4444-555555555555"
	channel = "0aeeac95-ac74-4aa9-b30d-6c4c0ac581ba"
)

// start opens a console that ends with the test.
func start(t *testing.T, c console.Config) *console.Console {
	t.Helper()
	if c.HECToken == "" {
		c.HECToken = token
	}
	con, err := console.Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := con.Close(); err != nil {
			t.Error(err)
		}
	})
	return con
}

// envelope wraps a record's JSON as our HEC client does.
func envelope(kind, when, rec string) string {
	return `{"time":"` + when + `","host":"sns-db-checker","source":"lambda:eu-west-1","sourcetype":"gatehouse:lambda:` +
		kind + `","event":` + rec + `}`
}

func list(t *testing.T, c *console.Console, f console.Filter) []console.Detection {
	t.Helper()
	found, err := c.Detections(t.Context(), f)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

const attackRecord = `{"schema":1,"id":"01JATTACK","kind":"attack","time":"2023-11-14T22:13:20.123456789Z",
 "function_name":"sns-db-checker","function_arn":"arn:aws:lambda:eu-west-1:123456789012:function:sns-db-checker",
 "request_id":"r-1","action":"blocked","would_action":"blocked","verdict":"refuse","signature_id":"sqli.tautology",
 "signature":"SQL injection","category":"sqli","severity":"high","event_source":"sns","path":"Records[0].Sns.Message",
 "matched":"1' OR 1=1--","event":{"Records":[{"Sns":{"Message":"1' OR 1=1--"}}]}}`

func TestDetections(t *testing.T) {
	c := start(t, console.Config{})
	before := time.Now()
	post(t, c, "/services/collector", envelope("attack", "1700000000.123456789", attackRecord)).want(t, 200, `{"text":"Success","code":0}`)
	found := list(t, c, console.Filter{})
	if len(found) != 1 {
		t.Fatalf("%d detections, want 1", len(found))
	}
	d := found[0]
	got := []string{d.ID, string(d.Kind), d.FunctionARN, d.EventSource, d.Path, d.Matched, d.SignatureID, d.Action, d.RequestID}
	want := []string{"01JATTACK", "attack", "arn:aws:lambda:eu-west-1:123456789012:function:sns-db-checker", "sns",
		"Records[0].Sns.Message", "1' OR 1=1--", "sqli.tautology", "blocked", "r-1"}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("field %d is %q, want %q", i, got[i], want[i])
		}
	}
	if string(d.Raw) != attackRecord {
		t.Errorf("raw record is %s", d.Raw)
	}
	if d.Time.UnixNano() != 1700000000123456789 {
		t.Errorf("time is %v", d.Time)
	}
	if d.Received.Before(before.Add(-time.Millisecond)) || d.Delay() <= 0 {
		t.Errorf("received %v, delay %v", d.Received, d.Delay())
	}
}

func TestFilter(t *testing.T) {
	c := start(t, console.Config{})
	row := func(id, kind, when, rest string) string {
		return envelope(kind, when, `{"id":"`+id+`","kind":"`+kind+`",`+rest+`}`)
	}
	post(t, c, "/services/collector/event", strings.Join([]string{
		row("a", "attack", "100", `"function_name":"f","event_source":"sns","category":"sqli","action":"blocked","matched":"50%_off\\"`),
		row("b", "attack", "200", `"function_name":"g","event_source":"sqs","category":"cmdi","action":"allowed","matched":"$(id)"`),
		row("c", "leak", "300", `"function_name":"f","category":"leak","action":"blocked","dest":"www.some.test","request_id":"r"`),
		row("d", "invocation", "400", `"function_name":"f"`),
	}, "\n")).want(t, 200, "")
	for name, test := range map[string]struct {
		filter console.Filter
		want   string
	}{
		"all":          {console.Filter{}, "c b a"},
		"limit":        {console.Filter{Limit: 1}, "c"},
		"before":       {console.Filter{Before: console.Cursor{Time: 300e9, Seq: 3}}, "b a"},
		"function":     {console.Filter{Function: "f"}, "c a"},
		"event source": {console.Filter{EventSource: "sqs"}, "b"},
		"kind":         {console.Filter{Kind: record.Leak}, "c"},
		"category":     {console.Filter{Category: "cmdi"}, "b"},
		"action":       {console.Filter{Action: "blocked"}, "c a"},
		"request":      {console.Filter{RequestID: "r"}, "c"},
		"from":         {console.Filter{From: time.Unix(200, 0)}, "c b"},
		"to":           {console.Filter{To: time.Unix(200, 0)}, "a"},
		"text":         {console.Filter{Text: "SOME.test"}, "c"},
		"wildcards":    {console.Filter{Text: `%_off\`}, "a"},
		"no wildcard":  {console.Filter{Text: `5_%`}, ""},
		"nothing":      {console.Filter{Function: "f' OR 1=1--"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			var ids []string
			for _, d := range list(t, c, test.filter) {
				ids = append(ids, d.ID)
			}
			if got := strings.Join(ids, " "); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestCounts(t *testing.T) {
	c := start(t, console.Config{})
	body := envelope("attack", "1", attackRecord) + envelope("invocation", "1", `{"id":"i"}`) + `{"event":"a line","sourcetype":"other"}`
	post(t, c, "/services/collector", body).want(t, 200, "")
	post(t, c, "/services/collector", body).want(t, 200, "")
	got := c.Received()
	if got.Records != 4 || got.Duplicates != 2 || got.Kinds[record.Attack] != 1 || got.Kinds[record.Invocation] != 1 || got.Kinds[""] != 2 {
		t.Errorf("counts are %+v", got)
	}
}

func TestPrune(t *testing.T) {
	for name, config := range map[string]console.Config{
		"records": {MaxRecords: 3},
		"bytes":   {MaxBytes: 200},
	} {
		t.Run(name, func(t *testing.T) {
			c := start(t, config)
			for range 20 {
				post(t, c, "/services/collector", `{"event":"`+strings.Repeat("x", 48)+`"}`).want(t, 200, "")
			}
			got := c.Received()
			if got.Records > 4 || got.Bytes > 200 || got.Pruned+got.Records != 20 || got.Kinds[""] != got.Records {
				t.Errorf("counts are %+v", got)
			}
		})
	}
}

func TestStoreIsKept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "rec?ords #1.db")
	for want := range 2 {
		c, err := console.Open(t.Context(), console.Config{Path: path, HECToken: token})
		if err != nil {
			t.Fatal(err)
		}
		if got := c.Received().Kinds[record.Attack]; got != want {
			t.Errorf("%d attacks stored at start %d, want %d", got, want, want)
		}
		post(t, c, "/services/collector", envelope("attack", "1", attackRecord)).want(t, 200, "")
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
		if err := c.Close(); err != nil {
			t.Errorf("second Close: %v", err)
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	for _, addr := range []string{"0.0.0.0:0", ":8088", "10.0.0.1:0", "[::]:0", "example.test:0", "127.0.0.1"} {
		c, err := console.Open(context.Background(), console.Config{Addr: addr})
		if err == nil {
			t.Errorf("Open(%q) listens on %s", addr, c.Addr())
			_ = c.Close()
		}
	}
}

func TestMadeUpTokens(t *testing.T) {
	a, err := console.Open(t.Context(), console.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = a.Close() }()
	if len(a.HECToken()) != 36 || !strings.Contains(a.URL(), "/?token=") {
		t.Errorf("token %q, URL %q", a.HECToken(), a.URL())
	}
	resp, err := http.Get(a.HECURL() + "/services/collector/health")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Errorf("health is %d", resp.StatusCode)
	}
}
