"""`lagerbro voucher` and `lagerbro tie-out`: what a person types, and what it says."""

from decimal import Decimal

import pytest

from erp.vouchers import TieOut
from starters.cli_vouchers import print_tied
from starters.tie_out import Tied
from tests.starters.test_cli_returns import Says, typed

__all__ = ["typed"]
D = Decimal


async def test_nothing_is_started_for_a_merchant_that_is_not_there(typed: Says) -> None:
    for words in (("voucher", "post"), ("rates", "fetch")):
        assert "merchant nobody is not in erp.merchant" in str((await typed(*words, "-m", "nobody")).exception)
    assert (await typed("voucher", "list", "--most", "0")).exit_code == 2


def test_what_fortnox_has_not_brought_into_its_year_is_called_by_its_name(capsys: pytest.CaptureFixture[str]) -> None:
    hundred = D("100.00")
    ours = TieOut(hundred, hundred, hundred, hundred, waiting=D(0), waiting_postings=0, opening=D(0))
    print_tied(Tied([1460], ours, fortnox=D("0.00"), brought_forward=D("0.00"), ours_before=D("100.00")))
    said = capsys.readouterr().out
    assert "not brought into the year yet" in said and "held before" not in said
    assert "One figure once Fortnox has brought its balance into the year." in said
    print_tied(Tied([1460], ours, fortnox=D("120.00"), brought_forward=D("120.00"), ours_before=D("100.00")))
    said = capsys.readouterr().out
    assert "held before our vouchers" in said and "One figure." in said


def test_a_year_that_does_not_begin_where_the_year_before_ended_is_a_gap(
    capsys: pytest.CaptureFixture[str],
) -> None:
    hundred = D("100.00")
    ours = TieOut(hundred, hundred, hundred, hundred, waiting=D(0), waiting_postings=0, opening=D(0))
    ended = D("120.00")
    whole = Tied([1460], ours, fortnox=ended, brought_forward=ended, ours_before=hundred, year_before=ended)
    assert whole.agrees and whole.before == D("20.00")
    part = Tied([1460], ours, fortnox=D("90.00"), brought_forward=D("90.00"), ours_before=hundred, year_before=ended)
    print_tied(part)
    assert (part.gap, part.agrees) == (D("-30.00"), False)
    assert "brought into the year otherwise than the year before ended" in capsys.readouterr().out
