package console

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// contentPolicy lets a page run our script and nothing else: nothing inline, no
// string turned into code, no other host.
const contentPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; " +
	"img-src 'self' data:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; " +
	"require-trusted-types-for 'script'; trusted-types 'none'"

// harden sets the headers that every page has and refuses names that are not
// ours: a host name that an attacker rebinds to 127.0.0.1 must not open a page.
func harden(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", contentPolicy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		if !ourHost(r.Host) {
			http.Error(w, "this console answers to its loopback address only", http.StatusMisdirectedRequest)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// ourHost reports whether a Host header names this machine's loopback.
func ourHost(hostport string) bool {
	host := hostport
	if h, _, err := net.SplitHostPort(hostport); err == nil {
		host = h
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}

// signedIn lets a visitor in who shows the page token, once in the URL, which is
// then taken out of it, and afterwards as a cookie.
func (p *pages) signedIn(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		if token := q.Get("token"); token != "" && equal(token, p.token) {
			http.SetCookie(w, &http.Cookie{Name: p.cookie, Value: session(p.token), Path: "/", HttpOnly: true,
				SameSite: http.SameSiteStrictMode})
			q.Del("token")
			http.Redirect(w, r, target(r.URL.Path, q.Encode()), http.StatusSeeOther)
			return
		}
		cookie, err := r.Cookie(p.cookie)
		if err != nil || !equal(cookie.Value, session(p.token)) {
			p.fail(w, r, http.StatusUnauthorized, "This page needs its token",
				"Open the URL that the console printed when it started: it carries the token.")
			return
		}
		next.ServeHTTP(w, r)
	})
}

// target joins a path on this host with a query. A path that begins with two
// slashes would lead to another host.
func target(path, query string) string {
	path = "/" + strings.TrimLeft(path, `/\`)
	if query == "" {
		return path
	}
	return path + "?" + query
}

// session is what the cookie holds: not the token itself, which opens the door.
func session(token string) string {
	sum := sha256.Sum256([]byte("gatehouse console session " + token))
	return hex.EncodeToString(sum[:])
}

func equal(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }
