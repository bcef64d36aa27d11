"""Stock files as the warehouse delivers them: in a folder that the worker sees, on an SFTP server, or one that is named.

Nothing is moved or deleted where it lies, so everything lies there at the next look too. A file that was taken is not judged
again, under whatever name: it grows old, and is not refused for that. One that was refused is judged again as long as it could
still be believed (the settings may have been corrected), and listed again only when it is refused for another reason.
"""

import asyncio
import hashlib
import stat
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path

from temporalio import activity

from activities.connections import Connections
from activities.spreadsheets import read_stock_file
from clients.errors import NotFound, Rejected, Unreadable
from clients.sftp import SftpClient
from clients.transport import clean
from domain.errors import Refused
from domain.stock_files import LARGEST_FILE, Awaited, StockFile, no
from erp import reconciliation_runs, stock_deliveries, stock_files
from erp.database import Database
from erp.exceptions import close_note
from erp.merchants import Merchant, is_connected
from erp.stock_deliveries import Delivered

FOLDER, SFTP = "folder", "sftp"
LARGEST_TOLD = 2**63 - 1
"""A size that a stranger says is kept, and a column holds no more."""
CLOCKS = timedelta(seconds=60)
"""What was changed so shortly before it was read may be changed again and look the same: times are whole seconds."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """A file that lies there, as its place describes it; `read` fetches its content."""

    place: str
    name: str
    size: int
    modified_at: datetime
    read: Callable[[], Awaitable[bytes]]

    @property
    def label(self) -> str:
        """How it is named to people and in notes."""
        return (f"{SFTP}:{self.name}" if self.place == SFTP else self.name)[:200]


class StockDeliveries:
    """The files that one look finds, and the runs that are owed for them."""

    def __init__(self, database: Database, sftp: Connections[SftpClient]) -> None:
        self._database = database
        self._sftp = sftp

    async def owed(self, merchant: Merchant, goods_owner: int, now: datetime) -> list[tuple[int, date]]:
        """Runs, each with its day, for every file that is new and believed or whose run is not through. The rest is listed."""
        who, folder = merchant.merchant_id, merchant.settings.reconciling.file_folder
        async with self._database.merchant(who) as session:
            by_sftp = await is_connected(session, who, SFTP)
        if not folder and not by_sftp:
            raise Refused(
                "settings-wrong",
                "nobody said where stock files are delivered: set reconciliation.file_folder in the merchant's settings, or"
                " connect it by SFTP (the part sftp of the file of lagerbro connect), or name a file",
            )
        look = _Look(self._database, merchant, goods_owner, now)
        found = await look.through(await asyncio.to_thread(_in_folder, Path(folder))) if folder else []
        if not by_sftp:
            return found
        try:
            async with self._sftp.using(who) as (_, client), client.open() as there:
                files = [
                    Delivery(SFTP, clean(each.name), min(each.size, LARGEST_TOLD), each.modified_at, partial(there.read, each))
                    for each in await there.files()
                ]
                return list(dict(found + await look.through(files)).items())  # the same file may lie in both
        except Rejected as wrong:
            refusal = Refused("settings-wrong", f"{wrong}: correct it there, or the part sftp (lagerbro connect --replace)")
        raise refusal

    async def owed_for(self, merchant: Merchant, goods_owner: int, now: datetime, file: Path) -> list[tuple[int, date]]:
        """The run for a file that a person names. One that cannot be read or believed is listed, and none is owed: to try the
        same again mends nothing."""
        look = _Look(self._database, merchant, goods_owner, now)
        content = None
        try:
            content = await asyncio.to_thread(_read, file)
            return await look.take(content, file.name)
        except OSError as fault:
            why = f"{file}: {fault.strerror}; it must lie where the worker can read it"
        except Refused as refusal:
            why = str(refusal)
        await look.refuse(content, file.name, why)
        return []


class _Look:
    """One look at what lies there, for one merchant."""

    def __init__(self, database: Database, merchant: Merchant, goods_owner: int, now: datetime) -> None:
        self._database, self._merchant, self._goods_owner, self._now = database, merchant, goods_owner, now
        self._who = merchant.merchant_id

    async def through(self, files: Sequence[Delivery]) -> list[tuple[int, date]]:
        async with self._database.merchant(self._who) as session:
            known = await stock_deliveries.known(session, self._who)
        by_name = {(each.place, each.name): each for each in known}
        taken = {each.sha256: each for each in known if each.content_hash}
        owed: dict[int, date] = {}
        for file in files:
            activity.heartbeat(file.label)
            held = by_name.get((file.place, file.name))
            if held and self._is_settled(held, file):
                runs = _running(held)
            else:
                runs = await self._one(file, held, taken)
            owed |= dict(runs)
        return list(owed.items())

    def _is_settled(self, held: Delivered, file: Delivery) -> bool:
        """Whether it looks as it did, for long enough, and nothing new can come of it: it need not be fetched."""
        if (held.size, held.modified_at) != (file.size, file.modified_at):
            return False
        if held.sha256 is None:
            return False
        if held.content_hash:
            return held.read_at - held.modified_at > CLOCKS
        return self._now - held.read_at > timedelta(hours=self._merchant.settings.reconciling.file_oldest_hours)

    async def _one(self, file: Delivery, held: Delivered | None, taken: dict[bytes | None, Delivered]) -> list[tuple[int, date]]:
        """Read one file; keep it, or list what it is refused for."""
        now = Delivered(file.place, file.name, file.size, file.modified_at, None, None, None, self._now)
        content = None
        try:
            content = await file.read()
        except (NotFound, FileNotFoundError):  # it was there when they were listed: moved meanwhile
            return []
        except Unreadable as unfinished:
            await self.refuse(None, file.label, f"{unfinished}; it is read again at the next look")
            return []
        except (Rejected, Refused) as refusal:
            why = str(refusal)
        except OSError as fault:
            why = f"it cannot be read: {fault.strerror}"
        if content is not None:
            now = replace(now, sha256=hashlib.sha256(content).digest())
            if before := taken.get(now.sha256):
                async with self._database.merchant(self._who) as session:
                    await stock_deliveries.note(session, self._who, replace(now, content_hash=before.content_hash))
                    await close_note(
                        session, self._who, "stock-file", file.label, "stock-file-refused", "a copy of one that was taken"
                    )
                return _running(before)
            try:
                return await self.take(content, file.label, now)
            except Refused as refusal:
                why = str(refusal)
        if held is None or replace(held, read_at=now.read_at) != replace(now, reason=why[:500]):
            await self.refuse(content, file.label, why, replace(now, reason=why))
        return []

    async def take(self, content: bytes, label: str, delivery: Delivered | None = None) -> list[tuple[int, date]]:
        """Keep a file that is believed and begin its run; a repeat finds both. Raises `Refused`."""
        rules = self._merchant.settings.reconciling
        async with self._database.merchant(self._who) as session:
            newest = await stock_files.newest_cut(session, self._who)
        file = await asyncio.to_thread(believe, content, self._merchant, self._goods_owner, self._now, newest)
        async with self._database.merchant(self._who) as session:
            await stock_files.take_file(session, self._who, label, content, file.content_hash, file.cut, len(file.quantities))
            run = await reconciliation_runs.begin_run(
                session,
                self._who,
                "file",
                self._merchant.day_of(file.cut),
                f"file/{file.content_hash}",
                f"file {label}"[:200],
                rules.settles and not file.older_than_newest,
                file.cut,
                file.content_hash,
            )
            if delivery:
                await stock_deliveries.note(session, self._who, replace(delivery, content_hash=file.content_hash))
            await close_note(session, self._who, "stock-file", label, "stock-file-refused", f"run {run.run_no}")
        return [(run.run_no, run.for_date)] if run.state == "running" else []

    async def refuse(self, content: bytes | None, label: str, why: str, delivery: Delivered | None = None) -> None:
        """Keep what a file is refused for, and list it. None: its content was not read."""
        async with self._database.merchant(self._who) as session:
            await stock_files.refuse_file(session, self._who, label, content, why)
            if delivery:
                await stock_deliveries.note(session, self._who, delivery)


def _running(held: Delivered) -> list[tuple[int, date]]:
    return [(held.run_no, held.for_date)] if held.run_no is not None and held.for_date is not None else []


def believe(content: bytes, merchant: Merchant, goods_owner: int, now: datetime, newest: datetime | None) -> StockFile:
    """What a file says, in the merchant's dialect; refused where it cannot be believed."""
    rules = merchant.settings.reconciling
    return read_stock_file(content, rules.dialect, Awaited(goods_owner, now, timedelta(hours=rules.file_oldest_hours), newest))


def _in_folder(folder: Path) -> list[Delivery]:
    """The files that lie in a folder, by name; a name that begins with a dot is still being written."""
    try:
        paths = sorted(folder.iterdir())
    except OSError as fault:
        raise Refused("settings-wrong", f"reconciliation.file_folder {folder}: {fault.strerror}: make or mount it") from None
    found = []
    for path in paths:
        if path.name.startswith("."):
            continue
        read = lambda path=path: asyncio.to_thread(_read, path)  # noqa: E731
        try:
            seen = path.stat()
        except FileNotFoundError:  # moved meanwhile
            continue
        except OSError:  # its reading fails too, and it is listed with why
            found.append(Delivery(FOLDER, clean(path.name), 0, datetime.fromtimestamp(0, UTC), read))
            continue
        if stat.S_ISREG(seen.st_mode):
            at = datetime.fromtimestamp(int(seen.st_mtime), UTC)
            found.append(Delivery(FOLDER, clean(path.name), seen.st_size, at, read))
    return found


def _read(path: Path) -> bytes:
    size = path.stat().st_size
    if size > LARGEST_FILE:
        raise no(f"{size} bytes: more than {LARGEST_FILE}")
    return path.read_bytes()
