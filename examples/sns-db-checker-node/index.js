'use strict';
// A function to protect and to attack: it looks up the article that an SNS message names.
//
// It builds its SQL by string concatenation. That flaw is the point of the example: do not mend it, and do not copy it.

const fs = require('node:fs');
const http = require('node:http');
const https = require('node:https');

const database = require('./database');
const formatter = require('./formatter');

const AUDIT = process.env.DB_PATH || '/tmp/sns-db-checker.db';
const RATES = process.env.RATES_URL || 'https://www.some.test/rates';
const MAX_RATES = 4 << 10;

fs.closeSync(fs.openSync(AUDIT, 'a'));

exports.handler = async function handler(event) {
  const rows = [];
  let rates;
  for (const { Sns: sns } of event.Records || []) {
    fs.appendFileSync(AUDIT, sns.MessageId + '\n');
    const [name, wantsRates] = order(sns.Message);
    if (wantsRates) {
      rates = await fetchRates();
      continue;
    }
    try {
      // The flaw: name is part of the statement.
      rows.push(...database.query("SELECT id, name, cents FROM articles WHERE name = '" + name + "'"));
    } catch (error) {
      console.error('checking order: ' + error.message.replaceAll('\n', ' '));
    }
  }
  const total = await formatter.money(rows.reduce((sum, row) => sum + row.cents, 0), 'EUR');
  return { count: rows.length, rows, total, rates };
};

// order reads a message: JSON with a name or an order in it, or a plain name.
function order(message) {
  let fields;
  try {
    fields = JSON.parse(message);
  } catch {
    return [message, false];
  }
  if (fields === null || typeof fields !== 'object' || Array.isArray(fields)) return [message, false];
  for (const key of ['name', 'order']) {
    if (typeof fields[key] === 'string') return [fields[key], false];
  }
  return [message, fields.rates === true];
}

async function fetchRates() {
  try {
    return await get(RATES);
  } catch (error) {
    console.error('fetching rates: ' + error.message.replaceAll('\n', ' '));
    return 'unavailable';
  }
}

function get(url) {
  const client = url.startsWith('https:') ? https : http;
  return new Promise((resolve, reject) => {
    const request = client.get(url, { timeout: 5000 }, (response) => {
      if (response.statusCode !== 200) {
        response.resume();
        reject(new Error('status ' + response.statusCode));
        return;
      }
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (part) => { text = (text + part).slice(0, MAX_RATES); });
      response.on('end', () => resolve(text));
      response.on('error', reject);
    });
    request.on('timeout', () => request.destroy(new Error('timed out')));
    request.on('error', reject);
  });
}
