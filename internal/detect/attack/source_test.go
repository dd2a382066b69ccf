package attack_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gatehouse/internal/detect"
	"gatehouse/internal/detect/attack"
)

// golden returns the event of a source with text in the place that its sender
// fills.
func golden(t *testing.T, name, text string) []byte {
	t.Helper()
	event, err := os.ReadFile(filepath.Join("testdata", "events", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	event = bytes.ReplaceAll(event, []byte("PAYLOAD"), []byte(text))
	return bytes.ReplaceAll(event, []byte("BASE64"), []byte(base64.StdEncoding.EncodeToString([]byte(text))))
}

func TestSources(t *testing.T) {
	tests := []struct {
		name string
		form detect.Form
		path string // of what the sender fills
		from string
	}{
		{"sns", detect.FormSuccess, "Records[0].Sns.Message", "arn:aws:sns:eu-central-1:123456789012:orders"},
		{"sqs", detect.FormDrop, "Records[0].body", "AIDAIENQZJOLO23YVJ4VO"},
		{"s3", detect.FormSuccess, "Records[0].s3.object.key", "192.0.2.7"},
		{"dynamodb", detect.FormDrop, "Records[0].dynamodb.NewImage.Note.S", "arn:aws:dynamodb:eu-central-1:123456789012:table/orders/stream/2026-01-02T00:48:05.899"},
		{"kinesis", detect.FormDrop, "Records[0].kinesis.data", "arn:aws:kinesis:eu-central-1:123456789012:stream/clicks"},
		{"eventbridge", detect.FormSuccess, "detail.note", "com.example.orders"},
		{"apigateway-authorizer", detect.FormDeny, "queryStringParameters.key", "192.0.2.7"},
		{"alb", detect.FormHTTP, "body", "192.0.2.7"},
		{"function-url", detect.FormHTTP, "body", "192.0.2.7"},
		{"apigateway-http", detect.FormHTTP, "body", "192.0.2.7"},
		{"apigateway-websocket", detect.FormHTTP, "body", "192.0.2.7"},
		{"apigateway-rest", detect.FormHTTP, "body", "192.0.2.7"},
		{"direct", detect.FormError, "order.note", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var e attack.Engine
			event := golden(t, tt.name, "all is well")
			source := e.Source(event)
			if source.Name != tt.name || source.Form != tt.form {
				t.Fatalf("Source = %s, form %d, want %s, form %d", source.Name, source.Form, tt.name, tt.form)
			}
			if from, _ := attack.Value(event, source.From); from != tt.from {
				t.Errorf("from = %q, want %q", from, tt.from)
			}
			if r := inspect(t, event); len(r.Findings) > 0 || len(r.Gaps) > 0 {
				t.Errorf("benign event: %+v, %+v", r.Findings, r.Gaps)
			}
			r := inspect(t, golden(t, tt.name, "x' OR 7=7 --"))
			if len(r.Findings) != 1 || r.Findings[0].Path != tt.path {
				t.Errorf("attack: %+v, want one finding at %s", r.Findings, tt.path)
			}
		})
	}
}

func TestEverySourceHasAGoldenEvent(t *testing.T) {
	for _, s := range attack.Sources {
		if _, err := os.Stat(filepath.Join("testdata", "events", s.Name+".json")); err != nil {
			t.Errorf("source %q has no golden event: %v", s.Name, err)
		}
	}
}

func TestSourceIsRecognised(t *testing.T) {
	tests := []struct{ event, want string }{
		{``, "direct"},
		{`null`, "direct"},
		{`{"Records":[]}`, "direct"},
		{`{"Records":[{"eventSource":"aws:sqs"`, "sqs"},
		{`{"records":[{"EVENTSOURCE":"aws:sqs"}]}`, "direct"},
		{`{"x":{"Records":[{"eventSource":"aws:sqs"}]}}`, "direct"},
		{`{"Records":[{"a":1},{"eventSource":"aws:sqs"}]}`, "direct"},
		{`{"Records":[{"body":"` + strings.Repeat("x", 1<<20) + `","eventSource":"aws:sqs"}]}`, "sqs"},
	}
	var e attack.Engine
	for _, tt := range tests {
		if got := e.Source([]byte(tt.event)).Name; got != tt.want {
			t.Errorf("Source(%.60q) = %q, want %q", tt.event, got, tt.want)
		}
	}
}

// What a client can fill is judged, whatever its name says.
func TestHeadersAreJudged(t *testing.T) {
	for _, name := range []string{
		"Accept", "Accept-Language", "accept-anything", "Sec-CH-UA", "Via", "X-Amz-Cf-Id", "X-Amzn-Trace-Id", "User-Agent", "Cookie",
	} {
		for _, benign := range []string{
			"*/*", "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8", "en-US,en;q=0.9,*;q=0.1",
			`" Not A;Brand";v="99", "Chromium";v="101"`, `"Not)A;Brand";v="8", "(Not(A:Brand";v="8"`, "?0",
			"1.1 08f323deadbeefa7af34d5feb414ce27.cloudfront.net (CloudFront)", "cDehVQoZnx43VYQb9j2-nvCh-9z396Uhbp027Y2JvkCPNLmGJHqlaA==",
			"Self=1-67891234-12456789abcdef012345678;Root=1-67891233-abcdef012345678912345678",
		} {
			if r := inspect(t, withHeader(t, name, benign)); len(r.Findings) > 0 {
				t.Errorf("%s: %s: %+v", name, benign, r.Findings)
			}
		}
		if r := inspect(t, withHeader(t, name, "en' UNION SELECT password FROM users -- ")); len(r.Findings) != 2 {
			t.Errorf("%s: %d findings, want one in each list of headers", name, len(r.Findings))
		}
	}
}

// withHeader is an event of API Gateway with one more header.
func withHeader(t *testing.T, name, value string) []byte {
	t.Helper()
	v, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	event := golden(t, "apigateway-rest", "all is well")
	for list, text := range map[string]string{"headers": string(v), "multiValueHeaders": "[" + string(v) + "]"} {
		old := []byte(`"` + list + `": {`)
		if !bytes.Contains(event, old) {
			t.Fatalf("the golden event has no %s", list)
		}
		event = bytes.Replace(event, old, []byte(`"`+list+`": {"`+name+`": `+text+","), 1)
	}
	return event
}

func TestTrustedPathsAreNotJudged(t *testing.T) {
	event := []byte(`{"Records":[{"EventSource":"aws:sns","Sns":{"Signature":"' OR '1'='1' --","TopicArn":"<script>","MessageAttributes":{"Signature":{"Value":"' OR '1'='1' --"}}}}]}`)
	r := inspect(t, event)
	if len(r.Findings) != 1 || r.Findings[0].Path != "Records[0].Sns.MessageAttributes.Signature.Value" {
		t.Errorf("findings = %+v, want one at the attribute", r.Findings)
	}
}
