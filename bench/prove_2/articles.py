"""Point 3: ten thousand changed articles, an urgent order in between, on the embedded stack.

A catalogue is loaded for the first time, then every article of it is changed: half in transactions of many, half in one of
their own, some again and again, some in their bar codes, translations and customs numbers. Meanwhile an urgent order comes
every second, each third with an article of its own that was changed the moment before. At the end the warehouse's own API is
compared with the ERP's rows, field by field, and the simulator's log says how often each article was sent: at most once for each
of its versions.

python -m bench.prove_2.articles [--articles N] [--json]
"""

import argparse
import asyncio
import json
import re
import statistics
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from sqlalchemy import text

from bench.prove_1.proof import Proof
from bench.prove_2.ground import ARTICLE, Ground, ground, until
from starters.connect import GOODS_OWNER_ID, MERCHANT

DELAY_SECONDS = 5.0
IN_ONE_TRANSACTION = 500
WRITERS = 3
IN_PARTS = 20
"""Of so many articles, one is changed in its bar codes, translations and customs numbers too."""
ONE_MORE_TIME = 10
"""Of so many articles, one is changed three times in all."""
PAGE = 1000
SIGNALS_A_SECOND = 6
PATIENCE_SECONDS = 3600.0
TOLD = re.compile(
    r'^service_requests\{(?=[^}]*operation="SignalWithStartWorkflowExecution")[^}]*service_name="frontend"[^}]*\} (\d+)',
    re.MULTILINE,
)

_INSERT = text(
    """
    insert into erp.article (merchant_id, article_number, name, weight, bar_code, customs_number, quantity_per_package)
    select :m, 'P-' || lpad(n::text, 6, '0'), 'Article ' || n, n / 1000.0, '73' || lpad(n::text, 11, '0'), '42022290', 1 + n % 20
    from generate_series(cast(:first as int), cast(:last as int)) as n
    """
)
_CHANGE = text(
    """
    update erp.article set name = name || ' (' || cast(:again as text) || ')', weight = weight + 0.5, bar_code = null,
      article_group = 'Group ' || right(article_number, 1), country_of_origin = 'SE'
    where merchant_id = :m and article_number = any(cast(:numbers as text[]))
    """
)
_PARTS = (
    text("insert into erp.article_translation (merchant_id, article_number, language, name) values (:m, :n, 'en', 'In English')"),
    text("insert into erp.article_bar_code (merchant_id, article_number, bar_code, quantity) values (:m, :n, 'ALT-' || :n, 6)"),
    text(
        "insert into erp.article_taric (merchant_id, article_number, country, taric_number) values (:m, :n, 'SE', '4202229000')"
    ),
)
_ORDER = text(
    """
    insert into erp.sales_order (merchant_id, order_number, delivery_name, delivery_address1, delivery_post_code, delivery_city,
      delivery_country) values (:m, :n, 'Bench', 'Gatan 1', '111 22', 'Stad', 'SE')
    """
)
_LINE = text(
    """
    insert into erp.sales_order_line (merchant_id, order_number, line_number, article_number, quantity, unit_price)
    values (:m, :n, 1, :a, 1, 10)
    """
)
_RELEASE = text("update erp.sales_order set status = 'released' where merchant_id = :m and order_number = :n")
_WANTED = """
    select a.article_number, a.name, a.weight, a.bar_code, a.customs_number, a.quantity_per_package, a.article_group,
      a.country_of_origin, a.version,
      (select array_agg(b.bar_code order by b.bar_code) from erp.article_bar_code b
        where b.merchant_id = a.merchant_id and b.article_number = a.article_number) as others,
      (select array_agg(t.country || t.taric_number order by t.country) from erp.article_taric t
        where t.merchant_id = a.merchant_id and t.article_number = a.article_number) as tarics
    from erp.article a where a.merchant_id = :m and a.article_number like 'P-%'
"""
_SENT = "select exists (select from bridge.link where merchant_id = :m and kind = 'sales-order' and our_key = :n and confirmed)"
_LEFT = "select count(*) as n from bridge.article_due where merchant_id = :m"


@dataclass
class Measured:
    """What came of it. Seconds of urgent orders are from their release to the warehouse's confirmed copy."""

    articles: int
    first_load_seconds: float = 0.0
    seconds: float = 0.0
    requests: int = 0
    versions: int = 0
    signals: int = 0
    calm: list[float] = field(default_factory=list)
    urgent: list[float] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    too_often: list[str] = field(default_factory=list)

    @property
    def delay(self) -> float:
        """How much longer the slowest urgent order took than orders do in peace."""
        return max(self.urgent, default=0.0) - statistics.median(self.calm)


