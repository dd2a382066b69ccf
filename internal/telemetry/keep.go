package telemetry

import (
	"context"
	"errors"
	"time"

	"gatehouse/internal/record"
)

// Ended is how an earlier start of the sandbox ended without SHUTDOWN.
type Ended struct {
	// Lost is how many records were in its memory and are lost.
	Lost uint64
	// Perhaps is how many of these were being sent: they may have arrived.
	Perhaps uint64
}

// begin opens the spool, once.
func (p *Pipeline) begin() {
	p.first.Do(func() {
		if p.Spool != nil {
			p.Attach(p.Spool())
		}
	})
}

// Attach goes on with what s holds of an earlier start of the sandbox, and keeps in
// it what Sink does not take. What the counters of that start do not account for is
// lost. It does nothing where s is nil or there is a spool already.
func (p *Pipeline) Attach(s *Spool) {
	if s == nil || p.spooled() != nil {
		return
	}
	s.lose = func(n *perKind) { p.add(func(t *tally) { t.lost.plus(n) }) }
	s.find = func(n *perKind) { p.add(func(t *tally) { t.lost.minus(n) }) }
	before, err := s.open()
	kept := s.kept()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.spoolErr = err; err != nil {
		return
	}
	p.spool = s
	gap := before.made
	gap.minus(&before.sent)
	gap.minus(&before.lost)
	gap.minus(&kept)
	p.ended = Ended{Lost: gap.sum(), Perhaps: min(gap.sum(), before.flying.sum())}
	p.count.made.plus(&before.made)
	p.count.sent.plus(&before.sent)
	p.count.lost.plus(&before.lost)
	p.count.lost.plus(&gap)
	p.mirror()
}

func (p *Pipeline) spooled() *Spool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.spool
}

// mirror has the counters outlive us. It is called with mu held.
func (p *Pipeline) mirror() {
	if p.spool == nil {
		return
	}
	p.spool.page.with(func(mem []byte) {
		putKinds(mem, wordMade, &p.count.made)
		putKinds(mem, wordSent, &p.count.sent)
		putKinds(mem, wordLost, &p.count.lost)
		putKinds(mem, wordFlying, &p.count.flying)
	})
}

// mirrorMade is mirror where one more record of a kind was made, as for each line.
func (p *Pipeline) mirrorMade(k record.Kind) {
	if p.spool == nil {
		return
	}
	i := place(k)
	p.spool.page.with(func(mem []byte) { put(mem, wordMade+i, p.count.made[i]) })
}

// errLate is why something stays where the disk takes longer than there is time.
var errLate = errors.New("telemetry: no time to write more to the spool")

// keep moves what waits from memory to disk, findings first, and ends soon after ctx.
// The error says why something stays.
func (p *Pipeline) keep(ctx context.Context, all bool) error {
	s := p.spooled()
	if s == nil {
		return nil
	}
	if err := p.keepClasses(ctx, s, attacks, classes); err != nil || !all {
		return err
	}
	return p.keepClasses(ctx, s, lines, attacks)
}

func (p *Pipeline) keepClasses(ctx context.Context, s *Spool, low, high class) error {
	for {
		if end, ok := ctx.Deadline(); ok && time.Until(end) < -grace/2 {
			return errLate
		}
		p.mu.Lock()
		items := p.takeFrom(nil, p.queues[low:high], p.order, frameBytes)
		p.flights += len(items)
		p.mu.Unlock()
		if len(items) == 0 {
			return nil
		}
		err := s.append(items, low >= attacks)
		p.mu.Lock()
		switch {
		case err == nil:
			p.land(items)
		case p.closed: // Shutdown did not wait for us
			p.land(items)
			defer p.giveUp(items)
		default:
			p.flights -= len(items)
			p.putBack(items)
		}
		p.mu.Unlock()
		if err != nil {
			return err
		}
	}
}

// Spooled returns how many records of each kind wait on disk; nil: none.
func (p *Pipeline) Spooled() map[string]uint64 {
	s := p.spooled()
	if s == nil {
		return nil
	}
	kept := s.kept()
	return kept.byName()
}

// Tampered counts the segments of the spool that somebody has changed or taken
// away.
func (p *Pipeline) Tampered() uint64 {
	s := p.spooled()
	if s == nil {
		return 0
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.tampered
}

// Before says how the last start of the sandbox ended, and the error why there is
// no spool although one was asked for.
func (p *Pipeline) Before() (Ended, error) {
	p.begin()
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.ended, p.spoolErr
}

// Close lets go of the spool, without a flush: what is on disk is the next start's.
// It is for processes that go on without the pipeline.
func (p *Pipeline) Close() {
	if s := p.spooled(); s != nil {
		s.close()
	}
}
