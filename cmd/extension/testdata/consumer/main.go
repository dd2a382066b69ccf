// Command consumer is a function that reads batches with AWS's own types. It
// prints what it got, and fails where a message says so.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
)

func handle(event json.RawMessage) (any, error) {
	if strings.Contains(string(event), "aws:kinesis") {
		return stream(event)
	}
	return queue(event)
}

func queue(event json.RawMessage) (any, error) {
	var e events.SQSEvent
	if err := json.Unmarshal(event, &e); err != nil {
		return nil, err
	}
	var failures []events.SQSBatchItemFailure
	for _, m := range e.Records {
		fmt.Printf("got %s %s\n", m.MessageId, m.Body)
		switch m.Body {
		case "fail":
			failures = append(failures, events.SQSBatchItemFailure{ItemIdentifier: m.MessageId})
		case "error":
			return nil, errors.New("no such order")
		case "silent":
			return nil, nil
		}
	}
	return events.SQSEventResponse{BatchItemFailures: failures}, nil
}

func stream(event json.RawMessage) (any, error) {
	var e events.KinesisEvent
	if err := json.Unmarshal(event, &e); err != nil {
		return nil, err
	}
	for _, r := range e.Records {
		fmt.Printf("got %s %s\n", r.Kinesis.PartitionKey, r.Kinesis.Data)
	}
	return events.KinesisEventResponse{}, nil
}

func main() { lambda.Start(handle) }
