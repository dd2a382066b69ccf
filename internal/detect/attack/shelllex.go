package attack

import "bytes"

// command is one command of a shell, as far as it was read.
type command struct {
	kind   commandKind
	hidden bool // its name is written so that it is not found
	bin    bool // it has the path of a folder of programs
	piped  bool // it decodes what another one runs: base64 -d
	args   argument
	first  argument // the kind of the first one; 0 for a word
	admin  bool     // the first one is what administrators give the command
	count  int      // of arguments
	words  int      // arguments that may be any text
	// name is where the name ends, end where the command does.
	name, end int
}

// argument is the set of kinds of argument that a command has.
type argument uint16

const (
	argFlag     argument = 1 << iota // -x --long /ALL
	argPath                          // /absolute ~/ ../ C:\
	argRelative                      // a/b
	argNumber                        //
	argAddress                       // 10.0.0.1, a URL, localhost
	argName                          // a.b
	argVariable                      // $X %X%
	argQuoted                        //
	argRedirect                      // > <
	argGlob                          // *
	argSecret                        // what isSecretPath says
	argHidden                        // ${IFS} between, a path with ? in it
	argCode                          // code of a shell's or of a language's, in quotes
)

// shellWord is a word of a shell's, without what the shell takes away.
type shellWord struct {
	text   [64]byte
	n      int
	hidden bool // something was taken away inside
	glob   int  // how many characters stand for others
	slice  bool // a part of a variable stands for a character
}

// maxCommand is how much of a command is read, in bytes.
const maxCommand = 256

// readCommand reads the command at the beginning of b. Its kind is notCommand
// where there is none.
func readCommand(b []byte) (c command) {
	b = b[:min(len(b), maxCommand)]
	i := skipBlank(b, 0)
	if i >= len(b) || !startsName[b[i]] {
		return c
	}
	brace := i < len(b) && b[i] == '{'
	if brace {
		i = skipBlank(b, i+1)
	}
	if i < len(b) && b[i] == '$' {
		if n := shellVariable(b[i:]); n > 0 {
			c.kind, c.name = commandShell, i+n
			c.read(b, brace)
			return c
		}
	}
	for range 3 {
		var w shellWord
		n := w.read(b[i:])
		if n == 0 {
			break
		}
		prefixed := c.kind == commandPrefix
		c.classify(&w)
		if prefixed && c.kind == notCommand {
			c.kind = commandTool
			break
		}
		c.name = i + n
		if c.kind != commandPrefix {
			break
		}
		i = skipBlank(b, c.name)
	}
	if c.kind == commandPrefix {
		c.kind = commandTool
	}
	if c.kind != notCommand && !endsName(b, c.name, brace) {
		c.kind = notCommand
	}
	if c.kind != notCommand {
		c.read(b, brace)
	}
	if brace && c.count == 0 && c.end < len(b) && b[c.end] == '}' {
		c.kind = notCommand // {a} is many things
	}
	return c
}

// startsName are the bytes with which a command can begin.
var startsName = [256]bool{
	'/': true, '.': true, '{': true, '$': true, '%': true, '\\': true, '\'': true, '"': true, '_': true, '!': true,
	'a': true, 'b': true, 'c': true, 'd': true, 'e': true, 'f': true, 'g': true, 'h': true, 'i': true, 'j': true, 'k': true, 'l': true, 'm': true,
	'n': true, 'o': true, 'p': true, 'q': true, 'r': true, 's': true, 't': true, 'u': true, 'v': true, 'w': true, 'x': true, 'y': true, 'z': true,
	'A': true, 'B': true, 'C': true, 'D': true, 'E': true, 'F': true, 'G': true, 'H': true, 'I': true, 'J': true, 'K': true, 'L': true, 'M': true,
	'N': true, 'O': true, 'P': true, 'Q': true, 'R': true, 'S': true, 'T': true, 'U': true, 'V': true, 'W': true, 'X': true, 'Y': true, 'Z': true,
}

// endsName reports whether what stands at b[i] can end the name of a command: it
// is not the name of a function, of a field or of an account.
func endsName(b []byte, i int, brace bool) bool {
	if i >= len(b) {
		return true
	}
	switch b[i] {
	case ':', '=', '(', '[', '@', '!':
		return false
	case ',', '}':
		return brace
	}
	return true
}

