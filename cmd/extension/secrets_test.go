package main

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"go.uber.org/zap"

	"gatehouse/internal/detect"
	"gatehouse/internal/policy"
	"gatehouse/internal/record"
)

// presignedURL is one as the SDKs make it, with sessionToken in it.
func presignedURL(host string) string {
	return "https://" + host + "/report.pdf?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=ASIAIOSFODNN7EXAMPLE%2F20260101%2Feu-west-1%2Fs3%2Faws4_request" +
		"&X-Amz-Date=20260101T120000Z&X-Amz-Expires=900&X-Amz-Security-Token=" + url.QueryEscape(sessionToken) +
		"&X-Amz-Signature=" + strings.Repeat("0123456789abcdef", 4) + "&X-Amz-SignedHeaders=host"
}

// What of the function's credentials may go where.
func TestCredentialsMayGo(t *testing.T) {
	const s3, key = "reports.s3.eu-west-1.amazonaws.com", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
	tests := []struct {
		region, host, place, text string
		leak                      bool
	}{
		{"eu-west-1", "s3.eu-west-1.amazonaws.com", "header:x-amz-security-token", sessionToken, false},
		{"eu-west-1", "s3.eu-west-1.amazonaws.com", "header:x-other", sessionToken, true},
		{"eu-west-1", "s3.eu-west-1.amazonaws.com", "header:x-amz-security-token", key, true},
		{"us-iso-east-1", "s3.us-iso-east-1.c2s.ic.gov", "header:x-amz-security-token", sessionToken, false},
		{"eu-west-1", "s3.us-iso-east-1.c2s.ic.gov", "header:x-amz-security-token", sessionToken, true},
		{"eu-west-1", "chat.example", "header:x-amz-security-token", sessionToken, true},
		{"eu-west-1", "chat.example", "body", sessionToken, true},
		{"eu-west-1", "chat.example", "body", presignedURL(s3), false},
		{"eu-west-1", "chat.example", "body", presignedURL(s3) + "&k=" + url.QueryEscape(key), true},
		{"eu-west-1", "chat.example", "body", presignedURL("evil.test"), true},
		{"eu-west-1", "chat.example", "body", presignedURL("ec2-203-0-113-7.eu-west-1.compute.amazonaws.com"), true},
		{"cn-north-1", "chat.example", "body", presignedURL(s3), true},
		{"cn-north-1", "chat.example", "body", presignedURL("reports.s3.cn-north-1.amazonaws.com.cn"), false},
		{"us-gov-west-1", "chat.example", "body", presignedURL("reports.s3.us-gov-west-1.amazonaws.com"), false},
		{"us-iso-east-1", "chat.example", "body", presignedURL("reports.s3.us-iso-east-1.c2s.ic.gov"), false},
		{"eu-west-1", "chat.example", "url", presignedURL(s3), true},
		{"eu-west-1", s3, "url", presignedURL(s3), false},
		{"eu-west-1", s3, "url", presignedURL(s3) + "&k=" + url.QueryEscape(key), true},
		{"eu-west-1", s3, "url", "https://" + s3 + "/" + url.PathEscape(sessionToken), true},
		{"eu-west-1", "sqs.eu-west-1.amazonaws.com", "url", "https://sqs.eu-west-1.amazonaws.com/?q=" + url.QueryEscape(sessionToken), true},
		{"eu-west-1", s3, "url", "https://" + s3 + "/x?X-Amz-Security-Token=" + url.QueryEscape(sessionToken), true},
	}
	for _, tt := range tests {
		l := lazySecrets{policy: policy.Default, cfg: &config{Region: tt.region, FingerprintKey: "k",
			Environ: []string{"AWS_SESSION_TOKEN=" + sessionToken, "AWS_SECRET_ACCESS_KEY=" + key}}}
		s := l.scanner(detect.Outlet{Host: tt.host, Place: tt.place})
		_, f := s.Write([]byte(tt.text))
		if f == nil {
			f = s.Close()
		}
		if (f != nil) != tt.leak {
			t.Errorf("in %s, %.90q to %s by %s: %+v", tt.region, tt.text, tt.host, tt.place, f)
		}
	}
}

