"""Which accounts an event of stock is booked on: a table of rules in order of priority, the first that matches decides.

A rule names the event as it is when it goes its usual way: what is undone uses the rule of what it undoes, turned around, so that
nobody can set one and forget the other. The merchant's own rules come first; behind them stand those that follow from its single
accounts and its posting style, so that a merchant without rules books as it always did.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from domain.vat import VatZone

ANY = "*"
DEBIT, CREDIT = "debit", "credit"
STYLES = ("gr-ir", "purchases-expensed")

STOCK_SIDE = {
    "goods-received": DEBIT,
    "goods-issue": CREDIT,
    "goods-transferred": CREDIT,
    "goods-returned": DEBIT,
    "goods-scrapped": CREDIT,
    "stock-adjusted": DEBIT,
    "stock-revalued": DEBIT,
    "cost-settled": CREDIT,
    "price-difference": CREDIT,
    "opening-balance": DEBIT,
}
"""Each event that a rule may name, and on which side of its rule stock stands."""
UNDOES = {
    "goods-receipt-undone": "goods-received",
    "goods-issue-reversed": "goods-issue",
    "goods-transferred-reversed": "goods-transferred",
    "goods-return-undone": "goods-returned",
    "goods-scrap-undone": "goods-scrapped",
}
WITHOUT_DOCUMENT = frozenset({"stock-adjusted", "stock-revalued", "opening-balance"})
"""Events that no order, purchase or return stands behind: they have no order type, VAT zone or country."""
OF_DOCUMENT = ("order_type", "vat_zone", "country")
BUILT_IN_FROM = 100_000
"""Priorities from here on are the rules that follow from the other settings."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of one event. None where it is not known: only a rule that does not ask for it can match then."""

    event: str
    article: str | None = None
    article_group: str | None = None
    warehouse: str | None = None
    order_type: str | None = None
    vat_zone: str | None = None
    country: str | None = None


@dataclass(frozen=True, slots=True)
class PostingRule:
    """One row of the table; the lowest `priority` is tried first. With event `*` the accounts are those of stock that grows."""

    priority: int
    event: str
    debit: int
    credit: int
    order_type: str = ANY
    article: str = ANY
    article_group: str = ANY
    warehouse: str = ANY
    vat_zone: str = ANY
    country: str = ANY

    def misses(self, facts: Facts) -> str | None:
        """The first condition that does not hold, in words; None when the rule matches."""
        wanted = UNDOES.get(facts.event, facts.event)
        if self.event not in (ANY, wanted):
            return f"event is {wanted}, not {self.event}"
        for name in CONDITIONS:
            condition, found = getattr(self, name), getattr(facts, name)
            if condition not in (ANY, found):
                return f"{name} is {'not known' if found is None else found}, not {condition}"
        return None

    def covers(self, other: "PostingRule") -> bool:
        """Whether all that the other matches is matched by this one."""
        names = ("event", *CONDITIONS)
        return all(getattr(self, name) in (ANY, getattr(other, name)) for name in names)

    def sides(self, event: str) -> tuple[int, int]:
        """The stock account, and the other side."""
        stock_is = STOCK_SIDE.get(UNDOES.get(event, event), DEBIT) if self.event != ANY else DEBIT
        return (self.debit, self.credit) if stock_is == DEBIT else (self.credit, self.debit)


CONDITIONS = ("order_type", "article", "article_group", "warehouse", "vat_zone", "country")


def first_match(rules: Iterable[PostingRule], facts: Facts) -> PostingRule | None:
    """The rule that decides; `rules` are in order of priority."""
    return next((rule for rule in rules if rule.misses(facts) is None), None)


def read_rules(given: Sequence[Mapping[str, Any]]) -> tuple[PostingRule, ...]:
    """The merchant's own rules from their stored form, in order of priority."""
    return tuple(sorted((PostingRule(**each) for each in given), key=lambda rule: rule.priority))


