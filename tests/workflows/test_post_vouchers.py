"""The daily vouchers: booked once, shown when Fortnox says no, and gone on with what has come meanwhile."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from temporalio.client import WorkflowHandle

from starters.tie_out import tie
from tests.workflows.process import Processes, becomes
from worker.settings import Settings
from worker.wiring import fortnox_connections
from workflows import attributes, options
from workflows.post_vouchers import PostVouchers

WAITING = (
    "select count(*) from erp.posting p where merchant_id = :m and not exists (select from bridge.voucher_posting v"
    " where v.merchant_id = p.merchant_id and v.posting_no = p.posting_no)"
)


async def posting(processes: Processes) -> WorkflowHandle[PostVouchers, int]:
    merchant = processes.shop.merchant
    return await processes.client.start_workflow(
        PostVouchers.run,
        merchant,
        id=f"vouchers/{merchant}",
        task_queue=options.ORDERS_QUEUE,
        search_attributes=attributes.at_start(merchant, merchant, "posting", datetime.now(UTC)),
    )


async def gap(processes: Processes) -> tuple[bool, Decimal]:
    shop = processes.shop
    connections = fortnox_connections(shop.worker.database, shop.keys, Settings())
    try:
        async with connections.using(shop.merchant) as (_, client):
            tied = await tie(shop.worker.database, client, shop.merchant)
    finally:
        await connections.aclose()
    return tied.agrees, tied.gap


async def test_everything_posted_is_vouchered_and_the_three_figures_are_one(processes: Processes) -> None:
    shop = processes.shop
    await processes.begin()
    await processes.reaches("at-warehouse")
    await shop.stock(articles=["A", "B"])
    await shop.pick_and_send()
    await processes.look()
    assert await processes.result() == "completed"
    handle = await posting(processes)
    assert await handle.result() >= 1
    assert await shop.read(WAITING) == [(0,)]
    assert await gap(processes) == (True, Decimal(0))


async def test_a_voucher_of_somebody_else_on_the_stock_account_is_listed_and_no_gap(processes: Processes) -> None:
    shop = processes.shop
    await (await posting(processes)).result()
    day = datetime.now(UTC).date()
    [year] = (await shop.call_fortnox("GET", f"financialyears?date={day}")).json()["FinancialYears"]
    rows = [{"Account": 1460, "Debit": 100}, {"Account": 4010, "Credit": 100}]
    body = {"Voucher": {"Description": "by hand", "VoucherSeries": "A", "TransactionDate": str(day), "VoucherRows": rows}}
    await shop.call_fortnox("POST", f"vouchers?financialyear={year['Id']}", body)
    connections = fortnox_connections(shop.worker.database, shop.keys, Settings())
    async with connections.using(shop.merchant) as (_, client):
        tied = await tie(shop.worker.database, client, shop.merchant)
    await connections.aclose()
    assert [(each.amount, each.text) for each in tied.foreign] == [(Decimal(100), "by hand")]
    assert tied.agrees


async def test_a_locked_period_is_shown_and_what_is_posted_meanwhile_goes_along_when_it_opens(processes: Processes) -> None:
    shop = processes.shop
    assert processes.fast_forward is not None
    await shop.settings(locked_period_policy="hold")
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).date().isoformat()
    await shop.fortnox("PUT", "locked-period", {"tenantId": shop.tenant, "endDate": tomorrow})
    handle = await posting(processes)

    async def reason() -> str | None:
        return (await handle.describe()).typed_search_attributes.get(attributes.BLOCKED_REASON)

    await becomes(reason, "period-locked")
    await processes.begin()
    await processes.reaches("at-warehouse")
    await shop.stock(articles=["A", "B"])
    await shop.pick_and_send()
    await processes.look()
    await becomes(lambda: shop.read(WAITING), [(1,)])
    await shop.fortnox("PUT", "locked-period", {"tenantId": shop.tenant, "endDate": None})
    await processes.fast_forward(handle, timedelta(minutes=6))
    assert await handle.result() >= 1
    assert await shop.read(WAITING) == [(0,)]
    assert await gap(processes) == (True, Decimal(0))
