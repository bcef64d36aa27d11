"""Point 1: PostgreSQL and Python round alike, a million cases: amounts, prices times quantities, rates, shares of a pool.

Every third case is made to end on half an öre, where two rules would part. A share of a pool divides, and PostgreSQL's division
keeps 16 digits unless it is told otherwise: the numerator is widened to 40 decimals first, and that is how SQL of ours must
divide amounts.

    python -m bench.prove_4.rounding [--small] [--postgres URL]
"""

import argparse
import asyncio
import random
import sys
from collections.abc import Iterator
from decimal import Decimal, localcontext
from typing import Any

import asyncpg

from bench.prove_1.proof import Proof
from bench.prove_1.stand import postgres
from domain.money import rounded

CASES, SMALL, BATCH = 1_000_000, 20_000, 10_000
D = Decimal

_SQL = """
    select n, case kind
        when 'amount' then round(a, places)
        when 'product' then round(a * b, places)
        when 'share' then round(a * b::numeric(60, 40) / c, places)
      end::text as found
    from unnest($1::int[], $2::text[], $3::numeric[], $4::numeric[], $5::numeric[], $6::int[]) as t(n, kind, a, b, c, places)
"""
Case = tuple[str, Decimal, Decimal, Decimal, int]


def cases(count: int, seed: int = 1) -> Iterator[Case]:
    """Kind, up to three numbers, and decimals: the shapes that the product rounds."""
    rng = random.Random(seed)
    for n in range(count):
        places = rng.choice([2, 2, 2, 2, 6, 4])
        half = D(rng.randrange(-(10**12), 10**12) * 2 + 1).scaleb(-places - 1) * 5
        match n % 3, rng.random() < 1 / 3:
            case 0, True:
                yield "amount", half, D(1), D(1), places
            case 0, False:
                yield "amount", D(rng.randrange(-(10**16), 10**16)).scaleb(-rng.randrange(9)), D(1), D(1), places
            case 1, True:
                yield "product", half * 4, D("0.25"), D(1), places
            case 1, False:
                price, quantity = D(rng.randrange(10**13)).scaleb(-6), D(rng.randrange(-(10**10), 10**10)).scaleb(-4)
                yield "product", price, quantity, D(1), places
            case _, True:
                pieces = D(rng.randrange(1, 10**9)).scaleb(-4)
                yield "share", half * 2, pieces, pieces * 2, places
            case _:
                whole = rng.randrange(1, 10**11)
                part = rng.randrange(1, whole + 1)
                yield "share", D(rng.randrange(-(10**13), 10**13)).scaleb(-2), D(part).scaleb(-4), D(whole).scaleb(-4), places


def in_python(case: Case) -> Decimal:
    """The case as the product computes it."""
    kind, a, b, c, places = case
    with localcontext() as context:
        context.prec = 60
        return rounded(a if kind == "amount" else a * b if kind == "product" else a * b / c, places)


async def differing(url: str, count: int) -> tuple[int, str]:
    """How many cases differ, and the first of them."""
    connection = await asyncpg.connect(url)
    try:
        wrong, example, batch = 0, "", list[Case]()
        for case in cases(count):
            batch.append(case)
            if len(batch) == BATCH:
                found, first = await _compare(connection, batch)
                wrong, example, batch = wrong + found, example or first, []
        if batch:
            found, first = await _compare(connection, batch)
            wrong, example = wrong + found, example or first
        return wrong, example
    finally:
        await connection.close()


async def _compare(connection: Any, batch: list[Case]) -> tuple[int, str]:
    kinds, firsts, seconds, thirds, places = (list(column) for column in zip(*batch, strict=True))
    rows = await connection.fetch(_SQL, list(range(len(batch))), kinds, firsts, seconds, thirds, places)
    wrong = [(batch[row["n"]], row["found"]) for row in rows if D(row["found"]) != in_python(batch[row["n"]])]
    return len(wrong), f"{wrong[0][0]}: PostgreSQL {wrong[0][1]}, Python {in_python(wrong[0][0])}" if wrong else ""


async def prove(small: bool, given: str | None) -> Proof:
    """No case differs."""
    count = SMALL if small else CASES
    async with postgres(given) as url:
        wrong, example = await differing(url, count)
    short = (f"{wrong} cases round otherwise: {example}",) if wrong else ()
    return Proof("1", "SQL rounds as Python", f"{wrong} of {count} cases differ", short)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", action="store_true", help="a small size")
    parser.add_argument("--postgres", help="superuser's address; without it a server of the proof's own is used")
    asked = parser.parse_args()
    proof = asyncio.run(prove(asked.small, asked.postgres))
    print(proof.line())
    return 0 if proof.ok else 1


if __name__ == "__main__":
    sys.exit(main())
