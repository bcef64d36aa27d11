"""A supplier invoice against its purchase: what of it is booked, what a person must decide first, what waits for goods.

A plan changes nothing. Whatever it books adds up: what Fortnox has booked on the account for goods received and not invoiced is
what is cleared, the differences in rate and price, and what is claimed; of a credit note all of it with the other sign.

- Rows with article and quantity are matched to the purchase's lines of that article, the one with the invoiced price first; rows
  without are laid on those by amount, or, where no row has an article, on all that is open.
- More than has come in waits for the rest, as long as more is expected. After that it is a claim, and a person decides.
- A bill that a person approves is booked whole: what is billed for nothing is a claim, what is credited for nothing a difference.
- A credit note first meets claims of its article (billed and not here, sent back), then what was invoiced, the last first.
  Without articles it settles all claims if it is just that, else it is a lower price.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal, localcontext

from domain.landed import allocate
from domain.matching import (
    STATES,
    Claim,
    InvoiceLine,
    Match,
    OpenReceipt,
    OrderedLine,
    Part,
    Tolerance,
    credit,
    holds,
    judge,
    match_line,
    match_total,
    share_of,
    total_holds,
    unmatchable,
)
from domain.money import ZERO

BOOKABLE = ("matched", "within_tolerance", "qty_under")
"""States in which nobody need decide."""
DECIDABLE = ("duplicate", "qty_over", "price_diff")
"""States that a person may approve. The others are mended where they are wrong."""


WHOLE = "*"
"""The article of a claim that is for no article: an invoice without articles, for nothing that is here."""


@dataclass(frozen=True, slots=True)
class BilledRow:
    """A row that Fortnox has booked on our account: amount in the invoice's currency, value in the books. Negative takes back."""

    row_no: int
    amount: Decimal
    value: Decimal
    article_number: str | None = None
    quantity: Decimal = ZERO

    @property
    def is_line(self) -> bool:
        return self.article_number is not None and self.quantity != 0


@dataclass(frozen=True, slots=True)
class Bill:
    """A supplier invoice or credit note. `credits` names the invoice that it credits, where it says so."""

    document: str
    currency: str
    rate: Decimal
    rows: tuple[BilledRow, ...]
    seen_before: bool = False
    credits: str | None = None

    @property
    def value(self) -> Decimal:
        return sum((row.value for row in self.rows), ZERO)

    @property
    def is_credit(self) -> bool:
        return self.value < 0


@dataclass(frozen=True, slots=True)
class Open:
    """A receipt line, and what of it has no invoice: pieces and their value. `line_number` is None where it was not ordered."""

    receipt: str
    article_number: str
    line_number: int | None
    unit_price: Decimal
    currency: str
    quantity: Decimal
    value: Decimal


@dataclass(frozen=True, slots=True)
class Invoiced:
    """What one receipt line has been invoiced for so far, net, and by which documents."""

    documents: tuple[str, ...]
    receipt: str
    article_number: str
    quantity: Decimal
    cleared: Decimal
    rate: Decimal
    price: Decimal


@dataclass(frozen=True, slots=True)
class OpenClaim:
    """What the supplier owes us, by the document that says so: billed and not here, or sent back (`returned`)."""

    document: str
    article_number: str
    quantity: Decimal
    value: Decimal
    rate: Decimal
    returned: bool = False


@dataclass(frozen=True, slots=True)
class Bought:
    """A purchase as it stands: its currency and its lines' prices, what is open, what was invoiced before, and what is claimed.
    `closed`: nothing more is expected of the warehouse."""

    currency: str
    prices: Mapping[int, tuple[str, Decimal]]
    open: tuple[Open, ...]
    claims: tuple[OpenClaim, ...] = ()
    invoiced: tuple[Invoiced, ...] = ()
    closed: bool = False

    @property
    def articles(self) -> set[str]:
        return {article for article, _ in self.prices.values()} | {each.article_number for each in self.open}


@dataclass(frozen=True, slots=True)
class Booked:
    """What of a row is booked on one receipt line. Signed: a credit note takes away."""

    row_no: int
    receipt: str
    quantity: Decimal
    cleared: Decimal
    rate: Decimal
    price: Decimal


