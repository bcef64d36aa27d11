"""Corrections of one landed cost are weighed one after another, and against what is booked.

Two transactions that had both begun before either wrote (repeatable read) each saw only its own, and took back more than was laid.
And a correction upwards that was only entered made room for one downwards, and could then be withdrawn.
"""

from erp.migrations.running import run_sql

revision = "corrections_in_a_row"
down_revision = "declared_corrections"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_sql("2026_11_26_corrections_in_a_row.sql")


def downgrade() -> None:
    raise NotImplementedError("a guard is not taken away")
