"""JSON as Fortnox writes it: exact decimals, escaped slashes, nothing outside ASCII.

Money never passes through a float. `json` cannot write a Decimal as a number, so it is written as a string with a
mark that no text may contain (NUL is refused in every text field), and the quotes are taken off afterwards.
"""

import json
import re
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

Fields = dict[str, Any]

ZERO = Decimal(0)
HERE = "\x01"  # stands for the scheme and host of the asker in every stored @url
_MARKED = re.compile(r'"\\u0000(-?[0-9.]+)"')
_ENCODER = json.JSONEncoder(ensure_ascii=True, separators=(",", ":"), default=lambda value: _number(value))  # noqa: PLW0108


@dataclass(slots=True)
class Answer:
    """What goes back over the socket."""

    status: int = 200
    body: bytes = b""
    content_type: str = "application/json"
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)


def read_json(raw: bytes) -> Any:
    """Parse JSON with decimals kept exact; NaN and Infinity are not JSON and raise ValueError."""
    return json.loads(raw, parse_float=Decimal, parse_constant=_refuse_constant)


def write_json(value: Any) -> str:
    """Write JSON; a Decimal becomes the shortest exact number, 1750.00 as 1750."""
    return _MARKED.sub(r"\1", _ENCODER.encode(value)).replace("/", "\\/")


def enveloped(key: str, text: str, status: int = 200) -> Answer:
    """Wrap stored JSON text as `{"Invoice": {...}}`."""
    return Answer(status, f'{{"{key}":{text}}}'.encode())


def plain(number: Decimal) -> str:
    """Write a decimal without exponent and without trailing zeros."""
    text = format(number, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text


def places(number: Decimal, count: int) -> Decimal:
    """Round half away from zero to so many decimals."""
    return number.quantize(Decimal(1).scaleb(-count), rounding=ROUND_HALF_UP)


def to_ore(number: Decimal) -> Decimal:
    """Round to the minor unit, half away from zero."""
    return places(number, 2)


def ore(number: Decimal) -> int:
    """Return an amount as whole öre, for columns that are summed and sorted in SQL."""
    return int(places(number, 2).scaleb(2))


def from_ore(count: int) -> Decimal:
    return Decimal(count).scaleb(-2)


def decimal(value: Any) -> Decimal:
    """Return a stored number (int, Decimal, numeric text or nothing) as a Decimal."""
    return value if isinstance(value, Decimal) else Decimal(value or 0)


def _number(value: Any) -> Any:
    if isinstance(value, Decimal):
        return "\x00" + plain(value)
    raise TypeError(f"cannot write {type(value).__name__} as JSON")


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")
