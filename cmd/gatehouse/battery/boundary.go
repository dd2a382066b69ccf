package battery

import "strings"

// boundary is where in a statement the value stands: in which quotes, in how many
// parentheses, and whether it is a pattern of LIKE.
type boundary struct {
	quote  string // "", ' or "
	parens int    // 0 to 3
	like   bool
}

// boundaries lists them all: three quotes by four depths, and the patterns.
func boundaries() []boundary {
	var all []boundary
	for parens := range 4 {
		for _, quote := range []string{"", "'", `"`} {
			all = append(all, boundary{quote, parens, false})
		}
		all = append(all, boundary{"'", parens, true})
	}
	return all
}

func (d *dice) boundary() boundary { return pick(d, boundaries()) }

// prefix ends the string and leaves the parentheses.
func (b boundary) prefix() string {
	percent := ""
	if b.like {
		percent = "%"
	}
	return percent + b.quote + strings.Repeat(")", b.parens)
}

// tail takes up what prefix left open, so that the rest of the statement fits.
func (b boundary) tail(d *dice) string {
	open := " AND " + strings.Repeat("(", b.parens)
	switch w := d.word(); {
	case b.like:
		return open + "'" + w + "%'='" + w
	case b.quote == "":
		n := d.number()
		return open + n + "=" + n
	case d.below(2) == 0:
		return open + b.quote + w + b.quote + " LIKE " + b.quote + w
	default:
		return open + b.quote + w + b.quote + "=" + b.quote + w
	}
}

// value draws what stands before the boundary: a number where nothing quotes it.
func (d *dice) value(b boundary) string {
	switch d.below(3) {
	case 0:
		return "-" + d.number()
	case 1:
		if b.quote != "" {
			return pick(d, words)
		}
	}
	return string(rune('1' + d.below(9)))
}

// comment draws what hides the rest of the statement.
func (d *dice) comment(db Database) string {
	all := []string{"--", "-- " + d.word(), "-- -", ";--"}
	switch db {
	case MySQL:
		all = []string{"#", "-- " + d.word(), "-- -", ";#", "/*"}
	case SQLite:
		all = append(all, "/*", ";")
	}
	return pick(d, all)
}
