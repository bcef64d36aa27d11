"""A new merchant from a document: all faults at once, tried before it is kept, its webhook address shown once."""

import json
from pathlib import Path
from typing import Any

import pytest

from domain.errors import Refused
from erp.merchants import save_connection
from starters import cli_connect, cli_connection
from starters.connecting import QUESTIONS, read_document
from tests.activities.world import Shop
from tests.clients.sftp_server import PASSWORD, USER_KEY, Server, serving
from tests.conftest import TestDatabase
from tests.erp.data import new_merchant_id
from worker.settings import Settings

NONE = "select count(*) from bridge.connection where merchant_id = :m"


def document(shop: Shop, merchant: str | None = None, **changes: Any) -> dict[str, Any]:
    return {
        "merchant_id": merchant or new_merchant_id(),
        "name": "Nyhandel AB",
        "ongoing": {
            "base_url": shop.ongoing.address,
            "warehouse": shop.merchant,
            "goods_owner_id": shop.goods_owner,
            "username": "user",
            "password": shop.secrets["ongoing"],
        },
        "fortnox": {
            "base_url": shop.fortnox.address,
            "token_url": shop.fortnox.address,
            "tenant_id": shop.tenant,
            "client_id": f"client-{shop.goods_owner}",
            "client_secret": shop.secrets["fortnox"],
        },
    } | changes


@pytest.fixture(autouse=True)
def asked(monkeypatch: pytest.MonkeyPatch, settings: Settings, database: TestDatabase) -> None:
    for name, value in settings.environment().items():
        monkeypatch.setenv(name, value)


async def connected(capsys: pytest.CaptureFixture[str], given: Any, **options: bool) -> tuple[int, dict[str, Any]]:
    capsys.readouterr()
    ordinary = {"dry_run": False, "replace": False, "anyway": False, "as_json": True}
    code = await cli_connect._connect(given, **(ordinary | options))
    return code, json.loads(capsys.readouterr().out)


async def test_a_dry_run_tries_both_systems_and_keeps_nothing(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    given = document(shop)
    code, told = await connected(capsys, given, dry_run=True)
    assert (code, told["connected"]) == (0, False)
    assert len(told["findings"]) > 10
    assert "password" not in json.dumps(told["merchant"])
    there = "select count(*) from erp.merchant where merchant_id = :who"
    assert await shop.read(there, who=given["merchant_id"]) == [(0,)]


async def test_a_new_merchant_is_connected_once_and_replaced_only_when_asked(
    shop: Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    given = document(shop)
    code, told = await connected(capsys, given)
    assert (code, told["connected"]) == (0, True)
    assert told["webhook"]["path"].startswith("/webhooks/ongoing/")
    connections = "select system from bridge.connection where merchant_id = :who order by 1"
    assert await shop.read(connections, who=given["merchant_id"]) == [("fortnox",), ("ongoing",)]
    stored = str(
        await shop.read("select credentials, settings from bridge.connection where merchant_id = :who", who=given["merchant_id"])
    )
    assert shop.secrets["ongoing"] not in stored and shop.secrets["fortnox"] not in stored

    code, told = await connected(capsys, given)
    assert code == 1 and "--replace" in told["wrong"]
    code, told = await connected(capsys, given, replace=True)
    assert code == 0 and "webhook" not in told, "an address that was given out stays"


async def test_what_is_red_is_not_connected_unless_asked(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    given = document(shop)
    given["ongoing"]["password"] = "wrong"
    code, told = await connected(capsys, given)
    assert (code, told["connected"]) == (1, False)
    assert [each["name"] for each in told["findings"] if each["state"] == "red"] == ["ongoing-credentials"]
    assert await shop.read("select count(*) from bridge.connection where merchant_id = :who", who=given["merchant_id"]) == [(0,)]
    code, told = await connected(capsys, given, anyway=True)
    assert (code, told["connected"]) == (0, True)


async def test_a_server_of_stock_files_is_tried_and_kept_with_its_secret_sealed(
    shop: Shop, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    async with serving(tmp_path) as server:
        given = document(shop, sftp=server.where() | {"password": "guessed"})
        code, told = await connected(capsys, given, dry_run=True)
        assert code == 1
        assert [each["name"] for each in told["findings"] if each["state"] == "red"] == ["reconciliation-sftp"]
        given["sftp"]["password"] = PASSWORD
        code, told = await connected(capsys, given)
    assert (code, told["connected"]) == (0, True)
    assert PASSWORD not in json.dumps(told)
    kept = "select settings, credentials from bridge.connection where merchant_id = :who and system = 'sftp'"
    [(where, sealed)] = await shop.read(kept, who=given["merchant_id"])
    assert where == server.where() and PASSWORD.encode() not in bytes(sealed)
    assert json.loads(shop.keys.open(given["merchant_id"], "sftp", bytes(sealed))) == {"password": PASSWORD}
    del given["sftp"]
    assert (await connected(capsys, given, replace=True))[0] == 0
    assert len(await shop.read(kept, who=given["merchant_id"])) == 1, "what is not in the file stays"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"host": ""}, "sftp.host is missing"),
        ({"host_key": ""}, "the host key is what ssh-keyscan HOST says, when"),
        ({"host_key": "SHA256:abc"}, "sftp.host_key is no public key like"),
        ({"port": "22"}, "sftp.port is '22', not a number"),
        ({"port": 70000}, "sftp.port is 70000, not a number"),
        ({"folder": 7}, "sftp.folder must be a text"),
        ({"colour": "red"}, "sftp.colour is not known"),
        ({"password": ""}, "sftp needs a password or a private_key"),
        ({"private_key": "abc"}, "and not both"),
        ({"password": "", "private_key": "abc"}, "sftp.private_key is no private key"),
    ],
)
def test_what_is_wrong_with_a_server_of_stock_files_is_named(
    shop: Shop, tmp_path: Path, changes: dict[str, Any], words: str
) -> None:
    with pytest.raises(Refused) as refused:
        read_document(document(shop, sftp=Server(tmp_path, port=22).where() | {"password": PASSWORD} | changes))
    assert words in str(refused.value) and PASSWORD not in str(refused.value)


