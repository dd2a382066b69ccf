package hec

import (
	"bytes"
	"encoding/json"
	"strconv"
	"time"

	"gatehouse/internal/record"
	"gatehouse/internal/telemetry"
)

// maxEvent bounds one event, in bytes; a longer one is shortened and marked.
// Splunk's own bound is 5 MB, Splunk Cloud's cap on a body a little more.
const maxEvent = 900 << 10

// appendEnvelope adds it to dst in HEC's envelope, the event cut to limit bytes. It never
// adds a key that HEC does not know: Splunk answers 200 to such an object and silently
// drops what follows.
func appendEnvelope(dst []byte, it *telemetry.Item, index string, limit int) []byte {
	dst = append(dst, '{')
	dst = appendEpoch(dst, it.Time)
	if it.Host != "" {
		dst = appendPair(dst, "host", it.Host, "")
	}
	if it.Region == "" {
		dst = appendPair(dst, "source", "lambda", "")
	} else {
		dst = appendPair(dst, "source", "lambda:", it.Region)
	}
	dst = appendPair(dst, "sourcetype", "gatehouse:lambda:", string(it.Kind))
	if index != "" {
		dst = appendPair(dst, "index", index, "")
	}
	dst = append(dst, `"event":`...)
	dst = append(dst, record.Shorten(it.JSON, limit)...)
	return append(dst, '}', '\n')
}

// appendPair appends a member whose value is a and b together.
func appendPair(dst []byte, key, a, b string) []byte {
	dst = append(append(append(dst, '"'), key...), '"', ':')
	if record.PlainText(a) && record.PlainText(b) {
		return append(append(append(append(dst, '"'), a...), b...), '"', ',')
	}
	quoted, err := json.Marshal(a + b)
	if err != nil { // a string always encodes
		quoted = []byte(`""`)
	}
	return append(append(dst, quoted...), ',')
}

// appendEpoch appends the time in seconds as decimal text, which a float64 could not hold;
// nothing before 1970.
func appendEpoch(dst []byte, t time.Time) []byte {
	if t.Unix() <= 0 {
		return dst
	}
	dst = strconv.AppendInt(append(dst, `"time":`...), t.Unix(), 10)
	if n := t.Nanosecond(); n > 0 {
		var digits [10]byte
		text := strconv.AppendInt(digits[:0], int64(1_000_000_000+n), 10) // with leading zeroes behind the 1
		dst = append(append(dst, '.'), bytes.TrimRight(text[1:], "0")...)
	}
	return append(dst, ',')
}
