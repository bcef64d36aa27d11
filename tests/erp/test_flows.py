"""The switches of a merchant's flows: kept with who turned them and why, and never half turned."""

from typing import Any

import pytest
from sqlalchemy import text

from domain.errors import Refused
from domain.flows import ARTICLES, FLOWS, INVOICES, ORDERS_BACK, ORDERS_OUT, SWEEP, VOUCHERS
from domain.reasons import REASONS
from erp import flows
from erp.database import Database
from erp.merchants import load_merchant
from tests.erp.data import add_merchant, read

AUDIT = "select actor, action, kind, document, reason, detail from bridge.audit where merchant_id = :m order by audit_no"


async def state(verify: Database, merchant: str, flow: str) -> flows.FlowState:
    async with verify.everyone() as session:
        return next(found for found in await flows.states(session, merchant) if found.flow == flow)


async def test_a_merchant_has_every_flow_switched_on_before_anybody_touched_one(erp: Database, verify: Database) -> None:
    merchant = await add_merchant(erp)
    async with verify.everyone() as session:
        found = await flows.states(session, merchant)
    assert [(each.flow, each.enabled, each.interval_seconds, each.last_run_at, each.waiting) for each in found] == [
        ("articles", True, None, None, 0),
        ("orders-out", True, None, None, 0),
        ("orders-back", True, 60, None, 0),
        ("purchases", True, None, None, 0),
        ("supplier-invoices", True, None, None, 0),
        ("invoices", True, None, None, 0),
        ("vouchers", True, None, None, 0),
        ("balances", True, None, None, 0),
        ("sweep", True, None, None, 0),
    ]


async def test_a_switch_is_turned_once_and_says_who_and_why(erp: Database, app: Database, verify: Database) -> None:
    merchant = await add_merchant(erp)
    for expected in (True, False):
        async with app.merchant(merchant) as session:
            assert await flows.switch(session, merchant, ORDERS_OUT, False, "anna", "stock-taking") is expected
    assert (await state(verify, merchant, "orders-out")).enabled is False
    assert await read(verify, AUDIT, m=merchant) == [
        ("anna", "switch off", "entity", "orders-out", "stock-taking", {"from": True, "to": False})
    ]
    async with app.merchant(merchant) as session:
        assert (await load_merchant(session, merchant)).flows_off == {"orders-out"}


async def test_turned_on_or_given_another_interval_it_runs_at_once(erp: Database, app: Database, verify: Database) -> None:
    merchant = await add_merchant(erp)
    async with app.merchant(merchant) as session:
        await flows.set_interval(session, merchant, ORDERS_BACK, 300, "anna", "quiet season")
    assert (await state(verify, merchant, "orders-back")).interval_seconds == 300
    assert await asked(verify, merchant) == ["orders-back"]
    async with app.merchant(merchant) as session:
        await flows.switch(session, merchant, ORDERS_BACK, False, "anna", "why")
    assert await asked(verify, merchant) == [], "what is off is asked for nothing"
    async with app.merchant(merchant) as session:
        await flows.switch(session, merchant, ORDERS_BACK, True, "anna", "why")
    assert await asked(verify, merchant) == ["orders-back"]


async def asked(verify: Database, merchant: str) -> list[str]:
    async with verify.everyone() as session:
        return [each.flow for each in await flows.asked(session) if each.merchant == merchant]


REFUSED: list[tuple[Any, str]] = [
    (lambda s, m: flows.set_interval(s, m, INVOICES, 5, "a", "b"), "invoices has no interval"),
    (lambda s, m: flows.set_interval(s, m, SWEEP, 5, "a", "b"), "sweep has no interval: it runs once a night"),
    (lambda s, m: flows.set_interval(s, m, ARTICLES, 5, "a", "b"), "articles has no interval: it runs whenever an article"),
    (lambda s, m: flows.set_interval(s, m, VOUCHERS, 5, "a", "b"), "vouchers has no interval: it runs once a day"),
    (lambda s, m: flows.set_interval(s, m, ORDERS_BACK, 0, "a", "b"), "1 to 86400 seconds, not 0"),
    (lambda s, m: flows.set_interval(s, m, ORDERS_BACK, 86_401, "a", "b"), "1 to 86400 seconds, not 86401"),
    (lambda s, m: flows.ask_to_run(s, m, ORDERS_OUT, "a", "b"), "orders-out runs whenever something happens"),
    (lambda s, m: flows.switch(s, m, ORDERS_OUT, False, " ", "b"), "who turns a switch and why"),
    (lambda s, m: flows.switch(s, m, ORDERS_OUT, False, "a", ""), "who turns a switch and why"),
    (lambda s, m: flows.switch(s, "nobody", ORDERS_OUT, False, "a", "b"), "there is no merchant nobody"),
]


@pytest.mark.parametrize(("change", "why"), REFUSED, ids=[why for _, why in REFUSED])
async def test_what_makes_no_sense_is_refused_and_nothing_is_changed(
    erp: Database, app: Database, verify: Database, change: Any, why: str
) -> None:
    merchant = await add_merchant(erp)
    with pytest.raises(Refused, match=why):
        async with app.merchant(merchant) as session:
            await change(session, merchant)
    assert await read(verify, "select 1 from bridge.entity where merchant_id = :m", m=merchant) == []
    assert await read(verify, AUDIT, m=merchant) == []


async def test_what_is_off_cannot_be_asked_to_run(erp: Database, app: Database) -> None:
    merchant = await add_merchant(erp)
    async with app.merchant(merchant) as session:
        await flows.switch(session, merchant, ORDERS_BACK, False, "anna", "why")
    with pytest.raises(Refused, match=r"orders-back of .* is off: `lagerbro entity on orders-back` first"):
        async with app.merchant(merchant) as session:
            await flows.ask_to_run(session, merchant, ORDERS_BACK, "anna", "why")


async def test_what_waits_for_a_flow_is_counted_and_found_when_it_is_on(erp: Database, app: Database, verify: Database) -> None:
    merchant = await add_merchant(erp)
    async with app.merchant(merchant) as session:
        await flows.switch(session, merchant, INVOICES, False, "anna", "why")
        await session.execute(
            text(
                "insert into bridge.exception (merchant_id, kind, document, code, detail, blocking)"
                " values (:m, 'sales-order', 'SO-1', 'invoices-off', 'off', true)"
            ),
            {"m": merchant},
        )
    assert (await state(verify, merchant, "invoices")).waiting == 1
    assert await held(verify, merchant) == []
    async with app.merchant(merchant) as session:
        await flows.switch(session, merchant, INVOICES, True, "anna", "why")
    assert await held(verify, merchant) == [flows.Held(merchant, "invoices", "sales-order", "SO-1")]


async def held(verify: Database, merchant: str) -> list[flows.Held]:
    async with verify.everyone() as session:
        return [each for each in await flows.held(session) if each.merchant == merchant]


def test_every_flow_has_its_reason_with_its_own_name_in_the_remedy() -> None:
    for flow in FLOWS.values():
        assert f"lagerbro entity on {flow.name}" in REASONS[flow.off].remedy
