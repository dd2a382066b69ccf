package main

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"gatehouse/internal/detect/attack"
	"gatehouse/internal/lambdaapi"
	"gatehouse/internal/proxy"
	"gatehouse/internal/proxy/egress"
	"gatehouse/internal/proxy/runtimeapi"
	"gatehouse/internal/record"
	"gatehouse/internal/telemetry"
	"gatehouse/internal/telemetry/hec"
	"gatehouse/internal/telemetry/receiver"
	"gatehouse/internal/telemetry/redact"
)

// errNotRelayed is the reason in the health record where events cannot be seen.
var errNotRelayed = errors.New("the runtime does not ask gatehouse for its events, so they are not inspected: set AWS_LAMBDA_EXEC_WRAPPER=/opt/gatehouse/wrapper")

// extension is the parts and what the loop knows.
type extension struct {
	cfg config
	log *zap.Logger
	// maskOwn replaces secrets in what is said elsewhere than in a log or a record.
	maskOwn func(string) string
	folder  runFolder
	bound   error // what could not be bound or written before register

	api      *lambdaapi.Client
	function atomic.Pointer[lambdaapi.Function] // nil before register
	invoked  bool                               // Lambda tells us of invocations

	telemetry     atomic.Bool // subscribed
	running       atomic.Bool // Lambda's telemetry has told of an invocation
	telemetryPort int
	taking        atomic.Int32 // batches of telemetry that are being taken in
	endings       endings

	sandbox  proxy.Sandbox
	policy   lazyPolicy
	token    tokenSource
	secrets  lazySecrets
	guard    proxy.Guard
	relay    runtimeapi.Relay
	egress   egress.Proxy
	pipeline telemetry.Pipeline
	receiver receiver.Receiver
	lines    lines
	hec      *hec.Client // nil: records go to stdout

	who         identity
	renewed     sync.Once
	awake       atomic.Bool // restored from a snapshot
	started     sync.Once
	watching    sync.Once
	healthSaid  bool
	told        losses
	expiredTold time.Time // up to when exceptions that ended were told
	bulky       bool      // memory is traded for CPU: see bulkRecords
	flushFailed bool
	rested      time.Time // when we had Lambda freeze us, by the wall clock; zero: we were awake since
	pace        pace
	ending      atomic.Bool                        // SHUTDOWN is there
	cut         atomic.Pointer[context.CancelFunc] // ends the flush that runs

	mu       sync.Mutex
	degraded []record.Degradation
}

// newExtension wires the parts. It binds nothing and parses nothing.
func newExtension(cfg config, log *zap.Logger) *extension {
	if cfg.TelemetryAddr == "" {
		_, port, _ := strings.Cut(defaultTelemetry, ":")
		cfg.TelemetryAddr = net.JoinHostPort(sandboxHost(), port)
	}
	x := &extension{cfg: cfg, log: log, folder: runFolder(cfg.RunDir)}
	x.policy = lazyPolicy{cfg: &x.cfg, degrade: x.degradeBy}
	x.token = tokenSource{cfg: &x.cfg}
	if arn := cfg.HECTokenARN; len(cfg.HECURLs) > 0 && arn != (tokenARN{}) {
		client := &awsClient{env: cfg.Env, runtimeAPI: cfg.RuntimeAPI, proxy: cfg.HECProxy, roots: func() *x509.CertPool { return x.egress.RootCAs() }}
		x.token.fetch = func(ctx context.Context) (string, error) { return client.token(ctx, arn) }
	}
	x.secrets = lazySecrets{cfg: &x.cfg, policy: x.policy.get, token: x.token.known, account: x.account, suspect: x.guard.Suspect, forgets: x.tellForgotten}
	x.sandbox.Concurrent, x.sandbox.Identity = cfg.Managed, x.identity
	x.pipeline = telemetry.Pipeline{
		Sink:   x.sink(),
		Last:   telemetry.Stdout{W: os.Stdout},
		Stamp:  x.stamp,
		Mask:   func(s string) string { return x.secrets.get().Mask(s) },
		Fields: x.fields,
		Spool:  x.spool,
	}
	x.pipeline.UrgentBytes = cfg.Flush.urgentBytes(cfg.Managed)
	x.pace.mode = cfg.Flush
	x.guard = proxy.Guard{
		Sandbox: &x.sandbox, Engine: new(attack.Engine), Detect: &attack.Engine{Profile: attack.Detect}, Value: attack.Value, Policy: x.policy.get, Scanner: x.secrets.scanner, Quiet: x.secrets.quiet, Follow: x.secrets.follow, Trim: x.secrets.trim, Packages: sync.OnceValue(packages), Answers: x.secrets.answers, Sweep: x.secrets.sweep, Marks: attack.Marks,
		Report: x.report, Halted: x.halt, FailClosed: cfg.OnErrorClosed,
		Own: []string{cfg.EgressAddr, cfg.RuntimeAPIAddr, cfg.TelemetryAddr},
	}
	x.relay = runtimeapi.Relay{Upstream: cfg.RuntimeAPI, Guard: &x.guard, Done: x.endings.end, Gone: x.gone, Restored: x.restored}
	x.degradeBy("proxy", cfg.CustomerProxy.Unknown)
	x.egress = egress.Proxy{
		Guard: &x.guard, RuntimeAPI: cfg.RuntimeAPI, Upstream: cfg.CustomerProxy.of,
		Off: func() bool { return x.cfg.Off }, RootCAs: sync.OnceValue(x.roots),
		CA: sync.OnceValues(egress.NewCA),
	}
	return x
}

