package attack_test

import (
	"encoding/json"
	"strings"
	"testing"

	"gatehouse/internal/detect"
	"gatehouse/internal/detect/attack"
)

// workOn returns what inspecting text as a value costs, in the engine's own count.
func workOn(t testing.TB, text string) int {
	t.Helper()
	event, err := json.Marshal(map[string]string{"q": text})
	if err != nil {
		t.Fatal(err)
	}
	e := attack.Engine{Profile: attack.Detect}
	var r detect.Result
	e.Inspect(event, e.Source(event), &r, nil)
	return r.Work
}

// FuzzFamilies runs all families over arbitrary bytes, as a value and as they are.
func FuzzFamilies(f *testing.F) {
	for _, id := range attack.RuleIDs() {
		for _, line := range lines(f, id+".txt") {
			f.Add([]byte(strings.TrimLeft(line, "+-q ")))
		}
	}
	e := attack.Engine{Profile: attack.Detect}
	f.Fuzz(func(t *testing.T, b []byte) {
		event, err := json.Marshal(map[string]string{"q": string(b)})
		if err != nil {
			t.Fatal(err)
		}
		for _, event := range [][]byte{event, b} {
			var r detect.Result
			e.Inspect(event, e.Source(event), &r, nil)
			if most := 16*len(event) + 1<<20; r.Work > most {
				t.Errorf("work = %d for %d bytes", r.Work, len(event))
			}
		}
	})
}

// What is made to cost much costs no more for each byte than ordinary text.
func TestHostileTextCostsWhatItsLengthDoes(t *testing.T) {
	for _, piece := range []string{
		"${", "${lower:", "${::-", "}", "${a}", "$${", "__proto__", "__proto__[", "constructor[prototype",
		";", "|", "$(", "`", "\n", ";cat ", ";cat '", ";cat \"a;", "`id", "`id ", ";c''", ";${a", ";$'\\x63", "() {", ";cat${IFS}", "a;id b ", "|id|",
		"' or ", "1=1 ", "((", "select ", "`", "/*", "'||'", "a.b.c ", ";drop table ", "x as y ", "'' ", "@", "-- \n", "order by 1,", "waitfor delay '",
		",$in:1", "db.a.find(", "x[$in][]", "; return ", "'this.==",
		"system(", "eval('", "exec('id'", ".a()system(", "__class__", "(system)(", "')(", "$_get[", "<?php ", "require('", "@{[", "%x(id ",
		"O:8:\"", "a:1:{", "!!", "rO0ABX", "AAAD////", "gASV", "BAh7", "c__builtin__\n", "\nsystem\n", "\"@type\":\"java.lang.",
	} {
		short, long := workOn(t, strings.Repeat(piece, 1000)), workOn(t, strings.Repeat(piece, 64_000))
		if long > 80*short {
			t.Errorf("%q: %d times costs %d, 64 times that %d", piece, 1000, short, long)
		}
	}
}
