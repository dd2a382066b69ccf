package main

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// through is one proxy of the comparison, and what it did.
type through struct {
	name     string
	inspects bool
	proc     *process // nil: there is nothing in between
	call     *caller
	end      func()
	// answered ends the function's invocation and begins the next, as our records leave
	// with an invocation; nil: it knows of none.
	answered func() error

	rate map[string][]float64 // by load: what was done in a second
	cpu  map[string][]float64 // by load: seconds of the proxy's CPU for one unit of that
	err  error                // why it takes part no more
}

// egressPrograms are the paths of our own programs, and the folder with the sink's
// certificates.
type egressPrograms struct {
	programs
	sink *sink
}

// startProxy is how a proxy is started. It returns where it listens and whom its clients
// trust beside the sink's authority.
type startProxy func(e *egressPrograms, t *through, addr string) (trust func() ([]byte, error), err error)

var proxies = []struct {
	name     string
	inspects bool
	start    startProxy
}{
	{"direct", false, nil},
	{"splice", false, program(func(p *egressPrograms) string { return p.splice })},
	{"goproxy", false, program(func(p *egressPrograms) string { return p.goproxy }, "tunnel")},
	{"tinyproxy", false, tinyproxy},
	{"mitmproxy tunnel", false, mitmproxy("--ignore-hosts", ".*")},
	{"squid splice", false, squid("splice")},
	{"ours", false, extension("false")},
	{"goproxy MITM, 2 idle", true, goproxyMITM(2)},
	{"goproxy MITM, 100 idle", true, goproxyMITM(100)},
	{"mitmproxy", true, mitmproxy()},
	{"squid bump", true, squid("bump")},
	{"ours, inspecting", true, extension("true")},
}

// openProxies starts all of them. One that is not to be had is left out, and said.
func openProxies(e *egressPrograms, report *Report) []*through {
	var all []*through
	for _, p := range proxies {
		t := &through{name: p.name, inspects: p.inspects, end: func() {}, rate: map[string][]float64{}, cpu: map[string][]float64{}}
		if err := t.open(e, p.start); err != nil {
			t.close()
			report.Skipped = append(report.Skipped, p.name+": "+err.Error())
			continue
		}
		all = append(all, t)
	}
	return all
}

func (t *through) open(e *egressPrograms, start startProxy) error {
	addr, roots := "", e.sink.roots
	var trust func() ([]byte, error)
	if start != nil {
		addrs, err := free(1)
		if err != nil {
			return err
		}
		addr = addrs[0]
		if trust, err = start(e, t, addr); err != nil {
			return err
		}
		if err := reachable(addr); err != nil {
			return t.because(err)
		}
	}
	if trust != nil {
		text, err := trust()
		if err != nil {
			return t.because(err)
		}
		roots = x509.NewCertPool()
		roots.AppendCertsFromPEM(text)
		if !t.inspects {
			roots = e.sink.roots
		}
	}
	t.call = newCaller(addr, e.sink.addr, roots)
	return t.because(t.works())
}

// works tries one connection.
func (t *through) works() error {
	conn, err := t.call.dial(context.Background())
	if err != nil {
		return err
	}
	return conn.Close()
}

// because adds what the proxy printed to err.
func (t *through) because(err error) error {
	if err == nil || t.proc == nil {
		return err
	}
	return errors.Join(err, fmt.Errorf("it printed %q", t.proc.output()))
}

func (t *through) close() {
	t.end()
	if t.proc != nil {
		t.proc.end()
	}
}

// reachable waits until somebody listens on addr.
func reachable(addr string) error {
	var err error
	for end := time.Now().Add(15 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		var c net.Conn
		if c, err = net.Dial("tcp", addr); err == nil {
			return c.Close()
		}
	}
	return err
}

func plainEnv() []string { return []string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.TempDir()} }

func program(path func(*egressPrograms) string, args ...string) startProxy {
	return func(e *egressPrograms, t *through, addr string) (trust func() ([]byte, error), err error) {
		t.proc, err = launch(nil, path(e), plainEnv(), append([]string{addr}, args...)...)
		return nil, err
	}
}

func goproxyMITM(idle int) startProxy {
	return func(e *egressPrograms, t *through, addr string) (trust func() ([]byte, error), err error) {
		t.proc, err = launch(nil, e.goproxy, plainEnv(), addr, "mitm", strconv.Itoa(idle),
			filepath.Join(e.sink.dir, "ca.pem"), filepath.Join(e.sink.dir, "ca.key"))
		return nil, err
	}
}

// configured starts a program with a configuration file of its own. In text, DIR is
// the folder and PORT the port.
func (t *through) configured(e *egressPrograms, addr, text, name string, args ...string) error {
	path, err := exec.LookPath(name)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp(e.sink.dir, name)
	if err != nil {
		return err
	}
	if err := os.Chmod(dir, 0o777); err != nil { // it may make itself another user
		return err
	}
	_, port, _ := strings.Cut(addr, ":")
	replace := strings.NewReplacer("DIR", dir, "PORT", port, "CERTS", e.sink.dir)
	file := filepath.Join(dir, "conf")
	if err := os.WriteFile(file, []byte(replace.Replace(text)), 0o644); err != nil {
		return err
	}
	for i := range args {
		args[i] = strings.ReplaceAll(args[i], "FILE", file)
	}
	t.proc, err = launch(nil, path, plainEnv(), args...)
	return err
}

func tinyproxy(e *egressPrograms, t *through, addr string) (func() ([]byte, error), error) {
	const text = "Port PORT\nListen 127.0.0.1\nTimeout 60\nMaxClients 1024\nAllow 127.0.0.1\nLogLevel Error\n"
	return nil, t.configured(e, addr, text, "tinyproxy", "-d", "-c", "FILE")
}

