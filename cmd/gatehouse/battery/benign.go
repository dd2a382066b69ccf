package battery

import (
	"fmt"
	"strings"
)

// Benign returns n messages that a function which takes orders may get on an
// ordinary day, all different. Every other one is hard, as long as there are any:
// names with quotes, prose that talks of SQL, code, other scripts.
func Benign(n int) []string {
	messages := make([]string, 0, max(n, 0))
	rest, plain := Hard(), 0
	for i := range max(n, 0) {
		if i%2 == 1 && len(rest) > 0 {
			messages, rest = append(messages, rest[0]), rest[1:]
			continue
		}
		messages = append(messages, ordinary(plain))
		plain++
	}
	return messages
}

// ordinary is the i-th plain message: a name, a sentence or an order in JSON.
func ordinary(i int) string {
	article := articles[i%len(articles)]
	customer := customers[i/3%len(customers)]
	switch i % 6 {
	case 0:
		return fmt.Sprintf("%s-%d", strings.ReplaceAll(article, " ", "-"), 1000+i)
	case 2:
		return fmt.Sprintf(`{"order":"A-%d","name":"%s","quantity":%d,"price":%d.%02d}`, 7000+i, article, 1+i%9, 4+i%60, i%100)
	case 4:
		return fmt.Sprintf("Please send %d pieces of \"%s\" to %s, order %d.", 2+i%7, article, customer, 40000+i)
	case 5:
		return fmt.Sprintf(`{"order":%d,"customer":{"name":"%s","city":"%s"},"items":[{"sku":"%s","n":%d}]}`,
			90000+i, customer, cities[i%len(cities)], strings.ToUpper(article[:3])+fmt.Sprint(i), 1+i%4)
	}
	return fmt.Sprintf("%s for %s (%s) no. %d", article, customer, cities[i%len(cities)], i)
}

var (
	articles  = []string{"blue widget", "garden chair", "reading lamp", "copper kettle", "oak shelf", "wool blanket", "tea cup", "bread knife"}
	customers = []string{"Anna Berger", "Tomasz Nowak", "Ines Costa", "Peter Lindqvist", "Mary Byrne", "Kofi Mensah", "Yuki Tanaka"}
	cities    = []string{"Porto", "Graz", "Cork", "Malmö", "Kumasi", "Sapporo", "Łódź", "Nîmes", "Leeds"}
)
