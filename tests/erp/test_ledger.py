"""The ledger: every posting balances, steps leave no gap, and the chain of hashes tells when anything was changed."""

import hashlib
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from erp.database import DATABASE_ERRORS, Database
from tests.erp.books import count
from tests.erp.data import add_merchant, add_order, insert, line, open_stock, read

D = Decimal


async def picked(app: Database, erp: Database) -> str:
    """A merchant with an order of two lines: 3 picked, then 5, then one put back; and 2 of the other article."""
    merchant = await add_merchant(erp)
    await add_order(erp, merchant, lines=[line("A", 5), line("B", 2)])
    await open_stock(app, merchant, 100, "3.33")
    for picks in ({1: 3, 2: 0}, {1: 5, 2: 2}):
        await count(app, merchant, "SO-1", 7, picks, {1: "A", 2: "B"})
    for _ in range(2):
        await count(app, merchant, "SO-1", 7, {1: 4, 2: 2}, {1: "A", 2: "B"})
    return merchant


async def test_picks_book_stock_and_cost_and_an_unpick_takes_them_back(app: Database, erp: Database, verify: Database) -> None:
    merchant = await picked(app, erp)
    balances = await read(
        verify, "select article_number, quantity, value from erp.stock_balance where merchant_id = :m order by 1", m=merchant
    )
    assert balances == [("A", D("96"), D("319.68")), ("B", D("98"), D("326.34")), ("C", D("100"), D("333.00"))]
    entries = (
        "select kind, quantity, value from erp.stock_entry where merchant_id = :m and article_number = 'A' order by entry_no"
    )
    assert await read(verify, entries, m=merchant) == [
        ("opening", D("100"), D("333.00")),
        ("pick", D("-3"), D("-9.99")),
        ("pick", D("-2"), D("-6.66")),
        ("pick-reversal", D("1"), D("3.33")),
    ]
    accounts = "select account, sum(debit - credit) from erp.posting_row where merchant_id = :m group by 1 order by 1"
    assert await read(verify, accounts, m=merchant) == [(1460, D("979.02")), (2099, D("-999.00")), (4960, D("19.98"))]


async def test_a_posting_that_does_not_balance_is_refused_at_commit(superuser: AsyncEngine, app: Database, erp: Database) -> None:
    merchant = await picked(app, erp)
    for rows in ([(1, 1460, "10", "0"), (2, 4960, "0", "9.99")], [(1, 1460, "10", "0")], list[tuple[int, int, str, str]]()):
        with pytest.raises(DATABASE_ERRORS, match="does not balance"):
            async with superuser.begin() as session:
                await insert(
                    session,
                    "erp.posting",
                    {
                        "merchant_id": merchant,
                        "posting_no": 900,
                        "transaction_no": 1,
                        "event": "x",
                        "accounting_date": datetime(2026, 11, 25).date(),  # noqa: DTZ001 - a day
                        "currency": "SEK",
                        "document": "x",
                    },
                )
                for row_no, account, debit, credit in rows:
                    values = {"merchant_id": merchant, "posting_no": 900, "row_no": row_no, "account": account}
                    await insert(session, "erp.posting_row", values | {"debit": D(debit), "credit": D(credit)})


async def test_a_row_cannot_be_added_to_a_posting_that_balanced(superuser: AsyncEngine, app: Database, erp: Database) -> None:
    merchant = await picked(app, erp)
    with pytest.raises(DATABASE_ERRORS, match="does not balance"):
        async with superuser.begin() as session:
            await insert(
                session,
                "erp.posting_row",
                {"merchant_id": merchant, "posting_no": 1, "row_no": 9, "account": 1460, "debit": D(1), "credit": D(0)},
            )


STEP = {"kind": "sales-order", "doc_id": 7, "line_id": 1, "what": "picked", "look": 1}


