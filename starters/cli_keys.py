"""Commands about the key ring. Keys are never shown."""

from pathlib import Path
from typing import Annotated

import typer

from starters.command import console
from starters.stack.home import Home, HomeError, write_private
from worker.keyring import KeyRing
from worker.settings import Settings

keys = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="""The key ring that seals payloads and credentials. Losing it loses them: keep a copy, apart from the database's copies.

    To change keys while processes run: `add`, give the file to every process and restart them, `use`, restart them again. An old
    key stays until nothing is sealed with it any more: payloads for Temporal's retention, credentials until they are stored anew.
    With everything stopped, `rotate` does both at once.""",
)
File = Annotated[Path | None, typer.Option("--file", help="The ring; that of the state folder without it.")]


@keys.command("new")
def new(file: Annotated[Path, typer.Argument(help="File to write; it must not exist.")]) -> None:
    """Write a new ring with one random key, readable by you only. Exit code 0: written. 1: the file exists already."""
    if file.exists():
        raise HomeError(f"{file} exists: a key ring is never overwritten")
    write_private(file, KeyRing.new().dump())
    console.print(f"{file} holds a new key ring: name it with LAGERBRO_KEYS_FILE.")


@keys.command("list")
def listed(file: File = None) -> None:
    """The ids of the keys, and which one seals. Exit code 0; 1 when the ring cannot be read."""
    ring = _read(_path(file))
    for key_id in ring.key_ids:
        console.print(f"{key_id}{' seals' if key_id == ring.current else ''}")


@keys.command("add")
def add(file: File = None) -> None:
    """Add a random key that opens and does not seal yet. Exit code 0: added."""
    _write(_path(file), _read(_path(file)).add())


@keys.command("use")
def use(key_id: Annotated[str, typer.Argument(help="Id of a key in the ring.")], file: File = None) -> None:
    """Seal with another key from now on. Processes do so after their next start. Exit code 0: done. 1: no such key."""
    _write(_path(file), _read(_path(file)).use(key_id))


@keys.command("rotate")
def rotate(file: File = None) -> None:
    """Add a key and seal with it from the next start on. Refused while the stack runs: its processes would disagree.

    Exit code 0: done. 1: the stack runs; use `add` and `use`.
    """
    home = Home(Settings.from_environment().home)
    if file is None and home.is_running():
        raise HomeError("the stack runs: `lagerbro down` first, or `lagerbro keys add`, restart, `lagerbro keys use`, restart")
    _write(_path(file), _read(_path(file)).rotate())


def _path(file: Path | None) -> Path:
    return file or Home(Settings.from_environment().home).keys


def _read(file: Path) -> KeyRing:
    try:
        return KeyRing.parse(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError):
        raise HomeError(f"there is no readable key ring in {file}: `lagerbro up` makes one, or `lagerbro keys new`") from None


def _write(file: Path, ring: KeyRing) -> None:
    write_private(file, ring.dump())
    console.print(f"{file}: keys {', '.join(ring.key_ids)}; {ring.current} seals.")
