package leak_test

import (
	"testing"

	"gatehouse/internal/detect/leak"
)

// Where a secret belongs, by the function's own configuration alone.
func TestPaired(t *testing.T) {
	environ := []string{
		"STRIPE_API_KEY=sk_live_51Hx9EXAMPLEkeyOfNobody7Yc2Qm9RkV5sXw8Zt", "PAYMENTS_KEY=sk_live_51Hx9EXAMPLEkeyOfNobody8Yc2Qm9RkV5sXw8Zt",
		"DD_API_KEY=0f1e2d3c4b5a69788796a5b4c3d2e1f0", "BOT_TELEGRAM_TOKEN=12345:AAExampleTokenOfNobody7Yc2Qm9",
		"DATABASE_URL=postgres://orders:Tr0ub4dor-EXAMPLE-9x@db.internal.example:5432/orders",
		"MONGO_URL=mongodb+srv://app:Tr0ub4dor-EXAMPLE-8x@cluster0.abcde.mongodb.net/orders",
		"CLUSTER_URL=redis://:Tr0ub4dor-EXAMPLE-7x@10.0.0.7:6379,10.0.0.8:6379/0",
		"MYSQL_DSN=orders:Tr0ub4dor-EXAMPLE-6x@tcp(mysql.internal.example:3306)/orders",
		"SQLSERVER=Server=tcp:sql.internal.example,1433;User=a;Password=Tr0ub4dor-EXAMPLE-5x;",
		"STOCK_TOKEN=stk_7Yc2Qm9RkV5sXw8ZtB3nEXAMPLE", "STOCK_URL=https://stock.internal.example/v1", "STOCKS_URL=https://other.example",
		"LEGACY_PASSWORD=Tr0ub4dor-EXAMPLE-4x", "LEGACY_HOST=legacy.internal.example:8443", "SIGNING_SECRET=9Kd72jLqWm3Zx8Vb5Nt6Rf1Gh0EXAMPLE",
	}
	set := leak.New(leak.Watch(environ, nil, func([]byte) string { return "0123456789ab" }))
	for _, tt := range []struct {
		secret, host, place string
		want                bool
	}{
		{"STRIPE_API_KEY", "api.stripe.com", "header:authorization", true},
		{"STRIPE_API_KEY", "api.stripe.com", "body", false}, // a charge's description is a place to hide it
		{"STRIPE_API_KEY", "api.stripe.com", "url", false},
		{"STRIPE_API_KEY", "api.stripe.com", "head", true}, // its header is a part of it
		{"STRIPE_API_KEY", "evil.test", "head", false},
		{"STRIPE_API_KEY", "api.stripe.com.evil.test", "header:authorization", false},
		{"STRIPE_API_KEY", "evil.test", "header:authorization", false},
		{"STRIPE_API_KEY", "", "header:authorization", false},
		{"PAYMENTS_KEY", "api.stripe.com", "header:authorization", true}, // by how it begins
		{"DD_API_KEY", "http-intake.logs.datadoghq.com", "header:dd-api-key", true},
		{"DD_API_KEY", "datadoghq.com.evil.test", "header:dd-api-key", false},
		{"BOT_TELEGRAM_TOKEN", "api.telegram.org", "url", true},
		{"BOT_TELEGRAM_TOKEN", "evil.test", "url", false},
		{"DATABASE_URL/password", "db.internal.example", "body", true},
		{"DATABASE_URL/password", "evil.test", "body", false},
		{"MONGO_URL/password", "cluster0-shard-00-01.abcde.mongodb.net", "body", true},
		{"CLUSTER_URL/password", "10.0.0.8", "body", true},
		{"CLUSTER_URL/password", "10.0.0.9", "body", false},
		{"MYSQL_DSN/password", "mysql.internal.example", "body", true},
		{"SQLSERVER/password", "sql.internal.example", "body", true},
		{"STOCK_TOKEN", "stock.internal.example", "header:authorization", true},
		{"STOCK_TOKEN", "other.example", "header:authorization", false},
		{"LEGACY_PASSWORD", "legacy.internal.example", "header:authorization", true},
		{"SIGNING_SECRET", "api.stripe.com", "header:authorization", false},
		{"NOBODYS", "api.stripe.com", "header:authorization", false},
	} {
		if got := set.Paired(tt.secret, tt.host, tt.place); got != tt.want {
			t.Errorf("%s to %s in %s: %v, want %v", tt.secret, tt.host, tt.place, got, tt.want)
		}
	}
}
