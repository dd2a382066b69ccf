package attack_test

import (
	"path"
	"strings"
	"testing"

	"gatehouse/internal/detect/attack"
)

// sampleSources says what a sample event is by a part of its file's name, the
// first that fits; what nothing fits is direct: an answer, a service that is gone,
// a payload of somebody's own.
var sampleSources = []struct{ part, source string }{
	{"cloudfront", "cloudfront"}, {"cognito-event", "cognito"}, {"alexastart", "alexa"},
	{"response", "direct"}, {"appsync-identity", "direct"}, {"analytics", "direct"}, {"dashboard", "direct"}, {"span", "direct"}, {"batchsubmit", "direct"},
	{"sync-trigger", "direct"}, {"synctrigger", "direct"}, {"syslog", "direct"}, {"cloudtrail", "direct"}, {"api-event", "direct"}, {"lifecyclehook", "direct"},
	{"eventbridge-sqs", "sqs"}, {"sqs", "sqs"}, {"snssqs", "sqs"}, {"alarm-sns", "sns"}, {"ses", "ses"}, {"sns", "sns"},
	{"v2-custom-authorizer", "apigateway-authorizer"}, {"websocket", "apigateway-websocket"}, {"authorizer-request-api-gateway-v2", "apigateway-http"},
	{"apigatewayproxyv2", "apigateway-http"}, {"apigw-v2", "apigateway-http"}, {"lambda-url", "function-url"}, {"functionurl", "function-url"},
	{"apigw", "apigateway-rest"}, {"apigateway", "apigateway-rest"}, {"api-gateway", "apigateway-rest"}, {"api_gateway", "apigateway-rest"}, {"awsproxy", "apigateway-rest"},
	{"alb", "alb"}, {"load_balancer", "alb"}, {"lattice", "vpc-lattice"},
	{"cloudwatchlogs", "kinesis"}, {"firehose", "firehose"}, {"kinesis", "kinesis"}, {"dynamodb", "dynamodb"}, {"documentdb", "documentdb"},
	{"msk", "msk"}, {"selfmanaged", "kafka"}, {"kafka", "msk"}, {"rabbit", "rabbitmq"},
	{"suppressor", "eventbridge"}, {"alarm", "cloudwatch-alarm"},
	{"eventbridge", "eventbridge"}, {"autoscaling", "eventbridge"}, {"codebuild", "eventbridge"}, {"codepipeline-", "eventbridge"}, {"ecr-", "eventbridge"},
	{"codepipeline", "codepipeline"}, {"object-lambda", "s3-object-lambda"}, {"batch-job", "s3-batch"}, {"s3batch", "s3-batch"}, {"s3-", "s3"},
	{"cognito", "cognito"}, {"appsync", "appsync"}, {"preprovision", "iot-provisioning"}, {"iot-1-click", "iot"}, {"iot-button", "iot"},
	{"smarthome", "alexa-smart-home"}, {"alexa", "alexa"}, {"book", "lex"}, {"makeappointment", "lex"}, {"bankingbot", "lex"}, {"connect", "connect"}, {"bedrock", "bedrock-agent"},
	{"cfn", "cloudformation"}, {"cloudformation", "cloudformation"}, {"secretsmanager", "secretsmanager"}, {"config", "config"},
}

// TestSampleSources recognises the events that other projects test with.
func TestSampleSources(t *testing.T) {
	var e attack.Engine
	seen := 0
	rows(t, "aws-events", func(r *row) {
		seen++
		want, name := "direct", strings.ToLower(path.Base(r.Src))
		for _, s := range sampleSources {
			if strings.Contains(name, s.part) {
				want = s.source
				break
			}
		}
		if strings.HasPrefix(r.Src, "datadog-python/authorizer-token") {
			want = "apigateway-rest"
		}
		if got := e.Source(r.Event).Name; got != want {
			t.Errorf("%s is taken for %s, want %s", r.Src, got, want)
		}
	})
	if seen < 100 {
		t.Errorf("%d samples", seen)
	}
}
