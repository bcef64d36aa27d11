"""Point 5, on real tables: the same model of a warehouse, read and booked by two workers through `erp.counters`.

Each worker has its own pool of connections. Time is real here, so the patience is short; looks are held back at random, their
commits repeated, broken off before they commit, and answered with figures that were true a moment ago. Judged by
`interleavings.wrong_bookings` from the rows of `bridge.booking`. The control ignores the fence.
"""

import asyncio
import random
import time
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import text

from bench.prove_1.interleavings import wrong_bookings
from bench.prove_1.proof import Proof
from bench.prove_1.stand import postgres, scratch_database
from erp import counters
from erp.counters import CountedLine, Look
from erp.database import Database, rows

MERCHANT = "proof"
PATIENCE = timedelta(milliseconds=60)
OLDEST_ANSWER_SECONDS = PATIENCE.total_seconds() / 3
AT_ONCE = 16
WORKERS = 2
LOOKS_AT_ONCE = 2
LINE_ID = 1
CONTROL_RUNS = 300
CONTROL_RUNS_AT_MOST = 1_500

_STEPS = text(
    """
    select doc_id, from_value, to_value from bridge.booking where merchant_id = :merchant and doc_id = any(:ids)
    order by doc_id, step
    """
)
_BOOKED = text("select doc_id, booked from bridge.counted where merchant_id = :merchant and doc_id = any(:ids)")


@dataclass(slots=True)
class Document:
    """One order in the warehouse with one line: what was picked of it, and since when."""

    doc_id: int
    history: list[tuple[float, Decimal]] = field(default_factory=lambda: [(time.monotonic(), Decimal(0))])

    @property
    def number(self) -> str:
        return f"SO-{self.doc_id}"

    def pick(self, value: Decimal) -> None:
        if value != self.history[-1][1]:
            self.history.append((time.monotonic(), value))

    def answer(self, rng: random.Random, old: bool) -> CountedLine:
        """What the warehouse says: the counter now, or one that was true a moment ago."""
        value = self.history[-1][1]
        if old:
            oldest = time.monotonic() - OLDEST_ANSWER_SECONDS
            until = [at for at, _ in self.history[1:]] + [time.monotonic()]
            value = rng.choice([v for (_, v), end in zip(self.history, until, strict=True) if end >= oldest])
        return CountedLine((self.doc_id, LINE_ID), 1, "A", Decimal(100), value, None, True, None)


class BrokenOff(Exception):
    """The worker died before its commit."""


async def interleave(workers: list[Database], doc_id: int, fenced: bool, gate: asyncio.Semaphore) -> tuple[Document, bool]:
    """One document, a warehouse and two workers, then calm. Returns the truth and whether no old answer was served."""
    rng = random.Random(doc_id)
    document = Document(doc_id)
    async with workers[0].merchant(MERCHANT) as session:
        await counters.watch(session, MERCHANT, document.number, doc_id, 1)
    only_up, old_answers = rng.random() < 0.3, rng.random() < 0.5
    at_work = [worker for worker in workers for _ in range(LOOKS_AT_ONCE)]
    seeds = [rng.random() for _ in at_work]
    async with gate:
        await asyncio.gather(
            _warehouse(random.Random(rng.random()), document, only_up),
            *(_worker(random.Random(seed), w, document, old_answers, fenced) for seed, w in zip(seeds, at_work, strict=True)),
        )
    for _ in range(4):
        await asyncio.sleep(PATIENCE.total_seconds() + 0.005)
        looks = await _begin(workers[0], document)
        await _book(workers[0], document, looks, document.answer(rng, False), True)
    return document, not old_answers


async def _warehouse(rng: random.Random, document: Document, only_up: bool) -> None:
    for _ in range(rng.randint(4, 14)):
        await asyncio.sleep(rng.choice([0, 0.003, 0.008, 0.02]))
        picked = document.history[-1][1]
        up = only_up or rng.random() < 0.5
        document.pick(picked + rng.randint(1, 3) if up else Decimal(rng.randint(0, int(picked))))


