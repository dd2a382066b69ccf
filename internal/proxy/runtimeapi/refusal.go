package runtimeapi

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"

	"gatehouse/internal/detect"
	"gatehouse/internal/proxy"
)

// answer is what Lambda is told in the function's place.
type answer struct {
	kind      string // "response" or "error"
	errorType string // header of an error
	body      []byte
}

// refusal is the answer to a refused event, in the form that its source takes.
// It names the rule or the incident, and never shows the payload. docs/refusals.md
// has all of them; it is made from what this returns.
func refusal(event []byte, v proxy.Verdict) answer {
	switch v.Form {
	case detect.FormHTTP:
		return respond(httpRefusal(event, v))
	case detect.FormSuccess:
		return answer{kind: "response", body: []byte("null")}
	case detect.FormDeny:
		return denial(event, v)
	case detect.FormDrop, detect.FormFail:
		if len(v.Taken) > 0 {
			return emptied(event, v)
		}
	}
	if nameOf(v) == "apigateway-authorizer" {
		// These very words have API Gateway answer 401, all others 500.
		return failure("Gatehouse.Refused", "Function.GatehouseRefused", "Unauthorized")
	}
	return failure("Gatehouse.Refused", "Function.GatehouseRefused", v.Message())
}

// nameOf is the name of the event's source.
func nameOf(v proxy.Verdict) string {
	if v.Source == nil {
		return ""
	}
	return v.Source.Name
}

// leakBlocked is the answer to an invocation that was halted.
func leakBlocked(v proxy.Verdict) answer {
	return failure("Gatehouse.LeakBlocked", "Function.GatehouseLeakBlocked", v.Message())
}

func failure(errorType, header, message string) answer {
	body, _ := json.Marshal(map[string]any{ // strings cannot fail
		"errorType": errorType, "errorMessage": message, "stackTrace": []string{},
	})
	return answer{kind: "error", errorType: header, body: body}
}

// object is a JSON object on its way out.
type object = map[string]any

// respond answers with o, which holds what always encodes.
func respond(o object) answer {
	body, _ := json.Marshal(o)
	return answer{kind: "response", body: body}
}

// forbidden is what a person reads of a refusal. The rule is left out: who is
// refused has no use for it, and whoever attacks would.
func forbidden(v proxy.Verdict) string { return "Forbidden (incident " + v.Incident + ")" }

// httpRefusal is a 403 for API Gateway, Function URLs, VPC Lattice and load
// balancers. A load balancer that sends multi-value headers wants them back.
//
// https://docs.aws.amazon.com/lambda/latest/dg/services-alb.html
func httpRefusal(event []byte, v proxy.Verdict) object {
	text, _ := json.Marshal(map[string]string{"message": "Forbidden", "incident": v.Incident})
	res := object{"statusCode": http.StatusForbidden, "body": string(text), "isBase64Encoded": false}
	headers := map[string]string{"content-type": "application/json", "x-gatehouse-incident": v.Incident}
	name := nameOf(v)
	if name == "alb" && multiValue(event) {
		res["multiValueHeaders"] = lists(headers)
	} else {
		res["headers"] = headers
	}
	if name == "alb" || name == "vpc-lattice" {
		res["statusDescription"] = "403 Forbidden"
	}
	return res
}

func multiValue(event []byte) bool {
	var e struct {
		Headers json.RawMessage `json:"multiValueHeaders"`
	}
	return json.Unmarshal(event, &e) == nil && len(e.Headers) > 0 && !bytes.Equal(e.Headers, []byte("null"))
}

func lists(h map[string]string) map[string][]string {
	m := make(map[string][]string, len(h))
	for k, v := range h {
		m[k] = []string{v}
	}
	return m
}

// post gives Lambda an answer to the invocation called id.
func (r *Relay) post(ctx context.Context, id string, a answer) error {
	url := "http://" + r.Upstream + invocationPath + id + "/" + a.kind
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(a.body))
	if err != nil {
		return fmt.Errorf("answering invocation %q: %w", id, err)
	}
	req.Header.Set("Content-Type", "application/json")
	if a.errorType != "" {
		req.Header.Set("Lambda-Runtime-Function-Error-Type", a.errorType)
	}
	res, err := r.up(req)
	if err != nil {
		return fmt.Errorf("answering invocation %q: %w", id, err)
	}
	defer func() { _ = res.Body.Close() }() // drained below
	_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, 64<<10))
	if res.StatusCode != http.StatusAccepted {
		return fmt.Errorf("answering invocation %q: status %d", id, res.StatusCode)
	}
	return nil
}
