package emulator

import (
	"encoding/json"
	"net/http"
)

// apis is the one server for all that a process in the sandbox can call.
func (l *Lambda) apis() http.Handler {
	mux := http.NewServeMux()
	handle := func(pattern string, h func(*sandbox, http.ResponseWriter, *http.Request)) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			s := l.current()
			if s == nil {
				refuse(w, http.StatusForbidden, "InvalidStateTransition", "the sandbox is gone")
				return
			}
			h(s, w, r)
		})
	}
	mux.HandleFunc("GET /2018-06-01/ping", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte("pong")) // the client went away
	})
	handle("GET /2018-06-01/runtime/invocation/next", (*sandbox).handleNext)
	handle("POST /2018-06-01/runtime/invocation/{id}/response", (*sandbox).handleResponse)
	handle("POST /2018-06-01/runtime/invocation/{id}/error", (*sandbox).handleError)
	handle("POST /2018-06-01/runtime/init/error", (*sandbox).handleInitError)
	handle("POST /2020-01-01/extension/register", (*sandbox).handleRegister)
	handle("GET /2020-01-01/extension/event/next", (*sandbox).handleEventNext)
	handle("POST /2020-01-01/extension/init/error", (*sandbox).handleExtensionInitError)
	handle("POST /2020-01-01/extension/exit/error", (*sandbox).handleExtensionExitError)
	handle("PUT /2022-07-01/telemetry", (*sandbox).handleTelemetry)
	if !l.cfg.managed() {
		handle("PUT /2020-08-15/logs", (*sandbox).handleLogs)
	}
	return mux
}

// refuse answers with an error in Lambda's form.
func refuse(w http.ResponseWriter, status int, errorType, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(errorBody(errorType, message)) // the client went away
}

func reply(w http.ResponseWriter, status int, body any) {
	b, err := json.Marshal(body)
	if err != nil {
		refuse(w, http.StatusInternalServerError, "InternalServerError", "Internal Server Error")
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(b) // the client went away
}

func accept(w http.ResponseWriter) {
	reply(w, http.StatusAccepted, map[string]string{"status": "OK"})
}
