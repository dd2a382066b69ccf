package attack

import (
	"bytes"
	"strings"

	"gatehouse/internal/detect"
)

// maxSourceSteps bounds the look at an event that recognises its source, in
// strings and marks of punctuation.
const maxSourceSteps = 4096

// Sources are the event sources, the first that fits holds. A marker is a path
// pattern that must occur ("requestContext.elb"), or one with the value that the
// string there must have ("Records[0].eventSource=aws:sqs", "*" matches any run
// at either end); all markers of a source must be found. A path pattern is a path
// in which "[]" stands for any index, and "*" at the end of a name for any rest;
// names are compared without regard to case. A source without markers takes what
// is left.
//
// Shapes: https://docs.aws.amazon.com/lambda/latest/dg/lambda-services.html
var Sources = []detect.Source{
	{
		Name: "sns", Form: detect.FormSuccess,
		Markers: []string{"Records[0].EventSource=aws:sns"},
		Trusted: []string{
			"Records[].EventSource", "Records[].EventSubscriptionArn", "Records[].EventVersion",
			"Records[].Sns.Type", "Records[].Sns.MessageId", "Records[].Sns.TopicArn",
			"Records[].Sns.Timestamp", "Records[].Sns.Signature*", "Records[].Sns.SigningCert*",
			"Records[].Sns.Unsubscribe*",
		},
		From: "Records[0].Sns.TopicArn",
	},
	{
		Name: "sqs", Form: detect.FormDrop,
		Markers: []string{"Records[0].eventSource=aws:sqs"},
		Trusted: []string{
			"Records[].messageId", "Records[].receiptHandle", "Records[].attributes.AWSTraceHeader",
			"Records[].attributes.SenderId", "Records[].attributes.*Timestamp", "Records[].attributes.SequenceNumber",
			"Records[].md5Of*", "Records[].eventSource*", "Records[].awsRegion",
		},
		From: "Records[0].attributes.SenderId",
	},
	{
		Name: "s3", Form: detect.FormSuccess,
		Markers: []string{"Records[0].eventSource=aws:s3"},
		Trusted: []string{
			"Records[].eventSource", "Records[].eventVersion", "Records[].eventTime", "Records[].eventName",
			"Records[].awsRegion", "Records[].userIdentity.principalId", "Records[].requestParameters.sourceIPAddress",
			"Records[].responseElements.*", "Records[].s3.bucket.arn", "Records[].s3.object.eTag",
			"Records[].s3.object.versionId", "Records[].s3.object.sequencer",
		},
		From: "Records[0].requestParameters.sourceIPAddress",
	},
	{
		Name: "dynamodb", Form: detect.FormDrop,
		Markers: []string{"Records[0].eventSource=aws:dynamodb"},
		Trusted: []string{
			"Records[].event*", "Records[].awsRegion", "Records[].dynamodb.SequenceNumber",
			"Records[].dynamodb.StreamViewType",
		},
		From: "Records[0].eventSourceARN",
	},
	{
		Name: "kinesis", Form: detect.FormDrop,
		Markers: []string{"Records[0].eventSource=aws:kinesis"},
		Trusted: []string{
			"Records[].event*", "Records[].awsRegion", "Records[].invokeIdentityArn",
			"Records[].kinesis.sequenceNumber", "Records[].kinesis.kinesisSchemaVersion",
		},
		From: "Records[0].eventSourceARN",
	},
	{
		Name: "eventbridge", Form: detect.FormSuccess,
		Markers: []string{"detail-type", "source", "detail", "account"},
		Trusted: []string{"version", "id", "account", "time", "region"},
		From:    "source",
	},
	{
		Name: "apigateway-authorizer", Form: detect.FormDeny,
		Markers: []string{"type", "methodArn"},
		Trusted: httpTrusted,
		From:    "requestContext.identity.sourceIp",
	},
	{
		Name: "apigateway-authorizer", Form: detect.FormDeny,
		Markers: []string{"type", "routeArn"},
		Trusted: httpTrusted,
		From:    "requestContext.http.sourceIp",
	},
	{
		Name: "alb", Form: detect.FormHTTP,
		Markers: []string{"requestContext.elb", "httpMethod"},
		Trusted: httpTrusted,
		From:    "headers.x-forwarded-for",
	},
	{
		Name: "function-url", Form: detect.FormHTTP,
		Markers: []string{"version=2.0", "requestContext.http", "requestContext.domainName=*.lambda-url.*"},
		Trusted: httpTrusted,
		From:    "requestContext.http.sourceIp",
	},
	{
		Name: "apigateway-http", Form: detect.FormHTTP,
		Markers: []string{"version=2.0", "requestContext.http"},
		Trusted: httpTrusted,
		From:    "requestContext.http.sourceIp",
	},
	{
		Name: "apigateway-websocket", Form: detect.FormHTTP,
		Markers: []string{"requestContext.connectionId", "requestContext.eventType"},
		Trusted: httpTrusted,
		From:    "requestContext.identity.sourceIp",
	},
	{
		Name: "apigateway-rest", Form: detect.FormHTTP,
		Markers: []string{"httpMethod", "requestContext", "resource"},
		Trusted: httpTrusted,
		From:    "requestContext.identity.sourceIp",
	},
	{Name: "direct", Form: detect.FormError},
}

