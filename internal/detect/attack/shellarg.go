package attack

import "bytes"

// maxArguments is how many arguments of a command are read.
const maxArguments = 10

// read reads the arguments, from the name on.
func (c *command) read(b []byte, brace bool) {
	i := c.name
	for c.count < maxArguments {
		i = c.blanks(b, i, brace)
		if i >= len(b) || endsCommand(b, i) || brace && b[i] == '}' {
			break
		}
		before := c.args
		i = c.argument(b, i, brace)
		if c.count++; c.count == 1 {
			c.first = c.args &^ before
		}
	}
	c.end = i
	if c.kind == commandRead && c.args&argFlag != 0 && c.name >= 6 && isDecoder(b[:c.name]) {
		c.piped = true
	}
}

// isDecoder reports whether the command whose name ends b turns text into code.
func isDecoder(b []byte) bool {
	return bytes.HasSuffix(b, []byte("base64")) || bytes.HasSuffix(b, []byte("base32")) || bytes.HasSuffix(b, []byte("xxd"))
}

// blanks skips what parts arguments: blanks, and what a shell makes a blank of.
func (c *command) blanks(b []byte, i int, brace bool) int {
	for i < len(b) {
		switch {
		case b[i] == ' ' || b[i] == '\t' || b[i] == '+' && i == c.name:
			i++
		case brace && b[i] == ',':
			c.args |= argHidden
			i++
		case b[i] == '$' && len(b)-i > 3:
			n := separatorVariable(b[i:])
			if n == 0 {
				return i
			}
			c.args |= argHidden
			i += n
		default:
			return i
		}
	}
	return i
}

// separatorVariable returns the length of $IFS, ${IFS}, $IFS$9, ${IFS%??} at the
// beginning of b; 0 where there is none.
func separatorVariable(b []byte) int {
	switch {
	case bytes.EqualFold(b[1:4], []byte("ifs")):
		n := 4
		if len(b) > 5 && b[4] == '$' && (classOf[b[5]]&digit != 0 || b[5] == '@' || b[5] == '*') {
			n = 6
		}
		return n
	case b[1] == '{' && len(b) > 5 && bytes.EqualFold(b[2:5], []byte("ifs")):
		if end := bytes.IndexByte(b[:min(len(b), 20)], '}'); end > 0 {
			return end + 1
		}
	}
	return 0
}

// endsCommand reports whether what stands at b[i] ends a command.
func endsCommand(b []byte, i int) bool {
	switch b[i] {
	case ';', '|', '\n', '\r', '`', ')', 0:
		return true
	case '&':
		return i == 0 || b[i-1] != '>'
	case '#':
		return i > 0 && (b[i-1] == ' ' || b[i-1] == '\t')
	case '\\':
		return i+1 < len(b) && isEscape(b[i+1]) && (i+2 >= len(b) || classOf[b[i+2]]&letter == 0)
	}
	return false
}

// argument reads one argument at b[i:] and returns where it ends.
func (c *command) argument(b []byte, i int, brace bool) int {
	start := i
	switch b[i] {
	case '\'', '"':
		return c.quote(b, i)
	case '>', '<':
		c.args |= argRedirect
		for i < len(b) && (b[i] == '>' || b[i] == '<' || b[i] == '&' && i > start) {
			i++
		}
		return i
	}
	for i < len(b) && b[i] != ' ' && b[i] != '\t' && !endsCommand(b, i) {
		if brace && (b[i] == ',' || b[i] == '}') {
			break
		}
		if b[i] == '$' && len(b)-i > 3 && separatorVariable(b[i:]) > 0 {
			break
		}
		if (b[i] == '"' || b[i] == '\'') && (i+1 == len(b) || b[i+1] == ' ' || endsCommand(b, i+1)) && b[i] != b[start] {
			break // closes what was open before the command
		}
		if (b[i] == '>' || b[i] == '<') && i > start {
			break
		}
		i++
	}
	if i == start {
		return i + 1
	}
	c.note(b[start:i])
	return i
}

// quote reads a quoted argument.
func (c *command) quote(b []byte, i int) int {
	end := bytes.IndexByte(b[i+1:], b[i])
	if end < 0 {
		return i + 1 // closes what was open before the command
	}
	end += i + 1
	body := b[i+1 : end]
	c.args |= argQuoted
	if (c.kind == commandShell || c.kind == commandTool || c.kind == commandEcho) && !hasPrefix(body, "#!") && holdsCode(body) {
		c.args |= argCode
	}
	if len(body) <= 128 {
		var buf [128]byte
		if !hasPrefix(body, "#!") && isSecretPath(lowered(buf[:0], body)) {
			c.args |= argSecret
		}
		if bytes.Contains(body, []byte("://")) {
			c.args |= argAddress
		}
	}
	return end + 1
}

