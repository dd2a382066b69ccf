package telemetry_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"gatehouse/internal/record"
	"gatehouse/internal/telemetry"
)

var errDown = errors.New("down")

func down([]telemetry.Item) (int, error) { return 0, errDown }

// life is one start of a sandbox whose folder outlives it.
type life struct {
	*telemetry.Pipeline
	sink, last *box
	spool      *telemetry.Spool
	dir        string
}

const sandboxID = "0123456789abcdef"

// live starts a sandbox in dir.
func live(t *testing.T, dir string, change ...func(*telemetry.Spool)) *life {
	t.Helper()
	folder := filepath.Join(dir, "spool")
	if err := os.MkdirAll(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	l := &life{sink: new(box), last: new(box), dir: dir}
	l.spool = &telemetry.Spool{
		Dir: folder, Counters: filepath.Join(dir, "counters"), Sandbox: sandboxID,
		Secret: func() (string, error) { return "00000000-1111-2222-3333-444444444444", nil },
		Free:   func() (uint64, uint64, error) { return 1 << 40, 1 << 40, nil },
	}
	for _, f := range change {
		f(l.spool)
	}
	l.Pipeline = &telemetry.Pipeline{Sink: l.sink, Last: l.last, Spool: func() *telemetry.Spool { return l.spool }}
	t.Cleanup(l.Close)
	if _, err := l.Before(); err != nil {
		t.Fatal(err)
	}
	return l
}

// next kills l and starts its sandbox again.
func (l *life) next(t *testing.T, change ...func(*telemetry.Spool)) *life {
	t.Helper()
	l.Close()
	return live(t, l.dir, change...)
}

// add adds n records of each of kinds, with a message of size bytes.
func (l *life) add(n, size int, kinds ...record.Kind) {
	for i := range n {
		for _, k := range kinds {
			r := &record.Record{Kind: k, Message: fmt.Sprint(i, noise(size))}
			if k == record.Attack {
				r.Matched, r.Message = r.Message, ""
			}
			l.Add(r)
		}
	}
}

// noise is size characters that cannot be compressed by more than a quarter.
func noise(size int) string {
	b := make([]byte, size)
	for i := range b {
		b[i] = 'A' + byte(rand.IntN(58)) // others each time, and printable
	}
	return strings.ReplaceAll(string(b), `\`, "-")
}

// segments are the spool's files.
func (l *life) segments(t *testing.T) (paths []string) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(l.dir, "spool", "*"))
	if err != nil {
		t.Fatal(err)
	}
	return paths
}

// balance fails where a record is neither sent, nor kept, nor counted.
func (l *life) balance(t *testing.T) {
	t.Helper()
	n, _ := l.Pending()
	if l.Made() != l.Sent()+sum(l.Lost())+sum(l.Spooled())+uint64(n) {
		t.Errorf("made %d, sent %d, lost %v, on disk %v, in memory %d", l.Made(), l.Sent(), l.Lost(), l.Spooled(), n)
	}
}

func TestWhatASinkDoesNotTakeOutlivesAKill(t *testing.T) {
	l := live(t, t.TempDir())
	l.sink.take = down
	l.add(3, 10, record.Log, record.Attack, record.Health, record.Connection)
	if err := l.Flush(t.Context()); !errors.Is(err, errDown) {
		t.Fatalf("Flush = %v, want the sink's error", err)
	}
	if n, bytes := l.Pending(); n != 0 || bytes != 0 || sum(l.Spooled()) != 12 {
		t.Fatalf("%d records, %d bytes in memory, %v on disk", n, bytes, l.Spooled())
	}
	l.add(2, 10, record.Log, record.Leak) // in memory when the kill comes

	l = l.next(t)
	l.balance(t)
	want := map[string]uint64{"log": 2, "leak": 2}
	ended, _ := l.Before()
	if !maps.Equal(l.Lost(), want) || ended.Lost != 4 || ended.Perhaps != 0 {
		t.Errorf("lost %v, ended %+v, want %v", l.Lost(), ended, want)
	}
	l.add(1, 10, record.Log)
	if err := l.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	l.balance(t)
	var seqs []uint64
	for _, it := range l.sink.items {
		seqs = append(seqs, decode(t, it).Seq)
	}
	if wantSeqs := []uint64{2, 3, 6, 7, 10, 11, 17, 1, 4, 5, 8, 9, 12}; !slices.Equal(seqs, wantSeqs) {
		t.Errorf("seq %v, want %v: findings and health first, then what is new, then the rest", seqs, wantSeqs)
	}
	if files := l.segments(t); len(files) != 0 || l.Spooled() != nil {
		t.Errorf("left behind: %v, %v", files, l.Spooled())
	}
	first := l.sink.items[0]
	if first.ID != decode(t, first).ID || first.Kind != record.Attack || time.Since(first.Time) > time.Minute {
		t.Errorf("item %+v does not say what its record says", first)
	}
	if l = l.next(t); sum(l.Lost()) != 4 {
		t.Errorf("lost %v after another start, want the 4 that were", l.Lost())
	}
}

// A kill while records are on their way: they may have arrived.
func TestAKillInMidSend(t *testing.T) {
	l := live(t, t.TempDir())
	l.add(3, 10, record.Log)
	hold := make(chan struct{})
	sending := make(chan struct{})
	l.sink.take = func(b []telemetry.Item) (int, error) { close(sending); <-hold; return len(b), nil }
	ended := make(chan struct{})
	go func() { defer close(ended); _ = l.Flush(context.Background()) }()
	<-sending
	l.Close()
	next := live(t, l.dir)
	got, _ := next.Before()
	if want := (telemetry.Ended{Lost: 3, Perhaps: 3}); got != want {
		t.Errorf("Before = %+v, want %+v", got, want)
	}
	close(hold)
	<-ended
}

// What was sent of a segment is not sent again, whoever goes on with it.
func TestASegmentInPartsIsSentOnce(t *testing.T) {
	l := live(t, t.TempDir())
	l.sink.take = down
	l.add(10, 10, record.Log)
	_ = l.Flush(t.Context())
	var got []telemetry.Item
	for range 5 {
		n := 0
		l.sink.take = func([]telemetry.Item) (int, error) { n++; return 2 - n/2*2, errDown }
		_ = l.Flush(t.Context())
		got = append(got, l.sink.items...)
		l.balance(t)
		l = l.next(t)
	}
	ids := make(map[string]bool)
	for _, it := range got {
		ids[it.ID] = true
	}
	if len(got) != 10 || len(ids) != 10 || l.Sent() != 10 || l.Lost() != nil || len(l.segments(t)) != 0 {
		t.Errorf("%d items arrived, %d ids; sent %d, lost %v, files %v", len(got), len(ids), l.Sent(), l.Lost(), l.segments(t))
	}
}

func TestTheSpoolShowsNothing(t *testing.T) {
	l := live(t, t.TempDir())
	l.sink.take = down
	l.Add(&record.Record{Kind: record.Leak, Object: "DB_PASSWORD", FunctionName: "orders"})
	l.Add(line("a line with personal data"))
	_ = l.Flush(t.Context())
	for _, path := range append(l.segments(t), filepath.Join(l.dir, "counters")) {
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v, want 0600", path, info.Mode(), err)
		}
		text, err := os.ReadFile(path)
		for _, word := range []string{"DB_PASSWORD", "personal", "orders", "00000000-1111", "leak"} {
			if err != nil || bytes.Contains(text, []byte(word)) {
				t.Errorf("%s shows %q (%v)", path, word, err)
			}
		}
	}
	if len(l.segments(t)) != 2 {
		t.Errorf("segments %v, want one of findings and one of lines", l.segments(t))
	}
}

// The function runs as the same user. Whatever it does to the files is counted, and
// nothing that it wrote is sent.
func TestTampering(t *testing.T) {
	write := func(t *testing.T, path string, f func([]byte) []byte) {
		text, err := os.ReadFile(path)
		if err == nil {
			err = os.WriteFile(path, f(text), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	must := func(t *testing.T, errs ...error) {
		if err := errors.Join(errs...); err != nil {
			t.Fatal(err)
		}
	}
	tests := []struct {
		name     string
		do       func(t *testing.T, l *life, files []string)
		tampered uint64
		arrive   int // of 4 lines in two segments, the oldest of one
	}{
		{"nothing", func(*testing.T, *life, []string) {}, 0, 4},
		{"a byte of the first frame", func(t *testing.T, _ *life, f []string) {
			write(t, f[0], func(b []byte) []byte { b[20]++; return b })
		}, 1, 3},
		{"its length", func(t *testing.T, _ *life, f []string) {
			write(t, f[0], func(b []byte) []byte { b[3] = 0x7f; return b })
		}, 1, 3},
		{"a later frame", func(t *testing.T, _ *life, f []string) {
			write(t, f[1], func(b []byte) []byte { b[len(b)-1]++; return b })
		}, 1, 3},
		{"frames in another order", func(t *testing.T, _ *life, f []string) {
			write(t, f[1], func(b []byte) []byte {
				n := 4 + int(binary.LittleEndian.Uint32(b)) // the first frame
				return slices.Concat(b[n:], b[:n])
			})
		}, 1, 1},
		{"two segments changed places", func(t *testing.T, l *life, f []string) {
			must(t, os.Rename(f[0], f[0]+"x"), os.Rename(f[1], f[0]), os.Rename(f[0]+"x", f[1]))
		}, 2, 0},
		{"removed", func(t *testing.T, _ *life, f []string) { must(t, os.Remove(f[0])) }, 1, 3},
		{"emptied", func(t *testing.T, _ *life, f []string) { must(t, os.Truncate(f[0], 0)) }, 0, 3},
		{"huge", func(t *testing.T, _ *life, f []string) { must(t, os.Truncate(f[0], 1<<30)) }, 1, 3},
		{"a folder instead", func(t *testing.T, _ *life, f []string) {
			must(t, os.Remove(f[0]), os.MkdirAll(filepath.Join(f[0], "deep"), 0o700))
		}, 1, 3},
		{"a link instead", func(t *testing.T, _ *life, f []string) {
			must(t, os.Rename(f[0], f[0]+"x"), os.Symlink(f[0]+"x", f[0]))
		}, 2, 3}, // what the link leads to is a stranger's file, too
		{"a pipe instead", func(t *testing.T, _ *life, f []string) {
			must(t, os.Remove(f[0]), syscall.Mkfifo(f[0], 0o600))
		}, 1, 3},
		{"a stranger's file", func(t *testing.T, _ *life, f []string) {
			must(t, os.WriteFile(f[0]+"0", []byte("hello"), 0o600))
		}, 1, 4},
		{"all of it removed", func(t *testing.T, l *life, _ []string) { must(t, os.RemoveAll(filepath.Join(l.dir, "spool"))) }, 2, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l := live(t, t.TempDir())
			l.sink.take = down
			l.add(1, 5, record.Log)
			_ = l.Flush(t.Context())
			l = l.next(t) // which begins a segment of its own
			l.sink.take = down
			for range 3 {
				l.add(1, 5, record.Log)
				_ = l.Flush(t.Context())
			}
			made := l.Made()
			l.Close()
			tt.do(t, l, l.segments(t))
			l = live(t, l.dir)
			if err := l.Flush(t.Context()); err != nil {
				t.Error(err)
			}
			l.balance(t)
			if l.Tampered() != tt.tampered || len(l.sink.items) != tt.arrive || l.Made() != made {
				t.Errorf("tampered %d, %d arrived, made %d (was %d), want %d, %d", l.Tampered(), len(l.sink.items), l.Made(), made, tt.tampered, tt.arrive)
			}
			if n := sum(l.Spooled()); n != 0 || len(l.segments(t)) != 0 {
				t.Errorf("left behind: %d records, %v", n, l.segments(t))
			}
		})
	}
}

// A kill tears the last frame off anywhere: what stands before is sent, what is
// missing is counted, and nobody is accused.
func TestTornTails(t *testing.T) {
	l := live(t, t.TempDir())
	l.sink.take = down
	for range 3 {
		l.add(1, 1, record.Log)
		_ = l.Flush(t.Context())
	}
	l.Close()
	whole, err := os.ReadFile(l.segments(t)[0])
	if err != nil {
		t.Fatal(err)
	}
	counters, err := os.ReadFile(filepath.Join(l.dir, "counters"))
	if err != nil {
		t.Fatal(err)
	}
	var ends []int // of the frames
	for end := 0; end < len(whole); ends = append(ends, end) {
		end += 4 + int(binary.LittleEndian.Uint32(whole[end:]))
	}
	for n := range len(whole) {
		dir := t.TempDir()
		if err := errors.Join(
			os.Mkdir(filepath.Join(dir, "spool"), 0o700),
			os.WriteFile(filepath.Join(dir, "spool", filepath.Base(l.segments(t)[0])), whole[:n], 0o600),
			os.WriteFile(filepath.Join(dir, "counters"), counters, 0o600),
		); err != nil {
			t.Fatal(err)
		}
		l := live(t, dir)
		if err := l.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		want, exact := slices.BinarySearch(ends, n)
		if exact {
			want++
		}
		if len(l.sink.items) != want || l.Lost()["log"] != uint64(3-want) || l.Tampered() != 0 {
			t.Errorf("%d of %d bytes: %d arrived, lost %v, tampered %d", n, len(whole), len(l.sink.items), l.Lost(), l.Tampered())
		}
		l.Close()
	}
}

func TestAnotherTokenOrSandboxReadsNothing(t *testing.T) {
	for name, change := range map[string]func(*telemetry.Spool){
		"token":   func(s *telemetry.Spool) { s.Secret = func() (string, error) { return "another", nil } },
		"sandbox": func(s *telemetry.Spool) { s.Sandbox = "fedcba9876543210" },
	} {
		t.Run(name, func(t *testing.T) {
			l := live(t, t.TempDir())
			l.sink.take = down
			l.add(1, 5, record.Leak)
			_ = l.Flush(t.Context())
			l = l.next(t, change)
			if err := l.Flush(t.Context()); err != nil || len(l.sink.items) != 0 || l.Tampered() != 1 {
				t.Errorf("Flush = %v, %d arrived, tampered %d", err, len(l.sink.items), l.Tampered())
			}
			l.balance(t)
		})
	}
}

// The spool is bounded by its size and by what must stay free; lines go before
// findings, and all is counted.
func TestTheSpoolIsBounded(t *testing.T) {
	const limit = 3 << 20
	used := func(l *life) (n int64) {
		for _, path := range l.segments(t) {
			if info, err := os.Stat(path); err == nil {
				n += info.Size()
			}
		}
		return n
	}
	l := live(t, t.TempDir(), func(s *telemetry.Spool) { s.MaxBytes = limit })
	l.sink.take = down
	l.MaxBytes = 1 << 20
	var most int64
	for range 20 {
		l.add(50, 10_000, record.Log)
		_ = l.Flush(t.Context())
		l.balance(t)
		most = max(most, used(l))
	}
	if most > limit || most < limit-(1<<20) {
		t.Errorf("%d bytes on disk at most, want about %d", most, limit)
	}
	if lost := l.Lost(); len(lost) != 1 || lost["log"] == 0 {
		t.Errorf("lost %v, want lines", lost)
	}
	for range 4 {
		l.add(50, 10_000, record.Attack)
		_ = l.Flush(t.Context())
		l.balance(t)
	}
	if lost := l.Lost(); lost["attack"] != 0 || used(l) > limit {
		t.Errorf("lost %v, %d bytes on disk", lost, used(l))
	}

	l.Shutdown(t.Context())
	l.balance(t)
	l = l.next(t)
	if err := l.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	l.balance(t)
	if attacks := slices.DeleteFunc(l.sink.kinds(), func(k record.Kind) bool { return k != record.Attack }); len(attacks) != 200 {
		t.Errorf("%d attacks arrived, want 200", len(attacks))
	}
}

func TestATenthOfTheDiskStaysFree(t *testing.T) {
	tests := []struct {
		name       string
		free, size uint64
		err        error
		kept       bool
	}{
		{"room", 200 << 20, 512 << 20, nil, true},
		{"just room", 52 << 20, 512 << 20, nil, true},
		{"a tenth and nothing more", 512 << 20 / 10, 512 << 20, nil, false},
		{"full", 0, 512 << 20, nil, false},
		{"nobody knows", 1 << 40, 1 << 40, errors.New("no"), false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l := live(t, t.TempDir(), func(s *telemetry.Spool) {
				s.Free = func() (uint64, uint64, error) { return tt.free, tt.size, tt.err }
			})
			l.sink.take = down
			l.add(5, 10, record.Log, record.Leak)
			err := l.Flush(t.Context())
			if n, _ := l.Pending(); !errors.Is(err, errDown) || (n == 0) != tt.kept || (sum(l.Spooled()) == 10) != tt.kept {
				t.Errorf("Flush = %v, %d in memory, on disk %v, want kept %v", err, n, l.Spooled(), tt.kept)
			}
			l.Shutdown(t.Context())
			l.balance(t)
			if len(l.last.items) != 5 {
				t.Errorf("%d findings printed, want 5", len(l.last.items))
			}
		})
	}
}

// On a disk that others have filled, lines are not given up for a finding that does not
// fit even then.
func TestNothingIsGivenUpInVain(t *testing.T) {
	free := uint64(1 << 40)
	l := live(t, t.TempDir(), func(s *telemetry.Spool) {
		s.Free = func() (uint64, uint64, error) { return free, 512 << 20, nil }
	})
	l.sink.take = down
	l.add(5, 10, record.Log)
	_ = l.Flush(t.Context())
	free = 0
	l.add(1, 10, record.Leak)
	_ = l.Flush(t.Context())
	l.balance(t)
	if n, _ := l.Pending(); l.Lost() != nil || n != 1 || l.Spooled()["log"] != 5 {
		t.Errorf("lost %v, %d in memory, on disk %v", l.Lost(), n, l.Spooled())
	}
}

// A slow disk does not take more time than there is: what it does not get stays in
// memory, and at SHUTDOWN is counted.
func TestASlowDiskIsNotWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := live(t, t.TempDir(), func(s *telemetry.Spool) {
			s.Free = func() (uint64, uint64, error) { time.Sleep(10 * time.Millisecond); return 1 << 40, 1 << 40, nil }
		})
		l.sink.take = down
		fillUp := func() {
			for range 50 {
				l.add(10, 10_000, record.Log)
			}
			l.add(1, 10, record.Leak)
		}
		fillUp()
		took := func(f func(context.Context)) time.Duration {
			began := time.Now()
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			defer cancel()
			f(ctx)
			return time.Since(began)
		}
		d := took(func(ctx context.Context) { _ = l.Flush(ctx) })
		if n, _ := l.Pending(); d > 200*time.Millisecond || n == 0 || l.Spooled()["leak"] != 1 {
			t.Errorf("a flush took %v, %d in memory, on disk %v", d, n, l.Spooled())
		}
		fillUp()
		if d := took(l.Shutdown); d > 300*time.Millisecond || l.Lost()["log"] == 0 || l.Lost()["leak"] != 0 || len(l.last.items) != 2 {
			t.Errorf("Shutdown took %v, lost %v, printed %d", d, l.Lost(), len(l.last.items))
		}
		l.balance(t)
	})
}

// A sink that rests is not bothered, and nothing is read from the disk for it.
func TestASinkThatRests(t *testing.T) {
	l := live(t, t.TempDir())
	l.sink.take = down
	l.add(1, 10, record.Leak, record.Log)
	_ = l.Flush(t.Context())
	tired := &resting{box: box{take: func([]telemetry.Item) (int, error) { panic("it was sent something") }}, err: errDown}
	l.Sink = tired
	l.add(1, 10, record.Log)
	if err := l.Flush(t.Context()); !errors.Is(err, errDown) || sum(l.Spooled()) != 3 {
		t.Errorf("Flush = %v, on disk %v", err, l.Spooled())
	}
	tired.take, tired.err = nil, nil
	if err := l.Flush(t.Context()); err != nil || len(tired.items) != 3 {
		t.Errorf("Flush = %v, %d arrived", err, len(tired.items))
	}
	tired.err = errDown
	if err := l.Flush(t.Context()); err != nil {
		t.Errorf("Flush = %v, with nothing to send", err)
	}
}

// resting is a Sink in its pause.
type resting struct {
	box
	err error
}

func (r *resting) Resting() error { return r.err }

// However many starts a sandbox has, its table of segments has room for a finding.
func TestManyStarts(t *testing.T) {
	l := live(t, t.TempDir())
	for range 100 {
		l.sink.take = down
		l.add(1, 10, record.Log)
		_ = l.Flush(t.Context())
		l.balance(t)
		l = l.next(t)
	}
	l.sink.take = down
	for range 3 {
		l.add(1, 10, record.Leak)
		_ = l.Flush(t.Context())
	}
	l.balance(t)
	if l.Spooled()["leak"] != 3 || l.Lost()["leak"] != 0 || l.Lost()["log"] == 0 {
		t.Errorf("on disk %v, lost %v", l.Spooled(), l.Lost())
	}
}

// At SHUTDOWN what HEC did not take is kept, and its findings are printed as well,
// once: nobody knows whether this sandbox will start again.
func TestShutdownKeepsAndPrints(t *testing.T) {
	l := live(t, t.TempDir())
	l.sink.take = down
	l.add(1, 10, record.Log, record.Leak)
	_ = l.Flush(t.Context())
	l.add(1, 10, record.Attack, record.Health)
	l.Shutdown(t.Context())
	l.balance(t)
	if got := l.last.kinds(); !slices.Equal(got, []record.Kind{record.Leak, record.Attack}) || l.Sent() != 0 || sum(l.Spooled()) != 4 {
		t.Errorf("printed %v, sent %d, on disk %v", got, l.Sent(), l.Spooled())
	}
	l.Add(&record.Record{Kind: record.Runtime}) // after SHUTDOWN
	l.balance(t)
	if len(l.last.items) != 3 {
		t.Errorf("a finding after SHUTDOWN was not printed: %v", l.last.kinds())
	}

	l = l.next(t)
	l.sink.take = down
	l.add(1, 10, record.Leak)
	l.Shutdown(t.Context())
	if ended, _ := l.Before(); len(l.last.items) != 1 || ended.Lost != 0 {
		t.Errorf("printed %v in the second life, want its own finding", l.last.kinds())
	}
	l = l.next(t)
	l.Shutdown(t.Context())
	l.balance(t)
	if len(l.sink.items) != 6 || l.Sent() != 6 || l.Lost() != nil || len(l.last.items) != 0 {
		t.Errorf("%d arrived, sent %d, lost %v, printed %d", len(l.sink.items), l.Sent(), l.Lost(), len(l.last.items))
	}
}

// The counters' file may be cut off while it is mapped, or hold anything.
func TestCountersThatSomebodySpoils(t *testing.T) {
	junk := bytes.Repeat([]byte{0xa5}, 4096)
	zeros := make([]byte, 4096)
	for name, text := range map[string][]byte{"cut off": nil, "junk": junk, "zeros": zeros, "short": junk[:100]} {
		t.Run(name, func(t *testing.T) {
			l := live(t, t.TempDir())
			l.sink.take = down
			l.add(2, 10, record.Log)
			_ = l.Flush(t.Context())
			if err := os.WriteFile(filepath.Join(l.dir, "counters"), text, 0o600); err != nil {
				t.Fatal(err)
			}
			l.add(2, 10, record.Log)
			_ = l.Flush(t.Context())
			l.sink.take = nil
			if err := l.Flush(t.Context()); err != nil || len(l.sink.items) != 4 {
				t.Errorf("Flush = %v, %d arrived", err, len(l.sink.items))
			}
			l.balance(t)
			l = l.next(t)
			l.add(1, 10, record.Log)
			if err := l.Flush(t.Context()); err != nil || len(l.sink.items) != 1 {
				t.Errorf("Flush = %v, %d arrived in the next life", err, len(l.sink.items))
			}
			l.balance(t)
		})
	}
}

// Without a folder, or with one that another process has, records are in memory.
func TestNoSpool(t *testing.T) {
	first := live(t, t.TempDir())
	second := &telemetry.Pipeline{Spool: func() *telemetry.Spool {
		return &telemetry.Spool{Dir: first.spool.Dir, Counters: first.spool.Counters, Sandbox: sandboxID}
	}}
	if _, err := second.Before(); err == nil {
		t.Error("two processes have one spool")
	}
	nowhere := &telemetry.Pipeline{Sink: new(box), Spool: func() *telemetry.Spool {
		return &telemetry.Spool{Dir: "/nowhere/spool", Counters: "/nowhere/counters", Sandbox: sandboxID}
	}}
	nowhere.Add(line("x"))
	if _, err := nowhere.Before(); err == nil || nowhere.Flush(t.Context()) != nil || nowhere.Sent() != 1 {
		t.Errorf("Before = %v, sent %d", err, nowhere.Sent())
	}
}

func TestFlushUrgentLeavesTheRest(t *testing.T) {
	l := live(t, t.TempDir())
	l.add(2, 10, record.Log, record.Leak, record.Invocation)
	l.sink.take = down
	if err := l.FlushUrgent(t.Context()); !errors.Is(err, errDown) {
		t.Fatalf("FlushUrgent = %v", err)
	}
	if n, _ := l.Pending(); n != 4 || l.Spooled()["leak"] != 2 || len(l.Spooled()) != 1 {
		t.Errorf("%d in memory, on disk %v: only findings were to go", n, l.Spooled())
	}
	l.sink.take = nil
	if err := l.FlushUrgent(t.Context()); err != nil || !slices.Equal(l.sink.kinds(), []record.Kind{record.Leak, record.Leak}) {
		t.Errorf("FlushUrgent = %v, %v arrived", err, l.sink.kinds())
	}
}

// FuzzDecodeItems: whatever a frame holds, it is items or an error, and what is
// decoded is encoded to the same.
func FuzzDecodeItems(f *testing.F) {
	items := []telemetry.Item{{ID: "01J", Kind: record.Leak, Time: time.Unix(1, 2), Host: "orders", Region: "eu-west-1", JSON: []byte(`{}`)}, {}}
	f.Add(telemetry.AppendItems(nil, items))
	f.Add([]byte{9})
	f.Add([]byte{0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1})
	f.Fuzz(func(t *testing.T, src []byte) {
		got, err := telemetry.DecodeItems(src)
		if err != nil {
			return
		}
		again, err := telemetry.DecodeItems(telemetry.AppendItems(nil, got))
		if err != nil || fmt.Sprint(again) != fmt.Sprint(got) {
			t.Errorf("%v became %v (%v)", got, again, err)
		}
	})
}

// FuzzCounters: whatever the counters' file holds, the sandbox starts and its own
// records are accounted for.
func FuzzCounters(f *testing.F) {
	f.Add([]byte{}, uint16(0))
	f.Add([]byte{1, 0, 0, 0, 0, 0, 0, 0}, uint16(1024))
	f.Add(bytes.Repeat([]byte{255}, 64), uint16(128))
	f.Fuzz(func(t *testing.T, patch []byte, at uint16) {
		l := live(t, t.TempDir())
		l.sink.take = down
		l.add(1, 1, record.Log, record.Leak)
		_ = l.Flush(t.Context())
		l.Close()
		path := filepath.Join(l.dir, "counters")
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		copy(text[int(at)%len(text):], patch)
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		l = live(t, l.dir)
		l.add(1, 1, record.Attack)
		if err := l.Flush(t.Context()); err != nil {
			t.Error(err)
		}
		l.balance(t)
		if n := len(l.segments(t)); n != 0 {
			t.Errorf("%d segments are left behind", n)
		}
	})
}
