"""The intake takes every true hint once, before it answers, and nothing else; it needs neither Temporal nor our processes."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
import pytest_asyncio
from sqlalchemy import text

from erp.database import Database
from starters import group_commit
from starters.endpoints import REMEMBERED_SECONDS, UNKNOWN_AGAIN_SECONDS, Endpoints, hashed
from starters.group_commit import Hint, Inbox
from starters.intake import LARGEST_BODY, NO_DATABASE, application
from tests.conftest import TestDatabase
from tests.erp.data import add_merchant, read
from tests.webhook_bodies import EVERY_TYPE, movement, order

INBOX = "select kind, doc_id, event_id from bridge.inbox where merchant_id = :m order by event_id"


@dataclass
class Door:
    """One merchant's address at an intake over a real database."""

    merchant: str
    secret: str
    token: str
    http: httpx.AsyncClient
    database: Database
    app: Database
    verify: Database

    async def say(self, body: Any, token: str | None = None, secret: str | None = None) -> httpx.Response:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = {"X-Auth-Token": self.token if token is None else token}
        return await self.http.post(f"/webhooks/ongoing/{secret or self.secret}", content=content, headers=headers)

    async def inbox(self) -> list[tuple[Any, ...]]:
        return await read(self.verify, INBOX, m=self.merchant)

    async def add_address(self, secret: str, token: str) -> None:
        statement = (
            "insert into bridge.webhook_endpoint (merchant_id, system, path_hash, token_hash) values (:m, 'ongoing', :p, :t)"
        )
        async with self.app.merchant(self.merchant) as session:
            await session.execute(text(statement), {"m": self.merchant, "p": hashed(secret), "t": hashed(token)})


@pytest_asyncio.fixture(loop_scope="session")
async def door(database: TestDatabase) -> AsyncIterator[Door]:
    erp, app, verify, intake = (Database(database.url(role), pool_size=4) for role in ("erp", "app", "verify", "intake"))
    merchant = await add_merchant(erp)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(application(intake)), base_url="http://intake") as http:
        made = Door(merchant, f"s-{merchant}", f"t-{merchant}", http, intake, app, verify)
        await made.add_address(made.secret, made.token)
        yield made
    for each in (erp, app, verify, intake):
        await each.close()


async def test_every_documented_type_lands_in_the_inbox_with_its_kind(door: Door) -> None:
    assert {(await door.say(body())).status_code for body in EVERY_TYPE} == {204}
    assert (await door.say(movement(purchaseOrder=None))).status_code == 204
    assert await door.inbox() == [
        ("inventory", 8801, "webhookInventoryId/16/4550101/8801"),
        ("purchase-order", 3301, "webhookMovesId/15/4550101/3301"),
        ("movement", 501, "webhookMovesId/15/4550101/501"),
        ("sales-order", 90211, "webhookOrdersId/12/4550101/90211"),
        ("sales-order", 90211, "webhookPickingId/13/4550101/90211"),
        ("purchase-order", 3301, "webhookPurchaseOrdersId/14/4550101/3301"),
    ]


async def test_a_replayed_event_is_answered_well_and_kept_once(door: Door) -> None:
    answers = await asyncio.gather(*(door.say(order()) for _ in range(20)))
    assert {answer.status_code for answer in answers} == {204}
    assert len(await door.inbox()) == 1


async def test_a_forged_sender_is_refused_and_nothing_is_kept(door: Door) -> None:
    forged = [
        await door.say(order(), token=""),
        await door.say(order(), token=door.token + "x"),
        await door.say(order(), token=door.token[:-1]),
        await door.say(order(), secret="nobodys"),
        await door.say(b"x" * (LARGEST_BODY + 1), token="wrong"),
        await door.http.post(f"/webhooks/ongoing/{door.secret}", json=order()),
    ]
    assert [answer.status_code for answer in forged] == [401] * 6
    assert await door.inbox() == []


async def test_one_merchants_token_opens_no_other_merchants_address(door: Door) -> None:
    await door.add_address("another", "another-token")
    assert (await door.say(order(), token="another-token")).status_code == 401
    assert (await door.say(order(), token=door.token, secret="another")).status_code == 401
    assert await door.inbox() == []


async def test_the_wrong_shape_method_or_size_is_a_4xx_that_says_why(door: Door) -> None:
    answer = await door.say(order(orderId="90211"))
    assert (answer.status_code, answer.text) == (400, "orderId: Input should be a valid integer")
    assert (await door.say(b"{")).status_code == 400
    assert (await door.say(b" " * (LARGEST_BODY + 1))).status_code == 413
    assert (await door.http.get(f"/webhooks/ongoing/{door.secret}")).status_code == 405
    assert (await door.http.post("/webhooks/ongoing", json=order())).status_code == 404
    assert await door.inbox() == []


