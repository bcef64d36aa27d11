"""`lagerbro purchase`: what a person types, and what it writes."""

import json

from erp.database import Database
from tests.conftest import TestDatabase
from tests.erp.data import add_merchant, insert, read
from tests.starters.test_cli_returns import Says, typed

__all__ = ["typed"]


async def test_a_purchase_is_placed_once_shown_listed_and_closed_with_name_and_reason(
    database: TestDatabase, typed: Says
) -> None:
    erp, verify = Database(database.url("erp")), Database(database.url("verify"))
    merchant = await add_merchant(erp)
    words = ["purchase", "start", "PO-1", "--supplier", "S-1", "--line", "A:10:5.50", "--line", "B:2:1", "-m", merchant]
    unknown = await typed(*words)
    assert (unknown.exit_code, "no supplier S-1" in unknown.output) == (1, True)
    supplier = {"merchant_id": merchant, "supplier_number": "S-1", "name": "Leverans AB", "currency": "EUR"}
    async with erp.everyone() as session:
        await insert(session, "erp.supplier", supplier)
    assert "PO-1 is placed" in (await typed(*words)).output
    again = await typed(*words)
    assert (again.exit_code, "was there before" in again.output) == (0, True)

    other = await typed(*words[:5], "--line", "A:11:5.50", "-m", merchant)
    assert (other.exit_code, "is another purchase order already" in other.output) == (1, True)

    shown = json.loads((await typed("purchase", "show", "PO-1", "-m", merchant, "--json")).output)
    assert (shown["currency"], shown["lines"][0]["ordered"], shown["lines"][0]["received"]) == ("EUR", "10.0000", "0")
    assert "PO-1" in (await typed("purchase", "list", "-m", merchant)).output
    assert "PO-1" in (await typed("purchase", "show", "PO-1", "-m", merchant)).output

    close = ["purchase", "close", "PO-1", "--by", "Kim", "-m", merchant]
    nameless = await typed(*close, "--reason", " ")
    assert (nameless.exit_code, "both are kept" in nameless.output) == (1, True)
    assert (await typed(*close, "--reason", "no more")).exit_code == 0
    audit = await read(verify, "select actor, action, document, reason from bridge.audit where merchant_id = :m", m=merchant)
    assert audit == [("Kim", "close-purchase", "PO-1", "no more")]
    topics = await read(verify, "select topic from bridge.outbox where merchant_id = :m order by outbox_no", m=merchant)
    assert [topic for (topic,) in topics if topic.startswith("purchase")] == ["purchase-order.placed", "purchase-order.changed"]
    await erp.close()
    await verify.close()


async def test_what_cannot_be_placed_or_closed_is_named(database: TestDatabase, typed: Says) -> None:
    erp = Database(database.url("erp"))
    merchant = await add_merchant(erp)
    wrong = await typed("purchase", "start", "PO-1", "--supplier", "S-1", "--line", "A:ten", "-m", merchant)
    assert (wrong.exit_code, "ARTICLE:QUANTITY:PRICE" in wrong.output) == (1, True)
    for line in ("A:-5:4", "A:0:4", "A:5:-4", "A:NaN:4", "A:5:NaN"):
        wrong = await typed("purchase", "start", "PO-1", "--supplier", "S-1", "--line", line, "-m", merchant)
        assert (wrong.exit_code, f"--line '{line}': write" in wrong.output) == (1, True)
    missing = await typed("purchase", "close", "PO-1", "--by", "Kim", "--reason", "why", "-m", merchant)
    assert (missing.exit_code, "is not there" in missing.output) == (1, True)
    assert (await typed("purchase", "show", "PO-1", "-m", merchant)).exit_code == 1
    await erp.close()
