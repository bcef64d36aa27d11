"""All 720 orders of six events of one order, on the embedded stack, against a model that shares no code with the product.

python -m bench.prove_2.permutations               all of them
python -m bench.prove_2.permutations --sample 40   so many, evenly chosen

Each order meets its events one after the other; after each, both sides come to rest. At the end the warehouse, our books and
Fortnox are read and compared with `order_model`, figure by figure.
"""

import argparse
import asyncio
import itertools
import sys
import time
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from sqlalchemy.exc import DBAPIError

from bench.prove_1.proof import Proof
from bench.prove_1.retail_books import invoices_in_fortnox
from bench.prove_2.order_model import CHANGED_TO, COSTS, EVENTS, ORDERED, PICKS, PRICES, Expected, predict
from bench.prove_2.shop import Shop, open_shop, order
from starters.connect import GOODS_OWNER_ID, MERCHANT
from worker.temporal import connect

AT_ONCE = 24
ARTICLES = {1: "MUGG", 2: "FAT"}
REST_SECONDS = 90.0
LOOK_SECONDS = 0.4
NUDGE_SECONDS = 4.0
STATUSES = {300: "released", 320: "allocated", 400: "picked", 450: "sent", 1000: "cancelled"}

_REST = """
    select o.order_number as number, o.status, o.version, l.sent_version, l.confirmed, w.status as seen,
      o.cancel_requested_at is not null as asked, o.cancel_answer as answer,
      (select count(*) from bridge.outbox x
        where x.merchant_id = o.merchant_id and x.document = o.order_number and x.delivered_at is null) as untold,
      (select count(*) from bridge.inbox x
        where x.merchant_id = o.merchant_id and x.document = o.order_number and x.applied_at is null) as unheard,
      (select count(*) from erp.invoice_basis b
        where b.merchant_id = o.merchant_id and b.order_number = o.order_number and b.state = 'open') as unbilled,
      (select bool_and(p.ended_at is not null) from bridge.process p
        where p.merchant_id = o.merchant_id and p.document = o.order_number) as ended,
      (select coalesce(jsonb_object_agg(c.line_number, jsonb_build_array(c.booked, coalesce(c.reported_known, 0))), '{}')
        from bridge.counted c where c.merchant_id = w.merchant_id and c.doc_id = w.doc_id and c.line_number > 0) as counted
    from erp.sales_order o
    left join bridge.link l on l.merchant_id = o.merchant_id and l.kind = 'sales-order' and l.our_key = o.order_number
    left join bridge.watched w on w.merchant_id = o.merchant_id and w.document = o.order_number
    where o.merchant_id = :m and o.order_number = any(cast(:numbers as text[]))
"""
_ENDS = """
    select o.order_number as number, o.status, o.refused_part, o.cancel_answer,
      (select coalesce(jsonb_object_agg(s.line_number, s.quantity), '{}') from (
         select line_number, sum(quantity) as quantity from erp.shipment_line d
         where d.merchant_id = o.merchant_id and d.order_number = o.order_number group by 1) as s) as shipped,
      (select -coalesce(sum(e.value), 0) from erp.stock_entry e
        where e.merchant_id = o.merchant_id and e.document = 'sales-order/' || o.order_number) as cost,
      exists (select from bridge.exception x where x.merchant_id = o.merchant_id and x.document = o.order_number and x.blocking
                and x.closed_at is null) as blocked
    from erp.sales_order o where o.merchant_id = :m
"""


@dataclass(slots=True)
class Played:
    """One order: its events, and how many of them each side refused."""

    number: str
    events: tuple[str, ...]
    refused_by_warehouse: int = 0
    refused_by_erp: int = 0
    restless: list[str] = field(default_factory=list)


