package main

import (
	"bytes"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"go.uber.org/zap"

	"gatehouse/internal/emulator"
	"gatehouse/internal/policy"
	"gatehouse/internal/record"
)

// A sandbox that came out of a snapshot is another one, once, and stays the same over
// a reset. What its function's clients have read, the CA, stays as it was.
func TestRestored(t *testing.T) {
	yes := true
	cfg := config{RunDir: filepath.Join(t.TempDir(), "run"), InspectTLS: &yes, Env: map[string]string{}}
	x := newExtension(cfg, zap.NewNop())
	folder, err := openRunFolder(cfg.RunDir)
	if err != nil {
		t.Fatal(err)
	}
	x.folder = folder
	before, _ := x.identity()
	ca, err := x.egress.CA()
	if err != nil {
		t.Fatal(err)
	}
	pem := ca.PEM()
	x.restored()
	after, generation := x.identity()
	if after == before || generation != 1 {
		t.Errorf("restored as %s, generation %d, out of %s", after, generation, before)
	}
	x.restored() // the relay says it, and telemetry
	if again, _ := x.identity(); again != after {
		t.Errorf("renewed twice: %s, %s", after, again)
	}
	if id, generation, err := folder.sandbox(); id != after || generation != 2 || err != nil {
		t.Errorf("after a reset: %s, generation %d, %v, want %s", id, generation, err, after)
	}
	if ca, err := x.egress.CA(); err != nil || !bytes.Equal(ca.PEM(), pem) {
		t.Error("another CA than the clients have read")
	}
}

// Under SnapStart TLS is inspected only where the policy says so for it.
func TestSnapStart(t *testing.T) {
	yes := true
	for _, tt := range []struct {
		text          string
		env           *bool
		snapstart, is bool
	}{
		{"egress: {inspect: {tls: true}}\n", nil, false, true},
		{"egress: {inspect: {tls: true}}\n", nil, true, false},
		{"egress: {inspect: {tls: true, snapstart: true}}\n", nil, true, true},
		{"egress: {inspect: {snapstart: true}}\n", nil, true, false},
		{"\n", &yes, true, false},
		{"\n", &yes, false, true},
		{"egress: {inspect: {snapstart: true}}\n", &yes, true, true},
	} {
		said := 0
		l := lazyPolicy{
			cfg:     &config{SnapStart: tt.snapstart, InspectTLS: tt.env, PolicyPath: policyFile(t, tt.text)["GATEHOUSE_POLICY"]},
			degrade: func(string, error) { said++ },
		}
		if got := l.inspectsTLS(); got != tt.is {
			t.Errorf("%q, %v, snapstart %v: the wrapper is told %v", tt.text, tt.env != nil, tt.snapstart, got)
		}
		if got := l.get().InspectTLS; got != tt.is {
			t.Errorf("%q, %v, snapstart %v: inspected %v", tt.text, tt.env != nil, tt.snapstart, got)
		}
		if wanted := tt.env != nil || policyWants(t, tt.text); (said > 0) != (wanted && !tt.is) {
			t.Errorf("%q, %v, snapstart %v: said %d times", tt.text, tt.env != nil, tt.snapstart, said)
		}
	}
}

func policyWants(t *testing.T, text string) bool {
	t.Helper()
	p, err := policy.Parse([]byte("version: 1\n" + text))
	if err != nil {
		t.Fatal(err)
	}
	return p.InspectTLS
}

// Telemetry tells of the restore where the relay does not see it: the records that
// follow are another sandbox's.
func TestRestoreIsTold(t *testing.T) {
	g := start(t, "echo", setup{attach: wrapper, env: map[string]string{"AWS_LAMBDA_INITIALIZATION_TYPE": "snap-start"}, change: func(c *emulator.Config) { c.NoFreeze = true }})
	g.invoke(t, `{"n":1}`)
	eventually(t, "a record", func() bool { return g.kinds(record.Invocation) > 0 })
	body := []byte(`[{"time":"2026-01-01T00:00:00Z","type":"platform.restoreStart","record":{"functionName":"f"}}]`)
	res, err := http.Post("http://"+g.env["GATEHOUSE_TELEMETRY_ADDR"]+"/", "application/json", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	g.invoke(t, `{"n":2}`)
	eventually(t, "two records", func() bool { return g.kinds(record.Invocation) > 1 })
	list := g.records(t, record.Invocation)
	if first, last := list[0], list[len(list)-1]; first.SandboxID == last.SandboxID || last.Generation != 1 {
		t.Errorf("sandbox %s before, %s after, generation %d", first.SandboxID, last.SandboxID, last.Generation)
	}
}

// What is to become a snapshot keeps no records on disk, where each sandbox out of it
// would find them. Once it is restored it does, as the sandbox that it is then.
func TestASnapshotHasNoSpool(t *testing.T) {
	cfg := config{RunDir: filepath.Join(t.TempDir(), "run"), SnapStart: true, Env: map[string]string{}}
	x := newExtension(cfg, zap.NewNop())
	var err error
	if x.folder, err = openRunFolder(cfg.RunDir); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(x.pipeline.Close)
	x.pipeline.Add(&record.Record{Kind: record.Log})
	counters := filepath.Join(cfg.RunDir, "counters")
	if _, err := os.Stat(counters); err == nil {
		t.Error("there are counters in the snapshot")
	}
	x.restored()
	x.pipeline.Add(&record.Record{Kind: record.Log})
	id, _ := x.identity()
	text, err := os.ReadFile(counters)
	if err != nil || !bytes.Contains(text, []byte(id)) || x.pipeline.Made() != 2 {
		t.Errorf("counters of %s: %d bytes, %v; made %d", id, len(text), err, x.pipeline.Made())
	}
}
