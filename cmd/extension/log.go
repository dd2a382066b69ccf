package main

import (
	"os"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"gatehouse/internal/record"
)

// newLogger logs JSON lines to standard error, which Lambda puts into the
// function's log group.
func newLogger(level string) *zap.Logger {
	at, err := zapcore.ParseLevel(level)
	if err != nil {
		at = zapcore.WarnLevel
	}
	encoder := zapcore.NewJSONEncoder(zapcore.EncoderConfig{
		MessageKey: "message", LevelKey: "level", TimeKey: "time", NameKey: "logger",
		EncodeTime: zapcore.RFC3339NanoTimeEncoder, EncodeLevel: zapcore.LowercaseLevelEncoder,
		EncodeDuration: zapcore.MillisDurationEncoder,
	})
	return zap.New(zapcore.NewCore(encoder, zapcore.Lock(os.Stderr), at)).Named("gatehouse")
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
