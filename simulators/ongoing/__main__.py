"""Start the simulator: `python -m simulators.ongoing --port 8100 --data ongoing.db`."""

import argparse
import asyncio
from email.utils import formatdate
from pathlib import Path
from typing import Any

import uvicorn

from simulators.ongoing.auto import AutoWarehouse
from simulators.ongoing.clock import Clock
from simulators.ongoing.connections import Connections
from simulators.ongoing.control import Control
from simulators.ongoing.faults import Faults
from simulators.ongoing.floor import Floor
from simulators.ongoing.orders import Orders
from simulators.ongoing.server import Api, Receive, Scope, Send
from simulators.ongoing.store import open_store
from simulators.ongoing.switches import Switches
from simulators.ongoing.webhooks import Sender, Webhooks
from simulators.ongoing.wire import loads
from simulators.ongoing.world import World

_MOST_HEADER_BYTES = 1024 * 1024


def read_world(data: Path) -> World:
    db = open_store(data)
    stored = {row["name"]: loads(row["value"]) for row in db.execute("SELECT * FROM setting")}
    clock = stored.pop("_clock", {"offset": 0, "frozenAt": None})
    return World(db, Clock(clock["offset"], clock["frozenAt"]), Switches(stored))


class Application:
    """The API beside its control interface, and the two things that run by themselves: the sender and the automatic warehouse."""

    def __init__(self, world: World, connections: Connections) -> None:
        faults = Faults(world.db)
        webhooks = Webhooks(world, faults)
        orders = Orders(world, webhooks)
        floor = Floor(world, orders, webhooks)
        self._world = world
        self._sender = Sender(world)
        self._auto = AutoWarehouse(world, floor, self._settled)
        self._api = Api(world, orders, faults, connections, self._settled)
        self._control = Control(world, orders, floor, faults, webhooks, self._auto, self._settled)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["path"].startswith("/_control/"):
            await self._control(scope, receive, send)
        else:
            await self._api(scope, receive, self._dated(send))

    def _dated(self, send: Send) -> Send:
        """The `Date` of an answer follows the simulated clock."""

        async def dated(message: Any) -> None:
            if message["type"] == "http.response.start":
                now = formatdate(self._world.clock.now() / 1000, usegmt=True)
                message = {**message, "headers": [*message["headers"], (b"date", now.encode())]}
            await send(message)

        return dated

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        self._auto.start()
        sending = asyncio.create_task(self._sender.run())
        await send({"type": "lifespan.startup.complete"})
        await receive()
        self._auto.stop()
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
        await send({"type": "lifespan.shutdown.complete"})

    def _settled(self) -> None:
        """After a commit: wake whoever waits for what has changed."""
        world = self._world
        orders, owners = set(world.touched_orders), set(world.stocked_owners)
        world.touched_orders.clear()
        world.stocked_owners.clear()
        self._auto.notice(orders, owners)
        if world.webhooks_waiting:
            world.webhooks_waiting = False
            self._sender.wake()


def main() -> None:
    parser = argparse.ArgumentParser(prog="simulators.ongoing", description="Ongoing WMS, simulated.")
    parser.add_argument("--port", type=int, required=True, help="where to listen")
    parser.add_argument("--data", type=Path, required=True, help="SQLite file that holds everything; created when missing")
    parser.add_argument("--host", default="127.0.0.1", help="default: 127.0.0.1; the control interface has no password")
    given = parser.parse_args()
    connections = Connections()
    world = read_world(given.data)
    uvicorn.run(
        Application(world, connections),
        host=given.host,
        port=given.port,
        http=connections.protocol(),
        ws="none",
        lifespan="on",
        log_level="warning",
        access_log=False,
        server_header=False,
        date_header=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=2,
        h11_max_incomplete_event_size=_MOST_HEADER_BYTES,
    )


if __name__ == "__main__":
    main()
