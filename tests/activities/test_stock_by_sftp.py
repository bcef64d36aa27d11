"""Stock files that the warehouse lays on an SFTP server: taken once, refused with the reason, and nothing touched over there."""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import asyncssh
import pytest
import pytest_asyncio
from temporalio.testing import ActivityEnvironment

from activities.errors import Waiting
from activities.reconcile import Wish
from clients.errors import Unavailable
from domain.errors import Refused
from erp.exceptions import settle_note
from erp.merchants import save_connection
from tests.activities.test_reconciling import Clock, parts, stock_file, stocked
from tests.activities.world import Shop
from tests.clients.sftp_server import PASSWORD, USER_KEY, Server, serving, words

RUNS = "select run_no, source, state from erp.reconciliation_run where merchant_id = :m and kind = 'file' order by 1"
NOTES = (
    "select document, detail from bridge.exception where merchant_id = :m and code = 'stock-file-refused' and closed_at is null"
)
STATE = "select state, problem from bridge.connection where merchant_id = :m and system = 'sftp'"
WHOLE = {"A": 1000, "B": 1000, "C": 1000}


@pytest_asyncio.fixture(loop_scope="session")
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    async with serving(tmp_path) as running:
        yield running


@pytest.fixture
def clock(shop: Shop) -> Clock:
    return Clock(shop)


async def connected(shop: Shop, server: Server, secret: dict[str, str] | None = None, **changes: Any) -> None:
    """The merchant's connection to the server, sealed as `lagerbro connect` does it."""
    sealed = shop.keys.seal(shop.merchant, "sftp", json.dumps(secret or {"password": PASSWORD}))
    async with shop.worker.database.merchant(shop.merchant) as session:
        await save_connection(session, shop.merchant, "sftp", server.where(**changes), sealed)
    await shop.forget()


async def attempt(shop: Shop, clock: Clock) -> Any:
    """One attempt, as it fails."""
    wish = Wish(shop.merchant, clock.now, "once", "file")
    return await ActivityEnvironment().run(shop.worker.reconcile.plan_reconciliation, wish)


async def test_a_file_delivered_there_becomes_a_run_and_is_taken_once(shop: Shop, clock: Clock, server: Server) -> None:
    await stocked(shop)
    await connected(shop, server)
    server.put("stock.csv", stock_file(shop, {"A": 998, "B": 1000, "C": 1000}, clock.now))
    [step] = await clock.plan("file")
    assert [each.run_no for each in await clock.plan("file")] == [step.run_no], "its run is owed until it is through"
    await clock.reconcile(step)
    assert await parts(shop) == [("A", "unknown", Decimal(-2))]
    assert await shop.read(RUNS) == [(step.run_no, "file sftp:stock.csv", "finished")]
    assert await clock.plan("file") == []
    assert server.opened == ["stock.csv"], "what is unchanged is not fetched again"
    assert await shop.read(STATE) == [("working", None)]


async def test_a_file_that_grows_old_where_it_lies_is_not_refused_for_it(shop: Shop, clock: Clock, server: Server) -> None:
    await stocked(shop)
    await connected(shop, server)
    written = stock_file(shop, WHOLE, clock.now)
    server.put("stock.csv", written)
    await clock.run(kind="file")
    clock.now += timedelta(days=3)
    server.put("moved-away.csv", written, age=0)
    assert await clock.plan("file") == [] == await clock.plan("file")
    assert await shop.read(NOTES) == [] and len(await shop.read(RUNS)) == 1


