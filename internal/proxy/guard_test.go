package proxy_test

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"gatehouse/internal/detect"
	"gatehouse/internal/policy"
	"gatehouse/internal/proxy"
	"gatehouse/internal/record"
)

type fixture struct {
	*proxy.Guard
	mu      sync.Mutex
	records []*record.Record
}

// newGuard makes a guard with a policy; text "" is the default policy.
func newGuard(t testing.TB, text string) *fixture {
	t.Helper()
	p := policy.Default()
	if text != "" {
		var err error
		if p, err = policy.Parse([]byte("version: 1\n" + text)); err != nil {
			t.Fatal(err)
		}
	}
	f := new(fixture)
	f.Guard = &proxy.Guard{
		Sandbox: new(proxy.Sandbox),
		Policy:  func() *policy.Policy { return p },
		Own:     []string{"127.0.0.1:18790", "169.254.7.7:18792"},
		Report: func(r *record.Record) {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.records = append(f.records, r)
		},
	}
	return f
}

func TestAddressGuard(t *testing.T) {
	const (
		allow   = ""
		enforce = "enforce only"
		always  = "always"
	)
	tests := []struct {
		host, ip string
		port     int
		mapped   bool
		refused  string
		rule     string
	}{
		{"api.example", "203.0.113.7", 443, false, allow, ""},
		{"api.example", "2001:db8::7", 443, false, allow, ""},
		{"db.internal.example", "10.0.0.7", 5432, false, allow, ""},
		{"localhost", "127.0.0.1", 8080, false, allow, ""},
		{"127.0.0.1", "127.0.0.1", 8080, false, allow, ""},
		{"mapped.test", "127.0.0.1", 8443, true, allow, ""},
		{"rebinding.example", "127.0.0.1", 8080, false, enforce, "egress.loopback-by-name"},
		{"rebinding.example", "::1", 8080, false, enforce, "egress.loopback-by-name"},
		{"rebinding.example", "::ffff:127.0.0.1", 8080, false, enforce, "egress.loopback-by-name"},
		{"127.0.0.1", "127.0.0.1", 18790, false, always, "egress.own-listener"},
		{"127.0.0.9", "127.0.0.9", 18790, false, always, "egress.own-listener"},
		{"0.0.0.0", "0.0.0.0", 18790, false, always, "egress.own-listener"},
		{"mapped.test", "127.0.0.1", 18790, true, always, "egress.own-listener"},
		{"x.example", "169.254.7.7", 18792, false, always, "egress.own-listener"},
		{"metadata", "169.254.169.254", 80, false, always, "egress.metadata-service"},
		{"metadata", "::ffff:169.254.169.254", 80, false, always, "egress.metadata-service"},
		{"metadata", "64:ff9b::a9fe:a9fe", 80, false, always, "egress.metadata-service"},
		{"metadata", "2002:a9fe:a9fe::1", 80, false, always, "egress.metadata-service"},
		{"metadata", "2001:0:53aa:64c::5601:5601", 80, false, always, "egress.metadata-service"}, // Teredo
		{"metadata", "2001:db8::5efe:a9fe:a9fe", 80, false, always, "egress.metadata-service"},   // ISATAP
		{"metadata", "2001:db8::200:5efe:a9fe:a9fe", 80, false, always, "egress.metadata-service"},
		{"metadata", "::169.254.169.254", 80, false, always, "egress.metadata-service"},
		{"metadata", "fd00:ec2::254", 80, false, always, "egress.metadata-service"},
		{"link", "fe80::1%eth0", 80, false, always, "egress.metadata-service"},
		{"any", "0.0.0.0", 80, false, always, "egress.bad-address"},
		{"any", "::", 80, false, always, "egress.bad-address"},
		{"many", "239.1.1.1", 80, false, always, "egress.bad-address"},
		{"many", "ff02::1", 80, false, always, "egress.bad-address"},
		{"all", "255.255.255.255", 80, false, always, "egress.bad-address"},
		{"what", "not an address", 80, false, always, "egress.bad-address"},
	}
	for _, mode := range []string{"monitor", "enforce"} {
		g := newGuard(t, "mode: "+mode)
		for _, tt := range tests {
			v := g.Decide(&detect.Observation{Kind: detect.KindAddress, Target: detect.Target{Host: tt.host, Port: tt.port, IP: tt.ip, Mapped: tt.mapped}})
			want := tt.refused == always || tt.refused == enforce && mode == "enforce"
			if v.Action.Blocks() != want || v.Rule != tt.rule || v.Would.Blocks() != (tt.refused != allow) {
				t.Errorf("%s: %s at %s:%d: %s by %q, would %s", mode, tt.host, tt.ip, tt.port, v.Action, v.Rule, v.Would)
			}
		}
	}
}

