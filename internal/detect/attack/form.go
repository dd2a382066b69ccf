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

// maxFieldName is the longest name of a field that is looked for, in bytes.
const maxFieldName = 128

// hasFields reports whether value, which is no form by the letter, is one for those
// who read it all the same: a field with a plain name stands at its beginning or
// behind a separator.
func hasFields(value []byte, separator byte) bool {
	if separator == '&' && isPair(value) {
		return true
	}
	for rest := value; ; {
		i := bytes.IndexByte(rest, separator)
		if i < 0 {
			return false
		}
		if rest = rest[i+1:]; isPair(rest) || separator == ';' && isPair(bytes.TrimLeft(rest[:min(len(rest), 8)], " \t")) {
			return true
		}
	}
}

// isPair reports whether b begins with a plain name, = and more.
func isPair(b []byte) bool {
	n := 0
	for n < len(b) && n < maxFieldName && (classOf[b[n]]&(letter|digit|dash|percent) != 0 || b[n] == '.' || b[n] == '[' || b[n] == ']' || b[n] == '$') {
		n++
	}
	return n > 0 && n+1 < len(b) && b[n] == '=' && b[n+1] != '='
}

// isCookies reports whether value may be a header called Cookie, or a form that is
// parted by semicolons.
func (in *inspection) isCookies(value []byte) bool {
	if bytes.IndexByte(value, '\n') >= 0 || !hasFields(value, ';') {
		return false
	}
	name := in.fieldName()
	return isPair(value) || len(name) >= len("cookie") && bytes.EqualFold(name[:len("cookie")], []byte("cookie"))
}

// cookies judges the pairs of a header called Cookie, and of forms that are parted by
// semicolons.
func (in *inspection) cookies(value []byte) {
	l := &in.layers[in.top]
	for len(value) > 0 && !in.done {
		var pair []byte
		pair, value, _ = bytes.Cut(value, []byte(";"))
		name, v, _ := bytes.Cut(pair, []byte("="))
		if v = trimBlank(v); len(v) > 1 && v[0] == '"' && v[len(v)-1] == '"' {
			v = v[1 : len(v)-1]
		}
		if l.name = trimBlank(name); in.spend(2 * len(v)) {
			escaped := bytes.IndexByte(v, '%') >= 0 // else a plus is base64's
			l.buf, _ = appendPercent(l.buf[:0], v, escaped)
			in.judge(l.buf, classesOf(l.buf))
		}
	}
}

// form judges the names and the values of the form in the string at hand. It reports
// whether that is all there is to judge once escapes are undone: every field has a
// plain name. Of what is no form by the letter, fields with a plain name are judged,
// up to where a quote or a bracket ends them: they may be a URL's in a page.
func (in *inspection) form(value []byte, strict bool) (plain bool) {
	plain = true
	l := &in.layers[in.top]
	l.spare = l.spare[:0]
	for len(value) > 0 && !in.done {
		var field []byte
		field, value, _ = bytes.Cut(value, []byte("&"))
		if !strict {
			if !isPair(field) {
				continue
			}
			if end := bytes.IndexAny(field, "'\"<>"); end >= 0 {
				field = field[:end]
			}
		}
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
	return plain && strict
}

// formPart judges one name or value of a form.
func (in *inspection) formPart(l *layer, text []byte) {
	if !in.spend(2 * len(text)) {
		return
	}
	l.buf, _ = appendPercent(l.buf[:0], text, true)
	in.judge(l.buf, classesOf(l.buf))
}

// isEscapedPath reports whether a value with the kinds of byte c may be a path whose
// segments are escaped, such as the key of an object in S3.
func isEscapedPath(c class) bool {
	return c&slash != 0 && c&percent != 0 && c&(blank|quote|angle|equals|control|high|backslash|semicolon|paren) == 0
}

// segments judges what stands behind the first slash of a path, and behind the last
// one.
func (in *inspection) segments(value []byte) {
	l := &in.layers[in.top]
	first, last := bytes.IndexByte(value, '/'), bytes.LastIndexByte(value, '/')
	if first < 0 {
		return
	}
	in.formPart(l, value[first+1:])
	if last > first && !in.done {
		in.formPart(l, value[last+1:])
	}
}
