"""A small healthy set of books, made by the product's own functions: what `--prove` damages.

Two merchants. One has an order delivered in two goes with an un-pick in between, one picked below zero and beyond what was
ordered, one with goods back after its invoice, one that is still in the warehouse, one with a return, and a purchase in euro of
which some was counted twice and taken back, and the rest revalued, dearer on its invoice, which bills one too many, with freight
on top; the other a single order. Two small ones have stock costed by layers and at standard cost.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from activities.shown import picked_now
from activities.supplier_invoices import match
from domain.adjusting import Change
from domain.crediting import credit_bases
from domain.keys import BasisKey, OrderKey, OrderState, PurchaseKey, ReturnKey
from domain.rates import Quote
from domain.receiving import Cost, Receipt, receive_goods
from domain.reconciling import Explanation, Part, Why
from domain.returns import Graded, ReturnMovement, move_returns
from domain.revaluing import Asked
from domain.stock import Entry, Movement, move_stock
from erp import (
    calls,
    counters,
    differences,
    ledger,
    orders,
    purchases,
    reconciliation_bookings,
    reconciliation_runs,
    returns,
    settlements,
    shipping,
    watching,
)
from erp.articles import load_articles
from erp.calls import CallKey
from erp.counters import PURCHASE_ORDER, RECEIVED, RETURNED, SALES_ORDER, CountedLine
from erp.exceptions import open_exception
from erp.invoices import basis_booked, load_basis
from erp.links import save_link
from erp.merchants import load_merchant, save_connection, save_settings
from erp.opening import OpeningBalance, book_opening
from erp.rates import Checked, database_now, store
from erp.returns import Came
from erp.revaluing import preview_revaluation, revalue
from erp.supplier_invoices import ReadInvoice, ReadLine, decide
from erp.supplier_invoices import store as store_invoice
from erp.visible import Shown

MERCHANTS = ("alfa", "beta")
AT_WAREHOUSE, SENT = 300, 450
ACTOR, CODE = "lagerbro", "prove"


@dataclass(slots=True)
class Shop:
    """One merchant's day: writes as each role writes, in transactions of its own."""

    engine: AsyncEngine
    merchant: str
    numbers: "count[int]"
    runs: dict[str, int] = field(default_factory=dict)

    @asynccontextmanager
    async def role(self, role: str) -> AsyncIterator[AsyncConnection]:
        async with self.engine.begin() as connection:
            await connection.execute(text(f"set local role lagerbro_{role}"))
            await connection.execute(text("select set_config('lagerbro.merchant', :m, true)"), {"m": self.merchant})
            yield connection

    async def write(self, role: str, statement: str, **values: object) -> None:
        async with self.role(role) as session:
            await session.execute(text(statement), {"m": self.merchant} | values)

    async def open(self) -> None:
        """The merchant with articles, a customer, connections and opening stock."""
        async with self.engine.begin() as connection:
            await connection.execute(text("set local role lagerbro_erp"))
            await connection.execute(
                text("insert into erp.merchant (merchant_id, name) values (:m, 'Provhandel AB')"), {"m": self.merchant}
            )
        await self.write(
            "erp",
            "insert into erp.article (merchant_id, article_number, name, stock_article) values"
            " (:m, 'A', 'Kruka', true), (:m, 'B', 'Fat', true), (:m, 'C', 'Jord', true), (:m, 'TJÄNST', 'Montering', false)",
        )
        await self.write(
            "erp",
            "insert into erp.customer (merchant_id, customer_number, name, address1, post_code, city)"
            " values (:m, 'K-1', 'Kunden AB', 'Provgatan 1', '11122', 'Provstad')",
        )
        async with self.role("app") as session:
            await save_settings(session, self.merchant, {"short_grace_seconds": 0}, "prove")
            for system, where in (
                ("ongoing", {"base_url": "https://warehouse.example", "warehouse": "w", "goods_owner_id": f"{self.merchant}-1"}),
                ("fortnox", {"base_url": "https://accounting.example", "tenant_id": f"{self.merchant}-2"}),
                ("sftp", {"host": "files.example", "port": 22, "folder": "/out"}),  # one warehouse's server may serve several
            ):
                await save_connection(session, self.merchant, system, where, b"sealed")
        async with self.role("app") as session:
            balances = [OpeningBalance("A", Decimal(100), Decimal("10.005")), OpeningBalance("B", Decimal(7), Decimal("3.33"))]
            who = await load_merchant(session, self.merchant)
            await book_opening(session, who, balances, datetime.now(UTC), ACTOR, CODE)
            known = [*balances, OpeningBalance("C", Decimal(3), Decimal("4.00"))]
            await book_opening(session, who, known, datetime.now(UTC), ACTOR, CODE)
        await self._rates()

    async def _rates(self) -> None:
        """A rate that the bank corrected the same afternoon."""
        day = datetime.now(UTC).date() - timedelta(days=3)
        for value in ("11.2345", "11.2354"):
            async with self.role("app") as session:
                quote = Checked(Quote("EUR", day, Decimal(value)), "ecb", Decimal("11.24"))
                await store(session, self.merchant, "EUR", [quote], await database_now(session))

    async def order(self, number: str, lines: Mapping[str, tuple[int, str]], freight: int = 0) -> int:
        """An order of the ERP, released, relayed to a process and sent; returns its id in the warehouse."""
        await self.write(
            "erp",
            "insert into erp.sales_order (merchant_id, order_number, customer_number, freight) values (:m, :n, 'K-1', :f)",
            n=number,
            f=freight,
        )
        for line_number, (article, (quantity, price)) in enumerate(lines.items(), start=1):
            await self.write(
                "erp",
                "insert into erp.sales_order_line (merchant_id, order_number, line_number, article_number, quantity, unit_price)"
                " values (:m, :n, :l, :a, :q, :p)",
                n=number,
                l=line_number,
                a=article,
                q=Decimal(quantity),
                p=Decimal(price),
            )
        await self.write(
            "erp", "update erp.sales_order set status = 'released' where merchant_id = :m and order_number = :n", n=number
        )
        await self.process(number)
        await self.write(
            "relay",
            "update bridge.outbox set delivered_at = now(), outcome = 'started' where merchant_id = :m and document = :n",
            n=number,
        )
        doc_id = next(self.numbers)
        async with self.role("app") as session:
            for sent in await load_articles(session, self.merchant, list(lines)):
                if sent.stock_article:
                    their_id = f"article-{sent.article_number}"
                    where = (session, self.merchant, "ongoing", "article", sent.article_number)
                    await save_link(*where, their_id, sent.hash, sent.version)
            await save_link(session, self.merchant, "ongoing", SALES_ORDER, number, str(doc_id), None, 1)
            await counters.watch(session, self.merchant, number, doc_id, 400)
            await self._state(session, number)
        return doc_id

    async def process(self, number: str) -> None:
        """The order's next process, as the relay writes it."""
        run = self.runs[number] = self.runs.get(number, 0) + 1
        await self.write(
            "relay",
            "insert into bridge.process (merchant_id, kind, document, run, workflow_id) values (:m, 'sales-order', :n, :r, :w)",
            n=number,
            r=run,
            w=OrderKey(self.merchant, number, run).workflow_id,
        )

    async def look(self, number: str, doc_id: int, picked: Mapping[int, tuple[str, int]], status: int) -> OrderState:
        """A look at the warehouse: nudged, booked, shipped when it was sent, and what that leaves owed."""
        async with self.role("app") as session:
            await watching.nudge(session, self.merchant, "poll", {doc_id: number})
        async with self.role("app") as session:
            looks = await counters.begin_look(session, self.merchant, number)
        at = datetime.now(UTC)
        seen = [
            CountedLine((doc_id, n), n, article, Decimal(quantity), Decimal(quantity), Decimal(quantity), True, at)
            for n, (article, quantity) in picked.items()
        ]
        async with self.role("app") as session:
            merchant = await load_merchant(session, self.merchant)
            watched = await counters.lock(session, self.merchant, number, looks)
            order = await orders.load_order(session, OrderKey(self.merchant, number))
            plan = await counters.book(session, self.merchant, watched, seen, looks, timedelta(0))
            movements = [
                Movement(step, (picked[step.line[1]][0], merchant.settings.warehouse), at, merchant.day_of(at))
                for step in plan.steps
            ]
            if movements:
                pools = await ledger.lock_pools(session, self.merchant, [movement.place for movement in movements])
                down = [movement.step.line for movement in movements if movement.step.quantity < 0]
                earlier = await ledger.earlier_entries(session, self.merchant, down) if down else {}
                entries, after = move_stock(movements, pools, earlier)
                accounts, document = merchant.settings.stock_accounts, f"{SALES_ORDER}/{number}"
                await ledger.append(
                    session, self.merchant, entries, after, accounts, merchant.currency, document, "picked", ACTOR, CODE
                )
                for article in ledger.below_zero(after):
                    detail = f"article {article}: more was picked than our books hold"
                    await open_exception(session, self.merchant, "article", article, "stock-below-zero", detail, False)
            booked = {step.line: step.to_value for step in plan.steps}
            counted = [
                (line.line, line.line[1], booked.get(line.line, line.picked), watched.shipped.get(line.line, Decimal(0)))
                for line in seen
                if line.line not in plan.doubted
            ]
            ship = shipping.due("sent", at, counted) if status == SENT else None
            if ship:
                await shipping.close_shipment(session, merchant, order, ship)
            by_document, by_line = picked_now(watched, seen, plan.steps)
            sent_at = at if status == SENT else None
            visible = Shown(
                doc_id, number, None, status, None, None, None, None, None, None, by_document[doc_id], sent_at, parcels=()
            )
            await counters.draw_fence(
                session,
                self.merchant,
                number,
                plan.open_doubts,
                {doc_id: (status, sent_at, status == SENT)},
                [visible],
                by_line,
            )
            state = await self._state(session, number, just_looked=True)
        await self.write(
            "relay", "update bridge.inbox set applied_at = now(), outcome = 'told' where merchant_id = :m and applied_at is null"
        )
        return state

    async def invoice(self, number: str, state: OrderState) -> OrderState:
        """Bring every basis that is owed to a booked invoice, by the write protocol."""
        for key in state.to_invoice:
            state = await self._invoice(number, key)
        return state

    async def _invoice(self, number: str, key: BasisKey) -> OrderState:
        async with self.role("app") as session:
            merchant = await load_merchant(session, self.merchant)
            basis = await load_basis(session, merchant, key)
            call = CallKey(self.merchant, "fortnox", "create-invoice", basis.reference)
            payload = {"reference": basis.reference}
            await calls.intend(session, call, payload)
            customer = basis.customer.number
            await save_link(session, self.merchant, "fortnox", "customer", customer, customer, "card", None)
        async with self.role("app") as session:
            attempt = await calls.send(session, call, 0, payload, deadline=30, settle=90)
        assert attempt == 1
        invoice_number = next(self.numbers)
        async with self.role("app") as session:
            await calls.end(session, call, attempt, "done", str(invoice_number))
        async with self.role("app") as session:
            await basis_booked(session, key, invoice_number, f"F{invoice_number}", basis.part.net, basis.part.vat)
            return await self._state(session, number)

    async def _state(self, session: AsyncConnection, number: str, just_looked: bool = False) -> OrderState:
        merchant = await load_merchant(session, self.merchant)
        return await orders.order_state(session, merchant, OrderKey(self.merchant, number, self.runs[number]), 0, just_looked)


