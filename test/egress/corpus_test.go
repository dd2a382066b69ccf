// Package egress_test holds the layer to a corpus of thefts, over real sockets, TLS and
// processes. Each row first runs without the layer and must bring the whole secret.
package egress_test

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"gatehouse/internal/emulator"
	"gatehouse/test/egress/corpus"
)

const (
	// enough is how many different bytes of a secret may not arrive, and half of it.
	enough = 12
	// maxRun is how long a piece of it may not arrive in one request.
	maxRun = 8
)

// floor is how many rows of a hundred have to go as expected.
const floor = 99

// misses are the rows that get through, each with its reason: "name: reason". One that
// does not get through any more has no business there, and fails the test.
func misses(t *testing.T) map[string]string {
	t.Helper()
	text, err := os.ReadFile("testdata/misses.txt")
	if err != nil {
		t.Fatal(err)
	}
	list := map[string]string{}
	for line := range strings.Lines(string(text)) {
		i := strings.LastIndex(line, ": ")
		if i < 0 {
			t.Fatalf("no reason: %q", line)
		}
		list[line[:i]] = strings.TrimSpace(line[i+2:])
	}
	return list
}

// secrets are what the function has: for each row of its own a token.
func secrets(rows []corpus.Row) map[string]string {
	dice := rand.New(rand.NewPCG(7, 11))
	token := func(prefix string, n int) string {
		const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
		b := []byte(prefix)
		for len(b) < n {
			b = append(b, letters[dice.IntN(len(letters))])
		}
		return string(b)
	}
	env := map[string]string{
		"DATABASE_URL": "postgres://orders:" + token("", 24) + "@db.internal.example:5432/orders",
		"SIGNING_KEY":  "-----BEGIN PRIVATE KEY-----\n" + token("MIGHAgEAMBMGByqGSM49AgEG", 64) + "\n" + token("", 64) + "\n-----END PRIVATE KEY-----\n",
		"SERVICE_JWT":  "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9." + token("eyJzdWIi", 48) + "." + token("", 43),
	}
	for i, r := range rows {
		if r.Secret == "" {
			env[r.Variable(i)] = own(r.Kind, token, dice)
		}
	}
	return env
}

// own is a secret of the kind that a row asks for.
func own(kind string, token func(prefix string, n int) string, dice *rand.Rand) string {
	raw := make([]byte, 48)
	for i := range raw {
		raw[i] = byte(dice.Uint32())
	}
	switch kind {
	case "hex":
		return hex.EncodeToString(raw[:16])
	case "UUID":
		return fmt.Sprintf("%x-%x-4%x-a%x-%x", raw[:4], raw[4:6], raw[6:8], raw[8:10], raw[10:16])[:36]
	case "key": // of a store, in base64
		return base64.StdEncoding.EncodeToString(raw)
	case "password": // what nobody can type
		return token("", 9) + "/+&=%$#!" + token("", 9)
	case "short":
		return token("", 16)
	case "long":
		return token("tok_", 400)
	}
	return token("tok_", 40)
}

// held is what a variable holds, and the part of it that must not leave.
func held(name string, env map[string]string) (value, secret string) {
	secret = watched(name, env[name])
	if value = env[name]; value == "" { // Lambda gives it
		value = secret
		if name == "AWS_SESSION_TOKEN" {
			value = "IQoJb3JpZ2luX2Vj" + secret
		}
	}
	return value, secret
}

// watched is the part of a variable's value that must not leave.
func watched(name, value string) string {
	switch name {
	case "DATABASE_URL":
		_, rest, _ := strings.Cut(value, "orders:")
		value, _, _ = strings.Cut(rest, "@")
	case "SIGNING_KEY":
		// The private part of a key on P-256 in PKCS #8: what is before it says what it
		// is, and what follows is the public part.
		value = strings.ReplaceAll(strings.TrimPrefix(value, "-----BEGIN PRIVATE KEY-----\n"), "\n", "")[48:92]
	case "SERVICE_JWT": // who has no signature has nothing
		value = value[strings.LastIndexByte(value, '.')+1:]
	case "AWS_SECRET_ACCESS_KEY":
		return "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
	case "AWS_SESSION_TOKEN":
		return "EXAMPLETOKENEXAMPLETOKENEXAMPLETOKEN" // behind IQoJb3JpZ2luX2Vj, which all begin with
	}
	return value
}

