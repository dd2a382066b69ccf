package attack_test

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/url"
	"strings"
	"testing"

	"gatehouse/internal/detect"
	"gatehouse/internal/detect/attack"
)

// maxEvent is the largest event that Lambda hands a function, in bytes.
// https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
const maxEvent = 6 << 20

// No benign event may use up the default budget, however large and whatever it
// is made of: on_budget: closed would refuse it. Work grows with the size of an
// event, so smaller ones show it for all kinds, without the fixed part of the
// budget; one of the dearest is tried at full size as well.
func TestBenignEventsStayWithinTheBudget(t *testing.T) {
	for name, write := range benignKinds {
		t.Run(name, func(t *testing.T) {
			event := grown(t, 64<<10, write)
			for _, profile := range []attack.Profile{attack.Block, attack.Detect} {
				withinBudget(t, &attack.Engine{Profile: profile, Budget: func(size int) int { return 40 * size }}, event)
			}
		})
	}
	t.Run("as large as can be", func(t *testing.T) {
		withinBudget(t, new(attack.Engine), grown(t, maxEvent, benignKinds["multipart"]))
	})
}

func withinBudget(t *testing.T, e *attack.Engine, event []byte) {
	t.Helper()
	var r detect.Result
	e.Inspect(event, e.Source(event), &r, nil)
	if r.Exhausted {
		t.Errorf("profile %d: exhausted after %d of work; gaps %+v", e.Profile, r.Work, r.Gaps)
	}
	for _, f := range r.Findings {
		if !f.Weak {
			t.Errorf("profile %d: %s at %s %v saw %.80q, which is benign", e.Profile, f.RuleID, f.Path, f.DecodeChain, f.Matched)
			break
		}
	}
	t.Logf("profile %d: %d bytes, %.1f of work a byte", e.Profile, len(event), float64(r.Work)/float64(len(event)))
}

// grown makes an event of nearly size bytes out of a growing number of parts.
func grown(t *testing.T, size int, write func(r *rand.Rand, n int) any) []byte {
	t.Helper()
	n := 8
	for {
		event, err := json.Marshal(write(rand.New(rand.NewPCG(1, 2)), n))
		if err != nil {
			t.Fatal(err)
		}
		if len(event) > size {
			t.Fatalf("%d bytes of %d parts", len(event), n)
		}
		if len(event) > size*9/10 {
			return event
		}
		n = n * size / len(event) * 95 / 100
	}
}

type obj = map[string]any

