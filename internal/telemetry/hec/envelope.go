package hec

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"gatehouse/internal/record"
	"gatehouse/internal/telemetry"
)

// maxEvent bounds one event, in bytes; a longer one is shortened and marked.
// Splunk's own bound is 5 MB, Splunk Cloud's cap on a body a little more.
const maxEvent = 900 << 10

// appendEnvelope adds it to dst in HEC's envelope, the event cut to limit bytes. It never adds a key that HEC
// does not know: Splunk answers 200 to such an object and silently drops what
// follows.
func appendEnvelope(dst []byte, it *telemetry.Item, index string, limit int) []byte {
	dst = append(dst, '{')
	if t := epoch(it.Time); t != "" {
		dst = append(append(append(dst, `"time":`...), t...), ',')
	}
	if it.Host != "" {
		dst = appendPair(dst, "host", it.Host)
	}
	source := "lambda"
	if it.Region != "" {
		source += ":" + it.Region
	}
	dst = appendPair(dst, "source", source)
	dst = appendPair(dst, "sourcetype", "gatehouse:lambda:"+string(it.Kind))
	if index != "" {
		dst = appendPair(dst, "index", index)
	}
	dst = append(dst, `"event":`...)
	dst = append(dst, record.Shorten(it.JSON, limit)...)
	return append(dst, '}', '\n')
}

func appendPair(dst []byte, key, value string) []byte {
	quoted, err := json.Marshal(value)
	if err != nil { // a string always encodes
		return dst
	}
	dst = append(append(append(dst, '"'), key...), '"', ':')
	return append(append(dst, quoted...), ',')
}

// epoch returns t in seconds as decimal text, which a float64 could not hold; ""
// before 1970.
func epoch(t time.Time) string {
	if t.Unix() <= 0 {
		return ""
	}
	s := fmt.Sprintf("%d.%09d", t.Unix(), t.Nanosecond())
	return strings.TrimRight(strings.TrimRight(s, "0"), ".")
}
