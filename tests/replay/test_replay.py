"""Yesterday's orders run on with today's code: saved histories are replayed, in the sandbox."""

import base64
import json
from pathlib import Path

import pytest
from temporalio import workflow
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer

from domain.keys import OrderKey
from tests.replay.converter import CONVERTER
from worker.__main__ import WORKFLOWS

REPOSITORY = Path(__file__).resolve().parents[2]
HISTORIES = sorted(Path(__file__).parent.glob("*.json"))


def history(file: Path) -> WorkflowHistory:
    return WorkflowHistory.from_json(file.stem, file.read_text(encoding="utf-8"))


@workflow.defn(name="FulfilSalesOrder", sandboxed=False)
class ForgetsToSend:
    """What a careless change would look like: the first step is gone."""

    @workflow.run
    async def run(self, order: OrderKey) -> str:
        await workflow.wait_condition(lambda: False)
        return "never"


def test_there_are_histories_of_every_path() -> None:
    paths = {
        "good",
        "blocked-and-mended",
        "short",
        "unpicked",
        "cancelled",
        "changed-too-late",
        "rate-confirmed",
        "articles-synced",
        "return-settled",
        "return-cancelled",
        "reconciled",
        "reconciled-and-asked",
        "difference-approved",
        "purchase-invoiced",
    }
    paths |= {"return-settled", "return-cancelled", "outlasted"}
    assert {file.stem for file in HISTORIES} >= paths


@pytest.mark.parametrize("file", HISTORIES, ids=lambda file: file.stem)
async def test_a_saved_history_replays_with_todays_code(file: Path) -> None:
    replayer = Replayer(workflows=WORKFLOWS, data_converter=CONVERTER)
    await replayer.replay_workflow(history(file))


async def test_a_careless_change_would_be_noticed() -> None:
    [good] = [file for file in HISTORIES if file.stem == "good"]
    replayer = Replayer(workflows=[ForgetsToSend], data_converter=CONVERTER)
    with pytest.raises(workflow.NondeterminismError):
        await replayer.replay_workflow(history(good))


@pytest.mark.parametrize("file", HISTORIES, ids=lambda file: file.stem)
def test_a_saved_history_names_no_machine(file: Path) -> None:
    def texts(value: object) -> list[str]:
        if isinstance(value, dict):
            return [found for each in value.values() for found in texts(each)]
        if isinstance(value, list):
            return [found for each in value for found in texts(each)]
        return [str(value)]

    found = texts(json.loads(file.read_text(encoding="utf-8")))
    opened = []
    for each in found:
        try:
            opened.append(base64.b64decode(each, validate=True).decode("utf-8", errors="ignore"))
        except ValueError:
            continue
    assert [each for each in found + opened if str(REPOSITORY) in each or "site-packages" in each or "@" in each] == []
