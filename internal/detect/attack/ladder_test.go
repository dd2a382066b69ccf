package attack_test

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"unicode/utf16"

	"gatehouse/internal/detect"
	"gatehouse/internal/detect/attack"
)

// The encodings are each tried on one attack that every engine knows.
const inject = `1' UNION SELECT password FROM users -- x`

// tautology is one that is none without its quotes.
const tautology = `x' OR 'ab'='ab`

func TestEncodings(t *testing.T) {
	b64 := func(b []byte) string { return base64.StdEncoding.EncodeToString(b) }
	each := func(format string) string {
		var b strings.Builder
		for _, r := range inject {
			fmt.Fprintf(&b, format, r)
		}
		return b.String()
	}
	var wide []byte
	for _, u := range utf16.Encode([]rune(inject)) {
		wide = binary.LittleEndian.AppendUint16(wide, u)
	}
	numbers := func(b []byte, signed bool) string {
		var out []string
		for _, c := range b {
			if signed {
				out = append(out, fmt.Sprint(int8(c)))
			} else {
				out = append(out, fmt.Sprint(c))
			}
		}
		return "[" + strings.Join(out, ",") + "]"
	}
	tests := []struct{ name, value, chain string }{
		{"percent", each("%%%02x"), "percent"},
		{"percent twice", each("%%25%02x"), "percent percent"},
		{"percent three times", each("%%2525%02x"), "percent percent percent"},
		{"%u", each("%%u%04x"), "percent"},
		{`\u`, each(`\u%04x`), "escape"},
		{`\x`, each(`\x%02x`), "escape"},
		{`\u{}`, each(`\u{%x}`), "escape"},
		{`\U`, each(`\U%08x`), "escape"},
		{"decimal references", each("&#%d;"), "entity"},
		{"hexadecimal references", each("&#x%x;"), "entity"},
		{"references without semicolons", each("&#0%d"), "entity"},
		{"references in percent", strings.ReplaceAll(strings.ReplaceAll(each("&#%d;"), "#", "%23"), "&", "%26"), "percent entity"},
		{"named references", strings.ReplaceAll(tautology, "'", "&apos;"), "entity"},
		{"overlong", strings.ReplaceAll(tautology, "'", "%c0%a7"), "percent overlong"},
		{"overlong, three bytes", strings.ReplaceAll(tautology, "'", "%e0%80%a7"), "percent overlong"},
		{"no-break blanks of Latin-1", strings.ReplaceAll(strings.ReplaceAll(inject, "'", "%27"), " ", "%a0"), "percent overlong"},
		{"no-break blanks", strings.ReplaceAll(inject, " ", "\u00a0"), "width"},
		{"full width", strings.ReplaceAll(strings.ReplaceAll(inject, "'", "＇"), "S", "Ｓ"), "width"},
		{"NUL inside words", strings.ReplaceAll(inject, "E", "E\x00"), "invisible"},
		{"zero width inside words", strings.ReplaceAll(inject, "E", "E\u200b"), "invisible"},
		{"base64", b64([]byte(inject)), "base64"},
		{"base64 in lines", b64([]byte(strings.Repeat("x", 60) + inject))[:76] + "\r\n" + b64([]byte(strings.Repeat("x", 60) + inject))[76:], "base64"},
		{"base64 three times", b64([]byte(b64([]byte(b64([]byte(inject)))))), "base64 base64 base64"},
		{"base64 of UTF-16", b64(wide), "base64 invisible"},
		{"basic authentication", "Basic " + b64([]byte("admin:"+inject)), "base64"},
		{"data URI", "data:text/plain;charset=utf-8;base64," + b64([]byte(inject)), "base64"},
		{"hex", hex.EncodeToString([]byte(inject)), "hex"},
		{"gzip", b64(gzipped(inject)), "base64 gzip"},
		{"gzip of gzip", b64(gzipped(string(gzipped(inject)))), "base64 gzip gzip"},
		{"zlib", b64(zlibbed(inject)), "base64 zlib"},
		{"gzip of percent", b64(gzipped(each("%%%02x"))), "base64 gzip percent"},
		{"encoded word, B", "=?UTF-8?B?" + b64([]byte(inject)) + "?=", "rfc2047"},
		{"encoded word, Q", "=?utf-8?Q?" + strings.ReplaceAll(each("=%02x"), "=20", "_") + "?=", "rfc2047"},
		{"multipart", "--xyz\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n" + b64([]byte(inject)) + "\r\n--xyz--\r\n", "multipart base64"},
		{"KPL", b64(aggregated(inject)), "base64 kpl"},
		{"binary", b64(append(append([]byte{0, 1, 0xfe, 0x80, 0x90, 0xa1, 0, 0}, inject...), bytes.Repeat([]byte{0xff, 0}, 90)...)), "base64 strings"},
		{"spread over fields", "a=1%27/*&a=*/%55NION/*&a=*/%53ELECT/*&a=*/password/*&a=*/%46ROM/*&a=*/users", "form"},
		{"cookie", "theme=dark; id=" + strings.ReplaceAll(tautology, " ", "%20") + "; a=1", "cookie"},
		{"key of an object", "in/2026/" + each("%%%02x"), "segment"},
		{"UTF-16 with its mark", b64(append([]byte{0xFF, 0xFE}, wide...)), "base64 utf16"},
		{"encoded words", "=?UTF-8?B?" + b64([]byte(inject[:12])) + "?= =?UTF-8?B?" + b64([]byte(inject[12:])) + "?=", "rfc2047"},
		{"web token as a header", "Bearer eyJhbGciOiJub25lIn0." + base64.RawURLEncoding.EncodeToString([]byte(`{"sub":"`+inject+`"}`)) + ".", "jwt json"},
		{"web token", "eyJhbGciOiJub25lIn0." + base64.RawURLEncoding.EncodeToString([]byte(`{"sub":"`+inject+`"}`)) + ".", "jwt json"},
	}
	for _, tt := range tests {
		event, err := json.Marshal(map[string]string{"q": tt.value})
		if err != nil {
			t.Fatal(err)
		}
		checkChain(t, tt.name, event, tt.chain)
	}
	checkChain(t, "bytes", []byte(`{"h":[{"q":`+numbers([]byte(inject), false)+`}]}`), "bytes")
	checkChain(t, "Java's bytes", []byte(`{"h":`+numbers(gzipped(inject), true)+`}`), "bytes gzip")
}

