package policy_test

import (
	"errors"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/detect"
	"gatehouse/internal/policy"
)

func parse(t *testing.T, text string) *policy.Policy {
	t.Helper()
	p, err := policy.Parse([]byte("version: 1\n" + text))
	if err != nil {
		t.Fatalf("Parse: %v", err)
	}
	return p
}

func TestParseReportsMistakes(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		{"", "line 1, column 1: version: missing; wants 1"},
		{"# nothing", "line 1, column 1: version: missing; wants 1"},
		{"mode: enforce", "line 1, column 1: version: missing; wants 1"},
		{"version: 2", "line 1, column 10: version: wants 1"},
		{"version: 1\nmodus: enforce", `line 2, column 1: unknown key "modus"; the nearest is "mode"`},
		{"version: 1\nmode: enfroce", `line 2, column 7: mode: wants monitor or enforce, not "enfroce"`},
		{"version: 1\nmode: [enforce]", `line 2, column 7: mode: wants monitor or enforce`},
		{"version: 1\nmode: enforce\nmode: monitor", `line 3, column 1: key "mode" is given twice, first on line 2`},
		{"version: 1\n---\nversion: 1", "a second document; a policy is one"},
		{"- version", "line 1, column 1: wants keys and values"},
		{"version: 1\nmode: \xff", "line 2, column 7: not UTF-8"},
		{"version: 1\n# \x07", "line 2, column 3: control character U+0007"},
		{"version: 1\negress: {default: deny", "line "},
		{"version: &v 1\nmode: *v", "line 2, column 7: aliases are not supported; write the value again"},
		{"version: 1\negress: {default: refuse}", `line 2, column 19: egress.default: wants allow or deny, not "refuse"`},
		{"version: 1\negress:\n  rulez: []", `line 3, column 3: egress: unknown key "rulez"; the nearest is "rules"`},
		{"version: 1\negress: {inspect: {tls: yes}}", `egress.inspect.tls: wants true or false, not "yes"`},
		{"version: 1\negress: {hosts: {'*.test': 127.0.0.1}}", `egress.hosts: wants one host, not the pattern "*.test"`},
		{"version: 1\negress: {hosts: {a.test: b.test}}", "egress.hosts.a.test: wants an IP address, or one with a port"},
		{"version: 1\negress: {rules: [{ports: [443]}]}", "egress.rules[0]: wants either allow or deny"},
		{"version: 1\negress: {rules: [{allow: a.test, deny: b.test}]}", "egress.rules[0]: wants either allow or deny"},
		{"version: 1\negress: {rules: [{allow: }]}", "egress.rules[0].allow: is empty; leave it out or give a value"},
		{"version: 1\negress: {rules: [{allow: a.test, methods: []}]}", "egress.rules[0].methods: is empty; leave it out or give a value"},
		{"version: 1\negress: {rules: [{allow: 'https://a.test/'}]}", "egress.rules[0].allow: wants a host alone"},
		{"version: 1\negress: {rules: [{allow: 'a.test:443'}]}", "egress.rules[0].allow: wants a host alone"},
		{"version: 1\negress: {rules: [{allow: 'a.*.test'}]}", "egress.rules[0].allow: wants a host name, *.suffix"},
		{"version: 1\negress: {rules: [{allow: bücher.test}]}", "wants ASCII"},
		{"version: 1\negress: {rules: [{allow: 10.0.0}]}", "egress.rules[0].allow: wants a host name"},
		{"version: 1\negress: {rules: [{deny: a.test, ports: [0]}]}", "egress.rules[0].ports[0]: wants a port from 1 to 65535"},
		{"version: 1\negress: {rules: [{deny: a.test, ports: 90-80}]}", "egress.rules[0].ports: wants a port from 1 to 65535"},
		{"version: 1\negress: {rules: [{deny: a.test, paths: [v1]}]}", "egress.rules[0].paths[0]: wants a path that begins with /"},
		{"version: 1\negress: {rules: [{deny: a.test, paths: [/a/../b]}]}", "egress.rules[0].paths[0]: wants a path"},
		{"version: 1\negress: {rules: [{deny: a.test, phases: [start]}]}", `wants init, invoke, after_response or shutdown, not "start"`},
		{"version: 1\negress: {rules: {allow: a.test}}", "egress.rules: wants a list"},
		{"version: 1\negress: {rules: [{deny: a.test, methods: [G T]}]}", `egress.rules[0].methods[0]: wants an HTTP method, not "G T"`},
		{"version: 1\negress: {rules: [{deny: a.test, methods: [{}]}]}", "egress.rules[0].methods[0]: wants a value"},
		{"version: 1\negress: {rules: [{deny: a.test, sources: [SNS]}]}", "egress.rules[0].sources[0]: wants the name of an event source"},
		{"version: 1\negress: {rules: [{deny: " + strings.Repeat("a.", 127) + "test}]}", "wants a host name"},
		{"version: 1\n[a]: b", "line 2, column 1: wants a word as key"},
		{"version: 1\n" + strings.Repeat("mode", 40) + ": x", `unknown key "` + strings.Repeat("mode", 16) + "…"},
		{"version: 1\nsecrets: {hosts: {a-b: [a.test]}}", `secrets.hosts: wants the name of a secret: an environment variable, or secretsmanager:NAME, ssm:NAME, not "a-b"`},
		{"version: 1\nevents: {exceptions: [{rule: a.b, path: [a], reason: b}]}", "events.exceptions[0].path: wants a path as findings show it"},
		{"version: 1\nevents: {on_budget: fail}", `events.on_budget: wants open or closed, not "fail"`},
		{"version: 1\nevents: {refuse: {sns: retry}}", `events.refuse.sns: wants error, http, success, drop, deny, fail or deliver, not "retry"`},
		{"version: 1\nevents: {exceptions: [{rule: sqli.tautology}]}", "line 2, column 23: events.exceptions[0].path: missing"},
		{"version: 1\nevents: {exceptions: [{rule: sqli, path: a, reason: b}]}", `events.exceptions[0].rule: wants a rule id, such as sqli.tautology, not "sqli"`},
		{"version: 1\nevents: {exceptions: [{rule: a.b, path: 'a.b*', reason: b}]}", "events.exceptions[0].path: wants a path as findings show it"},
		{"version: 1\nevents: {exceptions: [{rule: a.b, path: 'a*', reason: b}]}", "events.exceptions[0].path: wants a path as findings show it"},
		{"version: 1\nevents: {exceptions: [{rule: a.b, path: '**', reason: b}]}", "events.exceptions[0].path: wants a path as findings show it"},
		{"version: 1\nevents: {exceptions: [{rule: a.b, path: 'a[*', reason: b}]}", "events.exceptions[0].path: wants a path as findings show it"},
		{"version: 1\nevents: {exceptions: [{rule: a.b, path: 'a[**]', reason: b}]}", "events.exceptions[0].path: wants a path as findings show it"},
		{"version: 1\nevents: {profile: strict}", `events.profile: wants block or detect, not "strict"`},
		{"version: 1\nevents: {exceptions: [{rule: a.b, path: a, reason: b, until: soon}]}", "events.exceptions[0].until: wants the last day on which it holds"},
		{"version: 1\nsecrets: {on_leak: stop}", `secrets.on_leak: wants monitor, block or halt, not "stop"`},
		{"version: 1\nresponses: {action: block}", `responses.action: wants monitor, mask or refuse, not "block"`},
		{"version: 1\negress: {event_data: {host: deny}}", `egress.event_data.host: wants allow, monitor or refuse, not "deny"`},
		{"version: 1\negress: {event_data: {hosts: ['a b']}}", "egress.event_data.hosts[0]: wants a host"},
		{"version: 1\nresponses: mask", "responses: wants keys and values"},
		{"version: 1\nsecrets: {watch: [A], ignore: [A]}", "secrets.ignore[0]: A is both watched and ignored"},
		{"version: 1\nsecrets: {watch: [a-b]}", "secrets.watch[0]: wants the name of a secret"},
		{"version: 1\nrecords: {level: loud}", `records.level: wants trace, debug, info, warn, error or fatal, not "loud"`},
		{"version: 1\nrecords: {sample: 10%}", `records.sample: wants a number from 0 to 1, the part of the invocations whose lines are sent, not "10%"`},
		{"version: 1\nrecords: {sample: .nan}", "records.sample: wants a number"},
		{"version: 1\nrecords: {event: half}", `records.event: wants whole or none, not "half"`},
		{"version: 1\nrecords: {masks: {paths: ['a..b']}}", "records.masks.paths[0]: wants a path, such as Records[*].body.iban"},
		{"version: 1\nrecords: {masks: {paths: ['**.']}}", "records.masks.paths[0]: wants a path"},
		{"version: 1\nrecords: {masks: {headers: ['a b']}}", "records.masks.headers[0]: wants the name of a header"},
		{"version: 1\nrecords: {masks: {patterns: ['(']}}", "records.masks.patterns[0]: "},
		{"version: 1\nrecords: {masks: {patterns: ['a*']}}", "records.masks.patterns[0]: wants a regular expression of at most 1024 bytes that matches something"},
		{"version: 1\nrecords: {masks: {headers: [" + strings.Repeat("a,", 65) + "]}}", "records.masks.headers: 65 are too many; there are at most 64"},
		{"version: 1\nsecrets: {hosts: {KEY: ['*']}}", "* would let the secret go anywhere"},
		{"version: 1\n" + strings.Repeat("#", policy.MaxBytes), "262155 bytes are too many; a policy has at most 262144"},
	} {
		_, err := policy.Parse([]byte(test.text))
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("Parse(%.80q) = %v, want %q", test.text, err, test.want)
		}
	}
}

