"""Whether the other side's clock and ours agree: invoices are dated, picks are ordered in time, tokens run out."""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx

from clients.transport import new_http
from starters.doctor.finding import Finding, bad, good, later

MOST_SECONDS = 60.0


async def clock_agrees(name: str, address: str, path: str = "") -> Finding:
    """Compare by the `Date` of an answer to a request without credentials."""
    http = new_http(address)
    try:
        began = datetime.now(UTC)
        answer = await http.get(path or "/", timeout=10)
        middle = began + (datetime.now(UTC) - began) / 2
        their = parsedate_to_datetime(answer.headers["date"])
    except (httpx.HTTPError, KeyError, ValueError):
        return later(name, "the other side does not say what time it is")
    finally:
        await http.aclose()
    apart = (their.replace(tzinfo=their.tzinfo or UTC) - middle).total_seconds()
    if abs(apart) > MOST_SECONDS:
        side = "ahead of" if apart > 0 else "behind"
        remedy = "Set this machine's clock by NTP; if it is right, tell those who run the other side."
        return bad(name, f"its clock is {abs(apart):.0f} s {side} ours", remedy)
    return good(name, f"within {MOST_SECONDS:.0f} s of ours")
