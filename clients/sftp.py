"""One folder on an SFTP server, read and never changed: what lies there, and a file's content.

SSH comes from asyncssh. Nothing of this computer takes part: no known_hosts, configuration, agent or key of whoever runs the
worker. The server's host key is given; a server that shows another one learns neither user name nor password. Names and sizes
are what a stranger says: a name never leaves the folder, and more than the stated size is never read.
"""

import asyncio
import logging
import posixpath
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar, cast

import asyncssh
from asyncssh.constants import FILEXFER_TYPE_REGULAR, FILEXFER_TYPE_UNKNOWN

from clients.errors import ApiError, NotFound, Rejected, Unauthorised, Unavailable, Unreadable
from clients.transport import CONNECT_SECONDS, DEADLINE, clean

LARGEST = 64 * 1024 * 1024
MOST_FILES = 10_000
LONGEST_NAME = 200
PIECE = 1024 * 1024
CLOSING_SECONDS = 2.0
UNREAD = 0
"""The status of what we refuse unasked: there is no answer of theirs."""

T = TypeVar("T")

asyncssh.set_log_level(logging.WARNING)  # it logs addresses and users at INFO


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file as the server's list of the folder describes it. `modified_at` is by the server's clock, whole seconds."""

    name: str
    size: int
    modified_at: datetime


class SftpFolder:
    """The folder while a connection is open."""

    def __init__(
        self,
        connection: asyncssh.SSHClientConnection,
        sftp: asyncssh.SFTPClient,
        where: str,
        path: str,
        deadline: float,
        largest: int,
    ) -> None:
        self._connection, self._sftp, self._where, self._path = connection, sftp, where, path
        self._deadline, self._largest = deadline, largest

    async def files(self) -> list[RemoteFile]:
        """The files that lie there, by name. Folders, links and names that begin with a dot are none."""
        call = f"{self._where}: the folder {clean(self._path)}"
        return sorted(await _asked(call, self._deadline, self._listed(call), self._connection), key=lambda each: each.name)

    async def _listed(self, call: str) -> list[RemoteFile]:
        found: list[RemoteFile] = []
        async for entry in self._sftp.scandir(self._path):
            name, attrs = str(entry.filename), entry.attrs
            if name.startswith("."):
                continue
            if _is_name(name) and (attrs.type == FILEXFER_TYPE_UNKNOWN or attrs.size is None or attrs.mtime is None):
                try:  # a server that lists names alone
                    attrs = await self._sftp.lstat(posixpath.join(self._path, name))
                except (asyncssh.SFTPNoSuchFile, asyncssh.SFTPNoSuchPath):  # it has gone meanwhile
                    continue
                except asyncssh.SFTPPermissionDenied:  # a matter of this file: its reading says so
                    attrs = asyncssh.SFTPAttrs()
            if attrs.type not in (FILEXFER_TYPE_REGULAR, FILEXFER_TYPE_UNKNOWN) or str(entry.longname)[:1] in ("d", "l"):
                continue
            found.append(RemoteFile(name, attrs.size or 0, datetime.fromtimestamp(attrs.mtime or 0, UTC)))
            if len(found) > MOST_FILES:
                raise Rejected(f"{call} holds more than {MOST_FILES} files", status=UNREAD)
        return found

    async def read(self, file: RemoteFile) -> bytes:
        """The content of a listed file. Refused unread: a name that is none, a size above the limit.

        Raises `Unreadable` for a file that is not, before and after, what the list said: somebody is writing it. A file that
        the user may not read is `Rejected`, one that has gone `NotFound`.
        """
        call = f"{self._where}: {clean(file.name)}"
        if not _is_name(file.name):
            raise Rejected(f"{call}: the name cannot be used: it is no plain text of at most {LONGEST_NAME} signs", status=UNREAD)
        if file.size > self._largest:
            raise Rejected(f"{call}: {file.size} bytes, and more than {self._largest} are not read", status=UNREAD)
        path = posixpath.join(self._path, file.name)
        try:
            seconds = self._deadline * (1 + file.size // (4 * PIECE))
            content = await _asked(call, seconds, self._content(path, file.size), self._connection)
            now = await _asked(call, self._deadline, self._sftp.lstat(path), self._connection)
        except Unauthorised as no:  # a matter of this file: the user may log in and list the folder
            words = str(no)
        else:
            words = ""
        if words:
            raise Rejected(words, status=403)
        if (len(content), now.size, now.mtime) != (file.size, file.size, int(file.modified_at.timestamp())):
            raise Unreadable(f"{call}: it is being written: {file.size} bytes when it was listed, {now.size} when it was read")
        return content

    async def _content(self, path: str, size: int) -> bytes:
        """What is there, up to one byte more than was listed: enough to see that it has grown."""
        pieces: list[bytes] = []
        left = size + 1
        async with self._sftp.open(path, "rb", encoding=None) as opened:
            while left > 0 and (piece := await opened.read(min(left, PIECE))):
                pieces.append(cast(bytes, piece))
                left -= len(piece)
        return b"".join(pieces)


class SftpClient:
    """A merchant's folder on a server. Each `open` is one connection. `password` or `private_key` (its text), one of them."""

    def __init__(
        self,
        host: str,
        port: int,
        folder: str,
        username: str,
        host_key: str,
        *,
        password: str | None = None,
        private_key: str | None = None,
        deadline: float = DEADLINE,
        largest: int = LARGEST,
    ) -> None:
        self._host, self._port, self._folder, self._username = host, port, folder, username
        self._host_key = read_host_key(host_key)
        self._password = password
        self._private_key = read_private_key(private_key) if private_key else None
        self._deadline, self._largest = deadline, largest

    async def aclose(self) -> None:
        """Nothing stays open between two looks."""

    @asynccontextmanager
    async def open(self) -> AsyncIterator[SftpFolder]:
        """Connect, see that it is the server we know, log in. `Unauthorised` covers a server with another key."""
        where = f"SFTP {self._host}:{self._port}"
        connection = await self._connected(where)
        try:
            sftp = await _asked(where, self._deadline, _started(connection), connection)
            yield SftpFolder(connection, sftp, where, self._folder, self._deadline, self._largest)
        finally:
            connection.close()
            with suppress(TimeoutError, OSError, asyncssh.Error):
                await asyncio.wait_for(connection.wait_closed(), CLOSING_SECONDS)
            connection.abort()

    async def _connected(self, where: str) -> asyncssh.SSHClientConnection:
        seen = _Seen(self._host_key)
        way = "password,keyboard-interactive" if self._private_key is None else "publickey"
        failure: ApiError
        try:
            return await asyncio.wait_for(
                asyncssh.connect(
                    self._host,
                    self._port,
                    username=self._username,
                    password=self._password,
                    client_keys=[self._private_key] if self._private_key else None,
                    known_hosts=([self._host_key], [], []),
                    client_factory=lambda: seen,
                    preferred_auth=way,
                    agent_path=None,
                    config=None,
                    gss_host=None,
                    compression_algs=["none"],
                    connect_timeout=CONNECT_SECONDS,
                    login_timeout=self._deadline,
                ),
                self._deadline,
            )
        except asyncssh.HostKeyNotVerifiable:
            told = f"shows the host key {seen.shown}, and not {_print_of(self._host_key)}, which is the one we were given"
            failure = _no(f"{where} {told}: nothing was sent; ask its owner, and connect anew if the key is theirs")
        except asyncssh.KeyExchangeFailed as error:
            words = clean(str(error), [self._username])[:200]
            failure = _no(f"{where} does not agree with us, who were given its host key {_print_of(self._host_key)}: {words}")
        except asyncssh.PermissionDenied:
            failure = _no(f"{where} refuses the {'password' if self._private_key is None else 'private key'} of the user")
        except UnicodeError:  # before anything is asked for
            failure = Rejected(f"{where}: the host cannot be the name of a computer", status=UNREAD)
        except (TimeoutError, OSError, asyncssh.Error) as error:
            words = clean(str(error), [self._username]) or type(error).__name__
            failure = Unavailable(f"{where}: no connection: {words}", outcome_unknown=False)
        raise failure  # outside the handlers: nothing of theirs is chained under it


