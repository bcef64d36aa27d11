"""One thing that was looked at, and how it is."""

from dataclasses import dataclass

GREEN, YELLOW, RED = "green", "yellow", "red"


@dataclass(frozen=True, slots=True)
class Finding:
    """`state`: green is well; yellow could not be looked at or will matter later; red stops orders, with what to do."""

    name: str
    state: str
    said: str
    remedy: str = ""


def good(name: str, said: str) -> Finding:
    return Finding(name, GREEN, said)


def bad(name: str, said: str, remedy: str) -> Finding:
    return Finding(name, RED, said, remedy)


def later(name: str, said: str, remedy: str = "") -> Finding:
    return Finding(name, YELLOW, said, remedy)
