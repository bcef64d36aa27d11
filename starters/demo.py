"""`make demo`: the main job on the embedded stack, from orders in the ERP's tables to invoices in Fortnox, in about a minute.

A day of varied orders is written as an ERP writes them; the simulated warehouse picks them in full, in two goes or short; what
happens is shown while it happens, and the books are verified at the end.
"""

import argparse
import asyncio
import sys
import time
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import httpx
from rich.console import Console
from rich.live import Live
from rich.table import Table
from sqlalchemy import text

from erp.database import Database
from erp.opening import OpeningBalance
from erp.overview import moving, open_exceptions, totals
from starters.cli_orders import open_stock
from starters.cli_vouchers import post_now, print_tied
from starters.connect import GOODS_OWNER_ID, MERCHANT
from starters.stack import Stack
from starters.tie_out import tied_out
from starters.verify import open_online, print_report, verify
from worker.settings import Settings
from worker.temporal import connect

ARTICLES = [
    ("KRUKA-12", "Kruka 12 cm, terrakotta", "79.00", "24.50"),
    ("KRUKA-20", "Kruka 20 cm, terrakotta", "149.00", "51.00"),
    ("FAT-12", "Fat till kruka 12 cm", "29.00", "8.25"),
    ("JORD-10", "Planteringsjord 10 l", "49.90", "17.35"),
    ("SAX-1", "Sekatör", "249.00", "98.00"),
    ("HANDSKE-M", "Handskar, medium", "89.00", "31.40"),
    ("FRÖ-BASILIKA", "Basilika, frön", "24.95", "6.10"),
    ("SPADE-S", "Planteringsspade", "119.00", "44.00"),
]
CUSTOMERS = [
    ("K1001", "Blomsterboden i Lund AB", "company", None, "SE", "Stora Gatan 4", "22350", "Lund"),
    ("K1002", "Handelsträdgården HB", "company", None, "SE", "Ringvägen 12", "11660", "Stockholm"),
    ("K2001", "Mia Exempelsson", "private", None, "SE", "Björkstigen 7", "75323", "Uppsala"),
    ("K3001", "Gartenhaus Beispiel GmbH", "company", "DE123456789", "DE", "Hauptstraße 1", "20095", "Hamburg"),
    ("K4001", "Hagesenter Eksempel AS", "company", None, "NO", "Storgata 9", "0155", "Oslo"),
]
ORDERS = 40
TIMEOUT_SECONDS = 75.0
SHOWN = ("orders", "completed", "shipments", "invoices", "invoiced_net", "stock_value", "blocked")

console = Console()


async def run(home: Path | None) -> int:
    """The whole demonstration; returns the exit code of the verification."""
    began = time.monotonic()
    console.rule("[bold]Lagerbro demo")
    async with Stack.start(home, auto_warehouse=False) as stack:
        settings = Settings.from_environment(stack.environment())
        console.print(f"Stack is up after {time.monotonic() - began:.1f} s. Temporal UI: [link]{stack.addresses['ui']}[/]")
        verifying = Database(settings.database("verify"), pool_size=2)
        day = f"{int(time.time()) % 10_000_000:07d}"
        await _open_shop(settings)
        await _warehouse(stack.addresses["ongoing"])
        numbers = await _write_orders(settings, day)
        console.print(f"{len(numbers)} orders written into erp.sales_order and released; the warehouse begins.")
        await _follow(verifying, began)
        await _summary(verifying)
        client = await connect(settings)
        await post_now(client, MERCHANT, seconds=20)
        print_tied(await tied_out(settings, MERCHANT))
        async with open_online(settings) as online:
            report = await verify(verifying, merchant=MERCHANT, online=online, temporal=client)
        if report.exit_code:
            print_report(report)
        else:
            console.print(f"[green]verify --online: clean[/], {len(report.results)} checks, no violation.")
        await verifying.close()
        console.print(
            f"Took {time.monotonic() - began:.0f} s. To look around: [bold].venv/bin/lagerbro up[/], then the address it prints."
        )
        await asyncio.sleep(0.3)
        return int(report.exit_code)


async def _open_shop(settings: Settings) -> None:
    """Articles, customers and opening stock, once."""
    database = Database(settings.database("erp"), pool_size=2)
    for number, name, _, cost in ARTICLES:
        await _write(
            database,
            "insert into erp.article (merchant_id, article_number, name, purchase_price) values (:m, :number, :name, :cost)"
            " on conflict do nothing",
            number=number,
            name=name,
            cost=Decimal(cost),
        )
    await _write(
        database,
        "insert into erp.article (merchant_id, article_number, name, stock_article)"
        " values (:m, 'PRESENT', 'Presentinslagning', false) on conflict do nothing",
    )
    for number, name, kind, vat, country, street, code, city in CUSTOMERS:
        await _write(
            database,
            "insert into erp.customer (merchant_id, customer_number, name, customer_type, vat_number, country, address1,"
            " post_code, city) values (:m, :number, :name, :kind, :vat, :country, :street, :code, :city) on conflict do nothing",
            number=number,
            name=name,
            kind=kind,
            vat=vat,
            country=country,
            street=street,
            code=code,
            city=city,
        )
    await database.close()
    await open_stock(
        settings, MERCHANT, [OpeningBalance(number, Decimal(2000), Decimal(cost)) for number, _, _, cost in ARTICLES]
    )


