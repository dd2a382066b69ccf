package attack

import (
	"bytes"

	"gatehouse/internal/detect"
)

// Places in shellRules.
const (
	shellSeparator = iota
	shellSubstitution
	shellFunction
	shellCommand
	shellSuspect
	shellName
)

var shellRules = []rule{
	shellSeparator:    {id: "cmdi.separator", signature: "OS command injection behind a separator", category: "cmdi", severity: detect.Critical, score: sure},
	shellSubstitution: {id: "cmdi.substitution", signature: "OS command injection by substitution", category: "cmdi", severity: detect.Critical, score: sure},
	shellFunction:     {id: "cmdi.shellshock", signature: "Shellshock", category: "cmdi", severity: detect.Critical, score: sure},
	shellCommand:      {id: "cmdi.command", signature: "OS command that attacks run", category: "cmdi", severity: detect.High, score: refuseAt + 2},
	shellSuspect:      {id: "cmdi.suspect", signature: "OS command", category: "cmdi", severity: detect.Medium, score: suspect + 1},
	shellName:         {id: "cmdi.name", signature: "Name of an OS command", category: "cmdi", severity: detect.Low, score: suspect, weak: true},
}

var shellFamily = family{applies: shellApplies, rules: shellRules, match: matchShell}

// shellApplies leaves out values of one word, unless it may be a name.
func shellApplies(c class) bool {
	return c&^(letter|digit|dash) == 0 || c&(blank|semicolon|bar|amp|quote|bracket|paren|backslash|slash|control) != 0
}

// breakout is what parts a command from what stands before it.
type breakout uint8

const (
	noBreakout   breakout = iota
	breakStart            // the value begins with the command
	breakMark             // ; | || && & and the line breaks
	breakLine             // a line break
	breakReplace          // $( ` <( >(
)

// shellScan is the look for commands in one value.
type shellScan struct {
	text    []byte
	words   wordCount
	begins  bool // text begins with a command
	decoded bool // the last command decodes: base64 -d
	equals  int  // 1 + where the first = stands, and the first |; 0: not looked up
	bar     int
	best    int // place in shellRules of the best so far, -1 for none
	at      int
}

// matchShell finds commands of a shell's where a value breaks out of what it should
// be, or where it is nothing else.
func matchShell(in *inspection, p *probe) (r *rule, at int) {
	text := p.span()
	if p.class&^(letter|digit|dash) == 0 {
		if in.weak && !in.atKey() && isCommandName(text) {
			return &shellRules[shellName], 0
		}
		return nil, 0
	}
	s := shellScan{text: text, best: -1}
	if mayStart(text, in.weak) {
		s.start()
	}
	if mayBreakOut(text, p.class) {
		if !in.spend(len(text)) {
			return nil, 0
		}
		s.scan()
	}
	if s.best < 0 || shellRules[s.best].weak && !in.weak {
		return nil, 0
	}
	return &shellRules[s.best], p.from + s.at
}

// mayBreakOut reports whether there is a mark in text that a command can stand
// behind.
func mayBreakOut(text []byte, c class) bool {
	return c&(semicolon|bar|amp) != 0 || c&paren != 0 && c&(point|angle) != 0 ||
		c&quote != 0 && bytes.IndexByte(text, '`') >= 0 ||
		c&backslash != 0 && text[0] == '\\' ||
		c&(blank|control) != 0 && (bytes.IndexByte(text, '\n') >= 0 || bytes.IndexByte(text, '\r') >= 0)
}

// note keeps the rule that is worth most.
func (s *shellScan) note(rule, at int) {
	if s.best < 0 || shellRules[rule].score > shellRules[s.best].score {
		s.best, s.at = rule, at
	}
}

// mayStart reports whether text may begin with a command: what ends its first word
// can stand behind one. A word alone is worth a look for weak rules only.
func mayStart(text []byte, weak bool) bool {
	i := 0
	for i < len(text) && classOf[text[i]]&(letter|digit|dash) != 0 {
		i++
	}
	if i == len(text) {
		return weak
	}
	return i <= longestCommand && endsFirst[text[i]]
}