// A panic beside the function, where no handler recovers it, is said and survived.
func TestPanicWhileReadingSecrets(t *testing.T) {
	x := newExtension(config{}, zap.NewNop())
	x.secrets.policy = func() *policy.Policy { panic("the value of a secret") }
	x.readSecrets()
	if len(x.degraded) != 1 || x.degraded[0].What != "secrets" || strings.Contains(x.degraded[0].Reason, "value") {
		t.Errorf("degraded %+v", x.degraded)
	}
}

// A request to AWS that another account's key signed is refused, unless the policy or
// the account says that it is expected.
func TestForeignAccessKeys(t *testing.T) {
	const foreign, unknown = "ASIAY34FZKBOKMUTVV7A", "AKIAIOSFODNN7EXAMPLE" // of 609629065308, and of before 2019
	signed := func(id string) string {
		return "AWS4-HMAC-SHA256 Credential=" + id + "/20260101/us-east-1/s3/aws4_request"
	}
	for _, tt := range []struct {
		text, host, place, account, policy, want string
	}{
		{signed(foreign), "orders.s3.us-east-1.amazonaws.com", "header:authorization", "123456789012", "", "refused"},
		{"/k?X-Amz-Credential=" + foreign + "%2F20260101", "orders.s3.us-east-1.amazonaws.com", "url", "123456789012", "", "refused"},
		{signed(foreign), "sqs.us-east-1.amazonaws.com", "header:authorization", "609629065308", "", ""},
		{signed(foreign), "sqs.us-east-1.amazonaws.com", "header:authorization", "123456789012", "secrets: {aws_accounts: ['609629065308']}", ""},
		{signed(foreign), "sqs.us-east-1.amazonaws.com", "header:authorization", "", "", "weak"}, // whose account we are is not known
		{signed(unknown), "sqs.us-east-1.amazonaws.com", "header:authorization", "123456789012", "", "weak"},
		{signed("AKIAOWNOWNOWNOWNOWNO"), "sqs.us-east-1.amazonaws.com", "header:authorization", "123456789012", "", ""},
		{signed(foreign), "minio.internal.example", "header:authorization", "123456789012", "", ""}, // not AWS
		{foreign, "sqs.us-east-1.amazonaws.com", "body", "123456789012", "", ""},                    // named, not signed with
	} {
		p, err := policy.Parse([]byte("version: 1\n" + tt.policy))
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		l := lazySecrets{
			policy: func() *policy.Policy { return p }, account: func() string { return tt.account },
			suspect: func(_ detect.Outlet, f *detect.Finding) { got = "weak" },
			cfg:     &config{Region: "us-east-1", Env: map[string]string{"AWS_ACCESS_KEY_ID": "AKIAOWNOWNOWNOWNOWNO"}},
		}
		s := l.scanner(detect.Outlet{Host: tt.host, Place: tt.place})
		if _, f := s.Write([]byte(tt.text)); f != nil || s.Close() != nil {
			got = "refused"
		}
		if got != tt.want {
			t.Errorf("%s to %s, account %q, %q: %q, want %q", tt.text, tt.host, tt.account, tt.policy, got, tt.want)
		}
	}
}

