package console

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"gatehouse/internal/record"
)

// errNoRecord says that a record is not here: never was, or made room for others.
var errNoRecord = errors.New("no such record")

// maxRelated bounds the records shown of one invocation.
const maxRelated = 200

// stored is one record with what its envelope said.
type stored struct {
	Detection
	Record                          record.Record // zero for foreign records
	Sourcetype, Source, Host, Index string
	Fields                          string // indexed fields, as sent
}

// one returns the record with this number.
func (s *store) one(ctx context.Context, seq int64) (*stored, error) {
	row := s.read.QueryRowContext(ctx, "SELECT "+detectionColumns+`, event, sourcetype, source, host, idx,
		coalesce(fields, '') FROM records JOIN bodies ON bodies.seq = records.seq WHERE records.seq = ?`, seq)
	var r stored
	var err error
	r.Detection, err = scanDetection(func(to ...any) error {
		return row.Scan(append(to, &r.Sourcetype, &r.Source, &r.Host, &r.Index, &r.Fields)...)
	})
	if errors.Is(err, sql.ErrNoRows) {
		return nil, errNoRecord
	}
	if err != nil {
		return nil, fmt.Errorf("reading record %d: %w", seq, err)
	}
	if r.Kind != "" {
		_ = json.Unmarshal(r.Raw, &r.Record) // as in newRow: a wrong type costs one field
	}
	return &r, nil
}

// incident returns the number of the record with this id.
func (s *store) incident(ctx context.Context, id string) (int64, error) {
	var seq int64
	err := s.read.QueryRowContext(ctx, "SELECT seq FROM records WHERE id = ?", id).Scan(&seq)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, errNoRecord
	}
	if err != nil {
		return 0, fmt.Errorf("looking for incident %q: %w", id, err)
	}
	return seq, nil
}

// related returns what else is known of an invocation, in the order in which it
// happened.
func (s *store) related(ctx context.Context, requestID string) ([]stored, error) {
	if requestID == "" {
		return nil, nil
	}
	rows, err := s.read.QueryContext(ctx, "SELECT "+detectionColumns+`, event FROM records JOIN bodies
		ON bodies.seq = records.seq WHERE request_id = ? ORDER BY time, records.seq LIMIT ?`, requestID, maxRelated)
	if err != nil {
		return nil, fmt.Errorf("reading invocation %q: %w", requestID, err)
	}
	defer func() { _ = rows.Close() }() // what it has to say, rows.Err says
	var list []stored
	for rows.Next() {
		d, err := scanDetection(rows.Scan)
		if err != nil {
			return nil, fmt.Errorf("reading invocation %q: %w", requestID, err)
		}
		r := stored{Detection: d}
		_ = json.Unmarshal(d.Raw, &r.Record) // as in newRow
		list = append(list, r)
	}
	return list, rows.Err()
}

// neighbours returns the numbers of the findings just newer and just older than
// d; 0 where there is none.
func (s *store) neighbours(ctx context.Context, d *Detection) (newer, older int64, err error) {
	at := d.Cursor()
	for _, look := range []struct {
		to    *int64
		where string
	}{
		{&newer, "(time, seq) > (?, ?) ORDER BY time, seq"},
		{&older, "(time, seq) < (?, ?) ORDER BY time DESC, seq DESC"},
	} {
		err := s.read.QueryRowContext(ctx, "SELECT seq FROM records WHERE detection AND "+look.where+" LIMIT 1",
			at.Time, at.Seq).Scan(look.to)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return 0, 0, fmt.Errorf("looking for the neighbours of record %d: %w", d.Seq, err)
		}
	}
	return newer, older, nil
}

// health returns the newest health record that f's scope has.
func (s *store) health(ctx context.Context, f Filter) (*record.Record, error) {
	where := f.scope().condition()
	where.add("kind = 'health'")
	var raw []byte
	err := s.read.QueryRowContext(ctx, "SELECT event FROM bodies WHERE seq = (SELECT seq FROM records WHERE "+
		where.String()+" ORDER BY time DESC, seq DESC LIMIT 1)", where.args...).Scan(&raw)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading health: %w", err)
	}
	var r record.Record
	_ = json.Unmarshal(raw, &r) // as in newRow
	return &r, nil
}