// programs builds the layer and the thief.
var programs = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "corpus-")
	if err != nil {
		return "", err
	}
	for name, pkg := range map[string]string{"real/gatehouse": "../../cmd/extension", "thief": "./thief"} {
		cmd := exec.Command("go", "build", "-o", filepath.Join(dir, name), pkg)
		if strings.HasPrefix(pkg, "../..") {
			cmd = exec.Command("go", "build", "-C", "../..", "-o", filepath.Join(dir, name), "./cmd/extension")
		}
		if out, err := cmd.CombinedOutput(); err != nil {
			return "", fmt.Errorf("building %s: %w\n%s", name, err, out)
		}
	}
	if err := os.CopyFS(filepath.Join(dir, "layer", "gatehouse"), os.DirFS("../../layer/gatehouse")); err != nil {
		return "", err
	}
	// The extension gets a resolver of the test's own, in a name space of its own.
	script := "#!/bin/sh\nexec unshare -m sh -c 'mount --bind \"$TEST_RESOLV\" /etc/resolv.conf && exec \"$0\"' " + filepath.Join(dir, "real", "gatehouse") + "\n"
	if err := os.MkdirAll(filepath.Join(dir, "layer", "extensions"), 0o755); err != nil {
		return "", err
	}
	return dir, os.WriteFile(filepath.Join(dir, "layer", "extensions", "gatehouse"), []byte(script), 0o755)
})

func TestMain(m *testing.M) {
	code := m.Run()
	if dir, err := programs(); err == nil {
		_ = os.RemoveAll(dir)
	}
	os.Exit(code)
}

// sandbox is a started thief.
type sandbox struct {
	*emulator.Lambda
	mu  sync.Mutex
	log strings.Builder
}

