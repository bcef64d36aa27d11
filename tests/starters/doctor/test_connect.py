"""A new merchant from a document: all faults at once, tried before it is kept, its webhook address shown once."""

import json
from typing import Any

import pytest

from domain.errors import Refused
from starters import cli_connect
from starters.connecting import QUESTIONS, read_document
from tests.activities.world import Shop
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
