"""Every cell of the table of corrections, with a real process: three times in a row, and at once with another.

Here one accepted cell for each correction; `python -m bench.prove_6.table` takes all of them (PROVE_FULL).
"""

import asyncio
import os
from typing import Any

import pytest
from temporalio.client import WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError

from domain.corrections import LineChange, Name, Situation, refusal
from erp.corrections import park_address
from tests.workflows.process import Processes
from tests.workflows.situations import brought_to, send

ADDRESS = {"name": "Ny Mottagare", "address1": "Nygatan 9", "post_code": "99999", "city": "Nystad", "country": "SE"}
CONTENT: dict[Name, dict[str, Any]] = {
    Name.CHANGE_ADDRESS: {"parked": "p-1"},
    Name.CHANGE_LINES: {"lines": [LineChange(1, "2")]},
    Name.SPLIT_OFF: {"new_number": "SO-1-B", "lines": [LineChange(1, "1")]},
    Name.CHOOSE_PERIOD: {"day": "2027-07-01"},
}
EVERY = [(name, where) for name in Name for where in Situation]
ONE_EACH = [
    next((name, where) for where in Situation if refusal(name, where) is None and "-" in where)
    for name in Name
    if name != Name.RELEASE
]
CELLS = EVERY if os.environ.get("PROVE_FULL") else [*ONE_EACH, (Name.RELEASE, Situation.HELD)]


async def answered(processes: Processes, name: Name, key: str) -> tuple[str, str]:
    """`done`, or the type of the refusal; and the words."""
    try:
        return "done", await send(processes, name, key=key, **CONTENT.get(name, {}))
    except WorkflowUpdateFailedError as failed:
        assert isinstance(failed.cause, ApplicationError)
        return failed.cause.type or "", failed.cause.message


@pytest.mark.parametrize(("name", "where"), CELLS, ids=[f"{name}-{where}" for name, where in CELLS])
async def test_a_cell_holds_three_times_in_a_row_and_at_once_with_another(
    processes: Processes, name: Name, where: Situation
) -> None:
    shop = processes.shop
    audit = "select count(*) from bridge.audit where merchant_id = :m and request_key = :key and action = :action"
    async with brought_to(processes, where):
        async with shop.worker.database.merchant(shop.merchant) as session:
            await park_address(session, shop.merchant, "SO-1", "p-1", ADDRESS)
        words = refusal(name, where)
        answers = [await answered(processes, name, "k-1") for _ in range(3)]
        kinds = [kind for kind, _ in answers]
        rows = (await shop.read(audit, key="k-1", action=name.value))[0][0]
        if words is not None:
            assert kinds == ["makes-no-sense-now"] * 3, answers
            assert all(words in said for _, said in answers)
            assert rows == 0
        elif kinds[0] == "done":
            assert kinds == ["done"] * 3, answers
            assert rows == 1
        else:
            assert set(kinds) == {"correction-refused"}, answers
            assert all(len(said.split()) > 5 for _, said in answers)
            assert rows == 0
        both = await asyncio.gather(
            answered(processes, name, "k-2"), answered(processes, Name.HOLD, "k-3"), return_exceptions=True
        )
        for answer in both:
            ended = isinstance(answer, RPCError) and ("completed" in str(answer) or "closing" in str(answer))
            assert ended or (isinstance(answer, tuple) and answer[1]), answer
        for key in ("k-2", "k-3"):
            kept = (await shop.read("select count(*) from bridge.audit where merchant_id = :m and request_key = :key", key=key))[
                0
            ][0]
            assert kept <= 1
