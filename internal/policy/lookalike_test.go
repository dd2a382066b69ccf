package policy_test

import (
	"strconv"
	"strings"
	"testing"

	"gatehouse/internal/detect"
	"gatehouse/internal/policy"
)

// packages are what functions are made of, honest ones.
var packages = strings.Fields(`litellm tanstack aquasecurity checkmarx stripe openai anthropic langchain numpy pandas requests boto3 botocore urllib3
	certifi charset-normalizer pydantic fastapi starlette uvicorn sqlalchemy psycopg2 pymongo redis celery django flask jinja2 markupsafe werkzeug
	cryptography pyjwt httpx aiohttp sentry-sdk datadog newrelic opentelemetry-api twilio sendgrid slack-sdk google-cloud-storage azure-identity
	express lodash axios moment mongoose sequelize typescript webpack babel-core eslint prettier jsonwebtoken passport nodemailer winston pino
	dotenv uuid chalk commander debug cors body-parser cookie-parser helmet multer sharp puppeteer playwright firebase-admin supabase prisma
	contentful shopify-api plaid square braintree algoliasearch pusher ably mapbox-sdk cloudinary mailchimp hubspot intercom segment mixpanel amplitude
	a-sync-waterfall absl-py accelerate acorn ajv alembic altair ansi-styles antlr4 anyio appdirs arrow asgiref astropy async attrs authlib autoprefixer
	avro aws-cdk-lib aws-lambda-powertools aws-xray-sdk azure-core babel backoff bcrypt beautifulsoup4 billiard black bleach bluebird bokeh boltons bootstrap
	bottle brotli browserify bson bull cachetools cattrs cerberus cffi chardet cheerio chokidar classnames cli-table click cloudevents cloudpickle
	colorama colorlog confluent-kafka consul core-js coverage crypto-js csv-parse d3-array dash dask dateparser dayjs deepmerge defusedxml
	delegates deprecated diskcache distlib docker docutils dogapi dompurify duckdb dynamoose ejs elastic-apm electron enquirer envalid esbuild escodegen
	etcd3 exceljs execa factory-boy fakeredis fast-glob fast-xml-parser fastavro fastify feedparser ffmpeg file-type fiona fire flatted follow-redirects
	form-data frozenlist fs-extra fsspec ftfy gensim geojson geopandas gevent ghostscript gitpython glob gluonts got greenlet grpcio gspread gunicorn h11
	handlebars hapi hashids hiredis holidays html2text html-to-text httplib2 human-id humanize hydra hyperlink hypothesis iconv-lite idna imageio immer immutable
	importlib inflect influxdb inquirer ioredis ipaddress ipython isodate isomorphic itsdangerous jaraco jdcal jmespath joblib joi jose jquery js-yaml json5
	jsonpath jsonschema jszip jupyter jwks-rsa kafka-python keras keyring knex koa kombu kubernetes lambda-api lightgbm limiter linkify litestar loguru
	long lru-cache luxon lxml mako mariadb marked marshmallow matplotlib memcached memoize meriyah micromatch middy mime-types minimatch minio mistune
	mobx mocha mockery monolog more-itertools moto msal msgpack multidict mypy mysql mysql2 nanoid natsort neo4j networkx nltk node-fetch nunjucks
	numba oauthlib object-assign onnxruntime openapi openpyxl oracledb orjson p-limit papaparse paramiko parquet parso passlib pathspec pdf-lib pdfkit
	pdfminer peewee pendulum pg-promise phonenumbers pika pillow platformdirs plotly pluggy polars postcss prettytable prometheus-client promptly
	protobuf proxy-agent psutil puremagic pyarrow pyasn1 pycountry pycparser pycryptodome pydash pygments pymysql pyodbc pyopenssl pyparsing pytest
	python-dateutil pytz pyzmq qrcode qs query-string rabbitmq ramda rapidfuzz raven ray readable react readdirp reduce-reducers reportlab
	requests-toolbelt resend retry rich rimraf rollbar rollup rsa ruamel rxjs s3fs s3transfer safe-buffer sanitize sax scipy scrapy seaborn selenium semver
	sentencepiece serialize serverless serve-static shapely shelljs shortid signal simplejson sinon six snappy sniffio socketio soupsieve spacy
	sqlite3 sqlparse ssh2 statsmodels stripe-mock structlog superagent swagger sympy tabulate tailwindcss tar temporalio tenacity terser textblob threadpoolctl three
	tiktoken tokenizers tomli toml toolz tornado tqdm traitlets trello trio tslib twisted typeorm tzdata ua-parser ujson underscore undici
	unidecode unidiff universalify uritemplate uuid-js uvloop validator validators voluptuous vue waitress watchdog wcwidth webob websocket websockets wordcloud
	wrapt wtforms xgboost xlrd xlsx xml2js xmltodict yaml yargs yarl yup zeep zipp zod zope zustand
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
	api.adyen.com pal-live.adyen.com checkout.stripe.com files.stripe.com api.paypal.com api-m.paypal.com api.klarna.com api.mollie.com api.gocardless.com
	api.razorpay.com api.checkout.com connect.squareupsandbox.com api.chargebee.com api.recurly.com api.paddle.com api.lemonsqueezy.com api.xero.com
	quickbooks.api.intuit.com api.freshbooks.com api.wise.com api.revolut.com api.coinbase.com api.kraken.com api.binance.com api.alpaca.markets
	www.alphavantage.co query1.finance.yahoo.com api.polygon.io finnhub.io min-api.cryptocompare.com eth-mainnet.g.alchemy.com mainnet.infura.io
	graph.facebook.com graph.instagram.com api.twitter.com api.x.com api.linkedin.com oauth.reddit.com open.tiktokapis.com api.pinterest.com api.twitch.tv
	id.twitch.tv api.spotify.com accounts.spotify.com api.vimeo.com www.googleapis.com youtube.googleapis.com oauth2.googleapis.com
	sheets.googleapis.com gmail.googleapis.com bigquery.googleapis.com pubsub.googleapis.com fcm.googleapis.com generativelanguage.googleapis.com
	translate.googleapis.com vision.googleapis.com accounts.google.com www.google.com www.google.com.mx recaptcha.google.com graph.microsoft.com
	management.azure.com acme.blob.core.windows.net acme.documents.azure.com acme.openai.azure.com acme.servicebus.windows.net acme.database.windows.net
	acme.azurewebsites.net outlook.office.com acme.sharepoint.com api.powerbi.com dev.azure.com vault.azure.net api.cohere.ai api.mistral.ai
	api.groq.com api.together.xyz api.replicate.com api.perplexity.ai api.deepseek.com api.fireworks.ai openrouter.ai api.stability.ai api.elevenlabs.io
	api.deepgram.com api.assemblyai.com api-inference.huggingface.co cdn-lfs.huggingface.co api.pinecone.io acme.svc.us-east1.pinecone.io cloud.qdrant.io
	acme.weaviate.network api.voyageai.com api.smith.langchain.com cloud.langfuse.com api.wandb.ai api.helicone.ai gateway.ai.cloudflare.com
	api.cloudflare.com acme.workers.dev acme.r2.cloudflarestorage.com api.fastly.com api.vercel.com acme.vercel.app api.netlify.com acme.netlify.app
	api.heroku.com acme.herokuapp.com api.digitalocean.com nyc3.digitaloceanspaces.com api.linode.com api.hetzner.cloud api.render.com acme.onrender.com
	api.fly.io acme.fly.dev backboard.railway.app api.github.com codeload.github.com objects.githubusercontent.com gitlab.com api.bitbucket.org
	registry.yarnpkg.com repo.maven.apache.org repo1.maven.org rubygems.org proxy.golang.org crates.io static.crates.io index.docker.io auth.docker.io
	registry-1.docker.io ghcr.io quay.io conda.anaconda.org deb.debian.org api.datadoghq.eu browser-intake-datadoghq.com trace.agent.datadoghq.com
	log-api.newrelic.com otlp.nr-data.net metric-api.eu.newrelic.com api.honeycomb.io ingest.lightstep.com acme.grafana.net logs-prod-eu-west-0.grafana.net
	api.logz.io listener.logz.io logs.logdna.com in.logtail.com http-inputs-acme.splunkcloud.com api.signalfx.com collectors.sumologic.com
	endpoint4.collection.sumologic.com data.logentries.com api.rollbar.com notify.bugsnag.com sessions.bugsnag.com api.airbrake.io api.raygun.com
	events.pagerduty.com api.pagerduty.com api.opsgenie.com api.statuspage.io hc-ping.com uptime.betterstack.com api.pingdom.com api.checklyhq.com
	api.postmarkapp.com api.sparkpost.com api.mandrillapp.com api.sendinblue.com api.brevo.com a.klaviyo.com api.customer.io track.customer.io api.iterable.com
	rest.iad-01.braze.com api.onesignal.com exp.host api.vonage.com rest.nexmo.com api.messagebird.com api.plivo.com api.bandwidth.com verify.twilio.com
	acme.zendesk.com api.freshdesk.com acme.service-now.com acme.my.salesforce.com login.salesforce.com api.pipedrive.com api.monday.com api.trello.com
	app.asana.com api.clickup.com api.todoist.com api.typeform.com api.surveymonkey.com api.calendly.com api.zoom.us api.webex.com api.box.com
	api.dropboxapi.com content.dropboxapi.com api.docusign.net www.docusign.net api.hellosign.com api.figma.com api.canva.com api.webflow.com
	graphql.contentful.com cdn.contentful.com api.sanity.io cdn.sanity.io api.storyblok.com api.prismic.io acme.ghost.io api.bigcommerce.com
	api.commercetools.com acme.vtexcommercestable.com.br api.printful.com api.shippo.com api.easypost.com api.shipstation.com apis.fedex.com onlinetools.ups.com
	api.dhl.com api.uber.com api.lyft.com api.doordash.com api.yelp.com api.foursquare.com api.opencagedata.com api.openweathermap.org api.weatherapi.com
	api.tomorrow.io api.here.com geocode.search.hereapi.com nominatim.openstreetmap.org api.radar.io api.geoapify.com ipapi.co api.ipify.org
	api.abuseipdb.com www.virustotal.com api.shodan.io haveibeenpwned.com api.snyk.io api.socket.dev checkmarx.net eu.ast.checkmarx.net acme.jfrog.io
	sonarcloud.io circleci.com api.buildkite.com api.travis-ci.com codecov.io api.launchdarkly.com events.launchdarkly.com clientstream.launchdarkly.com
	cdn.optimizely.com api.split.io sdk.split.io api.statsig.com api.flagsmith.com api.posthog.com us.i.posthog.com heapanalytics.com
	cdn.segment.com api.amplitude.com api.fullstory.com in.hotjar.com www.google-analytics.com stats.g.doubleclick.net api.rudderstack.com
	acme.auth0.com acme.oktapreview.com acme.onelogin.com api.clerk.com api.stytch.com api.workos.com cognito-idp.eu-west-1.amazonaws.com acme.kinde.com
	acme.mongodb.net data.mongodb-api.com realm.mongodb.com acme.turso.io acme.neon.tech aws.connect.psdb.cloud acme.upstash.io
	acme.redis-cloud.com acme.cloud.redislabs.com acme.elastic-cloud.com acme.aivencloud.com acme.confluent.cloud acme.cockroachlabs.cloud acme.clickhouse.cloud
	acme.influxdata.com us-west-2-1.aws.cloud2.influxdata.com acme.timescaledb.io api.fauna.com db.fauna.com acme.hasura.app acme.planetscale.com
	acme.algolia.net acme.algolianet.com acme.typesense.net acme.meilisearch.io api.zilliz.com api.prismacloud.io accelerate.prisma-data.net
	api.temporal.io acme.tmprl.cloud api.inngest.com api.trigger.dev qstash.upstash.io api.ably.com realtime.ably.io ws.pusherapp.com api.pubnub.com
	acme.stream-io-api.com api.sendbird.com api.agora.io api.daily.co api.mux.com api.wistia.com api.imgix.com upload.uploadcare.com api.bitly.com
	api-ssl.bitly.com api.tinyurl.com api.bannerbear.com api.placid.app api.pdf.co api.docraptor.com v2.convertapi.com api.ocr.space api.deepl.com
	api-free.deepl.com api.wolframalpha.com en.wikipedia.org www.wikidata.org api.nasa.gov data.sec.gov api.fda.gov api.census.gov data.gov.uk
	api.companieshouse.gov.uk ec.europa.eu api.worldbank.org openlibrary.org newsapi.org api.nytimes.com content.guardianapis.com hacker-news.firebaseio.com
	swapi.dev pokeapi.co api.themoviedb.org api.rawg.io api.steampowered.com us.api.blizzard.com europe.api.riotgames.com discord.com gateway.discord.gg
	web.whatsapp.com graph.whatsapp.com api.line.me api.viber.com api.telegram.org webexapis.com chat.googleapis.com acme.webhook.office.com
	opensky-network.org celestrak.org pandascore.co expressvpn.com momentjs.com lodash.com numpy.org pandas.pydata.org scipy.org djangoproject.com
	flask.palletsprojects.com jinja.palletsprojects.com reactjs.org vuejs.org nodejs.org npmjs.com python.org www.typescriptlang.org webpack.js.org
	eslint.org prettier.io sequelize.org mongoosejs.com nestjs.com graphql.org apollographql.com prisma.io supabase.io fastify.dev esbuild.github.io
	acme.com.s3.eu-west-1.amazonaws.com api.example.com.au acme.internal acme.corp.local db.vpc.internal my-service.default.svc.cluster.local
	sqs.eu-west-1.amazonaws.com abc.execute-api.eu-west-1.amazonaws.com expresso.pt requestly.io momentum.com expresslane.de redislabs.com`)

