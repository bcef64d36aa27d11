"""Why the warehouse and our books hold different quantities: explained to zero, article by article, and what may be booked.

The warehouse is right about what lies on the shelf, but most of a difference is only on its way: picked, received, returned or
adjusted over there and not yet booked here. Such a difference is listed and never booked by the reconciliation, or it would be
booked twice. What no document explains is *unknown*: it is never hidden, never netted against another article, and booked only
when the same figure stands in two looks and is small. Everything here is a pure function over what was read.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from domain.errors import Refused
from domain.money import ZERO, rounded


class Why(StrEnum):
    """The class of a part of a difference. Only `UNKNOWN` and `ADJUSTED` lead to a booking, and `ABSORBED` takes one back."""

    IN_FLIGHT = "in-flight"
    NOT_POLLED = "not-yet-polled"
    STUCK = "stuck"
    ADJUSTED = "adjusted-in-warehouse"
    AFTER_CUT = "after-the-cut"
    NOT_OURS = "document-not-ours"
    OUR_ERROR = "error-of-ours"
    ABSORBED = "was-booked-as-unknown"
    UNIT = "unit-factor"
    TWIN = "near-twin-article"
    RENAMED = "renamed-article"
    DEFERRED = "deferred"
    UNKNOWN = "unknown"
    PHYSICAL = "physical-difference"
    LOCKED = "locked"
    HELD = "held-back"
    OPEN_ORDER = "open-order"


MOVES = ("picked", "received", "returned", "adjusted")


@dataclass(frozen=True, slots=True)
class Instant:
    """How the warehouse's figures become what our books should hold: `h` counts what is picked and not collected, `f` what is
    received and not finished. Both are a merchant's settings."""

    goods_leave_at_collection: bool = False
    received_counts_when_finished: bool = False

    def physical(self, items: Decimal, to_collect: Decimal, to_finish: Decimal) -> Decimal:
        """N* = N - h*C + f*F."""
        left = to_collect if self.goods_leave_at_collection else ZERO
        come = to_finish if self.received_counts_when_finished else ZERO
        return items - left + come


@dataclass(frozen=True, slots=True)
class Fact:
    """Pieces that the warehouse has counted on a document and we have not booked. `quantity` is signed as stock moves.

    `looked_at`: when we last looked at the document, None if never; `ours`: the ERP knows the document; `alive`: a process
    cares for it; `doubtful`: a doubt is open or a call has no clear answer; `key`: the warehouse's id of the document.
    """

    what: str
    document: str
    quantity: Decimal
    at: datetime | None
    looked_at: datetime | None = None
    ours: bool = True
    alive: bool = True
    doubtful: bool = False
    cause: str | None = None
    key: str = ""


@dataclass(frozen=True, slots=True)
class Late:
    """A cause that came after its difference had been booked as unknown by a settlement: so much of it is taken back."""

    settlement: int
    document: str
    quantity: Decimal


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One article in one warehouse of ours, read at one instant on both sides.

    `theirs` is N*, `ours` our balance, `entries` what its ledger entries add up to (None: not read). `cut`: the instant of
    `theirs` when it is not now; `after_cut` our entries since then, by document. `moving` says why no instant was found.
    """

    article: str
    warehouse: str
    ours: Decimal
    theirs: Decimal
    entries: Decimal | None = None
    facts: tuple[Fact, ...] = ()
    late: tuple[Late, ...] = ()
    unit_factors: tuple[Decimal, ...] = ()
    cut: datetime | None = None
    after_cut: tuple[tuple[str, Decimal, datetime], ...] = ()
    moving: str | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a difference with its class. The parts of a difference add up to it, always."""

    why: Why
    quantity: Decimal
    document: str = ""
    what: str = ""
    cause: str | None = None
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Explanation:
    """The difference `theirs - ours` and its parts."""

    article: str
    warehouse: str
    ours: Decimal
    theirs: Decimal
    parts: tuple[Part, ...]

    @property
    def difference(self) -> Decimal:
        return self.theirs - self.ours

    @property
    def residual(self) -> Decimal:
        """Zero, always: it is computed to be checked, never assumed."""
        return self.difference - sum((part.quantity for part in self.parts), ZERO)

    @property
    def unknown(self) -> Decimal:
        return self.of(Why.UNKNOWN)

    def of(self, why: Why) -> Decimal:
        """How much of the difference is of one class."""
        return sum((part.quantity for part in self.parts if part.why is why), ZERO)


