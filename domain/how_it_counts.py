"""How the warehouse counts, as it can be seen: whether picked goods have left `numberOfItems` (h), and received are in it (f).

A pick that is not collected yet tells the first, a receipt that is not finished yet the second: our books and the documents say
how many pieces must lie there, and only one of the two ways of counting gives that figure. An article on which both are open,
or whose figure fits neither way, says nothing.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from domain.reconciling import Instant

AT_COLLECTION, WHEN_FINISHED = "goods_leave_at_collection", "received_counts_when_finished"
QUESTIONS = {
    AT_COLLECTION: ("goods leave the stock at the pick", "goods leave the stock only when they are collected", "a pick"),
    WHEN_FINISHED: ("received goods count at once", "received goods count only when the receipt is finished", "a receipt"),
}
WAITS_FOR = {
    AT_COLLECTION: "an article that is picked and not collected yet",
    WHEN_FINISHED: "an article that is received on an inbound that is not finished yet",
}


@dataclass(frozen=True, slots=True)
class Counted:
    """One article at one instant: what must lie there, and the warehouse's three figures as it shows them."""

    article: str
    must_be: Decimal
    items: Decimal
    to_collect: Decimal
    to_finish: Decimal

    def answers(self) -> tuple[str, bool] | None:
        """The setting that this article proves, and its value."""
        if bool(self.to_collect) == bool(self.to_finish):
            return None
        setting = AT_COLLECTION if self.to_collect else WHEN_FINISHED
        if self.items == self.must_be:
            return setting, False
        way = Instant(setting == AT_COLLECTION, setting == WHEN_FINISHED)
        return (setting, True) if way.physical(self.items, self.to_collect, self.to_finish) == self.must_be else None


@dataclass(frozen=True, slots=True)
class Proved:
    """One setting as the warehouse's own figures show it, with the article that showed it."""

    value: bool
    article: str


def proved(seen: Iterable[Counted]) -> dict[str, Proved]:
    """What these articles prove. Where two contradict each other the setting is not proved."""
    found: dict[str, dict[bool, str]] = {}
    for each in seen:
        if (answer := each.answers()) is not None:
            setting, value = answer
            found.setdefault(setting, {}).setdefault(value, each.article)
    return {setting: Proved(*next(iter(votes.items()))) for setting, votes in found.items() if len(votes) == 1}


def in_the_way(known: Mapping[str, Any], settings: Mapping[str, bool]) -> str | None:
    """Why nothing unknown may be booked yet: what is not proved, or proved to be otherwise than the settings say; else None.

    `known` holds the proofs as they are kept: setting to its value and article.
    """
    wrong = [setting for setting in QUESTIONS if setting in known and known[setting]["value"] != settings[setting]]
    if wrong:
        said = "; ".join(
            f"article {known[each]['article']} shows that {QUESTIONS[each][known[each]['value']]}: set reconciliation.{each}"
            f" to {str(known[each]['value']).lower()}"
            for each in wrong
        )
        return f"the warehouse counts otherwise than the settings say: {said}"
    lacking = [setting for setting in QUESTIONS if setting not in known]
    if lacking:
        waits = " and ".join(WAITS_FOR[each] for each in lacking)
        return f"it is not proved yet how the warehouse counts: that takes {waits}"
    return None
