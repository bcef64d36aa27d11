"""Supplier invoices, their matches, claims, late and landed costs, returns to suppliers; a purchase order ends as invoiced."""

from pathlib import Path

from alembic import op

revision = "supplier_invoices"
down_revision = "how_it_counts"
branch_labels = None
depends_on = None


def upgrade() -> None:
    sql = (Path(__file__).parent / "2026_11_26_supplier_invoices.sql").read_text(encoding="utf-8")
    driver_connection = op.get_bind().connection.dbapi_connection
    assert driver_connection is not None
    driver_connection.run_async(lambda driver: driver.execute(sql))


def downgrade() -> None:
    raise NotImplementedError("what was matched and booked is not forgotten")