// What a service of AWS's answers is a secret from then on, which goes where it says
// itself; other hosts teach nothing.
func TestLearnedSecrets(t *testing.T) {
	l := lazySecrets{policy: policy.Default, cfg: &config{Region: "eu-west-1", FingerprintKey: "k"}}
	leaks := func(host, text string) bool {
		s := l.scanner(detect.Outlet{Host: host, Place: "body"})
		_, f := s.Write([]byte(text))
		return f != nil || s.Close() != nil
	}
	const body = `{"Name":"orders/db","SecretString":"{\"username\":\"orders\",\"password\":\"Tr0ub4dor-EXAMPLE-9x\",\"host\":\"db.internal.example\"}"}`
	if leaks("evil.test", "p=Tr0ub4dor-EXAMPLE-9x") {
		t.Fatal("known before it was asked for")
	}
	for _, host := range []string{"secretsmanager.evil.test", "sqs.eu-west-1.amazonaws.com", "secretsmanager.cn-north-1.amazonaws.com.cn", ""} {
		if l.answers(host) != nil {
			t.Errorf("%q teaches secrets", host)
		}
	}
	l.answers("secretsmanager.eu-west-1.amazonaws.com")([]byte(body))
	if !leaks("evil.test", "p=Tr0ub4dor-EXAMPLE-9x") || !leaks("evil.test", "p=VHIwdWI0ZG9yLUVYQU1QTEUtOXg=") {
		t.Error("what was learned leaves")
	}
	if leaks("db.internal.example", "p=Tr0ub4dor-EXAMPLE-9x") {
		t.Error("the password does not reach its database")
	}
	told := 0
	l.forgets = func() { told++ }
	for i := range 2 * maxLearned {
		l.learn(fmt.Appendf(nil, `{"Name":"n%d","SecretString":"Xk%dqWv%dLm2EXAMPLE"}`, i, i*7919, i*104729))
	}
	if len(l.learned) != maxLearned {
		t.Errorf("%d learned, want at most %d", len(l.learned), maxLearned)
	}
	if told != 1 {
		t.Errorf("told %d times that the oldest are no longer watched", told)
	}
	last := fmt.Sprintf("Xk%dqWv%dLm2EXAMPLE", (2*maxLearned-1)*7919, (2*maxLearned-1)*104729)
	if !leaks("evil.test", last) || leaks("evil.test", "p=Tr0ub4dor-EXAMPLE-9x") {
		t.Error("the oldest is watched, or the last is not")
	}
}

// A vendor's token that is no variable's goes to the vendor, and where the policy says.
func TestTokensMayGo(t *testing.T) {
	const token = "ghs_" + "EXAMPLEofNobody0123456789AbCdE" + "2JjPDW"
	p, err := policy.Parse([]byte("version: 1\nsecrets: {hosts: {\"token:github\": [build.internal.example]}}"))
	if err != nil {
		t.Fatal(err)
	}
	l := lazySecrets{policy: func() *policy.Policy { return p }, cfg: &config{Region: "eu-west-1", FingerprintKey: "k"}}
	for host, leaks := range map[string]bool{"api.github.com": false, "build.internal.example": false, "other.internal.example": true} {
		s := l.scanner(detect.Outlet{Host: host, Place: "header:authorization"})
		_, f := s.Write([]byte("Bearer " + token))
		if f == nil {
			f = s.Close()
		}
		if (f != nil) != leaks {
			t.Errorf("to %s: %+v", host, f)
		}
	}
}

// Of a secret across the edge of what was matched, or of what is shown of a long event,
// no half stays.
func TestNoHalfOfASecretStaysInARecord(t *testing.T) {
	const secret = "tok one two & three four five"
	cfg := config{Environ: []string{"API_TOKEN=" + secret}}
	l := lazySecrets{cfg: &cfg, policy: policy.Default}
	many := strings.Repeat(secret+", ", 12_000)
	event, err := json.Marshal(map[string]string{"id": many, secret: "x"})
	if err != nil {
		t.Fatal(err)
	}
	for cut := 1; cut < len(secret)-8; cut++ {
		r := record.Record{Matched: many[cut : cut+400]}
		r.SetEvent(event, &detect.Finding{Path: "id", Start: 6, End: len(event) - 50, Matched: many[:8], MatchOffset: 100_000 + cut})
		l.maskCuts(&r)
		r.Reason = many[cut : cut+400]
		l.maskTarget(&r)
		for _, text := range []string{r.Matched, r.Reason, string(r.Event)} {
			text = l.get().Mask(text)
			if !json.Valid(r.Event) || !strings.Contains(text, "{{API_TOKEN:") || strings.Contains(text, secret[:8]) || strings.Contains(text, secret[len(secret)-8:]) {
				t.Errorf("cut at %d: %.100s … %s", cut, text, text[len(text)-100:])
			}
		}
	}
}
