"""What our own settings promise: flows, order types in use, rates, the account of purchases, folders, schedules."""

import asyncio
import os
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

from sqlalchemy import text
from temporalio.client import Client
from temporalio.service import RPCError

from domain.flows import BALANCES, FLOWS, VOUCHERS
from domain.rates import OLDEST
from erp.database import Session, one
from erp.merchants import Merchant
from erp.rates import newest, wanted_currencies
from starters.doctor.finding import Finding, bad, good, later

_USES = text(
    """
    select
      (select coalesce(array_agg(distinct order_type), '{}') from (
        select order_type from erp.sales_order where merchant_id = :m and created_at > now() - interval '400 days'
        union select order_type from erp.purchase_order where merchant_id = :m) as used) as order_types,
      (select count(*) from erp.purchase_order where merchant_id = :m and status not in ('draft', 'completed', 'cancelled'))
        as purchases
    """
)


async def examine_ours(session: Session, who: Merchant, today: date) -> list[Finding]:
    """What can be seen without asking anybody else."""
    uses = await one(session, _USES, m=who.merchant_id)
    folders = await asyncio.to_thread(_folders, who)
    rates = await _rates(session, who, today)
    return [_flows(who), _order_types(who, list(uses.order_types)), _purchases(who, uses.purchases), *folders, rates]


def _flows(who: Merchant) -> Finding:
    if who.flows_off:
        names = ", ".join(sorted(who.flows_off))
        return later("flows", f"switched off: {names}", f"lagerbro entity on {min(who.flows_off)} when it may run again.")
    return good("flows", f"all {len(FLOWS)} are on")


def _order_types(who: Merchant, used: Sequence[str]) -> Finding:
    unknown = sorted(set(used) - set(who.settings.order_types))
    if unknown:
        remedy = "Add them to order_types in the merchant's settings."
        return bad("order-types", f"orders use types without a meaning: {', '.join(unknown)}", remedy)
    return good("order-types", "each type in use has its meaning")


def _purchases(who: Merchant, placed: int) -> Finding:
    account = who.settings.goods_received_not_invoiced_account
    if account is not None:
        return good("purchase-account", f"goods received and not invoiced are owed on {account}")
    if placed:
        remedy = "Set goods_received_not_invoiced_account in the merchant's settings: nothing that comes in can be booked."
        return bad("purchase-account", f"{placed} purchase orders are placed, and no account is set for what they bring", remedy)
    return good("purchase-account", "none is set, and no purchase order needs one yet")


def _folders(who: Merchant) -> list[Finding]:
    rules = who.settings.reconciling
    wrong = []
    for name, path, right, word in (
        ("folder", rules.folder, os.W_OK, "written to"),
        ("file_folder", rules.file_folder, os.R_OK, "read"),
    ):
        if path and not Path(path).is_dir():
            wrong.append(f"reconciliation.{name} {path} is no folder of this computer")
        elif path and not os.access(path, right):
            wrong.append(f"reconciliation.{name} {path} cannot be {word}")
    if wrong:
        remedy = "Make or mount the folder, or correct the part reconciliation of the merchant's settings."
        return [bad("reconciliation-folders", "; ".join(wrong), remedy)]
    return [good("reconciliation-folders", "as set" if rules.folder or rules.file_folder else "none is set")]


async def _rates(session: Session, who: Merchant, today: date) -> Finding:
    wanted = await wanted_currencies(session, who.merchant_id, who.currency, who.settings.rate_currencies)
    old = []
    for currency in wanted:
        last = await newest(session, who.merchant_id, currency)
        if last is None or today - last > OLDEST:
            old.append(f"{currency} (last: {last or 'never'})")
    if old:
        remedy = "lagerbro rates fetch, and lagerbro rates to see why; or take the currency out of rate_currencies."
        return bad("exchange-rates", f"no rate young enough for {', '.join(old)}", remedy)
    return good("exchange-rates", f"fresh for {', '.join(wanted)}" if wanted else "no foreign currency is used")


async def examine_schedules(client: Client | None, who: Merchant) -> list[Finding]:
    """The daily runs: that they are there and not paused. A flow that is off needs none."""
    if client is None:
        return [later("schedules", "cannot be seen without Temporal")]
    wrong = []
    for flow in (VOUCHERS, BALANCES):
        if flow.name in who.flows_off:
            continue
        try:
            held: Any = await client.get_schedule_handle(f"{flow.schedule}/{who.merchant_id}").describe()
        except RPCError:
            wrong.append(f"{flow.name} has none")
            continue
        if held.schedule.state.paused:
            wrong.append(f"that of {flow.name} is paused ({held.schedule.state.note or 'no reason given'})")
    if wrong:
        remedy = "lagerbro connect makes them, and is safe to repeat; a paused one goes on by Unpause on its page in the UI."
        return [bad("schedules", "; ".join(wrong), remedy)]
    return [good("schedules", "vouchers and reconciliation run daily")]
