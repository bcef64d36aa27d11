"""Where a customer stands towards VAT, and which account a sale goes to. Rates themselves are facts of the ERP."""

from decimal import Decimal
from enum import StrEnum

from domain.errors import Refused

EU = frozenset(
    "AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IT LT LU LV MT NL PL PT RO SE SI SK".split()  # noqa: SIM905 - reads better
)


class VatZone(StrEnum):
    """How a sale is taxed, in the words of Fortnox's customer card (`VATType`)."""

    DOMESTIC = "SEVAT"
    EU_REVERSE_CHARGE = "EUREVERSEDVAT"
    EU_CONSUMER = "EUVAT"
    EXPORT = "EXPORT"


def vat_zone(home: str, country: str, vat_number: str | None) -> VatZone:
    """Home country, another EU country with or without a VAT number, or elsewhere."""
    if country == home:
        return VatZone.DOMESTIC
    if country in EU:
        return VatZone.EU_REVERSE_CHARGE if vat_number else VatZone.EU_CONSUMER
    return VatZone.EXPORT


def check_rate(zone: VatZone, rate: Decimal, row: str) -> None:
    """Refuse VAT on a sale that has none by its zone, naming the row."""
    if rate and zone in (VatZone.EU_REVERSE_CHARGE, VatZone.EXPORT):
        raise Refused("vat-does-not-fit-customer", f"{row} has {rate.normalize():f} % VAT, but the customer is {zone.value}")