class _Seen(asyncssh.SSHClient):
    """Keeps which host key the server has shown, for the message; trusts none but the one that is given."""

    def __init__(self, known: asyncssh.SSHKey) -> None:
        self._known = known
        self.shown = "none"

    def validate_host_public_key(self, host: str, addr: str, port: int, key: asyncssh.SSHKey) -> bool:
        self.shown = _print_of(key)
        return key == self._known


async def _started(connection: asyncssh.SSHClientConnection) -> asyncssh.SFTPClient:
    """Names that are not UTF-8 are kept as they are: they are refused one by one, and hide no other."""
    return await connection.start_sftp_client(path_errors="surrogateescape")


async def _asked(call: str, seconds: float, asks: Coroutine[Any, Any, T], connection: asyncssh.SSHClientConnection) -> T:
    """An answer of the server, or what its failure means.

    Who is late is hung up on before the question is given up: giving up alone would ask once more, to close what is open.
    """
    failure: ApiError
    task = asyncio.create_task(asks)
    task.add_done_callback(lambda ended: ended.cancelled() or ended.exception())  # nobody asks one that is late how it ended
    try:
        await asyncio.wait({task}, timeout=seconds)
    finally:
        if late := not task.done():
            connection.abort()
            await asyncio.wait({task}, timeout=CLOSING_SECONDS)
            task.cancel()
    if late:
        raise Unavailable(f"{call}: no whole answer within {seconds:g} s", outcome_unknown=False)
    try:
        return task.result()
    except (asyncssh.SFTPNoSuchFile, asyncssh.SFTPNoSuchPath, asyncssh.SFTPNotADirectory):
        failure = NotFound(f"{call} is not there", status=404)
    except asyncssh.SFTPPermissionDenied:
        failure = _no(f"{call} may not be read by the user")
    except (OSError, asyncssh.Error) as error:
        words = clean(str(error)) or type(error).__name__
        failure = Unavailable(f"{call}: no whole answer ({words})", outcome_unknown=False)
    raise failure