@dataclass(frozen=True, slots=True)
class Claimed:
    """A claim that grows or shrinks: the document that made it, the article, pieces and value."""

    document: str
    article_number: str
    quantity: Decimal
    value: Decimal
    rate: Decimal
    returned: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """What a document comes to. `difference`: what of a credit its claim did not expect; positive is a cost."""

    state: str
    why: str = ""
    parts: tuple[Booked, ...] = ()
    claims: tuple[Claimed, ...] = ()
    difference: Decimal = ZERO

    @property
    def cleared(self) -> Decimal:
        return sum((part.cleared for part in self.parts), ZERO)

    @property
    def rate(self) -> Decimal:
        return sum((part.rate for part in self.parts), ZERO)

    @property
    def price(self) -> Decimal:
        return sum((part.price for part in self.parts), ZERO)

    @property
    def claimed(self) -> Decimal:
        return sum((claim.value for claim in self.claims), ZERO)

    @property
    def value(self) -> Decimal:
        """What the accounting system has booked for it on our account."""
        return self.cleared + self.rate + self.price + self.claimed + self.difference

    def late_costs(self, rate_is_cost: bool) -> dict[str, Decimal]:
        """What each receipt became dearer by."""
        found: dict[str, Decimal] = {}
        for part in self.parts:
            found[part.receipt] = found.get(part.receipt, ZERO) + part.price + (part.rate if rate_is_cost else ZERO)
        return {receipt: amount for receipt, amount in found.items() if amount}


@dataclass(slots=True)
class _Found:
    """What the rows of a bill have come to so far."""

    states: list[str] = field(default_factory=list)
    words: list[str] = field(default_factory=list)
    parts: list[Booked] = field(default_factory=list)
    claims: list[Claimed] = field(default_factory=list)
    difference: Decimal = ZERO

    def say(self, state: str, words: str = "") -> None:
        self.states.append(state)
        if words:
            self.words.append(words)

    def plan(self) -> Plan:
        state = min(self.states, key=STATES.index, default="not_received")
        return Plan(state, "; ".join(self.words), tuple(self.parts), tuple(self.claims), self.difference)


def plan_bill(bill: Bill, bought: Bought | None, tolerance: Tolerance, rate_jump: Decimal) -> Plan:
    """What the bill comes to on this purchase. A rate that differs by more than `rate_jump` percent is not believed unasked."""
    wrong = unmatchable(None if bought is None else bought.currency, bill.currency, bill.seen_before)
    if bought is None or wrong in ("no_po", "currency_mismatch"):
        held = "" if bought is None else f"it is in {bill.currency}, the purchase is in {bought.currency}"
        return Plan(wrong or "no_po", held)
    found = (_credit if bill.is_credit else _invoice)(bill, bought, tolerance)
    cleared, rate = sum((p.cleared for p in found.parts), ZERO), sum((p.rate for p in found.parts), ZERO)
    if not bill.is_credit and abs(rate) * 100 > rate_jump * abs(cleared):
        found.say("price_diff", f"its rate {bill.rate.normalize():f} makes {rate} of {cleared}")
    if wrong:
        found.say(wrong, "the supplier's number was invoiced before")
    return found.plan()


# --- invoices ---------------------------------------------------------------------------------------------------------


def _invoice(bill: Bill, bought: Bought, tolerance: Tolerance) -> _Found:
    found = _Found()
    rows = _with_the_rest(bill.rows)
    if not rows:
        _by_total(bill, bought, tolerance, found)
        return found
    left = {each.receipt: each for each in bought.open}
    for row in rows:
        _by_line(bill, row, bought, left, tolerance, found)
    return found


def _with_the_rest(rows: Sequence[BilledRow]) -> list[BilledRow]:
    """The rows with article and quantity; what the others say is laid on them by amount."""
    lines = [row for row in rows if row.is_line]
    rest = [row for row in rows if not row.is_line]
    if not lines or not rest:
        return lines
    weights = [abs(row.value) for row in lines]
    amounts = allocate(sum((row.amount for row in rest), ZERO), weights)
    values = allocate(sum((row.value for row in rest), ZERO), weights)
    return [
        replace(row, amount=row.amount + amount, value=row.value + value)
        for row, amount, value in zip(lines, amounts, values, strict=True)
    ]


