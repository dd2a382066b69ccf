package runtimeapi_test

import (
	"bytes"
	"encoding/base64"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gatehouse/internal/detect"
	"gatehouse/internal/detect/attack"
)

var update = flag.Bool("update", false, "rewrite docs/refusals.md")

// notes says of each source what a refusal means for it.
var notes = map[string]string{
	"sns":                   "Nobody waits. An error would bring the attack back twice, and then to the dead-letter queue.",
	"sqs":                   "See [Queues](#queues).",
	"s3":                    "As SNS.",
	"dynamodb":              "See [Streams and topics](#streams-and-topics).",
	"kinesis":               "See [Streams and topics](#streams-and-topics).",
	"ses":                   "No further rule is applied to the mail, where SES waits for the answer.",
	"msk":                   "See [Streams and topics](#streams-and-topics).",
	"kafka":                 "See [Streams and topics](#streams-and-topics).",
	"activemq":              "See [Streams and topics](#streams-and-topics).",
	"rabbitmq":              "See [Streams and topics](#streams-and-topics).",
	"documentdb":            "See [Streams and topics](#streams-and-topics).",
	"pipes":                 "As a target, the pipe takes it for success; as an enrichment, it sends nothing on.",
	"eventbridge":           "As SNS. EventBridge Scheduler too.",
	"cloudwatch-alarm":      "As SNS.",
	"cloudwatch-logs":       "As SNS. One bad line refuses what was sent with it.",
	"apigateway-authorizer": "403, or with payload format 2.0 a simple answer, which is 500 where the API is set to take policies. API Gateway may keep the policy for that caller. `error` is 401, and is not kept.",
	"alb":                   "403. With `multiValueHeaders` in the event they are in the answer too.",
	"vpc-lattice":           "403.",
	"function-url":          "403.",
	"apigateway-http":       "403.",
	"apigateway-websocket":  "On `$connect` nobody is let in; elsewhere it is the route's response. `error` is 500.",
	"apigateway-rest":       "403.",
	"appsync-authorizer":    "The request is not authorized.",
	"appsync":               "An error of that field, or of each one in the batch: all of it is one client's request.",
	"cognito":               "The sign-up, sign-in or whatever triggered it fails, and the app shows the message. The rule is not in it.",
	"firehose":              "`fail` has Firehose put the record under `processing-failed` in the bucket for errors: nothing is lost. `drop` has it forget the record.",
	"s3-batch":              "The task fails for good and is in the job's report; an error would have it tried again.",
	"s3-object-lambda":      "The caller's request fails: any other answer needs WriteGetObjectResponse.",
	"lex":                   "The intent is closed as failed, and the sentence said.",
	"alexa":                 "The sentence is said, and the session ends.",
	"alexa-smart-home":      "An ErrorResponse. A directive of version 2 gets an error.",
	"connect":               "The flow goes on at the block's Error branch.",
	"bedrock-agent":         "403 of the action, or FAILURE of the function.",
	"durable":               "The execution fails. An error would have this step of it tried again.",
	"stepfunctions":         "A `Catch` takes `Gatehouse.Refused`. So it does where the state's input says nothing of Step Functions, which is `direct`.",
	"cloudformation":        "Delivered, and recorded with `would_action`: CloudFormation waits for the function's own answer, an hour as a rule. Only where `ServiceToken` is the ARN of the invoked function; else it is the error: anybody can send that shape, and a framework that passes events on gives CloudFormation the answer itself.",
	"secretsmanager":        "The rotation fails, and the secret stays as it is until the next try.",
	"codepipeline":          "The action fails by its time-out: CodePipeline waits for the function's own answer. An error shows in the function's metrics at once.",
	"config":                "The resource keeps its last evaluation, and the error shows in the function's metrics.",
	"iot-authorizer":        "The device is not connected.",
	"iot-provisioning":      "The device is not provisioned.",
	"iot":                   "As SNS. What a rule of IoT Core sends has no shape of its own, and is `direct`.",
	"cloudfront":            "No layer runs at the edge: this source is for `gatehouse scan`.",
	"direct":                "Everything that is no other source. The caller reads the error. `http` for what a mapping template or a router of your own sends, `success` for what is invoked asynchronously.",
}