async def fill(engine: AsyncEngine) -> None:
    """Write the healthy books of both merchants. `engine` connects as one who may become each of the roles."""
    numbers = count(9001)
    alfa, beta = (Shop(engine, merchant, numbers) for merchant in MERCHANTS)
    for shop in (alfa, beta):
        await shop.open()
    await _in_two_goes(alfa)
    await _below_zero_and_beyond(alfa)
    await _goods_back(alfa)
    await alfa.look("SO-4", await alfa.order("SO-4", {"A": (2, "9.90")}), {1: ("A", 1)}, AT_WAREHOUSE)
    document = await beta.order("SO-1", {"A": (1, "99.00")})
    await beta.invoice("SO-1", await beta.look("SO-1", document, {1: ("A", 1)}, SENT))
    await _returned(alfa)
    await _received(alfa)
    await _reconciled(beta)
    await _revalued(alfa, Asked(datetime.now(UTC).date(), {"EUR": Decimal("11.3")}))
    await _invoiced(alfa)
    await _by_other_methods(engine, numbers)


async def _in_two_goes(shop: Shop) -> None:
    document = await shop.order("SO-1", {"A": (3, "99.90"), "B": (2, "5.55"), "TJÄNST": (1, "150")}, freight=49)
    await shop.look("SO-1", document, {1: ("A", 2), 2: ("B", 2)}, AT_WAREHOUSE)
    for _ in range(2):  # a decrease is believed when two looks agree
        await shop.look("SO-1", document, {1: ("A", 2), 2: ("B", 1)}, AT_WAREHOUSE)
    await shop.invoice("SO-1", await shop.look("SO-1", document, {1: ("A", 2), 2: ("B", 1)}, SENT))
    await shop.look("SO-1", document, {1: ("A", 2), 2: ("B", 1)}, SENT)  # only a look ends what was delivered short