def _by_total(bill: Bill, bought: Bought, tolerance: Tolerance, found: _Found) -> None:
    groups = [_ordered(group, bill, bought) for group in _groups(bought.open)]
    matches = match_total(groups, sum((row.amount for row in bill.rows), ZERO), bill.rate, bill.value)
    if not matches:
        found.claims.append(Claimed(bill.document, WHOLE, ZERO, bill.value, bill.rate))
        found.say("qty_over" if bought.closed else "not_received", "nothing that it could be for is received and not invoiced")
        return
    row_no = bill.rows[0].row_no
    for match in matches:
        found.parts += _parts(row_no, match)
    whole = Match(tuple(part for match in matches for part in match.parts), Claim())
    state = judge(whole, whole.quantity, tolerance)
    found.say(state, _price_words(whole) if state == "price_diff" else "")


def _by_line(bill: Bill, row: BilledRow, bought: Bought, left: dict[str, Open], tolerance: Tolerance, found: _Found) -> None:
    article = row.article_number or ""
    groups = _groups(each for each in left.values() if each.article_number == article and each.quantity > 0)
    groups.sort(key=lambda group: _ordered(group, bill, bought).price != share_of(row.amount, Decimal(1), row.quantity, 6))
    received = sum((each.quantity for group in groups for each in group), ZERO)
    if not groups:
        found.claims.append(Claimed(bill.document, article, row.quantity, row.value, bill.rate))
        unknown = article not in bought.articles
        words = f"{row.quantity.normalize():f} of article {article} are billed, " + (
            "it is not on the purchase" if unknown else "none are received and not invoiced"
        )
        found.say("qty_over" if unknown or bought.closed else "not_received", words)
        return
    taken, running = [], ZERO
    for place, group in enumerate(groups):
        here = sum((each.quantity for each in group), ZERO)
        last = place == len(groups) - 1
        taken.append(row.quantity - running if last else min(here, row.quantity - running))
        running += taken[-1]
    amounts, values = allocate(row.amount, taken), allocate(row.value, taken)
    for group, quantity, amount, value in zip(groups, taken, amounts, values, strict=True):
        if not quantity:
            continue
        ordered = _ordered(group, bill, bought)
        match = match_line(ordered.price, ordered.receipts, InvoiceLine(quantity, amount, bill.rate, value))
        found.parts += _parts(row.row_no, match)
        for part in match.parts:
            each = left[part.receipt]
            left[part.receipt] = replace(each, quantity=each.quantity - part.quantity, value=each.value - part.cleared)
        state = judge(match, received, tolerance)
        if match.claim.quantity:
            found.claims.append(Claimed(bill.document, article, match.claim.quantity, match.claim.value, bill.rate))
            words = f"{match.claim.quantity.normalize():f} of article {article} are billed and not here, {match.claim.value}"
            found.say("qty_over" if bought.closed else "not_received", words)
            state = judge(Match(match.parts, Claim()), received, tolerance)
        found.say(state, f"article {article}: {_price_words(match)}" if state == "price_diff" else "")


def _price_words(match: Match) -> str:
    percent = share_of(match.unexpected, Decimal(100), match.cleared) if match.cleared else ZERO
    return f"the price differs by {match.unexpected} of {match.cleared} ({percent} %)"


def _groups(receipts: Iterable[Open]) -> list[list[Open]]:
    """Open receipts by line of the purchase, ordered ones first; what was not ordered by article and price."""
    found: dict[tuple[int, str, Decimal, str], list[Open]] = {}
    for each in receipts:
        if each.quantity > 0:
            stray = (10**9, each.article_number, each.unit_price, each.currency)
            key = stray if each.line_number is None else (each.line_number, "", ZERO, "")
            found.setdefault(key, []).append(each)
    return [found[key] for key in sorted(found)]


