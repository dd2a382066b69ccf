package telemetry

import "gatehouse/internal/record"

// class orders records by what their loss would cost. A full pipeline drops lower
// classes first.
type class int

// The classes, least important first.
const (
	lines    class = iota // log, platform: CloudWatch has them as well
	accounts              // invocation, connection
	attacks               // attack: a battery makes thousands
	leaks                 // leak, runtime, health: few, and hidden behind such a flood
	classes
)

func classOf(k record.Kind) class {
	switch k {
	case record.Leak, record.Runtime, record.Health:
		return leaks
	case record.Attack:
		return attacks
	case record.Invocation, record.Connection:
		return accounts
	}
	return lines
}

// queue is a first-in, first-out list of items. The Pipeline bounds it.
type queue struct {
	items []Item
	head  int
	bytes int
}

func (q *queue) len() int { return len(q.items) - q.head }

func (q *queue) front() *Item { return &q.items[q.head] }

func (q *queue) push(it Item) {
	q.items = append(q.items, it)
	q.bytes += it.size()
}

func (q *queue) pop() Item {
	it := q.items[q.head]
	q.items[q.head] = Item{}
	q.head++
	q.bytes -= it.size()
	switch {
	case q.head == len(q.items):
		q.items, q.head = nil, 0 // a burst's memory goes back
	case q.head >= 64 && q.head > len(q.items)/2:
		q.items, q.head = append([]Item(nil), q.items[q.head:]...), 0
	}
	return it
}

// unpop puts items back to the front, in their order.
func (q *queue) unpop(items []Item) {
	if len(items) == 0 {
		return
	}
	for i := range items {
		q.bytes += items[i].size()
	}
	q.items, q.head = append(items, q.items[q.head:]...), 0
}
