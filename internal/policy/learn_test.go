package policy_test

import (
	"strings"
	"testing"
	"time"

	"gatehouse/internal/detect"
	"gatehouse/internal/policy"
	"gatehouse/internal/record"
)

// seen is a connection as a record has it: "dest:port phase GET https://…".
func seen(words string) *record.Record {
	fields := strings.Fields(words)
	host, port, _ := strings.Cut(fields[0], ":")
	r := &record.Record{
		Kind: record.Connection, Time: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), FunctionName: "orders", FunctionVersion: "41", Region: "eu-west-1",
		Dest: host, DestPort: map[string]int{"443": 443, "5432": 5432, "8443": 8443}[port], Phase: fields[1], WouldAction: "allowed", Decrypted: new(bool),
	}
	for i := 2; i+1 < len(fields); i += 2 {
		*r.Decrypted = true
		r.Requests = append(r.Requests, record.Hop{Method: fields[i], URL: fields[i+1]})
	}
	return r
}

func TestLearn(t *testing.T) {
	connections := []string{
		"api.example:443 invoke GET https://api.example/v1/rates POST https://api.example/v1/orders",
		"api.example:443 init GET https://api.example/v1/rates",
		"api.example:443 after_response GET https://api.example/",
		"db.internal.example:5432 invoke",
		"sqs.eu-west-1.amazonaws.com:443 invoke", "kms.eu-west-1.amazonaws.com:443 init",
		"orders.s3.eu-west-1.amazonaws.com:443 invoke PUT https://orders.s3.eu-west-1.amazonaws.com/a/b/c",
		"s3.eu-west-1.amazonaws.com:443 invoke GET https://s3.eu-west-1.amazonaws.com/logs/2026",
		"api.github.com:443 invoke GET https://api.github.com/repos/Acme/shop/contents",
		"odd.example:443 invoke GET https://odd.example/%2e%2e/x",
		"a.b.cdn.example:443 invoke", "b.b.cdn.example:443 invoke", "c.b.cdn.example:443 invoke",
	}
	var l policy.Learned
	for _, c := range connections {
		l.Add(seen(c))
	}
	refused := seen("evil.test:443 invoke")
	refused.WouldAction = "blocked"
	l.Add(refused)
	l.Add(seen("webhook.site:443 invoke"))
	l.Add(&record.Record{Kind: record.Leak, Object: "STOCK_TOKEN", Dest: "stock.example", DLPType: "network", SignatureID: "leak.own-secret", Phase: "invoke"})
	l.Add(&record.Record{Kind: record.Leak, Object: "STOCK_TOKEN", Dest: "early.example", DLPType: "network", SignatureID: "leak.own-secret", Phase: "init"})
	l.Fold(3, func(name string) bool { return name == "cdn.example" })

	text := l.Write(true, false)
	p, err := policy.Parse([]byte(text))
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	p.Region = "eu-west-1"
	if p.Mode != policy.Enforce || !p.InspectTLS || p.SecretHost("STOCK_TOKEN", "stock.example") {
		t.Errorf("mode %v, inspects %v, STOCK_TOKEN may go %v", p.Mode, p.InspectTLS, p.SecretHost("STOCK_TOKEN", "stock.example"))
	}
	for _, c := range connections { // what was learned is allowed
		replayed(t, p, seen(c), true)
	}
	for _, c := range []string{
		"evil.test:443 invoke", "webhook.site:443 invoke", "api.example:8443 invoke", "db.internal.example:5432 init", "theirs.s3.eu-west-1.amazonaws.com:443 invoke",
		"api.example:443 invoke DELETE https://api.example/v1/orders", "api.example:443 invoke GET https://api.example/admin/x",
		"api.github.com:443 invoke GET https://api.github.com/repos/evil/shop/contents", "cdn.example:443 invoke",
		"s3.eu-west-1.amazonaws.com:443 invoke GET https://s3.eu-west-1.amazonaws.com/theirs/x",
	} {
		replayed(t, p, seen(c), false)
	}
	if again := l.Write(true, false); again != text {
		t.Error("two times the same records, two policies")
	}
	if p, err := policy.Parse([]byte(l.Write(false, true))); err != nil || p.Mode != policy.Monitor || !p.SecretHost("STOCK_TOKEN", "stock.example") || p.SecretHost("STOCK_TOKEN", "early.example") {
		t.Errorf("with pairs: %v", err)
	}
	skipped := strings.Join(l.Skipped(), "\n")
	for _, want := range []string{"evil.test", "webhook.site", "early.example"} {
		if !strings.Contains(skipped, want) {
			t.Errorf("%s is not among what was left out:\n%s", want, skipped)
		}
	}
}

