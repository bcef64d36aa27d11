"""What the retail file must come to in Fortnox, computed from the file alone.

Shares no code with the product, on purpose: only the standard library is imported, and the rules are written down a second
time, from the issue and the data's README. Prints its totals: `python -m bench.prove_1.retail_oracle FILE.csv`.
"""

import csv
import sys
from collections import defaultdict
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

ROWS_PER_INVOICE = 500


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the file that is an order line: its row in the file (the header is row 1), and what it must cost."""

    row: int
    article: str
    quantity: Decimal
    price: Decimal
    net: Decimal


@dataclass(slots=True)
class Expected:
    """Order lines by order, in the file's order, and how many lines the file has in all."""

    lines: int = 0
    orders: dict[str, list[Row]] = field(default_factory=lambda: defaultdict(list))

    @property
    def taken(self) -> int:
        return sum(len(rows) for rows in self.orders.values())

    @property
    def net(self) -> Decimal:
        return sum((row.net for rows in self.orders.values() for row in rows), Decimal(0))

    def without(self, listed: set[int]) -> "Expected":
        """The same less the rows of the file that were listed instead of taken."""
        left: dict[str, list[Row]] = defaultdict(list)
        for number, rows in self.orders.items():
            if kept := [row for row in rows if row.row not in listed]:
                left[number] = kept
        return Expected(self.lines, left)

    def invoices(self) -> dict[str, list[Decimal]]:
        """Net of each invoice of each order, when an order is delivered in one go: 500 rows to an invoice."""
        return {
            number: [
                sum((row.net for row in rows[at : at + ROWS_PER_INVOICE]), Decimal(0))
                for at in range(0, len(rows), ROWS_PER_INVOICE)
            ]
            for number, rows in self.orders.items()
        }

    def quantities(self) -> dict[str, Decimal]:
        """Pieces of each article over all orders, services too."""
        sums: dict[str, Decimal] = defaultdict(Decimal)
        for rows in self.orders.values():
            for row in rows:
                sums[row.article] += row.quantity
        return dict(sums)

    def opening_costs(self) -> dict[str, Decimal]:
        """What `--with-stock` says a piece costs: half of the article's highest price, in whole öre, one at least."""
        highest: dict[str, Decimal] = defaultdict(Decimal)
        for rows in self.orders.values():
            for row in rows:
                highest[row.article] = max(highest[row.article], row.price)
        least = Decimal("0.01")
        return {a: max((p / 2).quantize(least, rounding=ROUND_HALF_UP), least) for a, p in highest.items()}


def expected(file: Path) -> Expected:
    """Read the file: a line is an order line unless it is a cancellation or has no quantity or price above 0."""
    result = Expected()
    with file.open(encoding="utf-8-sig", newline="") as stream:
        for number, row in enumerate(csv.DictReader(stream), start=2):
            result.lines += 1
            quantity, price = Decimal(row["quantity"]), Decimal(row["unit_price_gbp"])
            if row["invoice_no"].strip().upper().startswith("C") or quantity <= 0 or price <= 0:
                continue
            net = (quantity * price).quantize(Decimal("0.01"), rounding=ROUND_HALF_UP)
            result.orders[row["invoice_no"].strip()].append(Row(number, row["stock_code"].strip(), quantity, price, net))
    return result


if __name__ == "__main__":
    found = expected(Path(sys.argv[1]))
    print(f"{found.lines} lines, {found.taken} taken in {len(found.orders)} orders, net {found.net}")