async def _worker(rng: random.Random, database: Database, document: Document, old_answers: bool, fenced: bool) -> None:
    for _ in range(rng.randint(2, 6)):
        await asyncio.sleep(rng.choice([0, 0.005]))
        looks = await _begin(database, document)
        await asyncio.sleep(rng.choice([0, 0, 0.01]))
        seen = document.answer(rng, old_answers and rng.random() < 0.5)
        await asyncio.sleep(rng.choice([0, 0.005, 0.02, 0.08]))
        fate = rng.random()
        try:
            await _book(database, document, looks, seen, fenced, broken_off=fate < 0.15)
        except BrokenOff:
            continue
        if fate > 0.7:
            await _book(database, document, looks, seen, fenced)  # the commit's answer was lost


async def _begin(database: Database, document: Document) -> list[Look]:
    async with database.merchant(MERCHANT) as session:
        return await counters.begin_look(session, MERCHANT, document.number)


async def _book(
    database: Database, document: Document, looks: list[Look], seen: CountedLine, fenced: bool, broken_off: bool = False
) -> None:
    async with database.merchant(MERCHANT) as session:
        watched = await counters.lock(session, MERCHANT, document.number, looks)
        if watched.outran and fenced:
            return
        plan = await counters.book(session, MERCHANT, watched, [seen], looks, PATIENCE)
        await counters.draw_fence(session, MERCHANT, document.number, plan.open_doubts, {document.doc_id: (300, None, False)})
        if broken_off:
            raise BrokenOff


async def run(server: str, runs: int, fenced: bool = True) -> tuple[int, int, str]:
    """So many documents. Returns how many were booked wrongly, how many bookings there were, and an example."""
    async with scratch_database(server) as scratch:
        erp, workers = Database(scratch.url("erp"), 1), [Database(scratch.url("app"), 10) for _ in range(WORKERS)]
        async with erp.everyone() as session:
            await session.execute(
                text("insert into erp.merchant (merchant_id, name) values (:merchant, 'Proof')"), {"merchant": MERCHANT}
            )
        gate = asyncio.Semaphore(AT_ONCE)
        documents = await asyncio.gather(*(interleave(workers, doc_id, fenced, gate) for doc_id in range(1, runs + 1)))
        result = await _judge(workers[0], documents)
        for database in (erp, *workers):
            await database.close()
    return result


async def _judge(database: Database, documents: list[tuple[Document, bool]]) -> tuple[int, int, str]:
    key: dict[str, Any] = {"merchant": MERCHANT, "ids": [document.doc_id for document, _ in documents]}
    async with database.merchant(MERCHANT) as session:
        booked = {row.doc_id: row.booked for row in await rows(session, _BOOKED, **key)}
        steps: dict[int, list[tuple[Decimal, Decimal]]] = {}
        for row in await rows(session, _STEPS, **key):
            steps.setdefault(row.doc_id, []).append((row.from_value, row.to_value))
    wrong, example = 0, ""
    for document, in_order in documents:
        of_it = steps.get(document.doc_id, [])
        history = [value for _, value in document.history]
        if found := wrong_bookings(of_it, history, booked[document.doc_id], in_order):
            wrong += 1
            example = example or f"document {document.doc_id}: {found[0]}; truth {_plain(history)}, steps {of_it}"
    return wrong, sum(len(of_it) for of_it in steps.values()), example


def _plain(history: list[Decimal]) -> str:
    return " ".join(str(value) for value in history)


async def prove(small: bool, server: str | None = None) -> Proof:
    """0 wrong bookings by the product's functions, and some when the fence is ignored."""
    runs = 200 if small else 2_000
    async with postgres(server) as address:
        wrong, bookings, example = await run(address, runs)
        control = control_runs = 0
        while not control and control_runs < CONTROL_RUNS_AT_MOST:
            control_runs += CONTROL_RUNS
            control += (await run(address, CONTROL_RUNS, fenced=False))[0]
    short = [f"booked wrongly: {example}"] if wrong else []
    if not bookings:
        short.append("nothing was booked at all")
    if not control:
        short.append("without the fence nothing goes wrong, so the proof proves nothing")
    figure = f"{wrong} of {runs} documents booked wrongly in {bookings} bookings by {WORKERS} workers"
    figure += f" (without the fence {control} of {control_runs})"
    return Proof("5b", "counters on PostgreSQL", figure, tuple(short))


if __name__ == "__main__":
    print(asyncio.run(prove(False)).line())
