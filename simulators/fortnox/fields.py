"""Reading what a client sends: one table of fields per resource, and Fortnox's rules for absent, empty and null.

Absent keeps the old value, `""` keeps it too, `null` and `"API_BLANK"` clear it. An unknown or read-only field refuses
the whole request. A cleared field is None in what `read` returns; an absent or kept one is not there at all.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from simulators.fortnox.knobs import Knobs
from simulators.fortnox.refusals import Refusal, invalid, unknown_field, wrong_body
from simulators.fortnox.wire import Fields

BLANK = "API_BLANK"
_PERMITTED_ASCII = re.compile(r"[A-Za-z0-9 \-:.`,;^#%$&/()=+*_!?@\\\n\r]*")
_PERMITTED = frozenset("’\\\u0308\u030a0123456789 –:.`´’,;^¤#%§£$€¢¥©™°&/()=+-*_!?²³®½@\u00a0\n\r")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_NUMBER = re.compile(r"[+-]?\d{1,15}(\.\d{1,20})?")
_LARGEST = Decimal(10) ** 15


@dataclass(frozen=True, slots=True)
class Field:
    """What one field may hold."""

    kind: str = "text"  # text, number, integer, boolean, date, choice, object, list
    longest: int | None = None
    shortest: int = 0
    exactly: int | None = None
    cut: int | None = None
    too_long: int = 2000107
    choices: tuple[str, ...] = ()
    inside: Mapping[str, "Field"] = field(default_factory=dict)
    least: int | None = None
    most: int | None = None
    writable: bool = True
    read_only_code: int = 2001399
    null: Refusal | None = None
    any_character: bool = False


Spec = Mapping[str, Field]


def text(longest: int | None = None, **more: Any) -> Field:
    return Field("text", longest=longest, **more)


def number(**more: Any) -> Field:
    return Field("number", **more)


def integer(least: int | None = None, most: int | None = None, **more: Any) -> Field:
    return Field("integer", least=least, most=most, **more)


def boolean(**more: Any) -> Field:
    return Field("boolean", **more)


def day(**more: Any) -> Field:
    return Field("date", **more)


def choice(*choices: str, **more: Any) -> Field:
    return Field("choice", choices=choices, **more)


def nested(inside: Spec) -> Field:
    return Field("object", inside=inside)


def rows(inside: Spec) -> Field:
    return Field("list", inside=inside)


def read_only(*names: str) -> dict[str, Field]:
    return {name: Field(writable=False) for name in names}


def read(spec: Spec, sent: Any, knobs: Knobs) -> Fields:
    """Return the fields that change something, in Python's types."""
    if not isinstance(sent, dict):
        raise wrong_body()
    taken: Fields = {}
    for name, value in sent.items():
        rule = spec.get(name)
        if rule is None:
            raise unknown_field(name)
        if not rule.writable:
            if knobs["readOnlyFields"] == "refused":
                raise (
                    unknown_field(name)
                    if rule.read_only_code == 2001399
                    else invalid(rule.read_only_code, f"Fältet är skrivskyddat ({name})")
                )
            continue
        if value is None or value == BLANK:
            if rule.null is not None and value is None:
                raise rule.null
            taken[name] = None
        elif value != "":
            taken[name] = _value(name, rule, value, knobs)
    return taken


def check_characters(value: str) -> None:
    """Refuse what is outside the published set of characters."""
    if value.isascii():
        if _PERMITTED_ASCII.fullmatch(value):
            return
    elif all(character in _PERMITTED or character.isalpha() for character in value):
        return
    raise invalid(2000359, "Värdet innehåller ej tillåtna tecken.")


def _value(name: str, rule: Field, value: Any, knobs: Knobs) -> Any:
    match rule.kind:
        case "text":
            return _text(name, rule, value)
        case "choice":
            return _choice(name, rule, value, knobs)
        case "number":
            return _decimal(value)
        case "integer":
            return _integer(rule, value)
        case "boolean":
            return _boolean(value)
        case "date":
            return _day(value, knobs)
        case "object":
            return read(rule.inside, value, knobs)
        case _:
            if not isinstance(value, list):
                raise wrong_body()
            return [read(rule.inside, row, knobs) for row in value]


def _text(name: str, rule: Field, value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise invalid(2005095, f"Fältet är av typen string ({name})")
    taken = value if isinstance(value, str) else format(value, "f") if isinstance(value, Decimal) else str(value)
    if not rule.any_character:
        check_characters(taken)
    elif "\x00" in taken or "\x01" in taken:
        raise invalid(2000359, "Värdet innehåller ej tillåtna tecken.")
    if rule.cut is not None:
        taken = taken[: rule.cut]
    if rule.longest is not None and len(taken) > rule.longest:
        raise invalid(rule.too_long, f"Värdet är för långt ({name}), högst {rule.longest} tecken.")
    if len(taken) < rule.shortest or (rule.exactly is not None and len(taken) != rule.exactly):
        raise invalid(2000107, f"Värdet har fel längd ({name}).")
    return taken


def _choice(name: str, rule: Field, value: Any, knobs: Knobs) -> str:
    if not isinstance(value, str) or value not in rule.choices:
        raise invalid(knobs.code("invalidChoice"), f"Ogiltigt värde ({name})")
    return value


def _decimal(value: Any) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise invalid(2000108, "Värdet måste vara numeriskt.")
    if isinstance(value, str):
        if not _NUMBER.fullmatch(value):
            raise invalid(2000108, "Värdet måste vara numeriskt.")
        return Decimal(value)
    taken = Decimal(value)
    exponent = taken.as_tuple().exponent
    if abs(taken) >= _LARGEST or not isinstance(exponent, int) or exponent < -20:
        raise invalid(2000108, "Värdet måste vara numeriskt.")
    return taken


def _integer(rule: Field, value: Any) -> int:
    taken = _decimal(value)
    if taken != taken.to_integral_value():
        raise invalid(2000108, "Värdet måste vara numeriskt.")
    whole = int(taken)
    if (rule.least is not None and whole < rule.least) or (rule.most is not None and whole > rule.most):
        raise invalid(2002462 if rule.least == 1000 else 2000108, "Värdet ligger utanför tillåtna gränser.")
    return whole


def _boolean(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if value in ("true", "false"):
        return bool(value == "true")
    raise invalid(2000134, "Värdet måste vara en boolean.")


def _day(value: Any, knobs: Knobs) -> str:
    if isinstance(value, str) and _DATE.fullmatch(value):
        try:
            date.fromisoformat(value)
        except ValueError:
            pass
        else:
            return value
    raise invalid(knobs.code("invalidDate"), "Ogiltigt datum.")