func TestParseReportsAllMistakesAtOnce(t *testing.T) {
	_, err := policy.Parse([]byte("version: 3\nmode: off\negress:\n  default: maybe\n  rules:\n    - deny: 'a b'\n"))
	got := lines(err)
	want := []string{"1:10 version", "2:7 mode", "4:12 egress.default", "6:13 egress.rules[0].deny"}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("mistakes = %q, want %q", got, want)
	}
	_, err = policy.Parse([]byte("version: 1\nsecrets: {watch: [" + strings.Repeat("'-',", 300) + "]}"))
	if got := lines(err); len(got) != 101 || !strings.Contains(err.Error(), "and 200 more after this") {
		t.Errorf("300 mistakes give %d errors: %.200v", len(got), err)
	}
}

// lines shows each mistake as "line:column key".
func lines(err error) []string {
	var all []string
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range joined.Unwrap() {
			var one *policy.Error
			if errors.As(e, &one) {
				all = append(all, fmt.Sprintf("%d:%d %s", one.Line, one.Column, one.Key))
			}
		}
	}
	return all
}

func TestSettings(t *testing.T) {
	p := parse(t, `
mode: enforce
events: {profile: detect, on_budget: closed, refuse: {sns: error, direct: http}}
responses: {action: refuse}
egress: {private_addresses: deny, event_data: {host: refuse, request: monitor, hosts: ["*.partner.test"]}, inspect: {tls: true, bypass: [pinned.test, "*.db.test"]}}
secrets:
  on_leak: halt
  on_budget: closed
  watch: [GREETING]
  ignore: STAGE
  hosts: {STRIPE_KEY: [api.stripe.test], DB: ["10.0.0.0/8", "*.db.test"]}
`)
	if p.Mode != policy.Enforce || p.Profile != policy.ProfileDetect || p.OnLeak != policy.LeakHalt || !p.OnBudgetClosed || !p.UninspectedClosed || !p.DenyPrivate || !p.InspectTLS {
		t.Errorf("settings = %+v", p)
	}
	if len(p.Hash) != 12 || p.Hash == policy.Default().Hash {
		t.Errorf("Hash = %q", p.Hash)
	}
	for _, test := range []struct {
		what      string
		got, want any
	}{
		{"refusal of sns", p.Refusal("sns", detect.FormSuccess), detect.FormError},
		{"refusal of direct", p.Refusal("direct", detect.FormError), detect.FormHTTP},
		{"refusal of sqs", p.Refusal("sqs", detect.FormDrop), detect.FormDrop},
		{"bypass pinned.test", p.Bypass("pinned.test"), true},
		{"bypass A.DB.test.", p.Bypass("A.DB.test."), true},
		{"responses", p.Responses, policy.ResponseRefuse},
		{"a host from the event", p.HostFromEvent, policy.EventDataRefuse},
		{"data of the event", p.EventData, policy.EventDataMonitor},
		{"data for hooks.partner.test", p.EventDataHost("hooks.partner.test"), true},
		{"data for partner.test", p.EventDataHost("partner.test"), false},
		{"bypass db.test", p.Bypass("db.test"), false},
		{"STRIPE_KEY to its host", p.SecretHost("STRIPE_KEY", "api.stripe.test"), true},
		{"STRIPE_KEY to another", p.SecretHost("STRIPE_KEY", "api.stripe.test.evil.test"), false},
		{"DB by address", p.SecretHost("DB", "10.1.2.3"), true},
		{"DB by IPv4 in IPv6", p.SecretHost("DB", "[::ffff:10.1.2.3]"), true},
		{"another secret", p.SecretHost("OTHER", "api.stripe.test"), false},
	} {
		if test.got != test.want {
			t.Errorf("%s = %v, want %v", test.what, test.got, test.want)
		}
	}
	for name, want := range map[string][2]bool{"GREETING": {true, false}, "STAGE": {false, true}, "OTHER": {}} {
		if watch, ignore := p.WatchSecret(name); watch != want[0] || ignore != want[1] {
			t.Errorf("WatchSecret(%q) = %v, %v, want %v", name, watch, ignore, want)
		}
	}
}