async def _below_zero_and_beyond(shop: Shop) -> None:
    document = await shop.order("SO-2", {"C": (5, "20.00")})
    await shop.invoice("SO-2", await shop.look("SO-2", document, {1: ("C", 6)}, SENT))


async def _goods_back(shop: Shop) -> None:
    document = await shop.order("SO-3", {"A": (4, "50.00"), "B": (3, "7.25")})
    await shop.invoice("SO-3", await shop.look("SO-3", document, {1: ("A", 4), 2: ("B", 2)}, SENT))
    await shop.look("SO-3", document, {1: ("A", 4), 2: ("B", 2)}, SENT)
    await shop.process("SO-3")
    for status in (AT_WAREHOUSE, SENT):  # what is un-picked goes on one shipment with what is picked: an invoice and a credit
        state = await shop.look("SO-3", document, {1: ("A", 3), 2: ("B", 3)}, status)
    await shop.invoice("SO-3", state)


async def _returned(shop: Shop) -> None:
    """Two of three pieces come back on an announced return, one of them fit for nothing; both are credited."""
    document = await shop.order("SO-6", {"A": (3, "40.00")})
    await shop.invoice("SO-6", await shop.look("SO-6", document, {1: ("A", 3)}, SENT))
    async with shop.role("erp") as session:
        for statement in (
            "insert into erp.return_order (merchant_id, return_number, order_number, status)"
            " values (:m, 'R-1', 'SO-6', 'announced')",
            "insert into erp.return_order_line (merchant_id, return_number, line_number, quantity) values (:m, 'R-1', 1, 2)",
        ):
            await session.execute(text(statement), {"m": shop.merchant})
    key = ReturnKey(shop.merchant, "R-1")
    await shop.write(
        "relay",
        "insert into bridge.process (merchant_id, kind, document, run, workflow_id) values (:m, 'return', 'R-1', 1, :w)",
        w=key.workflow_id,
    )
    await shop.write(
        "relay", "update bridge.outbox set delivered_at = now(), outcome = 'started' where merchant_id = :m and document = 'R-1'"
    )
    at = datetime.now(UTC)
    async with shop.role("app") as session:
        looks = await counters.begin_look(session, shop.merchant, "SO-6")
    async with shop.role("app") as session:
        merchant = await load_merchant(session, shop.merchant)
        watched = await counters.lock(session, shop.merchant, "SO-6", looks, RETURNED)
        line = CountedLine((document, 1), 1, "A", Decimal(3), Decimal(2), Decimal(2), True, at)
        plan = await counters.book(session, shop.merchant, watched, [line], looks, timedelta(0), RETURNED)
        [step] = plan.steps
        parts = (Graded(Decimal(1), None, "stock"), Graded(Decimal(1), "BROKEN", "scrapped"))
        movement = ReturnMovement(step, ("A", merchant.settings.warehouse), at, merchant.day_of(at), parts)
        pools = await ledger.lock_pools(session, shop.merchant, [movement.place])
        picks = await ledger.earlier_entries(session, shop.merchant, [step.line])
        entries, after, _ = move_returns([movement], pools, picks, {})
        accounts, code = merchant.settings.stock_accounts, (ACTOR, CODE)
        await ledger.append(
            session, shop.merchant, entries, after, accounts, merchant.currency, "return/R-1", "returned", *code, what=RETURNED
        )
        came = [Came(step.line, step.step, n, 1, "R-1", "A", part, at) for n, part in enumerate(parts, start=1)]
        await returns.record_goods(session, shop.merchant, "SO-6", came)
        await counters.draw_fence_only(session, shop.merchant, "SO-6")
        await returns.move_return(session, shop.merchant, "R-1", "returned")
        back = await returns.load_return(session, shop.merchant, "R-1")
        what = await returns.sale(session, shop.merchant, "SO-6")
        for credit in credit_bases(what.invoices, {1: Decimal(2)}, None, True):
            await returns.write_credit(session, merchant, back, what, credit, merchant.day_of(at))
        state = await returns.return_state(session, key, 0)
    for basis in state.to_credit:
        await shop.invoice("SO-6", OrderState("shipped", [basis]))
    async with shop.role("app") as session:
        await returns.return_state(session, key, 0)


