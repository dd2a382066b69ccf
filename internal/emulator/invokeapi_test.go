package emulator_test

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"hash/crc32"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/emulator"
)

func TestInvokeEndpoint(t *testing.T) {
	t.Parallel()
	l, _ := start(t, emulator.Config{FunctionName: "orders"})
	server := httptest.NewServer(l.Handler())
	defer server.Close()
	big := strings.Repeat("x", emulator.MaxEvent+1)
	for _, c := range []struct {
		name, body string
		header     []string
		status     int
		want       string
		answer     []string
	}{
		{"orders", `{"a":1}`, nil, 200, `{"a":1}`, []string{"X-Amz-Executed-Version", "$LATEST"}},
		{"arn:aws:lambda:us-east-1:123456789012:function:orders:$LATEST", `{"a":1}`, nil, 200, `{"a":1}`, nil},
		{"function", `{"Do":"error","Message":"no"}`, nil, 200, `"no"`, []string{"X-Amz-Function-Error", "Unhandled"}},
		{"orders", `{"Do":"context"}`, []string{"X-Amz-Client-Context", base64.StdEncoding.EncodeToString([]byte(`{"client":{"app_title":"shop"}}`))}, 200, `"client":"shop"`, nil},
		{"orders", `{}`, []string{"X-Amz-Invocation-Type", "DryRun"}, 204, "", nil},
		{"orders", `{}`, []string{"X-Amz-Invocation-Type", "Later"}, 400, "InvalidParameterValueException", nil},
		{"orders", `{}`, []string{"X-Amz-Client-Context", "{}"}, 400, "Client context", nil},
		{"bills", `{}`, nil, 404, "Function not found", []string{"X-Amzn-ErrorType", "ResourceNotFoundException"}},
		{"orders", big, nil, 413, "Request must be smaller than 6291456 bytes", nil},
		{"orders", big[:emulator.MaxAsyncEvent+1], []string{"X-Amz-Invocation-Type", "Event"}, 413, "1048576", nil},
	} {
		resp, body := send(t, server.URL+"/2015-03-31/functions/"+c.name+"/invocations", c.body, c.header...)
		if resp.StatusCode != c.status || !strings.Contains(body+resp.Header.Get("X-Amzn-ErrorType"), c.want) {
			t.Errorf("%s %.80s %v: %d %s, want %d %s", c.name, c.body, c.header, resp.StatusCode, body, c.status, c.want)
		}
		if len(c.answer) > 0 && resp.Header.Get(c.answer[0]) != c.answer[1] {
			t.Errorf("%s %s: %s: %q, want %q", c.name, c.body, c.answer[0], resp.Header.Get(c.answer[0]), c.answer[1])
		}
	}
}

func send(t *testing.T, to, body string, header ...string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, to, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(b)
}

func TestInvokeEndpointLogTail(t *testing.T) {
	t.Parallel()
	l, _ := start(t, emulator.Config{})
	server := httptest.NewServer(l.Handler())
	defer server.Close()
	resp, _ := send(t, server.URL+"/2015-03-31/functions/function/invocations", `{"Say":"hello"}`, "X-Amz-Log-Type", "Tail")
	tail, err := base64.StdEncoding.DecodeString(resp.Header.Get("X-Amz-Log-Result"))
	if err != nil {
		t.Fatal(err)
	}
	id := resp.Header.Get("X-Amzn-RequestId")
	inOrder(t, string(tail), "START RequestId: "+id, "hello", "END RequestId: "+id, "REPORT RequestId: "+id)
}

func TestInvokeEndpointEvent(t *testing.T) {
	t.Parallel()
	l, log := start(t, emulator.Config{})
	server := httptest.NewServer(l.Handler())
	defer server.Close()
	for range 3 {
		resp, body := send(t, server.URL+"/2015-03-31/functions/function/invocations", `{"Say":"later"}`, "X-Amz-Invocation-Type", "Event")
		if resp.StatusCode != http.StatusAccepted || body != "" {
			t.Errorf("%d %s", resp.StatusCode, body)
		}
	}
	eventually(t, "three invocations", func() bool { return strings.Count(log.String(), "later\n") == 3 })
}

// frames decodes an event stream into type and payload of each event.
func frames(t *testing.T, stream []byte) (events [][2]string) {
	t.Helper()
	for len(stream) > 0 {
		total, headers := binary.BigEndian.Uint32(stream), binary.BigEndian.Uint32(stream[4:])
		if crc32.ChecksumIEEE(stream[:8]) != binary.BigEndian.Uint32(stream[8:]) ||
			crc32.ChecksumIEEE(stream[:total-4]) != binary.BigEndian.Uint32(stream[total-4:]) {
			t.Fatal("a checksum is wrong")
		}
		kind := string(stream[12 : 12+headers])
		_, kind, _ = strings.Cut(kind, ":event-type\x07")
		kind = kind[2 : 2+kind[1]]
		events = append(events, [2]string{kind, string(stream[12+headers : total-4])})
		stream = stream[total:]
	}
	return events
}

// A runtime of our own streams, because aws-lambda-go has no streaming mode
// outside function URLs.
func TestStreamingEndpoint(t *testing.T) {
	t.Parallel()
	l := idle(t, time.Second)
	server := httptest.NewServer(l.Handler())
	defer server.Close()
	url := server.URL + "/2021-11-15/functions/function/response-streaming-invocations"
	for _, c := range []struct {
		trailer string
		want    string
	}{
		{"", `InvokeComplete {}`},
		{"Function.Late", `InvokeComplete {"ErrorCode":"Function.Late","ErrorDetails":"{}"}`},
	} {
		done := make(chan string)
		go func() {
			_, body := send(t, url, `{}`)
			done <- body
		}()
		stream(t, l, c.trailer)
		var got bytes.Buffer
		last := ""
		for _, f := range frames(t, []byte(<-done)) {
			if f[0] == "PayloadChunk" {
				got.WriteString(f[1])
			}
			last = f[0] + " " + f[1]
		}
		if got.String() != "one two" || last != c.want {
			t.Errorf("stream %q, then %s, want %s", &got, last, c.want)
		}
	}
}

// stream plays the runtime: it takes one event and streams an answer.
func stream(t *testing.T, l *emulator.Lambda, trailer string) {
	t.Helper()
	url := "http://" + l.Addr() + invocation + take(t, l) + "/response"
	r, w := io.Pipe()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, r)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Lambda-Runtime-Function-Response-Mode", "streaming")
	req.Trailer = http.Header{"Lambda-Runtime-Function-Error-Type": nil, "Lambda-Runtime-Function-Error-Body": nil}
	go func() {
		_, _ = w.Write([]byte("one "))
		_, _ = w.Write([]byte("two"))
		if trailer != "" {
			req.Trailer.Set("Lambda-Runtime-Function-Error-Type", trailer)
			req.Trailer.Set("Lambda-Runtime-Function-Error-Body", base64.StdEncoding.EncodeToString([]byte("{}")))
		}
		_ = w.Close()
	}()
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusAccepted {
		t.Errorf("the runtime got %s", resp.Status)
	}
}
