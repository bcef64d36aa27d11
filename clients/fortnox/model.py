"""How Fortnox spells its documents."""

from decimal import Decimal
from typing import Any

from pydantic import BaseModel, ConfigDict, model_validator

ZERO = Decimal(0)
_UPPER = frozenset({"vat", "ocr", "ean", "gln", "sru"})


def _spell(name: str) -> str:
    return "".join(part.upper() if part in _UPPER else part.capitalize() for part in name.split("_"))


class Model(BaseModel):
    """How Fortnox spells, and what it writes for nothing: an empty text, or a word that says the user lacks the right."""

    model_config = ConfigDict(
        alias_generator=_spell, populate_by_name=True, extra="ignore", frozen=True, hide_input_in_errors=True
    )

    @model_validator(mode="before")
    @classmethod
    def _nothing_is_none(cls, data: Any) -> Any:
        if isinstance(data, dict):
            return {name: None if value in ("", "API_NORIGHT") else value for name, value in data.items()}
        return data