// TestDocs holds docs/refusals.md to what the relay does with an attack from each
// source, in each form that it offers.
func TestDocs(t *testing.T) {
	path := filepath.Join("..", "..", "..", "docs", "refusals.md")
	want, err := os.ReadFile(path)
	if err != nil && !*update {
		t.Fatal(err)
	}
	head, tail, ok := bytes.Cut(want, []byte("<!-- made by go test ./internal/proxy/runtimeapi -update: -->\n"))
	_, foot, ok2 := bytes.Cut(tail, []byte("<!-- end -->\n"))
	if !ok || !ok2 {
		t.Fatal("docs/refusals.md has no place for the table")
	}
	var b bytes.Buffer
	b.Write(head)
	b.WriteString("<!-- made by go test ./internal/proxy/runtimeapi -update: -->\n")
	b.WriteString("| source | form | the answer | what comes of it |\n|---|---|---|---|\n")
	seen := make(map[string]bool)
	for i := range attack.Sources {
		s := &attack.Sources[i]
		if seen[s.Name] {
			continue
		}
		seen[s.Name] = true
		if notes[s.Name] == "" {
			t.Errorf("source %q has no note", s.Name)
		}
		note := notes[s.Name]
		for _, form := range forms(s) {
			name := form.String()
			if form == s.Form {
				name = "**" + name + "**"
			}
			fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", s.Name, name, answerTo(t, s.Name, form), note)
			note = ""
		}
	}
	if len(notes) != len(seen) {
		t.Errorf("%d notes on %d sources", len(notes), len(seen))
	}
	b.WriteString("<!-- end -->\n")
	b.Write(foot)
	if *update {
		if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil { //nolint:gosec // a document
			t.Fatal(err)
		}
		return
	}
	if !bytes.Equal(b.Bytes(), want) {
		t.Errorf("%s is out of date: run go test ./internal/proxy/runtimeapi -update. Want\n%s", path, b.Bytes())
	}
}

// forms lists what s offers, its own form first, each once.
func forms(s *detect.Source) []detect.Form {
	all := []detect.Form{s.Form}
	for _, f := range s.Others {
		if !slices.Contains(all, f) {
			all = append(all, f)
		}
	}
	return all
}

// answerTo is what Lambda is told of an attack in the golden event of a source.
func answerTo(t *testing.T, source string, form detect.Form) string {
	t.Helper()
	event := golden(t, source, injection)
	f := gate(t, "events: {refuse: {"+source+": "+form.String()+"}}", event, `{"fine":true}`)
	_, body := f.get(t, nextPath)
	f.mu.Lock()
	defer f.mu.Unlock()
	if body == event && form == detect.FormDeliver {
		return "none: it is delivered"
	}
	if body != `{"fine":true}` || len(f.lambda.answers) != 1 || strings.Contains(f.lambda.answers[0], "UNION") {
		t.Fatalf("%s, %s: the function got %.200s, lambda %q", source, form, body, f.lambda.answers)
	}
	kind, rest, _ := strings.Cut(f.lambda.answers[0], " ")
	errorType, text, _ := strings.Cut(rest, " ")
	for _, r := range f.records {
		if r.Category != "" {
			text = strings.ReplaceAll(text, r.ID, "01JQ…")
			text = strings.ReplaceAll(text, r.SignatureID, "sqli.union")
		}
	}
	if kind == "error" && errorType != "Function.GatehouseRefused" {
		t.Errorf("%s, %s: error type %q", source, form, errorType)
	}
	switch {
	case text == `{"errorMessage":"refused by gatehouse: sqli.union (incident 01JQ…)","errorType":"Gatehouse.Refused","stackTrace":[]}`:
		return "the error"
	case kind == "error":
		return "an error: `" + text + "`"
	}
	return "`" + strings.ReplaceAll(text, "|", `\|`) + "`"
}

// golden is the golden event of a source with text in it.
func golden(t *testing.T, source, text string) string {
	t.Helper()
	event, err := os.ReadFile(filepath.Join("..", "..", "detect", "attack", "testdata", "events", source+".json"))
	if err != nil {
		t.Fatal(err)
	}
	encoded := base64.StdEncoding.EncodeToString([]byte(text))
	return strings.NewReplacer("PAYLOAD", text, "BASE64", encoded, "LOGS64", encoded).Replace(string(event))
}
