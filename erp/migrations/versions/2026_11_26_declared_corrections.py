"""A landed cost below zero says which earlier one it corrects; what a return says of freight is history once it has ended.

A negative amount was booked without a question, and stock became cheaper by a slip of the finger. Freight that was asked for after
a return's end was credited by nobody.
"""

import sqlalchemy as sa
from alembic import op

from erp.migrations.running import run_sql

revision = "declared_corrections"
down_revision = "stock_deliveries"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("landed_cost", sa.Column("corrects", sa.Text(), nullable=True), schema="erp")
    op.create_foreign_key(
        "fk_landed_cost_corrects",
        "landed_cost",
        "landed_cost",
        ["merchant_id", "corrects"],
        ["merchant_id", "landed_cost_number"],
        source_schema="erp",
        referent_schema="erp",
    )
    run_sql("2026_11_26_declared_corrections.sql")


def downgrade() -> None:
    raise NotImplementedError("a guard is not taken away")
