package main

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"time"
)

const (
	// usualLogs is how often each forwarder runs each load.
	usualLogs = 3
	// logLines is how many lines a function prints in one run, and logBatch and
	// logBytes how many of them, and of which size, Lambda posts at once.
	logLines = 100_000
	logBatch = 1000
	logBytes = 262_144

	wantLogRate = 0.95     // of the plain forwarder's lines in a second, at least
	wantLogCPU  = 1.4      // of its CPU time, at most
	wantLogPeak = 25 << 10 // kB resident
)

// logLoad is one way in which a function prints its lines.
type logLoad struct {
	name        string
	invocations int
	busy        int           // first answers of the HEC that are 503
	delay       time.Duration // of its answers
}

var logLoads = []logLoad{
	{"100 invocations of 1,000", 100, 0, 0},
	{"one burst", 1, 0, 0},
	{"100 of 1,000, 20 answers 503", 100, 20, 0},
	{"100 of 1,000, answers after 50 ms", 100, 0, 50 * time.Millisecond},
}

// logForwarder is one program of the comparison.
type logForwarder struct {
	name, path string
	env        func(api, hec string) ([]string, error)
	runs       map[string][]logRun // by load
}

// logRun is what one run took.
type logRun struct {
	rate float64 // lines in a second
	cpu  float64 // seconds
	peak float64 // kB resident
	lost float64 // lines
}

// logs measures what it costs to send a function's lines to Splunk.
func logs(p programs, n int) (*Report, error) {
	if n == 0 {
		n = usualLogs
	}
	report := &Report{Bench: "logs"}
	ours := &logForwarder{name: "ours", path: p.extension, env: forwardingEnv, runs: map[string][]logRun{}}
	plain := &logForwarder{name: "plain", path: p.forwarder, env: forwarderEnv, runs: map[string][]logRun{}}
	both := []*logForwarder{ours, plain}
	for range n {
		for _, load := range logLoads {
			slices.Reverse(both)
			for _, f := range both {
				run, err := f.run(load)
				if err != nil {
					return nil, fmt.Errorf("%s, %s: %w", f.name, load.name, err)
				}
				f.runs[load.name] = append(f.runs[load.name], run)
			}
		}
	}
	for _, load := range logLoads {
		report.logs(load, ours, plain)
	}
	return report, nil
}

// logs adds the rows and the goals of one load.
func (r *Report) logs(load logLoad, ours, plain *logForwarder) {
	rows := func(what, unit string, of func(logRun) float64) (o, p Row) {
		return r.Add(ours.name, what, load.name, unit, each(ours.runs[load.name], of)), r.Add(plain.name, what, load.name, unit, each(plain.runs[load.name], of))
	}
	rate, yardstick := rows("lines", "1/s", func(l logRun) float64 { return l.rate })
	cpu, yardCPU := rows("cpu", "s", func(l logRun) float64 { return l.cpu })
	peak, _ := rows("resident, peak", "kB", func(l logRun) float64 { return l.peak })
	lost, _ := rows("lost", "lines", func(l logRun) float64 { return l.lost })
	if load.busy == 0 { // the plain one is through sooner, as it drops what was not taken
		r.JudgeLeast("lines in a second over plain's, "+load.name, rate.P50/yardstick.P50, wantLogRate)
		r.Judge("CPU over plain's, "+load.name, cpu.P50/yardCPU.P50, wantLogCPU)
	}
	if load == logLoads[0] {
		r.Judge("kB resident, "+load.name, peak.P50, wantLogPeak)
	}
	r.Judge("lines lost, "+load.name, lost.Max, 0)
}

// forwardingEnv has ours send to hec.
func forwardingEnv(api, hec string) ([]string, error) {
	ports, err := free(3)
	if err != nil {
		return nil, err
	}
	return append(sandboxEnv(api),
		"GATEHOUSE_HEC_URL=http://"+hec, "GATEHOUSE_HEC_TOKEN=00000000-0000-0000-0000-000000000000",
		"GATEHOUSE_EGRESS_ADDR="+ports[0], "GATEHOUSE_RUNTIME_API_ADDR="+ports[1], "GATEHOUSE_TELEMETRY_ADDR="+ports[2],
	), nil
}

func forwarderEnv(api, hec string) ([]string, error) {
	return append(sandboxEnv(api), "FORWARDER_HEC_URL=http://"+hec, "FORWARDER_HEC_TOKEN=00000000-0000-0000-0000-000000000000"), nil
}

// restarts is how often the sandbox is started once more, without lines, for what is
// still on its disk.
const restarts = 3

