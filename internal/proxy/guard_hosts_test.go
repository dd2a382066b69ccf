package proxy_test

import (
	"testing"

	"gatehouse/internal/detect"
	"gatehouse/internal/proxy"
)

// A host of a built-in list is a finding in either mode, once for each invocation, and
// refused in enforce mode as the list says.
func TestBuiltinLists(t *testing.T) {
	for _, tt := range []struct {
		text, host  string
		phase       proxy.Phase
		blocked     bool
		rule, would string // of the finding
	}{
		{"mode: monitor", "webhook.site", proxy.Invoke, false, "egress.exfiltration-host", "blocked"},
		{"mode: enforce", "webhook.site", proxy.Invoke, true, "egress.exfiltration-host", "blocked"},
		{"mode: enforce", "discord.com", proxy.Invoke, false, "egress.drop-host", "allowed"},
		{"mode: enforce", "discord.com", proxy.Init, true, "egress.drop-host", "blocked"},
		{"mode: monitor", "discord.com", proxy.Init, false, "egress.drop-host", "blocked"},
		{"mode: enforce\negress: {rules: [{allow: discord.com}]}", "discord.com", proxy.Init, false, "", ""},
		{"mode: enforce\negress: {builtin_lists: {tier1: allow}}", "webhook.site", proxy.Invoke, false, "", ""},
		{"mode: enforce", "api.example", proxy.Init, false, "", ""},
	} {
		g := newGuard(t, tt.text)
		if tt.phase == proxy.Invoke {
			g.Sandbox.Begin(proxy.Invocation{RequestID: "a"})
		}
		o := &detect.Observation{Kind: detect.KindConnect, Target: detect.Target{Host: tt.host, Port: 443}}
		v := g.Decide(o)
		g.Decide(o) // a client that tries again
		if v.Action.Blocks() != tt.blocked || tt.blocked && v.Rule != tt.rule {
			t.Errorf("%s, %s, %s: %+v", tt.text, tt.host, tt.phase, v)
		}
		switch {
		case tt.rule == "" && len(g.records) == 0:
		case len(g.records) != 1:
			t.Errorf("%s, %s, %s: %d findings", tt.text, tt.host, tt.phase, len(g.records))
		case g.records[0].SignatureID != tt.rule || g.records[0].WouldAction != tt.would || g.records[0].Matched != tt.host:
			t.Errorf("%s, %s, %s: finding %+v", tt.text, tt.host, tt.phase, g.records[0])
		}
	}
}

// A host that looks like another is a finding, and refused where the policy says so.
func TestLookalikeHosts(t *testing.T) {
	for _, tt := range []struct {
		text, host string
		blocked    bool
		found      int
	}{
		{"mode: enforce", "models.litellm.cloud", false, 1},
		{"mode: enforce\negress: {lookalikes: refuse}", "models.litellm.cloud", true, 1},
		{"mode: monitor\negress: {lookalikes: refuse}", "models.litellm.cloud", false, 1},
		{"mode: enforce\negress: {lookalikes: allow}", "models.litellm.cloud", false, 0},
		{"mode: enforce\negress: {lookalikes: refuse, rules: [{allow: models.litellm.cloud}]}", "models.litellm.cloud", false, 0},
		{"mode: enforce\negress: {lookalikes: refuse}", "docs.litellm.ai", false, 0},
	} {
		g := newGuard(t, tt.text)
		g.Packages = func() []string { return []string{"litellm"} }
		g.Sandbox.Begin(proxy.Invocation{RequestID: "a"})
		v := g.Decide(&detect.Observation{Kind: detect.KindConnect, Target: detect.Target{Host: tt.host, Port: 443}})
		if v.Action.Blocks() != tt.blocked || len(g.records) != tt.found {
			t.Errorf("%s, %s: %+v, %d findings", tt.text, tt.host, v, len(g.records))
		}
		if tt.found > 0 && g.records[0].SignatureID != "egress.lookalike-host" {
			t.Errorf("%s: %+v", tt.text, g.records[0])
		}
	}
}

// Who asks for an address says in the handshake what host he means.
func TestServerNameIsListed(t *testing.T) {
	for _, tt := range []struct {
		text, sni string
		blocked   bool
		rule      string // of the finding
	}{
		{"mode: enforce", "webhook.site", true, "egress.exfiltration-host"},
		{"mode: monitor", "webhook.site", false, "egress.exfiltration-host"},
		{"mode: enforce", "hooks.slack.com", false, "egress.drop-host"},
		{"mode: enforce", "models.litellm.cloud", false, "egress.lookalike-host"},
		{"mode: enforce\negress: {lookalikes: refuse}", "models.litellm.cloud", true, "egress.lookalike-host"},
		{"mode: enforce", "docs.litellm.ai", false, ""},
	} {
		g := newGuard(t, tt.text)
		g.Packages = func() []string { return []string{"litellm"} }
		g.Sandbox.Begin(proxy.Invocation{RequestID: "a"})
		v := g.Decide(&detect.Observation{Kind: detect.KindClientHello, Target: detect.Target{Host: "192.0.2.1", Port: 443, SNI: tt.sni}})
		if v.Action.Blocks() != tt.blocked {
			t.Errorf("%s, %s: %+v", tt.text, tt.sni, v)
		}
		if found := len(g.records); found != 0 && tt.rule == "" || tt.rule != "" && (found != 1 || g.records[0].SignatureID != tt.rule || g.records[0].Matched != tt.sni) {
			t.Errorf("%s, %s: %d findings, want %q", tt.text, tt.sni, found, tt.rule)
		}
	}
}

// A list does not refuse a connection whose requests a rule may allow, once they are
// seen.
func TestListedTenant(t *testing.T) {
	for _, tt := range []struct {
		decrypted    bool
		method, path string
		blocked      bool
		found        int
	}{
		{true, "", "", false, 0},
		{false, "", "", true, 1},
		{true, "POST", "/services/T0AB/B1/x", false, 0},
		{true, "POST", "/services/T0EVIL/B1/x", true, 1},
	} {
		g := newGuard(t, "mode: enforce\negress: {builtin_lists: {tier2: refuse}, rules: [{allow: 'slack:T0AB'}]}")
		g.Sandbox.Begin(proxy.Invocation{RequestID: "a"})
		kind := detect.KindConnect
		if tt.method != "" {
			kind = detect.KindRequest
		}
		v := g.Decide(&detect.Observation{Kind: kind, Target: detect.Target{
			Host: "hooks.slack.com", Port: 443, Decrypted: tt.decrypted, Method: tt.method, Path: tt.path}})
		if v.Action.Blocks() != tt.blocked || len(g.records) != tt.found {
			t.Errorf("%+v: %+v, %d findings", tt, v, len(g.records))
		}
	}
}
