"""The foundation: the ERP's tables, the ledger, the plumbing, and the rules that hold whoever writes."""

from pathlib import Path

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "foundation"
down_revision = None
branch_labels = None
depends_on = None


def run_sql(name: str) -> None:
    """Run one SQL file that lies beside this one, as written: many statements, so by asyncpg's simple protocol."""
    sql = (Path(__file__).parent / name).read_text(encoding="utf-8")
    driver_connection = op.get_bind().connection.dbapi_connection
    assert driver_connection is not None
    driver_connection.run_async(lambda driver: driver.execute(sql))


def upgrade() -> None:
    run_sql("2026_11_25_foundation_before.sql")
    op.create_table(
        "merchant",
        sa.Column("merchant_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("currency", sa.Text(), server_default="SEK", nullable=False),
        sa.Column("country", sa.Text(), server_default="SE", nullable=False),
        sa.Column("time_zone", sa.Text(), server_default="Europe/Stockholm", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "currency IN ('SEK','EUR','NOK','DKK','GBP','USD','CHF','PLN')", name=op.f("ck_merchant_books_have_two_decimals")
        ),
        sa.CheckConstraint("merchant_id ~ '^[a-z0-9][a-z0-9-]{0,30}$'", name=op.f("ck_merchant_merchant_id_is_a_short_word")),
        sa.CheckConstraint("erp.is_country(country)", name=op.f("ck_merchant_country_is_known")),
        sa.PrimaryKeyConstraint("merchant_id", name=op.f("pk_merchant")),
        schema="erp",
    )
    op.create_table(
        "audit",
        sa.Column("merchant_id", sa.Text(), nullable=False),
        sa.Column("audit_no", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("detail", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'::jsonb"), nullable=False),
        sa.Column("request_key", sa.Text(), nullable=True),
        sa.Column("recorded_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["merchant_id"], ["erp.merchant.merchant_id"], name=op.f("fk_audit_merchant_id")),
        sa.PrimaryKeyConstraint("merchant_id", "audit_no", name=op.f("pk_audit")),
        sa.UniqueConstraint("merchant_id", "request_key", name=op.f("uq_audit_merchant_id_request_key")),
        schema="bridge",
    )
    op.create_table(
        "connection",
        sa.Column("merchant_id", sa.Text(), nullable=False),
        sa.Column("system", sa.Text(), nullable=False),
        sa.Column("settings", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("credentials", sa.LargeBinary(), nullable=False),
        sa.Column("state", sa.Text(), server_default="untested", nullable=False),
        sa.Column("problem", sa.Text(), nullable=True),
        sa.Column("problem_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("probe_after", sa.DateTime(timezone=True), nullable=True),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("state IN ('untested','working','blocked')", name=op.f("ck_connection_state_is_known")),
        sa.ForeignKeyConstraint(["merchant_id"], ["erp.merchant.merchant_id"], name=op.f("fk_connection_merchant_id")),
        sa.PrimaryKeyConstraint("merchant_id", "system", name=op.f("pk_connection")),
        schema="bridge",
    )
    op.create_table(
        "entity",
        sa.Column("merchant_id", sa.Text(), nullable=False),
        sa.Column("flow", sa.Text(), nullable=False),
        sa.Column("enabled", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("interval_seconds", sa.Integer(), server_default="60", nullable=False),
        sa.Column("last_run_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("run_now_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("watermark", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "interval_seconds >= 1 AND interval_seconds <= 86400", name=op.f("ck_entity_interval_seconds_in_range")
        ),
        sa.ForeignKeyConstraint(["merchant_id"], ["erp.merchant.merchant_id"], name=op.f("fk_entity_merchant_id")),
        sa.PrimaryKeyConstraint("merchant_id", "flow", name=op.f("pk_entity")),
        schema="bridge",
    )
    op.create_table(
        "exception",
        sa.Column("merchant_id", sa.Text(), nullable=False),
        sa.Column("exception_no", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("blocking", sa.Boolean(), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closed_by", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["merchant_id"], ["erp.merchant.merchant_id"], name=op.f("fk_exception_merchant_id")),
        sa.PrimaryKeyConstraint("merchant_id", "exception_no", name=op.f("pk_exception")),
        schema="bridge",
    )
    op.create_index(
        "uq_exception_open",
        "exception",
        ["merchant_id", "kind", "document", "code"],
        unique=True,
        schema="bridge",
        postgresql_where=sa.text("closed_at IS NULL"),
    )
    op.create_table(
        "foreign_call",
        sa.Column("merchant_id", sa.Text(), nullable=False),
        sa.Column("call_no", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("system", sa.Text(), nullable=False),
        sa.Column("operation", sa.Text(), nullable=False),
        sa.Column("business_key", sa.Text(), nullable=False),
        sa.Column("payload_hash", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), server_default="intended", nullable=False),
        sa.Column("attempt", sa.Integer(), server_default="0", nullable=False),
        sa.Column("their_id", sa.Text(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("intended_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("deadline", sa.DateTime(timezone=True), nullable=True),
        sa.Column("settle_after", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "(state = 'sent') <= (settle_after IS NOT NULL AND deadline IS NOT NULL)",
            name=op.f("ck_foreign_call_sent_has_a_deadline"),
        ),
        sa.CheckConstraint(
            "state IN ('intended','sent','done','refused','abandoned')", name=op.f("ck_foreign_call_state_is_known")
        ),
        sa.ForeignKeyConstraint(["merchant_id"], ["erp.merchant.merchant_id"], name=op.f("fk_foreign_call_merchant_id")),
        sa.PrimaryKeyConstraint("merchant_id", "system", "operation", "business_key", name=op.f("pk_foreign_call")),
        schema="bridge",
    )
    op.create_index(
        "ix_foreign_call_open",
        "foreign_call",
        ["merchant_id", "system"],
        unique=False,
        schema="bridge",
        postgresql_where=sa.text("state IN ('intended','sent')"),
    )
    op.create_table(
        "inbox",
        sa.Column("inbox_no", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("merchant_id", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("doc_id", sa.BigInteger(), nullable=True),
        sa.Column("document", sa.Text(), nullable=True),
        sa.Column("received_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("claimed_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("applied_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["merchant_id"], ["erp.merchant.merchant_id"], name=op.f("fk_inbox_merchant_id")),
        sa.PrimaryKeyConstraint("inbox_no", name=op.f("pk_inbox")),
        sa.UniqueConstraint("merchant_id", "source", "event_id", name=op.f("uq_inbox_merchant_id_source_event_id")),
        schema="bridge",
    )
    op.create_index(
        "ix_inbox_waiting", "inbox", ["inbox_no"], unique=False, schema="bridge", postgresql_where=sa.text("applied_at IS NULL")
    )
    op.create_table(
        "ledger_head",
        sa.Column("merchant_id", sa.Text(), nullable=False),
        sa.Column("transaction_no", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("entry_no", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("posting_no", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["merchant_id"], ["erp.merchant.merchant_id"], name=op.f("fk_ledger_head_merchant_id")),
        sa.PrimaryKeyConstraint("merchant_id", name=op.f("pk_ledger_head")),
        schema="bridge",
    )
    op.create_table(
        "link",
        sa.Column("merchant_id", sa.Text(), nullable=False),
        sa.Column("system", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("our_key", sa.Text(), nullable=False),
        sa.Column("their_id", sa.Text(), nullable=False),
        sa.Column("sent_hash", sa.Text(), nullable=True),
        sa.Column("sent_version", sa.Integer(), nullable=True),
        sa.Column("confirmed", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["merchant_id"], ["erp.merchant.merchant_id"], name=op.f("fk_link_merchant_id")),
        sa.PrimaryKeyConstraint("merchant_id", "system", "kind", "our_key", name=op.f("pk_link")),
        sa.UniqueConstraint("merchant_id", "system", "kind", "their_id", name=op.f("uq_link_merchant_id_system_kind_their_id")),
        schema="bridge",
    )
    op.create_table(
        "merchant_settings",
        sa.Column("merchant_id", sa.Text(), nullable=False),
        sa.Column("settings", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("changed_by", sa.Text(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["merchant_id"], ["erp.merchant.merchant_id"], name=op.f("fk_merchant_settings_merchant_id")),
        sa.PrimaryKeyConstraint("merchant_id", name=op.f("pk_merchant_settings")),
        schema="bridge",
    )
    op.create_table(
        "outbox",
        sa.Column("outbox_no", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("merchant_id", sa.Text(), nullable=False),
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("claimed_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("delivered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["merchant_id"], ["erp.merchant.merchant_id"], name=op.f("fk_outbox_merchant_id")),
        sa.PrimaryKeyConstraint("outbox_no", name=op.f("pk_outbox")),
        schema="bridge",
    )
    op.create_index("ix_outbox_document", "outbox", ["merchant_id", "document"], unique=False, schema="bridge")
    op.create_index(
        "ix_outbox_waiting",
        "outbox",
        ["outbox_no"],
        unique=False,
        schema="bridge",
        postgresql_where=sa.text("delivered_at IS NULL"),
    )
    op.create_table(
        "process",
        sa.Column("merchant_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("run", sa.Integer(), nullable=False),
        sa.Column("workflow_id", sa.Text(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.CheckConstraint("(ended_at IS NULL) = (outcome IS NULL)", name=op.f("ck_process_an_end_has_an_outcome")),
        sa.ForeignKeyConstraint(["merchant_id"], ["erp.merchant.merchant_id"], name=op.f("fk_process_merchant_id")),
        sa.PrimaryKeyConstraint("merchant_id", "kind", "document", "run", name=op.f("pk_process")),
        sa.UniqueConstraint("merchant_id", "workflow_id", name=op.f("uq_process_merchant_id_workflow_id")),
        schema="bridge",
    )
    op.create_index(
        "uq_process_running",
        "process",
        ["merchant_id", "kind", "document"],
        unique=True,
        schema="bridge",
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.create_table(
        "rate_slot",
        sa.Column("merchant_id", sa.Text(), nullable=False),
        sa.Column("system", sa.Text(), nullable=False),
        sa.Column("slot", sa.SmallInteger(), nullable=False),
        sa.Column("free_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["merchant_id"], ["erp.merchant.merchant_id"], name=op.f("fk_rate_slot_merchant_id")),
        sa.PrimaryKeyConstraint("merchant_id", "system", "slot", name=op.f("pk_rate_slot")),
        schema="bridge",
    )
    op.create_table(
        "surplus_document",
        sa.Column("merchant_id", sa.Text(), nullable=False),
        sa.Column("system", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("their_id", sa.Text(), nullable=False),
        sa.Column("business_key", sa.Text(), nullable=False),
        sa.Column("fault", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), server_default="found", nullable=False),
        sa.Column("found_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("cancelled_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["merchant_id"], ["erp.merchant.merchant_id"], name=op.f("fk_surplus_document_merchant_id")),
        sa.PrimaryKeyConstraint("merchant_id", "system", "kind", "their_id", name=op.f("pk_surplus_document")),
        schema="bridge",
    )
    op.create_table(
        "voucher",
        sa.Column("merchant_id", sa.Text(), nullable=False),
        sa.Column("voucher_no", sa.BigInteger(), nullable=False),
        sa.Column("accounting_date", sa.Date(), nullable=False),
        sa.Column("specification_hash", sa.LargeBinary(), nullable=False),
        sa.Column("specification", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), server_default="open", nullable=False),
        sa.Column("fortnox_series", sa.Text(), nullable=True),
        sa.Column("fortnox_number", sa.BigInteger(), nullable=True),
        sa.Column("fortnox_year", sa.Integer(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["merchant_id"], ["erp.merchant.merchant_id"], name=op.f("fk_voucher_merchant_id")),
        sa.PrimaryKeyConstraint("merchant_id", "voucher_no", name=op.f("pk_voucher")),
        schema="bridge",
    )
    op.create_table(
        "watched",
        sa.Column("merchant_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("doc_id", sa.BigInteger(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("fence", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("epoch", sa.Integer(), server_default="1", nullable=False),
        sa.Column("look_owed", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("shipped_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("short_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("looked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("watch_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["merchant_id"], ["erp.merchant.merchant_id"], name=op.f("fk_watched_merchant_id")),
        sa.PrimaryKeyConstraint("merchant_id", "kind", "doc_id", name=op.f("pk_watched")),
        schema="bridge",
    )
    op.create_index("ix_watched_document", "watched", ["merchant_id", "kind", "document"], unique=False, schema="bridge")
    op.create_table(
        "webhook_endpoint",
        sa.Column("merchant_id", sa.Text(), nullable=False),
        sa.Column("system", sa.Text(), nullable=False),
        sa.Column("path_hash", sa.Text(), nullable=False),
        sa.Column("token_hash", sa.Text(), nullable=False),
        sa.Column("enabled", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["merchant_id"], ["erp.merchant.merchant_id"], name=op.f("fk_webhook_endpoint_merchant_id")),
        sa.PrimaryKeyConstraint("merchant_id", "system", "path_hash", name=op.f("pk_webhook_endpoint")),
        sa.UniqueConstraint("path_hash", name=op.f("uq_webhook_endpoint_path_hash")),
        schema="bridge",
    )
    op.create_table(
        "write_lease",
        sa.Column("merchant_id", sa.Text(), nullable=False),
        sa.Column("system", sa.Text(), nullable=False),
        sa.Column("holder", sa.Text(), nullable=True),
        sa.Column("held_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("orders_wait_until", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["merchant_id"], ["erp.merchant.merchant_id"], name=op.f("fk_write_lease_merchant_id")),
        sa.PrimaryKeyConstraint("merchant_id", "system", name=op.f("pk_write_lease")),
        schema="bridge",
    )
    op.create_table(
        "customer",
        sa.Column("merchant_id", sa.Text(), nullable=False),
        sa.Column("customer_number", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("customer_type", sa.Text(), server_default="company", nullable=False),
        sa.Column("organisation_number", sa.Text(), nullable=True),
        sa.Column("vat_number", sa.Text(), nullable=True),
        sa.Column("country", sa.Text(), server_default="SE", nullable=False),
        sa.Column("address1", sa.Text(), nullable=True),
        sa.Column("address2", sa.Text(), nullable=True),
        sa.Column("post_code", sa.Text(), nullable=True),
        sa.Column("city", sa.Text(), nullable=True),
        sa.Column("email", sa.Text(), nullable=True),
        sa.Column("phone", sa.Text(), nullable=True),
        sa.Column("collective", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "customer_number ~ '^[^[:cntrl:]]+$' AND customer_number = btrim(customer_number) AND length(customer_number) <= 50",
            name=op.f("ck_customer_customer_number_is_printable"),
        ),
        sa.CheckConstraint("customer_type IN ('company','private')", name=op.f("ck_customer_customer_type_is_known")),
        sa.CheckConstraint("erp.is_country(country)", name=op.f("ck_customer_country_is_known")),
        sa.ForeignKeyConstraint(["merchant_id"], ["erp.merchant.merchant_id"], name=op.f("fk_customer_merchant_id")),
        sa.PrimaryKeyConstraint("merchant_id", "customer_number", name=op.f("pk_customer")),
        schema="erp",
    )
    op.create_table(
        "ledger_transaction",
        sa.Column("merchant_id", sa.Text(), nullable=False),
        sa.Column("transaction_no", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("rule_version", sa.Text(), nullable=False),
        sa.Column("code_version", sa.Text(), nullable=False),
        sa.Column("first_entry_no", sa.BigInteger(), nullable=False),
        sa.Column("last_entry_no", sa.BigInteger(), nullable=False),
        sa.Column("first_posting_no", sa.BigInteger(), nullable=False),
        sa.Column("last_posting_no", sa.BigInteger(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("previous_hash", sa.LargeBinary(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint(
            "length(hash) = 32 AND length(previous_hash) = 32", name=op.f("ck_ledger_transaction_hashes_are_sha256")
        ),
        sa.ForeignKeyConstraint(["merchant_id"], ["erp.merchant.merchant_id"], name=op.f("fk_ledger_transaction_merchant_id")),
        sa.PrimaryKeyConstraint("merchant_id", "transaction_no", name=op.f("pk_ledger_transaction")),
        schema="erp",
    )
    op.create_table(
        "supplier",
        sa.Column("merchant_id", sa.Text(), nullable=False),
        sa.Column("supplier_number", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("country", sa.Text(), server_default="SE", nullable=False),
        sa.Column("currency", sa.Text(), server_default="SEK", nullable=False),
        sa.CheckConstraint(
            "supplier_number ~ '^[^[:cntrl:]]+$' AND supplier_number = btrim(supplier_number) AND length(supplier_number) <= 50",
            name=op.f("ck_supplier_supplier_number_is_printable"),
        ),
        sa.CheckConstraint("erp.is_country(country)", name=op.f("ck_supplier_country_is_known")),
        sa.CheckConstraint("erp.is_currency(currency)", name=op.f("ck_supplier_currency_is_known")),
        sa.ForeignKeyConstraint(["merchant_id"], ["erp.merchant.merchant_id"], name=op.f("fk_supplier_merchant_id")),
        sa.PrimaryKeyConstraint("merchant_id", "supplier_number", name=op.f("pk_supplier")),
        schema="erp",
    )
    op.create_table(
        "counted",
        sa.Column("merchant_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("doc_id", sa.BigInteger(), nullable=False),
        sa.Column("line_id", sa.BigInteger(), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("line_number", sa.Integer(), nullable=True),
        sa.Column("article_number", sa.Text(), nullable=False),
        sa.Column("ordered", sa.Numeric(precision=18, scale=4), server_default="0", nullable=False),
        sa.Column("booked", sa.Numeric(precision=18, scale=4), server_default="0", nullable=False),
        sa.Column("step", sa.Integer(), server_default="0", nullable=False),
        sa.Column("reported_known", sa.Numeric(precision=18, scale=4), nullable=True),
        sa.Column("shipped", sa.Numeric(precision=18, scale=4), server_default="0", nullable=False),
        sa.Column("doubt_value", sa.Numeric(precision=18, scale=4), nullable=True),
        sa.Column("doubt_look", sa.BigInteger(), nullable=True),
        sa.Column("doubt_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reversed_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("booked >= 0 AND booked < 'NaN'", name=op.f("ck_counted_booked_is_a_number")),
        sa.CheckConstraint(
            "abs(ordered) <= 1000000000000 AND abs(shipped) <= 1000000000000", name=op.f("ck_counted_ordered_is_a_number")
        ),
        sa.CheckConstraint("doubt_value >= 0 AND doubt_value <= 1000000000000", name=op.f("ck_counted_doubt_value_in_range")),
        sa.CheckConstraint("num_nonnulls(doubt_value, doubt_look, doubt_at) IN (0, 3)", name=op.f("ck_counted_a_doubt_is_whole")),
        sa.CheckConstraint(
            "reported_known >= 0 AND reported_known <= 1000000000000", name=op.f("ck_counted_reported_known_in_range")
        ),
        sa.ForeignKeyConstraint(
            ["merchant_id", "kind", "doc_id"],
            ["bridge.watched.merchant_id", "bridge.watched.kind", "bridge.watched.doc_id"],
            name=op.f("fk_counted_merchant_id_kind_doc_id"),
        ),
        sa.PrimaryKeyConstraint("merchant_id", "kind", "doc_id", "line_id", "what", name=op.f("pk_counted")),
        schema="bridge",
    )
    op.create_table(
        "article",
        sa.Column("merchant_id", sa.Text(), nullable=False),
        sa.Column("article_number", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("stock_article", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("unit", sa.Text(), server_default="st", nullable=False),
        sa.Column("bar_code", sa.Text(), nullable=True),
        sa.Column("article_group", sa.Text(), nullable=True),
        sa.Column("weight", sa.Numeric(precision=12, scale=4), nullable=True),
        sa.Column("length", sa.Numeric(precision=12, scale=4), nullable=True),
        sa.Column("width", sa.Numeric(precision=12, scale=4), nullable=True),
        sa.Column("height", sa.Numeric(precision=12, scale=4), nullable=True),
        sa.Column("country_of_origin", sa.Text(), nullable=True),
        sa.Column("customs_number", sa.Text(), nullable=True),
        sa.Column("quantity_per_package", sa.Integer(), nullable=True),
        sa.Column("purchase_price", sa.Numeric(precision=18, scale=6), nullable=True),
        sa.Column("supplier_number", sa.Text(), nullable=True),
        sa.Column("vat_rate", sa.Numeric(precision=5, scale=2), server_default="25", nullable=False),
        sa.Column("sales_account", sa.Integer(), nullable=True),
        sa.Column("active", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "article_number ~ '^[^[:cntrl:]]+$' AND article_number = btrim(article_number) AND length(article_number) <= 50",
            name=op.f("ck_article_article_number_is_printable"),
        ),
        sa.CheckConstraint(
            "country_of_origin IS NULL OR erp.is_country(country_of_origin)", name=op.f("ck_article_country_of_origin_is_known")
        ),
        sa.CheckConstraint("height >= 0 AND height <= 1000000", name=op.f("ck_article_height_in_range")),
        sa.CheckConstraint("length >= 0 AND length <= 1000000", name=op.f("ck_article_length_in_range")),
        sa.CheckConstraint(
            "purchase_price >= 0 AND purchase_price <= 100000000", name=op.f("ck_article_purchase_price_in_range")
        ),
        sa.CheckConstraint("vat_rate >= 0 AND vat_rate <= 100", name=op.f("ck_article_vat_rate_in_range")),
        sa.CheckConstraint("weight >= 0 AND weight <= 1000000", name=op.f("ck_article_weight_in_range")),
        sa.CheckConstraint("width >= 0 AND width <= 1000000", name=op.f("ck_article_width_in_range")),
        sa.ForeignKeyConstraint(
            ["merchant_id", "supplier_number"],
            ["erp.supplier.merchant_id", "erp.supplier.supplier_number"],
            name=op.f("fk_article_merchant_id_supplier_number"),
        ),
        sa.ForeignKeyConstraint(["merchant_id"], ["erp.merchant.merchant_id"], name=op.f("fk_article_merchant_id")),
        sa.PrimaryKeyConstraint("merchant_id", "article_number", name=op.f("pk_article")),
        schema="erp",
    )
    op.create_table(
        "posting",
        sa.Column("merchant_id", sa.Text(), nullable=False),
        sa.Column("posting_no", sa.BigInteger(), nullable=False),
        sa.Column("transaction_no", sa.BigInteger(), nullable=False),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("accounting_date", sa.Date(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("corrects_posting_no", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["merchant_id", "corrects_posting_no"],
            ["erp.posting.merchant_id", "erp.posting.posting_no"],
            name=op.f("fk_posting_merchant_id_corrects_posting_no"),
        ),
        sa.ForeignKeyConstraint(
            ["merchant_id", "transaction_no"],
            ["erp.ledger_transaction.merchant_id", "erp.ledger_transaction.transaction_no"],
            name=op.f("fk_posting_merchant_id_transaction_no"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.PrimaryKeyConstraint("merchant_id", "posting_no", name=op.f("pk_posting")),
        schema="erp",
    )
    op.create_index("ix_posting_transaction", "posting", ["merchant_id", "transaction_no"], unique=False, schema="erp")
    op.create_table(
        "purchase_order",
        sa.Column("merchant_id", sa.Text(), nullable=False),
        sa.Column("purchase_order_number", sa.Text(), nullable=False),
        sa.Column("supplier_number", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), server_default="draft", nullable=False),
        sa.Column("currency", sa.Text(), server_default="SEK", nullable=False),
        sa.Column("order_date", sa.Date(), server_default=sa.text("current_date"), nullable=False),
        sa.Column("expected_on", sa.Date(), nullable=True),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "purchase_order_number ~ '^[^[:cntrl:]]+$' AND purchase_order_number = btrim(purchase_order_number) AND length(purchase_order_number) <= 50",
            name=op.f("ck_purchase_order_purchase_order_number_is_printable"),
        ),
        sa.CheckConstraint("erp.is_currency(currency)", name=op.f("ck_purchase_order_currency_is_known")),
        sa.ForeignKeyConstraint(
            ["merchant_id", "supplier_number"],
            ["erp.supplier.merchant_id", "erp.supplier.supplier_number"],
            name=op.f("fk_purchase_order_merchant_id_supplier_number"),
        ),
        sa.ForeignKeyConstraint(["merchant_id"], ["erp.merchant.merchant_id"], name=op.f("fk_purchase_order_merchant_id")),
        sa.PrimaryKeyConstraint("merchant_id", "purchase_order_number", name=op.f("pk_purchase_order")),
        schema="erp",
    )
    op.create_table(
        "sales_order",
        sa.Column("merchant_id", sa.Text(), nullable=False),
        sa.Column("order_number", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), server_default="draft", nullable=False),
        sa.Column("order_type", sa.Text(), server_default="normal", nullable=False),
        sa.Column("customer_number", sa.Text(), nullable=True),
        sa.Column("currency", sa.Text(), server_default="SEK", nullable=False),
        sa.Column("exchange_rate", sa.Numeric(precision=18, scale=8), nullable=True),
        sa.Column("price_basis", sa.Text(), server_default="net", nullable=False),
        sa.Column("order_date", sa.Date(), server_default=sa.text("current_date"), nullable=False),
        sa.Column("delivery_date", sa.Date(), nullable=True),
        sa.Column("way_of_delivery", sa.Text(), nullable=True),
        sa.Column("your_reference", sa.Text(), nullable=True),
        sa.Column("freight", sa.Numeric(precision=20, scale=2), server_default="0", nullable=False),
        sa.Column("freight_vat_rate", sa.Numeric(precision=5, scale=2), server_default="25", nullable=False),
        sa.Column("discount_percent", sa.Numeric(precision=5, scale=2), server_default="0", nullable=False),
        sa.Column("delivery_name", sa.Text(), nullable=True),
        sa.Column("delivery_address1", sa.Text(), nullable=True),
        sa.Column("delivery_address2", sa.Text(), nullable=True),
        sa.Column("delivery_post_code", sa.Text(), nullable=True),
        sa.Column("delivery_city", sa.Text(), nullable=True),
        sa.Column("delivery_country", sa.Text(), nullable=True),
        sa.Column("delivery_email", sa.Text(), nullable=True),
        sa.Column("delivery_phone", sa.Text(), nullable=True),
        sa.Column("delivery_instruction", sa.Text(), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("cancel_requested_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("released_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("released_in", sa.BigInteger(), nullable=True),
        sa.Column("status_changed_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "order_number ~ '^[^[:cntrl:]]+$' AND order_number = btrim(order_number) AND length(order_number) <= 50",
            name=op.f("ck_sales_order_order_number_is_printable"),
        ),
        sa.CheckConstraint("price_basis IN ('net','gross')", name=op.f("ck_sales_order_price_basis_is_known")),
        sa.CheckConstraint(
            "status IN ('draft','released','at-warehouse','picking','part-shipped','shipped','completed','cancelled')",
            name=op.f("ck_sales_order_status_is_known"),
        ),
        sa.CheckConstraint(
            "delivery_country IS NULL OR erp.is_country(delivery_country)", name=op.f("ck_sales_order_delivery_country_is_known")
        ),
        sa.CheckConstraint(
            "discount_percent >= 0 AND discount_percent <= 100", name=op.f("ck_sales_order_discount_percent_in_range")
        ),
        sa.CheckConstraint("erp.is_currency(currency)", name=op.f("ck_sales_order_currency_is_known")),
        sa.CheckConstraint(
            "exchange_rate IS NULL OR (exchange_rate > 0 AND exchange_rate < 1000000)",
            name=op.f("ck_sales_order_exchange_rate_in_range"),
        ),
        sa.CheckConstraint("freight >= 0 AND freight <= 100000000", name=op.f("ck_sales_order_freight_in_range")),
        sa.CheckConstraint(
            "freight_vat_rate >= 0 AND freight_vat_rate <= 100", name=op.f("ck_sales_order_freight_vat_rate_in_range")
        ),
        sa.ForeignKeyConstraint(
            ["merchant_id", "customer_number"],
            ["erp.customer.merchant_id", "erp.customer.customer_number"],
            name=op.f("fk_sales_order_merchant_id_customer_number"),
        ),
        sa.ForeignKeyConstraint(["merchant_id"], ["erp.merchant.merchant_id"], name=op.f("fk_sales_order_merchant_id")),
        sa.PrimaryKeyConstraint("merchant_id", "order_number", name=op.f("pk_sales_order")),
        schema="erp",
    )
    op.create_index(
        "ix_sales_order_open",
        "sales_order",
        ["merchant_id", "status"],
        unique=False,
        schema="erp",
        postgresql_where=sa.text("status NOT IN ('completed','cancelled','draft')"),
    )
    op.create_table(
        "booking",
        sa.Column("merchant_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("doc_id", sa.BigInteger(), nullable=False),
        sa.Column("line_id", sa.BigInteger(), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("step", sa.Integer(), nullable=False),
        sa.Column("look", sa.BigInteger(), nullable=False),
        sa.Column("quantity", sa.Numeric(precision=18, scale=4), nullable=False),
        sa.Column("from_value", sa.Numeric(precision=18, scale=4), nullable=False),
        sa.Column("to_value", sa.Numeric(precision=18, scale=4), nullable=False),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("booked_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("step_before", sa.Integer(), sa.Computed("nullif(step - 1, 0)", persisted=True), nullable=True),
        sa.CheckConstraint(
            "step >= 1 AND from_value >= 0 AND to_value >= 0 AND to_value < 'NaN'", name=op.f("ck_booking_figures_in_range")
        ),
        sa.CheckConstraint("to_value = from_value + quantity AND quantity <> 0", name=op.f("ck_booking_steps_add_up")),
        sa.ForeignKeyConstraint(
            ["merchant_id", "kind", "doc_id", "line_id", "what", "step_before", "from_value"],
            [
                "bridge.booking.merchant_id",
                "bridge.booking.kind",
                "bridge.booking.doc_id",
                "bridge.booking.line_id",
                "bridge.booking.what",
                "bridge.booking.step",
                "bridge.booking.to_value",
            ],
            name="fk_booking_step_before",
        ),
        sa.ForeignKeyConstraint(
            ["merchant_id", "kind", "doc_id", "line_id", "what"],
            [
                "bridge.counted.merchant_id",
                "bridge.counted.kind",
                "bridge.counted.doc_id",
                "bridge.counted.line_id",
                "bridge.counted.what",
            ],
            name="fk_booking_counted",
        ),
        sa.PrimaryKeyConstraint("merchant_id", "kind", "doc_id", "line_id", "what", "step", name=op.f("pk_booking")),
        sa.UniqueConstraint("merchant_id", "kind", "doc_id", "line_id", "what", "step", "to_value", name="uq_booking_to_value"),
        schema="bridge",
    )
    op.create_table(
        "status_move",
        sa.Column("merchant_id", sa.Text(), nullable=False),
        sa.Column("order_number", sa.Text(), nullable=False),
        sa.Column("move_no", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("from_status", sa.Text(), nullable=False),
        sa.Column("to_status", sa.Text(), nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("moved_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["merchant_id", "order_number"],
            ["erp.sales_order.merchant_id", "erp.sales_order.order_number"],
            name=op.f("fk_status_move_merchant_id_order_number"),
        ),
        sa.PrimaryKeyConstraint("merchant_id", "order_number", "move_no", name=op.f("pk_status_move")),
        schema="bridge",
    )
    op.create_table(
        "voucher_posting",
        sa.Column("merchant_id", sa.Text(), nullable=False),
        sa.Column("posting_no", sa.BigInteger(), nullable=False),
        sa.Column("voucher_no", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["merchant_id", "posting_no"],
            ["erp.posting.merchant_id", "erp.posting.posting_no"],
            name=op.f("fk_voucher_posting_merchant_id_posting_no"),
        ),
        sa.ForeignKeyConstraint(
            ["merchant_id", "voucher_no"],
            ["bridge.voucher.merchant_id", "bridge.voucher.voucher_no"],
            name=op.f("fk_voucher_posting_merchant_id_voucher_no"),
        ),
        sa.PrimaryKeyConstraint("merchant_id", "posting_no", name=op.f("pk_voucher_posting")),
        schema="bridge",
    )
    op.create_table(
        "posting_row",
        sa.Column("merchant_id", sa.Text(), nullable=False),
        sa.Column("posting_no", sa.BigInteger(), nullable=False),
        sa.Column("row_no", sa.Integer(), nullable=False),
        sa.Column("account", sa.Integer(), nullable=False),
        sa.Column("debit", sa.Numeric(precision=20, scale=2), nullable=False),
        sa.Column("credit", sa.Numeric(precision=20, scale=2), nullable=False),
        sa.CheckConstraint(
            "debit >= 0 AND credit >= 0 AND debit <> 'NaN' AND credit <> 'NaN'", name=op.f("ck_posting_row_sides_are_positive")
        ),
        sa.CheckConstraint("(debit = 0) <> (credit = 0)", name=op.f("ck_posting_row_one_side")),
        sa.CheckConstraint("account BETWEEN 1000 AND 9999", name=op.f("ck_posting_row_account_in_range")),
        sa.ForeignKeyConstraint(
            ["merchant_id", "posting_no"],
            ["erp.posting.merchant_id", "erp.posting.posting_no"],
            name=op.f("fk_posting_row_merchant_id_posting_no"),
        ),
        sa.PrimaryKeyConstraint("merchant_id", "posting_no", "row_no", name=op.f("pk_posting_row")),
        schema="erp",
    )
    op.create_table(
        "purchase_order_line",
        sa.Column("merchant_id", sa.Text(), nullable=False),
        sa.Column("purchase_order_number", sa.Text(), nullable=False),
        sa.Column("line_number", sa.Integer(), nullable=False),
        sa.Column("article_number", sa.Text(), nullable=False),
        sa.Column("quantity", sa.Numeric(precision=18, scale=4), nullable=False),
        sa.Column("unit_price", sa.Numeric(precision=18, scale=6), nullable=False),
        sa.CheckConstraint(
            "article_number ~ '^[^[:cntrl:]]+$' AND article_number = btrim(article_number) AND length(article_number) <= 50",
            name=op.f("ck_purchase_order_line_article_number_is_printable"),
        ),
        sa.CheckConstraint("quantity > 0 AND quantity <= 10000000", name=op.f("ck_purchase_order_line_quantity_in_range")),
        sa.CheckConstraint(
            "unit_price >= 0 AND unit_price <= 100000000", name=op.f("ck_purchase_order_line_unit_price_in_range")
        ),
        sa.ForeignKeyConstraint(
            ["merchant_id", "purchase_order_number"],
            ["erp.purchase_order.merchant_id", "erp.purchase_order.purchase_order_number"],
            name=op.f("fk_purchase_order_line_merchant_id_purchase_order_number"),
        ),
        sa.PrimaryKeyConstraint("merchant_id", "purchase_order_number", "line_number", name=op.f("pk_purchase_order_line")),
        schema="erp",
    )
    op.create_table(
        "sales_order_line",
        sa.Column("merchant_id", sa.Text(), nullable=False),
        sa.Column("order_number", sa.Text(), nullable=False),
        sa.Column("line_number", sa.Integer(), nullable=False),
        sa.Column("article_number", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("quantity", sa.Numeric(precision=18, scale=4), nullable=False),
        sa.Column("unit_price", sa.Numeric(precision=18, scale=6), nullable=False),
        sa.Column("discount_percent", sa.Numeric(precision=5, scale=2), server_default="0", nullable=False),
        sa.Column("vat_rate", sa.Numeric(precision=5, scale=2), server_default="25", nullable=False),
        sa.Column("account", sa.Integer(), nullable=True),
        sa.CheckConstraint(
            "article_number ~ '^[^[:cntrl:]]+$' AND article_number = btrim(article_number) AND length(article_number) <= 50",
            name=op.f("ck_sales_order_line_article_number_is_printable"),
        ),
        sa.CheckConstraint("account IS NULL OR account BETWEEN 1000 AND 9999", name=op.f("ck_sales_order_line_account_in_range")),
        sa.CheckConstraint(
            "discount_percent >= 0 AND discount_percent <= 100", name=op.f("ck_sales_order_line_discount_percent_in_range")
        ),
        sa.CheckConstraint("line_number >= 1 AND line_number <= 1000000", name=op.f("ck_sales_order_line_line_number_in_range")),
        sa.CheckConstraint("quantity > 0 AND quantity <= 10000000", name=op.f("ck_sales_order_line_quantity_in_range")),
        sa.CheckConstraint("unit_price >= 0 AND unit_price <= 100000000", name=op.f("ck_sales_order_line_unit_price_in_range")),
        sa.CheckConstraint("vat_rate >= 0 AND vat_rate <= 100", name=op.f("ck_sales_order_line_vat_rate_in_range")),
        sa.ForeignKeyConstraint(
            ["merchant_id", "order_number"],
            ["erp.sales_order.merchant_id", "erp.sales_order.order_number"],
            name=op.f("fk_sales_order_line_merchant_id_order_number"),
        ),
        sa.PrimaryKeyConstraint("merchant_id", "order_number", "line_number", name=op.f("pk_sales_order_line")),
        schema="erp",
    )
    op.create_index(
        "ix_sales_order_line_article", "sales_order_line", ["merchant_id", "article_number"], unique=False, schema="erp"
    )
    op.create_table(
        "shipment",
        sa.Column("merchant_id", sa.Text(), nullable=False),
        sa.Column("order_number", sa.Text(), nullable=False),
        sa.Column("shipment_no", sa.Integer(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("shipped_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("shipped_on", sa.Date(), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("reason IN ('sent','at-once','correction')", name=op.f("ck_shipment_reason_is_known")),
        sa.ForeignKeyConstraint(
            ["merchant_id", "order_number"],
            ["erp.sales_order.merchant_id", "erp.sales_order.order_number"],
            name=op.f("fk_shipment_merchant_id_order_number"),
        ),
        sa.PrimaryKeyConstraint("merchant_id", "order_number", "shipment_no", name=op.f("pk_shipment")),
        schema="erp",
    )
    op.create_table(
        "stock_balance",
        sa.Column("merchant_id", sa.Text(), nullable=False),
        sa.Column("article_number", sa.Text(), nullable=False),
        sa.Column("warehouse", sa.Text(), nullable=False),
        sa.Column("quantity", sa.Numeric(precision=18, scale=4), server_default="0", nullable=False),
        sa.Column("value", sa.Numeric(precision=20, scale=2), server_default="0", nullable=False),
        sa.Column("last_cost", sa.Numeric(precision=18, scale=6), nullable=True),
        sa.Column("epoch", sa.Integer(), server_default="1", nullable=False),
        sa.Column("keep", sa.Numeric(), server_default="1", nullable=False),
        sa.Column("last_entry_no", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "quantity <> 'NaN' AND value <> 'NaN' AND keep >= 0 AND keep <= 1", name=op.f("ck_stock_balance_figures_are_numbers")
        ),
        sa.CheckConstraint("last_cost >= 0 AND last_cost <= 1000000000000", name=op.f("ck_stock_balance_last_cost_in_range")),
        sa.CheckConstraint("quantity <> 0 OR value = 0", name=op.f("ck_stock_balance_no_value_on_zero_pieces")),
        sa.ForeignKeyConstraint(
            ["merchant_id", "article_number"],
            ["erp.article.merchant_id", "erp.article.article_number"],
            name=op.f("fk_stock_balance_merchant_id_article_number"),
        ),
        sa.PrimaryKeyConstraint("merchant_id", "article_number", "warehouse", name=op.f("pk_stock_balance")),
        schema="erp",
    )
    op.create_table(
        "invoice_basis",
        sa.Column("merchant_id", sa.Text(), nullable=False),
        sa.Column("basis_no", sa.BigInteger(), nullable=False),
        sa.Column("part", sa.Integer(), nullable=False),
        sa.Column("revision", sa.Integer(), server_default="0", nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("order_number", sa.Text(), nullable=False),
        sa.Column("shipment_no", sa.Integer(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("exchange_rate", sa.Numeric(precision=18, scale=8), nullable=False),
        sa.Column("price_basis", sa.Text(), nullable=False),
        sa.Column("invoice_date", sa.Date(), nullable=False),
        sa.Column("amount", sa.Numeric(precision=20, scale=2), nullable=False),
        sa.Column("net", sa.Numeric(precision=20, scale=2), nullable=False),
        sa.Column("vat", sa.Numeric(precision=20, scale=2), nullable=False),
        sa.Column("tolerance", sa.Numeric(precision=20, scale=2), nullable=False),
        sa.Column("state", sa.Text(), server_default="open", nullable=False),
        sa.Column("fortnox_invoice_number", sa.BigInteger(), nullable=True),
        sa.Column("fortnox_voucher", sa.Text(), nullable=True),
        sa.Column("fortnox_net", sa.Numeric(precision=20, scale=2), nullable=True),
        sa.Column("fortnox_vat", sa.Numeric(precision=20, scale=2), nullable=True),
        sa.Column("booked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("(state = 'booked') = (booked_at IS NOT NULL)", name=op.f("ck_invoice_basis_booked_has_a_time")),
        sa.CheckConstraint("kind IN ('invoice','credit')", name=op.f("ck_invoice_basis_kind_is_known")),
        sa.CheckConstraint("state IN ('open','booked','cancelled')", name=op.f("ck_invoice_basis_state_is_known")),
        sa.CheckConstraint(
            "abs(amount) <= 1000000000000 AND abs(exchange_rate) <= 1000000000000 AND abs(tolerance) <= 1000000000000",
            name=op.f("ck_invoice_basis_amount_is_a_number"),
        ),
        sa.CheckConstraint(
            "abs(coalesce(fortnox_net, 0)) <= 1000000000000 AND abs(coalesce(fortnox_vat, 0)) <= 1000000000000",
            name=op.f("ck_invoice_basis_their_amounts_in_range"),
        ),
        sa.CheckConstraint(
            "abs(net) <= 1000000000000 AND abs(vat) <= 1000000000000", name=op.f("ck_invoice_basis_amounts_in_range")
        ),
        sa.ForeignKeyConstraint(
            ["merchant_id", "order_number", "shipment_no"],
            ["erp.shipment.merchant_id", "erp.shipment.order_number", "erp.shipment.shipment_no"],
            name=op.f("fk_invoice_basis_merchant_id_order_number_shipment_no"),
        ),
        sa.PrimaryKeyConstraint("merchant_id", "basis_no", "part", name=op.f("pk_invoice_basis")),
        sa.UniqueConstraint(
            "merchant_id",
            "order_number",
            "shipment_no",
            "part",
            name=op.f("uq_invoice_basis_merchant_id_order_number_shipment_no_part"),
        ),
        sa.UniqueConstraint("merchant_id", "reference", name=op.f("uq_invoice_basis_merchant_id_reference")),
        schema="erp",
    )
    op.create_index(
        "ix_invoice_basis_owed",
        "invoice_basis",
        ["merchant_id", "order_number"],
        unique=False,
        schema="erp",
        postgresql_where=sa.text("state = 'open'"),
    )
    op.create_table(
        "shipment_line",
        sa.Column("merchant_id", sa.Text(), nullable=False),
        sa.Column("order_number", sa.Text(), nullable=False),
        sa.Column("shipment_no", sa.Integer(), nullable=False),
        sa.Column("line_number", sa.Integer(), nullable=False),
        sa.Column("quantity", sa.Numeric(precision=18, scale=4), nullable=False),
        sa.CheckConstraint("quantity <> 0 AND abs(quantity) <= 1000000000", name=op.f("ck_shipment_line_quantity_in_range")),
        sa.ForeignKeyConstraint(
            ["merchant_id", "order_number", "line_number"],
            ["erp.sales_order_line.merchant_id", "erp.sales_order_line.order_number", "erp.sales_order_line.line_number"],
            name=op.f("fk_shipment_line_merchant_id_order_number_line_number"),
        ),
        sa.ForeignKeyConstraint(
            ["merchant_id", "order_number", "shipment_no"],
            ["erp.shipment.merchant_id", "erp.shipment.order_number", "erp.shipment.shipment_no"],
            name=op.f("fk_shipment_line_merchant_id_order_number_shipment_no"),
        ),
        sa.PrimaryKeyConstraint("merchant_id", "order_number", "shipment_no", "line_number", name=op.f("pk_shipment_line")),
        schema="erp",
    )
    op.create_table(
        "stock_entry",
        sa.Column("merchant_id", sa.Text(), nullable=False),
        sa.Column("entry_no", sa.BigInteger(), nullable=False),
        sa.Column("transaction_no", sa.BigInteger(), nullable=False),
        sa.Column("posting_no", sa.BigInteger(), nullable=True),
        sa.Column("article_number", sa.Text(), nullable=False),
        sa.Column("warehouse", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("quantity", sa.Numeric(precision=18, scale=4), nullable=False),
        sa.Column("value", sa.Numeric(precision=20, scale=2), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("booking_kind", sa.Text(), nullable=True),
        sa.Column("booking_doc_id", sa.BigInteger(), nullable=True),
        sa.Column("booking_line_id", sa.BigInteger(), nullable=True),
        sa.Column("booking_what", sa.Text(), nullable=True),
        sa.Column("booking_step", sa.Integer(), nullable=True),
        sa.Column("cause", sa.Text(), nullable=True),
        sa.Column("reverses_entry_no", sa.BigInteger(), nullable=True),
        sa.Column("epoch", sa.Integer(), server_default="1", nullable=False),
        sa.Column("keep", sa.Numeric(), server_default="1", nullable=False),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "(kind = 'pick-reversal') = (reverses_entry_no IS NOT NULL)", name=op.f("ck_stock_entry_reversal_names_its_original")
        ),
        sa.CheckConstraint(
            "(kind IN ('opening','receipt') AND quantity > 0) OR (kind = 'pick' AND quantity < 0) OR (kind IN ('pick-reversal','return') AND quantity > 0) OR (kind = 'adjustment' AND quantity <> 0) OR (kind IN ('cost','true-up') AND quantity = 0 AND value <> 0)",
            name=op.f("ck_stock_entry_sign_follows_kind"),
        ),
        sa.CheckConstraint(
            "abs(quantity) <= 1000000000 AND abs(value) <= 1000000000000", name=op.f("ck_stock_entry_figures_in_range")
        ),
        sa.CheckConstraint("keep >= 0 AND keep <= 1", name=op.f("ck_stock_entry_keep_in_range")),
        sa.CheckConstraint("num_nonnulls(booking_step, cause) = 1", name=op.f("ck_stock_entry_one_cause")),
        sa.ForeignKeyConstraint(
            ["merchant_id", "article_number", "warehouse"],
            ["erp.stock_balance.merchant_id", "erp.stock_balance.article_number", "erp.stock_balance.warehouse"],
            name=op.f("fk_stock_entry_merchant_id_article_number_warehouse"),
        ),
        sa.ForeignKeyConstraint(
            ["merchant_id", "booking_kind", "booking_doc_id", "booking_line_id", "booking_what", "booking_step"],
            [
                "bridge.booking.merchant_id",
                "bridge.booking.kind",
                "bridge.booking.doc_id",
                "bridge.booking.line_id",
                "bridge.booking.what",
                "bridge.booking.step",
            ],
            name="fk_stock_entry_booking",
        ),
        sa.ForeignKeyConstraint(
            ["merchant_id", "reverses_entry_no"],
            ["erp.stock_entry.merchant_id", "erp.stock_entry.entry_no"],
            name=op.f("fk_stock_entry_merchant_id_reverses_entry_no"),
        ),
        sa.ForeignKeyConstraint(
            ["merchant_id", "transaction_no"],
            ["erp.ledger_transaction.merchant_id", "erp.ledger_transaction.transaction_no"],
            name=op.f("fk_stock_entry_merchant_id_transaction_no"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.PrimaryKeyConstraint("merchant_id", "entry_no", name=op.f("pk_stock_entry")),
        sa.UniqueConstraint(
            "merchant_id",
            "cause",
            "article_number",
            "warehouse",
            name=op.f("uq_stock_entry_merchant_id_cause_article_number_warehouse"),
        ),
        schema="erp",
    )
    op.create_index(
        "ix_stock_entry_article",
        "stock_entry",
        ["merchant_id", "article_number", "warehouse", "entry_no"],
        unique=False,
        schema="erp",
    )
    op.create_index(
        "ix_stock_entry_booking",
        "stock_entry",
        ["merchant_id", "booking_kind", "booking_doc_id", "booking_line_id", "booking_what", "booking_step"],
        unique=False,
        schema="erp",
    )
    op.create_index(
        "ix_stock_entry_reverses",
        "stock_entry",
        ["merchant_id", "reverses_entry_no"],
        unique=False,
        schema="erp",
        postgresql_where=sa.text("reverses_entry_no IS NOT NULL"),
    )
    op.create_index("ix_stock_entry_transaction", "stock_entry", ["merchant_id", "transaction_no"], unique=False, schema="erp")
    op.create_table(
        "invoice_basis_row",
        sa.Column("merchant_id", sa.Text(), nullable=False),
        sa.Column("basis_no", sa.BigInteger(), nullable=False),
        sa.Column("part", sa.Integer(), nullable=False),
        sa.Column("row_no", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("line_number", sa.Integer(), nullable=True),
        sa.Column("article_number", sa.Text(), nullable=True),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("quantity", sa.Numeric(precision=18, scale=4), nullable=False),
        sa.Column("unit_price", sa.Numeric(precision=18, scale=6), nullable=False),
        sa.Column("discount_percent", sa.Numeric(precision=5, scale=2), nullable=False),
        sa.Column("amount", sa.Numeric(precision=20, scale=2), nullable=False),
        sa.Column("vat_rate", sa.Numeric(precision=5, scale=2), nullable=False),
        sa.Column("account", sa.Integer(), nullable=False),
        sa.Column("folded", sa.Boolean(), nullable=False),
        sa.CheckConstraint("kind IN ('goods','service','freight')", name=op.f("ck_invoice_basis_row_kind_is_known")),
        sa.CheckConstraint("abs(amount) <= 1000000000000", name=op.f("ck_invoice_basis_row_amount_in_range")),
        sa.CheckConstraint(
            "abs(quantity) <= 1000000000000 AND abs(unit_price) <= 1000000000000 AND abs(discount_percent) <= 1000000000000 AND abs(vat_rate) <= 1000000000000",
            name=op.f("ck_invoice_basis_row_quantity_is_a_number"),
        ),
        sa.ForeignKeyConstraint(
            ["merchant_id", "basis_no", "part"],
            ["erp.invoice_basis.merchant_id", "erp.invoice_basis.basis_no", "erp.invoice_basis.part"],
            name=op.f("fk_invoice_basis_row_merchant_id_basis_no_part"),
        ),
        sa.PrimaryKeyConstraint("merchant_id", "basis_no", "part", "row_no", name=op.f("pk_invoice_basis_row")),
        schema="erp",
    )
    run_sql("2026_11_25_foundation_after.sql")
