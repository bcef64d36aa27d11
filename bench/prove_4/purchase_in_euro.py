"""Point 2: a purchase of 100 lines in euro, from five receipts to the accounts in Fortnox, all as computed independently here.

One line comes over, one article was never ordered. Some is sold before and after the freight; the invoice is 5 % dearer at
another rate, and a person agrees; the wrong article goes back, and a credit note takes it and five other pieces. Once for each
policy of where the rate difference goes. The model imports nothing of the product: pools in öre, the part of a receipt that is
still here as an exact fraction, the fixed rule of the match.

    python -m bench.prove_4.purchase_in_euro [--small]
"""

import asyncio
import sys
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from typing import Any

from sqlalchemy import text

from bench.prove_1.proof import Proof
from bench.prove_3.ground import Ground, ground
from erp.uninvoiced import uninvoiced
from tests.activities import buying
from tests.activities.test_purchases import floor, ordered, place, send, status
from tests.activities.world import Shop, again
from tests.erp.data import line

D = Decimal
ZERO = D(0)
LINES, SMALL = 100, 24
AT_RECEIPT, LATER, ON_INVOICE = D("11.2000"), D("11.2345"), D("11.4000")
FREIGHT = D("12345.67")
WRONG, WRONG_PRICE, WRONG_PIECES = "P-WRONG", D("7.77"), 3
OVER, OVER_PIECES = 7, 5
CREDITED, CREDITED_PIECES = 20, 5
EMPTIED = 5
OPENING = D(13500)
STOCK, OWED, SOLD, LANDED, CLAIMS, PAYABLES, LOSS, GAIN = 1460, 2490, 4960, 2491, 1680, 2440, 7960, 3960


def ore(amount: Fraction | Decimal) -> Decimal:
    """Half away from zero, to the öre, of an exact number."""
    exact = Fraction(amount) * 100
    whole = (abs(exact) + Fraction(1, 2)).__floor__()
    return D(whole if exact >= 0 else -whole) / 100


@dataclass(eq=False)
class Came:
    """One receipt of one article: pieces, value, and which part of it is still here."""

    pieces: int
    value: Decimal
    here: Fraction = Fraction(1)
    cleared: Decimal = ZERO
    rate: Decimal = ZERO
    price: Decimal = ZERO


@dataclass
class Article:
    """A pool in öre, and the receipts that fed it."""

    price: Decimal
    pieces: int = 0
    value: Decimal = ZERO
    receipts: list[Came] = field(default_factory=list)

    def receive(self, pieces: int, rate: Decimal) -> Decimal:
        value = ore(pieces * self.price * rate)
        self.pieces, self.value = self.pieces + pieces, self.value + value
        self.receipts.append(Came(pieces, value))
        return value

    def issue(self, pieces: int) -> Decimal:
        cost = self.value if pieces == self.pieces else ore(Fraction(self.value) * pieces / self.pieces)
        for each in self.receipts:
            each.here *= Fraction(self.pieces - pieces, self.pieces)
        self.pieces, self.value = self.pieces - pieces, self.value - cost
        return cost

    def late(self, of: Came, amount: Decimal) -> Decimal:
        """A receipt became dearer; returns what of it belongs to goods already sold."""
        stays = ore(Fraction(amount) * of.here)
        self.value += stays
        return amount - stays


