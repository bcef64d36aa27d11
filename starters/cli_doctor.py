"""The command `lagerbro doctor`."""

import asyncio
from collections import Counter
from dataclasses import asdict
from typing import Annotated

import typer
from rich.markup import escape

from starters.command import AsJson, console, print_json, run_command
from starters.doctor import examine
from worker.settings import Settings
from worker.temporal import connect


def doctor_command(
    merchant: Annotated[str, typer.Option("--merchant", "-m", help="The merchant's id, as in erp.merchant.")] = "demo",
    as_json: AsJson = False,
) -> None:
    """Whether a merchant's connections and settings will carry its orders: asked of both systems now, changing nothing.

    Green is well, yellow could not be looked at or will matter later, red stops orders and says what to do.

    Exit code 0: nothing is red. 1: something is. 3: nothing runs.
    """
    run_command(_doctor(merchant, as_json))


async def _doctor(merchant: str, as_json: bool) -> int:
    settings = Settings.from_environment()
    settings.database("app")
    keys = settings.key_ring()
    try:
        client = await connect(settings)
    except RuntimeError:
        client = None
    found = await examine(settings, keys, merchant, client)
    if as_json:
        print_json([asdict(each) for each in found])
    for each in found if not as_json else []:
        console.print(f"[{each.state}]{each.state:<6} {each.name:<27}[/] {escape(each.said)}", highlight=False, soft_wrap=True)
        if each.remedy:
            console.print(f"{'':<34} {escape(each.remedy)}", highlight=False, soft_wrap=True)
    counts = Counter(each.state for each in found)
    if not as_json:
        console.print(f"{counts['green']} green, {counts['yellow']} yellow, {counts['red']} red.", highlight=False)
    await asyncio.sleep(0.3)  # the SDK may crash a process that ends at once
    return 1 if any(each.state == "red" for each in found) else 0
