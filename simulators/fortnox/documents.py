"""Documents as text: what a GET answers now, and what a stale read answers."""

import sqlite3

from simulators.fortnox.call import Call
from simulators.fortnox.wire import Fields, read_json


def seen(call: Call, row: sqlite3.Row | None) -> str | None:
    """Return a document's text as this call sees it; a stale read sees it as it was before its latest change."""
    if row is None:
        return None
    if call.stale_seconds is not None:
        if row["created"] > call.served_until:
            return None
        if row["changed"] > call.served_until and row["before"] is not None:
            before: str = row["before"]
            return before
    body: str = row["body"]
    return body


def held(row: sqlite3.Row) -> Fields:
    """Return the document as it is now, with exact decimals."""
    fields: Fields = read_json(row["body"].encode())
    return fields


def chosen(fields: Fields, names: tuple[str, ...]) -> Fields:
    """Return the named fields in the named order, as a list row shows them."""
    return {name: fields[name] for name in names}
