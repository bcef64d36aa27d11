"""Each costing method through the tables, beside a small model of its own: same value to the öre after every movement."""

import random
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction

import pytest

from domain.adjusting import Change, change_stock
from domain.errors import LookAgain, Refused
from domain.money import ZERO
from domain.stock import Entry
from erp import ledger
from erp.database import DATABASE_ERRORS, Database
from erp.merchants import load_merchant, save_settings
from starters.verify import verify as check_books
from tests.erp.books import count
from tests.erp.data import add_merchant, add_order, insert, line, open_stock, read

D = Decimal
PLACE = ("A", "MAIN")
AT, ON = datetime(2026, 11, 26, 12, tzinfo=UTC), date(2026, 11, 26)
DIFFERENCE = 4980
STEPS = 80
HELD = "select quantity, value from erp.stock_balance where merchant_id = :m and article_number = 'A'"


def ore(value: Fraction) -> int:
    """Half away from zero, in öre."""
    return int((D(value.numerator) / D(value.denominator)).quantize(D(1), ROUND_HALF_UP))


class Fifo:
    """Öre and pieces. Below zero pieces leave at the last cost per piece, and the next receipt fills the hole first."""

    def __init__(self) -> None:
        self.layers: list[list[int]] = []
        self.hole, self.hole_value, self.last = 0, 0, Fraction(0)

    def receive(self, n: int, value: int) -> None:
        filled = min(n, self.hole)
        self.last = Fraction(value, n)
        if filled:
            self.hole_value -= ore(Fraction(self.hole_value * filled, self.hole))
            self.hole -= filled
        if n > filled:
            self.layers.append([n - filled, value - ore(Fraction(value * filled, n))])

    def issue(self, n: int) -> None:
        while n and self.layers:
            q, v = self.layers[0]
            self.last = Fraction(v, q) or self.last
            took = min(n, q)
            self.layers[0] = [q - took, v - ore(Fraction(v * took, q))]
            self.layers = [layer for layer in self.layers if layer[0]]
            n -= took
        # the books keep a cost per piece to a ten-thousandth of an öre
        self.last = Fraction(ore(self.last * 10_000), 10_000)
        self.hole += n
        self.hole_value += ore(self.last * n)

    @property
    def value(self) -> int:
        return sum(v for _, v in self.layers) - self.hole_value


class SetPrice:
    """Pieces at a price; `latest`: a purchase sets it."""

    def __init__(self, price: str | None) -> None:
        self.n, self.latest = 0, price is None
        self.price = Fraction(price or 0) * 100

    def receive(self, n: int, value: int) -> None:
        self.n += n
        if self.latest:
            self.price = Fraction(ore(Fraction(value, n) * 10_000), 10_000)

    def issue(self, n: int) -> None:
        self.n -= n

    @property
    def value(self) -> int:
        return ore(self.n * self.price)


class Average:
    """Pieces and öre; below zero at the last cost, and a receipt fills the hole first."""

    def __init__(self) -> None:
        self.n, self.value, self.last = 0, 0, Fraction(0)

    def receive(self, n: int, value: int) -> None:
        left = self.n + n
        if self.n >= 0:
            self.value += value
        elif left <= 0:
            self.value = ore(Fraction(value * left, n))
        else:
            self.value = value - ore(Fraction(value * -self.n, n))
        self.n, self.last = left, Fraction(ore(Fraction(value, n) * 10_000), 10_000)

    def issue(self, n: int) -> None:
        here = max(0, min(n, self.n))
        if here:
            self.last = Fraction(ore(Fraction(self.value, self.n) * 10_000), 10_000)
            self.value -= self.value if here == self.n else ore(Fraction(self.value * here, self.n))
        self.value -= ore(self.last * (n - here))
        self.n -= n


MODELS: dict[str, Callable[[], Fifo | SetPrice | Average]] = {
    "fifo": Fifo,
    "latest-price": lambda: SetPrice(None),
    "standard": lambda: SetPrice("12.345678"),
    "moving-average": Average,
}


async def costed(app: Database, erp: Database, method: str) -> str:
    merchant = await add_merchant(erp)
    async with app.merchant(merchant) as session:
        settings = {"costing_method": method, "price_difference_account": DIFFERENCE, "goods_received_not_invoiced_account": 2490}
        await save_settings(session, merchant, settings, "test")
    async with erp.everyone() as session:
        await insert(session, "erp.standard_cost", {"merchant_id": merchant, "article_number": "A", "price": D("12.345678")})
    return merchant


