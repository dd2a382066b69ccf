package emulator

import (
	"context"
	"fmt"
	"path/filepath"
	"time"
)

// init brings the sandbox up in Lambda's order: all extensions are started and
// must have registered before the runtime is started; when it has asked for
// its first event registration ends; when all extensions have asked for
// theirs, so does the time for subscriptions.
func (s *sandbox) init(ctx context.Context, limit time.Duration) error {
	began := time.Now()
	s.journal.platform("initStart", initStartRecord{
		InitializationType: s.cfg.initializationType(), Phase: s.phase,
		RuntimeVersion:    runtimeName,
		RuntimeVersionARN: "arn:aws:lambda:" + region + "::runtime:0000000000000000000000000000000000000000000000000000000000000000",
		FunctionARN:       s.cfg.arn(), FunctionName: s.cfg.FunctionName, FunctionVersion: version,
		InstanceID: s.stream, InstanceMaxMemory: int64(s.cfg.MemoryMB) << 20,
	})
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	err := s.boot(ctx, limit)
	s.drain()
	s.reportExtensions()
	status, kind := outcome(err, limit)
	s.journal.platform("initReport", initReportRecord{
		InitializationType: s.cfg.initializationType(), Phase: s.phase, Status: status, ErrorType: kind,
		Metrics: durationMetrics{milliseconds(time.Since(began))},
	})
	return err
}

func (s *sandbox) boot(ctx context.Context, limit time.Duration) error {
	if err := s.startExtensions(ctx); err != nil {
		return err
	}
	err := s.startRuntime(ctx)
	status, kind := outcome(err, limit)
	s.drain()
	s.journal.platform("initRuntimeDone", initRuntimeDoneRecord{
		InitializationType: s.cfg.initializationType(), Phase: s.phase, Status: status, ErrorType: kind,
	})
	if err != nil {
		return err
	}
	s.change(func() { s.registrationClosed = true })
	defer s.hub.close()
	return s.await(ctx, func() bool { return s.all(stateReady) })
}

func (s *sandbox) startExtensions(ctx context.Context) error {
	files, err := s.cfg.extensionFiles()
	if err != nil {
		return &fault{kind: "Extension.LaunchError", message: err.Error()}
	}
	if len(files) > maxExtensions {
		return &fault{kind: "Extension.LaunchError", message: "ErrTooManyExtensions"}
	}
	started := make([]*extension, len(files))
	for i, f := range files {
		started[i] = &extension{name: filepath.Base(f), state: stateStarted}
	}
	s.change(func() { s.extensions = append(s.extensions, started...) })
	env := extensionEnv(s.cfg.runtimeEnv(s.apiAddr, s.stream))
	for i, f := range files {
		if err := s.startExtension(started[i], f, env); err != nil {
			return err
		}
	}
	return s.await(ctx, func() bool { return !s.any(stateStarted) })
}

func (s *sandbox) startExtension(e *extension, file string, env map[string]string) error {
	p, err := startProcess(program{
		argv: []string{file}, dir: s.cfg.Dir, env: env, group: s.cgroup,
		emit: func(text string) { s.journal.line(FromExtension, e.name, text) },
		exit: func(status string) { s.extensionExited(e, status) },
	})
	if err != nil {
		s.change(func() { e.state, e.errorType = stateLaunchFail, "Extension.LaunchError" })
		return &fault{kind: "Extension.LaunchError", message: err.Error()}
	}
	s.change(func() { e.process = p })
	return nil
}

// startRuntime starts the runtime and waits until it asks for an event.
func (s *sandbox) startRuntime(ctx context.Context) error {
	env := s.cfg.runtimeEnv(s.apiAddr, s.stream)
	argv := s.cfg.Command
	wrapper := env["AWS_LAMBDA_EXEC_WRAPPER"]
	if wrapper != "" {
		argv = append([]string{wrapper}, argv...)
	}
	p, err := startProcess(program{
		argv: argv, dir: s.cfg.Dir, env: env, group: s.cgroup, framed: true,
		emit: func(text string) { s.journal.line(FromFunction, "", text) },
		exit: s.runtimeExited,
	})
	if err != nil && wrapper != "" { // the shell that would have run it gives up
		return &fault{kind: "Runtime.ExitError", message: fmt.Sprintf("Runtime exited with error: exit status %d", shellStatus(err))}
	}
	if err != nil {
		return &fault{kind: "Runtime.InvalidEntrypoint", message: err.Error()}
	}
	s.change(func() { s.runtime = p })
	return s.await(ctx, func() bool { return s.runtimeUp })
}

// all and any ask after the extensions' states; the lock is held.
func (s *sandbox) all(state extensionState) bool {
	for _, e := range s.extensions {
		if e.state != state {
			return false
		}
	}
	return true
}

func (s *sandbox) any(state extensionState) bool {
	for _, e := range s.extensions {
		if e.state == state {
			return true
		}
	}
	return false
}

// reportExtensions tells how far each extension came in Init.
func (s *sandbox) reportExtensions() {
	s.mu.Lock()
	var records []extensionRecord
	for _, e := range s.extensions {
		records = append(records, extensionRecord{
			Name: e.name, State: string(e.state), Events: append([]string{}, e.events...), ErrorType: e.errorType,
		})
	}
	s.mu.Unlock()
	for _, r := range records {
		s.journal.platform("extension", r)
	}
}

// outcome is err, from await, as status and error type.
func outcome(err error, limit time.Duration) (status, kind string) {
	if err == nil {
		return statusSuccess, ""
	}
	f := asFault(err, limit)
	if f.status == statusTimeout {
		return statusTimeout, "" // telemetry gives a time-out no error type
	}
	return statusError, f.kind
}
