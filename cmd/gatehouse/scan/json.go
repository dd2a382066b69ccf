package scan

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"unicode/utf16"
	"unicode/utf8"

	"gatehouse/internal/detect"
	"gatehouse/internal/detect/attack"
)

// Line is one finding as --json prints it. Where an attack record has the same, the
// name is the record's. The tags doc feed docs/scan.md.
type Line struct {
	File        string          `json:"file" doc:"the file as it was named or found; - is standard input"`
	Document    int             `json:"document" doc:"which of the file's documents, from 1"`
	Line        int             `json:"line" doc:"line of the value, from 1"`
	Column      int             `json:"column" doc:"its column, from 1, in characters"`
	WouldAction string          `json:"would_action" doc:"what enforce mode does: blocked, or allowed where the finding is weak"`
	SignatureID string          `json:"signature_id" doc:"rule id, never changes: sqli.tautology"`
	Signature   string          `json:"signature" doc:"the rule in words"`
	Category    string          `json:"category" doc:"attack family: sqli"`
	Severity    detect.Severity `json:"severity" doc:"critical, high, medium, low or informational"`
	Weak        bool            `json:"weak,omitempty" doc:"never refused by itself: a weak rule's, or of too few points"`
	Score       int             `json:"score,omitempty" doc:"how sure the rules are, in points"`
	EventSource string          `json:"event_source" doc:"what the event came from: sns"`
	Src         string          `json:"src,omitempty" doc:"who sent it, where the event says so"`
	Path        string          `json:"path" doc:"where in the event: Records[0].Sns.Message"`
	DecodeChain []string        `json:"decode_chain,omitempty" doc:"what was undone to see it, outermost first"`
	Matched     string          `json:"matched" doc:"the offending span, at most 512 bytes"`
	MatchOffset int             `json:"match_offset" doc:"byte offset of matched in the decoded value"`
	EventBytes  int             `json:"event_bytes" doc:"the event's size in bytes"`
	EventSHA256 string          `json:"event_sha256" doc:"hex SHA-256 of the event as it stands in the file"`
	Exceptions  []string        `json:"exceptions,omitempty" doc:"exceptions of the policy that applied to other findings of this event, as rule@path"`
}

// JSON reports one object a line for each finding, for programs.
type JSON struct {
	W io.Writer
	// Errors takes what could not be read and the summary.
	Errors io.Writer
}

// Event prints the findings of e.
func (j *JSON) Event(e *Event) error {
	if len(e.Findings) == 0 {
		return nil
	}
	sum := sha256.Sum256(e.Data)
	src, _ := attack.Value(e.Data, e.Source.From)
	for i := range e.Findings {
		f := &e.Findings[i]
		at := e.At(f)
		would := "blocked"
		if f.Weak {
			would = "allowed"
		}
		line := Line{
			File: at.File, Document: at.Document, Line: at.Line, Column: at.Column,
			WouldAction: would, SignatureID: f.RuleID, Signature: f.Signature, Category: f.Category, Severity: severityOf(f), Weak: f.Weak, Score: f.Score,
			EventSource: e.Source.Name, Src: src, Path: f.Path, DecodeChain: f.DecodeChain,
			Matched: f.Matched, MatchOffset: f.MatchOffset,
			EventBytes: len(e.Data), EventSHA256: hex.EncodeToString(sum[:]), Exceptions: e.Exceptions,
		}
		if err := j.print(&line); err != nil {
			return err
		}
	}
	return nil
}

// print writes line as ASCII-safe JSON: what a terminal would act on is escaped.
func (j *JSON) print(line *Line) error {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(line); err != nil {
		return fmt.Errorf("encoding a finding: %w", err)
	}
	_, err := j.W.Write(escapeHidden(b.Bytes()))
	return err
}

// escapeHidden escapes in JSON what encoding/json leaves and plain would not: DEL,
// C1 controls, marks of direction.
func escapeHidden(text []byte) []byte {
	out := make([]byte, 0, len(text))
	for len(text) > 0 {
		r, size := utf8.DecodeRune(text)
		switch {
		case r == '\n' || !hidden(r):
			out = append(out, text[:size]...)
		case r > 0xffff:
			hi, lo := utf16.EncodeRune(r)
			out = fmt.Appendf(out, `\u%04x\u%04x`, hi, lo)
		default:
			out = fmt.Appendf(out, `\u%04x`, r)
		}
		text = text[size:]
	}
	return out
}

// Bad prints what could not be read.
func (j *JSON) Bad(at Place, err error) error { return (&Text{Errors: j.Errors}).Bad(at, err) }

// End prints the summary, which is no finding, beside them.
func (j *JSON) End(totals *Totals) error {
	_, err := fmt.Fprintln(j.Errors, totals)
	return err
}
