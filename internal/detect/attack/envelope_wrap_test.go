package attack_test

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"crypto/md5"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"unicode/utf16"
)

// eachByte writes every byte of s in format.
func eachByte(s, format string) string {
	var b strings.Builder
	for i := range len(s) {
		fmt.Fprintf(&b, format, s[i])
	}
	return b.String()
}

// eachRune writes every character of s in format.
func eachRune(s, format string) string {
	var b strings.Builder
	for _, r := range s {
		fmt.Fprintf(&b, format, r)
	}
	return b.String()
}

// eachUnit writes every unit of s in UTF-16 in format.
func eachUnit(s, format string) string {
	var b strings.Builder
	for _, u := range utf16.Encode([]rune(s)) {
		fmt.Fprintf(&b, format, u)
	}
	return b.String()
}

func jsonEscapes(s string) string { return eachUnit(s, `\u%04x`) }

// overlong writes every ASCII character but letters and digits as two percent
// escapes of an overlong form.
func overlong(s string) string {
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		switch {
		case c >= 0x80:
			fmt.Fprintf(&b, "%%%02X", c)
		case c >= '0' && c <= '9', c|0x20 >= 'a' && c|0x20 <= 'z':
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "%%%02X%%%02X", 0xC0|c>>6, 0x80|c&0x3F)
		}
	}
	return b.String()
}

func fullWidth(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == ' ':
			return 0x3000
		case r > ' ' && r < 0x7F:
			return r - '!' + 0xFF01
		}
		return r
	}, s)
}

// nulInside puts a NUL into every run of letters, after the second one.
func nulInside(s string) string {
	var b strings.Builder
	run := 0
	for i := range len(s) {
		c := s[i]
		if c|0x20 >= 'a' && c|0x20 <= 'z' {
			if run++; run == 3 {
				b.WriteByte(0)
			}
		} else {
			run = 0
		}
		b.WriteByte(c)
	}
	return b.String()
}

// encodedWords writes s as a mail's header does: words of at most 75 characters,
// with blanks between that do not count.
func encodedWords(s, kind string, encode func(string) string) string {
	var words []string
	for len(s) > 0 {
		n := min(15, len(s))
		for n < len(s) && s[n]&0xC0 == 0x80 { // within a character
			n++
		}
		words = append(words, "=?UTF-8?"+kind+"?"+encode(s[:n])+"?=")
		s = s[n:]
	}
	return strings.Join(words, " ")
}

func quotedPrintable(s string) string {
	var b strings.Builder
	for i := range len(s) {
		switch c := s[i]; {
		case c == ' ':
			b.WriteByte('_')
		case c >= '0' && c <= '9', c|0x20 >= 'a' && c|0x20 <= 'z':
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "=%02X", c)
		}
	}
	return b.String()
}

// mimeLines breaks s into lines of 76 characters.
func mimeLines(s string) string {
	var lines []string
	for len(s) > 76 {
		lines, s = append(lines, s[:76]), s[76:]
	}
	return strings.Join(append(lines, s), "\r\n")
}

// utf16LE is s in UTF-16 with a byte order mark.
func utf16LE(s string) string {
	b := []byte{0xFF, 0xFE}
	for _, u := range utf16.Encode([]rune(s)) {
		b = binary.LittleEndian.AppendUint16(b, u)
	}
	return string(b)
}

func gz(s string) string {
	var b bytes.Buffer
	return compressed(&b, gzip.NewWriter(&b), s)
}

func zl(s string) string {
	var b bytes.Buffer
	return compressed(&b, zlib.NewWriter(&b), s)
}

func compressed(b *bytes.Buffer, w io.WriteCloser, s string) string {
	_, _ = io.WriteString(w, s) // into memory
	_ = w.Close()
	return b.String()
}

// byteArray writes s as an array of numbers, of which those of Java are signed.
// It is JSON as it stands, so object takes it as json.RawMessage too.
func byteArray(s string, signed bool) rawArray {
	numbers := make([]string, len(s))
	for i := range len(s) {
		if signed {
			numbers[i] = fmt.Sprint(int8(s[i]))
		} else {
			numbers[i] = fmt.Sprint(s[i])
		}
	}
	return rawArray("[" + strings.Join(numbers, ",") + "]")
}

// rawArray is JSON that is written as it stands.
type rawArray string

// MarshalJSON returns a as it stands.
func (a rawArray) MarshalJSON() ([]byte, error) { return []byte(a), nil }

func multipartBody(p string) string {
	const line = "------shop7MA4YWxk\r\n"
	return line + "Content-Disposition: form-data; name=\"size\"\r\n\r\nlarge\r\n" +
		line + "Content-Disposition: form-data; name=\"ref\"; filename=\"n.txt\"\r\nContent-Type: text/plain\r\n\r\n" + p + "\r\n" +
		"------shop7MA4YWxk--\r\n"
}

