package attack_test

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gatehouse/internal/detect"
	"gatehouse/internal/detect/attack"
)

// golden returns the event of a source with text in the place that its sender
// fills.
func golden(t testing.TB, name, text string) []byte {
	t.Helper()
	event, err := os.ReadFile(filepath.Join("testdata", "events", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	inside := text
	if in, err := json.Marshal(text); err == nil {
		inside = string(in[1 : len(in)-1])
	}
	event = bytes.ReplaceAll(event, []byte("PAYLOAD"), []byte(inside))
	event = bytes.ReplaceAll(event, []byte("BASE64"), []byte(base64.StdEncoding.EncodeToString([]byte(text))))
	return bytes.ReplaceAll(event, []byte("LOGS64"), logs(t, inside))
}

// logs is what CloudWatch Logs sends of one line.
func logs(t testing.TB, line string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write([]byte(`{"messageType":"DATA_MESSAGE","owner":"123456789012","logGroup":"/shop/web","logStream":"i-0123","subscriptionFilters":["all"],"logEvents":[{"id":"3195310660696698337880902507980421114328961542429","timestamp":1767357907000,"message":"` + line + `"}]}`))
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return []byte(base64.StdEncoding.EncodeToString(b.Bytes()))
}

func TestSources(t *testing.T) {
	tests := []struct {
		event string // its name begins with that of the source
		path  string // of what the sender fills
		from  string
	}{
		{"activemq", "messages[0].data", "arn:aws:mq:eu-central-1:123456789012:broker:orders:b-9bcfa592-423a-4942-879d-eb284b418fc8"},
		{"alb", "body", "192.0.2.7"},
		{"alexa", "request.intent.slots.Note.value", "amzn1.ask.account.AGF7X"},
		{"alexa-smart-home", "directive.endpoint.cookie.room", "lamp-17"},
		{"alexa-smart-home.v2", "payload.appliance.additionalApplianceDetails.room", ""},
		{"apigateway-authorizer", "queryStringParameters.key", "192.0.2.7"},
		{"apigateway-authorizer.token", "authorizationToken", ""},
		{"apigateway-authorizer.v2", "queryStringParameters.key", "192.0.2.7"},
		{"apigateway-http", "body", "192.0.2.7"},
		{"apigateway-rest", "body", "192.0.2.7"},
		{"apigateway-websocket", "body", "192.0.2.7"},
		{"appsync", "arguments.note", "192.0.2.7"},
		{"appsync.amplify", "arguments.note", "192.0.2.7"},
		{"appsync.batch", "[0].arguments.note", "192.0.2.7"},
		{"appsync-authorizer", "requestContext.variables.note", "192.0.2.7"},
		{"bedrock-agent", "inputText", "12345678912345"},
		{"bedrock-agent.function", "parameters[0].value", "12345678912345"},
		{"cloudformation", "ResourceProperties.Note", "arn:aws:cloudformation:eu-central-1:123456789012:stack/shop/6f3b7a52"},
		{"cloudfront", "Records[0].cf.request.body.data", "192.0.2.7"},
		{"cloudwatch-alarm", "alarmData.configuration.description", "arn:aws:cloudwatch:eu-central-1:123456789012:alarm:orders-errors"},
		{"cloudwatch-logs", "awslogs.data.logEvents[0].message", ""},
		{"codepipeline", `["CodePipeline.job"].data.actionConfiguration.configuration.UserParameters.note`, "c0d76431-b0e7-4c7c-97e3-e8ee786eb6f6"},
		{"cognito", "request.userAttributes.name", "jane"},
		{"config", "invokingEvent.configurationItem.tags.Name", "arn:aws:config:eu-central-1:123456789012:config-rule/config-rule-0123456"},
		{"connect", "Details.ContactData.Attributes.note", "+491701234567"},
		{"direct", "order.note", ""},
		{"documentdb", "events[0].event.fullDocument.note", "arn:aws:rds:eu-central-1:123456789012:cluster:orders"},
		{"durable", "InitialExecutionState.Operations[0].ExecutionDetails.InputPayload.note", "arn:aws:lambda:eu-central-1:123456789012:function:orders:1/durable-execution/6f3b7a52/0c1d"},
		{"dynamodb", "Records[0].dynamodb.NewImage.Note.S", "arn:aws:dynamodb:eu-central-1:123456789012:table/orders/stream/2026-01-02T00:48:05.899"},
		{"eventbridge", "detail.note", "com.example.orders"},
		{"firehose", "records[0].data", "arn:aws:firehose:eu-central-1:123456789012:deliverystream/clicks"},
		{"function-url", "body", "192.0.2.7"},
		{"iot", "placementInfo.attributes.note", "G030PM0123456789"},
		{"iot.button", "note", "G030PM0123456789"},
		{"iot-authorizer", "protocolData.mqtt.username", "3e4d8b21-53a1-4f7e-8a6b-7f0f6d3f3c1e"},
		{"iot-provisioning", "parameters.SerialNumber", "lamp-17"},
		{"kafka", `records["orders-0"][0].value`, "b-1.orders.k2p7xm.c3.kafka.eu-central-1.amazonaws.com:9092,b-2.orders.k2p7xm.c3.kafka.eu-central-1.amazonaws.com:9092"},
		{"kafka.short", `records["orders-0"][0].value`, "b-1.orders.k2p7xm.c3.kafka.eu-central-1.amazonaws.com:9092,b-2.orders.k2p7xm.c3.kafka.eu-central-1.amazonaws.com:9092"},
		{"kinesis", "Records[0].kinesis.data", "arn:aws:kinesis:eu-central-1:123456789012:stream/clicks"},
		{"lex", "inputTranscript", "254688924456798"},
		{"lex.v1", "inputTranscript", "jane"},
		{"msk", `records["orders-0"][0].value`, "arn:aws:kafka:eu-central-1:123456789012:cluster/orders/6a5d40b1-3f7e-4a77-9d0a-0123456789ab-2"},
		{"pipes", "[0].body", "arn:aws:sqs:eu-central-1:123456789012:orders"},
		{"rabbitmq", `rmqMessagesByQueue["orders::/"][0].data`, "arn:aws:mq:eu-central-1:123456789012:broker:orders:b-9bcfa592-423a-4942-879d-eb284b418fc8"},
		{"s3", "Records[0].s3.object.key", "192.0.2.7"},
		{"s3-batch", "tasks[0].s3Key", "arn:aws:s3:::orders-example"},
		{"s3-object-lambda", "configuration.payload.note", "arn:aws:sts::123456789012:assumed-role/Shop/jane"},
		{"secretsmanager", "ClientRequestToken", "arn:aws:secretsmanager:eu-central-1:123456789012:secret:orders-db-a1b2c3"},
		{"ses", "Records[0].ses.mail.headers[2].value", "shopper@mail.example"},
		{"sns", "Records[0].Sns.Message", "arn:aws:sns:eu-central-1:123456789012:orders"},
		{"sqs", "Records[0].body", "AIDAIENQZJOLO23YVJ4VO"},
		{"stepfunctions", "Execution.Input.note", "arn:aws:states:eu-central-1:123456789012:execution:orders:6f3b7a52-0c1d"},
		{"vpc-lattice", "body", "arn:aws:ec2:eu-central-1:123456789012:vpc/vpc-0b8276c84697e7339"},
		{"vpc-lattice.v1", "body", "192.0.2.7"},
	}
	seen := make(map[*detect.Source]bool)
	for _, tt := range tests {
		t.Run(tt.event, func(t *testing.T) {
			var e attack.Engine
			event := golden(t, tt.event, "all is well")
			source := e.Source(event)
			seen[source] = true
			if name, _, _ := strings.Cut(tt.event, "."); source.Name != name {
				t.Fatalf("Source = %s", source.Name)
			}
			if from, _ := attack.Value(event, source.From); from != tt.from {
				t.Errorf("from = %q, want %q", from, tt.from)
			}
			if r := inspect(t, event); len(r.Findings) > 0 || len(r.Gaps) > 0 {
				t.Errorf("benign event: %+v, %+v", r.Findings, r.Gaps)
			}
			r := inspect(t, golden(t, tt.event, "x' OR 7=7 --"))
			if len(r.Findings) != 1 || r.Findings[0].Path != tt.path {
				t.Errorf("attack: %+v, want one finding at %s", r.Findings, tt.path)
			}
		})
	}
	files, err := filepath.Glob("testdata/events/*.json")
	if err != nil || len(files) != len(tests) {
		t.Errorf("%d golden events, %d rows, %v", len(files), len(tests), err)
	}
	for i := range attack.Sources {
		if s := &attack.Sources[i]; !seen[s] {
			t.Errorf("%s %v has no golden event", s.Name, s.Markers)
		}
	}
}

// What one source sends through another is judged, and refused as the outermost
// wants it.
func TestSourcesInSources(t *testing.T) {
	in := func(outer string, inner []byte) []byte { return golden(t, outer, string(inner)) }
	const text = "x' OR 7=7 --"
	notification := func(message []byte) []byte {
		b, err := json.Marshal(map[string]string{"Type": "Notification", "TopicArn": "arn:aws:sns:eu-central-1:123456789012:orders", "Message": string(message)})
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	tests := []struct {
		name   string
		event  []byte
		source string
		path   string
	}{
		{"SNS in SQS", in("sqs", notification([]byte(text))), "sqs", "Records[0].body.Message"},
		{"S3 in SNS in SQS", in("sqs", notification(golden(t, "s3", text))), "sqs", "Records[0].body.Message.Records[0].s3.object.key"},
		{"EventBridge in SQS", in("sqs", golden(t, "eventbridge", text)), "sqs", "Records[0].body.detail.note"},
		{"SNS in Kinesis", in("kinesis", notification([]byte(text))), "kinesis", "Records[0].kinesis.data.Message"},
		{"DynamoDB in Kinesis", in("kinesis", golden(t, "dynamodb", text)), "kinesis", "Records[0].kinesis.data.Records[0].dynamodb.NewImage.Note.S"},
		{"SQS in EventBridge", in("eventbridge", golden(t, "sqs", text)), "eventbridge", "detail.note.Records[0].body"},
	}
	for _, tt := range tests {
		var e attack.Engine
		if got := e.Source(tt.event).Name; got != tt.source {
			t.Errorf("%s: source %s", tt.name, got)
		}
		if r := inspect(t, tt.event); len(r.Findings) != 1 || r.Findings[0].Path != tt.path {
			t.Errorf("%s: findings %+v, want one at %s", tt.name, r.Findings, tt.path)
		}
	}
}

// A source that stands more than once is one to a customer: its name, its forms
// and its batch are the same.
func TestShapesOfOneSource(t *testing.T) {
	first := make(map[string]*detect.Source)
	for i := range attack.Sources {
		s := &attack.Sources[i]
		if strings.Trim(s.Name, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
			t.Errorf("source %q is not a word for a policy", s.Name)
		}
		if slices.Contains(s.Others, s.Form) && s.Form != detect.FormSuccess && s.Form != detect.FormError && s.Form != detect.FormDeliver {
			t.Errorf("%s: form %s stands twice", s.Name, s.Form)
		}
		if !s.Batch.IsZero() != s.Offers(detect.FormDrop) || s.Offers(detect.FormFail) && s.Batch.ID == "" {
			t.Errorf("%s: batch %+v and forms %v, %v", s.Name, s.Batch, s.Form, s.Others)
		}
		if s.Form == detect.FormDeliver && s.Self == "" {
			t.Errorf("%s is delivered by its shape alone, which anybody can copy", s.Name)
		}
		f := first[s.Name]
		if f == nil {
			first[s.Name] = s
			continue
		}
		if f.Batch != s.Batch || f.Form != s.Form && s.Form != detect.FormError {
			t.Errorf("%s: two shapes differ in form or batch", s.Name)
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
		{`{"Records":[{"EventSource":"aws:sqs"}]}`, "direct"},
		{`{"Records":[{"eventSource":"aws:sqs2"}]}`, "direct"},
		{`{"Records":[{"a":{"eventSource":"aws:sqs"}}]}`, "direct"},
		{`{"Records":[[{"eventSource":"aws:sqs"}]]}`, "direct"},
		{`{"Records":{"0":{"eventSource":"aws:sqs"}}}`, "direct"},
		{`{"x":[1,{"y":"]}"}],"Records":[{"body":"\\\"}]","eventSource":"aws:sqs"}]}`, "sqs"},
		{` [ {"eventSource" : "aws:kinesis" } ]`, "pipes"},
		{`"Records"`, "direct"},
		{`{"CodePipeline.job":{"id":"x","data":{}}}`, "codepipeline"},
		{`{"Records"`, "direct"},
		{`{"Records" 1}`, "direct"},
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
	const attack = "eCcgVU5JT04gU0VMRUNUIHBhc3N3b3JkIEZST00gdXNlcnMgLS0g" // base64 of SQL
	event := []byte(`{"Records":[{"EventSource":"aws:sns","Sns":{"Signature":"` + attack + `","MessageAttributes":{"Signature":{"Value":"` + attack + `"}}}}]}`)
	r := inspect(t, event)
	if len(r.Findings) != 1 || r.Findings[0].Path != "Records[0].Sns.MessageAttributes.Signature.Value" {
		t.Errorf("findings = %+v, want one at the attribute", r.Findings)
	}
}

// Who calls a function directly may send any shape. What stands where AWS fills
// in an identifier, and is none, is judged.
func TestTrustedPathsHoldIdentifiers(t *testing.T) {
	for _, value := range []string{"' OR '1'='1' --", "%27%20OR%20%271%27=%271%27%20--", `\u0027 OR \u00271\u0027=\u00271`, "<script>alert(1)</script>"} {
		for _, name := range []string{"sns", "sqs"} {
			event := golden(t, name, "all is well")
			at := bytes.Index(event, []byte(`essageId": "`)) + len(`essageId": "`)
			event = slices.Insert(event, at, []byte(value)...)
			if r := inspect(t, event); len(r.Findings) != 1 || !strings.HasSuffix(r.Findings[0].Path, "essageId") {
				t.Errorf("%s: %s: findings = %+v, want one at the id", name, value, r.Findings)
			}
		}
	}
}