func TestMap(t *testing.T) {
	p := parse(t, "egress: {hosts: {www.some.test: 127.0.0.1, Port.test.: '127.0.0.1:8443', six.test: '::1', six-port.test: '[::1]:99'}}")
	for _, test := range []struct {
		host, want string
		port       int
	}{
		{"www.some.test", "127.0.0.1:443", 443},
		{"WWW.some.test.", "127.0.0.1:80", 80},
		{"port.test", "127.0.0.1:8443", 443},
		{"six.test", "[::1]:443", 443},
		{"six-port.test", "[::1]:99", 443},
		{"some.test", "", 443},
	} {
		if got, ok := p.Map(test.host, test.port); got != test.want || ok != (test.want != "") {
			t.Errorf("Map(%q, %d) = %q, %v, want %q", test.host, test.port, got, ok, test.want)
		}
	}
}

func TestException(t *testing.T) {
	p := parse(t, `
events:
  exceptions:
    - {rule: sqli.tautology, path: "Records[*].Sns.Message", source: sns, until: 2027-01-31, reason: a search box}
    - {rule: sqli.union, path: "query", until: "2027-01-31T12:00:00Z", reason: reports}
    - {rule: sqli.union, path: "a[*][*].b[3]", reason: nested}
    - {rule: xss.tag, path: "headers.*", reason: a proxy of ours adds them}
    - {rule: xss.tag, path: "list[*].*.html", reason: written by our editors}
    - {rule: ssti.mustache, path: "*", reason: templates}
    - {rule: ssti.mustache, path: "*.*[*]", reason: templates}
`)
	day := time.Date(2027, 1, 31, 23, 59, 59, 0, time.UTC)
	sns := "sqli.tautology@Records[*].Sns.Message"
	for _, test := range []struct {
		rule, path, source string
		now                time.Time
		want               string
	}{
		{"sqli.tautology", "Records[0].Sns.Message", "sns", day, sns},
		{"sqli.tautology", "Records[17].Sns.Message", "sns", day, sns},
		{"sqli.tautology", "Records[17].Sns.Message", "sns", day.Add(time.Second), ""},
		{"sqli.tautology", "Records[0].Sns.Message", "sqs", day, ""},
		{"sqli.tautology", "Records[0].Sns.Subject", "sns", day, ""},
		{"sqli.tautology", "Records[].Sns.Message", "sns", day, ""},
		{"sqli.tautology", "Records[a].Sns.Message", "sns", day, ""},
		{"sqli.tautology", "Records[0].Sns.Message.more", "sns", day, ""},
		{"sqli.stacked", "Records[0].Sns.Message", "sns", day, ""},
		{"sqli.union", "query", "", day.Add(-13 * time.Hour), "sqli.union@query"},
		{"sqli.union", "query", "", day, ""},
		{"sqli.union", "a[1][22].b[3]", "direct", day.AddDate(50, 0, 0), "sqli.union@a[*][*].b[3]"},
		{"sqli.union", "a[1].b[3]", "direct", day, ""},
		{"xss.tag", "headers.via", "direct", day, "xss.tag@headers.*"},
		{"xss.tag", `headers["x-a.b[\"]"]`, "direct", day, "xss.tag@headers.*"},
		{"xss.tag", "headers", "direct", day, ""},
		{"xss.tag", "headers.", "direct", day, ""},
		{"xss.tag", "headers.via.more", "direct", day, ""},
		{"xss.tag", "headers[0]", "direct", day, ""},
		{"xss.tag", `headers["open`, "direct", day, ""},
		{"xss.tag", "headers['via']", "direct", day, ""},
		{"xss.tag", "headers.via…", "direct", day, ""},
		{"xss.tag", `headers["via"]…`, "direct", day, ""},
		{"xss.tag", `headers["…"]`, "direct", day, "xss.tag@headers.*"},
		{"xss.tag", "headersvia", "direct", day, ""},
		{"xss.tag", "list[3].a.html", "direct", day, "xss.tag@list[*].*.html"},
		{"xss.tag", `list[3]["a b"].html`, "direct", day, "xss.tag@list[*].*.html"},
		{"xss.tag", "list[3].a.b.html", "direct", day, ""},
		{"ssti.mustache", "a", "direct", day, "ssti.mustache@*"},
		{"ssti.mustache", `["a b"]`, "direct", day, "ssti.mustache@*"},
		{"ssti.mustache", "a.b", "direct", day, ""},
		{"ssti.mustache", "", "direct", day, ""},
		{"ssti.mustache", "a.b[2]", "direct", day, "ssti.mustache@*.*[*]"},
		{"ssti.mustache", `["a"]["b"][2]`, "direct", day, "ssti.mustache@*.*[*]"},
	} {
		if got := p.Exception(test.rule, test.path, test.source, test.now); got != test.want {
			t.Errorf("Exception(%q, %q, %q, %v) = %q, want %q", test.rule, test.path, test.source, test.now, got, test.want)
		}
	}
}