async def _received(shop: Shop) -> None:
    """Five pieces came in on a purchase in euro; two of them had been counted twice, and are taken back."""
    key, doc_id = PurchaseKey(shop.merchant, "PO-1"), next(shop.numbers)
    async with shop.role("erp") as session:
        for statement in (
            "insert into erp.article (merchant_id, article_number, name) values (:m, 'D', 'Spade')",
            "insert into erp.supplier (merchant_id, supplier_number, name) values (:m, 'S-1', 'Leverans AB')",
            "insert into erp.purchase_order (merchant_id, purchase_order_number, supplier_number, currency, status)"
            " values (:m, 'PO-1', 'S-1', 'EUR', 'placed')",
            "insert into erp.purchase_order_line (merchant_id, purchase_order_number, line_number, article_number, quantity,"
            " unit_price) values (:m, 'PO-1', 1, 'D', 3, 1.335)",
        ):
            await session.execute(text(statement), {"m": shop.merchant})
    process = "insert into bridge.process (merchant_id, kind, document, run, workflow_id) values (:m, :k, 'PO-1', 1, :w)"
    await shop.write("relay", process, k=PURCHASE_ORDER, w=key.workflow_id)
    delivered = "update bridge.outbox set delivered_at = now(), outcome = 'started' where merchant_id = :m and document = 'PO-1'"
    await shop.write("relay", delivered)
    async with shop.role("app") as session:
        await save_link(session, shop.merchant, "ongoing", PURCHASE_ORDER, "PO-1", str(doc_id), None, 1)
        await purchases.watch(session, shop.merchant, "PO-1", doc_id, 500, 400)
    for received in (5, 3, 3):  # a decrease is believed when two looks agree
        await _receive(shop, doc_id, Decimal(received))
    async with shop.role("app") as session:
        await purchases.end(session, key, purchases.COMPLETED)