func checkChain(t *testing.T, name string, event []byte, chain string) {
	t.Helper()
	r := inspect(t, event)
	if len(r.Findings) == 0 {
		t.Errorf("%s: nothing found in %q; gaps %v", name, event, r.Gaps)
		return
	}
	if got := strings.Join(r.Findings[0].DecodeChain, " "); got != chain {
		t.Errorf("%s: undone %q, want %q", name, got, chain)
	}
	if raw := event[r.Findings[0].Start:r.Findings[0].End]; raw[0] != '"' && raw[0] != '[' {
		t.Errorf("%s: the finding is at %q", name, raw)
	}
}

func gzipped(s string) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write([]byte(s)) // a Buffer takes all
	_ = w.Close()
	return b.Bytes()
}

func zlibbed(s string) []byte {
	var b bytes.Buffer
	w := zlib.NewWriter(&b)
	_, _ = w.Write([]byte(s)) // a Buffer takes all
	_ = w.Close()
	return b.Bytes()
}

// aggregated is a record of the Kinesis Producer Library: a partition key and a
// record with s in JSON.
func aggregated(s string) []byte {
	field := func(n int, b []byte) []byte {
		return append(binary.AppendUvarint(binary.AppendUvarint(nil, uint64(n<<3|2)), uint64(len(b))), b...)
	}
	record := append(append([]byte{1 << 3, 0}, field(3, []byte(s))...), field(4, []byte("tag"))...)
	message := append(field(1, []byte("key-1")), field(3, record)...)
	return append(append([]byte{0xF3, 0x89, 0x9A, 0xC2}, message...), make([]byte, 16)...)
}

