"""The server is the one we were told of or learns nothing; what lies there is read whole, and nothing else is read."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import asyncssh
import pytest
import pytest_asyncio

from clients.errors import NotFound, Rejected, Unauthorised, Unavailable, Unreadable
from clients.sftp import RemoteFile, SftpClient, read_host_key, read_private_key
from tests.clients.sftp_server import PASSWORD, USER_KEY, Server, serving, words


@pytest_asyncio.fixture(loop_scope="session")
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    async with serving(tmp_path) as running:
        yield running


async def listed(client: SftpClient) -> list[RemoteFile]:
    async with client.open() as folder:
        return await folder.files()


async def read(client: SftpClient, name: str) -> bytes:
    async with client.open() as folder:
        [file] = [each for each in await folder.files() if each.name == name]
        return await folder.read(file)


def pem(key: asyncssh.SSHKey, **how: str) -> str:
    return key.export_private_key(**how).decode()  # type: ignore[arg-type]


async def test_files_are_listed_by_name_with_size_and_time_and_read_whole(server: Server) -> None:
    big = os.urandom(3_000_000)
    path = server.put("b.csv", big)
    server.put("a.csv", "")
    at = datetime.fromtimestamp(int(path.stat().st_mtime), UTC)
    first, second = await listed(server.client())
    assert (first.name, first.size) == ("a.csv", 0)
    assert second == RemoteFile("b.csv", 3_000_000, at)
    assert await read(server.client(), "b.csv") == big
    assert await read(server.client(), "a.csv") == b""


async def test_a_private_key_opens_as_a_password_does(server: Server) -> None:
    server.put("a.csv", "x")
    for kind in ("openssh", "pkcs8-pem"):
        client = server.client(password=None, private_key=pem(USER_KEY, format_name=kind))
        assert await read(client, "a.csv") == b"x"
    with pytest.raises(Unauthorised, match="refuses the private key"):
        await listed(server.client(password=None, private_key=pem(asyncssh.generate_private_key("ssh-ed25519"))))
    assert server.tried == []


async def test_folders_links_and_names_that_begin_with_a_dot_are_no_files(server: Server, tmp_path: Path) -> None:
    server.put("whole.csv", "x")
    server.put(".half.csv", "x")
    (server.folder / "sub").mkdir()
    (tmp_path / "secret").write_text("not yours")
    (server.folder / "link.csv").symlink_to(tmp_path / "secret")
    assert [each.name for each in await listed(server.client())] == ["whole.csv"]


async def test_a_server_with_another_host_key_is_not_told_who_we_are(server: Server) -> None:
    stranger = asyncssh.generate_private_key("ssh-ed25519")
    with pytest.raises(Unauthorised) as refused:
        await listed(server.client(host_key=words(stranger)))
    assert server.host_key.get_fingerprint() in str(refused.value), "what it shows"
    assert stranger.get_fingerprint() in str(refused.value), "what was expected"
    assert (server.users, server.tried) == ([], [])


async def test_a_server_without_a_host_key_of_the_kind_that_is_known_is_refused_too(server: Server) -> None:
    with pytest.raises(Unauthorised, match="ecdsa"):
        await listed(server.client(host_key=words(asyncssh.generate_private_key("ecdsa-sha2-nistp256"))))
    assert server.tried == []


async def test_a_wrong_password_is_a_matter_of_the_connection_and_not_quoted(server: Server) -> None:
    with pytest.raises(Unauthorised, match="refuses the password") as refused:
        await listed(server.client(password="guessed"))
    assert "guessed" not in str(refused.value) and "lager" not in str(refused.value)
    assert server.tried == ["guessed"], "once: each failed try counts over there"


async def test_a_server_that_does_not_answer_is_unavailable(server: Server) -> None:
    await server.stop()
    with pytest.raises(Unavailable, match="no connection"):
        await listed(server.client())
    await server.start()
    assert await listed(server.client()) == []


async def test_a_folder_that_is_not_there_is_said_by_name(server: Server) -> None:
    with pytest.raises(NotFound, match="the folder /elsewhere is not there"):
        await listed(server.client(folder="/elsewhere"))


async def test_a_file_above_the_limit_is_refused_before_it_is_read(server: Server) -> None:
    server.put("huge.csv", b"x" * 1001)
    with pytest.raises(Rejected, match="1001 bytes, and more than 1000"):
        await read(server.client(largest=1000), "huge.csv")
    assert server.opened == []


@pytest.mark.parametrize("name", ["../secret", "a/b", "back\\slash", "line\nend", "x" * 201, "caf\udce9.csv"])
async def test_a_name_that_could_leave_the_folder_or_cannot_be_kept_is_never_asked_for(server: Server, name: str) -> None:
    async with server.client().open() as folder:
        with pytest.raises(Rejected, match="the name cannot be used"):
            await folder.read(RemoteFile(name, 1, datetime.now(UTC)))
    assert server.opened == []


async def test_odd_names_do_not_hide_the_others(server: Server) -> None:
    server.put("good.csv", "x")
    (server.folder / os.fsdecode(b"caf\xe9.csv")).write_text("x")
    assert len(await listed(server.client())) == 2
    assert await read(server.client(), "good.csv") == b"x"


async def test_a_file_that_grows_while_it_is_read_is_not_taken_for_whole(server: Server) -> None:
    path = server.put("a.csv", "half")

    def grow(_: Path) -> None:
        with path.open("a") as more:
            more.write(" and more")

    server.while_reading = grow
    with pytest.raises(Unreadable, match="being written"):
        await read(server.client(), "a.csv")


async def test_a_server_that_falls_silent_is_hung_up_on_at_the_deadline(server: Server) -> None:
    server.put("a.csv", os.urandom(3_000_000))
    pumps: list[asyncio.Task[None]] = []

    async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter, most: int) -> None:
        while (data := await source.read(65536)) and (most := most - len(data)) > 0:
            sink.write(data)
            await sink.drain()
        await asyncio.Event().wait()

    async def between(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", server.port)
        pumps.extend(asyncio.create_task(each) for each in (pump(reader, back, 10**9), pump(there, writer, 1_000_000)))
        with suppress(asyncio.CancelledError):
            await asyncio.gather(*pumps)
        writer.close()
        back.close()

    wire = await asyncio.start_server(between, "127.0.0.1", 0)
    try:
        async with asyncio.timeout(20):
            with pytest.raises(Unavailable, match="no whole answer within 1 s"):
                await read(server.client(port=wire.sockets[0].getsockname()[1], deadline=1), "a.csv")
    finally:
        wire.close()
        for each in pumps:
            each.cancel()
        await asyncio.gather(*pumps, return_exceptions=True)


async def test_a_file_that_has_gone_since_is_said_to_be(server: Server) -> None:
    server.put("a.csv", "x")
    async with server.client().open() as folder:
        [file] = await folder.files()
        (server.folder / "a.csv").unlink()
        with pytest.raises(NotFound):
            await folder.read(file)


def test_a_host_key_is_read_as_people_have_it() -> None:
    key = asyncssh.generate_private_key("ssh-ed25519")
    for given in (
        words(key),
        f"{words(key)} root@server",
        f"files.example.se {words(key)}",
        f"[files.example.se]:2222 {words(key)}\n",
    ):
        assert read_host_key(given) == key.convert_to_public()
    for wrong in ("", "ssh-ed25519", "ssh-ed25519 AAAA", "SHA256:abc"):
        with pytest.raises(ValueError, match="no public key like"):
            read_host_key(wrong)


def test_a_private_key_that_cannot_be_used_is_said_without_its_text() -> None:
    locked = pem(USER_KEY, format_name="pkcs8-pem", passphrase="a long one")
    for given in (locked, "no key", words(USER_KEY)):
        with pytest.raises(ValueError, match="no private key") as refused:
            read_private_key(given)
        assert given not in str(refused.value) and refused.value.__cause__ is None and refused.value.__context__ is None
    assert PASSWORD not in repr(read_private_key(pem(USER_KEY)))


@pytest.mark.parametrize("host", ["sftp..warehouse.se", "w" * 70 + ".se"])
async def test_a_host_that_is_no_name_is_said_to_be_wrong_and_not_waited_for(server: Server, host: str) -> None:
    with pytest.raises(Rejected, match="cannot be the name of a computer"):
        async with server.client(host=host).open():
            pass


async def test_a_file_that_has_gone_or_may_not_be_looked_at_does_not_hide_the_others(server: Server) -> None:
    for name in ("closed.csv", "gone.csv", "stock.csv"):
        server.put(name, "x")
    server.unshown = {"gone.csv": asyncssh.SFTPNoSuchFile("gone"), "closed.csv": asyncssh.SFTPPermissionDenied("no")}
    async with server.client().open() as folder:
        closed, stock = await folder.files()
        assert (closed.name, stock.name, await folder.read(stock)) == ("closed.csv", "stock.csv", b"x")
        with pytest.raises(Rejected, match=r"closed\.csv may not be read") as refused:
            await folder.read(closed)
    assert not isinstance(refused.value, Unauthorised)
