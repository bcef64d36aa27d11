"""A purchase order has a type, as a sales order has: a transfer arrives as an inbound of its type."""

import sqlalchemy as sa
from alembic import op

revision = "purchase_types"
down_revision = "purchases"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("purchase_order", sa.Column("order_type", sa.Text(), server_default="normal", nullable=False), schema="erp")


def downgrade() -> None:
    op.drop_column("purchase_order", "order_type", schema="erp")
