"""Articles: a change costs the same however many came before it; what a supplier's name, a deletion or a poor article does."""

import sqlalchemy as sa
from alembic import op

from erp.migrations.running import run_sql

revision = "articles_told"
down_revision = "corrections"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("article_due", sa.Column("refusals", sa.Integer(), server_default="0", nullable=False), schema="bridge")
    op.add_column("article_due", sa.Column("refused_at", sa.DateTime(timezone=True), nullable=True), schema="bridge")
    op.create_index(
        "ix_outbox_articles",
        "outbox",
        ["merchant_id"],
        unique=False,
        schema="bridge",
        postgresql_where=sa.text("delivered_at IS NULL AND topic = 'articles.changed'"),
    )
    op.create_index(
        "ix_article_due_refused",
        "article_due",
        ["merchant_id"],
        unique=False,
        schema="bridge",
        postgresql_where=sa.text("refused_version IS NOT NULL"),
    )
    op.create_index("ix_article_supplier", "article", ["merchant_id", "supplier_number"], unique=False, schema="erp")
    run_sql("2026_11_26_articles_told.sql")
