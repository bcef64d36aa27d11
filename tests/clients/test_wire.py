"""Numbers and times between JSON and Python: nothing is rounded, and nothing that is no number gets through."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clients.fortnox import VoucherPayload
from clients.ongoing import PostOrderLine
from clients.wire import day, exact, identity, instant, read_json, text, utc, write_json


@pytest.mark.parametrize("digits", ["0.1", "1234567890123.4567", "12345678901234567.89", "2.0", "0.10", "-3", "0"])
def test_a_quantity_keeps_its_digits_both_ways(digits: str) -> None:
    written = write_json({"n": Decimal(digits)})
    assert written == f'{{"n":{digits}}}'.encode()
    assert str(Decimal(read_json(written)["n"])) == digits


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**15), max_value=10**15, places=6))
def test_every_sane_amount_arrives_as_it_was_sent(amount: Decimal) -> None:
    assert exact(read_json(write_json([amount]))[0]) == amount


def test_a_large_round_number_is_written_without_an_exponent() -> None:
    assert write_json(Decimal("1E+3")) == b"1000"


@pytest.mark.parametrize("value", ["8", " 8.0 ", 8, Decimal("8.00")])
def test_a_quantity_may_come_as_number_or_as_digits(value: object) -> None:
    assert exact(value) == 8


@pytest.mark.parametrize(
    "value",
    [
        True,
        1.5,
        None,
        "",
        "abc",
        "NaN",
        "Infinity",
        "1_0",
        "0x1",
        Decimal("NaN"),
        Decimal("-Infinity"),
        Decimal("1e1000000"),
        Decimal("1e16"),
        Decimal("1e-40"),
        10**16,
        "9" * 41,
        Decimal("1" * 29),
        [],
        "٣",
    ],
)
def test_what_is_no_sane_number_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="not a"):
        exact(value)


@pytest.mark.parametrize("value", [True, 0, -1, "x", "-5", 1.0, 10**18, None])
def test_what_is_no_id_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="not an id"):
        identity(value)


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b'{"a": NaN}', b"[Infinity]", b"<html>", b"\xff\xfe\x00", b"[" * 100_000, b'{"n": ' + b"9" * 5000 + b"}"],
)
def test_what_is_no_json_is_refused_without_keeping_it(content: bytes) -> None:
    with pytest.raises(ValueError, match="not JSON") as refusal:
        read_json(content)
    assert refusal.value.__context__ is None


def test_texts_lose_what_the_database_refuses() -> None:
    assert text("A\x00B\ud800C\x07\nå") == "ABC\nå"


@pytest.mark.parametrize(
    ("value", "meant"),
    [
        ("2026-03-02T11:41:41.25Z", datetime(2026, 3, 2, 11, 41, 41, 250000, UTC)),
        ("2026-03-02T12:41:41+01:00", datetime(2026, 3, 2, 11, 41, 41, tzinfo=UTC)),
        ("2026-03-02T11:41:41.1230000", datetime(2026, 3, 2, 11, 41, 41, 123000, UTC)),
        ("2026-03-02", datetime(2026, 3, 2, tzinfo=UTC)),
    ],
)
def test_times_are_read_as_utc(value: str, meant: datetime) -> None:
    assert instant(value) == meant
    assert instant(value).tzinfo is UTC


@pytest.mark.parametrize("value", [1772451701, True, None, "yesterday"])
def test_what_is_no_time_is_refused(value: object) -> None:
    with pytest.raises(ValueError):
        instant(value)


def test_a_day_may_come_with_a_time() -> None:
    assert day("2026-03-02T00:00:00Z") == day("2026-03-02") == date(2026, 3, 2)


def test_times_are_sent_in_utc_with_an_offset() -> None:
    assert utc(datetime.fromisoformat("2026-03-01T09:00:00+01:00")) == "2026-03-01T08:00:00.000+00:00"
    with pytest.raises(ValueError, match="without a zone"):
        utc(datetime(2026, 3, 1))  # noqa: DTZ001


def test_json_is_written_as_others_read_it() -> None:
    value = {"a": 'å"\n', "b": [], "c": {}, "d": [True, None, 1, Decimal("1.50")], "e": date(2026, 3, 1)}
    assert write_json(value) == b'{"a":"\\u00e5\\"\\n","b":[],"c":{},"d":[true,null,1,1.50],"e":"2026-03-01"}'


@pytest.mark.parametrize("value", [1.5, Decimal("NaN"), object(), {"a": 0.1}])
def test_what_would_be_sent_wrong_is_not_sent(value: object) -> None:
    with pytest.raises((TypeError, ValueError)):
        write_json(value)


def test_limits_hold_on_the_texts_we_send() -> None:
    with pytest.raises(ValueError, match="at least 1 item"):
        PostOrderLine(row_number="", article_number="A", number_of_items=Decimal(1))
    with pytest.raises(ValueError, match="at most 200"):
        VoucherPayload(description="x" * 201, voucher_series="L", transaction_date=date(2026, 3, 1), rows=[])