// shellVariable returns the length of a variable at the beginning of b that holds the
// shell itself, before a flag; 0 where there is none.
func shellVariable(b []byte) int {
	for _, name := range [...]string{"$0 ", "$SHELL ", "${SHELL} ", "$BASH ", "${0} "} {
		if hasPrefix(b, name) && len(b) > len(name) && b[len(name)] == '-' {
			return len(name) - 1
		}
	}
	return 0
}

// skipBlank returns where behind i something else than a blank stands. Forms write
// a blank as +.
func skipBlank(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\t' || b[i] == '+') {
		i++
	}
	return i
}

// read takes the word that b begins with and returns its length.
func (w *shellWord) read(b []byte) (i int) {
	for i < len(b) && w.n < len(w.text) {
		n := w.step(b, i)
		if n == 0 {
			break
		}
		i += n
	}
	return i
}

func (w *shellWord) add(c byte) {
	if w.n < len(w.text) {
		w.text[w.n] = lower(c)
		w.n++
	}
}

// step takes what stands at b[i:] into the word; 0 ends it.
func (w *shellWord) step(b []byte, i int) int {
	c := b[i]
	switch {
	case classOf[c]&(letter|digit|dash) != 0 || c == '/' || c == '.' || c == '~' || c == ':' && w.n == 1:
		w.add(c)
	case c == '?' || c == '*' || c == '[' && w.n > 0 || c == ']':
		w.glob++
		w.add('?')
	case c == '\'' || c == '"':
		return w.quoted(b, i)
	case c == '\\':
		return w.backslash(b, i)
	case c == '^' && i+1 < len(b) && classOf[b[i+1]]&letter != 0 && w.n > 0:
		w.hidden = true
	case c == '$':
		return w.variable(b, i)
	case c == '`' && i+1 < len(b) && b[i+1] == '`' && w.n > 0:
		w.hidden = true
		return 2
	case c == '%':
		return w.percent(b, i)
	default:
		return 0
	}
	return 1
}

// quoted takes a quoted part of a word, which must be a word itself.
func (w *shellWord) quoted(b []byte, i int) int {
	end := i + 1
	for end < len(b) && end-i < 40 && b[end] != b[i] {
		if classOf[b[end]]&(letter|digit|dash|slash|point) == 0 {
			return 0
		}
		end++
	}
	if end >= len(b) || b[end] != b[i] {
		return 0
	}
	after := end+1 < len(b) && classOf[b[end+1]]&(letter|digit|slash) != 0
	if w.n == 0 && !after && end == i+1 {
		return 0 // an empty string is no name
	}
	w.hidden = w.hidden || w.n > 0 && (after || end > i+1) || w.n == 0 && after
	for _, c := range b[i+1 : end] {
		w.add(c)
	}
	return end + 1 - i
}

// backslash takes a backslash: of a Windows path, or before a letter that needs none.
func (w *shellWord) backslash(b []byte, i int) int {
	if i+1 >= len(b) {
		return 0
	}
	next := b[i+1]
	if isEscape(next) && w.n > 0 && (i+2 >= len(b) || classOf[b[i+2]]&(letter|slash) == 0) {
		return 0 // a line break, written out
	}
	if bytes.IndexByte(w.text[:w.n], ':') >= 0 || w.n > 0 && (next == '\\' || bytes.IndexByte(w.text[:w.n], '/') > 0) {
		w.add('/')
		return 1
	}
	if classOf[next]&letter == 0 && next != '\\' && next != '/' {
		return 0
	}
	w.hidden = true
	return 1
}

// isEscape reports whether c behind a backslash is how languages write a break.
func isEscape(c byte) bool { return c == 'n' || c == 'r' || c == 't' || c == '0' }

// variable takes a variable inside a word: one that is empty, or a part of one.
func (w *shellWord) variable(b []byte, i int) int {
	rest := b[i+1:]
	switch {
	case len(rest) == 0:
		return 0
	case w.n > 0 && bytes.IndexByte([]byte("@*!#123456789"), rest[0]) >= 0:
		w.hidden = true
		return 2
	case w.n > 0 && hasPrefix(rest, "()"):
		w.hidden = true
		return 3
	case rest[0] == '\'':
		return w.ansi(b, i)
	case rest[0] == '{' && !hasPrefix(rest, "{IFS") && !hasPrefix(rest, "{ifs"):
		return w.braced(b, i)
	}
	return 0
}

