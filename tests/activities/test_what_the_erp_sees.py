"""What the ERP sees of its orders: progress by order and line, parcels, back orders; and a word when any of it moves."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import asyncpg
import pytest
from sqlalchemy import text

from domain.errors import Refused
from domain.keys import OrderState
from erp.database import DATABASE_ERRORS
from erp.overview import order_overview
from tests.activities.world import HOW_OFTEN, Shop, again
from tests.conftest import TestDatabase
from tests.erp.data import line, read, set_order

D = Decimal
LINES = """
    select line_number, ordered, picked, shipped, invoiced, remaining, never_delivered from erp.sales_order_line_progress
    where merchant_id = :m order by 1
"""
CHANGED = "select line_number, changed_at from erp.sales_order_line_progress where merchant_id = :m order by 1"
ORDER = """
    select status, warehouse_status, warehouse_status_number, warehouse_documents, way_of_delivery_shipped, transporter_code,
      transporter_service, parcels, tracking_numbers, remaining from erp.sales_order_progress where merchant_id = :m
"""
PARCELS = """
    select parcel_number, tracking_number, tracking_url from erp.parcel where merchant_id = :m order by parcel_key
"""
DOCUMENTS = """
    select d.warehouse_order_number, b.warehouse_order_number, d.meaning, d.picked from erp.warehouse_order d
    left join erp.warehouse_order b on b.merchant_id = d.merchant_id and b.warehouse_order_id = d.back_order_for
    where d.merchant_id = :m order by d.warehouse_order_id
"""
WRITTEN = """
    select 'order', xmin::text from erp.warehouse_order where merchant_id = :m
    union all select parcel_key, xmin::text from erp.parcel where merchant_id = :m
    union all select line_number::text, xmin::text from erp.picked_line where merchant_id = :m order by 1
"""
MAPPING: dict[str, Any] = {
    "transporters": {"postnord": {"code": "PLAB", "services": {"collect": "P19"}}},
    "ways_of_delivery": {"OMBUD": {"code": "mypack", "transporter": "postnord", "service": "collect"}, "SJÄLV": "pickup"},
    "order_types": {"normal": None, "webshop": "B2C", "transfer": {"code": "MOVE", "invoice": False, "issue_account": 1471}},
}


async def sees(shop: Shop, statement: str) -> list[tuple[Any, ...]]:
    """What the ERP's own role reads."""
    return await read(shop.erp, statement, m=shop.merchant)


@dataclass
class Ear:
    """An ERP that listens on the channel."""

    url: str
    heard: list[dict[str, Any]] = field(default_factory=list)
    end: asyncio.Event = field(default_factory=asyncio.Event)

    def hear(self, *said: Any) -> None:
        message = json.loads(said[3])
        if message["kind"] == "end":
            self.end.set()
        else:
            self.heard.append(message)

    async def said(self) -> list[dict[str, Any]]:
        """What was said since it was last asked: a message of our own comes after all that was committed before it."""
        self.end.clear()
        teller = await asyncpg.connect(self.url)
        await teller.execute("""select pg_notify('lagerbro_changes', '{"kind": "end"}')""")
        await teller.close()
        async with asyncio.timeout(5):
            await self.end.wait()
        said, self.heard = self.heard, []
        return said


@asynccontextmanager
async def listening(database: TestDatabase) -> AsyncIterator[Ear]:
    ear = Ear(database.url("erp"))
    connection = await asyncpg.connect(ear.url)
    await connection.add_listener("lagerbro_changes", ear.hear)
    try:
        yield ear
    finally:
        await connection.close()


async def test_an_order_that_was_sent_is_at_the_warehouse_with_everything_remaining(shop: Shop) -> None:
    await shop.sent()
    assert await sees(shop, ORDER) == [("at-warehouse", "released", 300, 1, None, None, None, 0, None, D(5))]
    assert await sees(shop, LINES) == [(1, D(3), D(0), D(0), D(0), D(3), D(0)), (2, D(2), D(0), D(0), D(0), D(2), D(0))]