// A number that is no byte, or an array that is no JSON, is left to the scanner.
func TestArraysThatAreNoBytes(t *testing.T) {
	for _, text := range []string{
		`[1,2,3,4,5,6,7,256]`, `[1,2,3,4,5,6,7,-129]`, `[1,2,3,4,5,6,7,1.5]`, `[1,2,3,4,5,6,7,"x"]`, `[1,2,3]`, `[]`,
		`[[1,2,3,4,5,6,7,8],9]`, `[1,2,3,4,5,6,7,8]`,
	} {
		if r := inspect(t, []byte(text)); len(r.Gaps) > 0 {
			t.Errorf("%s: gaps %v", text, r.Gaps)
		}
	}
	for _, text := range []string{`[1,2,3,4,5,6,7,,8]`, `[1,2,3,4,5,6,7,8,]`, `[1 2,3,4,5,6,7,8,9]`, `[01,2,3,4,5,6,7,8]`, `[1,2,3,4,5,6,7,8`} {
		if r := inspect(t, []byte(text)); len(r.Gaps) != 1 || r.Gaps[0].Reason != "malformed" {
			t.Errorf("%s: gaps %v, want malformed", text, r.Gaps)
		}
	}
}

// TestDepthIsTold nests more than is undone: the receipt must say so.
func TestDepthIsTold(t *testing.T) {
	value := inject
	for range 7 {
		value = base64.StdEncoding.EncodeToString([]byte(value))
	}
	r := inspect(t, []byte(`{"q":"`+value+`"}`))
	if len(r.Findings) > 0 || len(r.Gaps) == 0 || r.Gaps[0].Reason != "depth" {
		t.Errorf("findings %v, gaps %v, want a gap of depth", r.Findings, r.Gaps)
	}
}

// A bomb is inflated as far as the budget goes, and no further.
func TestBombs(t *testing.T) {
	bomb := base64.StdEncoding.EncodeToString(gzipped(strings.Repeat("' ", 64<<20)))
	event := []byte(`{"q":"` + bomb + `"}`)
	var e attack.Engine
	var r detect.Result
	e.Inspect(event, e.Source(event), &r, nil)
	if !r.Exhausted || r.Work > 40*len(event)+1<<20 {
		t.Errorf("exhausted %v after %d of work for %d bytes", r.Exhausted, r.Work, len(event))
	}
}

// A boundary ends a part only as a whole line does: whoever chooses it must not cut
// an attack in two for us alone. And what is called name ends no other name.
func TestMultipartIsCutWhereItsReadersCutIt(t *testing.T) {
	event := object("body", "--x\r\nContent-Disposition: form-data; filename=\"comment\"; name=\"id\"\r\n\r\n1 or/*--x*/7=7\r\n--x--\r\n")
	r := inspect(t, []byte(event))
	if len(r.Findings) != 1 || r.Findings[0].Path != "body.id" || r.Findings[0].RuleID != "sqli.tautology" {
		t.Errorf("findings %+v, want sqli.tautology at body.id", r.Findings)
	}
}

// Some readers take no notice of what stands behind a document.
func TestJSONIsOpenedWhateverStandsBehindIt(t *testing.T) {
	for _, body := range []string{`{"id":"1 or 7=7"}x`, `{"id":"1 or 7=7"} // `, ` [{"id":"1 or 7=7"}`} {
		r := inspect(t, []byte(object("body", body)))
		if len(r.Findings) != 1 || !strings.HasSuffix(r.Findings[0].Path, "id") {
			t.Errorf("%s: findings %+v, want one at id", body, r.Findings)
		}
	}
}