// braced takes ${NAME:0:1}, a character of a variable, or ${NAME}, which is taken
// for empty inside a word.
func (w *shellWord) braced(b []byte, i int) int {
	end := bytes.IndexByte(b[i:min(len(b), i+40)], '}')
	if end < 0 {
		return 0
	}
	body := b[i+2 : i+end]
	colon := bytes.IndexByte(body, ':')
	if colon > 0 && colon+1 < len(body) && classOf[body[colon+1]]&(digit|dash) != 0 {
		w.slice, w.hidden = true, true
		if hasPrefix(body[colon:], ":0:1") {
			w.add('/')
		} else {
			w.glob++
			w.add('?')
		}
		return end + 1
	}
	if w.n == 0 {
		return 0
	}
	w.hidden = true
	return end + 1
}

// ansi takes $'…' with its escapes.
func (w *shellWord) ansi(b []byte, i int) int {
	j := i + 2
	for j < len(b) && b[j] != '\'' {
		if b[j] != '\\' {
			w.add(b[j])
			j++
			continue
		}
		c, n := ansiEscape(b[j+1:])
		if n == 0 {
			return 0
		}
		w.hidden = true
		w.add(c)
		j += 1 + n
	}
	if j >= len(b) {
		return 0
	}
	return j + 1 - i
}

// ansiEscape reads xHH or up to three octal digits, and returns their length.
func ansiEscape(b []byte) (c byte, n int) {
	if len(b) > 2 && b[0] == 'x' {
		hi, ok1 := hexDigit(b[1])
		lo, ok2 := hexDigit(b[2])
		if ok1 && ok2 {
			return byte(hi<<4 | lo), 3
		}
		return 0, 0
	}
	for n < len(b) && n < 3 && b[n] >= '0' && b[n] <= '7' {
		c = c<<3 | b[n] - '0'
		n++
	}
	return c, n
}

// percent takes a variable of Windows: %COMSPEC%, or %NAME:~3,1%, a part of one.
func (w *shellWord) percent(b []byte, i int) int {
	end := bytes.IndexByte(b[i+1:min(len(b), i+40)], '%')
	if end < 2 {
		return 0
	}
	body := b[i+1 : i+1+end]
	for _, c := range body {
		if classOf[c]&(letter|digit|dash) == 0 && c != ':' && c != '~' && c != ',' && c != '(' && c != ')' {
			return 0
		}
	}
	if bytes.EqualFold(body, []byte("comspec")) {
		for _, c := range []byte("cmd") {
			w.add(c)
		}
	} else if bytes.IndexByte(body, '~') > 0 {
		w.hidden = true
		w.glob++
		w.add('?')
	}
	return end + 2
}

// classify sets what kind of command w names.
func (c *command) classify(w *shellWord) {
	name := w.text[:w.n]
	c.hidden = c.hidden || w.hidden
	if i := bytes.LastIndexByte(name, '/'); i >= 0 {
		c.bin = isBinPath(name)
		if i == 0 && w.glob == 0 || !c.bin && w.glob == 0 && !w.slice {
			c.kind = notCommand // of no folder that programs lie in
			return
		}
		name = name[i+1:]
	}
	if bytes.IndexByte(name, '.') >= 0 {
		for _, suffix := range [...]string{".exe", ".com", ".bat"} {
			name = bytes.TrimSuffix(name, []byte(suffix))
		}
		name = bytes.TrimRight(name, ".")
	}
	c.kind = commandOf(name)
	if c.kind != notCommand || w.glob == 0 {
		return
	}
	if isGlobCommand(w.text[:w.n], w.glob) {
		c.kind, c.hidden = commandRead, true
	}
}

// isBinPath reports whether name lies in a folder of programs.
func isBinPath(name []byte) bool {
	return hasPrefix(name, "/bin/") || hasPrefix(name, "/usr/") && bytes.Contains(name, []byte("bin/")) || hasPrefix(name, "/sbin/") ||
		hasPrefix(name, "usr/bin/") || hasPrefix(name, "usr/local/bin/") || hasPrefix(name, "bin/") || bytes.Contains(name, []byte("system32/")) ||
		bytes.HasSuffix(name[:bytes.LastIndexByte(name, '/')+1], []byte("/bin/"))
}

// isGlobCommand reports whether name is a path to a program with other characters
// left out: /???/c?t, /b?n/ca?.
func isGlobCommand(name []byte, globs int) bool {
	if name[0] != '/' || globs < 2 && !isBinPath(name) {
		return false
	}
	slashes, other := 0, 0
	for _, c := range name {
		switch {
		case c == '/':
			slashes++
		case c != '?' && classOf[c]&(letter|digit) == 0:
			other++
		}
	}
	return slashes >= 2 && other == 0 && len(name) >= 6 && len(name) <= 24
}
