package emulator

import (
	"os"
	"path/filepath"
)

// Extension states, in Lambda's words.
type extensionState string

const (
	stateStarted    extensionState = "Started"
	stateRegistered extensionState = "Registered"
	stateReady      extensionState = "Ready"
	stateRunning    extensionState = "Running"
	stateInitError  extensionState = "InitError"
	stateExitError  extensionState = "ExitError"
	stateLaunchFail extensionState = "LaunchError"
)

// The events that extensions register for.
const (
	eventInvoke   = "INVOKE"
	eventShutdown = "SHUTDOWN"
)

// extension is one that was started from the layer, or one that registered
// itself from inside the runtime (internal: no process of its own). Its fields
// are guarded by the sandbox's mutex.
type extension struct {
	name      string
	id        string // given at registration
	internal  bool
	events    []string
	state     extensionState
	errorType string   // why it gave up
	process   *process // nil when internal
	next      *extensionEvent
}

// extensionEvent is the body of an answer to /event/next.
type extensionEvent struct {
	EventType      string       `json:"eventType"`
	DeadlineMs     int64        `json:"deadlineMs"`
	RequestID      string       `json:"requestId,omitempty"`
	FunctionARN    string       `json:"invokedFunctionArn,omitempty"`
	Tracing        *traceRecord `json:"tracing,omitempty"`
	ShutdownReason string       `json:"shutdownReason,omitempty"`
}

// extensionFiles lists what Lambda would start: everything in
// <layer>/extensions that is no folder, unless the layer switches them off.
func (c *Config) extensionFiles() ([]string, error) {
	if c.Layer == "" {
		return nil, nil
	}
	if _, err := os.Stat(filepath.Join(c.Layer, disablingFile)); err == nil {
		return nil, nil
	}
	dir := filepath.Join(c.Layer, "extensions")
	entries, err := os.ReadDir(dir)
	if os.IsNotExist(err) {
		return nil, nil
	}
	var files []string
	for _, e := range entries {
		if !e.IsDir() {
			files = append(files, filepath.Join(dir, e.Name()))
		}
	}
	return files, err
}

// offer makes ev the extension's next event if it registered for that kind.
// The lock is held.
func (e *extension) offer(kind string, ev *extensionEvent) {
	for _, wanted := range e.events {
		if wanted == kind {
			e.next = ev
		}
	}
}
