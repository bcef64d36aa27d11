"""The run's file in the merchant's folder: whole under its name or not there, whoever else writes it or was killed at it."""

import os
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from activities.reconciliation_file import write_once

NOBODY = 65534


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder in which nobody in particular may write: who is the superuser is not stopped by what stops a worker."""
    with tempfile.TemporaryDirectory() as made:
        Path(made).chmod(0o777)
        if is_root := os.geteuid() == 0:
            os.seteuid(NOBODY)
        try:
            yield Path(made)
        finally:
            if is_root:
                os.seteuid(0)


def test_an_attempt_that_was_killed_before_the_end_stands_in_nobodys_way(folder: Path) -> None:
    left = folder / ".run-1.csv.part"
    left.write_bytes(b"half")
    left.chmod(0o444)
    assert write_once(folder, "run-1.csv", b"whole").read_bytes() == b"whole"


def test_half_a_file_is_never_seen_however_many_write_it_at_once(folder: Path) -> None:
    content = b"x" * 3_000_000
    sizes: set[int] = set()
    with ThreadPoolExecutor(4) as pool:
        for number in range(10):
            name = f"run-{number}.csv"
            writing = [pool.submit(write_once, folder, name, content) for _ in range(4)]
            while not all(each.done() for each in writing):
                with suppress(FileNotFoundError):
                    sizes.add((folder / name).stat().st_size)
            assert {each.result() for each in writing} == {folder / name}
    assert sizes <= {len(content)}
    assert len(list(folder.iterdir())) == 10
