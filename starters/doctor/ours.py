"""What our own settings promise: flows, order types in use, rates, the account of purchases, folders, schedules."""

import asyncio
import os
import tempfile
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

from sqlalchemy import text
from temporalio.client import Client
from temporalio.service import RPCError

from domain.flows import BALANCES, FLOWS, PURCHASES, SUPPLIER_INVOICES, VOUCHERS
from domain.posting_rules import ANY, PostingRule
from domain.rates import OLDEST
from erp.database import Session, one
from erp.merchants import Merchant
from erp.rates import newest, wanted_currencies
from starters.doctor.finding import Finding, bad, good, later
from workflows import options

SELDOM_SECONDS = 3600

_USES = text(
    """
    select
      (select coalesce(array_agg(distinct order_type), '{}') from (
        select order_type from erp.sales_order where merchant_id = :m and created_at > now() - interval '400 days'
        union select order_type from erp.purchase_order where merchant_id = :m) as used) as order_types,
      (select count(*) from erp.purchase_order where merchant_id = :m and status not in ('draft', 'completed', 'cancelled'))
        as purchases,
      (select count(*) from erp.supplier where merchant_id = :m) as suppliers,
      (select coalesce(array_agg(flow), '{}') from bridge.entity
        where merchant_id = :m and enabled and flow = any(:flows) and interval_seconds > :seldom) as seldom
    """
)


async def examine_ours(session: Session, who: Merchant, today: date) -> list[Finding]:
    """What can be seen without asking anybody else."""
    paced = [flow.name for flow in FLOWS.values() if flow.interval_seconds]
    uses = await one(session, _USES, m=who.merchant_id, flows=paced, seldom=SELDOM_SECONDS)
    folders = await asyncio.to_thread(_folders, who)
    rates = await _rates(session, who, today)
    return [
        _flows(who, list(uses.seldom)),
        _order_types(who, list(uses.order_types)),
        _purchases(who, uses.purchases, uses.suppliers),
        *folders,
        rates,
    ]


def _flows(who: Merchant, seldom: Sequence[str]) -> Finding:
    if who.flows_off:
        names = ", ".join(sorted(who.flows_off))
        return later("flows", f"switched off: {names}", f"lagerbro entity on {min(who.flows_off)} when it may run again.")
    if seldom:
        said = f"looks less than once an hour: {', '.join(seldom)}"
        return later("flows", said, f"lagerbro entity interval {seldom[0]} 60: what no webhook tells is found so late.")
    return good("flows", f"all {len(FLOWS)} are on")


def _order_types(who: Merchant, used: Sequence[str]) -> Finding:
    unknown = sorted(set(used) - set(who.settings.order_types))
    if unknown:
        remedy = "Add them to order_types in the merchant's settings."
        return bad("order-types", f"orders use types without a meaning: {', '.join(unknown)}", remedy)
    return good("order-types", "each type in use has its meaning")


def _purchases(who: Merchant, placed: int, suppliers: int) -> Finding:
    account = who.settings.received_account
    if account is not None:
        return good("purchase-account", f"goods received and not invoiced are owed on {account}")
    if placed:
        remedy = "Set goods_received_not_invoiced_account in the merchant's settings: nothing that comes in can be booked."
        return bad("purchase-account", f"{placed} purchase orders are placed, and no account is set for what they bring", remedy)
    if suppliers and PURCHASES.name not in who.flows_off and not any(_receives(rule) for rule in who.settings.own_rules):
        remedy = "Set goods_received_not_invoiced_account in the merchant's settings before the first purchase order is placed."
        return later("purchase-account", f"{suppliers} suppliers, and no account is set for what is bought of them", remedy)
    return good("purchase-account", "none is set, and no purchase order needs one yet")


def _receives(rule: PostingRule) -> bool:
    return rule.event in (ANY, "goods-received")


def _folders(who: Merchant) -> list[Finding]:
    rules = who.settings.reconciling
    wrong = []
    for name, path, trial, word in (
        ("folder", rules.folder, _write, "written to"),
        ("file_folder", rules.file_folder, os.listdir, "read"),
    ):
        if path and not Path(path).is_dir():
            wrong.append(f"reconciliation.{name} {path} is no folder of this computer")
        elif path:
            try:
                trial(path)
            except OSError as why:
                wrong.append(f"reconciliation.{name} {path} cannot be {word}: {why.strerror}")
    if wrong:
        remedy = "Make or mount the folder, or correct the part reconciliation of the merchant's settings."
        return [bad("reconciliation-folders", "; ".join(wrong), remedy)]
    return [good("reconciliation-folders", "as set" if rules.folder or rules.file_folder else "none is set")]


def _write(folder: str) -> None:
    """A file that is gone at once: rights alone do not tell of a disk that is full or mounted for reading."""
    with tempfile.TemporaryFile(dir=folder) as trial:
        trial.write(b"0")


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


async def examine_schedules(client: Client | None, who: Merchant, rated: bool) -> list[Finding]:
    """The runs by the clock: that they are there, not paused, at the hour of the settings and in a queue that is served.

    A flow that is off needs none. `rated`: the merchant needs exchange rates.
    """
    if client is None:
        return [later("schedules", "cannot be seen without Temporal")]
    settings = who.settings
    needed: list[tuple[str, str, int | None]] = [
        (flow.name, str(flow.schedule), hour)
        for flow, hour in (
            (VOUCHERS, settings.vouchers_hour),
            (BALANCES, settings.reconciling.hour),
            *([(SUPPLIER_INVOICES, None)] if settings.match_supplier_invoices else []),
        )
        if flow.name not in who.flows_off
    ]
    if rated:
        needed.append(("rates", "rates", None))
    wrong, late = [], []
    for name, schedule, hour in needed:
        try:
            held: Any = await client.get_schedule_handle(f"{schedule}/{who.merchant_id}").describe()
        except RPCError:
            wrong.append(f"{name} has none")
            continue
        if held.schedule.state.paused:
            wrong.append(f"that of {name} is paused ({held.schedule.state.note or 'no reason given'})")
        if (queue := held.schedule.action.task_queue) != options.ORDERS_QUEUE:
            wrong.append(f"that of {name} starts its work in the queue {queue}, which no worker serves")
        hours = {span.start for spec in held.schedule.spec.calendars for span in spec.hour}
        if hour is not None and hours and hours != {hour}:
            late.append(f"that of {name} runs at {', '.join(map(str, sorted(hours)))}, the settings say {hour}")
    if wrong:
        remedy = "lagerbro connect makes them anew, and is safe to repeat; a paused one goes on by Unpause on its page in the UI."
        return [bad("schedules", "; ".join([*wrong, *late]), remedy)]
    if late:
        return [later("schedules", "; ".join(late), "lagerbro connect makes them anew, and is safe to repeat.")]
    return [good("schedules", f"{', '.join(name for name, _, _ in needed) or 'none'} run by the clock")]
