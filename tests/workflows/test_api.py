"""Corrections over HTTP, for an ERP that is not in Python."""

import secrets
from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio

from domain.corrections import Name, Situation
from domain.purchase_corrections import PurchaseName
from erp.people import add_token, end_token
from starters.api import application, openapi
from starters.endpoints import hashed
from tests.activities.buying import buying, pool
from tests.activities.test_purchases import floor, ordered, place, status
from tests.activities.world import Shop
from tests.workflows.process import Processes, becomes
from tests.workflows.situations import brought_to
from tests.workflows.test_receive_purchase_order import of, shows
from workflows import attributes
from workflows.receive_purchase_order import ReceivePurchaseOrder


@pytest_asyncio.fixture(loop_scope="session")
async def api(processes: Processes, shop: Shop) -> AsyncIterator[httpx.AsyncClient]:
    token = secrets.token_urlsafe(32)
    async with shop.worker.database.merchant(shop.merchant) as session:
        await add_token(session, shop.merchant, hashed(token), "the web shop")
    transport = httpx.ASGITransport(application(shop.worker.database, processes.client))
    headers = {"Authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(transport=transport, base_url="http://api", headers=headers) as http:
        yield http


def order(shop: Shop, rest: str = "", number: str = "SO-1") -> str:
    return f"/v1/{shop.merchant}/sales-orders/{number}{rest}"


async def test_an_order_is_held_and_released_once_for_each_key(api: httpx.AsyncClient, processes: Processes, shop: Shop) -> None:
    async with brought_to(processes, Situation.AT_WAREHOUSE):
        body = {"by": "anna", "reason": "asked on the phone", "key": "k-1"}
        for _ in range(3):
            assert (await api.post(order(shop, "/corrections/hold"), json=body)).status_code == 200
        refused = await api.post(order(shop, "/corrections/hold"), json=body | {"key": "k-2"})
        assert (refused.status_code, refused.json()["code"]) == (409, "refused")
        assert "on hold already" in refused.json()["message"]
        shown = await api.get(order(shop))
        assert [each["code"] for each in shown.json()["exceptions"]] == ["held-by-a-person"]
        assert (await api.post(order(shop, "/corrections/release"), json=body | {"key": "k-3"})).status_code == 200
    said = await shop.read("select actor, action from bridge.audit where merchant_id = :m order by audit_no")
    assert said == [("anna (via the web shop)", "hold"), ("anna (via the web shop)", "release")]


async def test_an_address_is_parked_and_taken(api: httpx.AsyncClient, processes: Processes, shop: Shop) -> None:
    async with brought_to(processes, Situation.AT_WAREHOUSE):
        address = {"name": "Ny Mottagare", "address1": "Nygatan 9", "post_code": "99999", "city": "Nystad", "country": "SE"}
        assert (await api.put(order(shop, "/parked-addresses/p-1"), json=address | {"shoe": "43"})).status_code == 400
        assert (await api.put(order(shop, "/parked-addresses/p-1"), json=address)).status_code == 201
        body = {"by": "anna", "reason": "moved", "parked": "p-1"}
        assert (await api.post(order(shop, "/corrections/change_address"), json=body)).status_code == 200
        await processes.deliver()

        async def city() -> object:
            return (await shop.warehouse_order())["consignee"]["city"]

        await becomes(city, "Nystad")


async def test_whoever_has_no_token_of_the_merchant_learns_and_changes_nothing(
    api: httpx.AsyncClient, processes: Processes, shop: Shop
) -> None:
    async with brought_to(processes, Situation.AT_WAREHOUSE):
        body = {"by": "anna", "reason": "x"}
        for headers in ({"Authorization": "Bearer " + "x" * 43}, {"Authorization": "Basic abc"}, {"Authorization": ""}):
            assert (await api.post(order(shop, "/corrections/hold"), json=body, headers=headers)).status_code == 401
            assert (await api.get(order(shop), headers=headers)).status_code == 401
            assert (await api.put(order(shop, "/parked-addresses/p"), json={}, headers=headers)).status_code == 401
        assert (await api.get("/v1/another/sales-orders/SO-1")).status_code == 401
        async with shop.worker.database.merchant(shop.merchant) as session:
            assert await end_token(session, shop.merchant, "the web shop")
        assert (await api.get(order(shop))).status_code == 401
    assert await shop.read("select count(*) from bridge.audit where merchant_id = :m") == [(0,)]


@pytest.mark.parametrize(
    ("name", "body", "status", "words"),
    [
        ("hold", b"[]", 400, "one JSON object"),
        ("hold", b"x" * 20_000, 400, "at most"),
        ("hold", b'{"by": "anna"}', 400, "lacks"),
        ("hold", b'{"by": "anna", "reason": " "}', 400, "who and why"),
        ("hold", b'{"by": "anna", "reason": "x", "colour": "red"}', 400, "colour is not a field"),
        ("hold", b'{"by": 7, "reason": "x"}', 400, "must be a text"),
        ("explode", b'{"by": "anna", "reason": "x"}', 400, "is no correction"),
        ("change_lines", b'{"by": "anna", "reason": "x", "lines": [{"line": "one"}]}', 400, "lines must be like"),
    ],
)
async def test_what_is_not_understood_is_said_by_name(
    api: httpx.AsyncClient, processes: Processes, shop: Shop, name: str, body: bytes, status: int, words: str
) -> None:
    await processes.begin()
    answer = await api.post(order(shop, f"/corrections/{name}"), content=body)
    assert answer.status_code == status
    assert words in answer.json()["message"]


async def test_an_order_that_is_not_there_is_not_found(api: httpx.AsyncClient, shop: Shop) -> None:
    answer = await api.post(order(shop, "/corrections/hold", "NO-SUCH"), json={"by": "anna", "reason": "x"})
    assert (answer.status_code, answer.json()["code"]) == (404, "not-found")


def test_the_description_has_every_correction_with_what_it_takes() -> None:
    paths = openapi()["paths"]
    for name in (*(each.value for each in Name), "approve"):
        schema = paths[f"/v1/{{merchant}}/sales-orders/{{number}}/corrections/{name}"]["post"]["requestBody"]
        assert {"by", "reason"} <= set(schema["content"]["application/json"]["schema"]["required"])
    for name in (*(each.value for each in PurchaseName), "approve_correction"):
        schema = paths[f"/v1/{{merchant}}/purchase-orders/{{number}}/corrections/{name}"]["post"]["requestBody"]
        assert {"by", "reason"} <= set(schema["content"]["application/json"]["schema"]["required"])


async def test_what_a_purchase_cost_is_corrected_once_for_each_key(
    api: httpx.AsyncClient, processes: Processes, shop: Shop
) -> None:
    await buying(shop, "N", purchase_difference_account=4990)
    await place(shop, [ordered("N", 10, 10)])
    await processes.deliver()
    await becomes(lambda: status(shop), "at-warehouse")
    path = f"/v1/{shop.merchant}/purchase-orders/PO-1/corrections"
    body = {"by": "anna", "reason": "freight by hand", "key": "k-1", "amount": "5"}
    too_early = await api.post(f"{path}/correct_cost", json=body)
    assert (too_early.status_code, "nothing of it has come in" in too_early.json()["message"]) == (409, True)
    await floor(shop, "receive", {1: 10})
    await of(processes).signal(ReceivePurchaseOrder.look)
    await becomes(lambda: shows(processes, attributes.STAGE), "received")
    for _ in range(3):
        assert (await api.post(f"{path}/correct_cost", json=body)).status_code == 200
    assert await pool(shop, "N") == (10, 105)
    for name, wrong, status_code, words in (
        ("correct_cost", {"receipt": "1/1"}, 400, "give either unit_cost"),
        ("correct_cost", {"amount": 5}, 400, "must be a text"),
        ("correct_cost", {"amount": "5", "name": "x"}, 400, "name is not a field"),
        ("approve", {"invoice": "57"}, 400, "invoice must be a number"),
        ("approve", {"invoice": 57}, 409, "no such invoice"),
        ("hold", {}, 400, "is no correction"),
    ):
        answer = await api.post(f"{path}/{name}", json={"by": "anna", "reason": "x"} | wrong)
        assert (answer.status_code, words in answer.json()["message"]) == (status_code, True), answer.text
    missing = await api.post(path.replace("PO-1", "PO-9") + "/correct_cost", json=body)
    assert missing.status_code == 404
    said = await shop.read("select actor, action from bridge.audit where merchant_id = :m and kind = 'purchase-order'")
    assert said == [("anna (via the web shop)", "correct_cost")]