func TestPrivateAddressesAreDeniedOnRequest(t *testing.T) {
	g := newGuard(t, "mode: enforce\negress: {private_addresses: deny}")
	for ip, want := range map[string]bool{"10.1.2.3": true, "100.64.0.1": true, "fd12::1": true, "203.0.113.1": false} {
		v := g.Decide(&detect.Observation{Kind: detect.KindAddress, Target: detect.Target{Host: "h.example", Port: 443, IP: ip}})
		if v.Action.Blocks() != want {
			t.Errorf("%s: %s", ip, v.Action)
		}
	}
}

func TestServerName(t *testing.T) {
	const rules = `mode: enforce
egress:
  rules:
    - allow: cdn.example
    - deny: bad.example
`
	tests := []struct {
		host, sni string
		refused   bool
		rule      string
	}{
		{"api.example", "api.example", false, ""},
		{"api.example", "", false, ""},
		{"api.example", "other.example", true, "egress.sni-mismatch"},
		{"api.example", "cdn.example", false, "egress.rule"},
		{"api.example", "bad.example", true, "egress.rule"},
		{"203.0.113.7", "api.example", false, "egress.default"},
		{"203.0.113.7", "bad.example", true, "egress.rule"},
	}
	g := newGuard(t, rules)
	for _, tt := range tests {
		v := g.Decide(&detect.Observation{Kind: detect.KindClientHello, Target: detect.Target{Host: tt.host, Port: 443, SNI: tt.sni}})
		if v.Action.Blocks() != tt.refused || v.Rule != tt.rule {
			t.Errorf("CONNECT %s with SNI %q: %s by %q, want refused %v by %q", tt.host, tt.sni, v.Action, v.Rule, tt.refused, tt.rule)
		}
	}
}

func leakOf(g *fixture) proxy.Verdict {
	return g.Decide(&detect.Observation{
		Kind:    detect.KindLeak,
		Target:  detect.Target{Host: "www.some.test", Port: 443, SNI: "www.some.test", URL: "https://www.some.test/c?d={{DB:0}}"},
		Finding: &detect.Finding{RuleID: "leak.own-secret", Signature: "own secret", Path: "url", Object: "DB", Fingerprint: "0123456789ab"},
	})
}

func TestLeak(t *testing.T) {
	tests := []struct {
		mode, onLeak string
		managed      bool
		action       proxy.Action
		would        proxy.Action
		halted       string
	}{
		{"monitor", "halt", false, proxy.Allow, proxy.Halt, ""},
		{"enforce", "monitor", false, proxy.Allow, proxy.Allow, ""},
		{"enforce", "block", false, proxy.Cut, proxy.Cut, ""},
		{"enforce", "halt", false, proxy.Halt, proxy.Halt, "true"},
		{"enforce", "halt", true, proxy.Cut, proxy.Cut, "false"},
	}
	for _, tt := range tests {
		g := newGuard(t, "mode: "+tt.mode+"\nsecrets: {on_leak: "+tt.onLeak+"}")
		g.Sandbox.Concurrent = tt.managed
		halts := make(chan proxy.Verdict, 2)
		g.Halted = func(v proxy.Verdict) { halts <- v }
		v := leakOf(g)
		if v.Action != tt.action || v.Would != tt.would {
			t.Errorf("%+v: action %s, would %s", tt, v.Action, v.Would)
		}
		r := g.records[0]
		halted := ""
		if r.Halted != nil {
			halted = map[bool]string{true: "true", false: "false"}[*r.Halted]
		}
		if r.Kind != record.Leak || r.ID != v.Incident || r.Object != "DB" || r.SNI != "www.some.test" || halted != tt.halted {
			t.Errorf("%+v: record %+v", tt, r)
		}
		if tt.action == proxy.Halt {
			if got := <-halts; got.Incident != v.Incident {
				t.Errorf("halted with incident %q, want %q", got.Incident, v.Incident)
			}
			leakOf(g)
			if o := g.Decide(&detect.Observation{Kind: detect.KindConnect, Target: detect.Target{Host: "api.example", Port: 443}}); o.Rule != "egress.halted" {
				t.Errorf("after a halt a connection is %s by %q", o.Action, o.Rule)
			}
			select {
			case <-halts:
				t.Error("halted twice")
			default:
			}
		}
	}
}

