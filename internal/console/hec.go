package console

import (
	"bufio"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"regexp"
	"strings"
	"time"
)

// Bounds of a request. A body is Splunk's max_content_length (limits.conf,
// [http_input]), counted before and after decompression.
const (
	maxBody       = 838_860_800
	maxAckBody    = 1 << 20
	maxRequests   = 32              // at once; more wait
	slotTime      = 2 * time.Second // and are then answered "Server is busy"
	bodyTimeout   = time.Minute
	collectorPath = "/services/collector"
)

// guid is the form of a channel.
var guid = regexp.MustCompile(`^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$`)

// collector is the HTTP Event Collector.
type collector struct {
	token    string
	useACK   bool
	store    *store
	changed  *signal
	acks     acks
	requests chan struct{} // one slot per request under way
}

func newCollector(c *Console) *collector {
	return &collector{token: c.config.HECToken, useACK: c.config.UseACK, store: c.store, changed: c.changed,
		requests: make(chan struct{}, maxRequests)}
}

// ServeHTTP answers everything below /services.
func (c *collector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch strings.TrimSuffix(strings.TrimPrefix(r.URL.Path, collectorPath), "/1.0") {
	case "", "/event":
		c.post(w, r, c.events)
	case "/raw":
		c.post(w, r, c.raw)
	case "/ack":
		c.post(w, r, c.acknowledge)
	case "/health":
		health(w, r)
	default:
		replyNotFound.write(w)
	}
}

func health(w http.ResponseWriter, r *http.Request) {
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		replyHealthy.write(w)
	case http.MethodOptions:
		w.Header().Set("Allow", "GET,HEAD,OPTIONS")
	default:
		replyBadMethod.write(w)
	}
}

// post asks for the method and the token, then lets answer speak. OPTIONS needs
// no token: Docker's log driver asks so before it starts a container.
func (c *collector) post(w http.ResponseWriter, r *http.Request, answer func(w http.ResponseWriter, r *http.Request) reply) {
	switch r.Method {
	case http.MethodPost:
	case http.MethodOptions:
		w.Header().Set("Allow", "POST,OPTIONS")
		return
	default:
		replyBadMethod.write(w)
		return
	}
	// A sender that was frozen in the middle must keep neither a slot nor, when
	// refused, the server's wait for the rest of its body.
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(bodyTimeout)) // net/http's own writer can
	if refusal := c.authorize(r); refusal != nil {
		refusal.write(w)
		return
	}
	if !c.slot(r) {
		replyBusy.write(w)
		return
	}
	defer func() { <-c.requests }()
	if out := answer(w, r); out.status != 0 {
		out.write(w)
	}
}

// slot waits for one: a sender that gives each event a request of its own may have a
// hundred of them under way, and lose what is refused. The caller gives it back.
func (c *collector) slot(r *http.Request) bool {
	select {
	case c.requests <- struct{}{}:
		return true
	default:
	}
	wait := time.NewTimer(slotTime)
	defer wait.Stop()
	select {
	case c.requests <- struct{}{}:
		return true
	case <-wait.C:
	case <-r.Context().Done():
	}
	return false
}

// authorize returns what to answer to a request without the token. A token in
// the query wins over the header, and is refused even when it is right.
func (c *collector) authorize(r *http.Request) *reply {
	if token := r.URL.Query().Get("token"); token != "" {
		if !c.valid(token) {
			return &replyBadToken
		}
		return &replyQueryToken
	}
	header := r.Header.Get("Authorization")
	if header == "" {
		return &replyNoToken
	}
	token, ok := strings.CutPrefix(header, "Splunk ")
	if !ok {
		_, token, ok = r.BasicAuth()
	}
	if !ok || token == "" {
		return &replyBadScheme
	}
	if !c.valid(strings.TrimSpace(token)) {
		return &replyBadToken
	}
	return nil
}

func (c *collector) valid(token string) bool {
	return subtle.ConstantTimeCompare([]byte(token), []byte(c.token)) == 1
}

