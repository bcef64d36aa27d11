"""What the commands share: the options that several of them take, how one runs, and how it prints."""

import asyncio
import json
from collections.abc import Coroutine, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

console = Console()

MerchantId = Annotated[str, typer.Option("--merchant", "-m", help="The merchant's id, as in erp.merchant.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON document on standard output, for programs.")]
By = Annotated[str, typer.Option("--by", help="Who you are; it is kept.")]
Reason = Annotated[str, typer.Option("--reason", help="Why; it is kept.")]


def run_command(work: Coroutine[Any, Any, int]) -> None:
    """Run a command to its end; what it returns is the process's exit code."""

    async def settled() -> int:
        code = await work
        await asyncio.sleep(0.3)  # the SDK may crash a process that ends at once
        return code

    raise typer.Exit(asyncio.run(settled()))


def print_json(value: Any) -> None:
    """One document on standard output; dates and amounts as texts."""
    print(json.dumps(value, default=str, ensure_ascii=False, indent=2))


def table(title: str, found: Sequence[Mapping[str, Any]], time: str = "%Y-%m-%d %H:%M") -> Table:
    """Rows as a table; the columns are those of the first. Texts are shown as they are: what looks like markup is none."""
    shown = Table(title=title, title_justify="left", header_style="bold")
    for name in found[0]:
        shown.add_column(name.replace("_", " "), overflow="fold")
    for row in found:
        shown.add_row(*(_cell(value, time) for value in row.values()))
    return shown


def _cell(value: Any, time: str) -> str:
    if value is None:
        return ""
    return value.strftime(time) if isinstance(value, datetime) else escape(str(value))