async def receive(app: Database, merchant: str, n: int, value: int, cause: str) -> None:
    """A receipt as the purchase's process books it."""
    async with app.merchant(merchant) as session:
        who = await load_merchant(session, merchant)
        pools = await ledger.lock_pools(session, merchant, [PLACE])
        worth = D(value) / 100
        pool, true_up = pools[PLACE].receive(D(n), worth)
        made = [Entry(PLACE, "receipt", D(n), worth, None, AT, ON, cause, epoch=pool.epoch, keep=pool.keep)]
        if true_up:
            made.append(Entry(PLACE, "true-up", ZERO, -true_up, None, AT, ON, f"{cause}/+", epoch=pool.epoch, keep=pool.keep))
        accounts = who.settings.receipt_accounts("PO-1", "normal")
        await ledger.append(session, merchant, made, {PLACE: pool}, accounts, "SEK", cause, "received", "test", "test")


async def issue(app: Database, merchant: str, n: int, cause: str) -> None:
    async with app.merchant(merchant) as session:
        who = await load_merchant(session, merchant)
        pools = await ledger.lock_pools(session, merchant, [PLACE])
        made, pool = change_stock(Change(PLACE, D(-n), cause, 4990, AT, ON), pools[PLACE])
        accounts = who.settings.stock_accounts
        await ledger.append(session, merchant, made, {PLACE: pool}, accounts, "SEK", cause, "gone", "test", "test")


@pytest.mark.parametrize("method", MODELS)
async def test_random_histories_through_the_tables_are_worth_what_a_model_of_its_own_says(
    app: Database, erp: Database, verify: Database, method: str
) -> None:
    merchant = await costed(app, erp, method)
    rng, model, pieces = random.Random(method), MODELS[method](), 0
    for step in range(STEPS + 1):
        if rng.random() < 0.45 or step in (0, STEPS):
            n, value = rng.randint(1, 12) + max(0, -pieces if step == STEPS else 0), rng.randint(1, 40_000)
            await receive(app, merchant, n, value, f"receipt-{step}")
            model.receive(n, value)
        else:
            n = -rng.randint(1, 12)
            await issue(app, merchant, -n, f"issue-{step}")
            model.issue(-n)
        pieces += n
        [found] = await read(
            verify, "select quantity, value from erp.stock_balance where merchant_id = :m and article_number='A'", m=merchant
        )
        assert found == (pieces, D(model.value) / 100), f"step {step}"
    await sound(verify, merchant, method)


async def sound(database: Database, merchant: str, method: str) -> None:
    """Entries add up to the balance, each posting to its entries, and the checks of the books hold by the method."""
    totals = "select sum(value) from erp.stock_entry where merchant_id = :m"
    stock = "select sum(debit - credit) from erp.posting_row where merchant_id = :m and account = 1460"
    balance = "select sum(value) from erp.stock_balance where merchant_id = :m"
    assert (
        await read(database, totals, m=merchant)
        == await read(database, stock, m=merchant)
        == await read(database, balance, m=merchant)
    )
    rule = "select distinct rule_version from erp.ledger_transaction where merchant_id = :m"
    assert await read(database, rule, m=merchant) == [(f"{method}-1",)]
    assert await broken(database, merchant) == []


CHECKED = {"L1", "L2", "L3", "V1", "V2", "V3", "C1", "C2", "C3"}


async def test_goods_at_standard_cost_leave_what_they_cost_more_on_the_difference_account(
    app: Database, erp: Database, verify: Database
) -> None:
    merchant = await costed(app, erp, "standard")
    await receive(app, merchant, 10, 20_000, "r")
    found = "select event, account, sum(debit - credit) from erp.posting_row join erp.posting using (merchant_id, posting_no)"
    assert await read(verify, f"{found} where merchant_id = :m group by 1, 2 order by 1, 2", m=merchant) == [
        ("goods-received", 1460, D("200.00")),
        ("goods-received", 2490, D("-200.00")),
        ("price-difference", 1460, D("-76.54")),
        ("price-difference", DIFFERENCE, D("76.54")),
    ]


async def test_an_article_without_standard_cost_waits_for_one(app: Database, erp: Database) -> None:
    merchant = await costed(app, erp, "standard")
    async with app.merchant(merchant) as session:
        with pytest.raises(Refused, match="article B has no standard cost that holds today") as refused:
            await ledger.lock_pools(session, merchant, [PLACE, ("B", "MAIN")])
    assert refused.value.code == "standard-cost-missing"


