"""A delivered file cut at any byte, sent twice, renamed, foreign, in another encoding or with decimal commas: no wrong booking.

python -m bench.prove_5.files
"""

import asyncio
import json
import sys
import tempfile
from datetime import timedelta
from pathlib import Path
from typing import Any

from activities.reconcile import Step, Wish
from activities.spreadsheets import write_table
from bench.prove_1.proof import Proof
from bench.prove_5.ground import MERCHANT, OWNER, Ground, ground

STOCK = 20
LOST = {"A-007": 17, "A-031": 12}


def rows_of(made: Ground, owner: int = OWNER) -> list[list[Any]]:
    table: list[list[Any]] = [["#goods-owner", owner], ["#cut", made.now.isoformat()], ["#rows", 60], ["article", "quantity"]]
    table += [[f"A-{n:03}", LOST.get(f"A-{n:03}", STOCK)] for n in range(60)]
    return [*table, ["#end", 60]]


def as_csv(table: list[list[Any]], delimiter: str = ";") -> str:
    return "\n".join([*(delimiter.join(str(cell) for cell in row) for row in table), ""])


def as_json(made: Ground) -> bytes:
    rows = [{"article": row[0], "quantity": row[1]} for row in rows_of(made)[4:-1]]
    told = {"goodsOwner": OWNER, "cut": made.now.isoformat(), "rows": len(rows), "complete": True, "articles": rows}
    return json.dumps(told).encode()


async def deliver(made: Ground, path: Path, content: bytes, kind: str) -> tuple[int, bool]:
    """Put a file in the folder and have it taken: how many runs it led to, and whether it was refused."""
    path.write_bytes(content)  # noqa: ASYNC240
    await made.write(
        "update bridge.merchant_settings set settings = jsonb_set(settings, '{reconciliation,file_dialect}', cast(:d as jsonb))",
        d=json.dumps({"format": kind}),
    )
    await made.connections.aclose()
    owed = await made.ask(made.does.plan_reconciliation, Wish(MERCHANT, made.now, path.name, "file", None, str(path)))
    path.unlink()  # noqa: ASYNC240
    noted = "select 1 from bridge.exception where kind = 'stock-file' and document = :name and closed_at is null"
    refused = await made.read(noted, name=path.name)
    for each in owed:
        step = Step(MERCHANT, each.run_no, made.now)
        while not (await made.ask(made.does.compare_stock, step)).done:
            continue
        await made.ask(made.does.settle_differences, step)
        await made.ask(made.does.write_reconciliation_file, step)
    return len(owed), bool(refused)


async def prove(small: bool = False) -> Proof:
    """Point 3."""
    short: list[str] = []
    with tempfile.TemporaryDirectory(prefix="lagerbro-proof-") as folder:
        async with ground(None, None, looks_apart_hours=0, most_percent_of_stock_value=100) as made:
            await made.articles([f"A-{n:03}" for n in range(60)], STOCK)
            place = Path(folder)
            whole = {
                "csv": as_csv(rows_of(made)).encode(),
                "json": as_json(made),
                "xlsx": write_table(rows_of(made)),
            }
            cuts = refused = 0
            for kind, content in whole.items():
                for end in range(1, len(content) - 1, max(1, len(content) // (15 if small else 400))):
                    taken, no = await deliver(made, place / f"cut-{kind}-{end}", content[:end], kind)
                    cuts, refused = cuts + 1, refused + no
                    if taken:
                        short.append(f"{kind} cut at byte {end} of {len(content)} was taken")
            comma = as_csv(rows_of(made)).replace(";17", ";17,5").encode()
            wrong = {
                "decimal comma": comma,
                "another encoding": as_csv(rows_of(made)).replace("A-007", "Å-007").encode("cp1252"),
                "utf-16": as_csv(rows_of(made)).encode("utf-16"),
                "another delimiter": as_csv(rows_of(made), ",").encode(),
                "another merchant": as_csv(rows_of(made, OWNER + 1)).encode(),
                "a row twice": as_csv([*rows_of(made)[:5], *rows_of(made)[4:]]).encode(),
                "another format": as_json(made),
            }
            for name, content in wrong.items():
                taken, no = await deliver(made, place / "wrong.csv", content, "csv")
                if taken or not no:
                    short.append(f"{name}: taken")
            [(booked,)] = await made.read("select count(*) from erp.reconciliation_booking")
            if booked:
                short.append(f"{booked} bookings from files that cannot be believed")
            await made.stock(LOST)
            first = await deliver(made, place / "stock.csv", whole["csv"], "csv")
            found = {
                row.article_number: int(row.quantity)
                for row in await made.read("select article_number, quantity from erp.difference_part where why = 'unknown'")
            }
            if first != (1, False) or found != {number: left - STOCK for number, left in LOST.items()}:
                short.append(f"the whole file: {first}, found {found}")
            copies = [
                await deliver(made, place / "renamed.csv", whole["csv"], "csv"),
                await deliver(made, place / "stock.csv", whole["csv"].replace(b"\n", b"\r\n"), "csv"),
                await deliver(made, place / "stock.json", whole["json"], "json"),
                await deliver(made, place / "stock.xlsx", whole["xlsx"], "xlsx"),
            ]
            if any(copy != (0, False) for copy in copies):
                short.append(f"copies led to runs: {copies}")
            made.now += timedelta(hours=1)
            [(booked,)] = await made.read("select count(*) from erp.reconciliation_booking")
            if booked:
                short.append(f"{booked} bookings after one look")
    figure = (
        f"{refused} of {cuts} cuts refused, {len(wrong)} wrong files refused, {len(copies)} copies of a whole one did nothing"
    )
    return Proof("3", "delivered files", figure, tuple(short[:10]))


if __name__ == "__main__":
    proof = asyncio.run(prove("--small" in sys.argv))
    print(proof.line())
    sys.exit(0 if proof.ok else 1)
