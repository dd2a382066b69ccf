package runtimeapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"

	"gatehouse/internal/detect"
	"gatehouse/internal/proxy"
)

// maxAnswer is the longest answer that records can be added to, in bytes: what is
// longer, Lambda takes for an error, and the whole batch comes again.
//
// https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
const maxAnswer = 6<<20 + 100

// emptied is the answer to a batch of which nothing is left.
func emptied(event []byte, v proxy.Verdict) answer {
	name := nameOf(v)
	if names(name, v.Form) {
		return answer{kind: "response", body: amend(nil, name, v.Form, v.Taken)}
	}
	switch name {
	case "sqs", "kinesis", "dynamodb":
		return respond(windowed(event))
	case "pipes": // a target takes it for success, an enrichment for nothing to send on
		return respond(object{})
	}
	return answer{kind: "response", body: []byte("null")}
}

// windowed says that no record failed. A function that gathers over a tumbling
// window gets its own state back with the next batch.
//
// https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-windows.html
func windowed(event []byte) object {
	res := object{"batchItemFailures": []object{}}
	var e struct {
		Window, State json.RawMessage
	}
	if json.Unmarshal(event, &e) == nil && e.Window != nil && e.State != nil {
		res["state"] = e.State
	}
	return res
}

// names reports whether source wants the records that were taken out of a batch
// named in the function's answer.
func names(source string, form detect.Form) bool {
	return source == "firehose" || source == "sqs" && form == detect.FormFail
}

// amend adds the records taken out of a batch to the function's answer; all other
// bytes of it stay. It returns answer itself where there is nothing to add, or
// where it is nothing that could be added to: Lambda or Firehose take it for a
// failure of the whole batch, with or without us.
//
// https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
// https://docs.aws.amazon.com/firehose/latest/dev/data-transformation-status-model.html
func amend(answer []byte, source string, form detect.Form, taken []detect.Part) []byte {
	switch {
	case source == "sqs":
		return listed(answer, "batchItemFailures", "itemIdentifier", "", taken)
	case form == detect.FormFail:
		return listed(answer, "records", "recordId", `,"result":"ProcessingFailed"`, taken)
	}
	return listed(answer, "records", "recordId", `,"result":"Dropped"`, taken)
}

// listed adds an entry {"<id>":"…"<rest>} for each of taken that has none to the
// list called member of the object answer, which may be missing or null, as the
// answer may be.
func listed(answer []byte, member, id, rest string, taken []detect.Part) []byte {
	trimmed := bytes.TrimSpace(answer)
	if len(trimmed) == 0 || string(trimmed) == "null" {
		trimmed = []byte("{}")
		answer = trimmed
	}
	o, ok := membersOf(trimmed)
	if !ok {
		return answer
	}
	list := o[member]
	known, ok := idsOf(list, id)
	if !ok {
		return answer
	}
	more := entries(taken, known, id, rest)
	if more == "" && list != nil {
		return answer
	}
	return inserted(answer, member, more)
}

// membersOf reads an object.
func membersOf(text []byte) (o map[string]json.RawMessage, ok bool) {
	return o, json.Unmarshal(text, &o) == nil && o != nil
}

// idsOf returns the ids of the entries that list has; ok is false where it is no
// list.
func idsOf(list json.RawMessage, id string) (known map[string]bool, ok bool) {
	known = make(map[string]bool)
	if len(list) == 0 {
		return known, true
	}
	var all []json.RawMessage
	if json.Unmarshal(list, &all) != nil {
		return nil, false
	}
	for _, raw := range all {
		entry, _ := membersOf(raw)
		var text string
		if json.Unmarshal(entry[id], &text) == nil {
			known[text] = true
		}
	}
	return known, true
}

// entries writes one entry for each of taken that is not known, with commas
// between them.
func entries(taken []detect.Part, known map[string]bool, id, rest string) string {
	var b strings.Builder
	for _, p := range taken {
		if known[p.ID] {
			continue
		}
		known[p.ID] = true
		if b.Len() > 0 {
			b.WriteByte(',')
		}
		text, _ := json.Marshal(p.ID) // a string always encodes
		b.WriteString(`{"` + id + `":` + string(text) + rest + `}`)
	}
	return b.String()
}

// inserted returns the object answer with more at the end of its list called
// member: in the list, in the place of a null, or in a new one at the end of the
// object.
func inserted(answer []byte, member, more string) []byte {
	at, end, found := detect.Member(answer, member)
	switch value := answer[at:end]; {
	case !found:
		at = bytes.LastIndexByte(answer, '}')
		more = `"` + member + `":[` + more + `]`
		if !endsWith(answer[:at], '{') {
			more = "," + more
		}
		return splice(answer, at, at, more)
	case string(value) == "null":
		return splice(answer, at, end, "["+more+"]")
	default:
		at = end - 1 // its bracket
		if !endsWith(answer[:at], '[') {
			more = "," + more
		}
		return splice(answer, at, at, more)
	}
}

// endsWith reports whether c is the last byte of text that is no blank.
func endsWith(text []byte, c byte) bool {
	text = bytes.TrimRight(text, " \t\r\n")
	return len(text) > 0 && text[len(text)-1] == c
}

// splice returns b with text in the place of b[start:end].
func splice(b []byte, start, end int, text string) []byte {
	out := make([]byte, 0, len(b)+len(text))
	out = append(out, b[:start]...)
	out = append(out, text...)
	return append(out, b[end:]...)
}

// complete adds to the function's answer, on its way up, the records that were
// taken out of its batch. An error of the function's own passes as it is, and the
// batch comes again, as does what is too long for Lambda.
func (r *Relay) complete(req, out *http.Request, id string) {
	var inv proxy.Invocation
	r.Guard.Sandbox.Update(id, func(open *proxy.Invocation) { inv = *open })
	if len(inv.Withheld) == 0 || inv.Source == nil || !names(inv.Source.Name, inv.WithheldAs) {
		return
	}
	body, err := io.ReadAll(io.LimitReader(out.Body, maxAnswer+1))
	switch {
	case err != nil: // cut short: so it goes on
		out.Body = rejoined{io.MultiReader(bytes.NewReader(body), broken{err}), out.Body}
		return
	case len(body) > maxAnswer:
		out.Body = rejoined{io.MultiReader(bytes.NewReader(body), out.Body), out.Body}
		return
	case req.Trailer.Get(trailerErrorType) == "":
		body = amend(body, inv.Source.Name, inv.WithheldAs, inv.Withheld)
	}
	out.Body = rejoined{bytes.NewReader(body), out.Body}
	if out.ContentLength >= 0 { // else it is sent in chunks, trailers behind it
		out.ContentLength = int64(len(body))
	}
}

// rejoined reads what was read ahead, and closes what it came from.
type rejoined struct {
	io.Reader
	io.Closer
}

// broken is a body that ends with an error.
type broken struct{ err error }

func (b broken) Read([]byte) (int, error) {
	if errors.Is(b.err, io.EOF) {
		return 0, io.ErrUnexpectedEOF
	}
	return 0, b.err
}
