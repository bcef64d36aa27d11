"""A person corrects what received goods cost: a booking of its own kind on the purchase order."""

from alembic import op

revision = "corrected_costs"
down_revision = "supplier_invoices"
branch_labels = None
depends_on = None

_KINDS = "'match','delivery','reversal','landed-cost','supplier-return','cost-correction'"


def upgrade() -> None:
    op.execute("alter table erp.purchase_booking drop constraint ck_purchase_booking_kind_is_known")
    op.execute(f"alter table erp.purchase_booking add constraint ck_purchase_booking_kind_is_known check (kind in ({_KINDS}))")


def downgrade() -> None:
    raise NotImplementedError("a cost that was corrected is not forgotten")
