"""A burst about one document is said to its process a few times, and its end is never left unsaid."""

from starters.pace import FORGET_ABOVE, Pace


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def told_during(pace: Pace, clock: Clock, seconds: float) -> int:
    """How often a document is told while something is said of it all the time."""
    told, until = 0, clock.now + seconds
    while clock.now < until:
        if not pace.wait("SO-1"):
            pace.told("SO-1")
            told += 1
        clock.now += 0.01
    return told


def test_a_document_is_told_twice_at_once_and_then_once_a_second() -> None:
    clock = Clock()
    assert told_during(Pace(1.0, clock), clock, 3.5) == 2 + 3


def test_a_document_that_was_quiet_is_told_at_once_again() -> None:
    clock = Clock()
    pace = Pace(1.0, clock)
    told_during(pace, clock, 5)
    clock.now += 2
    assert pace.wait("SO-1") == 0
    assert told_during(pace, clock, 0.5) == 2


def test_one_document_holds_up_no_other_and_what_is_quiet_is_forgotten() -> None:
    clock = Clock()
    pace = Pace(1.0, clock)
    for number in range(FORGET_ABOVE * 3):
        pace.told(number)
        clock.now += 0.01
    assert pace.wait("another") == 0
    assert len(pace._calm_at) <= FORGET_ABOVE + 1


def test_without_a_pace_everything_is_told() -> None:
    clock = Clock()
    assert told_during(Pace(0, clock), clock, 1) > 90
