package hec

import (
	"bytes"
	"compress/gzip"

	"gatehouse/internal/telemetry"
)

const (
	// minZip is the size below which compression costs more than it saves, in bytes.
	minZip = 1400
	// pieceBytes is how much is compressed at once.
	pieceBytes = 32 << 10
)

// payload is one request's body, as it is sent.
type payload struct {
	bytes    []byte
	encoding string // Content-Encoding
	size     int    // before compression, in bytes
}

// writer makes bodies. What is not compressed yet is never more than a piece and an event.
type writer struct {
	zip   *gzip.Writer
	piece []byte
	last  int // bytes of the last body
}

// write makes a request of as many items as fit into size bytes, at least one, and no more
// than most; 0: any number. An event has at most event bytes.
func (w *writer) write(batch []telemetry.Item, index string, size, event, most int) (b payload, n int) {
	var out *bytes.Buffer // nil: nothing is compressed yet
	piece := w.piece[:0]
	for i := range batch {
		before := len(piece)
		piece = appendEnvelope(piece, &batch[i], index, event)
		if n > 0 && b.size+len(piece)-before > size {
			piece = piece[:before]
			break
		}
		b.size += len(piece) - before
		n++
		if len(piece) >= pieceBytes {
			out = w.compress(out, piece)
			piece = piece[:0]
		}
		if n == most {
			break
		}
	}
	if cap(piece) <= 4*pieceBytes {
		w.piece = piece
	}
	if out == nil && len(piece) < minZip {
		b.bytes = bytes.Clone(piece) // which is written over by the next, while this one may still be on its way
		return b, n
	}
	out = w.compress(out, piece)
	_ = w.zip.Close() // into memory
	b.bytes, b.encoding, w.last = out.Bytes(), "gzip", out.Len()
	return b, n
}

// compress appends piece to out, which it makes where there is none.
func (w *writer) compress(out *bytes.Buffer, piece []byte) *bytes.Buffer {
	if out == nil {
		out = bytes.NewBuffer(make([]byte, 0, w.last+w.last/4))
		if w.zip == nil {
			// BestSpeed is a known level.
			w.zip, _ = gzip.NewWriterLevel(out, gzip.BestSpeed)
		}
		w.zip.Reset(out)
	}
	_, _ = w.zip.Write(piece) // into memory
	return out
}
