package attack

import (
	"bytes"

	"gatehouse/internal/detect"
)

// maxMarkLayers is how many encodings Marks undoes, one in the other: a JSON body
// in an event, and a JSON string in that.
const maxMarkLayers = 2

// Marks calls yield with the path and the value of each string that the event's
// sender chose, keys excepted, until it returns false. The values of JSON in a
// string, of a form, and of text in base64 are given in the place of the whole. A
// value is only valid until yield returns.
func Marks(event []byte, source *detect.Source, yield func(path string, value []byte) bool) {
	w := marker{source: source, yield: yield}
	w.document(event, nil, 0)
}

// marker is one walk of Marks.
type marker struct {
	source *detect.Source
	yield  func(path string, value []byte) bool
	over   bool
}

// document walks the JSON document in text, which stands at path.
func (w *marker) document(text []byte, path []byte, layer int) (valid bool) {
	var s scanner
	s.reset(text, layer > 0)
	var item str
	for !w.over && s.next(&item) {
		if item.key || item.bytes || layer == 0 && w.source != nil && s.trusts(w.source, &item) {
			continue
		}
		value := item.body(text)
		if item.escaped {
			value = s.plain
		}
		if len(value) > 0 {
			w.value(value, s.appendPath(path[:len(path):len(path)]), item.classes, layer)
		}
	}
	return s.broken < 0
}

// value gives a value, or what it holds.
func (w *marker) value(value, path []byte, c class, layer int) {
	if layer < maxMarkLayers && len(value) >= minBase64 && w.opened(value, path, c, layer+1) {
		return
	}
	if !w.over {
		w.over = !w.yield(string(path), value)
	}
}

// opened gives what value holds, and reports whether it holds anything.
func (w *marker) opened(value, path []byte, c class, layer int) bool {
	if looksJSON(value) && trimBlank(value)[0] != '"' {
		return w.document(value, path, layer)
	}
	if isForm(value, c) && bytes.IndexByte(value, '/') < 0 {
		w.form(value, path)
		return true
	}
	if c&^(letter|digit|slash|dash|equals) != 0 {
		return false
	}
	body := trimPadding(value)
	plain, err := base64Alphabet(body).DecodeString(string(body))
	if err != nil || !isText(plain) {
		return false
	}
	w.value(plain, path, classesOf(plain), layer)
	return true
}

// form gives the fields of a form, without what is percent-encoded.
func (w *marker) form(value, path []byte) {
	var buf []byte
	for field := range bytes.SplitSeq(value, []byte("&")) {
		name, v, _ := bytes.Cut(field, []byte("="))
		if buf, _ = appendPercent(buf[:0], v, true); len(buf) > 0 && !w.over {
			w.over = !w.yield(string(appendName(path[:len(path):len(path)], name)), buf)
		}
	}
}
