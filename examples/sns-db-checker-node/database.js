'use strict';
// A database of one table that understands one kind of statement:
//
//   SELECT id, name, cents FROM articles WHERE <condition>
//
// The condition may compare (= <> < > LIKE IN), combine (AND OR NOT, parentheses) and end in a comment: enough for an
// injection to work. Node 20 has no SQLite, and what comes with later versions cannot limit the memory that a query takes.

const rows = [
  ['blue widget', 1250], ['garden chair', 4900], ['reading lamp', 3450], ['copper kettle', 6125],
  ['oak shelf', 11900], ['wool blanket', 5400], ['tea cup', 790], ['bread knife', 1815],
].map(([name, cents], i) => ({ id: i + 1, name, cents }));

const SELECT = 'SELECT id, name, cents FROM articles WHERE ';
const TOKEN = /'(?:[^']|'')*'|"[^"]*"|\d+(?:\.\d+)?|\w+|<>|[=<>(),;]|\S/g;

// query returns the rows that sql selects, or throws an error with SQLite's words.
exports.query = function query(sql) {
  if (!sql.startsWith(SELECT)) throw new Error('not supported');
  const tokens = withoutComments(sql.slice(SELECT.length)).match(TOKEN) || [];
  const condition = new Parser(tokens).all();
  return rows.filter(condition);
};

// withoutComments takes -- and /* comments out, outside strings.
function withoutComments(sql) {
  return sql.replace(/'(?:[^']|'')*'|"[^"]*"|--[^\n]*|\/\*[\s\S]*?(?:\*\/|$)/g, (part) => (/^(?:--|\/\*)/.test(part) ? ' ' : part));
}

// Parser turns tokens into a function of a row.
class Parser {
  constructor(tokens) { this.tokens = tokens; }

  next(word) {
    if (word !== undefined && (this.tokens[0] || '').toUpperCase() !== word) return undefined;
    return this.tokens.shift();
  }

  fail() { throw new Error(this.tokens.length ? `near "${this.tokens[0]}": syntax error` : 'incomplete input'); }

  all() {
    const condition = this.or();
    this.next(';');
    if (this.tokens.length) this.fail();
    return (row) => Boolean(condition(row));
  }

  or() {
    const terms = [this.and()];
    while (this.next('OR')) terms.push(this.and());
    return (row) => terms.some((term) => term(row));
  }

  and() {
    const terms = [this.not()];
    while (this.next('AND')) terms.push(this.not());
    return (row) => terms.every((term) => term(row));
  }

  not() {
    if (!this.next('NOT')) return this.comparison();
    const term = this.not();
    return (row) => !term(row);
  }

  comparison() {
    const left = this.value();
    if (this.next('=')) return this.compare(left, (a, b) => a === b);
    if (this.next('<>')) return this.compare(left, (a, b) => a !== b);
    if (this.next('<')) return this.compare(left, (a, b) => a < b);
    if (this.next('>')) return this.compare(left, (a, b) => a > b);
    if (this.next('LIKE')) return this.compare(left, like);
    if (this.next('IN')) return this.compare(left, (a, b) => a === b); // a list of one
    return left;
  }

  compare(left, holds) {
    const right = this.value();
    return (row) => holds(left(row), right(row));
  }

  value() {
    const token = this.tokens[0] || this.fail();
    if (this.next('(')) {
      const inner = this.or();
      if (!this.next(')')) this.fail();
      return inner;
    }
    if (/^'[^]*'$/.test(token)) return constant(this.next().slice(1, -1).replaceAll("''", "'"));
    if (/^\d/.test(token)) return constant(Number(this.next()));
    if (!Object.hasOwn(rows[0], token)) this.fail();
    this.next();
    return (row) => row[token];
  }
}

const constant = (value) => () => value;

// like compares as LIKE does: without case, % stands for anything.
function like(value, pattern) {
  const parts = String(pattern).split('%').map((part) => part.replace(/[^\w\s]/g, '\\$&'));
  return new RegExp(`^${parts.join('[^]*')}$`, 'i').test(String(value));
}
