"""`lagerbro doctor`, as it is read in a mail: without colours."""

import asyncio
import re

import pytest
from typer.testing import CliRunner

from starters.cli import app
from tests.activities.conftest import erp, fortnox, http, ongoing, shop, verify, workers
from tests.activities.world import Shop
from tests.conftest import TestDatabase
from worker.keyring import KeyRing

__all__ = ["erp", "fortnox", "http", "ongoing", "shop", "verify", "workers"]


async def test_each_finding_says_its_colour_in_words(
    shop: Shop, database: TestDatabase, key_ring: KeyRing, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (database.environment() | {"LAGERBRO_KEYS": key_ring.dump()}).items():
        monkeypatch.setenv(name, value)
    answer = await asyncio.to_thread(CliRunner().invoke, app, ["doctor", "-m", shop.merchant])
    colours = re.findall(r"^(green|yellow|red) +[a-z]+-?[a-z-]*  ", answer.output, re.MULTILINE)
    said = f"{colours.count('green')} green, {colours.count('yellow')} yellow, {colours.count('red')} red."
    assert colours and said in answer.output, answer.output
    assert answer.exit_code == (1 if "red" in colours else 0)
