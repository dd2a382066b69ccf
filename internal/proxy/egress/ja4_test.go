package egress_test

import (
	"crypto/tls"
	"net"
	"regexp"
	"strings"
	"testing"

	"gatehouse/internal/proxy/egress"
)

// helloOf is what a client of Go's says first.
func helloOf(t testing.TB, c *tls.Config) []byte {
	t.Helper()
	ours, theirs := net.Pipe()
	go func() { _ = tls.Client(theirs, c).Handshake(); _ = theirs.Close() }() // ends when we close
	defer func() { _ = ours.Close() }()
	raw := make([]byte, 64<<10)
	n, err := ours.Read(raw)
	if err != nil {
		t.Fatal(err)
	}
	return raw[:n]
}

var ja4 = regexp.MustCompile(`^t(13|12|11|10)[di][0-9]{4}[a-z0-9]{2}_[0-9a-f]{12}_[0-9a-f]{12}$`)

// The examples that JA4's description has, from lists in their own order.
func TestJA4(t *testing.T) {
	chrome := egress.ClientHello{
		Version: 0x0303, SNI: true, ALPN: "h2", Versions: []uint16{0x3a3a, 0x0304, 0x0303},
		Ciphers:    []uint16{0x1a1a, 0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8, 0xc013, 0xc014, 0x009c, 0x009d, 0x002f, 0x0035},
		Extensions: []uint16{0x4a4a, 0x001b, 0x0000, 0x0033, 0x0010, 0x4469, 0x0017, 0x002d, 0x000d, 0x0005, 0x0023, 0x0012, 0x002b, 0xff01, 0x000b, 0x000a, 0x0015, 0x6a6a},
		Signatures: []uint16{0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601},
	}
	if got, want := egress.JA4Of(chrome), "t13d1516h2_8daaf6152771_e5627efa2ab1"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	bare := egress.ClientHello{Version: 0x0303}
	if got, want := egress.JA4Of(bare), "t12i000000_000000000000_000000000000"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	odd := egress.ClientHello{Version: 0x0301, ALPN: "\xab\xcd", Ciphers: []uint16{0x0a0a}}
	if got := egress.JA4Of(odd); !strings.HasPrefix(got, "t10i0000ad_") {
		t.Errorf("%s", got)
	}
}

// A real ClientHello is read as crypto/tls reads it, whole or cut into records; the
// fingerprint does not depend on the host.
func TestParseClientHello(t *testing.T) {
	one := helloOf(t, &tls.Config{ServerName: "api.test", NextProtos: []string{"h2", "http/1.1"}})
	other := helloOf(t, &tls.Config{ServerName: "a-much-longer-name.other.test", NextProtos: []string{"h2", "http/1.1"}})
	old := helloOf(t, &tls.Config{ServerName: "api.test", MaxVersion: tls.VersionTLS12})
	first, ok := egress.ParseJA4(one)
	if !ok || !ja4.MatchString(first) || !strings.HasPrefix(first, "t13d") || first[8:10] != "h2" {
		t.Errorf("%q, %v", first, ok)
	}
	if second, _ := egress.ParseJA4(other); second != first {
		t.Errorf("another host, another fingerprint: %s, %s", first, second)
	}
	if third, _ := egress.ParseJA4(old); third == first || !strings.HasPrefix(third, "t12d") {
		t.Errorf("TLS 1.2 is %s", third)
	}
	for _, size := range []int{1, 7, 100} {
		if got, ok := egress.ParseJA4(inRecords(one, size)); !ok || got != first {
			t.Errorf("in records of %d bytes: %q, %v", size, got, ok)
		}
	}
	for n := range one {
		if got, ok := egress.ParseJA4(one[:n]); ok {
			t.Fatalf("the first %d bytes are a ClientHello: %s", n, got)
		}
	}
}

// inRecords cuts a handshake into records of size bytes.
func inRecords(hello []byte, size int) (out []byte) {
	for body := hello[5:]; len(body) > 0; body = body[min(size, len(body)):] {
		part := body[:min(size, len(body))]
		out = append(append(out, 0x16, 3, 1, byte(len(part)>>8), byte(len(part))), part...)
	}
	return out
}

func FuzzParseClientHello(f *testing.F) {
	one := helloOf(f, &tls.Config{ServerName: "api.test", NextProtos: []string{"h2"}})
	f.Add(one)
	f.Add(inRecords(one, 3))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if got, ok := egress.ParseJA4(raw); ok && (len(got) != 36 || got[10] != '_' || got[23] != '_') {
			t.Errorf("%q", got)
		}
	})
}
