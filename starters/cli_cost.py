"""`lagerbro cost`: what stock is worth and why, as of a day too; what a revaluation would change; the same, booked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from sqlalchemy import text

from domain.errors import Refused
from domain.reasons import REASONS
from domain.revaluing import Asked, Preview
from erp.article_costs import recalculate, set_by_hand
from erp.cost_overview import cost_of_article, stock_as_of
from erp.database import DATABASE_ERRORS, Database
from erp.merchants import Merchant, load_merchant
from erp.rates import rate_for
from erp.revaluing import preview_revaluation, revalue
from starters.command import AsJson, By, MerchantId, Reason, print_json, run_command, wrong
from worker.settings import Settings

cost = typer.Typer(no_args_is_help=True, help="What stock is worth and why; what a revaluation would change; the same, booked.")
console = Console(soft_wrap=True, emoji=False)

Rates = Annotated[list[str] | None, typer.Option("--rate", help="CURRENCY=RATE into the books' currency, such as EUR=11.05.")]
RatesOf = Annotated[
    datetime | None, typer.Option("--rates-of", formats=["%Y-%m-%d"], help="Of that day, for every currency of open receipts.")
]
Purchases = Annotated[bool, typer.Option("--purchases", help="At the prices of the purchase orders as they are now.")]
Prices = Annotated[
    bool, typer.Option("--prices", help="Stock at a set price: the standard cost of the list, or the latest purchase.")
]
Articles = Annotated[list[str] | None, typer.Option("--article", "-a", help="Only these; all without it.")]
On = Annotated[datetime | None, typer.Option("--on", formats=["%Y-%m-%d"], help="The accounting day; today without it.")]

_STANDARD = text(
    """
    insert into erp.standard_cost (merchant_id, article_number, valid_from, price) values (:merchant, :article, :day, :price)
    on conflict (merchant_id, article_number, valid_from) do update set price = excluded.price, written_at = now()
    """
)
_CURRENCIES = text(
    "select distinct currency from erp.received_not_invoiced where merchant_id = :merchant and (quantity <> 0 or value <> 0)"
)


@cost.command("show")
def show(
    article: Annotated[str, typer.Argument(help="Article number.")], merchant: MerchantId = "demo", as_json: AsJson = False
) -> None:
    """Both costs of an article, what it has in stock, the layers or price that say so, what is not invoiced, its last movements.

    Exit code 0: shown. 1: there is no such article.
    """
    run_command(_show(merchant, article, as_json))


async def _show(merchant: str, article: str, as_json: bool) -> int:
    database = Database(Settings.from_environment().database("verify"), pool_size=1)
    try:
        async with database.everyone() as session:
            found = await cost_of_article(session, merchant, article)
    finally:
        await database.close()
    if found is None:
        wrong(f"There is no article {article} of merchant {merchant}.")
        return 1
    if as_json:
        print_json(found)
        return 0
    console.print(f"{article}, costed by {found['method']}", highlight=False)
    calculated = found["calculated"]
    if calculated is None:
        console.print("  no calculated cost: the article has no purchase price, or it has not been calculated yet")
    else:
        how = f"set by {calculated['set_by']}: {calculated['reason']}" if calculated["set_by"] else _how(calculated)
        console.print(f"  calculated cost {calculated['calculated_cost']:f} ({how})", highlight=False)
    for name, rows in (
        ("in stock", found["stock"]),
        ("layers, the oldest leaves first", found["layers"]),
        ("standard costs", found["standard"]),
        ("received and not invoiced", found["received"]),
        ("last movements", found["entries"]),
    ):
        if rows:
            console.print(_table(name, rows))
    return 0


def _how(calculated: dict[str, Any]) -> str:
    landed = f", {calculated['landed_percent']} % landed cost" if calculated["landed_percent"] else ""
    price = f"{calculated['price'].normalize():f} {calculated['currency']}"
    return f"{price} at {calculated['exchange_rate'].normalize():f} of {calculated['rate_date']}{landed}"


@cost.command("list")
def list_them(
    as_of: Annotated[
        datetime | None,
        typer.Option("--as-of", formats=["%Y-%m-%d"], help="At the end of that accounting day; now without it."),
    ] = None,
    merchant: MerchantId = "demo",
    as_json: AsJson = False,
) -> None:
    """The stock list (lagerlista): pieces and value of each article, as of an accounting day.

    `lagerbro tie-out --as-of` ties it to Fortnox.

    Exit code 0: shown.
    """
    run_command(_list(merchant, as_of, as_json))


async def _list(merchant: str, as_of: datetime | None, as_json: bool) -> int:
    database = Database(Settings.from_environment().database("verify"), pool_size=1)
    try:
        async with database.everyone() as session:
            who = await load_merchant(session, merchant)
            on = as_of.date() if as_of else who.day_of(datetime.now(UTC))
            found = await stock_as_of(session, merchant, on, who.time_zone)
    finally:
        await database.close()
    total = sum((row["value"] for row in found), Decimal(0))
    if as_json:
        print_json({"as_of": on, "value": total, "articles": found})
    elif not found:
        console.print(f"Nothing was in stock at the end of {on}.", highlight=False)
    else:
        console.print(_table(f"Stock at the end of {on}", found))
        console.print(f"{len(found)} articles, worth {total:.2f}", highlight=False)
    return 0


@cost.command("preview")
def preview(
    rate: Rates = None,
    rates_of: RatesOf = None,
    purchases: Purchases = False,
    prices: Prices = False,
    article: Articles = None,
    on: On = None,
    merchant: MerchantId = "demo",
    as_json: AsJson = False,
) -> None:
    """What a revaluation would change, article by article: cost and value before and after, effect on stock and on the result.

    Received and not invoiced at other rates or purchase prices; what of it is sold already goes to the result. Goods that are
    invoiced keep what was paid for them. Writes nothing. `cost revalue` books exactly this, with the same options and the hash.

    Exit code 0: shown. 1: nothing was asked for, or it cannot be worked out; the text says why.
    """
    run_command(_preview(merchant, _options(rate, rates_of, purchases, prices, article, on), as_json))


@cost.command("revalue")
def revalue_command(
    preview_hash: Annotated[str, typer.Option("--preview", help="The whole hash that `cost preview` showed.")],
    by: By,
    reason: Reason,
    rate: Rates = None,
    rates_of: RatesOf = None,
    purchases: Purchases = False,
    prices: Prices = False,
    article: Articles = None,
    on: On = None,
    merchant: MerchantId = "demo",
) -> None:
    """Book what was previewed, with the same options. Refused when it would be anything else by now; a repeat books no more.

    It is booked on its accounting day, today unless `--on` says another; its voucher on that day if Fortnox has it open, else
    by the merchant's policy for locked periods.

    Exit code 0: booked, or it was before. 1: refused, and nothing was booked.
    """
    if not by.strip() or not reason.strip():
        wrong("--by and --reason must say who and why.")
        raise typer.Exit(1)
    options = _options(rate, rates_of, purchases, prices, article, on)
    run_command(_revalue(merchant, options, preview_hash.strip(), by.strip(), reason.strip()))


@cost.command("standard")
def standard(
    article: Annotated[str, typer.Argument(help="Article number.")],
    price: Annotated[str, typer.Argument(help="What a piece is worth, in the books' currency.")],
    valid_from: Annotated[datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="Today without it.")] = None,
    merchant: MerchantId = "demo",
) -> None:
    """Write a standard cost to the list, as the ERP would. Stock that is there follows by `cost preview --prices` and `revalue`.

    Exit code 0: written. 1: refused.
    """
    run_command(_standard(merchant, article, _number(price, "price"), valid_from))


@cost.command("recalculate")
def recalculate_command(merchant: MerchantId = "demo", as_json: AsJson = False) -> None:
    """Calculate every article's forward-looking cost anew, from its purchase price and the last rate; daily it happens by itself.

    Exit code 0: done. 1: done, and some need a person: they are listed.
    """
    run_command(_recalculate(merchant, as_json))


@cost.command("set")
def set_command(
    article: Annotated[str, typer.Argument(help="Article number.")],
    price: Annotated[str, typer.Argument(help="The calculated cost of a piece, in the books' currency.")],
    by: By,
    reason: Reason,
    merchant: MerchantId = "demo",
) -> None:
    """Set an article's calculated cost by hand, as after a jump that was refused. Nothing that is in stock is revalued by it.

    Exit code 0: set. 1: refused.
    """
    run_command(_set(merchant, article, _number(price, "price"), by.strip(), reason.strip()))


@dataclass(frozen=True, slots=True)
class Options:
    """What the options of a revaluation say."""

    rates: Mapping[str, Decimal]
    rates_of: date | None
    purchases: bool
    prices: bool
    articles: list[str] | None
    on: date | None


def _options(
    rate: list[str] | None,
    rates_of: datetime | None,
    purchases: bool,
    prices: bool,
    article: list[str] | None,
    on: datetime | None,
) -> Options:
    rates = {}
    for given in rate or []:
        currency, _, value = given.partition("=")
        rates[currency.strip().upper()] = _number(value, f"--rate {given}")
    if not (rates or rates_of or purchases or prices):
        wrong("Say what has changed: --rate, --rates-of, --purchases or --prices.")
        raise typer.Exit(1)
    return Options(rates, rates_of and rates_of.date(), purchases, prices, article, on and on.date())


async def _asked(session: Any, merchant: Merchant, options: Options) -> Asked:
    rates = {}
    if options.rates_of:
        for row in (await session.execute(_CURRENCIES, {"merchant": merchant.merchant_id})).all():
            if row.currency != merchant.currency:
                used = await rate_for(session, merchant.merchant_id, merchant.currency, row.currency, options.rates_of)
                rates[row.currency] = used.rate
    return Asked(options.on or merchant.day_of(datetime.now(UTC)), rates | dict(options.rates), options.purchases, options.prices)


async def _preview(merchant: str, options: Options, as_json: bool) -> int:
    database = Database(Settings.from_environment().database("verify"), pool_size=1)
    try:
        async with database.everyone() as session:
            await session.execute(text("set transaction read only"))
            who = await load_merchant(session, merchant)
            found = await preview_revaluation(session, who, await _asked(session, who, options), options.articles)
    except Refused as refused:
        wrong(f"{refused}")
        return 1
    finally:
        await database.close()
    if as_json:
        print_json(_told(found))
    else:
        _print_preview(found)
    return 0


def _told(found: Preview) -> dict[str, Any]:
    articles = [
        {
            "article": each.place[0],
            "warehouse": each.place[1],
            "quantity": each.quantity,
            "cost_before": each.cost_before,
            "cost_after": each.cost_after,
            "value_before": each.value_before,
            "value_after": each.value_after,
            "stock": each.stock,
            "result": each.result,
        }
        for each in found.articles
    ]
    return {
        "preview": found.hash,
        "asked": found.asked.as_document(),
        "stock": found.stock,
        "result": found.result,
        "articles": articles,
    }


def _print_preview(found: Preview) -> None:
    if not found.lines:
        console.print("Nothing would change: every value is what it would be.")
        return
    told = _told(found)
    shown = [{name: value for name, value in each.items() if name != "warehouse"} for each in told["articles"]]
    console.print(_table(f"Revaluation as of {found.asked.on}: nothing is booked", shown))
    console.print(f"stock {found.stock:+.2f}, cost in the result {found.result:+.2f}, {len(found.lines)} lines", highlight=False)
    console.print(f"To book it: the same options to `lagerbro cost revalue`, with --preview {found.hash}", highlight=False)


async def _revalue(merchant: str, options: Options, preview_hash: str, by: str, reason: str) -> int:
    settings = Settings.from_environment()
    database = Database(settings.database("app"), pool_size=1)
    try:
        async with database.merchant(merchant) as session:
            who = await load_merchant(session, merchant)
            asked = await _asked(session, who, options)
            number, fresh = await revalue(session, who, asked, options.articles, preview_hash, by, reason, settings.build_id)
    except Refused as refused:
        wrong(f"{refused}\nWhat to do: {REASONS[refused.code].remedy}")
        return 1
    finally:
        await database.close()
    if fresh:
        console.print(f"[green]Revaluation {number} is booked.[/] Its voucher follows with the next run (lagerbro voucher post).")
    else:
        console.print(f"Revaluation {number} was booked before: nothing more was booked.")
    return 0


async def _standard(merchant: str, article: str, price: Decimal, valid_from: datetime | None) -> int:
    database = Database(Settings.from_environment().database("erp"), pool_size=1)
    day = valid_from.date() if valid_from else datetime.now(UTC).date()
    try:
        async with database.everyone() as session:
            await session.execute(_STANDARD, {"merchant": merchant, "article": article, "day": day, "price": price})
    except DATABASE_ERRORS as refused:
        reason = str(getattr(refused, "orig", refused)).splitlines()[0]
        console.print(f"[red]Not written: there must be such an article, and a price above 0.[/] {reason}", highlight=False)
        return 1
    finally:
        await database.close()
    console.print(f"{article} stands at {price:f} from {day} on; what is in stock keeps its price until it is revalued.")
    return 0


async def _recalculate(merchant: str, as_json: bool) -> int:
    database = Database(Settings.from_environment().database("app"), pool_size=1)
    try:
        async with database.merchant(merchant) as session:
            who = await load_merchant(session, merchant)
            found = await recalculate(session, who, who.day_of(datetime.now(UTC)))
    finally:
        await database.close()
    if as_json:
        print_json({"priced": found.priced, "written": found.written, "refused": found.refused})
    else:
        console.print(f"{found.priced} articles have a purchase price; the cost of {len(found.written)} was written anew.")
        for article, why in sorted(found.refused.items()):
            console.print(f"  [yellow]{article}[/]: {why}", highlight=False)
    return 1 if found.refused else 0


async def _set(merchant: str, article: str, price: Decimal, by: str, reason: str) -> int:
    if not by or not reason:
        wrong("--by and --reason must say who and why.")
        return 1
    database = Database(Settings.from_environment().database("app"), pool_size=1)
    try:
        async with database.merchant(merchant) as session:
            await set_by_hand(session, merchant, article, price, by, reason)
    except Refused as refused:
        wrong(f"{refused}")
        return 1
    finally:
        await database.close()
    console.print(f"{article} has the calculated cost {price:f}.", highlight=False)
    return 0


def _number(given: str, what: str) -> Decimal:
    try:
        number = Decimal(given.strip().replace(",", "."))
    except InvalidOperation:
        number = Decimal(0)
    if not number.is_finite() or number <= 0:
        wrong(f"{what}: {given!r} is no number above 0.")
        raise typer.Exit(1)
    return number


def _table(title: str, rows: Sequence[dict[str, Any]]) -> Table:
    table = Table(*(name.replace("_", " ") for name in rows[0]), title=title)
    for row in rows:
        table.add_row(*(_shown(value) for value in row.values()))
    return table


def _shown(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, Decimal):
        plain = f"{value.normalize():f}"
        return f"{value:.2f}" if len(plain.partition(".")[2]) < 2 and value.as_tuple().exponent == -2 else plain
    return value.strftime("%Y-%m-%d %H:%M") if isinstance(value, datetime) else str(value)
