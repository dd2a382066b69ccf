package main

import (
	"net/url"
	"strings"
	"sync"

	"gatehouse/internal/detect"
	"gatehouse/internal/detect/leak"
	"gatehouse/internal/policy"
	"gatehouse/internal/record"
)

// lazySecrets knows the function's own secrets: the values of its environment
// that look like one, and the HEC token, which must not leave either. It is
// built when it is first needed.
type lazySecrets struct {
	cfg    *config
	policy func() *policy.Policy

	once        sync.Once
	set         *leak.Set
	fingerprint func(value []byte) string
}

func (l *lazySecrets) get() *leak.Set {
	l.once.Do(func() {
		token, err := l.cfg.token()
		if err != nil {
			token = l.cfg.HECToken // hec says what is wrong with the file
		}
		key := fingerprintKey(l.cfg.FingerprintKey, token)
		l.fingerprint = func(value []byte) string { return record.Fingerprint(key, value) }
		secrets := leak.Watch(l.cfg.Environ, l.policy().WatchSecret, l.fingerprint)
		if len(token) >= 8 {
			secrets = append(secrets, leak.Secret{
				Name: "GATEHOUSE_HEC_TOKEN", Value: []byte(token), Fingerprint: l.fingerprint([]byte(token)),
			})
		}
		l.set = leak.New(secrets)
	})
	return l.set
}

// maskTarget masks where the connection of r goes.
func (l *lazySecrets) maskTarget(r *record.Record) {
	set := l.get()
	for _, text := range []*string{&r.Dest, &r.SNI, &r.URL, &r.Reason} {
		*text = set.MaskFold(*text)
	}
	for i := range r.Requests {
		r.Requests[i].URL = set.MaskFold(r.Requests[i].URL)
	}
}

// scanner looks for secrets that must not leave through o.
func (l *lazySecrets) scanner(o detect.Outlet) detect.Scanner {
	set, p := l.get(), l.policy()
	host, place := o.Host, o.Place
	ours := l.ours(host)
	allowed := func(name string) bool {
		return p.SecretHost(name, host) || signs(name, host, place) || ours && standsIn(name, place)
	}
	switch place {
	case "host", "sni", "header", "trailer":
		return set.ScannerFold(allowed) // names have no case
	case "body":
		return set.ScannerSigned(allowed, l.ours)
	}
	return set.Scanner(allowed)
}

// sweep looks through one response of the function. The caller is somebody else:
// no secret is meant for him.
func (l *lazySecrets) sweep(traces bool) detect.Sweep {
	set := l.get()
	return set.Sweep(leak.Response{Signed: l.ours, Fingerprint: l.fingerprint, Traces: traces})
}

// ours reports whether host is a service endpoint of the partition that the
// function runs in.
func (l *lazySecrets) ours(host string) bool {
	for _, p := range partitions {
		if strings.HasPrefix(l.cfg.Region, p.region) {
			return endpoint(host, p.suffixes...)
		}
	}
	return false
}

// partitions are AWS's own, and the last the rest of the world.
// https://github.com/boto/botocore/blob/develop/botocore/data/partitions.json
var partitions = [...]struct {
	region   string // how its regions begin
	suffixes []string
}{
	{"cn-", []string{".amazonaws.com.cn", ".api.amazonwebservices.com.cn"}},
	{"us-isob-", []string{".sc2s.sgov.gov"}},
	{"us-isof-", []string{".csp.hci.ic.gov"}},
	{"us-iso-", []string{".c2s.ic.gov"}},
	{"eu-isoe-", []string{".cloud.adc-e.uk"}},
	{"eusc-", []string{".amazonaws.eu"}},
	{"", []string{".amazonaws.com", ".api.aws"}},
}

// signs reports whether a credential of AWS's stands where a signed request to
// AWS has it: the key id in the Authorization header or a presigned query, the
// session token in its own. The secret access key goes nowhere.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
func signs(name, host, place string) bool { return awsHost(host) && standsIn(name, place) }

// standsIn reports whether a signed request has the credential called name there.
func standsIn(name, place string) bool {
	switch name {
	case "AWS_ACCESS_KEY_ID":
		return place == "header:authorization" || place == "url"
	case "AWS_SESSION_TOKEN":
		return place == "header:x-amz-security-token" || place == "url"
	}
	return false
}

// awsHost reports whether host is a service endpoint of AWS's. Hosts below it
// that anybody can rent do not count.
func awsHost(host string) bool {
	return endpoint(host, ".amazonaws.com", ".amazonaws.com.cn", ".api.aws")
}

func endpoint(host string, suffixes ...string) bool {
	for _, suffix := range suffixes {
		service, ok := strings.CutSuffix(host, suffix)
		if !ok {
			continue
		}
		rented := strings.HasPrefix(service, "ec2-") || strings.Contains(service, ".elb") ||
			strings.Contains(service, "elb.") || strings.Contains(service, "execute-api") || strings.Contains(service, "compute")
		return !rented
	}
	return false
}

// of returns the proxy that the customer wants for host, or nil. via is connect or
// http, as egress calls them.
func (c customerProxy) of(via, host string) *url.URL {
	wanted := c.HTTPS
	if via == "http" {
		wanted = c.HTTP
	}
	if wanted == nil {
		return nil
	}
	for entry := range strings.FieldsFuncSeq(c.No, func(r rune) bool { return r == ',' || r == ' ' }) {
		name := strings.TrimPrefix(strings.TrimPrefix(entry, "*"), ".")
		if entry == "*" || strings.EqualFold(host, name) || strings.HasSuffix(strings.ToLower(host), "."+strings.ToLower(name)) {
			return nil
		}
	}
	return wanted
}
