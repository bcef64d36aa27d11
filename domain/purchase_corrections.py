"""What a person may do to a purchase order, and when: one declared table of where it is and what is sent.

A purchase order is the ERP's to change and to cancel; what is decided about it here is that nothing more is expected.
"""

from enum import StrEnum


class PurchaseSituation(StrEnum):
    """Where a purchase order is, as far as it matters to a correction. `-blocked`: it stands still until something is mended."""

    SENDING = "sending"
    SENDING_BLOCKED = "sending-blocked"
    EXPECTED = "at-warehouse"
    RECEIVING = "receiving"
    DOUBT = "doubt"
    DEVIATION = "deviation"
    LOOKING_BLOCKED = "looking-blocked"
    RECEIVED = "received"


class PurchaseName(StrEnum):
    """The corrections, by the names they have as updates and signals."""

    RETRY = "retry_now"
    CLOSE_SHORT = "close_short"


_NOT_STILL = "it is not standing still: there is nothing to retry"
_NOT_THERE = "the warehouse does not expect it yet: change or cancel it in the ERP instead"
_ALL_CAME = "nothing more is expected of it: there is nothing to close"

_S = PurchaseSituation
TABLE: dict[PurchaseName, dict[PurchaseSituation, str | None]] = {
    PurchaseName.RETRY: {where: None if where in (_S.SENDING_BLOCKED, _S.LOOKING_BLOCKED) else _NOT_STILL for where in _S},
    PurchaseName.CLOSE_SHORT: dict.fromkeys(_S, None)
    | dict.fromkeys((_S.SENDING, _S.SENDING_BLOCKED), _NOT_THERE)
    | {_S.RECEIVED: _ALL_CAME},
}


def refusal(name: PurchaseName, where: PurchaseSituation) -> str | None:
    """Why this makes no sense here; None when it is accepted."""
    return TABLE[name][where]
