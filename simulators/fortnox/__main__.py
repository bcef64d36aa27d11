"""`python -m simulators.fortnox --port P --data FILE.db [--host 127.0.0.1]`"""

import argparse
import logging

from simulators.fortnox.server import run
from simulators.fortnox.store import Store
from simulators.fortnox.world import World


def main() -> None:
    parser = argparse.ArgumentParser(prog="simulators.fortnox", description="A simulated Fortnox over HTTP.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--data", required=True, help="the SQLite file that holds its books")
    chosen = parser.parse_args()
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s")
    run(World(Store(chosen.data)), chosen.host, chosen.port)


if __name__ == "__main__":
    main()
