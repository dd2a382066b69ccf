package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"

	"gatehouse/internal/detect/attack"
	"gatehouse/internal/policy"
)

var errSnapStart = errors.New("TLS is not inspected under SnapStart, where all sandboxes that are restored from one snapshot would have the same CA: " +
	"set egress.inspect.snapstart to have it all the same")

// lazyPolicy reads the policy when it is first asked for, so that it costs the
// start nothing: beside the runtime's start, or before the first event.
type lazyPolicy struct {
	cfg     *config
	degrade func(what string, err error)

	once   sync.Once
	ready  atomic.Pointer[policy.Policy]
	failed error
}

// loaded returns the policy if somebody has loaded it already, else nil.
func (l *lazyPolicy) loaded() *policy.Policy { return l.ready.Load() }

// get returns the policy, with what the environment overrides. A broken one is
// reported and the shipped default holds (fail-open; GATEHOUSE_ON_ERROR=closed
// does not start at all).
func (l *lazyPolicy) get() *policy.Policy {
	l.once.Do(func() {
		p, err := l.read()
		if err != nil {
			l.failed = err
			l.degrade("policy", err)
			p = policy.Default()
		}
		for _, unknown := range p.UnknownRules(attack.RuleIDs()) {
			l.degrade("policy", errors.New(unknown))
		}
		overridden := *p
		overridden.Region = l.cfg.Region
		if l.cfg.Mode != "" {
			overridden.Mode = l.cfg.Mode
		}
		if l.cfg.InspectTLS != nil {
			overridden.InspectTLS = *l.cfg.InspectTLS
		}
		if l.cfg.SnapStart && overridden.InspectTLS && !overridden.InspectSnapStart {
			overridden.InspectTLS = false
			l.degrade("inspect", errSnapStart)
		}
		l.ready.Store(&overridden)
	})
	return l.ready.Load()
}

func (l *lazyPolicy) read() (*policy.Policy, error) {
	if l.cfg.PolicyPath == "" {
		return policy.Default(), nil
	}
	text, err := os.ReadFile(l.cfg.PolicyPath)
	if err != nil {
		return nil, fmt.Errorf("GATEHOUSE_POLICY: %w", err)
	}
	p, err := policy.Parse(text, attack.Sources...)
	if err != nil {
		return nil, fmt.Errorf("GATEHOUSE_POLICY: %s: %w", l.cfg.PolicyPath, err)
	}
	return p, nil
}

// err waits for the policy and says what was wrong with it.
func (l *lazyPolicy) err() error {
	l.get()
	return l.failed
}

// inspectsTLS says, before register, whether the wrapper must make the function
// trust our CA. Only a policy that speaks of TLS has to be parsed for it.
func (l *lazyPolicy) inspectsTLS() bool {
	if l.cfg.InspectTLS != nil {
		return *l.cfg.InspectTLS && (!l.cfg.SnapStart || l.get().InspectTLS)
	}
	if l.cfg.PolicyPath == "" {
		return false
	}
	text, err := os.ReadFile(l.cfg.PolicyPath)
	if err != nil || !strings.Contains(string(text), "tls") {
		return false
	}
	return l.get().InspectTLS
}
