"""Points 2 and 3: the retail file on the embedded stack, once in peace and once with everything killed again and again.

What Fortnox holds is read from the simulator by its own API and compared with `retail_oracle`, which shares no code with the
product. The two runs are compared with each other: quantities, invoices, amounts, and, since an opening cost is whole öre per
piece, the values too.
"""

import csv
from collections import Counter
from pathlib import Path

from bench.prove_1.killing import KINDS
from bench.prove_1.proof import Proof
from bench.prove_1.retail_oracle import Expected, expected
from bench.prove_1.retail_run import SEED, Run, run
from bench.prove_1.stand import RETAIL_FILE

KILLS_EACH = 20
CALM_MINUTES, KILLED_MINUTES = 20.0, 40.0
ORDERS_OF_THE_FILE = 424
LINES_OF_THE_FILE = 10_000
SMALL_ORDERS = 25


def against_the_file(done: Run, file: Path, full: bool) -> tuple[Expected, list[str]]:
    """What the run should have come to by the oracle, and where it did not."""
    whole = expected(file)
    listed = {item["row"] for item in done.imported["listed"]}
    due = whole.without(listed)
    short = []
    if done.imported["taken_lines"] + len(done.imported["listed"]) != whole.lines or done.imported["lines"] != whole.lines:
        short.append(f"{done.imported['taken_lines']} taken and {len(listed)} listed are not {whole.lines} lines")
    if sorted(done.imported["orders"]) != sorted(due.orders):
        short.append(f"{len(done.imported['orders'])} orders were taken, {len(due.orders)} are in the file")
    ended = Counter(done.books.statuses.values())
    if set(ended) - {"completed"}:
        short.append(f"not every order is completed: {dict(ended)}")
    if full:
        wanted = {number: sorted(nets) for number, nets in due.invoices().items()}
        wrong = sorted(n for n in {*wanted, *done.books.invoices} if wanted.get(n) != done.books.invoices.get(n))
        if wrong:
            short.append(
                f"invoices of {len(wrong)} orders differ from the file, {wrong[0]}: {done.books.invoices.get(wrong[0])}, "
                f"by the file {wanted.get(wrong[0])}"
            )
        if done.net != due.net:
            short.append(f"Fortnox's net is {done.net}, by the file {due.net}")
        short += _stock_against_the_file(done, due)
    return due, short


def _stock_against_the_file(done: Run, due: Expected) -> list[str]:
    costs = due.opening_costs()
    services = set(done.imported["service_articles"])
    wanted = {a: (q, q * costs[a]) for a, q in due.quantities().items() if a not in services}
    wrong = sorted(a for a in {*wanted, *done.books.issued} if wanted.get(a) != done.books.issued.get(a))
    if not wrong:
        return []
    return [f"{len(wrong)} articles were issued otherwise, {wrong[0]}: {done.books.issued.get(wrong[0])}, {wanted.get(wrong[0])}"]


def a_part_of(file: Path, orders: int, target: Path) -> Path:
    """The file's first orders, for a short run: whole orders, in the file's order."""
    with file.open(encoding="utf-8-sig", newline="") as source, target.open("w", encoding="utf-8", newline="") as copy:
        reader = csv.DictReader(source)
        writer = csv.DictWriter(copy, reader.fieldnames or [])
        writer.writeheader()
        seen: set[str] = set()
        for row in reader:
            seen.add(row["invoice_no"])
            if len(seen) > orders:
                break
            writer.writerow(row)
    return target


class Retail:
    """Both points; the calm run is kept for the comparison."""

    def __init__(self, small: bool, folder: Path) -> None:
        self._small = small
        self._file = a_part_of(RETAIL_FILE, SMALL_ORDERS, folder / "part.csv") if small else RETAIL_FILE
        self._calm: Run | None = None

    async def calm(self) -> Run:
        """The calm run, made once."""
        if self._calm is None:
            self._calm = await run(self._file, CALM_MINUTES)
        return self._calm

    async def prove_calm(self) -> Proof:
        """Point 2."""
        done = await self.calm()
        due, short = against_the_file(done, self._file, full=True)
        if not self._small and (due.lines, len(due.orders)) != (LINES_OF_THE_FILE, ORDERS_OF_THE_FILE):
            short.append(f"{due.lines} lines and {len(due.orders)} orders are not those of the issue")
        count = sum(len(nets) for nets in done.books.invoices.values())
        figure = (
            f"{done.imported['taken_lines']} taken + {len(done.imported['listed'])} listed = {due.lines} lines; "
            f"{len(due.orders)} orders, {count} invoices, net {done.net} (by the file {due.net}), verified online; "
            f"{done.seconds:.0f} s"
        )
        return Proof("2", "the retail file, end to end", figure, (*done.short, *short))

    async def prove_varied(self) -> Proof:
        """Point 2 again, with a warehouse that picks in two goes and short: verified, and never more than the file."""
        done = await run(self._file, CALM_MINUTES, style="varied")
        due, short = against_the_file(done, self._file, full=False)
        if not 0 < done.net <= due.net:
            short.append(f"net {done.net} is not within {due.net}")
        figure = f"{len(due.orders)} orders in part, in two goes and short; net {done.net} of {due.net}; {done.seconds:.0f} s"
        return Proof("2b", "the retail file, picked as it comes", figure, (*done.short, *short))

    async def prove_killed(self) -> Proof:
        """Point 3."""
        each = 2 if self._small else KILLS_EACH
        calm = await self.calm()
        done = await run(self._file, KILLED_MINUTES, kills=each)
        _, short = against_the_file(done, self._file, full=True)
        short += [f"{kind} was killed only {done.kills[kind]} times" for kind in KINDS if done.kills[kind] < each]
        short += [f"compared with the calm run, {text}" for text in calm.books.differences(done.books)]
        killed = ", ".join(f"{kind} {done.kills[kind]}" for kind in KINDS)
        figure = (
            f"killed -9: {killed} (seed {SEED}); {len(done.books.invoices)} orders, net {done.net}; "
            f"quantities, invoices and values compared with the calm run; {done.seconds:.0f} s"
        )
        return Proof("3", "the retail file under fire", figure, (*done.short, *short))
