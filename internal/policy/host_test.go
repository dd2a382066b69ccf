package policy_test

import (
	"strconv"
	"strings"
	"testing"

	"gatehouse/internal/detect"
	"gatehouse/internal/policy"
)

// ask asks p about a target in words: "GET a.test:443/path", where the request is
// visible, or "a.test:443"; then ip=, sni=, phase= and source=.
func ask(t *testing.T, p *policy.Policy, words string) policy.Decision {
	t.Helper()
	var to detect.Target
	phase, source := "invoke", "sns"
	fields := strings.Fields(words)
	if !strings.Contains(fields[0], ":") {
		to.Method, fields = fields[0], fields[1:]
	}
	host, path, _ := strings.Cut(fields[0], "/")
	if to.Method != "" {
		to.Path = "/" + path
	}
	colon := strings.LastIndex(host, ":")
	port, err := strconv.Atoi(host[colon+1:])
	if err != nil {
		t.Fatalf("%q: %v", words, err)
	}
	to.Host, to.Port = host[:colon], port
	for _, f := range fields[1:] {
		switch key, value, _ := strings.Cut(f, "="); key {
		case "ip":
			to.IP = value
		case "sni":
			to.SNI = value
		case "phase":
			phase = value
		case "source":
			source = strings.Trim(value, "-")
		}
	}
	return p.Host(to, phase, source)
}

