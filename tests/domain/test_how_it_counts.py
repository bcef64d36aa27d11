"""How the warehouse counts is proved by figures that fit one way only."""

from decimal import Decimal

import pytest

from domain.how_it_counts import AT_COLLECTION, WHEN_FINISHED, Counted, Proved, in_the_way, proved

D = Decimal
SETTINGS = {AT_COLLECTION: False, WHEN_FINISHED: False}


def counted(must_be: int, items: int, to_collect: int = 0, to_finish: int = 0, article: str = "A") -> Counted:
    return Counted(article, D(must_be), D(items), D(to_collect), D(to_finish))


@pytest.mark.parametrize(
    ("seen", "answers"),
    [
        (counted(95, 95, to_collect=5), (AT_COLLECTION, False)),
        (counted(95, 100, to_collect=5), (AT_COLLECTION, True)),
        (counted(110, 110, to_finish=10), (WHEN_FINISHED, False)),
        (counted(110, 100, to_finish=10), (WHEN_FINISHED, True)),
        (counted(95, 97, to_collect=5), None),
        (counted(100, 100), None),
        (counted(105, 105, to_collect=5, to_finish=10), None),
    ],
)
def test_a_figure_answers_only_where_it_fits_one_way(seen: Counted, answers: tuple[str, bool] | None) -> None:
    assert seen.answers() == answers


def test_what_contradicts_itself_is_not_proved() -> None:
    assert proved([counted(95, 95, 5), counted(95, 100, 5, article="B"), counted(110, 110, 0, 10, "C")]) == {
        WHEN_FINISHED: Proved(False, "C")
    }


def test_nothing_is_in_the_way_only_when_both_are_proved_as_the_settings_say() -> None:
    pick, receipt = {"value": False, "article": "A"}, {"value": False, "article": "B"}
    assert in_the_way({AT_COLLECTION: pick, WHEN_FINISHED: receipt}, SETTINGS) is None
    assert "received on an inbound" in str(in_the_way({AT_COLLECTION: pick}, SETTINGS))
    assert "picked and not collected" in str(in_the_way({}, SETTINGS))
    wrong = in_the_way({AT_COLLECTION: pick | {"value": True}}, SETTINGS)
    assert "article A shows that goods leave the stock only when they are collected" in str(wrong)
    assert "set reconciliation.goods_leave_at_collection to true" in str(wrong)
