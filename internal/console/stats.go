package console

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"
	"time"

	"gatehouse/internal/record"
)

// Bounds of the overview.
const (
	maxGroups   = 12   // rows of a table
	maxPoints   = 180  // points of the chart
	minSpan     = 15   // seconds that the chart shows at least
	delaySample = 1001 // newest detections that the median delay is taken of
)

// overview is what the first page says. Its numbers follow the filter.
type overview struct {
	Invocations, Detections, Blocked, WouldBlock int
	Attacks, Leaks                               int
	Delay                                        time.Duration // median of the newest; 0 without any
	Functions, Sources, Types, Targets           []group
	Chart                                        chart
}

// LetThrough counts the detections that were not blocked.
func (o overview) LetThrough() int { return o.Detections - o.Blocked }

// group is a row of a table. Count is of invocations, or of connections.
type group struct {
	Name                       string
	Count, Detections, Blocked int
}

// chart is two lines over one axis of time, in UTC.
type chart struct {
	Step        int64   `json:"step"` // seconds
	Time        []int64 `json:"time"` // seconds since 1970
	Invocations []int   `json:"invocations"`
	Detections  []int   `json:"detections"`
}

// scope returns what of f invocations have too.
func (f Filter) scope() Filter {
	return Filter{Function: f.Function, EventSource: f.EventSource, From: f.From, To: f.To}
}

// overview counts in one transaction, so that its numbers belong together. Its
// queries can be answered from the index by_kind alone.
func (s *store) overview(ctx context.Context, f Filter, now time.Time) (overview, error) {
	tx, err := s.read.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return overview{}, fmt.Errorf("reading the overview: %w", err)
	}
	defer tx.Rollback() //nolint:errcheck // nothing was written
	q := query{ctx: ctx, tx: tx}
	f.Before = Cursor{}
	findings, scope := f.condition(), f.scope()
	findings.add("kind IN ('attack', 'leak', 'runtime')")
	invocations, connections := scope.condition(), scope.condition()
	invocations.add("kind = 'invocation'")
	connections.add("kind = 'connection'")

	t := newTally()
	q.findings(t, findings)
	q.invocations(t, invocations)
	q.connections(t, connections)
	o := t.overview()
	o.Delay = q.delay(findings)
	o.Chart = newChart(f, t.first, t.last, now)
	q.fill(o.Chart.Invocations, o.Chart, invocations)
	q.fill(o.Chart.Detections, o.Chart, findings)
	if q.err != nil {
		return overview{}, fmt.Errorf("reading the overview: %w", q.err)
	}
	return o, nil
}

// tally adds up what one pass over the index gives.
type tally struct {
	sum                                overview
	functions, sources, types, targets map[string]*group
	first, last                        int64 // times seen, in nanoseconds; 0 when none
}

func newTally() *tally {
	return &tally{functions: map[string]*group{}, sources: map[string]*group{}, types: map[string]*group{},
		targets: map[string]*group{}}
}

func (t *tally) overview() overview {
	o := t.sum
	o.Functions, o.Sources, o.Types, o.Targets = top(t.functions), top(t.sources), top(t.types), top(t.targets)
	return o
}

// at returns the row called name.
func at(groups map[string]*group, name string) *group {
	g := groups[name]
	if g == nil {
		g = &group{Name: name}
		groups[name] = g
	}
	return g
}

func (t *tally) seen(first, last int64) {
	if t.first == 0 || first < t.first {
		t.first = first
	}
	t.last = max(t.last, last)
}

// query runs statements until one fails, and then no more.
type query struct {
	ctx context.Context
	tx  *sql.Tx
	err error
}

// each calls scan for every row.
func (q *query) each(statement string, args []any, scan func(*sql.Rows) error) {
	if q.err != nil {
		return
	}
	rows, err := q.tx.QueryContext(q.ctx, statement, args...)
	if err != nil {
		q.err = err
		return
	}
	defer func() { _ = rows.Close() }() // what it has to say, rows.Err says
	for rows.Next() {
		if err := scan(rows); err != nil {
			q.err = err
			return
		}
	}
	q.err = rows.Err()
}

