"""Our keys and theirs: one row for each, however many save it at once, and never one of theirs for two of ours."""

import asyncio

import pytest

from erp.database import DATABASE_ERRORS, Database
from erp.links import links, save_link
from tests.erp.data import add_merchant

ROUNDS, AT_ONCE = 600, 8  # with one key guarded only, some hundreds of rounds go wrong once


async def save(app: Database, merchant: str, ours: str, theirs: str, version: int | None = 1) -> None:
    async with app.merchant(merchant) as session:
        await save_link(session, merchant, "fortnox", "customer", ours, theirs, f"hash-{version}", version)


async def kept(app: Database, merchant: str, *ours: str) -> dict[str, tuple[str, int | None]]:
    async with app.merchant(merchant) as session:
        found = await links(session, merchant, "fortnox", "customer", list(ours))
    return {name: (link.their_id, link.sent_version) for name, link in found.items()}


async def test_a_link_that_many_save_at_once_is_there_once_and_nobody_is_refused(app: Database, erp: Database) -> None:
    merchant = await add_merchant(erp)
    for number in range(ROUNDS):
        await asyncio.gather(*(save(app, merchant, f"K-{number}", f"T-{number}") for _ in range(AT_ONCE)))
    wanted = {f"K-{number}": (f"T-{number}", 1) for number in range(ROUNDS)}
    assert await kept(app, merchant, *wanted) == wanted


async def test_a_newer_version_replaces_an_older_one_and_an_older_one_nothing(app: Database, erp: Database) -> None:
    merchant = await add_merchant(erp)
    for version in (1, 3, 2):
        await save(app, merchant, "K-1", "T-1", version)
    assert await kept(app, merchant, "K-1") == {"K-1": ("T-1", 3)}


async def test_a_document_of_theirs_is_never_linked_to_two_of_ours(app: Database, erp: Database) -> None:
    merchant = await add_merchant(erp)
    await save(app, merchant, "K-1", "T-1")
    with pytest.raises(ValueError, match="customer T-1 is linked to another document than K-2"):
        await save(app, merchant, "K-2", "T-1")
    await save(app, merchant, "K-2", "T-2")
    with pytest.raises(DATABASE_ERRORS, match="their_id"):
        await save(app, merchant, "K-2", "T-1")
    assert await kept(app, merchant, "K-1", "K-2") == {"K-1": ("T-1", 1), "K-2": ("T-2", 1)}
