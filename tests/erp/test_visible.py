"""What was shown to the ERP once is not wiped by an answer that leaves it out."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from erp import counters
from erp.database import Database
from erp.visible import Parcel, Shown
from tests.erp.data import add_merchant, add_order, read

AT = datetime(2026, 3, 2, 12, tzinfo=UTC)
FULL = Shown(7, "SO-1", 6, 450, "Skickad", "sent", "HEM", "DHL Paket", "dhl", "102", Decimal(3), AT, (Parcel("P-1", "W-1", "u"),))
BARE = replace(
    FULL,
    number=None, back_order_for=None, way_of_delivery=None, transporter=None, transporter_code=None, transporter_service=None,
    shipped_at=None, parcels=(),
)  # fmt: skip
SEEN = """
    select warehouse_order_number, back_order_for, status, meaning, way_of_delivery, transporter, transporter_code,
      transporter_service, picked, shipped_at from erp.warehouse_order where merchant_id = :m
"""
PARCELS = "select parcel_number, tracking_number, tracking_url from erp.parcel where merchant_id = :m order by parcel_key"
VERSIONS = "select xmin::text from erp.warehouse_order where merchant_id = :m"


@pytest.fixture
async def merchant(erp: Database, app: Database) -> str:
    who = await add_merchant(erp)
    await add_order(erp, who)
    async with app.merchant(who) as session:
        await counters.watch(session, who, "SO-1", 7, 400, 300, "released")
    return who


async def show(app: Database, merchant: str, shown: Sequence[Shown], **more: Any) -> None:
    async with app.merchant(merchant) as session:
        await counters.draw_fence(session, merchant, "SO-1", False, {7: (450, None, True)}, shown, **more)


async def test_a_document_is_shown_from_the_moment_it_is_watched(merchant: str, verify: Database) -> None:
    assert await read(verify, "select status, meaning from erp.warehouse_order where merchant_id = :m", m=merchant) == [
        (300, "released")
    ]


async def test_absent_details_never_wipe_known_ones(merchant: str, app: Database, verify: Database) -> None:
    await show(app, merchant, [FULL])
    whole = ("SO-1", 6, 450, "sent", "HEM", "DHL Paket", "dhl", "102", Decimal(3), AT)
    assert await read(verify, SEEN, m=merchant) == [whole]
    before = await read(verify, VERSIONS, m=merchant)
    await show(app, merchant, [BARE])
    assert await read(verify, SEEN, m=merchant) == [whole]
    assert await read(verify, VERSIONS, m=merchant) == before, "nothing was new"
    await show(app, merchant, [replace(BARE, status=475, meaning="collected")])
    assert await read(verify, SEEN, m=merchant) == [(*whole[:2], 475, "collected", *whole[4:])]
    await show(app, merchant, [replace(FULL, parcels=(Parcel("P-1", None, None),))])
    assert await read(verify, PARCELS, m=merchant) == [("P-1", "W-1", "u")]
    await show(app, merchant, [replace(FULL, way_of_delivery="OMBUD", parcels=(Parcel("P-1", "W-2", None),))])
    assert await read(verify, PARCELS, m=merchant) == [("P-1", "W-2", "u")]
    assert (await read(verify, SEEN, m=merchant))[0][4] == "OMBUD"


async def test_a_waybill_that_turns_out_to_be_a_parcels_is_shown_once(merchant: str, app: Database, verify: Database) -> None:
    loose, packed = Parcel(None, "W-1", "u"), Parcel("P-1", "W-1", "u")
    for told in ((loose,), (packed,), (loose,), (packed, Parcel(None, "W-2", None))):
        await show(app, merchant, [replace(FULL, parcels=told)])
    assert await read(verify, PARCELS, m=merchant) == [("P-1", "W-1", "u"), (None, "W-2", None)]


async def test_the_last_digest_is_remembered_with_the_document(merchant: str, app: Database, verify: Database) -> None:
    await show(app, merchant, [FULL], picked={1: Decimal(3)})
    async with app.merchant(merchant) as session:
        looks = await counters.begin_look(session, merchant, "SO-1")
        watched = await counters.lock(session, merchant, "SO-1", looks)
    assert watched.shown == {7: FULL.digest}
    await show(app, merchant, [])
    assert await read(verify, "select shown from bridge.watched where merchant_id = :m", m=merchant) == [(FULL.digest,)]
    assert await read(verify, "select line_number, quantity from erp.picked_line where merchant_id = :m", m=merchant) == [
        (1, Decimal(3))
    ]