@pytest.mark.parametrize("often", HOW_OFTEN, ids=lambda often: often.__name__)
async def test_each_line_shows_what_is_picked_shipped_invoiced_and_remains_and_when_it_changed(shop: Shop, often: Any) -> None:
    key = await shop.sent()
    before = dict(await sees(shop, CHANGED))
    await shop.floor("pick", lines={1: 1})
    await often(shop.workers, lambda worker: worker.ongoing.look_at_sales_order, key)
    assert await sees(shop, LINES) == [(1, D(3), D(1), D(0), D(0), D(3), D(0)), (2, D(2), D(0), D(0), D(0), D(2), D(0))]
    after = dict(await sees(shop, CHANGED))
    assert after[1] > before[1] and after[2] == before[2]
    await shop.floor("finish-short")
    state = await often(shop.workers, lambda worker: worker.ongoing.look_at_sales_order, key)
    assert await sees(shop, LINES) == [(1, D(3), D(1), D(1), D(0), D(2), D(0)), (2, D(2), D(0), D(0), D(0), D(2), D(0))]
    await shop.ended(state)
    assert await sees(shop, LINES) == [(1, D(3), D(1), D(1), D(1), D(0), D(2)), (2, D(2), D(0), D(0), D(0), D(0), D(2))]


async def test_an_undone_pick_is_taken_back_before_the_erps_eyes(shop: Shop) -> None:
    await shop.sent()
    await shop.floor("pick")
    await shop.look()
    await shop.floor("undo-pick", lines={1: 2})
    await shop.look_until_calm()
    assert [(n, picked) for n, _, picked, *_ in await sees(shop, LINES)] == [(1, D(1)), (2, D(2))]


@pytest.mark.parametrize("often", HOW_OFTEN, ids=lambda often: often.__name__)
async def test_parcels_transporter_and_way_of_delivery_are_shown_in_the_erps_words(shop: Shop, often: Any) -> None:
    await shop.settings(**MAPPING)
    key = await shop.sent(way_of_delivery="OMBUD")
    await shop.floor("pick")
    await shop.floor("send", waybill="W-1", trackingUrl="https://carrier.example/W-1", parcelNumber="P-1")
    await often(shop.workers, lambda worker: worker.ongoing.look_at_sales_order, key)
    assert await sees(shop, ORDER) == [("shipped", "sent", 450, 1, "OMBUD", "postnord", "P19", 1, ["W-1"], D(0))]
    assert await sees(shop, PARCELS) == [("P-1", "W-1", "https://carrier.example/W-1")]
    shipped = "select shipped_at from erp.sales_order_progress where merchant_id = :m and shipped_at is not null"
    assert len(await sees(shop, shipped)) == 1


async def test_a_look_with_nothing_new_writes_nothing_and_says_nothing(shop: Shop, database: TestDatabase) -> None:
    await shop.sent()
    await shop.floor("pick", lines={1: 1})
    await shop.floor("send", waybill="W-1", trackingUrl="https://carrier.example/W-1", parcelNumber="P-1")
    await shop.settings(short_grace_seconds=3600)
    await shop.look()
    written = await sees(shop, WRITTEN)
    async with listening(database) as ear:
        await shop.look()
        await shop.look()
        assert await ear.said() == []
    assert await sees(shop, WRITTEN) == written and len(written) == 3


