"""`lagerbro entity`: see the flows, turn them, let them run; every refusal names the thing and the remedy."""

import asyncio
import json
from typing import Any

import pytest
from typer.testing import CliRunner

from domain.errors import Refused
from erp.database import Database
from starters.cli import app
from tests.conftest import TestDatabase
from tests.erp.data import add_merchant, read


@pytest.fixture
def merchant(database: TestDatabase, monkeypatch: pytest.MonkeyPatch) -> str:
    """A merchant of the database that the commands find in their environment."""
    for name, value in database.environment().items():
        monkeypatch.setenv(name, value)

    async def made() -> str:
        erp = Database(database.url("erp"), pool_size=1)
        try:
            return await add_merchant(erp)
        finally:
            await erp.close()

    return asyncio.run(made())


def said(*words: str) -> Any:
    """What a command prints as JSON."""
    answer = CliRunner().invoke(app, ["entity", *words, "--json"])
    assert (answer.exit_code, answer.exception) == (0, None), answer.output
    return json.loads(answer.output)


def refused(*words: str) -> str:
    answer = CliRunner().invoke(app, ["entity", *words])
    assert isinstance(answer.exception, Refused), answer.output
    return str(answer.exception)


def test_a_flow_is_turned_off_and_on_and_the_list_shows_it(merchant: str, database: TestDatabase) -> None:
    who = ("-m", merchant, "--by", "anna", "--reason", "stock-taking")
    assert said("off", "orders-out", *who)["enabled"] is False
    assert {each["flow"]: each["enabled"] for each in said("list", "-m", merchant)} == {
        "articles": True,
        "orders-out": False,
        "orders-back": True,
        "purchases": True,
        "supplier-invoices": True,
        "invoices": True,
        "vouchers": True,
        "balances": True,
        "sweep": True,
    }
    assert said("on", "orders-out", *who)["enabled"] is True

    async def audit() -> list[tuple[Any, ...]]:
        verify = Database(database.url("verify"), pool_size=1)
        try:
            return await read(verify, "select actor, action, reason from bridge.audit where merchant_id = :m", m=merchant)
        finally:
            await verify.close()

    assert sorted(asyncio.run(audit())) == [("anna", "switch off", "stock-taking"), ("anna", "switch on", "stock-taking")]


def test_an_interval_is_set_and_a_run_is_asked_for(merchant: str) -> None:
    who = ("-m", merchant, "--reason", "quiet season")
    assert said("interval", "orders-back", "300", *who)["interval_seconds"] == 300
    assert said("run-now", "sweep", *who)["run_now_at"] is not None


def test_a_refusal_names_what_is_wrong(merchant: str) -> None:
    who = ("-m", merchant, "--reason", "why")
    assert refused("on", "balance", *who).startswith("there is no flow 'balance'; flows are articles, orders-out")
    assert refused("run-now", "invoices", *who).startswith("invoices runs whenever something happens")
    assert refused("off", "sweep", "-m", "nobody", "--reason", "why") == "there is no merchant nobody in erp.merchant"
    assert CliRunner().invoke(app, ["entity", "off", "sweep", "-m", merchant]).exit_code == 2
    assert CliRunner().invoke(app, ["entity", "list", "-m", "nobody"]).exit_code == 1


def test_the_table_for_people_fits_every_flow(merchant: str) -> None:
    answer = CliRunner().invoke(app, ["entity", "list", "-m", merchant], env={"COLUMNS": "200"})
    assert answer.exit_code == 0
    assert [line.split()[3] for line in answer.output.splitlines() if merchant in line] == [
        "articles",
        "orders-out",
        "orders-back",
        "purchases",
        "supplier-invoices",
        "invoices",
        "vouchers",
        "balances",
        "sweep",
    ]


def test_what_is_off_is_not_run_now_until_it_is_on(merchant: str) -> None:
    who = ("-m", merchant, "--by", "anna", "--reason", "looked into it")
    for flow in ("supplier-invoices", "vouchers", "balances", "sweep"):
        said("off", flow, *who)
        assert refused("run-now", flow, *who) == f"{flow} of {merchant} is off: `lagerbro entity on {flow}` first"
        assert said("on", flow, *who)["enabled"] is True
        assert said("run-now", flow, *who)["run_now_at"] is not None
