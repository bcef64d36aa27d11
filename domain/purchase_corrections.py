"""What a person may do to a purchase order, and when: one declared table of where it is and what is sent.

A purchase order is the ERP's to change and to cancel; what is decided about it here is that nothing more is expected, what goods
cost, and what becomes of an invoice that differs.
"""

from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any

from domain.corrections import Name
from domain.corrections import wrong_content as without_who_or_why


class PurchaseSituation(StrEnum):
    """Where a purchase order is, as far as it matters to a correction. `-blocked`: it stands still until something is mended;
    `ended`: no process of it runs."""

    SENDING = "sending"
    SENDING_BLOCKED = "sending-blocked"
    EXPECTED = "at-warehouse"
    RECEIVING = "receiving"
    DOUBT = "doubt"
    DEVIATION = "deviation"
    LOOKING_BLOCKED = "looking-blocked"
    RECEIVED = "received"
    TO_DECIDE = "invoice-to-decide"
    ENDED = "ended"


class PurchaseName(StrEnum):
    """The corrections, by the names they have as updates and signals."""

    RETRY = "retry_now"
    CLOSE_SHORT = "close_short"
    CORRECT_COST = "correct_cost"
    APPROVE = "approve"
    REJECT = "reject"


SECOND_PERSON = "approve_correction"
"""A second person's yes to what was sent under a key; `approve` is about a supplier invoice."""

_NOT_STILL = "it is not standing still: there is nothing to retry"
_NOT_THERE = "the warehouse does not expect it yet: change or cancel it in the ERP instead"
_ALL_CAME = "nothing more is expected of it: there is nothing to close"
_NOTHING_CAME = "nothing of it has come in whose cost could be corrected: change its prices in the ERP instead"
_NOT_MATCHED = "no invoice of it is matched before the warehouse expects it: there is nothing to decide"
_ENDED = "it has ended: nothing of it waits for a person any more"

_S = PurchaseSituation
_BEFORE = (_S.SENDING, _S.SENDING_BLOCKED)
_STILL = (_S.SENDING_BLOCKED, _S.LOOKING_BLOCKED, _S.TO_DECIDE)
_DECIDING: dict[PurchaseSituation, str | None] = (
    dict.fromkeys(_S, None) | dict.fromkeys(_BEFORE, _NOT_MATCHED) | {_S.ENDED: _ENDED}
)
TABLE: dict[PurchaseName, dict[PurchaseSituation, str | None]] = {
    PurchaseName.RETRY: {where: None if where in _STILL else _NOT_STILL for where in _S},
    PurchaseName.CLOSE_SHORT: dict.fromkeys(_S, None)
    | dict.fromkeys(_BEFORE, _NOT_THERE)
    | {_S.RECEIVED: _ALL_CAME, _S.ENDED: _ALL_CAME},
    PurchaseName.CORRECT_COST: dict.fromkeys(_S, None) | dict.fromkeys((*_BEFORE, _S.EXPECTED), _NOTHING_CAME),
    PurchaseName.APPROVE: _DECIDING,
    PurchaseName.REJECT: _DECIDING,
}

EXAMPLES: dict[PurchaseName, dict[str, Any]] = {
    PurchaseName.RETRY: {},
    PurchaseName.CLOSE_SHORT: {},
    PurchaseName.CORRECT_COST: {"receipt": "1/1", "unit_cost": "12.50"},
    PurchaseName.APPROVE: {"invoice": 57},
    PurchaseName.REJECT: {"invoice": 57},
}

MEANINGS: dict[PurchaseName, str] = {
    PurchaseName.RETRY: "try again what stands still",
    PurchaseName.CLOSE_SHORT: "expect nothing more",
    PurchaseName.CORRECT_COST: "what a receipt line cost: its unit_cost, or an amount more or less (without receipt on all)",
    PurchaseName.APPROVE: "book a supplier invoice although it differs",
    PurchaseName.REJECT: "leave a supplier invoice out of the books until it is changed over there",
}


def refusal(name: PurchaseName, where: PurchaseSituation) -> str | None:
    """Why this makes no sense here; None when it is accepted."""
    return TABLE[name][where]


def wrong_content(name: PurchaseName, by: str, reason: str, content: dict[str, Any]) -> str | None:
    """What is wrong with what was sent, before anything is looked at; None when it can be used."""
    decides = name in (PurchaseName.APPROVE, PurchaseName.REJECT)
    if decides and (content.get("invoice", 0) < 1 or not by.strip() or not reason.strip()):
        return "a decision names the invoice in Fortnox, who and why"
    if wrong := without_who_or_why(Name.RETRY, by, reason, {}):
        return wrong
    if name is not PurchaseName.CORRECT_COST:
        return None
    receipt, unit_cost, amount = (str(content.get(field, "")).strip() for field in ("receipt", "unit_cost", "amount"))
    if bool(unit_cost) == bool(amount):
        return "give either unit_cost, in the books' currency, or amount, more or less"
    if unit_cost and not receipt:
        return "unit_cost is of one receipt line: give receipt, as in 1/1 (lagerbro purchase show)"
    if receipt and not _is_receipt(receipt):
        return f"receipt {receipt!r} is not the number of a receipt and of its row, as in 1/1"
    if unit_cost and (cost := number_of(unit_cost, 6)) is not None and cost >= 0:
        unit_cost = ""
    elif amount and number_of(amount, 2):
        amount = ""
    if unit_cost:
        return f"unit_cost {unit_cost!r} is no cost of a piece, from 0, with at most six decimals"
    if amount:
        return f"amount {amount!r} is no amount more or less, other than 0, with at most two decimals"
    account = str(content.get("account", "")).strip()
    if account and not (account.isdecimal() and 1000 <= int(account) <= 9999):
        return f"account {account!r} is no account number from 1000 to 9999"
    return None


def number_of(text: str, decimals: int) -> Decimal | None:
    """A number from its words, with at most so many decimals; None when it is none."""
    try:
        number = Decimal(text.strip().replace(",", "."))
    except InvalidOperation:
        return None
    if not number.is_finite() or abs(number) > 1_000_000_000 or number != round(number, decimals):
        return None
    return number


def _is_receipt(text: str) -> bool:
    receipt_no, _, row_no = text.partition("/")
    return receipt_no.isdecimal() and row_no.isdecimal() and len(text) <= 20
