"""What a person may do to a sales order, and when: one declared table of where the order is and what is sent.

Every cell says accept, or the sentence with which it is refused. The processes ask this table and nothing else; what depends
on the order's own rows (a line that is not there, an attempt that may still arrive) is answered by the step that does it.
"""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any

from domain.text import keepable


class Situation(StrEnum):
    """Where an order is, as far as it matters to a correction. `-blocked`: it waits for a person and no attempt is under way;
    `-trying`: it stands still, and is tried again by itself."""

    SENDING = "sending"
    SENDING_TRYING = "sending-trying"
    SENDING_BLOCKED = "sending-blocked"
    AT_WAREHOUSE = "at-warehouse"
    AT_WAREHOUSE_BLOCKED = "at-warehouse-blocked"
    THE_REST = "waiting-for-the-rest"
    INVOICING = "invoicing"
    INVOICING_TRYING = "invoicing-trying"
    INVOICING_BLOCKED = "invoicing-blocked"
    HELD = "held"


class Name(StrEnum):
    """The corrections, by the names they have as updates and signals."""

    RETRY = "retry_now"
    HOLD = "hold"
    RELEASE = "release"
    CANCEL = "cancel"
    CHANGE_ADDRESS = "change_address"
    CHANGE_LINES = "change_lines"
    ACCEPT_SHORT = "accept_short"
    SPLIT_OFF = "split_off"
    HANDLED_OUTSIDE = "handled_outside"
    ADOPT = "adopt"
    CHOOSE_PERIOD = "choose_period"


_NOT_STILL = "it is not standing still: there is nothing to retry"
_ON_HOLD = "it is on hold: release it first"
_NOT_HELD = "it is not on hold"
_HELD_ALREADY = "it is on hold already"
_LEFT = "the goods have left the warehouse: credit it or take it back as a return"
_PART_LEFT = "part of it has left the warehouse: accept_short ends it with what was sent"
_NOT_SHORT = "it does not wait for the rest of a short shipment"
_SENT = "the warehouse holds it already: change its lines there with change_lines, and write a new order for the rest"
_UNDER_WAY = "an attempt may be under way or is tried again by itself: wait until it stands still, or put it on hold"
_NOTHING_OUTSIDE = "no invoice of it stands still that could have been made outside"
_NOTHING_TO_ADOPT = "nothing of it stands still that a document on the other side could stand for"
_NO_DATE = "no invoice of it stands still whose day could be chosen"

_S = Situation
_ALL = frozenset(Situation)
_BEFORE_SENT = {_S.SENDING, _S.SENDING_TRYING, _S.SENDING_BLOCKED}
_AT_WAREHOUSE = {_S.AT_WAREHOUSE, _S.AT_WAREHOUSE_BLOCKED}
_AFTER = {_S.INVOICING, _S.INVOICING_TRYING, _S.INVOICING_BLOCKED}


def _row(otherwise: str, accepted: set[Situation] | frozenset[Situation], **refused: str) -> dict[Situation, str | None]:
    words = {Situation[name]: text for name, text in refused.items()}
    return {where: None if where in accepted else words.get(where, otherwise) for where in Situation}


_GONE = dict.fromkeys(("INVOICING", "INVOICING_TRYING", "INVOICING_BLOCKED"), _LEFT)
_TRIED = dict.fromkeys(("SENDING", "SENDING_TRYING", "INVOICING", "INVOICING_TRYING"), _UNDER_WAY)
_STILL = {_S.SENDING_BLOCKED, _S.SENDING_TRYING, _S.AT_WAREHOUSE_BLOCKED, _S.INVOICING_BLOCKED, _S.INVOICING_TRYING}

TABLE: dict[Name, dict[Situation, str | None]] = {
    Name.RETRY: _row(_NOT_STILL, _STILL, HELD=_ON_HOLD),
    Name.HOLD: _row(_HELD_ALREADY, _ALL - {_S.HELD}),
    Name.RELEASE: _row(_NOT_HELD, {_S.HELD}),
    Name.CANCEL: _row(_LEFT, _BEFORE_SENT | _AT_WAREHOUSE | {_S.HELD}, THE_REST=_PART_LEFT),
    Name.CHANGE_ADDRESS: _row(_LEFT, _BEFORE_SENT | _AT_WAREHOUSE | {_S.HELD}),
    Name.CHANGE_LINES: _row(_LEFT, _BEFORE_SENT | _AT_WAREHOUSE | {_S.HELD}, THE_REST=_PART_LEFT),
    Name.ACCEPT_SHORT: _row(_NOT_SHORT, {_S.THE_REST}, HELD=_ON_HOLD, **_GONE),
    Name.SPLIT_OFF: _row(
        _SENT, {_S.SENDING_BLOCKED, _S.HELD}, **(_GONE | _TRIED | {"INVOICING": _LEFT, "INVOICING_TRYING": _LEFT})
    ),
    Name.HANDLED_OUTSIDE: _row(_NOTHING_OUTSIDE, {_S.INVOICING_BLOCKED, _S.HELD}, **_TRIED),
    Name.ADOPT: _row(_NOTHING_TO_ADOPT, {_S.SENDING_BLOCKED, _S.INVOICING_BLOCKED, _S.HELD}, **_TRIED),
    Name.CHOOSE_PERIOD: _row(_NO_DATE, {_S.INVOICING_BLOCKED, _S.HELD}, **_TRIED),
}


