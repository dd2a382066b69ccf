package splunk_test

import (
	"encoding/json"
	"encoding/xml"
	"io/fs"
	"path"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"gatehouse/internal/record"
)

// dashboard is the definition of a Dashboard Studio view, as far as it is
// checked here.
type dashboard struct {
	Title          string
	Inputs         map[string]struct{ Options struct{ Token string } }
	Visualizations map[string]struct {
		Type          string
		DataSources   map[string]string
		EventHandlers []struct {
			Options struct{ Tokens []struct{ Token, Key string } }
		}
	}
	DataSources map[string]struct {
		Type    string
		Options struct{ Query, Extend string }
	}
	Defaults struct {
		Tokens struct{ Default map[string]any }
	}
	Layout struct {
		Type         string
		GlobalInputs []string
		Structure    []struct {
			Item     string
			Position struct{ X, Y, W, H int }
		}
	}
}

func readViews(t *testing.T) map[string]dashboard {
	t.Helper()
	files, err := fs.Glob(appFiles(), "default/data/ui/views/*.xml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no views: %v", err)
	}
	views := map[string]dashboard{}
	for _, name := range files {
		text, err := fs.ReadFile(appFiles(), name)
		if err != nil {
			t.Fatal(err)
		}
		var doc struct {
			XMLName    xml.Name `xml:"dashboard"`
			Version    string   `xml:"version,attr"`
			Label      string   `xml:"label"`
			Definition string   `xml:"definition"`
		}
		if err := xml.Unmarshal(text, &doc); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if doc.Version != "2" || doc.Label == "" {
			t.Errorf("%s: version %q, label %q", name, doc.Version, doc.Label)
		}
		if strings.Contains(string(text), "://") {
			t.Errorf("%s names another host", name)
		}
		var d dashboard
		if err := json.Unmarshal([]byte(doc.Definition), &d); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		views[strings.TrimSuffix(path.Base(name), ".xml")] = d
	}
	return views
}

// vizTypes are the visualizations that the app uses, all of them in Splunk 9.0
// and later.
var vizTypes = map[string]bool{"splunk.line": true, "splunk.table": true, "splunk.singlevalue": true, "splunk.events": true}

func TestViewsHangTogether(t *testing.T) {
	for name, d := range readViews(t) {
		placed, used := map[string]bool{}, map[string]bool{}
		for _, block := range d.Layout.Structure {
			if _, ok := d.Visualizations[block.Item]; !ok || placed[block.Item] {
				t.Errorf("%s: layout places %q, which does not exist or is placed already", name, block.Item)
			}
			placed[block.Item] = true
			if p := block.Position; p.W <= 0 || p.H <= 0 || p.X < 0 || p.X+p.W > 1200 {
				t.Errorf("%s: %s stands at %+v, outside the grid", name, block.Item, p)
			}
		}
		for id, viz := range d.Visualizations {
			if !placed[id] || !vizTypes[viz.Type] {
				t.Errorf("%s: %s of type %q is not placed or not known", name, id, viz.Type)
			}
			for _, source := range viz.DataSources {
				used[source] = true
				if _, ok := d.DataSources[source]; !ok {
					t.Errorf("%s: %s shows %q, which does not exist", name, id, source)
				}
			}
		}
		for _, source := range d.DataSources {
			used[source.Options.Extend] = true
		}
		for id, source := range d.DataSources {
			base, ok := d.DataSources[source.Options.Extend]
			switch {
			case !used[id]:
				t.Errorf("%s: nothing shows %s", name, id)
			case source.Type == "ds.chain" && (!ok || base.Type != "ds.search"):
				t.Errorf("%s: %s extends %q", name, id, source.Options.Extend)
			case source.Type != "ds.chain" && source.Type != "ds.search":
				t.Errorf("%s: %s has type %q", name, id, source.Type)
			}
		}
		for _, input := range d.Layout.GlobalInputs {
			if _, ok := d.Inputs[input]; !ok {
				t.Errorf("%s: input %q does not exist", name, input)
			}
		}
	}
}

// named are identifiers with an underscore: fields of a record, or what the
// search itself makes.
var named = regexp.MustCompile(`\b[a-z][a-z0-9]*(?:_[a-z0-9]+)+\b`)

// splunkWords are Splunk's own words of that shape.
var splunkWords = map[string]bool{"column_name": true}

func TestSearchesNameWhatExists(t *testing.T) {
	macros := readConf(t, appFiles(), "default/macros.conf")
	fields := map[string]bool{}
	typ := reflect.TypeFor[record.Record]()
	for i := range typ.NumField() {
		tag, _, _ := strings.Cut(typ.Field(i).Tag.Get("json"), ",")
		fields[tag] = true
	}
	for name, d := range readViews(t) {
		for id, source := range d.DataSources {
			query := source.Options.Query
			checkSearch(t, name+" "+id, query, macros)
			for _, word := range named.FindAllString(macroUse.ReplaceAllString(query, ""), -1) {
				if !fields[word] && !splunkWords[word] {
					t.Errorf("%s: %s names field %q, which no record has", name, id, word)
				}
			}
		}
	}
}

var token = regexp.MustCompile(`\$([a-z_]+)[.|$]`)

func TestTokensAreSet(t *testing.T) {
	for name, d := range readViews(t) {
		set := map[string]bool{}
		for _, input := range d.Inputs {
			set[input.Options.Token] = true
		}
		for _, viz := range d.Visualizations {
			for _, handler := range viz.EventHandlers {
				for _, tok := range handler.Options.Tokens {
					set[tok.Token] = true
					if d.Defaults.Tokens.Default[tok.Token] == nil {
						t.Errorf("%s: token %s has no default: its panels wait for ever", name, tok.Token)
					}
				}
			}
		}
		for id, source := range d.DataSources {
			for _, m := range token.FindAllStringSubmatch(source.Options.Query, -1) {
				if !set[m[1]] {
					t.Errorf("%s: %s uses token %q, which nothing sets", name, id, m[1])
				}
			}
		}
	}
}

func TestNavigation(t *testing.T) {
	text, err := fs.ReadFile(appFiles(), "default/data/ui/nav/default.xml")
	if err != nil {
		t.Fatal(err)
	}
	var nav struct {
		Views []struct {
			Name    string `xml:"name,attr"`
			Default bool   `xml:"default,attr"`
		} `xml:"view"`
	}
	if err := xml.Unmarshal(text, &nav); err != nil {
		t.Fatal(err)
	}
	views := readViews(t)
	first := 0
	for _, v := range nav.Views {
		if _, ok := views[v.Name]; !ok && v.Name != "search" { // search is Splunk's own
			t.Errorf("the menu names view %q", v.Name)
		}
		if v.Default {
			first++
		}
	}
	if first != 1 {
		t.Errorf("%d default views", first)
	}
}
