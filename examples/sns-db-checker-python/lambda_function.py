"""A function to protect and to attack: it looks up the article that an SNS message names.

It builds its SQL by string concatenation. That flaw is the point of the example: do not mend it, and do not copy it.
"""

import json
import os
import sqlite3
import sys
import time
import urllib.request

import formatter

ARTICLES = """
CREATE TABLE articles(id INTEGER PRIMARY KEY, name TEXT NOT NULL, cents INTEGER NOT NULL);
INSERT INTO articles(name, cents) VALUES
    ('blue widget', 1250), ('garden chair', 4900), ('reading lamp', 3450), ('copper kettle', 6125),
    ('oak shelf', 11900), ('wool blanket', 5400), ('tea cup', 790), ('bread knife', 1815);
CREATE TABLE orders(id INTEGER PRIMARY KEY, name TEXT);
CREATE TABLE users(id INTEGER PRIMARY KEY, name TEXT, role TEXT, password TEXT);
INSERT INTO users(name, role, password) VALUES ('root', 'admin', 'made-up-7f3a'), ('anna', 'clerk', 'made-up-91c4');
"""
QUERY_SECONDS = 1
MAX_VALUE = 8 << 20
MAX_RATES = 4 << 10


def open_stock():
    """Returns the articles, in memory: values are held to 8 MiB and ATTACH is off where Python can say so (3.11)."""
    db = sqlite3.connect(":memory:", check_same_thread=False)
    db.executescript(ARTICLES)
    if hasattr(db, "setlimit"):
        db.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MAX_VALUE)
        db.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
    return db


def open_audit():
    """Returns the audit, a database of its own, so that no injection can change it."""
    db = sqlite3.connect(os.environ.get("DB_PATH") or "/tmp/sns-db-checker.db", isolation_level=None)
    db.execute("CREATE TABLE IF NOT EXISTS audit(message_id TEXT NOT NULL)")
    return db


stock = open_stock()
audit = open_audit()


def handler(event, _context):
    rows, rates = [], None
    for record in event.get("Records") or []:
        sns = record["Sns"]
        audit.execute("INSERT INTO audit(message_id) VALUES (?)", (sns["MessageId"],))
        name, wants_rates = order(sns["Message"])
        if wants_rates:
            rates = fetch_rates()
            continue
        try:
            rows += find(name)
        except (sqlite3.Error, sqlite3.Warning) as error:
            print("checking order:", str(error).replace("\n", " "), file=sys.stderr)
    total = formatter.money(sum(row["cents"] or 0 for row in rows), "EUR")
    answer = {"count": len(rows), "rows": rows, "total": total}
    if rates is not None:
        answer["rates"] = rates
    return answer


def order(message):
    """Reads a message: JSON with a name or an order in it, or a plain name."""
    try:
        fields = json.loads(message)
    except ValueError:
        return message, False
    if not isinstance(fields, dict):
        return message, False
    for key in ("name", "order"):
        if isinstance(fields.get(key), str):
            return fields[key], False
    return message, fields.get("rates") is True


def find(name):
    end = time.monotonic() + QUERY_SECONDS
    stock.set_progress_handler(lambda: time.monotonic() > end, 10000)
    # The flaw: name is part of the statement.
    found = stock.execute("SELECT id, name, cents FROM articles WHERE name = '" + name + "'")
    return [{"id": row[0], "name": row[1], "cents": row[2]} for row in found]


def fetch_rates():
    try:
        url = os.environ.get("RATES_URL") or "https://www.some.test/rates"
        with urllib.request.urlopen(url, timeout=5) as response:
            return response.read(MAX_RATES).decode()
    except (OSError, ValueError) as error:
        print("fetching rates:", str(error).replace("\n", " "), file=sys.stderr)
        return "unavailable"
