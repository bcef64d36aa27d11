"""What the ERP has told stands: no return changes its kind, no document that is under way is deleted; landed costs name purchases."""

from erp.migrations.running import run_sql

revision = "documents_stand"
down_revision = "supplier_invoices"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_sql("2026_11_26_documents_stand.sql")


def downgrade() -> None:
    raise NotImplementedError("a guard is not taken away")
