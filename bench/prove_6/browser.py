"""A person in front of the real Temporal UI: finds the one stuck order among many, reads why, corrects it, sees it finish.

python -m bench.prove_6.browser [--orders 200] [--pictures FOLDER]

Headless Chromium through Playwright, on the embedded stack, through the sealed codec. Pictures are kept where asked.
"""

import argparse
import asyncio
import json
import shutil
import sys
import tempfile
import time
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from playwright.async_api import Page, async_playwright
from sqlalchemy import text
from temporalio.client import Client

from erp.database import Database
from erp.opening import OpeningBalance
from starters.cli_orders import open_stock
from starters.filters import FILTERS, address_of
from starters.stack import Stack
from worker.settings import Settings

MERCHANT = "demo"
STUCK = "W-077"
CORRECTION = {"by": "anna", "reason": "the customer does without", "lines": [{"line": 2, "quantity": "0"}], "key": "ui-1"}


def chromium() -> str | None:
    """The browser of this machine, or None."""
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@dataclass(frozen=True, slots=True)
class Told:
    """What the person saw. `sealed`: what was sent lies encrypted in Temporal."""

    listed: int
    read: str
    status: str
    seconds: float
    sealed: bool


async def write_orders(settings: Settings, count: int) -> None:
    """So many orders as an ERP writes them, one of them with an article that nobody has."""
    database = Database(settings.database("erp"), pool_size=2)

    async def write(statement: str, **values: Any) -> None:
        async with database.everyone() as session:
            await session.execute(text(statement), {"m": MERCHANT} | values)

    await write(
        "insert into erp.article (merchant_id, article_number, name) values (:m, 'KRUKA', 'Kruka') on conflict do nothing"
    )
    await write(
        "insert into erp.customer (merchant_id, customer_number, name, address1, post_code, city)"
        " values (:m, 'K-1', 'Testbolaget AB', 'Provgatan 1', '111 22', 'Provstad') on conflict do nothing"
    )
    await open_stock(settings, MERCHANT, [OpeningBalance("KRUKA", Decimal(10_000), Decimal("4.50"))])
    others = [f"W-{n:03d}" for n in range(1, count + 1)]
    for number in dict.fromkeys([*others[: count - 1], STUCK]):
        await write("insert into erp.sales_order (merchant_id, order_number, customer_number) values (:m, :n, 'K-1')", n=number)
        line = (
            "insert into erp.sales_order_line (merchant_id, order_number, line_number, article_number, quantity, unit_price)"
            " values (:m, :n, :line, :article, 1, 10)"
        )
        await write(line, n=number, line=1, article="KRUKA")
        if number == STUCK:
            await write(line, n=number, line=2, article="SAKNAS")
        await write("update erp.sales_order set status = 'released' where merchant_id = :m and order_number = :n", n=number)
    await database.close()


async def correct_in_the_ui(page: Page, ui: str, pictures: Path | None) -> tuple[int, str, str]:
    """What the person does. Returns how many the filter listed, what the page says, and how the order ended."""

    async def picture(name: str) -> None:
        if pictures:
            await page.screenshot(path=pictures / f"{name}.png")

    await page.goto(address_of(ui, "default", FILTERS["stuck"][1]), wait_until="domcontentloaded")
    await page.wait_for_selector(f"text={STUCK}", timeout=60_000)
    listed = await page.locator("table tbody tr").count()
    await picture("1-the-list")
    await page.locator("a", has_text=STUCK).first.click()
    await page.locator("a", has_text="User Metadata").first.click()
    await page.wait_for_selector("text=Current Details")
    read = await _details(page)
    await picture("2-why")
    await page.get_by_role("button", name="More Actions").click()
    await page.locator("[data-testid=update-button]:visible").click()
    form = page.locator("dialog[open][data-testid=update-confirmation-modal]")
    await form.get_by_test_id("update-select-button").click()
    await form.get_by_role("option", name="change_lines").click()
    await form.locator("[contenteditable=true]").click()
    await page.keyboard.insert_text(json.dumps(CORRECTION))
    await form.get_by_test_id("update-id").click()  # the editor lays out what was typed, and the form grows
    await asyncio.sleep(0.5)
    await picture("3-the-form")
    await form.get_by_test_id("confirm-modal-button").click()
    await form.wait_for(state="hidden", timeout=30_000)
    await _completes(page)
    await picture("4-finished")
    return listed, read, (await page.locator("text=/^Completed$/i").first.inner_text()).lower()


