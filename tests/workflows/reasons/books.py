"""Vouchers, and the reconciliation of stock."""

import shutil
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from temporalio.client import WorkflowHandle

from tests.activities.test_reconciling import Clock, stock_file, stocked
from tests.erp.data import article, insert, open_stock
from tests.workflows.process import Processes, becomes
from tests.workflows.reasons.articles import reaches_the_warehouse
from tests.workflows.reasons.world import SETTLE, Way, agreed, mend_fortnox, seen_to, spoil_fortnox
from tests.workflows.test_post_vouchers import posting


def run_of(p: Processes) -> WorkflowHandle[Any, Any]:
    return p.client.get_workflow_handle(f"vouchers/{p.shop.merchant}")


async def retry(p: Processes) -> None:
    await run_of(p).execute_update("retry_now", {"by": "anna", "reason": "mended"})
    await run_of(p).result()


async def refused(p: Processes) -> None:
    await spoil_fortnox(p, "POST /3/vouchers", "error-in-200", code=2000106, message="Ogiltigt värde")
    await posting(p)


async def mended(p: Processes) -> None:
    await mend_fortnox(p)
    await retry(p)


async def a_series_that_is_not_there(p: Processes) -> None:
    await agreed(p, voucher_series="Q")
    await posting(p)


async def the_series_is_made(p: Processes) -> None:
    day = datetime.now(UTC).date()
    [year] = (await p.shop.call_fortnox("GET", f"financialyears?date={day}")).json()["FinancialYears"]
    body = {"VoucherSeries": {"Code": "Q", "Description": "Lager", "Manual": True}}
    await p.shop.call_fortnox("POST", f"voucherseries?financialyear={year['Id']}", body)
    await retry(p)


async def a_voucher_of_our_key_with_other_amounts(p: Processes) -> None:
    """An attempt of ours has no answer; and somebody has made a voucher by hand with what it says."""
    await spoil_fortnox(p, "POST /3/vouchers", "refuse-connection", 1)
    await posting(p)
    await becomes(
        lambda: p.shop.read("select count(*) from bridge.foreign_call where merchant_id = :m and state = 'sent'"), [(1,)]
    )
    [(on, year)] = await p.shop.read("select booked_on, fortnox_year from bridge.voucher where merchant_id = :m")
    rows = [{"Account": 1460, "Debit": 1}, {"Account": 2099, "Credit": 1}]
    body = {
        "Description": "by hand",
        "VoucherSeries": "L",
        "TransactionDate": str(on),
        "Comments": "lagerbro-ver-0000000001",
        "VoucherRows": rows,
    }
    await mend_fortnox(p)
    await p.shop.call_fortnox("POST", f"vouchers?financialyear={year}", {"Voucher": body})


async def it_is_corrected_there(p: Processes) -> None:
    [(year,)] = await p.shop.read("select fortnox_year from bridge.voucher where merchant_id = :m")
    found = await p.shop.read(
        "select r.account, sum(r.debit), sum(r.credit) from erp.posting_row r where r.merchant_id = :m group by 1"
    )
    rows = [{"Account": account, "Debit": float(debit), "Credit": float(credit)} for account, debit, credit in found]
    wish = {"tenantId": p.shop.tenant, "financialYear": year, "rows": rows}
    await p.shop.fortnox("POST", "vouchers/L/1/correct", wish)
    await retry(p)


async def one_that_comes_twice(p: Processes) -> None:
    await spoil_fortnox(p, "POST /3/vouchers", "late", 1, seconds=SETTLE + 3)
    await (await posting(p)).result()
    await becomes(lambda: _booked(p), 2)
    await (await posting(p)).result()


async def _booked(p: Processes) -> int:
    return len([each for each in await p.shop.vouchers() if each["series"] == "L"])


async def everything_is_gone(p: Processes) -> None:
    rules: dict[str, Any] = {"tolerated_pieces": 5000, "tolerated_value": 100_000, "tolerated_pieces_per_month": 5000}
    rules |= {"tolerated_value_per_month": 100_000, "most_percent_of_stock_value": 100}
    await reaches_the_warehouse(p, "C")
    await stocked(p.shop, **rules)
    await p.shop.stock(0)
    clock = Clock(p.shop)
    await clock.run()
    await clock.run(timedelta(hours=24))


async def it_was_a_mistake_of_theirs(p: Processes) -> None:
    await p.shop.stock(1000)
    clock = Clock(p.shop)
    clock.now += timedelta(hours=48)
    await clock.run()


async def a_package_is_counted_as_a_piece(p: Processes) -> None:
    async with p.shop.erp.everyone() as session:
        await insert(session, "erp.article", article(p.shop.merchant, "PACK", quantity_per_package=12))
    await open_stock(p.shop.worker.database, p.shop.merchant, 120, 1, ["PACK"])
    await reaches_the_warehouse(p, "PACK")
    await stocked(p.shop)
    await p.shop.stock(10, ["PACK"])
    await Clock(p.shop).run()


async def the_factor_is_mended(p: Processes) -> None:
    await p.shop.stock(120, ["PACK"])
    clock = Clock(p.shop)
    clock.now += timedelta(hours=24)
    await clock.run()


def folder_of(p: Processes) -> Path:
    """Where this merchant's files are delivered."""
    folder = Path(tempfile.gettempdir()) / f"lagerbro-test-{p.shop.merchant}"
    folder.mkdir(exist_ok=True)
    return folder


async def a_file_of_another_goods_owner(p: Processes) -> None:
    folder = folder_of(p)
    await reaches_the_warehouse(p, "C")
    await stocked(p.shop, file_folder=str(folder))
    (folder / "foreign.csv").write_text(stock_file(p.shop, {"A": 1}, datetime.now(UTC), owner=1))
    assert await Clock(p.shop).plan("file") == []


async def a_whole_file_is_delivered(p: Processes) -> None:
    folder = folder_of(p)
    (folder / "foreign.csv").unlink()
    (folder / "whole.csv").write_text(stock_file(p.shop, {"A": 1000, "B": 1000, "C": 1000}, datetime.now(UTC)))
    await Clock(p.shop).run(kind="file")
    shutil.rmtree(folder)
    await seen_to("stock-file-refused", "foreign.csv")(p)


WAYS = {
    "voucher-refused": Way(refused, mended),
    "voucher-series-wrong": Way(a_series_that_is_not_there, the_series_is_made),
    "voucher-differs": Way(a_voucher_of_our_key_with_other_amounts, it_is_corrected_there),
    "voucher-booked-twice": Way(one_that_comes_twice, seen_to("voucher-booked-twice", "lagerbro-ver-0000000001"), blocking=False),
    "reconciliation-held": Way(everything_is_gone, it_was_a_mistake_of_theirs, blocking=False),
    "difference-to-mend": Way(a_package_is_counted_as_a_piece, the_factor_is_mended, blocking=False),
    "stock-file-refused": Way(a_file_of_another_goods_owner, a_whole_file_is_delivered, blocking=False),
}