func (q *query) findings(t *tally, where *condition) {
	q.each(`SELECT function, event_source, coalesce(nullif(signature, ''), kind), kind, count(*),
		sum(action = 'blocked'), sum(would_action = 'blocked'), min(time), max(time)
		FROM records WHERE `+where.String()+" GROUP BY 1, 2, 3, 4", where.args, func(r *sql.Rows) error {
		var function, source, attack, kind string
		var n, blocked, would int
		var first, last int64
		if err := r.Scan(&function, &source, &attack, &kind, &n, &blocked, &would, &first, &last); err != nil {
			return err
		}
		for _, g := range []*group{at(t.functions, function), at(t.sources, source), at(t.types, attack)} {
			g.Detections += n
			g.Blocked += blocked
		}
		t.sum.Detections += n
		t.sum.Blocked += blocked
		t.sum.WouldBlock += would
		switch record.Kind(kind) {
		case record.Attack:
			t.sum.Attacks += n
		case record.Leak:
			t.sum.Leaks += n
		}
		t.seen(first, last)
		return nil
	})
}

func (q *query) invocations(t *tally, where *condition) {
	q.each("SELECT function, event_source, count(*), min(time), max(time) FROM records WHERE "+where.String()+
		" GROUP BY 1, 2", where.args, func(r *sql.Rows) error {
		var function, source string
		var n int
		var first, last int64
		if err := r.Scan(&function, &source, &n, &first, &last); err != nil {
			return err
		}
		at(t.functions, function).Count += n
		at(t.sources, source).Count += n
		t.sum.Invocations += n
		t.seen(first, last)
		return nil
	})
}

// connections counts by where they asked to go.
func (q *query) connections(t *tally, where *condition) {
	q.each("SELECT dest, count(*), sum(action = 'blocked') FROM records WHERE "+where.String()+" GROUP BY 1",
		where.args, func(r *sql.Rows) error {
			var dest string
			var n, blocked int
			err := r.Scan(&dest, &n, &blocked)
			*at(t.targets, dest) = group{Name: dest, Count: n, Blocked: blocked}
			return err
		})
}

func top(found map[string]*group) []group {
	list := make([]group, 0, len(found))
	for _, g := range found {
		list = append(list, *g)
	}
	slices.SortFunc(list, func(a, b group) int {
		return cmp.Or(b.Detections-a.Detections, b.Blocked-a.Blocked, b.Count-a.Count, cmp.Compare(a.Name, b.Name))
	})
	return list[:min(len(list), maxGroups)]
}

// delay returns the median time from a finding to its arrival here.
func (q *query) delay(findings *condition) time.Duration {
	var delays []int64
	q.each(fmt.Sprintf("SELECT received - time FROM records WHERE %s ORDER BY time DESC LIMIT %d", findings, delaySample),
		findings.args, func(r *sql.Rows) error {
			var d int64
			err := r.Scan(&d)
			delays = append(delays, d)
			return err
		})
	if len(delays) == 0 {
		return 0
	}
	slices.Sort(delays)
	return time.Duration(delays[len(delays)/2])
}

// steps are the widths of a chart's points, in seconds.
var steps = []int64{1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400}

// newChart makes an empty chart. Without a range it spans what was seen, from
// first to last in nanoseconds, and at least minSpan.
func newChart(f Filter, first, last int64, now time.Time) chart {
	from, to := rangeOf(f, first, last, now)
	step := stepFor(to - from)
	from -= from % step
	c := chart{Step: step}
	for t := from; t < to && len(c.Time) <= 2*maxPoints; t += step {
		c.Time = append(c.Time, t)
	}
	c.Invocations, c.Detections = make([]int, len(c.Time)), make([]int, len(c.Time))
	return c
}

// stepFor returns the narrowest step that gives at most maxPoints points.
func stepFor(seconds int64) int64 {
	for _, step := range steps {
		if seconds/step < maxPoints {
			return step
		}
	}
	day := steps[len(steps)-1]
	return (seconds/maxPoints/day + 1) * day
}

// rangeOf returns a chart's range, in seconds since 1970.
func rangeOf(f Filter, first, last int64, now time.Time) (from, to int64) {
	from, to = now.Unix()+1-minSpan, now.Unix()+1
	if last > 0 {
		to = last/1e9 + 1
		from = min(first/1e9-1, to-minSpan)
	}
	if !f.From.IsZero() {
		from, to = f.From.Unix(), now.Unix()+1
	}
	if !f.To.IsZero() {
		to = f.To.Unix() + 1
	}
	return from, max(to, from+1)
}

// fill counts into points, per step of c.
func (q *query) fill(points []int, c chart, where *condition) {
	args := append([]any{c.Time[0], c.Step}, where.args...)
	q.each("SELECT (time / 1000000000 - ?) / ?, count(*) FROM records WHERE "+where.String()+" GROUP BY 1", args,
		func(r *sql.Rows) error {
			var i, n int64
			err := r.Scan(&i, &n)
			if i >= 0 && i < int64(len(points)) {
				points[i] = int(n)
			}
			return err
		})
}
