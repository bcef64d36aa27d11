"""The simulator as a process of its own, and a plain HTTP client in front of it."""

import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx

Json = Any

PATIENCE = 10.0
_tenants = itertools.count(500_001)


def eventually(condition: Callable[[], Any], what: str) -> Any:
    """Ask until the answer is true, or say what never came."""
    deadline = time.monotonic() + PATIENCE
    while not (answer := condition()):
        assert time.monotonic() < deadline, f"never: {what}"
        time.sleep(0.01)
    return answer


def parsed(response: httpx.Response) -> Json:
    return json.loads(response.content, parse_float=Decimal)


class Simulator:
    """A started simulator. `kill` ends it the hard way; `start` brings it back on the same file and port."""

    def __init__(self, data: Path) -> None:
        self.data = data
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        self.address = f"http://127.0.0.1:{self.port}"
        self.control = httpx.Client(base_url=f"{self.address}/_control/", trust_env=False, timeout=PATIENCE)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "simulators.fortnox", "--port", str(self.port), "--data", str(self.data)],
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
        self._process.wait(PATIENCE)

    def ask(self, method: str, path: str, body: Json = None, *, expect: int = 200) -> Json:
        """Use the control interface."""
        response = self.control.request(method, path, json=body)
        assert response.status_code == expect, response.text
        return parsed(response)

    def fault(self, route: str, kind: str, *, count: int | None = 1, **more: Any) -> None:
        self.ask("POST", "faults", {"id": f"{kind} {route}", "route": route, "kind": kind, "count": count, **more})

    def fired(self) -> dict[str, int]:
        return {rule["kind"]: rule["fired"] for rule in self.ask("GET", "faults")}


class Company:
    """A company of its own in the simulator, and a client with a token for it."""

    def __init__(self, simulator: Simulator, **more: Any) -> None:
        self.simulator = simulator
        self.tenant = next(_tenants)
        self.client_id, self.secret = f"client-{self.tenant}", f"secret-{self.tenant}"
        wanted = {"tenantId": self.tenant, "clientId": self.client_id, "clientSecret": self.secret}
        simulator.ask("PUT", "companies", {**wanted, "name": f"Bolag {self.tenant} AB", **more})
        self.knobs(rateWindow={"requests": 100_000, "seconds": 5})
        # No certificates are loaded: plain HTTP, and a client per test.
        self.http = httpx.Client(base_url=simulator.address, trust_env=False, verify=False, timeout=PATIENCE)
        self.use(self.token()["access_token"])

    def close(self) -> None:
        self.http.close()

    def knobs(self, **values: Any) -> None:
        self.simulator.ask("PUT", "settings", {"tenantId": self.tenant, **values})

    def state(self) -> Json:
        return self.simulator.ask("GET", f"state?tenantId={self.tenant}")

    # --- tokens

    def ask_token(self, *, secret: str | None = None, tenant: str | None = None, **form: str) -> httpx.Response:
        headers = {} if tenant == "" else {"TenantId": tenant or str(self.tenant)}
        return self.http.post(
            "/oauth-v1/token",
            headers=headers,
            auth=(self.client_id, secret or self.secret),
            data={"grant_type": "client_credentials", **form},
        )

    def token(self, **form: str) -> Json:
        response = self.ask_token(**form)
        assert response.status_code == 200, response.text
        return parsed(response)

    def use(self, token: str) -> None:
        self.http.headers["authorization"] = f"Bearer {token}"

    # --- the API

    def send(self, method: str, path: str, body: Json = None, **query: Any) -> httpx.Response:
        content = None if body is None else json.dumps(body).encode()
        headers = {} if body is None else {"content-type": "application/json"}
        return self.http.request(method, f"/3/{path}", content=content, headers=headers, params=query or None)

    def call(self, method: str, path: str, body: Json = None, *, expect: int = 200, **query: Any) -> Json:
        response = self.send(method, path, body, **query)
        assert response.status_code == expect, response.text
        return parsed(response) if response.content else None

    def refusal(self, method: str, path: str, body: Json = None, *, status: int = 400, **query: Any) -> int:
        """Return the code with which a request is refused; nothing of it may be written."""
        before = self.state()
        information = self.call(method, path, body, expect=status, **query)["ErrorInformation"]
        assert self.state() == before
        code = information["Code" if status == 404 else "code"]
        assert isinstance(code, int)
        return code

    def customer(self, number: str = "K1", **fields: Any) -> Json:
        body = {"Customer": {"Name": "Nordhavet Handel AB", "CustomerNumber": number, **fields}}
        return self.call("POST", "customers", body, expect=201)["Customer"]

    def article(self, number: str, **fields: Any) -> Json:
        body = {"Article": {"ArticleNumber": number, "Description": f"Vara {number}", **fields}}
        return self.call("POST", "articles", body, expect=201)["Article"]

    def invoice(self, rows: list[Json] | None = None, **fields: Any) -> Json:
        return self.call("POST", "invoices", {"Invoice": self.invoice_body(rows, **fields)}, expect=201)["Invoice"]

    def invoice_body(self, rows: list[Json] | None = None, **fields: Any) -> Json:
        return {"CustomerNumber": "K1", "InvoiceDate": "2026-03-10", "InvoiceRows": rows or [row()], **fields}

    def booked(self, rows: list[Json] | None = None, **fields: Any) -> Json:
        number = self.invoice(rows, **fields)["DocumentNumber"]
        return self.call("PUT", f"invoices/{number}/bookkeep")["Invoice"]

    def change(self, invoice: Json, **fields: Any) -> Json:
        return self.call("PUT", f"invoices/{invoice['DocumentNumber']}", {"Invoice": fields})["Invoice"]

    def read(self, invoice: Json) -> Json:
        return self.call("GET", f"invoices/{invoice['DocumentNumber']}")["Invoice"]

    def year(self, day: str = "2026-03-10") -> int:
        [year] = self.call("GET", "financialyears", date=day)["FinancialYears"]
        return int(year["Id"])

    def voucher_of(self, document: Json) -> dict[int, Decimal]:
        """Return what a booked document posted, per account, debit positive."""
        path = f"vouchers/{document['VoucherSeries']}/{document['VoucherNumber']}"
        voucher = self.call("GET", path, financialyear=document["VoucherYear"])["Voucher"]
        posted: dict[int, Decimal] = {}
        for line in voucher["VoucherRows"]:
            posted[line["Account"]] = posted.get(line["Account"], Decimal(0)) + line["Debit"] - line["Credit"]
        assert sum(posted.values()) == 0
        return posted

    def balance(self, account: int, day: str = "2026-03-10") -> Decimal:
        answer = self.call("GET", f"accounts/{account}", financialyear=self.year(day))
        return Decimal(answer["Account"]["BalanceCarriedForward"])


def row(quantity: Any = "10", price: Any = 120, vat: Any = 25, **fields: Any) -> Json:
    return {
        "Description": "Fiskkniv 20 cm",
        "DeliveredQuantity": quantity,
        "Price": price,
        "VAT": vat,
        "AccountNumber": 3001,
        **fields,
    }


def voucher(*rows: tuple[int, Any], series: str = "L", date: str = "2026-03-10", **fields: Any) -> Json:
    """Return a voucher's body; amounts are debit positive, credit negative."""
    lines = [{"Account": account, "Debit": max(amount, 0), "Credit": max(-amount, 0)} for account, amount in rows]
    return {
        "Voucher": {"Description": "Leverans", "VoucherSeries": series, "TransactionDate": date, "VoucherRows": lines, **fields}
    }
