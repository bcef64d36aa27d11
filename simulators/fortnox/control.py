"""The control interface: how a test, a demo or a person behind the screen moves this company about.

Not part of Fortnox; on loopback, without authentication, under `/_control`.
"""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from simulators.fortnox import books, company, invoices, ledger, supplier_desk
from simulators.fortnox.call import Call
from simulators.fortnox.refusals import Refusal
from simulators.fortnox.wire import Answer, Fields, from_ore, read_json, write_json
from simulators.fortnox.world import Request, World

Handler = Callable[[World, Request, Any, list[str]], Any]
_SENDS = ("print", "email", "einvoice", "eprint", "externalprint", "printreminder")


class Wrong(Exception):
    """A control request that makes no sense."""


def answer(world: World, request: Request) -> Answer:
    """Carry out a control request in one transaction."""
    handler, given = _find(request)
    if handler is None:
        return _told({"error": "no such control"}, 404)
    if handler in (snapshot, restore):
        return _attempt(world, request, handler, given)
    with world.store.transaction():
        return _attempt(world, request, handler, given)


def health(world: World, request: Request, body: Any, given: list[str]) -> Fields:
    return {"ok": True}


def put_company(world: World, request: Request, body: Any, given: list[str]) -> Fields:
    """Make or update a company and the consent of one client to it."""
    call = world.call(int(body["tenantId"]))
    company.set_up(call, body)
    return {"tenantId": call.tenant, "financialYears": _years(call)}


def get_companies(world: World, request: Request, body: Any, given: list[str]) -> list[Fields]:
    rows = world.store.all("SELECT tenant, body, locked_until FROM company ORDER BY tenant")
    return [{"tenantId": row["tenant"], **read_json(row["body"].encode()), "lockedUntil": row["locked_until"]} for row in rows]


def put_settings(world: World, request: Request, body: Any, given: list[str]) -> Fields:
    changes = dict(body)
    tenant = int(changes.pop("tenantId", 0))
    world.knobs.change(tenant, changes)
    return world.knobs.of(tenant).values


def get_settings(world: World, request: Request, body: Any, given: list[str]) -> Fields:
    return world.knobs.of(int(request.query.get("tenantId", 0))).values


def put_locked_period(world: World, request: Request, body: Any, given: list[str]) -> Fields:
    call = _call(world, request, body)
    until = body.get("endDate")
    if until is not None:
        datetime.strptime(until, "%Y-%m-%d").date()  # noqa: DTZ007
    world.store.run("UPDATE company SET locked_until = ? WHERE tenant = ?", until, call.tenant)
    return {"endDate": until}


def post_year(world: World, request: Request, body: Any, given: list[str]) -> Fields:
    call = _call(world, request, body)
    number = books.open_year(call, str(body["from"]), str(body["to"]), body.get("accountingMethod"))
    return {"id": number, "from": body["from"], "to": body["to"]}


def delete_year(world: World, request: Request, body: Any, given: list[str]) -> Fields:
    """Take a financial year away, with its accounts and series; one with vouchers stays."""
    call, number = _call(world, request, body), int(given[0])
    if world.store.value("SELECT 1 FROM voucher WHERE tenant = ? AND year = ? LIMIT 1", call.tenant, number):
        raise Wrong("the year has vouchers")
    world.store.run("DELETE FROM account WHERE tenant = ? AND year = ?", call.tenant, number)
    world.store.run("DELETE FROM series WHERE tenant = ? AND year = ?", call.tenant, number)
    removed = world.store.run("DELETE FROM year WHERE tenant = ? AND id = ?", call.tenant, number)
    return {"removed": removed}


def revoke_consent(world: World, request: Request, body: Any, given: list[str]) -> Fields:
    world.tokens.revoke_consent(_call(world, request, body).tenant, body.get("clientId"))
    return {"revoked": True}


def expire_tokens(world: World, request: Request, body: Any, given: list[str]) -> Fields:
    world.tokens.expire_all(_call(world, request, body).tenant)
    return {"expired": True}


def post_code(world: World, request: Request, body: Any, given: list[str]) -> Fields:
    """Play the person who consents: return an authorization code."""
    call = _call(world, request, body)
    client = body.get("clientId") or world.store.value("SELECT client_id FROM consent WHERE tenant = ? LIMIT 1", call.tenant)
    scopes = " ".join(body.get("scopes") or company.ALL_SCOPES)
    return {"code": world.tokens.new_code(call.tenant, str(client), str(body.get("redirectUri", "")), scopes)}


def edit_invoice(world: World, request: Request, body: Any, given: list[str]) -> Any:
    """Play a person at the screen: change an unbooked invoice, or cancel, book or complete it by hand."""
    fields = {name: value for name, value in body.items() if name not in ("tenantId", "Cancelled", "Booked")}
    call = _call(world, request, body)
    if fields:
        call.raw = write_json({"Invoice": fields}).encode()
        invoices.update(call, given[0])
    if body.get("Booked"):
        invoices.bookkeep(call, given[0])
    if body.get("Cancelled"):
        invoices.cancel(call, given[0])
    return read_json(invoices.get(call, given[0]).body)["Invoice"]


