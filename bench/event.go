package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
)

// event makes an SQS event of about size bytes: records with JSON inside, as
// services send them, all of it harmless. Equal sizes give equal events.
func event(size int) []byte {
	dice := rand.New(rand.NewPCG(1, uint64(size)))
	var records []any
	for length := 16; length < size; {
		record := message(dice, min(size-length, 4<<10))
		text, err := json.Marshal(record)
		if err != nil {
			panic(err) // maps and strings always have a JSON form
		}
		records = append(records, record)
		length += len(text) + 1
	}
	body, err := json.Marshal(map[string]any{"Records": records})
	if err != nil {
		panic(err) // as above
	}
	return body
}

// message is one record of about size bytes.
func message(dice *rand.Rand, size int) map[string]any {
	const rest = 420 // bytes of a record beside its text
	order, err := json.Marshal(map[string]any{
		"order": dice.IntN(1e6), "customer": words(dice, 12), "note": words(dice, max(8, size-rest)),
	})
	if err != nil {
		panic(err) // as above
	}
	return map[string]any{
		"messageId": fmt.Sprintf("%08x-90ab-cdef-1234-567890abcdef", dice.Uint32()),
		"body":      string(order), "eventSource": "aws:sqs", "awsRegion": "eu-central-1",
		"eventSourceARN": "arn:aws:sqs:eu-central-1:123456789012:orders",
		"attributes":     map[string]string{"ApproximateReceiveCount": "1", "SentTimestamp": "1545082649183"},
	}
}

// vocabulary is what letters from customers are made of.
var vocabulary = strings.Fields(`the order please send invoice to my new address at Lindenweg 7 before Friday
	thank you we could not find parcel number 4711 it says delivered and nobody was home can I select
	another colour or update the delivery date from Monday where is it insert the coin drop it at the door`)

// words is text of about size bytes.
func words(dice *rand.Rand, size int) string {
	var b strings.Builder
	for b.Len() < size {
		b.WriteString(vocabulary[dice.IntN(len(vocabulary))])
		b.WriteByte(' ')
	}
	return strings.TrimSpace(b.String())
}
