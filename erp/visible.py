"""What the ERP sees of an order in the warehouse: its documents there, their parcels, and how much of each line is picked.

Written with the booking that saw it, in the statement that ends it, and only when something is new: a look that shows what was
shown before writes nothing here. What an answer leaves out is unknown, so it never wipes what was known.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any


@dataclass(frozen=True, slots=True)
class Parcel:
    """One parcel, or one waybill where the warehouse names no parcels."""

    number: str | None
    tracking_number: str | None
    tracking_url: str | None

    @property
    def key(self) -> str:
        """What it is known by: the parcel's own number, else its waybill, else its address."""
        if self.number:
            return f"parcel/{self.number}"
        return f"waybill/{self.tracking_number}" if self.tracking_number else f"url/{self.tracking_url}"


@dataclass(frozen=True, slots=True)
class Shown:
    """A document in the warehouse as the ERP is shown it. `way_of_delivery` is in the ERP's words where it has one."""

    doc_id: int
    number: str | None
    back_order_for: int | None
    status: int
    status_text: str | None
    meaning: str | None
    way_of_delivery: str | None
    transporter: str | None
    transporter_code: str | None
    transporter_service: str | None
    picked: Decimal
    shipped_at: datetime | None
    parcels: tuple[Parcel, ...]

    @property
    def digest(self) -> str:
        """Equal for equal content, whatever the order of parcels and the form of the numbers."""
        parcels = sorted((p.key, p.tracking_number or "", p.tracking_url or "") for p in self.parcels)
        facts = (
            self.number,
            self.back_order_for,
            self.status,
            self.status_text,
            self.meaning,
            self.way_of_delivery,
            self.transporter,
            self.transporter_code,
            self.transporter_service,
            f"{self.picked.normalize():f}",
            self.shipped_at.isoformat() if self.shipped_at else None,
            parcels,
        )
        return hashlib.sha256(repr(facts).encode()).hexdigest()[:16]


# The beginning of a statement that goes on with an update of bridge.watched, see erp.counters.
SHOWING = """
    with documents as (
      select * from unnest(cast(:shown_ids as bigint[]), cast(:numbers as text[]), cast(:back_orders_for as bigint[]),
        cast(:shown_statuses as int[]), cast(:texts as text[]), cast(:meanings as text[]), cast(:ways as text[]),
        cast(:transporters as text[]), cast(:transporter_codes as text[]), cast(:services as text[]), cast(:picked as numeric[]),
        cast(:shipped_times as timestamptz[])) as n(d, number, back, s, txt, meaning, way, carrier, code, service, picked, at)),
    shown as (
      insert into erp.warehouse_order as w (merchant_id, warehouse_order_id, order_number, warehouse_order_number, back_order_for,
        status, status_text, meaning, way_of_delivery, transporter, transporter_code, transporter_service, picked, shipped_at)
      select cast(:merchant as text), d, cast(:document as text), number, back, s, txt, meaning, way, carrier, code, service,
        picked, at from documents
      on conflict (merchant_id, warehouse_order_id) do update set
        warehouse_order_number = coalesce(excluded.warehouse_order_number, w.warehouse_order_number),
        back_order_for = coalesce(excluded.back_order_for, w.back_order_for),
        status = excluded.status, status_text = excluded.status_text, meaning = excluded.meaning,
        way_of_delivery = coalesce(excluded.way_of_delivery, w.way_of_delivery),
        transporter = coalesce(excluded.transporter, w.transporter),
        transporter_code = coalesce(excluded.transporter_code, w.transporter_code),
        transporter_service = coalesce(excluded.transporter_service, w.transporter_service),
        picked = excluded.picked, shipped_at = coalesce(excluded.shipped_at, w.shipped_at), changed_at = now()
      where (w.status, w.status_text, w.meaning, w.picked) is distinct from
            (excluded.status, excluded.status_text, excluded.meaning, excluded.picked)
        or excluded.warehouse_order_number <> coalesce(w.warehouse_order_number, '')
        or excluded.back_order_for <> coalesce(w.back_order_for, 0)
        or excluded.way_of_delivery <> coalesce(w.way_of_delivery, '') or excluded.transporter <> coalesce(w.transporter, '')
        or excluded.transporter_code <> coalesce(w.transporter_code, '')
        or excluded.transporter_service <> coalesce(w.transporter_service, '')
        or excluded.shipped_at <> coalesce(w.shipped_at, 'epoch')),
    tracked as (
      select * from unnest(cast(:parcel_docs as bigint[]), cast(:parcel_keys as text[]), cast(:parcel_numbers as text[]),
        cast(:tracking_numbers as text[]), cast(:tracking_urls as text[])) as n(d, key, number, waybill, url)),
    now_a_parcel as (
      delete from erp.parcel e using tracked t
      where e.merchant_id = cast(:merchant as text) and e.warehouse_order_id = t.d and e.parcel_number is null
        and t.number is not null and e.tracking_number = t.waybill),
    parcels as (
      insert into erp.parcel as e (merchant_id, warehouse_order_id, parcel_key, parcel_number, tracking_number, tracking_url)
      select cast(:merchant as text), t.d, t.key, t.number, t.waybill, t.url from tracked t
      where t.number is not null or not exists (
        select from erp.parcel q where q.merchant_id = cast(:merchant as text) and q.warehouse_order_id = t.d
          and q.parcel_number is not null and q.tracking_number = t.waybill)
      on conflict (merchant_id, warehouse_order_id, parcel_key) do update set
        tracking_number = coalesce(excluded.tracking_number, e.tracking_number),
        tracking_url = coalesce(excluded.tracking_url, e.tracking_url), changed_at = now()
      where excluded.tracking_number <> coalesce(e.tracking_number, '')
        or excluded.tracking_url <> coalesce(e.tracking_url, '')),
    lines as (
      insert into erp.picked_line as e (merchant_id, order_number, line_number, quantity)
      select cast(:merchant as text), cast(:document as text), n.l, n.q
      from unnest(cast(:lines as int[]), cast(:line_quantities as numeric[])) as n(l, q)
      on conflict (merchant_id, order_number, line_number) do update set quantity = excluded.quantity, changed_at = now()
      where e.quantity <> excluded.quantity)
"""


def showing(document: str, shown: Sequence[Shown], picked: Mapping[int, Decimal]) -> dict[str, Any]:
    """The parameters of `SHOWING`: the documents that are new to the ERP, and what of each of our lines is picked now."""
    parcels = [(each.doc_id, parcel) for each in shown for parcel in each.parcels]
    lines = sorted(picked)
    return {
        "document": document,
        "shown_ids": [each.doc_id for each in shown],
        "numbers": [each.number for each in shown],
        "back_orders_for": [each.back_order_for for each in shown],
        "shown_statuses": [each.status for each in shown],
        "texts": [each.status_text for each in shown],
        "meanings": [each.meaning for each in shown],
        "ways": [each.way_of_delivery for each in shown],
        "transporters": [each.transporter for each in shown],
        "transporter_codes": [each.transporter_code for each in shown],
        "services": [each.transporter_service for each in shown],
        "picked": [each.picked for each in shown],
        "shipped_times": [each.shipped_at for each in shown],
        "parcel_docs": [doc_id for doc_id, _ in parcels],
        "parcel_keys": [parcel.key for _, parcel in parcels],
        "parcel_numbers": [parcel.number for _, parcel in parcels],
        "tracking_numbers": [parcel.tracking_number for _, parcel in parcels],
        "tracking_urls": [parcel.tracking_url for _, parcel in parcels],
        "lines": lines,
        "line_quantities": [picked[line] for line in lines],
    }
