package main

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gatehouse/cmd/gatehouse/remote"
	"gatehouse/internal/emulator"
	"gatehouse/internal/record"
)

// aClient is a program that asks for a URL, which is its last argument, and prints
// the answer.
type aClient struct {
	name    string
	command []string
}

// clients are what functions are written with. A folder that begins with ./ is
// testdata/clients.
var clients = []aClient{
	{name: "curl", command: []string{"curl", "-sS", "-m", "10"}},
	{name: "curl, HTTP/1.1", command: []string{"curl", "-sS", "-m", "10", "--http1.1"}},
	{name: "Python ssl", command: []string{"python3", "-c", "import sys, urllib.request; print(urllib.request.urlopen(sys.argv[1], timeout=10).read().decode())"}},
	{name: "Python requests", command: []string{"/usr/bin/python3", "-c", "import sys, requests; print(requests.get(sys.argv[1], timeout=10).text)"}},
	{name: "Python httpx", command: []string{"/usr/bin/python3", "-c", "import sys, httpx; print(httpx.get(sys.argv[1], timeout=10).text)"}},
	{name: "Python botocore", command: []string{"/usr/bin/python3", "./botocore_get.py"}},
	{name: "Node https", command: []string{"node", "./fetch.cjs", "https"}},
	{name: "Node agent of its own", command: []string{"node", "./fetch.cjs", "agent"}},
	{name: "Java HttpClient", command: []string{"java", "./Fetch.java", "HttpClient"}},
	{name: "Java HttpURLConnection", command: []string{"java", "./Fetch.java", "HttpURLConnection"}},
	{name: "Ruby net/http", command: []string{"ruby", "-rnet/http", "-e", "puts Net::HTTP.get(URI(ARGV[0]))"}},
	{name: "Ruby open-uri", command: []string{"ruby", "-ropen-uri", "-e", "puts URI.open(ARGV[0]).read"}},
	{name: "PHP curl", command: []string{"php", "-r", "$c = curl_init($argv[1]); curl_setopt($c, CURLOPT_RETURNTRANSFER, true); echo curl_exec($c) ?: curl_error($c);"}},
	{name: "git", command: []string{"git", "ls-remote"}},
}

// node22 are Node's clients that take a proxy only from 22.21 on.
func node22(t *testing.T) []aClient {
	t.Helper()
	dir := os.Getenv("GATEHOUSE_NODE_RIC") // scripts/test installs it
	if dir == "" {
		if os.Getenv("CI") == "true" {
			t.Error("no GATEHOUSE_NODE_RIC: scripts/test sets it")
		}
		return nil
	}
	node := filepath.Join(dir, "node_modules", ".bin", "node")
	var list []aClient
	for _, how := range []string{"https", "agent", "fetch"} {
		list = append(list, aClient{name: "Node 22 " + how, command: []string{node, "./fetch.cjs", how}})
	}
	return list
}

// Every client goes through the proxy and trusts its certificates, without knowing
// of either; and where TLS is not inspected, it talks to the server itself.
func TestClients(t *testing.T) {
	here, err := filepath.Abs("testdata/clients")
	if err != nil {
		t.Fatal(err)
	}
	for _, inspected := range []bool{true, false} {
		g, host := withClients(t, inspected)
		for _, c := range append(clients, node22(t)...) {
			t.Run(fmt.Sprintf("%s, inspected %v", c.name, inspected), func(t *testing.T) {
				if _, err := exec.LookPath(c.command[0]); err != nil {
					t.Fatalf("%v: scripts/test installs it", err)
				}
				c.run(t, g, host, here, inspected)
			})
		}
	}
}

// run has the function run the client, with its own variables before the wrapper.
func (c aClient) run(t *testing.T, g *gate, host *remote.Host, here string, inspected bool) {
	t.Helper()
	_, port, _ := net.SplitHostPort(host.Addr)
	url := "https://" + net.JoinHostPort(remote.Name, port) + "/rates"
	command := append([]string{}, c.command...)
	for i := range command {
		if rest, ok := strings.CutPrefix(command[i], "./"); ok {
			command[i] = filepath.Join(here, rest)
		}
	}
	before, connections := len(host.Received()), g.kinds(record.Connection)
	event, err := json.Marshal(append(command, url))
	if err != nil {
		t.Fatal(err)
	}
	out := string(g.invoke(t, string(event)).Payload)
	if len(host.Received()) == before || c.name != "git" && !strings.Contains(out, "1.08") {
		t.Fatalf("the server got %d requests; it printed %s", len(host.Received())-before, out)
	}
	eventually(t, "the connection is in the console", func() bool { return g.kinds(record.Connection) > connections })
	list := g.records(t, record.Connection)
	if last := list[len(list)-1]; *last.Decrypted != inspected || last.SNI != remote.Name {
		t.Errorf("inspected %v, sni %q", *last.Decrypted, last.SNI)
	}
}

// withClients starts a function that runs commands, attached by the wrapper.
func withClients(t *testing.T, inspect bool) (*gate, *remote.Host) {
	t.Helper()
	dir := t.TempDir()
	host, err := remote.Start(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(host.Close)
	policy := filepath.Join(dir, "policy.yaml")
	text := fmt.Sprintf("version: 1\negress:\n  hosts: {%s: %q}\n  inspect: {tls: %v}\n", remote.Name, host.Addr, inspect)
	if err := os.WriteFile(policy, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	env := map[string]string{
		"GATEHOUSE_POLICY": policy, "GATEHOUSE_UPSTREAM_CA": host.CAFile, "PATH": os.Getenv("PATH"), "HOME": dir,
		"GATEHOUSE_FLUSH": "end", // there are many invocations, and each has to be seen
	}
	if !inspect { // the customer's own trust
		for _, name := range []string{"SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "AWS_CA_BUNDLE", "GIT_SSL_CAINFO", "NODE_EXTRA_CA_CERTS"} {
			env[name] = host.CAFile
		}
		env["PHP_INI_SCAN_DIR"] = ":" + iniFor(t, host.CAFile)
		env["JAVA_TOOL_OPTIONS"] = "-Djavax.net.ssl.trustStore=" + storeFor(t, host.CAFile) + " -Djavax.net.ssl.trustStorePassword=changeit"
	}
	return start(t, "runner", setup{attach: wrapper, env: env, change: func(c *emulator.Config) {
		c.Command[0], c.Timeout = asJava(t, c.Command[0]), time.Minute // a JVM compiles first
	}}), host
}

// asJava is the program under the name of Java, by which the wrapper knows that
// there is somebody to tell.
func asJava(t *testing.T, program string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), "java")
	if err := os.Symlink(program, to); err != nil {
		t.Fatal(err)
	}
	return to
}

// iniFor is a folder with an ini file that has PHP trust the certificates in file.
func iniFor(t *testing.T, file string) string {
	t.Helper()
	dir := t.TempDir()
	text := "curl.cainfo=" + file + "\n"
	if err := os.WriteFile(filepath.Join(dir, "own.ini"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// storeFor is a trust store of Java's with the certificates in file.
func storeFor(t *testing.T, file string) string {
	t.Helper()
	store := filepath.Join(t.TempDir(), "own.p12")
	cmd := exec.CommandContext(t.Context(), "keytool", "-importcert", "-noprompt", "-alias", "own", "-file", file, "-keystore", store, "-storepass", "changeit", "-storetype", "PKCS12")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("keytool: %v\n%s", err, out)
	}
	return store
}
