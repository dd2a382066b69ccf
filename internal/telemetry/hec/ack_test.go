package hec_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"gatehouse/internal/record"
	"gatehouse/internal/telemetry/hec"
)

func TestAckAutoAsksWithTheNextFlush(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := &indexer{after: time.Second}
		s := newSandbox(t, x, hec.AckAuto)
		for i := range 4 {
			s.add(string(rune('a' + i)))
			if took := s.invoke(t); took != 0 {
				t.Errorf("a flush waits for %v", took)
			}
			s.want(t, uint64(i), 1)
			time.Sleep(time.Hour / 20)
		}
		s.Shutdown(t.Context())
		s.want(t, 4, 0)
		if x.events() != "a b c d" || x.asks != 3 || s.said != nil {
			t.Errorf("posted %q, asked %d times, said %q", x.events(), x.asks, s.said)
		}
	})
}

func TestAckOnWaitsWithinTheFlush(t *testing.T) {
	tests := []struct {
		after   time.Duration
		flushes int
	}{{0, 1}, {50 * time.Millisecond, 1}, {600 * time.Millisecond, 1}, {3 * time.Second, 2}, {time.Minute, 3}}
	for _, tt := range tests {
		synctest.Test(t, func(t *testing.T) {
			x := &indexer{after: tt.after}
			s := newSandbox(t, x, hec.AckOn)
			s.add("ab")
			for i := range tt.flushes {
				if took := s.invoke(t); took > time.Second {
					t.Errorf("a flush takes %v", took)
				}
				if n, _ := s.Pending(); (n == 0) != (i == tt.flushes-1) {
					t.Errorf("acknowledged after %v: %d pending after flush %d", tt.after, n, i+1)
				}
				time.Sleep(30 * time.Second)
			}
			s.want(t, 2, 0)
			if x.events() != "ab" || s.said != nil {
				t.Errorf("posted %q, said %q", x.events(), s.said)
			}
		})
	}
}

func TestAcksThatNeverCome(t *testing.T) {
	const never = 1000 * time.Hour
	t.Run("on", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			x := &indexer{after: never}
			s := newSandbox(t, x, hec.AckOn)
			s.add("ab")
			for range 13 {
				s.invoke(t)
				time.Sleep(time.Minute)
			}
			s.want(t, 0, 2)
			if got := x.events(); got != "ab ab ab" { // at 0, 5 and 10 minutes
				t.Errorf("posted %q", got)
			}
		})
	})
	t.Run("auto", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			x := &indexer{after: never}
			s := newSandbox(t, x, hec.AckAuto)
			s.add("ab")
			for range 13 {
				s.invoke(t)
				time.Sleep(time.Minute)
			}
			s.add("c")
			s.invoke(t)
			s.want(t, 3, 0)
			if got := x.events(); got != "ab ab c" || len(s.said) != 1 || !strings.Contains(s.said[0], "acknowledges nothing") {
				t.Errorf("posted %q, said %q", got, s.said)
			}
		})
	})
	t.Run("off", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			x := &indexer{after: never}
			s := newSandbox(t, x, hec.AckOff)
			s.add("ab")
			s.invoke(t)
			s.want(t, 2, 0)
			if x.asks != 0 {
				t.Errorf("asked %d times", x.asks)
			}
		})
	})
}

// TestAcksAfterALongFreeze: Splunk forgets a channel that is idle for ten minutes.
func TestAcksAfterALongFreeze(t *testing.T) {
	for _, ack := range []hec.Ack{hec.AckAuto, hec.AckOn} {
		synctest.Test(t, func(t *testing.T) {
			x := &indexer{after: 2 * time.Second}
			s := newSandbox(t, x, ack)
			s.add("a")
			s.invoke(t)
			time.Sleep(3 * time.Second)
			s.add("b")
			s.invoke(t)
			s.want(t, 1, 1) // a is acknowledged
			x.forget()
			time.Sleep(3 * time.Hour)
			for range 3 {
				s.invoke(t)
				time.Sleep(time.Minute)
			}
			s.want(t, 2, 0)
			if got := x.events(); got != "a b b" {
				t.Errorf("posted %q, want b twice: nobody can say what became of it", got)
			}
		})
	}
}

