"""A real SFTP server in the test's own process, with one user, as a warehouse would run it: a folder of files."""

import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncssh

from clients.sftp import SftpClient

USER, PASSWORD = "lager", "only-for-tests"
HOST_KEY, USER_KEY = asyncssh.generate_private_key("ssh-ed25519"), asyncssh.generate_private_key("ssh-ed25519")


def words(key: asyncssh.SSHKey) -> str:
    """A public key as a person writes it down."""
    return key.export_public_key().decode().strip()


@dataclass
class Server:
    """What the server holds, and what was asked of it."""

    root: Path
    port: int = 0
    host_key: asyncssh.SSHKey = HOST_KEY
    passwords: dict[str, str] = field(default_factory=lambda: {USER: PASSWORD})
    opened: list[str] = field(default_factory=list)
    users: list[str] = field(default_factory=list)
    tried: list[str] = field(default_factory=list)
    sizes: dict[str, int] = field(default_factory=dict)
    """What the list of the folder claims, by name, where it is not so."""
    unshown: dict[str, asyncssh.SFTPError] = field(default_factory=dict)
    """Files that fail when they are looked at, by name; the list of the folder then gives names alone."""
    while_reading: Callable[[Path], Any] = lambda _: None
    _listening: asyncssh.SSHAcceptor | None = None

    @property
    def folder(self) -> Path:
        return self.root / "out"

    def put(self, name: str, content: str | bytes, age: float = 600) -> Path:
        """A file, last changed so many seconds ago."""
        path = self.folder / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        at = path.stat().st_mtime - age
        os.utime(path, (at, at))
        return path

    def where(self, **changes: Any) -> dict[str, Any]:
        """The settings of a connection to it."""
        return {
            "host": "127.0.0.1",
            "port": self.port,
            "folder": "/out",
            "username": USER,
            "host_key": words(self.host_key),
        } | changes

    def client(self, **changes: Any) -> SftpClient:
        settings: dict[str, Any] = {"password": PASSWORD, "deadline": 5}
        return SftpClient(**(settings | self.where() | changes))

    async def start(self) -> None:
        """Listen; again after `stop`, on the same port."""
        self._listening = await asyncssh.listen(
            "127.0.0.1",
            self.port,
            server_host_keys=[self.host_key],
            server_factory=lambda: _Door(self),
            sftp_factory=lambda channel: _Files(channel, self),
            authorized_client_keys=asyncssh.import_authorized_keys(words(USER_KEY)),
        )
        self.port = self._listening.get_port()

    async def stop(self) -> None:
        if self._listening is not None:
            self._listening.close()
            await self._listening.wait_closed()
            self._listening = None


class _Door(asyncssh.SSHServer):
    def __init__(self, server: Server) -> None:
        self._server = server

    def begin_auth(self, username: str) -> bool:
        self._server.users.append(username)
        return True

    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        self._server.tried.append(password)
        return self._server.passwords.get(username) == password


class _Files(asyncssh.SFTPServer):
    def __init__(self, channel: asyncssh.SSHServerChannel, server: Server) -> None:  # type: ignore[type-arg]
        super().__init__(channel, chroot=str(server.root).encode())
        self._server = server

    def open(self, path: bytes, pflags: int, attrs: asyncssh.SFTPAttrs) -> object:
        assert pflags == asyncssh.FXF_READ, "nothing is written over there"
        self._server.opened.append(os.path.basename(path).decode())
        return super().open(path, pflags, attrs)

    async def scandir(self, path: bytes) -> AsyncIterator[asyncssh.SFTPName]:
        async for entry in super().scandir(path):
            name = os.fsdecode(entry.filename)
            entry.attrs.size = self._server.sizes.get(name, entry.attrs.size)
            if self._server.unshown:
                entry.attrs, entry.longname = asyncssh.SFTPAttrs(), b""
            yield entry

    def lstat(self, path: bytes) -> Any:
        if fault := self._server.unshown.get(os.path.basename(path).decode()):
            raise fault
        return super().lstat(path)

    async def read(self, file_obj: object, offset: int, size: int) -> bytes:
        got = super().read(file_obj, offset, size)
        self._server.while_reading(Path(os.fsdecode(file_obj.name)))  # type: ignore[attr-defined]
        return await got if hasattr(got, "__await__") else got

    def remove(self, path: bytes) -> None:
        raise AssertionError("nothing is deleted over there")

    def rename(self, oldpath: bytes, newpath: bytes) -> None:
        raise AssertionError("nothing is moved over there")


@asynccontextmanager
async def serving(root: Path) -> AsyncIterator[Server]:
    """The server, while inside."""
    server = Server(root)
    server.folder.mkdir()
    await server.start()
    try:
        yield server
    finally:
        await server.stop()
