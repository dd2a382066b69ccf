package telemetry_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/record"
	"gatehouse/internal/telemetry"
)

// victim names the folder of a process that is to be killed.
const victim = "TELEMETRY_TEST_VICTIM"

// TestMain is the victim, where it is one.
func TestMain(m *testing.M) {
	if dir := os.Getenv(victim); dir != "" {
		suffer(dir)
	}
	os.Exit(m.Run())
}

// fickle takes some, none or all of a batch, and says on standard output what it took
// before it says so to the pipeline.
type fickle struct{}

func (fickle) Send(_ context.Context, batch []telemetry.Item) (n int, err error) {
	switch rand.IntN(3) {
	case 0:
		return 0, errors.New("down")
	case 1:
		n, err = rand.IntN(len(batch)+1), errors.New("broke off")
	default:
		n = len(batch)
	}
	tell("took", batch[:n])
	return n, err
}

// tell writes one line of ids, at once.
func tell(word string, items []telemetry.Item) {
	var b strings.Builder
	b.WriteString(word)
	for i := range items {
		b.WriteString(" " + string(items[i].Kind) + ":" + items[i].ID)
	}
	_, _ = io.WriteString(os.Stdout, b.String()+"\n") // the parent is gone: we will be
}

// suffer adds and flushes until it is killed.
func suffer(dir string) {
	p := &telemetry.Pipeline{Sink: fickle{}, MaxBytes: 64 << 10, Spool: func() *telemetry.Spool {
		return &telemetry.Spool{
			Dir: dir + "/spool", Counters: dir + "/counters", Sandbox: sandboxID, MaxBytes: 1 << 20,
			Secret: func() (string, error) { return "00000000-1111-2222-3333-444444444444", nil },
			Free:   func() (uint64, uint64, error) { return 1 << 40, 1 << 40, nil },
		}
	}}
	some := []record.Kind{record.Log, record.Attack, record.Connection, record.Leak, record.Health}
	for i := 0; ; i++ {
		r := &record.Record{Kind: some[i%len(some)], Message: strings.Repeat("m", rand.IntN(400))}
		p.Add(r)
		tell("made", []telemetry.Item{{ID: r.ID, Kind: r.Kind}})
		if rand.IntN(20) == 0 {
			_ = p.Flush(context.Background())
		}
	}
}

// A process is killed at any moment, again and again: what its sink took, what waits
// and what is counted as lost make up what it made, of each kind. What was taken, and
// not counted yet, is counted as lost as well, and is one batch for each kill at most.
func TestKilledAtAnyMoment(t *testing.T) {
	const kills = 25
	l := live(t, t.TempDir()) // makes the folder
	l.Close()
	made, taken := make(map[string]bool), make(map[string]bool)
	var perhaps uint64
	for range kills {
		torment(t, l.dir, made, taken)
		next := live(t, l.dir)
		ended, _ := next.Before()
		perhaps += ended.Perhaps
		next.balance(t)
		next.Close()
	}
	l = live(t, l.dir)
	if err := l.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	l.balance(t)
	for _, it := range l.sink.items {
		taken[string(it.Kind)+":"+it.ID] = true
	}
	have := make(map[record.Kind]uint64)
	for id := range taken {
		kind, _, _ := strings.Cut(id, ":")
		have[record.Kind(kind)]++
	}
	var twice, all uint64
	for k, c := range l.Counts() {
		if have[k]+c.Lost < c.Made || have[k] > c.Made || c.Spooled != 0 {
			t.Errorf("%s: made %d, %d have arrived, %d are counted as lost, %d on disk", k, c.Made, have[k], c.Lost, c.Spooled)
		}
		twice, all = twice+have[k]+c.Lost-c.Made, all+c.Made
	}
	if told := uint64(len(made)); all < told || all > told+kills {
		t.Errorf("%d were made, and %d counted", told, all)
	}
	if twice > perhaps+l.Tampered() || l.Tampered() != 0 {
		t.Errorf("%d are counted as lost and have arrived, %d perhaps; %d segments tampered with", twice, perhaps, l.Tampered())
	}
	t.Logf("%d made, %d arrived, lost %v, %d of them arrived", all, len(taken), l.Lost(), twice)
}

// torment runs a victim for a moment, kills it, and notes what it told.
func torment(t *testing.T, dir string, made, taken map[string]bool) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), victim+"="+dir)
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 1<<20)
	wait := time.Duration(0)
	for n := 0; lines.Scan(); n++ {
		if n == 0 { // it is at work
			wait = 5*time.Millisecond + rand.N(60*time.Millisecond)
			time.AfterFunc(wait, func() { _ = cmd.Process.Kill() }) // it may be gone
		}
		word, rest, _ := strings.Cut(lines.Text(), " ")
		for _, id := range strings.Fields(rest) {
			switch word {
			case "made":
				made[id] = true
			case "took":
				taken[id] = true
			}
		}
	}
	if err := cmd.Wait(); err == nil || lines.Err() != nil {
		t.Fatalf("after %v: %v, %v", wait, err, lines.Err())
	}
}
