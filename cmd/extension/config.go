package main

import (
	"encoding/pem"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"gatehouse/internal/policy"
	"gatehouse/internal/telemetry/hec"
)

// Where the listeners are unless the environment says otherwise. The egress
// port is documented: functions name it in their own HTTPS_PROXY.
const (
	defaultEgress    = "127.0.0.1:18790"
	defaultRuntime   = "127.0.0.1:18791"
	defaultTelemetry = "127.0.0.1:18792"
	defaultRunDir    = "/tmp/.gatehouse"
)

// config is the environment, read once.
type config struct {
	Off           bool // GATEHOUSE=off
	Mode          policy.Mode
	PolicyPath    string
	OnErrorClosed bool
	InspectTLS    *bool // nil: as the policy says

	HECURLs         []string // none: findings and health go to stdout
	HECToken        string
	HECTokenFile    string
	HECTokenARN     tokenARN // its zero value: none
	HECIndex        string
	HECCA           string // PEM file
	HECCert, HECKey string // PEM files of the client's certificate
	HECServerName   string
	HECInsecure     bool
	HECProxy        *url.URL
	HECAck          hec.Ack

	Flush     flushMode
	Telemetry []string // types; empty: off

	RuntimeAPIAddr, EgressAddr, TelemetryAddr string
	RunDir                                    string
	UpstreamCA                                string // PEM file
	FingerprintKey                            string
	LogLevel                                  string

	// What Lambda says.
	RuntimeAPI                 string
	FunctionName, FunctionVers string
	Region                     string
	Managed                    bool // managed instance
	SnapStart                  bool // this sandbox becomes a snapshot, or came out of one
	CustomerProxy              customerProxy
	Proxied                    bool // HTTPS_PROXY names our egress port
	Environ                    []string
	Env                        map[string]string // Environ by name
}

// customerProxy is the proxy that the function had before us.
type customerProxy struct {
	HTTPS, HTTP *url.URL
	No          string
	Unknown     error // one that cannot be gone through; nil: none
}

// setting is one variable of GATEHOUSE_: its name and what to do with its value.
type setting struct {
	name string
	set  func(c *config, value string) error
}

// settings are all variables that customers see. Those of the wrapper are here
// too, so that the nearest name can be given for an unknown one.
var settings = []setting{
	{"GATEHOUSE", oneOf(map[string]func(*config){"on": func(*config) {}, "off": func(c *config) { c.Off = true }})},
	{"GATEHOUSE_MODE", oneOf(map[string]func(*config){
		"monitor": func(c *config) { c.Mode = policy.Monitor },
		"enforce": func(c *config) { c.Mode = policy.Enforce },
	})},
	{"GATEHOUSE_POLICY", text(func(c *config) *string { return &c.PolicyPath })},
	{"GATEHOUSE_ON_ERROR", oneOf(map[string]func(*config){
		"open": func(*config) {}, "closed": func(c *config) { c.OnErrorClosed = true },
	})},
	{"GATEHOUSE_INSPECT_TLS", flag(func(c *config, v bool) { c.InspectTLS = &v })},
	{"GATEHOUSE_HEC_URL", hecURLs},
	{"GATEHOUSE_HEC_TOKEN", text(func(c *config) *string { return &c.HECToken })},
	{"GATEHOUSE_HEC_TOKEN_FILE", text(func(c *config) *string { return &c.HECTokenFile })},
	{"GATEHOUSE_HEC_TOKEN_ARN", func(c *config, v string) (err error) {
		c.HECTokenARN, err = parseTokenARN(v)
		return err
	}},
	{"GATEHOUSE_HEC_INDEX", text(func(c *config) *string { return &c.HECIndex })},
	{"GATEHOUSE_HEC_CA", text(func(c *config) *string { return &c.HECCA })},
	{"GATEHOUSE_HEC_CERT", text(func(c *config) *string { return &c.HECCert })},
	{"GATEHOUSE_HEC_KEY", text(func(c *config) *string { return &c.HECKey })},
	{"GATEHOUSE_HEC_SERVER_NAME", text(func(c *config) *string { return &c.HECServerName })},
	{"GATEHOUSE_HEC_INSECURE", flag(func(c *config, v bool) { c.HECInsecure = v })},
	{"GATEHOUSE_HEC_PROXY", web(func(c *config) **url.URL { return &c.HECProxy })},
	{"GATEHOUSE_HEC_ACK", oneOf(map[string]func(*config){
		"auto": func(*config) {}, "on": func(c *config) { c.HECAck = hec.AckOn }, "off": func(c *config) { c.HECAck = hec.AckOff },
	})},
	{"GATEHOUSE_FLUSH", oneOf(map[string]func(*config){
		"adaptive": flushing(flushAdaptive), "end": flushing(flushEnd), "periodic": flushing(flushPeriodic), "shutdown": flushing(flushShutdown),
	})},
	{"GATEHOUSE_TELEMETRY", telemetryTypes},
	{"GATEHOUSE_NEXT_WRAPPER", text(func(*config) *string { return new(string) })},
	{"GATEHOUSE_RUNTIME_API_ADDR", address(func(c *config) *string { return &c.RuntimeAPIAddr })},
	{"GATEHOUSE_EGRESS_ADDR", address(func(c *config) *string { return &c.EgressAddr })},
	{"GATEHOUSE_TELEMETRY_ADDR", address(func(c *config) *string { return &c.TelemetryAddr })},
	{"GATEHOUSE_RUN_DIR", folder},
	{"GATEHOUSE_UPSTREAM_CA", text(func(c *config) *string { return &c.UpstreamCA })},
	{"GATEHOUSE_FINGERPRINT_KEY", text(func(c *config) *string { return &c.FingerprintKey })},
	{"GATEHOUSE_LOG_LEVEL", oneOf(map[string]func(*config){
		"debug": logLevel("debug"), "info": logLevel("info"), "warn": logLevel("warn"), "error": logLevel("error"),
	})},
}

