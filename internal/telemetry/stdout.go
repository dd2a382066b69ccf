package telemetry

import (
	"context"
	"encoding/json"
	"fmt"
	"io"

	"gatehouse/internal/record"
)

// maxLine bounds a line of Stdout, in bytes: CloudWatch Logs cuts events at
// 256 KiB.
const maxLine = 250 << 10

// Stdout is the Sink of a function without an HEC: findings and health records
// go to W, one line of JSON each, everything else is dropped, because CloudWatch
// has it already.
type Stdout struct {
	// W is the extension's stdout.
	W io.Writer
	// Events keeps the events in the lines. Else they are left out: more people
	// read a function's log than may read its events.
	Events bool
}

// Send writes batch's findings and health records, one Write each.
func (s Stdout) Send(_ context.Context, batch []Item) (int, error) {
	for i := range batch {
		it := &batch[i]
		if !it.Kind.Finding() && it.Kind != record.Health {
			continue
		}
		if _, err := s.W.Write(append(s.line(it), '\n')); err != nil {
			return i, fmt.Errorf("writing a record: %w", err)
		}
	}
	return len(batch), nil
}

// line returns it as it is printed. The slice is its own.
func (s Stdout) line(it *Item) []byte {
	var r record.Record
	if !s.Events && json.Unmarshal(it.JSON, &r) == nil {
		r.DropEvent()
		if out, err := r.Encode(); err == nil {
			return record.Shorten(out, maxLine)
		}
	}
	return append([]byte(nil), record.Shorten(it.JSON, maxLine)...)
}