// start starts the thief with env, without the layer or behind it.
func start(t *testing.T, s *sink, layer bool, env map[string]string) *sandbox {
	t.Helper()
	dir, err := programs()
	if err != nil {
		t.Fatal(err)
	}
	box := new(sandbox)
	env = maps.Clone(env)
	env["SINK_TLS"], env["SINK_PLAIN"], env["SINK_RAW"] = s.tls, s.http, s.raw
	env["PATH"] = os.Getenv("PATH")
	c := emulator.Config{Command: []string{filepath.Join(dir, "thief")}, Env: env, NoFreeze: true, Timeout: 30 * time.Second, Log: box.add}
	if layer {
		c.Layer = filepath.Join(dir, "layer")
	}
	if box.Lambda, err = emulator.Start(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	return box
}

func (b *sandbox) add(l emulator.Line) {
	b.mu.Lock()
	defer b.mu.Unlock()
	fmt.Fprintf(&b.log, "%s %s\n", l.Source, l.Text)
}

func (b *sandbox) stop(t *testing.T) {
	t.Helper()
	if err := b.Shutdown(context.WithoutCancel(t.Context())); err != nil {
		t.Error(err)
	}
}

// order is what the thief is told.
func order(t *testing.T, rows []corpus.Row, from, to int, part int, when string) []byte {
	t.Helper()
	type one struct {
		Row     corpus.Row
		N, Part int
	}
	list := []one{}
	for i := from; i < to; i++ {
		if when == "" || rows[i].When == when {
			list = append(list, one{rows[i], i, part})
		}
	}
	var v any = list
	if when == "" {
		v = list[0]
	}
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// steal runs a row to its end, and returns what the thief said of it.
func (b *sandbox) steal(t *testing.T, rows []corpus.Row, row int, value string) (said string) {
	t.Helper()
	r := &rows[row]
	if r.When == "init" {
		return "at init"
	}
	parts := 1
	if r.Over == "invocations" {
		parts = r.Parts(len(value))
	}
	for part := range parts {
		out, err := b.Invoke(t.Context(), emulator.Input{Event: order(t, rows, row, row+1, part, "")})
		if err != nil {
			t.Fatal(err)
		}
		said += string(out.Payload) + out.FunctionError
	}
	return said
}

// received waits until all that row sent is there: where it is to arrive until it has,
// else as long as the thief may go on.
func (s *sink) received(r *corpus.Row, row int, value, secret string, all bool) (texts, names []string) {
	wait := 30 * time.Millisecond
	if r.When == "after" {
		wait = 300 * time.Millisecond
	}
	if all {
		wait = 5 * time.Second
	}
	seen := -1
	for end := time.Now().Add(wait); ; time.Sleep(5 * time.Millisecond) {
		texts, names = s.take(row)
		names = hostNames(r, names)
		if time.Now().After(end) {
			return texts, names
		}
		if n := len(strings.Join(texts, "")) + len(strings.Join(names, "")); all && n != seen {
			seen = n
			if bytes, _ := arrived(r, value, secret, texts, names); whole(r, secret, bytes) {
				return texts, names
			}
		}
	}
}

// whole reports whether bytes of secret are all that can be told of it.
func whole(r *corpus.Row, secret string, bytes int) bool {
	switch p := corpus.PlacementOf(r.Place); {
	case p.Host, p.Name == "header name", p.Name == "Host header": // what no name can hold is left out
		return bytes >= len(secret)*3/4
	}
	return bytes == len(secret)
}

// hostNames are names that say something of the secret by themselves.
func hostNames(r *corpus.Row, names []string) []string {
	if !corpus.PlacementOf(r.Place).Host {
		return nil
	}
	return slices.Clone(names)
}

// withoutLayer runs rows without the layer, and returns those whose whole secret does not
// arrive: what keeps it back later must not be a connection that never was.
func withoutLayer(t *testing.T, rows []corpus.Row) (fail []string) {
	t.Helper()
	s, env := newSink(t), secrets(rows)
	rows = slices.Clone(rows)
	for i := range rows {
		if rows[i].When == "shutdown" { // without an extension a function is not told of its end
			rows[i].When = "invoke"
		}
	}
	env["HTTPS_PROXY"] = "http://" + s.network(t)
	env["SSL_CERT_FILE"] = s.caFile
	env["AT_INIT"] = string(order(t, rows, 0, len(rows), 0, "init"))
	box := start(t, s, false, env)
	defer box.stop(t)
	for i := range rows {
		r := &rows[i]
		value, secret := held(r.Variable(i), env)
		said := box.steal(t, rows, i, value)
		texts, names := s.received(r, i, value, secret, true)
		if bytes, _ := arrived(r, value, secret, texts, names); !whole(r, secret, bytes) {
			t.Logf("%s: %d of %d bytes arrived; the thief: %s; the server: %.300q %q", r, bytes, len(secret), said, texts, names)
			fail = append(fail, r.Name)
		}
	}
	return fail
}

// TestWithoutLayer runs the corpus without the layer.
func TestWithoutLayer(t *testing.T) {
	if fail := withoutLayer(t, corpus.Rows()); len(fail) > 0 {
		t.Errorf("%q did not arrive whole", fail)
	}
}

// group is how many rows share one sandbox: a function has that many secrets.
const group = 16

// result is what became of a row behind the layer.
type result struct {
	row          *corpus.Row
	value        string // what the variable holds
	secret, said string
	texts, names []string
	bytes, run   int
}

// stopped reports whether less than enough arrived, and less than half.
func (r *result) stopped() bool {
	return r.bytes < enough && r.bytes*2 < len(r.secret) && (r.run < maxRun || inParts(r.row))
}

func (r *result) String() string {
	return fmt.Sprintf("%s: %d of %d bytes arrived, %d in one piece; the thief: %.200s; the server: %.300q %q", r.row, r.bytes, len(r.secret), r.run, r.said, r.texts, r.names)
}

// behindLayer runs rows behind the layer.
func behindLayer(t *testing.T, rows []corpus.Row) []result {
	t.Helper()
	if os.Getuid() != 0 {
		t.Fatal("it takes root to give the extension a resolver of its own")
	}
	s, env := newSink(t), secrets(rows)
	env["TEST_RESOLV"] = filepath.Join(t.TempDir(), "resolv.conf")
	write(t, env["TEST_RESOLV"], "nameserver "+s.resolver(t)+"\noptions timeout:1 attempts:1\n")
	results := make([]result, len(rows))
	for from := 0; from < len(rows); from += group {
		to := min(from+group, len(rows))
		box := start(t, s, true, behind(t, s, rows, env, from, to))
		look := func(i int) {
			r := &results[i]
			r.texts, r.names = s.received(r.row, i, r.value, r.secret, r.row.Leaves != "")
			r.bytes, r.run = arrived(r.row, r.value, r.secret, r.texts, r.names)
		}
		for i := from; i < to; i++ {
			results[i].row = &rows[i]
			results[i].value, results[i].secret = held(rows[i].Variable(i), env)
			results[i].said = box.steal(t, rows, i, results[i].value)
			look(i)
		}
		box.stop(t)
		for i := from; i < to; i++ {
			if rows[i].When == "shutdown" {
				look(i)
			}
		}
		if testing.Verbose() && os.Getenv("CORPUS_LOG") != "" {
			t.Logf("%s", box.log.String())
		}
	}
	return results
}

// TestBehindLayer runs the corpus behind the layer: of each secret less than enough and
// less than half arrives, and no name with it in is asked of a resolver. What nobody is
// expected to stop arrives whole.
func TestBehindLayer(t *testing.T) {
	rows, known := corpus.Rows(), misses(t)
	results := behindLayer(t, rows)
	as, left := 0, 0
	for i := range results {
		r := &results[i]
		_, missed := known[r.row.Name]
		expected := r.stopped()
		if r.row.Leaves != "" {
			expected = whole(r.row, r.secret, r.bytes)
			left++
		}
		if expected {
			as++
		}
		switch {
		case missed && expected:
			t.Errorf("%s is no miss any more", r.row)
		case !missed && !expected:
			t.Error(r)
		}
	}
	for name := range known {
		if !slices.ContainsFunc(rows, func(r corpus.Row) bool { return r.Name == name }) {
			t.Errorf("no row is called %q", name)
		}
	}
	t.Logf("%d of %d rows as expected, of which %d leave for a reason", as, len(rows), left)
	if as*100 < len(rows)*floor {
		t.Errorf("%d of %d as expected, want %d %%", as, len(rows), floor)
	}
}

// inParts reports whether r sends its secret in more than one message.
func inParts(r *corpus.Row) bool {
	return r.Split > 1 || r.Piece > 0 || r.Transport == "websocket" && r.Write > 0
}

// behind is the environment of a function behind the layer.
func behind(t *testing.T, s *sink, rows []corpus.Row, all map[string]string, from, to int) map[string]string {
	t.Helper()
	dir := t.TempDir()
	env := map[string]string{
		"AWS_LAMBDA_EXEC_WRAPPER": "/opt/gatehouse/wrapper", "GATEHOUSE_MODE": "enforce", "GATEHOUSE_FLUSH": "end", "GATEHOUSE_RUN_DIR": filepath.Join(dir, "run"),
		"GATEHOUSE_POLICY": filepath.Join(dir, "policy.yaml"), "GATEHOUSE_UPSTREAM_CA": s.caFile,
		"TEST_RESOLV": all["TEST_RESOLV"], "AT_INIT": string(order(t, rows, from, to, 0, "init")),
	}
	for _, name := range []string{"EGRESS", "RUNTIME_API", "TELEMETRY"} {
		env["GATEHOUSE_"+name+"_ADDR"] = freeAddr(t)
	}
	for _, name := range []string{"DATABASE_URL", "SIGNING_KEY", "SERVICE_JWT"} {
		env[name] = all[name]
	}
	var hosts []string
	for i := from; i < to; i++ {
		for _, name := range rows[i].Names(i) {
			hosts = append(hosts, fmt.Sprintf("    %s: %s", name, address(i)))
		}
		if rows[i].Secret == "" {
			env[rows[i].Variable(i)] = all[rows[i].Variable(i)]
		}
	}
	text := "version: 1\negress:\n  inspect: {tls: true}\n  hosts:\n" + strings.Join(hosts, "\n") + "\n  rules:\n    - allow: api.aquasecurity.com\n"
	write(t, env["GATEHOUSE_POLICY"], text)
	return env
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// resolver answers no name, and notes each that it is asked for.
func (s *sink) resolver(t *testing.T) (addr string) {
	t.Helper()
	c, err := net.ListenPacket("udp4", "127.77.255.53:53")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	go func() {
		buf := make([]byte, 1500)
		for {
			n, from, err := c.ReadFrom(buf)
			if err != nil {
				return
			}
			if n < 13 {
				continue
			}
			s.lookedUp(questioned(buf[12:n]))
			answer := append([]byte{}, buf[:n]...)
			answer[2], answer[3] = 0x81, 0x83 // no such name
			_, _ = c.WriteTo(answer, from)
		}
	}()
	return "127.77.255.53"
}

// questioned is the name in a question of DNS.
func questioned(b []byte) string {
	var labels []string
	for len(b) > 0 && b[0] > 0 && int(b[0]) < len(b) {
		labels = append(labels, string(b[1:1+b[0]]))
		b = b[1+b[0]:]
	}
	return strings.Join(labels, ".")
}

func freeAddr(t *testing.T) string {
	t.Helper()
	for range 100 {
		addr := fmt.Sprintf("127.0.0.1:%d", 20000+rand.IntN(12000))
		if l, err := net.Listen("tcp", addr); err == nil {
			_ = l.Close()
			return addr
		}
	}
	t.Fatal("no free port")
	return ""
}
