"""Articles in step: every field of the product map, and what of them the warehouse does not have yet."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from erp.migrations.running import run_sql

revision = "articles"
down_revision = "order_changes"
branch_labels = None
depends_on = None

PRICE = sa.Numeric(18, 6)
COLUMNS: dict[str, Any] = {
    "purchase_currency": sa.Text(),
    "stock_valuation_price": PRICE,
    "customer_price": PRICE,
    "supplier_article_number": sa.Text(),
    "description": sa.Text(),
    "product_code": sa.Text(),
    "article_category": sa.Text(),
    "bar_code_package": sa.Text(),
    "bar_code_pallet": sa.Text(),
    "quantity_per_pallet": sa.Integer(),
    "net_weight": sa.Numeric(12, 4),
    "volume": sa.Numeric(14, 6),
    "customs_description": sa.Text(),
    "stock_limit": sa.Integer(),
    "link_to_picture": sa.Text(),
    "batch_article": sa.Boolean(),
    "serial_number_article": sa.Boolean(),
    "expiry_date_article": sa.Boolean(),
    "replaces_article_number": sa.Text(),
}
RANGES = {
    "stock_valuation_price": (0, 100000000),
    "customer_price": (0, 100000000),
    "net_weight": (0, 1000000),
    "volume": (0, 1000000),
    "quantity_per_pallet": (1, 1000000),
    "stock_limit": (0, 10000000),
}


def of_article(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["merchant_id", "article_number"],
        ["erp.article.merchant_id", "erp.article.article_number"],
        name=op.f(f"fk_{table}_merchant_id"),
        ondelete="CASCADE",
    )


def key() -> tuple[sa.Column[str], sa.Column[str]]:
    return sa.Column("merchant_id", sa.Text(), nullable=False), sa.Column("article_number", sa.Text(), nullable=False)


def upgrade() -> None:
    run_sql("2026_11_26_articles_before.sql")
    for name, kind in COLUMNS.items():
        op.add_column("article", sa.Column(name, kind, nullable=True), schema="erp")
    for name, (low, high) in RANGES.items():
        op.create_check_constraint(
            op.f(f"ck_article_{name}_in_range"), "article", f"{name} >= {low} AND {name} <= {high}", schema="erp"
        )
    op.create_index("ix_article_twin", "article", ["merchant_id", sa.text("erp.twin_key(article_number)")], schema="erp")
    op.create_table(
        "article_translation",
        *key(),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.CheckConstraint("language ~ '^[a-z]{2}$'", name=op.f("ck_article_translation_language_is_two_letters")),
        of_article("article_translation"),
        sa.PrimaryKeyConstraint("merchant_id", "article_number", "language", name=op.f("pk_article_translation")),
        schema="erp",
    )
    op.create_table(
        "article_bar_code",
        *key(),
        sa.Column("bar_code", sa.Text(), nullable=False),
        sa.Column("quantity", sa.Numeric(12, 4), server_default="1", nullable=False),
        sa.CheckConstraint(
            "bar_code ~ '^[^[:cntrl:]]+$' AND bar_code = btrim(bar_code) AND length(bar_code) <= 50",
            name=op.f("ck_article_bar_code_bar_code_is_printable"),
        ),
        sa.CheckConstraint("quantity > 0 AND quantity <= 1000000", name=op.f("ck_article_bar_code_quantity_in_range")),
        of_article("article_bar_code"),
        sa.PrimaryKeyConstraint("merchant_id", "article_number", "bar_code", name=op.f("pk_article_bar_code")),
        schema="erp",
    )
    op.create_table(
        "article_component",
        *key(),
        sa.Column("component_article_number", sa.Text(), nullable=False),
        sa.Column("quantity", sa.Numeric(18, 4), nullable=False),
        sa.CheckConstraint("quantity > 0 AND quantity <= 1000000", name=op.f("ck_article_component_quantity_in_range")),
        sa.CheckConstraint("component_article_number <> article_number", name=op.f("ck_article_component_not_of_itself")),
        of_article("article_component"),
        sa.ForeignKeyConstraint(
            ["merchant_id", "component_article_number"],
            ["erp.article.merchant_id", "erp.article.article_number"],
            name=op.f("fk_article_component_merchant_id_component_article_number"),
        ),
        sa.PrimaryKeyConstraint("merchant_id", "article_number", "component_article_number", name=op.f("pk_article_component")),
        schema="erp",
    )
    op.create_table(
        "article_taric",
        *key(),
        sa.Column("country", sa.Text(), nullable=False),
        sa.Column("taric_number", sa.Text(), nullable=False),
        sa.CheckConstraint("erp.is_country(country)", name=op.f("ck_article_taric_country_is_known")),
        sa.CheckConstraint("taric_number ~ '^[0-9]{6,14}$'", name=op.f("ck_article_taric_taric_number_is_digits")),
        of_article("article_taric"),
        sa.PrimaryKeyConstraint("merchant_id", "article_number", "country", name=op.f("pk_article_taric")),
        schema="erp",
    )
    op.create_table(
        "article_due",
        *key(),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("claimed_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("refused_version", sa.Integer(), nullable=True),
        sa.Column("refusal", sa.Text(), nullable=True),
        of_article("article_due"),
        sa.PrimaryKeyConstraint("merchant_id", "article_number", name=op.f("pk_article_due")),
        schema="bridge",
    )
    op.create_index("ix_article_due_since", "article_due", ["merchant_id", "since"], schema="bridge")
    run_sql("2026_11_26_articles_after.sql")


def downgrade() -> None:
    raise NotImplementedError("what the ERP has written is not forgotten")
