"""How the warehouse counts picked and received goods, against the merchant's settings: shown by a real pick and a real receipt.

What is seen is kept; before both are seen the reconciliation books nothing that nobody can explain.
"""

from datetime import UTC, datetime

from activities.compare_stock import Comparer
from activities.how_it_counts import prove_counting, settings_of
from clients.errors import ApiError, Rejected, Unavailable
from clients.ongoing import OngoingClient
from domain.how_it_counts import QUESTIONS, in_the_way
from erp.database import Database
from erp.merchants import Merchant
from starters.doctor.finding import Finding, bad, good, later

NAME = "ongoing-counting"


async def examine_counting(database: Database, client: OngoingClient, merchant: Merchant) -> Finding:
    """What is proved, what contradicts the settings, or what must be seen first."""
    comparer = Comparer(database, client, merchant, datetime.now(UTC))
    try:
        known = await prove_counting(comparer)
    except (Rejected, ApiError, Unavailable) as refusal:
        return later(NAME, f"could not be looked at: {refusal}")
    settings = settings_of(comparer)
    why = in_the_way(known, settings)
    shown = "; ".join(
        f"{QUESTIONS[setting][known[setting]['value']]} (shown by article {known[setting]['article']})"
        for setting in QUESTIONS
        if setting in known
    )
    if why is None:
        return good(NAME, shown)
    if any(known[setting]["value"] != settings[setting] for setting in known):
        return bad(NAME, why, "lagerbro merchant settings; nothing unknown is booked until then.")
    if comparer.rules.counting_is_known:
        return good(NAME, "the settings say that it is known" + (f"; {shown}" if shown else ""))
    remedy = "Look again when there is one, or set reconciliation.counting_is_known if you know it."
    return later(NAME, f"{why}; nothing unknown is booked before" + (f". So far: {shown}" if shown else ""), remedy)
