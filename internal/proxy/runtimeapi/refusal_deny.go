package runtimeapi

import (
	"encoding/json"
	"net/http"
	"strings"

	"gatehouse/internal/proxy"
)

// denial answers as the event's source says no. Where the answer must repeat
// something of the event and that is not there, or could be a payload, it is an
// error.
func denial(event []byte, v proxy.Verdict) answer {
	switch nameOf(v) {
	case "apigateway-authorizer":
		return respond(authorizerDenial(event, v))
	case "appsync-authorizer":
		return respond(object{"isAuthorized": false})
	case "apigateway-websocket":
		text, _ := json.Marshal(map[string]string{"message": "Forbidden", "incident": v.Incident})
		return respond(object{"statusCode": http.StatusForbidden, "body": string(text)})
	case "iot-authorizer":
		return respond(object{"isAuthenticated": false})
	case "iot-provisioning":
		return respond(object{"allowProvisioning": false})
	case "ses":
		return respond(object{"disposition": "STOP_RULE_SET"})
	case "cognito": // the app's user reads it
		return failure("Gatehouse.Refused", "Function.GatehouseRefused", forbidden(v))
	case "durable":
		return respond(object{"Status": "FAILED", "Error": object{"ErrorType": "Gatehouse.Refused", "ErrorMessage": v.Message()}})
	}
	if o := conversation(event, v); o != nil {
		return respond(o)
	}
	return failure("Gatehouse.Refused", "Function.GatehouseRefused", v.Message())
}

// authorizerDenial denies everything to who asked. A REST, WebSocket or HTTP API
// with payload format 1.0 takes a policy. With format 2.0 an HTTP API takes a
// simple answer where it is set to, and a policy elsewhere: there, the simple
// answer is a 500, which lets nobody in either.
//
// The policy names no resource of the event: that ends in the path that was asked
// for. API Gateway may keep it for the same caller for up to an hour.
//
// https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-lambda-authorizer.html
func authorizerDenial(event []byte, v proxy.Verdict) object {
	var e struct {
		RouteARN string `json:"routeArn"`
	}
	if json.Unmarshal(event, &e) == nil && e.RouteARN != "" {
		return object{"isAuthorized": false, "context": object{"incident": v.Incident}}
	}
	return object{
		"principalId": "gatehouse",
		"policyDocument": object{"Version": "2012-10-17", "Statement": []object{
			{"Effect": "Deny", "Action": "execute-api:Invoke", "Resource": "*"},
		}},
		"context": object{"incident": v.Incident},
	}
}

// conversation is the denial of an assistant or a job that waits for an answer in
// its own protocol; nil where the event does not say what to repeat.
func conversation(event []byte, v proxy.Verdict) object {
	switch nameOf(v) {
	case "lex":
		return lexDenial(event, v)
	case "alexa":
		return object{"version": "1.0", "response": object{
			"outputSpeech": object{"type": "PlainText", "text": forbidden(v)}, "shouldEndSession": true,
		}}
	case "alexa-smart-home":
		return smartHomeDenial(event, v)
	case "bedrock-agent":
		return agentDenial(event, v)
	case "s3-batch":
		return s3BatchDenial(event, v)
	}
	return nil
}

// lexDenial closes the intent as failed.
//
// https://docs.aws.amazon.com/lexv2/latest/dg/lambda-response-format.html
// https://docs.aws.amazon.com/lex/latest/dg/lambda-input-response-format.html
func lexDenial(event []byte, v proxy.Verdict) object {
	var e struct {
		SessionState struct {
			Intent struct {
				Name string `json:"name"`
			} `json:"intent"`
		} `json:"sessionState"`
		CurrentIntent json.RawMessage `json:"currentIntent"`
	}
	if json.Unmarshal(event, &e) != nil {
		return nil
	}
	if e.CurrentIntent != nil { // version 1
		return object{"dialogAction": object{
			"type": "Close", "fulfillmentState": "Failed",
			"message": object{"contentType": "PlainText", "content": forbidden(v)},
		}}
	}
	if !repeatable(e.SessionState.Intent.Name) {
		return nil
	}
	return object{
		"sessionState": object{
			"dialogAction": object{"type": "Close"},
			"intent":       object{"name": e.SessionState.Intent.Name, "state": "Failed"},
		},
		"messages": []object{{"contentType": "PlainText", "content": forbidden(v)}},
	}
}