// channelOf returns the request's channel, or what to answer instead of taking
// the request.
func (c *collector) channelOf(r *http.Request) (string, *reply) {
	name := r.Header.Get("X-Splunk-Request-Channel")
	if name == "" {
		name = r.URL.Query().Get("channel")
	}
	switch {
	case name == "" && c.useACK:
		return "", &replyNoChannel
	case name != "" && !guid.MatchString(name):
		return "", &replyBadChannel
	case c.useACK && c.acks.full(name):
		return "", &replyTooManyPending
	}
	return name, nil
}

// intake is what a request brings before its events are read.
type intake struct {
	channel  string
	defaults envelope
	body     io.Reader
}

// accept reads all of a request but its events, or says how to refuse it.
func (c *collector) accept(w http.ResponseWriter, r *http.Request) (in intake, refusal *reply) {
	if in.channel, refusal = c.channelOf(r); refusal != nil {
		return in, refusal
	}
	var err error
	if in.defaults, err = requestDefaults(r); err != nil {
		bad := replyFormat.at(0)
		return in, &bad
	}
	if in.body = body(w, r); in.body == nil {
		return in, &reply{} // body has answered
	}
	return in, nil
}

// events takes JSON envelopes.
func (c *collector) events(w http.ResponseWriter, r *http.Request) reply {
	in, refusal := c.accept(w, r)
	if refusal != nil {
		return *refusal
	}
	b := c.batch(r)
	split := newSplitter(in.body)
	return c.finish(b, in.channel, b.fill(func() (envelope, error) {
		object, err := split.next()
		if err != nil {
			return envelope{}, err
		}
		return parseEnvelope(object, in.defaults)
	}))
}

// raw takes lines. What is known of them stands in the query.
func (c *collector) raw(w http.ResponseWriter, r *http.Request) reply {
	in, refusal := c.accept(w, r)
	if refusal != nil {
		return *refusal
	}
	b := c.batch(r)
	lines := bufio.NewScanner(in.body)
	lines.Buffer(nil, maxEvent)
	return c.finish(b, in.channel, b.fill(func() (envelope, error) { return nextLine(lines, in.defaults) }))
}

func nextLine(lines *bufio.Scanner, defaults envelope) (envelope, error) {
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		if line == "" {
			continue
		}
		e := defaults
		var err error
		e.event, err = json.Marshal(line)
		return e, err
	}
	if err := lines.Err(); err != nil {
		return envelope{}, err
	}
	return envelope{}, io.EOF
}

// finish turns what became of a batch into the reply. An ackId comes with every
// reply to a request of which something is stored, a refusal too.
func (c *collector) finish(b *batch, channel string, err error) reply {
	out := replySuccess
	switch {
	case b.aborted(), errors.Is(err, os.ErrDeadlineExceeded):
		return replyBusy // mostly nobody to hear it; who does, tries again
	case errors.Is(err, io.EOF) && b.seen == 0, errors.Is(err, errForeignKey) && b.stored == 0:
		return replyNoData
	case !errors.Is(err, io.EOF) && !errors.Is(err, errForeignKey):
		out = replyOf(err, b.seen)
	}
	if c.useACK && b.stored > 0 {
		id := c.acks.issue(channel)
		out.AckID = &id
	}
	return out
}

// acknowledge answers {"acks":[0,1]}.
func (c *collector) acknowledge(w http.ResponseWriter, r *http.Request) reply {
	if !c.useACK {
		return replyNoACK
	}
	name := or(r.Header.Get("X-Splunk-Request-Channel"), r.URL.Query().Get("channel"))
	if name == "" {
		return replyNoChannel
	}
	if !guid.MatchString(name) {
		return replyBadChannel
	}
	var asked struct {
		Acks []uint64 `json:"acks"`
	}
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxAckBody)).Decode(&asked); err != nil {
		return replyFormat
	}
	answer, err := json.Marshal(map[string]any{"acks": c.acks.take(name, asked.Acks)})
	if err != nil {
		return replyInternal
	}
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	_, _ = w.Write(answer) // the client is gone: it asks again and is told false
	return reply{}
}