func mitmproxy(args ...string) startProxy {
	return func(e *egressPrograms, t *through, addr string) (trust func() ([]byte, error), err error) {
		path, err := exec.LookPath("mitmdump")
		if err != nil {
			return nil, err
		}
		dir, err := os.MkdirTemp(e.sink.dir, "mitmproxy")
		if err != nil {
			return nil, err
		}
		_, port, _ := strings.Cut(addr, ":")
		all := append([]string{"-q", "--listen-host", "127.0.0.1", "-p", port, "--set", "confdir=" + dir,
			"--set", "ssl_verify_upstream_trusted_ca=" + filepath.Join(e.sink.dir, "ca.pem"), "--set", "stream_large_bodies=64k"}, args...)
		t.proc, err = launch(nil, path, plainEnv(), all...)
		return func() ([]byte, error) { return os.ReadFile(filepath.Join(dir, "mitmproxy-ca-cert.pem")) }, err
	}
}

// squid bumps connections, or splices them after it saw their server's name.
func squid(action string) startProxy {
	const text = `http_port 127.0.0.1:PORT ssl-bump tls-cert=CERTS/both.pem generate-host-certificates=on dynamic_cert_mem_cache_size=4MB
sslcrtd_program /usr/lib/squid/security_file_certgen -s DIR/certs -M 4MB
sslcrtd_children 2 startup=1 idle=1
acl first at_step SslBump1
ssl_bump peek first
ssl_bump ACTION all
tls_outgoing_options cafile=CERTS/ca.pem
http_access allow all
cache deny all
access_log none
cache_log DIR/log
pid_filename DIR/pid
coredump_dir DIR
shutdown_lifetime 1 seconds
`
	return func(e *egressPrograms, t *through, addr string) (func() ([]byte, error), error) {
		if _, err := exec.LookPath("squid"); err != nil {
			return nil, err
		}
		certs := filepath.Join(e.sink.dir, "squid-"+action)
		if out, err := exec.Command("/usr/lib/squid/security_file_certgen", "-c", "-s", certs, "-M", "4MB").CombinedOutput(); err != nil {
			return nil, fmt.Errorf("%w: %s", err, out)
		}
		if out, err := exec.Command("chown", "-R", "proxy", certs).CombinedOutput(); err != nil && os.Getuid() == 0 {
			return nil, fmt.Errorf("%w: %s", err, out)
		}
		text := strings.ReplaceAll(strings.ReplaceAll(text, "DIR/certs", certs), "ACTION", action)
		return nil, t.configured(e, addr, text, "squid", "-N", "-f", "FILE")
	}
}

// extension starts the layer's binary, in enforce mode, with twenty secrets to look
// for, and an invocation under way.
func extension(inspect string) startProxy {
	return func(e *egressPrograms, t *through, addr string) (trust func() ([]byte, error), err error) {
		api, err := NewLambda()
		if err != nil {
			return nil, err
		}
		t.end = api.Close
		addrs, err := free(2)
		if err != nil {
			return nil, err
		}
		env := append(sandboxEnv(api.addr), "GATEHOUSE_MODE=enforce", "GATEHOUSE_INSPECT_TLS="+inspect,
			"GATEHOUSE_UPSTREAM_CA="+filepath.Join(e.sink.dir, "ca.pem"),
			"GATEHOUSE_EGRESS_ADDR="+addr, "GATEHOUSE_RUNTIME_API_ADDR="+addrs[0], "GATEHOUSE_TELEMETRY_ADDR="+addrs[1])
		for i := range 17 { // beside the three of AWS
			env = append(env, fmt.Sprintf("SERVICE_%d_SECRET=%s", i, secret(i)))
		}
		if t.proc, err = launch(nil, e.extension, env); err != nil {
			return nil, err
		}
		l := &lane{api: api, url: "http://" + addrs[0]}
		if err := l.invoked(1); err != nil {
			return nil, t.because(err)
		}
		n := 1
		t.answered = func() error {
			n++
			return l.answered(n)
		}
		if inspect != "true" {
			return nil, nil
		}
		return func() ([]byte, error) { return os.ReadFile(filepath.Join(t.proc.dir, "run", "bundle.pem")) }, nil
	}
}

// secret is a made-up value of 40 characters.
func secret(i int) string {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	var b strings.Builder
	for x := uint64(i+1) * 0x9E3779B97F4A7C15; b.Len() < 40; x = x*6364136223846793005 + 1442695040888963407 {
		b.WriteByte(letters[x>>58%uint64(len(letters))])
	}
	return b.String()
}

// answered has the function answer invocation n-1 and receive the next.
func (l *lane) answered(n int) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	resp, err := l.ask(ctx, "POST", "/2018-06-01/runtime/invocation/"+requestID(n-1)+"/response", []byte(`{}`))
	if err != nil {
		return err
	}
	if err := resp.Body.Close(); err != nil {
		return err
	}
	return l.invoked(n)
}

// invoked has the function ask for invocation n and receive it.
func (l *lane) invoked(n int) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	got := make(chan error, 1)
	go func() { // ends with its one answer
		resp, err := l.ask(ctx, "GET", "/2018-06-01/runtime/invocation/next", nil)
		if err == nil {
			err = resp.Body.Close()
		}
		got <- err
	}()
	if _, err := l.api.await(ctx, l.api.Waiting, "the function"); err != nil {
		return err
	}
	if _, err := l.api.await(ctx, l.api.Ready, "the extension"); err != nil {
		return err
	}
	l.api.Invoke(Event{ID: requestID(n), Body: []byte(`{"order":1}`)}, true)
	return <-got
}
