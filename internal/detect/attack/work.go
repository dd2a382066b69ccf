package attack

import "gatehouse/internal/detect"

// stopEvery is how much work passes between two questions to stop, in bytes.
const stopEvery = 64 << 10

// share is what part of the budget may be used up by now: the slack, and for each
// byte read so far the same. So the work that one string makes, however much that
// is, leaves those behind it what is theirs.
type share struct {
	from, left int // work when this reading began, and what was left of the budget
	slack      int
	size       int // of the event, in bytes
	most       int // of work by now
}

// begin sets the share of a reading of size bytes.
func (s *share) begin(work, budget, slack, size int) {
	left := max(0, budget-work)
	*s = share{from: work, left: left, slack: min(slack, left), size: max(1, size)}
	s.to(0)
}

// to sets what may be used up once pos bytes are read.
func (s *share) to(pos int) {
	s.most = s.from + s.slack + int(int64(s.left-s.slack)*int64(pos)/int64(s.size))
}

// spend takes n bytes of work from the budget. It reports false, and ends the work
// on the string at hand, where its share is used up, and on the event where the
// budget or the caller's patience is at its end.
func (in *inspection) spend(n int) bool {
	if in.done {
		return false
	}
	r := in.result
	switch {
	case r.Work+n <= in.share.most:
	case in.share.most < in.budget:
		in.giveUp()
		return false
	default:
		in.end("budget")
		return false
	}
	r.Work += n
	if in.stop != nil && r.Work-in.asked >= stopEvery {
		in.asked = r.Work
		if in.stop() {
			in.end("deadline")
			return false
		}
	}
	return true
}

// left is how much work is left for the string at hand.
func (in *inspection) left() int { return in.share.most - in.result.Work }

// end gives up on the rest of the event, from the string at hand on.
func (in *inspection) end(reason string) {
	in.done, in.over = true, true
	in.result.Exhausted = true
	in.gap(reason, len(in.layers[0].scanner.text)-in.raw.start)
}

// giveUp goes on with the next string of the event.
func (in *inspection) giveUp() {
	in.done, in.result.Exhausted = true, true
	in.gap("budget", in.raw.end-in.raw.start)
}

// gap notes n bytes that were not inspected. There is one gap for each reason.
func (in *inspection) gap(reason string, n int) {
	gaps := in.result.Gaps
	for i := range gaps {
		if gaps[i].Reason == reason {
			gaps[i].Bytes += n
			return
		}
	}
	in.result.Gaps = append(gaps, detect.Gap{Path: in.path(), Reason: reason, Bytes: n})
}
