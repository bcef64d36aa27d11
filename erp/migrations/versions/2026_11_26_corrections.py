"""What people's corrections need: parked addresses, tokens of programs that may correct, and rights on an order's lines."""

import sqlalchemy as sa
from alembic import op

from erp.migrations.running import run_sql

revision = "corrections"
down_revision = "returns"
branch_labels = None
depends_on = None

ADDRESS = ("name", "address1", "address2", "post_code", "city", "country", "email", "phone", "instruction")


def upgrade() -> None:
    op.create_table(
        "parked_address",
        sa.Column("merchant_id", sa.Text(), nullable=False),
        sa.Column("parked", sa.Text(), nullable=False),
        sa.Column("order_number", sa.Text(), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=True) for name in ADDRESS),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["merchant_id", "order_number"],
            ["erp.sales_order.merchant_id", "erp.sales_order.order_number"],
            name=op.f("fk_parked_address_merchant_id_order_number"),
        ),
        sa.PrimaryKeyConstraint("merchant_id", "parked", name=op.f("pk_parked_address")),
        schema="bridge",
    )
    op.create_table(
        "api_token",
        sa.Column("merchant_id", sa.Text(), nullable=False),
        sa.Column("token_hash", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("enabled", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["merchant_id"], ["erp.merchant.merchant_id"], name=op.f("fk_api_token_merchant_id")),
        sa.PrimaryKeyConstraint("merchant_id", "token_hash", name=op.f("pk_api_token")),
        schema="bridge",
    )
    run_sql("2026_11_26_corrections_after.sql")


def downgrade() -> None:
    raise NotImplementedError("who may correct what is not forgotten")
