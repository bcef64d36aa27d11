"""The daily reconciliation: its runs, differences, settlements, approvals and files; the warehouse's own corrections."""

from pathlib import Path

from alembic import op

revision = "reconciliation"
down_revision = "purchase_types"
branch_labels = None
depends_on = None


def upgrade() -> None:
    sql = (Path(__file__).parent / "2026_11_26_reconciliation.sql").read_text(encoding="utf-8")
    driver_connection = op.get_bind().connection.dbapi_connection
    assert driver_connection is not None
    driver_connection.run_async(lambda driver: driver.execute(sql))


def downgrade() -> None:
    raise NotImplementedError("what a reconciliation has said is not forgotten")