func TestLookalike(t *testing.T) {
	p, err := policy.Parse([]byte("version: 1\negress: {rules: [{allow: api.aquasecurity.com}, {allow: '*.payments-inc.example.com'}, {allow: api.shopfront.co.uk}]}"))
	if err != nil {
		t.Fatal(err)
	}
	p.Region = "eu-west-1"
	looks := p.Looks(packages)
	for host, want := range map[string]string{
		"scan.aquasecurtiy.org":  "api.aquasecurity.com", // letters that changed places
		"aquasecurlty.com":       "api.aquasecurity.com", // l for i
		"xn--aquasecuriy-epj.io": "api.aquasecurity.com", // a Cyrillic t
		"xn--aquasecuriy-eic.io": "api.aquasecurity.com", // t with a cedilla
		"api.xn--strpe-p2e.com":  "stripe",
		"stirpe.com":             "stripe", "scripe.com": "", "prisma-data.net": "", "secure-prisma.com": "prisma", "aquasecurity-data.net": "", "get-aquasecurity.net": "api.aquasecurity.com",
		"aquasecurity.cloud":                "api.aquasecurity.com", // the name itself, for a coin
		"aquasecurity.de":                   "",
		"api.aquasecurity.com.evil.example": "aquasecurity.com",
		"aquasecurity.com.mx":               "",
		"stripeapi.host":                    "stripe", "cdnstripe.xyz": "stripe", "stripeapi.com": "", "striped.com": "",
		"models.litellm.cloud": "litellm", "git-tanstack.com": "tanstack", "checkmarx.zone": "checkmarx", "shopfr0nt.com": "api.shopfront.co.uk",
		"api.aquasecurity.com": "", "shopfront.co.uk": "", "192.0.2.1": "", "localhost": "", "a.b": "", "": "",
		"anthropic.top": "anthropic", "anthroplc.com": "anthropic", "lodahs.example": "lodash",
	} {
		if got := looks.Of(host); got != want {
			t.Errorf("%s looks like %q, want %q", host, got, want)
		}
	}
	for _, host := range honest {
		if got := looks.Of(host); got != "" {
			t.Errorf("%s looks like %q", host, got)
		}
	}
}

