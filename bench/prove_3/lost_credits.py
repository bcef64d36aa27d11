"""Point 3: answers to the creation of credits get lost, some with the request still on its way; each credit is booked once.

python -m bench.prove_3.lost_credits [--small]

Orders are shipped and invoiced in peace, then what was invoiced is credited while the answers get lost. Two thirds of the credits
are decisions, which no webhook tells of. The rest are goods that came back to the warehouse with every webhook dropped: the
watcher finds them, and their returns credit them. Judged as in `prove_1.lost_answers`: by the simulator's log and state.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

from sqlalchemy import text

from activities.errors import Waiting
from bench.prove_1.accounting import MERCHANT, Accounting, accounting, ship
from bench.prove_1.lost_answers import (
    DEADLINE_SECONDS,
    SETTLE_SECONDS,
    TOO_LATE_SECONDS,
    WINDOW,
    Faults,
    judge,
    lose,
    sweep,
)
from bench.prove_1.proof import Proof
from bench.prove_1.stand import postgres
from bench.prove_3.dropped import gate_of_returns
from clients.errors import Unavailable
from domain.crediting import credit_bases
from domain.keys import BasisKey, OrderKey, ReturnKey
from erp import returns
from erp.database import Database
from erp.merchants import load_merchant
from erp.orders import load_order, lock_order

AT_ONCE = 150


async def run(server: str, faults: Faults) -> tuple[str, list[str]]:
    """Ship, invoice, take back, lose, credit, sweep, judge."""
    with tempfile.TemporaryDirectory(prefix="lagerbro-proof-") as folder:
        async with (
            accounting(server, Path(folder), WINDOW, SETTLE_SECONDS, DEADLINE_SECONDS) as stand,
            gate_of_returns(stand, Path(folder)) as at,
        ):
            orders = faults.total + 20
            invoices = await ship(stand, orders - orders // 3)
            gate = asyncio.Semaphore(AT_ONCE)
            await asyncio.gather(*(_bring(stand, gate, basis) for basis in invoices))
            credits = await _decide(stand, sorted({basis.order for basis in invoices}))
            sold = await at.sell(orders // 3)
            await asyncio.gather(*(_bring(stand, gate, basis) for basis in sold))
            found, dropped = await at.take_back(sorted({basis.order for basis in sold}))
            invoices, credits = invoices + sold, credits + found
            await lose(stand, faults)
            began = time.monotonic()
            await asyncio.gather(*(_bring(stand, gate, basis) for basis in credits))
            took = time.monotonic() - began
            await asyncio.sleep(TOO_LATE_SECONDS + 1)
            figure, short = await judge(stand, invoices + credits, faults, await sweep(stand), took)
            if len(found) != orders // 3 or dropped < len(found) or await at.delivered():
                short.append(f"{len(found)} returns of {orders // 3} were found; {dropped} webhooks dropped, some delivered")
            return f"{len(found)} returns with {dropped} webhooks dropped, {len(credits)} credits; {figure}", short


async def _decide(stand: Accounting, orders: list[str]) -> list[BasisKey]:
    """For each order a decision to credit one piece of every line, written as the ERP writes it; returns the credits to make."""
    erp = Database(stand.scratch.url("erp"), pool_size=1)
    credits: list[BasisKey] = []
    for order in orders:
        key = ReturnKey(MERCHANT, f"K-{order}")
        async with stand.database.merchant(MERCHANT) as session:
            lines = [line.line_number for line in (await load_order(session, OrderKey(MERCHANT, order))).lines]
        async with erp.everyone() as session:
            values = {"m": MERCHANT, "n": key.number, "o": order}
            await session.execute(
                text(
                    "insert into erp.return_order"
                    " (merchant_id, return_number, order_number, origin, status, decided_by, decision)"
                    " values (:m, :n, :o, 'credit', 'announced', 'proof', 'one piece of each line')"
                ),
                values,
            )
            await session.execute(
                text(
                    "insert into erp.return_order_line (merchant_id, return_number, line_number, quantity) values (:m, :n, :l, 1)"
                ),
                [values | {"l": line} for line in lines],
            )
        async with stand.database.merchant(MERCHANT) as session:
            merchant = await load_merchant(session, MERCHANT)
            await lock_order(session, OrderKey(MERCHANT, order))
            document = await returns.load_return(session, MERCHANT, key.number)
            what = await returns.sale(session, MERCHANT, order)
            for credit in credit_bases(what.invoices, dict.fromkeys(lines, Decimal(1)), None, True):
                await returns.write_credit(session, merchant, document, what, credit, merchant.day_of(datetime.now(UTC)))
            credits += (await returns.return_state(session, key, 0)).to_credit
    await erp.close()
    return credits


async def _bring(stand: Accounting, gate: asyncio.Semaphore, basis: BasisKey) -> None:
    """As Temporal would: call, and call again after the pause that was asked for."""
    async with gate:
        while True:
            try:
                await (stand.fortnox.credit_return(basis) if basis.return_number else stand.fortnox.invoice_shipment(basis))
                return
            except Waiting as waiting:
                pause = waiting.seconds
            except Unavailable:
                pause = 0.5
            await asyncio.sleep(pause)


async def prove(small: bool, server: str | None = None) -> Proof:
    """500 lost answers, half of them late."""
    faults = Faults(15, 12, 3) if small else Faults(250, 220, 30)
    async with postgres(server) as address:
        figure, short = await run(address, faults)
    return Proof("3", "lost answers on credits", figure, tuple(short))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", action="store_true", help="30 instead of 500")
    proof = asyncio.run(prove(parser.parse_args().small))
    print(proof.line())
    sys.exit(0 if proof.ok else 1)
