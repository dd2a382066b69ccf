// Asks for a URL with one of Node's clients.
const [how, url] = process.argv.slice(2);
const https = require('node:https');
const get = (options) => https.get(url, options, (res) => res.pipe(process.stdout)).on('error', (e) => console.log(e.message));
if (how === 'fetch') fetch(url).then((r) => r.text()).then(console.log, (e) => console.log(e.message, e.cause));
else if (how === 'agent') get({ agent: new https.Agent({ keepAlive: false }) }); // as the SDK makes its own
else get({});