// What a record says was asked for by the function, which may be somebody else's by now:
// no word of it opens more than the one host, or writes into the policy.
func TestLearnIsNotTaught(t *testing.T) {
	var l policy.Learned
	l.Add(seen("good.example:443 invoke"))
	for _, dest := range []string{
		"*", "*.com", "0.0.0.0/0", "10.0.0.1/32", "aws:self", "aws:s3/theirs", "github:theirs", "x.example\n    - allow: \"*\"", "x.example # \"", "a b", "höst.example", "\x1b[2J", "..",
	} {
		r := seen("x:443 invoke")
		r.Dest = dest
		l.Add(r)
	}
	for _, spoil := range []func(*record.Record){
		func(r *record.Record) { r.DestPort = 0 }, func(r *record.Record) { r.DestPort = 1 << 20 }, func(r *record.Record) { r.Phase = "invoke]\n" },
		func(r *record.Record) { r.Requests[0].Method = "GET]\n    - allow: \"*\"\n#" },
		func(r *record.Record) {
			r.Dest, r.Requests[0].URL = "s3.eu-west-1.amazonaws.com", "https://s3.eu-west-1.amazonaws.com/a*"
		},
		func(r *record.Record) {
			r.Dest, r.Requests[0].URL = "s3.eu-west-1.amazonaws.com", "https://s3.eu-west-1.amazonaws.com/%2a"
		},
	} {
		r := seen("spoilt.example:443 invoke GET https://spoilt.example/")
		spoil(r)
		l.Add(r)
	}
	r := seen("good.example:443 invoke")
	r.FunctionVersion = "1\n    - allow: \"*\"\n#"
	l.Add(r)
	l.Add(&record.Record{Kind: record.Leak, Object: "A: []\nmode: monitor\n#", Dest: "good.example", DLPType: "network", SignatureID: "leak.own-secret", Phase: "invoke"})
	if got := l.Hosts(); len(got) != 1 || got[0] != "good.example" {
		t.Errorf("learned %q", got)
	}
	text := l.Write(true, false)
	p, err := policy.Parse([]byte(text))
	if err != nil || p.Mode != policy.Enforce {
		t.Fatalf("%v\n%s", err, text)
	}
	for _, host := range []string{"x.example", "evil.example", "10.0.0.1"} {
		replayed(t, p, seen(host+":443 invoke"), false)
	}
	if n := len(l.Skipped()); n < 13 {
		t.Errorf("%d reasons: %q", n, l.Skipped())
	}
}

func TestFoldLeavesWhatManyShare(t *testing.T) {
	for _, tt := range []struct {
		name, want string
		shared     bool
	}{
		{"cdn.example", "*.cdn.example", false},
		{"execute-api.eu-west-1.amazonaws.com", "", true},
		{"webhook.site", "", false},
	} {
		var l policy.Learned
		for _, label := range []string{"a", "b", "c"} {
			l.Add(seen(label + "." + tt.name + ":443 invoke"))
		}
		l.Fold(3, func(string) bool { return tt.shared })
		if got := strings.Join(l.Hosts(), " "); strings.Contains(got, "*") != (tt.want != "") || tt.want != "" && got != tt.want {
			t.Errorf("%s: %s", tt.name, got)
		}
	}
}

// replayed holds a connection to p as egress does: at its beginning, and each request.
func replayed(t *testing.T, p *policy.Policy, r *record.Record, want bool) {
	t.Helper()
	to := detect.Target{Host: r.Dest, Port: r.DestPort, Decrypted: *r.Decrypted}
	d := p.Host(to, r.Phase, "")
	allowed := d.Allow || d.Undecided && to.Decrypted
	for _, q := range r.Requests {
		to.Method, to.Path = q.Method, strings.TrimPrefix(q.URL, "https://"+r.Dest)
		allowed = allowed && p.Host(to, r.Phase, "").Allow
	}
	if allowed != want {
		t.Errorf("%s:%d %s %v: allowed %v", r.Dest, r.DestPort, r.Phase, r.Requests, allowed)
	}
}

