"""Supplier invoices, their matches, claims, late and landed costs, returns to suppliers; a purchase order ends as invoiced."""

from erp.migrations.running import run_sql

revision = "supplier_invoices"
down_revision = "how_it_counts"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_sql("2026_11_26_supplier_invoices.sql")


def downgrade() -> None:
    raise NotImplementedError("what was matched and booked is not forgotten")
