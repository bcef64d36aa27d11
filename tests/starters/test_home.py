"""The state folder: ours or refused, held by one, secret where it must be, forgotten only when asked."""

import json
import os
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from starters.stack.home import SERVICES, Home, HomeError
from starters.stack.ports import HIGHEST, LOWEST, free_ports, is_free
from worker.keyring import KeyRing


@pytest.fixture
def home(tmp_path: Path) -> Home:
    made = Home(tmp_path / "home")
    made.create()
    return made


@pytest.fixture
def busy() -> Iterator[socket.socket]:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        yield listening


def test_secrets_are_made_once_and_readable_by_their_owner_only(home: Home) -> None:
    keys, passwords = home.keys.read_text(encoding="utf-8"), home.passwords()
    home.create()
    assert (home.keys.read_text(encoding="utf-8"), home.passwords()) == (keys, passwords)
    assert KeyRing.parse(keys).key_ids == ["k1"]
    assert len(set(passwords.values())) == len(passwords) == 7
    home.write_state({"children": {}})
    for file in home.folder.rglob("*"):
        if file.is_file() and file.name not in (".lagerbro-home", "lock"):
            assert stat.S_IMODE(file.stat().st_mode) == 0o600, file


def test_a_folder_with_something_else_in_it_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work", encoding="utf-8")
    with pytest.raises(HomeError, match="not empty and not ours"):
        Home(tmp_path).create()
    with pytest.raises(HomeError, match="no state folder of ours"):
        Home(tmp_path).wipe()
    assert os.listdir(tmp_path) == ["thesis.txt"]


def test_a_second_supervisor_is_told_that_one_runs(home: Home) -> None:
    assert not home.is_running()
    with home.locked():
        assert home.is_running()
        with (
            pytest.raises(HomeError, match=r"runs in .* already: `lagerbro status` shows it"),
            home.locked(),
        ):
            pass
        with pytest.raises(HomeError, match="already"):
            home.wipe()
        assert home.keys.exists()
    assert not home.is_running()


def test_wiping_forgets_everything(home: Home) -> None:
    (home.postgres / "base").mkdir(parents=True)
    home.wipe()
    assert not home.folder.exists()


def test_wiping_follows_no_link_out_of_the_folder(home: Home, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").touch()
    (home.folder / "link").symlink_to(outside)
    home.wipe()
    assert (outside / "kept").exists()


def test_ports_are_kept_for_the_next_start(home: Home) -> None:
    chosen = home.choose_ports(None)
    assert sorted(chosen) == sorted(SERVICES)
    assert len(set(chosen.values())) == len(SERVICES)
    assert all(LOWEST <= port < HIGHEST for port in chosen.values())
    assert home.choose_ports(None) == chosen == home.ports()


def test_a_kept_port_that_somebody_took_is_replaced_alone(home: Home, busy: socket.socket) -> None:
    chosen = home.choose_ports(None)
    taken = chosen | {"ui": busy.getsockname()[1]}
    (home.folder / "ports.json").write_text(json.dumps(taken), encoding="utf-8")
    again = home.choose_ports(None)
    assert again["ui"] != taken["ui"]
    assert {name: port for name, port in again.items() if name != "ui"} == {n: p for n, p in chosen.items() if n != "ui"}


def test_fixed_ports_are_consecutive_and_a_taken_one_is_named(home: Home, busy: socket.socket) -> None:
    base = next(port for port in free_ports(200) if all(is_free(port + n) for n in range(len(SERVICES))))
    assert list(home.choose_ports(base).values()) == list(range(base, base + len(SERVICES)))
    port = busy.getsockname()[1]
    with pytest.raises(HomeError, match=f"{port} \\(temporal\\)"):
        home.choose_ports(port - 1)


def test_a_state_that_was_cut_short_is_no_state(home: Home) -> None:
    assert home.state() == {}
    (home.folder / "stack.json").write_text('{"children": {', encoding="utf-8")
    assert home.state() == {}
