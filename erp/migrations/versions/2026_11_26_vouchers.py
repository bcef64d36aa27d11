"""A voucher knows the day it is booked on, which stands once it was sent, and when that was done."""

import sqlalchemy as sa
from alembic import op

revision = "vouchers"
down_revision = "foundation"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("voucher", sa.Column("booked_on", sa.Date(), nullable=True), schema="bridge")
    op.add_column("voucher", sa.Column("booked_at", sa.DateTime(timezone=True), nullable=True), schema="bridge")
    op.create_check_constraint(op.f("ck_voucher_state_is_known"), "voucher", "state IN ('open','booked')", schema="bridge")
    op.create_check_constraint(
        op.f("ck_voucher_booked_is_numbered"),
        "voucher",
        "(state = 'booked') <= (fortnox_number IS NOT NULL AND booked_on IS NOT NULL)",
        schema="bridge",
    )


def downgrade() -> None:
    raise NotImplementedError("what is booked is not forgotten")
