"""Point 4: answers to invoice creation get lost, half of them with the request still on its way; each invoice is booked once.

Drives `activities.fortnox` against PostgreSQL and the simulated Fortnox over a socket. The loop that calls an activity again
stands in for Temporal's retries and keeps the pause that the activity asks for. Counted by the simulator's own log, judged by
the simulator's own state. Some late requests arrive after the settle time, when the invoice has been made again: such a
surplus draft must be cancelled, by the search before bookkeeping or by the nightly sweep, and listed.
"""

import asyncio
import tempfile
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import text
from temporalio.testing import ActivityEnvironment

from activities.errors import Waiting
from bench.prove_1.accounting import MERCHANT, TENANT_ID, Accounting, accounting, ship
from bench.prove_1.proof import Proof
from bench.prove_1.stand import postgres
from clients.errors import Unavailable
from domain.keys import BasisKey
from erp.database import rows

SETTLE_SECONDS = 9.0
DEADLINE_SECONDS = 4.0
LATE_SECONDS = 2.0
TOO_LATE_SECONDS = SETTLE_SECONDS + 4.0
WINDOW = (100, 0.05)
AT_ONCE = 150
ROUTE = "POST /3/invoices"
NEVER_SECONDS = 900.0

_BOOKED = text(
    """
    select b.reference, b.state, b.fortnox_invoice_number as number, b.fortnox_net as net, b.amount, c.state as call, c.attempt
    from erp.invoice_basis b join bridge.foreign_call c on c.merchant_id = b.merchant_id and c.business_key = b.reference
    where b.merchant_id = :merchant
    """
)
_SURPLUS = text("select their_id, business_key, state, fault from bridge.surplus_document where merchant_id = :merchant")


@dataclass(frozen=True, slots=True)
class Faults:
    """How many answers get lost: at once, with the request late, and with it later than the settle time."""

    lost: int
    late: int
    too_late: int

    @property
    def total(self) -> int:
        return self.lost + self.late + self.too_late


async def run(server: str, faults: Faults, invoices: int) -> tuple[str, list[str]]:
    """The whole of it: prepare, lose, invoice, sweep, judge. Returns the figure and what fell short."""
    with tempfile.TemporaryDirectory(prefix="lagerbro-proof-") as folder:
        async with accounting(server, Path(folder), WINDOW, SETTLE_SECONDS, DEADLINE_SECONDS) as stand:
            bases = await ship(stand, invoices, long_orders=2)
            await lose(stand, faults)
            began = time.monotonic()
            gate = asyncio.Semaphore(AT_ONCE)
            await asyncio.wait_for(asyncio.gather(*(_invoice(stand, gate, basis) for basis in bases)), NEVER_SECONDS)
            took = time.monotonic() - began
            await asyncio.sleep(TOO_LATE_SECONDS + 1)  # the last of the late ones has arrived by now
            swept = await sweep(stand)
            return await judge(stand, bases, faults, swept, took)


async def lose(stand: Accounting, faults: Faults) -> None:
    """From now on so many answers to creations get lost."""
    for name, kind, count, probability, parameters in (
        ("lost", "lost-answer", faults.lost, 0.5, {}),
        ("too-late", "late", faults.too_late, 0.7, {"seconds": TOO_LATE_SECONDS}),
        ("late", "late", faults.late, 1.0, {"seconds": LATE_SECONDS}),
    ):
        fault = {"id": name, "route": ROUTE, "kind": kind, "count": count, "probability": probability, "seed": 1}
        await stand.control("POST", "faults", fault | {"params": parameters})


async def _invoice(stand: Accounting, gate: asyncio.Semaphore, basis: BasisKey) -> None:
    """As Temporal would: call, and call again after the pause that was asked for."""
    async with gate:
        while True:
            try:
                await stand.fortnox.invoice_shipment(basis)
                return
            except Waiting as waiting:
                pause = waiting.seconds
            except Unavailable:
                pause = 0.5
            await asyncio.sleep(pause)