async def _write_orders(settings: Settings, day: str) -> list[str]:
    """Headers and lines committed apart, then the release: what an ERP with autocommit does."""
    database = Database(settings.database("erp"), pool_size=2)
    rng = Random(day)
    numbers = []
    for n in range(1, ORDERS + 1):
        number = f"D{day}-{n:02d}"
        customer, _, kind, _, country, *_ = CUSTOMERS[n % len(CUSTOMERS)]
        taxed = Decimal(25) if country == "SE" else Decimal(0)
        await _write(
            database,
            "insert into erp.sales_order (merchant_id, order_number, customer_number, price_basis, freight, freight_vat_rate,"
            " discount_percent, your_reference) values (:m, :number, :customer, :basis, :freight, :vat, :discount, :reference)",
            number=number,
            customer=None if n == ORDERS else customer,
            basis="gross" if kind == "private" else "net",
            freight=Decimal(rng.choice(["0", "49", "99"])),
            vat=taxed,
            discount=Decimal(rng.choice(["0", "0", "10"])),
            reference=f"Inköp {n}",
        )
        lines = rng.sample(ARTICLES, rng.randint(1, 5)) + ([("PRESENT", "Presentinslagning", "35.00", "0")] if n % 7 == 0 else [])
        if n % 9 == 0:
            lines.append(lines[0])  # the same article twice in one order
        for line, (article, _, price, _) in enumerate(lines, start=1):
            await _write(
                database,
                "insert into erp.sales_order_line (merchant_id, order_number, line_number, article_number, quantity, unit_price,"
                " vat_rate) values (:m, :number, :line, :article, :quantity, :price, :vat)",
                number=number,
                line=line,
                article=article,
                quantity=Decimal(rng.randint(1, 12)),
                price=Decimal(price),
                vat=taxed,
            )
        await _write(
            database,
            "update erp.sales_order set status = 'released' where merchant_id = :m and order_number = :number",
            number=number,
        )
        numbers.append(number)
    await database.close()
    return numbers


async def _write(database: Database, statement: str, **values: Any) -> None:
    async with database.everyone() as session:
        await session.execute(text(statement), {"m": MERCHANT} | values)


async def _warehouse(address: str) -> None:
    async with httpx.AsyncClient(base_url=address, trust_env=False, timeout=10) as http:
        body = {"goodsOwnerId": GOODS_OWNER_ID, "enabled": True, "delaySeconds": 0.5, "style": "varied", "seed": 1}
        (await http.put("/_control/auto", json=body)).raise_for_status()


async def _follow(database: Database, began: float) -> None:
    with Live(console=console, refresh_per_second=4, transient=True) as live:
        while time.monotonic() - began < TIMEOUT_SECONDS:
            async with database.everyone() as session:
                now, figures = await moving(session), await totals(session, MERCHANT)
            table = Table(title=f"{time.monotonic() - began:.0f} s")
            for name in SHOWN:
                table.add_column(name.replace("_", " "), justify="right")
            table.add_row(*(str(figures[name]) for name in SHOWN))
            live.update(table)
            if now["outbox"] == 0 and now["orders"] == 0:
                return
            await asyncio.sleep(0.25)
    console.print("[yellow]Not everything has come to rest within the time; the summary shows how far it is.[/]")


async def _summary(database: Database) -> None:
    async with database.everyone() as session:
        figures, standing = await totals(session, MERCHANT), await open_exceptions(session, MERCHANT)
    table = Table(title="Summary", title_justify="left", show_header=False)
    for name, value in figures.items():
        table.add_row(name.replace("_", " "), str(value))
    console.print(table)
    if standing:
        console.print("One order is written without an address on purpose, to show what stands still:")
    for row in standing:
        kind = "[red]stands still[/]" if row["blocking"] else "[yellow]noted[/]"
        console.print(f"  {kind}: {row['kind']} {row['document']}: [bold]{row['code']}[/] {row['detail']}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path, help="State folder; a folder of its own by default, LAGERBRO_HOME otherwise.")
    sys.exit(asyncio.run(run(parser.parse_args().home)))


if __name__ == "__main__":
    main()
