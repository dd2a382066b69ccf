package attack

import "bytes"

// tokenKind is what kind of token a piece of SQL is.
type tokenKind uint8

const (
	tokenNone     tokenKind = iota // before the beginning
	tokenWord                      // a name, or a keyword
	tokenNumber                    // 1, 0x1f, 1e3
	tokenQuote                     // ' " ` or a bracket that quotes a name
	tokenOpen                      // (
	tokenClose                     // )
	tokenComma                     //
	tokenSemi                      // ;
	tokenCompare                   // = <> != < > <= >= <=> and LIKE and its kin
	tokenLogic                     // AND OR XOR && ||
	tokenOperator                  // + - / % & | ^ ~ *
	tokenAt                        // @ or @@
	tokenDot                       //
	tokenComment                   // --, # or an open /*
	tokenOther                     //
	tokenEnd                       // the end of the value
)

// token is a piece of SQL: value[start:end].
type token struct {
	kind       tokenKind
	word       keyword
	spaced     bool // a blank or a comment stands before it
	start, end int
}

// sqlLexer cuts a value into tokens without knowing whether it begins inside
// quotes: a quote is a token, and what follows is cut the same way. So
// one pass sees an injection whatever it breaks out of.
type sqlLexer struct {
	value []byte
	pos   int
	plus  bool // + is a blank
}

// next returns the next token; tokenEnd at the end.
func (l *sqlLexer) next() token {
	spaced := l.blank()
	t := token{spaced: spaced, start: l.pos}
	if l.pos == len(l.value) {
		t.kind, t.end = tokenEnd, l.pos
		return t
	}
	c := l.value[l.pos]
	class := classOf[c]
	switch {
	case class&letter != 0 || c == '_' || class&high != 0:
		l.word()
		t.kind, t.word = tokenWord, keywordOf(l.value[t.start:l.pos])
		t.kind = t.word.kind()
	case class&digit != 0:
		l.number()
		t.kind = tokenNumber
	default:
		t.kind = l.mark(c)
	}
	t.end = l.pos
	return t
}

// blank skips blanks and comments and reports whether there was any.
func (l *sqlLexer) blank() bool {
	start := l.pos
	for l.pos < len(l.value) {
		c := l.value[l.pos]
		switch {
		case classOf[c]&(blank|control) != 0 || c == '+' && l.plus:
			l.pos++
		case c == '/' && l.at(1) == '*':
			if !l.block() {
				return l.pos > start
			}
		case c == '*' && l.at(1) == '/':
			l.pos += 2 // the end of a version comment
		case c == '#' || c == '-' && l.at(1) == '-':
			if !l.line() {
				return l.pos > start
			}
		default:
			return l.pos > start
		}
	}
	return l.pos > start
}

// at returns the byte n places on; 0 behind the end.
func (l *sqlLexer) at(n int) byte {
	if l.pos+n < len(l.value) {
		return l.value[l.pos+n]
	}
	return 0
}

// block skips a comment in /* */. Of a version comment (/*!50000 ... */) it skips
// the beginning only, because MySQL reads what is in it.
func (l *sqlLexer) block() bool {
	if l.at(2) == '!' {
		l.pos += 3
		l.pos += digits(l.value[l.pos:])
		return true
	}
	end := bytes.Index(l.value[l.pos+2:min(len(l.value), l.pos+maxComment)], []byte("*/"))
	if end < 0 {
		return false
	}
	l.pos += 2 + end + 2
	return true
}

// maxComment is the longest comment that is skipped, in bytes.
const maxComment = 256

// line skips a comment that a line break ends. One with a quote in it may be no
// comment at all, and one that ends the value matters: both stay.
func (l *sqlLexer) line() bool {
	rest := l.value[l.pos:min(len(l.value), l.pos+maxComment)]
	end := bytes.IndexByte(rest, '\n')
	if end < 0 || bytes.ContainsAny(rest[:end], "'\"`") {
		return false
	}
	l.pos += end + 1
	return true
}

func (l *sqlLexer) word() {
	for l.pos < len(l.value) {
		if c := l.value[l.pos]; classOf[c]&(letter|digit|high) == 0 && c != '_' && c != '$' {
			return
		}
		l.pos++
	}
}

// number reads digits, and the letters that 0x1f and 1e3 have. What else follows is
// a word: 1or 2.
func (l *sqlLexer) number() {
	if l.at(0) == '0' && l.at(1)|0x20 == 'x' {
		l.word()
		return
	}
	for l.pos < len(l.value) {
		c := l.value[l.pos]
		switch {
		case classOf[c]&digit != 0:
		case c == '.' && classOf[l.at(1)]&digit != 0:
		case c|0x20 == 'e' && (classOf[l.at(1)]&digit != 0 || l.at(1) == '-' && classOf[l.at(2)]&digit != 0):
			l.pos++
		default:
			return
		}
		l.pos++
	}
}

// mark reads a token of punctuation that begins with c.
func (l *sqlLexer) mark(c byte) tokenKind {
	l.pos++
	switch c {
	case '\'', '"', '`', '[', ']':
		return tokenQuote
	case '(':
		return tokenOpen
	case ')':
		return tokenClose
	case ',':
		return tokenComma
	case ';':
		return tokenSemi
	case '.':
		return tokenDot
	case '@':
		for l.at(0) == '@' {
			l.pos++
		}
		return tokenAt
	case '#':
		return tokenComment
	case '-':
		return l.double('-', tokenComment)
	case '/':
		return l.double('*', tokenComment)
	case '&':
		return l.double('&', tokenLogic)
	case '|':
		return l.double('|', tokenLogic)
	case '=', '<', '>', '!':
		return l.compare(c)
	case '+', '*', '%', '^', '~':
		return tokenOperator
	}
	return tokenOther
}

// double is the kind of an operator that means something else when c follows.
func (l *sqlLexer) double(c byte, kind tokenKind) tokenKind {
	if l.at(0) != c {
		return tokenOperator
	}
	l.pos++
	return kind
}

// compare reads a comparison that begins with c. == and => belong to other
// languages, and ! alone to none.
func (l *sqlLexer) compare(c byte) tokenKind {
	start := l.pos
	for l.at(0) == '=' || l.at(0) == '>' || l.at(0) == '<' {
		l.pos++
	}
	switch op := string(l.value[start:l.pos]); {
	case c == '!' && op != "=", c == '=' && op != "", op == "<" || op == ">" && c == '>':
		return tokenOther
	}
	return tokenCompare
}
