"""A million articles: little more time than reading both sides and doing nothing, and no more memory than for fifty thousand.

    python -m bench.prove_5.volume [--articles N]

The warehouse's file and our tables are filled directly. In one run and in turn: the pages are fetched and parsed and our balances
read, with nothing done; then the same is compared. Peak memory is of a process of its own for each size.
"""

import argparse
import asyncio
import json
import resource
import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncpg
from sqlalchemy import make_url

from bench.prove_1.proof import Proof
from bench.prove_5.ground import MERCHANT, OWNER, Ground, ground
from simulators.ongoing.store import open_store

MOST_TIME, MOST_MEMORY = 1.5, 1.1
PAGE = 1000
PLANTED = 40
FIRST_ID = 5001


def fill_warehouse(path: Path, articles: int) -> None:
    """A warehouse that has these articles, 100 of each, written straight into its file; a few have 99."""
    db = open_store(path)
    db.execute("BEGIN")
    db.executemany(
        "INSERT INTO article (id, goods_owner, number, document, name, is_stock, is_obsolete, valuation, data_updated_at,"
        " rendered, in_order, in_purchase) VALUES (?, ?, ?, '{}', ?, 1, 0, '0', 0, '', '', '')",
        ((FIRST_ID + n, OWNER, f"A-{n:07}", f"Article {n}") for n in range(articles)),
    )
    every = max(1, articles // PLANTED)
    db.executemany(
        "INSERT INTO stock (article_id, warehouse_id, physical, changed_at) VALUES (?, 1, ?, 0)",
        ((FIRST_ID + n, (99 if n % every == 0 else 100) * 100_000_000) for n in range(articles)),
    )
    db.execute("COMMIT")
    db.close()


async def fill_books(made: Ground, articles: int) -> None:
    """Our side of the same articles: 100 of each."""
    span = f"generate_series(0, {articles - 1}) as n"
    number = "'A-' || lpad(n::text, 7, '0')"
    await made.write(
        f"insert into erp.article (merchant_id, article_number, name) select '{MERCHANT}', {number}, 'x' from {span}"
    )
    await made.write(
        "insert into erp.stock_balance (merchant_id, article_number, warehouse, quantity, value)"
        f" select '{MERCHANT}', {number}, 'MAIN', 100, 1000 from {span}"
    )
    await made.write(
        "insert into bridge.link (merchant_id, system, kind, our_key, their_id, confirmed)"
        f" select '{MERCHANT}', 'ongoing', 'article', {number}, (n + {FIRST_ID})::text, true from {span}"
    )
    for table in ("erp.article", "erp.stock_balance", "bridge.link"):
        await made.write(f"analyze {table}")


async def nothing_done(made: Ground) -> float:
    """Seconds to fetch and parse every page and to read every balance, and do nothing with them."""
    began = time.monotonic()
    count = 0
    async with made.connections.using(MERCHANT) as (_, client):
        async for page in client.inventory_per_warehouse(page_size=PAGE):
            count += len(page)
    url = make_url(made.scratch.url("app")).set(drivername="postgresql").render_as_string(hide_password=False)
    connection = await asyncpg.connect(url)
    async with connection.transaction():
        await connection.execute(f"select set_config('lagerbro.merchant', '{MERCHANT}', true)")
        statement = "select article_number, warehouse, quantity, value from erp.stock_balance where merchant_id = $1"
        async for _row in connection.cursor(statement, MERCHANT, prefetch=PAGE):
            count += 1
    await connection.close()
    return time.monotonic() - began


async def measure(articles: int, rounds: int) -> dict[str, Any]:
    """Both times, in turn, the best of each, and the peak memory of this process."""
    with tempfile.TemporaryDirectory(prefix="lagerbro-proof-") as folder:
        data = Path(folder) / "ongoing.db"
        await _elsewhere("--fill", str(data), "--articles", str(articles))
        async with ground(None, data, page_size=PAGE, most_percent_of_stock_value=100) as made:
            await fill_books(made, articles)
            plain, compared, found = [], [], 0
            for _ in range(rounds):
                plain.append(await nothing_done(made))
                began = time.monotonic()
                run, _, _ = await made.run(timedelta(days=1))
                compared.append(time.monotonic() - began)
                [(found,)] = await made.read(
                    "select count(*) from erp.difference where run_no = :r and comparison = 'physical'", r=run
                )
            [(read,)] = await made.read("select articles_read from erp.reconciliation_run where run_no = :r", r=run)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    return {"articles": articles, "read": read, "found": found, "nothing": plain, "compared": compared, "peak_mb": peak}


async def _elsewhere(*words: str) -> bytes:
    """This module with other words, in a process of its own: what it needs of memory is not ours."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.prove_5.volume", *words, stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate()
    if process.returncode:
        raise RuntimeError(f"{' '.join(words)} broke down")
    return out


async def alone(articles: int, rounds: int) -> dict[str, Any]:
    """The measurement in a process of its own."""
    measured: dict[str, Any] = json.loads(await _elsewhere("--one", str(articles), "--rounds", str(rounds)))
    return measured


async def prove(small: bool = False, articles: int | None = None) -> Proof:
    """Point 4."""
    many = articles or (20_000 if small else 1_000_000)
    few = min(50_000, max(5_000, many // 4))
    less, more = await alone(few, 1), await alone(many, 2)
    ratio = min(more["compared"]) / min(more["nothing"])
    memory = more["peak_mb"] / less["peak_mb"]
    short = []
    if more["read"] != many or more["found"] not in (PLANTED, PLANTED + 1):
        short.append(f"read {more['read']} of {many}, found {more['found']} of {PLANTED} planted")
    if ratio > MOST_TIME:
        short.append(f"{ratio:.2f} times the time of doing nothing, more than {MOST_TIME}")
    if memory > MOST_MEMORY:
        short.append(f"{memory:.2f} times the memory of {few} articles, more than {MOST_MEMORY}")
    figure = (
        f"{many} articles in {min(more['compared']):.1f} s, {ratio:.2f} times reading both sides and doing nothing ("
        f"{min(more['nothing']):.1f} s); peak {more['peak_mb']} MB, {memory:.2f} times that of {few} articles"
        f" ({less['peak_mb']} MB)"
    )
    return Proof("4", "volume", figure, tuple(short))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--articles", type=int, help="how many")
    parser.add_argument("--fill", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--rounds", type=int, default=1, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.fill:
        fill_warehouse(given.fill, given.articles)
        return 0
    if given.one:
        print(json.dumps(asyncio.run(measure(given.one, given.rounds))))
        return 0
    proof = asyncio.run(prove(articles=given.articles))
    print(proof.line())
    return 0 if proof.ok else 1


if __name__ == "__main__":
    sys.exit(main())
