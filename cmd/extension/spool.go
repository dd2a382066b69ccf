package main

import (
	"fmt"
	"time"

	"go.uber.org/zap"

	"gatehouse/internal/record"
	"gatehouse/internal/telemetry"
)

// spool is where records are kept that cannot be sent: in the run folder, for this
// start of the sandbox and the next. What is to become a snapshot keeps nothing: each
// sandbox that comes out of it would send it.
func (x *extension) spool() *telemetry.Spool {
	if x.cfg.SnapStart && !x.awake.Load() {
		return nil
	}
	dir := x.folder.path("spool")
	if err := takeBack(dir); err != nil {
		x.degradeBy("spool", fmt.Errorf("records are kept in memory alone: %w", err))
		return nil
	}
	id, _ := x.identity()
	return &telemetry.Spool{Dir: dir, Counters: x.folder.path("counters"), Sandbox: id, Secret: x.token.known}
}

// before notes in the health record what the last start of this sandbox left.
func (x *extension) before() {
	ended, err := x.pipeline.Before()
	if err != nil {
		x.degradeBy("spool", fmt.Errorf("records are kept in memory alone: %w", err))
	}
	if ended.Lost > 0 {
		x.degradeBy("ended", fmt.Errorf("the last start of this sandbox ended without SHUTDOWN: %d records in its memory are lost; %d of them were being sent and may have arrived", ended.Lost, ended.Perhaps))
	}
}

// losses is what was said of records that do not arrive.
type losses struct{ lost, tampered uint64 }

func (x *extension) losses() (l losses) {
	for _, n := range x.pipeline.Lost() {
		l.lost += n
	}
	l.tampered = x.pipeline.Tampered()
	return l
}

// healthRecord is a health record of now, with what was lost and is waiting.
func (x *extension) healthRecord() *record.Record {
	x.told = x.losses()
	return &record.Record{
		Kind: record.Health, Time: time.Now().UTC(), Rung: x.rung(),
		Lost: x.pipeline.Lost(), Spooled: x.pipeline.Spooled(), Tampered: x.told.tampered, LeftOut: x.lines.leftOut.Load(),
	}
}

// tellLosses says what was lost since it was last said. It is called when the sink
// takes records: before, what it says could be lost in turn.
func (x *extension) tellLosses() bool {
	if !x.healthSaid || x.losses() == x.told {
		return false
	}
	x.pipeline.Add(x.healthRecord())
	return true
}

// sayLeft says in the function's log what Splunk did not get of this sandbox: the
// last that anybody may hear of it.
func (x *extension) sayLeft() {
	if spooled := x.pipeline.Spooled(); spooled != nil || x.losses() != x.told {
		x.log.Warn("records did not reach splunk", zap.Any("spooled", spooled), zap.Any("lost", x.pipeline.Lost()))
	}
}
