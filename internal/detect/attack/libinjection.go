package attack

import libinjection "github.com/corazawaf/libinjection-go"

// isXSS reports whether libinjection takes text for script in any of five
// contexts of HTML.
func isXSS(text []byte) bool { return libinjection.IsXSS(string(text)) }
