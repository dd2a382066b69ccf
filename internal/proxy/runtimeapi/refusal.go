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
// It names the rule and the incident, and never shows the payload.
func refusal(event []byte, v proxy.Verdict) answer {
	switch v.Form {
	case detect.FormHTTP:
		return answer{kind: "response", body: httpRefusal(event, v)}
	case detect.FormSuccess:
		return answer{kind: "response", body: []byte("null")}
	}
	// A batch is refused whole: to drop one record would need its neighbours
	// rewritten, and to answer success would lose them.
	return failure("Gatehouse.Refused", "Function.GatehouseRefused", v.Message())
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

// httpRefusal is a 403 for API Gateway, Function URLs and load balancers. A load
// balancer that sends multi-value headers wants them back.
func httpRefusal(event []byte, v proxy.Verdict) []byte {
	text, _ := json.Marshal(map[string]string{"message": "Forbidden", "incident": v.Incident})
	res := map[string]any{
		"statusCode":      http.StatusForbidden,
		"body":            string(text),
		"isBase64Encoded": false,
	}
	headers := map[string]string{"content-type": "application/json", "x-gatehouse-incident": v.Incident}
	switch {
	case v.Source == nil || v.Source.Name != "alb":
		res["headers"] = headers
	case multiValue(event):
		res["statusDescription"], res["multiValueHeaders"] = "403 Forbidden", lists(headers)
	default:
		res["statusDescription"], res["headers"] = "403 Forbidden", headers
	}
	body, _ := json.Marshal(res) // strings and numbers cannot fail
	return body
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