async def _completes(page: Page) -> None:
    """The order goes on among all the others, and the page is looked at again now and then."""
    until = time.monotonic() + 240
    while not await page.locator("text=/^Completed$/i").count():
        assert time.monotonic() < until, "the order did not complete"
        await asyncio.sleep(5)
        await page.reload(wait_until="domcontentloaded")
        await asyncio.sleep(2)


async def _details(page: Page) -> str:
    """The current details, which the UI shows in a frame of its own."""
    until = time.monotonic() + 30
    while time.monotonic() < until:
        for frame in page.frames:
            said = await frame.inner_text("body")
            if "Stands still since" in said:
                return said
        await page.keyboard.press("r")
        await asyncio.sleep(1)
    raise TimeoutError("the page does not say why the order stands still")


async def run(orders: int, pictures: Path | None, home: Path) -> Told:
    """The whole of it, on a stack of its own."""
    began = time.monotonic()
    browser_path = chromium()
    assert browser_path, "no Chromium on this machine"
    async with Stack.start(home, auto_warehouse=True) as stack:
        settings = Settings.from_environment(stack.environment())
        await write_orders(settings, orders)
        await _only_one_stands_still(settings)
        async with async_playwright() as playwright:
            browser = await playwright.chromium.launch(executable_path=browser_path, args=["--no-sandbox"])
            page = await browser.new_page(viewport={"width": 1500, "height": 1200})
            listed, read, status = await correct_in_the_ui(page, stack.addresses["ui"], pictures)
            await browser.close()
        return Told(listed, read, status, time.monotonic() - began, await _is_sealed(stack.addresses["temporal"]))


async def _only_one_stands_still(settings: Settings) -> None:
    database = Database(settings.database("verify"), pool_size=1)
    statement = text("select document from bridge.exception where blocking and closed_at is null")
    until = time.monotonic() + 120
    while True:
        async with database.everyone() as session:
            standing = [row.document for row in (await session.execute(statement)).all()]
        if standing == [STUCK]:
            break
        assert time.monotonic() < until, f"{standing} stand still"
        await asyncio.sleep(0.2)
    await database.close()


async def _is_sealed(address: str) -> bool:
    """What was typed into the form does not stand in Temporal's own history."""
    client = await Client.connect(address)
    history = await client.get_workflow_handle(f"sales-order/{MERCHANT}/{STUCK}").fetch_history()
    await asyncio.sleep(0.3)
    return "the customer does without" not in str(history.events) and any(
        event.HasField("workflow_execution_update_accepted_event_attributes") for event in history.events
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--orders", type=int, default=200)
    parser.add_argument("--pictures", type=Path)
    given = parser.parse_args()
    if chromium() is None:
        print("skipped: no Chromium on this machine")
        return 0
    if given.pictures:
        given.pictures.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="lagerbro-prove-", ignore_cleanup_errors=True) as folder:
        told = asyncio.run(run(given.orders, given.pictures, Path(folder) / "home"))
    good = told.listed == 1 and told.status == "completed" and told.sealed
    print(
        f"{'proved' if good else 'NOT proved'}: {told.listed} listed among {given.orders}, read why, "
        f"corrected in the UI's own form, {told.status}; sealed: {told.sealed}; {told.seconds:.0f} s"
    )
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
