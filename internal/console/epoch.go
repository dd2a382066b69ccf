package console

import (
	"encoding/json"
	"errors"
	"math/big"
	"strings"
)

// maxEpochText bounds the text of a time: ten digits, a point, and more decimals
// than anybody has.
const maxEpochText = 40

var errEpoch = errors.New("time is not a number of seconds since 1970")

// parseEpoch reads seconds since 1970 as HEC takes them, a number or its text,
// and returns nanoseconds, rounded down. It never goes through a float64, which
// is wrong by some 200 ns at today's dates.
func parseEpoch(text string) (int64, error) {
	text = strings.TrimSpace(text)
	if text == "" || len(text) > maxEpochText || text[0] < '0' || text[0] > '9' || !json.Valid([]byte(text)) {
		return 0, errEpoch
	}
	if i := strings.IndexAny(text, "eE"); i >= 0 && len(text)-i > 4 {
		return 0, errEpoch // 1e99999 would cost megabytes
	}
	seconds, ok := new(big.Rat).SetString(text)
	if !ok {
		return 0, errEpoch
	}
	nanos := seconds.Mul(seconds, big.NewRat(1e9, 1))
	whole := new(big.Int).Quo(nanos.Num(), nanos.Denom())
	if !whole.IsInt64() {
		return 0, errEpoch
	}
	return whole.Int64(), nil
}
