package main

import (
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"
)

// floor is a goal of the engine's over a class of a data set: at most so many rows
// wrong, missed attacks or flagged benign ones.
type floor struct {
	profile, set, class string
	wrong               float64 // rows, or percent of them
	percent             bool
}

// readFloors reads the table that the engine's own tests hold it to.
// See its head for the notation. Of two lines for one class the stricter is the
// goal: the other is what holds until it is reached.
func readFloors(path string) ([]floor, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading the floors: %w", err)
	}
	var all []floor
	for i, line := range strings.Split(string(text), "\n") {
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		f, err := parseFloor(line)
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %w", path, i+1, err)
		}
		if all, err = appendFloor(all, f); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", path, i+1, err)
		}
	}
	return all, nil
}

func parseFloor(line string) (floor, error) {
	words := strings.Fields(line)
	if len(words) != 5 {
		return floor{}, fmt.Errorf("%d words, want state, profile, set, class and how many may be wrong", len(words))
	}
	number, percent := strings.CutSuffix(words[4], "%")
	wrong, err := strconv.ParseFloat(number, 64)
	if err != nil {
		return floor{}, fmt.Errorf("how many may be wrong: %w", err)
	}
	return floor{profile: words[1], set: words[2], class: words[3], wrong: wrong, percent: percent}, nil
}

// appendFloor adds f, or makes the one that is there stricter.
func appendFloor(all []floor, f floor) ([]floor, error) {
	for i := range all {
		if all[i].profile != f.profile || all[i].set != f.set || all[i].class != f.class {
			continue
		}
		if all[i].percent != f.percent {
			return nil, fmt.Errorf("%s/%s in rows and in percent", f.set, f.class)
		}
		all[i].wrong = min(all[i].wrong, f.wrong)
		return all, nil
	}
	return append(all, f), nil
}

// atMost is how many of n rows may be wrong.
func (f *floor) atMost(n int) float64 {
	if f.percent {
		return math.Floor(float64(n)*f.wrong/100 + 1e-9)
	}
	return f.wrong
}
