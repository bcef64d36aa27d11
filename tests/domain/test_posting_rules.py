"""Which accounts an event is booked on: the first rule that matches, and nothing changes for who sets none."""

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from domain.errors import Refused
from domain.merchant import MerchantSettings
from domain.posting_rules import Facts, PostingRule, first_match, read_rules
from domain.stock import EVENTS, About, Entry, Posting, PostingRow, StockAccounts, postings

D = Decimal
AT = datetime(2026, 11, 26, tzinfo=UTC)
ON = date(2026, 11, 26)


def rule(priority: int, event: str = "goods-issue", debit: int = 4010, credit: int = 1460, **conditions: str) -> dict[str, Any]:
    return {"priority": priority, "event": event, "debit": debit, "credit": credit, **conditions}


def entry(kind: str, value: str, article: str = "A") -> Entry:
    return Entry((article, "MAIN"), kind, D(1) if D(value) > 0 else D(-1), D(value), None, AT, ON, cause="x")


def booked(accounts: StockAccounts, *entries: Entry) -> list[tuple[str, int, int, Decimal]]:
    """Event, debited account, credited account, amount."""
    made, _ = postings(entries, accounts)
    return [(each.event, each.rows[0].account, each.rows[1].account, each.rows[0].debit) for each in made]


def accounts(*rules: dict[str, Any], **more: Any) -> StockAccounts:
    return replace(MerchantSettings.of({"posting_rules": list(rules)}).stock_accounts, **more)


def test_the_rule_with_the_lowest_priority_that_matches_decides() -> None:
    table = read_rules([rule(20, debit=4020), rule(10, debit=4010, article="A"), rule(30, event="goods-scrapped")])
    assert [each.priority for each in table] == [10, 20, 30]
    for article, account in (("A", 4010), ("B", 4020)):
        hit = first_match(table, Facts("goods-issue", article))
        assert hit is not None and hit.debit == account
    assert first_match(table, Facts("goods-returned")) is None


def test_an_issue_goes_to_the_account_of_its_article_group_order_type_zone_and_country() -> None:
    conditions = {"article_group": "shoes", "order_type": "webshop", "vat_zone": "EXPORT", "country": "NO", "warehouse": "MAIN"}
    settings = MerchantSettings.of(
        {"order_types": {"webshop": None}, "posting_rules": [rule(1, debit=4011, credit=1465, **conditions)]}
    )
    about = About("webshop", "EXPORT", "NO")
    known = replace(settings.stock_accounts, about=about, groups={"A": "shoes"})
    assert booked(known, entry("pick", "-5"), entry("pick", "-7", "B")) == [
        ("goods-issue", 4011, 1465, D(5)),
        ("goods-issue", 4960, 1460, D(7)),
    ]
    for missing in (About(None, "EXPORT", "NO"), About("webshop", None, "NO"), About("webshop", "EXPORT", None)):
        assert booked(replace(known, about=missing), entry("pick", "-5")) == [("goods-issue", 4960, 1460, D(5))]


def test_what_is_undone_is_booked_by_the_rule_of_what_it_undoes_turned_around() -> None:
    own = accounts(rule(1, debit=4011, credit=1465), rule(2, "goods-received", 1465, 2491), received=2490)
    assert booked(own, entry("pick-reversal", "5"), entry("receipt-reversal", "-3")) == [
        ("goods-issue-reversed", 1465, 4011, D(5)),
        ("goods-receipt-undone", 2491, 1465, D(3)),
    ]


def test_a_rule_for_every_event_gives_the_accounts_of_stock_that_grows() -> None:
    own = accounts(rule(1, "*", 1465, 4965, article="A"))
    found = booked(own, entry("pick", "-5"), entry("return", "2"), entry("scrap", "-1"), entry("opening", "9"))
    assert {(debit, credit) for event, debit, credit, _ in found if event in ("goods-issue", "goods-scrapped")} == {(4965, 1465)}
    assert {(debit, credit) for event, debit, credit, _ in found if event in ("goods-returned", "opening-balance")} == {
        (1465, 4965)
    }


def test_an_own_account_of_a_change_stands_unless_a_rule_says_otherwise() -> None:
    change = replace(entry("adjustment", "-5"), account=7970)
    assert booked(accounts(), change) == [("stock-adjusted", 7970, 1460, D(5))]
    assert booked(accounts(rule(1, "stock-adjusted", 1460, 4991)), change) == [("stock-adjusted", 4991, 1460, D(5))]


