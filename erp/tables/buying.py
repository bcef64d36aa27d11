"""Supplier invoices and what goods turned out to cost; landed costs and returns to suppliers are the ERP's wishes."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    ForeignKeyConstraint,
    Index,
    Integer,
    Numeric,
    PrimaryKeyConstraint,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from erp.tables.columns import (
    LARGEST_QUANTITY,
    QUANTITY,
    VALUE,
    between,
    instant,
    key,
    known,
    merchant,
    metadata,
    numbers,
    of_merchant,
    printable,
)

SUPPLIER_INVOICE_STATES = ("unbooked", "no-purchase", "parked", "waiting", "booked", "rejected", "cancelled")

MATCH_STATES = (
    "no_po",
    "duplicate",
    "currency_mismatch",
    "not_received",
    "qty_over",
    "price_diff",
    "qty_under",
    "within_tolerance",
    "matched",
)

BOOKING_KINDS = ("match", "delivery", "reversal", "landed-cost", "supplier-return", "cost-correction")

EXCHANGE_RATE = Numeric(20, 10)


def of_booking(name: str) -> ForeignKeyConstraint:
    return ForeignKeyConstraint(
        ["merchant_id", "document", "step"],
        ["erp.purchase_booking.merchant_id", "erp.purchase_booking.document", "erp.purchase_booking.step"],
        name=f"fk_{name}_booking",
    )


def of_receipt_line(name: str) -> ForeignKeyConstraint:
    return ForeignKeyConstraint(
        ["merchant_id", "purchase_order_number", "receipt_no", "receipt_row_no"],
        [
            "erp.goods_receipt_line.merchant_id",
            "erp.goods_receipt_line.purchase_order_number",
            "erp.goods_receipt_line.receipt_no",
            "erp.goods_receipt_line.row_no",
        ],
        name=f"fk_{name}_receipt_line",
    )


supplier_invoice = Table(
    "supplier_invoice",
    metadata,
    merchant(),
    Column("fortnox_number", BigInteger, nullable=False),
    Column("version", Integer, nullable=False, server_default="1"),
    Column("fingerprint", Text, nullable=False),
    Column("supplier_number", Text),
    Column("invoice_number", Text),
    Column("invoice_date", Date, nullable=False),
    Column("currency", Text, nullable=False),
    Column("exchange_rate", EXCHANGE_RATE, nullable=False),
    Column("credits_number", BigInteger),
    Column("purchases", ARRAY(Text), nullable=False),
    Column("purchase_order_number", Text),
    Column("in_books", Boolean, nullable=False),
    Column("cancelled", Boolean, nullable=False),
    Column("state", Text, nullable=False),
    Column("match_state", Text),
    Column("why", Text, nullable=False, server_default=""),
    Column("booked_version", Integer),
    Column("decision", Text),
    Column("decided_by", Text),
    Column("decision_reason", Text),
    Column("decided_version", Integer),
    instant("state_at", default=True),
    instant("read_at", default=True),
    PrimaryKeyConstraint("merchant_id", "fortnox_number"),
    of_merchant(),
    known("state", SUPPLIER_INVOICE_STATES),
    known("match_state", MATCH_STATES),
    known("decision", ("approve", "reject")),
    CheckConstraint("exchange_rate > 0 AND exchange_rate <= 1000000", name="exchange_rate_in_range"),
    CheckConstraint(
        "(state = 'booked') = (booked_version IS NOT NULL AND booked_version = version)", name="booked_is_as_it_is_now"
    ),
    CheckConstraint(
        "num_nonnulls(decision, decided_by, decision_reason, decided_version) = 0 OR"
        " (num_nonnulls(decision, decided_version) = 2"
        " AND coalesce(btrim(decided_by), '') <> '' AND coalesce(btrim(decision_reason), '') <> '')",
        name="a_decision_has_an_actor_and_a_reason",
    ),
    Index("ix_supplier_invoice_purchase", "merchant_id", "purchase_order_number"),
    Index("ix_supplier_invoice_number", "merchant_id", "supplier_number", "invoice_number"),
    schema="erp",
)

supplier_invoice_line = Table(
    "supplier_invoice_line",
    metadata,
    merchant(),
    Column("fortnox_number", BigInteger, nullable=False),
    Column("version", Integer, nullable=False),
    Column("row_no", Integer, nullable=False),
    Column("kind", Text, nullable=False),
    Column("account", Integer, nullable=False),
    Column("article_number", Text),
    Column("quantity", QUANTITY, nullable=False),
    Column("amount", VALUE, nullable=False),
    Column("value", VALUE, nullable=False),
    Column("purchases", ARRAY(Text), nullable=False),
    PrimaryKeyConstraint("merchant_id", "fortnox_number", "version", "row_no"),
    ForeignKeyConstraint(
        ["merchant_id", "fortnox_number"], ["erp.supplier_invoice.merchant_id", "erp.supplier_invoice.fortnox_number"]
    ),
    known("kind", ("goods", "landed-cost")),
    CheckConstraint("account BETWEEN 1000 AND 9999", name="account_in_range"),
    numbers("quantity", "amount", "value"),
    schema="erp",
)

purchase_booking = Table(
    "purchase_booking",
    metadata,
    merchant(),
    Column("document", Text, nullable=False),
    Column("step", Integer, nullable=False),
    Column("kind", Text, nullable=False),
    key("purchase_order_number"),
    Column("version", Integer, nullable=False),
    Column("account", Integer, nullable=False),
    Column("value", VALUE, nullable=False),
    Column("cleared", VALUE, nullable=False),
    Column("rate", VALUE, nullable=False),
    Column("price", VALUE, nullable=False),
    Column("claimed", VALUE, nullable=False),
    Column("difference", VALUE, nullable=False),
    Column("exchange", VALUE, nullable=False),
    Column("claims_account", Integer, nullable=False),
    Column("accounting_date", Date, nullable=False),
    Column("actor", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("transaction_no", BigInteger),
    instant("booked_at", default=True),
    PrimaryKeyConstraint("merchant_id", "document", "step"),
    ForeignKeyConstraint(
        ["merchant_id", "purchase_order_number"],
        ["erp.purchase_order.merchant_id", "erp.purchase_order.purchase_order_number"],
    ),
    ForeignKeyConstraint(
        ["merchant_id", "transaction_no"], ["erp.ledger_transaction.merchant_id", "erp.ledger_transaction.transaction_no"]
    ),
    known("kind", BOOKING_KINDS),
    between("step", "1", "1000000"),
    numbers("value", "cleared", "rate", "price", "claimed", "difference", "exchange"),
    CheckConstraint("value = cleared + rate + price + claimed + difference", name="it_adds_up"),
    CheckConstraint("exchange IN (0, rate)", name="exchange_is_the_rate_difference"),
    CheckConstraint("account BETWEEN 1000 AND 9999 AND claims_account BETWEEN 1000 AND 9999", name="account_in_range"),
    Index("ix_purchase_booking_purchase", "merchant_id", "purchase_order_number"),
    schema="erp",
)

invoice_match = Table(
    "invoice_match",
    metadata,
    merchant(),
    Column("document", Text, nullable=False),
    Column("step", Integer, nullable=False),
    Column("part_no", Integer, nullable=False),
    key("purchase_order_number"),
    Column("receipt_no", Integer, nullable=False),
    Column("receipt_row_no", Integer, nullable=False),
    Column("row_no", Integer, nullable=False),
    Column("quantity", QUANTITY, nullable=False),
    Column("cleared", VALUE, nullable=False),
    Column("rate", VALUE, nullable=False),
    Column("price", VALUE, nullable=False),
    PrimaryKeyConstraint("merchant_id", "document", "step", "part_no"),
    of_booking("invoice_match"),
    of_receipt_line("invoice_match"),
    numbers("quantity", "cleared", "rate", "price"),
    Index("ix_invoice_match_receipt", "merchant_id", "purchase_order_number", "receipt_no", "receipt_row_no"),
    schema="erp",
)

claim = Table(
    "claim",
    metadata,
    merchant(),
    Column("document", Text, nullable=False),
    Column("step", Integer, nullable=False),
    Column("part_no", Integer, nullable=False),
    Column("claimed_by", Text, nullable=False),
    key("purchase_order_number"),
    key("article_number"),
    Column("quantity", QUANTITY, nullable=False),
    Column("value", VALUE, nullable=False),
    Column("exchange_rate", EXCHANGE_RATE, nullable=False),
    PrimaryKeyConstraint("merchant_id", "document", "step", "part_no"),
    of_booking("claim"),
    numbers("quantity", "value", "exchange_rate"),
    Index("ix_claim_purchase", "merchant_id", "purchase_order_number"),
    schema="erp",
)

late_cost = Table(
    "late_cost",
    metadata,
    merchant(),
    Column("document", Text, nullable=False),
    Column("step", Integer, nullable=False),
    Column("part_no", Integer, nullable=False),
    key("purchase_order_number"),
    Column("receipt_no", Integer, nullable=False),
    Column("receipt_row_no", Integer, nullable=False),
    key("article_number"),
    key("warehouse"),
    Column("amount", VALUE, nullable=False),
    Column("to_stock", VALUE, nullable=False),
    Column("to_sold", VALUE, nullable=False),
    PrimaryKeyConstraint("merchant_id", "document", "step", "part_no"),
    of_booking("late_cost"),
    of_receipt_line("late_cost"),
    numbers("amount", "to_stock", "to_sold"),
    CheckConstraint("amount = to_stock + to_sold AND amount <> 0", name="it_adds_up"),
    Index("ix_late_cost_receipt", "merchant_id", "purchase_order_number", "receipt_no", "receipt_row_no"),
    schema="erp",
)

landed_cost = Table(
    "landed_cost",
    metadata,
    merchant(),
    key("landed_cost_number"),
    Column("purchases", ARRAY(Text), nullable=False),
    Column("amount", VALUE, nullable=False),
    Column("allocation_key", Text, nullable=False, server_default="value"),
    Column("parts", JSONB),
    Column("account", Integer),
    Column("cost_date", Date, nullable=False, server_default=text("current_date")),
    Column("entered_by", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("state", Text, nullable=False, server_default="entered"),
    instant("created_at", default=True),
    Column("corrects", Text),
    PrimaryKeyConstraint("merchant_id", "landed_cost_number"),
    of_merchant(),
    ForeignKeyConstraint(
        ["merchant_id", "corrects"],
        ["erp.landed_cost.merchant_id", "erp.landed_cost.landed_cost_number"],
        name="fk_landed_cost_corrects",
    ),
    *printable("landed_cost_number"),
    known("allocation_key", ("value", "weight", "volume", "quantity", "equal", "hand")),
    known("state", ("entered", "booked")),
    CheckConstraint("cardinality(purchases) BETWEEN 1 AND 100", name="it_names_purchases"),
    CheckConstraint("(allocation_key = 'hand') = (parts IS NOT NULL)", name="parts_are_by_hand"),
    CheckConstraint("amount <> 0 AND abs(amount) <= 1000000000000", name="amount_in_range"),
    CheckConstraint("account IS NULL OR account BETWEEN 1000 AND 9999", name="account_in_range"),
    CheckConstraint("btrim(entered_by) <> '' AND btrim(reason) <> ''", name="somebody_says_why"),
    schema="erp",
)

supplier_return = Table(
    "supplier_return",
    metadata,
    merchant(),
    key("supplier_return_number"),
    key("purchase_order_number"),
    key("article_number"),
    Column("quantity", QUANTITY, nullable=False),
    Column("returned_on", Date, nullable=False, server_default=text("current_date")),
    Column("entered_by", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("state", Text, nullable=False, server_default="entered"),
    instant("created_at", default=True),
    PrimaryKeyConstraint("merchant_id", "supplier_return_number"),
    ForeignKeyConstraint(
        ["merchant_id", "purchase_order_number"],
        ["erp.purchase_order.merchant_id", "erp.purchase_order.purchase_order_number"],
    ),
    *printable("supplier_return_number"),
    known("state", ("entered", "booked")),
    CheckConstraint(f"quantity > 0 AND quantity <= {LARGEST_QUANTITY}", name="quantity_in_range"),
    CheckConstraint("btrim(entered_by) <> '' AND btrim(reason) <> ''", name="somebody_says_why"),
    schema="erp",
)
