package main

import (
	"context"
	"database/sql"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	_ "modernc.org/sqlite" // the example's database, to count what it handled

	"gatehouse/cmd/gatehouse/battery"
	"gatehouse/cmd/gatehouse/remote"
	"gatehouse/internal/emulator"
)

// secrets are what the function has in its environment and the poison is after.
// All are made up.
var secrets = map[string]string{
	"DB_PASSWORD":    "correct-horse-battery-41b7",
	"BILLING_TOKEN":  "tok_demo_7Yc2Qm9RkV5sXw8ZtB3n",
	"SESSION_SECRET": "b2f0c1d84e7a4935a6d1f3c27e9085b4",
}

// sandbox says how to start the function.
type sandbox struct {
	name   string
	layer  bool
	poison string // when the dependency acts; "" never
}

// running is a started function.
type running struct {
	lambda *emulator.Lambda
	db     string
	log    *logLines
}

// start starts the function in a sandbox of its own, with run folder and ports
// of its own.
func (d *demo) start(ctx context.Context, s sandbox) (*running, error) {
	dir := filepath.Join(d.work, s.name)
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	_, port, err := net.SplitHostPort(d.remote.Addr)
	if err != nil {
		return nil, err
	}
	f := &running{db: filepath.Join(dir, "orders.db"), log: new(logLines)}
	c := emulator.Config{
		FunctionName: "sns-db-checker", Command: []string{d.built.function},
		Timeout: 10 * time.Second, MemoryMB: 512, Log: f.log.add,
		Env: map[string]string{
			"DB_PATH": f.db, "POISON": s.poison, "POISON_PORT": port,
			"RATES_URL": "https://" + net.JoinHostPort(remote.Name, port) + "/rates",
		},
	}
	for name, value := range secrets {
		c.Env[name] = value
	}
	if s.layer {
		err = d.attach(&c, dir)
	} else {
		c.Env["HTTPS_PROXY"], c.Env["SSL_CERT_FILE"] = d.remote.Network, d.remote.CAFile
	}
	if err != nil {
		return nil, err
	}
	f.lambda, err = emulator.Start(ctx, c)
	return f, err
}

// attach adds the layer to the function's configuration: what a customer sets,
// and ports of this sandbox's own.
func (d *demo) attach(c *emulator.Config, dir string) error {
	text := fmt.Sprintf(demoPolicy, remote.Name, d.remote.Addr)
	path := filepath.Join(dir, "policy.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		return err
	}
	own, err := sandboxEnv(dir)
	if err != nil {
		return err
	}
	for name, value := range own {
		c.Env[name] = value
	}
	c.Layer = d.built.layer
	c.Env["AWS_LAMBDA_EXEC_WRAPPER"] = "/opt/gatehouse/wrapper"
	c.Env["GATEHOUSE_POLICY"] = path
	c.Env["GATEHOUSE_HEC_URL"] = d.console.HECURL()
	c.Env["GATEHOUSE_HEC_TOKEN"] = d.console.HECToken()
	c.Env["GATEHOUSE_UPSTREAM_CA"] = d.remote.CAFile
	c.Env["GATEHOUSE_FLUSH"] = "end" // the page is to show an invocation as soon as it is over
	c.Env["GATEHOUSE_LOG_LEVEL"] = "error"
	return nil
}

// demoPolicy wants a host and where it is.
const demoPolicy = `version: 1
mode: enforce
egress:
  hosts:
    %s: %q
  inspect:
    tls: true
secrets:
  on_leak: halt
`

func (f *running) stop() {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	_ = f.lambda.Shutdown(ctx) // its processes are ended either way
}

// reply is what the caller got for one event.
type reply struct {
	requestID string
	payload   string
	err       string // FunctionError
}

// sendAll invokes the function with each message as an SNS event, one after the
// other. The message ids are kind-0, kind-1, …
func (f *running) sendAll(ctx context.Context, kind string, messages []string, progress func(int)) ([]reply, error) {
	answers := make([]reply, len(messages))
	for i, m := range messages {
		a, err := f.send(ctx, messageID(kind, i), m)
		if err != nil {
			return nil, err
		}
		answers[i] = a
		if progress != nil {
			progress(i + 1)
		}
	}
	return answers, nil
}

func (f *running) send(ctx context.Context, id, message string) (reply, error) {
	out, err := f.lambda.Invoke(ctx, emulator.Input{Event: battery.SNS(message, id)})
	if err != nil {
		return reply{}, fmt.Errorf("invoking with %s: %w", id, err)
	}
	return reply{requestID: out.RequestID, payload: string(out.Payload), err: out.FunctionError}, nil
}

func messageID(kind string, i int) string { return fmt.Sprintf("%s-%d", kind, i) }

// handledIDs asks the function's own database which messages its handler saw.
func (f *running) handledIDs(kind string) (map[string]bool, error) {
	db, err := sql.Open("sqlite", f.db)
	if err != nil {
		return nil, err
	}
	defer func() { _ = db.Close() }() // read only
	rows, err := db.Query(`SELECT message_id FROM audit WHERE message_id LIKE ?`, kind+"-%")
	if err != nil {
		return nil, fmt.Errorf("reading the function's audit table: %w", err)
	}
	defer func() { _ = rows.Close() }() // read to the end
	ids := make(map[string]bool)
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			return nil, err
		}
		ids[id] = true
	}
	return ids, rows.Err()
}

func (f *running) handled(kind string) (int, error) {
	ids, err := f.handledIDs(kind)
	return len(ids), err
}

// logLines keeps the function's log.
type logLines struct {
	mu    sync.Mutex
	lines []emulator.Line
}

func (l *logLines) add(line emulator.Line) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, line)
}

func (l *logLines) reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = nil
}

// ofFunction returns what the function printed, as it stands in CloudWatch.
func (l *logLines) ofFunction() (lines []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, line := range l.lines {
		if line.Source == emulator.FromFunction {
			lines = append(lines, strings.TrimRight(line.Text, "\n"))
		}
	}
	return lines
}
