package leak

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"strings"
)

// MaxAnswer bounds the answer of a service of AWS's that is looked through for
// secrets, in bytes.
const MaxAnswer = 1 << 20

// Answers reports whether host is a service of AWS's that answers with secrets:
// Secrets Manager, the Parameter Store, STS and KMS.
func Answers(host string) bool {
	service, _, _ := strings.Cut(strings.TrimPrefix(host, "vpce-"), ".")
	if strings.HasPrefix(host, "vpce-") { // vpce-ID.SERVICE.REGION…
		_, rest, _ := strings.Cut(host, ".")
		service, _, _ = strings.Cut(rest, ".")
	}
	switch strings.TrimSuffix(service, "-fips") {
	case "secretsmanager", "ssm", "sts", "kms":
		return true
	}
	return false
}

// Answer returns the secrets in body, which a service of AWS's answered: the values of
// secrets and of SecureString parameters, what STS issued, and what KMS decrypted. The
// members of JSON are secrets of their own where they look like one. A body that is
// none of these has none.
// https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetSecretValue.html
// https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_GetParameters.html
// https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
// https://docs.aws.amazon.com/kms/latest/APIReference/API_Decrypt.html
func Answer(body []byte, fingerprint func(value []byte) string) []Secret {
	a := reply{fingerprint: fingerprint}
	switch text := bytes.TrimSpace(body); {
	case len(text) == 0 || len(text) > MaxAnswer:
	case text[0] == '{':
		a.json(text)
	case text[0] == '<':
		a.xml(text)
	}
	return a.secrets
}

// reply collects the secrets of one answer.
type reply struct {
	fingerprint func([]byte) string
	secrets     []Secret
	hosts       []string // that the value at hand names as its own
}

// maxLearned bounds the secrets of one answer.
const maxLearned = 32

func (a *reply) add(name string, value []byte) {
	if len(value) < minSecret || len(a.secrets) == maxLearned {
		return
	}
	v := bytes.Clone(value)
	pairs := pairsOf(name, string(v), nil)
	for _, h := range a.hosts {
		pairs = append(pairs, Pair{Host: h})
	}
	a.secrets = append(a.secrets, Secret{Name: name, Value: v, Fingerprint: a.fingerprint(v), Pairs: pairs})
}

// text adds a value that is a secret by itself, or JSON with secrets in it.
func (a *reply) text(name, value string) {
	a.hosts = ownHosts(value)
	defer func() { a.hosts = nil }()
	if members := secretMembers(value); members != nil {
		for _, m := range members {
			a.add(name+"/"+m.name, []byte(m.value))
		}
		return
	}
	if password, connection := passwordIn(value); connection {
		a.add(name+"/password", []byte(password))
		return
	}
	a.add(name, []byte(value))
}

// ownHosts are the hosts that a secret says it is for: in its URL or DSN, or in members
// of JSON beside it, as AWS's own secrets of databases have them.
func ownHosts(value string) (hosts []string) {
	var object map[string]any
	if json.Unmarshal([]byte(value), &object) != nil {
		return hostsIn(value, false)
	}
	for _, name := range [...]string{"host", "hostname", "endpoint", "url", "server"} {
		if text, ok := object[name].(string); ok {
			hosts = append(hosts, hostsIn(text, true)...)
		}
	}
	return hosts
}

// credentials are what STS issues.
type credentials struct {
	SecretAccessKey string
	SessionToken    string
}

func (a *reply) issued(c credentials) {
	a.add(NameSecretKey, []byte(c.SecretAccessKey))
	a.add(NameSessionToken, []byte(c.SessionToken))
}

// Names of what STS issued: what may go where is as for the function's own.
const (
	NameSecretKey    = "AWS_SECRET_ACCESS_KEY"
	NameSessionToken = "AWS_SESSION_TOKEN"
)

// value is a secret of Secrets Manager's.
type value struct {
	Name         string
	SecretString string
	SecretBinary string
}

// parameter is one of the Parameter Store's.
type parameter struct{ Name, Type, Value string }

func (a *reply) json(text []byte) {
	var body struct {
		value
		SecretValues []value
		Parameter    parameter
		Parameters   []parameter
		Credentials  credentials
		Plaintext    string
		Response     struct { // STS, asked for JSON
			Result struct{ Credentials credentials } `json:"AssumeRoleResult"`
		} `json:"AssumeRoleResponse"`
	}
	if json.Unmarshal(text, &body) != nil {
		return
	}
	for _, v := range append(body.SecretValues, body.value) {
		name := "secretsmanager:" + v.Name
		if v.SecretString != "" {
			a.text(name, v.SecretString)
		}
		a.binary(name, v.SecretBinary)
	}
	for _, p := range append(body.Parameters, body.Parameter) {
		if p.Type == "SecureString" {
			a.text("ssm:"+p.Name, p.Value)
		}
	}
	a.issued(body.Credentials)
	a.issued(body.Response.Result.Credentials)
	a.binary("kms:plaintext", body.Plaintext)
}

// binary adds what an answer has in base64.
func (a *reply) binary(name, encoded string) {
	raw, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil || len(raw) == 0 {
		return
	}
	if printable(raw) {
		a.text(name, string(raw))
	} else {
		a.add(name, raw)
	}
}

func printable(b []byte) bool {
	return !bytes.ContainsFunc(b, func(r rune) bool { return r < ' ' && r != '\n' && r != '\r' && r != '\t' || r == 0xfffd })
}

// xml reads the credentials out of STS's answers, whatever action they are to. Nothing
// in them is ever escaped, so that no XML needs to be read.
func (a *reply) xml(text []byte) {
	for {
		_, rest, ok := bytes.Cut(text, []byte("<Credentials>"))
		if !ok {
			return
		}
		one, after, _ := bytes.Cut(rest, []byte("</Credentials>"))
		a.issued(credentials{SecretAccessKey: element(one, "SecretAccessKey"), SessionToken: element(one, "SessionToken")})
		text = after
	}
}

// element is the text of the first element in b that has that name.
func element(b []byte, name string) string {
	_, rest, _ := bytes.Cut(b, []byte("<"+name+">"))
	value, _, ok := bytes.Cut(rest, []byte("</"+name+">"))
	if !ok {
		return ""
	}
	return string(value)
}

// With returns a Set that holds s's secrets and those of more that it does not have
// already; s itself where there are none.
func (s *Set) With(more []Secret) *Set {
	var all []Secret
	known := map[string]bool{}
	if s != nil {
		all = append(all, s.secrets...)
	}
	for i := range all {
		known[string(all[i].Value)] = true
	}
	before := len(all)
	for _, one := range more {
		if len(one.Value) >= minSecret && !known[string(one.Value)] {
			known[string(one.Value)] = true
			all = append(all, one)
		}
	}
	if len(all) == before {
		return s
	}
	return New(all)
}