async def test_tracking_that_comes_later_is_added_and_what_was_known_stays(shop: Shop) -> None:
    await shop.settings(short_grace_seconds=3600)
    await shop.sent()
    await shop.floor("pick", lines={1: 1})
    await shop.floor("send")
    await shop.look()
    assert await sees(shop, PARCELS) == []
    order_id = (await shop.warehouse_order())["orderInfo"]["orderId"]
    for waybill in ("W-1", "W-2"):
        tracking = {"waybill": waybill, "trackingUrl": f"https://carrier.example/{waybill}", "isReturnTracking": False}
        assert (await shop.call_ongoing("PUT", f"orders/{order_id}/orderTracking", tracking)).status_code == 200
        await shop.look()
    back = {"waybill": "R-1", "trackingUrl": "https://carrier.example/R-1", "isReturnTracking": True}
    await shop.call_ongoing("PUT", f"orders/{order_id}/orderTracking", back)
    await shop.look()
    assert await sees(shop, PARCELS) == [
        (None, "W-1", "https://carrier.example/W-1"),
        (None, "W-2", "https://carrier.example/W-2"),
    ]


async def test_a_back_order_is_stitched_to_its_original_and_counts_on_the_same_line(shop: Shop) -> None:
    await shop.ongoing("PUT", "settings", {"shortPick": "back-order"})
    try:
        await shop.sent()
        await shop.floor("pick", lines={1: 1, 2: 2})
        await shop.floor("finish-short")
    finally:
        await shop.ongoing("PUT", "settings", {"shortPick": "same-order"})
    await shop.look()
    assert await sees(shop, DOCUMENTS) == [("SO-1", None, "sent", D(3)), ("SO-1-1", "SO-1", "released", D(0))]
    assert [(n, remaining) for n, _, _, _, _, remaining, _ in await sees(shop, LINES)] == [(1, D(2)), (2, D(0))]
    await shop.floor("pick", "SO-1-1")
    await shop.floor("send", "SO-1-1", waybill="W-2")
    await shop.look()
    assert await sees(shop, DOCUMENTS) == [("SO-1", None, "sent", D(3)), ("SO-1-1", "SO-1", "sent", D(2))]
    assert [(n, picked, shipped) for n, _, picked, shipped, *_ in await sees(shop, LINES)] == [(1, D(3), D(3)), (2, D(2), D(2))]
    assert await sees(shop, PARCELS) == [(None, "W-2", None)]


async def test_every_change_is_told_once_on_the_channel_by_keys_alone(shop: Shop, database: TestDatabase) -> None:
    told = {"merchant": shop.merchant, "kind": "sales-order", "document": "SO-1"}
    async with listening(database) as ear:
        await shop.sent(delivery_name="Anna Andersson", delivery_address1="G 1", delivery_post_code="1", delivery_city="S",
                        delivery_country="SE")  # fmt: skip
        said = await ear.said()
        assert said and {json.dumps(one) for one in said} == {json.dumps(told)}
        await shop.floor("pick")
        await shop.floor("send", waybill="W-1", parcelNumber="P-1")
        state = await shop.look()
        assert await ear.said() == [told], "one transaction, one message"
        await shop.invoice(state)
        assert await ear.said() == [told], "the invoice and the end of the order are one transaction"


async def test_the_erp_sees_one_merchant_where_its_session_says_which(shop: Shop) -> None:
    await shop.sent()
    for name in ("warehouse_order", "sales_order_progress", "sales_order_line_progress"):
        for who, seen in (("nobody", 0), (shop.merchant, 1)):
            async with shop.erp.merchant(who) as session:
                found = (await session.execute(text(f"select distinct merchant_id from erp.{name}"))).all()
            assert len(found) == seen, (name, who)
    with pytest.raises(DATABASE_ERRORS, match="permission denied"):
        await read(shop.erp, "delete from erp.parcel returning 1")


# --- codes by the merchant's mapping


async def test_codes_travel_by_the_merchants_mapping(shop: Shop) -> None:
    await shop.settings(**MAPPING)
    await shop.sent(way_of_delivery="OMBUD", order_type="webshop")
    held = await shop.warehouse_order()
    assert held["orderInfo"]["wayOfDelivery"]["code"] == "mypack"
    assert held["orderInfo"]["orderType"]["code"] == "B2C"
    assert (held["transporter"]["code"], held["transporter"]["serviceCode"]) == ("PLAB", "P19")
    await shop.sent("SO-2", way_of_delivery="SJÄLV")
    held = await shop.warehouse_order("SO-2")
    assert (held["orderInfo"]["wayOfDelivery"]["code"], held["orderInfo"]["orderType"]) == ("pickup", None)
    assert held["transporter"] is None