func TestExpired(t *testing.T) {
	p := parse(t, `
events:
  exceptions:
    - {rule: a.b, path: one, until: 2027-01-31, reason: r}
    - {rule: a.b, path: two, until: "2027-01-31T12:00:00Z", reason: r}
    - {rule: a.b, path: three, reason: no end}
`)
	at := func(text string) time.Time {
		when, err := time.Parse(time.RFC3339, text)
		if err != nil {
			t.Fatal(err)
		}
		return when
	}
	noon, midnight := at("2027-01-31T12:00:00Z"), at("2027-02-01T00:00:00Z")
	for _, test := range []struct {
		since, now time.Time
		want       string
	}{
		{time.Time{}, noon.Add(-1), "[]"},
		{time.Time{}, noon, "[a.b@two]"},
		{time.Time{}, midnight, "[a.b@one a.b@two]"},
		{noon.Add(-1), noon, "[a.b@two]"},
		{noon, midnight, "[a.b@one]"},
		{midnight, midnight.AddDate(9, 0, 0), "[]"},
	} {
		if got := fmt.Sprint(p.Expired(test.since, test.now)); got != test.want {
			t.Errorf("Expired(%v, %v) = %s, want %s", test.since, test.now, got, test.want)
		}
	}
}

// The policy that ships must be what holds without one.
func TestShippedPolicyIsTheDefault(t *testing.T) {
	text, err := os.ReadFile("../../layer/gatehouse/policy.yaml")
	if err != nil {
		t.Fatal(err)
	}
	shipped, err := policy.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	shipped.Hash = policy.Default().Hash
	if want := policy.Default(); !reflect.DeepEqual(shipped, want) {
		t.Errorf("shipped policy = %+v, want %+v", shipped, want)
	}
}

