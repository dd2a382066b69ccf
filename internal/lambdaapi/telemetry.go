package lambdaapi

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// Schemas are the versions of the Telemetry API's schema, newest first. Managed
// instances have only the first.
var Schemas = [...]string{"2025-01-29", "2022-12-13", "2022-07-01"}

// Subscription says what telemetry is wanted, and where.
type Subscription struct {
	// Types are platform, function and extension.
	Types []string
	// Port is where the extension listens, on sandbox.localdomain.
	Port int
	// MaxItems (1000 to 10000), MaxBytes (262144 to 1048576) and TimeoutMS (25 to
	// 30000) bound Lambda's buffering; 0 takes 1000, 262144 and 25.
	MaxItems, MaxBytes, TimeoutMS int
}

// Subscribe asks for telemetry, with the newest schema that Lambda accepts, and
// returns it. It must come after Register and before the first Next. Only a
// status of 200 means subscribed: everything else is ErrNotSubscribed.
func (c *Client) Subscribe(ctx context.Context, s Subscription) (schema string, err error) {
	for _, schema = range Schemas {
		err = c.subscribe(ctx, schema, s)
		if err == nil {
			return schema, nil
		}
		var e *StatusError
		if !errors.As(err, &e) || e.Status != http.StatusBadRequest {
			break
		}
	}
	return "", fmt.Errorf("%w: %w", ErrNotSubscribed, err)
}

func (c *Client) subscribe(ctx context.Context, schema string, s Subscription) error {
	// Written by hand: reflection costs a cold start more than a request does.
	body := fmt.Sprintf(`{"schemaVersion":"%s","types":["%s"],`+
		`"buffering":{"maxItems":%d,"maxBytes":%d,"timeoutMs":%d},`+
		`"destination":{"protocol":"HTTP","URI":"http://sandbox.localdomain:%d/"}}`,
		schema, strings.Join(s.Types, `","`),
		or(s.MaxItems, 1000), or(s.MaxBytes, 262144), or(s.TimeoutMS, 25), s.Port)
	req, err := c.request(ctx, http.MethodPut, telemetryPath, []byte(body))
	if err != nil {
		return err
	}
	res, answer, err := c.do(req, "telemetry")
	if err != nil {
		return err
	}
	if res.StatusCode != http.StatusOK {
		return statusError("telemetry", res.StatusCode, answer)
	}
	return nil
}

func or(n, def int) int {
	if n == 0 {
		return def
	}
	return n
}