// readConfig reads environ. The config is usable even with an error, which joins
// all mistakes: each names its variable and what it wants, and none shows a value
// of a variable that may hold a secret.
func readConfig(environ []string) (config, error) {
	env := make(map[string]string, len(environ))
	for _, kv := range environ {
		k, v, _ := strings.Cut(kv, "=")
		env[k] = v
	}
	c := config{
		Telemetry:      []string{"platform", "function"},
		RuntimeAPIAddr: defaultRuntime, EgressAddr: defaultEgress,
		RunDir: defaultRunDir, LogLevel: "warn",
		RuntimeAPI:   env["AWS_LAMBDA_RUNTIME_API"],
		FunctionName: env["AWS_LAMBDA_FUNCTION_NAME"], FunctionVers: env["AWS_LAMBDA_FUNCTION_VERSION"],
		Region:    env["AWS_REGION"],
		Managed:   env["AWS_LAMBDA_INITIALIZATION_TYPE"] == "lambda-managed-instances",
		SnapStart: env["AWS_LAMBDA_INITIALIZATION_TYPE"] == "snap-start",
		Environ:   environ, Env: env,
	}
	var errs []error
	for _, s := range settings {
		value, ok := env[s.name]
		if !ok || value == "" {
			continue
		}
		if err := s.set(&c, value); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", s.name, err))
		}
	}
	errs = append(errs, unknown(env)...)
	errs = append(errs, c.check()...)
	c.CustomerProxy = readCustomerProxy(env, c.EgressAddr)
	c.Proxied = namesUs(env["HTTPS_PROXY"], c.EgressAddr) || namesUs(env["https_proxy"], c.EgressAddr)
	return c, errors.Join(errs...)
}