// endsFirst are the bytes that a first word can end with, or go on with, where it is
// the name of a command.
var endsFirst = [256]bool{
	' ': true, '\t': true, '\n': true, '\r': true, '$': true, '\'': true, '"': true, '\\': true, '^': true, ';': true, '|': true, '&': true,
	'<': true, '>': true, '{': true, '%': true, '*': true, '?': true, '+': true, '#': true, '/': true, '.': true, '(': true, '`': true,
}

// start judges what the value begins with.
func (s *shellScan) start() {
	i := 0
	for i < len(s.text) && (classOf[s.text[i]]&blank != 0 || s.text[i] == '+' || i == 0 && (s.text[i] == '"' || s.text[i] == '\'')) {
		i++
	}
	if i == len(s.text) {
		return
	}
	if s.text[i] == '(' && isShellshock(s.text[i:]) {
		s.note(shellFunction, i)
		return
	}
	c := readCommand(s.text[i:])
	if c.kind == notCommand {
		return
	}
	strength := c.strength(s.text[i:])
	s.begins = strength > 0 || c.kind != commandWord
	s.decoded = c.piped
	switch {
	case strength >= 3:
		s.note(shellCommand, i)
	case strength == 2 && !c.builds() && s.trails(i+c.end):
		s.note(shellSeparator, i)
	case strength == 2 && (c.kind != commandShort || c.count > 0):
		s.note(shellSuspect, i)
	case strength > 0 && i+c.name == len(s.text) && !c.builds():
		s.note(shellName, i)
	}
}

// trails reports whether nothing but a separator or the mark of a comment stands from
// i on.
func (s *shellScan) trails(i int) bool {
	rest := bytes.TrimRight(s.text[min(i, len(s.text)):], " \t\r\n'\"")
	rest = bytes.TrimLeft(rest, " \t")
	if string(rest) == "#" || string(rest) == ";#" {
		return true
	}
	return len(rest) > 0 && len(rest) <= 2 && (rest[0] == ';' || rest[0] == '|' || rest[0] == '&') && rest[len(rest)-1] == rest[0]
}

// scan looks behind every mark.
func (s *shellScan) scan() {
	for i := 0; i < len(s.text); i++ {
		if !breaks[s.text[i]] {
			continue
		}
		kind, n := breakoutAt(s.text, i)
		if kind == noBreakout {
			continue
		}
		if kind == breakReplace && s.text[i] == '(' {
			if isShellshock(s.text[i:]) {
				s.note(shellFunction, i)
				return
			}
			continue
		}
		s.judge(i, i+n, kind)
		if s.best >= 0 && shellRules[s.best].score >= sure {
			return
		}
		i += n - 1
	}
}

// breaks are the bytes with which a breakout can begin.
var breaks = [256]bool{
	';': true, '|': true, '&': true, '\n': true, '\r': true, '`': true, '$': true, '<': true, '>': true, '(': true, '\\': true,
}

// breakoutAt says what stands at text[i] and how long it is.
func breakoutAt(text []byte, i int) (breakout, int) {
	switch c := text[i]; c {
	case ';':
		return breakMark, 1
	case '|', '&':
		n := 1
		for i+n < len(text) && (text[i+n] == c || text[i+n] == '|' || text[i+n] == '+' || text[i+n] == ' ') && n < 8 {
			n++
		}
		return breakMark, n
	case '\n', '\r':
		return breakLine, 1
	case '`':
		return breakReplace, 1
	case '$', '<', '>':
		if i+1 < len(text) && text[i+1] == '(' {
			return breakReplace, 2
		}
	case '(':
		if i+1 < len(text) && text[i+1] == ')' && (i == 0 || classOf[text[i-1]]&(quote|blank|equals) != 0) {
			return breakReplace, 1
		}
	case '\\':
		if i == 0 && len(text) > 2 && (text[1] == 'n' || text[1] == 'r') {
			return breakLine, 2
		}
	}
	return noBreakout, 0
}