// TestAnIndexerThatRestarts begins to count anew: that its first request is
// acknowledged says nothing of the one that had the same number before.
func TestAnIndexerThatRestarts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := &indexer{after: 10 * time.Second}
		s := newSandbox(t, x, hec.AckAuto)
		s.add("a")
		s.invoke(t)
		x.forget()
		time.Sleep(time.Second)
		s.add("b")
		s.invoke(t)
		s.want(t, 0, 2)
		for range 3 {
			time.Sleep(time.Minute)
			s.invoke(t)
		}
		s.want(t, 2, 0)
		if got := x.events(); got != "a b a" {
			t.Errorf("posted %q, want a again", got)
		}
	})
}

// TestIndexersThatTakeTurns are behind one address, without sticky sessions.
func TestIndexersThatTakeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		both := []*indexer{{}, {}}
		n := 0
		s := newSandbox(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			n++
			both[n%2].ServeHTTP(w, r)
		}), hec.AckOn)
		made := 0
		for range 30 {
			s.add(string(rune('a' + made%26)))
			made++
			s.invoke(t)
			time.Sleep(time.Minute)
		}
		s.want(t, uint64(made), 0)
		if len(s.said) != 1 || !strings.Contains(s.said[0], "sticky") {
			t.Errorf("said %q", s.said)
		}
		if posts := len(both[0].posts) + len(both[1].posts); posts > made+6 {
			t.Errorf("%d posts for %d records", posts, made)
		}
	})
}

// TestWhatIsAskedForAcks has a HEC that answers the question with something else.
func TestWhatIsAskedForAcks(t *testing.T) {
	tests := []struct {
		name   string
		ack    hec.Ack
		status int
		body   string
		sent   uint64 // after three flushes
		lines  int
	}{
		{"acks are off", hec.AckAuto, 400, body(14, -1), 1, 0},
		{"acks are off", hec.AckOn, 400, body(14, -1), 1, 1},
		{"no cookie", hec.AckAuto, 400, body(28, -1), 1, 1},
		{"an old HEC", hec.AckAuto, 405, "", 1, 1},
		{"a restart", hec.AckAuto, 404, "", 0, 0},
		{"busy", hec.AckOn, 503, body(9, -1), 0, 0},
		{"the ack service is unwell", hec.AckOn, 503, body(19, -1), 0, 0},
		{"a page", hec.AckOn, 200, "<html>", 0, 0},
		{"other words", hec.AckOn, 200, success, 0, 0},
		{"the token was taken back", hec.AckOn, 403, body(1, -1), 0, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				x := &indexer{}
				s := newSandbox(t, x, tt.ack)
				x.answer = func(ack bool) (int, string) {
					if ack {
						return tt.status, tt.body
					}
					return 0, ""
				}
				s.add("a")
				for range 3 {
					s.invoke(t)
					time.Sleep(time.Minute)
				}
				s.want(t, tt.sent, 1-int(tt.sent))
				if len(s.said) != tt.lines {
					t.Errorf("said %q", s.said)
				}
				x.answer = nil // it is well again
				s.invoke(t)
				s.want(t, 1, 0)
				if x.events() != "a" {
					t.Errorf("posted %q", x.events())
				}
			})
		})
	}
}

func TestAHECThatCannotBeAskedCostsLittle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		x := &indexer{}
		x.answer = func(ack bool) (int, string) {
			if ack {
				asked++
				return 503, ""
			}
			return 0, ""
		}
		s := newSandbox(t, x, hec.AckAuto)
		s.add("a")
		for start := time.Now(); time.Since(start) < time.Minute; time.Sleep(10 * time.Millisecond) {
			s.invoke(t)
		}
		if asked > 12 {
			t.Errorf("asked %d times in a minute", asked)
		}
	})
}

