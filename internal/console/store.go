package console

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"time"

	_ "modernc.org/sqlite" // the database/sql driver "sqlite"

	"gatehouse/internal/record"
)

// schema keeps the records' bodies apart from what is searched, so that a chart
// over all records reads an index and not megabytes of JSON.
const schema = `
CREATE TABLE IF NOT EXISTS records (
	seq INTEGER PRIMARY KEY AUTOINCREMENT,
	id TEXT UNIQUE, time INTEGER NOT NULL, received INTEGER NOT NULL,
	kind TEXT NOT NULL, detection INTEGER NOT NULL,
	sourcetype TEXT NOT NULL, source TEXT NOT NULL, host TEXT NOT NULL, idx TEXT NOT NULL,
	function TEXT NOT NULL, function_arn TEXT NOT NULL, event_source TEXT NOT NULL, request_id TEXT NOT NULL,
	signature_id TEXT NOT NULL, signature TEXT NOT NULL, category TEXT NOT NULL, severity TEXT NOT NULL,
	action TEXT NOT NULL, would_action TEXT NOT NULL, verdict TEXT NOT NULL, path TEXT NOT NULL,
	matched TEXT NOT NULL, dest TEXT NOT NULL, size INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS bodies (seq INTEGER PRIMARY KEY, event BLOB NOT NULL, fields BLOB) STRICT;
CREATE INDEX IF NOT EXISTS by_kind ON records
	(kind, time, function, event_source, category, action, would_action, signature, dest);
CREATE INDEX IF NOT EXISTS by_detection ON records (time DESC, seq DESC) WHERE detection;
CREATE INDEX IF NOT EXISTS by_request ON records (request_id, time) WHERE request_id <> '';
`

// schemaVersion is kept in the file; a file of another version is refused.
const schemaVersion = 1

// readers bounds the connections that answer pages.
const readers = 4

// Counts says what a console holds.
type Counts struct {
	// Records counts everything stored, foreign records too.
	Records int
	// Kinds counts our records per kind. Foreign records are under "".
	Kinds map[record.Kind]int
	// Duplicates counts records that came again and were not stored again, since
	// Open.
	Duplicates int
	// Pruned counts records that made room for others, since Open.
	Pruned int
	// Bytes is the size of what is stored, as JSON.
	Bytes int64
}

// store keeps records in SQLite: one connection writes, some read.
type store struct {
	write, read *sql.DB
	tempDir     string // removed by close; "" when the file is the user's
	maxRecords  int
	maxBytes    int64

	writing sync.Mutex // held over a transaction
	mu      sync.Mutex // guards counts
	counts  Counts
}

func openStore(ctx context.Context, path string, maxRecords int, maxBytes int64) (*store, error) {
	s := &store{maxRecords: maxRecords, maxBytes: maxBytes}
	if path == "" {
		dir, err := os.MkdirTemp("", "gatehouse-console-")
		if err != nil {
			return nil, fmt.Errorf("making the console's temporary folder: %w", err)
		}
		s.tempDir, path = dir, filepath.Join(dir, "records.db")
	}
	if err := s.open(ctx, path); err != nil {
		return nil, errors.Join(fmt.Errorf("opening the console's store %q: %w", path, err), s.close())
	}
	return s, nil
}

func (s *store) open(ctx context.Context, path string) error {
	// Records hold what attackers sent and perhaps personal data: for the owner
	// only.
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	if s.write, err = sql.Open("sqlite", dsn(path, "synchronous(NORMAL)")); err != nil {
		return err
	}
	s.write.SetMaxOpenConns(1)
	if s.read, err = sql.Open("sqlite", dsn(path, "query_only(ON)")); err != nil {
		return err
	}
	s.read.SetMaxOpenConns(readers)
	if err := s.migrate(ctx); err != nil {
		return err
	}
	return s.recount(ctx)
}

func dsn(path string, pragmas ...string) string {
	q := url.Values{"_pragma": append([]string{"busy_timeout(5000)", "journal_mode(WAL)"}, pragmas...)}
	return (&url.URL{Scheme: "file", Opaque: url.PathEscape(path), RawQuery: q.Encode()}).String()
}

func (s *store) migrate(ctx context.Context) error {
	var version int
	if err := s.write.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version); err != nil {
		return err
	}
	if version != 0 && version != schemaVersion {
		return fmt.Errorf("the file has version %d, want %d: choose another file", version, schemaVersion)
	}
	if _, err := s.write.ExecContext(ctx, schema); err != nil {
		return err
	}
	_, err := s.write.ExecContext(ctx, fmt.Sprintf("PRAGMA user_version = %d", schemaVersion))
	return err
}