def _no(words: str) -> Unauthorised:
    return Unauthorised(words, status=401)


def _is_name(name: str) -> bool:
    return name.isprintable() and 0 < len(name) <= LONGEST_NAME and not {"/", "\\"} & set(name)


def _print_of(key: asyncssh.SSHKey) -> str:
    return f"{key.get_algorithm()} {key.get_fingerprint()}"


def read_host_key(words: str) -> asyncssh.SSHKey:
    """A server's public key, as `ssh-ed25519 AAAA...` or as a line of ssh-keyscan. Raises `ValueError` in words."""
    parts = words.split()
    if len(parts) > 2 and not parts[0].startswith(("ssh-", "ecdsa-")):
        parts = parts[1:]
    return _imported(asyncssh.import_public_key, " ".join(parts[:2]), "no public key like: ssh-ed25519 AAAA...")


def read_private_key(words: str) -> asyncssh.SSHKey:
    """A private key, OpenSSH or PEM, without a passphrase. Raises `ValueError` in words that hold nothing of it."""
    return _imported(asyncssh.import_private_key, words.strip() + "\n", "no private key (OpenSSH or PEM), or it has a passphrase")


def _imported(how: Callable[[str], Any], words: str, wrong: str) -> asyncssh.SSHKey:
    try:
        key: asyncssh.SSHKey = how(words)
    except (ValueError, asyncssh.KeyEncryptionError):
        pass
    else:
        return key
    raise ValueError(wrong)
