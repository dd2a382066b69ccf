package redact

import "strings"

// A card number has 14 to 19 digits, together or in groups with one space or hyphen
// between them.
const (
	minCard = 14
	maxCard = 19
)

// hideCards masks card numbers but for their last four digits: what the networks'
// prefixes and lengths and the check digit (ISO/IEC 7812-1, annex B) say is one.
func hideCards(s, shown string) string {
	var b []byte
	at := 0
	// Of minCard bytes of a card number, one of the first two in each step is a digit.
	for i := minCard - 2; i < len(s); i += minCard - 2 {
		if !digit(s[i-1]) && !digit(s[i]) {
			continue
		}
		from := i
		for from > at && cardByte(s[from-1]) {
			from--
		}
		to := i
		for to < len(s) && cardByte(s[to]) {
			to++
		}
		for from < to {
			start, end := cardIn(s, from, to)
			if end == 0 {
				break
			}
			b = cover(append(b, s[at:start]...), s, start, end, mask("card:"+lastFour(s[start:end])), shown)
			at, from = end, end
		}
		i = max(i, to)
	}
	if at == 0 {
		return s
	}
	return string(append(b, s[at:]...))
}

func digit(c byte) bool { return c >= '0' && c <= '9' }

func cardByte(c byte) bool { return digit(c) || c == ' ' || c == '-' }

// cardIn returns where the first card number in s[from:to] stands, which is digits,
// spaces and hyphens alone; 0, 0: there is none.
func cardIn(s string, from, to int) (start, end int) {
	for start := from; start < to; start++ {
		if !digit(s[start]) || start > 0 && joined(s[start-1]) {
			continue
		}
		if end := cardAt(s, start, to); end > 0 {
			return start, end
		}
	}
	return 0, 0
}

// joined reports whether a number next to c is a part of something longer.
func joined(c byte) bool {
	return digit(c) || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || c == '.' || c == '-'
}

// layouts are how people write card numbers in groups.
var layouts = [...][]int{{4, 4, 4, 4}, {4, 4, 4, 4, 3}, {4, 6, 5}, {4, 6, 4}}

// cardAt returns the end of the card number that begins at s[start]; 0: none does.
func cardAt(s string, start, to int) int {
	run := start
	for run < to && digit(s[run]) {
		run++
	}
	if n := run - start; n != 4 {
		if n >= minCard && n <= maxCard && !ends(s, run) && isCard(s[start:run]) {
			return run
		}
		return 0
	}
	if run == to {
		return 0
	}
	for _, groups := range layouts {
		if end := grouped(s, start, to, s[run], groups); end > 0 {
			return end
		}
	}
	return 0
}

// ends reports whether something goes on at s[i] that a number does not end with.
func ends(s string, i int) bool {
	return i < len(s) && s[i] != '.' && s[i] != '-' && joined(s[i]) || i+1 < len(s) && s[i] == '.' && digit(s[i+1])
}

// grouped returns the end of a card number in groups with one separator.
func grouped(s string, start, to int, separator byte, groups []int) int {
	var b [maxCard]byte
	digits := b[:0]
	i := start
	for g, n := range groups {
		if g > 0 {
			if i >= to || s[i] != separator {
				return 0
			}
			i++
		}
		if i+n > to || strings.Trim(s[i:i+n], "0123456789") != "" {
			return 0
		}
		digits = append(digits, s[i:i+n]...)
		i += n
	}
	if ends(s, i) || !isCard(string(digits)) {
		return 0
	}
	return i
}

// isCard reports whether digits, and nothing else, are a card number.
func isCard(digits string) bool {
	return network(digits) && luhn(digits)
}

// network reports whether one of the card networks gives out numbers of that prefix
// and length.
func network(d string) bool {
	n := len(d)
	in := func(digits int, low, high string) bool { return d[:digits] >= low && d[:digits] <= high }
	switch {
	case d[0] == '4': // Visa
		return n == 16 || n == 19
	case in(2, "51", "55"), in(4, "2221", "2720"), in(4, "3528", "3589"): // Mastercard, JCB
		return n == 16
	case in(2, "34", "34"), in(2, "37", "37"): // American Express
		return n == 15
	case in(3, "300", "305"), in(2, "36", "36"), in(2, "38", "39"): // Diners Club
		return n == 14 || n == 16
	case in(4, "6011", "6011"), in(3, "644", "649"), in(2, "65", "65"), in(2, "62", "62"): // Discover, UnionPay
		return n == 16 || n == 19
	}
	return false
}

// luhn checks the last digit.
func luhn(digits string) bool {
	sum := 0
	for i := range len(digits) {
		d := int(digits[len(digits)-1-i] - '0')
		if i%2 == 1 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
	}
	return sum%10 == 0
}

func lastFour(card string) string { return card[len(card)-4:] }
