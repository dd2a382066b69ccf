package main

import (
	"strings"
	"sync"
	"sync/atomic"

	"gatehouse/internal/detect"
	"gatehouse/internal/detect/leak"
	"gatehouse/internal/policy"
	"gatehouse/internal/record"
	"gatehouse/internal/telemetry"
)

// lazySecrets knows the function's own secrets: the values of its environment
// that look like one, and the HEC token, which must not leave either. It is
// built when it is first needed.
type lazySecrets struct {
	cfg    *config
	policy func() *policy.Policy
	token  func() (string, error) // for Splunk; nil: what cfg has

	once    sync.Once
	account func() string                        // the function's own; "" while it is not known
	suspect func(detect.Outlet, *detect.Finding) // takes what is only reported

	set         atomic.Pointer[leak.Set]
	own         *leak.Set // without what was learned
	learning    sync.Mutex
	learned     []leak.Secret // what AWS answered, the oldest first
	forgets     func()        // told once that not all of that is watched any more
	ledger      leak.Ledger
	trail       leak.Trail
	crumbs      leak.Crumbs
	memory      leak.Memory // of decompressors
	fingerprint func(value []byte) string
}

func (l *lazySecrets) get() *leak.Set {
	l.once.Do(func() {
		token := l.hecToken()
		key := fingerprintKey(l.cfg.FingerprintKey, token)
		l.fingerprint = func(value []byte) string { return record.Fingerprint(key, value) }
		secrets := append(leak.Watch(l.cfg.Environ, l.policy().WatchSecret, l.fingerprint), l.asSecret(token)...)
		secrets = append(secrets, l.cfg.ownSecrets(l.fingerprint)...)
		l.own = leak.New(secrets)
		l.set.Store(l.own)
		l.memory.Limit = decodeMemory
	})
	return l.set.Load()
}

// hecToken is the token for Splunk; "": none, or none yet. What is wrong hec says.
func (l *lazySecrets) hecToken() string {
	token := l.cfg.token
	if l.token != nil {
		token = l.token
	}
	value, err := token()
	if err != nil {
		return l.cfg.HECToken
	}
	return value
}

// asSecret is the token for Splunk as what must not leave; none where it is too short
// to be one.
func (l *lazySecrets) asSecret(token string) []leak.Secret {
	if len(token) < 8 {
		return nil
	}
	return []leak.Secret{{Name: "GATEHOUSE_HEC_TOKEN", Value: []byte(token), Fingerprint: l.fingerprint([]byte(token))}}
}

// watchToken watches a token for Splunk that came late, or that was rotated.
func (l *lazySecrets) watchToken(token string) {
	set := l.get()
	l.learning.Lock()
	defer l.learning.Unlock()
	more := l.asSecret(token)
	if set.With(more) == set {
		return
	}
	l.own = l.own.With(more)
	l.set.Store(l.own.With(l.learned))
}

// What is learned of AWS's answers is bounded, because a function may ask for as many
// secrets as it likes: beyond that, the oldest are no longer watched.
const (
	maxLearned      = 64
	maxLearnedBytes = 256 << 10
)

// learn watches the secrets in what a service of AWS's answered. Scanners that are made
// from now on look for them.
func (l *lazySecrets) learn(body []byte) {
	l.get()
	secrets := leak.Answer(body, l.fingerprint)
	l.learning.Lock()
	defer l.learning.Unlock()
	before := l.set.Load()
	for i := range secrets {
		_, ignored := l.policy().WatchSecret(secrets[i].Name)
		if ignored || len(secrets[i].Value) > maxLearnedBytes || before.With(secrets[i:i+1]) == before {
			continue
		}
		l.learned = append(l.learned, secrets[i])
		before = l.own.With(l.learned)
	}
	if l.forget() {
		before = l.own.With(l.learned)
	}
	l.set.Store(before)
}

// forget drops the oldest of what was learned until there is room, and reports whether
// there was none.
func (l *lazySecrets) forget() (full bool) {
	size := 0
	for i := range l.learned {
		size += len(l.learned[i].Value)
	}
	for len(l.learned) > maxLearned || size > maxLearnedBytes {
		size -= len(l.learned[0].Value)
		l.learned = append([]leak.Secret(nil), l.learned[1:]...)
		full = true
	}
	if full && l.forgets != nil {
		l.forgets()
		l.forgets = nil
	}
	return full
}

// answers says what to do with the answer of host; nil where nothing is to be learned.
func (l *lazySecrets) answers(host string) func(body []byte) {
	if !leak.Answers(host) || !policy.AWSService(host, l.cfg.Region) {
		return nil
	}
	return l.learn
}

// decodeMemory bounds what decompressing takes of all bodies that are under way, in
// bytes.
const decodeMemory = 32 << 20

// maskTarget masks where the connection of r goes.
func (l *lazySecrets) maskTarget(r *record.Record) {
	set := l.get()
	for _, text := range []*string{&r.Dest, &r.SNI, &r.Reason} {
		*text = set.MaskFold(*text)
	}
	r.Reason = set.MaskCut(r.Reason) // it may quote a server, and is bounded
	r.URL = set.MaskURL(r.URL)
	for i := range r.Requests {
		r.Requests[i].URL = set.MaskURL(r.Requests[i].URL)
	}
}