async def _receive(shop: Shop, doc_id: int, received: Decimal) -> None:
    at, who = datetime.now(UTC), shop.merchant
    async with shop.role("app") as session:
        looks = await counters.begin_look(session, who, "PO-1", PURCHASE_ORDER)
    async with shop.role("app") as session:
        merchant = await load_merchant(session, who)
        await purchases.lock_purchase(session, who, "PO-1")
        watched = await counters.lock(session, who, "PO-1", looks, RECEIVED, PURCHASE_ORDER)
        line = CountedLine((doc_id, 1), 1, "D", Decimal(3), received, received, True, at)
        plan = await counters.book(session, who, watched, [line], looks, timedelta(0), RECEIVED, PURCHASE_ORDER)
        for step in plan.steps:
            cost = Cost(Decimal("1.335"), "EUR", Decimal("11.2354"), merchant.day_of(at))
            receipt = Receipt(step, ("D", merchant.settings.warehouse), at, merchant.day_of(at), cost, True)
            pools = await ledger.lock_pools(session, who, [receipt.place])
            earlier = await ledger.earlier_receipts(session, who, [step.line])
            entries, after, lines = receive_goods([receipt], pools, earlier)
            accounts = replace(merchant.settings.stock_accounts, received=2490)
            number = await ledger.append(
                session,
                who,
                entries,
                after,
                accounts,
                merchant.currency,
                "purchase-order/PO-1",
                "received by the warehouse",
                ACTOR,
                CODE,
                what=RECEIVED,
                kind=PURCHASE_ORDER,
            )
            await purchases.write_receipt(session, who, "PO-1", [(each, 1, cost) for each in lines], number)
        await purchases.draw_fence(session, who, {doc_id: 500}, plan.open_doubts)
        await counters.reported(session, who, [((doc_id, 1), received)], RECEIVED, PURCHASE_ORDER)


