// Sends the lines that stand on its input, a JSON array of strings, with Splunk's library.
//
//     send.cjs URL TOKEN BATCH
const { Logger } = require("splunk-logging");

const [url, token, batch] = process.argv.slice(2);
const lines = JSON.parse(require("fs").readFileSync(0, "utf8"));
const count = Number(batch);
const logger = new Logger({ token, url, maxBatchCount: count });
const failed = (err) => {
	console.error(err);
	process.exit(1);
};
logger.error = failed;
const answered = (err, _, answer) => {
	if (err || answer.code !== 0) failed(err || answer);
};
for (const message of lines) {
	logger.send({
		message,
		severity: "warn",
		metadata: { time: 1795773600.123, host: "node-host", source: "node", sourcetype: "node:log", index: "main" },
	}, answered);
}
if (logger.serializedContextQueue.length > 0) logger.flush(answered);
