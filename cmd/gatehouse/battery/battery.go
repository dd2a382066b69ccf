// Package battery holds what the demo throws at a function: an injection battery
// of our own making, benign messages that look dangerous, and the SNS events that
// carry both.
//
// The battery enumerates what a scanner such as sqlmap enumerates: where the
// string ends (boundaries), what is asked of the database (techniques), in whose
// dialect, and how it is disguised. It was written before any engine saw a row of
// it, and no row is chosen or left out for what an engine says.
package battery

import (
	"math/rand/v2"
	"strings"
)

// Seed and Size draw the battery of the demo; its hash stands in a test.
const (
	Seed = 20190611
	Size = 1300
)

// Technique is how an injection gets its answer out.
type Technique string

// The techniques.
const (
	Boolean Technique = "boolean" // the answer differs with a condition
	Error   Technique = "error"   // the answer stands in an error message
	Union   Technique = "union"   // the answer stands in further rows
	Stacked Technique = "stacked" // a second statement
	Time    Technique = "time"    // the answer takes longer
	Inline  Technique = "inline"  // an expression in the place of the value
)

// Database is a dialect.
type Database string

// The databases.
const (
	MySQL      Database = "mysql"
	PostgreSQL Database = "postgresql"
	MSSQL      Database = "mssql"
	Oracle     Database = "oracle"
	SQLite     Database = "sqlite"
)

// Techniques and Databases list all there are, in the order in which they are
// drawn.
func Techniques() []Technique { return []Technique{Boolean, Error, Union, Stacked, Time, Inline} }

// Databases lists the dialects.
func Databases() []Database { return []Database{MySQL, PostgreSQL, MSSQL, Oracle, SQLite} }

// Attack is one row of the battery.
type Attack struct {
	Technique Technique
	Database  Database
	Text      string
}

// Attacks draws n rows of the battery. One seed gives the same rows on every
// machine, all different.
func Attacks(seed uint64, n int) []string {
	rows := make([]string, 0, max(n, 0))
	for _, a := range Draw(seed, n) {
		rows = append(rows, a.Text)
	}
	return rows
}

// Draw is Attacks with what each row is. Techniques and databases take turns, so
// that each pair has its share of n; template, boundary and disguise are drawn.
func Draw(seed uint64, n int) []Attack {
	d := &dice{pcg: rand.NewPCG(seed, 0x67617465)}
	rows := make([]Attack, 0, max(n, 0))
	seen := make(map[string]bool, max(n, 0))
	for turn := 0; len(rows) < n; {
		a := Attack{Technique: Techniques()[turn%6], Database: Databases()[turn/6%5]}
		a.Text = d.row(a.Technique, a.Database)
		if seen[a.Text] {
			continue // numbers and words are drawn, so another throw differs
		}
		seen[a.Text] = true
		rows = append(rows, a)
		turn++
	}
	return rows
}

// row makes one attack: a value, the end of its string, the vector, and what
// makes the rest of the statement fit.
func (d *dice) row(t Technique, db Database) string {
	s := d.style(db)
	vector := d.fill(pick(d, vectorsOf(t, db)), db, s)
	if t == Inline {
		return d.inline(vector, db, s)
	}
	b := d.boundary()
	tail, comment := b.tail(d), ""
	if t == Union || t == Stacked || ends(vector) || d.below(2) == 0 {
		tail, comment = "", d.comment(db)
	}
	glue := " "
	if strings.HasPrefix(vector, ";") {
		glue = ""
	}
	return d.value(b) + b.prefix() + s.disguise(d, glue+vector+tail) + comment
}

// ends reports whether vector is no condition, so that none can follow.
func ends(vector string) bool {
	return strings.HasPrefix(vector, "WAITFOR ") || strings.HasPrefix(vector, "IF(") || strings.HasPrefix(vector, "HAVING ")
}

// inline puts an expression where the value stood.
func (d *dice) inline(expression string, db Database, s style) string {
	expression = s.disguise(d, expression)
	quote := pick(d, []string{"", "", "'", "\""})
	if quote == "" {
		return pick(d, []string{"", "", d.number() + "-", d.number() + "*"}) + expression
	}
	concat := "||"
	if db == MSSQL || db == MySQL {
		concat = "+"
	}
	return pick(d, words) + quote + concat + expression + concat + quote
}

// dice draws; its throws depend on the seed alone.
type dice struct{ pcg *rand.PCG }

// below returns a number from 0 up to n, n excluded.
func (d *dice) below(n int) int { return int(d.pcg.Uint64() % uint64(n)) }

func pick[T any](d *dice, list []T) T { return list[d.below(len(list))] }

// number draws four digits.
func (d *dice) number() string {
	digits := [4]byte{byte('1' + d.below(9))}
	for i := 1; i < len(digits); i++ {
		digits[i] = byte('0' + d.below(10))
	}
	return string(digits[:])
}

// word draws four letters.
func (d *dice) word() string {
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	var w [4]byte
	for i := range w {
		w[i] = letters[d.below(len(letters))]
	}
	return string(w[:])
}

// words are values that an order's name may have.
var words = []string{"blue-widget", "order-1041", "Anna", "garden chair", "x", "A-7731", "lamp"}
