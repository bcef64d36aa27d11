"""Each credit names its invoice, also that of goods that were un-picked after their invoice."""

from erp.migrations.running import run_sql

revision = "named_credits"
down_revision = "costing"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_sql("2026_11_26_named_credits.sql")


def downgrade() -> None:
    raise NotImplementedError("a credit that follows a shipment and names its invoice has no place in what was before")
