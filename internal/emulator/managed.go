package emulator

import "context"

func (l *Lambda) startManaged(ctx context.Context, inv *invocation) error { return nil }

// maxWaiting bounds the invocations of type Event that wait for the sandbox.
const maxWaiting = 1000
