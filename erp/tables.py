"""Our PostgreSQL, table by table: what the ERP writes, what it reads back, and our plumbing.

Every table carries `merchant_id` first in its key, so that no foreign key can cross merchants and one row
level security policy fits them all. Quantities have 4 decimals, values 2 (the books of a merchant are kept in a
currency with two), unit prices 6. PostgreSQL lets NaN pass a plain `>= 0`, so every amount is bounded above too.

Triggers, roles, rights and policies are SQL and live in the migrations; `python -m erp.migrate check` compares
this file with what they build.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Computed,
    Date,
    DateTime,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Numeric,
    PrimaryKeyConstraint,
    Sequence,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

QUANTITY = Numeric(18, 4)
VALUE = Numeric(20, 2)
PRICE = Numeric(18, 6)
RATE = Numeric(18, 8)
PERCENT = Numeric(5, 2)
NOW = text("now()")

LARGEST_QUANTITY = 10_000_000
LARGEST_PRICE = 100_000_000

LOOK_NO = Sequence("look_no", schema="bridge", metadata=metadata, cache=1)
BASIS_NO = Sequence("basis_no", schema="erp", metadata=metadata, cache=1)


def merchant() -> Column[str]:
    return Column("merchant_id", Text, nullable=False)


def key(name: str, nullable: bool = False) -> Column[str]:
    return Column(name, Text, nullable=nullable)


def instant(name: str, nullable: bool = False, default: bool = False) -> Column[object]:
    return Column(name, DateTime(timezone=True), nullable=nullable, server_default=NOW if default else None)


def printable(*names: str, most: int = 50) -> list[CheckConstraint]:
    """Keys that travel: no control characters, no blanks at the ends, not too long for the other systems."""
    return [
        CheckConstraint(
            f"{name} ~ '^[^[:cntrl:]]+$' AND {name} = btrim({name}) AND length({name}) <= {most}", name=f"{name}_is_printable"
        )
        for name in names
    ]


def between(name: str, low: str, high: str) -> CheckConstraint:
    return CheckConstraint(f"{name} >= {low} AND {name} <= {high}", name=f"{name}_in_range")


def numbers(*names: str, most: str = "1000000000000") -> CheckConstraint:
    """No NaN and nothing absurd: PostgreSQL sorts NaN above every number, so an upper bound keeps it out."""
    return CheckConstraint(" AND ".join(f"abs({name}) <= {most}" for name in names), name=f"{names[0]}_is_a_number")


def of_merchant() -> ForeignKeyConstraint:
    return ForeignKeyConstraint(["merchant_id"], ["erp.merchant.merchant_id"])


# --- erp: written by the ERP ------------------------------------------------------------------------------------------

merchant_table = Table(
    "merchant",
    metadata,
    merchant(),
    Column("name", Text, nullable=False),
    Column("currency", Text, nullable=False, server_default="SEK"),
    Column("country", Text, nullable=False, server_default="SE"),
    Column("time_zone", Text, nullable=False, server_default="Europe/Stockholm"),
    instant("created_at", default=True),
    PrimaryKeyConstraint("merchant_id"),
    CheckConstraint("merchant_id ~ '^[a-z0-9][a-z0-9-]{0,30}$'", name="merchant_id_is_a_short_word"),
    CheckConstraint("currency IN ('SEK','EUR','NOK','DKK','GBP','USD','CHF','PLN')", name="books_have_two_decimals"),
    CheckConstraint("erp.is_country(country)", name="country_is_known"),
    schema="erp",
)

customer = Table(
    "customer",
    metadata,
    merchant(),
    key("customer_number"),
    Column("name", Text, nullable=False),
    Column("customer_type", Text, nullable=False, server_default="company"),
    Column("organisation_number", Text),
    Column("vat_number", Text),
    Column("country", Text, nullable=False, server_default="SE"),
    Column("address1", Text),
    Column("address2", Text),
    Column("post_code", Text),
    Column("city", Text),
    Column("email", Text),
    Column("phone", Text),
    Column("collective", Boolean, nullable=False, server_default=text("false")),
    instant("updated_at", default=True),
    PrimaryKeyConstraint("merchant_id", "customer_number"),
    of_merchant(),
    *printable("customer_number"),
    CheckConstraint("customer_type IN ('company','private')", name="customer_type_is_known"),
    CheckConstraint("erp.is_country(country)", name="country_is_known"),
    schema="erp",
)

supplier = Table(
    "supplier",
    metadata,
    merchant(),
    key("supplier_number"),
    Column("name", Text, nullable=False),
    Column("country", Text, nullable=False, server_default="SE"),
    Column("currency", Text, nullable=False, server_default="SEK"),
    PrimaryKeyConstraint("merchant_id", "supplier_number"),
    of_merchant(),
    *printable("supplier_number"),
    CheckConstraint("erp.is_country(country)", name="country_is_known"),
    CheckConstraint("erp.is_currency(currency)", name="currency_is_known"),
    schema="erp",
)

article = Table(
    "article",
    metadata,
    merchant(),
    key("article_number"),
    Column("name", Text, nullable=False),
    Column("stock_article", Boolean, nullable=False, server_default=text("true")),
    Column("unit", Text, nullable=False, server_default="st"),
    Column("bar_code", Text),
    Column("article_group", Text),
    Column("weight", Numeric(12, 4)),
    Column("length", Numeric(12, 4)),
    Column("width", Numeric(12, 4)),
    Column("height", Numeric(12, 4)),
    Column("country_of_origin", Text),
    Column("customs_number", Text),
    Column("quantity_per_package", Integer),
    Column("purchase_price", PRICE),
    Column("purchase_currency", Text),
    Column("stock_valuation_price", PRICE),
    Column("customer_price", PRICE),
    Column("supplier_number", Text),
    Column("supplier_article_number", Text),
    Column("description", Text),
    Column("product_code", Text),
    Column("article_category", Text),
    Column("bar_code_package", Text),
    Column("bar_code_pallet", Text),
    Column("quantity_per_pallet", Integer),
    Column("net_weight", Numeric(12, 4)),
    Column("volume", Numeric(14, 6)),
    Column("customs_description", Text),
    Column("stock_limit", Integer),
    Column("link_to_picture", Text),
    Column("batch_article", Boolean),
    Column("serial_number_article", Boolean),
    Column("expiry_date_article", Boolean),
    Column("replaces_article_number", Text),
    Column("vat_rate", PERCENT, nullable=False, server_default="25"),
    Column("sales_account", Integer),
    Column("active", Boolean, nullable=False, server_default=text("true")),
    Column("version", Integer, nullable=False, server_default="1"),
    instant("updated_at", default=True),
    PrimaryKeyConstraint("merchant_id", "article_number"),
    of_merchant(),
    ForeignKeyConstraint(["merchant_id", "supplier_number"], ["erp.supplier.merchant_id", "erp.supplier.supplier_number"]),
    *printable("article_number"),
    between("vat_rate", "0", "100"),
    CheckConstraint("country_of_origin IS NULL OR erp.is_country(country_of_origin)", name="country_of_origin_is_known"),
    between("weight", "0", "1000000"),
    between("length", "0", "1000000"),
    between("width", "0", "1000000"),
    between("height", "0", "1000000"),
    between("purchase_price", "0", str(LARGEST_PRICE)),
    between("stock_valuation_price", "0", str(LARGEST_PRICE)),
    between("customer_price", "0", str(LARGEST_PRICE)),
    between("net_weight", "0", "1000000"),
    between("volume", "0", "1000000"),
    between("quantity_per_pallet", "1", "1000000"),
    between("stock_limit", "0", "10000000"),
    Index("ix_article_supplier", "merchant_id", "supplier_number"),
    Index("ix_article_twin", "merchant_id", text("erp.twin_key(article_number)")),
    schema="erp",
)

article_translation = Table(
    "article_translation",
    metadata,
    merchant(),
    key("article_number"),
    Column("language", Text, nullable=False),
    Column("name", Text, nullable=False),
    PrimaryKeyConstraint("merchant_id", "article_number", "language"),
    ForeignKeyConstraint(
        ["merchant_id", "article_number"], ["erp.article.merchant_id", "erp.article.article_number"], ondelete="CASCADE"
    ),
    CheckConstraint("language ~ '^[a-z]{2}$'", name="language_is_two_letters"),
    schema="erp",
)

article_bar_code = Table(
    "article_bar_code",
    metadata,
    merchant(),
    key("article_number"),
    key("bar_code"),
    Column("quantity", Numeric(12, 4), nullable=False, server_default="1"),
    PrimaryKeyConstraint("merchant_id", "article_number", "bar_code"),
    ForeignKeyConstraint(
        ["merchant_id", "article_number"], ["erp.article.merchant_id", "erp.article.article_number"], ondelete="CASCADE"
    ),
    *printable("bar_code"),
    CheckConstraint("quantity > 0 AND quantity <= 1000000", name="quantity_in_range"),
    schema="erp",
)

article_component = Table(
    "article_component",
    metadata,
    merchant(),
    key("article_number"),
    key("component_article_number"),
    Column("quantity", QUANTITY, nullable=False),
    PrimaryKeyConstraint("merchant_id", "article_number", "component_article_number"),
    ForeignKeyConstraint(
        ["merchant_id", "article_number"], ["erp.article.merchant_id", "erp.article.article_number"], ondelete="CASCADE"
    ),
    ForeignKeyConstraint(["merchant_id", "component_article_number"], ["erp.article.merchant_id", "erp.article.article_number"]),
    CheckConstraint("quantity > 0 AND quantity <= 1000000", name="quantity_in_range"),
    CheckConstraint("component_article_number <> article_number", name="not_of_itself"),
    schema="erp",
)

article_taric = Table(
    "article_taric",
    metadata,
    merchant(),
    key("article_number"),
    Column("country", Text, nullable=False),
    Column("taric_number", Text, nullable=False),
    PrimaryKeyConstraint("merchant_id", "article_number", "country"),
    ForeignKeyConstraint(
        ["merchant_id", "article_number"], ["erp.article.merchant_id", "erp.article.article_number"], ondelete="CASCADE"
    ),
    CheckConstraint("erp.is_country(country)", name="country_is_known"),
    CheckConstraint("taric_number ~ '^[0-9]{6,14}$'", name="taric_number_is_digits"),
    schema="erp",
)

article_due = Table(
    "article_due",
    metadata,
    merchant(),
    key("article_number"),
    Column("version", Integer, nullable=False),
    instant("since", default=True),
    instant("claimed_until", nullable=True),
    Column("refused_version", Integer),
    Column("refusal", Text),
    Column("refusals", Integer, nullable=False, server_default="0"),
    instant("refused_at", nullable=True),
    PrimaryKeyConstraint("merchant_id", "article_number"),
    ForeignKeyConstraint(
        ["merchant_id", "article_number"], ["erp.article.merchant_id", "erp.article.article_number"], ondelete="CASCADE"
    ),
    Index("ix_article_due_since", "merchant_id", "since"),
    Index("ix_article_due_refused", "merchant_id", postgresql_where=text("refused_version IS NOT NULL")),
    schema="bridge",
)

ORDER_STATUSES = (
    "draft",
    "released",
    "at-warehouse",
    "picking",
    "part-shipped",
    "shipped",
    "completed",
    "cancelled",
)

sales_order = Table(
    "sales_order",
    metadata,
    merchant(),
    key("order_number"),
    Column("status", Text, nullable=False, server_default="draft"),
    Column("order_type", Text, nullable=False, server_default="normal"),
    key("customer_number", nullable=True),
    Column("currency", Text, nullable=False, server_default="SEK"),
    Column("exchange_rate", RATE),
    Column("price_basis", Text, nullable=False, server_default="net"),
    Column("order_date", Date, nullable=False, server_default=text("current_date")),
    Column("delivery_date", Date),
    Column("way_of_delivery", Text),
    Column("your_reference", Text),
    Column("freight", VALUE, nullable=False, server_default="0"),
    Column("freight_vat_rate", PERCENT, nullable=False, server_default="25"),
    Column("discount_percent", PERCENT, nullable=False, server_default="0"),
    Column("delivery_name", Text),
    Column("delivery_address1", Text),
    Column("delivery_address2", Text),
    Column("delivery_post_code", Text),
    Column("delivery_city", Text),
    Column("delivery_country", Text),
    Column("delivery_email", Text),
    Column("delivery_phone", Text),
    Column("delivery_instruction", Text),
    Column("note", Text),
    Column("version", Integer, nullable=False, server_default="1"),
    instant("cancel_requested_at", nullable=True),
    Column("cancel_answer", Text),
    instant("cancel_answered_at", nullable=True),
    Column("refused_version", Integer),
    Column("refused_part", Text),
    Column("refused_code", Text),
    Column("refused_text", Text),
    instant("refused_at", nullable=True),
    instant("released_at", nullable=True),
    Column("released_in", BigInteger),
    instant("status_changed_at", default=True),
    instant("created_at", default=True),
    instant("updated_at", default=True),
    PrimaryKeyConstraint("merchant_id", "order_number"),
    of_merchant(),
    ForeignKeyConstraint(["merchant_id", "customer_number"], ["erp.customer.merchant_id", "erp.customer.customer_number"]),
    *printable("order_number"),
    CheckConstraint(f"status IN ({','.join(repr(s) for s in ORDER_STATUSES)})", name="status_is_known"),
    CheckConstraint("price_basis IN ('net','gross')", name="price_basis_is_known"),
    CheckConstraint("cancel_answer IN ('stopped','too-late')", name="cancel_answer_is_known"),
    CheckConstraint("refused_part IN ('address','lines','address and lines')", name="refused_part_is_known"),
    CheckConstraint("erp.is_currency(currency)", name="currency_is_known"),
    CheckConstraint("delivery_country IS NULL OR erp.is_country(delivery_country)", name="delivery_country_is_known"),
    CheckConstraint("exchange_rate IS NULL OR (exchange_rate > 0 AND exchange_rate < 1000000)", name="exchange_rate_in_range"),
    between("freight", "0", str(LARGEST_PRICE)),
    between("freight_vat_rate", "0", "100"),
    between("discount_percent", "0", "100"),
    Index(
        "ix_sales_order_open", "merchant_id", "status", postgresql_where=text("status NOT IN ('completed','cancelled','draft')")
    ),
    schema="erp",
)

sales_order_line = Table(
    "sales_order_line",
    metadata,
    merchant(),
    key("order_number"),
    Column("line_number", Integer, nullable=False),
    key("article_number"),
    Column("description", Text),
    Column("quantity", QUANTITY, nullable=False),
    Column("unit_price", PRICE, nullable=False),
    Column("discount_percent", PERCENT, nullable=False, server_default="0"),
    Column("vat_rate", PERCENT, nullable=False, server_default="25"),
    Column("account", Integer),
    PrimaryKeyConstraint("merchant_id", "order_number", "line_number"),
    ForeignKeyConstraint(["merchant_id", "order_number"], ["erp.sales_order.merchant_id", "erp.sales_order.order_number"]),
    *printable("article_number"),
    between("line_number", "1", "1000000"),
    CheckConstraint(f"quantity > 0 AND quantity <= {LARGEST_QUANTITY}", name="quantity_in_range"),
    between("unit_price", "0", str(LARGEST_PRICE)),
    between("discount_percent", "0", "100"),
    between("vat_rate", "0", "100"),
    CheckConstraint("account IS NULL OR account BETWEEN 1000 AND 9999", name="account_in_range"),
    Index("ix_sales_order_line_article", "merchant_id", "article_number"),
    schema="erp",
)

RETURN_STATUSES = ("draft", "announced", "at-warehouse", "part-returned", "returned", "completed", "cancelled")

PURCHASE_STATUSES = ("draft", "placed", "at-warehouse", "part-received", "completed", "cancelled")

purchase_order = Table(
    "purchase_order",
    metadata,
    merchant(),
    key("purchase_order_number"),
    key("supplier_number"),
    Column("status", Text, nullable=False, server_default="draft"),
    Column("currency", Text, nullable=False, server_default="SEK"),
    Column("order_date", Date, nullable=False, server_default=text("current_date")),
    Column("expected_on", Date),
    Column("version", Integer, nullable=False, server_default="1"),
    instant("updated_at", default=True),
    Column("remark", Text),
    Column("order_type", Text, nullable=False, server_default="normal"),
    Column("placed_in", BigInteger),
    instant("cancel_requested_at", nullable=True),
    Column("closed_by", Text),
    Column("close_reason", Text),
    Column("refused_version", Integer),
    Column("refused_code", Text),
    instant("status_changed_at", default=True),
    instant("created_at", default=True),
    PrimaryKeyConstraint("merchant_id", "purchase_order_number"),
    of_merchant(),
    CheckConstraint(f"status IN ({','.join(repr(s) for s in PURCHASE_STATUSES)})", name="status_is_known"),
    CheckConstraint(
        "(closed_by IS NULL AND close_reason IS NULL)"
        " OR (coalesce(btrim(closed_by), '') <> '' AND coalesce(btrim(close_reason), '') <> '')",
        name="a_decision_has_an_actor_and_a_reason",
    ),
    ForeignKeyConstraint(["merchant_id", "supplier_number"], ["erp.supplier.merchant_id", "erp.supplier.supplier_number"]),
    *printable("purchase_order_number"),
    CheckConstraint("erp.is_currency(currency)", name="currency_is_known"),
    schema="erp",
)

purchase_order_line = Table(
    "purchase_order_line",
    metadata,
    merchant(),
    key("purchase_order_number"),
    Column("line_number", Integer, nullable=False),
    key("article_number"),
    Column("quantity", QUANTITY, nullable=False),
    Column("unit_price", PRICE, nullable=False),
    PrimaryKeyConstraint("merchant_id", "purchase_order_number", "line_number"),
    ForeignKeyConstraint(
        ["merchant_id", "purchase_order_number"],
        ["erp.purchase_order.merchant_id", "erp.purchase_order.purchase_order_number"],
    ),
    *printable("article_number"),
    CheckConstraint(f"quantity > 0 AND quantity <= {LARGEST_QUANTITY}", name="quantity_in_range"),
    between("unit_price", "0", str(LARGEST_PRICE)),
    schema="erp",
)

goods_receipt = Table(
    "goods_receipt",
    metadata,
    merchant(),
    key("purchase_order_number"),
    Column("receipt_no", Integer, nullable=False),
    Column("transaction_no", BigInteger),
    instant("booked_at", default=True),
    PrimaryKeyConstraint("merchant_id", "purchase_order_number", "receipt_no"),
    ForeignKeyConstraint(
        ["merchant_id", "purchase_order_number"],
        ["erp.purchase_order.merchant_id", "erp.purchase_order.purchase_order_number"],
    ),
    ForeignKeyConstraint(
        ["merchant_id", "transaction_no"], ["erp.ledger_transaction.merchant_id", "erp.ledger_transaction.transaction_no"]
    ),
    between("receipt_no", "1", "1000000"),
    schema="erp",
)

goods_receipt_line = Table(
    "goods_receipt_line",
    metadata,
    merchant(),
    key("purchase_order_number"),
    Column("receipt_no", Integer, nullable=False),
    Column("row_no", Integer, nullable=False),
    Column("kind", Text, nullable=False, server_default="purchase-order"),
    Column("doc_id", BigInteger, nullable=False),
    Column("line_id", BigInteger, nullable=False),
    Column("what", Text, nullable=False, server_default="received"),
    Column("step", Integer, nullable=False),
    Column("line_number", Integer),
    key("article_number"),
    key("warehouse"),
    Column("in_stock", Boolean, nullable=False),
    Column("quantity", QUANTITY, nullable=False),
    Column("unit_price", PRICE, nullable=False),
    Column("currency", Text, nullable=False),
    Column("exchange_rate", Numeric(20, 10), nullable=False),
    Column("rate_date", Date, nullable=False),
    Column("value", VALUE, nullable=False),
    Column("mark_epoch", Integer),
    Column("mark_keep", Numeric),
    Column("reverses_step", Integer),
    instant("received_at"),
    PrimaryKeyConstraint("merchant_id", "purchase_order_number", "receipt_no", "row_no"),
    ForeignKeyConstraint(
        ["merchant_id", "purchase_order_number", "receipt_no"],
        [
            "erp.goods_receipt.merchant_id",
            "erp.goods_receipt.purchase_order_number",
            "erp.goods_receipt.receipt_no",
        ],
        name="fk_goods_receipt_line_receipt",
    ),
    ForeignKeyConstraint(
        ["merchant_id", "kind", "doc_id", "line_id", "what", "step"],
        [
            "bridge.booking.merchant_id",
            "bridge.booking.kind",
            "bridge.booking.doc_id",
            "bridge.booking.line_id",
            "bridge.booking.what",
            "bridge.booking.step",
        ],
        name="fk_goods_receipt_line_booking",
    ),
    CheckConstraint(f"quantity <> 0 AND abs(quantity) <= {LARGEST_QUANTITY * 100}", name="quantity_in_range"),
    CheckConstraint("exchange_rate > 0 AND exchange_rate <= 1000000", name="exchange_rate_in_range"),
    CheckConstraint("abs(value) <= 1000000000000 AND sign(value) * sign(quantity) >= 0", name="value_follows_quantity"),
    CheckConstraint("in_stock = (mark_keep IS NOT NULL) OR quantity < 0", name="a_receipt_has_a_mark"),
    CheckConstraint("num_nonnulls(mark_epoch, mark_keep) IN (0, 2)", name="a_mark_is_whole"),
    CheckConstraint("reverses_step IS NULL OR quantity < 0", name="only_less_reverses"),
    between("unit_price", "0", str(LARGEST_PRICE)),
    between("mark_keep", "0", "1"),
    Index("ix_goods_receipt_line_booking", "merchant_id", "doc_id", "line_id", "step"),
    Index("ix_goods_receipt_line_article", "merchant_id", "article_number", "received_at"),
    schema="erp",
)

return_order = Table(
    "return_order",
    metadata,
    merchant(),
    key("return_number"),
    key("order_number"),
    Column("origin", Text, nullable=False, server_default="announced"),
    Column("status", Text, nullable=False, server_default="draft"),
    Column("credit", Boolean, nullable=False, server_default=text("true")),
    Column("credit_freight", Boolean),
    Column("decided_by", Text),
    Column("decision", Text),
    Column("expected_on", Date),
    Column("comment", Text),
    Column("version", Integer, nullable=False, server_default="1"),
    Column("announced_in", BigInteger),
    instant("cancel_requested_at", nullable=True),
    instant("nudged_at", nullable=True),
    instant("status_changed_at", default=True),
    instant("created_at", default=True),
    instant("updated_at", default=True),
    PrimaryKeyConstraint("merchant_id", "return_number"),
    ForeignKeyConstraint(["merchant_id", "order_number"], ["erp.sales_order.merchant_id", "erp.sales_order.order_number"]),
    *printable("return_number"),
    CheckConstraint("origin IN ('announced','seen','credit')", name="origin_is_known"),
    CheckConstraint(f"status IN ({','.join(repr(s) for s in RETURN_STATUSES)})", name="status_is_known"),
    CheckConstraint(
        "(origin <> 'credit' AND credit) OR (coalesce(btrim(decided_by), '') <> '' AND coalesce(btrim(decision), '') <> '')",
        name="a_decision_has_an_actor_and_a_reason",
    ),
    Index("ix_return_order_order", "merchant_id", "order_number"),
    schema="erp",
)

return_order_line = Table(
    "return_order_line",
    metadata,
    merchant(),
    key("return_number"),
    Column("line_number", Integer, nullable=False),
    key("article_number", nullable=True),
    Column("quantity", QUANTITY, nullable=False),
    Column("cause_code", Text),
    Column("cause_name", Text),
    PrimaryKeyConstraint("merchant_id", "return_number", "line_number"),
    ForeignKeyConstraint(["merchant_id", "return_number"], ["erp.return_order.merchant_id", "erp.return_order.return_number"]),
    CheckConstraint(f"quantity > 0 AND quantity <= {LARGEST_QUANTITY}", name="quantity_in_range"),
    schema="erp",
)

# --- erp: written by us, read by the ERP ------------------------------------------------------------------------------

shipment = Table(
    "shipment",
    metadata,
    merchant(),
    key("order_number"),
    Column("shipment_no", Integer, nullable=False),
    Column("reason", Text, nullable=False),
    instant("shipped_at"),
    Column("shipped_on", Date, nullable=False),
    Column("billable", Boolean, nullable=False, server_default=text("true")),
    instant("closed_at", default=True),
    PrimaryKeyConstraint("merchant_id", "order_number", "shipment_no"),
    ForeignKeyConstraint(["merchant_id", "order_number"], ["erp.sales_order.merchant_id", "erp.sales_order.order_number"]),
    CheckConstraint("reason IN ('sent','at-once','correction')", name="reason_is_known"),
    schema="erp",
)

held_line = Table(
    "held_line",
    metadata,
    merchant(),
    key("order_number"),
    Column("line_number", Integer, nullable=False),
    key("article_number"),
    Column("description", Text),
    Column("quantity", QUANTITY, nullable=False),
    Column("unit_price", PRICE, nullable=False),
    Column("discount_percent", PERCENT, nullable=False),
    Column("vat_rate", PERCENT, nullable=False),
    Column("account", Integer),
    PrimaryKeyConstraint("merchant_id", "order_number", "line_number"),
    ForeignKeyConstraint(["merchant_id", "order_number"], ["erp.sales_order.merchant_id", "erp.sales_order.order_number"]),
    CheckConstraint(f"quantity >= 0 AND quantity <= {LARGEST_QUANTITY}", name="quantity_in_range"),
    schema="erp",
)

shipment_line = Table(
    "shipment_line",
    metadata,
    merchant(),
    key("order_number"),
    Column("shipment_no", Integer, nullable=False),
    Column("line_number", Integer, nullable=False),
    Column("quantity", QUANTITY, nullable=False),
    PrimaryKeyConstraint("merchant_id", "order_number", "shipment_no", "line_number"),
    ForeignKeyConstraint(
        ["merchant_id", "order_number", "shipment_no"],
        ["erp.shipment.merchant_id", "erp.shipment.order_number", "erp.shipment.shipment_no"],
    ),
    CheckConstraint(f"quantity <> 0 AND abs(quantity) <= {LARGEST_QUANTITY * 100}", name="quantity_in_range"),
    schema="erp",
)

warehouse_order = Table(
    "warehouse_order",
    metadata,
    merchant(),
    Column("warehouse_order_id", BigInteger, nullable=False),
    key("order_number"),
    Column("warehouse_order_number", Text),
    Column("back_order_for", BigInteger),
    Column("status", Integer),
    Column("status_text", Text),
    Column("meaning", Text),
    Column("way_of_delivery", Text),
    Column("transporter", Text),
    Column("transporter_code", Text),
    Column("transporter_service", Text),
    Column("picked", QUANTITY, nullable=False, server_default="0"),
    instant("shipped_at", nullable=True),
    instant("changed_at", default=True),
    PrimaryKeyConstraint("merchant_id", "warehouse_order_id"),
    ForeignKeyConstraint(["merchant_id", "order_number"], ["erp.sales_order.merchant_id", "erp.sales_order.order_number"]),
    CheckConstraint("picked >= 0 AND picked < 'NaN'", name="picked_is_a_number"),
    Index("ix_warehouse_order_order", "merchant_id", "order_number"),
    schema="erp",
)

parcel = Table(
    "parcel",
    metadata,
    merchant(),
    Column("warehouse_order_id", BigInteger, nullable=False),
    Column("parcel_key", Text, nullable=False),
    Column("parcel_number", Text),
    Column("tracking_number", Text),
    Column("tracking_url", Text),
    instant("changed_at", default=True),
    PrimaryKeyConstraint("merchant_id", "warehouse_order_id", "parcel_key"),
    ForeignKeyConstraint(
        ["merchant_id", "warehouse_order_id"],
        ["erp.warehouse_order.merchant_id", "erp.warehouse_order.warehouse_order_id"],
    ),
    CheckConstraint("num_nonnulls(parcel_number, tracking_number, tracking_url) > 0", name="can_be_found"),
    schema="erp",
)

picked_line = Table(
    "picked_line",
    metadata,
    merchant(),
    key("order_number"),
    Column("line_number", Integer, nullable=False),
    Column("quantity", QUANTITY, nullable=False),
    instant("changed_at", default=True),
    PrimaryKeyConstraint("merchant_id", "order_number", "line_number"),
    ForeignKeyConstraint(["merchant_id", "order_number"], ["erp.sales_order.merchant_id", "erp.sales_order.order_number"]),
    CheckConstraint("quantity >= 0 AND quantity < 'NaN'", name="quantity_is_a_number"),
    schema="erp",
)

invoice_basis = Table(
    "invoice_basis",
    metadata,
    merchant(),
    Column("basis_no", BigInteger, nullable=False),
    Column("part", Integer, nullable=False),
    Column("revision", Integer, nullable=False, server_default="0"),
    Column("reference", Text, nullable=False),
    Column("kind", Text, nullable=False),
    key("order_number"),
    Column("shipment_no", Integer),
    Column("credits_basis_no", BigInteger),
    Column("credits_part", Integer),
    key("return_number", nullable=True),
    Column("currency", Text, nullable=False),
    Column("exchange_rate", RATE, nullable=False),
    Column("price_basis", Text, nullable=False),
    Column("invoice_date", Date, nullable=False),
    Column("amount", VALUE, nullable=False),
    Column("net", VALUE, nullable=False),
    Column("vat", VALUE, nullable=False),
    Column("tolerance", VALUE, nullable=False),
    Column("state", Text, nullable=False, server_default="open"),
    Column("fortnox_invoice_number", BigInteger),
    Column("fortnox_voucher", Text),
    Column("fortnox_net", VALUE),
    Column("fortnox_vat", VALUE),
    instant("booked_at", nullable=True),
    instant("created_at", default=True),
    PrimaryKeyConstraint("merchant_id", "basis_no", "part"),
    UniqueConstraint("merchant_id", "reference"),
    UniqueConstraint("merchant_id", "order_number", "shipment_no", "part"),
    ForeignKeyConstraint(
        ["merchant_id", "order_number", "shipment_no"],
        ["erp.shipment.merchant_id", "erp.shipment.order_number", "erp.shipment.shipment_no"],
    ),
    ForeignKeyConstraint(
        ["merchant_id", "credits_basis_no", "credits_part"],
        ["erp.invoice_basis.merchant_id", "erp.invoice_basis.basis_no", "erp.invoice_basis.part"],
    ),
    ForeignKeyConstraint(["merchant_id", "return_number"], ["erp.return_order.merchant_id", "erp.return_order.return_number"]),
    CheckConstraint(
        "num_nonnulls(shipment_no, credits_basis_no) = 1 AND num_nonnulls(credits_basis_no, credits_part, return_number) IN (0, 3)",
        name="follows_a_shipment_or_a_return",
    ),
    CheckConstraint("kind IN ('invoice','credit')", name="kind_is_known"),
    CheckConstraint("state IN ('open','booked','cancelled')", name="state_is_known"),
    CheckConstraint("(state = 'booked') = (booked_at IS NOT NULL)", name="booked_has_a_time"),
    CheckConstraint("abs(net) <= 1000000000000 AND abs(vat) <= 1000000000000", name="amounts_in_range"),
    Index("ix_invoice_basis_owed", "merchant_id", "order_number", postgresql_where=text("state = 'open'")),
    numbers("amount", "exchange_rate", "tolerance"),
    CheckConstraint(
        "abs(coalesce(fortnox_net, 0)) <= 1000000000000 AND abs(coalesce(fortnox_vat, 0)) <= 1000000000000",
        name="their_amounts_in_range",
    ),
    schema="erp",
)

invoice_basis_row = Table(
    "invoice_basis_row",
    metadata,
    merchant(),
    Column("basis_no", BigInteger, nullable=False),
    Column("part", Integer, nullable=False),
    Column("row_no", Integer, nullable=False),
    Column("kind", Text, nullable=False),
    Column("line_number", Integer),
    key("article_number", nullable=True),
    Column("description", Text, nullable=False),
    Column("quantity", QUANTITY, nullable=False),
    Column("unit_price", PRICE, nullable=False),
    Column("discount_percent", PERCENT, nullable=False),
    Column("amount", VALUE, nullable=False),
    Column("vat_rate", PERCENT, nullable=False),
    Column("account", Integer, nullable=False),
    Column("folded", Boolean, nullable=False),
    Column("billed_quantity", QUANTITY),
    Column("credits_row_no", Integer),
    PrimaryKeyConstraint("merchant_id", "basis_no", "part", "row_no"),
    ForeignKeyConstraint(
        ["merchant_id", "basis_no", "part"],
        ["erp.invoice_basis.merchant_id", "erp.invoice_basis.basis_no", "erp.invoice_basis.part"],
    ),
    CheckConstraint("kind IN ('goods','service','freight')", name="kind_is_known"),
    CheckConstraint("abs(amount) <= 1000000000000", name="amount_in_range"),
    numbers("quantity", "unit_price", "discount_percent", "vat_rate"),
    CheckConstraint("abs(billed_quantity) <= 1000000000000", name="billed_quantity_in_range"),
    schema="erp",
)

returned_goods = Table(
    "returned_goods",
    metadata,
    merchant(),
    Column("kind", Text, nullable=False, server_default="sales-order"),
    Column("doc_id", BigInteger, nullable=False),
    Column("line_id", BigInteger, nullable=False),
    Column("what", Text, nullable=False, server_default="returned"),
    Column("step", Integer, nullable=False),
    Column("part", Integer, nullable=False),
    key("order_number"),
    Column("line_number", Integer),
    key("return_number"),
    key("article_number"),
    Column("quantity", QUANTITY, nullable=False),
    Column("cause_code", Text),
    Column("grade", Text, nullable=False),
    instant("occurred_at"),
    instant("booked_at", default=True),
    PrimaryKeyConstraint("merchant_id", "kind", "doc_id", "line_id", "what", "step", "part"),
    ForeignKeyConstraint(
        ["merchant_id", "kind", "doc_id", "line_id", "what", "step"],
        [
            "bridge.booking.merchant_id",
            "bridge.booking.kind",
            "bridge.booking.doc_id",
            "bridge.booking.line_id",
            "bridge.booking.what",
            "bridge.booking.step",
        ],
        name="fk_returned_goods_booking",
    ),
    ForeignKeyConstraint(["merchant_id", "return_number"], ["erp.return_order.merchant_id", "erp.return_order.return_number"]),
    CheckConstraint("grade IN ('stock','locked','scrapped')", name="grade_is_known"),
    CheckConstraint(f"quantity <> 0 AND abs(quantity) <= {LARGEST_QUANTITY * 100}", name="quantity_in_range"),
    Index("ix_returned_goods_return", "merchant_id", "return_number"),
    Index("ix_returned_goods_order", "merchant_id", "order_number"),
    schema="erp",
)

return_settlement = Table(
    "return_settlement",
    metadata,
    merchant(),
    key("return_number"),
    Column("line_number", Integer, nullable=False),
    Column("settlement_no", Integer, nullable=False),
    Column("quantity", QUANTITY, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("basis_no", BigInteger),
    Column("part", Integer),
    instant("settled_at", default=True),
    PrimaryKeyConstraint("merchant_id", "return_number", "line_number", "settlement_no"),
    ForeignKeyConstraint(["merchant_id", "return_number"], ["erp.return_order.merchant_id", "erp.return_order.return_number"]),
    ForeignKeyConstraint(
        ["merchant_id", "basis_no", "part"],
        ["erp.invoice_basis.merchant_id", "erp.invoice_basis.basis_no", "erp.invoice_basis.part"],
    ),
    CheckConstraint("outcome IN ('credited','not-invoiced','without-credit')", name="outcome_is_known"),
    CheckConstraint(
        "num_nonnulls(basis_no, part) = CASE WHEN outcome = 'credited' THEN 2 ELSE 0 END", name="a_credit_has_a_basis"
    ),
    CheckConstraint(f"quantity > 0 AND quantity <= {LARGEST_QUANTITY * 100}", name="quantity_in_range"),
    schema="erp",
)

stock_balance = Table(
    "stock_balance",
    metadata,
    merchant(),
    key("article_number"),
    key("warehouse"),
    Column("quantity", QUANTITY, nullable=False, server_default="0"),
    Column("value", VALUE, nullable=False, server_default="0"),
    Column("last_cost", PRICE),
    Column("epoch", Integer, nullable=False, server_default="1"),
    Column("keep", Numeric, nullable=False, server_default="1"),
    Column("last_entry_no", BigInteger, nullable=False, server_default="0"),
    instant("updated_at", default=True),
    PrimaryKeyConstraint("merchant_id", "article_number", "warehouse"),
    ForeignKeyConstraint(["merchant_id", "article_number"], ["erp.article.merchant_id", "erp.article.article_number"]),
    CheckConstraint("quantity <> 'NaN' AND value <> 'NaN' AND keep >= 0 AND keep <= 1", name="figures_are_numbers"),
    CheckConstraint("quantity <> 0 OR value = 0", name="no_value_on_zero_pieces"),
    between("last_cost", "0", "1000000000000"),
    schema="erp",
)

ledger_transaction = Table(
    "ledger_transaction",
    metadata,
    merchant(),
    Column("transaction_no", BigInteger, nullable=False),
    Column("reason", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("rule_version", Text, nullable=False),
    Column("code_version", Text, nullable=False),
    Column("first_entry_no", BigInteger, nullable=False),
    Column("last_entry_no", BigInteger, nullable=False),
    Column("first_posting_no", BigInteger, nullable=False),
    Column("last_posting_no", BigInteger, nullable=False),
    instant("recorded_at", default=True),
    Column("previous_hash", LargeBinary, nullable=False),
    Column("hash", LargeBinary, nullable=False),
    PrimaryKeyConstraint("merchant_id", "transaction_no"),
    of_merchant(),
    CheckConstraint("length(hash) = 32 AND length(previous_hash) = 32", name="hashes_are_sha256"),
    schema="erp",
)

stock_entry = Table(
    "stock_entry",
    metadata,
    merchant(),
    Column("entry_no", BigInteger, nullable=False),
    Column("transaction_no", BigInteger, nullable=False),
    Column("posting_no", BigInteger),
    key("article_number"),
    key("warehouse"),
    Column("kind", Text, nullable=False),
    Column("quantity", QUANTITY, nullable=False),
    Column("value", VALUE, nullable=False),
    Column("document", Text, nullable=False),
    Column("booking_kind", Text),
    Column("booking_doc_id", BigInteger),
    Column("booking_line_id", BigInteger),
    Column("booking_what", Text),
    Column("booking_step", Integer),
    Column("cause", Text),
    Column("reverses_entry_no", BigInteger),
    Column("epoch", Integer, nullable=False, server_default="1"),
    Column("keep", Numeric, nullable=False, server_default="1"),
    instant("occurred_at"),
    PrimaryKeyConstraint("merchant_id", "entry_no"),
    ForeignKeyConstraint(
        ["merchant_id", "article_number", "warehouse"],
        ["erp.stock_balance.merchant_id", "erp.stock_balance.article_number", "erp.stock_balance.warehouse"],
    ),
    ForeignKeyConstraint(
        ["merchant_id", "transaction_no"],
        ["erp.ledger_transaction.merchant_id", "erp.ledger_transaction.transaction_no"],
        deferrable=True,
        initially="DEFERRED",
    ),
    ForeignKeyConstraint(
        ["merchant_id", "booking_kind", "booking_doc_id", "booking_line_id", "booking_what", "booking_step"],
        [
            "bridge.booking.merchant_id",
            "bridge.booking.kind",
            "bridge.booking.doc_id",
            "bridge.booking.line_id",
            "bridge.booking.what",
            "bridge.booking.step",
        ],
        name="fk_stock_entry_booking",
    ),
    ForeignKeyConstraint(["merchant_id", "reverses_entry_no"], ["erp.stock_entry.merchant_id", "erp.stock_entry.entry_no"]),
    CheckConstraint(
        "(kind IN ('opening','receipt') AND quantity > 0) OR (kind = 'pick' AND quantity < 0)"
        " OR (kind IN ('pick-reversal','return','return-scrapped','scrap-reversal') AND quantity > 0)"
        " OR (kind IN ('return-reversal','receipt-reversal','scrap') AND quantity < 0)"
        " OR (kind = 'adjustment' AND quantity <> 0) OR (kind IN ('cost','true-up') AND quantity = 0 AND value <> 0)",
        name="sign_follows_kind",
    ),
    CheckConstraint(f"abs(quantity) <= {LARGEST_QUANTITY * 100} AND abs(value) <= 1000000000000", name="figures_in_range"),
    CheckConstraint(
        "CASE WHEN kind IN ('pick-reversal','return-reversal','receipt-reversal') THEN reverses_entry_no IS NOT NULL"
        " WHEN kind IN ('return','return-scrapped') THEN true ELSE reverses_entry_no IS NULL END",
        name="reversal_names_its_original",
    ),
    CheckConstraint("num_nonnulls(booking_step, cause) = 1", name="one_cause"),
    Index(
        "ix_stock_entry_booking",
        "merchant_id",
        "booking_kind",
        "booking_doc_id",
        "booking_line_id",
        "booking_what",
        "booking_step",
    ),
    UniqueConstraint("merchant_id", "cause", "article_number", "warehouse"),
    Index("ix_stock_entry_article", "merchant_id", "article_number", "warehouse", "entry_no"),
    Index("ix_stock_entry_reverses", "merchant_id", "reverses_entry_no", postgresql_where=text("reverses_entry_no IS NOT NULL")),
    Index("ix_stock_entry_transaction", "merchant_id", "transaction_no"),
    between("keep", "0", "1"),
    schema="erp",
)

posting = Table(
    "posting",
    metadata,
    merchant(),
    Column("posting_no", BigInteger, nullable=False),
    Column("transaction_no", BigInteger, nullable=False),
    Column("event", Text, nullable=False),
    Column("accounting_date", Date, nullable=False),
    Column("currency", Text, nullable=False),
    Column("document", Text, nullable=False),
    Column("corrects_posting_no", BigInteger),
    PrimaryKeyConstraint("merchant_id", "posting_no"),
    ForeignKeyConstraint(
        ["merchant_id", "transaction_no"],
        ["erp.ledger_transaction.merchant_id", "erp.ledger_transaction.transaction_no"],
        deferrable=True,
        initially="DEFERRED",
    ),
    ForeignKeyConstraint(["merchant_id", "corrects_posting_no"], ["erp.posting.merchant_id", "erp.posting.posting_no"]),
    Index("ix_posting_transaction", "merchant_id", "transaction_no"),
    schema="erp",
)

posting_row = Table(
    "posting_row",
    metadata,
    merchant(),
    Column("posting_no", BigInteger, nullable=False),
    Column("row_no", Integer, nullable=False),
    Column("account", Integer, nullable=False),
    Column("debit", VALUE, nullable=False),
    Column("credit", VALUE, nullable=False),
    PrimaryKeyConstraint("merchant_id", "posting_no", "row_no"),
    ForeignKeyConstraint(["merchant_id", "posting_no"], ["erp.posting.merchant_id", "erp.posting.posting_no"]),
    CheckConstraint("debit >= 0 AND credit >= 0 AND debit <> 'NaN' AND credit <> 'NaN'", name="sides_are_positive"),
    CheckConstraint("(debit = 0) <> (credit = 0)", name="one_side"),
    CheckConstraint("account BETWEEN 1000 AND 9999", name="account_in_range"),
    schema="erp",
)

exchange_rate = Table(
    "exchange_rate",
    metadata,
    merchant(),
    Column("source", Text, nullable=False),
    Column("currency", Text, nullable=False),
    Column("rate_date", Date, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("value", RATE, nullable=False),
    Column("units", SmallInteger, nullable=False),
    Column("checked_by", Text, nullable=False),
    Column("other_rate", Numeric(20, 10)),
    Column("confirmed_by", Text),
    instant("asked_at"),
    instant("fetched_at", default=True),
    PrimaryKeyConstraint("merchant_id", "source", "currency", "rate_date", "revision"),
    of_merchant(),
    CheckConstraint("source = 'riksbank'", name="source_is_known"),
    CheckConstraint("erp.is_currency(currency)", name="currency_is_known"),
    CheckConstraint("value > 0 AND value < 1000000", name="value_in_range"),
    CheckConstraint("units IN (1, 100)", name="units_are_known"),
    CheckConstraint("revision >= 1", name="revision_in_range"),
    CheckConstraint("checked_by IN ('ecb','previous','person')", name="checked_by_is_known"),
    CheckConstraint("(checked_by = 'person') = (confirmed_by IS NOT NULL)", name="confirmed_has_a_name"),
    between("other_rate", "0", "1000000"),
    schema="erp",
)

# --- bridge: our plumbing ---------------------------------------------------------------------------------------------

ledger_head = Table(
    "ledger_head",
    metadata,
    merchant(),
    Column("transaction_no", BigInteger, nullable=False, server_default="0"),
    Column("entry_no", BigInteger, nullable=False, server_default="0"),
    Column("posting_no", BigInteger, nullable=False, server_default="0"),
    Column("hash", LargeBinary, nullable=False),
    PrimaryKeyConstraint("merchant_id"),
    of_merchant(),
    schema="bridge",
)

voucher = Table(
    "voucher",
    metadata,
    merchant(),
    Column("voucher_no", BigInteger, nullable=False),
    Column("accounting_date", Date, nullable=False),
    Column("specification_hash", LargeBinary, nullable=False),
    Column("specification", Text, nullable=False),
    Column("state", Text, nullable=False, server_default="open"),
    Column("fortnox_series", Text),
    Column("fortnox_number", BigInteger),
    Column("fortnox_year", Integer),
    Column("booked_on", Date),
    instant("booked_at", nullable=True),
    instant("created_at", default=True),
    PrimaryKeyConstraint("merchant_id", "voucher_no"),
    of_merchant(),
    CheckConstraint("state IN ('open','booked')", name="state_is_known"),
    CheckConstraint("(state = 'booked') <= (fortnox_number IS NOT NULL AND booked_on IS NOT NULL)", name="booked_is_numbered"),
    schema="bridge",
)

voucher_posting = Table(
    "voucher_posting",
    metadata,
    merchant(),
    Column("posting_no", BigInteger, nullable=False),
    Column("voucher_no", BigInteger, nullable=False),
    PrimaryKeyConstraint("merchant_id", "posting_no"),
    ForeignKeyConstraint(["merchant_id", "posting_no"], ["erp.posting.merchant_id", "erp.posting.posting_no"]),
    ForeignKeyConstraint(["merchant_id", "voucher_no"], ["bridge.voucher.merchant_id", "bridge.voucher.voucher_no"]),
    schema="bridge",
)

outbox = Table(
    "outbox",
    metadata,
    Column("outbox_no", BigInteger, Identity(), primary_key=True),
    merchant(),
    Column("topic", Text, nullable=False),
    Column("document", Text, nullable=False),
    instant("created_at", default=True),
    instant("claimed_until", nullable=True),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("last_error", Text),
    instant("delivered_at", nullable=True),
    Column("outcome", Text),
    of_merchant(),
    Index("ix_outbox_waiting", "outbox_no", postgresql_where=text("delivered_at IS NULL")),
    Index("ix_outbox_document", "merchant_id", "document"),
    Index("ix_outbox_articles", "merchant_id", postgresql_where=text("delivered_at IS NULL AND topic = 'articles.changed'")),
    schema="bridge",
)

inbox = Table(
    "inbox",
    metadata,
    Column("inbox_no", BigInteger, Identity(), primary_key=True),
    merchant(),
    Column("source", Text, nullable=False),
    Column("event_id", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("doc_id", BigInteger),
    Column("document", Text),
    instant("received_at", default=True),
    instant("claimed_until", nullable=True),
    instant("applied_at", nullable=True),
    Column("outcome", Text),
    Column("alone", Boolean, nullable=False, server_default=text("false")),
    UniqueConstraint("merchant_id", "source", "event_id"),
    of_merchant(),
    Index("ix_inbox_waiting", "inbox_no", postgresql_where=text("applied_at IS NULL")),
    Index("ix_inbox_doc_id", "merchant_id", "doc_id"),
    Index("ix_inbox_alone", "merchant_id", postgresql_where=text("alone")),
    schema="bridge",
)

process = Table(
    "process",
    metadata,
    merchant(),
    Column("kind", Text, nullable=False),
    Column("document", Text, nullable=False),
    Column("run", Integer, nullable=False),
    Column("workflow_id", Text, nullable=False),
    instant("started_at", default=True),
    instant("ended_at", nullable=True),
    Column("outcome", Text),
    PrimaryKeyConstraint("merchant_id", "kind", "document", "run"),
    UniqueConstraint("merchant_id", "workflow_id"),
    of_merchant(),
    Index(
        "uq_process_running",
        "merchant_id",
        "kind",
        "document",
        unique=True,
        postgresql_where=text("ended_at IS NULL"),
    ),
    CheckConstraint("(ended_at IS NULL) = (outcome IS NULL)", name="an_end_has_an_outcome"),
    schema="bridge",
)

watched = Table(
    "watched",
    metadata,
    merchant(),
    Column("kind", Text, nullable=False),
    Column("doc_id", BigInteger, nullable=False),
    Column("document", Text, nullable=False),
    Column("fence", BigInteger, nullable=False, server_default="0"),
    Column("epoch", Integer, nullable=False, server_default="1"),
    Column("look_owed", Boolean, nullable=False, server_default=text("true")),
    Column("status", Integer),
    instant("shipped_at", nullable=True),
    instant("short_since", nullable=True),
    instant("looked_at", nullable=True),
    instant("watch_until", nullable=True),
    Column("shown", Text),
    instant("created_at", default=True),
    PrimaryKeyConstraint("merchant_id", "kind", "doc_id"),
    of_merchant(),
    Index("ix_watched_document", "merchant_id", "kind", "document"),
    schema="bridge",
)

counted = Table(
    "counted",
    metadata,
    merchant(),
    Column("kind", Text, nullable=False),
    Column("doc_id", BigInteger, nullable=False),
    Column("line_id", BigInteger, nullable=False),
    Column("what", Text, nullable=False),
    Column("line_number", Integer),
    key("article_number"),
    Column("ordered", QUANTITY, nullable=False, server_default="0"),
    Column("booked", QUANTITY, nullable=False, server_default="0"),
    Column("step", Integer, nullable=False, server_default="0"),
    Column("reported_known", QUANTITY),
    Column("shipped", QUANTITY, nullable=False, server_default="0"),
    Column("doubt_value", QUANTITY),
    Column("doubt_look", BigInteger),
    instant("doubt_at", nullable=True),
    instant("reversed_at", nullable=True),
    PrimaryKeyConstraint("merchant_id", "kind", "doc_id", "line_id", "what"),
    ForeignKeyConstraint(
        ["merchant_id", "kind", "doc_id"],
        ["bridge.watched.merchant_id", "bridge.watched.kind", "bridge.watched.doc_id"],
    ),
    CheckConstraint("booked >= 0 AND booked < 'NaN'", name="booked_is_a_number"),
    CheckConstraint("num_nonnulls(doubt_value, doubt_look, doubt_at) IN (0, 3)", name="a_doubt_is_whole"),
    numbers("ordered", "shipped"),
    between("reported_known", "0", "1000000000000"),
    between("doubt_value", "0", "1000000000000"),
    schema="bridge",
)

booking = Table(
    "booking",
    metadata,
    merchant(),
    Column("kind", Text, nullable=False),
    Column("doc_id", BigInteger, nullable=False),
    Column("line_id", BigInteger, nullable=False),
    Column("what", Text, nullable=False),
    Column("step", Integer, nullable=False),
    Column("look", BigInteger, nullable=False),
    Column("quantity", QUANTITY, nullable=False),
    Column("from_value", QUANTITY, nullable=False),
    Column("to_value", QUANTITY, nullable=False),
    instant("occurred_at"),
    instant("booked_at", default=True),
    Column("step_before", Integer, Computed("nullif(step - 1, 0)", persisted=True)),
    PrimaryKeyConstraint("merchant_id", "kind", "doc_id", "line_id", "what", "step"),
    UniqueConstraint("merchant_id", "kind", "doc_id", "line_id", "what", "step", "to_value", name="uq_booking_to_value"),
    ForeignKeyConstraint(
        ["merchant_id", "kind", "doc_id", "line_id", "what"],
        [
            "bridge.counted.merchant_id",
            "bridge.counted.kind",
            "bridge.counted.doc_id",
            "bridge.counted.line_id",
            "bridge.counted.what",
        ],
        name="fk_booking_counted",
    ),
    ForeignKeyConstraint(
        ["merchant_id", "kind", "doc_id", "line_id", "what", "step_before", "from_value"],
        [
            "bridge.booking.merchant_id",
            "bridge.booking.kind",
            "bridge.booking.doc_id",
            "bridge.booking.line_id",
            "bridge.booking.what",
            "bridge.booking.step",
            "bridge.booking.to_value",
        ],
        name="fk_booking_step_before",
    ),
    CheckConstraint("to_value = from_value + quantity AND quantity <> 0", name="steps_add_up"),
    CheckConstraint("step >= 1 AND from_value >= 0 AND to_value >= 0 AND to_value < 'NaN'", name="figures_in_range"),
    schema="bridge",
)

link = Table(
    "link",
    metadata,
    merchant(),
    Column("system", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("our_key", Text, nullable=False),
    Column("their_id", Text, nullable=False),
    Column("sent_hash", Text),
    Column("sent_version", Integer),
    Column("confirmed", Boolean, nullable=False, server_default=text("false")),
    instant("updated_at", default=True),
    PrimaryKeyConstraint("merchant_id", "system", "kind", "our_key"),
    UniqueConstraint("merchant_id", "system", "kind", "their_id"),
    of_merchant(),
    schema="bridge",
)

foreign_call = Table(
    "foreign_call",
    metadata,
    merchant(),
    Column("call_no", BigInteger, Identity(), nullable=False),
    Column("system", Text, nullable=False),
    Column("operation", Text, nullable=False),
    Column("business_key", Text, nullable=False),
    Column("payload_hash", Text, nullable=False),
    Column("state", Text, nullable=False, server_default="intended"),
    Column("attempt", Integer, nullable=False, server_default="0"),
    Column("their_id", Text),
    Column("error", Text),
    instant("intended_at", default=True),
    instant("sent_at", nullable=True),
    instant("deadline", nullable=True),
    instant("settle_after", nullable=True),
    instant("ended_at", nullable=True),
    PrimaryKeyConstraint("merchant_id", "system", "operation", "business_key"),
    of_merchant(),
    CheckConstraint("state IN ('intended','sent','done','refused','abandoned')", name="state_is_known"),
    CheckConstraint("(state = 'sent') <= (settle_after IS NOT NULL AND deadline IS NOT NULL)", name="sent_has_a_deadline"),
    Index("ix_foreign_call_open", "merchant_id", "system", postgresql_where=text("state IN ('intended','sent')")),
    schema="bridge",
)

surplus_document = Table(
    "surplus_document",
    metadata,
    merchant(),
    Column("system", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("their_id", Text, nullable=False),
    Column("business_key", Text, nullable=False),
    Column("fault", Text, nullable=False),
    Column("state", Text, nullable=False, server_default="found"),
    instant("found_at", default=True),
    instant("cancelled_at", nullable=True),
    PrimaryKeyConstraint("merchant_id", "system", "kind", "their_id"),
    of_merchant(),
    schema="bridge",
)

connection = Table(
    "connection",
    metadata,
    merchant(),
    Column("system", Text, nullable=False),
    Column("settings", JSONB, nullable=False),
    Column("credentials", LargeBinary, nullable=False),
    Column("state", Text, nullable=False, server_default="untested"),
    Column("problem", Text),
    instant("problem_since", nullable=True),
    instant("probe_after", nullable=True),
    Column("version", Integer, nullable=False, server_default="1"),
    instant("updated_at", default=True),
    PrimaryKeyConstraint("merchant_id", "system"),
    of_merchant(),
    CheckConstraint("state IN ('untested','working','blocked')", name="state_is_known"),
    schema="bridge",
)

merchant_settings = Table(
    "merchant_settings",
    metadata,
    merchant(),
    Column("settings", JSONB, nullable=False),
    Column("version", Integer, nullable=False, server_default="1"),
    Column("changed_by", Text, nullable=False),
    instant("updated_at", default=True),
    PrimaryKeyConstraint("merchant_id"),
    of_merchant(),
    schema="bridge",
)

entity = Table(
    "entity",
    metadata,
    merchant(),
    Column("flow", Text, nullable=False),
    Column("enabled", Boolean, nullable=False, server_default=text("true")),
    Column("interval_seconds", Integer, nullable=False, server_default="60"),
    instant("last_run_at", nullable=True),
    instant("run_now_at", nullable=True),
    instant("watermark", nullable=True),
    PrimaryKeyConstraint("merchant_id", "flow"),
    of_merchant(),
    between("interval_seconds", "1", "86400"),
    schema="bridge",
)

exception = Table(
    "exception",
    metadata,
    merchant(),
    Column("exception_no", BigInteger, Identity(), nullable=False),
    Column("kind", Text, nullable=False),
    Column("document", Text, nullable=False),
    Column("code", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Column("blocking", Boolean, nullable=False),
    instant("opened_at", default=True),
    instant("closed_at", nullable=True),
    Column("closed_by", Text),
    PrimaryKeyConstraint("merchant_id", "exception_no"),
    of_merchant(),
    Index(
        "uq_exception_open",
        "merchant_id",
        "kind",
        "document",
        "code",
        unique=True,
        postgresql_where=text("closed_at IS NULL"),
    ),
    schema="bridge",
)

audit = Table(
    "audit",
    metadata,
    merchant(),
    Column("audit_no", BigInteger, Identity(), nullable=False),
    Column("actor", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("document", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("detail", JSONB, nullable=False, server_default=text("'{}'::jsonb")),
    Column("request_key", Text),
    instant("recorded_at", default=True),
    PrimaryKeyConstraint("merchant_id", "audit_no"),
    UniqueConstraint("merchant_id", "request_key"),
    of_merchant(),
    schema="bridge",
)

status_move = Table(
    "status_move",
    metadata,
    merchant(),
    key("order_number"),
    Column("move_no", BigInteger, Identity(), nullable=False),
    Column("from_status", Text, nullable=False),
    Column("to_status", Text, nullable=False),
    Column("cause", Text, nullable=False),
    instant("moved_at", default=True),
    PrimaryKeyConstraint("merchant_id", "order_number", "move_no"),
    ForeignKeyConstraint(["merchant_id", "order_number"], ["erp.sales_order.merchant_id", "erp.sales_order.order_number"]),
    schema="bridge",
)

order_sent = Table(
    "order_sent",
    metadata,
    merchant(),
    key("order_number"),
    Column("attempt", Integer, nullable=False, server_default="0"),
    instant("sending_until", nullable=True),
    instant("unclear_until", nullable=True),
    Column("mark", Text),
    Column("header", JSONB),
    PrimaryKeyConstraint("merchant_id", "order_number"),
    ForeignKeyConstraint(["merchant_id", "order_number"], ["erp.sales_order.merchant_id", "erp.sales_order.order_number"]),
    schema="bridge",
)

rate_slot = Table(
    "rate_slot",
    metadata,
    merchant(),
    Column("system", Text, nullable=False),
    Column("slot", SmallInteger, nullable=False),
    instant("free_at"),
    PrimaryKeyConstraint("merchant_id", "system", "slot"),
    of_merchant(),
    schema="bridge",
)

write_lease = Table(
    "write_lease",
    metadata,
    merchant(),
    Column("system", Text, nullable=False),
    Column("holder", Text),
    instant("held_until", nullable=True),
    instant("orders_wait_until", nullable=True),
    PrimaryKeyConstraint("merchant_id", "system"),
    of_merchant(),
    schema="bridge",
)

webhook_endpoint = Table(
    "webhook_endpoint",
    metadata,
    merchant(),
    Column("system", Text, nullable=False),
    Column("path_hash", Text, nullable=False, unique=True),
    Column("token_hash", Text, nullable=False),
    Column("enabled", Boolean, nullable=False, server_default=text("true")),
    instant("created_at", default=True),
    PrimaryKeyConstraint("merchant_id", "system", "path_hash"),
    of_merchant(),
    schema="bridge",
)

parked_address = Table(
    "parked_address",
    metadata,
    merchant(),
    key("parked"),
    key("order_number"),
    Column("name", Text),
    Column("address1", Text),
    Column("address2", Text),
    Column("post_code", Text),
    Column("city", Text),
    Column("country", Text),
    Column("email", Text),
    Column("phone", Text),
    Column("instruction", Text),
    instant("created_at", default=True),
    PrimaryKeyConstraint("merchant_id", "parked"),
    ForeignKeyConstraint(["merchant_id", "order_number"], ["erp.sales_order.merchant_id", "erp.sales_order.order_number"]),
    schema="bridge",
)

api_token = Table(
    "api_token",
    metadata,
    merchant(),
    Column("token_hash", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("enabled", Boolean, nullable=False, server_default=text("true")),
    instant("created_at", default=True),
    PrimaryKeyConstraint("merchant_id", "token_hash"),
    of_merchant(),
    schema="bridge",
)
