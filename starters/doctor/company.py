"""What a merchant needs of its books: the settings, and what its rows in the ERP make use of."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from domain.merchant import MerchantSettings


@dataclass(frozen=True, slots=True)
class Company:
    """What the merchant needs of its books: today there, its settings, the currencies, VAT rates and order types in use.

    `sales`: VAT zone and rate of what is sold; `freights`: zones of orders with freight.
    """

    today: date
    settings: MerchantSettings
    currency: str
    currencies: Sequence[str]
    vat_rates: Sequence[str]
    order_types: Sequence[str] = ()
    sales: Sequence[tuple[str, str]] = ()
    freights: Sequence[str] = ()
    supplier_currencies: Sequence[str] = ()
