"""What a person may decide about an unknown difference, and when: one declared table of where it is and what is sent.

A decision that comes too late changes nothing: it is answered with what has become of the difference.
"""

from enum import StrEnum


class DifferenceSituation(StrEnum):
    """Where a difference is: seen once, waiting for people, approved and not booked yet, booked, refused, gone by itself."""

    SEEN = "seen"
    WAITING = "waiting"
    APPROVED = "approved"
    BOOKED = "booked"
    REFUSED = "refused"
    GONE = "gone"


class DifferenceDecision(StrEnum):
    """What is decided."""

    APPROVE = "approve"
    REFUSE = "refuse"


_S = DifferenceSituation
_TOO_LATE = {
    _S.BOOKED: "it is booked: should it be wrong, the next reconciliation finds it again",
    _S.REFUSED: "it was refused: it is asked again when the figure is another",
    _S.GONE: "it is gone: nothing is booked",
}
TABLE: dict[DifferenceDecision, dict[DifferenceSituation, str | None]] = {
    decision: dict.fromkeys(_S, None) | _TOO_LATE for decision in DifferenceDecision
}


def too_late(decision: DifferenceDecision, where: DifferenceSituation) -> str | None:
    """Why nothing comes of it any more; None when it is taken."""
    return TABLE[decision][where]
