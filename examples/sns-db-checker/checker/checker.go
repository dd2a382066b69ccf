// Package checker answers SNS messages that name an article with the stock of it.
//
// It builds its SQL by string concatenation. That flaw is the point of the
// example: do not mend it, and do not copy it.
package checker

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"gatehouse/examples/sns-db-checker/formatter"
)

// Checker is the function. Open makes one.
type Checker struct {
	// Rates is where exchange rates are fetched from when a message asks for them.
	Rates string

	stock *sql.Conn
	audit *sql.DB
}

// Answer is what the function answers: the rows that all messages of the event
// found, and what they cost together. It is the same for the same event.
type Answer struct {
	Count int     `json:"count"`
	Rows  []Row   `json:"rows"`
	Total string  `json:"total"`
	Rates *string `json:"rates,omitempty"`
}

// Row is one article.
type Row struct {
	ID    int64  `json:"id"`
	Name  string `json:"name"`
	Cents int64  `json:"cents"`
}

// queryTime bounds one look-up: as everywhere, the database has a limit.
const queryTime = time.Second

// Handle answers one event.
func (c *Checker) Handle(ctx context.Context, event events.SNSEvent) (Answer, error) {
	a := Answer{Rows: []Row{}}
	for _, r := range event.Records {
		if err := c.note(ctx, r.SNS.MessageID); err != nil {
			return Answer{}, err
		}
		name, rates := order(r.SNS.Message)
		if rates {
			text := c.fetch(ctx)
			a.Rates = &text
			continue
		}
		rows, err := c.find(ctx, name)
		if err != nil {
			log.Printf("checking order: %s", strings.ReplaceAll(err.Error(), "\n", " "))
			continue
		}
		a.Rows = append(a.Rows, rows...)
	}
	total := int64(0)
	for _, r := range a.Rows {
		total += r.Cents
	}
	a.Count, a.Total = len(a.Rows), formatter.Money(total, "EUR")
	return a, nil
}

// order reads a message: JSON with a name or an order in it, or a plain name.
func order(message string) (name string, rates bool) {
	var fields struct {
		Name  any  `json:"name"`
		Order any  `json:"order"`
		Rates bool `json:"rates"`
	}
	if json.Unmarshal([]byte(message), &fields) != nil {
		return message, false
	}
	for _, field := range []any{fields.Name, fields.Order} {
		if text, ok := field.(string); ok {
			return text, false
		}
	}
	return message, fields.Rates
}

// find looks name up.
func (c *Checker) find(ctx context.Context, name string) ([]Row, error) {
	ctx, cancel := context.WithTimeout(ctx, queryTime)
	defer cancel()
	// The flaw: name is part of the statement.
	rows, err := c.stock.QueryContext(ctx, "SELECT id, name, cents FROM articles WHERE name = '"+name+"'")
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }() // rows.Err tells
	var found []Row
	for rows.Next() {
		var r Row
		if err := rows.Scan(&r.ID, &r.Name, &r.Cents); err != nil {
			return nil, err
		}
		found = append(found, r)
	}
	return found, rows.Err()
}

// maxRates bounds what is read of the rates, in bytes.
const maxRates = 4 << 10

// fetch returns the exchange rates as they were sent, or "unavailable".
func (c *Checker) fetch(ctx context.Context) string {
	body, err := get(ctx, c.Rates)
	if err != nil {
		log.Printf("fetching rates: %v", err)
		return "unavailable"
	}
	return string(body)
}

func get(ctx context.Context, url string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = res.Body.Close() }() // only read
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("status %s", res.Status)
	}
	return io.ReadAll(io.LimitReader(res.Body, maxRates))
}