// Every example in the documentation and every line that the shipped policy
// suggests must be accepted.
func TestDocumentedPoliciesParse(t *testing.T) {
	text, err := os.ReadFile("../../docs/policy.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := strings.Split(string(text), "```yaml\n")[1:]
	if len(blocks) == 0 {
		t.Error("no example in docs/policy.md")
	}
	for _, block := range blocks {
		example, _, _ := strings.Cut(block, "```")
		if _, err := policy.Parse([]byte(example)); err != nil {
			t.Errorf("%v in\n%s", err, example)
		}
	}
	shipped, err := os.ReadFile("../../layer/gatehouse/policy.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := policy.Parse([]byte(strings.ReplaceAll(string(shipped), "#~ ", ""))); err != nil {
		t.Errorf("with every suggestion taken: %v", err)
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"version: 1\nmode: enforce\n", "version: 1\negress: {default: deny, rules: [{allow: '*.test', ports: 1-2, methods: GET, paths: /a*}]}",
		"version: 1\nevents: {exceptions: [{rule: a.b, path: 'a[*]', until: 2027-01-31, reason: c}]}", "a: [", "? [a]\n: b", "&a [*a]",
		"version: 1\nsecrets: {hosts: {A: [10.0.0.0/8]}}", "\ufeffversion: 1", "version: 1\n<<: {mode: enforce}", "!!map {}",
		"version: 1\negress: {builtin_lists: {tier1: allow, tier2: refuse}, lookalikes: refuse, rules: [{allow: ['aws:self', 'aws:s3/a*', 'aws:s3:123456789012']}, {deny: ['github:a', 'slack:t/b', 'discord:1']}]}",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		p, err := policy.Parse(text)
		if (p == nil) == (err == nil) {
			t.Fatalf("Parse = %v, %v", p, err)
		}
		if err != nil && !strings.HasPrefix(err.Error(), "line ") {
			t.Fatalf("error without a place: %v", err)
		}
		if p != nil {
			p.Host(detect.Target{Host: "a.test", Port: 443, Path: string(text)}, "invoke", "sns")
			p.Exception("a.b", string(text), "", time.Time{})
		}
	})
}

