package main

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"
)

const (
	// usualMessages is how many messages of a kind go each way.
	usualMessages = 1000
	// warmMessages come first and do not count.
	warmMessages = 20
	// wantAdded is what inspection may add to a message, in ms.
	wantAdded = 2
	// held is how long the proxy waits, in ms, before it lets go of what begins like a
	// secret where it does not know that a message ends.
	held = 100
)

// messages are the kinds that are measured.
var messages = []struct {
	kind, name string
	text       []byte
	open       func(s *talker, c *caller, text []byte) (*dialogue, error)
}{
	{"WebSocket", "32 B", piece[:32], websocketDialogue},
	{"WebSocket", "1 KB", piece[:1<<10], websocketDialogue},
	{"WebSocket", "ends like a secret", beginning(), websocketDialogue},
	{"gRPC", "32 B", piece[:32], grpcDialogue},
	{"gRPC", "1 KB", piece[:1<<10], grpcDialogue},
	{"gRPC", "ends like a secret", beginning(), grpcDialogue},
	{"SSE, HTTP/1.1", "32 B", bytes.Repeat([]byte("e"), 32), eventsBy(1)},
	{"SSE, HTTP/1.1", "1 KB", bytes.Repeat([]byte("e"), 1<<10), eventsBy(1)},
	{"SSE, HTTP/2", "32 B", bytes.Repeat([]byte("e"), 32), eventsBy(2)},
	{"SSE, HTTP/2", "1 KB", bytes.Repeat([]byte("e"), 1<<10), eventsBy(2)},
	{"100-continue, HTTP/1.1", "1 KB", piece[:1<<10], expectationBy(1)},
	{"100-continue, HTTP/2", "1 KB", piece[:1<<10], expectationBy(2)},
}

// beginning is a message that ends in the first 9 bytes of a secret that is watched.
func beginning() []byte { return append(bytes.Clone(piece[:23]), secret(0)[:9]...) }

// ways are how the messages go.
var latencyWays = []struct {
	name     string
	inspects bool
	start    startProxy
}{
	{"direct", false, nil},
	{"tunnel", false, extension("false")},
	{"inspecting", true, extension("true")},
}

// latency measures how long a message of a dialogue takes there and back: directly,
// through the extension's tunnel, and through its inspection. The messages take turns.
func latency(e *egressPrograms, n int) (*Report, error) {
	if n == 0 {
		n = usualMessages
	}
	talk, err := newTalker(e.sink)
	if err != nil {
		return nil, err
	}
	defer talk.close()
	var all []*through
	defer func() {
		for _, t := range all {
			t.close()
		}
	}()
	for _, w := range latencyWays {
		t := &through{name: w.name, inspects: w.inspects, end: func() {}}
		all = append(all, t)
		if err := t.open(e, w.start); err != nil {
			return nil, fmt.Errorf("%s: %w", w.name, err)
		}
	}
	report := &Report{Bench: "egress"}
	report.table = report.latencies
	for i := range messages {
		if err := report.messages(talk, all, i, n); err != nil {
			return nil, fmt.Errorf("%s, %s: %w", messages[i].kind, messages[i].name, err)
		}
	}
	for _, t := range all {
		if err := talk.provesInspection(t); err != nil {
			return nil, t.because(fmt.Errorf("%s: %w", t.name, err))
		}
	}
	return report, nil
}

// messages measures one kind.
func (r *Report) messages(talk *talker, all []*through, kind, n int) error {
	m := messages[kind]
	lanes := make([]*dialogue, len(all))
	for i, t := range all {
		d, err := m.open(talk, t.call, m.text)
		if err != nil {
			return t.because(fmt.Errorf("%s: %w", t.name, err))
		}
		defer d.end()
		lanes[i] = d
	}
	took := make([][]float64, len(all))
	for i := range n + warmMessages {
		for j := range lanes {
			if i%2 == 1 {
				j = len(lanes) - 1 - j // nobody is always behind the same one
			}
			d, err := lanes[j].once()
			if err != nil {
				return all[j].because(fmt.Errorf("%s: %w", all[j].name, err))
			}
			if i >= warmMessages {
				took[j] = append(took[j], ms(d))
			}
		}
	}
	for i, t := range all {
		r.Add(t.name, m.kind, m.name, "ms", took[i])
		r.Rows[len(r.Rows)-1].P99 = percentile(took[i], 0.99)
		if t.answered != nil { // the records leave
			if err := t.answered(); err != nil {
				return t.because(err)
			}
		}
	}
	what := m.kind + ", " + m.name
	direct, inspecting := took[0], took[len(took)-1]
	r.Judge(what+": ms that inspection adds (p50)", median(inspecting)-median(direct), wantAdded)
	r.Judge(what+": ms that inspection adds (p99)", percentile(inspecting, 0.99)-percentile(direct, 0.99), wantAdded)
	if bytes.Equal(m.text, beginning()) {
		late := slices.DeleteFunc(inspecting, func(d float64) bool { return d < held })
		r.Judge(what+": messages that waited for silence", float64(len(late)), 0)
	}
	return nil
}

// provesInspection says a whole secret through t, which is to stop it if it inspects, and
// to let it pass if not: what was measured is worth something only then.
func (s *talker) provesInspection(t *through) error {
	for _, m := range messages {
		if m.name != "32 B" || (m.kind != "WebSocket" && m.kind != "gRPC") {
			continue
		}
		d, err := m.open(s, t.call, []byte(secret(0)))
		if err != nil {
			return err
		}
		_, err = d.once()
		d.end()
		switch {
		case err == nil && t.inspects:
			return fmt.Errorf("%s: a secret was not stopped", m.kind)
		case err != nil && !t.inspects:
			return fmt.Errorf("%s: a secret was stopped: %w", m.kind, err)
		}
	}
	return nil
}

// latencies writes a line for each kind of message.
func (r *Report) latencies(out io.Writer) {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(w, "ms, p50/p99\t\t")
	for _, way := range latencyWays {
		fmt.Fprintf(w, "%s\t", way.name)
	}
	fmt.Fprintln(w, "tunnel adds\tinspection adds\t")
	for rows := range slices.Chunk(r.Rows, len(latencyWays)) {
		fmt.Fprintf(w, "%s\t%s\t", rows[0].What, rows[0].At)
		for _, row := range rows {
			fmt.Fprintf(w, "%.3f/%.3f\t", row.P50, row.P99)
		}
		for _, row := range rows[1:] {
			fmt.Fprintf(w, "%+.3f/%+.3f\t", row.P50-rows[0].P50, row.P99-rows[0].P99)
		}
		fmt.Fprintln(w)
	}
	_ = w.Flush() // out is a terminal
	fmt.Fprintln(out)
}

// timed is how long f takes.
func timed(f func() error) (time.Duration, error) {
	began := time.Now()
	err := f()
	return time.Since(began), err
}
