"""What the ERP has told stands: no return changes its kind, no document that is under way is deleted; landed costs name purchases."""

from pathlib import Path

from alembic import op

revision = "documents_stand"
down_revision = "supplier_invoices"
branch_labels = None
depends_on = None


def upgrade() -> None:
    sql = (Path(__file__).parent / "2026_11_26_documents_stand.sql").read_text(encoding="utf-8")
    driver_connection = op.get_bind().connection.dbapi_connection
    assert driver_connection is not None
    driver_connection.run_async(lambda driver: driver.execute(sql))


def downgrade() -> None:
    raise NotImplementedError("a guard is not taken away")