// sink is where records go: Splunk, or the function's log.
func (x *extension) sink() telemetry.Sink {
	if len(x.cfg.HECURLs) == 0 {
		return telemetry.Stdout{W: os.Stdout}
	}
	x.hec = &hec.Client{
		URLs: x.cfg.HECURLs, Token: x.hecToken, Index: x.cfg.HECIndex, Agent: "gatehouse/" + version,
		CA: x.hecRoots, ServerName: x.cfg.HECServerName, Insecure: x.cfg.HECInsecure, Proxy: x.cfg.HECProxy, Ack: x.cfg.HECAck,
		Say: func(line string) { x.log.Warn("hec", zap.String("error", line)) },
	}
	if x.cfg.HECCert != "" && x.cfg.HECKey != "" {
		x.hec.Certificate = x.hecCertificate
	}
	if x.cfg.HECInsecure {
		x.degradeBy("hec", errInsecure)
	}
	return x.hec
}

// hecToken is the token for hec, which asks again when Splunk did not take the last:
// what it gets then is another secret to watch.
func (x *extension) hecToken(ctx context.Context) (string, error) {
	token, err := x.token.ask(ctx)
	if err == nil {
		x.secrets.watchToken(token)
	}
	return token, err
}

// errInsecure is the reason in the health record where Splunk is not verified.
var errInsecure = errors.New("GATEHOUSE_HEC_INSECURE is set: whoever is on the way to Splunk can read the token and the records, and change them; it is for trying out")

// hecCertificate reads the client's certificate for Splunk, which may be rotated.
func (x *extension) hecCertificate() (*tls.Certificate, error) {
	cert, err := tls.LoadX509KeyPair(x.cfg.HECCert, x.cfg.HECKey)
	if err != nil {
		return nil, fmt.Errorf("GATEHOUSE_HEC_CERT, GATEHOUSE_HEC_KEY: %w", err)
	}
	return &cert, nil
}

func (x *extension) closeIdleSink() {
	if x.hec != nil {
		x.hec.CloseIdle()
	}
}

func (x *extension) hecRoots() *x509.CertPool {
	if x.cfg.HECCA == "" {
		return nil
	}
	text, err := readCertificates("GATEHOUSE_HEC_CA", x.cfg.HECCA)
	x.degradeBy("hec", err)
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(text)
	return pool
}

func (x *extension) roots() *x509.CertPool {
	pool, err := upstreamRoots(&x.cfg)
	x.degradeBy("upstream_ca", err)
	return pool
}

