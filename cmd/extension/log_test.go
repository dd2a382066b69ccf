package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"testing"

	"go.uber.org/zap"

	"gatehouse/internal/detect/leak"
)

// No line of our own log shows a secret, wherever in it somebody wrote it, before the
// policy is known and after.
func TestOwnLogIsMasked(t *testing.T) {
	const secret, token, key, typo = `Xk7/qWv"9Lm2&EXAMPLE`, "0a1b2c3d-1111-2222-3333-444455556666", "fingerprint-key-EXAMPLE", "9f8e7d6c-1111-2222-3333-444455556666"
	cfg, _ := readConfig([]string{ // there is a mistake
		"DB_PASSWORD=" + secret, "GATEHOUSE_HEC_TOKEN=" + token, "GATEHOUSE_FINGERPRINT_KEY=" + key, "GATEHOUSE_HEC_TOKN=" + typo,
	})
	for _, known := range []bool{false, true} {
		var text bytes.Buffer
		out := newMaskedOutput(&cfg, &text)
		log := newLogger("warn", out)
		x := newExtension(cfg, log)
		out.secrets = x.secrets.set.Load
		if known {
			x.secrets.get()
		}
		for _, s := range []string{secret, token, key, typo} {
			log.Warn(s)
			log.Error("degraded", zap.String("what", s), zap.Error(fmt.Errorf("reading %q: %w", s, errors.New(s))))
			log.Warn("any", zap.Any("map", map[string]string{"a": s, s: "b"}), zap.ByteString("bytes", []byte(s)), zap.Strings("list", []string{s}))
			log.Named(s).With(zap.String("k", s)).Warn("with")
			log.Warn("encoded", zap.String("error", url.QueryEscape(s)), zap.String("host", strings.ToLower(s)+".evil.test"),
				zap.String("target", base64.StdEncoding.EncodeToString([]byte("a"+s))))
			log.Info("below the level", zap.String("k", s))
		}
		for line := range strings.Lines(text.String()) {
			var members map[string]any
			if err := json.Unmarshal([]byte(line), &members); err != nil || members["level"] == nil {
				t.Errorf("no JSON: %v in %s", err, line)
			}
		}
		for _, s := range []string{secret, token, key, typo} {
			quoted, _ := json.Marshal(s)
			for _, form := range []string{s, string(quoted[1 : len(quoted)-1]), url.QueryEscape(s), base64.StdEncoding.EncodeToString([]byte("a" + s))[4:16]} {
				if strings.Contains(strings.ToLower(text.String()), strings.ToLower(form)) {
					t.Errorf("known %v: %q stands in\n%s", known, form, &text)
				}
			}
		}
		if n := strings.Count(text.String(), "\n"); n != 20 {
			t.Errorf("%d lines", n)
		}
	}
}

// Secrets are read for a line that is written, and for none that is not: the start
// writes none.
func TestLogCostsTheStartNothing(t *testing.T) {
	read := false
	out := &maskedOutput{to: new(bytes.Buffer), early: func() *leak.Set { read = true; return nil }}
	log := newLogger("warn", out)
	newExtension(config{}, log)
	log.Info("below the level")
	if read {
		t.Error("secrets are read before a line is written")
	}
	if log.Warn("a line"); !read {
		t.Error("secrets are not read for a line")
	}
}

// A value in the wrong variable may be a secret: what is wrong with it is said without
// it.
func TestWrongValuesAreNotShown(t *testing.T) {
	const secret = "Tr0ub4d!"
	var env []string
	for _, s := range settings {
		env = append(env, s.name+"="+secret)
	}
	_, err := readConfig(append(env, "GATEHOUSE_HEC_TOKN="+secret, "HTTPS_PROXY="+secret+"://"+secret+"@"+secret))
	if err == nil || strings.Contains(err.Error(), secret) {
		t.Errorf("the error is %v", err)
	}
}

// A secret that is given where the name of a file belongs is not shown: the system's
// errors quote what could not be opened.
func TestASecretInThePlaceOfAFileIsNotShown(t *testing.T) {
	for name, value := range map[string]string{
		"GATEHOUSE_HEC_TOKEN_FILE": "0a1b2c3d-1111-2222-3333-444455556666",
		"GATEHOUSE_HEC_KEY":        "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIExample/Ex.ample\n-----END PRIVATE KEY-----\n",
		"GATEHOUSE_POLICY":         "Tr0ub4d!xyz",
	} {
		cfg, _ := readConfig([]string{name + "=" + value, "GATEHOUSE_HEC_CERT=/c.pem"})
		var text bytes.Buffer
		out := newMaskedOutput(&cfg, &text)
		x := newExtension(cfg, newLogger("warn", out))
		out.secrets = x.secrets.set.Load
		_, err := os.ReadFile(value)
		x.log.Warn("degraded", zap.Error(err))
		x.policy.get()
		if secret, _ := json.Marshal(value); strings.Contains(text.String(), strings.Trim(string(secret), `"`)) || !strings.Contains(text.String(), "{{"+name+":") {
			t.Errorf("%s: the log is\n%s", name, &text)
		}
	}
	for _, v := range []string{"/var/task/token", "./policy.yaml", "policy.yaml", "/opt/x y.pem"} {
		if !fileName(v) {
			t.Errorf("%q is taken for a secret", v)
		}
	}
}