async def _invoiced(shop: Shop) -> None:
    """The supplier bills four of the three pieces, dearer and at another rate; a person agreed. Freight is laid on them."""
    owed = {"goods_received_not_invoiced_account": 2490, "match_supplier_invoices": True, "landed_cost_account": 2491}
    async with shop.role("app") as session:
        await save_settings(session, shop.merchant, {"short_grace_seconds": 0} | owed, "prove")
    await shop.write(
        "erp",
        "insert into erp.landed_cost (merchant_id, landed_cost_number, purchases, amount, entered_by, reason)"
        " values (:m, 'LC-1', '{PO-1}', 3.34, 'anna', 'freight')",
    )
    await shop.write(
        "app", "update bridge.inbox set applied_at = now(), outcome = 'told' where merchant_id = :m and source = 'erp'"
    )
    async with shop.role("app") as session:
        merchant = await load_merchant(session, shop.merchant)
        day = merchant.day_of(datetime.now(UTC))
        line = ReadLine(2, "goods", 2490, "D", Decimal(4), Decimal("5.60"), Decimal("63.84"), ())
        invoice = ReadInvoice(57, "S-1", "F-1", day, "EUR", Decimal("11.4"), None, True, False, ("PO-1",), (line,))
        await store_invoice(session, shop.merchant, invoice, "parked", "PO-1", "")
        key = PurchaseKey(shop.merchant, "PO-1")
        await match(session, key, CODE)
        await decide(session, shop.merchant, "PO-1", 57, "anna", "agreed", "approve")
        await match(session, key, CODE)