def register_supplier_invoice(world: World, request: Request, body: Any, given: list[str]) -> Any:
    """Play a person who registers a supplier invoice from its lines."""
    return supplier_desk.register(_call(world, request, body), body)


def edit_supplier_invoice(world: World, request: Request, body: Any, given: list[str]) -> Any:
    """Play a person who changes or cancels a supplier invoice, booked or not."""
    return supplier_desk.edit(_call(world, request, body), given[0], body)


def post_account(world: World, request: Request, body: Any, given: list[str]) -> Fields:
    """Set an account active or inactive, in one financial year or in all."""
    call, number = _call(world, request, body), int(given[0])
    years = [int(body["financialYear"])] if body.get("financialYear") else [year["id"] for year in _years(call)]
    for year in years:
        if ledger.account_of(call, year, number) is None:
            books.change_account(call, year, _new_account(call, year, number, str(body.get("description") or number)), {})
        if "active" in body:
            books.change_account(call, year, number, {"Active": bool(body["active"])})
    return {"account": number, "financialYears": years}


def correct_voucher(world: World, request: Request, body: Any, given: list[str]) -> Fields:
    """Play a person at the screen who corrects a voucher: what stood there is struck, the given rows are added."""
    call, (series, number) = _call(world, request, body), given
    key = (call.tenant, int(body["financialYear"]), series, int(number))
    found = world.store.one("SELECT body FROM voucher WHERE tenant = ? AND year = ? AND series = ? AND number = ?", *key)
    if found is None:
        raise Wrong("there is no such voucher")
    voucher = read_json(found["body"].encode())
    rows = voucher["VoucherRows"]
    added = [{**rows[0], "Account": row["Account"], "Debit": row["Debit"], "Credit": row["Credit"]} for row in body["rows"]]
    voucher["VoucherRows"] = [{**row, "Removed": True} for row in rows] + added
    text = write_json(voucher)
    world.store.run("UPDATE voucher SET body = ? WHERE tenant = ? AND year = ? AND series = ? AND number = ?", text, *key)
    return _voucher(voucher)


def post_fault(world: World, request: Request, body: Any, given: list[str]) -> Fields:
    return world.faults.add(body).told()


def get_faults(world: World, request: Request, body: Any, given: list[str]) -> list[Fields]:
    return world.faults.told()


def delete_faults(world: World, request: Request, body: Any, given: list[str]) -> Fields:
    world.faults.clear(given[0] if given else None)
    return {"faults": len(world.faults.told())}


def get_log(world: World, request: Request, body: Any, given: list[str]) -> Fields:
    query = request.query
    return world.journal.told(int(query.get("since", 0)), query.get("route"), int(query.get("limit", 100_000)))


def get_log_summary(world: World, request: Request, body: Any, given: list[str]) -> Fields:
    window = float(request.query.get("windowSeconds") or world.knobs.of(0)["rateWindow"]["seconds"])
    return world.journal.summary(window)


def delete_log(world: World, request: Request, body: Any, given: list[str]) -> Fields:
    world.journal.clear()
    return {"entries": 0}


def put_clock(world: World, request: Request, body: Any, given: list[str]) -> Fields:
    world.clock.set(body)
    return world.clock.told()


def get_clock(world: World, request: Request, body: Any, given: list[str]) -> Fields:
    return world.clock.told()


def get_state(world: World, request: Request, body: Any, given: list[str]) -> Fields:
    """Return every document of a company in short, for checks that share no code with a client."""
    call = _call(world, request, body)
    sent: dict[int, Fields] = {}
    for row in world.store.all(
        f"SELECT kind, key, value FROM counter WHERE tenant = ? AND kind IN ({','.join('?' * len(_SENDS))})", call.tenant, *_SENDS
    ):
        sent.setdefault(int(row["key"]), {})[row["kind"]] = row["value"]
    listed = [
        {
            "number": row["number"], "reference1": row["reference"], "customer": row["customer"], "date": row["date"],
            "currency": row["currency"],
            "net": from_ore(row["net"]), "vat": from_ore(row["vat"]), "total": from_ore(row["total"]),
            "balance": from_ore(row["balance"]),
            "booked": bool(row["booked"]), "cancelled": bool(row["cancelled"]), "notCompleted": bool(row["not_completed"]),
            "credit": bool(row["credit"]), "voucher": row["voucher"], "sent": sent.get(row["number"], {}),
        }
        for row in world.store.all("SELECT * FROM invoice WHERE tenant = ? ORDER BY number", call.tenant)
    ]  # fmt: skip
    vouchers = [
        _voucher(read_json(row["body"].encode()))
        for row in world.store.all("SELECT body FROM voucher WHERE tenant = ? ORDER BY year, series, number", call.tenant)
    ]
    cards = world.store.all("SELECT kind, count(*) AS many FROM card WHERE tenant = ? GROUP BY kind", call.tenant)
    counts = {row["kind"]: row["many"] for row in cards}
    counts |= {"invoice": len(listed), "voucher": len(vouchers)}
    counts["payment"] = world.store.value("SELECT count(*) FROM payment WHERE tenant = ?", call.tenant)
    return {"counts": counts, "invoices": listed, "vouchers": vouchers}


