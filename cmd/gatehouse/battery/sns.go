package battery

import (
	"encoding/json"
	"fmt"
)

// envelope is the event that Lambda delivers for an SNS topic:
// https://docs.aws.amazon.com/lambda/latest/dg/with-sns.html
type envelope struct {
	Records [1]notification `json:"Records"`
}

type notification struct {
	EventVersion         string  `json:"EventVersion"`
	EventSubscriptionArn string  `json:"EventSubscriptionArn"`
	EventSource          string  `json:"EventSource"`
	Sns                  content `json:"Sns"`
}

type content struct {
	SignatureVersion  string         `json:"SignatureVersion"`
	Timestamp         string         `json:"Timestamp"`
	Signature         string         `json:"Signature"`
	SigningCertURL    string         `json:"SigningCertUrl"`
	MessageID         string         `json:"MessageId"`
	Message           string         `json:"Message"`
	MessageAttributes map[string]any `json:"MessageAttributes"`
	Type              string         `json:"Type"`
	UnsubscribeURL    string         `json:"UnsubscribeUrl"`
	TopicArn          string         `json:"TopicArn"`
	Subject           *string        `json:"Subject"`
}

const (
	topic        = "arn:aws:sns:us-east-1:123456789012:orders"
	subscription = topic + ":21be56ed-a058-49f5-8c98-aedd2564c486"
	service      = "https://sns.us-east-1.amazonaws.com/"
)

// SNS returns the event in which a topic delivers message under the given id.
// Everything else in it is the same each time. Bytes of message that are not
// UTF-8 become U+FFFD, because JSON cannot carry them.
func SNS(message, id string) []byte {
	event, err := json.Marshal(envelope{[1]notification{{
		EventVersion:         "1.0",
		EventSubscriptionArn: subscription,
		EventSource:          "aws:sns",
		Sns: content{
			SignatureVersion:  "1",
			Timestamp:         "2026-01-15T09:30:00.000Z",
			Signature:         "bWFkZSB1cDsgc2lnbmVkIGJ5IG5vYm9keQ==",
			SigningCertURL:    service + "SimpleNotificationService-0000000000000000000000.pem",
			MessageID:         id,
			Message:           message,
			MessageAttributes: map[string]any{},
			Type:              "Notification",
			UnsubscribeURL:    service + "?Action=Unsubscribe&SubscriptionArn=" + subscription,
			TopicArn:          topic,
		},
	}}})
	if err != nil {
		panic(fmt.Sprintf("battery: strings alone do not marshal: %v", err))
	}
	return event
}
