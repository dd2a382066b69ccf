package attack

// This file alone uses libinjection, whose keyword map costs 0.45 ms of CPU when
// the process starts.

import libinjection "github.com/corazawaf/libinjection-go"

// sqlFingerprint returns libinjection's fingerprint of text if it takes text for
// SQL injection: a letter for each of the first five tokens, in the context (bare,
// in single or in double quotes) that made it think so.
func sqlFingerprint(text []byte) (fingerprint string, ok bool) {
	ok, fingerprint = libinjection.IsSQLi(string(text))
	return fingerprint, ok
}

// isXSS reports whether libinjection takes text for script in any of five
// contexts of HTML.
func isXSS(text []byte) bool { return libinjection.IsXSS(string(text)) }