func TestParseKnowsTheSources(t *testing.T) {
	sources := []detect.Source{
		{Name: "sqs", Form: detect.FormDrop, Others: []detect.Form{detect.FormFail, detect.FormError}},
		{Name: "sns", Form: detect.FormSuccess, Others: []detect.Form{detect.FormSuccess, detect.FormError}},
	}
	for _, tt := range []struct{ text, want string }{
		{"events: {refuse: {sqs: fail, sns: error}}", ""},
		{"events: {refuse: {sqs: drop}}", ""},
		{"events: {refuse: {sqs: http}}", "line 2, column 24: events.refuse.sqs: sqs offers drop, fail, error, not http"},
		{"events: {refuse: {sns: drop}}", "events.refuse.sns: sns offers success, error, not drop"},
		{"events: {refuse: {sqss: drop}}", `line 2, column 19: events.refuse: wants the name of an event source, the nearest is "sqs", not "sqss"`},
		{"events: {exceptions: [{rule: a.b, path: x, source: snss, reason: r}]}", `events.exceptions[0].source: wants the name of an event source, the nearest is "sns", not "snss"`},
		{"egress: {rules: [{deny: a.test, sources: [sq]}]}", `sources[0]: wants the name of an event source, the nearest is "sqs", not "sq"`},
	} {
		_, err := policy.Parse([]byte("version: 1\n"+tt.text), sources...)
		if got := fmt.Sprint(err); tt.want == "" && err != nil || !strings.Contains(got, tt.want) {
			t.Errorf("%s: %v, want %s", tt.text, err, tt.want)
		}
	}
}
