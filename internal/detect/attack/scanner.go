package attack

import (
	"bytes"

	"gatehouse/internal/detect"
)

// Places in scannerRules.
const (
	scannerAgent = iota
	scannerCanary
	scannerCallback
	scannerName
)

var scannerRules = []rule{
	scannerAgent:    {id: "scanner.agent", signature: "Scanner", category: "scanner", severity: detect.Medium, score: likely},
	scannerCanary:   {id: "scanner.canary", signature: "Test string of a scanner", category: "scanner", severity: detect.Medium, score: likely},
	scannerCallback: {id: "scanner.callback", signature: "Host that attacks call back to", category: "scanner", severity: detect.High, score: likely},
	scannerName:     {id: "scanner.name", signature: "Name of a scanner", category: "scanner", severity: detect.Low, score: suspect, weak: true},
}

// scannerFamily finds the names that scanners give themselves, the strings that they
// look for in answers, and the hosts that they make a victim call.
var scannerFamily = family{
	tokens: []string{
		"sqlmap", "nikto", "nuclei", "acunetix", "nessus", "w3af", "dirbuster", "gobuster", "wpscan", "masscan", "zgrab", "zaproxy", "owasp zap",
		"arachni", "netsparker", "invicti", "qualys", "feroxbuster", "fuzz faster", "openvas", "whatweb", "havij", "jaeles", "wfuzz", "commix",
		"xsstrike", "dalfox", "appscan", "webinspect", "nmap scripting", "joomscan", "skipfish", "sqlninja", "fimap", "jorgee", "zmeu", "w00tw00t",
		"dirsearch", "gotestwaf", "burpcollaborator", "oastify", "interact.sh", ".oast.", "dnslog.", "ceye.io", "bxss.me", ".r87.me",
		"burp suite", "xray.cool", "projectdiscovery",
	},
	rules: scannerRules,
	match: matchScanner,
}

func matchScanner(in *inspection, p *probe) (r *rule, at int) {
	value := p.span()
	if !in.spend(2 * len(value)) {
		return nil, 0
	}
	agent := in.isAgent()
	for i := 0; i < len(value); i++ {
		if i > 0 && classOf[value[i-1]]&(letter|digit) != 0 {
			continue
		}
		found := scannerAt(value, i, agent)
		if found != nil && (in.weak || !found.weak) {
			r, at = heavier(r, at, found, p.from+i)
		}
		if r != nil && !r.weak {
			return r, at
		}
	}
	return r, at
}

// isAgent reports whether the value at hand is the name that a client gives itself.
func (in *inspection) isAgent() bool {
	name := in.fieldName()
	return equalFold(name, "user-agent") || equalFold(name, "useragent") || equalFold(name, "user_agent") || equalFold(name, "x-scanner")
}

// scannerAt judges the word at i. agent: the value is the name of a client.
func scannerAt(value []byte, i int, agent bool) *rule {
	rest := value[i:]
	switch {
	case isCanary(rest):
		return &scannerRules[scannerCanary]
	case isCallback(rest):
		if label := labelBefore(value, i); label != nil {
			if random(label) {
				return &scannerRules[scannerCallback]
			}
			return &scannerRules[scannerName]
		}
		return nil
	}
	n := scannerNamed(rest)
	switch {
	case n == 0, n < len(rest) && classOf[rest[n]]&letter != 0:
		return nil
	case agent, i == 0 && versioned(rest[n:]):
		return &scannerRules[scannerAgent]
	}
	return &scannerRules[scannerName]
}

