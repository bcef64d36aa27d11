"""What returns need in a test or a proof: announced by the ERP, received by the warehouse, followed to the last credit."""

import asyncio
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from sqlalchemy import text

from domain.keys import ReturnKey, ReturnState
from tests.activities.world import Shop, again
from tests.erp.data import Row, insert, line

D = Decimal


async def announce(shop: Shop, lines: dict[int, Any], number: str = "R-1", order: str = "SO-1", **columns: Any) -> ReturnKey:
    """A return as the ERP writes it: header and lines in one transaction."""
    own = {name: columns.pop(name) for name in ("cause_code",) if name in columns}
    async with shop.erp.everyone() as session:
        header = {"merchant_id": shop.merchant, "return_number": number, "order_number": order, "status": "announced"}
        await insert(session, "erp.return_order", header | columns)
        rows = [
            {"merchant_id": shop.merchant, "return_number": number, "line_number": n, "quantity": q} for n, q in lines.items()
        ]
        await insert(session, "erp.return_order_line", *(row | own for row in rows))
    return await begin(shop, number)


async def begin(shop: Shop, number: str) -> ReturnKey:
    """Its process, as the relay begins it."""
    key = ReturnKey(shop.merchant, number)
    async with shop.worker.database.merchant(shop.merchant) as session:
        await session.execute(
            text(
                "insert into bridge.process (merchant_id, kind, document, run, workflow_id)"
                " values (:m, 'return', :n, 1, :w) on conflict do nothing"
            ),
            {"m": shop.merchant, "n": number, "w": key.workflow_id},
        )
    return key


async def announced(shop: Shop, lines: dict[int, Any], number: str = "R-1", **columns: Any) -> ReturnKey:
    key = await announce(shop, lines, number, **columns)
    await again(shop.worker.returns.announce_return, key)
    return key


async def receive(shop: Shop, lines: dict[int, Any] | None = None, number: str = "R-1", **wish: Any) -> None:
    if lines is not None:
        wish["lines"] = [{"rowNumber": str(row), "numberOfItems": str(quantity)} for row, quantity in lines.items()]
    await shop.ongoing("POST", f"return-orders/by-number/{shop.goods_owner}/{number}/receive", wish)


async def look(shop: Shop, key: ReturnKey) -> ReturnState:
    return await again(shop.worker.returns.look_at_return, key)


async def goes_on(shop: Shop, key: ReturnKey) -> ReturnState:
    """As the workflow does: look, credit, look when it is time to, until it waits for somebody else."""
    async with asyncio.timeout(20):
        state = await look(shop, key)
        while state.outcome is None:
            if state.to_credit:
                state = await again(shop.worker.fortnox.credit_return, state.to_credit[0])
            elif state.look_after is not None:
                await asyncio.sleep(min(state.look_after, 0.2))
                state = await look(shop, key)
            else:
                break
    return state


async def sold(shop: Shop, lines: Sequence[Row] = (), **columns: Any) -> None:
    """An order that is sent and invoiced in full."""
    await shop.sent(lines=lines, **columns)
    await shop.pick_and_send()
    await shop.ended(await shop.look_until_calm())


async def sums(shop: Shop) -> list[Decimal]:
    """Net, VAT and gross over every live document in Fortnox."""
    live = [each for each in await shop.invoices() if not each["cancelled"]]
    assert all(each["booked"] for each in live)
    net, vat = (sum((D(str(each[name])) for each in live), D(0)) for name in ("net", "vat"))
    return [net, vat, net + vat]


async def cost_of_goods_sold(shop: Shop) -> Decimal:
    [(found,)] = await shop.read(
        "select coalesce(sum(r.debit - r.credit), 0) from erp.posting_row r where r.merchant_id = :m and r.account = 4960"
    )
    return D(found)


async def round_trip(shop: Shop) -> None:
    """3 + 2 pieces, 10 % discount, 49 kr freight, sent in two; two part returns, then the rest and the freight: all is zero."""
    before = await shop.balances()
    await shop.sent(lines=[line("A", 3, "99.90"), line("B", 2, "33.33", vat_rate=12)], freight=49, discount_percent=10)
    await shop.pick_and_send(lines={1: 2})
    await shop.invoice(await shop.look_until_calm())
    await shop.pick_and_send(lines={1: 1, 2: 2})
    await shop.ended(await shop.look_until_calm())
    assert [each["credit"] for each in await shop.invoices()] == [False, False]
    assert await cost_of_goods_sold(shop) > 0

    key = await announced(shop, {1: 3, 2: 2})
    for part in ({1: 1}, {1: 1, 2: 1}):
        await receive(shop, part)
        state = await goes_on(shop, key)
        assert state.outcome is None
    assert all(total > 49 for total in (await sums(shop))[::2])
    await receive(shop)
    state = await goes_on(shop, key)
    assert state.outcome == "completed"
    assert await sums(shop) == [0, 0, 0]
    assert await shop.balances() == before
    assert await cost_of_goods_sold(shop) == 0
    order = await shop.warehouse_order()
    assert [(r["returnedNumberOfItems"], r["reportedReturnedNumberOfItems"]) for r in order["orderLines"]] == [(3, 3), (2, 2)]
    assert await shop.exceptions() == []
    assert await shop.read("select status from erp.return_order where merchant_id = :m") == [("completed",)]
    assert await shop.read("select outcome from bridge.process where merchant_id = :m and kind = 'return'") == [("completed",)]