// benignKinds make events of n parts each.
var benignKinds = map[string]func(r *rand.Rand, n int) any{
	"prose": func(r *rand.Rand, n int) any { return snsOf(sentences(r, n)) },
	"prose, many values": func(r *rand.Rand, n int) any {
		list := make([]any, n)
		for i := range list {
			list[i] = obj{"id": i, "note": sentences(r, 1), "price": r.Float64(), "ok": true, "none": nil}
		}
		return obj{"items": list}
	},
	"many keys": func(r *rand.Rand, n int) any {
		o := obj{}
		for range n {
			o[word(r)+"_"+hexes(r, 6)] = r.IntN(1e6)
		}
		return o
	},
	"numbers":        func(r *rand.Rand, n int) any { return obj{"series": numbers(r, n, 1e9)} },
	"bytes as array": func(r *rand.Rand, n int) any { return obj{"type": "Buffer", "data": numbers(r, n, 256)} },
	"deep": func(r *rand.Rand, n int) any {
		list := make([]any, n)
		for i := range list {
			var v any = sentences(r, 1)
			for range 50 {
				v = obj{"a": v}
			}
			list[i] = v
		}
		return list
	},
	"identifiers": func(r *rand.Rand, n int) any {
		list := make([]string, n)
		for i := range list {
			list[i] = [...]string{hexes(r, 32), "arn:aws:s3:::" + word(r) + "/" + hexes(r, 8), base64.RawURLEncoding.EncodeToString(random(r, 24)), "2026-01-02T12:45:07.000Z"}[i%4]
		}
		return obj{"ids": list}
	},
	"tokens": func(r *rand.Rand, n int) any {
		list := make([]string, n)
		for i := range list {
			head, body := []byte(`{"alg":"RS256","typ":"JWT"}`), asJSON(obj{"sub": hexes(r, 8), "name": sentences(r, 1)})
			list[i] = base64.RawURLEncoding.EncodeToString(head) + "." + base64.RawURLEncoding.EncodeToString(body) + "." + base64.RawURLEncoding.EncodeToString(random(r, 256))
		}
		return obj{"tokens": list}
	},
	"upload in base64": func(r *rand.Rand, n int) any {
		return obj{"version": "2.0", "requestContext": obj{"http": obj{"method": "POST"}}, "isBase64Encoded": true, "body": base64.StdEncoding.EncodeToString(random(r, n))}
	},
	"text in base64": func(r *rand.Rand, n int) any {
		return obj{"httpMethod": "POST", "isBase64Encoded": true, "body": base64.StdEncoding.EncodeToString([]byte(sentences(r, n)))}
	},
	"hex": func(r *rand.Rand, n int) any { return obj{"blob": hexes(r, n)} },
	"form": func(r *rand.Rand, n int) any {
		v := url.Values{}
		for i := range n {
			v.Set(fmt.Sprintf("field%d", i), sentences(r, 1))
		}
		return obj{"httpMethod": "POST", "headers": obj{"content-type": "application/x-www-form-urlencoded"}, "body": v.Encode()}
	},
	"percent": func(r *rand.Rand, n int) any {
		return obj{"url": strings.ReplaceAll(url.QueryEscape(sentences(r, n)), "+", "%20")}
	},
	"percent twice": func(r *rand.Rand, n int) any {
		return obj{"url": url.QueryEscape(url.QueryEscape(sentences(r, n)))}
	},
	"multipart": func(r *rand.Rand, n int) any {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, "--x7\r\nContent-Disposition: form-data; name=\"f%d\"\r\n\r\n%s\r\n", i, sentences(r, 2))
		}
		return obj{"httpMethod": "POST", "headers": obj{"content-type": "multipart/form-data; boundary=x7"}, "body": b.String() + "--x7--\r\n"}
	},
	"entities": func(r *rand.Rand, n int) any {
		return obj{"text": strings.NewReplacer("'", "&#39;", "&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;", "é", "&eacute;", "è", "&egrave;", "à", "&agrave;", "ü", "&#252;").Replace(sentences(r, n))}
	},
	"other scripts": func(r *rand.Rand, n int) any {
		var b strings.Builder
		for range n {
			b.WriteRune(scripts[r.IntN(len(scripts))])
		}
		return obj{"text": b.String()}
	},
	"CSV": func(r *rand.Rand, n int) any {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, "%d;%s;\"%s\";%.2f\r\n", i, word(r), sentences(r, 1), r.Float64()*100)
		}
		return obj{"csv": b.String()}
	},
	"XML": func(r *rand.Rand, n int) any {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, "<order id=\"%d\"><name>%s</name><note>%s</note></order>\n", i, word(r), sentences(r, 1))
		}
		return obj{"body": "<?xml version=\"1.0\"?>\n<orders>\n" + b.String() + "</orders>"}
	},
	"JSON in a string": func(r *rand.Rand, n int) any { return snsOf(string(asJSON(orders(r, n)))) },
	"S3 in SNS in SQS": func(r *rand.Rand, n int) any {
		list := make([]any, n)
		for i := range list {
			put := obj{"Records": []any{obj{"eventSource": "aws:s3", "s3": obj{"object": obj{"key": url.QueryEscape(sentences(r, 1))}}}}}
			note := obj{"Type": "Notification", "MessageId": hexes(r, 16), "Message": string(asJSON(put))}
			list[i] = obj{"eventSource": "aws:sqs", "messageId": hexes(r, 16), "body": string(asJSON(note))}
		}
		return obj{"Records": list}
	},
	"Kinesis": func(r *rand.Rand, n int) any {
		return kinesisOf(n, func() []byte { return asJSON(orders(r, 1)) })
	},
	"Kinesis, packed": func(r *rand.Rand, n int) any {
		return kinesisOf(n, func() []byte { return asGzip(asJSON(orders(r, 20))) })
	},
	"CloudWatch Logs": func(r *rand.Rand, n int) any {
		return obj{"awslogs": obj{"data": base64.StdEncoding.EncodeToString(asGzip(asJSON(logLines(r, n))))}}
	},
	"queries": func(r *rand.Rand, n int) any {
		list := make([]string, n)
		for i := range list {
			list[i] = fmt.Sprintf("query { order(id: \"%s\") { id name items(first: %d) { sku, price } } }", hexes(r, 8), r.IntN(100))
		}
		return list
	},
}

