"""Which nudges found something that nobody had told: a column of the inbox, and the index that answers it."""

import sqlalchemy as sa
from alembic import op

revision = "found_alone"
down_revision = "articles"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("inbox", sa.Column("alone", sa.Boolean(), server_default=sa.text("false"), nullable=False), schema="bridge")
    op.create_index("ix_inbox_doc_id", "inbox", ["merchant_id", "doc_id"], unique=False, schema="bridge")
    op.create_index("ix_inbox_alone", "inbox", ["merchant_id"], unique=False, schema="bridge", postgresql_where=sa.text("alone"))
