package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"gatehouse/internal/record"
	"gatehouse/internal/telemetry/hec"
)

const (
	secretARN    = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:splunk-AbCdEf"
	parameterARN = "arn:aws:ssm:eu-west-1:123456789012:parameter/splunk/token"
	vaultToken   = "IQoJb3JpZ2luX2VjEXAMPLE"
)

// vault is Secrets Manager, the Parameter Store and SnapStart's source of credentials,
// on loopback.
type vault struct {
	url string

	mu     sync.Mutex
	status int
	body   string
	asked  []question
}

// question is what the vault was asked.
type question struct{ path, target, body, auth, session, date string }

func newVault(t *testing.T) *vault {
	t.Helper()
	v := &vault{status: 200}
	s := httptest.NewServer(v)
	t.Cleanup(s.Close)
	v.url = s.URL
	return v
}

// holds has the vault answer with token from now on.
func (v *vault) holds(token string) { v.says(200, fmt.Sprintf(`{"SecretString":%q}`, token)) }

func (v *vault) says(status int, body string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.status, v.body = status, body
}

func (v *vault) questions() []question {
	v.mu.Lock()
	defer v.mu.Unlock()
	return append([]question(nil), v.asked...)
}

func (v *vault) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	v.mu.Lock()
	defer v.mu.Unlock()
	body := make([]byte, max(0, r.ContentLength))
	_, _ = r.Body.Read(body) // what is missing is not what a test wants
	v.asked = append(v.asked, question{r.URL.Path, r.Header.Get("X-Amz-Target"), string(body), r.Header.Get("Authorization"), r.Header.Get("X-Amz-Security-Token"), r.Header.Get("X-Amz-Date")})
	if r.URL.Path == "/credentials" {
		answer(w, 200, `{"AccessKeyId":"ASIAIOSFODNN7RESTORE","SecretAccessKey":"wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY","Token":"`+vaultToken+`"}`)
		return
	}
	if v.status/100 == 3 {
		w.Header().Set("Location", "/elsewhere")
	}
	answer(w, v.status, v.body)
}

// env is the function's environment, whose services of AWS are v.
func (v *vault) env() map[string]string {
	return map[string]string{
		"AWS_ENDPOINT_URL": v.url, "AWS_ACCESS_KEY_ID": "ASIAIOSFODNN7EXAMPLE",
		"AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "AWS_SESSION_TOKEN": vaultToken,
	}
}

func TestTokenARNIsParsed(t *testing.T) {
	for _, tt := range []struct {
		text, endpoint string
		body           string // of the question; "": refused
	}{
		{secretARN, "https://secretsmanager.eu-west-1.amazonaws.com/", `{"SecretId":"` + secretARN + `"}`},
		{secretARN + ":hec", "https://secretsmanager.eu-west-1.amazonaws.com/", `{"SecretId":"` + secretARN + `"}`},
		{secretARN + ":hec:AWSPREVIOUS:", "https://secretsmanager.eu-west-1.amazonaws.com/", `{"SecretId":"` + secretARN + `","VersionStage":"AWSPREVIOUS"}`},
		{secretARN + ":::e1f2", "https://secretsmanager.eu-west-1.amazonaws.com/", `{"SecretId":"` + secretARN + `","VersionId":"e1f2"}`},
		{parameterARN, "https://ssm.eu-west-1.amazonaws.com/", `{"Name":"` + parameterARN + `","WithDecryption":true}`},
		{"arn:aws-cn:ssm:cn-north-1:123456789012:parameter/t", "https://ssm.cn-north-1.amazonaws.com.cn/", `{"Name":"arn:aws-cn:ssm:cn-north-1:123456789012:parameter/t","WithDecryption":true}`},
		{"splunk/token", "", ""},
		{"arn:aws:secretsmanager:eu-west-1:123456789012:secret:", "", ""},
		{secretARN + ":a:b:c:d", "", ""},
		{"arn:aws:s3:::bucket", "", ""},
		{"arn:aws:ssm:eu-west-1.evil.test/:123456789012:parameter/t", "", ""},
		{"arn:evil:ssm:eu-west-1:123456789012:parameter/t", "", ""},
		{"arn:aws:ssm:eu-west-1:123456789012:document/t", "", ""},
	} {
		a, err := parseTokenARN(tt.text)
		if (err != nil) != (tt.body == "") {
			t.Errorf("%s: %v", tt.text, err)
		}
		if err != nil {
			continue
		}
		u, err := a.endpoint(nil)
		if err != nil || u.String() != tt.endpoint {
			t.Errorf("%s: %v, %v, want %s", tt.text, u, err, tt.endpoint)
		}
		if _, body := a.question(); string(body) != tt.body {
			t.Errorf("%s: asks %s, want %s", tt.text, body, tt.body)
		}
	}
}

