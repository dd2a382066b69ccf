package emulator

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
)

// Headers of the Extensions API,
// https://docs.aws.amazon.com/lambda/latest/dg/runtimes-extensions-api.html.
const (
	headerExtensionName  = "Lambda-Extension-Name"
	headerExtensionID    = "Lambda-Extension-Identifier"
	headerExtensionError = "Lambda-Extension-Function-Error-Type"
	headerEventID        = "Lambda-Extension-Event-Identifier"
	headerAcceptFeature  = "Lambda-Extension-Accept-Feature"
)

// maxRegistration bounds a registration's body, in bytes.
const maxRegistration = 64 * 1024

// registration is the body of POST /2020-01-01/extension/register.
type registration struct {
	Events            []string `json:"events"`
	ConfigurationKeys []string `json:"configurationKeys"`
}

func parseRegistration(body []byte) (*registration, error) {
	var reg registration
	if err := json.Unmarshal(body, &reg); err != nil {
		return nil, err
	}
	if len(reg.ConfigurationKeys) > 0 {
		return nil, fmt.Errorf("configurationKeys are deprecated; use environment variables instead")
	}
	return &reg, nil
}

func (s *sandbox) handleRegister(w http.ResponseWriter, r *http.Request) {
	name := r.Header.Get(headerExtensionName)
	if name == "" {
		refuse(w, http.StatusForbidden, "Extension.InvalidExtensionName", "Empty extension name")
		return
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxRegistration))
	if err != nil {
		refuse(w, http.StatusForbidden, "InvalidRequestFormat", err.Error())
		return
	}
	reg, err := parseRegistration(body)
	if err != nil {
		refuse(w, http.StatusForbidden, "InvalidRequestFormat", err.Error())
		return
	}
	e, refused := s.register(name, reg.Events)
	if refused != nil {
		refuse(w, http.StatusForbidden, refused.kind, refused.message)
		return
	}
	w.Header().Set(headerExtensionID, e.id)
	reply(w, http.StatusOK, s.registered(r.Header.Get(headerAcceptFeature)))
}

// registered is the answer to a registration.
func (s *sandbox) registered(features string) any {
	answer := struct {
		FunctionName    string `json:"functionName"`
		FunctionVersion string `json:"functionVersion"`
		Handler         string `json:"handler"`
		AccountID       string `json:"accountId,omitempty"`
	}{FunctionName: s.cfg.FunctionName, FunctionVersion: version, Handler: s.cfg.Handler}
	for feature := range strings.SplitSeq(features, ",") {
		if strings.TrimSpace(feature) == "accountId" {
			answer.AccountID = accountID
		}
	}
	return answer
}

// register makes the extension of that name registered. A name that was not
// started is taken for an extension inside the runtime.
func (s *sandbox) register(name string, events []string) (*extension, *fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.extensions, func(e *extension) bool { return e.name == name })
	internal := i < 0 || s.extensions[i].internal
	if refused := s.checkEvents(events, internal); refused != nil {
		return nil, refused
	}
	switch {
	case i >= 0 && internal:
		return nil, &fault{kind: "Extension.InvalidExtensionState", message: "Extension with this name already registered"}
	case i >= 0 && s.extensions[i].state != stateStarted:
		return nil, s.extensions[i].refuse(stateRegistered)
	case internal && s.registrationClosed:
		return nil, &fault{kind: "Extension.RegistrationClosed", message: "Extension registration closed already"}
	case internal && len(s.extensions) >= maxExtensions:
		return nil, &fault{kind: "Extension.TooManyExtensions", message: fmt.Sprintf("Extension limit (%d) reached", maxExtensions)}
	case internal:
		s.extensions = append(s.extensions, &extension{name: name, internal: true})
		i = len(s.extensions) - 1
	}
	e := s.extensions[i]
	e.id, e.events, e.state = newUUID(), slices.Sorted(slices.Values(events)), stateRegistered
	s.notify()
	return e, nil
}

