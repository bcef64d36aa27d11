"""A merchant's settings from the command line: seen, checked, put in force, and kept in the audit with who and why."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from domain.errors import Refused
from erp.database import Database
from erp.exceptions import open_exception
from starters.cli import app
from tests.conftest import TestDatabase
from tests.erp.data import add_merchant, add_order, read


@pytest.fixture
def lagerbro(database: TestDatabase, tmp_path: Path) -> Any:
    """A command as a person gives it; files are given as their content."""

    async def run(*words: Any) -> Any:
        given = [_file(tmp_path, word) if isinstance(word, dict) else word for word in words]
        environment = database.environment() | {"LAGERBRO_HOME": str(tmp_path / "home"), "COLUMNS": "200"}
        return await asyncio.to_thread(lambda: CliRunner().invoke(app, ["merchant", "settings", *given], env=environment))

    return run


def _file(folder: Path, content: dict[str, Any]) -> str:
    file = folder / "settings.json"
    file.write_text(json.dumps(content), encoding="utf-8")
    return str(file)


@pytest.fixture
async def merchant(database: TestDatabase) -> Any:
    erp = Database(database.url("erp"), pool_size=1)
    yield await add_merchant(erp)
    await erp.close()


async def _read(database: TestDatabase, statement: str, **parameters: Any) -> list[tuple[Any, ...]]:
    verify = Database(database.url("verify"), pool_size=1)
    try:
        return await read(verify, statement, **parameters)
    finally:
        await verify.close()


BY = ("--by", "anna", "--reason", "new warehouse")
AUDIT = "select actor, reason, detail from bridge.audit where merchant_id = :m order by audit_no"


async def test_settings_that_are_set_are_shown_and_kept_with_who_and_why(
    lagerbro: Any, merchant: str, database: TestDatabase
) -> None:
    answer = await lagerbro("set", {"edit_lock_status": 200, "ways_of_delivery": {"HEM": "home"}}, "-m", merchant, *BY)
    assert (answer.exit_code, answer.stdout.splitlines()[-1]) == (0, "Changed: edit_lock_status, ways_of_delivery.")
    shown = json.loads((await lagerbro("show", "-m", merchant)).stdout)
    assert (shown["edit_lock_status"], shown["ways_of_delivery"], shown["watch_days"]) == (200, {"HEM": {"code": "home"}}, 400)
    only = json.loads((await lagerbro("show", "--changed", "-m", merchant)).stdout)
    assert only == {"edit_lock_status": 200, "ways_of_delivery": {"HEM": "home"}}
    again = await lagerbro("set", only, "-m", merchant, *BY)
    assert "Nothing differs" in again.stdout
    lacking = await lagerbro("set", {"edit_lock_status": 300}, "-m", merchant, *BY)
    assert lacking.exit_code == 1 and "lacks ways_of_delivery, which would fall back" in " ".join(lacking.stdout.split())
    assert json.loads((await lagerbro("show", "--changed", "-m", merchant)).stdout) == only, "nothing was changed"
    await lagerbro("set", {"edit_lock_status": 300}, "--replace", "-m", merchant, *BY)
    assert [detail for _, _, detail in await _read(database, AUDIT, m=merchant)] == [
        {
            "edit_lock_status": {"from": None, "to": 200},
            "ways_of_delivery": {"from": None, "to": {"HEM": "home"}},
        },
        {
            "edit_lock_status": {"from": 200, "to": 300},
            "ways_of_delivery": {"from": {"HEM": "home"}, "to": None},
        },
    ]
    assert {(actor, reason) for actor, reason, _ in await _read(database, AUDIT, m=merchant)} == {("anna", "new warehouse")}


async def test_what_is_shown_can_be_edited_and_set_and_only_what_was_edited_is_said(lagerbro: Any, merchant: str) -> None:
    whole = json.loads((await lagerbro("show", "-m", merchant)).stdout)
    assert "Nothing differs" in (await lagerbro("set", whole, "-m", merchant, *BY)).stdout
    answer = await lagerbro("set", whole | {"watch_days": 300}, "-m", merchant, *BY)
    assert answer.stdout.splitlines()[-1] == "Changed: watch_days."


async def test_a_wrong_file_is_refused_with_every_fault_and_nothing_is_changed(
    lagerbro: Any, merchant: str, database: TestDatabase
) -> None:
    wrong = {"colour": 1, "statuses": {"450": "gone"}}
    for words in (("check", wrong), ("set", wrong, "-m", merchant, *BY)):
        answer = await lagerbro(*words)
        assert answer.exit_code == 1
        assert "colour is not known" in answer.stdout and "statuses.450 means 'gone'" in answer.stdout
    assert await _read(database, "select 1 from bridge.merchant_settings where merchant_id = :m", m=merchant) == []
    assert await _read(database, AUDIT, m=merchant) == []


async def test_a_good_file_is_said_to_be_good(lagerbro: Any) -> None:
    answer = await lagerbro("check", {"statuses": {"451": "sent"}})
    assert (answer.exit_code, answer.stdout) == (0, "settings.json is good.\n")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "is not usable JSON"),
        ("[]", "cannot be put in force"),
        ('{"watch_days": 1, "watch_days": 2}', "'watch_days' stands twice"),
    ],
)
async def test_a_file_that_is_no_document_is_refused(lagerbro: Any, tmp_path: Path, content: str, said: str) -> None:
    file = tmp_path / "x.json"
    file.write_text(content, encoding="utf-8")
    answer = await lagerbro("check", str(file))
    assert answer.exit_code == 1 and said in answer.stdout


async def test_a_merchant_that_is_not_there_is_named(lagerbro: Any) -> None:
    commands: list[tuple[Any, ...]] = [("show", "-m", "nobody"), ("set", {}, "-m", "nobody", *BY)]
    for words in commands:
        answer = await lagerbro(*words)
        assert isinstance(answer.exception, Refused) and "nobody" in str(answer.exception)


async def test_orders_that_the_mapping_held_up_are_told_when_it_is_mended(
    lagerbro: Any, merchant: str, database: TestDatabase
) -> None:
    erp, app_ = Database(database.url("erp"), pool_size=1), Database(database.url("app"), pool_size=1)
    for number, code in (("SO-1", "unknown-way-of-delivery"), ("SO-2", "missing-address")):
        await add_order(erp, merchant, number)
        async with app_.merchant(merchant) as session:
            await open_exception(session, merchant, "sales-order", number, code, "held up", True)
    await lagerbro("set", {"ways_of_delivery": {"HEM": "home"}}, "-m", merchant, *BY)
    told = """
        select document, claimed_until > now() from bridge.outbox
        where merchant_id = :m and topic = 'sales-order.changed'
    """
    assert await _read(database, told, m=merchant) == [("SO-1", True)]
    await erp.close()
    await app_.close()
