"""The reconciliation's report: its figures tie, its CSV opens right where the merchant is, and no cell of it can do anything."""

import csv
import io
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import groupby
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.reconciliation_csv import CsvForm, as_csv, headline_in, plain, safe
from domain.reconciliation_page import as_html
from domain.reconciliation_report import Booking, Day, Report, Row, Unmatched, Waiting, day_of, headline, total
from domain.reconciliation_settings import faults
from domain.reconciliation_tables import sheets
from domain.reconciling import Why

D = Decimal
NOW = datetime(2026, 11, 26, 3, 0, tzinfo=UTC)
SWEDISH, ENGLISH = CsvForm.of("SE"), CsvForm.of("GB")


def difference(article: str = "KRUKA-12", why: str = "unknown", quantity: Any = -3, **more: Any) -> Row:
    values: dict[str, Any] = {"name": "Kruka", "document": "", "cause": "", "at": None, "value": D("-30.00")} | more
    return Row(
        "physical",
        article,
        values["name"],
        "MAIN",
        D(100),
        D(100) + D(quantity),
        why,
        D(quantity),
        values["value"],
        values["document"],
        values["cause"],
        values["at"],
    )


def report(**more: Any) -> Report:
    days = tuple(Day(date(2026, 10, 27) + timedelta(days=n), D(100 + 10 * n), D(90 + 9 * n)) for n in range(30))
    told: dict[str, Any] = {
        "rows": (difference(), difference("KRUKA-20", "in-flight", -7, document="SO-1", at=NOW)),
        "booked": (Booking("unknown", "KRUKA-12", D(-3), D("-30.00"), 4990, "stood in two runs, under every tolerance", 41),),
        "unmatched": (Unmatched("warehouse", "KRUKA-99", D(4), "add the article in the ERP, or ask whose it is"),),
        "waiting": (Waiting(7, "VAS-1", D(-40), D("-4000.00"), NOW, "waiting", "pieces 40 is above 5"),),
        "days": days,
    } | more
    after = told.pop("value_after", D("123426.78"))
    return Report(
        "demo", 12, "daily", date(2026, 11, 25), (date(2026, 11, 25),), "api", NOW, "SEK", 20, 0, 1, D("123456.78"), after, **told
    )


def table(report: Report, name: str) -> Any:
    return next(sheet for sheet in sheets(report) if sheet.name == name)


def cells(content: bytes, delimiter: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(content.decode("utf-8-sig")), delimiter=delimiter))


money = st.decimals(-100_000, 100_000, places=2)
pieces = st.decimals(-1000, 1000, places=4).filter(bool)
classes = st.sampled_from(list(Why))
rows = st.builds(
    lambda comparison, article, why, quantity, value: Row(
        comparison,
        article,
        article,
        "MAIN",
        D(0),
        quantity,
        why,
        quantity,
        value and abs(value).copy_sign(quantity),
        "",
        "",
        None,
    ),
    st.sampled_from(["physical", "available"]),
    st.sampled_from(["A", "B", "C", "D"]),
    classes,
    pieces,
    st.none() | money,
)
bookings = st.builds(
    Booking,
    st.sampled_from(["unknown", "adjustment", "taken back"]),
    st.sampled_from(["A", "B", "C", "D"]),
    pieces,
    money,
    st.sampled_from([4990, 4991, 4992]),
    st.just("why"),
    st.integers(1, 99),
    st.booleans(),
)
questions = st.builds(
    Waiting, st.integers(1, 99), st.just("A"), pieces, st.none() | money, st.just(NOW), st.just("waiting"), st.just("")
)
reports = st.builds(
    lambda rows, booked, waiting, before, meanwhile: Report(
        "demo", 1, "daily", date(2026, 11, 25), (), "api", NOW, "SEK", 4, 0, 0, before,
        before + meanwhile + total(each.value for each in booked if not each.by_people),
        tuple(rows), tuple(booked), (), tuple(waiting), (day_of(date(2026, 11, 25), rows),),
    ),
    st.lists(rows, max_size=20), st.lists(bookings, max_size=8), st.lists(questions, max_size=4), money, money,
)  # fmt: skip


def column(some: Iterable[Any], place: int) -> Decimal:
    return sum((row[place] for row in some if row[place] is not None), D(0))


