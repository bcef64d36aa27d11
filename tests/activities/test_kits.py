"""Kits (satser): stock and cost move on the components, the customer is billed for the kit, and both sides agree."""

from decimal import Decimal
from typing import Any

import pytest

from domain.errors import Refused
from tests.activities.world import HOW_OFTEN, Shop, again
from tests.erp.data import article, insert, line

D = Decimal
ENTRIES = """
  select article_number, sum(quantity), sum(value) from erp.stock_entry
  where merchant_id = :m and kind <> 'opening' group by 1 order by 1"""
SHIPPED = "select line_number, sum(quantity) from erp.shipment_line where merchant_id = :m group by 1 order by 1"


async def kit(shop: Shop) -> None:
    """A gift box of one A and two B, which the books and the warehouse have in stock."""
    async with shop.erp.everyone() as session:
        await insert(session, "erp.article", article(shop.merchant, "BOX"))
        of = {"merchant_id": shop.merchant, "article_number": "BOX"}
        await insert(session, "erp.article_component", of | {"component_article_number": "A", "quantity": D(1)})
        await insert(session, "erp.article_component", of | {"component_article_number": "B", "quantity": D(2)})


async def sent(shop: Shop) -> None:
    await kit(shop)
    await shop.order(lines=[line("BOX", 3, 100), line("A", 1, 10)])
    await shop.send()
    await shop.stock(articles=["A", "B"])


async def picked_and_reported(shop: Shop) -> list[tuple[str, Any, Any]]:
    order = await shop.warehouse_order()
    parts = [part for row in order["orderLines"] for part in (row.get("subOrderLines") or [row])]
    return sorted((p["article"]["articleNumber"], p["pickedNumberOfItems"], p["reportedNumberOfItems"]) for p in parts)


@pytest.mark.parametrize("often", HOW_OFTEN, ids=lambda often: often.__name__)
async def test_a_picked_kit_moves_its_components_and_is_billed_as_a_kit(shop: Shop, often: Any) -> None:
    await sent(shop)
    await shop.pick_and_send()
    state = await often(shop.workers, lambda worker: worker.ongoing.look_at_sales_order, shop.key())
    assert (await shop.ended(state)).outcome == "completed"
    assert [(number, quantity) for number, quantity, _ in await shop.read(ENTRIES)] == [("A", D(-4)), ("B", D(-6))]
    assert await shop.read(SHIPPED) == [(1, D(3)), (2, D(1))]
    assert [D(str(invoice["net"])) for invoice in await shop.invoices()] == [D("310.00")]
    assert await picked_and_reported(shop) == [("A", 1, 1), ("A", 3, 3), ("B", 6, 6)]
    assert await shop.exceptions() == []


async def test_a_kit_that_is_picked_in_part_is_billed_for_the_whole_kits_and_the_rest_follows(shop: Shop) -> None:
    await sent(shop)
    await shop.floor("pick", lines={1: 2, 2: 1})
    await shop.look()
    assert [(number, quantity) for number, quantity, _ in await shop.read(ENTRIES)] == [("A", D(-3)), ("B", D(-4))]
    await shop.pick_and_send(lines={1: 1})
    assert (await shop.ended(await shop.look_until_calm())).outcome == "completed"
    assert [(number, quantity) for number, quantity, _ in await shop.read(ENTRIES)] == [("A", D(-4)), ("B", D(-6))]
    assert sum(D(str(invoice["net"])) for invoice in await shop.invoices()) == D("310.00")


async def test_an_article_that_the_erp_lacks_is_named_and_what_else_was_picked_is_booked(shop: Shop) -> None:
    """The warehouse knows more parts of a kit than the ERP does: stock follows what is known, the rest is told."""
    await sent(shop)
    other = {"goodsOwnerId": shop.goods_owner, "articleNumber": "SLEEVE", "articleName": "Sleeve"}
    assert (await shop.call_ongoing("PUT", "articles", other)).status_code == 200
    rows = [{"articleNumber": number, "numberOfItems": n} for number, n in (("A", 1), ("B", 2), ("SLEEVE", 1))]
    body = {"goodsOwnerId": shop.goods_owner, "articleNumber": "BOX", "articleName": "Box"}
    body["structureDefinition"] = {"articleKind": "Structure", "rows": rows}
    assert (await shop.call_ongoing("PUT", "articles", body)).status_code == 200
    await shop.order("SO-2", [line("BOX", 1, 100)])
    await shop.send("SO-2")
    await shop.stock(articles=["A", "B", "SLEEVE"])
    await shop.pick_and_send("SO-2")
    with pytest.raises(Refused, match=r"SLEEVE, not in erp\.article") as refused:
        await again(shop.worker.ongoing.look_at_sales_order, shop.key("SO-2"))
    assert refused.value.code == "article-not-in-erp"
    assert [(number, quantity) for number, quantity, _ in await shop.read(ENTRIES)] == [("A", D(-1)), ("B", D(-2))]
    async with shop.erp.everyone() as session:
        await insert(session, "erp.article", article(shop.merchant, "SLEEVE"))
    assert (await shop.ended(await shop.look_until_calm("SO-2"), "SO-2")).outcome == "completed"
    assert ("SLEEVE", D(-1)) in [(number, quantity) for number, quantity, _ in await shop.read(ENTRIES)]
