package console

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"
	"time"
)

// Bounds of the overview.
const (
	maxGroups   = 12   // rows of a table
	maxPoints   = 180  // points of the chart
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

// overview counts in one transaction, so that its numbers belong together.
func (s *store) overview(ctx context.Context, f Filter, now time.Time) (overview, error) {
	tx, err := s.read.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return overview{}, fmt.Errorf("reading the overview: %w", err)
	}
	defer tx.Rollback() //nolint:errcheck // nothing was written
	var o overview
	q := query{ctx: ctx, tx: tx}
	f.Before = Cursor{}
	findings := f.condition()
	findings.add("detection")
	invocations := f.scope().condition()
	invocations.add("kind = 'invocation'")
	q.totals(&o, invocations, findings)
	o.Functions = q.groups("function", invocations, findings)
	o.Sources = q.groups("event_source", invocations, findings)
	o.Types = q.groups("coalesce(nullif(signature, ''), kind)", nil, findings)
	connections := f.scope().condition()
	connections.add("kind = 'connection'")
	o.Targets = q.targets(connections)
	o.Delay = q.delay(findings)
	o.Chart = q.chart(f, invocations, findings, now)
	if q.err != nil {
		return overview{}, fmt.Errorf("reading the overview: %w", q.err)
	}
	return o, nil
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
	defer rows.Close()
	for rows.Next() {
		if err := scan(rows); err != nil {
			q.err = err
			return
		}
	}
	q.err = rows.Err()
}

func (q *query) totals(o *overview, invocations, findings *condition) {
	q.each("SELECT count(*) FROM records WHERE "+invocations.String(), invocations.args, func(r *sql.Rows) error {
		return r.Scan(&o.Invocations)
	})
	q.each(`SELECT count(*), coalesce(sum(action = 'blocked'), 0), coalesce(sum(would_action = 'blocked'), 0),
		coalesce(sum(kind = 'attack'), 0), coalesce(sum(kind = 'leak'), 0) FROM records WHERE `+findings.String(),
		findings.args, func(r *sql.Rows) error {
			return r.Scan(&o.Detections, &o.Blocked, &o.WouldBlock, &o.Attacks, &o.Leaks)
		})
}

// groups counts by an expression. Without invocations only findings count.
func (q *query) groups(by string, invocations, findings *condition) []group {
	found := map[string]*group{}
	at := func(name string) *group {
		g := found[name]
		if g == nil {
			g = &group{Name: name}
			found[name] = g
		}
		return g
	}
	q.each("SELECT "+by+", count(*), sum(action = 'blocked') FROM records WHERE "+findings.String()+" GROUP BY 1",
		findings.args, func(r *sql.Rows) error {
			var g group
			err := r.Scan(&g.Name, &g.Detections, &g.Blocked)
			*at(g.Name) = g
			return err
		})
	if invocations != nil {
		q.each("SELECT "+by+", count(*) FROM records WHERE "+invocations.String()+" GROUP BY 1", invocations.args,
			func(r *sql.Rows) error {
				var name string
				var n int
				err := r.Scan(&name, &n)
				at(name).Count = n
				return err
			})
	}
	return top(found)
}

// targets counts connections by where they asked to go.
func (q *query) targets(connections *condition) []group {
	found := map[string]*group{}
	q.each("SELECT dest, count(*), sum(action = 'blocked') FROM records WHERE "+connections.String()+" GROUP BY 1",
		connections.args, func(r *sql.Rows) error {
			var g group
			err := r.Scan(&g.Name, &g.Count, &g.Blocked)
			found[g.Name] = &g
			return err
		})
	return top(found)
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

// chart counts per step of time. Without a range it spans what there is, and at
// least a minute.
func (q *query) chart(f Filter, invocations, findings *condition, now time.Time) chart {
	from, to := q.span(f, invocations, findings, now)
	step := stepFor(to - from)
	from -= from % step
	c := chart{Step: step}
	for t := from; t < to && len(c.Time) <= 2*maxPoints; t += step {
		c.Time = append(c.Time, t)
	}
	c.Invocations, c.Detections = make([]int, len(c.Time)), make([]int, len(c.Time))
	q.fill(c.Invocations, invocations, from, step)
	q.fill(c.Detections, findings, from, step)
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

// span returns the chart's range, in seconds since 1970.
func (q *query) span(f Filter, invocations, findings *condition, now time.Time) (from, to int64) {
	from, to = now.Unix()-59, now.Unix()+1
	var low, high sql.NullInt64
	q.each("SELECT min(t), max(t) FROM (SELECT min(time) t FROM records WHERE "+invocations.String()+
		" UNION ALL SELECT max(time) FROM records WHERE "+invocations.String()+
		" UNION ALL SELECT min(time) FROM records WHERE "+findings.String()+
		" UNION ALL SELECT max(time) FROM records WHERE "+findings.String()+")",
		slices.Concat(invocations.args, invocations.args, findings.args, findings.args),
		func(r *sql.Rows) error { return r.Scan(&low, &high) })
	if low.Valid {
		to = high.Int64/1e9 + 1
		from = min(low.Int64/1e9, to-60)
	}
	if !f.From.IsZero() {
		from = f.From.Unix()
		to = max(to, from+1)
	}
	if !f.To.IsZero() {
		to = f.To.Unix() + 1
	}
	return from, max(to, from+1)
}

func (q *query) fill(points []int, where *condition, from, step int64) {
	args := append([]any{from, step}, where.args...)
	q.each("SELECT (time/1000000000 - ?) / ?, count(*) FROM records WHERE "+where.String()+" GROUP BY 1", args,
		func(r *sql.Rows) error {
			var i, n int64
			if err := r.Scan(&i, &n); err != nil {
				return err
			}
			if i >= 0 && i < int64(len(points)) {
				points[i] = int(n)
			}
			return nil
		})
}