@pytest.mark.parametrize(
    ("columns", "code"),
    [({"way_of_delivery": "DRÖNARE"}, "unknown-way-of-delivery"), ({"order_type": "DRÖNARE"}, "unknown-order-type")],
)
async def test_a_code_that_the_mapping_lacks_blocks_with_its_name_and_nothing_is_sent(
    shop: Shop, columns: dict[str, Any], code: str
) -> None:
    await shop.settings(**MAPPING)
    key = await shop.order(**columns)
    with pytest.raises(Refused, match="DRÖNARE") as refused:
        await again(shop.worker.ongoing.send_sales_order, key)
    assert refused.value.code == code
    assert await shop.read("select 1 from bridge.link where merchant_id = :m") == [], "not even its articles"
    await shop.settings(**MAPPING | {"ways_of_delivery": {"DRÖNARE": "dr"}, "order_types": {"DRÖNARE": "DR", "normal": None}})
    assert (await shop.send()).stage == "at-warehouse"


@pytest.mark.parametrize("often", HOW_OFTEN, ids=lambda often: often.__name__)
async def test_a_transfer_travels_as_an_order_of_its_type_and_leaves_stock_for_goods_in_transit(shop: Shop, often: Any) -> None:
    await shop.settings(**MAPPING)
    key = await shop.order(order_type="transfer", lines=[line("A", 3, 0), line("B", 2, "5.50")], freight=49)
    await shop.send()
    assert (await shop.warehouse_order())["orderInfo"]["orderType"]["code"] == "MOVE"
    await shop.stock(articles=["A", "B"])
    await shop.pick_and_send()
    state = await often(shop.workers, lambda worker: worker.ongoing.look_at_sales_order, key)
    assert (state.outcome, state.to_invoice) == ("completed", [])
    accounts = """
        select event, account, sum(debit - credit) from erp.posting_row join erp.posting using (merchant_id, posting_no)
        where merchant_id = :m and event <> 'opening-balance' group by 1, 2 order by 2, 1
    """
    assert await shop.read(accounts) == [("goods-transferred", 1460, D("-22.50")), ("goods-transferred", 1471, D("22.50"))]
    assert await shop.read("select 1 from erp.invoice_basis where merchant_id = :m") == []
    assert await shop.read("select shipment_no, billable from erp.shipment where merchant_id = :m") == [(1, False)]
    assert await shop.status() == "completed"
    await shop.floor("undo-pick", lines={1: 2})
    await shop.look()
    await shop.look_until_calm()
    assert await shop.read(accounts) == [
        ("goods-transferred", 1460, D("-22.50")),
        ("goods-transferred-reversed", 1460, D("9.00")),
        ("goods-transferred", 1471, D("22.50")),
        ("goods-transferred-reversed", 1471, D("-9.00")),
    ]
    assert await shop.read("select 1 from erp.invoice_basis where merchant_id = :m") == []


async def test_the_type_of_an_order_stands_once_the_warehouse_has_it(shop: Shop) -> None:
    await shop.sent()
    with pytest.raises(DATABASE_ERRORS, match="its order_type stays normal"):
        await set_order(shop.erp, shop.merchant, "SO-1", order_type="transfer")
    assert await shop.look() == OrderState("at-warehouse")


async def test_an_order_that_waits_for_goods_shows_which_lines_lack_them(shop: Shop) -> None:
    await shop.sent(lines=[line("A", 1005, 10), line("B", 2, "5.50")])
    async with shop.verify.everyone() as session:
        found = await order_overview(session, shop.merchant, "SO-1")
    assert found is not None
    assert found["not_in_stock"] == [
        {"line_number": 1, "article_number": "A", "to_pick": D(1005), "in_stock": D(1000)},
    ]
