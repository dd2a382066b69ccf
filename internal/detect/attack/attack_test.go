package attack_test

import (
	"testing"

	"gatehouse/internal/detect"
	"gatehouse/internal/detect/attack"
)

// inspect judges event by a fresh engine.
func inspect(t testing.TB, event []byte) *detect.Result {
	t.Helper()
	var e attack.Engine
	var r detect.Result
	e.Inspect(event, e.Source(event), &r, nil)
	return &r
}

func TestInspectFindsPayload(t *testing.T) {
	const sns = `{"Records":[{"EventSource":"aws:sns","Sns":{"Message":%PAYLOAD%,"Type":"Notification"}}]}`
	tests := []struct {
		name, event  string
		path, ruleID string
		chain        string
	}{
		{"sns", `{"Records":[{"EventSource":"aws:sns","Sns":{"Message":"' OR '1'='1' --"}}]}`, "Records[0].Sns.Message", "sqli.libinjection", ""},
		{"json in a string", `{"Records":[{"EventSource":"aws:sns","Sns":{"Message":"{\"q\":[\"1 UNION SELECT 1,2,3--\"]}"}}]}`, "Records[0].Sns.Message.q[0]", "sqli.libinjection", "json"},
		{"odd key", `{"a b":{"c":"1 UNION SELECT 1,2,3--"}}`, `["a b"].c`, "sqli.libinjection", ""},
		{"key", `{"x' OR '1'='1' --":1}`, `["x' OR '1'='1' --"]`, "sqli.libinjection", ""},
		{"percent", `{"q":"1%27%20OR%20%271%27=%271"}`, "q", "sqli.libinjection", "percent"},
		{"percent twice", `{"q":"1%2527%2520OR%2520%25271%2527%253D%25271"}`, "q", "sqli.libinjection", "percent percent"},
		{"form", `{"body":"a=b&q=1%27+OR+%271%27%3D%271"}`, "body.q", "sqli.libinjection", "form"},
		{"base64 of JSON", `{"data":"eyJxIjoiMSBVTklPTiBTRUxFQ1QgMSwyLDMtLSJ9"}`, "data.q", "sqli.libinjection", "base64 json"},
		{"xss", `{"c":"<img src=x onerror=alert(1)>"}`, "c", "xss.libinjection", ""},
		{"not JSON", `1 UNION SELECT 1,2,3--`, "", "sqli.libinjection", ""},
		{"malformed", `{"a":"1 UNION SELECT 1,2,3--",`, "a", "sqli.libinjection", ""},
	}
	_ = sns
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := inspect(t, []byte(tt.event))
			if len(r.Findings) != 1 {
				t.Fatalf("findings = %+v, want one", r.Findings)
			}
			f := r.Findings[0]
			chain := ""
			for i, c := range f.DecodeChain {
				if i > 0 {
					chain += " "
				}
				chain += c
			}
			if f.Path != tt.path || f.RuleID != tt.ruleID || chain != tt.chain {
				t.Errorf("finding = %q %q %q, want %q %q %q", f.RuleID, f.Path, chain, tt.ruleID, tt.path, tt.chain)
			}
			t.Logf("%+v %+v", f, r)
		})
	}
}
