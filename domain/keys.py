"""The keys and small facts that cross between workflows and activities. Documents never do."""

from dataclasses import dataclass, field


def _process_id(kind: str, merchant: str, number: str, run: int) -> str:
    """A sentence with the number in it; a later run has a suffix that no number can contain."""
    number = number.replace("%", "%25").replace("#", "%23")
    return f"{kind}/{merchant}/{number}" + ("" if run == 1 else f"#{run}")


@dataclass(frozen=True, slots=True)
class OrderKey:
    """One sales order of one merchant. `run` counts the processes it has had: a pick after the end starts another."""

    merchant: str
    number: str
    run: int = 1

    @property
    def workflow_id(self) -> str:
        return _process_id("sales-order", self.merchant, self.number, self.run)


@dataclass(frozen=True, slots=True)
class BasisKey:
    """One invoice to write: a part of a shipment's invoice basis. `again`: a person wants it made anew, after somebody
    cancelled it over there."""

    merchant: str
    order: str
    run: int
    basis: int
    part: int
    again: bool = False
    return_number: str | None = None


@dataclass(frozen=True, slots=True)
class OrderState:
    """What an order owes the world, read from the tables and never from what an attempt just did.

    `look_after` is seconds until it must be looked at again without being asked (an open doubt, a grace time); `outcome`
    is set once nothing is owed and the order is at its end. `said`: what the step that answers did, with the other side's number,
    for whoever reads the order's page; nothing depends on it.
    """

    stage: str
    to_invoice: list[BasisKey] = field(default_factory=list)
    look_after: float | None = None
    outcome: str | None = None
    said: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class ReturnKey:
    """One return of one merchant. `run` counts the processes it has had."""

    merchant: str
    number: str
    run: int = 1

    @property
    def workflow_id(self) -> str:
        return _process_id("return", self.merchant, self.number, self.run)


@dataclass(frozen=True, slots=True)
class Decision:
    """What a person decided about a return, and why."""

    merchant: str
    number: str
    by: str
    reason: str


@dataclass(frozen=True, slots=True)
class ReturnState:
    """What a return owes the world, read from the tables: credits to write, when to look again unasked, how it ended.
    `said`: what the step did, with the other side's number; nothing depends on it."""

    stage: str
    to_credit: list[BasisKey] = field(default_factory=list)
    look_after: float | None = None
    outcome: str | None = None
    said: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class PurchaseKey:
    """One purchase order of one merchant. `run` counts the processes it has had: a receipt after the end starts another."""

    merchant: str
    number: str
    run: int = 1

    @property
    def workflow_id(self) -> str:
        return _process_id("purchase-order", self.merchant, self.number, self.run)


@dataclass(frozen=True, slots=True)
class PurchaseState:
    """Where a purchase order is, read from the tables: when to look again unasked, how it ended, and whether there are invoices
    or costs to match to what came in."""

    stage: str
    look_after: float | None = None
    outcome: str | None = None
    to_match: bool = False


@dataclass(frozen=True, slots=True)
class InvoiceDecision:
    """What a person decided about a supplier invoice of a purchase order, by Fortnox's number, and why."""

    merchant: str
    purchase: str
    invoice: int
    by: str
    reason: str
    reject: bool = False


@dataclass(frozen=True, slots=True)
class Blocked:
    """What stands still and why, for the exceptions table."""

    merchant: str
    kind: str
    document: str
    code: str
    detail: str
