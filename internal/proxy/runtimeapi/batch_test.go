package runtimeapi_test

import (
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"gatehouse/internal/detect"
	"gatehouse/internal/detect/attack"
	"gatehouse/internal/policy"
	"gatehouse/internal/proxy/runtimeapi"
)

const injection = "1' UNION SELECT password FROM users -- "

// gate is a relay with the engine and the sources that the layer has.
func gate(t *testing.T, text string, events ...string) *fixture {
	t.Helper()
	p, err := policy.Parse([]byte("version: 1\nmode: enforce\n"+text), attack.Sources...)
	if err != nil {
		t.Fatal(err)
	}
	f := start(t, policy.Enforce, detect.FormError, events...)
	f.guard.Engine, f.guard.Value = new(attack.Engine), attack.Value
	f.guard.Policy = func() *policy.Policy { return p }
	return f
}

// respond answers the event with that id as a function does: at once or in chunks,
// with trailers behind them where an error type is given.
func (f *fixture) respond(t *testing.T, id, kind, body string, chunked bool, errorType string) {
	t.Helper()
	var r io.Reader = strings.NewReader(body)
	if chunked {
		r = struct{ io.Reader }{r}
	}
	req, err := http.NewRequest(http.MethodPost, f.url+"/2018-06-01/runtime/invocation/"+id+"/"+kind, r)
	if err != nil {
		t.Fatal(err)
	}
	if errorType != "" {
		req.Trailer = http.Header{"Lambda-Runtime-Function-Error-Type": {errorType}}
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	if res.StatusCode != http.StatusAccepted {
		t.Fatalf("status %d", res.StatusCode)
	}
}

func b64(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }

// A batch arrives without its bad records, and with the length that it then has.
func TestBatchArrivesWithoutItsBadRecords(t *testing.T) {
	tests := []struct{ name, policy, event, want string }{
		{"sqs", "", `{"Records": [{"messageId":"a","body":"fine","eventSource":"aws:sqs"} , {"messageId":"b","body":"` + injection + `"}]}`,
			`{"Records": [{"messageId":"a","body":"fine","eventSource":"aws:sqs"}]}`},
		{"kinesis", "", `{"Records":[{"kinesis":{"data":"` + b64(injection) + `"},"eventSource":"aws:kinesis"},{"kinesis":{"data":"` + b64("fine") + `"}}]}`,
			`{"Records":[{"kinesis":{"data":"` + b64("fine") + `"}}]}`},
		{"dynamodb", "", `{"Records":[{"eventSource":"aws:dynamodb","dynamodb":{"NewImage":{"N":{"S":"fine"}}}},{"dynamodb":{"NewImage":{"N":{"S":"` + injection + `"}}}},{"dynamodb":{}}]}`,
			`{"Records":[{"eventSource":"aws:dynamodb","dynamodb":{"NewImage":{"N":{"S":"fine"}}}},{"dynamodb":{}}]}`},
		{"kafka", "", `{"eventSource":"aws:kafka","records":{"a-0":[{"value":"` + b64(injection) + `"}],"a-1":[{"value":"` + b64("fine") + `"},{"value":"` + b64(injection) + `"}]}}`,
			`{"eventSource":"aws:kafka","records":{"a-0":[],"a-1":[{"value":"` + b64("fine") + `"}]}}`},
		{"activemq", "", `{"eventSource":"aws:mq","messages":[{"data":"` + b64(injection) + `"},{"data":"` + b64("fine") + `"}]}`,
			`{"eventSource":"aws:mq","messages":[{"data":"` + b64("fine") + `"}]}`},
		{"rabbitmq", "", `{"eventSource":"aws:rmq","rmqMessagesByQueue":{"q::/":[{"data":"` + b64(injection) + `"},{"data":"` + b64("fine") + `"}]}}`,
			`{"eventSource":"aws:rmq","rmqMessagesByQueue":{"q::/":[{"data":"` + b64("fine") + `"}]}}`},
		{"documentdb", "", `{"eventSource":"aws:docdb","events":[{"event":{"fullDocument":{"x":"` + injection + `"}}},{"event":{}}]}`,
			`{"eventSource":"aws:docdb","events":[{"event":{}}]}`},
		{"firehose", "", `{"invocationId":"i","deliveryStreamArn":"arn:x","records":[{"recordId":"1","data":"` + b64(injection) + `"},{"recordId":"2","data":"` + b64("fine") + `"}]}`,
			`{"invocationId":"i","deliveryStreamArn":"arn:x","records":[{"recordId":"2","data":"` + b64("fine") + `"}]}`},
		{"pipes", "", `[{"eventSource":"aws:sqs","body":"` + injection + `"},{"eventSource":"aws:sqs","body":"fine"}]`,
			`[{"eventSource":"aws:sqs","body":"fine"}]`},
		{"benign, odd bytes", "", "{ \"Records\" : [ {\"eventSource\":\"aws:sqs\",\"body\":\"\\u0066ine\",\"n\":1.50e0} ,\n{} ] }\n", "{ \"Records\" : [ {\"eventSource\":\"aws:sqs\",\"body\":\"\\u0066ine\",\"n\":1.50e0} ,\n{} ] }\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := gate(t, tt.policy, tt.event)
			res, body := f.get(t, nextPath)
			if body != tt.want || res.ContentLength != int64(len(tt.want)) || res.Header.Get("X-New-Header") != "kept" {
				t.Errorf("%d bytes arrived:\n%s\nwant %d:\n%s", res.ContentLength, body, len(tt.want), tt.want)
			}
		})
	}
}