def explain(seen: Snapshot, now: datetime, stuck_after: timedelta) -> Explanation:
    """The difference of one article in parts, what is left as unknown, or as deferred when the instant is not certain."""
    parts = [*_after_cut(seen), *_our_error(seen)]
    deferred = seen.moving
    for fact in seen.facts:
        if fact.at is not None and seen.cut is not None:
            if fact.at > seen.cut:
                continue
            if fact.at == seen.cut:
                deferred = deferred or f"{fact.document} moved in the moment of the cut"
        if fact.doubtful:
            deferred = deferred or f"{fact.document} is in doubt"
        if fact.quantity:
            why = _class_of(fact, now, stuck_after)
            parts.append(Part(why, fact.quantity, fact.document, fact.what, fact.cause, fact.at))
    if any(at == seen.cut for _, _, at in seen.after_cut):
        deferred = deferred or "our books moved in the moment of the cut"
    parts += [
        Part(Why.ABSORBED, -late.quantity, late.document, "settlement", f"settlement {late.settlement}")
        for late in seen.late
        if late.quantity
    ]
    expected = seen.ours + sum((part.quantity for part in parts), ZERO)
    rest = seen.theirs - expected
    if rest:
        if deferred:
            parts.append(Part(Why.DEFERRED, rest, cause=deferred))
        elif factor := _unit_factor(expected, seen.theirs, seen.unit_factors):
            parts.append(Part(Why.UNIT, rest, cause=f"factor {factor.normalize():f}"))
        else:
            parts.append(Part(Why.UNKNOWN, rest))
    return Explanation(seen.article, seen.warehouse, seen.ours, seen.theirs, tuple(parts))


def _class_of(fact: Fact, now: datetime, stuck_after: timedelta) -> Why:
    if fact.what == "adjusted":
        return Why.ADJUSTED
    if not fact.ours:
        return Why.NOT_OURS
    if fact.at is not None and now - fact.at > stuck_after:
        return Why.STUCK
    if fact.looked_at is None or (fact.at is not None and fact.at > fact.looked_at):
        return Why.NOT_POLLED
    return Why.IN_FLIGHT if fact.alive else Why.STUCK


def _after_cut(seen: Snapshot) -> list[Part]:
    """Our entries since the cut: our books have moved and the figure of the cut has not."""
    if seen.cut is None:
        return []
    return [
        Part(Why.AFTER_CUT, -quantity, document, "booked", at=at)
        for document, quantity, at in seen.after_cut
        if at > seen.cut and quantity
    ]


def _our_error(seen: Snapshot) -> list[Part]:
    """A balance that is not what its entries add up to: ours to mend, never to be settled."""
    if seen.entries is None or seen.entries == seen.ours:
        return []
    return [Part(Why.OUR_ERROR, seen.entries - seen.ours, "stock-balance", "balance", "the entries add up to another balance")]


def _unit_factor(expected: Decimal, theirs: Decimal, factors: Sequence[Decimal]) -> Decimal | None:
    """The factor between pieces and packages that explains the whole difference."""
    if not expected or not theirs:
        return None
    return next((f for f in sorted(factors) if f > 1 and (theirs == expected * f or expected == theirs * f)), None)


@dataclass(frozen=True, slots=True)
class Kin:
    """An article whose difference nothing explains, with what ties it to others: `twin_key` is equal for numbers that differ in
    case, blanks or leading zeros only; `replaces` the number that it has taken the place of."""

    article: str
    twin_key: str
    replaces: str | None
    unknown: Decimal


def kindred(kin: Iterable[Kin]) -> dict[str, tuple[Why, str]]:
    """Articles whose unknown differences are each other's opposite, two and two: the class of both, and the other's number.

    They are not netted: each keeps its own difference, and nothing of it is booked.
    """
    everyone = [one for one in kin if one.unknown]
    found: dict[str, tuple[Why, str]] = {}
    by_number = {one.article: one for one in everyone}
    for one in everyone:
        other = by_number.get(one.replaces or "")
        if other is not None and other.unknown == -one.unknown and not {one.article, other.article} & found.keys():
            found[one.article], found[other.article] = (Why.RENAMED, other.article), (Why.RENAMED, one.article)
    groups: dict[str, list[Kin]] = {}
    for one in everyone:
        if one.article not in found:
            groups.setdefault(one.twin_key, []).append(one)
    for group in groups.values():
        if len(group) == 2 and group[0].unknown == -group[1].unknown:
            first, second = group
            found[first.article], found[second.article] = (Why.TWIN, second.article), (Why.TWIN, first.article)
    return found


def tied(explanation: Explanation, why: Why, other: str) -> Explanation:
    """The same difference with its unknown part given to another article."""
    parts = tuple(replace(part, why=why, cause=other) if part.why is Why.UNKNOWN else part for part in explanation.parts)
    return replace(explanation, parts=parts)


