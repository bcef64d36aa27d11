"""What the list of workflows can be filtered by. Never anything personal: search attributes are not sealed."""

from datetime import datetime

from temporalio.common import SearchAttributeKey, SearchAttributePair, TypedSearchAttributes

MERCHANT = SearchAttributeKey.for_keyword("Merchant")
DOCUMENT = SearchAttributeKey.for_keyword("Document")
STAGE = SearchAttributeKey.for_keyword("Stage")
STAGE_SINCE = SearchAttributeKey.for_datetime("StageSince")
WAITING_FOR = SearchAttributeKey.for_keyword("WaitingFor")
BLOCKED_REASON = SearchAttributeKey.for_keyword("BlockedReason")
BLOCKED_SINCE = SearchAttributeKey.for_datetime("BlockedSince")

ALL = (MERCHANT, DOCUMENT, STAGE, STAGE_SINCE, WAITING_FOR, BLOCKED_REASON, BLOCKED_SINCE)


def at_start(merchant: str, document: str, stage: str, now: datetime) -> TypedSearchAttributes:
    """The attributes a process is born with: free at the start, an action each time later."""
    return TypedSearchAttributes(
        [
            SearchAttributePair(MERCHANT, merchant),
            SearchAttributePair(DOCUMENT, document),
            SearchAttributePair(STAGE, stage),
            SearchAttributePair(STAGE_SINCE, now),
        ]
    )


def of_merchant(merchant: str, document: str) -> TypedSearchAttributes:
    """The attributes of a process that a schedule begins: when that will be is not known yet."""
    return TypedSearchAttributes([SearchAttributePair(MERCHANT, merchant), SearchAttributePair(DOCUMENT, document)])