// lowered appends b in lower case to dst.
func lowered(dst, b []byte) []byte {
	for _, c := range b {
		dst = append(dst, lower(c))
	}
	return dst
}

// holdsCode reports whether a quoted argument is code that opens a connection or
// runs a command.
func holdsCode(body []byte) bool {
	for _, sign := range [...]string{"import socket", "use Socket", "socket(", "Socket::", "TCPSocket", "exec(", "system(", "/bin/sh", "/bin/bash",
		"/dev/tcp", "popen", "child_process", "DownloadString", "<?php", "$_GET"} {
		if bytes.Contains(body, []byte(sign)) {
			return true
		}
	}
	return false
}

// note classifies an argument that is not quoted.
func (c *command) note(w []byte) {
	first := w[0]
	var buf [128]byte
	if len(w) <= len(buf) {
		if isSecretPath(plainPath(lowered(buf[:0], w))) {
			c.args |= argSecret
		}
	}
	switch {
	case first == '-' && len(w) > 1 && classOf[w[1]]&(letter|dash) != 0 && len(w) < 40:
		c.args |= argFlag
	case first == '/' && len(w) > 1 && isHiddenPath(w):
		c.args |= argPath | argHidden
	case first == '/', first == '~' && len(w) > 1 && w[1] == '/', hasPrefix(w, ".."), first == '\\' && len(w) > 1:
		c.args |= argPath
	case len(w) >= 2 && w[1] == ':' && classOf[first]&letter != 0 && (len(w) == 2 || bytes.IndexByte([]byte(`\/%"'+`), w[2]) >= 0):
		c.args |= argPath
	case bytes.Contains(w, []byte("://")) || isAddress(w) || bytes.EqualFold(w, []byte("localhost")):
		c.args |= argAddress
	case isCount(w):
		c.args |= argNumber
	case first == '$' || first == '%' && len(w) > 2:
		c.args |= argVariable
		if bytes.IndexByte(w, '\\') > 0 {
			c.args |= argPath
		}
	case first == '*' || first == '.' && len(w) == 1:
		c.args |= argGlob
	case bytes.IndexByte(w, '/') >= 0 || bytes.IndexByte(w, '\\') > 0:
		c.args |= argRelative
	case isDotted(w):
		c.args |= argName
	default:
		c.words++
		c.admin = c.admin || c.count == 0 && isAdminWord(w)
	}
}

// isAdminWord reports whether w is what net, netsh, reg, sc or wmic are told to do.
func isAdminWord(w []byte) bool {
	var buf [16]byte
	if len(w) > len(buf) {
		return false
	}
	switch string(lowered(buf[:0], w)) {
	case "user", "localgroup", "group", "view", "share", "use", "accounts", "firewall", "advfirewall", "interface", "wlan",
		"add", "query", "save", "export", "process", "os", "config", "useraccount", "qfe", "logicaldisk":
		return true
	}
	return false
}

// plainPath takes out of w, in place, what a shell takes out of a path.
func plainPath(w []byte) []byte {
	out := w[:0]
	for i, c := range w {
		if c == '\'' || c == '"' || c == '\\' && i+1 < len(w) && (i == 0 || w[i-1] == '/') {
			continue
		}
		if c == '/' && len(out) > 0 && out[len(out)-1] == '/' {
			continue
		}
		out = append(out, c)
	}
	return out
}

// isHiddenPath reports whether the path w has its folders left open, /e??/p*, or
// marks of quotation in it.
func isHiddenPath(w []byte) bool {
	folder := w[1:]
	if i := bytes.IndexByte(folder, '/'); i > 0 {
		folder = folder[:i]
	} else {
		folder = nil
	}
	return bytes.ContainsAny(folder, "?*[") || bytes.Contains(w, []byte("''")) || bytes.Contains(w, []byte(`""`)) || bytes.Contains(w, []byte("$@")) ||
		len(w) > 4 && bytes.Count(w, []byte("?")) >= 3
}

// isAddress reports whether w is an IPv4 address or part of one.
func isAddress(w []byte) bool {
	dots := 0
	for _, c := range w {
		switch {
		case c == '.':
			dots++
		case classOf[c]&digit == 0 && c != ':' && c != '/':
			return false
		}
	}
	return dots == 3
}

// isCount reports whether w is a number, perhaps with the unit of a time.
func isCount(w []byte) bool {
	n := digits(w)
	if n > 0 && n < len(w) && w[n] == '.' {
		n += 1 + digits(w[n+1:])
	}
	return n > 0 && (n == len(w) || n+1 == len(w) && (w[n] == 's' || w[n] == 'm' || w[n] == 'h' || w[n] == '"' || w[n] == '\''))
}

// isDotted reports whether w is a name with a dot inside: a host or a file.
func isDotted(w []byte) bool {
	i := bytes.IndexByte(w, '.')
	return i > 0 && i+1 < len(w) && classOf[w[i+1]]&(letter|digit) != 0
}