func TestHost(t *testing.T) {
	const (
		def  = " egress.default"
		rule = " egress.rule"
	)
	for _, test := range []struct {
		name, text string
		want       []string // target → allow or deny, rule
	}{
		{"without a policy everything may go", "", []string{
			"a.test:443 → allow" + def,
			"10.0.0.1:22 → allow" + def,
		}},
		{"deny by default", "egress: {default: deny, rules: [{allow: api.test}, {allow: '*.aws.test'}, {allow: 10.1.0.0/16}, {allow: '2001:db8::1'}]}", []string{
			"api.test:443 → allow" + rule,
			"API.test.:443 → allow" + rule,
			"b.api.test:443 → deny" + def,
			"notapi.test:443 → deny" + def,
			"s3.aws.test:443 → allow" + rule,
			"a.b.aws.test:443 → allow" + rule,
			"aws.test:443 → deny" + def,
			"notaws.test:443 → deny" + def,
			".aws.test:443 → deny" + def,
			"10.1.2.3:5432 → allow" + rule,
			"::ffff:10.1.2.3:5432 → allow" + rule,
			"10.2.2.3:5432 → deny" + def,
			"[2001:db8:0::1]:443 → allow" + rule,
			// an address allows only who asks for the address
			"evil.test:443 ip=10.1.2.3 → deny" + def,
		}},
		{"built-in lists", "", []string{
			"webhook.site:443 → deny egress.exfiltration-host",
			"a.oast.fun:443 → deny egress.exfiltration-host",
			"discord.com:443 → allow" + def,
			"discord.com:443 phase=init → deny egress.drop-host",
			"discord.com:443 phase=shutdown → allow" + def,
		}},
		{"built-in lists, and what the policy says", "egress: {builtin_lists: {tier1: monitor, tier2: refuse}, rules: [{allow: hooks.slack.com}]}", []string{
			"webhook.site:443 → allow" + def,
			"discord.com:443 → deny egress.drop-host",
			"hooks.slack.com:443 → allow" + rule,
			"hooks.slack.com:443 phase=init → allow" + rule,
		}},
		{"built-in lists switched off", "egress: {builtin_lists: {tier1: allow, tier2: allow}}", []string{
			"webhook.site:443 → allow" + def,
			"discord.com:443 phase=init → allow" + def,
		}},
		{"nothing during init but AWS", "egress: {rules: [{allow: 'aws:self', phases: init}, {deny: '*', phases: init}, {allow: '*'}]}", []string{
			"a.test:443 phase=init → deny" + rule,
			"a.test:443 → allow" + rule,
			"webhook.site:443 → allow" + rule,
		}},
		{"AWS's own endpoints", "egress: {default: deny, rules: [{allow: 'aws:self'}, {allow: 'aws:s3/orders'}, {allow: 'aws:s3/logs-*', methods: PUT}, {deny: 'aws:s3/orders-secret'}]}", []string{
			"sqs.eu-west-1.amazonaws.com:443 → allow" + rule,
			"abc.execute-api.eu-west-1.amazonaws.com:443 → deny" + def,
			"ec2-203-0-113-7.eu-west-1.compute.amazonaws.com:443 → deny" + def,
			"orders.s3.eu-west-1.amazonaws.com:443 → allow" + rule,
			"ORDERS.s3.eu-west-1.amazonaws.com.:443 → allow" + rule,
			"theirs.s3.eu-west-1.amazonaws.com:443 → deny" + def,
			"orders-secret.s3.eu-west-1.amazonaws.com:443 → deny" + rule,
			"logs-2026.s3.eu-west-1.amazonaws.com:443 → deny egress.unverifiable 1 unverifiable undecided",
			"PUT logs-2026.s3.eu-west-1.amazonaws.com:443/k → allow" + rule,
			"s3.eu-west-1.amazonaws.com:443 → deny egress.unverifiable 3 unverifiable undecided",
			"GET s3.eu-west-1.amazonaws.com:443/orders/k → allow" + rule,
			"GET s3.eu-west-1.amazonaws.com:443/theirs/../orders/k → deny" + def,
			"GET s3.eu-west-1.amazonaws.com:443/theirs/k → deny" + def,
			"GET s3.eu-west-1.amazonaws.com:443/orders-secret/k → deny" + rule,
		}},
		{"an account's access points", "egress: {default: deny, rules: [{allow: 'aws:s3:123456789012'}]}", []string{
			"orders-123456789012.s3-accesspoint.eu-west-1.amazonaws.com:443 → allow" + rule,
			"orders-123456789012.s3-accesspoint-fips.dualstack.us-east-1.amazonaws.com:443 → allow" + rule,
			"orders-123456789012.s3-object-lambda.eu-west-1.amazonaws.com:443 → allow" + rule,
			"orders-123456789012.accesspoint.vpce-1a2b-3c.s3.eu-west-1.vpce.amazonaws.com:443 → allow" + rule,
			"orders-210987654321.s3-accesspoint.eu-west-1.amazonaws.com:443 → deny" + def,
			"123456789012.s3-accesspoint.eu-west-1.amazonaws.com:443 → deny" + def,
			"orders-123456789012.s3.eu-west-1.amazonaws.com:443 → deny" + def, // a bucket that anybody may call so
			"orders-123456789012.bucket.vpce-1a2b-3c.s3.eu-west-1.vpce.amazonaws.com:443 → deny" + def,
			"GET s3.eu-west-1.amazonaws.com:443/orders-123456789012/k → deny" + def,
			"x.orders-123456789012.s3-accesspoint.eu-west-1.amazonaws.com:443 → deny" + def,
			"orders-123456789012.s3-accesspoint.cn-north-1.amazonaws.com.cn:443 → deny" + def,
		}},
		{"during init, nothing but what is named", "egress: {init: deny, rules: [{allow: ['aws:self', config.test], phases: init}, {allow: api.test, phases: invoke}, {allow: get.test, methods: GET}, {deny: evil.test}]}", []string{
			"sqs.eu-west-1.amazonaws.com:443 phase=init → allow" + rule,
			"config.test:443 phase=init → allow" + rule,
			"api.test:443 phase=init → deny" + def,
			"a.test:443 phase=init → deny" + def,
			"a.test:443 → allow" + def,
			"a.test:443 phase=after_response → allow" + def,
			"get.test:443 phase=init → deny egress.unverifiable 1 unverifiable undecided",
			"GET get.test:443/ phase=init → allow" + rule,
			"evil.test:443 phase=init → deny" + rule,
			"webhook.site:443 → deny egress.exfiltration-host", // the lists hold as ever
			"webhook.site:443 phase=init → deny egress.exfiltration-host",
		}},
		{"the lists do not undo a deny, nor name a subdomain twice", "egress: {rules: [{allow: '*.webhook.site'}, {deny: x.webhook.site}, {allow: webhook.site, methods: GET}]}", []string{
			"a.webhook.site:443 → allow" + rule,
			"x.webhook.site:443 → deny" + rule,
			"webhook.site:443 → deny egress.exfiltration-host 1 unverifiable undecided",
			"GET webhook.site:443/ → allow" + rule,
			"POST webhook.site:443/ → deny egress.exfiltration-host",
			"dns.google:443 → allow" + def,
			"8.8.8.8:443 phase=init → deny egress.drop-host",
		}},
		{"tenants", "egress: {default: deny, rules: [{allow: 'github:Acme'}, {allow: 'slack:T0AB'}, {allow: 'slack:T0CD/B01'}, {allow: 'discord:1234'}]}", []string{
			"github.com:443 → deny egress.unverifiable 1 unverifiable undecided",
			"GET github.com:443/acme/shop → allow" + rule,
			"GET github.com:443/ACME/shop.git → allow" + rule,
			"GET github.com:443/evil/shop → deny" + def,
			"GET github.com:443/acme/../evil/shop → deny" + def,
			"PUT api.github.com:443/repos/acme/shop/contents/x → allow" + rule,
			"POST api.github.com:443/user/repos → deny" + def,
			"POST api.github.com:443/gists → deny" + def,
			"GET raw.githubusercontent.com:443/acme/shop/main/x → allow" + rule,
			"POST hooks.slack.com:443/services/T0AB/B9/x → allow" + rule,
			"POST hooks.slack.com:443/services/T0CD/B01/x → allow" + rule,
			"POST hooks.slack.com:443/services/T0CD/B02/x → deny" + def,
			"POST discord.com:443/api/webhooks/1234/x → allow" + rule,
			"POST discord.com:443/api/v10/webhooks/1234/x → allow" + rule,
			"POST discord.com:443/api/webhooks/9/x → deny" + def + "",
			"github.com.evil.test:443 → deny" + def,
		}},
		{"deny beats allow, however exact and wherever it stands", "egress: {rules: [{allow: a.b.test}, {deny: '*.test'}, {allow: a.b.test}]}", []string{
			"a.b.test:443 → deny" + rule,
			"a.example:443 → allow" + def,
		}},
		{"a denied address is denied by whatever name", "egress: {rules: [{deny: 203.0.113.0/24}]}", []string{
			"203.0.113.9:443 → deny" + rule,
			"a.test:443 ip=203.0.113.9 → deny" + rule,
			"a.test:443 ip=::ffff:203.0.113.9 → deny" + rule,
			"a.test:443 ip=203.0.114.9 → allow" + def,
			"a.test:443 → allow" + def,
		}},
		{"ports", "egress: {default: deny, rules: [{allow: a.test, ports: [443, 8000-8100]}, {deny: '*', ports: 8050}]}", []string{
			"a.test:443 → allow" + rule,
			"a.test:8000 → allow" + rule,
			"a.test:8100 → allow" + rule,
			"a.test:8101 → deny" + def,
			"a.test:8050 → deny" + rule,
		}},
		{"phases and sources", "egress: {rules: [{deny: '*', phases: [init, after_response]}, {deny: pay.test, sources: [sns]}]}", []string{
			"a.test:443 → allow" + def,
			"a.test:443 phase=init → deny" + rule,
			"a.test:443 phase=after_response → deny" + rule,
			"pay.test:443 → deny" + rule,
			"pay.test:443 source=sqs → allow" + def,
			"pay.test:443 source=- → allow" + def, // unknown
		}},
		{"methods and paths of a visible request", "egress: {default: deny, rules: [{allow: a.test, methods: [GET, head], paths: [/v1/*, /health]}]}", []string{
			"GET a.test:443/v1/x → allow" + rule,
			"HEAD a.test:443/health → allow" + rule,
			"GET a.test:443/health?full=1 → allow" + rule,
			"GET a.test:443/v1/ → allow" + rule,
			"GET a.test:443/v1 → deny" + def,
			"GET a.test:443/healthy → deny" + def,
			"POST a.test:443/v1/x → deny" + def,
			// what a server may read otherwise is not allowed
			"GET a.test:443/v1/../admin → deny" + def,
			"GET a.test:443/v1/%2e%2e/admin → deny" + def,
			"GET a.test:443/v1/%zz → deny" + def,
		}},
		{"a deny sees through escapes", "egress: {rules: [{deny: a.test, paths: [/admin/*]}]}", []string{
			"GET a.test:443/admin/x → deny" + rule,
			"GET a.test:443/%61dmin/x → deny" + rule,
			"GET a.test:443/v1/..//admin/x → deny" + rule,
			`GET a.test:443/v1\..\admin\x → deny` + rule,
			"GET a.test:443/v1/x → allow" + def,
		}},
		{"a request that is not visible does not match", "egress: {rules: [{deny: a.test, methods: [POST]}, {allow: a.test, paths: [/v1/*]}]}", []string{
			"a.test:443 → allow" + def + " 2 unverifiable",
			"b.test:443 → allow" + def,
			"POST a.test:443/v1/x → deny" + rule,
		}},
		{"an allow that needs a request does not allow without", "egress: {default: deny, rules: [{allow: a.test, methods: [GET]}, {allow: a.test, ports: 99}]}", []string{
			"a.test:443 → deny egress.unverifiable 1 unverifiable undecided",
			"a.test:99 → allow" + rule + " 1 unverifiable",
			"b.test:443 → deny" + def,
			"GET a.test:443/ → allow" + rule,
		}},
		{"the server name must be allowed as well", "egress: {default: deny, rules: [{allow: front.test}, {allow: also.test}, {allow: get.test, methods: GET}, {deny: evil.test}]}", []string{
			"front.test:443 sni=front.test → allow" + rule,
			"front.test:443 sni=also.test → allow" + rule,
			"front.test:443 sni=hidden.test → deny" + def,
			"front.test:443 sni=evil.test → deny" + rule,
			"hidden.test:443 sni=front.test → deny" + def,
			"get.test:443 sni=front.test → deny egress.unverifiable 1 unverifiable undecided",
			"front.test:443 sni=get.test → deny egress.unverifiable 1 unverifiable undecided",
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := parse(t, test.text)
			for _, row := range test.want {
				words, want, _ := strings.Cut(row, " → ")
				if got := inWords(ask(t, p, words)); got != want {
					t.Errorf("%s → %s, want %s", words, got, want)
				}
			}
		})
	}
}