// The function's answer names what was withheld from it, and is otherwise as the
// function gave it.
func TestAnswersNameWhatWasWithheld(t *testing.T) {
	const (
		fail   = "events: {refuse: {sqs: fail}}"
		sqs    = `{"Records":[{"messageId":"a","body":"fine","eventSource":"aws:sqs"},{"messageId":"b","body":"` + injection + `"},{"messageId":"c\"<","body":"` + injection + `"}]}`
		both   = `{"itemIdentifier":"b"},{"itemIdentifier":"c\"\u003c"}`
		fire   = `{"invocationId":"i","deliveryStreamArn":"arn:x","records":[{"recordId":"1","data":"JyBVTklPTiBTRUxFQ1QgcGFzc3dvcmQgRlJPTSB1c2VycyAtLSA="},{"recordId":"2","data":"ZmluZQ=="}]}`
		failed = `{"recordId":"1","result":"ProcessingFailed"}`
	)
	tests := []struct{ name, policy, event, answer, want string }{
		{"null", fail, sqs, `null`, `{"batchItemFailures":[` + both + `]}`},
		{"nothing", fail, sqs, ``, `{"batchItemFailures":[` + both + `]}`},
		{"an empty object", fail, sqs, ` { } `, ` { "batchItemFailures":[` + both + `]} `},
		{"another member", fail, sqs, `{"a": 1.0 }`, `{"a": 1.0 ,"batchItemFailures":[` + both + `]}`},
		{"no list", fail, sqs, `{"batchItemFailures":null,"a":1}`, `{"batchItemFailures":[` + both + `],"a":1}`},
		{"an empty list", fail, sqs, `{"batchItemFailures": [ ] }`, `{"batchItemFailures": [ ` + both + `] }`},
		{"a list", fail, sqs, `{"x":[],"batchItemFailures": [ {"itemIdentifier" : "a"} ],"y":"\u00e4"}`, `{"x":[],"batchItemFailures": [ {"itemIdentifier" : "a"} ,` + both + `],"y":"\u00e4"}`},
		{"one is there", fail, sqs, `{"batchItemFailures":[{"itemIdentifier":"b"}]}`, `{"batchItemFailures":[{"itemIdentifier":"b"},{"itemIdentifier":"c\"\u003c"}]}`},
		{"all are there", fail, sqs, `{"batchItemFailures":[{"itemIdentifier":"c\"<"},{"itemIdentifier":"b"}]}`, `{"batchItemFailures":[{"itemIdentifier":"c\"<"},{"itemIdentifier":"b"}]}`},
		{"two lists", fail, sqs, `{"batchItemFailures":[1],"batchItemFailures":[]}`, `{"batchItemFailures":[1],"batchItemFailures":[` + both + `]}`},
		{"no list at all", fail, sqs, `{"batchItemFailures":"none"}`, `{"batchItemFailures":"none"}`},
		{"a sentence", fail, sqs, `"done"`, `"done"`},
		{"no JSON", fail, sqs, `{"batchItemFailures":[`, `{"batchItemFailures":[`},
		{"dropped", "", sqs, `{"a":1}`, `{"a":1}`},
		{"dropped, nothing", "", sqs, ``, ``},
		{"firehose", "", fire, `{"records":[{"recordId":"2","result":"Ok","data":"ZmluZQ=="}]}`, `{"records":[{"recordId":"2","result":"Ok","data":"ZmluZQ=="},` + failed + `]}`},
		{"firehose, dropped", "events: {refuse: {firehose: drop}}", fire, `{"records":[]}`, `{"records":[{"recordId":"1","result":"Dropped"}]}`},
	}
	for _, tt := range tests {
		for _, chunked := range []bool{false, true} {
			f := gate(t, tt.policy, tt.event)
			f.get(t, nextPath)
			f.respond(t, "id-1", "response", tt.answer, chunked, "")
			if got := f.lambda.answers; len(got) != 1 || got[0] != "response  "+tt.want {
				t.Errorf("%s, chunked %v: lambda was told %q, want\n%s", tt.name, chunked, got, tt.want)
			}
			f.guard.Finish("id-1", "success")
			if r := f.records[len(f.records)-1]; r.BytesOut != int64(len(tt.want)) {
				t.Errorf("%s: %d bytes out, want %d", tt.name, r.BytesOut, len(tt.want))
			}
		}
	}
}