func snsOf(message string) any {
	return obj{"Records": []any{obj{"EventSource": "aws:sns", "Sns": obj{"Message": message}}}}
}

func kinesisOf(n int, data func() []byte) any {
	list := make([]any, n)
	for i := range list {
		list[i] = obj{"eventSource": "aws:kinesis", "kinesis": obj{"data": base64.StdEncoding.EncodeToString(data())}}
	}
	return obj{"Records": list}
}

func orders(r *rand.Rand, n int) []any {
	list := make([]any, n)
	for i := range list {
		list[i] = obj{"id": r.IntN(1e9), "customer": obj{"name": word(r) + " O'Brien", "mail": word(r) + "@shop.example"}, "note": sentences(r, 1), "tags": []string{word(r), word(r)}}
	}
	return list
}

func logLines(r *rand.Rand, n int) any {
	list := make([]any, n)
	for i := range list {
		list[i] = obj{"id": fmt.Sprintf("3%018d%018d%019d", r.Uint64N(1e18), r.Uint64N(1e18), r.Uint64N(1e19)), "timestamp": 1767357907000 + i, "message": fmt.Sprintf("2026-01-02T12:45:07Z %s INFO %s", hexes(r, 16), sentences(r, 1))}
	}
	return obj{"messageType": "DATA_MESSAGE", "logGroup": "/aws/lambda/orders", "logEvents": list}
}

// words make prose with what prose has: quotes, dashes, brackets. What query
// languages have is left out: at random it makes queries, too.
var words = strings.Fields(`parcel Monday kind regards customer order items updates, "quoted" don't it's O'Brien well -- (see below)
	please 10% & others = fewer + $5 <soon> #7 user@shop.example https://shop.example/a?b=c&d=e 100€ naïve café / here\\there
	thanks sent 3 of 4 parcels. Thanks! What? [1] {x} 12:45 2026-01-02 très "déjà vu" l'été garçon Müller; tomorrow morning, left street`)

var scripts = []rune("日本語の文章、中文句子。Ελληνικά кириллица ＡＢＣ")

func word(r *rand.Rand) string { return words[r.IntN(len(words))] }

// sentences are n of them.
func sentences(r *rand.Rand, n int) string {
	var b strings.Builder
	for range n {
		for i := range 12 {
			if i > 0 {
				b.WriteByte(' ')
			}
			b.WriteString(word(r))
		}
		b.WriteString(". ")
	}
	return b.String()
}

func random(r *rand.Rand, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

func hexes(r *rand.Rand, n int) string { return hex.EncodeToString(random(r, n)) }

func numbers(r *rand.Rand, n, most int) []int {
	list := make([]int, n)
	for i := range list {
		list[i] = r.IntN(most)
	}
	return list
}

func asJSON(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // the test's own values
	}
	return b
}

func asGzip(text []byte) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write(text) // into memory
	_ = z.Close()
	return b.Bytes()
}