@given(reports)
def test_every_total_is_the_sum_of_the_column_above_it(made: Report) -> None:
    for sheet in sheets(made):
        for whole in sheet.totals:
            part = {"Classes": 0, "Booked": 8}.get(sheet.name)  # some totals are of a part of the rows: of which, says a column
            mine = [row for row in sheet.rows if part is None or whole[part] in (None, row[part])]
            for place, figure in enumerate(whole):
                if isinstance(figure, Decimal | int):
                    assert figure == column(mine, place), (sheet.name, sheet.columns[place])


@given(reports)
def test_the_tables_tie_with_each_other(made: Report) -> None:
    """Stock value with the bookings, the classes with the differences, the day in the picture with the classes."""
    worth = {str(name): value for name, value in table(made, "Stock value").rows}
    [(_, after)] = table(made, "Stock value").totals
    by_run = [each for each in made.booked if not each.by_people]
    for account, some in groupby(sorted(by_run, key=lambda each: each.account), key=lambda each: each.account):
        assert worth.pop(f"booked by this run against account {account}") == total(each.value for each in some)
    meanwhile = worth["booked meanwhile by others (picks, receipts, returns, approvals)"]
    assert after == made.value_after
    assert after - worth["before this run booked anything"] == meanwhile + total(each.value for each in by_run)
    for comparison, name in (("physical", "Differences"), ("available", "Can be sold")):
        by_class = [row for row in table(made, "Classes").rows if row[0] == comparison]
        listed = table(made, name)
        assert column(by_class, 2) == len(listed.rows)
        assert column(by_class, 3) + column(by_class, 4) == column(listed.rows, 6)
        assert column(by_class, 5) + column(by_class, 6) == column(listed.rows, 7)
        if comparison == "physical":
            assert made.days[0].differing == column(by_class, 5) - column(by_class, 6)
            known = [row for row in by_class if row[1] not in ("unknown", "deferred")]
            assert made.days[0].explained == column(known, 5) - column(known, 6)
    [(_, explained, other, differing, _)] = table(made, "Thirty days").rows
    assert (explained, other) == (made.days[0].explained, differing - explained)


@given(reports, st.sampled_from([SWEDISH, ENGLISH, CsvForm.of("CH")]))
def test_a_csv_read_in_its_own_form_says_the_same_figures(made: Report, form: CsvForm) -> None:
    read = cells(as_csv(made, form), form.delimiter)
    start = next(number for number, row in enumerate(read) if row and row[0] == "# Booked")
    for line, row in zip(read[start + 2 :], table(made, "Booked").rows, strict=False):
        assert [D(line[place].replace(form.decimal_mark, ".")) for place in (2, 3)] == [row[2], row[3]]
    assert headline_in(as_csv(made, form)) == safe(headline(made))


def test_a_swedish_merchants_csv_has_commas_in_its_numbers_and_an_english_ones_points() -> None:
    assert b"\r\nafter this run;123426,78\r\n" in as_csv(report(), SWEDISH)
    assert b"\r\nafter this run,123426.78\r\n" in as_csv(report(), ENGLISH)
    assert [row[1] for row in cells(as_csv(report(), SWEDISH), ";") if row[:1] == ["this file"]] == [
        "UTF-8, semicolons between columns, decimal comma"
    ]


def test_a_setting_says_another_form_than_the_country() -> None:
    assert (CsvForm.of("SE", "."), CsvForm.of("US", ",")) == (CsvForm(",", "."), CsvForm(";", ","))
    assert list(faults("reconciliation", {"csv_decimal_mark": ";"})) == [
        ("reconciliation.csv_decimal_mark", 'is \';\', not "," or "." or empty for that of the merchant\'s country')
    ]
    assert not list(faults("reconciliation", {"csv_decimal_mark": "."}))


def test_the_headline_of_a_file_from_before_the_forms_is_still_read() -> None:
    old = '\ufeff# Summary;What was compared.\r\nwhat;is\r\nin short;"3 compared; 1.50 SEK, booked."\r\n'.encode()
    assert headline_in(old) == "3 compared; 1.50 SEK, booked."


