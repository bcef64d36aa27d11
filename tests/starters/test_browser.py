"""A person corrects a stuck order in the real Temporal UI, in a real browser, through the sealed codec."""

import pytest

from tests.conftest import passable_folder

playwright = pytest.importorskip("playwright", reason="playwright is not installed")

from bench.prove_6 import browser  # noqa: E402

pytestmark = pytest.mark.stack


@pytest.mark.skipif(browser.chromium() is None, reason="no Chromium on this machine: the Temporal UI was not looked at")
async def test_the_one_stuck_order_is_found_read_corrected_and_seen_to_finish() -> None:
    with passable_folder() as folder:
        told = await browser.run(30, None, folder / "home")
    assert told.listed == 1
    assert "An order line names an article that the ERP does not have" in told.read
    assert "change_lines" in told.read
    assert (told.status, told.sealed) == ("completed", True)