def _ordered(group: Sequence[Open], bill: Bill, bought: Bought) -> OrderedLine:
    """The group as a line of the purchase: its price as ordered. What was bought in another currency has no rate to differ by."""
    first = group[0]
    receipts = tuple(
        OpenReceipt(each.receipt, each.quantity, each.value, each.unit_price if each.currency == bill.currency else None)
        for each in group
    )
    if first.line_number is not None and first.line_number in bought.prices:
        return OrderedLine(bought.prices[first.line_number][1], receipts)
    if first.currency == bill.currency:
        return OrderedLine(first.unit_price, receipts)
    with localcontext() as context:
        context.prec = 40
        quantity = sum((each.quantity for each in group), ZERO)
        return OrderedLine(sum((each.value for each in group), ZERO) / quantity / bill.rate, receipts)


def _parts(row_no: int, match: Match) -> list[Booked]:
    return [Booked(row_no, part.receipt, part.quantity, part.cleared, part.rate, part.price) for part in match.parts]


# --- credit notes -----------------------------------------------------------------------------------------------------


def _credit(bill: Bill, bought: Bought, tolerance: Tolerance) -> _Found:
    found = _Found()
    matched = [each for each in bought.invoiced if bill.credits is None or bill.credits in each.documents]
    lines = _with_the_rest(bill.rows)
    if not lines:
        _credit_total(bill, bought, matched, tolerance, found)
        return found
    claims = list(bought.claims)
    for row in lines:
        claims, matched = _credit_line(bill, row, claims, matched, tolerance, found)
    return found


def _credit_total(bill: Bill, bought: Bought, matched: Sequence[Invoiced], tolerance: Tolerance, found: _Found) -> None:
    value, row_no = -bill.value, bill.rows[0].row_no
    claimed = sum((claim.value for claim in bought.claims), ZERO)
    if bought.claims and total_holds(claimed, value, tolerance):
        found.claims += [_less(claim, claim.quantity, claim.value) for claim in bought.claims]
        found.difference = claimed - value
        found.say("matched" if claimed == value else "within_tolerance")
        return
    if not any(each.cleared for each in matched):
        found.difference = -value
        found.say("qty_over", f"{value} is credited, nothing was invoiced that it could be for")
        return
    match = Match(tuple(Part(f"{n}", each.quantity, each.cleared, ZERO, ZERO) for n, each in enumerate(matched)), Claim())
    for back in credit(match, ZERO, value)[0]:
        found.parts.append(Booked(row_no, matched[int(back.receipt)].receipt, ZERO, ZERO, ZERO, back.late_cost))
    fits = holds(value, match.cleared, tolerance) and not bought.claims
    found.say("within_tolerance" if fits else "price_diff", "" if fits else f"it lowers the price of {match.cleared} by {value}")


def _credit_line(
    bill: Bill,
    row: BilledRow,
    claims: list[OpenClaim],
    matched: list[Invoiced],
    tolerance: Tolerance,
    found: _Found,
) -> tuple[list[OpenClaim], list[Invoiced]]:
    """A row of a credit note; returns the claims and the invoices that are left for the next. What is credited beyond all that
    was invoiced or sent back is a difference, if a person agrees."""
    article, quantity, value = row.article_number, abs(row.quantity), -row.value
    mine = [claim for claim in claims if claim.article_number == article]
    theirs = [each for each in matched if each.article_number == article]
    there = sum((claim.quantity for claim in mine), ZERO) + sum((each.quantity for each in theirs), ZERO)
    if quantity > there:
        words = f"{quantity.normalize():f} of article {article} are credited, {there.normalize():f} were invoiced or sent back"
        found.say("qty_over", words)
        fits_all = share_of(value, there, quantity)
        found.difference -= value - fits_all
        if not there:
            return claims, matched
        quantity, value = there, fits_all
    left, expected, remaining = [claim for claim in claims if claim.article_number != article], ZERO, quantity
    for claim in mine:
        back = min(claim.quantity, remaining)
        worth = claim.value if back == claim.quantity else share_of(claim.value, back, claim.quantity)
        remaining, expected = remaining - back, expected + worth
        if back:
            found.claims.append(_less(claim, back, worth))
        if back < claim.quantity:
            left.append(replace(claim, quantity=claim.quantity - back, value=claim.value - worth))
    given = share_of(value, quantity - remaining, quantity)
    found.difference += expected - given
    fits = holds(expected - given, expected, tolerance)
    rest = [each for each in matched if each.article_number != article]
    match = Match(tuple(Part(f"{n}", e.quantity, e.cleared, e.rate, e.price) for n, e in enumerate(theirs)), Claim())
    backs = {back.receipt: back for back in credit(match, remaining, value - given)[0]} if remaining else {}
    for n, each in enumerate(theirs):
        back_ = backs.get(f"{n}")
        if back_ is None:
            rest.append(each)
            continue
        rate = share_of(each.rate, back_.quantity, each.quantity)
        price = share_of(each.price, back_.quantity, each.quantity)
        found.parts.append(Booked(row.row_no, each.receipt, -back_.quantity, -back_.reopened, -rate, back_.late_cost + rate))
        fits = fits and holds(back_.late_cost + rate + price, back_.reopened, tolerance)
        if back_.quantity < each.quantity:
            rest.append(
                replace(
                    each,
                    quantity=each.quantity - back_.quantity,
                    cleared=each.cleared - back_.reopened,
                    rate=each.rate - rate,
                    price=each.price - price,
                )
            )
    found.say(
        "matched" if fits else "price_diff", "" if fits else f"article {article}: {value} is credited, otherwise than invoiced"
    )
    return left, rest


