package policy_test

import (
	"testing"

	"gatehouse/internal/policy"
)

func TestAWSService(t *testing.T) {
	for _, tt := range []struct {
		region string
		is     []string
		not    []string
	}{
		{"eu-west-1", []string{
			"dynamodb.eu-west-1.amazonaws.com", "sqs.us-east-1.amazonaws.com", "kms-fips.us-east-2.amazonaws.com",
			"sts.amazonaws.com", "iam.amazonaws.com", "route53.amazonaws.com", "secretsmanager.eu-west-1.amazonaws.com",
			"api.ecr.eu-west-1.amazonaws.com", "runtime.sagemaker.eu-west-1.amazonaws.com", "bedrock-runtime.us-east-1.amazonaws.com",
			"lambda.eu-west-1.api.aws", "secretsmanager.eu-west-1.api.aws", "sts.dualstack.eu-west-1.amazonaws.com",
			"123456789012.ddb.eu-west-1.amazonaws.com", "123456789012.s3-control.eu-west-1.amazonaws.com",
			"vpce-0a1b2c3d4e5f-abcdefgh.sqs.eu-west-1.vpce.amazonaws.com",
			"vpce-0a1b2c3d4e5f-abcdefgh-eu-west-1a.kms.eu-west-1.vpce.amazonaws.com",
			"es.eu-west-1.amazonaws.com", "iot.eu-west-1.amazonaws.com", "redshift-data.eu-west-1.amazonaws.com", "sync-states.eu-west-1.amazonaws.com",
			"personalize-runtime.eu-west-1.amazonaws.com", "data-servicediscovery.eu-west-1.amazonaws.com", "aps-workspaces.eu-west-1.amazonaws.com",
			"query.timestream.eu-west-1.amazonaws.com", "ingest-cell2.timestream.eu-west-1.amazonaws.com", "timestream-query.eu-west-1.api.aws",
			"queue.amazonaws.com", "eu-west-1.queue.amazonaws.com", "eu-west-1.elasticmapreduce.amazonaws.com", "ssmmessages.eu-west-1.amazonaws.com",
			"123456789012.data-kinesis.eu-west-1.amazonaws.com", "123456789012.cloudfront-kvs.global.api.aws", "data.iot-fips.us-east-1.amazonaws.com",
			"api-fips.sagemaker.us-east-1.amazonaws.com", "iam.global.api.aws", "logs.eu-west-1.amazonaws.com", "xray.eu-west-1.amazonaws.com",
		}, []string{
			"amazonaws.com", ".amazonaws.com", "evil.test", "dynamodb.eu-west-1.amazonaws.com.evil.test", "notamazonaws.com",
			"ec2-203-0-113-7.eu-west-1.compute.amazonaws.com", "ec2-203-0-113-7.compute-1.amazonaws.com",
			"my-lb-123.eu-west-1.elb.amazonaws.com", "my-lb.elb.eu-west-1.amazonaws.com",
			"a1b2c3.execute-api.eu-west-1.amazonaws.com", "execute-api.eu-west-1.amazonaws.com",
			"abc.lambda-url.eu-west-1.on.aws", "search-mine-abc.eu-west-1.es.amazonaws.com", "abc-ats.iot.eu-west-1.amazonaws.com",
			"db.abc.eu-west-1.rds.amazonaws.com", "123456789012.dkr.ecr.eu-west-1.amazonaws.com", "s-1.server.transfer.eu-west-1.amazonaws.com",
			"bucket.s3.eu-west-1.amazonaws.com", "s3.eu-west-1.amazonaws.com", "bucket.s3-website-eu-west-1.amazonaws.com",
			"vpce-svc-0a1b.eu-west-1.vpce.amazonaws.com", "vpce-1.a1b2.execute-api.eu-west-1.vpce.amazonaws.com",
			"dynamodb.cn-north-1.amazonaws.com.cn", "dynamodb.us-gov-west-1.amazonaws.com", "dynamodb.us-iso-east-1.c2s.ic.gov",
			"x.cloudfront.net", "mine.awsapprunner.com", "console.aws.amazon.com", "evil.sqs.eu-west-1.amazonaws.com", "", ".",
			"123456789012.sqs.eu-west-1.amazonaws.com", "123456789012.execute-api.eu-west-1.amazonaws.com", "us-east-1.sqs.amazonaws.com",
			"vpce-1.execute-api.eu-west-1.vpce.amazonaws.com", "cn-north-1.queue.amazonaws.com", "iam.us-gov.amazonaws.com", "evil-cell.timestream.eu-west-1.amazonaws.com",
			"g-abc.eu-west-1.neptune-graph.amazonaws.com", "abc.endpoint.events.amazonaws.com", "doc-x.eu-west-1.cloudsearch.amazonaws.com",
		}},
		{"cn-north-1", []string{"dynamodb.cn-north-1.amazonaws.com.cn", "sts.cn-northwest-1.amazonaws.com.cn"}, []string{"dynamodb.eu-west-1.amazonaws.com", "sts.amazonaws.com"}},
		{"us-gov-west-1", []string{"dynamodb.us-gov-west-1.amazonaws.com", "kms-fips.us-gov-east-1.amazonaws.com", "iam.us-gov.amazonaws.com"},
			[]string{"dynamodb.us-west-1.amazonaws.com", "sts.amazonaws.com", "iam.amazonaws.com", "x.amazonaws.com"}},
		{"us-iso-east-1", []string{"sqs.us-iso-east-1.c2s.ic.gov"}, []string{"sqs.us-isob-east-1.sc2s.sgov.gov", "sqs.us-east-1.amazonaws.com"}},
		{"eusc-de-east-1", []string{"sqs.eusc-de-east-1.amazonaws.eu"}, []string{"sqs.eu-west-1.amazonaws.com"}},
		{"", []string{"sqs.eu-west-1.amazonaws.com"}, []string{"sqs.cn-north-1.amazonaws.com.cn"}},
	} {
		for _, host := range tt.is {
			if !policy.AWSService(host, tt.region) {
				t.Errorf("in %q %s is no service", tt.region, host)
			}
		}
		for _, host := range tt.not {
			if policy.AWSService(host, tt.region) {
				t.Errorf("in %q %s is a service", tt.region, host)
			}
		}
	}
}

