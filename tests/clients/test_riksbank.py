"""Both banks' answers as they really look, and everything else that may come instead."""

from datetime import date
from decimal import Decimal
from typing import Any

import httpx
import pytest

from clients.ecb import EcbClient
from clients.errors import NotFound, RateLimited, Rejected, Unauthorised, Unavailable, Unreadable
from clients.riksbank import RiksbankClient
from tests.clients.scripted import Scripted, ok

D = Decimal
BASE = "https://api.example/swea/v1"
FRIDAY, MONDAY = date(2026, 3, 13), date(2026, 3, 16)
OBSERVATIONS = b'[{"date": "2026-03-13", "value": 11.2345}, {"date": "2026-03-16", "value": 11.2410}]'
ECB_FILE = b"""<?xml version="1.0" encoding="UTF-8"?>
<gesmes:Envelope xmlns:gesmes="http://www.gesmes.org/xml/2002-08-01" xmlns="http://www.ecb.int/vocabulary/2002-08-01/eurofxref">
  <gesmes:subject>Reference rates</gesmes:subject>
  <gesmes:Sender><gesmes:name>European Central Bank</gesmes:name></gesmes:Sender>
  <Cube>
    <Cube time="2026-03-16"><Cube currency="USD" rate="1.0876"/><Cube currency="SEK" rate="11.2345"/></Cube>
    <Cube time="2026-03-13"><Cube currency="USD" rate="1.0901"/></Cube>
  </Cube>
</gesmes:Envelope>"""


def raw(content: bytes, status: int = 200, **headers: str) -> httpx.Response:
    return httpx.Response(status, content=content, headers=headers)


async def asked(*answers: Any, key: str | None = None) -> tuple[list[tuple[date, Decimal]], Scripted]:
    bank = Scripted(*answers, base=BASE)
    return await RiksbankClient(bank.http, key).kronor_for("EUR", FRIDAY, MONDAY), bank


async def test_a_span_is_read_to_its_last_digit() -> None:
    found, bank = await asked(raw(OBSERVATIONS))
    assert found == [(FRIDAY, D("11.2345")), (MONDAY, D("11.2410"))]
    assert str(found[1][1]) == "11.2410"
    assert bank.asked == ["GET /swea/v1/Observations/SEKEURPMI/2026-03-13/2026-03-16"]
    assert "ocp-apim-subscription-key" not in bank.requests[0].headers


async def test_the_key_is_sent_where_there_is_one() -> None:
    _, bank = await asked(raw(OBSERVATIONS), key="canary")
    assert bank.requests[0].headers["ocp-apim-subscription-key"] == "canary"


async def test_a_value_may_come_as_text() -> None:
    found, _ = await asked(ok([{"date": "2026-03-16", "value": "11.2410"}]))
    assert found == [(MONDAY, D("11.2410"))]


@pytest.mark.parametrize("answer", [raw(b"", 204), raw(b"[]")])
async def test_a_span_without_quotes_is_an_answer(answer: httpx.Response) -> None:
    assert (await asked(answer))[0] == []


@pytest.mark.parametrize(
    ("answer", "error", "words"),
    [
        (ok({"statusCode": 404, "message": "Series not found"}, 404), NotFound, "404 Series not found"),
        (
            ok({"statusCode": 401, "message": "Access denied due to invalid subscription key."}, 401),
            Unauthorised,
            "Access denied",
        ),
        (ok({"message": "Bad date"}, 400), Rejected, "400 Bad date"),
        (raw(b"<html>", 502), Unavailable, "502"),
        (raw(b"<html><body>Maintenance</body></html>"), Unreadable, "a page of HTML"),
        (raw(b""), Unreadable, "empty answer"),
        (raw(OBSERVATIONS[:60]), Unreadable, "not JSON, or cut"),
        (raw(b'[{"date": "2026-03-16", "value": NaN}]'), Unreadable, "not JSON"),
        (raw(b'[{"date": "2026-03-16", "value": null}]'), Unreadable, "not understood"),
        (raw(b'[{"date": "soon", "value": 11.2}]'), Unreadable, "not understood"),
        (raw(b'{"date": "2026-03-16", "value": 11.2}'), Unreadable, "not understood"),
        (raw(b"", 302, location="https://elsewhere.example/"), Unreadable, "redirected to elsewhere.example"),
    ],
)
async def test_whatever_else_comes_is_an_error_with_a_meaning(answer: httpx.Response, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        await asked(answer)


@pytest.mark.parametrize(("headers", "seconds"), [({"retry-after": "17"}, 17.0), ({}, None)])
async def test_too_many_requests_say_when_to_come_back_or_not(headers: dict[str, str], seconds: float | None) -> None:
    with pytest.raises(RateLimited) as limited:
        await asked(httpx.Response(429, json={"message": "Rate limit is exceeded."}, headers=headers))
    assert limited.value.retry_after == seconds


async def test_the_other_banks_file_is_read_by_day() -> None:
    bank = Scripted(raw(ECB_FILE), base="https://ecb.example/stats/eurofxref")
    found = await EcbClient(bank.http).for_one_euro()
    assert found == {MONDAY: {"USD": D("1.0876"), "SEK": D("11.2345")}, FRIDAY: {"USD": D("1.0901")}}
    await EcbClient(bank.http).for_one_euro(all_years=True)
    assert bank.asked == ["GET /stats/eurofxref/eurofxref-hist-90d.xml", "GET /stats/eurofxref/eurofxref-hist.xml"]


ENTITIES = b'<!DOCTYPE a [<!ENTITY b "bbbb">]>' + ECB_FILE.split(b"?>", 1)[1]


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (raw(ECB_FILE[:400]), Unreadable),
        (raw(b"<!DOCTYPE html><html></html>"), Unreadable),
        (raw(ENTITIES), Unreadable),
        (raw(b"<a/>"), Unreadable),
        (raw(ECB_FILE.replace(b"1.0876", b"N/A")), Unreadable),
        (raw(b""), Unreadable),
        (raw(b"", 503), Unavailable),
        (raw(b"", 404), NotFound),
    ],
)
async def test_what_is_not_the_other_banks_file_is_an_error(answer: httpx.Response, error: type[Exception]) -> None:
    with pytest.raises(error):
        await EcbClient(Scripted(answer, base="https://ecb.example").http).for_one_euro()
