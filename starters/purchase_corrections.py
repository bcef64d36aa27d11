"""A person's correction of a purchase order, sent from Python: by the commands, by the HTTP interface, by an ERP in Python.

    answer = await correct_purchase(client, database, "demo", "PO-7", "correct_cost", by="anna", reason="freight by hand",
                                    amount="120.00", key="erp-17")

Raises `Unacceptable` with a readable text when it is refused. Safe to repeat with the same key. What goods cost may be corrected
after the purchase order's process has ended too: then it is done here, by the same step on the same rows.
"""

from typing import Any

from sqlalchemy import text
from temporalio.client import Client

from activities.corrections import Asked
from activities.purchase_corrections import PurchaseCorrections
from domain.purchase_corrections import SECOND_PERSON, PurchaseName, PurchaseSituation, refusal, wrong_content
from erp.database import Database, one
from erp.people import audited
from starters.corrections import Unacceptable, send, understood
from workflows.corrections import Approval
from workflows.purchase_corrections import PURCHASE_SENT_AS, purchase_content

PURCHASE_KINDS: dict[str, type[Any]] = {name.value: kind for name, kind in PURCHASE_SENT_AS.items()} | {SECOND_PERSON: Approval}
_PROCESS = text(
    """
    select o.status, p.workflow_id from erp.purchase_order o left join bridge.process p on p.merchant_id = o.merchant_id
      and p.kind = 'purchase-order' and p.document = o.purchase_order_number and p.ended_at is null
    where o.merchant_id = :merchant and o.purchase_order_number = :number
    """
)


async def correct_purchase(
    client: Client, database: Database, merchant: str, number: str, name: str, code_version: str = "by-hand", **given: Any
) -> str:
    """Send a correction to a purchase order's process and wait for its answer. `database` is the app's."""
    sent = understood(name, given, PURCHASE_KINDS)
    async with database.merchant(merchant) as session:
        row = await one(session, _PROCESS, merchant=merchant, number=number)
    if row is None:
        raise Unacceptable("not-found", f"there is no purchase order {number} of merchant {merchant}")
    if row.workflow_id is not None:
        try:
            return await send(client, str(row.workflow_id), number, name, sent)
        except Unacceptable as why:
            if why.code != "not-found":
                raise
    if row.status == "draft":
        raise Unacceptable("refused", f"purchase order {number} is a draft: nothing of it is under way")
    return await _after_the_end(database, merchant, number, name, sent, code_version)


async def _after_the_end(database: Database, merchant: str, number: str, name: str, sent: Any, code_version: str) -> str:
    weighed = PurchaseName.CORRECT_COST if name == SECOND_PERSON else PurchaseName(name)
    content = {} if name == SECOND_PERSON else purchase_content(sent)
    wrong = wrong_content(PurchaseName.CLOSE_SHORT if name == SECOND_PERSON else weighed, sent.by, sent.reason, content)
    if wrong:
        raise Unacceptable("wrong-content", f"{number}: {wrong}")
    async with database.merchant(merchant) as session:
        held = await audited(session, merchant, sent.key) if sent.key else None
    if held is not None and (held["action"], held["document"]) == (name, number):
        return f"{number}: {name} was done before under this key"
    if why := refusal(weighed, PurchaseSituation.ENDED):
        raise Unacceptable("refused", f"{number}: {why}")
    if not sent.key:
        raise Unacceptable("wrong-content", f"{number}: it has ended: give a key of your own, so that a repeat is known")
    asked = Asked(merchant, number, 1, name, sent.by, sent.reason, sent.key, content)
    done = await PurchaseCorrections(database, code_version).correct_purchase(asked)
    if done.refused:
        raise Unacceptable("refused", f"{number}: {done.refused}")
    if done.second_person:
        return f"{number}: {name} waits for a second person ({done.words}): {SECOND_PERSON} with the key {sent.key}"
    return f"{number}: {name} was done before under this key" if done.repeated else f"{number}: {done.words}"