def _less(claim: OpenClaim, quantity: Decimal, value: Decimal) -> Claimed:
    return Claimed(claim.document, claim.article_number, -quantity, -value, claim.rate, claim.returned)


# --- what came late ---------------------------------------------------------------------------------------------------


def plan_delivery(bought: Bought) -> list[tuple[str, Plan]]:
    """What was billed and has come in since, by the document that billed it: no claim any more, but goods at their cost."""
    found: list[tuple[str, Plan]] = []
    left = {each.receipt: each for each in bought.open}
    for claim in bought.claims:
        here = [each for each in left.values() if each.article_number == claim.article_number and each.quantity > 0]
        if claim.returned or not here:
            continue
        quantity = min(claim.quantity, sum((each.quantity for each in here), ZERO))
        worth = claim.value if quantity == claim.quantity else share_of(claim.value, quantity, claim.quantity)
        bill = Bill(claim.document, bought.currency, claim.rate, ())
        parts: list[Booked] = []
        remaining, value = quantity, worth
        for group in _groups(here):
            ordered = _ordered(group, bill, bought)
            taken = min(ordered.open_quantity, remaining)
            if not taken:
                continue
            booked = value if taken == remaining else share_of(value, taken, remaining)
            match = match_line(ordered.price, ordered.receipts, InvoiceLine(taken, ZERO, claim.rate, booked))
            parts += _parts(0, match)
            remaining, value = remaining - taken, value - booked
        for part in parts:
            each = left[part.receipt]
            left[part.receipt] = replace(each, quantity=each.quantity - part.quantity, value=each.value - part.cleared)
        found.append((claim.document, Plan("matched", "came late", tuple(parts), (_less(claim, quantity, worth),))))
    return found


def plan_sent_back(bought: Bought) -> list[tuple[str, Plan]]:
    """Goods that went back and were left out of the invoice of the rest: they are neither billed nor credited any more.

    Only where just as many pieces are open as went back; what they were worth more or less than is owed for them is a difference.
    """
    found = []
    for claim in bought.claims:
        here = [each for each in bought.open if each.article_number == claim.article_number and each.quantity > 0]
        billed = any(each.article_number == claim.article_number for each in bought.invoiced)
        same = sum((each.quantity for each in here), ZERO) == claim.quantity
        if not (claim.returned and bought.closed and billed and same):
            continue
        parts = tuple(Booked(0, each.receipt, each.quantity, each.value, ZERO, ZERO) for each in here)
        difference = claim.value - sum((each.value for each in here), ZERO)
        words = "sent back, and left out of the invoice"
        found.append((claim.document, Plan("matched", words, parts, (_less(claim, claim.quantity, claim.value),), difference)))
    return found


def reversed_plan(parts: Sequence[Booked], claims: Sequence[Claimed], difference: Decimal) -> Plan:
    """All that a document has booked, taken back."""
    return Plan(
        "reversed",
        "",
        tuple(Booked(p.row_no, p.receipt, -p.quantity, -p.cleared, -p.rate, -p.price) for p in parts),
        tuple(replace(claim, quantity=-claim.quantity, value=-claim.value) for claim in claims),
        -difference,
    )
