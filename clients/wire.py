"""Values as they travel: JSON both ways without a float, and the lenient reading that the vendors' answers need.

A `Decimal` is written as a JSON number with exactly its own digits, and a JSON number is read as a `Decimal`. What cannot be
a quantity or an amount (NaN, a boolean, a thousand digits) is refused here, so that nobody has to think of it again.
"""

import json
import re
import unicodedata
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from json.encoder import encode_basestring_ascii
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, PlainValidator

MOST_DIGITS = 28
LARGEST_EXPONENT = 15
_NUMBER = re.compile(r"[+-]?[0-9]{1,40}(\.[0-9]{1,40})?([eE][+-]?[0-9]{1,3})?")
_ID = re.compile(r"[0-9]{1,18}")


def exact(value: Any) -> Decimal:
    """A finite number of sane size, from a number or from digits in a string. A float or a boolean is refused."""
    if type(value) is str and _NUMBER.fullmatch(value.strip()):
        number = Decimal(value.strip())
    elif type(value) is int and abs(value) < 10 ** (LARGEST_EXPONENT + 1):
        return Decimal(value)
    elif type(value) is Decimal:
        number = value
    else:
        raise ValueError("not an exact number of sane size")
    if not number.is_finite() or len(number.as_tuple().digits) > MOST_DIGITS or not _sane_exponent(number):
        raise ValueError("not a number of sane size")
    return number


def _sane_exponent(value: Decimal) -> bool:
    exponent = value.as_tuple().exponent
    return isinstance(exponent, int) and exponent >= -MOST_DIGITS and value.adjusted() <= LARGEST_EXPONENT


def identity(value: Any) -> int:
    """An id or number that counts things: a positive whole number, as number or as digits."""
    if type(value) is str and _ID.fullmatch(value):
        value = int(value)
    if type(value) is not int or not 0 < value < 10**18:
        raise ValueError("not an id")
    return int(value)


def whole(value: Any) -> int:
    """A whole number, as number or as digits."""
    number = exact(value)
    if number != number.to_integral_value():
        raise ValueError("not a whole number")
    return int(number)


def text(value: Any) -> str:
    """A text without NUL, control signs and half surrogates, which PostgreSQL and UTF-8 refuse. A number becomes its digits."""
    if type(value) is not str:
        if type(value) in (int, Decimal):
            return format(value, "f") if type(value) is Decimal else str(value)
        raise ValueError("not a text")
    if value.isprintable():
        return value
    return "".join(sign for sign in value if sign in "\n\t" or unicodedata.category(sign) not in ("Cc", "Cs"))


def instant(value: Any) -> datetime:
    """An aware UTC instant. Ongoing answers in UTC, sometimes by date only; a time without a zone is taken as UTC."""
    if isinstance(value, datetime):
        read = value
    elif type(value) is str:
        read = datetime.fromisoformat(value)
    else:
        raise ValueError("not a time")
    return read.replace(tzinfo=UTC) if read.tzinfo is None else read.astimezone(UTC)


def day(value: Any) -> date:
    """A calendar day, of a date or of a date with a time."""
    if isinstance(value, datetime):
        return value.date()
    if isinstance(value, date):
        return value
    if type(value) is str:
        return datetime.fromisoformat(value).date()
    raise ValueError("not a date")


def _empty_if_null(value: Any) -> Any:
    return [] if value is None else value


Exact = Annotated[Decimal, PlainValidator(exact)]
Id = Annotated[int, PlainValidator(identity)]
Whole = Annotated[int, PlainValidator(whole)]
Text = Annotated[str, PlainValidator(text)]
# Limits go inside an Annotated: given to Field() beside a default they would be put before the validator, and be lost.
Key = Annotated[Text, Field(min_length=1)]
Instant = Annotated[datetime, PlainValidator(instant)]
Day = Annotated[date, PlainValidator(day)]
NullAsEmpty = BeforeValidator(_empty_if_null)


def read_json(content: bytes) -> Any:
    """JSON with exact numbers. Raises ValueError for whatever is not JSON, holds NaN, or nests too deep."""
    try:
        return json.loads(content, parse_float=Decimal, parse_constant=_no_constant)
    except (ValueError, ArithmeticError, RecursionError):
        pass
    raise ValueError("not JSON")  # outside the handler: json's own error keeps the whole document


def _no_constant(name: str) -> Any:
    raise ValueError(name)


def write_json(value: Any) -> bytes:
    """JSON as bytes, each `Decimal` as a number with its own digits. A float is refused."""
    pieces: list[str] = []
    _write(value, pieces)
    return "".join(pieces).encode("ascii")


def _write(value: Any, pieces: list[str]) -> None:
    kind = type(value)
    if kind is str:
        pieces.append(encode_basestring_ascii(value))
    elif kind is Decimal:
        if not value.is_finite():
            raise ValueError("a number that is not finite cannot be sent")
        pieces.append(format(value, "f"))
    elif kind is bool:
        pieces.append("true" if value else "false")
    elif kind is int:
        pieces.append(str(value))
    elif value is None:
        pieces.append("null")
    elif isinstance(value, Mapping):
        _write_object(value, pieces)
    elif isinstance(value, list | tuple):
        opening = "["
        for item in value:
            pieces.append(opening)
            _write(item, pieces)
            opening = ","
        pieces.append("]" if opening == "," else "[]")
    elif isinstance(value, datetime):
        pieces.append(f'"{utc(value)}"')
    elif isinstance(value, date):
        pieces.append(f'"{value.isoformat()}"')
    else:
        raise TypeError(f"a {kind.__name__} cannot be sent as JSON")


def _write_object(value: Mapping[str, Any], pieces: list[str]) -> None:
    opening = "{"
    for name, item in value.items():
        pieces.append(opening)
        pieces.append(encode_basestring_ascii(name))
        pieces.append(":")
        _write(item, pieces)
        opening = ","
    pieces.append("}" if opening == "," else "{}")


def utc(at: datetime) -> str:
    """A time as Ongoing wants it: UTC with an explicit offset. A time without a zone is a mistake and is refused."""
    if at.tzinfo is None:
        raise ValueError("a time without a zone cannot be sent")
    return at.astimezone(UTC).isoformat(timespec="milliseconds")
