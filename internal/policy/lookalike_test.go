package policy_test

import (
	"strings"
	"testing"

	"gatehouse/internal/policy"
)

// packages are what functions are made of, honest ones.
var packages = strings.Fields(`litellm tanstack aquasecurity checkmarx stripe openai anthropic langchain numpy pandas requests boto3 botocore urllib3
	certifi charset-normalizer pydantic fastapi starlette uvicorn sqlalchemy psycopg2 pymongo redis celery django flask jinja2 markupsafe werkzeug
	cryptography pyjwt httpx aiohttp sentry-sdk datadog newrelic opentelemetry-api twilio sendgrid slack-sdk google-cloud-storage azure-identity
	express lodash axios moment mongoose sequelize typescript webpack babel-core eslint prettier jsonwebtoken passport nodemailer winston pino
	dotenv uuid chalk commander debug cors body-parser cookie-parser helmet multer sharp puppeteer playwright firebase-admin supabase prisma
	contentful shopify-api plaid square braintree algoliasearch pusher ably mapbox-sdk cloudinary mailchimp hubspot intercom segment mixpanel amplitude
	launchdarkly-node-server snowflake-connector databricks-sql elasticsearch kafkajs graphql apollo-server nestjs tensorflow scikit-learn transformers huggingface-hub`)

// honest are hosts that functions with those packages talk to.
var honest = strings.Fields(`api.stripe.com api.openai.com api.anthropic.com api.github.com litellm.ai docs.litellm.ai tanstack.com checkmarx.com
	aquasecurity.github.io sentry.io o1.ingest.sentry.io http-intake.logs.datadoghq.com collector.newrelic.com api.twilio.com api.sendgrid.com slack.com
	hooks.slack.com storage.googleapis.com login.microsoftonline.com registry.npmjs.org pypi.org files.pythonhosted.org api.segment.io api.mixpanel.com
	api2.amplitude.com app.launchdarkly.com acme.snowflakecomputing.com dbc.cloud.databricks.com x.es.eu-west-1.aws.found.io cluster0.abc.mongodb.net
	api.contentful.com acme.myshopify.com production.plaid.com connect.squareup.com api.braintreegateway.com x-dsn.algolia.net api.pusherapp.com
	rest.ably.io api.mapbox.com api.cloudinary.com us1.api.mailchimp.com api.hubapi.com api.intercom.io huggingface.co api.supabase.com abc.supabase.co
	graphql.api.example.com internal-orders.example.com payments.example.org service.example.net auth0.com acme.eu.auth0.com acme.okta.com api.resend.com
	firebase.googleapis.com api.postmarkapp.com api.mailgun.net api.notion.com api.airtable.com acme.atlassian.net api.linear.app maps.googleapis.com
	api.weather.gov api.exchangerate.host restcountries.com api.coingecko.com dog.ceo jsonplaceholder.typicode.com httpbin.org ipinfo.io
	sqs.eu-west-1.amazonaws.com abc.execute-api.eu-west-1.amazonaws.com expresso.pt requestly.io momentum.com expresslane.de redislabs.com`)

func TestLookalike(t *testing.T) {
	p, err := policy.Parse([]byte("version: 1\negress: {rules: [{allow: api.aquasecurity.com}, {allow: '*.payments-inc.example.com'}, {allow: api.shopfront.co.uk}]}"))
	if err != nil {
		t.Fatal(err)
	}
	p.Region = "eu-west-1"
	for host, want := range map[string]string{
		"scan.aquasecurtiy.org":   "api.aquasecurity.com", // letters that changed places
		"aquasecurlty.com":        "api.aquasecurity.com", // l for i
		"xn--aquscurity-8ij7r.io": "",                     // no such name
		"models.litellm.cloud":    "litellm", "git-tanstack.com": "tanstack", "checkmarx.zone": "checkmarx", "shopfr0nt.com": "api.shopfront.co.uk",
		"api.aquasecurity.com": "", "shopfront.co.uk": "", "192.0.2.1": "", "localhost": "", "a.b": "", "": "",
		"anthropic.top": "anthropic", "anthroplc.com": "anthropic", "lodahs.example": "lodash",
	} {
		if got := p.Lookalike(host, packages); got != want {
			t.Errorf("%s looks like %q, want %q", host, got, want)
		}
	}
	for _, host := range honest {
		if got := p.Lookalike(host, packages); got != "" {
			t.Errorf("%s looks like %q", host, got)
		}
	}
}
