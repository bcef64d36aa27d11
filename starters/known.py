"""The merchant that a command names, before anything is started for it: a process of one that is not there would never end."""

from erp.database import Database
from erp.merchants import Merchant, load_merchant
from worker.settings import Settings


async def known(settings: Settings, merchant: str) -> Merchant:
    """The merchant as it is now; refuses, in words, one that the ERP does not have."""
    database = Database(settings.database("app"), pool_size=1)
    try:
        async with database.merchant(merchant) as session:
            return await load_merchant(session, merchant)
    finally:
        await database.close()
