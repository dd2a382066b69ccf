package leak_test

import (
	"strings"
	"testing"

	"gatehouse/internal/detect/leak"
)

func TestAnswer(t *testing.T) {
	const password = "Tr0ub4dor-EXAMPLE-9x"
	for _, tt := range []struct{ name, body, want string }{
		{"a secret that is text", `{"ARN":"arn:aws:secretsmanager:us-east-1:123456789012:secret:db","Name":"db","SecretString":"` + password + `","VersionId":"EXAMPLE1-90ab-cdef-fedc-ba987EXAMPLE"}`, "secretsmanager:db"},
		{"a secret that is JSON", `{"Name":"db","SecretString":"{\"username\":\"orders\",\"password\":\"` + password + `\",\"port\":5432}"}`, "secretsmanager:db/password"},
		{"a secret that is binary", `{"Name":"key","SecretBinary":"AAECAwQFBgcICQoLDA0ODw=="}`, "secretsmanager:key"},
		{"many secrets", `{"SecretValues":[{"Name":"a","SecretString":"` + password + `"},{"Name":"b","SecretString":"other-` + password + `"}],"Errors":[]}`, "secretsmanager:a secretsmanager:b"},
		{"a parameter", `{"Parameter":{"Name":"/db","Type":"SecureString","Value":"` + password + `"}}`, "ssm:/db"},
		{"parameters, one of them no secret", `{"Parameters":[{"Name":"/db","Type":"SecureString","Value":"` + password + `"},{"Name":"/url","Type":"String","Value":"https://api.example/v1"}]}`, "ssm:/db"},
		{"a connection string", `{"Parameter":{"Name":"/url","Type":"SecureString","Value":"postgres://a:` + password + `@db.example/x"}}`, "ssm:/url/password"},
		{"KMS", `{"KeyId":"arn:aws:kms:us-east-1:123456789012:key/1","Plaintext":"` + "VHIwdWI0ZG9yLUVYQU1QTEUtOXg=" + `","EncryptionAlgorithm":"SYMMETRIC_DEFAULT"}`, "kms:plaintext"},
		{"STS in XML", `<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials><AccessKeyId>ASIAIOSFODNN7EXAMPLE</AccessKeyId><SecretAccessKey>wJalrXUtnFEMI/K7MDENG/bPxRfiCYzEXAMPLEKEY</SecretAccessKey><SessionToken>AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22</SessionToken><Expiration>2026-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>`, "AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN"},
		{"STS in JSON", `{"Credentials":{"AccessKeyId":"ASIAIOSFODNN7EXAMPLE","SecretAccessKey":"wJalrXUtnFEMI/K7MDENG/bPxRfiCYzEXAMPLEKEY","SessionToken":"AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22"}}`, "AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN"},
		{"an error", `{"__type":"ResourceNotFoundException","Message":"Secrets Manager can't find the specified secret."}`, ""},
		{"too short", `{"Name":"pin","SecretString":"1234"}`, ""},
		{"no JSON", `{"SecretString":`, ""}, {"nothing", "", ""}, {"HTML", "<html><body>502</body></html>", ""},
		{"too large", `{"Name":"x","SecretString":"` + strings.Repeat("a", leak.MaxAnswer) + `"}`, ""},
	} {
		var names []string
		for _, s := range leak.Answer([]byte(tt.body), func([]byte) string { return "0123456789ab" }) {
			names = append(names, s.Name)
		}
		if got := strings.Join(names, " "); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestAnswers(t *testing.T) {
	for host, want := range map[string]bool{
		"secretsmanager.eu-west-1.amazonaws.com": true, "ssm.eu-west-1.amazonaws.com": true, "sts.amazonaws.com": true, "kms-fips.us-east-1.amazonaws.com": true,
		"vpce-0a-b.secretsmanager.eu-west-1.vpce.amazonaws.com": true, "sqs.eu-west-1.amazonaws.com": false, "ssmmessages.eu-west-1.amazonaws.com": false, "": false,
	} {
		if got := leak.Answers(host); got != want {
			t.Errorf("Answers(%q) = %v", host, got)
		}
	}
}

func TestWith(t *testing.T) {
	one := leak.Secret{Name: "A", Value: []byte("Tr0ub4dor-EXAMPLE-9x")}
	s := leak.New([]leak.Secret{one})
	if s.With([]leak.Secret{one, {Name: "short", Value: []byte("1234")}}) != s {
		t.Error("a set with nothing new is another")
	}
	more := s.With([]leak.Secret{{Name: "B", Value: []byte("0ther_hJ4pLw0QeV6uEXAMPLE")}})
	if more.Find([]byte("x=Tr0ub4dor-EXAMPLE-9x")) == nil || more.Find([]byte("x=0ther_hJ4pLw0QeV6uEXAMPLE")) == nil {
		t.Error("a secret is missing")
	}
	if s.Find([]byte("x=0ther_hJ4pLw0QeV6uEXAMPLE")) != nil {
		t.Error("the first set has changed")
	}
}

func FuzzAnswer(f *testing.F) {
	f.Add([]byte(`{"Name":"db","SecretString":"{\"password\":\"x\"}"}`))
	f.Add([]byte(`<a><Credentials><SecretAccessKey>x</SecretAccessKey></Credentials></a>`))
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, s := range leak.Answer(body, func([]byte) string { return "" }) {
			if len(s.Value) < 8 {
				t.Errorf("%q is too short", s.Value)
			}
		}
	})
}
