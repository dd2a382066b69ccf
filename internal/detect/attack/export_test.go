package attack

import "strings"

// ScannedString is what the scanner says of one string, for tests.
type ScannedString struct {
	Text, Path string
	Key        bool
}

// Scan returns the strings of a JSON text, and the offset from which it is no
// JSON, -1 where it is.
func Scan(text []byte) (found []ScannedString, broken int) {
	var s scanner
	s.reset(text, false)
	var item str
	for s.next(&item) {
		if item.bytes {
			continue
		}
		body := item.body(text)
		plain := unescape(nil, body)
		if item.escaped && string(s.plain) != string(plain) || item.classes != classesOf(plain) {
			panic("the scanner and unescape differ")
		}
		found = append(found, ScannedString{
			Text: string(plain), Path: string(s.appendPath(nil)), Key: item.key,
		})
	}
	return found, s.broken
}

// Marked reports whether event has a marker, by the path matcher that Trusted
// uses, which knows nothing of the tree of markers.
func Marked(event []byte, marker string) bool {
	path, want, valued := strings.Cut(marker, "=")
	var s scanner
	s.reset(event, false)
	s.skim = true
	var item str
	for s.next(&item) {
		if valued != item.key && s.matches(path) && (!valued || glob(want, item.body(s.text))) {
			return true
		}
	}
	return false
}