async def test_the_method_is_changed_only_while_nothing_is_in_stock(app: Database, erp: Database, verify: Database) -> None:
    merchant = await costed(app, erp, "moving-average")
    await receive(app, merchant, 3, 1000, "r1")
    async with app.merchant(merchant) as session:
        with pytest.raises(Refused, match="cannot become fifo while anything is in stock: article A has 3 pieces worth 10"):
            await save_settings(session, merchant, {"costing_method": "fifo"}, "test")
    await issue(app, merchant, 3, "i1")
    async with app.merchant(merchant) as session:
        await save_settings(session, merchant, {"costing_method": "fifo", "goods_received_not_invoiced_account": 2490}, "test")
    await receive(app, merchant, 2, 500, "r2")
    await receive(app, merchant, 2, 700, "r3")
    await issue(app, merchant, 3, "i2")
    layers = "select received, quantity, value from erp.stock_layer where merchant_id = :m"
    assert await read(verify, layers, m=merchant) == [(D(2), D(1), D("3.50"))]
    assert await broken(verify, merchant) == []


async def broken(database: Database, merchant: str) -> list[str]:
    report = await check_books(database, merchant=merchant, online=None, temporal=None)
    return [f"{r.invariant} {r.samples}" for r in report.results if r.violations and r.invariant in CHECKED]


async def test_a_booking_that_began_before_the_method_was_changed_is_taken_back(app: Database, erp: Database) -> None:
    merchant = await costed(app, erp, "moving-average")
    made = [Entry(PLACE, "opening", D(1), D(1), None, AT, ON, "late")]
    with pytest.raises(DATABASE_ERRORS, match=r"the costing method of .* is no longer moving-average"):
        async with app.merchant(merchant) as booking:
            accounts = (await load_merchant(booking, merchant)).settings.stock_accounts
            pools = await ledger.lock_pools(booking, merchant, [PLACE])
            async with app.merchant(merchant) as session:
                await save_settings(session, merchant, {"costing_method": "fifo"}, "test")
            pool, _ = pools[PLACE].receive(D(1), D(1))
            await ledger.append(booking, merchant, made, {PLACE: pool}, accounts, "SEK", "x", "x", "test", "test")
    async with app.merchant(merchant) as session:
        pools = await ledger.lock_pools(session, merchant, [PLACE])
        assert pools[PLACE].quantity == 0
        fixed = (await load_merchant(session, merchant)).settings.stock_accounts
        with pytest.raises(LookAgain, match="the costing method was changed meanwhile"):
            await ledger.append(
                session, merchant, made, pools, replace(fixed, price_difference=4980), "SEK", "x", "x", "test", "test"
            )


async def test_an_opening_balance_at_standard_cost_shows_its_difference(app: Database, erp: Database, verify: Database) -> None:
    merchant = await costed(app, erp, "standard")
    async with erp.everyone() as session:
        for number in ("B", "C"):
            await insert(session, "erp.standard_cost", {"merchant_id": merchant, "article_number": number, "price": D(2)})
    await open_stock(app, merchant, 10, "3")
    found = "select article_number, value, last_cost from erp.stock_balance where merchant_id = :m order by 1"
    assert await read(verify, found, m=merchant) == [
        ("A", D("123.46"), D("12.345678")),
        ("B", D("20.00"), D(2)),
        ("C", D("20.00"), D(2)),
    ]


@pytest.mark.parametrize(
    ("method", "left", "taken_back", "worth"),
    [
        ("fifo", "-180.00", "77.14", "197.14"),
        ("moving-average", "-210.00", "90.00", "180.00"),
        ("latest-price", "-280.00", "120.00", "240.00"),
        ("standard", "-86.42", "37.04", "74.07"),
    ],
)
async def test_a_pick_that_is_taken_back_returns_at_the_value_it_left_with(
    app: Database, erp: Database, verify: Database, method: str, left: str, taken_back: str, worth: str
) -> None:
    merchant = await costed(app, erp, method)
    await receive(app, merchant, 5, 10_000, "r1")
    await receive(app, merchant, 5, 20_000, "r2")
    await add_order(erp, merchant, lines=[line("A", 7)])
    await count(app, merchant, "SO-1", 7, {1: 7})
    for _ in range(2):
        await count(app, merchant, "SO-1", 7, {1: 4})
    moved = "select kind, value from erp.stock_entry where merchant_id = :m and booking_step is not null and kind <> 'true-up'"
    assert await read(verify, f"{moved} order by entry_no", m=merchant) == [("pick", D(left)), ("pick-reversal", D(taken_back))]
    assert await read(verify, HELD, m=merchant) == [(D(6), D(worth))]
    if method == "fifo":
        layers = "select layer_no, quantity, value from erp.stock_layer where merchant_id = :m order by 1"
        assert await read(verify, layers, m=merchant) == [(2, D(3), D("120.00")), (3, D(3), D("77.14"))]
    assert await broken(verify, merchant) == []
