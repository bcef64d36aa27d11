"""Point 1: an order in two shipments comes back in three returns; invoices and credits sum to zero, stock and cost are back.

python -m bench.prove_3.round_trip
"""

import asyncio
import sys

from bench.prove_1.proof import Proof
from bench.prove_3.ground import ground
from tests.activities import returning


async def prove(small: bool, server: str | None = None) -> Proof:
    """3 + 2 pieces with 10 % discount and 49 kr freight."""
    short: list[str] = []
    async with ground(server) as at:
        shop = await at.shop()
        try:
            await returning.round_trip(shop)
        except AssertionError as differs:
            short.append(f"not back to the öre: {differs}")
        await shop.look()  # the order was told to have come back
        documents = await shop.invoices()
        sums = await returning.sums(shop)
        short += await at.unclean()
    credits = sum(1 for each in documents if each["credit"])
    figure = f"{len(documents) - credits} invoices and {credits} credits; net, VAT and gross {', '.join(map(str, sums))}"
    if any(sums):
        short.append("they do not sum to zero")
    return Proof("1", "an order and its returns sum to zero", figure, tuple(short))


if __name__ == "__main__":
    proof = asyncio.run(prove("--small" in sys.argv))
    print(proof.line())
    sys.exit(0 if proof.ok else 1)
