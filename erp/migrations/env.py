"""Alembic's entry: runs on the connection that `erp.migrate` hands over, inside its transaction."""

from alembic import context

from erp.migrate import SCHEMAS
from erp.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    include_schemas=True,
    include_name=lambda name, type_, _parents: type_ != "schema" or name in SCHEMAS,
    version_table="schema_version",
    version_table_schema="bridge",
    compare_type=True,
    compare_server_default=False,
)
with context.begin_transaction():
    context.run_migrations()
