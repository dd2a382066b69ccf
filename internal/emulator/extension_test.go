package emulator_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/emulator"
)

func TestExtensionSeesEveryInvocation(t *testing.T) {
	t.Parallel()
	l, log := start(t, emulator.Config{Layer: layer(t, "watch"), FunctionName: "orders", Handler: "index.handler"})
	invokeWith(t, l, emulator.Input{Event: []byte(`{}`), RequestID: "8f5a2a3c-0000-4000-8000-000000000004", TraceID: "Root=1-x"})
	if err := l.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	inOrder(t, log.String(), "INIT_START",
		`ext register 200 {"functionName":"orders","functionVersion":"$LATEST","handler":"index.handler","accountId":"123456789012"}`,
		"EXTENSION\tName: watch\tState: Ready\tEvents: [INVOKE, SHUTDOWN]", "START",
		`ext event {"eventType":"INVOKE","deadlineMs":`,
		`"requestId":"8f5a2a3c-0000-4000-8000-000000000004","invokedFunctionArn":"arn:aws:lambda:us-east-1:123456789012:function:orders","tracing":{"type":"X-Amzn-Trace-Id","value":"Root=1-x"}}`,
		"END", "REPORT", `ext event {"eventType":"SHUTDOWN","deadlineMs":`, `"shutdownReason":"SPINDOWN"}`)
	left := regexp.MustCompile(`ext left (\d+)\n`).FindStringSubmatch(log.String())
	if left == nil || len(left[1]) != 4 || left[1] > "2000" || left[1] < "1000" {
		t.Errorf("time left at SHUTDOWN: %v", left)
	}
}

// The runtime waits for every registration; the first invocation waits for
// every extension to be ready, which happens beside the runtime's own start.
func TestOrderOfInit(t *testing.T) {
	t.Parallel()
	l, log := start(t, emulator.Config{Layer: layer(t, "watch", "watch-too"),
		Env: map[string]string{"INIT_SAY": "runtime starts", "EXT_WORK_START": "200ms", "EXT_WORK_INIT": "300ms"}})
	invoke(t, l, `{}`)
	inOrder(t, log.String(), "INIT_START", "ext register 200", "ext ready", "ext ready",
		"EXTENSION\tName: watch\t", "EXTENSION\tName: watch-too\t", "START")
	// The second extension may be told that it is registered, and say so, a moment after
	// the runtime was started for that.
	inOrder(t, log.String(), "ext register 200", "runtime starts", "ext ready", "ext ready")
	if n := strings.Count(log.String(), "ext register 200"); n != 2 {
		t.Errorf("%d extensions registered", n)
	}
}

// A failing extension fails the invocation; its exit code does not matter.
func TestExtensionFailures(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		env    map[string]string
		answer string
		log    []string
	}{
		{"crash at start", map[string]string{"EXT_EXIT": "start:4"}, `{"errorType":"Extension.Crash","errorMessage":"RequestId: id Error: exit status 4"}`,
			[]string{"EXTENSION\tName: watch\tState: Started\tEvents: []"}},
		{"crash in init", map[string]string{"EXT_EXIT": "init:4"}, `Extension.Crash`, []string{"State: Registered", "Phase: invoke\tStatus: error\tError Type: Extension.Crash"}},
		{"init error", map[string]string{"EXT_INIT_ERROR": "Extension.BadConfig"}, `{"errorType":"Extension.InitError","errorMessage":"RequestId: id Error: exit status 3"}`,
			[]string{`ext init/error 202 {"status":"OK"}`, "State: InitError\tEvents: [INVOKE, SHUTDOWN]\tError Type: Extension.BadConfig"}},
		{"crash in invoke", map[string]string{"EXT_EXIT": "INVOKE:0"}, `{"errorType":"Extension.Crash","errorMessage":"RequestId: id Error: exit code 0"}`,
			[]string{"RequestId: id Error: exit code 0\nExtension.Crash"}},
		{"exit error", map[string]string{"EXT_EXIT_ERROR": "Extension.Halt"}, `{"errorType":"Extension.ExitError","errorMessage":"RequestId: id Error: exit status 1"}`, nil},
		{"too slow", map[string]string{"EXT_WORK_INVOKE": "20s"}, `{"Do":"sleep","Ms":300}`,
			[]string{"Task timed out after 1.00 seconds", "Status: timeout"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			l, log := start(t, emulator.Config{Layer: layer(t, "watch"), Env: c.env, Timeout: time.Second})
			out := invokeWith(t, l, emulator.Input{Event: []byte(`{"Do":"sleep","Ms":300}`), RequestID: "id", LogTail: true})
			if !strings.Contains(string(out.Payload), c.answer) {
				t.Errorf("payload %s, want %s", out.Payload, c.answer)
			}
			inOrder(t, log.String(), c.log...)
			if l.Sandboxes().Resets == 0 {
				t.Error("no reset")
			}
		})
	}
}

func TestShutdownReasons(t *testing.T) {
	t.Parallel()
	for event, reason := range map[string]string{`{"Do":"sleep","Ms":20000}`: "TIMEOUT", `{"Do":"exit","Code":1}`: "FAILURE"} {
		l, log := start(t, emulator.Config{Layer: layer(t, "watch"), Timeout: time.Second})
		invokeWith(t, l, emulator.Input{Event: []byte(event), LogTail: true})
		inOrder(t, log.String(), "REPORT", `"shutdownReason":"`+reason+`"`, "ext left ")
	}
}

