package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// usualStarts is how often each program is started at full speed, after one start
// that does not count. At a share of a core it is slowStarts times as often: there
// the wall time moves in steps of the share's period, 20 ms.
const (
	usualStarts = 21
	slowStarts  = 3
)

// wantRatio is how many times the bare extension's time and work ours may take.
const wantRatio = 1.5

// birth is what one start took.
type birth struct {
	register, ready time.Duration // from exec to the request
	cpu             time.Duration // until ready
	peak            float64       // kB resident at ready
}

// starter starts one program of the comparison.
type starter struct {
	name, path string
	env        func(api string) ([]string, error)
	births     []birth
}

// start measures cold starts: from exec to the extension's first request for an
// event, which is when Lambda holds it for initialised.
func start(p programs, n int) (*Report, error) {
	if n == 0 {
		n = usualStarts
	}
	report := &Report{Bench: "start"}
	shares := []*share{nil}
	if s, err := newShare(); err != nil {
		report.Skipped = append(report.Skipped, "starts at 7.2 % of a core: "+err.Error())
	} else {
		defer s.close()
		shares = append(shares, s)
	}
	for _, s := range shares {
		at, n := "full speed", n
		if s != nil {
			at, n = "7.2 % of a core", n*slowStarts
		}
		ours := &starter{name: "ours", path: p.extension, env: extensionEnv}
		bare := &starter{name: "bare", path: p.bare, env: bareEnv}
		if err := inTurns(s, n, ours, bare); err != nil {
			return nil, fmt.Errorf("%s: %w", at, err)
		}
		report.births(at, s != nil, ours, bare)
	}
	return report, report.sizes(p)
}

// inTurns starts each program n times. Each turn goes the other way round, so that
// none has the better place.
func inTurns(s *share, n int, programs ...*starter) error {
	for i := range n + 1 {
		slices.Reverse(programs)
		for _, p := range programs {
			b, err := p.once(s)
			if err != nil {
				return fmt.Errorf("%s: %w", p.name, err)
			}
			if i > 0 { // the first one reads the program from the disk
				p.births = append(p.births, b)
			}
		}
	}
	return nil
}

// once starts the program, waits until it asks for its first event, and ends it.
func (p *starter) once(s *share) (birth, error) {
	api, err := NewLambda()
	if err != nil {
		return birth{}, err
	}
	defer api.Close()
	env, err := p.env(api.addr)
	if err != nil {
		return birth{}, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	proc, err := launch(s, p.path, env)
	if err != nil {
		return birth{}, err
	}
	registered, err := api.await(ctx, api.Registered, "register")
	var ready time.Time
	if err == nil {
		ready, err = api.await(ctx, api.Ready, "next")
	}
	if err != nil {
		said := proc.output()
		proc.end()
		return birth{}, fmt.Errorf("%w; it printed %q", err, said)
	}
	peak := proc.peak()
	return birth{
		register: registered.Sub(proc.Began), ready: ready.Sub(proc.Began), cpu: proc.end(), peak: peak,
	}, nil
}

// extensionEnv sets up what a customer would: Splunk, and no policy of his own.
func extensionEnv(api string) ([]string, error) {
	ports, err := free(4)
	if err != nil {
		return nil, err
	}
	return append(sandboxEnv(api),
		"GATEHOUSE_HEC_URL=http://"+ports[0], "GATEHOUSE_HEC_TOKEN=00000000-0000-0000-0000-000000000000",
		"GATEHOUSE_EGRESS_ADDR="+ports[1], "GATEHOUSE_RUNTIME_API_ADDR="+ports[2], "GATEHOUSE_TELEMETRY_ADDR="+ports[3],
	), nil
}

func bareEnv(api string) ([]string, error) { return sandboxEnv(api), nil }

// births adds the rows and the goals of one speed. CPU time is judged by its median
// and wall time by its minimum, but where it moves in steps by its mean: there two
// minima are equal or a whole step apart.
func (r *Report) births(at string, steps bool, ours, bare *starter) {
	rows := func(what, unit string, of func(birth) float64) (o, b Row) {
		return r.Add(ours.name, what, at, unit, each(ours.births, of)), r.Add(bare.name, what, at, unit, each(bare.births, of))
	}
	rows("register", "ms", func(b birth) float64 { return ms(b.register) })
	o, b := rows("next", "ms", func(b birth) float64 { return ms(b.ready) })
	if steps {
		r.Judge("wall_ratio (mean) at "+at, o.Mean/b.Mean, wantRatio)
	} else {
		r.Judge("wall_ratio (min) at "+at, o.Min/b.Min, wantRatio)
	}
	o, b = rows("cpu", "ms", func(b birth) float64 { return ms(b.cpu) })
	r.Judge("cpu_ratio at "+at, o.P50/b.P50, wantRatio)
	rows("resident", "kB", func(b birth) float64 { return b.peak })
}

// sizes adds the rows of what is on the disk.
func (r *Report) sizes(p programs) error {
	for _, f := range []struct{ name, what, path string }{
		{"ours", "binary", p.extension}, {"bare", "binary", p.bare}, {"ours", "layer zip", p.zip},
	} {
		info, err := os.Stat(filepath.Clean(f.path))
		if err != nil {
			return fmt.Errorf("size of the %s: %w", f.what, err)
		}
		r.Add(f.name, f.what, "-", "kB", []float64{float64(info.Size()) / 1000})
	}
	return nil
}

func each[T any](all []T, of func(T) float64) []float64 {
	figures := make([]float64, 0, len(all))
	for _, one := range all {
		figures = append(figures, of(one))
	}
	return figures
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
