package replay_test

import (
	"testing"
	"time"

	"gatehouse/cmd/gatehouse/replay"
	"gatehouse/internal/policy"
	"gatehouse/internal/record"
)

// TestReplay: what a policy would have refused of a record.
func TestReplay(t *testing.T) {
	leak := func(rule, object, matched, dest, would string) record.Record {
		return record.Record{Kind: record.Leak, DLPType: "network", SignatureID: rule, Object: object, Matched: matched, Dest: dest, WouldAction: would}
	}
	to := func(dest, ip, sni string) record.Record {
		return record.Record{Kind: record.Connection, Dest: dest, DestPort: 443, DestIP: ip, SNI: sni, WouldAction: "allowed"}
	}
	const foreign = "ASIAY34FZKBOKMUTVV7A" // of 609629065308
	for _, tt := range []struct {
		name, policy string
		record       record.Record
		refused      bool
	}{
		{"a secret", "", leak("leak.own-secret", "DB_PASSWORD", "", "evil.test", "blocked"), true},
		{"a secret at home", "secrets: {hosts: {DB_PASSWORD: db.example}}", leak("leak.own-secret", "DB_PASSWORD", "", "db.example", "blocked"), false},
		{"a token that nothing proves", "", leak("leak.vendor-token", "Slack token", "xoxb-…", "logs.example", "allowed"), false},
		{"a token", "", leak("leak.vendor-token", "GitHub token", "ghs_…", "logs.example", "blocked"), true},
		{"a token at home", "secrets: {hosts: {\"token:github\": logs.example}}", leak("leak.vendor-token", "GitHub token", "ghs_…", "logs.example", "blocked"), false},
		{"another account's key", "", leak("leak.foreign-access-key", "access key id", foreign, "sqs.us-east-1.amazonaws.com", "blocked"), true},
		{"a known account's key", "secrets: {aws_accounts: ['609629065308']}", leak("leak.foreign-access-key", "access key id", foreign, "sqs.us-east-1.amazonaws.com", "blocked"), false},
		{"a connection", "", to("api.example", "203.0.113.7", "api.example"), false},
		{"a private address", "egress: {private_addresses: deny}", to("api.example", "10.0.0.5", "api.example"), true},
		{"another server's name", "egress: {default: deny, rules: [{allow: api.example}]}", to("api.example", "203.0.113.7", "evil.test"), true},
	} {
		p, err := policy.Parse([]byte("version: 1\nmode: enforce\n" + tt.policy))
		if err != nil {
			t.Fatal(err)
		}
		tt.record.Time, tt.record.Phase, tt.record.Region = time.Now(), "invoke", "us-east-1"
		refused, told := false, false
		r := replay.Replay{Policy: p, Each: func(o replay.Outcome) { refused, told = o.Refused, true }}
		r.Add(&tt.record)
		if refused != tt.refused || tt.refused && !told {
			t.Errorf("%s: refused %v, want %v", tt.name, refused, tt.refused)
		}
	}
}