func TestTokenEndpoint(t *testing.T) {
	a, err := parseTokenARN(secretARN)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		env  map[string]string
		want string // "": refused
	}{
		{map[string]string{"AWS_USE_FIPS_ENDPOINT": "true"}, "https://secretsmanager-fips.eu-west-1.amazonaws.com/"},
		{map[string]string{"AWS_ENDPOINT_URL_SECRETS_MANAGER": "https://vpce-1.test/x", "AWS_ENDPOINT_URL": "https://other.test"}, "https://vpce-1.test/x/"},
		{map[string]string{"AWS_ENDPOINT_URL_SSM": "https://vpce-1.test"}, "https://secretsmanager.eu-west-1.amazonaws.com/"},
		{map[string]string{"AWS_ENDPOINT_URL": "https://other.test", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"}, "https://secretsmanager.eu-west-1.amazonaws.com/"},
		{map[string]string{"AWS_ENDPOINT_URL": "http://127.0.0.1:4566"}, "http://127.0.0.1:4566/"},
		{map[string]string{"AWS_ENDPOINT_URL": "http://other.test"}, ""}, // the answer is the token
		{map[string]string{"AWS_ENDPOINT_URL": "other.test"}, ""},
	} {
		u, err := a.endpoint(tt.env)
		if (err != nil) != (tt.want == "") || err == nil && u.String() != tt.want {
			t.Errorf("%v: %v, %v, want %s", tt.env, u, err, tt.want)
		}
	}
}

func TestTokenIsFetched(t *testing.T) {
	page := "<html>" + vaultToken + "</html>"
	for _, tt := range []struct {
		name, arn, target, body string
		status                  int
		want, fails             string
		config                  bool // only a change of settings ends it
	}{
		{"secret", secretARN, "secretsmanager.GetSecretValue", `{"SecretString":" 6b1d-token\n"}`, 200, "6b1d-token", "", false},
		{"binary", secretARN, "secretsmanager.GetSecretValue", `{"SecretBinary":"NmIxZC10b2tlbg=="}`, 200, "6b1d-token", "", false},
		{"key", secretARN + ":hec", "secretsmanager.GetSecretValue", `{"SecretString":"{\"hec\":\"6b1d-token\",\"n\":1}"}`, 200, "6b1d-token", "", false},
		{"only key", secretARN, "secretsmanager.GetSecretValue", `{"SecretString":"{\"hec\":\"6b1d-token\"}"}`, 200, "6b1d-token", "", false},
		{"parameter", parameterARN, "AmazonSSM.GetParameter", `{"Parameter":{"Value":"6b1d-token"}}`, 200, "6b1d-token", "", false},
		{"which key", secretARN, "secretsmanager.GetSecretValue", `{"SecretString":"{\"a\":\"x\",\"b\":\"y\"}"}`, 200, "", "2 keys", true},
		{"no such key", secretARN + ":hec", "secretsmanager.GetSecretValue", `{"SecretString":"{\"a\":\"x\"}"}`, 200, "", `under the key "hec"`, true},
		{"no JSON", secretARN + ":hec", "secretsmanager.GetSecretValue", `{"SecretString":"6b1d-token"}`, 200, "", "no JSON", true},
		{"not allowed", secretARN, "secretsmanager.GetSecretValue", `{"__type":"AccessDeniedException","Message":"` + vaultToken + `"}`, 400, "", "the function's role needs", true},
		{"not there", secretARN, "secretsmanager.GetSecretValue", `{"__type":"com.amazonaws.secretsmanager#ResourceNotFoundException"}`, 400, "", "ResourceNotFoundException", true},
		{"throttled", parameterARN, "AmazonSSM.GetParameter", `{"__type":"ThrottlingException"}`, 400, "", "ThrottlingException", false},
		{"down", secretARN, "secretsmanager.GetSecretValue", page, 503, "", "HTTP 503, no reason", false},
		{"elsewhere", secretARN, "secretsmanager.GetSecretValue", page, 302, "", "HTTP 302", true},
		{"page", secretARN, "secretsmanager.GetSecretValue", page, 200, "", "not one of AWS's", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			v := newVault(t)
			v.says(tt.status, tt.body)
			arn, err := parseTokenARN(tt.arn)
			if err != nil {
				t.Fatal(err)
			}
			c := &awsClient{env: v.env()}
			token, err := c.token(t.Context(), arn)
			if token != tt.want || (err != nil) != (tt.fails != "") || errors.Is(err, hec.ErrConfig) != tt.config {
				t.Errorf("%q, %v", token, err)
			}
			if err != nil && (!strings.Contains(err.Error(), tt.fails) || strings.Contains(err.Error(), vaultToken)) {
				t.Errorf("it says %v", err)
			}
			asked := v.questions()
			if len(asked) != 1 {
				t.Fatalf("asked %v", asked)
			}
			q := asked[0]
			service := strings.Split(tt.arn, ":")[2]
			scope := "AWS4-HMAC-SHA256 Credential=ASIAIOSFODNN7EXAMPLE/" + time.Now().UTC().Format("20060102") + "/eu-west-1/" + service + "/aws4_request"
			if q.target != tt.target || q.session != vaultToken || !strings.HasPrefix(q.auth, scope) || !json.Valid([]byte(q.body)) {
				t.Errorf("asked %+v", q)
			}
		})
	}
}

