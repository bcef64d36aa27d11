"""The command `lagerbro connect`: a new merchant, step by step or from a file."""

import asyncio
import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from domain.errors import Refused
from erp.database import Database
from starters.command import AsJson, console, print_json, run_command, wrong
from starters.connecting import QUESTIONS, held, read_document, shown, try_out
from starters.doctor import Finding
from starters.merchants import NewMerchant, WebhookAddress, connect_merchant
from worker.settings import Settings
from worker.temporal import connect

DONE, WRONG = 0, 1


def connect_command(
    file: Annotated[
        Path | None, typer.Argument(exists=True, dir_okay=False, help="The merchant as JSON; asked step by step without it.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check and try everything, and keep nothing.")] = False,
    replace: Annotated[bool, typer.Option("--replace", help="The merchant is connected already: replace what is there.")] = False,
    anyway: Annotated[bool, typer.Option("--anyway", help="Connect even though something is red.")] = False,
    as_json: AsJson = False,
) -> None:
    """Connect a merchant to its warehouse and its books. The systems are asked first, as `lagerbro doctor` does.

    The file is one JSON object: merchant_id, name, currency, country, time_zone; ongoing (base_url, warehouse, goods_owner_id,
    username, password); fortnox (base_url, token_url, tenant_id, client_id, client_secret); settings as in domain/merchant.py;
    and, where the warehouse lays its stock files on a server, sftp (host, port, folder, username, host_key, and password or
    private_key). What may be left out has a default. The secret address for the warehouse's webhooks is shown once.

    Exit code 0: connected (with --dry-run: it would work). 1: something is wrong, and nothing was kept. 3: nothing runs.
    """
    try:
        document = json.loads(file.read_text(encoding="utf-8")) if file else _ask()
    except (ValueError, UnicodeDecodeError) as fault:
        wrong(f"{file} is not JSON: {fault}")
        raise typer.Exit(WRONG) from None
    run_command(_connect(document, dry_run, replace, anyway, as_json))


def _ask() -> dict[str, Any]:
    """The document, question by question. Secrets are not shown."""
    document: dict[str, Any] = {}
    for place, question, default in QUESTIONS:
        hidden = place.endswith(("password", "client_secret"))
        answer = typer.prompt(question, default=default, hide_input=hidden)
        part, _, name = place.rpartition(".")
        (document.setdefault(part, {}) if part else document)[name] = answer.strip()
    return document


async def _connect(document: Any, dry_run: bool, replace: bool, anyway: bool, as_json: bool) -> int:
    try:
        merchant = read_document(document)
    except Refused as fault:
        return _end({"connected": False, "wrong": str(fault)}, as_json, [f"[red]{escape(str(fault))}[/]"], WRONG)
    settings = Settings.from_environment()
    erp, app = Database(settings.database("erp"), pool_size=1), Database(settings.database("app"), pool_size=1)
    try:
        there = await held(app, merchant.merchant_id)
        if there.connected and not replace and not dry_run:
            said = f"{merchant.merchant_id} is connected already: --replace replaces its addresses, credentials and settings"
            return _end({"connected": False, "wrong": said}, as_json, [f"[red]{said}[/]"], WRONG)
        found = await try_out(merchant, settings.client_deadline_seconds)
        red = [each for each in found if each.state == "red"]
        if dry_run or (red and not anyway):
            return _end(
                _told(merchant, found, False), as_json, [*_lines(found), _verdict(merchant, red, dry_run)], 1 if red else 0
            )
        webhook = None if there.webhook else WebhookAddress.new()
        await connect_merchant(erp, app, settings.key_ring(), await connect(settings), merchant, webhook)
    finally:
        await erp.close()
        await app.close()
        await asyncio.sleep(0.3)  # the SDK may crash a process that ends at once
    told = _told(merchant, found, True)
    lines = [*_lines(found), f"[green]{merchant.merchant_id} is connected.[/]"]
    if webhook:
        told["webhook"] = {"path": webhook.path, "token": webhook.token}
        lines += [
            "Give the warehouse this address and token, for webhooks of orders and picking. They are shown this once:",
            f"  https://YOUR-INTAKE{webhook.path}",
            f"  X-Auth-Token: {webhook.token}",
        ]
    return _end(told, as_json, lines, DONE)


def _told(merchant: NewMerchant, found: list[Finding], connected: bool) -> dict[str, Any]:
    findings = [{"name": each.name, "state": each.state, "said": each.said, "remedy": each.remedy} for each in found]
    return {"connected": connected, "merchant": shown(merchant), "findings": findings}


def _lines(found: list[Finding]) -> list[str]:
    lines = []
    for each in found:
        lines.append(f"[{each.state}]{each.name:<24}[/] {escape(each.said)}")
        if each.remedy:
            lines.append(f"{'':<24} {escape(each.remedy)}")
    return lines


def _verdict(merchant: NewMerchant, red: list[Finding], dry_run: bool) -> str:
    if red:
        return f"[red]{merchant.merchant_id} is not connected: {len(red)} things are red.[/] --anyway connects it all the same."
    return f"[green]{merchant.merchant_id} would work.[/] Nothing was kept: this was a dry run." if dry_run else ""


def _end(told: dict[str, Any], as_json: bool, lines: list[str], code: int) -> int:
    if as_json:
        print_json(told)
    else:
        for each in lines:
            console.print(each, highlight=False, soft_wrap=True)
    return code
