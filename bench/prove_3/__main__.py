"""`make prove-3`: returns, credits and what happens after the end, one line for each point; exit code 1 where one falls short.

python -m bench.prove_3              all of it; takes an hour
python -m bench.prove_3 --only 1,4   these points
python -m bench.prove_3 --small      small sizes: does the proof itself work?
"""

import asyncio
import sys

from bench.proofs import Steps, run
from bench.prove_1.proof import Proof
from bench.prove_3 import histories, long_after, lost_credits, round_trip, sales_rules, table_histories


async def rules(small: bool) -> Proof:
    """Point 2 in memory, where 10 000 histories take seconds: goods."""
    return await asyncio.to_thread(histories.prove, 500 if small else histories.HISTORIES)


async def money(small: bool) -> Proof:
    """Point 2 in memory: invoices and credits."""
    return await asyncio.to_thread(sales_rules.prove, 500 if small else sales_rules.HISTORIES)


STEPS: Steps = {
    "1": [round_trip.prove],
    "2": [rules, money, table_histories.prove],
    "3": [lost_credits.prove],
    "4": [long_after.prove],
}

if __name__ == "__main__":
    sys.exit(run(__doc__, STEPS))