// scannerNamed returns the length of a scanner's name at the beginning of b.
func scannerNamed(b []byte) int {
	if len(b) < 4 {
		return 0
	}
	var names []string
	switch b[0] | 0x20 {
	case 'a':
		names = []string{"acunetix", "arachni", "appscan"}
	case 'b':
		names = []string{"burp suite"}
	case 'c':
		names = []string{"commix"}
	case 'd':
		names = []string{"dirbuster", "dirsearch", "dalfox"}
	case 'f':
		names = []string{"feroxbuster", "fuzz faster u fool", "fimap"}
	case 'g':
		names = []string{"gobuster", "gotestwaf"}
	case 'h':
		names = []string{"havij"}
	case 'i':
		names = []string{"invicti"}
	case 'j':
		names = []string{"jaeles", "joomscan", "jorgee"}
	case 'm':
		names = []string{"masscan"}
	case 'n':
		names = []string{"nikto", "nuclei", "nessus", "netsparker", "nmap scripting engine"}
	case 'o':
		names = []string{"openvas", "owasp zap"}
	case 'q':
		names = []string{"qualys"}
	case 's':
		names = []string{"sqlmap", "skipfish", "sqlninja"}
	case 'w':
		names = []string{"wpscan", "w3af", "whatweb", "wfuzz", "webinspect"}
	case 'x':
		names = []string{"xsstrike"}
	case 'z':
		names = []string{"zgrab", "zaproxy", "zmeu"}
	}
	for _, name := range names {
		if hasPrefixFold(b, name) {
			return len(name)
		}
	}
	return 0
}

// versioned reports whether b goes on behind a name as clients do: /1.7.2, /v2, v3.
func versioned(b []byte) bool {
	if len(b) < 2 || b[0] != '/' && b[0] != ' ' && b[0] != '-' {
		return false
	}
	v := bytes.TrimPrefix(b[1:], []byte("v"))
	return len(v) > 0 && v[0] >= '0' && v[0] <= '9' && (b[0] == '/' || len(v) > 2 && bytes.IndexByte(v[:min(len(v), 4)], '.') > 0)
}

// isCanary reports whether b begins with a string that only a scanner sends.
func isCanary(b []byte) bool {
	switch b[0] | 0x20 {
	case 'a':
		return hasPrefixFold(b, "acunetix_wvs_security_test") || hasPrefixFold(b, "appscan_fingerprint") || hasPrefixFold(b, "acunetix-product") ||
			hasPrefixFold(b, "acunetix-aspect")
	case 'n':
		return hasPrefixFold(b, "nikto-test-") || hasPrefixFold(b, "nessustest") || hasPrefixFold(b, "nessus_is_probing_you") ||
			hasPrefixFold(b, "netsparker(0x") || hasPrefixFold(b, "ns:netsparker")
	case 'o':
		return hasPrefixFold(b, "openvasvt") || hasPrefixFold(b, "openvas-vt")
	case 'w':
		return hasPrefixFold(b, "w00tw00t.at.")
	case 'm':
		return hasPrefixFold(b, "muieblackcat")
	}
	return false
}

// isCallback reports whether b begins with the domain of a service that notes who
// looks a name of it up.
func isCallback(b []byte) bool {
	var domain string
	switch b[0] | 0x20 {
	case 'b':
		if domain = "burpcollaborator.net"; hasPrefixFold(b, "bxss.me") {
			domain = "bxss.me"
		}
	case 'c':
		domain = "ceye.io"
	case 'd':
		domain = "dnslog.cn"
	case 'i':
		domain = "interact.sh"
	case 'o':
		if domain = "oastify.com"; hasPrefixFold(b, "oast.") {
			return oastDomain(b[len("oast."):])
		}
	case 'r':
		domain = "r87.me"
	default:
		return false
	}
	return hasPrefixFold(b, domain) && (len(b) == len(domain) || classOf[b[len(domain)]]&(letter|digit|dash) == 0)
}

// oastDomain reports whether b begins with the rest of one of interactsh's domains.
func oastDomain(b []byte) bool {
	for _, top := range [...]string{"pro", "live", "site", "online", "fun", "me"} {
		if hasPrefixFold(b, top) && (len(b) == len(top) || classOf[b[len(top)]]&(letter|digit|dash) == 0) {
			return true
		}
	}
	return false
}

// labelBefore returns the label of a host's name before the dot in front of at; nil
// where there is none.
func labelBefore(value []byte, at int) []byte {
	if at < 2 || value[at-1] != '.' {
		return nil
	}
	start := at - 1
	for start > 0 && at-start < maxLabel && classOf[value[start-1]]&(letter|digit|dash) != 0 {
		start--
	}
	if start == at-1 {
		return nil
	}
	return value[start : at-1]
}

// maxLabel is how long a label can be, with its dot, in bytes.
const maxLabel = 64

// random reports whether nobody would call a host so.
func random(label []byte) bool {
	c := classesOf(label)
	return len(label) >= 6 && c&digit != 0 && c&letter != 0 || len(label) >= 20
}
