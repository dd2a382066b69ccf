package main

import (
	"fmt"
	"io"
	"sync"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"gatehouse/internal/detect/leak"
	"gatehouse/internal/record"
	"gatehouse/internal/telemetry"
)

// newLogger logs JSON lines to out.
func newLogger(level string, out io.Writer) *zap.Logger {
	at, err := zapcore.ParseLevel(level)
	if err != nil {
		at = zapcore.WarnLevel
	}
	encoder := zapcore.NewJSONEncoder(zapcore.EncoderConfig{
		MessageKey: "message", LevelKey: "level", TimeKey: "time", NameKey: "logger",
		EncodeTime: zapcore.RFC3339NanoTimeEncoder, EncodeLevel: zapcore.LowercaseLevelEncoder,
		EncodeDuration: zapcore.MillisDurationEncoder,
	})
	return zap.New(zapcore.NewCore(encoder, zapcore.Lock(zapcore.AddSync(out)), at)).Named("gatehouse")
}

// maskedOutput is where all lines of our own log go: standard error, which Lambda puts
// into the function's log group. Errors come from anywhere and quote what they like, so
// each line is masked as it leaves, and not where it is made.
type maskedOutput struct {
	to io.Writer
	// early are the secrets as far as the environment says them. A line that comes
	// before the policy is read, which may name more, is masked by these: there is one
	// only where something is wrong, and only then the start pays for it.
	early func() *leak.Set
	// secrets are all of them; nil, or nil of it: not known yet. It is set before a
	// second goroutine logs, and must not log.
	secrets func() *leak.Set
}

// newMaskedOutput masks what is written to to.
func newMaskedOutput(cfg *config, to io.Writer) *maskedOutput {
	return &maskedOutput{to: to, early: sync.OnceValue(func() *leak.Set { return earlySecrets(cfg) })}
}

// earlySecrets are those that the environment holds, without the policy's word.
func earlySecrets(cfg *config) *leak.Set {
	token, err := cfg.token()
	if err != nil {
		token = cfg.HECToken // hec says what is wrong with the file
	}
	key := fingerprintKey(cfg.FingerprintKey, token)
	fingerprint := func(value []byte) string { return record.Fingerprint(key, value) }
	secrets := append(leak.Watch(cfg.Environ, nil, fingerprint), cfg.ownSecrets(fingerprint)...)
	if token != "" {
		secrets = append(secrets, leak.Secret{Name: "GATEHOUSE_HEC_TOKEN", Value: []byte(token), Fingerprint: fingerprint([]byte(token))})
	}
	return leak.New(secrets)
}

// Write writes one line, masked.
func (o *maskedOutput) Write(line []byte) (int, error) {
	if _, err := o.to.Write(telemetry.MaskJSON(line, o.mask)); err != nil {
		return 0, fmt.Errorf("logging: %w", err)
	}
	return len(line), nil
}

// mask replaces secrets in s. Names of hosts, in which case does not count, stand in
// many errors.
func (o *maskedOutput) mask(s string) string {
	var set *leak.Set
	if o.secrets != nil {
		set = o.secrets()
	}
	if set == nil {
		set = o.early()
	}
	return set.MaskFold(s)
}

// logBlocked writes the one line of a verdict that blocked something.
func logBlocked(log *zap.Logger, r *record.Record) {
	if r.Action != "blocked" || r.Kind == record.Invocation {
		return
	}
	rule := r.SignatureID
	if rule == "" {
		rule = r.Reason
	}
	log.Warn("blocked", zap.String("incident", r.ID), zap.String("request_id", r.RequestID),
		zap.String("rule_id", rule), zap.String("target", r.Dest), zap.String("verdict", r.Verdict))
}
