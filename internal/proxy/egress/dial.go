package egress

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"time"

	"gatehouse/internal/detect"
	"gatehouse/internal/proxy"
)

// refusal is the error of what a verdict blocked.
type refusal struct{ verdict proxy.Verdict }

func (r *refusal) Error() string { return r.verdict.Message() }

// dial connects to f's target, or to the customer's own proxy for it. The
// address that the guard judged is the one that is dialled. A blocked target is
// a *refusal.
func (f *flow) dial(ctx context.Context) (c net.Conn, err error) {
	defer f.p.recover(func() { c, err = nil, errors.New("dialling panicked") })
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	addrs, mapped, err := f.lookup(ctx)
	if err != nil {
		return nil, err
	}
	if f.through != nil {
		if err := f.judge(addrs, mapped); err != nil {
			return nil, err
		}
		return f.dialThrough(ctx)
	}
	for i, a := range addrs {
		if err := f.judge(addrs[i:i+1], mapped); err != nil {
			return nil, err
		}
		c, err = dialOne(ctx, a, len(addrs)-i)
		if err == nil {
			return c, nil
		}
	}
	return nil, err
}

// judge shows addresses to the guard.
func (f *flow) judge(addrs []netip.AddrPort, mapped bool) error {
	for _, a := range addrs {
		t := f.learn(func(t *detect.Target) { t.IP, t.Mapped = a.Addr().String(), mapped })
		t.Port = int(a.Port())
		if v := f.decide(&detect.Observation{Kind: detect.KindAddress, Target: t}); v.Action.Blocks() {
			return &refusal{v}
		}
	}
	return nil
}

// lookup returns where to dial for f's target; never nothing without an error,
// but for a name that the customer's own proxy resolves.
func (f *flow) lookup(ctx context.Context) (addrs []netip.AddrPort, mapped bool, err error) {
	if !f.quiet {
		if to, ok := f.p.Guard.Policy().Map(f.target.host, f.target.port); ok {
			a, err := netip.ParseAddrPort(to)
			return []netip.AddrPort{a}, true, err
		}
	}
	port := uint16(f.target.port)
	if ip, err := netip.ParseAddr(f.target.host); err == nil {
		return []netip.AddrPort{netip.AddrPortFrom(ip, port)}, false, nil
	}
	if f.through != nil {
		return nil, false, nil
	}
	addrs, err = f.p.resolve(ctx, f.target.host, port)
	return addrs, false, err
}

func (p *Proxy) resolve(ctx context.Context, host string, port uint16) ([]netip.AddrPort, error) {
	var ips []netip.Addr
	var err error
	if p.Resolve != nil {
		ips, err = p.Resolve(ctx, host)
	} else {
		ips, err = net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	}
	if err == nil && len(ips) == 0 {
		err = errors.New("no address")
	}
	if err != nil {
		return nil, fmt.Errorf("resolving %q: %w", host, err)
	}
	addrs := make([]netip.AddrPort, len(ips))
	for i, ip := range ips {
		addrs[i] = netip.AddrPortFrom(ip.Unmap(), port)
	}
	return addrs, nil
}

// dialOne dials a, with its share of the time that ctx leaves for left addresses.
func dialOne(ctx context.Context, a netip.AddrPort, left int) (net.Conn, error) {
	d := net.Dialer{}
	if deadline, ok := ctx.Deadline(); ok && left > 1 {
		d.Timeout = max(2*time.Second, time.Until(deadline)/time.Duration(left))
	}
	return d.DialContext(ctx, "tcp", a.String())
}

// route says through which proxy f goes: none for what the policy maps.
func (f *flow) route() {
	if f.p.Upstream == nil {
		return
	}
	if !f.quiet {
		if _, mapped := f.p.Guard.Policy().Map(f.target.host, f.target.port); mapped {
			return
		}
	}
	f.through = f.p.Upstream(f.via, f.target.host, f.target.port)
}

var errLoop = errors.New("the proxy to go through is gatehouse itself")

// dialThrough connects to the customer's own proxy, and through it with CONNECT
// unless the flow is plain HTTP, where the transport talks to that proxy.
func (f *flow) dialThrough(ctx context.Context) (net.Conn, error) {
	port := 80
	if f.through.Scheme == "https" {
		port = 443
	}
	at, err := parseTarget(f.through.Host, port)
	if err != nil {
		return nil, fmt.Errorf("dialling the proxy %q: %w", f.through.Host, err)
	}
	if !f.quiet && slices.Contains(f.p.Guard.Own, at.String()) {
		return nil, errLoop
	}
	d := net.Dialer{}
	c, err := d.DialContext(ctx, "tcp", at.String())
	if err != nil || f.via == "http" { // the transport makes TLS of it, where that is wanted
		return c, err
	}
	if f.through.Scheme == "https" {
		if c, err = f.secure(ctx, c, at.host); err != nil {
			return nil, fmt.Errorf("TLS with the proxy %q: %w", f.through.Host, err)
		}
	}
	return askProxy(ctx, c, f.target, f.through.User)
}

// secure makes TLS of c, to a proxy of that name, and closes it on error.
func (f *flow) secure(ctx context.Context, c net.Conn, name string) (net.Conn, error) {
	cfg := &tls.Config{ServerName: name, MinVersion: tls.VersionTLS12}
	if f.p.RootCAs != nil {
		cfg.RootCAs = f.p.RootCAs()
	}
	up := tls.Client(c, cfg)
	if err := up.HandshakeContext(ctx); err != nil {
		_ = c.Close() // err says it
		return nil, err
	}
	return up, nil
}

// askProxy sends a CONNECT for t over c, which it closes on error.
func askProxy(ctx context.Context, c net.Conn, t target, user *url.Userinfo) (net.Conn, error) {
	stop := context.AfterFunc(ctx, func() { _ = c.SetDeadline(time.Unix(1, 0)) })
	r, err := converse(c, t, user)
	if !stop() && err == nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		_ = c.Close() // err says it
		return nil, fmt.Errorf("asking the proxy for %s: %w", t, err)
	}
	if held := buffered(r); len(held) > 0 {
		return &early{Conn: c, read: held}, nil
	}
	return c, nil
}

func converse(c net.Conn, t target, user *url.Userinfo) (*bufio.Reader, error) {
	ask := "CONNECT " + t.String() + " HTTP/1.1\r\nHost: " + t.String() + "\r\n"
	if user != nil {
		password, _ := user.Password()
		pair := base64.StdEncoding.EncodeToString([]byte(user.Username() + ":" + password))
		ask += "Proxy-Authorization: Basic " + pair + "\r\n"
	}
	if _, err := c.Write([]byte(ask + "\r\n")); err != nil {
		return nil, err
	}
	r := bufio.NewReader(c)
	resp, err := http.ReadResponse(r, &http.Request{Method: http.MethodConnect})
	if err != nil {
		return nil, err
	}
	if resp.StatusCode/100 != 2 { // RFC 9110, 9.3.6
		return nil, errors.New("it answered " + strconv.Itoa(resp.StatusCode))
	}
	return r, nil
}
