"""The proof of the doctor works in small: it finds what is planted, leaves the healthy alone, and sees a doctor who is silent."""

import pytest

from bench.prove_6.healthy import world
from bench.prove_6.planted_faults import COMMANDED, FAULTS, HEALTHY, Fault, commanded, complaints, judge, look_at
from starters.doctor import Finding

SOME = (
    "the API user's password was changed in the warehouse",
    "edit_lock_status above every status",
    "an order for export, and no account for export",
    "a posting rule's account does not exist",
    "cost of goods sold is inactive in the next year only",
    "a type that the warehouse does not know",
    "a folder where nobody may write",
    "the schedule of rates is paused",
    "goods leave the balance at collection, the settings say at pick",
    "the merchant's time zone is misspelt",
)
WELL = ("orders for export, at two rates, with freight, in euro", "the hour of vouchers changed by connecting anew")


@pytest.mark.timeout(300)
async def test_a_handful_of_planted_faults_is_found_and_nothing_on_who_is_well() -> None:
    chosen = [fault for fault in FAULTS if fault.name in SOME]
    assert len(chosen) == len(SOME)
    async with world() as servers:
        found = [await look_at(servers, fault) for fault in chosen]
        ill = await commanded(servers) + [each for name in WELL for each in await complaints(servers, HEALTHY[name])]
    assert [outcome.line() for outcome in found if not outcome.found] == []
    assert ill == []


def test_a_fault_counts_as_found_only_where_a_line_that_is_not_green_names_it() -> None:
    fault = Fault("accounts", "4960 is inactive", r"\b4960\b", HEALTHY["as connected"])
    assert judge(fault, [Finding("fortnox-accounts", "green", "4960 is there")]).verdict == "MISSED"
    assert judge(fault, [Finding("fortnox-terms", "red", "no terms 30")]).verdict == "named otherwise"
    assert judge(fault, [Finding("fortnox-accounts", "yellow", "4960 is not active")]).verdict == "found"


def test_no_two_faults_have_the_same_name() -> None:
    names = [f"{fault.about}: {fault.name}" for fault in FAULTS]
    assert len(names) == len(set(names)) > 100
    assert COMMANDED not in HEALTHY
