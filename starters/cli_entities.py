"""Commands about a merchant's flows: which are on, how often they look, when they last ran; turn one, or let it run now."""

import asyncio
import getpass
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import Annotated

import typer
from rich.table import Table

from domain.errors import Refused
from domain.flows import FLOWS, Flow
from erp import flows
from erp.database import Database, Session
from erp.flows import FlowState
from starters.command import AsJson, MerchantId, Reason, console, print_json, run_command
from worker.settings import Settings

entity = typer.Typer(
    no_args_is_help=True,
    help="A merchant's flows (articles, orders out, orders back, invoices, sweep): each on or off, with its interval.",
)

Name = Annotated[str, typer.Argument(help=f"The flow: {', '.join(FLOWS)}.")]
By = Annotated[str, typer.Option("--by", help="Who you are; it is kept. Your account's name without it.")]


@entity.command("list")
def listed(
    merchant: Annotated[str | None, typer.Option("--merchant", "-m", help="One merchant; all without it.")] = None,
    as_json: AsJson = False,
) -> None:
    """Every flow of every merchant: its switch, interval, last run, and how many documents wait because it is off.

    Exit code 0: shown. 1: there is no such merchant.
    """
    run_command(_list(merchant, as_json))


async def _list(merchant: str | None, as_json: bool) -> int:
    found = await _states(merchant)
    if as_json:
        print_json([asdict(state) for state in found])
    elif found:
        table = Table("merchant", "flow", "is", "interval", "last run", "waiting", header_style="bold")
        for state in found:
            table.add_row(
                state.merchant,
                state.flow,
                "[green]on[/]" if state.enabled else "[red]off[/]",
                f"{state.interval_seconds} s" if state.interval_seconds else "",
                f"{state.last_run_at:%Y-%m-%d %H:%M:%S}" if state.last_run_at else "never",
                str(state.waiting or ""),
            )
        console.print(table)
    if not found and not as_json:
        console.print(f"[red]There is no merchant {merchant} in erp.merchant.[/]" if merchant else "No merchants.")
    return 1 if merchant and not found else 0


@entity.command("on")
def on(flow: Name, reason: Reason, merchant: MerchantId = "demo", by: By = "", as_json: AsJson = False) -> None:
    """Switch a flow on. What waited for it goes on by itself within seconds.

    Exit code 0: it is on. 1: no such flow or merchant.
    """
    _turn(flow, merchant, True, by, reason, as_json)


@entity.command("off")
def off(flow: Name, reason: Reason, merchant: MerchantId = "demo", by: By = "", as_json: AsJson = False) -> None:
    """Switch a flow off, within two seconds. Nothing is lost: what would have run waits, shown with the flow's name.

    Exit code 0: it is off. 1: no such flow or merchant.
    """
    _turn(flow, merchant, False, by, reason, as_json)


def _turn(name: str, merchant: str, enabled: bool, by: str, reason: str, as_json: bool) -> None:
    flow, actor = _flow(name), by or getpass.getuser()

    async def work(session: Session) -> str:
        turned = await flows.switch(session, merchant, flow, enabled, actor, reason)
        return f"{flow.name} of {merchant} is {'on' if enabled else 'off'}" + (
            "." if turned else " already: nothing was changed."
        )

    _change(work, flow, merchant, as_json)


@entity.command("interval")
def interval(
    flow: Name,
    seconds: Annotated[int, typer.Argument(help=f"Seconds between two looks, 1 to {flows.LONGEST_INTERVAL}.")],
    reason: Reason,
    merchant: MerchantId = "demo",
    by: By = "",
    as_json: AsJson = False,
) -> None:
    """Let a flow look so often. It looks at once, and then at the new interval.

    Exit code 0: it does. 1: no such flow or merchant, or the flow has no interval.
    """
    known, actor = _flow(flow), by or getpass.getuser()

    async def work(session: Session) -> str:
        changed = await flows.set_interval(session, merchant, known, seconds, actor, reason)
        return f"{flow} of {merchant} looks every {seconds} s" + ("." if changed else " already: nothing was changed.")

    _change(work, known, merchant, as_json)


@entity.command("run-now")
def run_now(flow: Name, reason: Reason, merchant: MerchantId = "demo", by: By = "", as_json: AsJson = False) -> None:
    """Let a flow look now instead of at its next interval.

    Exit code 0: it is asked to. 1: it is off, or runs whenever something happens, or is not there.
    """
    known, actor = _flow(flow), by or getpass.getuser()

    async def work(session: Session) -> str:
        await flows.ask_to_run(session, merchant, known, actor, reason)
        return f"{flow} of {merchant} runs now."

    _change(work, known, merchant, as_json)


def _flow(name: str) -> Flow:
    if name not in FLOWS:
        raise Refused("settings-wrong", f"there is no flow {name!r}; flows are {', '.join(FLOWS)}")
    return FLOWS[name]


def _change(work: Callable[[Session], Awaitable[str]], flow: Flow, merchant: str, as_json: bool) -> None:
    async def changed() -> tuple[str, FlowState]:
        database = Database(Settings.from_environment().database("app"))
        try:
            async with database.merchant(merchant) as session:
                text = await work(session)
        finally:
            await database.close()
        return text, next(state for state in await _states(merchant) if state.flow == flow.name)

    text, state = asyncio.run(changed())
    if as_json:
        print_json(asdict(state))
    else:
        console.print(text, highlight=False)


async def _states(merchant: str | None) -> list[FlowState]:
    database = Database(Settings.from_environment().database("verify"))
    try:
        async with database.everyone() as session:
            return await flows.states(session, merchant)
    finally:
        await database.close()
