package leak

import "strings"

// vendor is who issues keys of a kind, and whom they are for.
type vendor struct {
	name     string
	words    []string // of variables' names, each a word or several: "STRIPE", "NEW_RELIC"
	prefixes []string // of keys
	hosts    []string // a name, or with a dot in front all below it
	anywhere bool     // its keys go in a URL or a body, too
}

// vendors are those whose keys functions have. A variable is one's by a word of its
// name or by how its value begins; hosts are what the vendor's own documentation
// names. It is a table of facts, in no order.
var vendors = [...]vendor{
	{"Stripe", []string{"STRIPE"}, []string{"sk_live_", "sk_test_", "rk_live_", "rk_test_"}, []string{"api.stripe.com", "files.stripe.com", "connect.stripe.com"}, false},
	{"OpenAI", []string{"OPENAI"}, []string{"sk-proj-", "sk-svcacct-"}, []string{"api.openai.com", ".openai.azure.com"}, false},
	{"Anthropic", []string{"ANTHROPIC", "CLAUDE"}, []string{"sk-ant-"}, []string{"api.anthropic.com"}, false},
	{"GitHub", []string{"GITHUB", "GH"}, []string{"ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"}, []string{"api.github.com", "github.com", "uploads.github.com", "raw.githubusercontent.com", "ghcr.io", "npm.pkg.github.com"}, false},
	{"GitLab", []string{"GITLAB"}, []string{"glpat-"}, []string{"gitlab.com"}, false},
	{"Bitbucket", []string{"BITBUCKET"}, nil, []string{"api.bitbucket.org", "bitbucket.org"}, false},
	{"Slack", []string{"SLACK"}, []string{"xoxb-", "xoxp-", "xoxa-", "xoxr-", "xoxs-", "xapp-"}, []string{"slack.com", "files.slack.com", "hooks.slack.com"}, true},
	{"Discord", []string{"DISCORD"}, nil, []string{"discord.com", "discordapp.com"}, true},
	{"Telegram", []string{"TELEGRAM"}, nil, []string{"api.telegram.org"}, true},
	{"SendGrid", []string{"SENDGRID"}, []string{"SG."}, []string{"api.sendgrid.com", "smtp.sendgrid.net"}, true},
	{"Mailgun", []string{"MAILGUN"}, nil, []string{"api.mailgun.net", "api.eu.mailgun.net", "smtp.mailgun.org"}, false},
	{"Postmark", []string{"POSTMARK"}, nil, []string{"api.postmarkapp.com", "smtp.postmarkapp.com"}, false},
	{"Mailchimp", []string{"MAILCHIMP", "MANDRILL"}, nil, []string{".api.mailchimp.com", "mandrillapp.com"}, true},
	{"Resend", []string{"RESEND"}, []string{"re_"}, []string{"api.resend.com"}, false},
	{"Twilio", []string{"TWILIO"}, nil, []string{"api.twilio.com", ".twilio.com"}, false},
	{"Vonage", []string{"VONAGE", "NEXMO"}, nil, []string{"rest.nexmo.com", "api.nexmo.com"}, true},
	{"Datadog", []string{"DATADOG", "DD"}, nil, []string{".datadoghq.com", ".datadoghq.eu", ".ddog-gov.com"}, true},
	{"New Relic", []string{"NEW_RELIC", "NEWRELIC"}, []string{"NRAK-", "NRII-"}, []string{".newrelic.com", ".nr-data.net"}, true},
	{"Sentry", []string{"SENTRY"}, []string{"sntrys_", "sntryu_"}, []string{"sentry.io", ".sentry.io"}, true},
	{"Honeycomb", []string{"HONEYCOMB"}, nil, []string{"api.honeycomb.io", "api.eu1.honeycomb.io"}, false},
	{"Grafana", []string{"GRAFANA"}, []string{"glc_", "glsa_"}, []string{".grafana.net", "grafana.com"}, false},
	{"Splunk", []string{"SPLUNK"}, nil, []string{".splunkcloud.com", ".signalfx.com", ".observability.splunkcloud.com"}, false},
	{"Elastic", []string{"ELASTIC"}, nil, []string{".elastic-cloud.com", ".elastic.cloud", ".es.io", ".found.io"}, false},
	{"Lumigo", []string{"LUMIGO"}, nil, []string{".lumigo-tracer-edge.golumigo.com", ".golumigo.com"}, true},
	{"Logz.io", []string{"LOGZIO"}, nil, []string{".logz.io"}, true},
	{"Loggly", []string{"LOGGLY"}, nil, []string{"logs-01.loggly.com"}, true},
	{"Axiom", []string{"AXIOM"}, []string{"xaat-"}, []string{"api.axiom.co"}, false},
	{"Segment", []string{"SEGMENT"}, nil, []string{"api.segment.io", "api.segment.com"}, true},
	{"Mixpanel", []string{"MIXPANEL"}, nil, []string{"api.mixpanel.com", "api-eu.mixpanel.com"}, true},
	{"Amplitude", []string{"AMPLITUDE"}, nil, []string{"api2.amplitude.com", "api.eu.amplitude.com", "api.amplitude.com"}, true},
	{"PostHog", []string{"POSTHOG"}, []string{"phc_", "phx_"}, []string{".posthog.com"}, true},
	{"LaunchDarkly", []string{"LAUNCHDARKLY", "LD_SDK"}, nil, []string{".launchdarkly.com"}, false},
	{"PagerDuty", []string{"PAGERDUTY"}, nil, []string{"api.pagerduty.com", "events.pagerduty.com"}, true},
	{"Opsgenie", []string{"OPSGENIE"}, nil, []string{"api.opsgenie.com", "api.eu.opsgenie.com"}, false},
	{"Google", []string{"GOOGLE", "GEMINI", "GCP", "FIREBASE"}, []string{"AIza"}, []string{".googleapis.com", "accounts.google.com"}, true},
	{"Azure", []string{"AZURE"}, nil, []string{".azure.com", ".windows.net", "login.microsoftonline.com", ".azure.net", ".azurewebsites.net", ".microsoft.com"}, true},
	{"npm", []string{"NPM"}, []string{"npm_"}, []string{"registry.npmjs.org"}, false},
	{"PyPI", []string{"PYPI"}, []string{"pypi-"}, []string{"upload.pypi.org", "pypi.org"}, false},
	{"Hugging Face", []string{"HUGGINGFACE", "HUGGING_FACE", "HF"}, []string{"hf_"}, []string{"huggingface.co", ".huggingface.co", ".hf.space"}, false},
	{"Cohere", []string{"COHERE"}, nil, []string{"api.cohere.com", "api.cohere.ai"}, false},
	{"Mistral", []string{"MISTRAL"}, nil, []string{"api.mistral.ai"}, false},
	{"Groq", []string{"GROQ"}, []string{"gsk_"}, []string{"api.groq.com"}, false},
	{"Replicate", []string{"REPLICATE"}, []string{"r8_"}, []string{"api.replicate.com"}, false},
	{"Perplexity", []string{"PERPLEXITY"}, []string{"pplx-"}, []string{"api.perplexity.ai"}, false},
	{"DeepSeek", []string{"DEEPSEEK"}, nil, []string{"api.deepseek.com"}, false},
	{"OpenRouter", []string{"OPENROUTER"}, []string{"sk-or-"}, []string{"openrouter.ai"}, false},
	{"Pinecone", []string{"PINECONE"}, []string{"pcsk_"}, []string{".pinecone.io"}, false},
	{"Algolia", []string{"ALGOLIA"}, nil, []string{".algolia.net", ".algolianet.com"}, true},
	{"Cloudflare", []string{"CLOUDFLARE", "CF"}, nil, []string{"api.cloudflare.com", ".r2.cloudflarestorage.com"}, false},
	{"DigitalOcean", []string{"DIGITALOCEAN"}, []string{"dop_v1_"}, []string{"api.digitalocean.com"}, false},
	{"Heroku", []string{"HEROKU"}, []string{"HRKU-"}, []string{"api.heroku.com"}, false},
	{"Fastly", []string{"FASTLY"}, nil, []string{"api.fastly.com"}, false},
	{"Vercel", []string{"VERCEL"}, nil, []string{"api.vercel.com"}, false},
	{"Netlify", []string{"NETLIFY"}, []string{"nfp_"}, []string{"api.netlify.com"}, false},
	{"Fly", []string{"FLY"}, []string{"FlyV1"}, []string{"api.fly.io", "api.machines.dev"}, false},
	{"Shopify", []string{"SHOPIFY"}, []string{"shpat_", "shpss_", "shpca_"}, []string{".myshopify.com", "shopify.com"}, true},
	{"Square", []string{"SQUARE"}, []string{"EAAA", "sq0atp-", "sq0csp-"}, []string{"connect.squareup.com"}, true},
	{"PayPal", []string{"PAYPAL"}, nil, []string{"api-m.paypal.com", "api.paypal.com", "api-m.sandbox.paypal.com"}, true},
	{"Adyen", []string{"ADYEN"}, nil, []string{".adyen.com", ".adyenpayments.com"}, false},
	{"Braintree", []string{"BRAINTREE"}, nil, []string{".braintreegateway.com", ".braintree-api.com"}, false},
	{"Plaid", []string{"PLAID"}, nil, []string{"production.plaid.com", "sandbox.plaid.com", "development.plaid.com"}, true},
	{"Notion", []string{"NOTION"}, []string{"ntn_", "secret_"}, []string{"api.notion.com"}, false},
	{"Airtable", []string{"AIRTABLE"}, nil, []string{"api.airtable.com"}, false},
	{"Atlassian", []string{"ATLASSIAN", "JIRA", "CONFLUENCE"}, []string{"ATATT"}, []string{".atlassian.net", "api.atlassian.com"}, false},
	{"Linear", []string{"LINEAR"}, []string{"lin_api_"}, []string{"api.linear.app"}, false},
	{"Asana", []string{"ASANA"}, nil, []string{"app.asana.com"}, false},
	{"HubSpot", []string{"HUBSPOT"}, nil, []string{"api.hubapi.com", "api.hubspot.com"}, true},
	{"Salesforce", []string{"SALESFORCE", "SFDC"}, nil, []string{".salesforce.com", ".force.com"}, true},
	{"Zendesk", []string{"ZENDESK"}, nil, []string{".zendesk.com"}, false},
	{"Intercom", []string{"INTERCOM"}, nil, []string{"api.intercom.io"}, false},
	{"Auth0", []string{"AUTH0"}, nil, []string{".auth0.com"}, true},
	{"Okta", []string{"OKTA"}, nil, []string{".okta.com", ".oktapreview.com", ".okta-emea.com"}, true},
	{"Clerk", []string{"CLERK"}, nil, []string{"api.clerk.com", "api.clerk.dev"}, false},
	{"Supabase", []string{"SUPABASE"}, []string{"sbp_", "sb_secret_"}, []string{".supabase.co", ".supabase.com", "api.supabase.com"}, false},
	{"PlanetScale", []string{"PLANETSCALE"}, []string{"pscale_"}, []string{".psdb.cloud", "api.planetscale.com"}, true},
	{"Neon", []string{"NEON"}, []string{"napi_"}, []string{".neon.tech"}, true},
	{"Upstash", []string{"UPSTASH"}, nil, []string{".upstash.io"}, true},
	{"MongoDB Atlas", []string{"MONGODB", "MONGO", "ATLAS"}, nil, []string{".mongodb.net", ".mongodb.com"}, true},
	{"Redis Cloud", []string{"REDIS"}, nil, []string{".redis-cloud.com", ".redislabs.com", ".redns.redis-cloud.com"}, true},
	{"Snowflake", []string{"SNOWFLAKE"}, nil, []string{".snowflakecomputing.com"}, true},
	{"Databricks", []string{"DATABRICKS"}, []string{"dapi"}, []string{".cloud.databricks.com", ".azuredatabricks.net", ".gcp.databricks.com"}, false},
	{"Confluent", []string{"CONFLUENT", "KAFKA"}, nil, []string{".confluent.cloud"}, true},
	{"Pusher", []string{"PUSHER"}, nil, []string{".pusher.com", ".pusherapp.com"}, true},
	{"Ably", []string{"ABLY"}, nil, []string{"rest.ably.io", "realtime.ably.io", "main.realtime.ably.net"}, false},
	{"Mapbox", []string{"MAPBOX"}, nil, []string{"api.mapbox.com"}, true},
	{"HashiCorp Vault", []string{"VAULT"}, []string{"hvs.", "hvb."}, []string{".hashicorp.cloud"}, false},
	{"Doppler", []string{"DOPPLER"}, []string{"dp.st.", "dp.pt."}, []string{"api.doppler.com"}, false},
	{"CircleCI", []string{"CIRCLECI"}, nil, []string{"circleci.com"}, false},
	{"Docker Hub", []string{"DOCKERHUB", "DOCKER_HUB"}, []string{"dckr_pat_"}, []string{"hub.docker.com", "auth.docker.io"}, true},
	{"Contentful", []string{"CONTENTFUL"}, []string{"CFPAT-"}, []string{".contentful.com"}, true},
	{"Sanity", []string{"SANITY"}, nil, []string{".api.sanity.io", ".sanity.io"}, false},
	{"Dropbox", []string{"DROPBOX"}, []string{"sl."}, []string{"api.dropboxapi.com", "content.dropboxapi.com"}, false},
	{"Zoom", []string{"ZOOM"}, nil, []string{"api.zoom.us", "zoom.us"}, true},
	{"Facebook", []string{"FACEBOOK", "META", "WHATSAPP"}, []string{"EAA"}, []string{"graph.facebook.com"}, true},
	{"X", []string{"TWITTER"}, nil, []string{"api.twitter.com", "api.x.com"}, false},
	{"LINE", []string{"LINE"}, nil, []string{"api.line.me"}, false},
}

// vendorOf returns who issued the key in a variable; nil for nobody known. How the key
// begins says more than what the variable is called.
func vendorOf(variable, value string) *vendor {
	for i := range vendors {
		for _, p := range vendors[i].prefixes {
			if strings.HasPrefix(value, p) && len(value) >= len(p)+8 {
				return &vendors[i]
			}
		}
	}
	name := "_" + strings.Join(words(variable), "_") + "_"
	for i := range vendors {
		for _, w := range vendors[i].words {
			if strings.Contains(name, "_"+w+"_") {
				return &vendors[i]
			}
		}
	}
	return nil
}