// maskCuts masks the halves of secrets in r that are left where its evidence was cut: what
// masks the whole record does not know them.
func (l *lazySecrets) maskCuts(r *record.Record) {
	if r.Matched == "" && !r.EventTruncated {
		return
	}
	set := l.get()
	r.Matched = set.MaskCut(r.Matched)
	if !r.EventTruncated || len(r.Event) == 0 {
		return
	}
	const before, after = `{"event":`, `}` // so that no name in the event is one of a record's
	event := telemetry.MaskJSON([]byte(before+string(r.Event)+after), func(s string) string {
		head, tail := strings.HasPrefix(s, cutMark), strings.HasSuffix(s, cutMark)
		if !head && !tail {
			return s
		}
		inner := set.MaskCut(strings.TrimSuffix(strings.TrimPrefix(s, cutMark), cutMark))
		if head {
			inner = cutMark + inner
		}
		if tail {
			inner += cutMark
		}
		return inner
	})
	r.Event = event[len(before) : len(event)-len(after)]
}

// cutMark is where a record shows that something was cut.
const cutMark = "…"

// scanner looks for secrets that must not leave through o.
func (l *lazySecrets) scanner(o detect.Outlet) detect.Scanner {
	set, p := l.get(), l.policy()
	host, place := o.Host, o.Place
	ours := l.ours(host)
	allowed := func(name string) bool {
		return p.SecretHost(name, host) || ours && standsIn(name, place) || !awsCredential(name) && set.Paired(name, host, place)
	}
	how := leak.Stream{Allowed: allowed, Host: host, Ledger: &l.ledger}
	if place == "body" || place == "url" && ours {
		how.Signed = l.ours
	}
	scanner := func() detect.Scanner {
		own := set.Scanner(how)
		if place != "head" { // what stands there was looked at in its place
			own = leak.Both(own, set.Crumbs(&l.crumbs, host, allowed))
		}
		return l.beside(own, set, o, ours)
	}
	if kind, _, valued := strings.Cut(place, ":"); kind != "body" && kind != "url" && kind != "head" && !valued {
		return scanner() // a name: nothing is written in anything there
	}
	return leak.Decode(o, &l.memory, set.Touches, scanner)
}

// quiet reports whether a scanner would find nothing in text.
func (l *lazySecrets) quiet(o detect.Outlet, text []byte) bool {
	if o.Encoding != "" || !l.get().Quiet(text) {
		return false
	}
	l.crumbs.Pass(o.Host, len(text))
	return true
}

// follow reads value together with what went to host at a spot before.
func (l *lazySecrets) follow(host string, at detect.Spot, value string) []byte {
	return l.trail.Follow(host, at, value, l.get().Touches)
}

// trim notes that something was found in what went to host at a spot.
func (l *lazySecrets) trim(host string, at detect.Spot) {
	set := l.get()
	l.trail.Trim(host, at, func(text []byte) bool { return !set.Touches(text) })
}

// beside has what is no secret of the function's own looked for in the same stream:
// vendors' tokens, and the keys that requests to AWS are signed with.
func (l *lazySecrets) beside(own detect.Scanner, set *leak.Set, o detect.Outlet, ours bool) detect.Scanner {
	weak := func(f *detect.Finding) {
		if l.suspect != nil {
			l.suspect(o, f)
		}
	}
	kind, _, valued := strings.Cut(o.Place, ":")
	if kind != "url" && kind != "body" && !valued {
		return own
	}
	allowed := func(vendor string) bool { return l.policy().SecretHost(policy.TokenName(vendor), o.Host) }
	tokens := &leak.Tokens{Host: o.Host, Allowed: allowed, Known: func(t []byte) bool { return set.Find(t) != nil }, Fingerprint: l.fingerprint, Weak: weak}
	all := leak.Both(own, tokens)
	if ours && (o.Place == "url" || o.Place == "body" || o.Place == "header:authorization") {
		all = leak.Both(all, &leak.Keys{Own: l.ownKey, Weak: weak})
	}
	return all
}

// ownKey reports whether an access key id is the function's own, or of an account that
// it may sign for; known is whether that is certain.
func (l *lazySecrets) ownKey(keyID string) (own, known bool) {
	mine := l.cfg.Env["AWS_ACCESS_KEY_ID"]
	if keyID == mine {
		return true, true
	}
	account, ok := leak.AccountOf(keyID)
	if !ok {
		return false, false // of before 2019, or made up
	}
	our := ""
	if l.account != nil {
		our = l.account()
	}
	if our == "" {
		our, _ = leak.AccountOf(mine)
	}
	return account == our || l.policy().AWSAccount(account), our != ""
}

// sweep looks through one response of the function. The caller is somebody else:
// no secret is meant for him.
func (l *lazySecrets) sweep(traces bool) detect.Sweep {
	set := l.get()
	return set.Sweep(leak.Response{Signed: l.ours, Fingerprint: l.fingerprint, Traces: traces})
}

// ours reports whether host is a service endpoint of the partition that the
// function runs in, or one of S3's.
func (l *lazySecrets) ours(host string) bool {
	if policy.AWSService(host, l.cfg.Region) {
		return true
	}
	_, s3 := policy.S3Bucket(host, "", l.cfg.Region)
	return s3
}

// awsCredential reports whether name is one of AWS's, whatever it looks like.
func awsCredential(name string) bool { return strings.HasPrefix(name, "AWS_") }

// standsIn reports whether a signed request to AWS has the credential called name
// there: the key id in the Authorization header or a query, the session token in a header
// of its own; in a presigned URL it is told by that. The secret access key goes nowhere.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
func standsIn(name, place string) bool {
	switch name {
	case "AWS_ACCESS_KEY_ID":
		return place == "header:authorization" || place == "url" || place == "head"
	case "AWS_SESSION_TOKEN":
		return place == "header:x-amz-security-token" || place == "head" // its parts were looked at in their places
	}
	return false
}
