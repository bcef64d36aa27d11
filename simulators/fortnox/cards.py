"""Cards (customers, articles, suppliers) and small registers: text under a key, findable, marked when used."""

import sqlite3
from typing import Any

from simulators.fortnox.call import Call
from simulators.fortnox.clock import real_seconds
from simulators.fortnox.documents import seen
from simulators.fortnox.wire import Fields, read_json, write_json


def find(call: Call, kind: str, key: str) -> Fields | None:
    """Return the card as it is now."""
    body = call.store.value("SELECT body FROM card WHERE tenant = ? AND kind = ? AND key = ?", call.tenant, kind, key)
    if body is None:
        return None
    card: Fields = read_json(body.encode())
    return card


def exists(call: Call, kind: str, key: str) -> bool:
    return call.store.value("SELECT 1 FROM card WHERE tenant = ? AND kind = ? AND key = ?", call.tenant, kind, key) is not None


def text_of(call: Call, kind: str, key: str) -> str | None:
    """Return the card's text as this call sees it."""
    return seen(call, row_of(call, kind, key))


def row_of(call: Call, kind: str, key: str) -> sqlite3.Row | None:
    return call.store.one("SELECT * FROM card WHERE tenant = ? AND kind = ? AND key = ?", call.tenant, kind, key)


def keep(call: Call, kind: str, key: str, card: Fields, brief: Fields, terms: dict[str, Any] | None = None) -> str:
    """Store a card, new or changed, and return its text."""
    body, moment = write_json(card), real_seconds()
    active = int(card.get("Active", True) is not False)
    changed = call.store.run(
        "UPDATE card SET before = body, active = ?, body = ?, brief = ?, modified = ?, changed = ? "
        "WHERE tenant = ? AND kind = ? AND key = ?",
        active, body, write_json(brief), call.stamp, moment, call.tenant, kind, key,
    )  # fmt: skip
    if not changed:
        call.store.run(
            "INSERT INTO card VALUES (?,?,?,?,?,?,?,?,?,NULL)",
            call.tenant, kind, key, active, body, write_json(brief), call.stamp, moment, moment,
        )  # fmt: skip
    if terms is not None:
        call.store.index(call.tenant, kind, key, terms)
    call.note(kind, key)
    return body


def remove(call: Call, kind: str, key: str) -> None:
    """Delete a card and remember that its key was taken once."""
    call.store.run("DELETE FROM card WHERE tenant = ? AND kind = ? AND key = ?", call.tenant, kind, key)
    call.store.run("INSERT OR IGNORE INTO gone VALUES (?, ?, ?)", call.tenant, kind, key)
    call.store.index(call.tenant, kind, key, {})
    call.note(f"{kind} deleted", key)


def was_deleted(call: Call, kind: str, key: str) -> bool:
    return call.store.value("SELECT 1 FROM gone WHERE tenant = ? AND kind = ? AND key = ?", call.tenant, kind, key) is not None


def mark_used(call: Call, kind: str, key: str) -> None:
    """Remember that a document names this card, so it cannot be deleted."""
    call.store.run("INSERT OR IGNORE INTO used VALUES (?, ?, ?)", call.tenant, kind, key)


def is_used(call: Call, kind: str, key: str) -> bool:
    return call.store.value("SELECT 1 FROM used WHERE tenant = ? AND kind = ? AND key = ?", call.tenant, kind, key) is not None
