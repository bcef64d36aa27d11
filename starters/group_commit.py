"""One INSERT for all hints that arrived while the last one was written; each caller is answered after the commit of its own.

Under a flood a batch grows by itself and a hint alone waits for nobody. What fails is said to every caller of that batch, none
of which has been answered yet: the sender tries again.
"""

import asyncio
from dataclasses import dataclass

from sqlalchemy import text

from erp.database import Database

MOST = 500

_INSERT = text(
    """
    insert into bridge.inbox (merchant_id, source, event_id, kind, doc_id)
    select m, 'webhook', e, k, d
    from unnest(cast(:merchants as text[]), cast(:events as text[]), cast(:kinds as text[]), cast(:ids as bigint[])) u(m, e, k, d)
    on conflict (merchant_id, source, event_id) do nothing
    """
)


@dataclass(frozen=True, slots=True, order=True)
class Hint:
    """Something may have happened to this document; the same event of the same merchant is kept once."""

    merchant: str
    event: str
    kind: str
    doc_id: int


class Inbox:
    """Keeps hints in bridge.inbox."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: list[tuple[Hint, asyncio.Future[None]]] = []
        self._writing: asyncio.Task[None] | None = None

    async def keep(self, hint: Hint) -> None:
        """Returns once the hint is committed, or was before."""
        kept = asyncio.get_running_loop().create_future()
        self._waiting.append((hint, kept))
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write())
        await kept

    async def _write(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting[:MOST], self._waiting[MOST:]
            try:
                await self._insert([hint for hint, _ in batch])
            except Exception as failed:
                for _, kept in batch:
                    if not kept.done():
                        kept.set_exception(failed)
            else:
                for _, kept in batch:
                    if not kept.done():
                        kept.set_result(None)

    async def _insert(self, hints: list[Hint]) -> None:
        ordered = sorted(hints)  # in one order, so that two intakes with the same events never wait for each other
        async with self._database.outside() as session:
            await session.execute(
                _INSERT,
                {
                    "merchants": [hint.merchant for hint in ordered],
                    "events": [hint.event for hint in ordered],
                    "kinds": [hint.kind for hint in ordered],
                    "ids": [hint.doc_id for hint in ordered],
                },
            )
