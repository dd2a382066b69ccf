package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"gatehouse/cmd/gatehouse/remote"
	"gatehouse/internal/console"
)

// score is what the story's claims are checked against.
type score struct {
	attacks, benign []string

	plainAnswers, gatedAnswers []reply // to the benign events
	unprotectedSent            int
	unprotectedHandled         int

	attackAnswers []reply
	handled       map[string]bool // attacks that reached the handler, by message id
	detections    []console.Detection

	plainLeak, gatedLeak theft
	rates                bool
	leaks                []console.Detection
}

// refused counts the attacks that the handler never saw.
func (s *score) refused() int { return len(s.attackAnswers) - len(s.handled) }

// check is one claim of the story.
type check struct {
	what string
	got  string
	ok   bool
}

// print writes the score and returns whether any claim failed.
func (s *score) print(p printer) (failed bool) {
	s.printMisses(p)
	p.step("score")
	for _, c := range s.checks() {
		mark := p.paint("1;32", "✓")
		if !c.ok {
			mark, failed = p.paint("1;31", "✗"), true
		}
		p.line("  %s %-66s %s", mark, c.what, p.paint("1", c.got))
	}
	return failed
}

// printMisses prints every attack that got through and every benign event that
// did not, so that nobody has to believe a number.
func (s *score) printMisses(p printer) {
	s.list(p, "attacks that reached the handler", s.attacks, func(i int) bool { return s.handled[messageID("attack", i)] })
	s.list(p, "benign events answered differently", s.benign, s.differs)
}

func (s *score) list(p printer, title string, messages []string, show func(int) bool) {
	printed := false
	for i, m := range messages {
		if !show(i) {
			continue
		}
		if !printed {
			p.step("%s", title)
			printed = true
		}
		p.line("    │ %q", m)
	}
}

// differs reports whether a benign event was answered differently through the
// gate.
func (s *score) differs(i int) bool {
	return s.gatedAnswers[i].payload != s.plainAnswers[i].payload || s.gatedAnswers[i].err != s.plainAnswers[i].err
}

func (s *score) checks() []check {
	changed, benignRefused := s.compareBenign()
	complete, incomplete := s.evidence()
	refused, sent := s.refused(), len(s.attackAnswers)
	median, worst := delays(s.detections)
	leakRule, leakOK := s.leakRecord()
	return []check{
		{"attacks that reached the handler without the layer", fmt.Sprintf("%d of %d", s.unprotectedHandled, s.unprotectedSent), s.unprotectedHandled == s.unprotectedSent},
		{"attacks refused before the handler ran", fmt.Sprintf("%d of %d (%.1f %%)", refused, sent, percent(refused, sent)), float64(refused) >= minRefused*float64(sent)},
		{"benign events refused", fmt.Sprintf("%d of %d", benignRefused, len(s.gatedAnswers)), benignRefused == 0},
		{"answers to benign events that differ from those without the layer", fmt.Sprint(changed), changed == 0},
		{"refused events whole in the console: ARN, source, path, payload", fmt.Sprintf("%d, %d incomplete", complete, incomplete), complete == refused && incomplete == 0},
		{"from verdict to console, median and worst", fmt.Sprintf("%s, %s", median, worst), worst <= time.Second},
		{"secret bytes that arrive without the layer", fmt.Sprint(s.plainLeak.leaked), s.plainLeak.leaked > 0},
		{"secret bytes that arrive with it", fmt.Sprint(s.gatedLeak.leaked), s.gatedLeak.leaked == 0},
		{"a benign HTTPS request to the same host", yes(s.rates, "answered", "failed"), s.rates},
		{"the invocation with the leak", s.gatedLeak.answer.errorType(), s.gatedLeak.answer.err != ""},
		{"the leak's record in the console", leakRule, leakOK},
	}
}

// compareBenign counts the benign events that were answered differently through
// the gate, and those of them that never reached the handler.
func (s *score) compareBenign() (changed, refused int) {
	for i, a := range s.gatedAnswers {
		if !s.differs(i) {
			continue
		}
		changed++
		if a.payload == "null" || strings.Contains(a.payload, "Gatehouse.Refused") {
			refused++
		}
	}
	return changed, refused
}

// evidence counts the refused events whose detection shows everything that a
// person needs, and those with less.
func (s *score) evidence() (complete, incomplete int) {
	byRequest := make(map[string]console.Detection, len(s.detections))
	for _, d := range s.detections {
		byRequest[d.RequestID] = d
	}
	for i, a := range s.attackAnswers {
		if s.handled[messageID("attack", i)] {
			continue
		}
		d, ok := byRequest[a.requestID]
		whole := ok && strings.HasPrefix(d.FunctionARN, "arn:aws:lambda:") && d.EventSource == "sns" &&
			strings.HasPrefix(d.Path, "Records[0].Sns.Message") && d.Matched != "" && d.SignatureID != "" &&
			messageIn(d.Raw) == s.attacks[i]
		if whole {
			complete++
		} else {
			incomplete++
		}
	}
	return complete, incomplete
}

func (s *score) leakRecord() (string, bool) {
	for _, d := range s.leaks {
		var r struct {
			URL, SNI string
			Object   string
		}
		if json.Unmarshal(d.Raw, &r) != nil {
			continue
		}
		text := fmt.Sprintf("%s: %s to %s", d.SignatureID, r.Object, d.Dest)
		return text, strings.HasPrefix(d.SignatureID, "leak.") && r.SNI == remote.Name && r.URL != "" && leakedBytes([]string{string(d.Raw)}) == 0
	}
	return "missing", false
}

// errorType is what the caller reads of a failed invocation.
func (r reply) errorType() string {
	var e struct{ ErrorType string }
	if r.err == "" || json.Unmarshal([]byte(r.payload), &e) != nil {
		return "succeeded"
	}
	return "failed: " + e.ErrorType
}

// message is the error in words, or the answer.
func (r reply) message() string {
	var e struct{ ErrorMessage string }
	if r.err == "" || json.Unmarshal([]byte(r.payload), &e) != nil {
		return r.payload
	}
	return e.ErrorMessage
}

// delays are the median and the longest time from a verdict to its arrival at
// the console.
func delays(list []console.Detection) (median, worst time.Duration) {
	if len(list) == 0 {
		return 0, 0
	}
	all := make([]time.Duration, len(list))
	for i := range list {
		all[i] = list[i].Delay()
	}
	slices.Sort(all)
	return all[len(all)/2].Round(10 * time.Microsecond), all[len(all)-1].Round(10 * time.Microsecond)
}

func percent(part, whole int) float64 {
	if whole == 0 {
		return 0
	}
	return 100 * float64(part) / float64(whole)
}

func yes(b bool, t, f string) string {
	if b {
		return t
	}
	return f
}
