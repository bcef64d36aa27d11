"""Costing: layers of first in first out, standard costs, the calculated cost, revaluations; one costing method at a time."""

from erp.migrations.running import run_sql

revision = "costing"
down_revision = "reconciliation"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_sql("2026_11_26_costing.sql")


def downgrade() -> None:
    raise NotImplementedError("how stock was costed is not forgotten")