// judge looks at the command that may stand at text[from:], behind a mark at
// text[mark:].
func (s *shellScan) judge(mark, from int, kind breakout) {
	rest := s.text[from:]
	c := readCommand(rest)
	if c.kind == notCommand {
		if kind == breakMark && runsVariable(s.text[:mark], rest) {
			s.note(shellSeparator, mark)
		}
		s.decoded = false
		return
	}
	strength := c.strength(rest)
	if s.decoded && c.kind == commandShell && mark < from && s.text[mark] == '|' {
		strength = 3
	}
	if strength == 1 && c.kind == commandShell && c.count == 0 && s.text[mark] == '|' {
		strength = 2 // what stands before is run
	}
	s.decoded = c.piped
	if strength == 0 || s.isField(mark, from, &c) {
		return
	}
	head := s.words.before(s.text, mark)
	if kind == breakReplace {
		s.replaced(mark, from, strength, head, &c)
		return
	}
	s.separated(mark, from, strength, head, kind, &c)
}

// separated judges a command behind a separator.
func (s *shellScan) separated(mark, from, strength int, head ahead, kind breakout, c *command) {
	if strength == 2 && (!s.continues(from+c.end) || c.kind == commandShort && s.isCell(mark, from+c.end)) {
		strength = 1
	}
	if kind == breakLine && (s.words.lines > 1 || head > beforeValue || opens(s.text[:mark]) || s.lines(from+c.end) > 1) {
		strength = min(strength, 1)
	}
	build := c.builds() || c.kind == commandShort
	switch {
	case isScript(s.text[:mark]), s.begins && head > beforeNothing:
		// Lines for a shell as a whole, such as stand in build files.
		if strength >= 3 {
			s.note(shellCommand, mark)
		}
	case strength >= 3 && head < beforeText:
		s.note(shellSeparator, mark)
	case strength >= 3:
		s.note(shellSuspect, mark)
	case strength == 2 && (head <= beforeValue || head == beforeWord && !build || head == beforeWords && c.probes()):
		s.note(shellSeparator, mark)
	case strength == 2 && head <= beforeWords:
		s.note(shellSuspect, mark)
	case strength == 1 && head == beforeNothing && kind != breakLine:
		s.note(shellSuspect, mark)
	}
}

// probes reports whether c waits, or asks another host, as attacks do to see whether
// they run.
func (c *command) probes() bool {
	return (c.kind == commandNet || c.kind == commandWait) && c.args&(argNumber|argAddress) != 0
}

// builds reports whether lines of build files and scripts are full of c.
func (c *command) builds() bool {
	return c.kind == commandTool || c.kind == commandShell || c.kind == commandWord || c.kind == commandEcho
}

// isScript reports whether head begins as lines of scripts and documents do: with a
// condition, a comment or a fence.
func isScript(head []byte) bool {
	head = bytes.TrimLeft(head, " \t")
	return hasPrefix(head, "[") || hasPrefix(head, "#!") || hasPrefix(head, "```")
}

// opens reports whether the text that a line break ends goes on: it opens a block
// or a list, or ends a key.
func opens(head []byte) bool {
	head = bytes.TrimRight(head, " \t\r\n")
	return len(head) > 0 && bytes.IndexByte([]byte("{[(,:="), head[len(head)-1]) >= 0
}

// lines counts the line breaks from i on, up to 2.
func (s *shellScan) lines(i int) (n int) {
	rest := bytes.TrimRight(s.text[min(i, len(s.text)):], "\r\n \t")
	for n < 2 {
		j := bytes.IndexByte(rest, '\n')
		if j < 0 {
			break
		}
		rest = rest[j+1:]
		n++
	}
	return n
}

// continues reports whether what follows the command that ends at text[i] goes on
// as a line for a shell does: it ends there, or there is another command.
func (s *shellScan) continues(i int) bool {
	rest := s.text[min(i, len(s.text)):]
	rest = bytes.TrimLeft(rest[:min(len(rest), 64)], " \t\r\n;|&)'\"`+")
	if len(rest) < 2 || classOf[rest[0]]&letter == 0 {
		return true
	}
	c := readCommand(rest)
	return c.kind != notCommand
}

// isCell reports whether a name between the bar at text[mark] and text[end] is a
// cell of a table as Markdown has them: | id | name |
func (s *shellScan) isCell(mark, end int) bool {
	rest := bytes.TrimLeft(s.text[min(end, len(s.text)):], " ")
	return s.text[mark] == '|' && mark+1 < len(s.text) && s.text[mark+1] == ' ' && hasPrefix(rest, "| ")
}