// What the function says went wrong passes unchanged, and the whole batch comes
// again. So does an answer that is too long for Lambda.
func TestErrorsOfAFunctionPass(t *testing.T) {
	const event = `{"Records":[{"messageId":"a","eventSource":"aws:sqs"},{"messageId":"b","body":"` + injection + `"}]}`
	long := `{"x":"` + strings.Repeat("x", 6<<20+100) + `"}`
	tests := []struct {
		kind, body, errorType, want string
	}{
		{"error", `{"errorMessage":"no"}`, "", `error  {"errorMessage":"no"}`},
		{"response", `{"half":`, "Function.Late", `response Function.Late {"half":`},
		{"response", `{}`, "Function.Late", `response Function.Late {}`},
		{"response", long, "", "response  " + long},
	}
	for _, tt := range tests {
		f := gate(t, "events: {refuse: {sqs: fail}}", event)
		f.get(t, nextPath)
		f.respond(t, "id-1", tt.kind, tt.body, tt.errorType != "", tt.errorType)
		if got := f.lambda.answers; len(got) != 1 || got[0] != tt.want {
			t.Errorf("lambda was told %.100q, want %.100q", got, tt.want)
		}
	}
}

// Nothing is left of one event's records for the next.
func TestAnswersOfTheNextEvent(t *testing.T) {
	f := gate(t, "events: {refuse: {sqs: fail}}",
		`{"Records":[{"messageId":"a","eventSource":"aws:sqs"},{"messageId":"b","body":"`+injection+`"}]}`,
		`{"Records":[{"messageId":"c","eventSource":"aws:sqs"}]}`)
	f.lambda.id = "again" // Lambda's own retry has the id of the first try
	for _, want := range []string{`response  {"batchItemFailures":[{"itemIdentifier":"b"}]}`, "response  null"} {
		f.get(t, nextPath)
		f.respond(t, "again", "response", "null", false, "")
		if got := f.lambda.answers[len(f.lambda.answers)-1]; got != want {
			t.Errorf("lambda was told %q, want %q", got, want)
		}
	}
}

