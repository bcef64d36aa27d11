"""The simulated banks by plain HTTP: what the papers say they answer, their calendars, and every fault."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.conftest import simulator

SPAN = "/swea/v1/Observations/SEKEURPMI"


@pytest.fixture
def bank(riksbank_simulator: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=riksbank_simulator, trust_env=False, timeout=10) as http:
        http.put("/_control/clock", json={"now": "2026-06-08T17:30", "frozen": True})
        before = http.get("/_control/settings").json()
        yield http
        http.put("/_control/settings", json=before)
        http.delete("/_control/faults")
        http.delete("/_control/quotes")
        http.put("/_control/clock", content=b"null")


def days(answer: httpx.Response) -> list[str]:
    return [each["date"] for each in answer.json()]


@pytest.mark.parametrize(
    ("first", "last", "quoted"),
    [
        ("2025-12-22", "2026-01-07", ["12-22", "12-23", "12-29", "12-30", "01-02", "01-05", "01-07"]),
        ("2026-04-01", "2026-04-07", ["04-01", "04-02", "04-07"]),
        ("2025-06-05", "2025-06-09", ["06-05", "06-09"]),
        ("2026-05-13", "2026-05-15", ["05-13", "05-15"]),
    ],
)
def test_it_quotes_on_swedish_banking_days(bank: httpx.Client, first: str, last: str, quoted: list[str]) -> None:
    assert [day[5:] for day in days(bank.get(f"{SPAN}/{first}/{last}"))] == quoted


def test_the_other_bank_is_open_on_swedish_holidays(bank: httpx.Client) -> None:
    file = bank.get("/stats/eurofxref/eurofxref-hist.xml").text
    assert 'time="2026-01-06"' in file
    assert 'time="2025-06-06"' in file
    assert 'time="2026-04-06"' not in file
    assert bank.get("/stats/eurofxref/eurofxref-daily.xml").text.count("time=") == 1
    assert bank.get("/stats/eurofxref/else.xml").status_code == 404


def test_a_days_rate_appears_in_the_afternoon(bank: httpx.Client) -> None:
    bank.put("/_control/clock", json={"now": "2026-06-08T16:14", "frozen": True})
    assert days(bank.get(f"{SPAN}/2026-06-05")) == ["2026-06-05"]
    bank.put("/_control/clock", json={"now": "2026-06-08T16:15", "frozen": True})
    assert days(bank.get(f"{SPAN}/2026-06-05")) == ["2026-06-05", "2026-06-08"]
    assert bank.get("/swea/v1/Observations/Latest/SEKEURPMI").json()["date"] == "2026-06-08"


def test_no_quotes_no_series_and_no_date_are_three_answers(bank: httpx.Client) -> None:
    weekend = f"{SPAN}/2026-06-06/2026-06-07"
    assert (bank.get(weekend).status_code, bank.get(weekend).content) == (204, b"")
    bank.put("/_control/settings", json={"emptySpan": "[]"})
    assert (bank.get(weekend).status_code, bank.get(weekend).json()) == (200, [])
    assert bank.get("/swea/v1/Observations/SEKXXXPMI/2026-06-05").status_code == 404
    assert bank.get(f"{SPAN}/yesterday").status_code == 400


def test_the_switches_turn_what_nobody_knows(bank: httpx.Client) -> None:
    yen = "/swea/v1/Observations/SEKJPYPMI/2026-06-08"
    one = bank.get(yen).json()[0]["value"]
    bank.put("/_control/settings", json={"per100": ["JPY"], "valueAsString": True, "duplicateDates": True, "futureDate": True})
    found = bank.get(yen).json()
    assert float(found[0]["value"]) == pytest.approx(one * 100)
    assert isinstance(found[0]["value"], str)
    assert [each["date"] for each in found] == ["2026-06-08", "2026-07-08", "2026-07-08"]
    bank.put("/_control/settings", json={"ecbLacksSek": True})
    assert "SEK" not in bank.get("/stats/eurofxref/eurofxref-daily.xml").text
    assert bank.get("/swea/v1/Observations/Latest/SEKBGNPMI").json()["date"] == "2026-07-08"
    bank.put("/_control/settings", json={"futureDate": False})
    assert bank.get("/swea/v1/Observations/Latest/SEKBGNPMI").json()["date"] == "2025-12-30"
    assert bank.put("/_control/settings", json={"nonsense": 1}).status_code == 400


def test_quotes_by_hand_go_first_and_none_is_a_day_off(bank: httpx.Client) -> None:
    for day, value in (("2026-06-05", None), ("2026-06-08", "1.0")):
        bank.put("/_control/quotes", json={"bank": "riksbank", "currency": "EUR", "date": day, "value": value})
    assert bank.get(f"{SPAN}/2026-06-04").text.endswith('{"date":"2026-06-08","value":1.0}]')
    assert len(days(bank.get(f"{SPAN}/2026-06-04"))) == 2
    assert bank.put("/_control/quotes", json={"bank": "elsewhere"}).status_code == 400


def test_key_and_limit(bank: httpx.Client) -> None:
    bank.put("/_control/settings", json={"key": "right", "limit": {"requests": 2, "seconds": 30}})
    wrong = bank.get(f"{SPAN}/2026-06-08", headers={"Ocp-Apim-Subscription-Key": "wrong"})
    assert wrong.status_code == 401
    assert bank.get(f"{SPAN}/2026-06-08").status_code == 200
    refused = bank.get(f"{SPAN}/2026-06-08")
    assert refused.status_code == 429
    assert 1 <= int(refused.headers["retry-after"]) <= 30


@pytest.mark.parametrize("kind", ["lost-answer", "refuse-connection", "truncated"])
def test_connections_that_break(bank: httpx.Client, kind: str) -> None:
    bank.post("/_control/faults", json={"id": "f", "route": "GET /swea/v1/*", "kind": kind, "count": 1})
    with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
        bank.get(f"{SPAN}/2026-06-08")
    assert bank.get(f"{SPAN}/2026-06-08").status_code == 200
    assert bank.get("/_control/faults").json()[0]["fired"] == 1


@pytest.mark.parametrize(
    ("kind", "params", "status", "content"),
    [
        ("http", {"status": 503, "body": "down"}, 503, "down"),
        ("html-200", {}, 200, "<!DOCTYPE html>"),
        ("empty-200", {}, 200, ""),
        ("rate-limited", {"retryAfter": 7}, 429, "Rate limit"),
        ("drip", {"seconds": 0.2}, 200, "2026-06-08"),
        ("delay", {"seconds": 0.1}, 200, "2026-06-08"),
    ],
)
def test_answers_that_are_spoiled(bank: httpx.Client, kind: str, params: dict[str, Any], status: int, content: str) -> None:
    rule = {"id": "f", "route": "GET /swea/v1/Observations/*/*", "kind": kind, "count": 1, "params": params}
    bank.post("/_control/faults", json=rule)
    began = time.monotonic()
    answer = bank.get(f"{SPAN}/2026-06-08")
    assert answer.status_code == status
    assert content in answer.text
    assert bool(answer.text) == bool(content)
    assert time.monotonic() - began >= params.get("seconds", 0) * 0.9


def test_what_it_was_told_survives_a_kill(tmp_path: Path) -> None:
    with simulator("riksbank", tmp_path) as address, httpx.Client(base_url=address, trust_env=False) as http:
        http.put("/_control/clock", json={"now": "2026-06-08T17:30", "frozen": True})
        http.put("/_control/quotes", json={"bank": "riksbank", "currency": "EUR", "date": "2026-06-08", "value": "12.5"})
        http.put("/_control/settings", json={"valueAsString": True})
        http.get(f"{SPAN}/2026-06-08")
    with simulator("riksbank", tmp_path) as address, httpx.Client(base_url=address, trust_env=False) as http:
        assert json.loads(http.get(f"{SPAN}/2026-06-08").content) == [{"date": "2026-06-08", "value": "12.5"}]
        assert [row["status"] for row in http.get("/_control/log").json()] == [200, 200]
