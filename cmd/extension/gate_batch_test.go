package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/emulator"
	"gatehouse/internal/record"
)

const batchAttack = "1' UNION SELECT password FROM users -- "

// queueEvent is an event of SQS with messages "id body" or "id@group body".
func queueEvent(messages ...string) string {
	list := make([]string, len(messages))
	for i, m := range messages {
		name, body, _ := strings.Cut(m, " ")
		id, group, _ := strings.Cut(name, "@")
		attributes := `{"SenderId":"AIDAIENQZJOLO23YVJ4VO","SentTimestamp":"1767357907000"`
		if group != "" {
			attributes += `,"MessageGroupId":"` + group + `"`
		}
		list[i] = fmt.Sprintf(`{"messageId":%q,"receiptHandle":"AQEB/x=","body":%q,"attributes":%s},"eventSource":"aws:sqs","awsRegion":"eu-central-1"}`, id, body, attributes)
	}
	return `{"Records": [` + strings.Join(list, " , ") + `]}`
}

// streamEvent is an event of Kinesis with records "key data".
func streamEvent(records ...string) string {
	list := make([]string, len(records))
	for i, r := range records {
		key, data, _ := strings.Cut(r, " ")
		list[i] = fmt.Sprintf(`{"kinesis":{"kinesisSchemaVersion":"1.0","partitionKey":%q,"sequenceNumber":"4954%d","data":%q},"eventSource":"aws:kinesis","eventSourceARN":"arn:aws:kinesis:eu-central-1:123456789012:stream/clicks","eventID":"shardId-000000000006:%d"}`,
			key, i, base64.StdEncoding.EncodeToString([]byte(data)), i)
	}
	return `{"Records":[` + strings.Join(list, ",") + `]}`
}

// TestBatches sends batches through the layer to a function that reads them with
// AWS's own types.
func TestBatches(t *testing.T) {
	const (
		fail    = "events: {refuse: {sqs: fail}}"
		drop    = ""
		nothing = `{"batchItemFailures":[]}`
	)
	listed := func(ids ...string) string {
		for i, id := range ids {
			ids[i] = `{"itemIdentifier":"` + id + `"}`
		}
		return `{"batchItemFailures":[` + strings.Join(ids, ",") + `]}`
	}
	null := `{"batchItemFailures":null}` // what the library makes of no list
	tests := []batchTest{
		{"sqs, fine", drop, queueEvent("a x", "b y"), "a x, b y", null, 0, 0},
		{"sqs, drop", drop, queueEvent("a x", "b "+batchAttack, "c fail"), "a x, c fail", listed("c"), 1, 1},
		{"sqs, drop all", drop, queueEvent("a "+batchAttack, "b "+batchAttack), "", nothing, 2, 2},
		{"sqs, drop in a group", drop, queueEvent("a@1 "+batchAttack, "b@1 x"), "b x", null, 1, 1},
		{"sqs, fail", fail, queueEvent("a x", "b "+batchAttack, "c fail"), "a x, c fail", listed("c", "b"), 1, 1},
		{"sqs, fail, no list", fail, queueEvent("a x", "b "+batchAttack), "a x", listed("b"), 1, 1},
		{"sqs, fail, no answer", fail, queueEvent("a silent", "b "+batchAttack), "a silent", listed("b"), 1, 1},
		{"sqs, fail all", fail, queueEvent("a "+batchAttack, "b "+batchAttack), "", listed("a", "b"), 2, 2},
		{"sqs, fail in a group", fail, queueEvent("a@1 "+batchAttack, "b@2 x", "c@1 y"), "b x", listed("a", "c"), 1, 2},
		{"sqs, fail, an error", fail, queueEvent("a error", "b "+batchAttack), "a error", `{"errorMessage":"no such order","errorType":"errorString"}`, 1, 1},
		{"kinesis, drop", drop, streamEvent("p x", "q "+batchAttack, "r y"), "p x, r y", null, 1, 1},
		{"kinesis, drop all", drop, streamEvent("q " + batchAttack), "", nothing, 1, 1},
	}
	for name, change := range map[string]func(*emulator.Config){"one at a time": nil, "managed": managed(2, 10*time.Second)} {
		for form, policy := range map[string]string{"drop": drop, "fail": fail} {
			t.Run(name+" "+form, func(t *testing.T) {
				g := start(t, "consumer", setup{attach: wrapper, env: policyFile(t, "mode: enforce\n"+policy), change: change})
				attacks := 0
				for _, tt := range tests {
					if tt.policy == policy {
						attacks += tt.attacks
						tt.run(t, g, attacks)
					}
				}
				g.stop(t)
				checkBatchRecords(t, g, attacks)
			})
		}
	}
}

// batchTest is an event, what the function gets of it and what its caller does.
type batchTest struct {
	name, policy, event, got, answer string
	attacks, dropped                 int
}