async def measure(articles: int = 10_000) -> Measured:
    """The whole of it, on a stack of its own."""
    found = Measured(articles)
    numbers = [f"P-{n:06}" for n in range(1, articles + 1)]
    async with ground() as made:
        began = time.monotonic()
        for first in range(1, articles + 1, IN_ONE_TRANSACTION):
            last = min(first + IN_ONE_TRANSACTION - 1, articles)
            async with made.erp.everyone() as session:
                await session.execute(_INSERT, {"m": MERCHANT, "first": first, "last": last})
        await _all_sent(made)
        found.first_load_seconds = time.monotonic() - began
        found.wrong += await _wrong(made)
        for at in range(5):
            found.calm.append(await _urgent(made, f"CALM-{at}", ARTICLE))
            await asyncio.sleep(0.5)
        before = {row.article_number: row.version for row in await made.read(_WANTED)}
        since, signals = await _last_request(made), await _signals(made)
        began = time.monotonic()
        async with asyncio.TaskGroup() as group:
            group.create_task(_change(made, numbers))
            orders = group.create_task(_orders_meanwhile(made, numbers))
        found.urgent = orders.result()
        await _all_sent(made)
        found.seconds = time.monotonic() - began
        found.signals = await _signals(made) - signals
        found.wrong += await _wrong(made)
        now = {row.article_number: row.version for row in await made.read(_WANTED)}
        sent = await _requests(made, since)
        versions = {number: now[number] - before[number] for number in now}
        found.requests, found.versions = sum(sent.values()), sum(versions.values())
        found.too_often = [
            f"{number} was sent {times} times for {versions.get(number, 0)} versions"
            for number, times in sent.items()
            if times > versions.get(number, 0) and number.startswith("P-")
        ]
    return found


async def _change(made: Ground, numbers: list[str]) -> None:
    """The ERP's busy hour: every second article alone, by several at once, the rest in transactions of many; some in their parts,
    some three times."""
    alone, many = numbers[::2], numbers[1::2]

    async def one_by_one(mine: list[str]) -> None:
        for number in mine:
            async with made.erp.everyone() as session:
                await session.execute(_CHANGE, {"m": MERCHANT, "numbers": [number], "again": "alone"})

    async def together() -> None:
        for first in range(0, len(many), IN_ONE_TRANSACTION):
            part = {"numbers": many[first : first + IN_ONE_TRANSACTION], "again": "together"}
            async with made.erp.everyone() as session:
                await session.execute(_CHANGE, {"m": MERCHANT} | part)

    await asyncio.gather(together(), *(one_by_one(alone[writer::WRITERS]) for writer in range(WRITERS)))
    for number in numbers[::IN_PARTS]:
        async with made.erp.everyone() as session:
            for statement in _PARTS:
                await session.execute(statement, {"m": MERCHANT, "n": number})
    for again in ("second", "third"):
        async with made.erp.everyone() as session:
            await session.execute(_CHANGE, {"m": MERCHANT, "numbers": numbers[::ONE_MORE_TIME], "again": again})


async def _orders_meanwhile(made: Ground, numbers: list[str]) -> list[float]:
    """An urgent order each second until everything is sent, ten at least."""
    seconds: list[float] = []
    while (left := (await made.read(_LEFT))[0].n) or len(seconds) < 10:
        number = ARTICLE
        if len(seconds) % 3 == 2 and left:
            number = numbers[-1 - len(seconds)]
            async with made.erp.everyone() as session:
                await session.execute(_CHANGE, {"m": MERCHANT, "numbers": [number], "again": "urgent"})
        seconds.append(await _urgent(made, f"URGENT-{len(seconds)}", number))
        await asyncio.sleep(1.0)
    return seconds


async def _urgent(made: Ground, number: str, article: str) -> float:
    async with made.erp.everyone() as session:
        await session.execute(_ORDER, {"m": MERCHANT, "n": number})
        await session.execute(_LINE, {"m": MERCHANT, "n": number, "a": article})
    began = time.monotonic()
    async with made.erp.everyone() as session:
        await session.execute(_RELEASE, {"m": MERCHANT, "n": number})
    await until(lambda: made.is_so(_SENT, n=number), f"order {number} is at the warehouse")
    return time.monotonic() - began


async def _all_sent(made: Ground) -> None:
    async def sent() -> bool:
        await asyncio.sleep(0.2)
        return not (await made.read(_LEFT))[0].n

    await until(sent, "every article is sent", PATIENCE_SECONDS)


async def _signals(made: Ground) -> int:
    """How often the article process was begun or told, by the Temporal server's own figures, which lag a little."""
    await asyncio.sleep(2)
    return sum(int(figure) for figure in TOLD.findall((await made.http.get(made.stack.addresses["metrics"])).text))


