package policy

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"
)

func (r *reader) egress(n *yaml.Node, key string) {
	p := r.policy
	allowed := []word[bool]{{"allow", false}, {"deny", true}}
	r.mapping(n, key, []field{
		{"default", choice(r, &p.file.denyByDefault, allowed...)},
		{"init", choice(r, &p.file.denyInit, allowed...)},
		{"hosts", r.hosts},
		{"private_addresses", choice(r, &p.DenyPrivate, allowed...)},
		{"builtin_lists", r.builtinLists},
		{"lookalikes", choice(r, &p.Lookalikes, word[ListAnswer]{"allow", ListAllow}, word[ListAnswer]{"monitor", ListMonitor}, word[ListAnswer]{"refuse", ListRefuse})},
		{"rules", r.rules},
		{"inspect", r.inspect},
		{"event_data", r.eventData},
	})
}

func (r *reader) eventData(n *yaml.Node, key string) {
	p := r.policy
	words := []word[EventData]{{"allow", EventDataAllow}, {"monitor", EventDataMonitor}, {"refuse", EventDataRefuse}}
	r.mapping(n, key, []field{
		{"host", choice(r, &p.HostFromEvent, words...)},
		{"request", choice(r, &p.EventData, words...)},
		{"hosts", func(n *yaml.Node, key string) { p.file.eventDataHosts = r.hostPatterns(n, key) }},
	})
}

func (r *reader) builtinLists(n *yaml.Node, key string) {
	words := []word[ListAnswer]{{"allow", ListAllow}, {"monitor", ListMonitor}, {"refuse", ListRefuse}}
	r.mapping(n, key, []field{
		{"tier1", choice(r, &r.policy.TierOne, words...)},
		{"tier2", choice(r, &r.policy.TierTwo, words...)},
	})
}

func (r *reader) inspect(n *yaml.Node, key string) {
	r.mapping(n, key, []field{
		{"tls", choice(r, &r.policy.InspectTLS, word[bool]{"true", true}, word[bool]{"false", false})},
		{"bypass", func(n *yaml.Node, key string) { r.policy.file.bypass = r.hostPatterns(n, key) }},
		{"snapstart", choice(r, &r.policy.InspectSnapStart, word[bool]{"true", true}, word[bool]{"false", false})},
	})
}

// hosts reads egress.hosts: a name, or an address, and where it is dialled.
func (r *reader) hosts(n *yaml.Node, key string) {
	r.entries(n, key, func(name, to *yaml.Node) {
		host := value(r, name, key, name.Value, parseHost)
		if host.any || host.suffix != "" || host.aws || host.tenant.service != "" || host.net.IsValid() && !host.net.IsSingleIP() {
			r.fail(name, key, "wants one host, not the pattern %s", quote(name.Value))
		}
		at := join(key, name.Value)
		if text, ok := r.text(to, at, errAddress.Error()); ok {
			put(&r.policy.file.hosts, canonical(name.Value), value(r, to, at, text, parseAddress))
		}
	})
}

func (r *reader) hostPatterns(n *yaml.Node, key string) (hosts []hostPattern) {
	for i, item := range r.items(n, key) {
		at := key
		if n.Kind == yaml.SequenceNode {
			at = fmt.Sprintf("%s[%d]", key, i)
		}
		if text, ok := r.text(item, at, errHost.Error()); ok {
			host := value(r, item, at, text, parseHost)
			if t := host.tenant.service; t != "" && !strings.HasPrefix(key, "egress.rules[") {
				r.fail(item, at, "a tenant is told by what is asked of a host, so it can stand in egress.rules alone, not here: %s", quote(text))
			}
			hosts = append(hosts, host)
		}
	}
	return hosts
}