async def _reconciled(shop: Shop) -> None:
    """A reconciliation that found two pieces on their way and one that nobody can explain, and booked it."""
    at = datetime.now(UTC)
    async with shop.role("app") as session:
        merchant = await load_merchant(session, shop.merchant)
        house = merchant.settings.warehouse
        run = await reconciliation_runs.begin_run(session, shop.merchant, "daily", merchant.day_of(at), "daily", "api", True)
        parts = (Part(Why.IN_FLIGHT, Decimal(-2), "SO-9", "picked"), Part(Why.UNKNOWN, Decimal(-1)))
        found = Explanation("A", house, Decimal(10), Decimal(7), parts)
        await differences.save_page(session, run, [differences.Found("physical", found, Decimal(10), at)], [], 5001, 1, True)
        seen = await settlements.see(session, run, "A", house, Decimal(-1), Decimal(10), at, {}, None)
        change = Change(("A", house), seen.quantity, f"settlement/{seen.settlement_no}", 4991, at, merchant.day_of(at))
        number = await reconciliation_bookings.book_changes(
            session, merchant, run.run_no, [change], "unknown", ["unknown difference"], "settlement/1", ACTOR, CODE
        )
        assert number is not None
        await settlements.settlement_booked(session, shop.merchant, run.run_no, seen.settlement_no, number, "small", at, {})
        await reconciliation_runs.save_file(session, run, "csv", "run-1.csv", b"healthy")
        await reconciliation_runs.finish(session, run, at)


async def _by_other_methods(engine: AsyncEngine, numbers: "count[int]") -> None:
    """A merchant whose stock is costed by layers, and one at standard cost, which then becomes another."""
    layered, standard = (Shop(engine, name, numbers) for name in ("gamma", "delta"))
    for shop, method in ((layered, "fifo"), (standard, "standard")):
        await shop.write("erp", "insert into erp.merchant (merchant_id, name) values (:m, 'Provhandel AB')")
        await shop.write("erp", "insert into erp.article (merchant_id, article_number, name) values (:m, 'A', 'Spade')")
        price = "insert into erp.standard_cost (merchant_id, article_number, valid_from, price) values (:m, 'A', '2020-01-01', 7)"
        await shop.write("erp", price)
        async with shop.role("app") as session:
            settings = {"costing_method": method, "price_difference_account": 4980, "goods_received_not_invoiced_account": 2490}
            await save_settings(session, shop.merchant, settings, "prove")
        for n, value in ((3, "10.00"), (2, "7.01")):
            await _came(shop, Decimal(n), Decimal(value), f"opening/A/{n}")
    await standard.write("erp", "update erp.standard_cost set price = 8 where merchant_id = :m")
    await _revalued(standard, Asked(datetime.now(UTC).date(), prices=True))


async def _came(shop: Shop, quantity: Decimal, value: Decimal, cause: str) -> None:
    at, place = datetime.now(UTC), ("A", "MAIN")
    async with shop.role("app") as session:
        merchant = await load_merchant(session, shop.merchant)
        pool, true_up = (await ledger.lock_pools(session, shop.merchant, [place]))[place].receive(quantity, value)
        base = Entry(place, "opening", quantity, value, None, at, merchant.day_of(at), cause, epoch=pool.epoch, keep=pool.keep)
        entries = [base]
        if true_up:
            entries.append(replace(base, kind="true-up", quantity=Decimal(0), value=-true_up, cause=f"{cause}/difference"))
        accounts = merchant.settings.receipt_accounts("PO-1", "normal")
        await ledger.append(session, shop.merchant, entries, {place: pool}, accounts, "SEK", cause, "opening", ACTOR, CODE)


async def _revalued(shop: Shop, asked: Asked) -> None:
    """Previewed, and booked as previewed."""
    async with shop.role("app") as session:
        merchant = await load_merchant(session, shop.merchant)
        merchant = replace(merchant, settings=replace(merchant.settings, goods_received_not_invoiced_account=2490))
        seen = await preview_revaluation(session, merchant, asked)
        await revalue(session, merchant, asked, None, seen.hash, ACTOR, "month's end", CODE)