def refusal(name: Name, where: Situation) -> str | None:
    """Why this makes no sense here; None when it is accepted."""
    return TABLE[name][where]


@dataclass(frozen=True, slots=True)
class LineChange:
    """A line's number and its quantity as a decimal number in words, `"2"` or `"0.5"`."""

    line: int
    quantity: str


EXAMPLES: dict[Name, dict[str, Any]] = {
    Name.RETRY: {},
    Name.HOLD: {},
    Name.RELEASE: {},
    Name.CANCEL: {},
    Name.CHANGE_ADDRESS: {"parked": "name of the parked address"},
    Name.CHANGE_LINES: {"lines": [{"line": 1, "quantity": "2"}]},
    Name.ACCEPT_SHORT: {},
    Name.SPLIT_OFF: {"new_number": "SO-1001-B", "lines": [{"line": 2, "quantity": "1"}]},
    Name.HANDLED_OUTSIDE: {"foreign_id": "4711"},
    Name.ADOPT: {"foreign_id": "4711"},
    Name.CHOOSE_PERIOD: {"day": "2026-12-01"},
}

MEANINGS: dict[Name, str] = {
    Name.RETRY: "try again what stands still",
    Name.HOLD: "stop before the next thing that is sent or invoiced; picks are booked all the same",
    Name.RELEASE: "go on after a hold",
    Name.CANCEL: "cancel the order, in the ERP and in the warehouse as far as it lets us",
    Name.CHANGE_ADDRESS: "send it to an address that was parked before (lagerbro park-address)",
    Name.CHANGE_LINES: "set lines to new quantities; 0 removes a line",
    Name.ACCEPT_SHORT: "end it with what was sent, without waiting for the rest",
    Name.SPLIT_OFF: "move quantities to a new order that is sent by itself",
    Name.HANDLED_OUTSIDE: "the invoice was made outside, under this id; nothing is invoiced here",
    Name.ADOPT: "take over the order in the warehouse, or the draft invoice in Fortnox, with this id",
    Name.CHOOSE_PERIOD: "give the invoice another day",
}


def wrong_content(name: Name, by: str, reason: str, content: dict[str, Any], key: str = "") -> str | None:
    """What is wrong with what was sent, before anything is looked at; None when it can be used."""
    if not keepable(by, reason, key, *(value for value in content.values() if isinstance(value, str))):
        return "a text has a sign that no database keeps (NUL, or half of a pair)"
    if len(key) > 500:
        return "key has at most 500 signs"
    if not by.strip() or not reason.strip():
        return "by and reason must say who and why: both are kept"
    if len(by) > 200 or len(reason) > 500:
        return "by has at most 200 signs, reason at most 500"
    lines = content.get("lines")
    if lines is not None:
        if not lines:
            return "lines must name at least one line"
        numbers = [int(each["line"]) for each in lines]
        if len(set(numbers)) != len(numbers):
            return "a line is named twice"
        for each in lines:
            quantity = quantity_of(str(each["quantity"]))
            if quantity is None or (quantity == 0 and name is Name.SPLIT_OFF):
                return f"line {each['line']}: quantity {each['quantity']!r} is not a number of pieces from 0 to 10 000 000"
    for field in ("parked", "new_number", "foreign_id"):
        value = content.get(field)
        if value is not None and (not str(value).strip() or len(str(value)) > 50 or not str(value).isprintable()):
            return f"{field} is empty, longer than 50 signs, or not printable"
        if value is not None and value != value.strip():
            return f"{field} has a blank at an end"
    day = content.get("day")
    if day is not None:
        try:
            if date.fromisoformat(str(day)).isoformat() != day:
                raise ValueError(day)
        except ValueError:
            return f"day {day!r} is not a date like 2026-12-01"
    return None


def quantity_of(text: str) -> Decimal | None:
    """A quantity from its words: not negative, at most four decimals; None when it is none."""
    try:
        quantity = Decimal(text.strip().replace(",", "."))
    except InvalidOperation:
        return None
    if not quantity.is_finite() or not 0 <= quantity <= 10_000_000 or quantity != round(quantity, 4):
        return None
    return quantity
