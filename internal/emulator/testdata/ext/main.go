// Command ext is a bare extension. It prints what it gets; variables named
// EXT_… say how it behaves.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

var (
	api  = "http://" + os.Getenv("AWS_LAMBDA_RUNTIME_API")
	name = filepath.Base(os.Args[0])
	id   string
)

func call(method, path, body string, header ...string) (int, http.Header, []byte) {
	req, err := http.NewRequest(method, api+path, strings.NewReader(body))
	check(err)
	req.Header.Set("Lambda-Extension-Name", name)
	req.Header.Set("Lambda-Extension-Identifier", id)
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	check(err)
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	check(err)
	return resp.StatusCode, resp.Header, b
}

func check(err error) {
	if err != nil {
		fmt.Println("ext:", err)
		os.Exit(9)
	}
}

func setting(name, usual string) string {
	if v, ok := os.LookupEnv("EXT_" + name); ok {
		return v
	}
	return usual
}

func exitIf(when string) {
	if at, code, ok := strings.Cut(setting("EXIT", ""), ":"); ok && at == when {
		n, _ := strconv.Atoi(code)
		os.Exit(n)
	}
}

// pause takes as long as EXT_WORK_<when> says.
func pause(when string) {
	if d, err := time.ParseDuration(setting("WORK_"+when, "")); err == nil {
		time.Sleep(d)
	}
}

func main() {
	exitIf("start")
	if setting("ENV", "") != "" {
		fmt.Println("ext env", strings.Join(os.Environ(), " "))
	}
	pause("START")
	status, header, body := call("POST", "/2020-01-01/extension/register", setting("REGISTER", `{"events":["INVOKE","SHUTDOWN"]}`),
		"Lambda-Extension-Accept-Feature", "accountId")
	fmt.Printf("ext register %d %s\n", status, body)
	fmt.Printf("ext pid %d\n", os.Getpid())
	id = header.Get("Lambda-Extension-Identifier")
	if schema := setting("TELEMETRY", ""); schema != "" {
		subscribe(schema)
	}
	if kind := setting("INIT_ERROR", ""); kind != "" {
		status, _, body := call("POST", "/2020-01-01/extension/init/error", "", "Lambda-Extension-Function-Error-Type", kind)
		fmt.Printf("ext init/error %d %s\n", status, body)
		os.Exit(3)
	}
	exitIf("init")
	pause("INIT")
	fmt.Println("ext ready")
	for {
		status, _, body := call("GET", "/2020-01-01/extension/event/next", "")
		if status != http.StatusOK {
			fmt.Printf("ext next %d %s\n", status, body)
			os.Exit(8)
		}
		fmt.Printf("ext event %s\n", body)
		handle(body)
	}
}

func handle(body []byte) {
	var ev struct {
		EventType  string
		DeadlineMs int64
	}
	check(json.Unmarshal(body, &ev))
	exitIf(ev.EventType)
	if kind := setting("EXIT_ERROR", ""); kind != "" && ev.EventType == "INVOKE" {
		call("POST", "/2020-01-01/extension/exit/error", "", "Lambda-Extension-Function-Error-Type", kind)
		os.Exit(1)
	}
	pause(ev.EventType)
	if ev.EventType == "SHUTDOWN" {
		fmt.Printf("ext left %d\n", time.Until(time.UnixMilli(ev.DeadlineMs)).Milliseconds())
		if setting("STAY", "") != "" {
			select {}
		}
		os.Exit(0)
	}
}

// subscribe appends all telemetry to the file EXT_SINK, one event a line.
func subscribe(schema string) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	check(err)
	sink, err := os.OpenFile(setting("SINK", os.DevNull), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	check(err)
	if setting("TCP", "") != "" {
		go copyLines(listener, sink)
	} else {
		go http.Serve(listener, receiver(sink))
	}
	port := listener.Addr().(*net.TCPAddr).Port
	destination := fmt.Sprintf(`{"protocol":"HTTP","URI":"http://sandbox.localdomain:%d/"}`, port)
	if setting("TCP", "") != "" {
		destination = fmt.Sprintf(`{"protocol":"TCP","port":%d}`, port)
	}
	status, _, body := call("PUT", "/2022-07-01/telemetry", fmt.Sprintf(
		`{"schemaVersion":%q,"types":%s,"buffering":{"maxItems":1000,"maxBytes":262144,"timeoutMs":%s},"destination":%s}`,
		schema, setting("TYPES", `["platform","function"]`), setting("PATIENCE", "25"), destination))
	fmt.Printf("ext telemetry %d %s\n", status, body)
}

// receiver answers the first EXT_REFUSE batches with 500, and the first that
// holds lines of the function only after EXT_SLOW.
func receiver(sink *os.File) http.Handler {
	refuse, _ := strconv.Atoi(setting("REFUSE", "0"))
	slow := setting("SLOW", "")
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		check(err)
		if refuse > 0 {
			refuse--
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		var batch []json.RawMessage
		check(json.Unmarshal(body, &batch))
		if d, err := time.ParseDuration(slow); err == nil && bytes.Contains(body, []byte(`"type":"function"`)) {
			slow = ""
			time.Sleep(d)
		}
		fmt.Println("ext batch", len(batch), len(body))
		var out bytes.Buffer
		for _, event := range batch {
			out.Write(event)
			out.WriteByte('\n')
		}
		_, err = sink.Write(out.Bytes())
		check(err)
	})
}

func copyLines(listener net.Listener, sink *os.File) {
	for {
		conn, err := listener.Accept()
		check(err)
		go io.Copy(sink, conn)
	}
}
