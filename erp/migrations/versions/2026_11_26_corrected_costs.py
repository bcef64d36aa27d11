"""A person corrects what received goods cost: a booking of its own kind. What the ERP entered for a purchase it may mend.

A landed cost that cannot be laid on its goods, or a return of more than is here, stood in the way for ever: neither could be changed
or withdrawn. As long as it is not booked it can be now, and its purchase order's process is told.
"""

from alembic import op

revision = "corrected_costs"
down_revision = "supplier_invoices"
branch_labels = None
depends_on = None

_KINDS = "'match','delivery','reversal','landed-cost','supplier-return','cost-correction'"
_MENDED = """
create function bridge.entered_is_mended() returns trigger language plpgsql security definer set search_path = pg_catalog as $$
declare
  purchase text;
begin
  if old.state <> 'entered' then
    raise exception '% is booked: what is booked is not changed, enter what corrects it', tg_table_name
      using errcode = 'check_violation';
  end if;
  purchase := case when tg_table_name = 'landed_cost' then to_jsonb(old) -> 'purchases' ->> 0
    else to_jsonb(old) ->> 'purchase_order_number' end;
  insert into bridge.inbox (merchant_id, source, event_id, kind, document)
    values (old.merchant_id, 'erp', gen_random_uuid()::text, 'purchase-order', purchase);
  return case when tg_op = 'DELETE' then old else new end;
end $$
"""


def upgrade() -> None:
    op.execute("alter table erp.purchase_booking drop constraint ck_purchase_booking_kind_is_known")
    op.execute(f"alter table erp.purchase_booking add constraint ck_purchase_booking_kind_is_known check (kind in ({_KINDS}))")
    op.execute(_MENDED)
    op.execute("revoke execute on function bridge.entered_is_mended() from public")
    mended = {
        "landed_cost": "amount, allocation_key, parts, account, reason, entered_by",
        "supplier_return": "quantity, reason, entered_by",
    }
    for table, columns in mended.items():
        op.execute(
            f"create trigger mended before delete or update of {columns} on erp.{table} "
            "for each row execute function bridge.entered_is_mended()"
        )
        op.execute(f"grant delete, update ({columns}) on erp.{table} to lagerbro_erp")


def downgrade() -> None:
    raise NotImplementedError("a cost that was corrected is not forgotten")