// replaced judges a command whose output is put in its place.
func (s *shellScan) replaced(mark, from, strength int, head ahead, c *command) {
	if strength == 2 && (c.kind == commandTool && c.args&(argPath|argAddress) == 0 || isAssignment(s.text[:mark]) || !s.closes(mark, from+c.end)) {
		strength = 1
	}
	if head == beforeWord && mark > 0 && classOf[s.text[mark-1]]&blank == 0 {
		head = beforeValue // a part of the word
	}
	switch {
	case s.text[mark] == '`' && head > beforeWord && s.cited(mark, from+c.end):
		if strength >= 3 && head < beforeText {
			s.note(shellSuspect, mark)
		}
	case isScript(s.text[:mark]), s.begins && head > beforeNothing && strength < 3:
	case strength >= 3 && head < beforeText, strength == 2 && head <= beforeValue:
		s.note(shellSubstitution, mark)
	case strength >= 2 && head <= beforeWords:
		s.note(shellSuspect, mark)
	}
}

// isAssignment reports whether head ends with the name of a variable and =.
func isAssignment(head []byte) bool {
	head = bytes.TrimRight(head, "\"'")
	if len(head) < 2 || head[len(head)-1] != '=' {
		return false
	}
	return classOf[head[len(head)-2]]&(letter|digit|dash) != 0
}

// cited reports whether the back-ticks at text[mark] and behind text[end] are those
// of a citation: blanks or marks of punctuation stand round it.
func (s *shellScan) cited(mark, end int) bool {
	if mark > 0 && classOf[s.text[mark-1]]&(letter|digit|equals|slash) != 0 {
		return false
	}
	rest := s.text[min(end, len(s.text)):]
	i := bytes.IndexByte(rest, '`')
	return i < 0 || i+1 >= len(rest) || classOf[rest[i+1]]&(blank|point|paren|quote|semicolon|slash|dash|letter) != 0
}

// closes reports whether nothing but marks follows the substitution whose command
// ends at text[i].
func (s *shellScan) closes(mark, i int) bool {
	rest := s.text[min(i, len(s.text)):]
	rest = bytes.TrimLeft(rest[:min(len(rest), 64)], ")`}\"'")
	rest = bytes.TrimRight(rest, " \t\r\n")
	if len(rest) == 0 {
		return true
	}
	if s.text[mark] == '`' {
		return classOf[rest[0]]&(semicolon|bar|amp|hash) != 0 || bytes.IndexByte(rest, ' ') < 0 && bytes.IndexByte(rest, '\n') < 0
	}
	return classOf[rest[0]]&(blank|letter|equals) == 0 && bytes.IndexByte(rest, '\n') < 0 || classOf[rest[0]]&blank != 0 && len(rest) > 1 && classOf[rest[1]]&(hash|semicolon|bar|amp) != 0
}

// isField reports whether what looks like a command behind & or | is the name of a
// field: of a query string, of a list.
func (s *shellScan) isField(mark, from int, c *command) bool {
	if from-mark != 1 || from == len(s.text) || classOf[s.text[from]]&blank != 0 || c.args != 0 || c.hidden || c.bin {
		return false
	}
	switch s.text[mark] {
	case '&':
		return s.firstMark(&s.equals, '=') < mark
	case '|':
		first := s.firstMark(&s.bar, '|')
		return c.kind == commandShort && first > 0 && first < mark
	}
	return false
}

// firstMark returns where c stands first in the text, which it looks up once; the
// length of the text where it does not.
func (s *shellScan) firstMark(known *int, c byte) int {
	if *known == 0 {
		*known = 1 + len(s.text)
		if i := bytes.IndexByte(s.text, c); i >= 0 {
			*known = 1 + i
		}
	}
	return *known - 1
}

// runsVariable reports whether rest runs a variable that head has set, or that it
// sets itself: X=id;$X.
func runsVariable(head, rest []byte) bool {
	rest = rest[:min(len(rest), 64)]
	eq := bytes.IndexByte(rest, '=')
	if eq <= 0 || eq > 16 {
		return false
	}
	for _, c := range rest[:eq] {
		if classOf[c]&(letter|digit|dash) == 0 {
			return false
		}
	}
	i := bytes.IndexByte(rest, ';')
	if i < 0 {
		return false
	}
	use := bytes.TrimLeft(rest[i+1:], " \t")
	return len(use) > eq && use[0] == '$' && bytes.HasPrefix(use[1:], rest[:eq])
}

