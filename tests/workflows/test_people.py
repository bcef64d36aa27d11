"""What a person asks in the morning, answered by the commands against real processes."""

import json
from collections.abc import Awaitable
from typing import Any

import pytest

from starters import cli_people
from starters.people import _of_its_kind
from tests.activities.returning import announce, receive
from tests.activities.world import Shop
from tests.conftest import TestDatabase
from tests.erp.data import line
from tests.workflows.process import Processes, becomes
from tests.workflows.test_receive_return import ended, of
from worker.settings import Settings
from workflows.receive_return import ReceiveReturn


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, skipping_settings: Settings, database: TestDatabase) -> None:
    """The commands find this module's database and server, as they would find an installation."""
    for name, value in skipping_settings.environment().items():
        monkeypatch.setenv(name, value)


async def said(capsys: pytest.CaptureFixture[str], command: Awaitable[int]) -> tuple[int, Any]:
    capsys.readouterr()
    code = await command
    return code, json.loads(capsys.readouterr().out)


@pytest.mark.usefixtures("asked")
async def test_what_stands_still_is_listed_the_oldest_first_with_who_and_what(
    processes: Processes, shop: Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    code, listed = await said(capsys, cli_people._stuck(shop.merchant, None, False, False, True))
    assert (code, listed) == (0, [])
    await shop.order("SO-1", lines=[line("X")])
    await processes.deliver()
    await processes.blocked_by("unknown-article")
    await shop.order("SO-2", delivery_city=None, delivery_name="Namn")
    await processes.deliver()
    await processes.blocked_by("missing-address", "SO-2")

    code, listed = await said(capsys, cli_people._stuck(shop.merchant, None, False, False, True))
    assert code == 1
    assert [(each["document"], each["code"], each["waiting_for"]) for each in listed] == [
        ("SO-1", "unknown-article", "erp"),
        ("SO-2", "missing-address", "erp"),
    ]
    assert "erp.article" in listed[0]["remedy"] and "article X" in listed[0]["detail"]

    code, listed = await said(capsys, cli_people._stuck(shop.merchant, "missing-address", False, False, True))
    assert [each["document"] for each in listed] == ["SO-2"]
    assert await cli_people._stuck(shop.merchant, "no-such-reason", False, False, False) == 1


@pytest.mark.usefixtures("asked")
async def test_one_order_is_explained_from_the_erp_to_fortnox_with_every_attempt(
    processes: Processes, shop: Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    await shop.order("SO-1")
    await processes.deliver()
    await processes.reaches("at-warehouse")
    await shop.stock(articles=["A", "B"])
    await shop.floor("pick")
    await shop.floor("send")
    await processes.look()
    assert await processes.result() == "completed"

    code, told = await said(capsys, cli_people._explain(shop.merchant, "SO-1", True))
    assert code == 0
    assert told["status"] == "completed"
    assert [step["how"] for step in told["steps"]] == ["done"] * len(told["steps"])
    assert {step["step"] for step in told["steps"]} == {"send_sales_order", "look_at_sales_order", "invoice_shipment"}
    assert [call["state"] for call in told["fortnox_attempts"]] == ["done"]
    assert told["invoices"][0]["fortnox_invoice_number"]
    assert sorted((entry["kind"], entry["quantity"]) for entry in told["ledger"]) == [("pick", "-2.0000"), ("pick", "-3.0000")]
    assert [move["to_status"] for move in told["status_moves"]][-1] == "completed"
    assert told["told_by_the_erp"][0]["topic"] == "sales-order.released"
    assert await cli_people._explain(shop.merchant, "NO-SUCH", False) == 1

    await announce(shop, {1: 1})
    await processes.deliver()
    await becomes(lambda: shop.read("select status from erp.return_order where merchant_id = :m"), [("at-warehouse",)])
    await receive(shop, {1: 1})
    await of(processes).signal(ReceiveReturn.look)
    assert await ended(processes) == "completed"
    code, told = await said(capsys, cli_people._explain(shop.merchant, "SO-1", True))
    [back] = told["returns"]
    assert (back["return_number"], back["came_back"], back["credited"]) == ("R-1", "1.0000", "1.0000")
    assert [(entry["document"], entry["quantity"]) for entry in told["ledger"] if entry["kind"] == "return"] == [
        ("return/R-1", "1.0000")
    ]


@pytest.mark.usefixtures("asked")
async def test_after_an_outage_all_that_it_stopped_are_tried_again_and_nothing_else(
    processes: Processes, shop: Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    numbers = [f"SO-{n}" for n in range(1, 4)]
    for number in numbers:
        await shop.order(number)
    await shop.order("SO-9", lines=[line("X")])
    refusal = {"status": 400, "body": '{"message": "closed for stocktaking"}'}
    async with shop.ongoing.fault("PUT /orders", "http", None, **refusal):
        await processes.deliver()
        for number in numbers:
            await processes.blocked_by("order-refused", number)
    await processes.blocked_by("unknown-article", "SO-9")

    def retry(**given: Any) -> Awaitable[int]:
        ordinary: dict[str, Any] = {
            "everything": True,
            "reason": "order-refused",
            "by": "anna",
            "why": "stocktaking is over",
            "pace": 50.0,
        }
        return cli_people._retry(shop.merchant, **(ordinary | {"dry_run": False, "as_json": True} | given))

    code, planned = await said(capsys, retry(dry_run=True))
    assert (code, sorted(each["document"] for each in planned)) == (0, numbers)
    assert await retry(everything=False) == 1
    assert await retry(by=" ") == 1
    code, results = await said(capsys, retry())
    assert (code, sorted((each["document"], each["refused"]) for each in results)) == (0, [(number, None) for number in numbers])
    for number in numbers:
        await processes.blocked_by(None, number)
    await processes.blocked_by("unknown-article", "SO-9")


@pytest.mark.usefixtures("asked")
async def test_the_digest_lists_exceptions_only_and_leaves_a_proof_that_it_ran(
    processes: Processes, shop: Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    code, proof = await said(capsys, cli_people._digest(shop.merchant, 24, True, True))
    assert (code, proof) == (1, {shop.merchant: None})
    code, told = await said(capsys, cli_people._digest(shop.merchant, 24, False, True))
    assert (code, told["exceptions"]) == (0, [])
    code, proof = await said(capsys, cli_people._digest(shop.merchant, 24, True, True))
    assert code == 0 and proof[shop.merchant]

    await shop.order("SO-1", lines=[line("X")])
    await processes.deliver()
    await processes.blocked_by("unknown-article")
    code, told = await said(capsys, cli_people._digest(shop.merchant, 24, False, True))
    assert code == 1
    assert [(each["document"], each["code"]) for each in told["exceptions"]] == [("SO-1", "unknown-article")]
    assert [row["blocked"] for row in told["merchants"]] == [1]


def test_what_a_person_or_a_schedule_started_is_found_among_those_that_stand_still() -> None:
    seen = ["sales-order/m/SO-1", "reconcile/m/past/2026-11-25", "vouchers/m-2026-11-25T03:00:00Z", "vouchers/m2"]
    assert _of_its_kind("reconcile/m", seen) == "reconcile/m/past/2026-11-25"
    assert _of_its_kind("vouchers/m", seen) == "vouchers/m-2026-11-25T03:00:00Z"
    assert _of_its_kind("rates/m", seen) == "rates/m"
