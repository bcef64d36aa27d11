"""`lagerbro merchant posting-rules`: on which accounts events of stock are booked, and why."""

import asyncio
from dataclasses import asdict
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from domain.merchant import MerchantSettings
from domain.posting_rules import ANY, BUILT_IN_FROM, CONDITIONS, STOCK_SIDE, UNDOES, Facts, PostingRule, first_match
from erp.database import Database
from erp.merchants import stored_settings
from starters.command import MerchantId, wrong
from worker.settings import Settings

posting_rules = typer.Typer(
    no_args_is_help=True, help="On which accounts events of stock are booked: rules in order, the first that matches decides."
)
console = Console(soft_wrap=True, emoji=False)


@posting_rules.command("show")
def show(merchant: MerchantId = "demo") -> None:
    """Every rule in the order they are tried: the merchant's own, then those that its other settings come to.

    Exit code 0: shown. 1: there is no such merchant.
    """
    table = _table(merchant)
    if table is None:
        raise typer.Exit(1)
    shown = Table("priority", "event", "only where", "debit", "credit")
    for rule in table:
        shown.add_row(_name(rule), rule.event, _conditions(rule), str(rule.debit), str(rule.credit))
    console.print(shown)


@posting_rules.command("explain")
def explain(
    event: Annotated[str, typer.Argument(help="As in erp.posting.event, such as goods-issue.")],
    merchant: MerchantId = "demo",
    article: Annotated[str | None, typer.Option("--article")] = None,
    article_group: Annotated[str | None, typer.Option("--group", help="The article's group.")] = None,
    warehouse: Annotated[str | None, typer.Option("--warehouse")] = None,
    order_type: Annotated[str | None, typer.Option("--order-type")] = None,
    vat_zone: Annotated[str | None, typer.Option("--vat-zone", help="SEVAT, EUREVERSEDVAT, EUVAT or EXPORT.")] = None,
    country: Annotated[str | None, typer.Option("--country")] = None,
) -> None:
    """Which rule an event hits, and why none before it does. Nothing is booked.

    Exit code 0: a rule matches. 1: none does, or there is no such event or merchant.
    """
    if event not in STOCK_SIDE and event not in UNDOES:
        console.print(f"[red]There is no event {event}.[/] Events are {', '.join([*STOCK_SIDE, *UNDOES])}.", highlight=False)
        raise typer.Exit(1)
    table = _table(merchant)
    if table is None:
        raise typer.Exit(1)
    facts = Facts(event, article, article_group, warehouse, order_type, vat_zone, country)
    hit = first_match(table, facts)
    for rule in table:
        if rule is hit:
            break
        console.print(f"  {_name(rule)}: no, {rule.misses(facts)}", highlight=False)
    if hit is None:
        console.print(f"[red]No rule matches {event}[/]: it would wait for one. Add it to posting_rules.", highlight=False)
        raise typer.Exit(1)
    stock, other = hit.sides(event)
    turned = event in UNDOES
    debit, credit = (hit.credit, hit.debit) if turned else (hit.debit, hit.credit)
    console.print(f"[green]{_name(hit)} decides[/]: {event} debits {debit} and credits {credit}", highlight=False)
    how = f"; the rule of {UNDOES[event]}, turned around" if turned else ""
    console.print(f"  stock stands on {stock}, the other side is {other}{how}", highlight=False)


def _table(merchant: str) -> list[PostingRule] | None:
    found = asyncio.run(_settings(merchant))
    if found is None:
        wrong(f"There is no merchant {merchant} in erp.merchant.")
        return None
    return found.posting_table


async def _settings(merchant: str) -> MerchantSettings | None:
    database = Database(Settings.from_environment().database("verify"), pool_size=1)
    try:
        async with database.everyone() as session:
            stored = await stored_settings(session, merchant)
    finally:
        await database.close()
    return None if stored is None else MerchantSettings.of(stored)


def _name(rule: PostingRule) -> str:
    return f"built in {(rule.priority - BUILT_IN_FROM) // 10 + 1}" if rule.priority >= BUILT_IN_FROM else f"rule {rule.priority}"


def _conditions(rule: PostingRule) -> str:
    given = asdict(rule)
    return ", ".join(f"{name} {given[name]}" for name in CONDITIONS if given[name] != ANY) or "always"
