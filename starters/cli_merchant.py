"""Commands about a merchant's settings: see them, check a file, put it in force."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from domain.errors import Refused
from domain.merchant import MerchantSettings
from erp.database import Database
from erp.merchants import change_settings, stored_settings
from starters.cli_posting_rules import posting_rules
from starters.command import MerchantId, print_json, run_command, wrong
from worker.settings import Settings

merchant = typer.Typer(no_args_is_help=True, help="A merchant of ours.")
settings = typer.Typer(
    no_args_is_help=True,
    help="How a merchant's warehouse numbers and names things, its accounts, its rules: one JSON document, checked as a whole.",
)
merchant.add_typer(settings, name="settings")
merchant.add_typer(posting_rules, name="posting-rules")
console = Console(soft_wrap=True, emoji=False)

File = Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="JSON: names and values, only those that differ.")]


@settings.command("show")
def show(
    merchant: MerchantId = "demo",
    changed: Annotated[bool, typer.Option("--changed", help="Only what was set, as `set` takes it.")] = False,
) -> None:
    """Every setting as it holds now, as JSON on standard output.

    Exit code 0: shown. 1: there is no such merchant, or what is stored is not usable; the text names it.
    """
    run_command(_show(merchant, changed))


async def _show(merchant: str, changed: bool) -> int:
    stored = await _stored(merchant)
    print_json(stored if changed else asdict(MerchantSettings.of(stored)))
    return 0


@settings.command("check")
def check(file: File) -> None:
    """Whether a file could be put in force. Nothing is changed, and nothing need be running.

    Exit code 0: it could. 1: it could not, with every fault in it and the key that has it.
    """
    document = _document(file)
    raise typer.Exit(1 if document is None else 0)


@settings.command("set")
def set_settings(
    file: File,
    by: Annotated[str, typer.Option("--by", help="Who changes them; kept.")],
    reason: Annotated[str, typer.Option("--reason", help="Why; kept.")],
    merchant: MerchantId = "demo",
    replace: Annotated[
        bool, typer.Option("--replace", help="What is set and not in the file falls back to its default.")
    ] = False,
) -> None:
    """Put a file in force: all that is to be set, as `show --changed` prints it. One that lacks what is set is refused.

    Workers follow within seconds, and orders that stand still because of the settings are tried again by themselves.

    Exit code 0: in force. 1: the file or the merchant is not usable, and nothing was changed.
    """
    document = _document(file)
    if document is None:
        raise typer.Exit(1)
    if not by.strip() or not reason.strip():
        wrong("--by and --reason must say who and why.")
        raise typer.Exit(1)
    run_command(_set(merchant, document, by.strip(), reason.strip(), replace))


async def _set(merchant: str, document: dict[str, Any], by: str, reason: str, replace: bool) -> int:
    lost = sorted((await _stored(merchant)).keys() - document.keys())
    if lost and not replace:
        wrong(
            f"The file lacks {', '.join(lost)}, which would fall back to the default. Nothing was changed: add to what"
            f" `lagerbro merchant settings show --changed -m {merchant}` prints, or say --replace."
        )
        return 1
    database = Database(Settings.from_environment().database("app"), pool_size=1)
    try:
        async with database.merchant(merchant) as session:
            changed = await change_settings(session, merchant, document, by, reason)
    finally:
        await database.close()
    console.print(f"Changed: {', '.join(changed)}." if changed else "Nothing differs from what was in force.", highlight=False)
    return 0


async def _stored(merchant: str) -> dict[str, Any]:
    database = Database(Settings.from_environment().database("verify"), pool_size=1)
    try:
        async with database.everyone() as session:
            found = await stored_settings(session, merchant)
    finally:
        await database.close()
    if found is None:
        raise Refused("settings-wrong", f"there is no merchant {merchant} in erp.merchant")
    return found


def _document(file: Path) -> dict[str, Any] | None:
    """The file's settings if they are usable; else says what is wrong with each of them."""
    try:
        document: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"), object_pairs_hook=_each_once)
    except (ValueError, UnicodeDecodeError) as why:
        wrong(f"{file.name} is not usable JSON: {why}")
        return None
    try:
        MerchantSettings.of(document)
    except Refused as refused:
        wrong(f"{file.name} cannot be put in force:")
        for fault in str(refused).split("; setting "):
            console.print(f"  {escape(fault.removeprefix('setting '))}", highlight=False)
        return None
    console.print(f"{escape(file.name)} is good.", highlight=False)
    return document


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"{next(name for name in names if names.count(name) > 1)!r} stands twice")
    return found
