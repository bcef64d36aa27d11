"""What the ERP sees: the warehouse's documents, parcels and picks of an order, progress by order and line, and one channel."""

import sqlalchemy as sa
from alembic import op

from erp.migrations.running import run_sql

revision = "what_the_erp_sees"
down_revision = "exchange_rates"
branch_labels = None
depends_on = None

NOW = sa.text("now()")


def upgrade() -> None:
    op.add_column("shipment", sa.Column("billable", sa.Boolean(), server_default=sa.text("true"), nullable=False), schema="erp")
    op.add_column("watched", sa.Column("shown", sa.Text(), nullable=True), schema="bridge")
    op.create_table(
        "warehouse_order",
        sa.Column("merchant_id", sa.Text(), nullable=False),
        sa.Column("warehouse_order_id", sa.BigInteger(), nullable=False),
        sa.Column("order_number", sa.Text(), nullable=False),
        sa.Column("warehouse_order_number", sa.Text(), nullable=True),
        sa.Column("back_order_for", sa.BigInteger(), nullable=True),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("status_text", sa.Text(), nullable=True),
        sa.Column("meaning", sa.Text(), nullable=True),
        sa.Column("way_of_delivery", sa.Text(), nullable=True),
        sa.Column("transporter", sa.Text(), nullable=True),
        sa.Column("transporter_code", sa.Text(), nullable=True),
        sa.Column("transporter_service", sa.Text(), nullable=True),
        sa.Column("picked", sa.Numeric(precision=18, scale=4), server_default="0", nullable=False),
        sa.Column("shipped_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("changed_at", sa.DateTime(timezone=True), server_default=NOW, nullable=False),
        sa.CheckConstraint("picked >= 0 AND picked < 'NaN'", name=op.f("ck_warehouse_order_picked_is_a_number")),
        sa.ForeignKeyConstraint(
            ["merchant_id", "order_number"],
            ["erp.sales_order.merchant_id", "erp.sales_order.order_number"],
            name=op.f("fk_warehouse_order_merchant_id"),
        ),
        sa.PrimaryKeyConstraint("merchant_id", "warehouse_order_id", name=op.f("pk_warehouse_order")),
        schema="erp",
    )
    op.create_index("ix_warehouse_order_order", "warehouse_order", ["merchant_id", "order_number"], unique=False, schema="erp")
    op.create_table(
        "parcel",
        sa.Column("merchant_id", sa.Text(), nullable=False),
        sa.Column("warehouse_order_id", sa.BigInteger(), nullable=False),
        sa.Column("parcel_key", sa.Text(), nullable=False),
        sa.Column("parcel_number", sa.Text(), nullable=True),
        sa.Column("tracking_number", sa.Text(), nullable=True),
        sa.Column("tracking_url", sa.Text(), nullable=True),
        sa.Column("changed_at", sa.DateTime(timezone=True), server_default=NOW, nullable=False),
        sa.CheckConstraint("num_nonnulls(parcel_number, tracking_number, tracking_url) > 0", name=op.f("ck_parcel_can_be_found")),
        sa.ForeignKeyConstraint(
            ["merchant_id", "warehouse_order_id"],
            ["erp.warehouse_order.merchant_id", "erp.warehouse_order.warehouse_order_id"],
            name=op.f("fk_parcel_merchant_id"),
        ),
        sa.PrimaryKeyConstraint("merchant_id", "warehouse_order_id", "parcel_key", name=op.f("pk_parcel")),
        schema="erp",
    )
    op.create_table(
        "picked_line",
        sa.Column("merchant_id", sa.Text(), nullable=False),
        sa.Column("order_number", sa.Text(), nullable=False),
        sa.Column("line_number", sa.Integer(), nullable=False),
        sa.Column("quantity", sa.Numeric(precision=18, scale=4), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), server_default=NOW, nullable=False),
        sa.CheckConstraint("quantity >= 0 AND quantity < 'NaN'", name=op.f("ck_picked_line_quantity_is_a_number")),
        sa.ForeignKeyConstraint(
            ["merchant_id", "order_number"],
            ["erp.sales_order.merchant_id", "erp.sales_order.order_number"],
            name=op.f("fk_picked_line_merchant_id"),
        ),
        sa.PrimaryKeyConstraint("merchant_id", "order_number", "line_number", name=op.f("pk_picked_line")),
        schema="erp",
    )
    run_sql("2026_11_26_what_the_erp_sees.sql")