def built_in(
    stock: int,
    cost_of_goods_sold: int,
    opening: int,
    scrapped: int,
    received: int | None,
    price_difference: int | None,
    elsewhere: Mapping[str, int],
) -> list[PostingRule]:
    """What the merchant's single accounts come to, as rules behind its own. `elsewhere`: order types whose goods leave unsold."""
    rules: list[PostingRule] = []

    def add(event: str, other: int | None, order_type: str = ANY) -> None:
        if other is not None:
            debit, credit = (stock, other) if STOCK_SIDE[event] == DEBIT else (other, stock)
            rules.append(PostingRule(BUILT_IN_FROM + 10 * len(rules), event, debit, credit, order_type=order_type))

    for order_type, account in sorted(elsewhere.items()):
        for event in ("goods-transferred", "goods-returned", "goods-received", "cost-settled"):
            add(event, account, order_type)
    add("goods-received", received)
    for event in ("goods-issue", "goods-returned", "cost-settled"):
        add(event, cost_of_goods_sold)
    add("goods-scrapped", scrapped)
    add("price-difference", price_difference)
    add("opening-balance", opening)
    return rules


def faults(path: str, value: Any) -> Iterable[tuple[str, str]]:
    """What is wrong with the rules of a merchant, each with its place in the table."""
    if not isinstance(value, list | tuple):
        yield path, 'is not a list of rules like {"priority": 10, "event": "goods-issue", "debit": 4010, "credit": 1460}'
        return
    names = [f.name for f in fields(PostingRule)]
    good: list[tuple[str, PostingRule]] = []
    for n, given in enumerate(value):
        at = f"{path}.{n}"
        if not isinstance(given, Mapping):
            yield at, f"is {given!r}, not a rule"
            continue
        wrong = list(_rule_faults(at, given, names))
        yield from wrong
        if not wrong:
            good.append((at, PostingRule(**given)))
    good.sort(key=lambda pair: pair[1].priority)
    for n, (at, rule) in enumerate(good):
        for _, before in good[:n]:
            if before.priority == rule.priority:
                yield f"{at}.priority", f"is {rule.priority}, which another rule has too: nobody could say which comes first"
            elif before.covers(rule):
                yield at, f"never can match: rule {before.priority} comes before it and matches all that it does"
            else:
                continue
            break


def _rule_faults(at: str, given: Mapping[str, Any], names: Sequence[str]) -> Iterable[tuple[str, str]]:
    for name in given:
        if name not in names:
            yield f"{at}.{name}", f"is not known; known are {', '.join(names)}"
    for name in ("priority", "event", "debit", "credit"):
        if name not in given:
            yield f"{at}.{name}", "is missing"
    for name in (DEBIT, CREDIT):
        if name in given and (type(given[name]) is not int or not 1000 <= given[name] <= 9999):
            yield f"{at}.{name}", f"is {given[name]!r}, not an account of four digits"
    if type(given.get("debit")) is int and given.get("debit") == given.get("credit"):
        yield at, f"debits and credits the same account {given['debit']}: nothing would be booked"
    priority = given.get("priority", 1)
    if type(priority) is not int or not 1 <= priority < BUILT_IN_FROM:
        yield f"{at}.priority", f"is {priority!r}, not a whole number from 1 to {BUILT_IN_FROM - 1}"
    event = given.get("event", ANY)
    if not isinstance(event, str) or (event != ANY and event not in STOCK_SIDE):
        undoes = f"; what {event} undoes is booked by the rule of {UNDOES[event]}" if event in list(UNDOES) else ""
        yield f"{at}.event", f"is {event!r}; events are *, {', '.join(STOCK_SIDE)}{undoes}"
    for name in CONDITIONS:
        condition = given.get(name, ANY)
        if not isinstance(condition, str) or not condition.strip() or condition != condition.strip():
            yield f"{at}.{name}", f"is {condition!r}, not a text or *"
        elif name == "vat_zone" and condition != ANY and condition not in set(VatZone):
            yield f"{at}.{name}", f"is {condition!r}; zones are {', '.join(VatZone)}"
        elif name == "country" and condition != ANY and not (len(condition) == 2 and condition.isupper()):
            yield f"{at}.{name}", f"is {condition!r}, not a country code of two capital letters"
        elif name in OF_DOCUMENT and condition != ANY and event in WITHOUT_DOCUMENT:
            yield at, f"never can match: {event} has no {name}"


def both_sides(rules: Iterable[PostingRule]) -> list[int]:
    """Accounts that are stock by one rule and the other side by another: the stock account could never be tied out."""
    stock: set[int] = set()
    other: set[int] = set()
    for rule in rules:
        one, two = rule.sides(rule.event)
        stock.add(one)
        other.add(two)
    return sorted(stock & other)
