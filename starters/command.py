"""What the commands share: the options that several of them take, how one runs, and how it prints."""

import asyncio
import json
import os
import re
import sys
from collections.abc import Coroutine, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table


def _width() -> int | None:
    """At a terminal its own; in a mail or a file so wide that a table's words stay whole."""
    return None if sys.stdout.isatty() or "COLUMNS" in os.environ else PIPE_WIDTH


PIPE_WIDTH = 200
console = Console(emoji=False, width=_width())

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


def wrong(text: str) -> None:
    """What is wrong, in red and as it is: what looks like markup in a number that somebody typed is none."""
    console.print(text, style="red", markup=False, highlight=False, soft_wrap=True)


def said_by(refused: BaseException) -> str:
    """What the database refused, in words: a check names the column, not itself."""
    text = str(getattr(refused, "orig", None) or refused).splitlines()[0]
    found = _CHECK.search(text)
    if found is None:
        return text
    table, column, rule = found.groups()
    return f"{column.replace('_', ' ')} of erp.{table} {_RULES[rule]}"


_RULES = {
    "in_range": "is out of range",
    "is_known": "is not one that is known",
    "is_printable": "is empty, too long, or holds blanks at an end or control characters",
    "is_whole": "is not whole",
}
_CHECK = re.compile(rf'relation "(\w+)" violates check constraint "ck_\1_(\w+?)_({"|".join(_RULES)})"')


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
    if isinstance(value, Decimal) and -int(value.as_tuple().exponent) > 2:  # quantities, prices, rates; money keeps its two
        value = f"{value.normalize():f}"
    return value.strftime(time) if isinstance(value, datetime) else escape(str(value))