func TestS3Bucket(t *testing.T) {
	for _, tt := range []struct {
		host, path, bucket string
		is                 bool
	}{
		{"orders.s3.eu-west-1.amazonaws.com", "/k", "orders", true},
		{"us-gov-west-1.s3.eu-west-1.amazonaws.com", "/k", "us-gov-west-1", true}, // the bucket's name
		{"orders.s3.us-gov-west-1.amazonaws.com", "/k", "", false},
		{"orders.s3-us-gov-west-1.amazonaws.com", "/k", "", false},
		{"a.b.c.s3.eu-west-1.amazonaws.com", "/k", "a.b.c", true},
		{"orders.s3.amazonaws.com", "/k", "orders", true},
		{"orders.s3-eu-west-1.amazonaws.com", "/k", "orders", true},
		{"orders.s3.dualstack.eu-west-1.amazonaws.com", "/k", "orders", true},
		{"orders.s3-fips.us-east-1.amazonaws.com", "/k", "orders", true},
		{"orders.s3-accelerate.amazonaws.com", "/k", "orders", true},
		{"orders.s3-accelerate.dualstack.amazonaws.com", "/k", "orders", true},
		{"orders.s3-website-eu-west-1.amazonaws.com", "/", "orders", true},
		{"orders.s3-website.eu-central-1.amazonaws.com", "/", "orders", true},
		{"orders--euw1-az1--x-s3.s3express-euw1-az1.eu-west-1.amazonaws.com", "/k", "orders--euw1-az1--x-s3", true},
		{"ap-123456789012.s3-accesspoint.eu-west-1.amazonaws.com", "/k", "ap-123456789012", true},
		{"orders.bucket.vpce-1a2b-3c.s3.eu-west-1.vpce.amazonaws.com", "/k", "orders", true},
		{"bucket.vpce-1a2b-3c.s3.eu-west-1.vpce.amazonaws.com", "/orders/k", "orders", true},
		{"s3.eu-west-1.amazonaws.com", "/orders/k", "orders", true},
		{"s3.amazonaws.com", "/orders", "orders", true},
		{"s3.eu-west-1.amazonaws.com", "", "", true},
		{"s3.eu-west-1.amazonaws.com", "/", "", true},
		{"sqs.eu-west-1.amazonaws.com", "/orders", "", false},
		{"s3.evil.test", "/orders", "", false},
		{"orders.s3.cn-north-1.amazonaws.com.cn", "/k", "", false},
		{"s3-evil.eu-west-1.amazonaws.com", "/orders", "", false},
		{"x.vpce-svc-1.s3.eu-west-1.vpce.amazonaws.com", "/k", "", false},
	} {
		if bucket, is := policy.S3Bucket(tt.host, tt.path, "eu-west-1"); bucket != tt.bucket || is != tt.is {
			t.Errorf("%s%s: bucket %q, S3 %v; want %q, %v", tt.host, tt.path, bucket, is, tt.bucket, tt.is)
		}
	}
}

func FuzzAWSService(f *testing.F) {
	f.Add("vpce-1.sqs.eu-west-1.vpce.amazonaws.com", "eu-west-1")
	f.Add("a.s3.dualstack.cn-north-1.amazonaws.com.cn", "cn-north-1")
	f.Fuzz(func(t *testing.T, host, region string) {
		if _, s3 := policy.S3Bucket(host, "/a/b", region); s3 && policy.AWSService(host, region) {
			t.Errorf("%q is a service and a bucket", host)
		}
	})
}
