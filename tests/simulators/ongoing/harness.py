"""The simulator as a process of its own, and a plain HTTP client in front of it."""

import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx

Json = Any

_PATIENCE = 10.0
_owner_ids = itertools.count(77)


def eventually(condition: Callable[[], Any], what: str) -> Any:
    """Ask until the answer is true, or say what never came."""
    deadline = time.monotonic() + _PATIENCE
    while not (answer := condition()):
        assert time.monotonic() < deadline, f"never: {what}"
        time.sleep(0.01)
    return answer


class Simulator:
    """A started simulator. `kill` ends it the hard way; `start` brings it back on the same file and port."""

    def __init__(self, data: Path) -> None:
        self.data = data
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        self.control = httpx.Client(base_url=f"http://127.0.0.1:{self.port}/_control/", trust_env=False, timeout=_PATIENCE)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "simulators.ongoing", "--port", str(self.port), "--data", str(self.data)],
            cwd=Path(__file__).parents[3],
        )
        eventually(self._is_up, "the simulator answers")

    def _is_up(self) -> bool:
        assert self._process is not None and self._process.poll() is None, "the simulator ended at its start"
        try:
            return bool(self.control.get("health").json() == {"ok": True})
        except httpx.TransportError:
            return False

    def kill(self) -> None:
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        self._end(signal.SIGTERM)
        self.control.close()

    def _end(self, how: signal.Signals) -> None:
        assert self._process is not None
        os.kill(self._process.pid, how)
        self._process.wait(_PATIENCE)

    def ask(self, method: str, path: str, body: Json = None, *, expect: int = 200) -> Json:
        """Use the control interface."""
        response = self.control.request(method, path, json=body)
        assert response.status_code == expect, response.text
        return parsed(response)


def parsed(response: httpx.Response) -> Json:
    return json.loads(response.content, parse_float=Decimal)


class Shop:
    """A goods owner of its own in the simulator, and its API client."""

    def __init__(self, simulator: Simulator) -> None:
        self.simulator = simulator
        self.id = next(_owner_ids)
        self.username = f"WSIshop{self.id}"
        simulator.ask(
            "PUT",
            "goods-owners",
            {"warehouse": "demo", "goodsOwnerId": self.id, "name": "Demo AB", "username": self.username, "password": "secret"},
        )
        self.http = self.client()

    def client(self) -> httpx.Client:
        return httpx.Client(
            base_url=f"http://127.0.0.1:{self.simulator.port}/demo/api/v1/",
            auth=(self.username, "secret"),
            trust_env=False,
            timeout=_PATIENCE,
        )

    def close(self) -> None:
        self.http.close()

    # --- the API

    def call(self, method: str, path: str, body: Json = None, *, expect: int = 200, **query: Json) -> Json:
        response = self.http.request(method, path, json=body, params=query or None)
        assert response.status_code == expect, f"{response.status_code} {response.text}"
        return parsed(response) if response.content else None

    def listed(self, path: str, **query: Json) -> Json:
        return self.call("GET", path, goodsOwnerId=self.id, **query)

    def put_article(self, article_number: str, **fields: Json) -> int:
        body = {"goodsOwnerId": self.id, "articleNumber": article_number, "articleName": article_number, **fields}
        return int(self.call("PUT", "articles", body)["articleSystemId"])

    def article(self, article_number: str) -> Json:
        return self.listed("articles", articleNumber=article_number)[0]

    def figures(self, article_number: str) -> dict[str, Decimal]:
        return {name: value for name, value in self.article(article_number)["inventoryInfo"].items() if name != "lastInDate"}

    def put_order(self, order: Json, *, expect: int = 201) -> int:
        return int(self.call("PUT", "orders", order, expect=expect)["orderId"])

    def order(self, order_id: int) -> Json:
        return self.call("GET", f"orders/{order_id}")

    def order_with(self, *quantities: int | str, number: str | None = None, stock: int | str = 1000) -> int:
        """Put an order with an article of its own for each quantity, and the goods for it on the shelf."""
        number = number or f"SO-{next(_numbers)}"
        lines = []
        for at, quantity in enumerate(quantities):
            self.stocked(f"{number}/{at + 1}", stock)
            lines.append(line(at + 1, f"{number}/{at + 1}", quantity))
        return self.put_order(self.an_order(number, *lines))

    def an_order(self, order_number: str, *lines: Json, **fields: Json) -> Json:
        return {
            "goodsOwnerId": self.id,
            "orderNumber": order_number,
            "deliveryDate": "2026-03-02",
            "consignee": {"name": "Mia Berg", "customerNumber": f"C-{order_number}"},
            "orderLines": list(lines),
            **fields,
        }

    # --- the warehouse

    def stocked(self, article_number: str, quantity: int | str) -> int:
        article_id = self.put_article(article_number)
        articles = [{"articleNumber": article_number, "numberOfItems": str(quantity)}]
        self.simulator.ask("PUT", "stock", {"warehouse": "demo", "goodsOwnerId": self.id, "articles": articles})
        return article_id

    def work(self, order_id: int, action: str, wish: Json = None, *, expect: int = 200) -> Json:
        return self.simulator.ask("POST", f"orders/{order_id}/{action}", wish or {}, expect=expect)

    def pick(self, order_id: int, *quantities: int | str, over: bool = False) -> Json:
        lines = [{"rowNumber": str(at + 1), "numberOfItems": str(quantity)} for at, quantity in enumerate(quantities)]
        return self.work(order_id, "pick", {"lines": lines, "over": over})

    def put_purchase(self, number: str, *lines: Json, **fields: Json) -> int:
        body = {"goodsOwnerId": self.id, "purchaseOrderNumber": number, "purchaseOrderLines": list(lines), **fields}
        return int(self.call("PUT", "purchaseOrders", body)["purchaseOrderId"])

    def receive(self, purchase_id: int, wish: Json = None, *, expect: int = 200) -> Json:
        return self.simulator.ask("POST", f"purchase-orders/{purchase_id}/receive", wish or {}, expect=expect)


_numbers = itertools.count(1001)


def line(row: int | str, article_number: str, quantity: int | str, **fields: Json) -> Json:
    return {"rowNumber": str(row), "articleNumber": article_number, "numberOfItems": quantity, **fields}


class Receiver:
    """Somebody's webhook address: keeps what arrives, and answers as told."""

    def __init__(self) -> None:
        self.arrived: list[tuple[dict[str, str], Json]] = []
        self.answers: list[int] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.arrived.append((dict(self.headers), json.loads(body)))
                self.send_response(receiver.answers.pop(0) if receiver.answers else 200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                """Keep the test output for the tests."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/hook"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def events(self) -> list[Json]:
        return [body for _, body in self.arrived]


@contextmanager
def a_receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    try:
        yield receiver
    finally:
        receiver.close()