async def test_a_new_password_or_key_of_that_server_is_given_by_a_file(
    shop: Shop, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    key = USER_KEY.export_private_key().decode()
    async with shop.worker.database.merchant(shop.merchant) as session:
        await save_connection(session, shop.merchant, "sftp", Server(tmp_path).where(), b"")
    refused: list[Any] = [{}, {"password": "a", "private_key": key}, {"private_key": "abc"}, {"password": ""}, []]
    for wrong in refused:
        assert await cli_connection._set("sftp", "secret.json", json.dumps(wrong), shop.merchant) == 1
    assert await cli_connection._set("sftp", "secret.json", json.dumps({"private_key": key}), shop.merchant) == 0
    [(sealed,)] = await shop.read("select credentials from bridge.connection where merchant_id = :m and system = 'sftp'")
    assert json.loads(shop.keys.open(shop.merchant, "sftp", bytes(sealed))) == {"private_key": key}
    assert key not in capsys.readouterr().out


def test_every_fault_of_a_document_is_named_at_once(shop: Shop) -> None:
    given = document(shop, name="", colour="red", settings={"ship_when": "never"})
    given["ongoing"] |= {"goods_owner_id": "x", "password": ""}
    given["fortnox"] = {"tenant_id": 1, "base_url": "fortnox"}
    with pytest.raises(Refused) as refused:
        read_document(given)
    for words in (
        "colour is not known",
        "name is missing",
        "goods_owner_id is 'x'",
        "ongoing.password is missing",
        "fortnox.client_id is missing",
        "fortnox.base_url is no address",
        "ship_when",
    ):
        assert words in str(refused.value)


def test_step_by_step_asks_for_all_that_is_needed(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = document(shop)
    flat = answers | {f"{part}.{name}": value for part in ("ongoing", "fortnox") for name, value in answers[part].items()}
    by_question = {question: flat.get(place, default) for place, question, default in QUESTIONS}

    def prompt(question: str, default: Any = None, hide_input: bool = False) -> str:
        assert hide_input == ("password" in question or "secret" in question)
        return str(by_question[question])

    monkeypatch.setattr("typer.prompt", prompt)
    merchant = read_document(cli_connect._ask())
    assert merchant.ongoing["goods_owner_id"] == shop.goods_owner
    assert "password" not in repr(merchant) and shop.secrets["ongoing"] not in repr(merchant)