@pytest.mark.parametrize(
    ("step", "before", "after", "quantity", "why"),
    [
        (5, 4, 6, 2, "fk_booking_step_before"),
        (4, 5, 6, 1, "fk_booking_step_before"),
        (4, 4, 6, 1, "steps_add_up"),
        (4, 4, 4, 0, "steps_add_up"),
        (3, 5, 6, 1, "pk_booking"),
        (4, 4, -1, -5, "figures_in_range"),
    ],
    ids=["a step left out", "from is not the former to", "sums wrong", "nothing", "the step again", "below zero"],
)
async def test_a_gap_or_a_jump_in_a_lines_steps_is_refused(
    superuser: AsyncEngine, app: Database, erp: Database, step: int, before: int, after: int, quantity: int, why: str
) -> None:
    merchant = await picked(app, erp)
    with pytest.raises(DATABASE_ERRORS, match=why):
        async with superuser.begin() as session:
            figures = {"step": step, "quantity": D(quantity), "from_value": D(before), "to_value": D(after)}
            await session.execute(
                text(
                    "insert into bridge.booking (merchant_id, kind, doc_id, line_id, what, look, step, quantity, from_value,"
                    " to_value, occurred_at) values (:merchant_id, :kind, :doc_id, :line_id, :what, :look, :step, :quantity,"
                    " :from_value, :to_value, now())"
                ),
                STEP | figures | {"merchant_id": merchant},
            )


async def test_the_steps_of_every_line_run_without_a_gap(app: Database, erp: Database, verify: Database) -> None:
    merchant = await picked(app, erp)
    steps = "select step, from_value, to_value from bridge.booking where merchant_id = :m and line_id = 1 order by step"
    assert await read(verify, steps, m=merchant) == [(1, D(0), D(3)), (2, D(3), D(5)), (3, D(5), D(4))]


async def test_more_than_an_entry_holds_cannot_be_reversed(superuser: AsyncEngine, app: Database, erp: Database) -> None:
    merchant = await picked(app, erp)
    with pytest.raises(DATABASE_ERRORS, match="reverses more than entry"):
        async with superuser.begin() as session:
            await session.execute(
                text(
                    "insert into erp.stock_entry (merchant_id, entry_no, transaction_no, article_number, warehouse, kind,"
                    " quantity, value, document, cause, reverses_entry_no, occurred_at)"
                    " select merchant_id, 900, 1, article_number, warehouse,"
                    " 'pick-reversal', 1 - quantity, 1 - value, 'x', 'x', entry_no, now() from erp.stock_entry"
                    " where merchant_id = :m and kind = 'pick' and article_number = 'A' order by entry_no limit 1"
                ),
                {"m": merchant},
            )


def canonical(transaction: Any, entries: list[Any], postings: list[Any]) -> str:
    """The text that is hashed, written here a second time and independently of the database's function."""

    def instant(at: datetime) -> str:
        return at.strftime("%Y-%m-%dT%H:%M:%S.%f")

    t = transaction
    heading = "|".join(
        str(part)
        for part in (
            t.merchant_id,
            t.transaction_no,
            t.reason,
            t.actor,
            t.rule_version,
            t.code_version,
            t.first_entry_no,
            t.last_entry_no,
            t.first_posting_no,
            t.last_posting_no,
            instant(t.recorded_at),
        )
    )
    lines = []
    for e in entries:
        booked = f"{e.booking_kind}/{e.booking_doc_id}/{e.booking_line_id}/{e.booking_what}/{e.booking_step}"
        lines.append(
            "|".join(
                str(part)
                for part in (
                    e.entry_no,
                    e.posting_no or "-",
                    e.article_number,
                    e.warehouse,
                    e.kind,
                    f"{e.quantity:.4f}",
                    f"{e.value:.2f}",
                    e.document,
                    booked if e.booking_step else e.cause,
                    e.reverses_entry_no or "-",
                    e.epoch,
                    f"{e.keep.normalize():f}",
                    instant(e.occurred_at),
                )
            )
        )
    rows = [
        "|".join(
            str(part)
            for part in (
                p.posting_no,
                p.event,
                p.accounting_date,
                p.currency,
                p.document,
                p.corrects_posting_no or "-",
                p.row_no,
                p.account,
                f"{p.debit:.2f}",
                f"{p.credit:.2f}",
            )
        )
        for p in postings
    ]
    return heading + "\n" + "\n".join(lines) + "\n" + "\n".join(rows)