async def sweep(stand: Accounting) -> int:
    """The nightly search, until it finds nothing more."""
    found = 0
    while now := await ActivityEnvironment().run(stand.fortnox.sweep_surplus_invoices, MERCHANT):
        found += now
    return found


async def judge(stand: Accounting, bases: list[BasisKey], faults: Faults, swept: int, took: float) -> tuple[str, list[str]]:
    """What our books and the simulator's say about these invoices and credits: the figure, and what fell short."""
    fired = await stand.control("GET", "faults")
    log = await log_entries(stand, ROUTE)
    state = await stand.control("GET", f"state?tenantId={TENANT_ID}")
    async with stand.database.merchant(MERCHANT) as session:
        ours = {row.reference: row for row in await rows(session, _BOOKED, merchant=MERCHANT)}
        surplus = {int(row.their_id): row for row in await rows(session, _SURPLUS, merchant=MERCHANT)}
    theirs: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for invoice in state["invoices"]:
        theirs[invoice["reference1"]].append(invoice)

    lost = sum(1 for entry in log if entry["fault"] and not entry["late"])
    late = sum(1 for entry in log if entry["late"] and entry["applied"])
    short = []
    booked = 0
    if (lost, late) != (faults.total, faults.late + faults.too_late):
        short.append(
            f"the simulator's log has {lost} lost answers, {late} of them late; wanted were {faults.total} and half: {fired}"
        )
    if len(ours) != len(bases) or set(theirs) != set(ours):
        short.append(f"{len(bases)} invoices were due, {len(ours)} are in our books, {len(theirs)} references in Fortnox")
    for reference, row in ours.items():
        live = [invoice for invoice in theirs[reference] if not invoice["cancelled"]]
        booked += [invoice["booked"] for invoice in live] == [True]
        if [(i["number"], i["booked"]) for i in live] != [(row.number, True)] or row.state != "booked" or row.call != "done":
            short.append(f"{reference}: ours is {row.state} {row.number}, live in Fortnox are {live}")
    cancelled = {i["number"]: reference for reference, of_it in theirs.items() for i in of_it if i["cancelled"]}
    if {n: row.business_key for n, row in surplus.items() if row.state == "cancelled"} != cancelled or len(surplus) != len(
        cancelled
    ):
        short.append(f"{len(cancelled)} documents are cancelled in Fortnox, {len(surplus)} listed as surplus")
    if not surplus:
        short.append("no surplus draft was made, so none was seen to be cancelled")
    figure = (
        f"{lost} answers lost by the simulator's log, {late} of them late; {len(ours)} invoices, {booked} of them booked once; "
        f"{len(surplus)} surplus drafts cancelled and listed, {swept} of them by the sweep; "
        f"{took:.0f} s with a settle time of {SETTLE_SECONDS:g} s and a window of {WINDOW[0]} per {WINDOW[1]:g} s"
    )
    return figure, short[:10]


async def log_entries(stand: Accounting, route: str) -> list[dict[str, Any]]:
    """The simulator's request log of a route, all of it."""
    entries: list[dict[str, Any]] = []
    while True:
        since = entries[-1]["n"] if entries else 0
        answer = await stand.control("GET", f"log?since={since}&route={route}")
        page = answer["entries"] if isinstance(answer, dict) else answer
        if not page:
            return entries
        entries += page


async def prove(small: bool, server: str | None = None) -> Proof:
    """2 000 lost answers, half of them late."""
    faults = Faults(20, 16, 4) if small else Faults(1000, 900, 100)
    async with postgres(server) as address:
        figure, short = await run(address, faults, faults.total + (10 if small else 100))
    return Proof("4", "lost answers on invoice creation", figure, tuple(short))


if __name__ == "__main__":
    print(asyncio.run(prove(False)).line())
