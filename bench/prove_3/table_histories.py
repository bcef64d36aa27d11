"""Point 2, on real tables: random histories of pick, un-pick, ship, return, scrap, credit and cancel, against `sales_model`.

python -m bench.prove_3.table_histories [--small | MERCHANTS [FIRST]]

Ten orders to a merchant share its three articles: their costs meet in one pool. Events strike the orders in a drawn order;
after each of them the activities run as the processes run them, against PostgreSQL and the simulators, and stock must be what
the model says. In the end every document in Fortnox, every counter and the accounts are compared, and `verify --online` must
be clean.
"""

import asyncio
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal
from random import Random
from typing import Any

from bench.prove_1.proof import Proof
from bench.prove_3.ground import Ground, ground
from bench.prove_3.sales_model import Line, Order, Shelf, nearest
from tests.activities.returning import announce, begin, goes_on, receive
from tests.activities.world import Shop, again
from tests.erp.data import article, insert, line, open_stock

ORDERS = 10
EVENTS = 140
AT_ONCE = 16
MERCHANTS = 1_000
BLOCK = 25
SETTINGS: dict[str, Any] = {"short_grace_seconds": 3600, "return_causes": {"SIZE": "stock", "BROKEN": "scrapped"}}
ARTICLES = ("P", "Q", "R")
DOES = {"pick": 16, "send": 16, "unpick": 6, "back": 14, "scrap": 5, "credit": 4, "cancel": 1}
OPEN = "select return_number from erp.return_order where merchant_id = :m and order_number = :o and status = 'announced'"
ACCOUNTS = "select account, sum(debit - credit) from erp.posting_row where merchant_id = :m group by 1"
DOCUMENTS = "select reference, order_number, price_basis from erp.invoice_basis where merchant_id = :m and state = 'booked'"
COUNTED = """
  select w.document, c.what, c.line_number, sum(c.booked) from bridge.counted c
  join bridge.watched w using (merchant_id, kind, doc_id) where c.merchant_id = :m group by 1, 2, 3 having sum(c.booked) <> 0"""


class Differs(Exception):
    """The product and the model do not say the same."""


