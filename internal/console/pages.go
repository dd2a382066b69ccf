package console

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"net"
	"net/http"
	"strconv"
	"time"

	"gatehouse/internal/record"
)

//go:embed assets templates
var files embed.FS

// pages shows the store. Everything in it may come from an attacker: it goes
// through html/template as text, never as markup.
type pages struct {
	store     *store
	changed   *signal
	done      <-chan struct{}
	token     string
	cookie    string
	hecURL    string
	hecToken  string
	templates *template.Template
	live      chan struct{} // one slot per open stream
}

// maxLive bounds the open streams.
const maxLive = 32

func newPages(c *Console) *pages {
	_, port, _ := net.SplitHostPort(c.Addr()) // a listener's address always splits
	return &pages{
		store: c.store, changed: c.changed, done: c.done, token: c.config.PageToken,
		cookie: "gatehouse_" + port, // browsers keep one jar for all ports
		hecURL: c.HECURL(), hecToken: c.config.HECToken,
		templates: template.Must(template.New("").Funcs(functions).ParseFS(files, "templates/*.html")),
		live:      make(chan struct{}, maxLive),
	}
}

// routes puts the collector and the pages behind one listener.
func (c *Console) routes() http.Handler {
	p := newPages(c)
	assets, err := fs.Sub(files, "assets")
	if err != nil {
		panic(err) // embedded
	}
	inside := http.NewServeMux()
	inside.HandleFunc("GET /{$}", p.overview)
	inside.HandleFunc("GET /record/{seq}", p.record)
	inside.HandleFunc("GET /incident/{id}", p.incident)
	inside.HandleFunc("GET /live", p.stream)
	inside.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		p.fail(w, r, http.StatusNotFound, "There is no such page", "Go back to the overview.")
	})
	mux := http.NewServeMux()
	mux.Handle("/services/", newCollector(c))
	mux.Handle("GET /assets/", harden(http.StripPrefix("/assets/", http.FileServerFS(assets))))
	mux.Handle("/", harden(p.signedIn(inside)))
	return mux
}

// page is what every template gets.
type page struct {
	Title  string
	Theme  string // "light", "dark" or "" for what the browser prefers
	Static bool   // no live updates: ?static=1
	State  state
	Body   any
}

func (p *pages) show(w http.ResponseWriter, r *http.Request, status int, name, title string, body any) {
	s := stateOf(r)
	theme := s.Get("theme")
	if c, err := r.Cookie("gatehouse_theme"); err == nil && theme == "" {
		theme = c.Value
	}
	if theme != "light" && theme != "dark" {
		theme = ""
	}
	var out bytes.Buffer
	err := p.templates.ExecuteTemplate(&out, name, page{Title: title, Theme: theme, Static: s.Get("static") != "",
		State: s, Body: body})
	if err != nil {
		http.Error(w, "showing the page: "+err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = out.WriteTo(w) // the browser is gone: nobody to tell
}

type failure struct{ Title, Text string }

func (p *pages) fail(w http.ResponseWriter, r *http.Request, status int, title, text string) {
	p.show(w, r, status, "failure.html", title, failure{title, text})
}

// failed shows an error.
func (p *pages) failed(w http.ResponseWriter, r *http.Request, err error) {
	if errors.Is(err, errNoRecord) {
		p.fail(w, r, http.StatusNotFound, "This record is not here",
			"It never arrived, or it made room for newer ones.")
		return
	}
	if !errors.Is(err, context.Canceled) {
		p.fail(w, r, http.StatusInternalServerError, "This did not work", err.Error())
	}
}

// overviewPage is the first page.
type overviewPage struct {
	overview
	Counts   Counts
	Filter   Filter
	List     []Detection
	Older    string // the rest of the list; "" at its end
	Health   *record.Record
	HECURL   string
	HECToken string
}

func (p *pages) overview(w http.ResponseWriter, r *http.Request) {
	now := time.Now()
	s := stateOf(r)
	f := s.filter(now)
	body := overviewPage{Counts: p.store.received(), Filter: f, HECURL: p.hecURL, HECToken: p.hecToken}
	var err error
	if body.overview, err = p.store.overview(r.Context(), f, now); err != nil {
		p.failed(w, r, err)
		return
	}
	if body.List, err = p.store.detections(r.Context(), f, false); err != nil {
		p.failed(w, r, err)
		return
	}
	if body.Health, err = p.store.health(r.Context(), f); err != nil {
		p.failed(w, r, err)
		return
	}
	if len(body.List) == f.limit() {
		last := body.List[len(body.List)-1].Cursor()
		body.Older = s.With("before", fmt.Sprintf("%d-%d", last.Time, last.Seq))
	}
	p.show(w, r, http.StatusOK, "overview.html", "Overview", body)
}

func (p *pages) record(w http.ResponseWriter, r *http.Request) {
	seq, err := strconv.ParseInt(r.PathValue("seq"), 10, 64)
	if err != nil {
		p.failed(w, r, errNoRecord)
		return
	}
	rec, err := p.store.one(r.Context(), seq)
	if err != nil {
		p.failed(w, r, err)
		return
	}
	body := recordPage{stored: rec}
	if body.Related, err = p.store.related(r.Context(), rec.RequestID); err != nil {
		p.failed(w, r, err)
		return
	}
	if rec.Kind.Finding() {
		if body.Newer, body.Older, err = p.store.neighbours(r.Context(), &rec.Detection); err != nil {
			p.failed(w, r, err)
			return
		}
	}
	p.show(w, r, http.StatusOK, "record.html", body.Heading(), body)
}

// incident leads from an incident id, as refusals and logs carry it, to its page.
func (p *pages) incident(w http.ResponseWriter, r *http.Request) {
	seq, err := p.store.incident(r.Context(), r.PathValue("id"))
	if err != nil {
		p.failed(w, r, err)
		return
	}
	http.Redirect(w, r, stateOf(r).Record(seq), http.StatusSeeOther)
}
