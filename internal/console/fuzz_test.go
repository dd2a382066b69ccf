package console_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"unicode/utf8"

	"gatehouse/internal/console"
)

// FuzzCollector sends any body: it is answered with one of HEC's replies, and
// what is stored agrees with the reply.
func FuzzCollector(f *testing.F) {
	for _, seed := range []string{
		`{"event":"x"}`, `{"event":"x"}{"event":`, `[{"event":1},{"event":[{}]}]`, `{"time":"1.5","event":{"a":"}\""}}`,
		`{"time":1e300,"event":"x"}`, `{"fields":{"a":[1]},"event":""}`, `{"sourcetype":"gatehouse:lambda:attack","event":{"id":7,"time":8}}`,
		"{\"event\":\"\xff\"}", `{"host":"h","foo":1}`, `{"event":` + strings.Repeat("[", 99),
	} {
		f.Add(seed)
	}
	c, err := console.Open(f.Context(), console.Config{HECToken: token, MaxRecords: 100})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = c.Close() })
	f.Fuzz(func(t *testing.T, body string) {
		before := c.Received()
		got := post(t, c, "/services/collector/event", body)
		var reply struct {
			Text    string
			Code    *int
			Invalid int `json:"invalid-event-number"`
		}
		if err := json.Unmarshal([]byte(got.body), &reply); err != nil || reply.Code == nil || reply.Text == "" {
			t.Fatalf("answered %d %q", got.status, got.body)
		}
		after := c.Received()
		stored := after.Records + after.Pruned + after.Duplicates - before.Records - before.Pruned - before.Duplicates
		switch {
		case got.status >= 500:
			t.Errorf("answered %d %s", got.status, got.body)
		case *reply.Code == 5 && stored != 0, got.status == http.StatusBadRequest && stored > reply.Invalid:
			t.Errorf("answered %s and stored %d", got.body, stored)
		}
	})
}

// FuzzRecordPage shows any event with any finding: the page is a page, and the
// payload is in it as text only.
func FuzzRecordPage(f *testing.F) {
	for _, seed := range []struct {
		event, path, matched string
		offset               int
	}{
		{`{"a":"x' OR 1"}`, "a", "x' OR 1", 0}, {`{"a":["p","p"]}`, "a[1]", "p", -1}, {`"x"`, `["`, "", 99}, {`not json`, "[0", "json", 4},
		{`{"a":{"a":"<b>"}}`, `a["a"]`, "<b>", 1 << 40}, {`{"":""}`, `[""]`, "\u202e", 0}, {strings.Repeat("[", 20000), "[0][0]", "x", 0},
	} {
		f.Add(seed.event, seed.path, seed.matched, seed.offset)
	}
	c, err := console.Open(f.Context(), console.Config{HECToken: token, MaxRecords: 100})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = c.Close() })
	f.Fuzz(func(t *testing.T, event, path, matched string, offset int) {
		rec := map[string]any{"path": path, "matched": matched + "<fuzz>", "match_offset": offset}
		if json.Valid([]byte(event)) {
			rec["event"] = json.RawMessage(event)
		} else {
			rec["event_base64"] = []byte(event)
		}
		body, err := json.Marshal(rec)
		if err != nil {
			t.Fatal(err)
		}
		post(t, c, "/services/collector", envelope("attack", "1", string(body))).want(t, http.StatusOK, "")
		seq := c.Received().Records + c.Received().Pruned
		page := open(t, c, fmt.Sprintf("/record/%d", seq))
		if strings.Contains(page, "<fuzz>") || !strings.Contains(page, "&lt;fuzz&gt;") || !utf8.ValidString(page) {
			t.Errorf("the payload is not text in %s", page)
		}
	})
}