@dataclass
class Model:
    """What the whole purchase must come to."""

    rate_is_cost: bool
    articles: dict[str, Article]
    accounts: dict[int, Decimal] = field(default_factory=dict)
    order: list[tuple[tuple[int, int], str, Came]] = field(default_factory=list)
    rates: Decimal = ZERO

    def book(self, account: int, amount: Decimal) -> None:
        self.accounts[account] = self.accounts.get(account, D(0)) + amount

    def receive(self, number: str, pieces: int, rate: Decimal) -> None:
        value = self.articles[number].receive(pieces, rate)
        self.book(STOCK, value)
        self.book(OWED, -value)

    def sell(self, number: str, pieces: int) -> None:
        cost = self.articles[number].issue(pieces)
        self.book(STOCK, -cost)
        self.book(SOLD, cost)

    def late(self, number: str, of: Came, amount: Decimal, against: int) -> None:
        sold = self.articles[number].late(of, amount)
        self.book(STOCK, amount - sold)
        self.book(SOLD, sold)
        self.book(against, -amount)

    def freight(self, total: Decimal) -> None:
        """Laid on every receipt by its value, by running totals in the order of the receipts."""
        lines = self.in_order()
        whole = sum((came.value for _, came in lines), D(0))
        so_far = given = D(0)
        for number, came in lines:
            so_far += came.value
            part = ore(Fraction(total) * Fraction(so_far) / Fraction(whole)) - given
            given += part
            self.late(number, came, part, LANDED)

    def in_order(self) -> list[tuple[str, Came]]:
        return [(number, came) for _, number, came in sorted(self.order, key=lambda each: each[0])]

    def invoice(self, number: str, amount: Decimal) -> None:
        """All pieces of an article, oldest receipt first: cleared, the difference in rate, the difference in price."""
        article = self.articles[number]
        value = ore(amount * ON_INVOICE)
        whole = sum(came.pieces for came in article.receipts)
        self.book(OWED, value)
        self.book(PAYABLES, -value)
        running, so_ordered, so_billed = 0, D(0), D(0)
        for came in article.receipts:
            running += came.pieces
            at_order = ore(running * article.price * ON_INVOICE) - so_ordered
            billed = ore(Fraction(value) * running / whole) - so_billed
            so_ordered, so_billed = so_ordered + at_order, so_billed + billed
            came.cleared, came.rate, came.price = came.value, at_order - came.value, billed - at_order
            if self.rate_is_cost:
                self.late(number, came, came.rate + came.price, OWED)
            else:
                self.late(number, came, came.price, OWED)
                self.exchange(came.rate)

    def exchange(self, total: Decimal) -> None:
        self.rates += total

    def close_exchange(self) -> None:
        """One document's rate difference is one amount: a loss if it cost more, else a gain."""
        if self.rates:
            self.book(LOSS if self.rates > 0 else GAIN, self.rates)
            self.book(OWED, -self.rates)
        self.rates = D(0)

    def credit_pieces(self, number: str, pieces: int, amount: Decimal) -> None:
        """Pieces of the last receipt count as not invoiced again; what they had made dearer is taken back."""
        came, value = self.articles[number].receipts[-1], ore(amount * ON_INVOICE)
        self.book(OWED, -value)
        self.book(PAYABLES, value)
        reopened = ore(Fraction(came.cleared) * pieces / came.pieces)
        rate = ore(Fraction(came.rate) * pieces / came.pieces)
        change = reopened - value
        came.cleared -= reopened
        if self.rate_is_cost:
            self.late(number, came, change, OWED)
        else:
            self.late(number, came, change + rate, OWED)
            self.exchange(-rate)

    def send_back(self, number: str, pieces: int) -> Decimal:
        cost = self.articles[number].issue(pieces)
        self.book(STOCK, -cost)
        self.book(CLAIMS, cost)
        return cost

    def credit_returned(self, cost: Decimal, amount: Decimal) -> None:
        value = ore(amount * ON_INVOICE)
        self.book(OWED, -value)
        self.book(PAYABLES, value)
        self.book(CLAIMS, -cost)
        self.book(SOLD, cost - value)
        self.book(OWED, value)

    @property
    def open(self) -> Decimal:
        return sum((came.value - came.cleared for a in self.articles.values() for came in a.receipts), D(0))


def name(number: int) -> str:
    return f"P{number:03}"


def quantity(number: int) -> int:
    return 20 + 4 * (number % 6)


def price(number: int) -> Decimal:
    return D(10) + D(number) * D("0.37")


