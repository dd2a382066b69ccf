package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// tokenARN names a secret of Secrets Manager, as the task definitions of ECS do (with
// what may follow the ARN: a key of the secret's JSON, a stage, a version), or a
// parameter of the Parameter Store.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/secrets-envvar-secrets-manager.html
type tokenARN struct {
	service, partition, region string
	id                         string // the ARN without what follows it
	key, stage, version        string
}

// errARN is what a value that is not one wants.
var errARN = errors.New("wants the ARN of a secret of Secrets Manager (arn:aws:secretsmanager:REGION:ACCOUNT:secret:NAME, then :KEY where it is JSON) or of a parameter (arn:aws:ssm:REGION:ACCOUNT:parameter/NAME)")

func parseTokenARN(v string) (a tokenARN, err error) {
	part := strings.Split(v, ":")
	if len(part) < 6 || part[0] != "arn" || suffixes(part[1]) == "" || !label(part[3]) || part[4] == "" {
		return a, errARN
	}
	a = tokenARN{service: part[2], partition: part[1], region: part[3], id: v}
	switch {
	case a.service == "ssm" && len(part) == 6 && strings.HasPrefix(part[5], "parameter/"):
		return a, nil
	case a.service == "secretsmanager" && len(part) >= 7 && len(part) <= 10 && part[5] == "secret" && part[6] != "":
		rest := append(part[7:], "", "", "")
		a.id, a.key, a.stage, a.version = strings.Join(part[:7], ":"), rest[0], rest[1], rest[2]
		return a, nil
	}
	return a, errARN
}

// label reports whether s can be a part of a host's name.
func label(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool { return r != '-' && (r < 'a' || r > 'z') && (r < '0' || r > '9') })
}

// suffixes are the domains of AWS's partitions; "": there is no such partition.
func suffixes(partition string) string {
	switch partition {
	case "aws", "aws-us-gov":
		return "amazonaws.com"
	case "aws-cn":
		return "amazonaws.com.cn"
	case "aws-eusc":
		return "amazonaws.eu"
	case "aws-iso":
		return "c2s.ic.gov"
	case "aws-iso-b":
		return "sc2s.sgov.gov"
	}
	return ""
}

// endpoint is where a's service is, which the variables of AWS's SDKs may change.
// https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html
func (a tokenARN) endpoint(env map[string]string) (*url.URL, error) {
	name := "AWS_ENDPOINT_URL_SSM"
	if a.service == "secretsmanager" {
		name = "AWS_ENDPOINT_URL_SECRETS_MANAGER"
	}
	raw := env[name]
	if raw == "" {
		raw = env["AWS_ENDPOINT_URL"]
	}
	if raw == "" || strings.EqualFold(env["AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"], "true") {
		service := a.service
		if strings.EqualFold(env["AWS_USE_FIPS_ENDPOINT"], "true") {
			service += "-fips"
		}
		return &url.URL{Scheme: "https", Host: service + "." + a.region + "." + suffixes(a.partition), Path: "/"}, nil
	}
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || u.Scheme != "https" && (u.Scheme != "http" || !loopback(u.Hostname())) {
		return nil, fmt.Errorf("%s: wants a URL with https, or http to this machine", name)
	}
	u.Path = strings.TrimRight(u.Path, "/") + "/"
	return u, nil
}

// question is what a's service is asked.
func (a tokenARN) question() (target string, body []byte) {
	// A map of strings and a bool cannot fail to be JSON.
	if a.service == "ssm" {
		body, _ = json.Marshal(map[string]any{"Name": a.id, "WithDecryption": true})
		return "AmazonSSM.GetParameter", body
	}
	ask := map[string]string{"SecretId": a.id}
	if a.stage != "" {
		ask["VersionStage"] = a.stage
	}
	if a.version != "" {
		ask["VersionId"] = a.version
	}
	body, _ = json.Marshal(ask)
	return "secretsmanager.GetSecretValue", body
}

// answer takes the token out of what a's service said.
func (a tokenARN) answer(body []byte) (string, error) {
	var b struct {
		SecretString string
		SecretBinary []byte
		Parameter    struct{ Value string }
	}
	if json.Unmarshal(body, &b) != nil {
		return "", errors.New("the answer is not one of AWS's") // err may quote it
	}
	value := b.Parameter.Value
	if a.service == "secretsmanager" {
		value = b.SecretString + string(b.SecretBinary)
	}
	value = strings.TrimSpace(value)
	if a.key == "" && !strings.HasPrefix(value, "{") {
		return value, nil
	}
	var members map[string]any
	if json.Unmarshal([]byte(value), &members) != nil {
		return "", errTokenARN(errors.New("the secret is no JSON object"))
	}
	if a.key == "" && len(members) == 1 {
		for only := range members {
			a.key = only
		}
	}
	if a.key == "" {
		return "", errTokenARN(fmt.Errorf("the secret is JSON with %d keys: append one to the ARN, as in …:KEY", len(members)))
	}
	token, ok := members[a.key].(string)
	if !ok {
		return "", errTokenARN(fmt.Errorf("the secret has no text under the key %q", a.key))
	}
	return strings.TrimSpace(token), nil
}

// awsClient asks AWS, as the function's role.
type awsClient struct {
	env        map[string]string
	runtimeAPI string // whose host may answer with credentials
	roots      func() *x509.CertPool
	proxy      *url.URL
}

