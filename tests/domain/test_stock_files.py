"""A delivered stock file is believed whole or refused: cut, doubled, foreign, stale, in another dialect, it is never misread."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import Refused
from domain.stock_files import Awaited, Dialect, StockFile, number_cell, read_table, read_text_file

D = Decimal
NOW = datetime(2026, 11, 26, 3, 0, tzinfo=UTC)
AWAITED = Awaited(77, NOW)
ROWS = {"KRUKA-12": "140", "KRUKA-20": "0", "ÅL-1": "5.25"}


def csv_file(quantities: Any = None, mark: str = ".", delimiter: str = ";", **heads: str) -> str:
    rows = ROWS if quantities is None else quantities
    told = {"goods-owner": "77", "cut": "2026-11-25T22:00:00+01:00", "rows": str(len(rows))} | heads
    lines = [f"#{name}{delimiter}{value}" for name, value in told.items()]
    lines.append(f"article{delimiter}quantity")
    lines += [f"{article}{delimiter}{quantity.replace('.', mark)}" for article, quantity in rows.items()]
    return "\n".join([*lines, f"#end{delimiter}{len(rows)}\n"])


def json_file(**changes: Any) -> bytes:
    rows = [{"article": article, "quantity": float(quantity)} for article, quantity in ROWS.items()]
    told = {"goodsOwner": 77, "cut": "2026-11-25T21:00:00Z", "rows": len(rows), "complete": True, "articles": rows}
    return json.dumps(told | changes).encode()


def read(words: str | bytes, dialect: Dialect = Dialect(), awaited: Awaited = AWAITED) -> StockFile:  # noqa: B008
    data = words if isinstance(words, bytes) else words.encode("utf-8")
    return read_text_file(data, dialect, awaited)


def refusal(words: str | bytes, dialect: Dialect = Dialect(), awaited: Awaited = AWAITED) -> str:  # noqa: B008
    with pytest.raises(Refused) as refused:
        read(words, dialect, awaited)
    assert refused.value.code == "stock-file-refused"
    return str(refused.value)


def test_a_whole_file_is_read_with_its_cut_in_every_declared_dialect() -> None:
    expected = {"KRUKA-12": D(140), "KRUKA-20": D(0), "ÅL-1": D("5.25")}
    found = read(csv_file())
    assert (found.quantities, found.cut) == (expected, datetime(2026, 11, 25, 21, tzinfo=UTC))
    assert read(json_file(), Dialect(format="json")).quantities == expected
    swedish = Dialect(encoding="cp1252", decimal_mark=",")
    assert read(csv_file(mark=",").encode("cp1252"), swedish).quantities == expected
    assert read(csv_file().encode("utf-16"), Dialect(encoding="utf-16")).quantities == expected


def test_a_row_that_is_missing_in_the_middle_is_noticed_by_the_last_line_alone() -> None:
    whole = csv_file().replace("#rows;3\n", "")
    assert read(whole).quantities
    assert "with 2 rows" in refusal(whole.replace("KRUKA-20;0\n", ""))


def test_a_copy_is_known_by_what_it_says() -> None:
    first = read(csv_file()).content_hash
    assert read(csv_file().replace("\n", "\r\n")).content_hash == first
    assert read("\ufeff" + csv_file()).content_hash == first
    assert read(json_file(), Dialect(format="json")).content_hash == first
    assert read(csv_file({**ROWS, "KRUKA-20": "1"})).content_hash != first


@pytest.mark.parametrize("kind", ["csv", "csv-crlf", "json", "utf-16"])
def test_a_file_cut_at_any_byte_is_refused_or_says_exactly_the_same(kind: str) -> None:
    dialect = Dialect(format="json" if kind == "json" else "csv", encoding="utf-16" if kind == "utf-16" else "utf-8")
    whole = {
        "csv": csv_file({f"A{n}": str(n * 11) for n in range(15)}).encode(),
        "csv-crlf": csv_file().replace("\n", "\r\n").encode(),
        "json": json_file(),
        "utf-16": csv_file().encode("utf-16"),
    }[kind]
    expected = read(whole, dialect)
    for end in range(len(whole)):
        try:
            found = read(whole[:end], dialect)
        except Refused:
            continue
        assert found == expected, f"cut at byte {end}"


@given(st.integers(0, 200), st.integers(0, 200), st.binary(max_size=6))
def test_bytes_changed_in_transit_are_refused_or_change_no_row_silently(start: int, length: int, other: bytes) -> None:
    whole = csv_file().encode()
    damaged = whole[:start] + other + whole[start + length :]
    try:
        found = read(damaged)
    except Refused:
        return
    assert len(found.quantities) == len(ROWS)


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (b"", "empty"),
        (csv_file({}), "no article"),
        (csv_file(**{"goods-owner": "78"}), "owner 78"),
        (csv_file(cut="2026-11-23T22:00:00+01:00"), "older than 36 hours"),
        (csv_file(cut="2026-11-27T22:00:00+01:00"), "in the future"),
        (csv_file(cut="2026-11-25T22:00:00"), "no time zone"),
        (csv_file(cut="yesterday"), "not an instant"),
        (csv_file(rows="4"), "says it has 4 rows"),
        (csv_file().replace("ÅL-1", "KRUKA-12"), "stands twice"),
        (csv_file().replace("\n#end;3", ""), "not #end"),
        (csv_file().replace("quantity", "antal"), "column quantity"),
        (csv_file({"A": "-4"}), "quantity '-4'"),
        (csv_file({"A": "NaN"}), "quantity 'NaN'"),
        (csv_file({"A": "1e3"}), "quantity '1e3'"),
        (csv_file({"A": "1.23456"}), "quantity"),
        (csv_file({"A": "1 000"}), "quantity '1 000'"),
        (csv_file({"": "4"}), "empty or too long"),
        (csv_file().replace("140", "140;9"), "cells"),
        (csv_file().replace("KRUKA-20", "KRU\x00KA"), "control character"),
        (csv_file({"A" * 11_000: "1"}), "longer than"),
        ('"' + csv_file(), "not CSV"),
    ],
)
def test_a_file_that_cannot_be_believed_is_refused_with_the_reason(words: Any, why: str) -> None:
    assert why in refusal(words)


def test_another_encoding_or_decimal_mark_than_declared_is_never_read_as_something_else() -> None:
    comma = csv_file(mark=",")
    assert "decimal mark '.'" in refusal(comma)
    assert "decimal mark ','" in refusal(csv_file(), Dialect(decimal_mark=","))
    assert "is utf-8" in refusal(csv_file(), Dialect(encoding="cp1252"))
    assert "is not utf-8" in refusal(csv_file().encode("cp1252"))
    assert "mark of utf-16" in refusal(csv_file().encode("utf-16"))
    assert "no mark of utf-16" in refusal(csv_file().encode("utf-16-le"), Dialect(encoding="utf-16"))
    assert refusal(csv_file(delimiter=","))


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"complete": False}, "complete"),
        ({"rows": 2}, "says it has 2 rows"),
        ({"articles": {}}, "no list"),
        ({"articles": [{"article": "A", "quantity": "5,5"}], "rows": 1}, "row 1"),
        ({"articles": [{"article": "A", "quantity": True}], "rows": 1}, "row 1"),
        ({"articles": [{"article": "A"}], "rows": 1}, "row 1"),
        ({"articles": [{"quantity": 1}], "rows": 1}, "has no article"),
        ({"goodsOwner": 8}, "owner 8"),
    ],
)
def test_json_is_held_to_the_same(changes: dict[str, Any], why: str) -> None:
    assert why in refusal(json_file(**changes), Dialect(format="json"))


def test_json_with_a_name_twice_or_no_number_is_refused() -> None:
    assert "twice" in refusal(b'{"complete": true, "complete": true}', Dialect(format="json"))
    assert "not a number" in refusal(json_file().replace(b"140.0", b"NaN"), Dialect(format="json"))


def test_a_file_older_than_the_newest_says_so() -> None:
    newer = Awaited(77, NOW, newest_cut=datetime(2026, 11, 25, 22, tzinfo=UTC))
    assert read(csv_file(), awaited=newer).older_than_newest
    assert not read(csv_file()).older_than_newest


def test_the_cells_of_a_spreadsheet_are_read_as_those_of_a_file() -> None:
    table = [["#goods-owner", "77"], ["#cut", "2026-11-25T22:00:00+01:00"], ["article", "quantity"], ["A", "5.5"], ["#end", "1"]]
    assert read_table(table, Dialect(format="xlsx"), AWAITED).quantities == {"A": D("5.5")}
    assert [number_cell(words, ",") for words in ("5.50", "100", "1e2", "x")] == ["5,5", "100", "100", "x"]


@pytest.mark.parametrize(
    "wrong",
    [{"format": "xml"}, {"encoding": "latin"}, {"decimal_mark": ";"}, {"delimiter": ","} | {"decimal_mark": ","}, {"x": "y"}],
)
def test_an_unusable_dialect_is_refused(wrong: dict[str, str]) -> None:
    with pytest.raises(Refused):
        Dialect.of(wrong)
    assert Dialect.of({"format": "json"}).format == "json"


def test_age_is_a_setting() -> None:
    assert read(csv_file(cut="2026-11-23T22:00:00+01:00"), awaited=Awaited(77, NOW, timedelta(days=7))).quantities


JSON = Dialect(format="json")


def of_json(article: str = '"A"', quantity: str = "1", owner: str = "77") -> bytes:
    """A file as somebody may have typed it: its values are JSON as it stands."""
    rows = f'[{{"article": {article}, "quantity": {quantity}}}]'
    return f'{{"goodsOwner": {owner}, "cut": "2026-11-25T21:00:00Z", "rows": 1, "complete": true, "articles": {rows}}}'.encode()


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (of_json(article=r'"A\u0000B"'), "a sign that is none"),
        (of_json(article=r'"A\ud800B"'), "a sign that is none"),
        (of_json(owner=r'"\u0000\ud800"'), "owner ??, and not of 77"),
        (of_json(quantity="1e99999999999999999999"), "not JSON"),
        (b"[" * 200_000, "too deep"),
        (b'{"a":' * 200_000, "too deep"),
    ],
)
def test_json_that_is_made_to_break_its_reader_is_refused_in_words_that_can_be_kept(data: bytes, why: str) -> None:
    told = refusal(data, JSON)
    assert why in told and told.isprintable()


@pytest.mark.parametrize("nothing", ["0e-99999999", "0e99999999", "-0", "0." + "0" * 9000])
def test_nothing_is_nothing_however_it_is_written(nothing: str) -> None:
    found = read(of_json(quantity=nothing), JSON)
    assert {str(quantity) for quantity in found.quantities.values()} == {"0.0000"}
    assert found.content_hash == read(of_json(quantity="0"), JSON).content_hash
