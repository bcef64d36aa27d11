"""How Ongoing writes quantities, times and JSON.

Quantities live in the database as whole numbers of 1/100 000 000 piece, so SQLite can add them and
no digit is ever lost; what needs more digits is refused instead of rounded. JSON is written here
because the standard writer cannot write a Decimal as a number.
"""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from json.encoder import encode_basestring  # the C function that json.dumps uses
from typing import Any

PIECE = 10**8
MOST_PIECES = 10**10
_MOST_UNITS = MOST_PIECES * PIECE

quoted: Callable[[str], str] = encode_basestring


class Raw(str):
    """A piece of JSON that is already written."""

    __slots__ = ()


class Unreadable(ValueError):
    """The text is not the number or time it should be."""


def to_units(quantity: Decimal) -> int:
    """Return the quantity in units; refuse what cannot be kept exactly."""
    if not quantity.is_finite():
        raise Unreadable("not a number")
    if abs(quantity) >= MOST_PIECES:
        raise Unreadable("too large")
    sign, digits, exponent = quantity.as_tuple()
    assert isinstance(exponent, int)
    whole = int("".join(map(str, digits)) or "0")
    places = exponent + 8
    if places >= 0:
        units: int = whole * 10**places
    else:
        units, lost = divmod(whole, 10**-places)
        if lost:
            raise Unreadable("more than 8 decimals")
    return -units if sign else units


@lru_cache(maxsize=65536)
def number(units: int) -> Raw:
    """Write units the way Ongoing writes quantities: 2.0, 0.3, -1.25."""
    whole, part = divmod(abs(units), PIECE)
    sign = "-" if units < 0 else ""
    decimals = f"{part:08d}".rstrip("0") or "0"
    return Raw(f"{sign}{whole}.{decimals}")


def optional_number(units: int | None) -> str:
    return "null" if units is None else number(units)


def decimal_text(value: Decimal) -> str:
    """Write a decimal with all its digits and at least one after the point."""
    text = f"{value:f}"
    if "." not in text:
        return f"{text}.0"
    text = text.rstrip("0")
    return f"{text}0" if text.endswith(".") else text


def dumps(value: Any) -> str:
    """Write JSON; decimals keep their digits, `Raw` goes in as it is."""
    kind = type(value)
    if kind is str:
        return quoted(value)
    if value is None:
        return "null"
    if kind is Raw:
        return str(value)
    if kind is bool:
        return "true" if value else "false"
    if kind is int:
        return str(value)
    if kind is Decimal:
        return decimal_text(value)
    if kind is dict:
        return "{" + ",".join([f"{quoted(key)}:{dumps(item)}" for key, item in value.items()]) + "}"
    if kind is list or kind is tuple:
        return "[" + ",".join([dumps(item) for item in value]) + "]"
    raise TypeError(f"cannot write a {kind.__name__} as JSON")


def members(value: dict[str, Any]) -> str:
    """Write the inside of an object, to be put between others."""
    return dumps(value)[1:-1]


def loads(text: str | bytes) -> Any:
    """Read JSON; numbers with decimals become Decimals, NaN and Infinity are refused."""
    return json.loads(text, parse_float=Decimal, parse_constant=_refuse_constant)


def _refuse_constant(name: str) -> Any:
    raise Unreadable(f"{name} is not JSON")


@lru_cache(maxsize=16384)
def moment_text(milliseconds: int) -> str:
    """Write an instant in UTC with as many fraction digits as it has, none to three."""
    seconds, fraction = divmod(milliseconds, 1000)
    text = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    decimals = f".{fraction:03d}".rstrip("0") if fraction else ""
    return f"{text}{decimals}Z"


def moment_json(milliseconds: int | None) -> str:
    return "null" if milliseconds is None else f'"{moment_text(milliseconds)}"'


def read_moment(text: str) -> int:
    """Read a date or an instant into milliseconds since 1970; a time without a zone counts as UTC."""
    try:
        instant = datetime.fromisoformat(text)
    except ValueError as error:
        raise Unreadable(f"'{text}' is not a date or time") from error
    if instant.tzinfo is None:
        instant = instant.replace(tzinfo=UTC)
    return int(instant.timestamp()) * 1000 + instant.microsecond // 1000


def date_text(text: str) -> str:
    """Return the date of a date or an instant, as it was written: Ongoing keeps no zone with a date."""
    return datetime.fromisoformat(text).date().isoformat()