async def test_a_body_without_a_length_is_cut_at_the_cap(door: Door) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while True:
            sent += 1
            yield b" " * 1024

    answer = await asyncio.wait_for(_stream(door, endless()), 20)
    assert answer == 413
    assert sent <= LARGEST_BODY // 1024 + 2


async def _stream(door: Door, parts: AsyncIterator[bytes]) -> int:
    """As a server hands it to the application: httpx's own transport would first gather the whole body."""
    answered: list[int] = []
    scope = {
        "type": "http",
        "method": "POST",
        "path": f"/webhooks/ongoing/{door.secret}",
        "headers": [(b"x-auth-token", door.token.encode())],
        "query_string": b"",
        "http_version": "1.1",
        "scheme": "http",
    }

    async def receive() -> Any:
        return {"type": "http.request", "body": await anext(parts), "more_body": True}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            answered.append(message["status"])

    await application(door.database)(scope, receive, send)
    return answered[0]


async def test_a_withdrawn_address_is_refused_within_seconds_and_a_new_one_taken_at_once(door: Door) -> None:
    now = 100.0
    known = Endpoints(door.database, clock=lambda: now)
    assert await known.merchant(door.secret, door.token) == door.merchant
    async with door.app.merchant(door.merchant) as session:
        await session.execute(
            text("update bridge.webhook_endpoint set enabled = false where path_hash = :p"), {"p": hashed(door.secret)}
        )
    assert await known.merchant(door.secret, door.token) == door.merchant, "still remembered"
    now += REMEMBERED_SECONDS
    assert await known.merchant(door.secret, door.token) is None
    await door.add_address("new", "new-token")
    assert await known.merchant("new", "new-token") is None, "an unknown address is not asked for each time"
    now += UNKNOWN_AGAIN_SECONDS
    assert await known.merchant("new", "new-token") == door.merchant


async def test_a_flood_of_invented_addresses_costs_no_query_each(door: Door) -> None:
    asked = 0
    known = Endpoints(door.database)
    outside = door.database.outside

    def counted() -> Any:
        nonlocal asked
        asked += 1
        return outside()

    door.database.outside = counted  # type: ignore[method-assign]
    for number in range(2000):
        assert await known.merchant(f"invented-{number}", "token") is None
    assert asked <= 2 + 4 * 10, "at most four a second"


async def test_hints_that_come_while_one_is_written_share_an_insert_and_each_is_answered_after_its_commit(door: Door) -> None:
    inbox, began = Inbox(door.database), asyncio.Event()
    batches: list[int] = []
    insert = inbox._insert

    async def counted(hints: list[Hint]) -> None:
        batches.append(len(hints))
        if len(batches) == 1:
            await began.wait()
        await insert(hints)

    inbox._insert = counted  # type: ignore[method-assign]
    first = asyncio.create_task(inbox.keep(Hint(door.merchant, "e-first", "sales-order", 1)))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    others = [asyncio.create_task(inbox.keep(Hint(door.merchant, f"e-{n:03}", "sales-order", 1))) for n in range(600)]
    await asyncio.sleep(0)
    assert not first.done() and await door.inbox() == [], "nobody is answered before the commit"
    began.set()
    await asyncio.gather(first, *others)
    assert batches == [1, group_commit.MOST, 100]
    assert len(await door.inbox()) == 601


async def test_without_its_database_the_intake_says_503_and_takes_everything_after(door: Door, database: TestDatabase) -> None:
    away = Database(database.url("intake").replace(f":{database.cluster.port}/", ":9/"), pool_size=2)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(application(away)), base_url="http://intake") as http:
        answers = await asyncio.gather(
            *(http.post(f"/webhooks/ongoing/{door.secret}", json=order(), headers={"X-Auth-Token": "t"}) for _ in range(5))
        )
        assert {(answer.status_code, answer.headers["retry-after"]) for answer in answers} == {(503, "5")}
        assert (await http.get("/health")).status_code == 503
    await away.close()
    inbox = Inbox(away)
    with pytest.raises(NO_DATABASE):
        await inbox.keep(Hint(door.merchant, "e-1", "sales-order", 1))
    inbox._database = door.database
    await inbox.keep(Hint(door.merchant, "e-1", "sales-order", 1))
    assert await door.inbox() == [("sales-order", 1, "e-1")], "one failure does not stop what comes after it"