// httpTrusted are the parts of an HTTP event that AWS alone fills. No header is
// among them: a client sends whatever it likes as Accept-Language, Via or
// X-Amzn-Trace-Id, and functions put those into SQL too. Nor is an authorizer's
// ARN, which ends in the path that was asked for.
var httpTrusted = []string{
	"requestContext.protocol", "requestContext.requestId", "requestContext.extendedRequestId",
	"requestContext.connectionId", "requestContext.messageId", "requestContext.requestTime",
	"requestContext.elb.targetGroupArn",
}

// sourceOf recognises where event comes from.
func sourceOf(event []byte) *detect.Source {
	var found [32]uint8 // per source, a bit for each marker
	var s scanner
	var frames [8]frame
	var arrays [1]uint64
	s.frames, s.arrays = frames[:0], arrays[:0]
	s.reset(event, false)
	s.skim, s.steps = true, maxSourceSteps
	var item str
	for s.next(&item) {
		if len(s.frames) == 0 || len(s.frames) > 3 {
			continue
		}
		if i := markSources(&found, &s, &item); i == 0 {
			break
		}
	}
	for i := range Sources {
		if found[i] == allMarkers(&Sources[i]) {
			return &Sources[i]
		}
	}
	return &Sources[len(Sources)-1]
}

func allMarkers(s *detect.Source) uint8 { return 1<<len(s.Markers) - 1 }

// markSources notes which markers item fulfils. It returns the first source whose
// markers are all found, or -1.
func markSources(found *[32]uint8, s *scanner, item *str) int {
	first := -1
	for i := range Sources {
		src := &Sources[i]
		if len(src.Markers) == 0 {
			continue
		}
		for j, marker := range src.Markers {
			if !s.frames[0].begins(marker[0], s.text) {
				continue
			}
			path, want, valued := strings.Cut(marker, "=")
			if valued != item.key && s.matches(path) && (!valued || glob(want, item.body(s.text))) {
				found[i] |= 1 << j
			}
		}
		if first < 0 && found[i] == allMarkers(src) {
			first = i
		}
	}
	return first
}

// glob reports whether b fits pattern, which may begin and end with "*".
func glob(pattern string, b []byte) bool {
	core := strings.Trim(pattern, "*")
	head, tail := strings.HasPrefix(pattern, "*"), strings.HasSuffix(pattern, "*")
	switch {
	case head && tail:
		return bytes.Contains(b, []byte(core))
	case head:
		return bytes.HasSuffix(b, []byte(core))
	case tail:
		return bytes.HasPrefix(b, []byte(core))
	}
	return string(b) == core
}

// matches reports whether the path to the string that s stands at fits pattern;
// see Sources for the notation. A key with escapes fits only "*".
func (s *scanner) matches(pattern string) bool {
	if s.depth > len(s.frames) {
		return false
	}
	i := len(s.frames) - 1
	for ; pattern != ""; i-- {
		if i < 0 || !s.frames[i].fits(&pattern, s.text) {
			return false
		}
	}
	return i < 0
}

// begins reports whether f is a member whose key begins with c.
func (f *frame) begins(c byte, text []byte) bool {
	return !f.array && f.keyEnd > f.keyStart+2 && text[f.keyStart+1] == c
}

// fits reports whether f fits the last segment of pattern, and takes that off.
func (f *frame) fits(pattern *string, text []byte) bool {
	p := *pattern
	if p[len(p)-1] == ']' {
		open := strings.LastIndexByte(p, '[')
		*pattern = p[:open]
		index := p[open+1 : len(p)-1]
		return f.array && (index == "" || index == itoa(f.index))
	}
	dot := strings.LastIndexByte(p, '.')
	name := p[dot+1:]
	*pattern = p[:max(dot, 0)]
	if f.array || f.keyEnd == 0 {
		return false
	}
	return nameFits(name, f.key(text))
}

// nameFits reports whether key fits name, which may begin or end with "*".
func nameFits(name string, key []byte) bool {
	if core, ok := strings.CutSuffix(name, "*"); ok {
		return len(key) >= len(core) && strings.EqualFold(core, string(key[:len(core)]))
	}
	if core, ok := strings.CutPrefix(name, "*"); ok {
		return len(key) >= len(core) && strings.EqualFold(core, string(key[len(key)-len(core):]))
	}
	return len(key) == len(name) && strings.EqualFold(name, string(key))
}

// itoa is strconv.Itoa for the one index that markers use.
func itoa(i int) string {
	if i == 0 {
		return "0"
	}
	return ""
}