func TestSandboxPairsByRequestID(t *testing.T) {
	s := new(proxy.Sandbox)
	s.Open(proxy.Invocation{RequestID: "a", Source: &detect.Source{Name: "sns"}})
	s.Open(proxy.Invocation{RequestID: "a", ARN: "arn", Deadline: time.Unix(1, 0)})
	open, phase := s.At()
	if len(open) != 1 || open[0].ARN != "arn" || open[0].Source.Name != "sns" || phase != proxy.Invoke {
		t.Fatalf("open %+v in phase %s", open, phase)
	}
	if _, ok := s.Close("a"); !ok {
		t.Error("a cannot be closed")
	}
	s.Open(proxy.Invocation{RequestID: "a"}) // INVOKE after the relay was done
	if open, _ := s.At(); len(open) != 0 {
		t.Error("what was closed opened again")
	}
}

func TestStampNamesOnlyWhatIsCertain(t *testing.T) {
	const id = "00112233aabbccdd"
	s := &proxy.Sandbox{Identity: func() (string, int) { return id, 3 }, Concurrent: true}
	s.Open(proxy.Invocation{RequestID: "a", ARN: "arn:a"})
	one := &record.Record{Kind: record.Connection}
	s.Stamp(one)
	s.Open(proxy.Invocation{RequestID: "b", ARN: "arn:b"})
	two := &record.Record{Kind: record.Connection}
	s.Stamp(two)
	if one.RequestID != "a" || one.FunctionARN != "arn:a" || one.SandboxID != id || one.Generation != 3 {
		t.Errorf("one open: %+v", one)
	}
	s.Stamp(one) // the pipeline stamps what egress has stamped already
	if one.RequestID != "a" || len(one.RequestIDs) != 0 {
		t.Errorf("stamped again: %+v", one)
	}
	if two.RequestID != "" || len(two.RequestIDs) != 2 {
		t.Errorf("two open: %q %q", two.RequestID, two.RequestIDs)
	}
}

func TestOpenedWaitsForAnInvocation(t *testing.T) {
	s := new(proxy.Sandbox)
	c := s.Opened()
	select {
	case <-c:
		t.Fatal("nothing is open")
	default:
	}
	s.Open(proxy.Invocation{RequestID: "a"})
	<-c
	<-s.Opened()
}

// A report or a line of an invocation that is over comes while the next one runs: it is
// that of the first, in the phase of its own time.
func TestStampOfWhatComesLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := new(proxy.Sandbox)
		s.Open(proxy.Invocation{RequestID: "a", ARN: "arn:a", TraceID: "trace-a", TenantID: "blue", Source: &detect.Source{Name: "sqs"}, Event: []byte("{}")})
		said := time.Now()
		time.Sleep(time.Second)
		s.Responded("a")
		time.Sleep(time.Second)
		s.Close("a")
		s.Begin(proxy.Invocation{RequestID: "b", ARN: "arn:b"})
		for _, tt := range []struct {
			name   string
			r      record.Record
			whose  string
			phase  proxy.Phase
			source string
		}{
			{"report", record.Record{Kind: record.Platform, RequestID: "a", Time: time.Now()}, "arn:a", proxy.AfterResponse, "sqs"},
			{"line", record.Record{Kind: record.Log, RequestID: "a", Time: said}, "arn:a", proxy.Invoke, ""},
			{"line after the answer", record.Record{Kind: record.Log, RequestID: "a", Time: said.Add(1500 * time.Millisecond)}, "arn:a", proxy.AfterResponse, ""},
			{"line without a time", record.Record{Kind: record.Log, RequestID: "a"}, "arn:a", proxy.Invoke, ""},
			{"line of the next", record.Record{Kind: record.Log, RequestID: "b", Time: said}, "arn:b", proxy.Invoke, ""},
			{"line of nobody's", record.Record{Kind: record.Log, RequestID: "c"}, "", proxy.Invoke, ""},
			{"connection", record.Record{Kind: record.Connection, RequestID: "a"}, "", proxy.Invoke, ""},
		} {
			r := tt.r
			s.Stamp(&r)
			if r.FunctionARN != tt.whose || r.Phase != string(tt.phase) || r.EventSource != tt.source || (r.TraceID == "trace-a") != (tt.whose == "arn:a") {
				t.Errorf("%s: %s, %s, %s, %s", tt.name, r.FunctionARN, r.TraceID, r.Phase, r.EventSource)
			}
		}
		s.Begin(proxy.Invocation{RequestID: "a", ARN: "arn:again"}) // Lambda tries again
		again := &record.Record{Kind: record.Log, RequestID: "a", Time: said}
		if s.Stamp(again); again.FunctionARN != "arn:again" {
			t.Errorf("the second try is %s", again.FunctionARN)
		}
	})
}
