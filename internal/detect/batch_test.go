package detect_test

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"gatehouse/internal/detect"
)

var (
	queue  = detect.Batch{Records: "Records", ID: "messageId", Group: "attributes.MessageGroupId"}
	topics = detect.Batch{Records: "records.*"}
	bare   = detect.Batch{Records: "[]"}
)

func TestParts(t *testing.T) {
	tests := []struct {
		name  string
		batch detect.Batch
		event string
		want  string // "path=bytes|id|group", a line each
	}{
		{"ids and groups", queue, `{"Records": [ {"messageId":"a","attributes":{"MessageGroupId":"g\u0031"}} , {"messageId":"b"} ]}`,
			"Records[0]={\"messageId\":\"a\",\"attributes\":{\"MessageGroupId\":\"g\\u0031\"}}|a|g1\nRecords[1]={\"messageId\":\"b\"}|b|"},
		{"no records", queue, `{"Records":[ ]}`, ""},
		{"records of any kind", queue, `{"Records":[1,"a]",null,[2,[3]],{"x":{"y":"}"}},-1.5e3]}`,
			"Records[0]=1||\nRecords[1]=\"a]\"||\nRecords[2]=null||\nRecords[3]=[2,[3]]||\nRecords[4]={\"x\":{\"y\":\"}\"}}||\nRecords[5]=-1.5e3||"},
		{"the last of two lists", queue, `{"Records":[1],"Records":[2]}`, "Records[0]=2||"},
		{"elsewhere", queue, `{"x":{"Records":[1]}}`, ""},
		{"an object in its place", queue, `{"Records":{"0":1}}`, ""},
		{"an escaped key", queue, `{"\u0052ecords":[1]}`, "Records[0]=1||"},
		{"no JSON", queue, `{"Records":[1,]}`, ""},
		{"a list in each member", topics, `{"records":{"t-0":[1 ,2],"t\"1":[], "u":[3]}}`,
			"records[\"t-0\"][0]=1||\nrecords[\"t-0\"][1]=2||\nrecords[\"u\"][0]=3||"},
		{"the event is the list", bare, ` [ {"a":1}, 2 ] `, "[0]={\"a\":1}||\n[1]=2||"},
		{"the event is no list", bare, `{"a":1}`, ""},
		{"no batch", detect.Batch{}, `{"Records":[1]}`, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for _, p := range tt.batch.Parts([]byte(tt.event)) {
				got = append(got, p.Path+"="+tt.event[p.Start:p.End]+"|"+p.ID+"|"+p.Group)
			}
			if text := strings.Join(got, "\n"); text != tt.want {
				t.Errorf("Parts(%s) =\n%s\nwant\n%s", tt.event, text, tt.want)
			}
		})
	}
}

func TestPartsAreBounded(t *testing.T) {
	list := "[" + strings.Repeat("1,", detect.MaxParts-1) + "1"
	for _, tt := range []struct {
		name  string
		batch detect.Batch
		event string
		want  int
	}{
		{"as many as may be", queue, `{"Records":` + list + `]}`, detect.MaxParts},
		{"one more", queue, `{"Records":` + list + `,1]}`, 0},
		{"in two lists", topics, `{"records":{"a":` + list + `],"b":[]}}`, detect.MaxParts},
		{"one more in the second", topics, `{"records":{"a":` + list + `],"b":[1],"c":[1]}}`, 0},
	} {
		if got := len(tt.batch.Parts([]byte(tt.event))); got != tt.want {
			t.Errorf("%s: %d parts, want %d", tt.name, got, tt.want)
		}
	}
}