func TestExtensionThatStaysIsKilled(t *testing.T) {
	t.Parallel()
	l, _ := start(t, emulator.Config{Layer: layer(t, "watch", "watch-too"), Env: map[string]string{"EXT_STAY": "1"}})
	settled(t, l)
	began := time.Now()
	if err := l.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took < 1900*time.Millisecond || took > 4*time.Second {
		t.Errorf("Shutdown took %v, want 2 s", took)
	}
}

func TestExtensionWithoutShutdownIsKilledAtOnce(t *testing.T) {
	t.Parallel()
	l, log := start(t, emulator.Config{Layer: layer(t, "watch"), Env: map[string]string{"EXT_REGISTER": `{"events":[]}`}})
	invoke(t, l, `{}`)
	if err := l.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(log.String(), "ext event") {
		t.Error("it got an event")
	}
}

func TestExtensionEnvironment(t *testing.T) {
	t.Parallel()
	dir := layer(t, "watch")
	wrapper := filepath.Join(dir, "wrapper")
	script := "#!/bin/sh\nexport FROM_WRAPPER=1\nexec \"$@\"\n"
	if err := os.WriteFile(wrapper, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	l, log := start(t, emulator.Config{Layer: dir, MemoryMB: 512, FunctionName: "orders", Env: map[string]string{
		"AWS_LAMBDA_EXEC_WRAPPER": "/opt/wrapper", "STAGE": "test", "AWS_SECRET_ACCESS_KEY": "mine", "CA": "/opt/ca.pem", "EXT_ENV": "1", "_mine": "1",
	}})
	var function []string
	if err := json.Unmarshal(invoke(t, l, `{"Do":"env"}`).Payload, &function); err != nil {
		t.Fatal(err)
	}
	inFunction := strings.Join(function, " ") + " "
	_, inExtension, _ := strings.Cut(log.String(), "ext env ")
	inExtension, _, _ = strings.Cut(inExtension, "\n")
	inExtension += " "
	for _, c := range []struct {
		variable            string
		function, extension bool
	}{
		{"STAGE=test", true, true}, {"AWS_SECRET_ACCESS_KEY=mine", true, true}, {"AWS_ACCESS_KEY_ID=AKIAIOSFODNN7EXAMPLE", true, true},
		{"AWS_REGION=us-east-1", true, true}, {"AWS_LAMBDA_FUNCTION_NAME=orders", true, true}, {"AWS_LAMBDA_FUNCTION_MEMORY_SIZE=512", true, true},
		{"AWS_LAMBDA_RUNTIME_API=" + l.Addr(), true, true}, {"AWS_LAMBDA_INITIALIZATION_TYPE=on-demand", true, true},
		{"AWS_LAMBDA_EXEC_WRAPPER=" + wrapper, true, true}, {"CA=" + filepath.Join(dir, "ca.pem"), true, true},
		{"FROM_WRAPPER=1", true, false}, {"_HANDLER=bootstrap", true, false}, {"_mine=1", true, false},
		{"AWS_EXECUTION_ENV=", true, false}, {"AWS_LAMBDA_LOG_GROUP_NAME=/aws/lambda/orders", true, false}, {"AWS_LAMBDA_LOG_STREAM_NAME=", true, false},
		{"LAMBDA_TASK_ROOT=", true, false}, {"LAMBDA_RUNTIME_DIR=", true, false}, {"AWS_XRAY_DAEMON_ADDRESS=", true, false},
		{"HOME=", false, false},
	} {
		if got := strings.Contains(" "+inFunction, " "+c.variable); got != c.function {
			t.Errorf("%s in the function: %v", c.variable, got)
		}
		if got := strings.Contains(" "+inExtension, " "+c.variable); got != c.extension {
			t.Errorf("%s in the extension: %v", c.variable, got)
		}
	}
}

func TestExtensionsThatCannotBeStarted(t *testing.T) {
	t.Parallel()
	dir := layer(t)
	file := filepath.Join(dir, "extensions", "README")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	l, _ := start(t, emulator.Config{Layer: dir})
	if out := invoke(t, l, `{}`); !strings.Contains(string(out.Payload), `{"errorType":"Extension.LaunchError"`) {
		t.Errorf("a file that is no program: %s", out.Payload)
	}
	var names []string
	for i := range 11 {
		names = append(names, fmt.Sprintf("watch-%d", i))
	}
	l, _ = start(t, emulator.Config{Layer: layer(t, names...)})
	if out := invoke(t, l, `{}`); !strings.Contains(string(out.Payload), `ErrTooManyExtensions`) {
		t.Errorf("eleven extensions: %s", out.Payload)
	}
	if err := os.WriteFile(filepath.Join(dir, "disable-extensions-jwigqn8j"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	l, _ = start(t, emulator.Config{Layer: dir})
	if out := invoke(t, l, `{"a":1}`); string(out.Payload) != `{"a":1}` {
		t.Errorf("extensions switched off: %s", out.Payload)
	}
}
