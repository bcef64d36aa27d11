"""Faults on tap, the log that counts them, and what survives a kill."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.simulators.fortnox.harness import PATIENCE, Company, Simulator, eventually, row

CREATE = "POST /3/invoices"


def create(company: Company, reference: str = "erp-1") -> httpx.Response:
    return company.send("POST", "invoices", {"Invoice": company.invoice_body(ExternalInvoiceReference1=reference)})


def references(company: Company) -> list[str]:
    return [invoice["reference1"] for invoice in company.state()["invoices"]]


def test_a_lost_answer_means_written_and_silence(company: Company) -> None:
    company.simulator.fault(CREATE, "lost-answer")
    with pytest.raises(httpx.RemoteProtocolError):
        create(company)
    assert references(company) == ["erp-1"]
    assert create(company).status_code == 201
    assert company.simulator.fired() == {"lost-answer": 1}


def test_a_lost_answer_can_look_like_a_server_error(company: Company) -> None:
    company.simulator.fault(CREATE, "lost-answer-500", params={"status": 502})
    assert create(company).status_code == 502
    assert references(company) == ["erp-1"]


def test_a_refused_connection_writes_nothing(company: Company) -> None:
    company.simulator.fault(CREATE, "refuse-connection")
    with pytest.raises(httpx.TransportError):
        create(company)
    assert references(company) == []


def test_a_late_request_is_carried_out_after_the_client_gave_up(company: Company) -> None:
    company.simulator.ask("DELETE", "log")
    company.simulator.fault(CREATE, "late", params={"seconds": 0.3})
    with pytest.raises(httpx.TransportError):
        create(company)
    assert references(company) == []
    eventually(lambda: references(company) == ["erp-1"], "the request arrives late")
    log = company.simulator.ask("GET", "log?route=POST%20/3/invoices")["entries"]
    assert [(entry["status"], entry["applied"], entry["late"], entry["arrivedAs"]) for entry in log] == [
        (None, False, False, None),
        (None, True, True, log[0]["n"]),
    ]
    summary = company.simulator.ask("GET", "log/summary")
    assert (summary["lostAnswers"], summary["lateArrivals"]) == (1, 1)


@pytest.mark.parametrize(("kind", "applied"), [("html-200", False), ("empty-200", True), ("html-200", True)])
def test_a_gateway_can_answer_for_fortnox(company: Company, kind: str, applied: bool) -> None:
    company.simulator.fault(CREATE, kind, params={"applied": applied})
    response = create(company)
    assert response.status_code == 200
    assert response.content == b"" if kind == "empty-200" else response.text.startswith("<!DOCTYPE html>")
    assert references(company) == (["erp-1"] if applied else [])


def test_an_error_can_come_with_a_good_status(company: Company) -> None:
    company.simulator.fault(CREATE, "error-in-200", params={"code": 1000003, "message": "System exception"})
    response = create(company)
    assert response.status_code == 200
    assert response.json() == {"ErrorInformation": {"error": 1, "message": "System exception", "code": 1000003}}
    assert references(company) == []


def test_any_status_body_and_header_can_be_played(company: Company) -> None:
    params = {"status": 503, "headers": {"Retry-After": "7", "Content-Type": "text/plain"}, "body": "later"}
    company.simulator.fault(CREATE, "http", params=params)
    response = create(company)
    assert (response.status_code, response.headers["retry-after"], response.text) == (503, "7", "later")
    assert response.headers["content-type"] == "text/plain"


@pytest.mark.parametrize("params", [{}, {"retryAfter": 2}])
def test_a_burst_of_429_comes_with_and_without_the_time_to_wait(company: Company, params: dict[str, Any]) -> None:
    company.simulator.fault(CREATE, "rate-limited", count=3, params=params)
    responses = [create(company) for _ in range(4)]
    assert [response.status_code for response in responses] == [429, 429, 429, 201]
    assert responses[0].headers.get("retry-after") == (str(params["retryAfter"]) if params else None)


def test_an_answer_can_break_off_in_the_middle(company: Company) -> None:
    company.simulator.fault(CREATE, "truncated")
    with pytest.raises(httpx.RemoteProtocolError):
        create(company)
    assert references(company) == ["erp-1"]


def test_an_answer_can_drip(company: Company) -> None:
    company.simulator.fault(CREATE, "drip", params={"seconds": 0.5})
    began = time.monotonic()
    assert create(company).status_code == 201
    assert time.monotonic() - began >= 0.4


@pytest.mark.parametrize("when", ["before", "after"])
def test_an_answer_can_come_too_late_for_the_client(company: Company, when: str) -> None:
    company.simulator.fault(CREATE, "delay", params={"seconds": 0.4, "when": when})
    company.http.timeout = httpx.Timeout(0.2)
    with pytest.raises(httpx.ReadTimeout):
        create(company)
    company.http.timeout = httpx.Timeout(PATIENCE)
    assert (references(company) == ["erp-1"]) is (when == "after")
    eventually(lambda: references(company) == ["erp-1"], "the slow request is carried out")


def test_a_stale_read_shows_the_document_as_it_was(company: Company) -> None:
    invoice = company.invoice(ExternalInvoiceReference1="erp-1", Remarks="Först")
    company.change(invoice, Remarks="Sedan")
    company.simulator.fault("GET /3/invoices/*", "stale-read", params={"seconds": 0})
    assert company.read(invoice)["Remarks"] == "Sedan"
    company.simulator.fault("GET /3/invoices", "stale-read")
    assert company.call("GET", "invoices")["Invoices"] == []
    assert len(company.call("GET", "invoices")["Invoices"]) == 1


def test_a_stale_read_of_an_old_document_shows_its_former_text(company: Company) -> None:
    invoice = company.invoice(Remarks="Först")
    made = time.time()
    eventually(lambda: time.time() > made + 0.3, "the document has some age")
    company.change(invoice, Remarks="Sedan")
    company.simulator.fault("GET /3/invoices/*", "stale-read", params={"seconds": 0.2})
    assert company.read(invoice)["Remarks"] == "Först"
    assert company.read(invoice)["Remarks"] == "Sedan"


def test_the_answer_of_the_token_endpoint_can_be_lost(company: Company) -> None:
    company.simulator.ask("POST", "faults", {"id": "t", "kind": "token-loss", "count": 1})
    with pytest.raises(httpx.RemoteProtocolError):
        company.ask_token()
    assert company.ask_token().status_code == 200


def test_a_search_can_lag_behind_the_writes(company: Company) -> None:
    company.knobs(visibilityLagSeconds=0.5)
    made = company.invoice(ExternalInvoiceReference1="erp-1")

    def found() -> list[Any]:
        return list(company.call("GET", "invoices", externalinvoicereference1="erp-1")["Invoices"])

    assert found() == []
    assert company.read(made) == made
    eventually(found, "the search has caught up")


def test_a_fault_waits_counts_and_is_drawn_the_same_way_from_the_same_seed(company: Company) -> None:
    company.simulator.fault(CREATE, "http", after=2, count=1)
    assert [create(company).status_code for _ in range(4)] == [201, 201, 500, 201]
    company.simulator.ask("DELETE", "faults")

    def run() -> list[int]:
        company.simulator.fault(CREATE, "http", count=None, probability=0.5, seed=7)
        statuses = [create(company).status_code for _ in range(20)]
        assert company.simulator.fired() == {"http": statuses.count(500)}
        company.simulator.ask("DELETE", "faults")
        return statuses

    first = run()
    assert {201, 500} == set(first)
    assert run() == first


def test_a_fault_takes_only_its_own_route(company: Company) -> None:
    number = company.invoice()["DocumentNumber"]
    company.simulator.fault("PUT /3/invoices/*/bookkeep", "http", count=None)
    assert company.send("PUT", f"invoices/{number}", {"Invoice": {"Remarks": "Ny"}}).status_code == 200
    assert company.send("PUT", f"invoices/{number}/cancel").status_code == 200
    assert company.send("PUT", f"invoices/{number}/bookkeep").status_code == 500


def test_a_fault_nobody_knows_is_refused(simulator: Simulator) -> None:
    simulator.ask("POST", "faults", {"id": "x", "kind": "earthquake", "route": "GET /3/invoices"}, expect=400)
    simulator.ask("PUT", "settings", {"gravity": 9}, expect=400)


def test_the_log_says_what_was_written_and_never_what_was_asked_for(company: Company) -> None:
    company.simulator.ask("DELETE", "log")
    number = company.booked(ExternalInvoiceReference1="erp-1")["DocumentNumber"]
    company.call("GET", "customers", name="Eva Persson")
    entries = company.simulator.ask("GET", "log")["entries"]
    assert [(entry["method"], entry["path"], entry["status"], entry["applied"]) for entry in entries] == [
        ("POST", "/3/invoices", 201, True),
        ("PUT", f"/3/invoices/{number}/bookkeep", 200, True),
        ("GET", "/3/customers", 200, False),
    ]
    assert entries[0]["wrote"] == [{"kind": "invoice", "number": number, "reference": "erp-1"}]
    assert {written["kind"] for written in entries[1]["wrote"]} == {"invoice", "voucher"}
    assert all(entry["tenant"] == company.tenant for entry in entries)
    summary = company.simulator.ask("GET", "log/summary")
    assert [(route["route"], route["requests"]) for route in summary["routes"]] == [
        ("GET /3/customers", 1),
        ("POST /3/invoices", 1),
        ("PUT /3/invoices/*/bookkeep", 1),
    ]


def test_a_person_edits_cancels_and_books_by_hand(company: Company) -> None:
    draft, other = company.invoice(NotCompleted=True), company.invoice()
    path = f"invoices/{draft['DocumentNumber']}/edit"
    edited = company.simulator.ask("POST", path, {"tenantId": company.tenant, "Freight": 99, "NotCompleted": False})
    assert (edited["Freight"], edited["NotCompleted"]) == (99, False)
    assert company.simulator.ask("POST", f"{path}?tenantId={company.tenant}", {"Booked": True})["Booked"] is True
    assert company.simulator.ask("POST", path, {"tenantId": company.tenant, "Freight": 1}, expect=400)
    cancel = {"tenantId": company.tenant, "Cancelled": True}
    assert company.simulator.ask("POST", f"invoices/{other['DocumentNumber']}/edit", cancel)["Cancelled"] is True


def test_the_clock_rules_the_dates_that_are_not_sent(company: Company) -> None:
    body = {"Invoice": {"CustomerNumber": "K1", "InvoiceRows": [row()]}}
    for now, day in (("2026-12-31T23:59:00+01:00", "2026-12-31"), ("2026-06-30T22:30:00+00:00", "2026-07-01")):
        company.simulator.ask("PUT", "clock", {"now": now, "frozen": True})
        assert company.call("POST", "invoices", body, expect=201)["Invoice"]["InvoiceDate"] == day
    assert [
        found["DocumentNumber"] for found in company.call("GET", "invoices", lastmodified="2026-12-01 00:00")["Invoices"]
    ] == ["1"]
    company.simulator.ask("PUT", "clock", {"offsetSeconds": 86_400 * 365})
    assert company.simulator.ask("GET", "clock")["offsetSeconds"] == 86_400 * 365


@pytest.fixture
def own(tmp_path: Path) -> Iterator[tuple[Simulator, Company]]:
    """A simulator that a test may kill."""
    simulator = Simulator(tmp_path / "fortnox.db")
    simulator.start()
    company = Company(simulator)
    company.customer()
    yield simulator, company
    company.close()
    simulator.stop()


def test_everything_survives_a_kill(own: tuple[Simulator, Company]) -> None:
    simulator, company = own
    booked = company.booked(ExternalInvoiceReference1="erp-1")
    draft = company.invoice(NotCompleted=True)
    company.knobs(searchMode="prefix")
    simulator.fault(CREATE, "http", count=None, after=1)
    create(company)
    simulator.ask("PUT", "clock", {"offsetSeconds": 1000})
    state, balance = company.state(), company.balance(1510)
    log = simulator.ask("GET", "log/summary")
    simulator.kill()
    simulator.start()
    assert company.state() == state
    assert company.read(booked) == booked
    assert company.read(draft) == draft
    assert company.balance(1510) == balance == 1500
    assert simulator.ask("GET", f"settings?tenantId={company.tenant}")["searchMode"] == "prefix"
    assert simulator.ask("GET", "clock")["offsetSeconds"] == 1000
    assert simulator.ask("GET", "log/summary")["requests"] >= log["requests"]
    assert create(company).status_code == 500
    simulator.ask("DELETE", "faults")
    assert company.invoice()["DocumentNumber"] == "4"


def test_every_acknowledged_invoice_is_there_after_kills_in_the_middle(own: tuple[Simulator, Company]) -> None:
    simulator, company = own
    acknowledged: list[str] = []
    for _ in range(3):
        acknowledged += [str(company.invoice()["DocumentNumber"]) for _ in range(20)]
        simulator.kill()
        simulator.start()
    assert [str(invoice["number"]) for invoice in company.state()["invoices"]] == acknowledged


def test_a_snapshot_brings_the_books_back(own: tuple[Simulator, Company]) -> None:
    simulator, company = own
    company.booked()
    before = company.state()
    simulator.ask("POST", "snapshot", {"name": "before"})
    company.booked()
    simulator.ask("POST", "restore", {"name": "before"})
    assert company.state() == before
    simulator.ask("POST", "restore", {"name": "never-made"}, expect=400)


def test_asking_for_a_company_again_changes_nothing_that_is_booked(open_company: Callable[..., Company]) -> None:
    company = open_company()
    company.customer()
    company.booked()
    before = company.state()
    body = {"tenantId": company.tenant, "name": "Nytt namn AB", "clientId": company.client_id, "clientSecret": company.secret}
    company.simulator.ask("PUT", "companies", body)
    assert company.state() == before
    assert company.call("GET", "companyinformation")["CompanyInformation"]["CompanyName"] == "Nytt namn AB"