func TestATokenWithoutAcks(t *testing.T) {
	for ack, lines := range map[hec.Ack]int{hec.AckOn: 1, hec.AckAuto: 0} {
		s := newServer(t, nil)
		var said []string
		c := client(s.URL)
		c.Ack, c.Say = ack, func(line string) { said = append(said, line) }
		for range 3 {
			batch := items(2)
			if n, err := c.Send(t.Context(), batch); n != 2 || err != nil || batch[0].Receipt != 0 {
				t.Errorf("Send = %d, %v, receipt %d", n, err, batch[0].Receipt)
			}
		}
		if len(said) != lines {
			t.Errorf("mode %v: said %q, want %d lines", ack, said, lines)
		}
	}
}

// TestAPartThatIsAcknowledged: a 400 has an ackId for what stands before the object
// that it names.
func TestAPartThatIsAcknowledged(t *testing.T) {
	for _, reply := range []string{
		`{"text":"Invalid data format","code":6,"invalid-event-number":2,"ackId":0}`,
		`{"text":"Incorrect index","code":7,"invalid-event-number":3,"ackId":0}`,
	} {
		n := 0
		s := newServer(t, func(int, request) (int, string) {
			if n++; n == 1 {
				return 400, reply
			}
			return 200, fmt.Sprintf(`{"text":"Success","code":0,"ackId":%d}`, n-1)
		})
		c := client(s.URL)
		c.Index = "main"
		batch := items(4)
		if done, err := c.Send(t.Context(), batch); done != 4 || err != nil {
			t.Fatalf("Send = %d, %v", done, err)
		}
		if batch[0].Receipt != 1 || batch[1].Receipt != 1 || batch[3].Receipt != 2 || (batch[2].Rejected == "") == (batch[2].Receipt == 0) {
			t.Errorf("%s: receipts %d %d %d %d, third rejected %q", reply, batch[0].Receipt, batch[1].Receipt, batch[2].Receipt, batch[3].Receipt, batch[2].Rejected)
		}
	}
}

// TestWhatWaitsForAcksIsBounded sends 8 MiB of lines to a HEC that acknowledges
// nothing for a while.
func TestWhatWaitsForAcksIsBounded(t *testing.T) {
	fill := func(t *testing.T, ack hec.Ack) *sandbox {
		s := newSandbox(t, &indexer{after: time.Minute}, ack)
		s.MaxBytes = 20 << 20
		for range 100 {
			s.Add(&record.Record{Kind: record.Log, Message: strings.Repeat("m", 80<<10)})
		}
		s.Add(&record.Record{Kind: record.Leak})
		s.invoke(t)
		return s
	}
	t.Run("on", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := fill(t, hec.AckOn)
			s.want(t, 0, 101)
			for range 20 {
				time.Sleep(2 * time.Minute)
				s.Add(&record.Record{Kind: record.Leak}) // goes although much waits
				s.invoke(t)
			}
			if n, _ := s.Pending(); n > 1 {
				t.Errorf("%d still pending", n)
			}
		})
	})
	t.Run("auto", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := fill(t, hec.AckAuto)
			if n, bytes := s.Pending(); n == 0 || bytes > 3<<20 {
				t.Errorf("%d pending, %d bytes: want some that wait, and the rest delivered by its 200", n, bytes)
			}
		})
	})
}

func TestQuestionsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := &indexer{after: time.Minute}
		s := newSandbox(t, x, hec.AckAuto)
		for range 1100 {
			s.add("a")
			if err := s.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		for range 2 {
			time.Sleep(time.Minute)
			s.invoke(t)
		}
		s.want(t, 1100, 0)
		if x.largest != 1000 {
			t.Errorf("asked for %d at once", x.largest)
		}
	})
}

func FuzzAcks(f *testing.F) {
	f.Add([]byte(`{"acks":{"0":true,"1":false}}`))
	f.Add([]byte(`{"acks":{"-1":1,"x":true}}`))
	f.Add([]byte(`<html>`))
	f.Fuzz(func(t *testing.T, text []byte) {
		for id, ok := range hec.ParseAcks(text) {
			if ok && !strings.Contains(string(text), "true") {
				t.Errorf("ParseAcks(%q) has %d", text, id)
			}
		}
	})
}