# --- what came after its settlement -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Settled:
    """An unknown difference that was booked: when the figure was read, and what was listed then, by document."""

    settlement: int
    at: datetime
    listed: Mapping[str, Decimal]


@dataclass(frozen=True, slots=True)
class Happened:
    """Something that was booked after a settlement, or is still to be booked. `entry_no` None: not booked."""

    document: str
    quantity: Decimal
    at: datetime | None
    entry_no: int | None


def late_causes(
    settled: Sequence[tuple[Settled, int]], happened: Sequence[Happened], absorbed: Mapping[tuple[int, str], Decimal]
) -> list[Late]:
    """What is to be taken back of each settlement: causes that happened before its figure was read and were not listed with it.

    `settled` in order of time, each with the ledger entry that booked it. The figure held everything that had happened by then;
    so a cause that is booked (or will be) after all has been booked twice, whatever its sign, unless so much of the settlement
    is reversed. A cause belongs to the first settlement after it. `absorbed`: what has been taken back already.
    """
    found = []
    since: datetime | None = None
    for one, entry_no in settled:
        sums: dict[str, Decimal] = {}
        for each in happened:
            fresh = each.entry_no is None or each.entry_no > entry_no
            if each.at is not None and fresh and each.at < one.at and (since is None or each.at >= since):
                sums[each.document] = sums.get(each.document, ZERO) + each.quantity
        for document in sorted(sums):
            quantity = sums[document] - one.listed.get(document, ZERO) - absorbed.get((one.settlement, document), ZERO)
            if quantity:
                found.append(Late(one.settlement, document, quantity))
        since = one.at
    return found


# --- available --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Reserved:
    """One order line: what the ERP reserves on it, what the warehouse does, and what is picked and not booked."""

    document: str
    by_us: Decimal
    by_them: Decimal
    unbooked: Decimal


def explain_available(
    physical: Explanation, available: Decimal, sellable: Decimal, locked: Decimal, held: Decimal, lines: Sequence[Reserved]
) -> Explanation:
    """S against Av, to zero. Nothing of it is ever booked: what is left leads to an action on an order or a lock.

    S = Av + (N* - L) - K + X + sum(E - W); a pick that is not booked stands on its order's line, so that it does not show twice.
    """
    parts = [replace(part, why=_passed_on(part.why)) for part in physical.parts if part.what != "picked"]
    by_document: dict[str, Decimal] = {}
    for line in lines:
        share = line.by_us - line.by_them - line.unbooked
        by_document[line.document] = by_document.get(line.document, ZERO) + share
    parts += [Part(Why.OPEN_ORDER, share, document) for document, share in sorted(by_document.items()) if share]
    if locked:
        parts.append(Part(Why.LOCKED, -locked))
    if held:
        parts.append(Part(Why.HELD, held))
    picked = sum((part.quantity for part in physical.parts if part.what == "picked"), ZERO)
    on_lines = -sum((line.unbooked for line in lines), ZERO)
    if picked != on_lines:
        parts.append(Part(Why.OPEN_ORDER, picked - on_lines, cause="picked on documents without an open line"))
    rest = sellable - available - sum((part.quantity for part in parts), ZERO)
    if rest:
        parts.append(Part(Why.UNKNOWN, rest))
    return Explanation(physical.article, physical.warehouse, available, sellable, tuple(parts))


def _passed_on(why: Why) -> Why:
    return Why.PHYSICAL if why is Why.UNKNOWN else why


# --- adjustments made in the warehouse --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, order=True)
class AdjustmentKey:
    """One counter of the warehouse's own corrections. Plus and minus are counted apart, so that they never net."""

    inventory_id: int
    article_id: int
    warehouse_id: int
    cause: str
    up: bool


@dataclass(frozen=True, slots=True)
class Adjusted:
    """What our books hold of one such counter, and the smaller figure that one look has shown since `doubt_at`, if any."""

    booked: Decimal = ZERO
    step: int = 0
    doubt: Decimal | None = None
    doubt_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class AdjustmentStep:
    """One booking to make. `quantity` is signed as stock moves."""

    key: AdjustmentKey
    step: int
    quantity: Decimal
    to_value: Decimal


def plan_adjustments(
    known: Mapping[AdjustmentKey, Adjusted], seen: Mapping[AdjustmentKey, Decimal], began_at: datetime, patience: timedelta
) -> tuple[list[AdjustmentStep], dict[AdjustmentKey, Decimal], list[AdjustmentKey]]:
    """Steps to book, figures to doubt, doubts that are over. A counter that shrinks is believed when two looks agree."""
    steps, doubted, over = [], {}, []
    for key in sorted({*known, *seen}):
        counter, value = known.get(key, Adjusted()), seen.get(key, ZERO)
        more = value - counter.booked
        sign = 1 if key.up else -1
        if not more:
            if counter.doubt is not None:
                over.append(key)
            continue
        stood = counter.doubt == value and counter.doubt_at is not None and began_at >= counter.doubt_at + patience
        if more > 0 or stood:
            steps.append(AdjustmentStep(key, counter.step + 1, sign * more, value))
        elif counter.doubt != value:
            doubted[key] = value
    return steps, doubted, over


