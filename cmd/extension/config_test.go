package main

import (
	"strings"
	"testing"

	"gatehouse/internal/policy"
	"gatehouse/internal/telemetry/hec"
)

func TestConfigDefaults(t *testing.T) {
	c, err := readConfig([]string{"AWS_LAMBDA_RUNTIME_API=169.254.100.1:9001", "PATH=/bin"})
	if err != nil {
		t.Fatal(err)
	}
	if c.EgressAddr != "127.0.0.1:18790" || c.RuntimeAPIAddr != "127.0.0.1:18791" || c.RunDir != "/tmp/.gatehouse" ||
		c.Off || c.OnErrorClosed || c.Mode != "" || strings.Join(c.Telemetry, ",") != "platform,function" {
		t.Errorf("defaults: %+v", c)
	}
}

func TestConfigReportsEveryMistakeAtOnce(t *testing.T) {
	_, err := readConfig([]string{
		"GATEHOUSE_MODE=enfroce",
		"GATEHOUSE_HEC_TOKN=0123-secret",
		"GATEHOUSE_EGRESS_ADDR=here",
		"GATEHOUSE_HEC_URL=ftp://user:secret@splunk.example",
		"GATEHOUSE_TELEMETRY=platform,all",
		"GATEHOUSE_INSPECT_TLS=perhaps",
		"GATEHOUSE_RUN_DIR=/tmp/my folder",
	})
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{
		`GATEHOUSE_MODE: "enfroce" is not one of enforce, monitor`,
		`GATEHOUSE_HEC_TOKN: no such setting; the nearest is GATEHOUSE_HEC_TOKEN`,
		`GATEHOUSE_EGRESS_ADDR: "here" is not an address`,
		`GATEHOUSE_HEC_URL: wants a URL`,
		`GATEHOUSE_TELEMETRY: "all" is not platform`,
		`GATEHOUSE_INSPECT_TLS: "perhaps" is not one of`,
		`GATEHOUSE_RUN_DIR: "/tmp/my folder" is not an absolute path`,
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is missing in:\n%v", want, err)
		}
	}
	if strings.Contains(err.Error(), "secret") {
		t.Errorf("a secret stands in:\n%v", err)
	}
}

func TestPlainHTTPOnlyToThisMachine(t *testing.T) {
	tests := []struct {
		env  []string
		kept bool
	}{
		{[]string{"GATEHOUSE_HEC_URL=http://127.0.0.1:8088", "GATEHOUSE_HEC_TOKEN=t"}, true},
		{[]string{"GATEHOUSE_HEC_URL=https://splunk.example", "GATEHOUSE_HEC_TOKEN=t"}, true},
		{[]string{"GATEHOUSE_HEC_URL=http://splunk.example", "GATEHOUSE_HEC_TOKEN=t"}, false},
		{[]string{"GATEHOUSE_HEC_URL=http://splunk.localdomain", "GATEHOUSE_HEC_TOKEN=t"}, false},
		{[]string{"GATEHOUSE_HEC_URL=http://sandbox", "GATEHOUSE_HEC_TOKEN=t"}, false},
		{[]string{"GATEHOUSE_HEC_URL=http://splunk.example", "GATEHOUSE_HEC_TOKEN=t", "GATEHOUSE_HEC_INSECURE=true"}, true},
	}
	for _, tt := range tests {
		c, err := readConfig(tt.env)
		if (len(c.HECURLs) > 0) != tt.kept || (err == nil) != tt.kept {
			t.Errorf("%q: URLs %q, error %v", tt.env, c.HECURLs, err)
		}
	}
}

func TestSeveralHECs(t *testing.T) {
	tests := []struct {
		value string
		want  string // joined by spaces
		ok    bool
	}{
		{"https://a.example:8088", "https://a.example:8088", true},
		{"https://a.example:8088, https://b.example/hec", "https://a.example:8088 https://b.example/hec", true},
		{"https://a.example,http://b.example", "https://a.example", false},
		{"https://a.example,", "", false},
		{"https://user:secret@a.example", "", false},
		{"https://a.example?token=secret", "", false},
	}
	for _, tt := range tests {
		c, err := readConfig([]string{"GATEHOUSE_HEC_URL=" + tt.value, "GATEHOUSE_HEC_TOKEN=t"})
		if strings.Join(c.HECURLs, " ") != tt.want || (err == nil) != tt.ok || err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: URLs %q, error %v", tt.value, c.HECURLs, err)
		}
	}
}

func TestAcknowledgements(t *testing.T) {
	for value, want := range map[string]hec.Ack{"": hec.AckAuto, "auto": hec.AckAuto, "on": hec.AckOn, "OFF": hec.AckOff} {
		if c, err := readConfig([]string{"GATEHOUSE_HEC_ACK=" + value}); err != nil || c.HECAck != want {
			t.Errorf("%q: %v, %v, want %v", value, c.HECAck, err, want)
		}
	}
	if _, err := readConfig([]string{"GATEHOUSE_HEC_ACK=always"}); err == nil || !strings.Contains(err.Error(), "auto, off, on") {
		t.Errorf("error %v", err)
	}
}

func TestACertificateNeedsItsKey(t *testing.T) {
	_, err := readConfig([]string{"GATEHOUSE_HEC_CERT=/var/task/client.pem"})
	if err == nil || !strings.Contains(err.Error(), "GATEHOUSE_HEC_KEY") {
		t.Errorf("error %v", err)
	}
	c, err := readConfig([]string{"GATEHOUSE_HEC_CERT=/c.pem", "GATEHOUSE_HEC_KEY=/k.pem", "GATEHOUSE_HEC_SERVER_NAME=splunk.example"})
	if err != nil || c.HECCert != "/c.pem" || c.HECKey != "/k.pem" || c.HECServerName != "splunk.example" {
		t.Errorf("%+v, %v", c, err)
	}
}