// run has the forwarder start, forward the lines of load, and end.
func (f *logForwarder) run(load logLoad) (r logRun, err error) {
	hec, err := newCollector(logLines, load.busy, load.delay)
	if err != nil {
		return r, err
	}
	defer hec.close()
	dir, err := os.MkdirTemp("", "gatehouse-bench-")
	if err != nil {
		return r, fmt.Errorf("making a folder: %w", err)
	}
	defer os.RemoveAll(dir) //nolint:errcheck // in the system's folder for such
	took, err := f.start(dir, hec, load.invocations, logLines/load.invocations, &r)
	r.rate = logLines / took.Seconds()
	got := 0
	for n := 0; err == nil; n++ {
		got, err = hec.got()
		if n == restarts || got == logLines {
			break
		}
		_, err = f.start(dir, hec, 1, 0, new(logRun))
	}
	r.lost = float64(logLines - got)
	return r, err
}

// start starts the forwarder, has a function print lines in each of its invocations, and
// ends it. It returns how long they took, and puts into r what the process used.
func (f *logForwarder) start(dir string, hec *collector, invocations, lines int, r *logRun) (time.Duration, error) {
	api, err := NewLambda()
	if err != nil {
		return 0, err
	}
	defer api.Close()
	env, err := f.env(api.addr, hec.addr)
	if err != nil {
		return 0, err
	}
	proc, err := launch(nil, f.path, append(env, "GATEHOUSE_RUN_DIR="+filepath.Join(dir, "run")))
	if err != nil {
		return 0, err
	}
	took, err := printLines(api, invocations, lines)
	said := proc.output()
	r.peak = proc.peak()
	if err == nil {
		api.invoke <- Event{Shutdown: true}
		err = proc.wait(5 * time.Second)
	}
	r.cpu = proc.end().Seconds()
	if err != nil {
		return 0, fmt.Errorf("%w; it printed %q", err, said)
	}
	return took, nil
}

// printLines has a function print its lines. It returns how long it took until the
// extension was ready for more.
func printLines(api *Lambda, invocations, lines int) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if _, err := api.await(ctx, api.Ready, "next"); err != nil {
		return 0, err
	}
	telemetry := ""
	select {
	case telemetry = <-api.Telemetry:
	case <-ctx.Done():
		return 0, fmt.Errorf("it asked for no telemetry")
	}
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	began := time.Now()
	for i := range invocations {
		id := requestID(i + 1)
		api.invoke <- Event{ID: id}
		for _, batch := range telemetryBatches(id, i*lines, lines) {
			if err := postBatch(ctx, client, telemetry, batch); err != nil {
				return 0, err
			}
		}
		if _, err := api.await(ctx, api.Ready, "next"); err != nil {
			return 0, err
		}
	}
	return time.Since(began), nil
}

func postBatch(ctx context.Context, client *http.Client, url string, batch []byte) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(batch))
	if err != nil {
		return fmt.Errorf("posting telemetry: %w", err)
	}
	resp, err := client.Do(r)
	if err != nil {
		return fmt.Errorf("posting telemetry: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("posting telemetry: %s", resp.Status)
	}
	return nil
}

// telemetryBatches are what Lambda posts of an invocation that prints n lines from number
// first on.
func telemetryBatches(id string, first, n int) (batches [][]byte) {
	var batch []byte
	events := 0
	flush := func() {
		if events > 0 {
			batches = append(batches, append(batch, ']'))
			batch, events = nil, 0
		}
	}
	add := func(typ, record string) {
		if events == logBatch || len(batch)+len(record)+100 > logBytes {
			flush()
		}
		separator := byte(',')
		if events == 0 {
			separator = '['
		}
		batch = fmt.Appendf(append(batch, separator), `{"time":%q,"type":%q,"record":%s}`, time.Now().UTC().Format("2006-01-02T15:04:05.000Z"), typ, record)
		events++
	}
	add("platform.start", fmt.Sprintf(`{"requestId":%q,"version":"$LATEST"}`, id))
	for i := first; i < first+n; i++ {
		add("function", fmt.Sprintf(`"%s%0*d INFO order taken, the parcel leaves from Lindenweg %d before Friday, customer c-%d, thank you\n"`, lineMark, lineDigits, i, i%97, i*7%100_003))
	}
	add("platform.runtimeDone", fmt.Sprintf(`{"requestId":%q,"status":"success"}`, id))
	add("platform.report", fmt.Sprintf(`{"requestId":%q,"status":"success","metrics":{"durationMs":12.5,"billedDurationMs":13,"memorySizeMB":128,"maxMemoryUsedMB":64}}`, id))
	flush()
	return batches
}