func TestCut(t *testing.T) {
	tests := []struct {
		name  string
		batch detect.Batch
		event string
		gone  []int // of Parts
		want  string
	}{
		{"the first", queue, `{"Records":[1,2,3]}`, []int{0}, `{"Records":[2,3]}`},
		{"in the middle", queue, `{"Records":[1,2,3]}`, []int{1}, `{"Records":[1,3]}`},
		{"the last", queue, `{"Records":[1,2,3]}`, []int{2}, `{"Records":[1,2]}`},
		{"all but one", queue, `{"Records":[1,2,3]}`, []int{0, 2}, `{"Records":[2]}`},
		{"all", queue, `{"Records":[1,2,3]}`, []int{0, 1, 2}, `{"Records":[]}`},
		{"none", queue, ` {"Records" : [ 1 , 2 ] } `, nil, ` {"Records" : [ 1 , 2 ] } `},
		{"blanks stay", queue, "{ \"Records\" :\n[ 1 ,\n 2 ,\n\t3 ] , \"x\" : 1e0 }\n", []int{1}, "{ \"Records\" :\n[ 1 ,\n\t3 ] , \"x\" : 1e0 }\n"},
		{"odd bytes stay", queue, `{"Records":[{"b":"\u00e4\/"},{"c":1.0}],"Records2":[2,2]}`, []int{1}, `{"Records":[{"b":"\u00e4\/"}],"Records2":[2,2]}`},
		{"in one of several lists", topics, `{"records":{"t-0":[1,2],"t-1":[3,4]},"x":0}`, []int{1, 2}, `{"records":{"t-0":[1],"t-1":[4]},"x":0}`},
		{"all of one of several lists", topics, `{"records":{"t-0":[1,2],"t-1":[3]}}`, []int{0, 1}, `{"records":{"t-0":[],"t-1":[3]}}`},
		{"the event is the list", bare, `[1, 2, 3]`, []int{0, 1}, `[3]`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			all := tt.batch.Parts([]byte(tt.event))
			gone := make([]bool, len(all))
			for _, i := range tt.gone {
				gone[i] = true
			}
			if got := string(detect.AppendCut(nil, []byte(tt.event), all, gone)); got != tt.want {
				t.Errorf("Cut(%s) = %s, want %s", tt.event, got, tt.want)
			}
		})
	}
}

// FuzzSplice takes records out of any JSON: what comes out is JSON, holds the
// other records byte for byte, and everything else too.
func FuzzSplice(f *testing.F) {
	for _, event := range []string{
		`{"Records":[1,2,3]}`, `{"records":{"a":[1,{"b":"]"}],"c":[]}}`, ` [ 1 , "\"" ] `, `{"Records":[{}],"Records":[[],[]]}`, `{"Records":[1 ,2] ,"x":"Records"}`,
	} {
		for mask := range uint8(4) {
			f.Add([]byte(event), mask)
		}
	}
	f.Fuzz(func(t *testing.T, event []byte, mask uint8) {
		for _, batch := range []detect.Batch{queue, topics, bare} {
			all := batch.Parts(event)
			var kept []detect.Part
			gone := make([]bool, len(all))
			for i, p := range all {
				if !json.Valid(event[p.Start:p.End]) {
					t.Fatalf("record %d of %q is %q", i, event, event[p.Start:p.End])
				}
				if gone[i] = mask>>(i%8)&1 == 1; !gone[i] {
					kept = append(kept, p)
				}
			}
			out := detect.AppendCut(nil, event, all, gone)
			if len(all) == 0 {
				if !bytes.Equal(out, event) {
					t.Fatalf("%q became %q", event, out)
				}
				continue
			}
			checkCut(t, batch, event, out, kept)
		}
	})
}

// checkCut compares what is left with what was to be left.
func checkCut(t *testing.T, batch detect.Batch, event, out []byte, kept []detect.Part) {
	t.Helper()
	if !json.Valid(out) {
		t.Fatalf("%q became %q", event, out)
	}
	left := batch.Parts(out)
	if len(left) != len(kept) {
		t.Fatalf("%q became %q: %d records, want %d", event, out, len(left), len(kept))
	}
	for i := range left {
		if !bytes.Equal(out[left[i].Start:left[i].End], event[kept[i].Start:kept[i].End]) {
			t.Fatalf("%q became %q: record %d", event, out, i)
		}
	}
	if got, want := outside(batch, out), outside(batch, event); got != want {
		t.Fatalf("%q became %q: round the records stands %q, not %q", event, out, got, want)
	}
}

// outside is event without its records and what stands between them.
func outside(batch detect.Batch, event []byte) string {
	text := string(event)
	all := batch.Parts(event)
	slices.Reverse(all)
	for _, p := range all {
		text = text[:p.Start] + text[p.End:]
	}
	return strings.NewReplacer(",", "", " ", "", "\t", "", "\n", "", "\r", "").Replace(text)
}