def dearer(pieces: int, at: Decimal) -> Decimal:
    return ore(pieces * at * D("1.05"))


async def prove(small: bool, server: str | None = None) -> Proof:
    """Both policies, each with a merchant of its own."""
    short: list[str] = []
    figures = []
    async with ground(server) as at:
        for policy in ("product-cost", "exchange-account"):
            figures.append(await _one(at, policy, SMALL if small else LINES, short))
        short += await at.unclean()
    return Proof("2", f"a purchase of {SMALL if small else LINES} lines in euro", "; ".join(figures), tuple(short[:5]))


async def _one(at: Ground, policy: str, lines: int, short: list[str]) -> str:
    shop = await at.shop()
    model = Model(policy == "product-cost", {name(n): Article(price(n)) for n in range(1, lines + 1)})
    model.articles[WRONG] = Article(WRONG_PRICE)
    await buying.buying(
        shop, *model.articles, rate_difference_at_invoice=policy, landed_cost_account=LANDED, supplier_claims_account=CLAIMS
    )
    await buying.rate(shop, str(AT_RECEIPT))
    async with shop.erp.everyone() as session:
        await session.execute(
            text(
                "update erp.article set purchase_price = :p, purchase_currency = 'EUR'"
                " where merchant_id = :m and article_number = :a"
            ),
            {"m": shop.merchant, "a": WRONG, "p": WRONG_PRICE},
        )
    await shop.call_ongoing("PUT", "articles", {"goodsOwnerId": shop.goods_owner, "articleNumber": WRONG})
    key = await place(shop, [ordered(name(n), quantity(n), price(n)) for n in range(1, lines + 1)], currency="EUR")
    await send(shop, key)

    halves = {n: quantity(n) // 2 for n in range(1, lines + 1)}
    quarters = {n: quantity(n) // 4 for n in range(1, lines + 1)}
    parts: list[dict[Any, int]] = [
        {n: halves[n] for n in range(1, lines // 2 + 1)},
        {n: halves[n] for n in range(lines // 2 + 1, lines + 1)},
        quarters,
        {n: quantity(n) - halves[n] - quarters[n] for n in range(1, lines + 1)} | {WRONG: WRONG_PIECES},
        {OVER: OVER_PIECES},
    ]
    for step, part in enumerate(parts, 1):
        if step == 4:
            await buying.rate(shop, str(LATER))
        await floor(shop, "receive", part, finish=step == len(parts))
        await buying.look(shop, key)
        rate = LATER if step >= 4 else AT_RECEIPT
        for row, number in enumerate(sorted(name(p) if isinstance(p, int) else p for p in part), 1):
            pieces = part[int(number[1:]) if number != WRONG else WRONG]
            model.receive(number, pieces, rate)
            model.order.append(((step, row), number, model.articles[number].receipts[-1]))
        if step == 3:
            await _sell(shop, model, "SO-1", {name(n): 7 for n in range(3, lines + 1, 3)})

    await buying.enter(shop, "landed_cost", landed_cost_number="LC-1", purchases=["PO-1"], amount=FREIGHT)
    await buying.look(shop, key)
    model.freight(FREIGHT)
    sold = {name(n): 6 for n in range(4, lines + 1, 4)} | {name(EMPTIED): model.articles[name(EMPTIED)].pieces}
    await _sell(shop, model, "SO-2", sold)

    billed = {n: sum(came.pieces for came in a.receipts) for n, a in model.articles.items()}
    rows = [
        {"article": n, "quantity": billed[n], "amount": str(dearer(billed[n], a.price))}
        for n, a in sorted(model.articles.items())
    ]
    number = await buying.bill(shop, *rows, currency="EUR", rate=str(ON_INVOICE))
    await buying.look_past(shop, key)
    await buying.decide(shop, number)
    await buying.match(shop, key)
    for n, a in model.articles.items():
        model.invoice(n, dearer(billed[n], a.price))
    model.close_exchange()

    back = {"purchase_order_number": "PO-1", "article_number": WRONG, "quantity": WRONG_PIECES}
    await buying.enter(shop, "supplier_return", supplier_return_number="R-1", **back)
    await buying.match(shop, key)
    cost = model.send_back(WRONG, WRONG_PIECES)
    at_wrong, at_credited = dearer(WRONG_PIECES, WRONG_PRICE), dearer(CREDITED_PIECES, price(CREDITED))
    note = [
        {"article": WRONG, "quantity": -WRONG_PIECES, "amount": str(-at_wrong)},
        {"article": name(CREDITED), "quantity": -CREDITED_PIECES, "amount": str(-at_credited)},
    ]
    credit = await buying.bill(shop, *note, currency="EUR", rate=str(ON_INVOICE))
    await buying.look_past(shop, key)
    if (await buying.invoice_state(shop, credit))[0] == "waiting":
        await buying.decide(shop, credit)
        await buying.match(shop, key)
    model.credit_returned(cost, at_wrong)
    model.credit_pieces(name(CREDITED), CREDITED_PIECES, at_credited)
    model.close_exchange()

    await again(shop.worker.vouchers.post_vouchers, shop.merchant, seconds=60)
    return await _compare(shop, model, policy, short)


async def _sell(shop: Shop, model: Model, number: str, sold: dict[str, int]) -> None:
    await shop.sent(number, [line(article, pieces, 200) for article, pieces in sorted(sold.items())])
    await shop.floor("pick", number)
    await shop.look_until_calm(number)
    for article, pieces in sorted(sold.items()):
        model.sell(article, pieces)


async def _compare(shop: Shop, model: Model, policy: str, short: list[str]) -> str:
    held = await shop.balances()
    for number, article in model.articles.items():
        if (article.pieces, article.value) != tuple(held[number]):
            short.append(f"{policy}: {number} is {held[number]}, must be {article.pieces} worth {article.value}")
    books = await _fortnox(shop)
    wanted = {account: amount for account, amount in model.accounts.items() if amount}
    wanted[STOCK] = wanted.get(STOCK, D(0)) + OPENING
    wanted[2099] = -OPENING
    wanted[LANDED] = wanted.get(LANDED, D(0))
    for account in sorted({*books, *wanted}):
        if books.get(account, D(0)) != wanted.get(account, D(0)):
            short.append(f"{policy}: account {account} in Fortnox is {books.get(account, 0)}, must be {wanted.get(account, 0)}")
    async with shop.verify.everyone() as session:
        listed = await uninvoiced(session, shop.merchant, buying.today())
    if listed is None or (listed.value, listed.gap) != (model.open, ZERO) or model.accounts[OWED] != -model.open:
        short.append(f"{policy}: not invoiced is {listed and (listed.value, listed.gap)}, must be {model.open}")
    if await status(shop) != "received":
        short.append(f"{policy}: the purchase is {await status(shop)}, five pieces of it are not invoiced")
    difference = model.accounts.get(LOSS, D(0)) + model.accounts.get(GAIN, D(0))
    pieces = sum(article.pieces for article in model.articles.values())
    value = sum((article.value for article in model.articles.values()), D(0))
    return (
        f"{policy}: {pieces} pieces worth {value}, cost of goods sold {model.accounts[SOLD]}, exchange {difference},"
        f" not invoiced {model.open}"
    )


async def _fortnox(shop: Shop) -> dict[int, Decimal]:
    """What Fortnox has on each account, from all of its vouchers."""
    sums: dict[int, Decimal] = {}
    for voucher in await shop.vouchers():
        for row in voucher["rows"]:
            sums[row["account"]] = sums.get(row["account"], D(0)) + D(str(row["debit"])) - D(str(row["credit"]))
    return {account: amount for account, amount in sums.items() if amount}


if __name__ == "__main__":
    proof = asyncio.run(prove("--small" in sys.argv))
    print(proof.line())
    sys.exit(0 if proof.ok else 1)
