"""Each credit names its invoice, also that of goods that were un-picked after their invoice."""

from pathlib import Path

from alembic import op

revision = "named_credits"
down_revision = "costing"
branch_labels = None
depends_on = None


def upgrade() -> None:
    sql = (Path(__file__).parent / "2026_11_26_named_credits.sql").read_text(encoding="utf-8")
    driver_connection = op.get_bind().connection.dbapi_connection
    assert driver_connection is not None
    driver_connection.run_async(lambda driver: driver.execute(sql))


def downgrade() -> None:
    raise NotImplementedError("a credit that follows a shipment and names its invoice has no place in what was before")
