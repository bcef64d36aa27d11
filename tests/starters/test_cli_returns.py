"""`lagerbro return` and `lagerbro order credit`: what a person types, and what it writes."""

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from erp.database import Database
from starters.cli import app
from tests.conftest import TestDatabase
from tests.erp.data import add_merchant, add_order, insert, line, read

Says = Callable[..., Any]


@pytest.fixture
def typed(database: TestDatabase, monkeypatch: pytest.MonkeyPatch) -> Says:
    """Type a command, as at a prompt."""
    for name, value in database.environment().items():
        monkeypatch.setenv(name, value)

    async def run(*words: str) -> Result:
        return await asyncio.to_thread(CliRunner().invoke, app, list(words), env={"COLUMNS": "200"})

    return run


async def shipped(database: TestDatabase, merchant: str, lines: dict[int, int], number: str = "SO-1", shipment: int = 1) -> None:
    """So much of an order has been sent."""
    app = Database(database.url("app"))
    key = {"merchant_id": merchant, "order_number": number, "shipment_no": shipment}
    now = datetime.now(UTC)
    async with app.merchant(merchant) as session:
        await insert(session, "erp.shipment", key | {"reason": "sent", "shipped_at": now, "shipped_on": now.date()})
        for at, quantity in lines.items():
            await insert(session, "erp.shipment_line", key | {"line_number": at, "quantity": quantity})
    await app.close()


async def test_a_return_is_announced_once_and_shown(database: TestDatabase, typed: Says) -> None:
    erp, verify = Database(database.url("erp")), Database(database.url("verify"))
    merchant = await add_merchant(erp)
    await add_order(erp, merchant, lines=[line("A", 3), line("B", 2)])
    await shipped(database, merchant, {1: 3, 2: 2})
    words = ["return", "start", "R-1", "--order", "SO-1", "--line", "1:2", "--cause", "SIZE", "-m", merchant]
    assert "R-1 is announced" in (await typed(*words)).output
    again = await typed(*words)
    assert (again.exit_code, "was there before" in again.output) == (0, True)
    topics = await read(verify, "select topic from bridge.outbox where merchant_id = :m and document = 'R-1'", m=merchant)
    assert topics == [("return.announced",)]
    shown = json.loads((await typed("return", "show", "R-1", "-m", merchant, "--json")).output)
    assert (shown["order_number"], shown["lines"][0]["announced"]) == ("SO-1", "2.0000")
    assert "R-1" in (await typed("return", "list", "-m", merchant)).output
    await erp.close()
    await verify.close()


async def test_a_credit_is_a_decision_with_actor_and_reason(database: TestDatabase, typed: Says) -> None:
    erp, verify = Database(database.url("erp")), Database(database.url("verify"))
    merchant = await add_merchant(erp)
    await add_order(erp, merchant)
    await shipped(database, merchant, {1: 1})
    words = ["order", "credit", "SO-1", "--number", "K-1", "--by", "Kim", "--line", "1:1", "-m", merchant]
    refused = await typed(*words, "--reason", " ")
    assert (refused.exit_code, "both are kept" in refused.output) == (1, True)
    assert (await typed(*words, "--reason", "claim 17")).exit_code == 0
    audit = await read(verify, "select actor, action, document, reason from bridge.audit where merchant_id = :m", m=merchant)
    assert audit == [("Kim", "credit-without-return", "K-1", "claim 17")]
    freight = ["order", "credit", "SO-1", "--number", "K-2", "--by", "Kim", "--reason", "late", "--freight", "-m", merchant]
    nothing = await typed(*freight)
    assert (nothing.exit_code, "has no freight" in nothing.output) == (1, True)
    await add_order(erp, merchant, "SO-2", freight=49)
    freight[2] = "SO-2"
    assert (await typed(*freight)).exit_code == 0
    await erp.close()
    await verify.close()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["return", "start", "R-9", "--order", "SO-404", "--line", "1:1"], "There is no sales order SO-404"),
        (["return", "start", "R-9", "--order", "SO-1", "--line", "7:1"], "sales order SO-1 has no line 7"),
        (["return", "start", "R-9", "--order", "SO-1"], "there is nothing that could come back"),
        (["return", "start", "R-9", "--order", "SO-1", "--line", "one"], "write LINE:QUANTITY"),
        (["return", "start", "R-9", "--order", "SO-1", "--line", "1:NaN"], "a quantity above zero"),
        (["return", "start", "R-9", "--order", "SO-1", "--line", "1:-1"], "a quantity above zero"),
        (["return", "start", "R-9", "--order", "SO-1", "--line", "1:1", "--line", "1:2"], "line 1 is named twice"),
        (["return", "start", "R-9", "--order", "SO-1", "--line", "1:1", "--without-credit"], "--by and --reason must say"),
        (
            ["return", "start", "R-9", "--order", "SO-1", "--line", "1:1"],
            "line 1: none can come back (0 were sent, 0 are back, 0 more are announced)",
        ),
        (["return", "cancel", "R-9"], "There is no return R-9"),
        (["order", "credit", "SO-1", "--number", "K", "--by", "K", "--reason", "claim", "--line", "7:1"], "SO-1 has no line 7"),
        (["return", "show", "R-9"], "There is no return R-9"),
        (["order", "credit", "SO-1", "--number", "K", "--by", "Kim", "--reason", "claim"], "Name what is credited"),
    ],
)
async def test_what_cannot_be_is_said_in_a_sentence(database: TestDatabase, typed: Says, words: list[str], says: str) -> None:
    erp = Database(database.url("erp"))
    merchant = await add_merchant(erp)
    await add_order(erp, merchant)
    result = await typed(*words, "-m", merchant)
    assert (result.exit_code, says in " ".join(result.output.split())) == (1, True), result.output
    await erp.close()


