package lambdaapi_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/lambdaapi"
)

// serve answers with the given handler and returns a client for it.
func serve(t *testing.T, h http.HandlerFunc) *lambdaapi.Client {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return &lambdaapi.Client{Addr: strings.TrimPrefix(s.URL, "http://"), Name: "gatehouse"}
}

func TestRegister(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		switch {
		case r.URL.Path == "/2020-01-01/extension/register" && r.Method == http.MethodPost:
			if r.Header.Get("Lambda-Extension-Name") != "gatehouse" || r.Header.Get("Lambda-Extension-Accept-Feature") != "accountId" ||
				string(body) != `{"events":["INVOKE","SHUTDOWN"]}` {
				t.Errorf("register with %v %s", r.Header, body)
			}
			w.Header().Set("Lambda-Extension-Identifier", "an-id")
			_, _ = io.WriteString(w, `{"functionName":"f","functionVersion":"$LATEST","handler":"h","accountId":"123456789012"}`)
		case r.Header.Get("Lambda-Extension-Identifier") != "an-id":
			t.Errorf("%s without the identifier", r.URL.Path)
		default:
			_, _ = io.WriteString(w, `{"eventType":"INVOKE","deadlineMs":1700000000123,"requestId":"r","invokedFunctionArn":"arn","tracing":{"type":"X-Amzn-Trace-Id","value":"Root=1"}}`)
		}
	})
	f, invoke, err := c.RegisterAny(t.Context(), false)
	if err != nil || !invoke || f.AccountID != "123456789012" || f.Name != "f" {
		t.Fatalf("RegisterAny = %+v, %v, %v", f, invoke, err)
	}
	e, err := c.Next(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if e.Type != lambdaapi.Invoke || e.RequestID != "r" || e.Tracing.Value != "Root=1" || !e.Deadline().Equal(time.UnixMilli(1700000000123)) {
		t.Errorf("Next = %+v", e)
	}
}

func TestRegisterWhereInvokeIsNotOffered(t *testing.T) {
	var tries []string
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		tries = append(tries, string(body))
		if strings.Contains(string(body), "INVOKE") {
			w.WriteHeader(http.StatusForbidden)
			_, _ = io.WriteString(w, `{"errorMessage":"INVOKE: ErrorInvalidEventType","errorType":"Extension.InvalidEventType"}`)
			return
		}
		_, _ = io.WriteString(w, `{}`)
	})
	if _, invoke, err := c.RegisterAny(t.Context(), false); err != nil || invoke || len(tries) != 2 {
		t.Errorf("invoke %v, error %v, tries %q", invoke, err, tries)
	}
	tries = nil
	if _, _, err := c.RegisterAny(t.Context(), true); err != nil || len(tries) != 1 || tries[0] != `{"events":["SHUTDOWN"]}` {
		t.Errorf("managed: error %v, tries %q", err, tries)
	}
}

// A wrong name gives a refusal of the same type. It must not be taken for a
// managed instance.
func TestRegisterUnderAWrongName(t *testing.T) {
	tries := 0
	c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		tries++
		w.WriteHeader(http.StatusForbidden)
		_, _ = io.WriteString(w, `{"errorMessage":"SHUTDOWN: ShutdownEventNotSupportedForInternalExtension","errorType":"Extension.InvalidEventType"}`)
	})
	_, _, err := c.RegisterAny(t.Context(), false)
	var status *lambdaapi.StatusError
	if !errors.As(err, &status) || status.Status != 403 || errors.Is(err, lambdaapi.ErrInvalidEventType) || tries != 1 {
		t.Errorf("error %v after %d tries", err, tries)
	}
}

func TestSubscribe(t *testing.T) {
	tests := []struct {
		name    string
		refused int // how many schemas get 400
		status  int // what the others get
		want    string
		tries   int
	}{
		{"newest", 0, 200, "2025-01-29", 1},
		{"an older one", 1, 200, "2022-12-13", 2},
		{"the oldest", 2, 200, "2022-07-01", 3},
		{"none", 3, 200, "", 3},
		{"an emulator without telemetry", 0, 202, "", 1},
		{"window closed", 0, 403, "", 1},
		{"broken", 0, 500, "", 1},
	}
	for _, tt := range tests {
		tries := 0
		c := serve(t, func(w http.ResponseWriter, r *http.Request) {
			tries++
			var s struct {
				Destination struct{ URI string }
				Types       []string
			}
			if err := json.NewDecoder(r.Body).Decode(&s); err != nil || r.Method != http.MethodPut || r.URL.Path != "/2022-07-01/telemetry" ||
				s.Destination.URI != "http://sandbox.localdomain:18792/" || fmt.Sprint(s.Types) != "[platform]" {
				t.Errorf("%s: %s %s %+v", tt.name, r.Method, r.URL.Path, s)
			}
			if tries <= tt.refused {
				w.WriteHeader(http.StatusBadRequest)
				return
			}
			w.WriteHeader(tt.status)
		})
		got, err := c.Subscribe(t.Context(), lambdaapi.Subscription{Types: []string{"platform"}, Port: 18792})
		if got != tt.want || tries != tt.tries || (err == nil) != (tt.want != "") {
			t.Errorf("%s: schema %q after %d tries, error %v", tt.name, got, tries, err)
		}
		if err != nil && !errors.Is(err, lambdaapi.ErrNotSubscribed) {
			t.Errorf("%s: %v is not ErrNotSubscribed", tt.name, err)
		}
	}
}

func TestErrorsAreTold(t *testing.T) {
	var got []string
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		got = append(got, r.URL.Path+" "+r.Header.Get("Lambda-Extension-Function-Error-Type"))
		w.WriteHeader(http.StatusAccepted)
	})
	if err := errors.Join(c.InitError(t.Context(), "Extension.A", "x"), c.ExitError(t.Context(), "Extension.B", "y")); err != nil {
		t.Fatal(err)
	}
	want := "[/2020-01-01/extension/init/error Extension.A /2020-01-01/extension/exit/error Extension.B]"
	if fmt.Sprint(got) != want {
		t.Errorf("told %v, want %v", got, want)
	}
}
