"""Purchases: a purchase order that is told of and answered, what came in of it, and the ledger's receipts that are taken back."""

import sqlalchemy as sa
from alembic import op

from erp.migrations.running import run_sql

revision = "purchases"
down_revision = "articles_told"
branch_labels = None
depends_on = None

SIGN = (
    "(kind IN ('opening','receipt') AND quantity > 0) OR (kind = 'pick' AND quantity < 0)"
    " OR (kind IN ('pick-reversal','return','return-scrapped','scrap-reversal') AND quantity > 0)"
    " OR (kind IN ('return-reversal','receipt-reversal','scrap') AND quantity < 0)"
    " OR (kind = 'adjustment' AND quantity <> 0) OR (kind IN ('cost','true-up') AND quantity = 0 AND value <> 0)"
)
REVERSES = (
    "CASE WHEN kind IN ('pick-reversal','return-reversal','receipt-reversal') THEN reverses_entry_no IS NOT NULL"
    " WHEN kind IN ('return','return-scrapped') THEN true ELSE reverses_entry_no IS NULL END"
)
DECISION = (
    "(closed_by IS NULL AND close_reason IS NULL)"
    " OR (coalesce(btrim(closed_by), '') <> '' AND coalesce(btrim(close_reason), '') <> '')"
)
STATUSES = "status IN ('draft','placed','at-warehouse','part-received','completed','cancelled')"


