"""Returns: what the ERP announces, what came back of it, and what was credited; the ledger learns returns and scrapping."""

import sqlalchemy as sa
from alembic import op

from erp.migrations.running import run_sql

revision = "returns"
down_revision = "what_the_erp_sees"
branch_labels = None
depends_on = None

SIGN = (
    "(kind IN ('opening','receipt') AND quantity > 0) OR (kind = 'pick' AND quantity < 0)"
    " OR (kind IN ('pick-reversal','return','return-scrapped','scrap-reversal') AND quantity > 0)"
    " OR (kind IN ('return-reversal','scrap') AND quantity < 0)"
    " OR (kind = 'adjustment' AND quantity <> 0) OR (kind IN ('cost','true-up') AND quantity = 0 AND value <> 0)"
)
REVERSES = (
    "CASE WHEN kind IN ('pick-reversal','return-reversal') THEN reverses_entry_no IS NOT NULL"
    " WHEN kind IN ('return','return-scrapped') THEN true ELSE reverses_entry_no IS NULL END"
)
FOLLOWS = (
    "num_nonnulls(shipment_no, credits_basis_no) = 1 AND num_nonnulls(credits_basis_no, credits_part, return_number) IN (0, 3)"
)


def upgrade() -> None:
    op.drop_constraint(op.f("ck_stock_entry_sign_follows_kind"), "stock_entry", schema="erp")
    op.create_check_constraint(op.f("ck_stock_entry_sign_follows_kind"), "stock_entry", SIGN, schema="erp")
    op.drop_constraint(op.f("ck_stock_entry_reversal_names_its_original"), "stock_entry", schema="erp")
    op.create_check_constraint(op.f("ck_stock_entry_reversal_names_its_original"), "stock_entry", REVERSES, schema="erp")
    op.create_table(
        "return_order",
        sa.Column("merchant_id", sa.Text(), nullable=False),
        sa.Column("return_number", sa.Text(), nullable=False),
        sa.Column("order_number", sa.Text(), nullable=False),
        sa.Column("origin", sa.Text(), server_default="announced", nullable=False),
        sa.Column("status", sa.Text(), server_default="draft", nullable=False),
        sa.Column("credit", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("credit_freight", sa.Boolean(), nullable=True),
        sa.Column("decided_by", sa.Text(), nullable=True),
        sa.Column("decision", sa.Text(), nullable=True),
        sa.Column("expected_on", sa.Date(), nullable=True),
        sa.Column("comment", sa.Text(), nullable=True),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("announced_in", sa.BigInteger(), nullable=True),
        sa.Column("cancel_requested_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("nudged_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("status_changed_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "(origin <> 'credit' AND credit) OR (coalesce(btrim(decided_by), '') <> '' AND coalesce(btrim(decision), '') <> '')",
            name=op.f("ck_return_order_a_decision_has_an_actor_and_a_reason"),
        ),
        sa.CheckConstraint("origin IN ('announced','seen','credit')", name=op.f("ck_return_order_origin_is_known")),
        sa.CheckConstraint(
            "return_number ~ '^[^[:cntrl:]]+$' AND return_number = btrim(return_number) AND length(return_number) <= 50",
            name=op.f("ck_return_order_return_number_is_printable"),
        ),
        sa.CheckConstraint(
            "status IN ('draft','announced','at-warehouse','part-returned','returned','completed','cancelled')",
            name=op.f("ck_return_order_status_is_known"),
        ),
        sa.ForeignKeyConstraint(
            ["merchant_id", "order_number"],
            ["erp.sales_order.merchant_id", "erp.sales_order.order_number"],
            name=op.f("fk_return_order_merchant_id_order_number"),
        ),
        sa.PrimaryKeyConstraint("merchant_id", "return_number", name=op.f("pk_return_order")),
        schema="erp",
    )
    op.create_index("ix_return_order_order", "return_order", ["merchant_id", "order_number"], unique=False, schema="erp")
    op.create_table(
        "return_order_line",
        sa.Column("merchant_id", sa.Text(), nullable=False),
        sa.Column("return_number", sa.Text(), nullable=False),
        sa.Column("line_number", sa.Integer(), nullable=False),
        sa.Column("article_number", sa.Text(), nullable=True),
        sa.Column("quantity", sa.Numeric(precision=18, scale=4), nullable=False),
        sa.Column("cause_code", sa.Text(), nullable=True),
        sa.Column("cause_name", sa.Text(), nullable=True),
        sa.CheckConstraint("quantity > 0 AND quantity <= 10000000", name=op.f("ck_return_order_line_quantity_in_range")),
        sa.ForeignKeyConstraint(
            ["merchant_id", "return_number"],
            ["erp.return_order.merchant_id", "erp.return_order.return_number"],
            name=op.f("fk_return_order_line_merchant_id_return_number"),
        ),
        sa.PrimaryKeyConstraint("merchant_id", "return_number", "line_number", name=op.f("pk_return_order_line")),
        schema="erp",
    )
    op.alter_column("invoice_basis", "shipment_no", nullable=True, schema="erp")
    op.add_column("invoice_basis", sa.Column("credits_basis_no", sa.BigInteger()), schema="erp")
    op.add_column("invoice_basis", sa.Column("credits_part", sa.Integer()), schema="erp")
    op.add_column("invoice_basis", sa.Column("return_number", sa.Text()), schema="erp")
    op.create_foreign_key(
        op.f("fk_invoice_basis_merchant_id_credits_basis_no_credits_part"),
        "invoice_basis",
        "invoice_basis",
        ["merchant_id", "credits_basis_no", "credits_part"],
        ["merchant_id", "basis_no", "part"],
        source_schema="erp",
        referent_schema="erp",
    )
    op.create_foreign_key(
        op.f("fk_invoice_basis_merchant_id_return_number"),
        "invoice_basis",
        "return_order",
        ["merchant_id", "return_number"],
        ["merchant_id", "return_number"],
        source_schema="erp",
        referent_schema="erp",
    )
    op.create_check_constraint(op.f("ck_invoice_basis_follows_a_shipment_or_a_return"), "invoice_basis", FOLLOWS, schema="erp")
    op.add_column("invoice_basis_row", sa.Column("billed_quantity", sa.Numeric(precision=18, scale=4)), schema="erp")
    op.add_column("invoice_basis_row", sa.Column("credits_row_no", sa.Integer()), schema="erp")
    op.create_check_constraint(
        op.f("ck_invoice_basis_row_billed_quantity_in_range"),
        "invoice_basis_row",
        "abs(billed_quantity) <= 1000000000000",
        schema="erp",
    )
    op.create_table(
        "returned_goods",
        sa.Column("merchant_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), server_default="sales-order", nullable=False),
        sa.Column("doc_id", sa.BigInteger(), nullable=False),
        sa.Column("line_id", sa.BigInteger(), nullable=False),
        sa.Column("what", sa.Text(), server_default="returned", nullable=False),
        sa.Column("step", sa.Integer(), nullable=False),
        sa.Column("part", sa.Integer(), nullable=False),
        sa.Column("order_number", sa.Text(), nullable=False),
        sa.Column("line_number", sa.Integer(), nullable=True),
        sa.Column("return_number", sa.Text(), nullable=False),
        sa.Column("article_number", sa.Text(), nullable=False),
        sa.Column("quantity", sa.Numeric(precision=18, scale=4), nullable=False),
        sa.Column("cause_code", sa.Text(), nullable=True),
        sa.Column("grade", sa.Text(), nullable=False),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("booked_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("grade IN ('stock','locked','scrapped')", name=op.f("ck_returned_goods_grade_is_known")),
        sa.CheckConstraint("quantity <> 0 AND abs(quantity) <= 1000000000", name=op.f("ck_returned_goods_quantity_in_range")),
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
            name="fk_returned_goods_booking",
        ),
        sa.ForeignKeyConstraint(
            ["merchant_id", "return_number"],
            ["erp.return_order.merchant_id", "erp.return_order.return_number"],
            name=op.f("fk_returned_goods_merchant_id_return_number"),
        ),
        sa.PrimaryKeyConstraint(
            "merchant_id", "kind", "doc_id", "line_id", "what", "step", "part", name=op.f("pk_returned_goods")
        ),
        schema="erp",
    )
    op.create_index("ix_returned_goods_order", "returned_goods", ["merchant_id", "order_number"], unique=False, schema="erp")
    op.create_index("ix_returned_goods_return", "returned_goods", ["merchant_id", "return_number"], unique=False, schema="erp")
    op.create_table(
        "return_settlement",
        sa.Column("merchant_id", sa.Text(), nullable=False),
        sa.Column("return_number", sa.Text(), nullable=False),
        sa.Column("line_number", sa.Integer(), nullable=False),
        sa.Column("settlement_no", sa.Integer(), nullable=False),
        sa.Column("quantity", sa.Numeric(precision=18, scale=4), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("basis_no", sa.BigInteger(), nullable=True),
        sa.Column("part", sa.Integer(), nullable=True),
        sa.Column("settled_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "num_nonnulls(basis_no, part) = CASE WHEN outcome = 'credited' THEN 2 ELSE 0 END",
            name=op.f("ck_return_settlement_a_credit_has_a_basis"),
        ),
        sa.CheckConstraint(
            "outcome IN ('credited','not-invoiced','without-credit')", name=op.f("ck_return_settlement_outcome_is_known")
        ),
        sa.CheckConstraint("quantity > 0 AND quantity <= 1000000000", name=op.f("ck_return_settlement_quantity_in_range")),
        sa.ForeignKeyConstraint(
            ["merchant_id", "basis_no", "part"],
            ["erp.invoice_basis.merchant_id", "erp.invoice_basis.basis_no", "erp.invoice_basis.part"],
            name=op.f("fk_return_settlement_merchant_id_basis_no_part"),
        ),
        sa.ForeignKeyConstraint(
            ["merchant_id", "return_number"],
            ["erp.return_order.merchant_id", "erp.return_order.return_number"],
            name=op.f("fk_return_settlement_merchant_id_return_number"),
        ),
        sa.PrimaryKeyConstraint(
            "merchant_id", "return_number", "line_number", "settlement_no", name=op.f("pk_return_settlement")
        ),
        schema="erp",
    )
    run_sql("2026_11_26_returns.sql")