// checkEvents refuses events that this kind of extension cannot have here.
func (s *sandbox) checkEvents(events []string, internal bool) *fault {
	for _, event := range events {
		reason := ""
		switch {
		case event == eventShutdown && internal:
			reason = "ShutdownEventNotSupportedForInternalExtension"
		case event == eventInvoke && s.cfg.managed(), event != eventInvoke && event != eventShutdown:
			reason = "ErrorInvalidEventType"
		}
		if reason != "" {
			return &fault{kind: "Extension.InvalidEventType", message: event + ": " + reason}
		}
	}
	return nil
}

// refuse says that e cannot go to the given state from where it is.
func (e *extension) refuse(to extensionState) *fault {
	return &fault{kind: "Extension.InvalidExtensionState", message: fmt.Sprintf(
		"State transition from %s to %s failed for extension %s. Error: State transition is not allowed", e.state, to, e.name)}
}

// identify finds the extension that calls, or answers it.
func (s *sandbox) identify(w http.ResponseWriter, r *http.Request) *extension {
	id := r.Header.Get(headerExtensionID)
	if id == "" {
		refuse(w, http.StatusForbidden, "Extension.MissingExtensionIdentifier", "Missing Lambda-Extension-Identifier header")
		return nil
	}
	if !isUUID(id) {
		refuse(w, http.StatusForbidden, "Extension.InvalidExtensionIdentifier", "Invalid Lambda-Extension-Identifier")
		return nil
	}
	if e := s.extension(id); e != nil {
		return e
	}
	refuse(w, http.StatusForbidden, "Extension.UnknownExtensionIdentifier", "Unknown extension "+id)
	return nil
}

func (s *sandbox) extension(id string) *extension {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.extensions {
		if e.id == id {
			return e
		}
	}
	return nil
}

func isUUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i, c := range s {
		dash := i == 8 || i == 13 || i == 18 || i == 23
		if dash != (c == '-') || !dash && !strings.ContainsRune("0123456789abcdefABCDEF", c) {
			return false
		}
	}
	return true
}

// handleEventNext marks the extension as ready and waits for its next event.
func (s *sandbox) handleEventNext(w http.ResponseWriter, r *http.Request) {
	e := s.identify(w, r)
	if e == nil {
		return
	}
	var refused *fault
	s.change(func() {
		switch e.state {
		case stateRegistered, stateReady, stateRunning:
			e.state = stateReady
		default:
			refused = e.refuse(stateReady)
		}
	})
	if refused != nil {
		refuse(w, http.StatusForbidden, refused.kind, refused.message)
		return
	}
	var event *extensionEvent
	_ = s.awaitAnyway(r.Context(), func() bool { // on an error there is no event
		if e.next == nil {
			return false
		}
		event, e.next, e.state = e.next, nil, stateRunning
		return true
	})
	if event == nil {
		return // the extension went away
	}
	w.Header().Set(headerEventID, newUUID())
	reply(w, http.StatusOK, event)
}

func (s *sandbox) handleExtensionInitError(w http.ResponseWriter, r *http.Request) {
	s.giveUp(w, r, stateInitError, stateStarted, stateRegistered, stateInitError)
}

func (s *sandbox) handleExtensionExitError(w http.ResponseWriter, r *http.Request) {
	s.giveUp(w, r, stateExitError, stateRegistered, stateReady, stateRunning, stateExitError)
}

// giveUp notes why an extension is about to exit. The exit has the effect.
func (s *sandbox) giveUp(w http.ResponseWriter, r *http.Request, to extensionState, from ...extensionState) {
	e := s.identify(w, r)
	if e == nil {
		return
	}
	kind := r.Header.Get(headerExtensionError)
	if kind == "" {
		refuse(w, http.StatusForbidden, "Extension.MissingHeader", headerExtensionError+" not found")
		return
	}
	var refused *fault
	s.change(func() {
		if !slices.Contains(from, e.state) {
			refused = e.refuse(to)
			return
		}
		e.state, e.errorType = to, kind
	})
	if refused != nil {
		refuse(w, http.StatusForbidden, refused.kind, refused.message)
		return
	}
	accept(w)
}
