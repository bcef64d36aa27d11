"""From an answer of the warehouse to parcels: every parcel once, and nothing that travels back."""

from decimal import Decimal
from typing import Any

from activities.shown import new_to_the_erp, parcels, shown
from clients.ongoing import GetOrder
from domain.merchant import MerchantSettings
from erp.visible import Parcel


def answer(info: dict[str, Any] | None = None, **parts: Any) -> GetOrder:
    status = {"orderStatus": {"number": 450, "text": "Skickad"}}
    return GetOrder.model_validate({"orderInfo": {"orderId": 1, "orderNumber": "SO-1"} | status | (info or {}), **parts})


def parcel(number: str | None, waybill: str | None, url: str | None, back: bool = False) -> dict[str, Any]:
    return {"id": 1, "parcelNumber": number, "isReturnParcel": back, "tracking": {"waybill": waybill, "trackingUrl": url}}


def test_every_parcel_of_one_waybill_is_a_parcel_of_its_own() -> None:
    held = answer({"wayBill": "W"}, parcels=[parcel("P-1", "W", "u"), parcel("P-2", "W", None)], tracking=None)
    assert parcels(held) == [Parcel("P-1", "W", "u"), Parcel("P-2", "W", "u")]


def test_a_parcel_that_lacks_its_waybill_finds_it_by_the_address() -> None:
    held = answer(parcels=[parcel("P-1", None, "u")], tracking=[{"waybill": "W", "trackingUrl": "u"}])
    assert parcels(held) == [Parcel("P-1", "W", "u")]


def test_waybills_that_no_parcel_names_stand_alone_and_returns_are_left_out() -> None:
    held = answer(
        {"wayBill": "W-1", "returnWayBill": "R-1"},
        parcels=[parcel("P-9", "R-9", "r", back=True)],
        tracking=[{"waybill": "W-1", "trackingUrl": "u"}, {"waybill": None, "trackingUrl": "v"}, {"waybill": "R-1"}],
    )
    assert parcels(held) == [Parcel(None, "W-1", "u"), Parcel(None, None, "v")]


def test_null_missing_and_empty_say_the_same() -> None:
    empty = {"wayBill": "", "returnWayBill": None}
    answers = [
        answer(),
        answer(empty, parcels=None, tracking=[], transporter=None),
        answer(parcels=[parcel("", "", "")], tracking=None, transporter={"name": "", "code": None}),
    ]
    digests = {shown(each, MerchantSettings(), "sent", None, Decimal("3.00")).digest for each in answers}
    assert len(digests) == 1
    assert shown(answers[0], MerchantSettings(), "sent", None, Decimal(3)).digest in digests


def test_signs_that_cannot_be_shown_are_left_out() -> None:
    held = answer(transporter={"name": "Post\x00Nord\n", "code": "PLAB", "serviceCode": None})
    assert shown(held, MerchantSettings(), "sent", None, Decimal(0)).transporter == "PostNord"


def test_only_a_document_that_shows_something_else_than_before_is_told_again() -> None:
    same, changed = (shown(answer(), MerchantSettings(), "sent", None, Decimal(picked)) for picked in (3, 4))
    assert new_to_the_erp({1: same.digest}, [same]) == []
    assert new_to_the_erp({1: same.digest}, [changed]) == [changed]
    assert new_to_the_erp({1: None}, [same]) == [same]
