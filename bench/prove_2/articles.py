"""Ten thousand changed articles: all right in the warehouse, one request for each version, and an urgent order hardly waits.

    python -m bench.prove_2.articles [--articles N]

The catalogue is loaded first (as one insert), then every article is changed, each in a transaction of its own as an ERP does it.
Some are changed twice while the first change is on its way. Orders are released before and in the middle of it, one of them with
an article that is itself waiting in the queue.
"""

import argparse
import asyncio
import json
import sys
import time
from typing import Any

from sqlalchemy import text

from bench.prove_1.proof import Proof
from bench.prove_2.ground import Ground, ground, until
from erp.articles import articles_due
from erp.database import rows
from starters.connect import GOODS_OWNER_ID, MERCHANT

MOST_DELAY = 5.0
PAGE = 1000
WRITERS = 4

_ADD = text(
    """
    insert into erp.article (merchant_id, article_number, name, weight, purchase_price)
    select :m, 'C-' || lpad(n::text, 6, '0'), 'Article ' || n, 0.1, 10 from generate_series(1, cast(:many as int)) as n
    """
)
_CHANGE = text("update erp.article set name = :name, weight = 0.2 where merchant_id = :m and article_number = :number")
_SENT_AT = "select count(*) from bridge.watched where merchant_id = :m and document = :n"


def number(n: int) -> str:
    return f"C-{n:06d}"


async def _in_step(made: Ground) -> bool:
    async with made.app.merchant(MERCHANT) as session:
        return (await articles_due(session, MERCHANT)).to_send == 0


async def _release(made: Ground, order: str, article: str) -> float:
    """Release an order as the ERP would; the seconds until the warehouse holds it and we know it."""
    insert = (
        "insert into erp.sales_order (merchant_id, order_number, delivery_name, delivery_address1, delivery_post_code,"
        " delivery_city, delivery_country) values (:m, :n, 'Bench', 'Gatan 1', '111 22', 'Stad', 'SE')"
    )
    line = (
        "insert into erp.sales_order_line (merchant_id, order_number, line_number, article_number, quantity, unit_price)"
        " values (:m, :n, 1, :a, 2, 10)"
    )
    async with made.erp.everyone() as session:
        await session.execute(text(insert), {"m": MERCHANT, "n": order})
        await session.execute(text(line), {"m": MERCHANT, "n": order, "a": article})
    began = time.monotonic()
    async with made.erp.everyone() as session:
        release = "update erp.sales_order set status = 'released' where merchant_id = :m and order_number = :n"
        await session.execute(text(release), {"m": MERCHANT, "n": order})

    async def held() -> bool:
        async with made.verify.everyone() as session:
            return bool((await rows(session, text(_SENT_AT), m=MERCHANT, n=order))[0][0])

    await until(held, f"order {order} is in the warehouse")
    return time.monotonic() - began


async def _change(made: Ground, numbers: list[int], name: str) -> None:
    for n in numbers:
        async with made.erp.everyone() as session:
            await session.execute(_CHANGE, {"m": MERCHANT, "number": number(n), "name": f"{name} {n}"})


async def _held(made: Ground) -> dict[str, tuple[str, str]]:
    """Name and weight of every article of ours in the warehouse, by the simulator's own API."""
    file = made.stack.home.folder / "demo-secrets.json"
    known = json.loads(await asyncio.to_thread(file.read_text, encoding="utf-8"))["ongoing_password"]
    found: dict[str, tuple[str, str]] = {}
    after = 0
    while True:
        answer = await made.http.get(
            f"{made.stack.addresses['ongoing']}/{MERCHANT}/api/v1/articles",
            params={"goodsOwnerId": GOODS_OWNER_ID, "articleSystemIdFrom": after, "maxArticlesToGet": PAGE},
            auth=("WSIdemo", known),
        )
        answer.raise_for_status()
        page = answer.json()
        found |= {each["articleNumber"]: (each["articleName"], str(each["weight"])) for each in page}
        if len(page) < PAGE:
            return found
        after = page[-1]["articleSystemId"] + 1


async def _puts(made: Ground) -> int:
    """How often an article was sent, by the simulator's own log."""
    since, found = 0, 0
    while page := await made.control("GET", f"log?route=PUT%20/articles&since={since}"):
        since, found = page[-1]["n"], found + len(page)
    return found


async def measure(articles: int = 10_000) -> dict[str, Any]:
    """All figures of one run."""
    async with ground() as made:
        calm = [await _release(made, f"CALM-{n}", "A1") for n in range(5)]
        async with made.erp.everyone() as session:
            await session.execute(_ADD, {"m": MERCHANT, "many": articles})
        began = time.monotonic()
        await until(lambda: _in_step(made), "the catalogue is loaded", 1800)
        loaded = time.monotonic() - began
        before = await _puts(made)
        twice = list(range(1, articles // 20 + 1))
        everything = list(range(1, articles + 1))
        began = time.monotonic()
        writing = [asyncio.create_task(_change(made, everything[w::WRITERS], "Changed")) for w in range(WRITERS)]
        delays = []
        for n in range(5):
            await asyncio.sleep(articles / 10_000)
            delays.append(await _release(made, f"URGENT-{n}", "A1" if n % 2 else number(articles - n)))
        await asyncio.gather(*writing)
        await _change(made, twice, "Changed again")
        await until(lambda: _in_step(made), "every change is sent", 1800)
        took = time.monotonic() - began
        held = await _held(made)
        again = set(twice)
        wrong = [n for n in everything if held.get(number(n)) != (f"{'Changed again' if n in again else 'Changed'} {n}", "0.2")]
        return {
            "articles": articles,
            "wrong": len(wrong),
            "requests": await _puts(made) - before,
            "versions": articles + len(twice),
            "loaded_seconds": loaded,
            "changed_seconds": took,
            "calm_seconds": max(calm),
            "urgent_seconds": max(delays),
        }


def judge(found: dict[str, Any]) -> Proof:
    """What is asked, beside what was found."""
    short = []
    if found["wrong"]:
        short.append(f"{found['wrong']} articles are not in the warehouse as the ERP has them")
    if found["requests"] > found["versions"]:
        short.append(f"{found['requests']} requests for {found['versions']} versions")
    if found["urgent_seconds"] - found["calm_seconds"] >= MOST_DELAY:
        short.append(f"an urgent order waited {found['urgent_seconds']:.1f} s, {found['calm_seconds']:.1f} s when it is calm")
    figure = (
        f"{found['articles']} changed, {found['wrong']} wrong, {found['requests']} requests for {found['versions']} versions in "
        f"{found['changed_seconds']:.0f} s (first load {found['loaded_seconds']:.0f} s); an urgent order meanwhile "
        f"{found['urgent_seconds']:.2f} s, calm {found['calm_seconds']:.2f} s"
    )
    return Proof("3", "articles in step", figure, tuple(short))


async def prove(small: bool) -> Proof:
    """Point 3 of the issue."""
    return judge(await measure(300 if small else 10_000))


def main() -> int:
    arguments = argparse.ArgumentParser(prog="python -m bench.prove_2.articles", description=(__doc__ or "").split("\n\n")[0])
    arguments.add_argument("--articles", type=int, default=10_000)
    proof = judge(asyncio.run(measure(arguments.parse_args().articles)))
    print(proof.line())
    return 0 if proof.ok else 1


if __name__ == "__main__":
    sys.exit(main())