@dataclass
class World:
    """One merchant, in fact and as a model."""

    shop: Shop
    rng: Random
    shelves: dict[str, Shelf] = field(default_factory=dict)
    orders: dict[str, Order] = field(default_factory=dict)
    told: list[str] = field(default_factory=list)
    done: dict[str, int] = field(default_factory=dict)
    returns: int = 0

    async def open(self) -> None:
        """Articles in stock at odd costs, and the orders at the warehouse."""
        shop, rng = self.shop, self.rng
        async with shop.erp.everyone() as session:
            await insert(session, "erp.article", *(article(shop.merchant, number) for number in ARTICLES))
        for number in ARTICLES:
            pieces, cost = rng.randint(130, 260), rng.randint(0, 200_000)
            await open_stock(shop.worker.database, shop.merchant, pieces, Decimal(cost) / 10_000, [number])
            self.shelves[number] = Shelf(pieces, nearest(pieces * cost, 100))
        for n in range(1, ORDERS + 1):
            number = f"SO-{n}"
            lines = {
                at: Line(rng.choice(ARTICLES), rng.randint(1, 6), rng.randint(100, 99_999), rng.choice((25, 25, 12, 6)))
                for at in range(1, rng.randint(1, 3) + 1)
            }
            order = Order(lines, rng.choice((0, 10, 15)), rng.choice((0, 4_900)), rng.random() < 0.3)
            self.orders[number] = order
            await shop.sent(
                number,
                [line(x.article, x.ordered, Decimal(x.price) / 100, vat_rate=x.rate) for x in lines.values()],
                discount_percent=order.discount,
                freight=Decimal(order.freight) / 100,
                price_basis="gross" if order.gross else "net",
            )

    async def go(self) -> None:
        """Let it happen, comparing as it goes."""
        for _ in range(EVENTS):
            number = self.rng.choice(list(self.orders))
            order = self.orders[number]
            if order.over or not (event := self._drawn(order)):
                continue
            does, at, n = event
            self.told.append(f"{number} {does} {at} x{n}")
            self.done[does] = self.done.get(does, 0) + 1
            await self._strike(number, order, does, at, n)
            await self._compare_stock()
        await self._compare_all()

    def _drawn(self, order: Order) -> tuple[str, int, int] | None:
        rng, does = self.rng, self.rng.choices(list(DOES), list(DOES.values()))[0]
        at = rng.choice(list(order.lines))
        line = order.lines[at]
        waits = any(each.picked != each.shipped for each in order.lines.values())
        most = {
            "pick": line.ordered - line.picked,
            "unpick": line.out,
            "send": 1 if any(each.picked for each in order.lines.values()) and not order.sent else 0,
            "back": 0 if waits else line.out,
            "scrap": 0 if waits else line.out,
            "credit": order.creditable(at),
            "cancel": 0 if order.asked else 1,
        }[does]
        return (does, at, rng.randint(1, most)) if most > 0 else None

    async def _strike(self, number: str, order: Order, does: str, at: int, n: int) -> None:
        shop, shelf = self.shop, self.shelves[order.lines[at].article]
        if does == "pick":
            await shop.floor("pick", number, {at: n})
            order.pick(at, n, shelf)
        elif does == "unpick":
            await shop.floor("undo-pick", number, {at: n})
            order.unpick(at, n, shelf)
        elif does == "send":
            await shop.floor("send", number)
            order.send()
        elif does == "cancel":
            await self._cancel(number, order)
        elif does == "credit":
            freight = self.rng.random() < 0.2
            key = await self._decide(number, at, n, freight)
            await self._ends(key)
            order.credit({at: n}, freight or None)
        else:
            await self._comes_back(number, order, at, n, does == "scrap")
            order.back(at, n, shelf, does == "scrap")
        await shop.invoice(await shop.look_until_calm(number))

    async def _cancel(self, number: str, order: Order) -> None:
        await self.shop.ask_to_cancel(number)
        await again(self.shop.worker.ongoing.cancel_sales_order, self.shop.key(number))
        await self.shop.invoice(await self.shop.look_until_calm(number))
        await self.shop.look_until_calm(number)  # what was billed back has let the order end: that is seen by a look
        answer, wanted = (await self.shop.answers(number))["cancel"], order.cancel()
        if answer != wanted:
            raise Differs(f"{number}: cancelling is answered {answer}, model {wanted}")

    async def _decide(self, number: str, at: int, n: int, freight: bool) -> Any:
        self.returns += 1
        decision = {"origin": "credit", "decided_by": "Kim", "decision": "claim"}
        key = await announce(
            self.shop, {at: n}, f"K-{self.returns}", number, credit_freight=True if freight else None, **decision
        )
        await again(self.shop.worker.returns.announce_return, key)
        return key

    async def _comes_back(self, number: str, order: Order, at: int, n: int, scrap: bool) -> None:
        """Announced and received, or found at the gate by the sweep: there only its cause says that it is thrown away."""
        shop, keeps = self.shop, self.rng.random() < 0.5
        cause = {"causeCode": "SIZE"} if self.rng.random() < 0.5 else {}
        if self.rng.random() < 0.5:
            self.returns += 1
            key = await announce(shop, {at: n}, f"R-{self.returns}", number)
            await again(shop.worker.returns.announce_return, key)
            await receive(shop, None, key.number, scrap=scrap, keepStatus=keeps, **cause)
        else:
            cause = {"causeCode": "BROKEN"} if scrap else cause
            await shop.floor("return", number, {at: n}, scrap=scrap, keepStatus=keeps, **cause)
            await again(shop.worker.watch.sweep, shop.merchant)
            [(found,)] = await shop.read(OPEN, o=number)
            key = await begin(shop, found)
        if not keeps:
            order.sent = True  # its status is Returned now, which means that it was sent
        await self._ends(key)

    async def _ends(self, key: Any) -> None:
        state = await goes_on(self.shop, key)
        if state.outcome != "completed":
            raise Differs(f"{key.number} does not end: {state}")

    # --- comparing

    async def _compare_stock(self) -> None:
        ours = await self.shop.balances()
        for number, shelf in self.shelves.items():
            if ours[number] != (shelf.pieces, Decimal(shelf.worth) / 100):
                raise Differs(f"{number}: ours {ours[number]}, model {shelf}")

    async def _compare_all(self) -> None:
        shop = self.shop
        counted = {(o, what, at): int(n) for o, what, at, n in await shop.read(COUNTED)}
        wanted: dict[tuple[str, str, int], int] = {}
        for number, order in self.orders.items():
            for at, each in order.lines.items():
                wanted |= {
                    k: v for k, v in {(number, "picked", at): each.picked, (number, "returned", at): each.returned}.items() if v
                }
        if counted != wanted:
            raise Differs(f"counted {set(counted.items()) ^ set(wanted.items())}")
        known = {reference: (order, basis) for reference, order, basis in await shop.read(DOCUMENTS)}
        found: dict[str, list[tuple[int, int]]] = {number: [] for number in self.orders}
        for theirs in await shop.invoices():
            order, basis = known[theirs["reference1"]]
            net, vat = (int(Decimal(str(theirs[name])) * 100) for name in ("net", "vat"))
            found[order].append((net + vat if basis == "gross" else net, vat))
        for number, order in self.orders.items():
            if found[number] != order.documents:
                raise Differs(f"{number}: Fortnox has {found[number]}, model {order.documents}")
        accounts = dict(await shop.read(ACCOUNTS))
        sold, lost = (sum(getattr(shelf, name) for shelf in self.shelves.values()) for name in ("sold", "lost"))
        for account, wanted_there in ((4960, sold), (4990, lost)):
            if accounts.get(account, 0) * 100 != wanted_there:
                raise Differs(f"account {account} is {accounts.get(account, 0)}, model {wanted_there} öre")


