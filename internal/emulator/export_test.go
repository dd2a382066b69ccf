package emulator

// For the fuzz tests: what reads bytes from a process.
var (
	SplitLines        = splitLines
	SplitFrames       = splitFrames
	ParseSubscription = func(body []byte) error { _, err := parseSubscription(body, false); return err }
	ParseRegistration = func(body []byte) error { _, err := parseRegistration(body); return err }
)
