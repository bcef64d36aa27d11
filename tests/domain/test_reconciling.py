"""Differences are explained to zero, never netted, never booked before they stood, and taken back when their cause comes late."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import Refused
from domain.reconciling import (
    Adjusted,
    AdjustmentKey,
    Explanation,
    Fact,
    Happened,
    Instant,
    Kin,
    Late,
    Part,
    Reserved,
    Settled,
    Snapshot,
    Standing,
    Tolerances,
    Verdict,
    Why,
    approvals_needed,
    check_approval,
    explain,
    explain_available,
    judge,
    kindred,
    late_causes,
    plan_adjustments,
    tied,
    too_much,
)

D = Decimal
NOW = datetime(2026, 11, 26, 3, 0, tzinfo=UTC)
LIMIT = timedelta(hours=48)


def before(**ago: float) -> datetime:
    return NOW - timedelta(**ago)


def snapshot(ours: Any = 100, theirs: Any = 100, *facts: Fact, **more: Any) -> Snapshot:
    return Snapshot("A", "MAIN", D(ours), D(theirs), facts=facts, **more)


def fact(quantity: Any, what: str = "picked", document: str = "SO-1", **more: Any) -> Fact:
    return Fact(what, document, D(quantity), **({"at": before(hours=1), "looked_at": before(minutes=1)} | more))


def explained(seen: Snapshot) -> Explanation:
    return explain(seen, NOW, LIMIT)


def classes(explanation: Explanation) -> dict[Why, Decimal]:
    return {why: explanation.of(why) for why in Why if explanation.of(why)}


def test_the_worked_example_of_the_notes_has_no_unknown_in_either_comparison() -> None:
    physical = explained(snapshot(140, 130, fact(-10)))
    assert classes(physical) == {Why.IN_FLIGHT: D(-10)}
    on_order = [Reserved("SO-1", D(25), D(15), D(10))]
    assert explain_available(physical, D(115), D(115), D(0), D(0), on_order).parts == ()
    sent_with_15_missing = [Reserved("SO-1", D(25), D(0), D(10))]
    assert classes(explain_available(physical, D(115), D(130), D(0), D(0), sent_with_15_missing)) == {Why.OPEN_ORDER: D(15)}


def test_what_is_locked_and_held_back_explains_available_only() -> None:
    physical = explained(snapshot())
    assert classes(explain_available(physical, D(90), D(96), D(4), D(10), [])) == {Why.LOCKED: D(-4), Why.HELD: D(10)}


def test_an_unknown_loss_shows_in_available_as_the_physical_difference_and_not_as_another() -> None:
    physical = explained(snapshot(100, 97))
    assert classes(explain_available(physical, D(100), D(97), D(0), D(0), [])) == {Why.PHYSICAL: D(-3)}


@pytest.mark.parametrize(
    ("at", "looked_at", "alive", "ours", "why"),
    [
        (before(hours=1), before(minutes=1), True, True, Why.IN_FLIGHT),
        (before(minutes=1), before(hours=1), True, True, Why.NOT_POLLED),
        (before(hours=1), None, True, True, Why.NOT_POLLED),
        (before(hours=49), before(minutes=1), True, True, Why.STUCK),
        (before(hours=1), before(minutes=1), False, True, Why.STUCK),
        (before(hours=1), None, True, False, Why.NOT_OURS),
    ],
)
def test_an_in_flight_item_names_a_living_process_and_has_an_age_limit(
    at: datetime, looked_at: datetime | None, alive: bool, ours: bool, why: Why
) -> None:
    seen = snapshot(100, 97, fact(-3, at=at, looked_at=looked_at, alive=alive, ours=ours))
    assert classes(explained(seen)) == {why: D(-3)}


def test_a_loss_is_not_hidden_by_a_receipt_on_its_way() -> None:
    seen = explained(snapshot(100, 100, fact(3, "received", "PO-1")))
    assert classes(seen) == {Why.IN_FLIGHT: D(3), Why.UNKNOWN: D(-3)}


def test_a_balance_that_is_not_the_sum_of_its_entries_is_our_error() -> None:
    assert classes(explained(snapshot(100, 97, entries=D(97)))) == {Why.OUR_ERROR: D(-3)}


def test_pieces_counted_in_packages_are_a_unit_factor_and_nothing_else_is() -> None:
    assert classes(explained(snapshot(120, 10, unit_factors=(D(12),)))) == {Why.UNIT: D(-110)}
    assert classes(explained(snapshot(10, 120, unit_factors=(D(12),)))) == {Why.UNIT: D(110)}
    assert classes(explained(snapshot(120, 11, unit_factors=(D(12),)))) == {Why.UNKNOWN: D(-109)}


def test_what_moved_in_the_moment_of_the_cut_is_deferred_and_what_came_after_is_listed() -> None:
    cut = before(hours=2)
    at_the_cut = explained(snapshot(100, 97, fact(-3, at=cut), cut=cut))
    assert Why.UNKNOWN not in classes(at_the_cut)
    perhaps_inside = explained(snapshot(100, 100, fact(-3, at=cut), cut=cut))
    assert classes(perhaps_inside) == {Why.IN_FLIGHT: D(-3), Why.DEFERRED: D(3)}
    after = explained(snapshot(96, 100, fact(-9, at=before(hours=1)), cut=cut, after_cut=(("SO-2", D(-4), before(hours=1)),)))
    assert classes(after) == {Why.AFTER_CUT: D(4)}
    moved = explained(snapshot(96, 90, cut=cut, after_cut=(("SO-2", D(-4), cut),)))
    assert classes(moved) == {Why.DEFERRED: D(-6)}


def test_what_is_in_doubt_or_moving_is_deferred() -> None:
    assert classes(explained(snapshot(100, 95, fact(-3, doubtful=True)))) == {Why.IN_FLIGHT: D(-3), Why.DEFERRED: D(-2)}
    assert classes(explained(snapshot(100, 95, moving="moved three times"))) == {Why.DEFERRED: D(-5)}


def test_settings_say_when_goods_leave_and_when_they_count() -> None:
    assert Instant().physical(D(130), D(10), D(5)) == D(130)
    assert Instant(True, True).physical(D(130), D(10), D(5)) == D(125)


# --- twins and renamed ------------------------------------------------------------------------------------------------


def test_twins_and_renamed_articles_are_tied_and_never_netted() -> None:
    found = kindred(
        [
            Kin("ab 1", "ab1", None, D(-5)),
            Kin("AB1", "ab1", None, D(5)),
            Kin("X-1", "x-1", None, D(-7)),
            Kin("X-2", "x-2", "X-1", D(7)),
            Kin("LONELY", "lonely", None, D(5)),
            Kin("c", "c", None, D(-2)),
            Kin("C", "c", None, D(3)),
        ]
    )
    assert found == {
        "ab 1": (Why.TWIN, "AB1"),
        "AB1": (Why.TWIN, "ab 1"),
        "X-1": (Why.RENAMED, "X-2"),
        "X-2": (Why.RENAMED, "X-1"),
    }
    assert classes(tied(explained(snapshot(100, 95)), Why.TWIN, "AB1")) == {Why.TWIN: D(-5)}


# --- laws -------------------------------------------------------------------------------------------------------------

quantities = st.decimals(-1000, 1000, places=2)
moments = st.sampled_from([None, before(hours=60), before(hours=3), before(hours=2), before(hours=1), before(minutes=1)])
facts = st.builds(
    Fact,
    what=st.sampled_from(["picked", "received", "returned", "adjusted"]),
    document=st.sampled_from(["SO-1", "SO-2", "PO-1"]),
    quantity=quantities,
    at=moments,
    looked_at=moments,
    ours=st.booleans(),
    alive=st.booleans(),
    doubtful=st.booleans(),
)
snapshots = st.builds(
    Snapshot,
    article=st.just("A"),
    warehouse=st.just("MAIN"),
    ours=quantities,
    theirs=quantities,
    entries=st.none() | quantities,
    facts=st.lists(facts, max_size=5).map(tuple),
    late=st.lists(st.builds(Late, st.integers(1, 3), st.sampled_from(["SO-1", "PO-1"]), quantities), max_size=2).map(tuple),
    unit_factors=st.just((D(6),)),
    cut=st.none() | st.just(before(hours=2)),
    after_cut=st.lists(st.tuples(st.just("SO-9"), quantities, moments.filter(bool)), max_size=3).map(tuple),
    moving=st.none() | st.just("moved"),
)


@given(snapshots)
def test_the_parts_add_up_to_the_difference_whatever_was_read(seen: Snapshot) -> None:
    assert explained(seen).residual == 0
    assert explain_available(explained(seen), D(7), D(-3), D(2), D(1), [Reserved("SO-1", D(4), D(1), D(2))]).residual == 0


@given(st.integers(0, 500), st.lists(facts.filter(lambda f: not f.doubtful), max_size=6), st.decimals(-9, 9, places=0))
def test_the_unknown_is_what_is_missing_and_nothing_of_what_is_on_its_way(
    start: int, on_the_way: list[Fact], lost: Decimal
) -> None:
    theirs = D(start) + sum((f.quantity for f in on_the_way), D(0)) + lost
    assert explained(snapshot(start, theirs, *on_the_way)).unknown == lost


@given(st.lists(st.tuples(quantities.filter(bool), st.booleans()), min_size=1, max_size=5))
def test_explaining_again_after_the_bookings_finds_nothing(losses: list[tuple[Decimal, bool]]) -> None:
    ours = D(100)
    for loss, _ in losses:
        seen = explained(snapshot(ours, ours + loss))
        assert seen.unknown == loss
        ours += seen.unknown
        assert explained(snapshot(ours, ours)).parts == ()


# --- late causes ------------------------------------------------------------------------------------------------------

SETTLED = Settled(1, before(hours=10), {})


def late(happened: list[Happened], settled: Settled = SETTLED, absorbed: dict[Any, Decimal] | None = None) -> list[Late]:
    return late_causes([(settled, 50)], happened, absorbed or {})


def test_a_cause_that_comes_after_its_difference_was_booked_takes_the_settlement_back() -> None:
    pick = Happened("SO-1", D(-3), before(hours=12), None)
    assert late([pick]) == [Late(1, "SO-1", D(-3))]
    booked = Happened("SO-1", D(-3), before(hours=12), 51)
    assert late([booked]) == [Late(1, "SO-1", D(-3))]
    assert late([booked], absorbed={(1, "SO-1"): D(-3)}) == []
    seen = explained(snapshot(97, 97, fact(-3, at=before(hours=12)), late=(Late(1, "SO-1", D(-3)),)))
    assert classes(seen) == {Why.IN_FLIGHT: D(-3), Why.ABSORBED: D(3)}


def test_what_was_listed_with_the_settlement_or_happened_later_is_no_late_cause() -> None:
    assert late([Happened("SO-1", D(-3), before(hours=12), 51)], Settled(1, before(hours=10), {"SO-1": D(-3)})) == []
    assert late([Happened("SO-1", D(-3), before(hours=9), 51)]) == []
    assert late([Happened("SO-1", D(-3), before(hours=12), 49)]) == []


def test_a_late_receipt_of_the_other_sign_makes_the_loss_larger_and_not_smaller() -> None:
    assert late([Happened("PO-1", D(3), before(hours=12), None)]) == [Late(1, "PO-1", D(3))]
    seen = explained(snapshot(95, 95, fact(3, "received", "PO-1", at=before(hours=12)), late=(Late(1, "PO-1", D(3)),)))
    assert classes(seen) == {Why.IN_FLIGHT: D(3), Why.ABSORBED: D(-3)}


def test_a_cause_belongs_to_the_first_settlement_after_it() -> None:
    two = [(SETTLED, 50), (Settled(2, before(hours=5), {}), 60)]
    happened = [Happened("SO-1", D(-3), before(hours=12), 70), Happened("SO-2", D(-1), before(hours=7), 71)]
    assert late_causes(two, happened, {}) == [Late(1, "SO-1", D(-3)), Late(2, "SO-2", D(-1))]


# --- adjustments ------------------------------------------------------------------------------------------------------

BROKEN = AdjustmentKey(107, 5012, 1, "DMG", False)
FOUND = AdjustmentKey(107, 5012, 1, "DMG", True)


def test_adjustments_are_counters_and_a_plus_never_hides_a_minus() -> None:
    steps, doubted, over = plan_adjustments({}, {BROKEN: D(2), FOUND: D(2)}, NOW, timedelta(0))
    assert sorted((step.key.up, step.quantity) for step in steps) == [(False, D(-2)), (True, D(2))]
    assert (doubted, over) == ({}, [])
    known = {step.key: Adjusted(step.to_value, step.step) for step in steps}
    assert plan_adjustments(known, {BROKEN: D(2), FOUND: D(2)}, NOW, timedelta(0)) == ([], {}, [])


def test_a_first_look_says_already_that_a_person_will_have_to_decide() -> None:
    now = datetime(2026, 11, 25, 3, tzinfo=UTC)
    said = judge(Standing(D(-60), D(10), now, 1), now, Tolerances())
    assert said == (
        Verdict.LOOK_AGAIN,
        "must stand in two looks 12 hours apart; then a person decides: 60 pieces: more than the 5 that are booked unasked",
    )
    assert judge(Standing(D(-3), D(10), now, 1), now, Tolerances())[1] == "must stand in two looks 12 hours apart"


def test_an_adjustment_that_shrinks_is_believed_only_when_two_looks_agree() -> None:
    known = {BROKEN: Adjusted(D(5), 1)}
    assert plan_adjustments(known, {}, NOW, LIMIT) == ([], {BROKEN: D(0)}, [])
    doubted = {BROKEN: Adjusted(D(5), 1, D(0), before(hours=1))}
    assert plan_adjustments(doubted, {}, NOW, LIMIT) == ([], {}, [])
    [step] = plan_adjustments(doubted, {}, NOW, timedelta(minutes=30))[0]
    assert (step.quantity, step.to_value, step.step) == (D(5), D(0), 2)
    assert plan_adjustments(doubted, {BROKEN: D(5)}, NOW, LIMIT) == ([], {}, [BROKEN])


# --- what may be booked -----------------------------------------------------------------------------------------------


def standing(quantity: Any = -2, unit_cost: Any = 10, **more: Any) -> Standing:
    cost = None if unit_cost is None else D(unit_cost)
    told: dict[str, Any] = {"first_seen_at": before(hours=24), "seen_runs": 2} | more
    return Standing(D(quantity), cost, **told)


@pytest.mark.parametrize(
    ("seen", "verdict"),
    [
        (standing(), Verdict.BOOK),
        (standing(seen_runs=1), Verdict.LOOK_AGAIN),
        (standing(first_seen_at=before(hours=11)), Verdict.LOOK_AGAIN),
        (standing(-6), Verdict.ASK),
        (standing(6), Verdict.ASK),
        (standing(-2, 300), Verdict.ASK),
        (standing(month_pieces=D(19)), Verdict.ASK),
        (standing(month_value=D(1981)), Verdict.ASK),
        (standing(unit_cost=None), Verdict.ASK),
        (standing(-5, 100), Verdict.BOOK),
    ],
)
def test_only_what_stood_and_is_small_in_pieces_and_in_money_is_booked_unasked(seen: Standing, verdict: Verdict) -> None:
    assert judge(seen, NOW, Tolerances())[0] is verdict


def test_a_run_in_which_everything_is_gone_or_too_much_changes_books_nothing() -> None:
    assert too_much(40, 40, D(0), D(1000), D("0.02")) is not None
    assert too_much(40, 39, D(20), D(1000), D("0.02")) is None
    assert "2 %" in str(too_much(40, 1, D("20.01"), D(1000), D("0.02")))


def test_above_the_limit_two_people_approve_and_each_once() -> None:
    assert approvals_needed(D("-10000.01"), Tolerances()) == 2
    assert approvals_needed(D(10000), Tolerances()) == 1
    assert approvals_needed(None, Tolerances()) == 2
    check_approval(["anna"], "bo", "counted twice")
    for actors, actor, reason in ((["anna"], "Anna ", "again"), ([], "", "why"), ([], "anna", " ")):
        with pytest.raises(Refused):
            check_approval(actors, actor, reason)


def test_a_part_says_what_it_is() -> None:
    [part] = explained(snapshot(100, 97, fact(-3))).parts
    assert part == Part(Why.IN_FLIGHT, D(-3), "SO-1", "picked", None, before(hours=1))