async def run(at: Ground, merchants: int, first: int = 1) -> tuple[list[World], list[str]]:
    """So many merchants; returns them and what differed."""
    worlds = []
    for seed in range(first, first + merchants):
        shop = await at.shop(seed)
        await shop.settings(**SETTINGS)
        worlds.append(World(shop, Random(seed)))
    gate, short = asyncio.Semaphore(AT_ONCE), list[str]()

    async def live(seed: int, world: World) -> None:
        async with gate:
            try:
                await world.open()
                await world.go()
            except Exception as broke:
                short.append(f"merchant {seed}: {type(broke).__name__}: {broke}; after {', '.join(world.told[-12:])}"[:900])

    await asyncio.gather(*(live(seed, world) for seed, world in enumerate(worlds, start=first)))
    return worlds, short


async def prove(small: bool, server: str | None = None, merchants: int = MERCHANTS, first: int = 1) -> Proof:
    """Ten histories to a merchant, in blocks of merchants with a database of their own, dropped when it has been verified."""
    began, seeds = time.monotonic(), range(first, first + (min(merchants, 4) if small else merchants))
    events, short = Counter[str](), list[str]()
    for block in range(seeds.start, seeds.stop, BLOCK):
        size = min(BLOCK, seeds.stop - block)
        async with ground(server) as at:
            worlds, differ = await run(at, size, block)
            found = differ + await at.unclean()
        short += found
        for each in found:
            print(f"  {each}", file=sys.stderr, flush=True)
        for world in worlds:
            events.update(world.done)
        so_far = block + size - first
        print(
            f"  {so_far * ORDERS} histories, {len(short)} findings, {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True
        )
    told = ", ".join(f"{n} {does}" for does, n in sorted(events.items()))
    figure = f"{len(seeds) * ORDERS} histories of {len(seeds)} merchants ({told}), {len(short)} findings"
    figure += f"; {time.monotonic() - began:.0f} s"
    return Proof("2", "random histories on PostgreSQL and the simulators", figure, tuple(short[:10]))


if __name__ == "__main__":
    sizes = [int(word) for word in sys.argv[1:] if word.isdigit()] or [MERCHANTS]
    proof = asyncio.run(prove("--small" in sys.argv, None, *sizes))
    print(proof.line())
    sys.exit(0 if proof.ok else 1)