// Honest hosts do not look like each other, whichever of them a policy allows.
func TestHonestHostsAreNoLookalikes(t *testing.T) {
	for _, odd := range []int{0, 1} {
		var rules strings.Builder
		for i, host := range honest {
			if i%2 == odd {
				rules.WriteString("    - allow: " + host + "\n")
			}
		}
		p, err := policy.Parse([]byte("version: 1\negress:\n  rules:\n" + rules.String()))
		if err != nil {
			t.Fatal(err)
		}
		looks := p.Looks(packages)
		for _, host := range honest {
			if of := looks.Of(host); of != "" {
				t.Errorf("%s looks like %s", host, of)
			}
		}
	}
}

func FuzzLooks(f *testing.F) {
	f.Add("models.litellm.cloud", "litellm", "api.example")
	f.Add("xn--strpe-p2e.com", "stripe", "*.stripe.com")
	f.Add("a-.b", "a_b_c_d", "a.b.c.co.uk")
	f.Fuzz(func(t *testing.T, host, pkg, allowed string) {
		text := "version: 1\negress: {rules: [{allow: " + strconv.Quote(allowed) + "}]}"
		p, err := policy.Parse([]byte(text))
		if err != nil {
			p = policy.Default()
		}
		looks := p.Looks([]string{pkg})
		if of := looks.Of(host); of != "" && p.Host(detect.Target{Host: host, Port: 443}, "", "").Rule == "egress.rule" {
			t.Errorf("%q is allowed by a rule and looks like %q", host, of)
		}
		if err == nil && !strings.Contains(allowed, ":") && !strings.Contains(allowed, "*") {
			if of := looks.Of(allowed); of != "" {
				t.Errorf("%q looks like %q", allowed, of)
			}
		}
	})
}

func BenchmarkLooks(b *testing.B) {
	p, err := policy.Parse([]byte("version: 1\negress: {rules: [{allow: api.aquasecurity.com}]}"))
	if err != nil {
		b.Fatal(err)
	}
	var many []string
	for i := range 2000 {
		many = append(many, packages[i%len(packages)]+strings.Repeat("x", i/len(packages)))
	}
	b.Run("compile", func(b *testing.B) {
		for b.Loop() {
			p.Looks(many)
		}
	})
	looks := p.Looks(many)
	b.Run("host", func(b *testing.B) {
		for b.Loop() {
			looks.Of("api.something-new.example")
		}
	})
}
