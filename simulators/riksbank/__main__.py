"""`python -m simulators.riksbank --port P --data FILE.db [--host 127.0.0.1]`"""

import argparse
from pathlib import Path

import uvicorn

from simulators.riksbank.banks import Banks
from simulators.riksbank.clock import Clock
from simulators.riksbank.control import Control
from simulators.riksbank.faults import Faults
from simulators.riksbank.quotes import Quotes
from simulators.riksbank.server import OpenConnection, Server
from simulators.riksbank.store import Store


def main() -> None:
    parser = argparse.ArgumentParser(prog="simulators.riksbank", description="The rates of Riksbank and ECB, simulated.")
    parser.add_argument("--host", default="127.0.0.1", help="default: 127.0.0.1; the control interface has no password")
    parser.add_argument("--port", type=int, required=True, help="where to listen")
    parser.add_argument("--data", type=Path, required=True, help="SQLite file that holds everything; created when missing")
    given = parser.parse_args()
    store = Store(given.data)
    clock, faults = Clock(store), Faults(store)
    server = Server(store, Banks(store, Quotes(store, clock)), faults, Control(store, clock, faults))
    uvicorn.run(
        server, host=given.host, port=given.port, http=OpenConnection, ws="none", lifespan="off", log_level="warning",
        access_log=False, server_header=False, timeout_keep_alive=60, timeout_graceful_shutdown=2,
    )  # fmt: skip


if __name__ == "__main__":
    main()