// check finds what does not fit together.
func (c *config) check() (errs []error) {
	tokens := 0
	for _, given := range []bool{c.HECToken != "", c.HECTokenFile != "", c.HECTokenARN != tokenARN{}} {
		if given {
			tokens++
		}
	}
	switch {
	case len(c.HECURLs) > 0 && tokens == 0:
		errs = append(errs, errors.New("GATEHOUSE_HEC_URL: needs GATEHOUSE_HEC_TOKEN, GATEHOUSE_HEC_TOKEN_FILE or GATEHOUSE_HEC_TOKEN_ARN beside it"))
	case tokens > 1 && c.HECTokenARN != tokenARN{}:
		errs = append(errs, errors.New("GATEHOUSE_HEC_TOKEN_ARN: is not used beside GATEHOUSE_HEC_TOKEN or GATEHOUSE_HEC_TOKEN_FILE: set one of them"))
	}
	if (c.HECCert == "") != (c.HECKey == "") {
		errs = append(errs, errors.New("GATEHOUSE_HEC_CERT and GATEHOUSE_HEC_KEY: one is of no use without the other"))
	}
	secret := func(raw string) bool {
		u, err := url.Parse(raw) // read before
		return err == nil && (u.Scheme == "https" || c.HECInsecure || loopback(u.Hostname()))
	}
	if all := len(c.HECURLs); all > 0 {
		c.HECURLs = slices.DeleteFunc(c.HECURLs, func(raw string) bool { return !secret(raw) })
		if len(c.HECURLs) < all {
			errs = append(errs, errors.New("GATEHOUSE_HEC_URL: plain http only to this machine, or with GATEHOUSE_HEC_INSECURE=true: the token would go in the clear"))
		}
	}
	return errs
}

// unknown names every GATEHOUSE_ variable that there is not, with the nearest
// one that there is.
func unknown(env map[string]string) (errs []error) {
	for name := range env {
		if !strings.HasPrefix(name, "GATEHOUSE_") || isSetting(name) {
			continue
		}
		errs = append(errs, fmt.Errorf("%s: no such setting; the nearest is %s", name, nearest(name)))
	}
	slices.SortFunc(errs, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return errs
}

func isSetting(name string) bool {
	return slices.ContainsFunc(settings, func(s setting) bool { return s.name == name })
}

func nearest(name string) string {
	var names []string
	for _, s := range settings {
		names = append(names, s.name)
	}
	return policy.Nearest(name, names)
}

// readCustomerProxy takes the proxy variables as the function has them. One that
// names our own egress port is how a function is attached without the wrapper,
// and never an upstream: we would dial through ourselves.
func readCustomerProxy(env map[string]string, egress string) customerProxy {
	first := func(names ...string) string {
		for _, n := range names {
			if env[n] != "" {
				return env[n]
			}
		}
		return ""
	}
	c := customerProxy{
		HTTPS: proxyURL(first("HTTPS_PROXY", "https_proxy"), egress),
		HTTP:  proxyURL(first("HTTP_PROXY", "http_proxy"), egress),
		No:    first("NO_PROXY", "no_proxy"),
	}
	for _, u := range []**url.URL{&c.HTTPS, &c.HTTP} {
		if *u != nil && (*u).Scheme != "http" && (*u).Scheme != "https" {
			c.Unknown = fmt.Errorf("the function's own proxy speaks %q: nothing goes through it, as only http and https are known", (*u).Scheme)
			*u = nil
		}
	}
	return c
}

// proxyURL is the proxy that value names, unless that is ourselves; nil is none.
func proxyURL(value, egress string) *url.URL {
	u := parseProxy(value)
	if u == nil || isEgress(u, egress) {
		return nil
	}
	return u
}

// namesUs reports whether value, of a proxy variable, names our egress port.
func namesUs(value, egress string) bool {
	u := parseProxy(value)
	return u != nil && isEgress(u, egress)
}

// parseProxy reads a proxy variable as clients do: the scheme may be missing.
func parseProxy(value string) *url.URL {
	if !strings.Contains(value, "://") {
		value = "http://" + value
	}
	u, err := url.Parse(value)
	if err != nil || u.Host == "" {
		return nil
	}
	return u
}

// isEgress reports whether u is egress by whatever name of this machine.
func isEgress(u *url.URL, egress string) bool {
	e, err := netip.ParseAddrPort(egress)
	return err == nil && thisMachine(u.Hostname()) && u.Port() == fmt.Sprint(e.Port())
}

// thisMachine reports whether host is loopback, or a name that stands for it in a
// sandbox's /etc/hosts.
func thisMachine(host string) bool {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	switch host {
	case "localhost.localdomain", "sandbox.localdomain", "sandbox":
		return true
	}
	return strings.HasSuffix(host, ".localhost") || loopback(host)
}

// loopback reports whether host is this machine for certain: what goes there in
// the clear goes nowhere else.
func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && (ip.Unmap().IsLoopback() || ip.IsUnspecified())
}

