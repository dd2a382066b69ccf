package leak_test

import (
	"strings"
	"testing"

	"gatehouse/internal/detect/leak"
)

func TestWatch(t *testing.T) {
	tests := []struct{ env, want string }{ // want: name=value of each secret, "; " between
		{"AWS_SECRET_ACCESS_KEY=" + awsKey, "AWS_SECRET_ACCESS_KEY=" + awsKey},
		{"AWS_SESSION_TOKEN=IQoJb3JpZ2luX2VjEXAMPLE", "AWS_SESSION_TOKEN=IQoJb3JpZ2luX2VjEXAMPLE"},
		{"DB_PASSWORD=correcthorse", "DB_PASSWORD=correcthorse"},
		{"dbPassword=correcthorse", "dbPassword=correcthorse"},
		{"API_KEY=0f3c9a7e51", "API_KEY=0f3c9a7e51"},
		{"STRIPE=sk_test_4eC39HqLyjWDarjtT1zdp7dc", "STRIPE=sk_test_4eC39HqLyjWDarjtT1zdp7dc"},
		{"JWT_SECRET=a-b-c-d-e", "JWT_SECRET=a-b-c-d-e"},
		{"DATABASE_URL=postgres://app:s3cret%21pass@db.example:5432/app", "DATABASE_URL/password=s3cret!pass"},
		{"DSN=app:s3cretpass@tcp(db.example:3306)/app", "DSN/password=s3cretpass"},
		{"CONN=host=db.example user=app password=s3cretpass", "CONN/password=s3cretpass"},
		{"SQL=Server=db.example;User Id=app;Password=s3cretpass;", "SQL/password=s3cretpass"},
		{`CONFIG={"user":"someone-else","password":"s3cretpass","apiKey":"k-12345678"}`, "CONFIG/apiKey=k-12345678; CONFIG/password=s3cretpass"},
		{"FORCED=plain-text", "FORCED=plain-text"},

		{"IGNORED_PASSWORD=correcthorse", ""},
		{"DB_PASSWORD=short", ""},
		{"AWS_REGION=eu-central-1", ""},
		{"AWS_ACCESS_KEY_ID=AKIAIOSFODNN7EXAMPLE", ""},
		{"AWS_LAMBDA_FUNCTION_NAME=orders-api-7c9Fe2Aq81", ""},
		{"AWS_LAMBDA_LOG_STREAM_NAME=2026/01/02/[$LATEST]7f9c8b1e2d3a4f5061728394a5b6c7d8", ""},
		{"GATEHOUSE_HEC_TOKEN=11111111-2222-3333-4444-555555555555", ""},
		{"HTTPS_PROXY=http://user:password1@proxy.example:3128", ""},
		{"no_proxy=localhost,127.0.0.1", ""},
		{"_HANDLER=app.handler", ""},
		{"PATH=/var/lang/bin:/usr/local/bin:/usr/bin", ""},
		{"SECRET_ARN=arn:aws:secretsmanager:eu-central-1:123456789012:secret:db-AbCdEf", ""},
		{"SECRET_NAME=production/database", ""},
		{"TOKEN_URL=https://login.example/oauth/token", ""},
		{"KEY_FILE=/opt/keys/signing.pem", ""},
		{"KEY_PREFIX=production-orders", ""},
		{"AUTH_PROVIDER=cognito-identity", ""},
		{"TOKEN_TTL=86400000000", ""},
		{"PUBLIC_KEY=MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8A", ""},
		{"TABLE=orders-production-eu-central-1", ""},
		{"STAGE=production", ""},
		{"QUEUE_URL=https://sqs.eu-central-1.amazonaws.com/123456789012/orders", ""},
		{"DEPLOYMENT_ID=5f2b1c9e-4a6d-4b8f-9c1e-7d3a2b1c0f9e", ""},
		{"APP_VERSION=1.20.3-beta.4+20260102", ""},
		{"API_HOST=r3pmxmplak.execute-api.eu-central-1.amazonaws.com", ""},
		{"NODE_OPTIONS=--enable-source-maps --max-old-space-size=4096", ""},
		{"GREETING=Hello, how are you today?", ""},
		{"USER_POOL_ID=eu-central-1_AbCdEfGhI", ""},
		{"NO_VALUE", ""},
	}
	forced := func(name string) (watch, ignore bool) { return name == "FORCED", name == "IGNORED_PASSWORD" }
	for _, tt := range tests {
		var got []string
		for _, s := range leak.Watch([]string{tt.env}, forced, fingerprint) {
			got = append(got, s.Name+"="+string(s.Value))
			if s.Fingerprint != fingerprint(s.Value) {
				t.Errorf("fingerprint of %s = %q", s.Name, s.Fingerprint)
			}
		}
		if strings.Join(got, "; ") != tt.want {
			t.Errorf("Watch(%q) = %q, want %q", tt.env, got, tt.want)
		}
	}
}

func FuzzWatch(f *testing.F) {
	f.Add("DATABASE_URL=postgres://app:pa%zzss@db/app")
	f.Add(`X={"password":"12345678"}`)
	f.Add("=@tcp(")
	f.Fuzz(func(t *testing.T, env string) {
		for _, s := range leak.Watch([]string{env}, nil, fingerprint) {
			if len(s.Value) < 8 {
				t.Errorf("Watch(%q) watches %q", env, s.Value)
			}
		}
	})
}
