package attack

import "bytes"

// looksJSON reports whether value may be a JSON document worth opening: an
// object, an array or a string. Some readers take no notice of what follows it, so
// what begins like nothing else need not end.
func looksJSON(value []byte) bool {
	if len(value) < 2 || value[0] > '"' && value[0] != '{' && value[0] != '[' {
		return false
	}
	v := trimBlank(value)
	if len(v) < 2 {
		return false
	}
	switch v[0] {
	case '{':
		return v[len(v)-1] == '}' || firstMark(v[1:]) == '"'
	case '[':
		first := firstMark(v[1:])
		return v[len(v)-1] == ']' || first == '"' || first == '{'
	case '"':
		return v[len(v)-1] == '"'
	}
	return false
}

// firstMark returns the first byte of b that is no blank, 0 where all are.
func firstMark(b []byte) byte {
	for _, c := range b {
		if classOf[c]&blank == 0 {
			return c
		}
	}
	return 0
}

func trimBlank(b []byte) []byte { return bytes.Trim(b, " \t\r\n") }

// isForm reports whether value may be a form (application/x-www-form-urlencoded)
// or a query string: a plain name, = and more, without bytes that a form must
// escape and ordinary text has. The padding of base64 is no field.
func isForm(value []byte, c class) bool {
	if c&equals == 0 || c&(blank|angle|control) != 0 {
		return false
	}
	eq := bytes.IndexByte(value, '=')
	return eq > 0 && eq+1 < len(value) && value[eq+1] != '=' && !bytes.ContainsAny(value[:eq], "'\"`();#*")
}

// form judges the names and the values of the form in the string at hand. It reports
// whether that is all there is to judge once escapes are undone: every field has a
// plain name.
func (in *inspection) form(value []byte) (plain bool) {
	plain = true
	l := &in.layers[in.top]
	l.spare = l.spare[:0]
	for len(value) > 0 && !in.done {
		var field []byte
		field, value, _ = bytes.Cut(value, []byte("&"))
		name, v, ok := bytes.Cut(field, []byte("="))
		plain = plain && (ok || len(field) == 0) && classesOf(name)&^(letter|digit|dash|bracket) == 0
		l.name = name
		in.formPart(l, name)
		in.formPart(l, v)
		l.spare = append(append(l.spare, ','), l.buf...)
	}
	// Some servers join fields of one name with a comma: an attack that is spread
	// over several hides the commas in comments.
	if bytes.Contains(l.spare, []byte("/*,*/")) && in.spend(len(l.spare)) {
		l.name = nil
		in.judge(l.spare[1:], classesOf(l.spare))
	}
	return plain
}

// formPart judges one name or value of a form.
func (in *inspection) formPart(l *layer, text []byte) {
	if !in.spend(2 * len(text)) {
		return
	}
	l.buf, _ = appendPercent(l.buf[:0], text, true)
	in.judge(l.buf, classesOf(l.buf))
}
