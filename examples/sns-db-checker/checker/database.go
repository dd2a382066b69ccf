package checker

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"

	"modernc.org/sqlite" // stands in for RDS
	lib "modernc.org/sqlite/lib"
)

// Open opens the databases: the articles in memory, new in every sandbox, and
// the audit table in the file at path, which is kept. They are two, so that what
// is injected cannot rewrite the audit.
func Open(path string) (*Checker, error) {
	ctx := context.Background()
	stock, err := openStock(ctx)
	if err != nil {
		return nil, fmt.Errorf("opening the articles: %w", err)
	}
	audit, err := sql.Open("sqlite", "file:"+(&url.URL{Path: path}).EscapedPath()+"?_pragma=busy_timeout(2000)")
	if err != nil {
		return nil, fmt.Errorf("opening the audit: %w", err)
	}
	if _, err := audit.ExecContext(ctx, "CREATE TABLE IF NOT EXISTS audit(message_id TEXT NOT NULL)"); err != nil {
		return nil, fmt.Errorf("opening the audit: %w", err)
	}
	return &Checker{stock: stock, audit: audit}, nil
}

const articles = `
CREATE TABLE articles(id INTEGER PRIMARY KEY, name TEXT NOT NULL, cents INTEGER NOT NULL);
INSERT INTO articles(name, cents) VALUES
	('blue widget', 1250), ('garden chair', 4900), ('reading lamp', 3450), ('copper kettle', 6125),
	('oak shelf', 11900), ('wool blanket', 5400), ('tea cup', 790), ('bread knife', 1815);
CREATE TABLE orders(id INTEGER PRIMARY KEY, name TEXT);
CREATE TABLE users(id INTEGER PRIMARY KEY, name TEXT, role TEXT, password TEXT);
INSERT INTO users(name, role, password) VALUES ('root', 'admin', 'made-up-7f3a'), ('anna', 'clerk', 'made-up-91c4');
`

// maxValue bounds a value in the database of articles, in bytes. An attack that
// asks for gigabytes gets an error, as on a small instance.
const maxValue = 8 << 20

// openStock fills the database of articles. It is one connection, because each
// would have a memory of its own.
func openStock(ctx context.Context) (*sql.Conn, error) {
	db, err := sql.Open("sqlite", ":memory:")
	if err != nil {
		return nil, err
	}
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	for limit, value := range map[int]int{lib.SQLITE_LIMIT_LENGTH: maxValue, lib.SQLITE_LIMIT_ATTACHED: 0} {
		if _, err := sqlite.Limit(conn, limit, value); err != nil {
			return nil, err
		}
	}
	_, err = conn.ExecContext(ctx, articles)
	return conn, err
}

// note writes the id of a message that reached the handler.
func (c *Checker) note(ctx context.Context, messageID string) error {
	if _, err := c.audit.ExecContext(ctx, "INSERT INTO audit(message_id) VALUES (?)", messageID); err != nil {
		return fmt.Errorf("writing the audit: %w", err)
	}
	return nil
}
