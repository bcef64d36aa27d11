"""Point 2, the rules of money: random histories of shipments, un-picks, returns and credits against `sales_model`, in memory.

python -m bench.prove_3.sales_rules [N]

`domain/` is driven as the activities drive it, without tables: thousands of orders in seconds. Every document must be the
model's, and once everything is credited, freight too, the order must be zero in net, VAT and gross.
"""

import sys
import time
from dataclasses import replace
from decimal import Decimal
from random import Random

from bench.prove_1.proof import Proof
from bench.prove_3.sales_model import Line, Order, Shelf
from domain.crediting import Credit, Invoiced, InvoicedRow, credit_bases, creditable
from domain.invoicing import BasisPart, BillableLine, Terms, billable, invoice_basis
from domain.merchant import MerchantSettings
from domain.money import ZERO
from domain.vat import VatZone

HISTORIES = 10_000
EVENTS = 14
SETTINGS = MerchantSettings()


class Sales:
    """The product's rules, with the invoices kept as a list."""

    def __init__(self, order: Order) -> None:
        basis = "gross" if order.gross else "net"
        self.terms = Terms(basis, Decimal(order.discount), Decimal(order.freight) / 100, Decimal(25), VatZone.DOMESTIC)
        self.lines = [
            BillableLine(n, x.article, x.article, Decimal(x.ordered), Decimal(x.price) / 100, ZERO, Decimal(x.rate), 3001, True)
            for n, x in order.lines.items()
        ]
        self.shipped: dict[int, Decimal] = {}
        self.invoices: list[Invoiced] = []
        self.documents: list[tuple[int, int]] = []

    def ship(self, picked: dict[int, Decimal]) -> None:
        before = {n.line_number: billable(n, self.shipped.get(n.line_number, ZERO), SETTINGS) for n in self.lines}
        moved = {n.line_number: billable(n, picked[n.line_number], SETTINGS) - before[n.line_number] for n in self.lines}
        if not any(moved.values()):
            return
        back = {line: min(-n, creditable(self.invoices, line)) for line, n in moved.items() if n < 0}
        now = {line: n for line, n in moved.items() if n > 0}
        parts = invoice_basis(self.terms, self.lines, before, now, not self.shipped, SETTINGS)
        credits = credit_bases(self.invoices, {line: n for line, n in back.items() if n}, False, False)
        for part in (each for each in parts if each.amount):
            self._note(part)
            rows = tuple(InvoicedRow(n, row) for n, row in enumerate(part.rows, start=1))
            self.invoices.append(Invoiced(len(self.invoices) + 1, 1, self.terms.price_basis, rows))
        self._write(credits)
        self.shipped = dict(picked)

    def credit(self, wanted: dict[int, Decimal], freight: bool | None = None) -> None:
        self._write(credit_bases(self.invoices, wanted, freight, True))

    def _write(self, credits: list[Credit]) -> None:
        for credit in credits:
            of = {each.row_no: each for each in credit.rows}
            invoice = self.invoices[credit.basis_no - 1]
            rows, by_rate = [], dict[Decimal, Decimal]()
            for row in invoice.rows:
                if each := of.get(row.row_no):
                    by_rate[row.row.vat_rate] = by_rate.get(row.row.vat_rate, ZERO) - each.row.amount
                    gone, given = row.credited + each.quantity, row.credited_amount - each.row.amount
                    rows.append(replace(row, credited=gone, credited_amount=given))
                else:
                    rows.append(row)
            self.invoices[credit.basis_no - 1] = replace(invoice, rows=tuple(rows), credits=(*invoice.credits, by_rate))
            self._note(credit.basis)

    def _note(self, part: BasisPart) -> None:
        self.documents.append((int(part.amount * 100), int(part.vat * 100)))


def history(seed: int) -> str | None:
    """One order; what differed, or None."""
    rng = Random(seed)
    lines = {
        n: Line("P", rng.randint(1, 6), rng.choice((rng.randint(0, 99_999), rng.randint(0, 30))), rng.choice((25, 25, 12, 6)))
        for n in range(1, rng.randint(1, 3) + 1)
    }
    order = Order(lines, rng.choice((0, 10, 15, 33)), rng.choice((0, 4_900, 1)), rng.random() < 0.3)
    sales, shelf, told = Sales(order), Shelf(100, 10_000), list[str]()
    for _ in range(EVENTS):
        does, n = rng.choice(("pick", "pick", "send", "unpick", "back", "claim")), rng.choice(list(lines))
        line = lines[n]
        waits = any(each.picked != each.shipped for each in lines.values())
        most = {"pick": line.ordered - line.picked, "unpick": line.out, "back": 0 if waits else line.out, "send": 1}
        if not (pieces := rng.randint(0, most.get(does, order.creditable(n)))):
            continue
        told.append(f"{does} {n} x{pieces}")
        if does == "pick":
            order.pick(n, pieces, shelf)
        elif does == "unpick":
            order.unpick(n, pieces, shelf)
        elif does == "send":
            order.send()
        elif does == "back":
            sales.credit({n: Decimal(least)} if (least := min(pieces, order.creditable(n))) else {})
            order.back(n, pieces, shelf, rng.random() < 0.3)
        else:
            freight = rng.choice((None, True))
            sales.credit({n: Decimal(pieces)}, freight)
            order.credit({n: pieces}, freight)
        if order.sent:
            sales.ship({number: Decimal(each.picked) for number, each in lines.items()})
        if sales.documents != order.documents:
            return f"seed {seed}: after {', '.join(told)}: {sales.documents[-3:]}, model {order.documents[-3:]}"
    sales.credit({n: left for n in lines if (left := creditable(sales.invoices, n))}, True)
    total = [sum(each) for each in zip(*sales.documents, strict=True)]
    return None if not any(total) else f"seed {seed}: {', '.join(told)} and all credited leaves {total} öre"


def prove(histories: int = HISTORIES) -> Proof:
    """Every document is the model's, and nothing is left at the end."""
    began = time.monotonic()
    short = [found for seed in range(histories) if (found := history(seed))]
    figure = f"{histories} orders in memory, {len(short)} differ from the model; {time.monotonic() - began:.0f} s"
    return Proof("2", "random histories of invoices and credits (rules)", figure, tuple(short[:10]))


if __name__ == "__main__":
    proof = prove(int(sys.argv[1]) if len(sys.argv) > 1 else HISTORIES)
    print(proof.line())
    sys.exit(0 if proof.ok else 1)
