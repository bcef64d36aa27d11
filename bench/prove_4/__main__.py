"""`make prove-4`: from purchase to stock value, one line for each point; exit code 1 where one falls short.

python -m bench.prove_4              all of it; takes the better part of an hour
python -m bench.prove_4 --only 1,4   these points
python -m bench.prove_4 --small      small sizes: does the proof itself work?

The worked tables of point 1 are tests (tests/domain).
"""

import asyncio
import importlib
import sys

from bench.proofs import Steps, run
from bench.prove_1.proof import Proof
from bench.prove_4 import as_of, histories, killing_purchases, lost_vouchers, rounding


async def replays(small: bool) -> Proof:
    return await asyncio.to_thread(histories.prove, small)


async def rounds_alike(small: bool) -> Proof:
    return await rounding.prove(small, None)


async def in_euro(small: bool) -> Proof:
    found: Proof = await importlib.import_module("bench.prove_4.purchase_in_euro").prove(small)
    return found


STEPS: Steps = {
    "1": [replays, rounds_alike],
    "2": [in_euro],
    "3": [killing_purchases.prove],
    "4": [lost_vouchers.prove],
    "5": [as_of.prove],
}

if __name__ == "__main__":
    sys.exit(run(__doc__, STEPS))