class Observer:
    """Reads for all who wait, in one question, and wakes the watcher where an order has to be found by it."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop
        self._waiting: dict[str, asyncio.Future[Any]] = {}

    async def state(self, number: str) -> Any:
        """Where our side stands with this order, read after this call."""
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting[number] = future
        return await future

    async def run(self) -> None:
        client = await connect(self._shop.settings)
        watch = client.get_workflow_handle(f"watch/{MERCHANT}")
        nudged = time.monotonic()
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            asked, self._waiting = self._waiting, {}
            if not asked:
                continue
            for row in await self._shop.read(_REST, numbers=list(asked)):
                asked[row.number].set_result(row)
            if time.monotonic() - nudged > NUDGE_SECONDS:
                await watch.signal("run_now")
                nudged = time.monotonic()


async def _play(shop: Shop, observer: Observer, gate: asyncio.Semaphore, played: Played) -> None:
    async with gate:
        lines = [(ARTICLES[n], ORDERED[n], PRICES[n]) for n in ORDERED]
        await shop.write(*order(played.number, lines))
        await _rest(shop, observer, played, "release")
        await shop.stock_there(list(ARTICLES.values()))
        for event in played.events:
            if event == "change":
                await _change(shop, played)
            elif event == "cancel":
                ask = "update erp.sales_order set cancel_requested_at = now() where merchant_id = :m and order_number = :n"
                await shop.write((ask, {"n": played.number}))
            elif event == "replay":
                await shop.control("POST", "webhooks/replay", {"goodsOwnerId": GOODS_OWNER_ID, "orderNumber": played.number})
            else:
                await _floor(shop, played, event)
            await _rest(shop, observer, played, event)


async def _change(shop: Shop, played: Played) -> None:
    address = (
        "update erp.sales_order set delivery_name = 'Ny Mottagare', delivery_address1 = 'Nygatan 2',"
        " delivery_post_code = '222 33', delivery_city = 'Nystad', delivery_country = 'SE'"
        " where merchant_id = :m and order_number = :n"
    )
    line = "update erp.sales_order_line set quantity = :q where merchant_id = :m and order_number = :n and line_number = :l"
    lines = [(line, {"n": played.number, "l": n, "q": q}) for n, q in CHANGED_TO.items() if q != ORDERED[n]]
    try:
        await shop.write((address, {"n": played.number}), *lines)
    except DBAPIError:
        played.refused_by_erp += 1


async def _floor(shop: Shop, played: Played, event: str) -> None:
    body: dict[str, Any] = {}
    if event in PICKS:
        body = {"lines": [{"rowNumber": str(n), "numberOfItems": str(quantity)} for n, quantity in PICKS[event].items()]}
    action = "pick" if event in PICKS else "send"
    answer = await shop.control("POST", f"orders/by-number/{GOODS_OWNER_ID}/{played.number}/{action}", body)
    if answer.status_code == 409:
        played.refused_by_warehouse += 1
    else:
        answer.raise_for_status()


async def _rest(shop: Shop, observer: Observer, played: Played, event: str) -> None:
    """Wait until both sides agree about this order and nothing is owed; two looks in a row must say so."""
    calm, why, until = 0, "", time.monotonic() + REST_SECONDS
    while calm < 2:
        ours = await observer.state(played.number)
        there = await shop.orders_there([played.number]) if _quiet(ours) else []
        why = _moving(ours, there)
        calm = 0 if why else calm + 1
        if time.monotonic() > until:
            played.restless.append(f"after {event} of {' - '.join(played.events)}: {why}")
            return


def _quiet(ours: Any) -> bool:
    told = not (ours.untold or ours.unheard or ours.unbilled) and ours.confirmed
    return bool(told) and (ours.sent_version == ours.version) and not (ours.asked and ours.answer is None)


def _moving(ours: Any, there: list[dict[str, Any]]) -> str:
    if not _quiet(ours):
        return f"our side moves: {dict(ours._mapping)}"
    [document] = there
    status = document["orderInfo"]["orderStatus"]["number"]
    lines = {
        row["rowNumber"]: [Decimal(str(row["pickedNumberOfItems"])), Decimal(str(row["reportedNumberOfItems"] or 0))]
        for row in document["orderLines"]
    }
    counted = {number: [Decimal(str(figure)) for figure in figures] for number, figures in ours.counted.items()}
    nothing = [Decimal(0), Decimal(0)]
    same = all(lines.get(n, nothing) == counted.get(n, nothing) for n in {*lines, *counted})
    if (status, same) != (ours.seen, True):
        return f"the warehouse shows {status} {lines}, our books {ours.seen} {counted}"
    if ours.ended != (status in (450, 1000)):
        return f"status {status} there, and the process has {'ended' if ours.ended else 'not ended'}"
    return ""


async def _judge(shop: Shop, all_played: list[Played]) -> list[str]:
    ends = {row.number: row for row in await shop.read(_ENDS)}
    invoices = await invoices_in_fortnox(shop.stack)
    there: dict[str, Any] = {}
    for at in range(0, len(all_played), 40):
        for document in await shop.orders_there([played.number for played in all_played[at : at + 40]]):
            there[document["orderInfo"]["orderNumber"]] = document
    short = []
    for played in all_played:
        expected = predict(played.events)
        found = _found(played, ends[played.number], there[played.number], invoices.get(played.number, []))
        differing = [
            f"{name} is {getattr(found, name)}, predicted {getattr(expected, name)}"
            for name in Expected.__dataclass_fields__
            if getattr(found, name) != getattr(expected, name)
        ]
        if len(invoices.get(played.number, [])) != (1 if expected.invoiced else 0):
            differing.append(f"{len(invoices.get(played.number, []))} invoices")
        if differing:
            short.append(f"{played.number} {' - '.join(played.events)}: {'; '.join(differing)}")
        short += played.restless
    return short


def _found(played: Played, end: Any, document: dict[str, Any], invoices: list[Decimal]) -> Expected:
    rows = {int(row["rowNumber"]): row for row in document["orderLines"]}
    return Expected(
        {n: Decimal(str(row["pickedNumberOfItems"])) for n, row in rows.items()},
        {n: Decimal(str(end.shipped.get(str(n), 0))) for n in rows},
        {n: Decimal(str(row["orderedNumberOfItems"])) for n, row in rows.items()},
        sum(invoices, Decimal(0)),
        end.cost,
        end.status,
        STATUSES[document["orderInfo"]["orderStatus"]["number"]],
        end.refused_part,
        end.cancel_answer,
        end.blocked,
        played.refused_by_warehouse,
        played.refused_by_erp,
    )


async def prove(sample: int | None = None) -> Proof:
    """Every permutation, or a sample of them, agrees with the model; `verify --online` is clean."""
    every = list(itertools.permutations(EVENTS))
    chosen = every if sample is None else every[:: max(1, len(every) // sample)][:sample]
    all_played = [Played(f"P-{at:03d}", events) for at, events in enumerate(chosen)]
    began = time.monotonic()
    async with open_shop({ARTICLES[n]: COSTS[n] for n in ARTICLES}, short_grace_seconds=0) as shop:
        observer = Observer(shop)
        gate = asyncio.Semaphore(AT_ONCE)
        async with asyncio.TaskGroup() as group:
            observing = group.create_task(observer.run())
            playing = [group.create_task(_play(shop, observer, gate, played)) for played in all_played]
            await asyncio.wait(playing)
            observing.cancel()
        short = await _judge(shop, all_played)
        short += await shop.unclean()
    refused = sum(played.refused_by_warehouse for played in all_played)
    by_erp = sum(played.refused_by_erp for played in all_played)
    figure = (
        f"{len(chosen)} of {len(every)} orders of six events played; {refused} steps refused by the warehouse, {by_erp} by the"
        f" ERP's own rules; {len(short)} disagree with the model; {time.monotonic() - began:.0f} s"
    )
    return Proof("2", "six events in every order", figure, tuple(short[:10]))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sample", type=int, help="so many of the 720, evenly chosen; all without it")
    proof = asyncio.run(prove(parser.parse_args().sample))
    print(proof.line())
    return 0 if proof.ok else 1


if __name__ == "__main__":
    sys.exit(main())
