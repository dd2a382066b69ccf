package main

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	crs "github.com/corazawaf/coraza-coreruleset/v4"
	"github.com/corazawaf/coraza/v3"
	"github.com/corazawaf/coraza/v3/experimental/plugins/plugintypes"
	"github.com/corazawaf/libinjection-go"
)

// judgeLibinjection asks libinjection alone about a string, or about every key and
// string of an event.
func judgeLibinjection() func(*row) {
	return func(r *row) {
		for _, s := range r.strings() {
			sql, _ := libinjection.IsSQLi(s)
			if sql || libinjection.IsXSS(s) {
				r.flags |= flagLibinjection
				return
			}
		}
	}
}

// strings are the strings of a row: its text, or the keys and strings of its
// event.
func (r *row) strings() []string {
	if !r.whole {
		return []string{r.text}
	}
	var all []string
	for d := json.NewDecoder(strings.NewReader(r.text)); ; {
		token, err := d.Token()
		if err != nil {
			return all
		}
		if s, ok := token.(string); ok {
			all = append(all, s)
		}
	}
}

// anomaly is the score at which the Core Rule Set blocks.
const anomaly = 5

// newWAF makes Coraza with the whole Core Rule Set at paranoia 2, whose scores tell
// what paranoia 1 would say.
func newWAF() (coraza.WAF, error) {
	waf, err := coraza.NewWAF(coraza.NewWAFConfig().WithRootFS(crs.FS).WithDirectives(`
Include @coraza.conf-recommended
Include @crs-setup.conf.example
SecRuleEngine DetectionOnly
SecAuditEngine Off
SecAction "id:900000,phase:1,pass,t:none,nolog,setvar:tx.blocking_paranoia_level=2"
Include @owasp_crs/*.conf
`))
	if err != nil {
		return nil, fmt.Errorf("making Coraza with CRS: %w", err)
	}
	return waf, nil
}

// judgeCRS asks Coraza about a row as the arguments of a POST.
func judgeCRS(waf coraza.WAF) func() func(*row) {
	return func() func(*row) {
		return func(r *row) {
			one, two := scores(waf, r.form())
			r.flags |= sampled
			if one >= anomaly {
				r.flags |= flagCRS1
			}
			if one+two >= anomaly {
				r.flags |= flagCRS2
			}
		}
	}
}

// form is the body of a POST that carries the row's strings.
func (r *row) form() string {
	var b strings.Builder
	for i, s := range r.strings() {
		if i > 0 {
			b.WriteByte('&')
		}
		fmt.Fprintf(&b, "q%d=%s", i, url.QueryEscape(s))
	}
	return b.String()
}

// scores are what the rules of paranoia 1 and what those of paranoia 2 make of a
// request that a browser could send.
func scores(waf coraza.WAF, body string) (one, two int) {
	tx := waf.NewTransaction()
	defer func() { _ = tx.Close() }() // it keeps no file
	tx.ProcessConnection("192.0.2.7", 40000, "192.0.2.1", 443)
	tx.ProcessURI("/orders", "POST", "HTTP/1.1")
	for _, h := range [][2]string{
		{"Host", "shop.example"}, {"Accept", "*/*"}, {"User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"},
		{"Content-Type", "application/x-www-form-urlencoded"}, {"Content-Length", strconv.Itoa(len(body))},
	} {
		tx.AddRequestHeader(h[0], h[1])
	}
	tx.ProcessRequestHeaders()
	_, _, _ = tx.WriteRequestBody([]byte(body)) // in memory, below its limit
	_, _ = tx.ProcessRequestBody()              // what it cannot read scores too
	vars := tx.(plugintypes.TransactionState).Variables().TX()
	score := func(level string) int {
		n := 0
		for _, v := range vars.Get("inbound_anomaly_score_pl" + level) {
			n, _ = strconv.Atoi(v) // CRS sets numbers
		}
		return n
	}
	return score("1"), score("2")
}