// token fetches what a names.
func (c *awsClient) token(ctx context.Context, a tokenARN) (string, error) {
	u, err := a.endpoint(c.env)
	if err != nil {
		return "", errTokenARN(err)
	}
	credentials, err := c.credentials(ctx)
	if err != nil {
		return "", err
	}
	target, body := a.question()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), bytes.NewReader(body))
	if err != nil {
		return "", errTokenARN(err)
	}
	req.Header.Set("Content-Type", "application/x-amz-json-1.1")
	req.Header.Set("X-Amz-Target", target)
	sum := sha256.Sum256(body)
	if err := v4.NewSigner().SignHTTP(ctx, credentials, req, hex.EncodeToString(sum[:]), a.service, a.region, time.Now()); err != nil {
		return "", fmt.Errorf("signing: %w", err)
	}
	status, text, err := c.do(req, c.proxy)
	if err != nil {
		return "", fmt.Errorf("asking %s: %w", u.Host, err)
	}
	if status != http.StatusOK {
		return "", refusal(u.Host, status, text)
	}
	return a.answer(text)
}

// credentials are the function's own. Under SnapStart an address has them.
// https://docs.aws.amazon.com/lambda/latest/dg/snapstart-activate.html
func (c *awsClient) credentials(ctx context.Context) (aws.Credentials, error) {
	if id := c.env["AWS_ACCESS_KEY_ID"]; id != "" {
		return aws.Credentials{AccessKeyID: id, SecretAccessKey: c.env["AWS_SECRET_ACCESS_KEY"], SessionToken: c.env["AWS_SESSION_TOKEN"]}, nil
	}
	raw := c.env["AWS_CONTAINER_CREDENTIALS_FULL_URI"]
	u, err := url.Parse(raw)
	if err != nil || raw == "" || !c.vouched(u) {
		return aws.Credentials{}, errTokenARN(errors.New("the environment has no credentials of AWS"))
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return aws.Credentials{}, errTokenARN(err)
	}
	req.Header.Set("Authorization", c.env["AWS_CONTAINER_AUTHORIZATION_TOKEN"])
	status, text, err := c.do(req, nil)
	if err != nil {
		return aws.Credentials{}, fmt.Errorf("asking %s for credentials: %w", u.Host, err)
	}
	var b struct{ AccessKeyID, SecretAccessKey, Token string }
	if status != http.StatusOK || json.Unmarshal(text, &b) != nil || b.AccessKeyID == "" {
		return aws.Credentials{}, fmt.Errorf("asking %s for credentials: HTTP %d", u.Host, status)
	}
	return aws.Credentials{AccessKeyID: b.AccessKeyID, SecretAccessKey: b.SecretAccessKey, SessionToken: b.Token}, nil
}

// vouched reports whether credentials may come from u: from this machine or its link,
// from the Runtime API's host, or by TLS.
func (c *awsClient) vouched(u *url.URL) bool {
	if u.Scheme == "https" {
		return true
	}
	host, _, _ := net.SplitHostPort(c.runtimeAPI)
	ip, err := netip.ParseAddr(u.Hostname())
	return u.Scheme == "http" && (loopback(u.Hostname()) || err == nil && ip.IsLinkLocalUnicast() || host != "" && u.Hostname() == host)
}

// maxAWSAnswer bounds an answer, in bytes: a secret has up to 64 KiB.
const maxAWSAnswer = 256 << 10

// do makes one request on a connection of its own: the next comes after a freeze.
func (c *awsClient) do(req *http.Request, proxy *url.URL) (status int, body []byte, err error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if c.roots != nil {
		config.RootCAs = c.roots()
	}
	t := &http.Transport{Proxy: http.ProxyURL(proxy), TLSClientConfig: config, DisableKeepAlives: true, MaxResponseHeaderBytes: 64 << 10}
	// Not a http.Client, which follows redirects.
	resp, err := t.RoundTrip(req)
	if err != nil {
		return 0, nil, err
	}
	defer func() { _ = resp.Body.Close() }() // only read
	body, err = io.ReadAll(io.LimitReader(resp.Body, maxAWSAnswer))
	return resp.StatusCode, body, err
}

// refusal says why AWS gave nothing, by the name that it has for that. Its texts are
// not shown: the one about signatures quotes the session's token.
func refusal(host string, status int, body []byte) error {
	var b struct {
		Type string `json:"__type"`
	}
	_ = json.Unmarshal(body, &b) // a page has none
	_, name, ok := strings.Cut(b.Type, "#")
	if !ok {
		name = b.Type
	}
	if name == "" || len(name) > 64 || strings.ContainsFunc(name, func(r rune) bool { return (r|0x20 < 'a' || r|0x20 > 'z') && r != '.' }) {
		name = "no reason"
	}
	err := fmt.Errorf("%s answers HTTP %d, %s", host, status, name)
	switch {
	case status == http.StatusTooManyRequests, status >= 500, strings.HasPrefix(name, "Throttling"), name == "InternalServerError", name == "RequestTimeout":
		return err
	case name == "AccessDeniedException":
		return errTokenARN(fmt.Errorf("%w: the function's role needs secretsmanager:GetSecretValue or ssm:GetParameter on it, and kms:Decrypt where it has a key of its own", err))
	}
	return errTokenARN(err)
}