// A batch of which nothing is left never reaches the function.
func TestEmptiedBatches(t *testing.T) {
	tests := []struct{ name, policy, event, want string }{
		{"sqs", "", `{"Records":[{"messageId":"a","eventSource":"aws:sqs","body":"` + injection + `"}]}`, `{"batchItemFailures":[]}`},
		{"sqs, fail", "events: {refuse: {sqs: fail}}", `{"Records":[{"messageId":"a","eventSource":"aws:sqs","body":"` + injection + `"}]}`, `{"batchItemFailures":[{"itemIdentifier":"a"}]}`},
		{"kinesis", "", `{"Records":[{"eventSource":"aws:kinesis","kinesis":{"data":"` + b64(injection) + `"}}]}`, `{"batchItemFailures":[]}`},
		{"kinesis, a window", "", `{"Records":[{"eventSource":"aws:kinesis","kinesis":{"data":"` + b64(injection) + `"}}],"window":{"start":"a","end":"b"},"state":{"sum":3}}`, `{"batchItemFailures":[],"state":{"sum":3}}`},
		{"kafka", "", `{"eventSource":"aws:kafka","records":{"a-0":[{"value":"` + b64(injection) + `"}]}}`, `null`},
		{"pipes", "", `[{"eventSource":"aws:sqs","body":"` + injection + `"}]`, `{}`},
		{"firehose", "", `{"invocationId":"i","deliveryStreamArn":"arn:x","records":[{"recordId":"1","data":"` + b64(injection) + `"}]}`, `{"records":[{"recordId":"1","result":"ProcessingFailed"}]}`},
	}
	for _, tt := range tests {
		f := gate(t, tt.policy, tt.event, `{"fine":true}`)
		if _, body := f.get(t, nextPath); body != `{"fine":true}` {
			t.Errorf("%s: the function got %s", tt.name, body)
		}
		if got := f.lambda.answers; len(got) != 1 || got[0] != "response  "+tt.want {
			t.Errorf("%s: lambda was told %q, want %s", tt.name, got, tt.want)
		}
		if r := f.records[len(f.records)-1]; r.Status != "refused" || r.Receipt.Dropped != 1 {
			t.Errorf("%s: summary %+v, receipt %+v", tt.name, r, r.Receipt)
		}
	}
}

// FuzzAnswer adds withheld records to any answer of a function: what is an object
// stays one, with its other members as they were.
func FuzzAnswer(f *testing.F) {
	for _, s := range []string{`null`, ``, `{}`, `{"batchItemFailures":[{"itemIdentifier":"x"}],"a":1}`, ` {"batchItemFailures" : null } `, `[1]`, `{"a":"}"}`} {
		f.Add([]byte(s), "id")
	}
	f.Fuzz(func(t *testing.T, answer []byte, id string) {
		out := runtimeapi.Amend(answer, "sqs", detect.FormFail, []detect.Part{{ID: id}})
		before, after := map[string]json.RawMessage{}, map[string]json.RawMessage{}
		if json.Unmarshal(answer, &before) != nil && len(strings.TrimSpace(string(answer))) > 0 {
			if string(out) != string(answer) {
				t.Fatalf("%q became %q", answer, out)
			}
			return
		}
		if err := json.Unmarshal(out, &after); err != nil {
			t.Fatalf("%q became %q: %v", answer, out, err)
		}
		for name, value := range before {
			if name != "batchItemFailures" && string(after[name]) != string(value) {
				t.Fatalf("%q became %q: member %q", answer, out, name)
			}
		}
	})
}