def test_a_merchant_without_rules_books_as_it_always_did() -> None:
    plain = StockAccounts(1460, 4960, 2099, 4990, received=2490)
    was = {
        "goods-received": 2490,
        "goods-receipt-undone": 2490,
        "opening-balance": 2099,
        "goods-scrapped": 4990,
        "goods-scrap-undone": 4990,
    }
    for kind, event in EVENTS.items():
        given = replace(entry(kind, "-5"), account=1 if event in ("stock-adjusted", "stock-revalued") else None)
        expected = given.account or was.get(event, 4960)
        assert postings([given], plain)[0] == [
            Posting(event, ON, (PostingRow(expected, D(5), D(0)), PostingRow(1460, D(0), D(5))))
        ]
    moved = replace(plain, elsewhere=1461)
    assert booked(moved, entry("pick", "-5"), entry("pick-reversal", "2")) == [
        ("goods-transferred", 1461, 1460, D(5)),
        ("goods-transferred-reversed", 1460, 1461, D(2)),
    ]


def test_with_purchases_expensed_a_receipt_needs_no_account_for_what_is_not_invoiced() -> None:
    settings = MerchantSettings.of({"posting_style": "purchases-expensed"})
    assert booked(settings.receipt_accounts("PO-1", "normal"), entry("receipt", "11200")) == [
        ("goods-received", 1460, 4960, D(11200))
    ]
    assert booked(settings.stock_accounts, entry("pick", "-4480")) == [("goods-issue", 4960, 1460, D(4480))]
    with pytest.raises(Refused, match="goods_received_not_invoiced_account"):
        MerchantSettings().receipt_accounts("PO-1", "normal")


def test_a_rule_for_receipts_does_instead_of_the_account_and_else_the_receipt_is_refused_with_the_remedy() -> None:
    settings = MerchantSettings.of({"posting_rules": [rule(1, "goods-received", 1460, 2491, article="A")]})
    receiving = settings.receipt_accounts("PO-1", "normal")
    assert booked(receiving, entry("receipt", "5")) == [("goods-received", 1460, 2491, D(5))]
    with pytest.raises(Refused, match="article B in MAIN: no posting rule for goods-received; set goods_received_not_invoiced"):
        booked(receiving, entry("receipt", "5", "B"))


@pytest.mark.parametrize(
    ("rules", "fault"),
    [
        ("x", "posting_rules is not a list of rules"),
        ([rule(1, "goods-issued")], "posting_rules.0.event is 'goods-issued'; events are"),
        ([rule(1, "goods-issue-reversed")], "what goods-issue-reversed undoes is booked by the rule of goods-issue"),
        ([rule(1), rule(1, article="A")], "posting_rules.1.priority is 1, which another rule has too"),
        ([rule(1, debit=40)], "posting_rules.0.debit is 40, not an account of four digits"),
        ([rule(1, debit="4010")], "posting_rules.0.debit is '4010', not an account"),  # type: ignore[arg-type]
        ([rule(2, article="A"), rule(1)], "posting_rules.0 never can match: rule 1 comes before it"),
        ([rule(1, order_type="nosuch")], "posting_rules.0.order_type is 'nosuch', so it never can match"),
        ([rule(1, "opening-balance", 1460, 2099, country="NO")], "never can match: opening-balance has no country"),
        ([rule(1, vat_zone="MOON")], "posting_rules.0.vat_zone is 'MOON'; zones are"),
        ([rule(1, country="Norway")], "posting_rules.0.country is 'Norway', not a country code"),
        ([rule(1, debit=1460)], "debits and credits the same account 1460"),
        ([{"priority": 1, "event": "goods-issue"}], "posting_rules.0.debit is missing"),
        ([rule(1, colour="red")], "posting_rules.0.colour is not known"),
        ([rule(1, debit=1460, credit=4010)], "book 1460 as stock by one rule and as the other side by another"),
        ([rule(0)], "posting_rules.0.priority is 0"),
    ],
)
def test_a_table_that_cannot_be_used_is_refused_with_its_place(rules: Any, fault: str) -> None:
    with pytest.raises(Refused) as refused:
        MerchantSettings.of({"posting_rules": rules})
    assert fault in str(refused.value)


def test_what_is_explained_is_what_is_booked() -> None:
    settings = MerchantSettings.of(
        {"posting_rules": [rule(1, debit=4011, article="A")], "goods_received_not_invoiced_account": 2490}
    )
    table = settings.posting_table
    for kind, event in EVENTS.items():
        if event in ("stock-adjusted", "stock-revalued"):
            continue
        hit = first_match(table, Facts(event, "A", None, "MAIN"))
        assert hit is not None
        made = settings.receipt_accounts("PO-1", "normal")
        assert booked(made, entry(kind, "5"))[0][1:3] == hit.sides(event)
    transfer = first_match(table, Facts("goods-transferred", order_type="transfer"))
    assert transfer is not None and transfer.debit == settings.accounts_for("transfer").elsewhere


def test_every_account_that_stock_stands_on_is_tied_out() -> None:
    settings = MerchantSettings.of({"posting_rules": [rule(1, debit=4011, credit=1465, article="A")]})
    assert settings.stock_account_numbers == [1460, 1465]
    assert PostingRule(1, "goods-issue", 4011, 1465).sides("goods-issue-reversed") == (1465, 4011)