# --- what may be booked -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Tolerances:
    """What of the unknown is booked without asking: per article in pieces and in money, and the same per article and month.

    `looks_apart`: how long the figure must have stood; `run_share`: a run that would change more than this share of the stock
    value books nothing; `second_person_above`: an approval of more than this needs two people. All sums are of absolute values.
    """

    pieces: Decimal = Decimal(5)
    value: Decimal = Decimal(500)
    month_pieces: Decimal = Decimal(20)
    month_value: Decimal = Decimal(2000)
    looks_apart: timedelta = timedelta(hours=12)
    run_share: Decimal = Decimal("0.02")
    second_person_above: Decimal = Decimal(10_000)


def value_of(quantity: Decimal, unit_cost: Decimal | None) -> Decimal | None:
    """What so many pieces are worth at this cost; None when nobody knows."""
    return None if unit_cost is None else rounded(quantity * unit_cost) + ZERO


@dataclass(frozen=True, slots=True)
class Standing:
    """An unknown difference as it stands now. `unit_cost` None: nobody knows what a piece is worth."""

    quantity: Decimal
    unit_cost: Decimal | None
    first_seen_at: datetime
    seen_runs: int
    month_pieces: Decimal = ZERO
    month_value: Decimal = ZERO

    @property
    def value(self) -> Decimal | None:
        return value_of(self.quantity, self.unit_cost)


class Verdict(StrEnum):
    BOOK = "book"
    LOOK_AGAIN = "look-again"
    ASK = "ask"


def judge(standing: Standing, now: datetime, tolerances: Tolerances) -> tuple[Verdict, str]:
    """Whether an unknown difference is booked, and why not."""
    asks = _asks(standing, tolerances)
    if standing.seen_runs < 2 or now - standing.first_seen_at < tolerances.looks_apart:
        hours = tolerances.looks_apart.total_seconds() / 3600
        then = f"; then a person decides: {asks}" if asks else ""
        return Verdict.LOOK_AGAIN, f"must stand in two looks {hours:g} hours apart{then}"
    return (Verdict.ASK, asks) if asks else (Verdict.BOOK, "it stood in two looks and is under every tolerance")


def _asks(standing: Standing, tolerances: Tolerances) -> str:
    """Why this difference is nothing to book unasked; empty when it is."""
    pieces, value = abs(standing.quantity), standing.value
    if value is None:
        return "nobody knows what a piece is worth: give the article a cost"
    value = abs(value)
    for what, is_, most in (
        ("pieces", pieces, tolerances.pieces),
        ("in value", value, tolerances.value),
        ("pieces of this article this month", standing.month_pieces + pieces, tolerances.month_pieces),
        ("in value of this article this month", standing.month_value + value, tolerances.month_value),
    ):
        if is_ > most:
            return f"{is_.normalize():f} {what}: more than the {most.normalize():f} that are booked unasked"
    return ""


def too_much(stocked: int, emptied: int, to_change: Decimal, stock_value: Decimal, run_share: Decimal) -> str | None:
    """Why a whole run books nothing and asks: everything is gone over there, or too much of the stock's value would change.

    `stocked`: articles with stock in our books, `emptied`: those of them that the warehouse shows at zero and nothing explains.
    """
    if stocked > 1 and emptied == stocked:
        return f"all {stocked} articles with stock are at zero in the warehouse"
    if to_change > run_share * stock_value:
        share = rounded(run_share * 100)
        return f"{to_change} would change of a stock value of {stock_value}: more than {share.normalize():f} %"
    return None


def approvals_needed(value: Decimal | None, tolerances: Tolerances) -> int:
    """How many people must approve: two above the limit, or when nobody knows the value."""
    return 2 if value is None or abs(value) > tolerances.second_person_above else 1


def check_approval(actors: Sequence[str], actor: str, reason: str) -> None:
    """Refuse an approval without a name or a reason, or by somebody who has approved already."""
    if not actor.strip() or not reason.strip():
        raise Refused("approval-incomplete", "an approval names who and why")
    if actor.strip().casefold() in {one.strip().casefold() for one in actors}:
        raise Refused("approval-incomplete", f"{actor} has approved already: a second person is needed")