// smartHomeDenial is an ErrorResponse of version 3.
//
// https://developer.amazon.com/docs/device-apis/alexa-errorresponse.html
func smartHomeDenial(event []byte, v proxy.Verdict) object {
	var e struct {
		Directive struct {
			Header struct {
				Token string `json:"correlationToken"`
			} `json:"header"`
		} `json:"directive"`
	}
	if json.Unmarshal(event, &e) != nil {
		return nil
	}
	header := object{"namespace": "Alexa", "name": "ErrorResponse", "messageId": v.Incident, "payloadVersion": "3"}
	if token := e.Directive.Header.Token; repeatable(token) {
		header["correlationToken"] = token
	}
	return object{"event": object{"header": header, "payload": object{"type": "INTERNAL_ERROR", "message": forbidden(v)}}}
}

// agentDenial answers 403 for an action of an API, FAILURE for a function.
//
// https://docs.aws.amazon.com/bedrock/latest/userguide/agents-lambda.html
func agentDenial(event []byte, v proxy.Verdict) object {
	var e struct{ MessageVersion, ActionGroup, APIPath, HTTPMethod, Function string }
	if json.Unmarshal(event, &e) != nil || !repeatable(e.MessageVersion) || !repeatable(e.ActionGroup) {
		return nil
	}
	text, _ := json.Marshal(map[string]string{"message": "Forbidden", "incident": v.Incident})
	res := object{"actionGroup": e.ActionGroup}
	switch {
	case repeatable(e.Function):
		res["function"] = e.Function
		res["functionResponse"] = object{"responseState": "FAILURE", "responseBody": object{"TEXT": object{"body": string(text)}}}
	case repeatable(e.APIPath) && repeatable(e.HTTPMethod):
		res["apiPath"], res["httpMethod"], res["httpStatusCode"] = e.APIPath, e.HTTPMethod, http.StatusForbidden
		res["responseBody"] = object{"application/json": object{"body": string(text)}}
	default:
		return nil
	}
	return object{"messageVersion": e.MessageVersion, "response": res}
}

// s3BatchDenial fails each task of a job for good: it is in the job's report, and
// not tried again.
//
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/batch-ops-invoke-lambda.html
func s3BatchDenial(event []byte, v proxy.Verdict) object {
	var e struct {
		InvocationSchemaVersion, InvocationID string
		Tasks                                 []struct{ TaskID string }
	}
	if json.Unmarshal(event, &e) != nil || !repeatable(e.InvocationSchemaVersion) || !repeatable(e.InvocationID) {
		return nil
	}
	results := make([]object, len(e.Tasks))
	for i, t := range e.Tasks {
		if !repeatable(t.TaskID) {
			return nil
		}
		results[i] = object{"taskId": t.TaskID, "resultCode": "PermanentFailure", "resultString": v.Message()}
	}
	return object{
		"invocationSchemaVersion": e.InvocationSchemaVersion, "treatMissingKeysAs": "PermanentFailure",
		"invocationId": e.InvocationID, "results": results,
	}
}

// repeatable reports whether s, which is AWS's or the developer's word, may stand
// in an answer: an event may be forged, and an answer never shows a payload.
func repeatable(s string) bool {
	return s != "" && len(s) <= 2048 && strings.IndexFunc(s, func(c rune) bool {
		return (c|0x20 < 'a' || c|0x20 > 'z') && (c < '0' || c > '9') && !strings.ContainsRune("-_.:/+={}~$", c)
	}) < 0
}