// isShellshock reports whether b is the definition of an empty function, as
// CVE-2014-6271 takes it from the environment: () { :;};
func isShellshock(b []byte) bool {
	b = b[:min(len(b), 64)]
	if !hasPrefix(b, "()") {
		return false
	}
	b = bytes.TrimLeft(b[2:], " \t")
	if len(b) == 0 || b[0] != '{' {
		return false
	}
	b = bytes.TrimLeft(b[1:], " \t")
	body := 0
	for body < len(b) && bytes.IndexByte([]byte(":._; \t"), b[body]) >= 0 {
		body++
	}
	rest := b[body:]
	return body > 0 && len(bytes.Trim(b[:body], " \t")) > 0 && len(rest) > 0 && rest[0] == '}' && len(bytes.TrimLeft(rest[1:], " \t;")) > 0
}

// strength says how much the command at the beginning of b looks like an attack: 0
// like none, 3 like nothing else.
func (c *command) strength(b []byte) int {
	n := c.plainStrength(b)
	outside := c.args&(argPath|argAddress|argVariable|argGlob|argQuoted|argHidden) != 0
	if n > 0 && (c.args&(argSecret|argCode) != 0 || c.args&argHidden != 0 && c.words == 0 || c.hidden && (n > 1 || outside)) {
		return 3
	}
	if c.bin && n < 2 && c.words <= 2 && c.kind != commandShell {
		return 2
	}
	return n
}

// plainStrength is strength for commands that hide nothing.
func (c *command) plainStrength(b []byte) int {
	alone := c.args == 0 && c.words == 0 && c.finished(b)
	outside := c.args&(argPath|argAddress) != 0
	some := func(kinds argument) int {
		switch {
		case c.args&kinds != 0 && c.words <= 2:
			return 2
		case c.args != 0:
			return 1
		}
		return 0
	}
	switch c.kind {
	case commandRecon:
		if alone || c.args != 0 && c.words <= 2 {
			return 2
		}
		return 1
	case commandShort:
		if alone {
			return 2
		}
		if c.words > 0 && (c.words > 2 || c.first&(argFlag|argPath) == 0) {
			return 0
		}
		return some(argFlag | argPath | argGlob)
	case commandRead:
		return some(argPath | argVariable | argHidden)
	case commandNet:
		if c.args&argFlag != 0 && c.args&(argNumber|argAddress|argName) != 0 || c.args&argAddress != 0 && c.words <= 2 {
			return 2
		}
		if c.args&argName != 0 && c.words == 0 {
			return 2
		}
		return boolInt(c.args != 0)
	case commandWait:
		if c.args&(argNumber|argAddress) != 0 && c.words <= 1 || c.args&argName != 0 && c.words == 0 && c.kind == commandWait {
			return 2
		}
		return boolInt(c.args != 0)
	case commandShell:
		if c.first == argFlag && c.count > 1 && c.words <= 2 || (outside || c.args&argRedirect != 0) && c.words <= 2 {
			return 2
		}
		return boolInt(alone || c.args != 0)
	case commandAdmin:
		return 2 * boolInt(c.admin)
	case commandEcho:
		return boolInt(c.count > 0 && c.words <= 2) * 2
	case commandTool:
		return max(some(argPath|argRedirect), boolInt(alone))
	case commandWord:
		if c.args&argFlag != 0 && c.args&^argFlag != 0 || outside && c.words == 0 {
			return min(2, some(argFlag|argPath))
		}
		return boolInt(c.args&^argQuoted != 0 && c.words == 0 || alone)
	}
	return 0
}

// finished reports whether nothing follows the name that would make it a word of
// something else.
func (c *command) finished(b []byte) bool {
	rest := bytes.TrimLeft(b[c.name:min(len(b), c.name+32)], " \t")
	return len(rest) == 0 || endsCommand(b, len(b[:c.name])+len(b[c.name:min(len(b), c.name+32)])-len(rest)) ||
		rest[0] == '"' || rest[0] == '\'' || rest[0] == '}' || rest[0] == '%' || rest[0] == '>'
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}