// shown is a wrong value as an error may show it: one that is long enough for a secret
// may be one, in the wrong variable. A path of short names is none.
func shown(v string) string {
	long := func(part string) bool { return len(part) > 12 }
	if len(v) < 8 || strings.HasPrefix(v, "/") && !slices.ContainsFunc(strings.Split(v, "/"), long) {
		return strconv.Quote(v)
	}
	return fmt.Sprintf("a value of %d characters", len(v))
}

// The kinds of setting.

func text(field func(*config) *string) func(*config, string) error {
	return func(c *config, v string) error { *field(c) = v; return nil }
}

func oneOf(values map[string]func(*config)) func(*config, string) error {
	return func(c *config, v string) error {
		if set, ok := values[strings.ToLower(v)]; ok {
			set(c)
			return nil
		}
		var want []string
		for name := range values {
			want = append(want, name)
		}
		slices.Sort(want)
		return fmt.Errorf("%s is not one of %s", shown(v), strings.Join(want, ", "))
	}
}

func flag(set func(*config, bool)) func(*config, string) error {
	yes, no := func(c *config) { set(c, true) }, func(c *config) { set(c, false) }
	return oneOf(map[string]func(*config){"true": yes, "on": yes, "1": yes, "false": no, "off": no, "0": no})
}

func web(field func(*config) **url.URL) func(*config, string) error {
	return func(c *config, v string) error {
		u, err := url.Parse(v)
		if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
			return errors.New("wants a URL with http or https and a host") // the value may hold a password
		}
		*field(c) = u
		return nil
	}
}

// hecURLs takes one URL or several with commas: the one that is used, and those to
// turn to where it fails.
func hecURLs(c *config, v string) error {
	var urls []string
	for raw := range strings.SplitSeq(v, ",") {
		var u *url.URL
		if err := web(func(*config) **url.URL { return &u })(c, strings.TrimSpace(raw)); err != nil {
			return err
		}
		if u.User != nil || u.RawQuery != "" || u.Fragment != "" {
			return errors.New("must not carry credentials, a query or a fragment")
		}
		urls = append(urls, u.String())
	}
	c.HECURLs = urls
	return nil
}

func address(field func(*config) *string) func(*config, string) error {
	return func(c *config, v string) error {
		a, err := netip.ParseAddrPort(v)
		if err != nil || a.Port() == 0 {
			return fmt.Errorf("%s is not an address and port like %s", shown(v), defaultEgress)
		}
		*field(c) = v
		return nil
	}
}

// folder takes what the wrapper takes too: it reads paths character by character.
func folder(c *config, v string) error {
	odd := func(r rune) bool {
		return !strings.ContainsRune("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.:,_-/", r)
	}
	if !strings.HasPrefix(v, "/") || strings.ContainsFunc(v, odd) {
		return fmt.Errorf("%s is not an absolute path of letters, digits and .:,_-/", shown(v))
	}
	c.RunDir = v
	return nil
}

func telemetryTypes(c *config, v string) error {
	c.Telemetry = nil
	if v == "off" {
		return nil
	}
	for t := range strings.SplitSeq(v, ",") {
		t = strings.TrimSpace(t)
		if t != "platform" && t != "function" && t != "extension" {
			return fmt.Errorf("%s is not platform, function, extension or off", shown(t))
		}
		c.Telemetry = append(c.Telemetry, t)
	}
	return nil
}

func flushing(m flushMode) func(*config) { return func(c *config) { c.Flush = m } }

func logLevel(level string) func(*config) { return func(c *config) { c.LogLevel = level } }

// certificates counts the certificates in PEM text; 0 says that there are none.
func certificates(text []byte) (n int) {
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if block.Type == "CERTIFICATE" {
			n++
		}
	}
	return n
}
