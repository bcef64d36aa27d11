"""What we ask of our own database, beside what belongs to a step: the list of what stands still."""

from temporalio import activity

from domain.keys import Blocked
from erp import exceptions
from erp.database import Database


class Erp:
    """Short writes to our own tables. Safe to repeat."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @activity.defn
    async def open_exception(self, blocked: Blocked) -> None:
        """Write down why a document stands still; what was written before for it stays open until it moves."""
        async with self._database.merchant(blocked.merchant) as session:
            await exceptions.open_exception(
                session, blocked.merchant, blocked.kind, blocked.document, blocked.code, blocked.detail, True
            )

    @activity.defn
    async def close_exceptions(self, blocked: Blocked) -> None:
        """The document moves again."""
        async with self._database.merchant(blocked.merchant) as session:
            await exceptions.close_exceptions(session, blocked.merchant, blocked.kind, blocked.document, "lagerbro")