async def test_no_more_is_announced_or_credited_than_was_sent(database: TestDatabase, typed: Says) -> None:
    erp = Database(database.url("erp"))
    merchant = await add_merchant(erp)
    await add_order(erp, merchant, lines=[line("A", 5), line("B", 2)])
    await shipped(database, merchant, {1: 4, 2: 2})
    await shipped(database, merchant, {1: -1}, shipment=2)

    async def back(number: str, *lines: str) -> tuple[int, str]:
        told = [word for each in lines for word in ("--line", each)]
        answer = await typed("return", "start", number, "--order", "SO-1", *told, "-m", merchant)
        return answer.exit_code, " ".join(answer.output.split())

    async def credit(number: str, *lines: str) -> tuple[int, str]:
        told = [word for each in lines for word in ("--line", each)]
        who = ("--by", "Kim", "--reason", "claim")
        answer = await typed("order", "credit", "SO-1", "--number", number, *told, *who, "-m", merchant)
        return answer.exit_code, " ".join(answer.output.split())

    code, said = await back("R-1", "1:4", "2:2")
    most = "line 1: at most 3 can come back (3 were sent, 0 are back, 0 more are announced)."
    assert (code, said) == (1, f"That is more of sales order SO-1 than can be. {most}"), said
    assert (await typed("return", "show", "R-1", "-m", merchant)).exit_code == 1, "nothing is written"
    assert (await credit("K-1", "1:2"))[0] == 0
    assert (await back("R-1", "1:2"))[0] == 0, "goods may come back although they are credited: it is the money that waits"
    assert (await back("R-1", "1:2")) == (0, "R-1 was there before: `lagerbro return show R-1` shows it.")
    code, said = await back("R-2", "1:2")
    assert (code, "at most 1 can come back (3 were sent, 0 are back, 2 more are announced)" in said) == (1, True), said
    code, said = await credit("K-2", "1:1")
    assert (code, "none can be credited (3 were sent, 0 are credited, 4 more are to be)" in said) == (1, True), said
    assert (await credit("K-1", "1:2"))[0] == 0
    assert (await back("R-3"))[0] == 0
    shown = json.loads((await typed("return", "show", "R-3", "-m", merchant, "--json")).output)
    assert [(each["line_number"], each["announced"]) for each in shown["lines"]] == [(1, "1.0000"), (2, "2.0000")]
    assert (await back("R-3"))[0] == 0
    assert (await back("R-4")) == (
        1,
        "Nothing of sales order SO-1 is out that is not announced: there is nothing that could come back.",
    )
    await erp.close()


async def test_a_return_that_is_not_credited_is_a_decision_too(database: TestDatabase, typed: Says) -> None:
    erp, verify = Database(database.url("erp")), Database(database.url("verify"))
    merchant = await add_merchant(erp)
    await add_order(erp, merchant)
    await shipped(database, merchant, {1: 1})
    words = ["return", "start", "R-1", "--order", "SO-1", "--line", "1:1", "--without-credit", "--by", "Kim", "-m", merchant]
    assert (await typed(*words, "--reason", "exchange 4")).exit_code == 0
    audit = await read(verify, "select actor, action, document, reason from bridge.audit where merchant_id = :m", m=merchant)
    assert audit == [("Kim", "return-without-credit", "R-1", "exchange 4")]
    await erp.close()
    await verify.close()


async def test_a_number_that_is_taken_by_something_else_is_not_taken_for_it(database: TestDatabase, typed: Says) -> None:
    erp = Database(database.url("erp"))
    merchant = await add_merchant(erp)
    for number in ("SO-1", "SO-2"):
        await add_order(erp, merchant, number)
        await shipped(database, merchant, {1: 1}, number)
    start = ["return", "start", "R-1", "-m", merchant, "--line"]
    assert (await typed(*start, "1:1", "--order", "SO-1")).exit_code == 0
    for words in (
        [*start, "1:1", "--order", "SO-2"],
        [*start, "1:0.5", "--order", "SO-1"],
        ["order", "credit", "SO-1", "--number", "R-1", "--by", "Kim", "--reason", "claim", "--line", "1:1", "-m", merchant],
    ):
        said = await typed(*words)
        assert (said.exit_code, "R-1 is a return of order SO-1 already" in " ".join(said.output.split())) == (1, True), (
            said.output
        )
    await erp.close()


async def test_a_return_that_was_announced_by_mistake_is_asked_to_be_cancelled(database: TestDatabase, typed: Says) -> None:
    erp, verify = Database(database.url("erp")), Database(database.url("verify"))
    merchant = await add_merchant(erp)
    await add_order(erp, merchant)
    await shipped(database, merchant, {1: 1})
    await typed("return", "start", "R-1", "--order", "SO-1", "--line", "1:1", "-m", merchant)
    for _ in range(2):
        said = await typed("return", "cancel", "R-1", "-m", merchant)
        assert (said.exit_code, "asked to be cancelled" in said.output) == (0, True)
    topics = await read(
        verify, "select topic from bridge.outbox where merchant_id = :m and document = 'R-1' order by 1", m=merchant
    )
    assert topics == [("return.announced",), ("return.cancel",)]
    await erp.close()
    await verify.close()