async def test_the_same_file_in_the_folder_and_on_the_server_is_one_run(
    shop: Shop, clock: Clock, server: Server, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("delivered")
    await stocked(shop, file_folder=str(folder))
    await connected(shop, server)
    written = stock_file(shop, WHOLE, clock.now)
    server.put("by-sftp.csv", written)
    (folder / "by-folder.csv").write_text(written)
    assert len(await clock.plan("file")) == 1
    assert len(await shop.read(RUNS)) == 1


async def test_a_file_cut_short_is_refused_and_taken_when_it_is_whole(shop: Shop, clock: Clock, server: Server) -> None:
    await stocked(shop)
    await connected(shop, server)
    whole = stock_file(shop, WHOLE, clock.now)
    server.put("stock.csv", whole[:-9])
    assert await clock.plan("file") == [] == await clock.plan("file")
    [(document, detail)] = await shop.read(NOTES)
    assert document == "sftp:stock.csv" and "the file is cut" in detail
    server.put("stock.csv", whole)
    assert len(await clock.plan("file")) == 1
    assert await shop.read(NOTES) == [], "what was said of it is no longer so"


async def test_a_file_that_is_being_written_is_said_to_be_and_read_again(shop: Shop, clock: Clock, server: Server) -> None:
    await stocked(shop)
    await connected(shop, server)
    whole = stock_file(shop, WHOLE, clock.now)
    server.put("stock.csv", whole[:-9])
    server.put("other.csv", stock_file(shop, WHOLE, clock.now - timedelta(hours=1)))
    server.while_reading = lambda path: path.write_text(whole) if path.name == "stock.csv" else None
    assert len(await clock.plan("file")) == 1, "the others need not wait for it"
    [(document, detail)] = await shop.read(NOTES)
    assert document == "sftp:stock.csv" and "being written" in detail
    assert len(await clock.plan("file")) == 2
    assert await shop.read(NOTES) == []


async def test_a_refusal_that_somebody_has_seen_to_is_not_listed_again_for_the_same(
    shop: Shop, clock: Clock, server: Server
) -> None:
    await stocked(shop)
    await connected(shop, server)
    server.put("foreign.csv", stock_file(shop, {"A": 1}, clock.now, owner=1))
    assert await clock.plan("file") == []
    async with shop.worker.database.merchant(shop.merchant) as session:
        await settle_note(session, shop.merchant, "sftp:foreign.csv", "stock-file-refused", "anna", "told the warehouse")
    assert await clock.plan("file") == []
    assert await shop.read(NOTES) == []
    clock.now += timedelta(days=3)
    before = len(server.opened)
    assert await clock.plan("file") == []
    assert len(server.opened) == before, "it can never be believed any more"


async def test_settings_that_are_corrected_let_a_refused_file_in(shop: Shop, clock: Clock, server: Server) -> None:
    await stocked(shop, file_dialect={"delimiter": ","})
    await connected(shop, server)
    server.put("stock.csv", stock_file(shop, WHOLE, clock.now))
    assert await clock.plan("file") == []
    await stocked(shop)
    assert len(await clock.plan("file")) == 1


async def test_what_cannot_be_read_is_listed_and_the_rest_is_taken(shop: Shop, clock: Clock, server: Server) -> None:
    await stocked(shop)
    await connected(shop, server)
    with (server.folder / "huge.csv").open("wb") as huge:
        huge.truncate(65 * 1024 * 1024)
    server.put("line\nend.csv", "x")
    server.put(".half.csv", "x")
    (server.folder / "sub").mkdir()
    (server.folder / "link.csv").symlink_to(server.put("stock.csv", stock_file(shop, WHOLE, clock.now)))
    assert len(await clock.plan("file")) == 1
    notes = dict(await shop.read(NOTES))
    assert sorted(notes) == ["sftp:huge.csv", "sftp:line end.csv"]
    assert "more than" in notes["sftp:huge.csv"] and "name cannot be used" in notes["sftp:line end.csv"]
    assert server.opened == ["stock.csv"]


async def test_a_server_that_is_away_is_waited_for(shop: Shop, clock: Clock, server: Server) -> None:
    await stocked(shop)
    await connected(shop, server)
    server.put("stock.csv", stock_file(shop, WHOLE, clock.now))
    await server.stop()
    with pytest.raises(Unavailable, match="no connection"):
        await attempt(shop, clock)
    await server.start()
    assert len(await clock.plan("file")) == 1


@pytest.mark.parametrize("secret", [{"password": "guessed"}, {"private_key": "another"}])
async def test_credentials_that_are_refused_block_the_connection_until_they_are_mended(
    shop: Shop, clock: Clock, server: Server, secret: dict[str, str]
) -> None:
    if "private_key" in secret:
        secret = {"private_key": asyncssh.generate_private_key("ssh-ed25519").export_private_key().decode()}
    await stocked(shop)
    server.put("stock.csv", stock_file(shop, WHOLE, clock.now))
    await connected(shop, server, secret)
    for _ in range(3):
        with pytest.raises(Waiting) as waiting:
            await attempt(shop, clock)
        assert waiting.value.code == "connection-blocked"
    assert len(server.users) == 1, "while it is blocked nobody tries"
    [(state, problem)] = await shop.read(STATE)
    assert state == "blocked" and "refuses the" in problem
    await connected(shop, server, {"private_key": USER_KEY.export_private_key().decode()})
    assert len(await clock.plan("file")) == 1


async def test_a_server_that_is_not_the_one_we_know_is_told_nothing(shop: Shop, clock: Clock, server: Server) -> None:
    await stocked(shop)
    server.put("stock.csv", stock_file(shop, WHOLE, clock.now))
    await connected(shop, server, host_key=words(asyncssh.generate_private_key("ssh-ed25519")))
    with pytest.raises(Waiting, match="shows the host key"):
        await attempt(shop, clock)
    assert (server.users, server.tried, server.opened) == ([], [], [])
    assert [state for state, _ in await shop.read(STATE)] == ["blocked"]
    assert await shop.read(RUNS) == []


async def test_a_folder_that_is_not_there_is_a_wrong_setting(shop: Shop, clock: Clock, server: Server) -> None:
    await stocked(shop)
    await connected(shop, server, folder="/elsewhere")
    with pytest.raises(Refused, match="/elsewhere is not there") as refused:
        await clock.plan("file")
    assert refused.value.code == "settings-wrong"


async def test_a_local_folder_that_is_not_mounted_is_a_wrong_setting_too(shop: Shop, clock: Clock, tmp_path: Path) -> None:
    await stocked(shop, file_folder=str(tmp_path / "gone"))
    with pytest.raises(Refused, match="gone: No such file or directory: make or mount it") as refused:
        await clock.plan("file")
    assert refused.value.code == "settings-wrong"


async def test_without_a_folder_and_without_a_server_both_ways_are_named(shop: Shop, clock: Clock) -> None:
    await stocked(shop)
    with pytest.raises(Refused, match=r"file_folder.*SFTP") as refused:
        await clock.plan("file")
    assert refused.value.code == "settings-wrong"


async def test_eight_looks_at_once_make_one_run(shop: Shop, clock: Clock, server: Server) -> None:
    await stocked(shop)
    await connected(shop, server)
    server.put("stock.csv", stock_file(shop, WHOLE, clock.now))
    server.put("cut.csv", "x")
    found = await asyncio.gather(*(clock.plan("file") for _ in range(8)))
    assert {tuple(step.run_no for step in steps) for steps in found} == {(1,)}
    assert len(await shop.read(RUNS)) == 1 and len(await shop.read(NOTES)) == 1


async def test_one_poisoned_file_does_not_stop_the_others(shop: Shop, clock: Clock, server: Server, tmp_path: Path) -> None:
    folder = tmp_path / "delivered"
    folder.mkdir()
    await stocked(shop, file_folder=str(folder), file_dialect={"format": "json"})
    await connected(shop, server)
    whole = {"goodsOwner": shop.goods_owner, "cut": clock.now.isoformat(), "rows": 1, "complete": True}
    for article, name in (("A\0B", "0-zero.json"), ("A\ud800", "1-half.json"), ("A", "9-good.json")):
        server.put(name, json.dumps(whole | {"articles": [{"article": article, "quantity": 1}]}))
    server.put("2-owner.json", json.dumps(whole | {"goodsOwner": "\0\ud800", "articles": [{"article": "A", "quantity": 1}]}))
    server.put("3-deep.json", "[" * 200_000)
    (folder / "0-round.json").symlink_to(folder / "0-round.json")
    (folder / os.fsdecode(b"1-\xff.json")).write_text("{}")
    assert len(await clock.plan("file")) == 1
    notes = dict(await shop.read(NOTES))
    names = ["0-zero.json", "1-half.json", "2-owner.json", "3-deep.json"]
    assert sorted(notes) == ["0-round.json", "1- .json", *(f"sftp:{name}" for name in names)]
    assert await clock.plan("file") != [] and len(await shop.read(RUNS)) == 1


async def test_a_size_that_no_file_has_is_refused_like_any_other(shop: Shop, clock: Clock, server: Server) -> None:
    await stocked(shop)
    await connected(shop, server)
    server.put("endless.csv", "x")
    server.put("stock.csv", stock_file(shop, WHOLE, clock.now))
    server.sizes = {"endless.csv": 2**64 - 1}
    assert len(await clock.plan("file")) == 1
    [(document, detail)] = await shop.read(NOTES)
    assert document == "sftp:endless.csv" and "more than" in detail


async def test_a_file_that_was_taken_at_the_last_moment_is_compared_all_the_same(
    shop: Shop, clock: Clock, server: Server
) -> None:
    await stocked(shop)
    await connected(shop, server)
    clock.now -= timedelta(minutes=20)  # the first attempt's time: the server was away for so long
    server.put("stock.csv", stock_file(shop, {"A": 998, "B": 1000, "C": 1000}, clock.now - timedelta(hours=35, minutes=50)))
    [step] = await clock.plan("file")
    await clock.reconcile(step)
    assert await parts(shop) != []


async def test_what_was_said_of_a_half_file_is_over_when_it_is_a_copy_of_one_that_was_taken(
    shop: Shop, clock: Clock, server: Server
) -> None:
    await stocked(shop)
    await connected(shop, server)
    whole = stock_file(shop, WHOLE, clock.now)
    server.put("a.csv", whole)
    assert len(await clock.plan("file")) == 1
    server.put("b.csv", whole[:-9])
    await clock.plan("file")
    assert len(await shop.read(NOTES)) == 1
    server.put("b.csv", whole)
    await clock.plan("file")
    assert await shop.read(NOTES) == []