def test_each_difference_on_the_shelf_says_what_became_of_it() -> None:
    made = report(
        rows=(difference(), difference("VAS-1", quantity=-40), difference("KRUKA-20", "in-flight", -7)),
    )
    shown = table(made, "Differences")
    became = shown.columns.index("what became of it")
    assert [row[became] for row in shown.rows] == ["booked", "number 7: waits for a person", "not booked"]


def test_a_booking_names_the_account_on_each_side_and_the_day_of_its_voucher() -> None:
    day, sides = date(2026, 11, 25), ("debit account", "credit account", "accounting day")
    less = Booking("unknown", "A", D(-1), D("-10.00"), 4991, "why", 40, day=day, stock_account="1460")
    more = Booking("taken back", "A", D(1), D("10.00"), 4991, "why", 41, day=day, stock_account="1460")
    worthless = Booking("unknown", "B", D(1), D("0.00"), 4991, "why", 42)
    shown = table(report(booked=(less, more, worthless)), "Booked")
    places = [shown.columns.index(side) for side in sides]
    assert [tuple(row[place] for place in places) for row in shown.rows] == [
        ("4991", "1460", day),
        ("1460", "4991", day),
        (None, None, None),
    ]


def test_what_one_person_approved_says_that_it_waits_for_another() -> None:
    one = Waiting(7, "VAS-1", D(-40), D("-14400.00"), NOW, "waiting", "40 pieces", ("anna",))
    shown = table(report(waiting=(one,)), "Approvals")
    assert shown.rows[0][shown.columns.index("state")] == "waits for a second person"


def test_what_people_approved_is_no_booking_of_the_run() -> None:
    approved = Booking("unknown", "A", D(-1), D("-10.00"), 4991, "approved", 40, by_people=True)
    made = report(booked=(approved,), value_after=D("123456.78"))
    assert [value for _, value in table(made, "Stock value").rows] == [D("123456.78"), D("0.00")]
    assert "-10.00 SEK of the table Booked" in table(made, "Stock value").says
    said = headline(made)
    assert "1 difference was booked since the run before because people approved (stock value -10.00 SEK)." in said
    assert "This run itself booked nothing." in said and "1 unknown difference was" not in said


EVIL = ["=1+1", "+46", "-2", "@SUM(A1)", "\t=1", "\r=1", '=HYPERLINK("x")', " =1", "%0A=1", "|x"]
AT_ANOTHER_DELIMITER = ["a;=1+1", "a,=1+1", 'a,"=1+1"', "a; @x", 'a,""-2', "a|=1"]


@pytest.mark.parametrize("form", [SWEDISH, ENGLISH])
@pytest.mark.parametrize("word", [*EVIL, *AT_ANOTHER_DELIMITER])
def test_no_text_of_the_file_acts_in_a_spreadsheet_however_it_parts_the_cells(word: str, form: CsvForm) -> None:
    evil = report(rows=(difference(word, name=word, document=word, cause=word),))
    for delimiter in ";,":
        for cell in (cell.lstrip() for row in cells(as_csv(evil, form), delimiter) for cell in row):
            assert not cell.startswith(("=", "@", "+")), cell
            assert not cell.startswith("-") or _number(cell.split(form.delimiter)[0].replace(",", ".")), cell


@given(st.text(max_size=30))
def test_safe_text_never_begins_a_formula(words: str) -> None:
    assert not safe(words).lstrip().startswith(("=", "+", "-", "@"))


def test_negative_numbers_stay_numbers() -> None:
    assert plain(D("-3.50")) == "-3.50"
    assert b";-3;-30,00;" in as_csv(report(), SWEDISH)


def test_the_headline_says_what_was_booked_and_what_waits() -> None:
    assert headline(report()) == (
        "20 articles compared, 2 differ, 1 of them for an unknown reason. 1 unknown difference was booked"
        " (stock value -30.00 SEK). 1 waits for a person's approval."
    )
    held = headline(report(booked=(), held="all 20 articles with stock are at zero in the warehouse"))
    assert "NOTHING WAS BOOKED" in held


def test_the_page_escapes_what_strangers_wrote() -> None:
    page = as_html(report(rows=(difference("<script>alert(1)</script>"),))).decode()
    assert "<script>" not in page and "&lt;script&gt;" in page
    assert "begins tomorrow" in as_html(report(days=())).decode()


def _number(cell: str) -> bool:
    try:
        D(cell)
    except ArithmeticError:
        return False
    return True
