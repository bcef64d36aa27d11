"""How a merchant's warehouse counts, as real picks and receipts have shown it; up to which transaction a run's file has listed approvals."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "how_it_counts"
down_revision = "named_credits"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("reconciling", sa.Column("counting", JSONB(), server_default="{}", nullable=False), schema="bridge")
    op.add_column("reconciliation_run", sa.Column("booked_to", sa.BigInteger(), nullable=True), schema="erp")


def downgrade() -> None:
    raise NotImplementedError("what is proved is not forgotten")
