"""Every cell of the table of corrections, with a real process: three times in a row, and at once with another.

What is accepted shows in the ERP's rows, and then in the warehouse or in Fortnox; what is refused says why and writes nothing;
the books verify clean, and each thing that was done has one row in the audit.

Here one accepted cell for each correction; `python -m bench.prove_6.table` takes all of them (PROVE_FULL).
"""

import asyncio
import os
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from temporalio.client import WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError
from temporalio.testing import WorkflowEnvironment

from domain.corrections import LineChange, Name, Situation, refusal
from erp.corrections import park_address
from starters.verify.report import Verdict
from starters.verify.run import verify as verified
from tests.conftest import TestDatabase
from tests.erp.data import article, insert
from tests.workflows.conftest import settings_for
from tests.workflows.process import Processes, becomes
from tests.workflows.situations import UNDER_WAY, brought_to, send
from worker.keyring import KeyRing
from worker.settings import Settings

ADDRESS = {"name": "Ny Mottagare", "address1": "Nygatan 9", "post_code": "99999", "city": "Nystad", "country": "SE"}
CONTENT: dict[Name, dict[str, Any]] = {
    Name.CHANGE_ADDRESS: {"parked": "p-1"},
    Name.CHANGE_LINES: {"lines": [LineChange(1, "2")]},
    Name.SPLIT_OFF: {"new_number": "SO-1-B", "lines": [LineChange(1, "1")]},
    Name.CHOOSE_PERIOD: {"day": "2027-07-01"},
}
EVERY = [(name, where) for name in Name for where in Situation]
ONE_EACH = [
    next((name, where) for where in Situation if refusal(name, where) is None and "-" in where)
    for name in Name
    if name != Name.RELEASE
]
CELLS = EVERY if os.environ.get("PROVE_FULL") else [*ONE_EACH, (Name.RELEASE, Situation.HELD)]


@pytest.fixture(scope="module")
def skipping_settings(database: TestDatabase, skipping: WorkflowEnvironment, key_ring: KeyRing) -> Settings:
    """A worker that waits for an answer for as long as a step is kept under way here."""
    usual = settings_for(database, skipping, key_ring)
    return usual.model_copy(update={"client_deadline_seconds": 2 * UNDER_WAY, "settle_seconds": 4 * UNDER_WAY})


async def answered(processes: Processes, name: Name, key: str) -> tuple[str, str]:
    """`done`, the type of the refusal, or `ended`: what was corrected has let the order end; and the words."""
    try:
        return "done", await send(processes, name, key=key, **CONTENT.get(name, {}))
    except WorkflowUpdateFailedError as failed:
        assert isinstance(failed.cause, ApplicationError)
        return failed.cause.type or "", failed.cause.message
    except RPCError as gone:
        assert gone.message in ("workflow update was aborted by closing workflow", "workflow execution already completed")
        return "ended", gone.message


@pytest.mark.parametrize(("name", "where"), CELLS, ids=[f"{name}-{where}" for name, where in CELLS])
async def test_a_cell_holds_three_times_in_a_row_and_at_once_with_another(
    processes: Processes, name: Name, where: Situation
) -> None:
    shop = processes.shop
    audit = "select count(*) from bridge.audit where merchant_id = :m and request_key = :key and action = :action"
    async with brought_to(processes, where):
        async with shop.worker.database.merchant(shop.merchant) as session:
            await park_address(session, shop.merchant, "SO-1", "p-1", ADDRESS)
        words = refusal(name, where)
        answers = [await answered(processes, name, "k-1") for _ in range(3)]
        kinds = [kind for kind, _ in answers]
        rows = (await shop.read(audit, key="k-1", action=name.value))[0][0]
        if words is not None:
            assert kinds == ["makes-no-sense-now"] * 3, answers
            assert all(words in said for _, said in answers)
            assert rows == 0
        elif kinds[0] == "done":
            assert kinds in (["done"] * 3, ["done", "done", "ended"], ["done", "ended", "ended"]), answers
            assert rows == 1
        else:
            assert set(kinds) == {"correction-refused"}, answers
            assert all(len(said.split()) > 5 for _, said in answers)
            assert rows == 0
        done = kinds[0] == "done"
        if done and name in IN_THE_ERP:
            assert await shop.read(IN_THE_ERP[name]) == [(True,)]
        both = await asyncio.gather(
            answered(processes, name, "k-2"), answered(processes, Name.HOLD, "k-3"), return_exceptions=True
        )
        for answer in both:
            assert isinstance(answer, tuple) and answer[1], answer
        kept = (
            "select request_key, count(*) from bridge.audit where merchant_id = :m and request_key in ('k-2', 'k-3') group by 1"
        )
        said = {
            key for key, answer in zip(("k-2", "k-3"), both, strict=True) if isinstance(answer, tuple) and answer[0] == "done"
        }
        assert {key for key, _ in await shop.read(kept)} == said
        assert all(count == 1 for _, count in await shop.read(kept))
    await mend(processes, where)
    if done and name in OUTSIDE:
        await becomes(lambda: OUTSIDE[name](processes), True)
    report = await verified(shop.verify, merchant=shop.merchant, online=None, temporal=None)
    violated = {
        result.says: result.samples
        for result in report.results
        if result.verdict is Verdict.VIOLATED and result.invariant != DURABLE
    }
    assert violated == {}
    unsaid = "select count(*) from bridge.audit where merchant_id = :m and (actor = '' or reason = '')"
    assert await shop.read(unsaid) == [(0,)]