// Under SnapStart the environment has no credentials: an address of the sandbox has.
func TestTokenUnderSnapStart(t *testing.T) {
	v := newVault(t)
	v.holds("6b1d-token")
	arn, err := parseTokenARN(secretARN)
	if err != nil {
		t.Fatal(err)
	}
	c := &awsClient{env: map[string]string{
		"AWS_ENDPOINT_URL": v.url, "AWS_CONTAINER_CREDENTIALS_FULL_URI": v.url + "/credentials", "AWS_CONTAINER_AUTHORIZATION_TOKEN": "ticket",
	}}
	token, err := c.token(t.Context(), arn)
	if asked := v.questions(); token != "6b1d-token" || err != nil || len(asked) != 2 || asked[0].auth != "ticket" || !strings.Contains(asked[1].auth, "ASIAIOSFODNN7RESTORE") {
		t.Errorf("%q, %v, asked %+v", token, err, asked)
	}
	for _, source := range []string{"", "http://elsewhere.test/credentials", "ftp://127.0.0.1/credentials"} {
		c.env["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = source
		if _, err := c.token(t.Context(), arn); !errors.Is(err, hec.ErrConfig) {
			t.Errorf("%q: %v", source, err)
		}
	}
}

// The token that AWS keeps is fetched once, and again when Splunk does not take it:
// what was refused before is not lost. The function does not get it, nor its name.
func TestTokenOfAWSIsFetchedAgain(t *testing.T) {
	const stale, fresh = "00000000-aaaa-2222-3333-444444444444", "00000000-bbbb-2222-3333-444444444444"
	v, c := newVault(t), newCollector(t)
	v.holds(stale)
	var mu sync.Mutex
	valid := stale
	c.fail(func(w http.ResponseWriter, r *http.Request, c *collector, n int) {
		mu.Lock()
		ok := r.Header.Get("Authorization") == "Splunk "+valid
		mu.Unlock()
		if !ok {
			answer(w, 403, `{"text":"Invalid token","code":4}`)
			return
		}
		c.take(r)
		answer(w, 200, c.success())
	})
	env := v.env()
	env["GATEHOUSE_HEC_URL"], env["GATEHOUSE_HEC_TOKEN"], env["GATEHOUSE_HEC_TOKEN_ARN"] = "http://"+c.addr, "", secretARN
	g := start(t, "func", setup{attach: wrapper, env: env})
	g.invoke(t, `{"Say":"before"}`)
	eventually(t, "the first record", func() bool { return c.kind(record.Invocation) > 0 })
	if n := len(v.questions()); n != 1 {
		t.Errorf("AWS was asked %d times", n)
	}
	mu.Lock()
	valid = fresh
	mu.Unlock()
	v.holds(fresh)
	before := c.kind(record.Invocation)
	for i := range 3 {
		g.invoke(t, fmt.Sprintf(`{"Say":"after %d"}`, i))
	}
	eventually(t, "what came after", func() bool { return c.kind(record.Invocation) >= before+3 })
	if n := len(v.questions()); n != 2 {
		t.Errorf("AWS was asked %d times", n)
	}
	if err := g.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	if a := g.balance(t, c); len(a.spooled) != 0 || a.ended.Lost != 0 {
		t.Errorf("on disk %v, %+v", a.spooled, a.ended)
	}
	if log := g.log("extension"); strings.Contains(log, stale) || strings.Contains(log, fresh) || strings.Contains(log, vaultToken) {
		t.Errorf("the log:\n%s", log)
	}
}

// AWS refuses, or is slow: the function does not wait, one line says why, and what was
// made goes out as soon as there is a token.
func TestTokenOfAWSComesLate(t *testing.T) {
	v, c := newVault(t), newCollector(t)
	v.says(503, "")
	env := v.env()
	env["GATEHOUSE_HEC_URL"], env["GATEHOUSE_HEC_TOKEN"], env["GATEHOUSE_HEC_TOKEN_ARN"] = "http://"+c.addr, "", parameterARN
	env["GATEHOUSE_LOG_LEVEL"] = "warn"
	g := start(t, "func", setup{attach: wrapper, env: env})
	g.invoke(t, `{"Say":"before"}`)
	if n := c.count(); n != 0 {
		t.Errorf("%d posts without a token", n)
	}
	v.says(200, `{"Parameter":{"Value":"`+hecToken+`"}}`)
	deadline := time.Now().Add(10 * time.Second)
	for c.kind(record.Invocation) < 2 && time.Now().Before(deadline) {
		g.invoke(t, `{}`)
	}
	if err := g.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	if a := g.balance(t, c); len(a.spooled) != 0 || a.ended.Lost != 0 {
		t.Errorf("on disk %v, %+v", a.spooled, a.ended)
	}
	if log := g.log("extension"); strings.Count(log, "records are not delivered") != 1 || !strings.Contains(log, "HTTP 503") {
		t.Errorf("the log:\n%s", log)
	}
}
