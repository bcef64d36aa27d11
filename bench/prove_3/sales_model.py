"""A model of orders, shipments, returns and credits in whole pieces and whole öre. It shares no code with the product.

Written from the rules: stock leaves at the pool's average, comes back at the cost it left with (the last first, the last piece
the rest); a shipment bills running totals, freight on the first; what is un-picked after its invoice is credited, without
freight, as far as it is not credited; a credit names the invoice it takes from, the newest first, never takes more than is left,
and is moved by as few öre as possible until its VAT and that of what is left make the VAT that was left.
"""

from dataclasses import dataclass, field


def nearest(part: int, whole: int) -> int:
    """`part / whole`, rounded half away from zero."""
    return (1 if part >= 0 else -1) * ((2 * abs(part) + whole) // (2 * whole))


@dataclass
class Shelf:
    """An article in stock."""

    pieces: int
    worth: int
    sold: int = 0
    lost: int = 0


@dataclass
class Pick:
    pieces: int
    cost: int
    back: int = 0
    cost_back: int = 0


@dataclass
class Line:
    """A line of an order and what became of it."""

    article: str
    ordered: int
    price: int
    rate: int
    picked: int = 0
    shipped: int = 0
    returned: int = 0
    picks: list[Pick] = field(default_factory=list)

    @property
    def out(self) -> int:
        """Pieces that are picked and have not come back."""
        return self.picked - self.returned


@dataclass
class Row:
    """A row of an invoice: `line` is None for freight; `gone` and `given` are what of it was credited."""

    line: int | None
    pieces: int
    amount: int
    rate: int
    gone: int = 0
    given: int = 0

    @property
    def left(self) -> int:
        return self.pieces - self.gone


@dataclass
class Invoice:
    rows: list[Row]
    given: list[dict[int, int]] = field(default_factory=list)

    def money_left(self, rate: int) -> int:
        return sum(row.amount for row in self.rows if row.rate == rate) - sum(each.get(rate, 0) for each in self.given)


@dataclass
class Order:
    """An order: percent of discount, freight in öre, and whether prices include VAT."""

    lines: dict[int, Line]
    discount: int
    freight: int
    gross: bool
    sent: bool = False
    over: bool = False
    asked: bool = False
    first: bool = True
    invoices: list[Invoice] = field(default_factory=list)
    documents: list[tuple[int, int]] = field(default_factory=list)

    # --- goods

    def pick(self, number: int, n: int, shelf: Shelf) -> None:
        line = self.lines[number]
        cost = shelf.worth if n == shelf.pieces else nearest(shelf.worth * n, shelf.pieces)
        shelf.pieces, shelf.worth, shelf.sold = shelf.pieces - n, shelf.worth - cost, shelf.sold + cost
        line.picks.append(Pick(n, cost))
        line.picked += n
        self.sent = False

    def _taken(self, line: Line, n: int) -> int:
        value = 0
        for pick in reversed(line.picks):
            part = min(n, pick.pieces - pick.back)
            if part:
                now = nearest(pick.cost * (pick.back + part), pick.pieces)
                value += now - pick.cost_back
                pick.back, pick.cost_back, n = pick.back + part, now, n - part
        return value

    def cancel(self) -> str:
        """What the warehouse answers: it has stopped the order, or goods are on their way."""
        self.asked = True
        self.over = not self.sent and not any(line.picked for line in self.lines.values())
        if self.over:
            self._ship()  # what was billed and then un-picked is given back, though nothing is sent any more
        return "stopped" if self.over else "too-late"

    def unpick(self, number: int, n: int, shelf: Shelf) -> None:
        line = self.lines[number]
        value = self._taken(line, n)
        shelf.pieces, shelf.worth, shelf.sold = shelf.pieces + n, shelf.worth + value, shelf.sold - value
        line.picked -= n
        if self.sent:
            self._ship()

    def back(self, number: int, n: int, shelf: Shelf, scrapped: bool) -> None:
        line = self.lines[number]
        value = self._taken(line, n)
        shelf.sold -= value
        if scrapped:
            shelf.lost += value
        else:
            shelf.pieces, shelf.worth = shelf.pieces + n, shelf.worth + value
        line.returned += n
        self.credit({number: min(n, self.creditable(number))})

    # --- money

    def send(self) -> None:
        self.sent = True
        self._ship()

    def _cost_of(self, line: Line, pieces: int) -> int:
        return nearest(pieces * line.price * (100 - self.discount), 100)

    def _ship(self) -> None:
        rows = []
        moved = {number: line.picked - line.shipped for number, line in self.lines.items() if line.picked != line.shipped}
        if not moved:
            return
        if self.first and self.freight:
            rows.append(Row(None, 1, self.freight, 25))
        self.first = False
        back = dict[int, int]()
        for number, n in moved.items():
            line = self.lines[number]
            if n < 0:
                back[number] = min(-n, self.creditable(number))
            else:
                rows.append(Row(number, n, self._cost_of(line, line.picked) - self._cost_of(line, line.shipped), line.rate))
            line.shipped = line.picked
        billed = any(row.amount for row in rows)
        if billed:
            self._document(rows)
        self.credit(back, freight=False)
        if billed:
            self.invoices.append(Invoice(rows))

    def _document(self, rows: list[Row], sign: int = 1) -> None:
        by_rate: dict[int, int] = {}
        for row in rows:
            by_rate[row.rate] = by_rate.get(row.rate, 0) + sign * row.amount
        self.documents.append((sum(by_rate.values()), sum(self.vat(amount, rate) for rate, amount in by_rate.items())))

    def vat(self, amount: int, rate: int) -> int:
        return nearest(amount * rate, 100 + rate if self.gross else 100)

    def creditable(self, number: int) -> int:
        return sum(row.left for invoice in self.invoices for row in invoice.rows if row.line == number)

    def credit(self, wanted: dict[int, int], freight: bool | None = None) -> None:
        """Give back so many pieces by line; freight with them if it is asked for, or (None) if these were the last goods."""
        wanted = {number: n for number, n in wanted.items() if n}
        standing = self.invoices[::-1]
        takes: list[dict[int, int]] = [{} for _ in standing]
        for number, pieces in wanted.items():
            owed = pieces
            for invoice, take in zip(standing, takes, strict=True):
                for at, row in reversed(list(enumerate(invoice.rows))):
                    part = min(owed, row.left) if row.line == number else 0
                    if part > 0:
                        take[at], owed = part, owed - part
        if freight or (freight is None and wanted and self._nothing_left(standing, takes)):
            for invoice, take in zip(standing, takes, strict=True):
                take |= {at: row.left for at, row in enumerate(invoice.rows) if row.line is None and row.left > 0}
        for invoice, take in reversed(list(zip(standing, takes, strict=True))):
            if take:
                self._credit_one(invoice, take)

    def _nothing_left(self, standing: list[Invoice], takes: list[dict[int, int]]) -> bool:
        return all(
            _whole(row, take.get(at, 0)) or invoice.money_left(row.rate) <= 0
            for invoice, take in zip(standing, takes, strict=True)
            for at, row in enumerate(invoice.rows)
            if row.line is not None
        )

    def _credit_one(self, now: Invoice, take: dict[int, int]) -> None:
        amounts = {}
        for at, n in take.items():
            row = now.rows[at]
            left = row.amount - row.given
            amounts[at] = min(max(_share(row, n), 1), left) if left > 0 else 0
        for rate in {now.rows[at].rate for at in take}:
            mine = [at for at in take if now.rows[at].rate == rate]
            wanted = sum(amounts[at] for at in mine)
            off = self._fitting(now, rate, take, wanted) - wanted
            for at in sorted(mine, key=lambda at: (amounts[at], at), reverse=True):
                moved = max(off, -amounts[at])
                amounts[at], off = amounts[at] + moved, off - moved
        if not any(amounts.values()):
            return
        given: dict[int, int] = {}
        for at, n in take.items():
            row = now.rows[at]
            row.gone, row.given = row.gone + n, row.given + amounts[at]
            given[row.rate] = given.get(row.rate, 0) + amounts[at]
        now.given.append(given)
        self._document([Row(now.rows[at].line, n, amounts[at], now.rows[at].rate) for at, n in take.items()], -1)

    def _fitting(self, now: Invoice, rate: int, take: dict[int, int], wanted: int) -> int:
        rows = [(at, row) for at, row in enumerate(now.rows) if row.rate == rate]
        left = now.money_left(rate)
        if wanted >= left or all(_whole(row, take.get(at, 0)) for at, row in rows):
            return left
        vat_left = self.vat(sum(row.amount for _, row in rows), rate) - sum(self.vat(e.get(rate, 0), rate) for e in now.given)
        for off in range(left):
            for amount in (wanted + off, wanted - off):
                fits = 0 < amount <= left or amount == wanted == 0
                if fits and self.vat(amount, rate) + self.vat(left - amount, rate) == vat_left:
                    return amount
        return left


def _share(row: Row, n: int) -> int:
    return row.amount - nearest(row.amount * (row.pieces - row.gone - n), row.pieces) - row.given


def _whole(row: Row, n: int) -> bool:
    return row.left == n or row.given >= row.amount