func (s *store) recount(ctx context.Context) error {
	s.counts.Kinds = map[record.Kind]int{}
	rows, err := s.write.QueryContext(ctx, "SELECT kind, count(*), sum(size) FROM records GROUP BY kind")
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }() // what it has to say, rows.Err says
	for rows.Next() {
		var kind string
		var n int
		var size int64
		if err := rows.Scan(&kind, &n, &size); err != nil {
			return err
		}
		s.counts.Kinds[record.Kind(kind)] = n
		s.counts.Records += n
		s.counts.Bytes += size
	}
	return rows.Err()
}

func (s *store) received() Counts {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.counts
	c.Kinds = maps.Clone(c.Kinds)
	return c
}

// add stores rows in one transaction, or none of them. A record whose id is
// stored already is counted and not stored again.
func (s *store) add(ctx context.Context, rows []row) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	tx, err := s.write.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("storing records: %w", err)
	}
	defer tx.Rollback() //nolint:errcheck // after Commit it says so, before it the error is on its way up
	after := s.received()
	if err := insert(ctx, tx, rows, &after); err != nil {
		return fmt.Errorf("storing records: %w", err)
	}
	if err := s.prune(ctx, tx, &after); err != nil {
		return fmt.Errorf("pruning records: %w", err)
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("storing records: %w", err)
	}
	s.mu.Lock()
	s.counts = after
	s.mu.Unlock()
	return nil
}

const insertRecord = `INSERT INTO records (` + columns + `)
	VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT (id) DO NOTHING`

func insert(ctx context.Context, tx *sql.Tx, rows []row, counts *Counts) error {
	meta, err := tx.PrepareContext(ctx, insertRecord)
	if err != nil {
		return err
	}
	defer func() { _ = meta.Close() }() // a statement has nothing to lose
	body, err := tx.PrepareContext(ctx, "INSERT INTO bodies (seq, event, fields) VALUES (last_insert_rowid(), ?, ?)")
	if err != nil {
		return err
	}
	defer func() { _ = body.Close() }() // a statement has nothing to lose
	for i := range rows {
		r := &rows[i]
		result, err := meta.ExecContext(ctx, r.values()...)
		if err != nil {
			return err
		}
		if n, err := result.RowsAffected(); err != nil {
			return err
		} else if n == 0 {
			counts.Duplicates++
			continue
		}
		if _, err := body.ExecContext(ctx, []byte(r.event), []byte(r.fields)); err != nil {
			return err
		}
		counts.Records++
		counts.Kinds[r.kind]++
		counts.Bytes += r.size()
	}
	return nil
}

// pruneStep is how many records go at once when the store is too large in bytes.
const pruneStep = 64

// prune removes the oldest records until both bounds hold.
func (s *store) prune(ctx context.Context, tx *sql.Tx, counts *Counts) error {
	for counts.Records > 0 {
		n := counts.Records - s.maxRecords
		if counts.Bytes > s.maxBytes {
			n = max(n, pruneStep)
		}
		if n <= 0 {
			return nil
		}
		if err := removeOldest(ctx, tx, n, counts); err != nil {
			return err
		}
	}
	return nil
}

func removeOldest(ctx context.Context, tx *sql.Tx, n int, counts *Counts) error {
	rows, err := tx.QueryContext(ctx, `DELETE FROM records WHERE seq IN (SELECT seq FROM records ORDER BY seq LIMIT ?)
		RETURNING seq, kind, size`, n)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }() // what it has to say, rows.Err says
	var last int64
	for rows.Next() {
		var seq, size int64
		var kind string
		if err := rows.Scan(&seq, &kind, &size); err != nil {
			return err
		}
		last = max(last, seq)
		counts.Kinds[record.Kind(kind)]--
		counts.Records--
		counts.Pruned++
		counts.Bytes -= size
	}
	if err := rows.Err(); err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, "DELETE FROM bodies WHERE seq <= ?", last)
	return err
}

func (s *store) close() error {
	var errs []error
	for _, db := range []*sql.DB{s.read, s.write} {
		if db != nil {
			errs = append(errs, db.Close())
		}
	}
	if s.tempDir != "" {
		errs = append(errs, os.RemoveAll(s.tempDir))
	}
	return errors.Join(errs...)
}

// nanos turns a stored time back.
func nanos(n int64) time.Time { return time.Unix(0, n).UTC() }