def upgrade() -> None:
    for name, condition in (("sign_follows_kind", SIGN), ("reversal_names_its_original", REVERSES)):
        op.drop_constraint(op.f(f"ck_stock_entry_{name}"), "stock_entry", schema="erp")
        op.create_check_constraint(op.f(f"ck_stock_entry_{name}"), "stock_entry", condition, schema="erp")
    for column in (
        sa.Column("remark", sa.Text()),
        sa.Column("placed_in", sa.BigInteger()),
        sa.Column("cancel_requested_at", sa.DateTime(timezone=True)),
        sa.Column("closed_by", sa.Text()),
        sa.Column("close_reason", sa.Text()),
        sa.Column("refused_version", sa.Integer()),
        sa.Column("refused_code", sa.Text()),
        sa.Column("status_changed_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
    ):
        op.add_column("purchase_order", column, schema="erp")
    op.execute("update erp.purchase_order set status = 'draft' where not (" + STATUSES + ")")
    op.create_check_constraint(op.f("ck_purchase_order_status_is_known"), "purchase_order", STATUSES, schema="erp")
    op.create_check_constraint(
        op.f("ck_purchase_order_a_decision_has_an_actor_and_a_reason"), "purchase_order", DECISION, schema="erp"
    )
    op.create_table(
        "goods_receipt",
        sa.Column("merchant_id", sa.Text(), nullable=False),
        sa.Column("purchase_order_number", sa.Text(), nullable=False),
        sa.Column("receipt_no", sa.Integer(), nullable=False),
        sa.Column("transaction_no", sa.BigInteger(), nullable=True),
        sa.Column("booked_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("receipt_no >= 1 AND receipt_no <= 1000000", name=op.f("ck_goods_receipt_receipt_no_in_range")),
        sa.ForeignKeyConstraint(
            ["merchant_id", "purchase_order_number"],
            ["erp.purchase_order.merchant_id", "erp.purchase_order.purchase_order_number"],
            name=op.f("fk_goods_receipt_merchant_id_purchase_order_number"),
        ),
        sa.ForeignKeyConstraint(
            ["merchant_id", "transaction_no"],
            ["erp.ledger_transaction.merchant_id", "erp.ledger_transaction.transaction_no"],
            name=op.f("fk_goods_receipt_merchant_id_transaction_no"),
        ),
        sa.PrimaryKeyConstraint("merchant_id", "purchase_order_number", "receipt_no", name=op.f("pk_goods_receipt")),
        schema="erp",
    )
    op.create_table(
        "goods_receipt_line",
        sa.Column("merchant_id", sa.Text(), nullable=False),
        sa.Column("purchase_order_number", sa.Text(), nullable=False),
        sa.Column("receipt_no", sa.Integer(), nullable=False),
        sa.Column("row_no", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), server_default="purchase-order", nullable=False),
        sa.Column("doc_id", sa.BigInteger(), nullable=False),
        sa.Column("line_id", sa.BigInteger(), nullable=False),
        sa.Column("what", sa.Text(), server_default="received", nullable=False),
        sa.Column("step", sa.Integer(), nullable=False),
        sa.Column("line_number", sa.Integer(), nullable=True),
        sa.Column("article_number", sa.Text(), nullable=False),
        sa.Column("warehouse", sa.Text(), nullable=False),
        sa.Column("in_stock", sa.Boolean(), nullable=False),
        sa.Column("quantity", sa.Numeric(precision=18, scale=4), nullable=False),
        sa.Column("unit_price", sa.Numeric(precision=18, scale=6), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("exchange_rate", sa.Numeric(precision=20, scale=10), nullable=False),
        sa.Column("rate_date", sa.Date(), nullable=False),
        sa.Column("value", sa.Numeric(precision=20, scale=2), nullable=False),
        sa.Column("mark_epoch", sa.Integer(), nullable=True),
        sa.Column("mark_keep", sa.Numeric(), nullable=True),
        sa.Column("reverses_step", sa.Integer(), nullable=True),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "abs(value) <= 1000000000000 AND sign(value) * sign(quantity) >= 0",
            name=op.f("ck_goods_receipt_line_value_follows_quantity"),
        ),
        sa.CheckConstraint(
            "exchange_rate > 0 AND exchange_rate <= 1000000", name=op.f("ck_goods_receipt_line_exchange_rate_in_range")
        ),
        sa.CheckConstraint(
            "in_stock = (mark_keep IS NOT NULL) OR quantity < 0", name=op.f("ck_goods_receipt_line_a_receipt_has_a_mark")
        ),
        sa.CheckConstraint("mark_keep >= 0 AND mark_keep <= 1", name=op.f("ck_goods_receipt_line_mark_keep_in_range")),
        sa.CheckConstraint("num_nonnulls(mark_epoch, mark_keep) IN (0, 2)", name=op.f("ck_goods_receipt_line_a_mark_is_whole")),
        sa.CheckConstraint("quantity <> 0 AND abs(quantity) <= 1000000000", name=op.f("ck_goods_receipt_line_quantity_in_range")),
        sa.CheckConstraint("reverses_step IS NULL OR quantity < 0", name=op.f("ck_goods_receipt_line_only_less_reverses")),
        sa.CheckConstraint("unit_price >= 0 AND unit_price <= 100000000", name=op.f("ck_goods_receipt_line_unit_price_in_range")),
        sa.ForeignKeyConstraint(
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
        sa.ForeignKeyConstraint(
            ["merchant_id", "purchase_order_number", "receipt_no"],
            [
                "erp.goods_receipt.merchant_id",
                "erp.goods_receipt.purchase_order_number",
                "erp.goods_receipt.receipt_no",
            ],
            name="fk_goods_receipt_line_receipt",
        ),
        sa.PrimaryKeyConstraint(
            "merchant_id", "purchase_order_number", "receipt_no", "row_no", name=op.f("pk_goods_receipt_line")
        ),
        schema="erp",
    )
    op.create_index(
        "ix_goods_receipt_line_article",
        "goods_receipt_line",
        ["merchant_id", "article_number", "received_at"],
        unique=False,
        schema="erp",
    )
    op.create_index(
        "ix_goods_receipt_line_booking",
        "goods_receipt_line",
        ["merchant_id", "doc_id", "line_id", "step"],
        unique=False,
        schema="erp",
    )
    run_sql("2026_11_26_purchases.sql")
