package attack

import "gatehouse/internal/detect"

//go:generate go test -run "^TestSourceTable$|^TestSourceDocs$" -args -update

// Sources are the event sources, the first that fits holds. A marker is a path
// pattern that must occur ("requestContext.elb"), or one with the value that the
// string there must have ("Records[0].eventSource=aws:sqs", "*" matches any run
// at either end); all markers of a source must be found, with their letters as
// written. A source without markers takes what is left. The sources that have
// one marker with a whole value come first: with that found, nothing else is
// looked for.
//
// A Trusted pattern is a path in which "[]" stands for any index, and "*" at the
// end of a name for any rest; names are compared without regard to case. Only what
// a sender cannot choose is trusted, and only where it looks like what AWS fills
// in: letters, digits and the marks of ARNs, URLs and base64. An event may be made
// to look like another source's, and what hides there is judged all the same.
//
// Where a source is listed twice, it sends two shapes.
//
// Shapes: https://docs.aws.amazon.com/lambda/latest/dg/lambda-services.html
var Sources = []detect.Source{
	{
		Name: "sns", Form: detect.FormSuccess, Others: asyncForms,
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
		Name: "sqs", Form: detect.FormDrop, Others: []detect.Form{detect.FormFail, detect.FormError},
		Markers: []string{"Records[0].eventSource=aws:sqs"},
		Trusted: []string{
			"Records[].messageId", "Records[].receiptHandle", "Records[].attributes.*Timestamp",
			"Records[].attributes.SequenceNumber",
			"Records[].md5Of*", "Records[].eventSource*", "Records[].awsRegion",
		},
		From:  "Records[0].attributes.SenderId",
		Batch: detect.Batch{Records: "Records", ID: "messageId", Group: "attributes.MessageGroupId"},
	},
	{
		Name: "s3", Form: detect.FormSuccess, Others: asyncForms,
		Markers: []string{"Records[0].eventSource=aws:s3"},
		Trusted: []string{
			"Records[].eventSource", "Records[].eventVersion", "Records[].eventTime", "Records[].eventName",
			"Records[].awsRegion", "Records[].requestParameters.sourceIPAddress",
			"Records[].responseElements.*", "Records[].s3.bucket.arn", "Records[].s3.object.eTag",
			"Records[].s3.object.versionId", "Records[].s3.object.sequencer",
		},
		From: "Records[0].requestParameters.sourceIPAddress",
	},
	{
		Name: "dynamodb", Form: detect.FormDrop, Others: streamForms,
		Markers: []string{"Records[0].eventSource=aws:dynamodb"},
		Trusted: []string{
			"Records[].event*", "Records[].awsRegion", "Records[].dynamodb.SequenceNumber",
			"Records[].dynamodb.StreamViewType",
		},
		From:  "Records[0].eventSourceARN",
		Batch: detect.Batch{Records: "Records"},
	},
	{
		Name: "kinesis", Form: detect.FormDrop, Others: streamForms,
		Markers: []string{"Records[0].eventSource=aws:kinesis"},
		Trusted: []string{
			"Records[].event*", "Records[].awsRegion", "Records[].invokeIdentityArn",
			"Records[].kinesis.sequenceNumber", "Records[].kinesis.kinesisSchemaVersion",
		},
		From:  "Records[0].eventSourceARN",
		Batch: detect.Batch{Records: "Records"},
	},
	{
		Name: "ses", Form: detect.FormDeny, Others: []detect.Form{detect.FormSuccess, detect.FormError},
		Markers: []string{"Records[0].eventSource=aws:ses"},
		Trusted: []string{
			"Records[].eventSource", "Records[].eventVersion", "Records[].ses.mail.messageId",
			"Records[].ses.mail.timestamp", "Records[].ses.receipt.timestamp", "Records[].ses.receipt.action.*",
		},
		From: "Records[0].ses.mail.source",
	},
	{
		Name: "msk", Form: detect.FormDrop, Others: streamForms,
		Markers: []string{"eventSource=aws:kafka"},
		Trusted: kafkaTrusted,
		From:    "eventSourceArn",
		Batch:   detect.Batch{Records: "records.*"},
	},
	{
		Name: "kafka", Form: detect.FormDrop, Others: streamForms,
		Markers: []string{"eventSource=aws:SelfManagedKafka"},
		Trusted: kafkaTrusted,
		From:    "bootstrapServers",
		Batch:   detect.Batch{Records: "records.*"},
	},
	{
		Name: "kafka", Form: detect.FormDrop, Others: streamForms,
		Markers: []string{"eventSource=SelfManagedKafka"},
		Trusted: kafkaTrusted,
		From:    "bootstrapServers",
		Batch:   detect.Batch{Records: "records.*"},
	},
	{
		Name: "activemq", Form: detect.FormDrop, Others: streamForms,
		Markers: []string{"eventSource=aws:mq"},
		Trusted: []string{"eventSource*", "messages[].messageType"},
		From:    "eventSourceArn",
		Batch:   detect.Batch{Records: "messages"},
	},
	{
		Name: "rabbitmq", Form: detect.FormDrop, Others: streamForms,
		Markers: []string{"eventSource=aws:rmq"},
		Trusted: []string{"eventSource*"},
		From:    "eventSourceArn",
		Batch:   detect.Batch{Records: "rmqMessagesByQueue.*"},
	},
	{
		Name: "documentdb", Form: detect.FormDrop, Others: streamForms,
		Markers: []string{"eventSource=aws:docdb"},
		Trusted: []string{"eventSource*", "events[].event._id._data", "events[].event.operationType"},
		From:    "eventSourceArn",
		Batch:   detect.Batch{Records: "events"},
	},
	{
		Name: "pipes", Form: detect.FormDrop, Others: streamForms,
		Markers: []string{"[0].eventSource=aws:*"},
		Trusted: []string{
			"[].receiptHandle", "[].md5Of*", "[].event*", "[].awsRegion", "[].sequenceNumber",
			"[].invokeIdentityArn", "[].kinesisSchemaVersion", "[].attributes.*Timestamp",
			"[].attributes.SequenceNumber", "[].dynamodb.SequenceNumber", "[].dynamodb.StreamViewType", "[].timestampType",
		},
		From:  "[0].eventSourceARN",
		Batch: detect.Batch{Records: "[]"},
	},
	{
		Name: "eventbridge", Form: detect.FormSuccess, Others: asyncForms,
		Markers: []string{"detail-type", "source"},
		Trusted: []string{"version", "id", "account", "time", "region"},
		From:    "source",
	},
	{
		Name: "cloudwatch-alarm", Form: detect.FormSuccess, Others: asyncForms,
		Markers: []string{"source=aws.cloudwatch", "alarmArn", "alarmData"},
		Trusted: []string{"source", "alarmArn", "accountId", "time", "region", "alarmData.state.timestamp", "alarmData.previousState.timestamp"},
		From:    "alarmArn",
	},
	{
		Name: "cloudwatch-logs", Form: detect.FormSuccess, Others: asyncForms,
		Markers: []string{"awslogs.data"},
	},
	{
		Name: "apigateway-authorizer", Form: detect.FormDeny, Others: errorForm,
		Markers: []string{"type", "methodArn=arn:*"},
		Trusted: httpTrusted,
		From:    "requestContext.identity.sourceIp",
	},
	{
		Name: "apigateway-authorizer", Form: detect.FormDeny, Others: errorForm,
		Markers: []string{"type", "routeArn=arn:*"},
		Trusted: httpTrusted,
		From:    "requestContext.http.sourceIp",
	},
	{
		Name: "alb", Form: detect.FormHTTP, Others: errorForm,
		Markers: []string{"requestContext.elb", "httpMethod"},
		Trusted: httpTrusted,
		From:    "headers.x-forwarded-for",
	},
	{
		Name: "vpc-lattice", Form: detect.FormHTTP, Others: errorForm,
		Markers: []string{"requestContext.serviceNetworkArn", "method"},
		Trusted: []string{
			"requestContext.serviceNetworkArn", "requestContext.serviceArn", "requestContext.targetGroupArn",
			"requestContext.region", "requestContext.timeEpoch", "requestContext.identity.sourceVpcArn",
		},
		From: "requestContext.identity.sourceVpcArn",
	},
	{
		Name: "vpc-lattice", Form: detect.FormHTTP, Others: errorForm,
		Markers: []string{"raw_path", "method", "headers"},
		From:    "headers.x-forwarded-for",
	},
	{
		Name: "function-url", Form: detect.FormHTTP, Others: errorForm,
		Markers: []string{"version=2.0", "requestContext.http", "requestContext.domainName=*.lambda-url.*"},
		Trusted: httpTrusted,
		From:    "requestContext.http.sourceIp",
	},
	{
		Name: "apigateway-http", Form: detect.FormHTTP, Others: errorForm,
		Markers: []string{"version=2.0", "requestContext.http"},
		Trusted: httpTrusted,
		From:    "requestContext.http.sourceIp",
	},
	{
		Name: "apigateway-websocket", Form: detect.FormDeny, Others: errorForm,
		Markers: []string{"requestContext.connectionId", "requestContext.eventType"},
		Trusted: httpTrusted,
		From:    "requestContext.identity.sourceIp",
	},
	{
		Name: "apigateway-rest", Form: detect.FormHTTP, Others: errorForm,
		Markers: []string{"httpMethod", "requestContext", "resource"},
		Trusted: httpTrusted,
		From:    "requestContext.identity.sourceIp",
	},
	{
		Name: "appsync-authorizer", Form: detect.FormDeny, Others: errorForm,
		Markers: []string{"authorizationToken", "requestContext.queryString", "requestContext.apiId"},
		Trusted: []string{"requestContext.apiId", "requestContext.accountId", "requestContext.requestId"},
		From:    "requestHeaders.x-forwarded-for",
	},
	{
		Name: "appsync", Form: detect.FormError,
		Markers: []string{"info.fieldName", "info.parentTypeName"},
		Trusted: []string{"info.fieldName", "info.parentTypeName"},
		From:    "identity.sourceIp[0]",
	},
	{
		Name: "appsync", Form: detect.FormError,
		Markers: []string{"[0].info.fieldName", "[0].info.parentTypeName"},
		Trusted: []string{"[].info.fieldName", "[].info.parentTypeName"},
		From:    "[0].identity.sourceIp[0]",
	},
	{
		Name: "appsync", Form: detect.FormError,
		Markers: []string{"typeName", "fieldName", "arguments"},
		Trusted: []string{"typeName", "fieldName"},
		From:    "identity.sourceIp[0]",
	},
	{
		Name: "cognito", Form: detect.FormDeny, Others: errorForm,
		Markers: []string{"triggerSource", "userPoolId", "request"},
		Trusted: []string{"version", "triggerSource", "region", "userPoolId", "callerContext.clientId"},
		From:    "userName",
	},
	{
		Name: "firehose", Form: detect.FormFail, Others: []detect.Form{detect.FormDrop, detect.FormError},
		Markers: []string{"invocationId", "deliveryStreamArn", "records"},
		Trusted: []string{
			"invocationId", "deliveryStreamArn", "sourceKinesisStreamArn", "region", "records[].recordId",
			"records[].kinesisRecordMetadata.shardId", "records[].kinesisRecordMetadata.sequenceNumber",
		},
		From:  "deliveryStreamArn",
		Batch: detect.Batch{Records: "records", ID: "recordId"},
	},
	{
		Name: "s3-batch", Form: detect.FormDeny, Others: errorForm,
		Markers: []string{"invocationSchemaVersion", "invocationId", "job", "tasks"},
		Trusted: []string{
			"invocationSchemaVersion", "invocationId", "job.id", "tasks[].taskId", "tasks[].s3VersionId", "tasks[].s3BucketArn",
		},
		From: "tasks[0].s3BucketArn",
	},
	{
		Name: "s3-object-lambda", Form: detect.FormError,
		Markers: []string{"xAmzRequestId", "userRequest", "configuration.accessPointArn"},
		Trusted: []string{
			"xAmzRequestId", "protocolVersion", "getObjectContext.outputRoute", "getObjectContext.outputToken",
			"userIdentity.accountId", "userIdentity.accessKeyId",
		},
		From: "userIdentity.arn",
	},
	{
		Name: "lex", Form: detect.FormDeny, Others: errorForm,
		Markers: []string{"bot", "sessionState", "invocationSource", "interpretations"},
		Trusted: []string{"messageVersion", "invocationSource", "bot.*"},
		From:    "sessionId",
	},
	{
		Name: "lex", Form: detect.FormDeny, Others: errorForm,
		Markers: []string{"bot", "currentIntent", "invocationSource"},
		Trusted: []string{"messageVersion", "invocationSource", "bot.*"},
		From:    "userId",
	},
	{
		Name: "alexa", Form: detect.FormDeny, Others: errorForm,
		Markers: []string{"context.System", "request.type", "request.requestId"},
		Trusted: []string{
			"session.sessionId", "session.application.applicationId", "session.user.userId", "context.System.api*",
			"context.System.application.applicationId", "context.System.user.userId", "context.System.device.deviceId",
			"request.requestId", "request.timestamp",
		},
		From: "context.System.user.userId",
	},
	{
		Name: "alexa-smart-home", Form: detect.FormDeny, Others: errorForm,
		Markers: []string{"directive.header", "directive.payload"},
		Trusted: []string{"directive.header.messageId", "directive.header.correlationToken"},
		From:    "directive.endpoint.endpointId",
	},
	{
		Name: "alexa-smart-home", Form: detect.FormError,
		Markers: []string{"header.namespace=Alexa.*", "header.messageId", "payload"},
		Trusted: []string{"header.messageId"},
	},
	{
		Name: "connect", Form: detect.FormError,
		Markers: []string{"Name", "Details.ContactData"},
		Trusted: []string{"Details.ContactData.*ContactId", "Details.ContactData.InstanceARN", "Details.ContactData.Queue.ARN"},
		From:    "Details.ContactData.CustomerEndpoint.Address",
	},
	{
		Name: "bedrock-agent", Form: detect.FormDeny, Others: errorForm,
		Markers: []string{"messageVersion", "agent", "actionGroup"},
		Trusted: []string{"messageVersion", "agent.*"},
		From:    "sessionId",
	},
	{
		Name: "durable", Form: detect.FormDeny, Others: errorForm,
		Markers: []string{"DurableExecutionArn", "CheckpointToken", "InitialExecutionState"},
		Trusted: []string{"CheckpointToken"},
		From:    "DurableExecutionArn",
	},
	{
		Name: "stepfunctions", Form: detect.FormError,
		Markers: []string{"Execution.Id=arn:*", "StateMachine.Id=arn:*"},
		Trusted: []string{"Execution.RoleArn", "StateMachine.Id", "Task.Token"},
		From:    "Execution.Id",
	},
	{
		Name: "cloudformation", Form: detect.FormDeliver, Others: asyncForms,
		Markers: []string{"RequestType", "StackId", "LogicalResourceId", "ResourceType"},
		Trusted: []string{"RequestType", "ServiceToken", "StackId", "RequestId"},
		From:    "StackId",
		Self:    "ServiceToken",
	},
	{
		Name: "secretsmanager", Form: detect.FormError, Others: deliverForm,
		Markers: []string{"SecretId", "ClientRequestToken", "Step"},
		Trusted: []string{"SecretId", "Step"},
		From:    "SecretId",
	},
	{
		Name: "codepipeline", Form: detect.FormError, Others: asyncForms,
		Markers: []string{"CodePipeline*.id", "CodePipeline*.data"},
		Trusted: []string{"CodePipeline*.id", "CodePipeline*.accountId", "CodePipeline*.data.artifactCredentials.*"},
		From:    "CodePipeline*.id",
	},
	{
		Name: "config", Form: detect.FormError, Others: asyncForms,
		Markers: []string{"invokingEvent", "resultToken", "configRuleName"},
		Trusted: []string{"resultToken", "executionRoleArn", "configRuleArn", "configRuleId", "accountId", "version"},
		From:    "configRuleArn",
	},
	{
		Name: "iot-authorizer", Form: detect.FormDeny, Others: errorForm,
		Markers: []string{"protocolData", "protocols", "signatureVerified"},
		Trusted: []string{"connectionMetadata.id"},
		From:    "connectionMetadata.id",
	},
	{
		Name: "iot-provisioning", Form: detect.FormDeny, Others: errorForm,
		Markers: []string{"claimCertificateId", "certificateId", "templateArn"},
		Trusted: []string{"claimCertificateId", "certificateId", "templateArn"},
		From:    "clientId",
	},
	{
		Name: "iot", Form: detect.FormSuccess, Others: asyncForms,
		Markers: []string{"deviceEvent", "deviceInfo", "placementInfo"},
		From:    "deviceInfo.deviceId",
	},
	{
		Name: "iot", Form: detect.FormSuccess, Others: asyncForms,
		Markers: []string{"serialNumber", "clickType", "batteryVoltage"},
		From:    "serialNumber",
	},
	{
		// No layer runs at the edge: for events that are judged offline.
		Name: "cloudfront", Form: detect.FormError,
		Markers: []string{"Records[0].cf.config"},
		Trusted: []string{"Records[].cf.config.*"},
		From:    "Records[0].cf.request.clientIp",
	},
	{Name: "direct", Form: detect.FormError, Others: []detect.Form{detect.FormHTTP, detect.FormSuccess, detect.FormDeliver}},
}

// What else may be asked for.
var (
	errorForm = []detect.Form{detect.FormError}
	// Who sent it waits for no answer: an error has Lambda try twice more, and then
	// send the event to the dead-letter queue.
	asyncForms = []detect.Form{detect.FormSuccess, detect.FormError, detect.FormDeliver}
	// Never one of a stream's records: Lambda would begin again with it for ever.
	streamForms = []detect.Form{detect.FormError}
	deliverForm = []detect.Form{detect.FormDeliver}
)

// httpTrusted are the parts of an HTTP event that AWS alone fills. No header is
// among them: a client sends whatever it likes as Accept-Language, Via or
// X-Amzn-Trace-Id, and functions put those into SQL too. Nor is an authorizer's
// ARN, which ends in the path that was asked for.
var httpTrusted = []string{
	"requestContext.requestId", "requestContext.extendedRequestId", "requestContext.connectionId",
	"requestContext.messageId", "requestContext.elb.targetGroupArn",
}

// kafkaTrusted leaves out what a producer fills: key, value, headers and their
// timestamps.
var kafkaTrusted = []string{"eventSource*", "bootstrapServers", "records.*[].timestampType"}
