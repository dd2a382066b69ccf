package battery_test

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"gatehouse/cmd/gatehouse/battery"
)

// The battery of the demo. Who changes the generator draws another battery, and
// says so by changing these.
const (
	seed       = battery.Seed
	rows       = battery.Size
	attacksSum = "15dbff757aa774615aa4dc0dd2e975319b0eadeb4d59bc23e883fb3c0ea48cfd"
	benignSum  = "8195c56dceb40109cd8d5752e27155c773a18951b57b705e50840a8954dbd9f3"
)

func TestBatteryIsTheCommittedOne(t *testing.T) {
	attacks := battery.Attacks(seed, rows)
	if len(attacks) != rows {
		t.Fatalf("%d attacks, want %d", len(attacks), rows)
	}
	if got := sum(attacks); got != attacksSum {
		t.Errorf("SHA-256 of the attacks = %s, want %s", got, attacksSum)
	}
	if got := sum(battery.Benign(200)); got != benignSum {
		t.Errorf("SHA-256 of the benign messages = %s, want %s", got, benignSum)
	}
}

func sum(rows []string) string {
	s := sha256.Sum256([]byte(strings.Join(rows, "\n")))
	return hex.EncodeToString(s[:])
}

func TestAttacksDependOnTheSeed(t *testing.T) {
	a, b := battery.Attacks(7, 400), battery.Attacks(7, 400)
	if !slices.Equal(a, b) {
		t.Error("one seed gave two batteries")
	}
	if !slices.Equal(a[:100], battery.Attacks(7, 100)) {
		t.Error("a short draw is not the beginning of a long one")
	}
	if slices.Equal(a, battery.Attacks(8, 400)) {
		t.Error("two seeds gave one battery")
	}
	if n := len(battery.Attacks(7, -1)); n != 0 {
		t.Errorf("%d attacks, want none", n)
	}
}

func TestAttacksAreDifferentText(t *testing.T) {
	for name, rows := range map[string][]string{"attacks": battery.Attacks(seed, 20000), "benign": battery.Benign(2000)} {
		seen := make(map[string]bool)
		for _, row := range rows {
			if seen[row] {
				t.Errorf("%s: %q twice", name, row)
			}
			seen[row] = true
			if !utf8.ValidString(row) || row == "" || strings.ContainsAny(row, "{}") && name == "attacks" {
				t.Errorf("%s: %q is empty, not UTF-8 or not filled in", name, row)
			}
		}
	}
}

func TestDrawCoversEverything(t *testing.T) {
	count := make(map[string]int)
	for _, a := range battery.Draw(seed, rows) {
		count[string(a.Technique)+" "+string(a.Database)]++
		for name, mark := range marks {
			if mark(a.Text) {
				count[name]++
			}
		}
	}
	for _, technique := range battery.Techniques() {
		for _, db := range battery.Databases() {
			pair := string(technique) + " " + string(db)
			if n := count[pair]; n < rows/30 || n > rows/30+1 {
				t.Errorf("%s: %d of %d", pair, n, rows)
			}
		}
	}
	for name := range marks {
		if count[name] < 20 {
			t.Errorf("%s: %d of %d, want 20 at least", name, count[name], rows)
		}
	}
}

// marks tell boundaries, comments and disguises by a piece of text.
var marks = map[string]func(string) bool{
	"no quote":           func(s string) bool { return !strings.ContainsAny(s, `'"`) },
	"single quote":       holds("'"),
	"double quote":       holds(`"`),
	"one parenthesis":    holds("')"),
	"three parentheses":  holds("')))"),
	"pattern of LIKE":    holds("%'"),
	"hash comment":       func(s string) bool { return strings.HasSuffix(s, "#") },
	"dash comment":       holds("-- "),
	"open comment":       func(s string) bool { return strings.HasSuffix(s, "/*") },
	"comments as spaces": holds("/**/"),
	"lines as spaces":    holds("\n"),
	"tabs as spaces":     holds("\t"),
	"versioned comment":  holds("/*!"),
	"mixed case":         func(s string) bool { return strings.Contains(s, "sE") || strings.Contains(s, "lE") },
	"lower case":         holds(" and "),
	"characters":         holds("CHR(113)"),
	"hex":                holds("0x71"),
	"between":            func(s string) bool { return strings.Contains(strings.ToUpper(s), " BETWEEN ") },
	"like":               holds(" LIKE "),
	"in":                 holds(" IN ("),
}