func inWords(d policy.Decision) string {
	words := "deny "
	if d.Allow {
		words = "allow "
	}
	words += d.Rule
	if d.Unverifiable > 0 {
		words += " " + strconv.Itoa(d.Unverifiable) + " unverifiable"
	}
	if d.Undecided {
		words += " undecided"
	}
	return words
}

func TestReason(t *testing.T) {
	p := parse(t, `egress:
  default: deny
  rules:
    - {deny: a.test, reason: we left them in May}
    - deny: [b.test, "*.c.test"]
      ports: [25, 465]
    - {allow: d.test}
`)
	for target, want := range map[string]string{
		"a.test:443":                   "we left them in May",
		"x.c.test:25":                  "deny b.test *.c.test, ports 25 465 (line 6)",
		"d.test:443":                   "allow d.test (line 8)",
		"e.test:443":                   "no rule allows it",
		"d.test:443 sni=e.test":        `server name "e.test": no rule allows it`,
		"d.test:443 sni=x\x07\"y.test": `server name "x\a\"y.test": no rule allows it`,
	} {
		if got := ask(t, p, target).Reason; got != want {
			t.Errorf("reason for %q = %q, want %q", target, got, want)
		}
	}
}

func BenchmarkHost(b *testing.B) {
	var rules strings.Builder
	for i := range 100 {
		rules.WriteString("    - allow: h" + strconv.Itoa(i) + ".example\n")
	}
	p, err := policy.Parse([]byte("version: 1\negress:\n  default: deny\n  rules:\n" + rules.String()))
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		p.Host(detect.Target{Host: "h99.example", Port: 443}, "invoke", "sns")
	}
}