// report takes a record from the guard, relay or egress. Where a connection was
// asked to go may hold a secret, in any case, and the log shows it, too.
func (x *extension) report(r *record.Record) {
	if r.Kind == record.Invocation {
		r.Lost, r.LeftOut = x.pipeline.Lost(), x.lines.leftOut.Load() // a sandbox may end without SHUTDOWN
	}
	if x.policy.get().Records.NoEvent {
		r.DropEvent()
	}
	if r.Dest != "" {
		x.secrets.maskTarget(r)
	}
	x.secrets.maskCuts(r)
	x.pipeline.Add(r)
	logBlocked(x.log, r)
}

// fields are the masks of the policy, of fields in records.
func (x *extension) fields() telemetry.Fields {
	m := x.policy.get().Records.Masks
	masks, err := redact.Compile(redact.Config{Defaults: m.Defaults, Paths: m.Paths, Headers: m.Headers, Patterns: m.Patterns})
	if err != nil { // the policy has looked at them
		x.degradeBy("policy", err)
		masks, _ = redact.Compile(redact.Config{Defaults: true})
	}
	return masks
}

// stamp says of r whose it is.
func (x *extension) stamp(r *record.Record) {
	x.sandbox.Stamp(r)
	r.FunctionName, r.FunctionVersion = x.cfg.FunctionName, x.cfg.FunctionVers
	if f := x.function.Load(); f != nil {
		r.AccountID = f.AccountID
	}
	r.Region = x.cfg.Region
	r.GatehouseVersion = version
	if p := x.policy.loaded(); p != nil {
		r.PolicyHash = p.Hash
	}
	if !r.Kind.Finding() {
		return
	}
	r.DVC = r.FunctionARN
	switch r.Kind {
	case record.Attack:
		r.Dest = r.FunctionName
	default:
		r.Src = r.FunctionName
	}
}

// account is the function's own, as Lambda said it; "" before.
func (x *extension) account() string {
	if f := x.function.Load(); f != nil {
		return f.AccountID
	}
	return ""
}

// tellWrapper writes the ready file, and what the wrapper points TLS clients at.
func (x *extension) tellWrapper() error {
	values := [][2]string{
		{"runtime_api", x.cfg.RuntimeAPIAddr},
		{"egress", x.cfg.EgressAddr},
		{"no_proxy", noProxy(x.cfg.RuntimeAPI)},
	}
	if x.policy.inspectsTLS() {
		if err := x.makeCA(); err != nil {
			return err
		}
		values = append(values, [2]string{"ca", x.folder.path("ca.pem")}, [2]string{"bundle", x.folder.path("bundle.pem")},
			[2]string{"truststore", x.trustStore()}, [2]string{"php", x.phpTrust()})
	}
	return x.folder.ready(values)
}

// makeCA makes this sandbox's authority and the bundles that clients are pointed
// at. The key stays in memory.
func (x *extension) makeCA() error {
	ca, err := x.egress.CA()
	if err != nil {
		return fmt.Errorf("making the CA: %w", err)
	}
	all, err := bundle(&x.cfg, ca.PEM())
	x.degradeBy("trust", err)
	if err := x.folder.write("bundle.pem", all); err != nil {
		return err
	}
	return x.folder.write("ca.pem", extraBundle(&x.cfg, ca.PEM()))
}

// noProxy are the hosts that clients reach directly: this machine, and the
// platform's own addresses. 169.254.169.254 is not among them, so that the
// address guard sees who asks for it.
func noProxy(runtimeAPI string) string {
	hosts := "localhost,127.0.0.1,::1,169.254.100.1,169.254.170.2,169.254.170.23,sandbox.localdomain,sandbox"
	if host, _, err := net.SplitHostPort(runtimeAPI); err == nil && !strings.Contains(hosts, host) {
		hosts += "," + host
	}
	return hosts
}

// fingerprintKey is what secrets are fingerprinted with: the customer's key, or
// one derived from the HEC token, so that fingerprints are equal across
// sandboxes. Without either it is this process's own.
func fingerprintKey(key, token string) []byte {
	switch {
	case key != "":
		return []byte(key)
	case token != "":
		sum := sha256.Sum256([]byte("gatehouse fingerprint\x00" + token))
		return sum[:]
	}
	return []byte(newSandboxID() + newSandboxID())
}
