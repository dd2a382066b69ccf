package main

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html"
	"math/rand/v2"
	"net/url"
	"strings"
)

// kind is one kind of input: what an event of it looks like at any size.
type kind struct {
	name    string
	hostile bool // made to cost much
	event   func(size int) []byte
}

// kinds are what the cost of the engine is measured over. The first is what the
// hostile ones are held against.
func kinds() []kind {
	all := []kind{
		{"orders in SQS", false, event},
		{"orders in SNS", false, func(n int) []byte { return object("Message", string(event(n*4/5))) }},
		{"prose", false, func(n int) []byte { return object("q", words(dice(), n)) }},
		{"numbers and short strings", false, shortStrings},
		{"picture in base64", false, func(n int) []byte { return object("body", repeat(n, noise(6<<10))) }},
		{"form", false, func(n int) []byte { return object("body", form(n)) }},
		{"page of HTML", false, func(n int) []byte {
			return object("q", repeat(n*9/10, `<p class="lead">Dear <b>Anne</b>,<br/>your order <a href="/orders/7">7</a> has shipped.</p>`))
		}},
		{"umlauts", false, func(n int) []byte {
			return object("q", repeat(n, "Größe: süße Äpfel für Österreich, façade, naïve. "))
		}},
		{"source code", false, func(n int) []byte {
			return object("q", repeat(n*9/10, "if (a[i] < b && !c) { total += price(i) * 2; } // it's ok\n"))
		}},
		{"Kinesis records", false, func(n int) []byte {
			record := map[string]any{"eventSource": "aws:kinesis", "kinesis": map[string]any{"data": b64(event(900))}}
			return list("Records", n, record)
		}},
		{"10,000 keys", true, func(n int) []byte { return manyKeys(n, n*10000/large) }},
		{"keys", true, func(n int) []byte { return manyKeys(n, n/16) }},
		{"nested arrays", true, func(n int) []byte { return []byte(strings.Repeat("[", n/2) + strings.Repeat("]", n/2)) }},
		{"nested objects", true, func(n int) []byte {
			return []byte(strings.Repeat(`{"a":`, n/6) + "1" + strings.Repeat("}", n/6))
		}},
		{"nested JSON strings", true, nestedJSON},
		{"nested base64", true, nestedBase64},
		{"many base64", true, func(n int) []byte { return list("q", n, b64([]byte("it's a small gift, or two"))) }},
		{"gzip bomb", true, func(n int) []byte { return list("q", n, b64(gzipped(strings.Repeat("0", 1<<20)))) }},
		{"gzip bomb of quotes", true, func(n int) []byte { return list("q", n, b64(gzipped(strings.Repeat("' or (", 1<<17)))) }},
		{"gzip in gzip", true, func(n int) []byte {
			return list("q", n, b64(gzipped(string(gzipped(strings.Repeat("0", 8<<20))))))
		}},
		{"byte arrays", true, func(n int) []byte { return []byte("[" + repeat(n-4, "39,40,") + "39]") }},
		{"many short quotes", true, func(n int) []byte { return list("q", n, "' or") }},
	}
	for _, unit := range []string{
		"'", `"`, `'"`, "`", "(", "((", "[", "{", "%25", "%2525", "<", "<a ", "<!--", "</", "&", "&#39;", "{{", "${", "#{", "<%", "/*", "*/", "/*!",
		"' or ", "' or 1 ", "x' and ", "union select ", "(select(", "../", `..\`, "....//", ",", ";", "|", "&&", "$(", "$IFS", "\\", `\u0027`, `\x27`, "%u0027",
		"--", "-- ", "#\n", "\n", "0x", "1=1 ", "a=b&", "a[b]=c&", "=?utf-8?q?a?=", "://", "http://0x7f.1 ", "__proto__[", "${jndi:", "${lower:", "rO0AB",
		`O:1:"a":`, "<!ENTITY ", "--\r\n", "\r\n", "\x00", "'\x00", "\uFF07", "\u0130", "$ne", `{"$gt":`, "*)(", "select ", "or ", "cat ", "onerror=", "javascript:",
		"import os;", "eval(", "a'b", "' '", "AAAA", "QUFB ", "H4sI", "eyJ", "/etc/", "7", "\t", "A", "=", "+", "*", "@", "~", "^", "?", "-",
		"(&", "(|", "w&", "|w|", "constructor.prototype ",
	} {
		all = append(all, kind{fmt.Sprintf("%q", unit), true, func(n int) []byte { return object("q", repeatJSON(n, unit)) }})
	}
	return all
}

func dice() *rand.Rand { return rand.New(rand.NewPCG(3, 5)) }

func object(key, value string) []byte {
	return fmt.Appendf(nil, `{%s:%s}`, quote(key), quote(value))
}

// quote is s as JSON, with as few escapes as may be.
func quote(s string) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(s) // a string always can be
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// repeat is unit as often as fits into n bytes, once at least.
func repeat(n int, unit string) string { return strings.Repeat(unit, max(1, n/len(unit))) }

// repeatJSON is unit as often as fits into n bytes of JSON.
func repeatJSON(n int, unit string) string {
	return strings.Repeat(unit, max(1, n/(len(quote(unit))-2)))
}

// list is an event of about n bytes with one value again and again.
func list(key string, n int, value any) []byte {
	one, err := json.Marshal(value)
	if err != nil {
		panic(err) // maps and strings always have a JSON form
	}
	all := strings.Repeat(string(one)+",", max(1, n/(len(one)+1)))
	return fmt.Appendf(nil, `{%q:[%s]}`, key, all[:len(all)-1])
}

func b64(b []byte) string { return base64.StdEncoding.EncodeToString(b) }

func gzipped(s string) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write([]byte(s)) // into memory
	_ = z.Close()
	return b.Bytes()
}

// noise is base64 of n random bytes.
func noise(n int) string {
	d, b := dice(), make([]byte, n)
	for i := range b {
		b[i] = byte(d.Uint32())
	}
	return b64(b)
}

func form(n int) string {
	return repeat(n, "name="+url.QueryEscape("Anne O'Brien")+"&city=K%C3%B6ln&note="+url.QueryEscape(html.EscapeString("2 < 3 & more"))+"&n=7&")
}

func shortStrings(n int) []byte {
	return list("points", n, map[string]any{"id": 4711, "name": "lamp", "price": 7.5, "tags": []string{"a", "red"}, "ok": true})
}

// manyKeys is an object of about n bytes with so many keys.
func manyKeys(n, keys int) []byte {
	value := strings.Repeat("v", max(0, n/keys-13)/4*4) // as base64 in all sizes
	var b bytes.Buffer
	for i := range keys {
		fmt.Fprintf(&b, `,"k%06d":"%s"`, i, value)
	}
	b.WriteByte('}')
	b.Bytes()[0] = '{'
	return b.Bytes()
}

// nestedJSON is JSON in a string in JSON, as deep as fits.
func nestedJSON(n int) []byte {
	e := object("a", words(dice(), n/64))
	for len(e) < n/2 {
		e = object("a", string(e))
	}
	return e
}

// nestedBase64 is base64 of base64, thirty times where it fits.
func nestedBase64(n int) []byte {
	text := words(dice(), max(64, n/5000))
	for len(text) < n*3/4 {
		text = b64([]byte(text))
	}
	return object("q", text)
}
