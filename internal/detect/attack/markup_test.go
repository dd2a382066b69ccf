package attack

import (
	"bytes"
	"strings"
	"testing"

	"gatehouse/internal/detect"
)

// markupFamilies are the families that read markup, templates and script.
var markupFamilies = []*family{&xxeFamily, &ssiFamily, &sstiFamily, &xssFamily, &scriptFamily}

// FuzzMarkup hands any bytes to the families of markup: what they find must lie in the
// value, and the value must stay as it is.
func FuzzMarkup(f *testing.F) {
	for _, seed := range []string{
		`"><img src='a>b' onerror = alert(1)>`, `<!DOCTYPE a [<!ENTITY % b SYSTEM "c"> %b;]>`, `<!--#exec cmd="id" -->`,
		`${{<%[%'"}}%\`, `{{7*'7'}}`, `';alert(1)//`, "jav\tascript:alert`1`", `<a style=x:exp/**/ression(y)>`, `top['al'+'ert'](1)`,
		`<xsl:value-of select="document('x')"/>`, "<b onload=\x00", "<", "=", "on=", "<script type=application/json>", "{%", "<%=", "[][(![]+[])]",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, value []byte) {
		before := bytes.Clone(value)
		for _, family := range markupFamilies {
			in := inspection{result: new(detect.Result), budget: 1 << 40, weak: true}
			p := probe{value: value, class: classesOf(value), to: len(value)}
			if r, at := family.match(&in, &p); r != nil && (at < 0 || at >= len(value)) {
				t.Errorf("%s: found at %d of %d bytes", r.id, at, len(value))
			}
		}
		if !bytes.Equal(before, value) {
			t.Error("the value was modified")
		}
	})
}

// BenchmarkMarkup is what hostile text costs that makes the families of markup look
// often and find nothing, a byte, beside prose.
func BenchmarkMarkup(b *testing.B) {
	units := map[string]string{
		"prose": "It is a fine day, and all is well; we alert the team. ", "open": "<", "tags": "<a b=c>", "attributes": "<x a=b ", "equals": "=", "quotes": `"=`,
		"handlers": "onload= ", "noise": "<x onload!#$%", "styles": "<a style=x:y ", "comments": `<a style="/*`, "iframes": "<iframe ", "metas": "<meta http-equiv ",
		"braces": "{{", "dollar": "${7*", "names": "{{a.b", "erb": "<%=", "set": "#set($x=", "doctype": "<!doctype a [", "entity": `<!entity a "`, "xsl": "<xsl:if ",
		"calls": "alert(", "eval": "eval('", "breaks": "';a(", "symbols": "[]+!(", "tops": "top['", "alias": "=alert;a ", "schemes": "java\tscript ", "cdata": "<![CDATA[", "svg": "<svg></x></svg>", "words": "d d d ", "refs": ">&aaa;<", "links": "<link rel=x ", "spread": "x=1;",
	}
	for name, unit := range units {
		value := []byte(strings.Repeat(unit, 1+(64<<10)/len(unit)))
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(value)))
			b.ReportAllocs()
			for b.Loop() {
				for _, family := range markupFamilies {
					in := inspection{result: new(detect.Result), budget: 1 << 40, weak: true}
					p := probe{value: value, class: classesOf(value), to: len(value)}
					family.match(&in, &p)
				}
			}
		})
	}
}
