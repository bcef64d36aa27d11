"""A merchant's settings are checked whole: every fault is named with the key that has it."""

import json
from typing import Any

import pytest

from domain.errors import Refused
from domain.mapping import OrderType
from domain.merchant import MerchantSettings
from domain.stock import StockAccounts

GOOD: dict[str, Any] = {
    "statuses": {"425": "picked", "451": "sent", "475": "collected", "1000": "cancelled"},
    "edit_lock_status": 200,
    "transporters": {"dhl": {"code": "DHLROAD", "services": {"paket": "102"}}, "bil": "OWN"},
    "ways_of_delivery": {"HEM": {"code": "home", "transporter": "dhl", "service": "paket"}, "HÄMTAS": "pickup"},
    "order_types": {"normal": None, "prov": {"code": "SAMPLE", "invoice": False, "issue_account": 6070}},
    "sales_accounts": {"SEVAT": {"25": 3001, "0": 3004}},
    "freight_accounts": {"SEVAT": 3520},
}


def refusal(**changes: Any) -> str:
    with pytest.raises(Refused) as refused:
        MerchantSettings.of(changes)
    assert refused.value.code == "settings-wrong"
    return str(refused.value)


def test_a_good_document_is_taken_and_a_bare_code_is_short_for_an_entry() -> None:
    settings = MerchantSettings.of(json.loads(json.dumps(GOOD)))
    assert settings.ways_of_delivery["HÄMTAS"] == {"code": "pickup"}
    assert settings.transporters["bil"] == {"code": "OWN"}
    assert settings.order_types["normal"] == {"code": None}
    assert MerchantSettings.of({}) == MerchantSettings()


def test_what_is_shown_as_in_force_can_be_set_again() -> None:
    from dataclasses import asdict

    settings = MerchantSettings.of(GOOD)
    assert MerchantSettings.of(json.loads(json.dumps(asdict(settings)))) == settings


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"colour": 1}, "setting colour is not known"),
        ({"watch_days": "400"}, "setting watch_days is '400', not a whole number"),
        ({"watch_days": True}, "setting watch_days is True, not a whole number"),
        ({"stock_account": 99}, "setting stock_account is 99; it goes from 1000 to 9999"),
        ({"nightly_sweep_hour": 24}, "nightly_sweep_hour is 24; it goes from 0 to 23"),
        ({"edit_lock_status": 0}, "edit_lock_status is 0"),
        ({"ship_when": "later"}, "ship_when is 'later', not sent or picked"),
        ({"warehouse": " "}, "setting warehouse is ' '"),
        ({"statuses": []}, "setting statuses is [], not numbers with their meanings"),
        ({"statuses": {"450": "gone"}}, "statuses.450 means 'gone'"),
        ({"statuses": {"x": "sent"}}, "statuses.x is not a status number"),
        ({"statuses": {"300": "released"}}, "statuses has no number that means sent"),
        ({"ways_of_delivery": {"X": 7}}, "ways_of_delivery.X is 7"),
        ({"ways_of_delivery": {"X": {"code": "x", "colour": 1}}}, "ways_of_delivery.X.colour is not known"),
        ({"ways_of_delivery": {"X": {"code": "x", "transporter": "ups"}}}, "ways_of_delivery.X.transporter is 'ups'"),
        ({"ways_of_delivery": {"X": {"code": "x", "service": "a"}}}, "ways_of_delivery.X.service is 'a'"),
        ({"ways_of_delivery": {"X": None}}, "ways_of_delivery.X.code is None, not a code of the warehouse"),
        ({"transporters": {"dhl": {"code": "D", "services": ["a"]}}}, "transporters.dhl.services is ['a']"),
        ({"order_types": {"x": {"code": "X", "invoice": "no"}}}, "order_types.x.invoice is 'no', not true or false"),
        ({"order_types": {"x": {"code": "X", "issue_account": 1}}}, "order_types.x.issue_account is 1"),
        ({"order_types": {"x": {"code": "X", "issue_account": 1460}}}, "order_types.x.issue_account is the stock account"),
        ({"sales_accounts": {"MARS": {"25": 3001}}}, "sales_accounts.MARS is not a VAT zone"),
        ({"sales_accounts": {"SEVAT": {"25 %": 3001}}}, "sales_accounts.SEVAT.25 % is not a VAT rate"),
        ({"sales_accounts": {"SEVAT": {"25": "3001"}}}, "sales_accounts.SEVAT.25 is '3001', not an account"),
        ({"freight_accounts": 3520}, "freight_accounts is 3520"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_wrong_setting_is_refused_with_its_key(changes: dict[str, Any], named: str) -> None:
    assert named in refusal(**changes)


def test_all_that_is_wrong_is_said_at_once() -> None:
    said = refusal(colour=1, watch_days=0, statuses={"450": "gone"})
    assert [name in said for name in ("colour", "watch_days", "statuses.450")] == [True] * 3


def test_an_unknown_code_is_refused_with_the_code_and_the_setting_that_lacks_it() -> None:
    settings = MerchantSettings.of(GOOD)
    for ask, code, setting in (
        (settings.way_of_delivery, "unknown-way-of-delivery", "ways_of_delivery"),
        (settings.order_type, "unknown-order-type", "order_types"),
    ):
        with pytest.raises(Refused, match=f"sales order SO-1: .*'DRÖNARE' is not in .*{setting}") as refused:
            ask("DRÖNARE", "sales order SO-1")
        assert refused.value.code == code


def test_the_warehouses_word_is_turned_back_into_the_one_that_was_ordered() -> None:
    settings = MerchantSettings.of({"ways_of_delivery": {"A": "x", "B": "x", "C": "y"}})
    assert [settings.our_way_of_delivery("x", ordered) for ordered in ("B", "C", None)] == ["B", "A", "A"]
    assert [settings.our_way_of_delivery(theirs, "A") for theirs in ("y", "z", None)] == ["C", "z", None]


def test_the_edit_lock_holds_from_its_status_on() -> None:
    settings = MerchantSettings.of({"edit_lock_status": 300})
    assert [settings.locked(status) for status in (200, 299, 300, 450)] == [False, False, True, True]


def test_an_order_type_decides_where_its_goods_are_booked_and_whether_it_is_billed() -> None:
    settings = MerchantSettings.of(GOOD)
    assert settings.accounts_for("normal") == StockAccounts(1460, 4960, 2099)
    assert settings.accounts_for("prov") == StockAccounts(1460, 4960, 2099, elsewhere=6070)
    assert (settings.is_invoiced("normal"), settings.is_invoiced("prov")) == (True, False)
    transfer: OrderType = MerchantSettings().order_types["transfer"]
    assert transfer == {"code": "TRANSFER", "invoice": False, "issue_account": 1461}
