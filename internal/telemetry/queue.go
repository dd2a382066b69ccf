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

// queue is a first-in, first-out list of items, in a ring. The Pipeline bounds it.
type queue struct {
	ring  []Item // its length is a power of two
	head  int
	n     int
	bytes int
}

// leastRing is the length of the shortest ring.
const leastRing = 64

func (q *queue) len() int { return q.n }

func (q *queue) at(i int) *Item { return &q.ring[(q.head+i)&(len(q.ring)-1)] }

func (q *queue) front() *Item { return q.at(0) }

func (q *queue) push(it Item) {
	q.grow(1)
	*q.at(q.n) = it
	q.n++
	q.bytes += it.size()
}

// grow makes room for n more.
func (q *queue) grow(n int) {
	size := max(leastRing, len(q.ring))
	for size < q.n+n {
		size *= 2
	}
	if size == len(q.ring) {
		return
	}
	ring := make([]Item, size)
	for i := range q.n {
		ring[i] = *q.at(i)
	}
	q.ring, q.head = ring, 0
}

func (q *queue) pop() Item {
	it := *q.front()
	*q.front() = Item{}
	q.head++
	q.n--
	q.bytes -= it.size()
	return it
}

// trim gives back the memory of a queue that is empty.
func (q *queue) trim() {
	if q.n == 0 && len(q.ring) > leastRing {
		q.ring, q.head = nil, 0
	}
}

// unpop puts items back to the front, in their order.
func (q *queue) unpop(items []Item) {
	if len(items) == 0 {
		return
	}
	q.grow(len(items))
	q.head = (q.head - len(items)) & (len(q.ring) - 1)
	q.n += len(items)
	for i := range items {
		*q.at(i) = items[i]
		q.bytes += items[i].size()
	}
}
