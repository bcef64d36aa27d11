"""The list filters of the Temporal UI that people use, each with a name. Documented in docs/people.md."""

from urllib.parse import quote

FILTERS: dict[str, tuple[str, str]] = {
    "stuck": ("stands still now", "BlockedReason IS NOT NULL OR TemporalReportedProblems IS NOT NULL"),
    "person": ("waits for a person", "BlockedReason IS NOT NULL AND WaitingFor IN ('person', 'erp')"),
    "fortnox": ("waits for Fortnox", "ExecutionStatus = 'Running' AND WaitingFor = 'accounting'"),
    "warehouse": ("waits for the warehouse", "ExecutionStatus = 'Running' AND WaitingFor = 'warehouse'"),
    "held": ("put on hold by a person", "BlockedReason = 'held-by-a-person'"),
    "old": ("has stood still for more than a day", "BlockedSince < '{day_ago}'"),
}


def query_of(name: str, merchant: str | None, day_ago: str) -> str:
    """The query of a filter, narrowed to one merchant where one is given. Raises KeyError for an unknown name."""
    query = FILTERS[name][1].format(day_ago=day_ago)
    return of_merchant(query, merchant)


def of_merchant(query: str, merchant: str | None) -> str:
    """The query narrowed to one merchant where one is given."""
    if merchant is None:
        return query
    named = merchant.replace("\\", "\\\\").replace("'", "\\'")
    return f"({query}) AND Merchant = '{named}'"


def address_of(ui: str, namespace: str, query: str) -> str:
    """Where the UI shows that list."""
    return f"{ui.rstrip('/')}/namespaces/{namespace}/workflows?query={quote(query)}"
