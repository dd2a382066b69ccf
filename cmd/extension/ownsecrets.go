package main

import (
	"strings"

	"gatehouse/internal/detect/leak"
)

// ownSecrets are what our own settings hold that must not leave, the token for Splunk
// excepted: the key of the fingerprints, the password of the proxy, a token or a key
// under a name that is mistyped, which nobody would know for one, and one that stands where
// the name of a file belongs: the system's errors quote it.
func (c *config) ownSecrets(fingerprint func(value []byte) string) (secrets []leak.Secret) {
	add := func(name, value string) {
		if len(value) >= 8 {
			secrets = append(secrets, leak.Secret{Name: name, Value: []byte(value), Fingerprint: fingerprint([]byte(value))})
		}
	}
	add("GATEHOUSE_FINGERPRINT_KEY", c.FingerprintKey)
	if c.HECProxy != nil {
		password, _ := c.HECProxy.User.Password()
		add("GATEHOUSE_HEC_PROXY/password", password)
	}
	for _, f := range []struct{ name, value string }{
		{"GATEHOUSE_HEC_TOKEN_FILE", c.HECTokenFile}, {"GATEHOUSE_HEC_CERT", c.HECCert}, {"GATEHOUSE_HEC_KEY", c.HECKey},
		{"GATEHOUSE_HEC_CA", c.HECCA}, {"GATEHOUSE_UPSTREAM_CA", c.UpstreamCA}, {"GATEHOUSE_POLICY", c.PolicyPath},
	} {
		if !fileName(f.value) {
			add(f.name, f.value)
		}
	}
	for _, nv := range c.Environ {
		name, value, _ := strings.Cut(nv, "=")
		if !strings.HasPrefix(name, "GATEHOUSE_") || isSetting(name) {
			continue
		}
		switch nearest(name) {
		case "GATEHOUSE_HEC_TOKEN", "GATEHOUSE_FINGERPRINT_KEY":
			add(name, value)
		}
	}
	return secrets
}

// fileName reports whether v looks like one: it has a slash or a dot, and a single line.
func fileName(v string) bool {
	return strings.ContainsAny(v, "/.") && !strings.ContainsAny(v, "\r\n")
}