async def test_the_chain_of_hashes_can_be_recomputed_outside_the_database(app: Database, erp: Database, verify: Database) -> None:
    merchant = await picked(app, erp)
    previous = hashlib.sha256(merchant.encode()).digest()
    async with verify.everyone() as session:
        key = {"m": merchant}
        transactions = (
            await session.execute(
                text("select * from erp.ledger_transaction where merchant_id = :m order by transaction_no"), key
            )
        ).all()
        for t in transactions:
            of_it = key | {"t": t.transaction_no}
            entries = (
                await session.execute(
                    text("select * from erp.stock_entry where merchant_id = :m and transaction_no = :t order by entry_no"), of_it
                )
            ).all()
            postings = (
                await session.execute(
                    text(
                        "select * from erp.posting p join erp.posting_row r using (merchant_id, posting_no)"
                        " where merchant_id = :m and transaction_no = :t order by posting_no, row_no"
                    ),
                    of_it,
                )
            ).all()
            assert t.previous_hash == previous
            previous = hashlib.sha256(previous + canonical(t, list(entries), list(postings)).encode()).digest()
            assert t.hash == previous, f"transaction {t.transaction_no}"
        head = (await session.execute(text("select * from bridge.ledger_head where merchant_id = :m"), key)).one()
    assert len(transactions) == 4
    assert (head.transaction_no, head.hash) == (transactions[-1].transaction_no, previous)


async def test_a_changed_entry_breaks_the_chain(superuser: AsyncEngine, app: Database, erp: Database, verify: Database) -> None:
    merchant = await picked(app, erp)
    broken = """
        select transaction_no from erp.ledger_transaction t where merchant_id = :m
          and hash <> erp.ledger_digest(merchant_id, transaction_no, previous_hash, erp.ledger_heading(t))
    """
    assert await read(verify, broken, m=merchant) == []
    async with superuser.begin() as session:
        await session.execute(text("alter table erp.stock_entry disable trigger append_only"))
        await session.execute(
            text("update erp.stock_entry set value = value - 0.01 where merchant_id = :m and entry_no = 4"), {"m": merchant}
        )
        await session.execute(text("alter table erp.stock_entry enable always trigger append_only"))
    assert len(await read(verify, broken, m=merchant)) == 1


async def test_a_transaction_that_fails_leaves_neither_entries_nor_a_link(app: Database, erp: Database, verify: Database) -> None:
    merchant = await picked(app, erp)
    head = "select transaction_no, entry_no, posting_no, hash from bridge.ledger_head where merchant_id = :m"
    before = await read(verify, head, m=merchant)
    with pytest.raises(RuntimeError):
        async with app.merchant(merchant) as session:
            heading = '{"reason": "r", "actor": "a", "rule_version": "1", "code_version": "1"}'
            await session.execute(text("select erp.append_to_ledger(:m, :h, '[]', '[]', '[]')"), {"m": merchant, "h": heading})
            raise RuntimeError("the worker dies here")
    assert await read(verify, head, m=merchant) == before


async def test_one_cause_is_booked_once_for_ever(app: Database, erp: Database, verify: Database) -> None:
    merchant = await add_merchant(erp)
    await open_stock(app, merchant, 10, 1)
    await open_stock(app, merchant, 10, 1)
    assert await read(verify, "select sum(quantity) from erp.stock_balance where merchant_id = :m", m=merchant) == [(D(30),)]