def snapshot(world: World, request: Request, body: Any, given: list[str]) -> Fields:
    """Keep the whole file as it is now under a name beside it."""
    world.store.copy_to(_snapshot_path(world, body))
    return {"snapshot": body["name"]}


def restore(world: World, request: Request, body: Any, given: list[str]) -> Fields:
    path = _snapshot_path(world, body)
    if not Path(path).exists():
        raise Wrong("no such snapshot")
    world.store.copy_from(path)
    world.reload()
    return {"restored": body["name"]}


CONTROLS: tuple[tuple[str, str, Handler], ...] = (
    ("GET", "health", health),
    ("PUT", "companies", put_company),
    ("GET", "companies", get_companies),
    ("PUT", "settings", put_settings),
    ("GET", "settings", get_settings),
    ("PUT", "locked-period", put_locked_period),
    ("POST", "financial-years", post_year),
    ("DELETE", "financial-years/*", delete_year),
    ("POST", "revoke-consent", revoke_consent),
    ("POST", "expire-tokens", expire_tokens),
    ("POST", "authorization-codes", post_code),
    ("POST", "invoices/*/edit", edit_invoice),
    ("POST", "supplier-invoices", register_supplier_invoice),
    ("POST", "supplier-invoices/*/edit", edit_supplier_invoice),
    ("POST", "accounts/*", post_account),
    ("POST", "vouchers/*/*/correct", correct_voucher),
    ("POST", "faults", post_fault),
    ("GET", "faults", get_faults),
    ("DELETE", "faults", delete_faults),
    ("DELETE", "faults/*", delete_faults),
    ("GET", "log", get_log),
    ("GET", "log/summary", get_log_summary),
    ("DELETE", "log", delete_log),
    ("PUT", "clock", put_clock),
    ("GET", "clock", get_clock),
    ("GET", "state", get_state),
    ("POST", "snapshot", snapshot),
    ("POST", "restore", restore),
)


def _find(request: Request) -> tuple[Handler | None, list[str]]:
    asked = request.segments[1:]
    for method, pattern, handler in CONTROLS:
        parts = pattern.split("/")
        if (
            method == request.method
            and len(parts) == len(asked)
            and all(p in ("*", a) for p, a in zip(parts, asked, strict=True))
        ):
            return handler, [a for p, a in zip(parts, asked, strict=True) if p == "*"]
    return None, []


def _attempt(world: World, request: Request, handler: Handler, given: list[str]) -> Answer:
    try:
        body = read_json(request.raw) if request.raw.strip() else {}
        if handler in (snapshot, restore):
            return _told(handler(world, request, body, given))
        with world.store.attempt():
            return _told(handler(world, request, body, given))
    except Refusal as refusal:
        return refusal.answer()
    except (Wrong, ValueError, TypeError, AttributeError) as wrong:
        return _told({"error": str(wrong)}, 400)
    except KeyError as absent:
        return _told({"error": f"unknown or missing: {absent.args[0]}"}, 400)


def _call(world: World, request: Request, body: Any) -> Call:
    """Return a call on the company named in body or query, or on the only one there is."""
    named = (body.get("tenantId") if isinstance(body, dict) else None) or request.query.get("tenantId")
    known = [row["tenant"] for row in world.store.all("SELECT tenant FROM company ORDER BY tenant")]
    if named is None and len(known) != 1:
        raise Wrong("say which company: tenantId")
    tenant = int(named) if named is not None else known[0]
    if tenant not in known:
        raise Wrong(f"no company {tenant}")
    return world.call(tenant)


def _years(call: Call) -> list[Fields]:
    rows = call.store.all("SELECT id, from_date, to_date FROM year WHERE tenant = ? ORDER BY id", call.tenant)
    return [{"id": row["id"], "from": row["from_date"], "to": row["to_date"]} for row in rows]


def _new_account(call: Call, year: int, number: int, description: str) -> int:
    call.store.run(
        "INSERT INTO account (tenant, year, number, description) VALUES (?, ?, ?, ?)", call.tenant, year, number, description
    )
    return number


def _voucher(voucher: Fields) -> Fields:
    return {
        "series": voucher["VoucherSeries"],
        "number": voucher["VoucherNumber"],
        "year": voucher["Year"],
        "date": voucher["TransactionDate"],
        "description": voucher["Description"],
        "comments": voucher["Comments"],
        "referenceType": voucher["ReferenceType"],
        "reference": voucher["ReferenceNumber"],
        "rows": [{"account": row["Account"], "debit": row["Debit"], "credit": row["Credit"]} for row in voucher["VoucherRows"]],
    }


def _snapshot_path(world: World, body: Any) -> str:
    name = str(body["name"])
    if not name.replace("-", "").replace("_", "").isalnum():
        raise Wrong("a snapshot's name is letters, digits, - and _")
    return f"{world.store.path}.{name}"


def _told(value: Any, status: int = 200) -> Answer:
    return Answer(status, write_json(value).encode())
