"""One simulator for all tests; each test has a goods owner of its own, and leaves switches, faults and clock as they were."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.simulators.ongoing.harness import Shop, Simulator

Json = Any


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Simulator, Json]]:
    simulator = Simulator(Path(tmp_path_factory.mktemp("ongoing")) / "ongoing.db")
    simulator.start()
    usual = simulator.ask("GET", "settings")
    yield simulator, usual
    simulator.stop()


@pytest.fixture
def simulator(running: tuple[Simulator, Json]) -> Iterator[Simulator]:
    simulator, usual = running
    yield simulator
    changed = {name: value for name, value in usual.items() if simulator.ask("GET", "settings")[name] != value}
    if changed:
        simulator.ask("PUT", "settings", changed)
    simulator.ask("DELETE", "faults")
    simulator.control.put("clock", content=b"null")


@pytest.fixture
def shop(simulator: Simulator) -> Iterator[Shop]:
    shop = Shop(simulator)
    yield shop
    shop.close()
