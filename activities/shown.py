"""From the warehouse's answer to what the ERP is shown of it: in the ERP's words where it has some, without anything personal."""

from collections.abc import Mapping, Sequence
from decimal import Decimal

from clients.ongoing import GetOrder, OrderTransporter
from domain.counting import Line, Step
from domain.merchant import MerchantSettings
from domain.money import ZERO
from erp.counters import CountedLine, Watched
from erp.visible import Parcel, Shown

LONGEST_TEXT = 500


def picked_now(
    watched: Watched, seen: Sequence[CountedLine], steps: Sequence[Step]
) -> tuple[dict[int, Decimal], dict[int, Decimal]]:
    """What is booked as picked after these steps: by document, and by line of ours for the lines that moved. An order's documents
    count together: what a back order delivers belongs to the line it was split from."""
    ours = {line: number for line, number in watched.line_numbers.items() if number is not None}
    ours |= {line.line: line.line_number for line in seen if line.line_number is not None}
    booked: dict[Line, Decimal] = {line: watched.counters[line].booked for line in ours if line in watched.counters}
    booked |= {step.line: step.to_value for step in steps}
    moved = {ours[step.line] for step in steps if step.line in ours}
    by_document: dict[int, Decimal] = {}
    by_line: dict[int, Decimal] = dict.fromkeys(moved, ZERO)
    for line, number in ours.items():
        quantity = booked.get(line, ZERO)
        by_document[line[0]] = by_document.get(line[0], ZERO) + quantity
        if number in moved:
            by_line[number] += quantity
    return by_document, by_line


def shown(held: GetOrder, settings: MerchantSettings, meaning: str | None, ordered_way: str | None, picked: Decimal) -> Shown:
    """One document in the warehouse as the ERP is shown it."""
    transporter = held.transporter or OrderTransporter()
    return Shown(
        held.order_id,
        _text(held.order_number),
        held.back_order_for_order_id,
        held.status,
        _text(held.status_text),
        meaning,
        _text(settings.our_way_of_delivery(held.way_of_delivery or None, ordered_way)),
        _text(transporter.name or transporter.transporter_name),
        _text(settings.our_transporter(transporter.code)),
        _text(transporter.service_code),
        picked,
        held.shipped_time,
        tuple(parcels(held)),
    )


def parcels(held: GetOrder) -> list[Parcel]:
    """Every parcel that goes to the customer, with its waybill and address; and waybills that no parcel names."""
    found: dict[str, Parcel] = {}
    tracking = {entry.waybill: entry.tracking_url for entry in held.tracking if entry.waybill}
    waybills = {address: waybill for waybill, address in tracking.items() if address}
    for each in held.parcels:
        if each.is_return_parcel:
            continue
        waybill = each.tracking.waybill if each.tracking else None
        address = each.tracking.tracking_url if each.tracking else None
        waybill = waybill or waybills.get(address or "")
        if each.parcel_number or waybill or address:
            parcel = Parcel(_text(each.parcel_number), _text(waybill), _text(address or tracking.get(waybill or "")))
            found.setdefault(parcel.key, parcel)
    told = {parcel.tracking_number for parcel in found.values()} | {parcel.tracking_url for parcel in found.values()}
    for entry in held.tracking:
        if (entry.waybill or entry.tracking_url) not in told:
            parcel = Parcel(None, _text(entry.waybill), _text(entry.tracking_url))
            found.setdefault(parcel.key, parcel)
    return list(found.values())


def new_to_the_erp(known: Mapping[int, str | None], documents: Sequence[Shown]) -> list[Shown]:
    """Those documents that show anything else than the last look did."""
    return [each for each in documents if known.get(each.doc_id) != each.digest]


def _text(value: str | None) -> str | None:
    """A text of theirs as we keep it: none when it says nothing, cut when it is absurd."""
    cleaned = "".join(sign for sign in value if sign.isprintable()).strip() if value else ""
    return cleaned[:LONGEST_TEXT] or None
