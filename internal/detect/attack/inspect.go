package attack

import (
	"bytes"
	"compress/gzip"
	"io"
	"unicode/utf8"

	"gatehouse/internal/detect"
)

// readings are how many encodings, JSON not counted, are undone in one reading of
// an event after the other. It is read again only where nothing was found that
// may refuse it and there was more to undo, and then the rules are asked about what
// the first reading did not reach. So what is written to cost much, in front of an
// attack, cannot use up the budget before the attack is reached.
var readings = [...]int{1, maxLayers}

// plainWord is the longest word that is judged as nothing else, in bytes.
const plainWord = minBase64

// inspection is the work on one event. Layer 0 is the event itself; every
// encoding undone adds a layer on top of it.
type inspection struct {
	result *detect.Result
	source *detect.Source
	stop   func() bool
	budget int
	slack  int // of budget: what no byte of the event stands for
	share  share
	asked  int  // work at the last question to stop
	done   bool // with the string at hand, if not over
	over   bool // with the event

	limit   int  // how many encodings are undone in this reading, JSON not counted
	undone  int  // how many of them are at the moment
	clipped bool // there was more to undo
	known   int  // under so many encodings the rules have been asked already; -1: none
	first   int  // findings of the readings before

	hits   hits
	probe  probe
	weak   bool // the profile asks weak rules, too
	strong int  // findings so far that may refuse

	raw    str // the string of the event that is being judged
	layers [maxLayers + 1]layer
	top    int // the innermost layer in use
	trust  trust
	values int // of raw, findings so far

	packed bytes.Reader
	gzip   *gzip.Reader
	zlib   io.ReadCloser
}

func (in *inspection) begin(event []byte, source *detect.Source, result *detect.Result, stop func() bool, budget int) {
	in.result, in.source, in.stop, in.budget = result, source, stop, budget
	in.asked, in.done, in.over, in.strong = 0, false, false, 0
	in.known, in.first = -1, 0
	in.rewind(event, readings[0])
}

// rewind puts the inspection before the first byte of event, for a reading that
// undoes up to limit encodings.
func (in *inspection) rewind(event []byte, limit int) {
	in.top, in.undone, in.limit, in.clipped = 0, 0, limit, false
	in.layers[0].scanner.reset(event, false)
	in.layers[0].json = true
	in.share.begin(in.result.Work, in.budget, in.slack, len(event))
}

// run reads the event, as often as is called for. The budget is one for all.
func (in *inspection) run(event []byte) {
	in.event()
	for _, limit := range readings[1:] {
		if !in.clipped || in.over || in.strong > 0 {
			return
		}
		in.result.Strings, in.result.Gaps, in.result.Exhausted = 0, in.result.Gaps[:0], false // counted again
		in.known, in.first = in.limit, len(in.result.Findings)
		in.rewind(event, limit)
		in.event()
	}
}

// release drops what belongs to the caller, and buffers that are too big to keep.
func (in *inspection) release() {
	in.result, in.source, in.stop = nil, nil, nil
	in.packed.Reset(nil)
	in.probe = probe{}
	for i := range in.layers {
		l := &in.layers[i]
		l.scanner.text, l.name = nil, nil
		if cap(l.buf) > keepBuffer {
			l.buf = nil
		}
		if cap(l.spare) > keepBuffer {
			l.spare = nil
		}
		if cap(l.scanner.plain) > keepBuffer {
			l.scanner.plain = nil
		}
		if cap(l.scanner.arrays)*8 > keepBuffer {
			l.scanner.arrays = nil
		}
	}
}

// event judges the whole event.
func (in *inspection) event() {
	s := &in.layers[0].scanner
	if len(s.text) == 0 {
		in.gap("empty", 0)
		return
	}
	in.document(0)
	if s.broken >= 0 {
		in.malformed(s)
	}
	if s.deep {
		in.gap("depth", 0)
	}
}

// malformed says that the event is not JSON from s.broken on. What does not even
// begin as an object or an array is judged as one string.
func (in *inspection) malformed(s *scanner) {
	if begin := bytes.TrimLeft(s.text, " \t\r\n"); len(begin) > 0 && (begin[0] == '{' || begin[0] == '[') {
		in.gap("malformed", len(s.text)-s.broken)
		return
	}
	s.frames, s.depth = s.frames[:0], 0
	in.gap("not-json", len(s.text))
	in.raw = str{start: 0, end: len(s.text)}
	in.trust, in.values = untrusted, 0
	in.share.to(len(s.text))
	in.judge(s.text, classesOf(s.text))
}

