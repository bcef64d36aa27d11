"""What the outbox says about returns."""

from domain.keys import ReturnKey
from starters.relay_documents import Documents
from workflows.receive_return import ReceiveReturn

RETURNS = Documents(
    "return",
    "Return",
    ReturnKey,
    ReceiveReturn.run,
    "return.announced",
    {
        "return.look": ReceiveReturn.look,
        "return.changed": ReceiveReturn.erp_changed,
        "return.cancel": ReceiveReturn.cancel_asked,
    },
)