func TestConfigOverrides(t *testing.T) {
	c, err := readConfig([]string{"GATEHOUSE_MODE=enforce", "GATEHOUSE=off", "GATEHOUSE_ON_ERROR=closed", "GATEHOUSE_INSPECT_TLS=on", "GATEHOUSE_TELEMETRY=off"})
	if err != nil || c.Mode != policy.Enforce || !c.Off || !c.OnErrorClosed || c.InspectTLS == nil || !*c.InspectTLS || len(c.Telemetry) != 0 {
		t.Errorf("%+v, %v", c, err)
	}
}

// A function that is attached by HTTPS_PROXY alone shows that variable to the
// extension too. Taken for the customer's own proxy, it would lead us to ourselves.
func TestOwnAddressIsNoUpstream(t *testing.T) {
	for value, own := range map[string]bool{
		"http://127.0.0.1:18790": true, "127.0.0.1:18790": true, "http://localhost:18790": true, "http://[::1]:18790/": true, "http://0.0.0.0:18790": true,
		"http://localhost.localdomain:18790": true, "http://sandbox:18790": true, "http://LOCALHOST.:18790": true,
		"http://proxy.example:18790": false, "http://proxy.localdomain:18790": false, "http://127.0.0.1:3128": false,
	} {
		c, err := readConfig([]string{"HTTPS_PROXY=" + value})
		if err != nil || (c.CustomerProxy.HTTPS == nil) != own || c.Proxied != own {
			t.Errorf("HTTPS_PROXY=%s: upstream %v, own %v, error %v", value, c.CustomerProxy.HTTPS, c.Proxied, err)
		}
	}
}

func TestCustomerProxyExceptions(t *testing.T) {
	c, _ := readConfig([]string{
		"HTTPS_PROXY=http://proxy.example:3128",
		"NO_PROXY=direct.example, .inner.example,*.stars.example,10.0.0.0/8,192.0.2.7,db.example:5432,[2001:db8::1]:443,2001:db8:1::/48,:80",
	})
	for host, through := range map[string]bool{
		"api.example": true, "direct.example": false, "a.direct.example": false, "a.inner.example": false, "inner.example.org": true,
		"a.stars.example": false, "10.1.2.3": false, "11.1.2.3": true, "192.0.2.7": false, "192.0.2.70": true, "db.example": true,
		"2001:db8::1": false, "2001:db8:1::7": false, "2001:db8:2::7": true, "10.example": true,
	} {
		if got := c.CustomerProxy.of("connect", host, 443) != nil; got != through {
			t.Errorf("%s through the proxy: %v", host, got)
		}
		if c.CustomerProxy.of("http", host, 80) != nil {
			t.Errorf("plain HTTP to %s goes through a proxy that is for HTTPS", host)
		}
	}
	if c.CustomerProxy.of("connect", "db.example", 5432) != nil || c.CustomerProxy.of("connect", "2001:db8::1", 80) == nil {
		t.Error("the port of an exception does not count")
	}
}

func TestCustomerProxySchemes(t *testing.T) {
	for value, known := range map[string]bool{
		"http://p.example:3128": true, "https://p.example": true, "p.example:3128": true, "socks5://p.example:1080": false,
	} {
		c, err := readConfig([]string{"HTTPS_PROXY=" + value})
		if err != nil || (c.CustomerProxy.HTTPS != nil) != known || (c.CustomerProxy.Unknown == nil) != known {
			t.Errorf("%s: %v, %v, %v", value, c.CustomerProxy.HTTPS, c.CustomerProxy.Unknown, err)
		}
	}
}

func TestWhereAWSCredentialsMayGo(t *testing.T) {
	tests := []struct {
		name, host, place string
		want              bool
	}{
		{"AWS_ACCESS_KEY_ID", "sqs.eu-west-1.amazonaws.com", "header:authorization", true},
		{"AWS_SESSION_TOKEN", "s3.amazonaws.com", "header:x-amz-security-token", true},
		{"AWS_SESSION_TOKEN", "s3.eu-west-1.amazonaws.com", "url", false}, // but presigned
		{"AWS_SESSION_TOKEN", "s3.eu-west-1.amazonaws.com", "head", true},
		{"AWS_SESSION_TOKEN", "evilamazonaws.com", "head", false},
		{"AWS_SECRET_ACCESS_KEY", "sqs.eu-west-1.amazonaws.com", "head", false},
		{"AWS_SESSION_TOKEN", "sqs.cn-north-1.amazonaws.com.cn", "url", false},
		{"AWS_SESSION_TOKEN", "sqs.eu-west-1.amazonaws.com", "body", false},
		{"AWS_SECRET_ACCESS_KEY", "sqs.eu-west-1.amazonaws.com", "header:authorization", false},
		{"AWS_SESSION_TOKEN", "ec2-203-0-113-7.compute-1.amazonaws.com", "header:x-amz-security-token", false},
		{"AWS_SESSION_TOKEN", "abc.execute-api.eu-west-1.amazonaws.com", "header:x-amz-security-token", false},
		{"AWS_SESSION_TOKEN", "amazonaws.com.evil.example", "header:x-amz-security-token", false},
		{"AWS_SESSION_TOKEN", "evilamazonaws.com", "header:x-amz-security-token", false},
	}
	for _, tt := range tests {
		l := lazySecrets{cfg: &config{Region: "eu-west-1"}}
		if got := l.ours(tt.host) && standsIn(tt.name, tt.place); got != tt.want {
			t.Errorf("%s to %s in %s: %v, want %v", tt.name, tt.host, tt.place, got, tt.want)
		}
	}
}
