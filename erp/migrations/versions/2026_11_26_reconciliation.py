"""The daily reconciliation: its runs, differences, settlements, approvals and files; the warehouse's own corrections."""

from erp.migrations.running import run_sql

revision = "reconciliation"
down_revision = "purchase_types"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_sql("2026_11_26_reconciliation.sql")


def downgrade() -> None:
    raise NotImplementedError("what a reconciliation has said is not forgotten")
