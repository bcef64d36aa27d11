"""One simulator for all tests; each test has companies of its own, and leaves faults, clock and common settings as they were."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.simulators.fortnox.harness import Company, Simulator


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    simulator = Simulator(Path(tmp_path_factory.mktemp("fortnox")) / "fortnox.db")
    simulator.start()
    yield simulator
    simulator.stop()


@pytest.fixture
def simulator(running: Simulator) -> Iterator[Simulator]:
    yield running
    running.ask("DELETE", "faults")
    running.control.put("clock", content=b"null")


@pytest.fixture
def open_company(simulator: Simulator) -> Iterator[Callable[..., Company]]:
    """Make companies that are closed at the end of the test."""
    opened: list[Company] = []

    def open_one(**more: Any) -> Company:
        opened.append(Company(simulator, **more))
        return opened[-1]

    yield open_one
    for company in opened:
        company.close()


@pytest.fixture
def company(open_company: Callable[..., Company]) -> Company:
    """A company with one customer."""
    company = open_company()
    company.customer()
    return company