async def _last_request(made: Ground) -> int:
    since = 0
    while page := await made.control("GET", f"log?since={since}&limit=10000"):
        since = page[-1]["n"]
    return since


async def _requests(made: Ground, since: int) -> Counter[str]:
    """How often each article was written, by the simulator's own log."""
    found: Counter[str] = Counter()
    while page := await made.control("GET", f"log?since={since}&route=PUT%20/articles&limit=10000"):
        found.update(entry["written"]["number"] for entry in page if entry["written"])
        since = page[-1]["n"]
    return found


async def _wrong(made: Ground) -> list[str]:
    """Where the warehouse's own API and the ERP's rows differ."""
    password = json.loads((made.stack.home.folder / "demo-secrets.json").read_text(encoding="utf-8"))["ongoing_password"]
    address = f"{made.stack.addresses['ongoing']}/{MERCHANT}/api/v1/articles"
    there: dict[str, Any] = {}
    cursor = 0
    while True:
        asked = {"goodsOwnerId": GOODS_OWNER_ID, "articleSystemIdFrom": cursor, "maxArticlesToGet": PAGE}
        answer = await made.http.get(address, params=asked, auth=("WSIdemo", password))
        page = json.loads(answer.raise_for_status().content, parse_float=Decimal)
        if not page:
            break
        there |= {article["articleNumber"]: article for article in page}
        cursor = page[-1]["articleSystemId"] + 1
    wrong = []
    for row in await made.read(_WANTED):
        shown = _shown(there[row.article_number]) if row.article_number in there else None
        wanted = (
            row.name,
            row.weight,
            row.bar_code,
            row.customs_number,
            row.quantity_per_package,
            row.article_group,
            row.country_of_origin,
            row.others or [],
            row.tarics or [],
        )
        if shown != wanted:
            wrong.append(f"{row.article_number}: the ERP has {wanted}, the warehouse {shown}")
    return wrong


def _shown(article: dict[str, Any]) -> tuple[Any, ...]:
    codes, tarics = article["barCodeInfo"] or {}, (article["taricNumbersInfo"] or {}).get("taricNumbers")
    return (
        article["articleName"],
        article["weight"],
        codes.get("barCode"),
        article["statisticsNumber"],
        article["quantityPerPackage"],
        (article["articleGroup"] or {}).get("code"),
        article["countryOfOriginCode"],
        sorted(other["barCode"] for other in codes.get("alternativeBarCodes") or []),
        sorted(taric["countryCode"] + taric["taricNumber"] for taric in tarics or []),
    )


def judge(found: Measured) -> Proof:
    """What falls short: an article that is not right, one that was sent too often, an order that waited."""
    short = [f"not right in the warehouse: {text}" for text in found.wrong[:3]]
    short += found.too_often[:3]
    if found.requests > found.versions:
        short.append(f"{found.requests} requests for {found.versions} versions")
    if found.delay >= DELAY_SECONDS:
        short.append(f"an urgent order was delayed by {found.delay:.2f} s, under {DELAY_SECONDS:g} s is asked")
    if found.signals > 20 + SIGNALS_A_SECOND * found.seconds:
        short.append(f"{found.signals} signals in {found.seconds:.0f} s: the changes are not gathered")
    figure = (
        f"{found.articles} articles loaded in {found.first_load_seconds:.0f} s; all changed, and right {found.seconds:.0f} s "
        f"after the first change; {found.requests} requests for {found.versions} versions, {found.signals} signals; "
        f"{len(found.urgent)} urgent orders meanwhile: median {statistics.median(found.urgent):.2f} s, slowest "
        f"{max(found.urgent):.2f} s, calm {statistics.median(found.calm):.2f} s"
    )
    return Proof("3", "changed articles", figure, tuple(short))


async def prove(small: bool, articles: int = 10_000) -> Proof:
    """The point, or a small variant of it."""
    return judge(await measure(300 if small else articles))


def main() -> int:
    arguments = argparse.ArgumentParser(prog="python -m bench.prove_2.articles", description=(__doc__ or "").split("\n\n")[0])
    arguments.add_argument("--articles", type=int, default=10_000, help="how many articles are loaded and changed")
    arguments.add_argument("--json", action="store_true")
    asked = arguments.parse_args()
    found = asyncio.run(measure(asked.articles))
    proof = judge(found)
    told = {"figure": proof.figure, "short": proof.short, "calm": found.calm, "urgent": found.urgent}
    print(json.dumps(told, indent=2) if asked.json else proof.line())
    return 0 if proof.ok else 1


if __name__ == "__main__":
    sys.exit(main())