// restEvent is an event of API Gateway's REST API.
func restEvent(body, query string) string {
	e := map[string]any{
		"resource": "/{proxy+}", "path": "/orders", "httpMethod": "POST", "body": body,
		"headers":         map[string]any{"Accept": "*/*", "Content-Type": "multipart/form-data; boundary=----shop7MA4YWxk"},
		"requestContext":  map[string]any{"stage": "prod", "identity": map[string]any{"sourceIp": "192.0.2.7"}},
		"isBase64Encoded": body != "" && body[0] != '{' && body[0] != '-',
	}
	if query != "" {
		e["rawQueryString"] = query
	}
	return encode(e)
}

// records is an event of one record with one member.
func records(source, key string, value any) string {
	return object("Records", []any{map[string]any{"eventSource": source, "awsRegion": "eu-central-1", key: value}})
}

func kinesis(data string) string {
	return records("aws:kinesis", "kinesis", map[string]any{"partitionKey": "a", "data": b64(data)})
}

func dynamo(image map[string]any) string {
	return records("aws:dynamodb", "dynamodb", map[string]any{"StreamViewType": "NEW_IMAGE", "NewImage": image})
}

func kafka(value string, headers []any) string {
	record := map[string]any{"topic": "orders", "partition": 0, "offset": 15, "key": "a2V5LW9mLXJlY29yZA==", "value": value, "headers": headers}
	return encode(map[string]any{"eventSource": "aws:kafka", "records": map[string]any{"orders-0": []any{record}}})
}

// aggregate is what the Kinesis Producer Library makes of several records:
// https://github.com/awslabs/amazon-kinesis-producer/blob/master/aggregation-format.md
func aggregate(all ...string) string {
	field := func(dst []byte, number int, b []byte) []byte {
		dst = append(dst, byte(number<<3|2))
		return append(binary.AppendUvarint(dst, uint64(len(b))), b...)
	}
	message := field(nil, 1, []byte("a"))
	for _, data := range all {
		message = field(message, 3, field([]byte{1 << 3, 0}, 3, []byte(data)))
	}
	sum := md5.Sum(message)
	return "\xf3\x89\x9a\xc2" + string(message) + string(sum[:])
}

// filler is n bytes that mean nothing, of one of four kinds.
func filler(kind, n int) string {
	unit := [...]string{"0", "Please leave it at the door; we're home at 5, or ask O'Neil. ", `{"id":12,"tags":["a","b"],"price":7.5},`, noise()}[kind%4]
	return strings.Repeat(unit, n/len(unit)+1)[:n]
}

// noise is 8 KB of base64 of random bytes.
var noise = sync.OnceValue(func() string {
	random := rand.New(rand.NewPCG(7, 11))
	b := make([]byte, 6<<10)
	for i := range b {
		b[i] = byte(random.Uint32())
	}
	return b64(string(b))
})

// behind puts text in front of p so that whoever reads p still reads the same: into
// a member of its own where p is a JSON object or means something as a whole only, a
// field of its own where it is a form.
func behind(text, p string) string {
	switch {
	case isObject(p):
		return `{"pad":` + quoted(text) + "," + p[1:]
	case isWhole(p):
		return `{"pad":` + quoted(text) + `,"q":` + quoted(p) + "}"
	case isFields(p):
		return "pad=" + q(text) + "&" + p
	}
	return text + p
}

// before puts text behind p in the same way.
func before(p, text string) string {
	switch {
	case isObject(p):
		return p[:len(p)-1] + `,"pad":` + quoted(text) + "}"
	case isWhole(p):
		return `{"q":` + quoted(p) + `,"pad":` + quoted(text) + "}"
	case isFields(p):
		return p + "&pad=" + q(text)
	}
	return p + text
}

func isObject(p string) bool { return strings.HasPrefix(p, `{"`) && strings.HasSuffix(p, "}") }

// isWhole reports whether p is a URL or an absolute path, and so none behind
// something else.
func isWhole(p string) bool {
	scheme, _, ok := strings.Cut(p, "://")
	return strings.HasPrefix(p, "/") || ok && !strings.ContainsAny(scheme, " <'\"(;&|$")
}

// isFields reports whether p begins with a name, as fields have, and "=".
func isFields(p string) bool {
	name, _, ok := strings.Cut(p, "=")
	return ok && !strings.ContainsFunc(name, func(r rune) bool {
		return !strings.ContainsRune("[]$_.", r) && (r < '0' || r > '9') && (r|0x20 < 'a' || r|0x20 > 'z')
	})
}
