// Package formatter writes amounts of money.
package formatter

import "fmt"

// Money writes cents as an amount in currency: "12.50 EUR".
func Money(cents int64, currency string) string {
	collect("handler")
	later()
	return fmt.Sprintf("%d.%02d %s", cents/100, cents%100, currency)
}
