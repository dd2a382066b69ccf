package leak

import (
	"encoding/json"
	"math"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// Watch picks the secrets out of an environment (NAME=value): what is named like
// a secret, what looks like one by its characters, and the passwords in URLs, in
// DSNs and in JSON, as secrets of their own ("DATABASE_URL/password"). Values
// shorter than 8 bytes are never secrets, nor are paths, ARNs, regions, URLs
// without a password, numbers, booleans, versions and what GATEHOUSE_, AWS and
// proxy variables hold, the AWS credentials excepted.
//
// forced says what the policy wants for a name, against all that but length and
// GATEHOUSE_; nil wants nothing. fingerprint stands for a value in findings.
func Watch(environ []string, forced func(name string) (watch, ignore bool), fingerprint func(value []byte) string) []Secret {
	var secrets []Secret
	add := func(name, value string) {
		if len(value) >= minSecret {
			v := []byte(value)
			secrets = append(secrets, Secret{Name: name, Value: v, Fingerprint: fingerprint(v), Pairs: pairsOf(name, value, environ)})
		}
	}
	for _, nv := range environ {
		name, value, _ := strings.Cut(nv, "=")
		var watch, ignore bool
		if forced != nil {
			watch, ignore = forced(name)
		}
		switch {
		case ignore || name == "GATEHOUSE" || strings.HasPrefix(name, "GATEHOUSE_"):
		case watch:
			add(name, value)
		case !platformName(name):
			watchValue(name, value, add)
		}
	}
	return secrets
}

// watchValue adds what is secret about one variable.
func watchValue(name, value string, add func(name, value string)) {
	if members := secretMembers(value); members != nil {
		for _, m := range members {
			add(name+"/"+m.name, m.value)
		}
		return
	}
	password, connection := passwordIn(value)
	if password != "" {
		add(name+"/password", password)
	}
	if !connection && isSecret(name, value) {
		add(name, value)
	}
}

// isSecret judges a whole value by its name and its characters.
func isSecret(name, value string) bool {
	switch words := words(name); {
	case len(value) < minSecret || isPlain(value):
		return false
	case awsCredential(name):
		return true
	case aboutSecret(words):
		return false
	default:
		return secretName(words, value) || len(value) >= 16 && isRandom(value)
	}
}

// awsCredential reports whether name holds a credential that Lambda gives to the
// function. The access key id is none: it stands in every signed request.
func awsCredential(name string) bool {
	switch name {
	case "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN", "AWS_CONTAINER_AUTHORIZATION_TOKEN":
		return true
	}
	return false
}

// platformName reports whether name belongs to Lambda, the shell or a proxy and
// is not a credential.
func platformName(name string) bool {
	if awsCredential(name) {
		return false
	}
	upper := strings.ToUpper(name)
	for _, prefix := range [...]string{"AWS_", "_", "LAMBDA_", "LC_", "NODE_", "PYTHON", "JAVA_", "DOTNET_", "GEM_", "LD_", "SSL_CERT", "REQUESTS_CA", "CURL_CA"} {
		if strings.HasPrefix(upper, prefix) {
			return true
		}
	}
	return strings.HasSuffix(upper, "_PROXY") ||
		slices.Contains([]string{"PATH", "LANG", "TZ", "HOME", "PWD", "OLDPWD", "SHELL", "USER", "LOGNAME", "HOSTNAME", "TERM", "SHLVL", "TMPDIR"}, upper)
}

// secretWords make a name that of a secret. Long ones do so at a word's end too:
// DBPASSWORD.
var secretWords = [...]string{
	"SECRET", "SECRETS", "TOKEN", "PASSWORD", "PASSWD", "PASSPHRASE", "PASS", "PWD", "CREDENTIALS", "CREDENTIAL", "CREDS", "CRED",
	"PRIVATE", "DSN", "BEARER", "JWT",
}

// vagueWords do so where the value is no mere word.
var vagueWords = [...]string{
	"KEY", "KEYS", "APIKEY", "ACCESSKEY", "AUTHKEY", "AUTH", "CONN", "CONNECTION", "SALT", "SIGNATURE", "SIGNING", "COOKIE", "PAT", "WEBHOOK",
}

// aboutWords end a name that says something about a secret without being one.
var aboutWords = [...]string{
	"NAME", "ID", "ARN", "URL", "URI", "HOST", "PORT", "PATH", "FILE", "DIR", "TYPE", "PREFIX", "SUFFIX", "HEADER", "REGION", "PROVIDER",
	"TTL", "TIMEOUT", "EXPIRY", "AGE", "LENGTH", "SIZE", "COUNT", "ALGORITHM", "ALG", "ISSUER", "AUDIENCE", "SCOPE", "SCOPES", "TABLE",
	"BUCKET", "USER", "USERNAME", "ENDPOINT", "DOMAIN", "MODE", "ENABLED", "METHOD", "PARAM", "PARAMETER", "VERSION", "LIMIT", "POOL",
	"STORE", "STRATEGY", "FORMAT", "STAGE", "ENV", "ALIAS", "SERVICE", "BACKEND", "CLASS", "ROUNDS",
}

// aboutSecret reports whether a variable whose name has these words holds no
// secret, whatever it looks like.
func aboutSecret(words []string) bool {
	return len(words) > 0 && slices.Contains(aboutWords[:], words[len(words)-1]) || slices.Contains(words, "PUBLIC")
}

// secretName reports whether a variable whose name has these words holds a secret
// in value.
func secretName(words []string, value string) bool {
	for _, w := range words {
		if slices.Contains(vagueWords[:], w) && !isWord(value) {
			return true
		}
		for _, s := range secretWords {
			if w == s || len(s) > 4 && strings.HasSuffix(w, s) {
				return true
			}
		}
	}
	return false
}

// isWord reports whether value is lower-case words with dashes or blanks between.
func isWord(value string) bool {
	return len(value) < 24 && strings.Trim(value, "abcdefghijklmnopqrstuvwxyz-_ ") == ""
}

// words splits a name at "_", "-", "." and where camel case begins a word, and
// returns them in upper case.
func words(name string) []string {
	var b strings.Builder
	for i := range len(name) {
		if i > 0 && isUpper(name[i]) && !isUpper(name[i-1]) {
			b.WriteByte('_')
		}
		b.WriteByte(name[i])
	}
	return strings.FieldsFunc(strings.ToUpper(b.String()), func(r rune) bool { return r == '_' || r == '-' || r == '.' })
}

func isUpper(c byte) bool { return c >= 'A' && c <= 'Z' }

// isPlain reports whether value is of a kind that is no secret: a number, a
// boolean, a version, a path, an ARN, a region, an address, a host name or a URL.
func isPlain(value string) bool {
	switch v := strings.ToLower(value); {
	case strings.Trim(v, "0123456789.,:-+_ ") == "":
		return true
	case strings.HasPrefix(v, "arn:"), strings.HasPrefix(v, "/") && isPath(v), strings.HasPrefix(v, "./"), strings.HasPrefix(v, "~/"):
		return true
	case strings.Contains(v, "://"), isVersion(v), isRegion(v), isHost(v):
		return true
	}
	if _, err := netip.ParseAddr(value); err == nil {
		return true
	}
	_, err := netip.ParseAddrPort(value)
	return err == nil
}

// isPath tells a path from base64 that happens to begin with a slash: it has
// further slashes, short names and no padding.
func isPath(v string) bool {
	for _, part := range strings.FieldsFunc(v, func(r rune) bool { return r == '/' || r == ':' }) {
		if len(part) > 48 || isRandom(part) && len(part) >= 16 || strings.ContainsAny(part, "+=") {
			return false
		}
	}
	return true
}

// isVersion reports whether v is like 1.2.3-beta or v20: numbers with dots and a
// short word.
func isVersion(v string) bool {
	v = strings.TrimPrefix(v, "v")
	n := 0
	for n < len(v) && (v[n] >= '0' && v[n] <= '9' || v[n] == '.') {
		n++
	}
	return strings.Contains(v[:n], ".") && len(v)-n <= 12
}

// isRegion reports whether v is like eu-central-1 or us-gov-west-1a.
func isRegion(v string) bool {
	parts := strings.Split(v, "-")
	last := strings.TrimRight(parts[len(parts)-1], "abcdef")
	return (len(parts) == 3 || len(parts) == 4) && len(parts[0]) == 2 && len(last) == 1 && last[0] >= '1' && last[0] <= '9'
}

// isHost reports whether v is a host name with a dot, with or without a port.
func isHost(v string) bool {
	host, _, _ := strings.Cut(v, ":")
	labels := strings.Split(host, ".")
	if len(labels) < 2 || len(labels[len(labels)-1]) < 2 || strings.Trim(labels[len(labels)-1], "abcdefghijklmnopqrstuvwxyz") != "" {
		return false
	}
	for _, l := range labels {
		if l == "" || len(l) > 63 || strings.Trim(l, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
			return false
		}
	}
	return true
}

// isRandom reports whether value has the look of a generated secret: one run of
// letters, digits and the marks of base64, mixed, of at least 3.5 bits a byte.
// UUIDs are names and no secrets unless their variable says so.
func isRandom(value string) bool {
	var lower, upper, digit, other int
	for i := range len(value) {
		switch c := value[i]; {
		case c >= '0' && c <= '9':
			digit++
		case c >= 'a' && c <= 'z':
			lower++
		case isUpper(c):
			upper++
		case strings.IndexByte("+/=_-.~!@#$%^&*", c) >= 0:
			other++
		default:
			return false
		}
	}
	mixed := digit > 0 && (lower > 0 || upper > 0)
	return mixed && other*4 <= len(value) && !isUUID(value) && entropy(value) >= 3.5 &&
		(lower > 0 && upper > 0 || digit*6 >= len(value))
}

func isUUID(v string) bool {
	return len(v) == 36 && v[8] == '-' && v[13] == '-' && v[18] == '-' && v[23] == '-'
}

// entropy returns Shannon's entropy of v's bytes, in bits a byte.
func entropy(v string) (bits float64) {
	var counts [256]int
	for i := range len(v) {
		counts[v[i]]++
	}
	for _, n := range counts {
		if n > 0 {
			p := float64(n) / float64(len(v))
			bits -= p * math.Log2(p)
		}
	}
	return bits
}

// passwordIn returns the password in a URL (scheme://user:password@host), in
// user:password@tcp(host)/db, or in a list of key=value; connection says that
// value is one of these, with a password or not.
func passwordIn(value string) (password string, connection bool) {
	if _, rest, ok := strings.Cut(value, "://"); ok {
		authority, _, _ := strings.Cut(rest, "?")
		at := strings.LastIndexByte(authority, '@')
		if at < 0 {
			return "", true
		}
		_, raw, _ := strings.Cut(authority[:at], ":")
		if plain, err := url.PathUnescape(raw); err == nil {
			return plain, true
		}
		return raw, true
	}
	if user, _, ok := strings.Cut(value, "@tcp("); ok {
		_, password, _ = strings.Cut(user, ":")
		return password, true
	}
	return pairPassword(value)
}

// pairPassword looks for a password in "host=db password=x" and "Server=db;Password=x;".
func pairPassword(value string) (password string, connection bool) {
	pairs := strings.FieldsFunc(value, func(r rune) bool { return r == ';' || r == ' ' })
	if len(pairs) < 2 {
		return "", false
	}
	for _, p := range pairs {
		k, v, ok := strings.Cut(p, "=")
		switch strings.ToLower(strings.TrimSpace(k)) {
		case "password", "pwd", "accountkey", "sharedaccesskey":
			if ok {
				return strings.Trim(v, `'"`), true
			}
		}
	}
	return "", false
}

type member struct{ name, value string }

// secretMembers returns the members of the JSON object that value is whose names
// or values are those of secrets; nil where it is none.
func secretMembers(value string) []member {
	if !strings.HasPrefix(strings.TrimSpace(value), "{") {
		return nil
	}
	var object map[string]any
	if json.Unmarshal([]byte(value), &object) != nil {
		return nil
	}
	members := []member{}
	for k, v := range object {
		if s, ok := v.(string); ok && isSecret(k, s) {
			members = append(members, member{k, s})
		}
	}
	slices.SortFunc(members, func(a, b member) int { return strings.Compare(a.name, b.name) })
	return members
}
