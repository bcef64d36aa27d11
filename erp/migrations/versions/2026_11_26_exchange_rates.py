"""Exchange rates as they were published: only ever added to, a corrected one as a new revision."""

import sqlalchemy as sa
from alembic import op

revision = "exchange_rates"
down_revision = "found_alone"
branch_labels = None
depends_on = None

RIGHTS = """
revoke all on erp.exchange_rate from public;
grant select on erp.exchange_rate to lagerbro_erp, lagerbro_app, lagerbro_verify;
grant insert on erp.exchange_rate to lagerbro_app;

create trigger append_only before update or delete on erp.exchange_rate for each row execute function erp.append_only();
create trigger append_only_truncate before truncate on erp.exchange_rate execute function erp.append_only();
alter table erp.exchange_rate enable always trigger append_only;
alter table erp.exchange_rate enable always trigger append_only_truncate;

alter table erp.exchange_rate enable row level security;
alter table erp.exchange_rate force row level security;
create policy app on erp.exchange_rate to lagerbro_app using (merchant_id = current_setting('lagerbro.merchant', true))
  with check (merchant_id = current_setting('lagerbro.merchant', true));
create policy owner on erp.exchange_rate to lagerbro_owner using (true) with check (true);
create policy verify on erp.exchange_rate for select to lagerbro_verify using (true);
create policy relay on erp.exchange_rate to lagerbro_relay using (true) with check (true);
create policy intake on erp.exchange_rate to lagerbro_intake using (true) with check (true);
create policy erp on erp.exchange_rate to lagerbro_erp
  using (coalesce(current_setting('lagerbro.merchant', true), '') in ('', merchant_id))
  with check (coalesce(current_setting('lagerbro.merchant', true), '') in ('', merchant_id));
"""


def upgrade() -> None:
    op.create_table(
        "exchange_rate",
        sa.Column("merchant_id", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("rate_date", sa.Date(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("value", sa.Numeric(precision=18, scale=8), nullable=False),
        sa.Column("units", sa.SmallInteger(), nullable=False),
        sa.Column("checked_by", sa.Text(), nullable=False),
        sa.Column("other_rate", sa.Numeric(precision=20, scale=10), nullable=True),
        sa.Column("confirmed_by", sa.Text(), nullable=True),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("fetched_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("source = 'riksbank'", name=op.f("ck_exchange_rate_source_is_known")),
        sa.CheckConstraint("erp.is_currency(currency)", name=op.f("ck_exchange_rate_currency_is_known")),
        sa.CheckConstraint("value > 0 AND value < 1000000", name=op.f("ck_exchange_rate_value_in_range")),
        sa.CheckConstraint("units IN (1, 100)", name=op.f("ck_exchange_rate_units_are_known")),
        sa.CheckConstraint("revision >= 1", name=op.f("ck_exchange_rate_revision_in_range")),
        sa.CheckConstraint("checked_by IN ('ecb','previous','person')", name=op.f("ck_exchange_rate_checked_by_is_known")),
        sa.CheckConstraint(
            "(checked_by = 'person') = (confirmed_by IS NOT NULL)", name=op.f("ck_exchange_rate_confirmed_has_a_name")
        ),
        sa.CheckConstraint("other_rate >= 0 AND other_rate <= 1000000", name=op.f("ck_exchange_rate_other_rate_in_range")),
        sa.ForeignKeyConstraint(["merchant_id"], ["erp.merchant.merchant_id"], name=op.f("fk_exchange_rate_merchant_id")),
        sa.PrimaryKeyConstraint("merchant_id", "source", "currency", "rate_date", "revision", name=op.f("pk_exchange_rate")),
        schema="erp",
    )
    for statement in RIGHTS.split(";\n"):
        if statement.strip():
            op.execute(statement)