async def mend(processes: Processes, where: Situation) -> None:
    """What held the order up is over, and a hold is released."""
    shop = processes.shop
    if where in (Situation.SENDING_BLOCKED, Situation.HELD):
        async with shop.erp.everyone() as session:
            await insert(session, "erp.article", article(shop.merchant, "X"))
    if where is Situation.AT_WAREHOUSE_BLOCKED:
        await shop.settings()
        await asyncio.sleep(2.1)  # as long as a worker remembers a merchant's settings
    if where is Situation.INVOICING_BLOCKED:
        await shop.fortnox("PUT", "locked-period", {"tenantId": shop.tenant, "endDate": None})
    for name in (Name.RELEASE, Name.RETRY):
        await answered(processes, name, f"mended-{name}")
    await processes.deliver()


async def _cancelled(processes: Processes) -> bool:
    await processes.deliver()
    there = [each for each in await held(processes) if each["orderInfo"]["orderStatus"]["number"] != CANCELLED_THERE]
    return await processes.shop.status() == "cancelled" and not there


async def _readdressed(processes: Processes) -> bool:
    await processes.deliver()
    return [each["consignee"]["name"] for each in await held(processes)] == [ADDRESS["name"]]


async def _relined(processes: Processes) -> bool:
    await processes.deliver()
    return [each["orderLines"][0]["orderedNumberOfItems"] for each in await held(processes)] == [2]


async def _split(processes: Processes) -> bool:
    await processes.deliver()
    lines = [row["orderedNumberOfItems"] for each in await held(processes, "SO-1-B") for row in each["orderLines"]]
    return lines == [1] and [each["orderLines"][0]["orderedNumberOfItems"] for each in await held(processes)] == [2]


async def _nothing_in_fortnox(processes: Processes) -> bool:
    live = [each for each in await processes.shop.invoices() if not each["cancelled"]]
    return live == [] and await processes.shop.status() == "completed"


async def _on_that_day(processes: Processes) -> bool:
    live = [each for each in await processes.shop.invoices() if not each["cancelled"]]
    return [(each["booked"], each["date"]) for each in live] == [(True, "2027-07-01")]


async def _completed(processes: Processes) -> bool:
    return await processes.shop.status() == "completed"


async def held(processes: Processes, number: str = "SO-1") -> list[dict[str, Any]]:
    shop = processes.shop
    return list((await shop.call_ongoing("GET", f"orders?goodsOwnerId={shop.goods_owner}&orderNumber={number}")).json())


CANCELLED_THERE = 1000
DURABLE = "A5"  # the tests' server does not wait for its disk
ORDER = "from erp.sales_order o where o.merchant_id = :m and o.order_number = 'SO-1'"
LINE = "from erp.sales_order_line l where l.merchant_id = :m and l.order_number = 'SO-1' and l.line_number = 1"
BASIS = "from erp.invoice_basis b where b.merchant_id = :m and b.order_number = 'SO-1'"
IN_THE_ERP: dict[Name, str] = {
    Name.CANCEL: f"select o.cancel_requested_at is not null {ORDER}",
    Name.CHANGE_ADDRESS: f"select o.delivery_name = '{ADDRESS['name']}' {ORDER}",
    Name.CHANGE_LINES: f"select l.quantity = 2 {LINE}",
    Name.SPLIT_OFF: f"select l.quantity = 2 {LINE}",
    Name.HANDLED_OUTSIDE: f"select b.state = 'cancelled' {BASIS}",
    Name.CHOOSE_PERIOD: f"select b.invoice_date = date '2027-07-01' {BASIS}",
}
OUTSIDE: dict[Name, Callable[[Processes], Awaitable[bool]]] = {
    Name.CANCEL: _cancelled,
    Name.CHANGE_ADDRESS: _readdressed,
    Name.CHANGE_LINES: _relined,
    Name.SPLIT_OFF: _split,
    Name.HANDLED_OUTSIDE: _nothing_in_fortnox,
    Name.CHOOSE_PERIOD: _on_that_day,
    Name.ACCEPT_SHORT: _completed,
}
