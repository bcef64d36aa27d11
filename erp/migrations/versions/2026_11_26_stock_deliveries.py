"""What lay under each name where stock files are delivered, when it was last read: it is not fetched or judged again."""

from erp.migrations.running import run_sql

revision = "stock_deliveries"
down_revision = "corrected_costs"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_sql("2026_11_26_stock_deliveries.sql")


def downgrade() -> None:
    raise NotImplementedError("what was delivered is not forgotten")
