package runtimeapi_test

import (
	"strings"
	"testing"
)

// Shapes of a source that are answered otherwise than its golden event, which
// docs/refusals.md shows.
func TestRefusalByShape(t *testing.T) {
	const (
		refused = `error Function.GatehouseRefused {"errorMessage":"refused by gatehouse: sqli.union (incident ID)","errorType":"Gatehouse.Refused","stackTrace":[]}`
		policy  = `response  {"context":{"incident":"ID"},"policyDocument":{"Statement":[{"Action":"execute-api:Invoke","Effect":"Deny","Resource":"*"}],"Version":"2012-10-17"},"principalId":"gatehouse"}`
	)
	lists := func(event string) string { return strings.Replace(event, `"headers"`, `"multiValueHeaders"`, 1) }
	tests := []struct {
		name, event, want string
	}{
		{"alb, lists of headers", lists(golden(t, "alb", injection)),
			`response  {"body":"{\"incident\":\"ID\",\"message\":\"Forbidden\"}","isBase64Encoded":false,"multiValueHeaders":{"content-type":["application/json"],"x-gatehouse-incident":["ID"]},"statusCode":403,"statusDescription":"403 Forbidden"}`},
		{"alb, no lists", strings.Replace(golden(t, "alb", injection), "{", `{"multiValueHeaders":null,`, 1),
			`response  {"body":"{\"incident\":\"ID\",\"message\":\"Forbidden\"}","headers":{"content-type":"application/json","x-gatehouse-incident":"ID"},"isBase64Encoded":false,"statusCode":403,"statusDescription":"403 Forbidden"}`},
		{"a token's authorizer", golden(t, "apigateway-authorizer.token", injection), policy},
		{"payload format 2.0", golden(t, "apigateway-authorizer.v2", injection), `response  {"context":{"incident":"ID"},"isAuthorized":false}`},
		{"vpc lattice, version 1", golden(t, "vpc-lattice.v1", injection),
			`response  {"body":"{\"incident\":\"ID\",\"message\":\"Forbidden\"}","headers":{"content-type":"application/json","x-gatehouse-incident":"ID"},"isBase64Encoded":false,"statusCode":403,"statusDescription":"403 Forbidden"}`},
		{"appsync, a batch", golden(t, "appsync.batch", injection), refused},
		{"lex, version 1", golden(t, "lex.v1", injection),
			`response  {"dialogAction":{"fulfillmentState":"Failed","message":{"content":"Forbidden (incident ID)","contentType":"PlainText"},"type":"Close"}}`},
		{"lex, an intent that is a payload", strings.ReplaceAll(golden(t, "lex", "fine"), "OrderFlowers", injection), refused},
		{"smart home, version 2", golden(t, "alexa-smart-home.v2", injection), refused},
		{"smart home, a token that is a payload", strings.Replace(golden(t, "alexa-smart-home", "fine"), "dFMb0z+PgpgdDmluhJ1LddFvSqZ/jCc8ptlAKulUj90jSqg==", injection, 1),
			`response  {"event":{"header":{"messageId":"ID","name":"ErrorResponse","namespace":"Alexa","payloadVersion":"3"},"payload":{"message":"Forbidden (incident ID)","type":"INTERNAL_ERROR"}}}`},
		{"an agent's function", golden(t, "bedrock-agent.function", injection),
			`response  {"messageVersion":"1.0","response":{"actionGroup":"OrderActions","function":"getOrder","functionResponse":{"responseBody":{"TEXT":{"body":"{\"incident\":\"ID\",\"message\":\"Forbidden\"}"}},"responseState":"FAILURE"}}}`},
		{"an agent without an action", strings.Replace(golden(t, "bedrock-agent", injection), `"apiPath"`, `"x"`, 1), refused},
		{"an agent's path that is a payload", strings.Replace(golden(t, "bedrock-agent", "fine"), "/orders/{id}", injection, 1), refused},
		{"a task that is a payload", strings.Replace(golden(t, "s3-batch", "fine"), "dGFza2lkZ29lc2hlcmUK", injection, 1), refused},
		{"an id with a blank", strings.Replace(golden(t, "s3-batch", injection), `"invocationId": "`, `"invocationId": " `, 1), refused},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := gate(t, "", tt.event, `{"fine":true}`)
			if _, body := f.get(t, nextPath); body != `{"fine":true}` {
				t.Fatalf("the function got %.200s", body)
			}
			got := strings.ReplaceAll(f.lambda.answers[0], f.records[0].ID, "ID")
			got = strings.ReplaceAll(got, f.records[0].SignatureID, "sqli.union")
			if got != tt.want {
				t.Errorf("lambda was told\n%s\nwant\n%s", got, tt.want)
			}
		})
	}
}