func TestDiff(t *testing.T) {
	parse := func(text string) *policy.Policy {
		p, err := policy.Parse([]byte("version: 1\n" + text))
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	const base = "mode: enforce\negress: {default: deny, rules: [{allow: a.test, ports: [443, 8443]}, {deny: evil.test}]}\nsecrets: {hosts: {A: a.test}, watch: B}\n"
	for _, tt := range []struct {
		name, now string
		want      string // "+" for each wider change and "-" for each other, with a word of it
	}{
		{"the same", base, ""},
		{"in other words", "mode: enforce\negress:\n  default: deny\n  rules:\n  - deny: evil.test\n  - {allow: A.TEST., ports: [8443, 443]}\nsecrets: {hosts: {A: [a.test]}, watch: [B]}\n", ""},
		{"a new host", strings.Replace(base, "rules: [", "rules: [{allow: b.test}, ", 1), "+new host since the last deploy: b.test"},
		{"a port more", strings.Replace(base, "[443, 8443]", "[443, 8443, 22]", 1), "+a.test: ports"},
		{"a port less", strings.Replace(base, "[443, 8443]", "443", 1), "-a.test: ports 443; was"},
		{"a path of it", strings.Replace(base, "[443, 8443]", "[443, 8443], paths: /v1/*", 1), "-a.test: ports"},
		{"a phase of it", strings.Replace(base, "[443, 8443]", "[443, 8443], phases: invoke", 1), "-a.test: ports"},
		{"two rules in place of one", strings.Replace(base, "{allow: a.test, ports: [443, 8443]}", "{allow: a.test, ports: 443}, {allow: a.test, ports: 8443}", 1), "-a.test: ports"},
		{"all below it", strings.Replace(base, "allow: a.test", "allow: [a.test, '*.a.test']", 1), "+new host since the last deploy: *.a.test"},
		{"denied more widely", strings.Replace(base, "deny: evil.test", "deny: [evil.test, '*.evil.test']", 1), "-now denied: *.evil.test"},
		{"a host less", strings.Replace(base, "{allow: a.test, ports: [443, 8443]}, ", "", 1), "-host no longer allowed: a.test"},
		{"a deny less", strings.Replace(base, ", {deny: evil.test}", "", 1), "-no longer denied as it was: evil.test"},
		{"allow by default", strings.Replace(base, "default: deny", "default: allow", 1), "+egress.default"},
		{"monitor", strings.Replace(base, "enforce", "monitor", 1), "+mode: monitor, was enforce"},
		{"a pair more", strings.Replace(base, "{A: a.test}", "{A: [a.test, b.test]}", 1), "+A may go to b.test"},
		{"a secret ignored", strings.Replace(base, "watch: B", "ignore: B", 1), "+secret B: ignored"},
		{"an exception", base + "events: {exceptions: [{rule: sqli.tautology, path: q, reason: a, until: 2026-12-31}]}\n", "+exception sqli.tautology@q until 2027-01-01"},
		{"stricter", base + "responses: {action: refuse}\n", "-responses.action: refuse"},
		{"no lines", base + "records: {logs: false}\n", "+records.logs: false, was true"},
		{"fewer lines", base + "records: {level: warn}\n", "+records.level: warn, was none"},
		{"some lines", base + "records: {sample: 0.5}\n", "+records.sample: 0.5, was 1"},
		{"no events", base + "records: {event: none}\n", "+records.event none: true, was false"},
		{"no masks", base + "records: {masks: {defaults: false}}\n", "+records.masks.defaults: false, was true"},
		{"a mask", base + "records: {masks: {paths: a.iban}}\n", "-records: the path \"a.iban\" is masked"},
		{"a tenant", strings.Replace(base, "rules: [", "rules: [{allow: 'github:acme'}, ", 1), "+new host since the last deploy: github:acme"},
	} {
		var got []string
		for _, c := range policy.Diff(parse(base), parse(tt.now)) {
			got = append(got, map[bool]string{true: "+", false: "-"}[c.Wider]+c.What)
		}
		if text := strings.Join(got, "\n"); !strings.HasPrefix(text, tt.want) || (text == "") != (tt.want == "") || len(got) > 1 {
			t.Errorf("%s: %q, want %q", tt.name, text, tt.want)
		}
	}
}

// A change is wider only where more can be reached, whatever the words.
func TestDiffGoesByMeaning(t *testing.T) {
	const deny, allow = "egress: {default: deny, rules: [", "egress: {default: allow, rules: ["
	for _, tt := range []struct {
		name, old, now string
		wider          bool
	}{
		{"a source's attacks delivered", "", "events: {refuse: {sns: deliver}}", true},
		{"a source's attacks refused again", "events: {refuse: {sns: deliver}}", "", false},
		{"SnapStart not inspected", "egress: {inspect: {tls: true, snapstart: true}}", "egress: {inspect: {tls: true}}", true},
		{"another port of the machine", "egress: {hosts: {a.test: '127.0.0.1:80'}}", "egress: {hosts: {a.test: '127.0.0.1:81'}}", true},
		{"no machine any more", "egress: {hosts: {a.test: '127.0.0.1:80'}}", "", true},
		{"one of many names", deny + "{allow: '*.a.test'}]}", deny + "{allow: x.a.test}]}", false},
		{"many for one", deny + "{allow: x.a.test}]}", deny + "{allow: '*.a.test'}]}", true},
		{"a suffix is not its own host", deny + "{allow: '*.a.test'}]}", deny + "{allow: a.test}]}", true},
		{"what was learned, of everything", "egress: {default: allow}", deny + "{allow: a.test}]}", false},
		{"a request bin, where all else was allowed", "egress: {default: allow}", deny + "{allow: webhook.site}]}", true},
		{"what a request bin is below", "egress: {default: allow}", deny + "{allow: '*.site'}]}", true},
		{"everything, the lists as well", "egress: {default: allow}", allow + "{allow: '*'}]}", true},
		{"a path below", deny + "{allow: a.test, paths: /v1/*}]}", deny + "{allow: a.test, paths: [/v1/a, /v1/b/*]}]}", false},
		{"a path beside", deny + "{allow: a.test, paths: /v1/*}]}", deny + "{allow: a.test, paths: /v*}]}", true},
		{"any path", deny + "{allow: a.test, paths: /v1/*}]}", deny + "{allow: a.test}]}", true},
		{"a method more", deny + "{allow: a.test, methods: GET}]}", deny + "{allow: a.test, methods: [GET, PUT]}]}", true},
		{"ports of a range", deny + "{allow: a.test, ports: 1-1024}]}", deny + "{allow: a.test, ports: [22, 80-443]}]}", false},
		{"all phases in words", deny + "{allow: a.test, phases: [init, invoke, after_response, shutdown]}]}", deny + "{allow: a.test}]}", false},
		{"a part of a block", deny + "{allow: 10.0.0.0/8}]}", deny + "{allow: 10.1.2.3}]}", false},
		{"a block round it", deny + "{allow: 10.1.0.0/16}]}", deny + "{allow: 10.0.0.0/8}]}", true},
		{"a bucket of many", deny + "{allow: 'aws:s3/orders*'}]}", deny + "{allow: 'aws:s3/orders-eu'}]}", false},
		{"buckets of one", deny + "{allow: 'aws:s3/orders'}]}", deny + "{allow: 'aws:s3/orders*'}]}", true},
		{"a webhook of a workspace", deny + "{allow: 'slack:t0123'}]}", deny + "{allow: 'slack:t0123/b1'}]}", false},
		{"another workspace's", deny + "{allow: 'slack:t012'}]}", deny + "{allow: 'slack:t0123/b1'}]}", true},
		{"denied on all ports", allow + "{deny: e.test, ports: 443}]}", allow + "{deny: e.test}]}", false},
		{"denied on one port", allow + "{deny: e.test}]}", allow + "{deny: e.test, ports: 443}]}", true},
		{"denied by default, and out of reach", allow + "{deny: e.test}]}", deny + "{allow: a.test}]}", false},
		{"denied no more, and in reach of an allow", deny + "{deny: x.a.test}, {allow: '*.a.test'}]}", deny + "{allow: '*.a.test'}]}", true},
		{"a block denied no more, which a name may resolve to", deny + "{deny: 10.0.0.0/8}, {allow: a.test}]}", deny + "{allow: a.test}]}", true},
		{"less in init", "egress: {default: allow}", "egress: {init: deny}", false},
		{"more in init", "egress: {init: deny}", "egress: {init: allow}", true},
		{"less than in init", "egress: {init: deny}", "egress: {default: deny}", false},
		{"more than nothing", "egress: {default: deny}", "egress: {init: deny}", true},
		{"a host in init", "egress: {init: deny}", "egress: {init: deny, rules: [{allow: a.test}]}", true},
		{"a host, but not in init", "egress: {init: deny}", "egress: {init: deny, rules: [{allow: a.test, phases: invoke}]}", false},
		{"a host in init no more", "egress: {init: deny, rules: [{allow: a.test}]}", "egress: {init: deny}", false},
		{"a secret's host of many", "secrets: {hosts: {A: '*.a.test'}}", "secrets: {hosts: {A: x.a.test}}", false},
		{"a secret's hosts in place of one", "secrets: {hosts: {A: x.a.test}}", "secrets: {hosts: {A: '*.a.test'}}", true},
		{"an exception that ends earlier", "events: {exceptions: [{rule: sqli.union, path: q, reason: a}]}", "events: {exceptions: [{rule: sqli.union, path: q, reason: a, until: 2026-12-31}]}", false},
		{"an exception that ends later", "events: {exceptions: [{rule: sqli.union, path: q, reason: a, until: 2026-12-31}]}", "events: {exceptions: [{rule: sqli.union, path: q, reason: a, until: 2027-01-31}]}", true},
	} {
		var both [2]*policy.Policy
		for i, text := range []string{tt.old, tt.now} {
			p, err := policy.Parse([]byte("version: 1\n" + text + "\n"))
			if err != nil {
				t.Fatalf("%s: %v", tt.name, err)
			}
			both[i] = p
		}
		list, wider := policy.Diff(both[0], both[1]), false
		for _, c := range list {
			wider = wider || c.Wider
		}
		if wider != tt.wider || len(list) == 0 && tt.name != "all phases in words" {
			t.Errorf("%s: wider %v: %v", tt.name, wider, list)
		}
	}
}

func TestWarnings(t *testing.T) {
	now := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	for _, tt := range []struct{ text, want string }{
		{"egress: {default: deny, rules: [{allow: a.test}]}", ""},
		{"egress: {rules: [{allow: a.test}]}", "the allow rules refuse nothing"},
		{"egress: {default: deny, rules: [{allow: a.b.test}, {deny: '*.test'}]}", "never holds"},
		{"egress: {default: deny, rules: [{allow: a.test, paths: /v1/*}]}", "TLS is not inspected"},
		{"egress: {default: deny, inspect: {tls: true}, rules: [{allow: a.test, paths: /v1/*}]}", ""},
		{"egress: {default: deny, rules: [{allow: 'github:acme'}]}", "TLS is not inspected"},
		{"events: {exceptions: [{rule: sqli.tautology, path: q, reason: a, until: 2026-01-01}]}", "has expired"},
		{"events: {exceptions: [{rule: sqli.tautologie, path: q, reason: a}]}", "the nearest is sqli.tautology"},
	} {
		p, err := policy.Parse([]byte("version: 1\n" + tt.text))
		if err != nil {
			t.Fatal(err)
		}
		got := strings.Join(p.Warnings(now, []string{"sqli.tautology", "xss.script"}), "\n")
		if !strings.Contains(got, tt.want) || (got == "") != (tt.want == "") {
			t.Errorf("%s: %q, want %q", tt.text, got, tt.want)
		}
	}
}

// TestLearnBypass: where some hosts were inspected, those that were not stay so.
func TestLearnBypass(t *testing.T) {
	yes, no := true, false
	var l policy.Learned
	l.Add(&record.Record{Kind: record.Connection, Dest: "pinned.example", DestPort: 443, TLSVersion: "1.3", Decrypted: &no, Time: time.Now(), Phase: "invoke"})
	l.Add(&record.Record{
		Kind: record.Connection, Dest: "api.example", DestPort: 443, TLSVersion: "1.3", Decrypted: &yes, Time: time.Now(), Phase: "invoke",
		Requests: []record.Hop{{Method: "GET", URL: "https://api.example/v1/x"}},
	})
	text := l.Write(true, false)
	p, err := policy.Parse([]byte(text))
	if err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	if !p.InspectTLS || !p.Bypass("pinned.example") || p.Bypass("api.example") {
		t.Errorf("it says\n%s", text)
	}
}