func holds(part string) func(string) bool {
	return func(s string) bool { return strings.Contains(s, part) }
}

func TestBenignIsHardEnough(t *testing.T) {
	messages := battery.Benign(200)
	hard := 0
	for _, m := range battery.Hard() {
		if slices.Contains(messages, m) {
			hard++
		}
	}
	if len(messages) != 200 || hard < 60 {
		t.Errorf("%d messages, %d hard; want 200 and at least 60", len(messages), hard)
	}
	for _, part := range []string{"O'Brien", "SELECT", "Ticket", "---", "🎁", "請", "Заказ", `{"order"`, "//", "password"} {
		if !slices.ContainsFunc(messages, holds(part)) {
			t.Errorf("no message with %q", part)
		}
	}
	if battery.Benign(-1) != nil && len(battery.Benign(-1)) != 0 {
		t.Error("messages although none were asked for")
	}
}

func TestSNS(t *testing.T) {
	for _, message := range []string{"O'Brien", `{"order":"8\" pan"}`, "a\x01\n\u2028<&>", "", "1' OR '1'='1"} {
		event := battery.SNS(message, "id-1")
		var got struct {
			Records []struct {
				EventSource string
				Sns         struct{ Message, MessageId, Timestamp, Signature, TopicArn, Type string }
			}
		}
		if err := json.Unmarshal(event, &got); err != nil {
			t.Fatalf("%s: %v", event, err)
		}
		r := got.Records[0]
		if len(got.Records) != 1 || r.EventSource != "aws:sns" || r.Sns.Message != message || r.Sns.MessageId != "id-1" || r.Sns.Type != "Notification" || r.Sns.Signature == "" || r.Sns.TopicArn == "" {
			t.Errorf("event for %q = %s", message, event)
		}
		if !bytes.Equal(event, battery.SNS(message, "id-1")) {
			t.Error("one message gave two events")
		}
	}
}

func TestLoad(t *testing.T) {
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	if _, err := z.Write([]byte(`{"p":"1' OR 1=1"}`)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name, text string
		want       []string
		err        string
	}{
		{"a.txt", "one\n\ntwo", []string{"one", "two"}, ""},
		{"a.jsonl", "{\"p\":\"x\\u0027\",\"y\":1}\n\n{\"p\":\"\"}\n", []string{"x'", ""}, ""},
		{"a.jsonl.gz", packed.String(), []string{"1' OR 1=1"}, ""},
		{"empty.txt", "", nil, ""},
		{"bad.jsonl", "{\"p\":\"x\"}\n\n{\"q\":1}\n", nil, `bad.jsonl:3: wants an object with the attack in "p"`},
		{"cut.jsonl", "{\"p\":\"x\"}\n{\"p\":", nil, "cut.jsonl:2: wants an object"},
		{"plain.jsonl.gz", "not packed", nil, "plain.jsonl.gz: "},
		{"long.txt", "a\n" + strings.Repeat("x", 6<<20+1), nil, "long.txt:2: "},
	} {
		path := filepath.Join(t.TempDir(), test.name)
		if err := os.WriteFile(path, []byte(test.text), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := battery.Load(path)
		if !slices.Equal(got, test.want) || (err == nil) != (test.err == "") || err != nil && !strings.Contains(err.Error(), test.err) {
			t.Errorf("Load(%s) = %q, %v, want %q, %q", test.name, got, err, test.want, test.err)
		}
	}
	if _, err := battery.Load(filepath.Join(t.TempDir(), "none")); err == nil {
		t.Error("a file that is not there was loaded")
	}
}

func FuzzLoad(f *testing.F) {
	f.Add([]byte(`{"p":"x"}`))
	f.Add([]byte("\n{}"))
	f.Fuzz(func(t *testing.T, text []byte) {
		path := filepath.Join(t.TempDir(), "rows.jsonl")
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := battery.Load(path); err != nil && !strings.Contains(err.Error(), "rows.jsonl:") {
			t.Errorf("error without a place: %v", err)
		}
	})
}