// run sends the event; attacks are all up to then.
func (tt *batchTest) run(t *testing.T, g *gate, attacks int) {
	t.Helper()
	before := len(g.log("function"))
	out := g.invoke(t, tt.event)
	if string(out.Payload) != tt.answer {
		t.Errorf("%s: the caller got %s, want %s", tt.name, out.Payload, tt.answer)
	}
	got := func() string {
		var lines []string
		for line := range strings.Lines(g.log("function")[before:]) {
			if text, ok := strings.CutPrefix(line, "got "); ok {
				lines = append(lines, strings.TrimSpace(text))
			}
		}
		return strings.Join(lines, ", ")
	}
	eventually(t, tt.name+": the function got "+tt.got, func() bool { return got() == tt.got })
	eventually(t, tt.name+": all is in the console", func() bool {
		return g.kinds(record.Attack) == attacks && receiptOf(t, g, out.RequestID) != nil
	})
	if r := receiptOf(t, g, out.RequestID); r.Dropped != tt.dropped || got() != tt.got {
		t.Errorf("%s: %d dropped, want %d; the function got %q", tt.name, r.Dropped, tt.dropped, got())
	}
}

// checkBatchRecords looks at the attack records of a gate that has stopped.
func checkBatchRecords(t *testing.T, g *gate, attacks int) {
	t.Helper()
	list := g.records(t, record.Attack)
	for _, r := range list {
		if r.Action != "blocked" || !json.Valid(r.Event) || !strings.Contains(string(r.Event)+base64Of(r.Event), "UNION SELECT") || r.Src == "" {
			t.Errorf("record of %s from %q: %s, %s", r.Path, r.Src, r.Action, r.Event)
		}
	}
	if len(list) != attacks {
		t.Errorf("%d attack records, want %d", len(list), attacks)
	}
}

// base64Of undoes the data of a Kinesis record in an event.
func base64Of(event []byte) string {
	var e struct {
		Records []struct{ Kinesis struct{ Data []byte } }
	}
	_ = json.Unmarshal(event, &e) // another source's has none
	var all string
	for _, r := range e.Records {
		all += string(r.Kinesis.Data)
	}
	return all
}

// receiptOf is that of an invocation's summary, once it is in the console.
func receiptOf(t *testing.T, g *gate, requestID string) *record.Receipt {
	t.Helper()
	for _, r := range g.records(t, record.Invocation) {
		if r.RequestID == requestID {
			return r.Receipt
		}
	}
	return nil
}

// A batch in monitor mode arrives as it is, and the records say what would have
// been taken out.
func TestBatchInMonitorMode(t *testing.T) {
	g := start(t, "consumer", setup{attach: wrapper, env: map[string]string{"GATEHOUSE_MODE": "monitor"}})
	out := g.invoke(t, queueEvent("a fail", "b "+batchAttack))
	eventually(t, "the attack is in the console", func() bool { return g.kinds(record.Attack) == 1 && receiptOf(t, g, out.RequestID) != nil })
	r := g.records(t, record.Attack)[0]
	if !strings.Contains(g.log("function"), "got b 1' UNION") || r.Action != "allowed" || r.WouldAction != "blocked" || receiptOf(t, g, out.RequestID).Dropped != 0 {
		t.Errorf("the function got %q; %s, would be %s", g.log("function"), r.Action, r.WouldAction)
	}
}

// A policy that asks for what a source does not offer is said where it stands.
func TestPolicyKnowsTheSources(t *testing.T) {
	g := start(t, "consumer", setup{attach: wrapper, env: policyFile(t, "events: {refuse: {kinesis: fail}}")})
	g.invoke(t, queueEvent("a x"))
	eventually(t, "the mistake is in the log", func() bool {
		return strings.Contains(g.log("extension"), "line 2, column 28: events.refuse.kinesis: kinesis offers drop, error, not fail")
	})
}

// A custom resource's event is delivered where it names this function, and what
// only looks like one is refused.
func TestCustomResourceIsDelivered(t *testing.T) {
	g := start(t, "echo", setup{attach: wrapper})
	g.invoke(t, `{}`)
	eventually(t, "the summary", func() bool { return g.kinds(record.Invocation) == 1 })
	own := g.records(t, record.Invocation)[0].FunctionARN
	for token, delivered := range map[string]bool{own: true, own + "x": false} {
		event := `{"RequestType":"Create","ServiceToken":"` + token + `","StackId":"arn:aws:cloudformation:x","LogicalResourceId":"L","ResourceType":"Custom::X","Note":"` + batchAttack + `"}`
		if out := g.invoke(t, event); (string(out.Payload) == event) != delivered || strings.Contains(string(out.Payload), "Gatehouse.Refused") == delivered {
			t.Errorf("for %s: the caller got %s", token, out.Payload)
		}
	}
}
