package console

import (
	"encoding/json"
	"errors"
	"net/http"
)

// reply is what HEC answers. Its texts and codes are Splunk's, verbatim.
type reply struct {
	Text string `json:"text"`
	Code int    `json:"code"`
	// Invalid numbers the offending event from 0: those before it are stored,
	// it and those after it are not.
	Invalid *int    `json:"invalid-event-number,omitempty"`
	AckID   *uint64 `json:"ackId,omitempty"`

	status int
}

// HEC's replies that this collector gives.
var (
	replySuccess        = reply{status: http.StatusOK, Code: 0, Text: "Success"}
	replyNoToken        = reply{status: http.StatusUnauthorized, Code: 2, Text: "Token is required"}
	replyBadScheme      = reply{status: http.StatusUnauthorized, Code: 3, Text: "Invalid authorization"}
	replyBadToken       = reply{status: http.StatusForbidden, Code: 4, Text: "Invalid token"}
	replyNoData         = reply{status: http.StatusBadRequest, Code: 5, Text: "No data"}
	replyFormat         = reply{status: http.StatusBadRequest, Code: 6, Text: "Invalid data format"}
	replyInternal       = reply{status: http.StatusInternalServerError, Code: 8, Text: "Internal server error"}
	replyBusy           = reply{status: http.StatusServiceUnavailable, Code: 9, Text: "Server is busy"}
	replyNoChannel      = reply{status: http.StatusBadRequest, Code: 10, Text: "Data channel is missing"}
	replyBadChannel     = reply{status: http.StatusBadRequest, Code: 11, Text: "Invalid data channel"}
	replyNoEvent        = reply{status: http.StatusBadRequest, Code: 12, Text: "Event field is required"}
	replyBlankEvent     = reply{status: http.StatusBadRequest, Code: 13, Text: "Event field cannot be blank"}
	replyNoACK          = reply{status: http.StatusBadRequest, Code: 14, Text: "ACK is disabled"}
	replyFields         = reply{status: http.StatusBadRequest, Code: 15, Text: "Error in handling indexed fields"}
	replyQueryToken     = reply{status: http.StatusBadRequest, Code: 16, Text: "Query string authorization is not enabled"}
	replyHealthy        = reply{status: http.StatusOK, Code: 17, Text: "HEC is healthy"}
	replyNotFound       = reply{status: http.StatusNotFound, Code: 404, Text: "The requested URL was not found on this server."}
	replyBadMethod      = reply{status: http.StatusMethodNotAllowed, Code: 404, Text: replyNotFound.Text}
	replyTooLarge       = reply{status: http.StatusRequestEntityTooLarge, Code: 413, Text: "Request entity too large"}
	replyTooManyPending = reply{status: http.StatusTooManyRequests, Code: 27,
		Text: "HEC ACK channel is at capacity and cannot process any more requests"}
)

// write sends r.
func (r reply) write(w http.ResponseWriter) {
	body, err := json.Marshal(r)
	if err != nil {
		panic(err) // a struct of strings and numbers
	}
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(r.status)
	_, _ = w.Write(body) // the client is gone: nobody to tell
}

// at names the offending event.
func (r reply) at(n int) reply {
	r.Invalid = &n
	return r
}

// replyOf maps what was wrong with event n to its reply.
func replyOf(err error, n int) reply {
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return replyTooLarge
	case errors.Is(err, errStore):
		return replyInternal
	case errors.Is(err, errNoEvent):
		return replyNoEvent.at(n)
	case errors.Is(err, errBlankEvent):
		return replyBlankEvent.at(n)
	case errors.Is(err, errFields):
		return replyFields.at(n)
	}
	return replyFormat.at(n)
}
