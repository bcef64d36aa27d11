"""`lagerbro note close`, and what the commands of the morning say of what is not there."""

import pytest

from erp.database import Database
from erp.exceptions import open_exception
from tests.conftest import TestDatabase
from tests.erp.data import add_merchant, add_order, read
from tests.starters.test_cli_returns import Says, typed
from worker.keyring import KeyRing

__all__ = ["typed"]


@pytest.fixture(autouse=True)
def without_temporal(monkeypatch: pytest.MonkeyPatch, key_ring: KeyRing) -> None:
    """Nobody answers there: the commands show our own list, and say so."""
    monkeypatch.setenv("LAGERBRO_KEYS", key_ring.dump())
    monkeypatch.setenv("TEMPORAL_ADDRESS", "127.0.0.1:9")


OPEN = "select document, code from bridge.exception where merchant_id = :m and closed_at is null order by 1, 2"


async def test_a_note_is_closed_once_by_somebody_with_a_reason(database: TestDatabase, typed: Says) -> None:
    erp, app, verify = (Database(database.url(role)) for role in ("erp", "app", "verify"))
    merchant = await add_merchant(erp)
    async with app.merchant(merchant) as session:
        await open_exception(session, merchant, "sales-order", "SO-1", "over-delivery", "2 too many", False)
        await open_exception(session, merchant, "sales-order", "SO-1", "missing-address", "no city", True)
        await open_exception(session, merchant, "article", "A", "stock-below-zero", "-2 in our books", False)
        for kind in ("purchase-order", "return"):
            await open_exception(session, merchant, kind, "X-1", "report-refused", f"of the {kind}", False)
    listed = await typed("stuck", "--notes", "-m", merchant)
    assert f"lagerbro note close SO-1 over-delivery -m {merchant}" in listed.output
    assert "note close A stock-below-zero" not in listed.output and "note close SO-1 missing-address" not in listed.output

    who = ["--by", "Kim", "--reason", "billed by hand", "-m", merchant]
    for document, code, words in (
        ("SO-1", "missing-address", "mended and tried again, not closed"),
        ("A", "stock-below-zero", "closes by itself"),
        ("X-1", "report-refused", "say which with --kind"),
        ("SO-2", "over-delivery", "lagerbro stuck --notes"),
    ):
        refused = await typed("note", "close", document, code, *who)
        assert refused.exit_code == 1 and words in str(refused.exception or refused.output), (document, code)
    nameless = await typed("note", "close", "SO-1", "over-delivery", "--by", " ", "--reason", "x", "-m", merchant)
    assert nameless.exit_code == 1
    assert len(await read(verify, OPEN, m=merchant)) == 5
    done = await typed("note", "close", "SO-1", "over-delivery", *who)
    assert (done.exit_code, "2 too many" in done.output) == (0, True)
    assert (await typed("note", "close", "X-1", "report-refused", "--kind", "return", *who)).exit_code == 0
    assert ("SO-1", "over-delivery") not in await read(verify, OPEN, m=merchant)
    audit = "select actor, action, kind, document, reason, detail ->> 'code' from bridge.audit where merchant_id = :m order by 4"
    assert await read(verify, audit, m=merchant) == [
        ("Kim", "close-note", "sales-order", "SO-1", "billed by hand", "over-delivery"),
        ("Kim", "close-note", "return", "X-1", "billed by hand", "report-refused"),
    ]
    for each in (erp, app, verify):
        await each.close()


async def test_a_merchant_or_a_number_that_is_not_there_is_said_and_not_taken_for_good_news(
    database: TestDatabase, typed: Says
) -> None:
    erp = Database(database.url("erp"))
    merchant, other = await add_merchant(erp), await add_merchant(erp)
    await add_order(erp, other, "SO-77")
    for words in (["stuck"], ["digest"], ["explain", "SO-77"]):
        nobody = await typed(*words, "-m", "nobody")
        assert nobody.exit_code == 1 and "There is no merchant nobody; there are:" in nobody.output, words
    elsewhere = await typed("explain", "SO-77", "-m", merchant)
    assert elsewhere.exit_code == 1
    assert f"There is a sales order SO-77 of {other}: lagerbro explain SO-77 -m {other}" in elsewhere.output
    await erp.close()
