"""What the warehouse holds of an order, what it refused, and until when a request for it may still arrive."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from erp.migrations.running import run_sql

revision = "order_changes"
down_revision = "vouchers"
branch_labels = None
depends_on = None


def upgrade() -> None:
    answers = ("cancel_answer", sa.Text()), ("cancel_answered_at", sa.DateTime(timezone=True))
    refusal = ("refused_version", sa.Integer()), ("refused_part", sa.Text()), ("refused_code", sa.Text())
    said = ("refused_text", sa.Text()), ("refused_at", sa.DateTime(timezone=True))
    for name, kind in (*answers, *refusal, *said):
        op.add_column("sales_order", sa.Column(name, kind, nullable=True), schema="erp")
    for name, allowed in (
        ("cancel_answer", "cancel_answer IN ('stopped','too-late')"),
        ("refused_part", "refused_part IN ('address','lines','address and lines')"),
    ):
        op.create_check_constraint(op.f(f"ck_sales_order_{name}_is_known"), "sales_order", allowed, schema="erp")
    op.create_table(
        "held_line",
        sa.Column("merchant_id", sa.Text(), nullable=False),
        sa.Column("order_number", sa.Text(), nullable=False),
        sa.Column("line_number", sa.Integer(), nullable=False),
        sa.Column("article_number", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("quantity", sa.Numeric(precision=18, scale=4), nullable=False),
        sa.Column("unit_price", sa.Numeric(precision=18, scale=6), nullable=False),
        sa.Column("discount_percent", sa.Numeric(precision=5, scale=2), nullable=False),
        sa.Column("vat_rate", sa.Numeric(precision=5, scale=2), nullable=False),
        sa.Column("account", sa.Integer(), nullable=True),
        sa.CheckConstraint("quantity >= 0 AND quantity <= 10000000", name=op.f("ck_held_line_quantity_in_range")),
        sa.ForeignKeyConstraint(
            ["merchant_id", "order_number"],
            ["erp.sales_order.merchant_id", "erp.sales_order.order_number"],
            name=op.f("fk_held_line_merchant_id_order_number"),
        ),
        sa.PrimaryKeyConstraint("merchant_id", "order_number", "line_number", name=op.f("pk_held_line")),
        schema="erp",
    )
    op.create_table(
        "order_sent",
        sa.Column("merchant_id", sa.Text(), nullable=False),
        sa.Column("order_number", sa.Text(), nullable=False),
        sa.Column("attempt", sa.Integer(), server_default="0", nullable=False),
        sa.Column("sending_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("unclear_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("mark", sa.Text(), nullable=True),
        sa.Column("header", postgresql.JSONB(), nullable=True),
        sa.ForeignKeyConstraint(
            ["merchant_id", "order_number"],
            ["erp.sales_order.merchant_id", "erp.sales_order.order_number"],
            name=op.f("fk_order_sent_merchant_id_order_number"),
        ),
        sa.PrimaryKeyConstraint("merchant_id", "order_number", name=op.f("pk_order_sent")),
        schema="bridge",
    )
    # A line that the ERP drops too late is shipped all the same; `held_line` keeps it.
    op.drop_constraint("fk_shipment_line_merchant_id_order_number_line_number", "shipment_line", schema="erp")
    run_sql("2026_11_26_order_changes_after.sql")


def downgrade() -> None:
    raise NotImplementedError("what was refused and what is still on its way is not forgotten")
