package battery

import (
	"fmt"
	"strings"
)

// style is how a row is disguised: one choice on each of four axes, half of them
// plain.
type style struct {
	db         Database
	letters    string // "upper", "lower", "random", "versioned"
	spaces     string // "plain", "comment", "named", "blank", "line"
	comparison string // "plain", "like", "between", "in"
	literal    string // "quoted", "char", "hex"
}

func (d *dice) style(db Database) style {
	letters := []string{"upper", "upper", "lower", "random"}
	if db == MySQL {
		letters = append(letters, "versioned")
	}
	return style{
		db:         db,
		letters:    pick(d, letters),
		spaces:     pick(d, []string{"plain", "plain", "plain", "plain", "comment", "named", "blank", "line"}),
		comparison: pick(d, []string{"plain", "plain", "plain", "like", "between", "in"}),
		literal:    pick(d, []string{"quoted", "quoted", "char", "hex"}),
	}
}

// condition compares a with b.
func (s style) condition(a, b string) string {
	switch s.comparison {
	case "like":
		if s.db == PostgreSQL { // has no LIKE for numbers
			return "'" + a + "' LIKE '" + b + "'"
		}
		return a + " LIKE " + b
	case "between":
		return a + " BETWEEN " + b + " AND " + b
	case "in":
		return a + " IN (" + b + ")"
	}
	return a + "=" + b
}

// text writes the string w as a literal.
func (s style) text(w string) string {
	switch s.literal {
	case "char":
		return s.codes(w)
	case "hex":
		return s.hex(w)
	}
	return "'" + w + "'"
}

// codes writes w by the numbers of its characters.
func (s style) codes(w string) string {
	var each []string
	for _, c := range []byte(w) {
		each = append(each, fmt.Sprint(c))
	}
	switch s.db {
	case MySQL, SQLite:
		return "CHAR(" + strings.Join(each, ",") + ")"
	case MSSQL:
		return "CHAR(" + strings.Join(each, ")+CHAR(") + ")"
	}
	return "(CHR(" + strings.Join(each, ")||CHR(") + "))"
}

func (s style) hex(w string) string {
	digits := fmt.Sprintf("%x", w)
	switch s.db {
	case MySQL:
		return "0x" + digits
	case SQLite:
		return "CAST(X'" + digits + "' AS TEXT)"
	case MSSQL:
		return "CAST(0x" + digits + " AS VARCHAR(8))"
	case PostgreSQL:
		return "CONVERT_FROM(DECODE('" + digits + "','hex'),'UTF8')"
	}
	return "UTL_RAW.CAST_TO_VARCHAR2(HEXTORAW('" + digits + "'))"
}

// blanks are the bytes that a database takes for a space.
var blanks = map[Database][]string{
	MySQL:      {"\t", "\n", "\v", "\f", "\r"},
	PostgreSQL: {"\t", "\n", "\f", "\r"},
	MSSQL:      {"\t", "\n", "\v", "\f", "\r", "\x01", "\x1f"},
	Oracle:     {"\t", "\n", "\v", "\f", "\r"},
	SQLite:     {"\t", "\n", "\f", "\r"},
}

// disguise rewrites the letters and the spaces of sql outside its strings.
func (s style) disguise(d *dice, sql string) string {
	var out strings.Builder
	quote := byte(0)
	for i := 0; i < len(sql); {
		c := sql[i]
		switch {
		case quote != 0 || c == '\'' || c == '"':
			quote = inside(quote, c)
			out.WriteByte(c)
			i++
		case c == ' ':
			out.WriteString(s.space(d))
			i++
		case letter(c) || digit(c):
			end := i
			for end < len(sql) && (letter(sql[end]) || digit(sql[end])) {
				end++
			}
			out.WriteString(s.keyword(d, sql[i:end]))
			i = end
		default:
			out.WriteByte(c)
			i++
		}
	}
	return out.String()
}

// inside returns the quote that is open after c.
func inside(open, c byte) byte {
	switch open {
	case 0:
		return c
	case c:
		return 0
	}
	return open
}

func letter(c byte) bool {
	return c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c == '_'
}

func digit(c byte) bool { return c >= '0' && c <= '9' }

func (s style) space(d *dice) string {
	switch s.spaces {
	case "comment":
		return "/**/"
	case "named":
		return "/*" + d.word() + "*/"
	case "blank":
		return pick(d, blanks[s.db])
	case "line":
		if s.db == MySQL {
			return "#" + d.word() + "\n"
		}
		return "--" + d.word() + "\n"
	}
	return " "
}

// versioned are the words that MySQL executes in a versioned comment and that
// take no argument list.
var versioned = map[string]bool{"AND": true, "OR": true, "UNION": true, "ALL": true, "SELECT": true, "FROM": true, "WHERE": true, "ORDER": true, "BY": true, "LIKE": true}

func (s style) keyword(d *dice, word string) string {
	switch {
	case digit(word[0]): // a number stays as it is: 0x71, not 0X71
	case s.letters == "lower":
		return strings.ToLower(word)
	case s.letters == "versioned" && versioned[word]:
		return pick(d, []string{"/*!", "/*!50000", "/*!40101"}) + word + "*/"
	case s.letters == "random":
		return d.mixed(word)
	}
	return word
}

// mixed draws the case of every letter.
func (d *dice) mixed(word string) string {
	b := []byte(word)
	for i := range b {
		if letter(b[i]) && b[i] != '_' && d.below(2) == 0 {
			b[i] ^= 0x20
		}
	}
	return string(b)
}