// document judges every string of the JSON document in layer n.
func (in *inspection) document(n int) {
	l := &in.layers[n]
	var item str
	for more := true; more && !in.done; {
		before := l.scanner.pos
		more = l.scanner.next(&item)
		if n == 0 {
			in.share.to(l.scanner.pos)
		}
		if !in.spend(l.scanner.pos-before) || !more {
			return
		}
		if n == 0 {
			in.raw, in.trust, in.values = item, unknown, 0
		}
		in.str(l, &item)
		if n == 0 {
			in.done = in.over // the next string has a share of its own
		}
	}
}

// str judges one string of a document.
func (in *inspection) str(l *layer, item *str) {
	if item.bytes {
		in.bytes(l, item)
		return
	}
	text, c := item.body(l.scanner.text), item.classes
	if item.escaped {
		if !in.spend(len(text)) {
			return
		}
		text = l.scanner.plain
	}
	if c&high != 0 && !utf8.Valid(text) {
		in.gap("not-utf8", len(text))
	}
	in.judge(text, c)
}

// maxHeader is the longest array of bytes that is judged as text whatever it looks
// like, in bytes.
const maxHeader = 512

// bytes judges an array of numbers that may be bytes, as Kafka and ActiveMQ have
// them.
func (in *inspection) bytes(l *layer, item *str) {
	if in.trusted() || !in.push("bytes") {
		return
	}
	if top := &in.layers[in.top]; !in.clip() {
		top.buf = appendBytes(top.buf[:0], l.scanner.text[item.start:item.end])
		switch {
		case !in.spend(len(top.buf)):
		case len(top.buf) < maxHeader:
			in.judge(top.buf, classesOf(top.buf))
		default: // a file more likely than a header
			in.plainly(top.buf)
		}
	}
	in.pop()
}

// worthAsking reports whether a plain word says something by itself.
func (in *inspection) worthAsking(word []byte) bool {
	return mayPollute(word) || in.weak && isCommandName(word)
}

// judge asks the rules about one value, and then about what it may stand for.
func (in *inspection) judge(value []byte, c class) {
	in.result.Strings++
	if in.done || c&^(letter|digit|dash) == 0 && len(value) < plainWord && !in.worthAsking(value) {
		return // a plain word
	}
	if looksJSON(value) && in.opened(value) {
		return
	}
	if bytes.HasPrefix(value, kplMagic) && !in.trusted() && in.push("kpl") {
		in.aggregate(value[len(kplMagic):])
		in.pop()
		return
	}
	if in.undone > in.known {
		if o := in.ask(value, c); o.rule != nil && in.found(&o, value) {
			return
		}
	}
	found := in.values
	if in.split(value, c) {
		return
	}
	if in.done || in.values > found {
		return
	}
	in.unpack(value, c)
	if in.done || in.values > found {
		return
	}
	in.climb(value, c)
}

// split judges the parts of a value that has named parts. It reports whether nothing
// else is left to judge.
func (in *inspection) split(value []byte, c class) (whole bool) {
	if c&equals == 0 {
		if isEscapedPath(c) && !in.trusted() && in.push("segment") {
			if !in.clip() {
				in.segments(value)
			}
			in.pop()
		}
		return false
	}
	found := in.values
	if c&dash != 0 && c&blank != 0 && !in.trusted() && in.mixed(value) {
		return in.values > found
	}
	if c&semicolon != 0 && in.isCookies(value) && !in.trusted() && in.push("cookie") {
		if !in.clip() {
			in.cookies(value)
		}
		if in.pop(); in.done || in.values > found {
			return true
		}
	}
	strict := isForm(value, c)
	if (strict || hasFields(value, '&')) && !in.trusted() && in.push("form") {
		if !in.clip() {
			whole = in.form(value, strict) && bytes.IndexByte(value, '&') >= 0 && c&semicolon == 0
		}
		in.pop()
	}
	return whole
}

// opened judges the strings of the JSON document that value may be. It reports
// whether nothing else is left to judge: value is JSON throughout, or done with.
func (in *inspection) opened(value []byte) bool {
	if in.trusted() {
		return true
	}
	found := in.values
	if !in.push("json") {
		return in.done
	}
	l := &in.layers[in.top]
	l.scanner.reset(value, true)
	in.document(in.top)
	in.pop()
	whole := l.scanner.broken < 0 && trimBlank(value)[0] != '"'
	return in.done || whole || in.values > found
}
