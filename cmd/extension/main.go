// Command extension is the binary of the Gatehouse layer: an external Lambda
// extension. It reads the environment, wires the parts and owns the event loop.
//
// Its start delays the function, so what comes before register is little: bind
// the listeners, write the ready file. The rest happens beside the start of the
// runtime.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"go.uber.org/zap"

	"gatehouse/internal/lambdaapi"
	"gatehouse/internal/record"
)

// version is set by the build.
var version = "dev"

func main() { os.Exit(run()) }

// run is the extension's life. It returns after SHUTDOWN, or does not return: a
// process that ends takes the sandbox with it.
func run() int {
	cfg, cfgErr := readConfig(os.Environ())
	out := newMaskedOutput(&cfg, os.Stderr)
	log := newLogger(cfg.LogLevel, out)
	x := newExtension(cfg, log)
	out.secrets, x.maskOwn = x.secrets.set.Load, out.mask
	x.degradeBy("configuration", cfgErr)
	x.bind()

	ctx := context.Background()
	if err := x.register(ctx); err != nil {
		log.Error("registering", zap.Error(err))
		return 1 // without registration Lambda fails the init, whatever we do
	}
	if cfg.OnErrorClosed && !cfg.Off { // off is off
		if err := errors.Join(cfgErr, x.bound, x.policy.err()); err != nil {
			return x.refuseToStart(ctx, err) // fail-closed, asked for
		}
	}
	if cfg.Off {
		return x.idle(ctx)
	}
	x.subscribe(ctx)
	if cfg.PolicyPath != "" {
		go x.policy.get() // beside the runtime's start; owned by the process
	}
	x.token.begin()
	if err := x.loop(ctx); err != nil {
		log.Error("waiting for the next event", zap.Error(err))
		return 1
	}
	return 0
}

// register makes us known to Lambda. What it answers completes the records.
func (x *extension) register(ctx context.Context) error {
	x.api = &lambdaapi.Client{Addr: x.cfg.RuntimeAPI, Name: filepath.Base(os.Args[0])}
	var err error
	if x.cfg.Off {
		_, err = x.api.Register(ctx, lambdaapi.Shutdown)
		return err
	}
	var f lambdaapi.Function
	f, x.invoked, err = x.api.RegisterAny(ctx, x.cfg.Managed)
	x.function.Store(&f)
	return err
}

// refuseToStart tells Lambda why the function must not run.
func (x *extension) refuseToStart(ctx context.Context, why error) int {
	x.log.Error("refusing to start", zap.Error(why))
	if err := x.api.InitError(ctx, "Extension.GatehouseConfig", x.maskOwn(why.Error())); err != nil {
		x.log.Error("telling lambda", zap.Error(err))
	}
	return 1
}

// idle waits for the end and does nothing: GATEHOUSE=off. The egress port still
// tunnels, because a function may depend on it.
func (x *extension) idle(ctx context.Context) int {
	if _, err := x.api.Next(ctx); err != nil {
		x.log.Error("waiting for the next event", zap.Error(err))
		return 1
	}
	return 0
}

// subscribe asks for telemetry; without it we go on, and say so.
func (x *extension) subscribe(ctx context.Context) {
	if len(x.cfg.Telemetry) == 0 || x.telemetryPort == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	_, err := x.api.Subscribe(ctx, lambdaapi.Subscription{Types: x.cfg.Telemetry, Port: x.telemetryPort})
	x.telemetry.Store(err == nil)
	x.degradeBy("telemetry", err)
}

// degradeBy notes what does not work as configured; nil is nothing. It is said
// once in the log, where somebody who set it up looks first, and in the health
// record.
func (x *extension) degradeBy(what string, err error) {
	if err == nil {
		return
	}
	x.log.Warn("degraded", zap.String("what", what), zap.Error(err))
	x.mu.Lock()
	defer x.mu.Unlock()
	x.degraded = append(x.degraded, record.Degradation{What: what, Reason: fmt.Sprint(err)})
}