func (r *reader) rules(n *yaml.Node, key string) {
	for i, item := range r.items(n, key) {
		at := fmt.Sprintf("%s[%d]", key, i)
		var one rule
		var deny bool
		verdict := func(isDeny bool) func(*yaml.Node, string) {
			return func(n *yaml.Node, key string) {
				deny, one.hosts = isDeny, r.hostPatterns(n, key)
				r.notEmpty(n, key)
			}
		}
		given := r.mapping(item, at, []field{
			{"allow", verdict(false)},
			{"deny", verdict(true)},
			{"ports", each(r, &one.ports, parsePorts)},
			{"methods", each(r, &one.methods, parseMethod)},
			{"paths", each(r, &one.paths, parseRequestPath)},
			{"phases", each(r, &one.phases, parsePhase)},
			{"sources", each(r, &one.sources, r.sourceName)},
			{"reason", func(n *yaml.Node, key string) { one.reason, _ = r.text(n, key, "wants words") }},
		})
		if slices.Contains(given, "allow") == slices.Contains(given, "deny") {
			r.fail(item, at, "wants either allow or deny")
		}
		if one.reason == "" {
			one.reason = asWritten(item)
		}
		if deny {
			r.policy.file.deny = append(r.policy.file.deny, one)
		} else {
			r.policy.file.allow = append(r.policy.file.allow, one)
		}
	}
}

// notEmpty notes a condition without a value: it would hold always, which is
// hardly what was meant.
func (r *reader) notEmpty(n *yaml.Node, key string) {
	if empty(n) || n.Kind == yaml.SequenceNode && len(n.Content) == 0 {
		r.fail(n, key, "is empty; leave it out or give a value")
	}
}

// each reads the values of a condition with parse.
func each[T any](r *reader, into *[]T, parse func(string) (T, error)) func(*yaml.Node, string) {
	return func(n *yaml.Node, key string) {
		r.notEmpty(n, key)
		for i, item := range r.items(n, key) {
			at := key
			if n.Kind == yaml.SequenceNode {
				at = fmt.Sprintf("%s[%d]", key, i)
			}
			if text, ok := r.text(item, at, "wants a value"); ok {
				*into = append(*into, value(r, item, at, text, parse))
			}
		}
	}
}

var (
	errPorts  = errors.New("wants a port from 1 to 65535, or a range: 8000-8100")
	errMethod = errors.New("wants an HTTP method")
	errTarget = errors.New("wants a path that begins with / and is not escaped, without query, // or ..; * at its end stands for anything")
	errPhase  = errors.New("wants init, invoke, after_response or shutdown")
)

func parsePorts(text string) (portRange, error) {
	low, high, ranged := strings.Cut(text, "-")
	if !ranged {
		high = low
	}
	from, err1 := strconv.ParseUint(low, 10, 16)
	to, err2 := strconv.ParseUint(high, 10, 16)
	if err1 != nil || err2 != nil || from == 0 || from > to {
		return portRange{}, errPorts
	}
	return portRange{int(from), int(to)}, nil
}

func parseMethod(text string) (string, error) {
	if !of(strings.ToLower(text), "-_") {
		return "", errMethod
	}
	return strings.ToUpper(text), nil
}

func parseRequestPath(text string) (string, error) {
	plain := strings.TrimSuffix(text, "*")
	if !strings.HasPrefix(plain, "/") || len(text) > maxPath || strings.ContainsAny(plain, "*?#%") || clean(plain) != plain {
		return "", errTarget
	}
	return text, nil
}

func parsePhase(text string) (string, error) {
	switch text {
	case "init", "invoke", "after_response", "shutdown":
		return text, nil
	}
	return "", errPhase
}

// maxWritten bounds what asWritten shows of a rule, in characters.
const maxWritten = 200

// asWritten shows a rule in one line: "deny *.example, ports 25 (line 7)".
func asWritten(n *yaml.Node) string {
	var b strings.Builder
	for i := 0; n.Kind == yaml.MappingNode && i+1 < len(n.Content); i += 2 {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(n.Content[i].Value)
		for _, v := range append([]*yaml.Node{n.Content[i+1]}, n.Content[i+1].Content...) {
			if v.Kind == yaml.ScalarNode {
				b.WriteString(" " + v.Value)
			}
		}
	}
	return fmt.Sprintf("%.*s (line %d)", maxWritten, b.String(), n.Line)
}
