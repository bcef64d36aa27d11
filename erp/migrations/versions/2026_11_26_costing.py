"""Costing: layers of first in first out, standard costs, the calculated cost, revaluations; one costing method at a time."""

from pathlib import Path

from alembic import op

revision = "costing"
down_revision = "reconciliation"
branch_labels = None
depends_on = None


def upgrade() -> None:
    sql = (Path(__file__).parent / "2026_11_26_costing.sql").read_text(encoding="utf-8")
    driver_connection = op.get_bind().connection.dbapi_connection
    assert driver_connection is not None
    driver_connection.run_async(lambda driver: driver.execute(sql))


def downgrade() -> None:
    raise NotImplementedError("how stock was costed is not forgotten")
