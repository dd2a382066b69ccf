package egress

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
)

// clientHello is what a ClientHello offers, in its order (RFC 8446, 4.1.2).
type clientHello struct {
	version    uint16 // of the message: what old clients offer
	ciphers    []uint16
	extensions []uint16
	versions   []uint16 // of the extension
	signatures []uint16
	alpn       string // the first protocol
	sni, ech   bool
}

// The extensions that are looked into.
const (
	extensionServerName  = 0
	extensionSignatures  = 13
	extensionALPN        = 16
	extensionVersions    = 43
	extensionECH         = 0xfe0d // encrypted ClientHello, or what looks like one
	recordHeader         = 5
	handshakeHeader      = 4
	handshakeClientHello = 1
	maxClientHello       = 1 << 17
)

// parseClientHello reads the records of a ClientHello, however it is cut into them; ok
// is false for what is none.
func parseClientHello(raw []byte) (h clientHello, ok bool) {
	message := handshakeOf(raw)
	if len(message) < handshakeHeader || message[0] != handshakeClientHello {
		return h, false
	}
	b := reader{message[handshakeHeader:], true}
	h.version = b.uint16()
	b.skip(32) // random
	b.skip(int(b.uint8()))
	h.ciphers = b.list16(int(b.uint16()))
	b.skip(int(b.uint8())) // compression
	if !b.ok {
		return h, false
	}
	if len(b.rest) == 0 {
		return h, true // an old one has no extensions
	}
	extensions := reader{b.bytes(int(b.uint16())), b.ok}
	for extensions.ok && len(extensions.rest) > 0 {
		id := extensions.uint16()
		h.extension(id, extensions.bytes(int(extensions.uint16())))
	}
	return h, extensions.ok
}

// handshakeOf is the first handshake message in raw, without the headers of the records
// that it lies in; nil where it is not whole.
func handshakeOf(raw []byte) []byte {
	var message []byte
	for len(raw) >= recordHeader && raw[0] == recordHandshake {
		n := int(raw[3])<<8 | int(raw[4])
		if len(raw) < recordHeader+n {
			return nil
		}
		message = append(message, raw[recordHeader:recordHeader+n]...)
		raw = raw[recordHeader+n:]
		if len(message) >= handshakeHeader {
			if want := int(message[1])<<16 | int(message[2])<<8 | int(message[3]); len(message) >= handshakeHeader+want {
				return message[:handshakeHeader+want]
			} else if want > maxClientHello {
				return nil
			}
		}
	}
	return nil
}

func (h *clientHello) extension(id uint16, data []byte) {
	h.extensions = append(h.extensions, id)
	d := reader{data, true}
	switch id {
	case extensionServerName:
		h.sni = true
	case extensionECH:
		h.ech = true
	case extensionVersions:
		h.versions = d.list16(int(d.uint8()))
	case extensionSignatures:
		h.signatures = d.list16(int(d.uint16()))
	case extensionALPN:
		d.skip(2)
		h.alpn = string(d.bytes(int(d.uint8())))
	}
}

// isGREASE reports whether v is one of the values that mean nothing (RFC 8701).
func isGREASE(v uint16) bool { return v&0x0f0f == 0x0a0a && v>>8 == v&0xff }

func notGREASE(list []uint16) []uint16 {
	return slices.DeleteFunc(slices.Clone(list), isGREASE)
}

// ja4 is the JA4 fingerprint of the client: equal for the same library in the same
// version, whatever it asks for.
// https://github.com/FoxIO-LLC/ja4/blob/main/technical_details/JA4.md
func (h *clientHello) ja4() string {
	ciphers, extensions := notGREASE(h.ciphers), notGREASE(h.extensions)
	named := map[bool]string{true: "d", false: "i"}[h.sni]
	first := fmt.Sprintf("t%s%s%02d%02d%s", h.offered(), named, min(len(ciphers), 99), min(len(extensions), 99), h.protocol())
	slices.Sort(ciphers)
	slices.Sort(extensions)
	extensions = slices.DeleteFunc(extensions, func(e uint16) bool { return e == extensionServerName || e == extensionALPN })
	text := hexList(extensions)
	if signatures := hexList(notGREASE(h.signatures)); signatures != "" {
		text += "_" + signatures
	}
	return first + "_" + digest(hexList(ciphers)) + "_" + digest(text)
}

// offered is the highest version that is offered, as JA4 writes it.
func (h *clientHello) offered() string {
	best := h.version
	if versions := notGREASE(h.versions); len(versions) > 0 {
		best = slices.Max(versions)
	}
	switch best {
	case 0x0304:
		return "13"
	case 0x0303:
		return "12"
	case 0x0302:
		return "11"
	case 0x0301:
		return "10"
	case 0x0300:
		return "s3"
	}
	return "00"
}

// protocol is the first and the last character of the first protocol that ALPN offers.
func (h *clientHello) protocol() string {
	if h.alpn == "" {
		return "00"
	}
	first, last := h.alpn[0], h.alpn[len(h.alpn)-1]
	if !alphanumeric(first) || !alphanumeric(last) {
		text := hex.EncodeToString([]byte(h.alpn))
		return text[:1] + text[len(text)-1:]
	}
	return string([]byte{first, last})
}

func alphanumeric(c byte) bool {
	return c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z'
}

func hexList(list []uint16) string {
	var b strings.Builder
	for i, v := range list {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, "%04x", v)
	}
	return b.String()
}

// digest is the first 12 hex digits of text's SHA-256; zeros for nothing.
func digest(text string) string {
	if text == "" {
		return "000000000000"
	}
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:6])
}

// reader reads numbers and lists from a message. Once something is missing, ok is
// false, and all that follows is nothing.
type reader struct {
	rest []byte
	ok   bool
}

func (r *reader) bytes(n int) []byte {
	if !r.ok || n > len(r.rest) {
		r.ok, r.rest = false, nil
		return nil
	}
	out := r.rest[:n]
	r.rest = r.rest[n:]
	return out
}

func (r *reader) skip(n int) { r.bytes(n) }

func (r *reader) uint8() uint8 {
	if b := r.bytes(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *reader) uint16() uint16 {
	if b := r.bytes(2); b != nil {
		return uint16(b[0])<<8 | uint16(b[1])
	}
	return 0
}

// list16 reads the numbers in the next n bytes.
func (r *reader) list16(n int) (list []uint16) {
	b := reader{r.bytes(n), r.ok}
	for b.ok && len(b.rest) > 1 {
		list = append(list, b.uint16())
	}
	return list
}
