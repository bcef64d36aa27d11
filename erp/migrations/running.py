"""How a revision runs plain SQL: as written, many statements at once, so by asyncpg's simple protocol."""

from pathlib import Path

from alembic import op


def run_text(sql: str) -> None:
    """Run statements as they stand, in the migration's transaction."""
    driver_connection = op.get_bind().connection.dbapi_connection
    assert driver_connection is not None
    driver_connection.run_async(lambda driver: driver.execute(sql))


def run_sql(name: str) -> None:
    """Run a file that lies beside the revisions."""
    run_text((Path(__file__).parent / "versions" / name).read_text(encoding="utf-8"))
