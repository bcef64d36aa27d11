"""The table of corrections is whole, and what is sent is checked before anything is looked at."""

from typing import Any

import pytest

from domain.corrections import EXAMPLES, MEANINGS, TABLE, Name, Situation, refusal, wrong_content


def test_every_cell_says_accept_or_why_not() -> None:
    for name in Name:
        assert set(TABLE[name]) == set(Situation)
        assert any(TABLE[name][where] is None for where in Situation), f"{name} is never accepted"
        for words in TABLE[name].values():
            assert words is None or len(words.split()) > 3
    assert set(EXAMPLES) == set(MEANINGS) == set(Name)


def test_nothing_is_sent_or_invoiced_differently_once_the_goods_have_left() -> None:
    for name in (Name.CANCEL, Name.CHANGE_ADDRESS, Name.CHANGE_LINES, Name.SPLIT_OFF):
        for where in (Situation.INVOICING, Situation.INVOICING_TRYING, Situation.INVOICING_BLOCKED, Situation.THE_REST):
            assert refusal(name, where), (name, where)


def test_what_is_on_its_way_is_never_corrected_behind_its_back() -> None:
    for name in (Name.ADOPT, Name.HANDLED_OUTSIDE, Name.CHOOSE_PERIOD, Name.SPLIT_OFF):
        for where in (Situation.SENDING, Situation.SENDING_TRYING, Situation.INVOICING, Situation.INVOICING_TRYING):
            assert refusal(name, where), (name, where)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        (Name.CHANGE_LINES, {"lines": []}, "at least one line"),
        (Name.CHANGE_LINES, {"lines": [{"line": 1, "quantity": "-1"}]}, "not a number of pieces"),
        (Name.CHANGE_LINES, {"lines": [{"line": 1, "quantity": "NaN"}]}, "not a number of pieces"),
        (Name.CHANGE_LINES, {"lines": [{"line": 1, "quantity": "0.00001"}]}, "not a number of pieces"),
        (Name.CHANGE_LINES, {"lines": [{"line": 1, "quantity": "1"}, {"line": 1, "quantity": "2"}]}, "named twice"),
        (Name.SPLIT_OFF, {"new_number": "SO-2", "lines": [{"line": 1, "quantity": "0"}]}, "not a number of pieces"),
        (Name.SPLIT_OFF, {"new_number": " ", "lines": [{"line": 1, "quantity": "1"}]}, "new_number is empty"),
        (Name.ADOPT, {"foreign_id": "x" * 51}, "longer than 50"),
        (Name.SPLIT_OFF, {"new_number": "SO-2 ", "lines": [{"line": 1, "quantity": "1"}]}, "blank at an end"),
        (Name.CHOOSE_PERIOD, {"day": "2026-13-01"}, "not a date"),
        (Name.CHOOSE_PERIOD, {"day": "2026-W49-2"}, "not a date"),
        (Name.ADOPT, {"foreign_id": "47\x0011"}, "no database keeps"),
    ],
)
def test_what_cannot_be_meant_is_refused_by_name(name: Name, content: dict[str, Any], words: str) -> None:
    assert words in (wrong_content(name, "anna", "because", content) or "")


def test_every_correction_says_who_and_why() -> None:
    for name in Name:
        assert wrong_content(name, "anna", "because", EXAMPLES[name]) is None
        assert wrong_content(name, " ", "because", EXAMPLES[name])
        assert wrong_content(name, "anna", "", EXAMPLES[name])
