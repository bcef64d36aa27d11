"""Customers, articles and the small registers."""

from decimal import Decimal
from typing import Any

import pytest

from tests.simulators.fortnox.harness import Company, row

D = Decimal


def test_a_customer_gets_a_number_or_keeps_the_one_given(company: Company) -> None:
    assert company.call("POST", "customers", {"Customer": {"Name": "Ett AB"}}, expect=201)["Customer"]["CustomerNumber"] == "1"
    made = company.customer("K-10042/a", VATType="SEVAT", CountryCode="SE", ExternalReference="erp:customer:1", City="Göteborg")
    assert (made["Country"], made["Currency"], made["TermsOfPayment"], made["PriceList"]) == ("Sverige", "SEK", "30", "A")
    assert (made["Address1"], made["Email"]) == (None, "")
    assert company.call("GET", "customers/K-10042%2Fa")["Customer"] == made
    assert company.refusal("POST", "customers", {"Customer": {"Name": "Ett AB", "CustomerNumber": "K-10042/a"}}) == 2000637


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"Name": None}, 2000637),
        ({"CustomerNumber": "K 1"}, 2000106),
        ({"Country": "Sverige"}, 2001399),
        ({"CountryCode": "SWE"}, 2000107),
        ({"Currency": "XXX"}, 2000427),
        ({"VATNumber": "nonsense"}, 2004194),
        ({"OrganisationNumber": "556789-1234"}, 2999030),
        ({"ZipCode": "12345678901"}, 2000107),
        ({"VATType": "NOVAT"}, 2999025),
        ({"Name": "<script>"}, 2000359),
    ],
)
def test_a_wrong_card_is_refused(company: Company, fields: dict[str, Any], code: int) -> None:
    assert company.refusal("POST", "customers", {"Customer": {"Name": "Ett AB", **fields}}) == code


def test_a_card_is_changed_field_by_field(company: Company) -> None:
    company.customer("K2", Phone1="031-1", City="Göteborg", InvoiceFreight=49)
    changed = company.call("PUT", "customers/K2", {"Customer": {"Phone1": None, "City": "", "Name": "Nytt AB"}})["Customer"]
    assert (changed["Phone1"], changed["City"], changed["Name"], changed["InvoiceFreight"]) == (None, "Göteborg", "Nytt AB", "49")
    assert company.refusal("PUT", "customers/K2", {"Customer": {"CustomerNumber": "K3"}}) == 2000310
    assert company.refusal("PUT", "customers/K9", {"Customer": {"Name": "X"}}, status=404) == 2000433


def test_a_customer_with_documents_cannot_be_deleted_and_numbers_come_back(company: Company) -> None:
    invoice = company.invoice()
    assert company.refusal("DELETE", "customers/K1") == 2000310
    company.call("PUT", f"invoices/{invoice['DocumentNumber']}/cancel")
    company.call("DELETE", "customers/K1", expect=204)
    assert company.refusal("GET", "customers/K1", status=404) == 2000433
    assert company.refusal("POST", "customers", {"Customer": {"Name": "Ny", "CustomerNumber": "K1"}}) == 2000637

    def new() -> str:
        return str(company.call("POST", "customers", {"Customer": {"Name": "Ny"}}, expect=201)["Customer"]["CustomerNumber"])

    last = new()
    company.call("DELETE", f"customers/{last}", expect=204)
    assert new() == last
    company.call("DELETE", f"customers/{last}", expect=204)
    company.knobs(recycleCustomerNumbers=False)
    assert new() != last


def test_customers_are_found_by_part_of_the_name_but_exactly_by_organisation(company: Company) -> None:
    company.customer("K2", Name="Sydhavet AB", OrganisationNumber="556000-0001".replace("0001", "0167"), Active=False)

    def found(**query: Any) -> list[str]:
        return [customer["CustomerNumber"] for customer in company.call("GET", "customers", **query)["Customers"]]

    assert found(name="havet") == ["K1", "K2"]
    assert found(name="HAVET A") == ["K2"]
    assert found(filter="active") == ["K1"]
    assert found(organisationnumber="556000-0167") == ["K2"]
    assert found(organisationnumber="556000") == []
    assert found(sortby="name", sortorder="descending") == ["K2", "K1"]


def test_an_article_shows_the_recorded_defaults(company: Company) -> None:
    made = company.article("SKU-1001")
    told = [made[name] for name in ("EUAccount", "EUVATAccount", "ExportAccount", "PurchaseAccount", "VAT", "SalesPrice", "Type")]
    assert told == [3108, 3106, 3105, 4000, 0, None, "STOCK"]
    assert company.refusal("POST", "articles", {"Article": {"ArticleNumber": "SKU-1001", "Description": "Igen"}}) == 2000013


def test_near_twins_of_article_numbers_stay_apart(company: Company) -> None:
    company.article("84970S", Description="Stor")
    company.article("84970s", Description="Liten")
    assert company.call("GET", "articles/84970s")["Article"]["Description"] == "Liten"
    assert [found["ArticleNumber"] for found in company.call("GET", "articles", articlenumber="84970s")["Articles"]] == [
        "84970S",
        "84970s",
    ]


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"SalesPrice": 10}, 2000321),
        ({"StockValue": 10}, 2001399),
        ({"ArticleNumber": "med mellanslag"}, 2000106),
        ({"Unit": "låda"}, 2000432),
        ({"SalesAccount": 3999}, 2001304),
        ({"Description": "x" * 201}, 2000107),
        ({"Description": None}, 2000204),
        ({"Weight": -1}, 2000108),
    ],
)
def test_a_wrong_article_is_refused(company: Company, fields: dict[str, Any], code: int) -> None:
    body = {"Article": {"ArticleNumber": "SKU-1", "Description": "Vara", **fields}}
    assert company.refusal("POST", "articles", body) == code


def test_a_used_article_cannot_be_deleted(company: Company) -> None:
    company.article("SKU-1")
    company.article("SKU-2")
    company.invoice([row(ArticleNumber="SKU-1")])
    assert company.refusal("DELETE", "articles/SKU-1") == 2000310
    company.call("DELETE", "articles/SKU-2", expect=204)
    assert company.refusal("GET", "articles/SKU-2", status=404) == 2000428


def test_a_default_account_that_is_not_in_the_chart_can_break_a_change(company: Company) -> None:
    company.article("SKU-1")
    company.call("DELETE", "accounts/4000", expect=204)
    company.call("PUT", "articles/SKU-1", {"Article": {"Note": "Ny"}})
    company.knobs(missingDefaultAccountBreaksPut=True)
    assert company.refusal("PUT", "articles/SKU-1", {"Article": {"Note": "Nyare"}}) == 2001304


def test_prices_have_steps(company: Company) -> None:
    company.article("SKU-1")
    first = company.call("PUT", "prices/A/SKU-1", {"Price": {"Price": 9.5}})["Price"]
    assert (first["Price"], first["FromQuantity"]) == (D("9.5"), 0)
    company.call("PUT", "prices/A/SKU-1/10", {"Price": {"Price": 8}})
    assert [step["Price"] for step in company.call("GET", "prices/sublist/A/SKU-1")["Prices"]] == [D("9.5"), 8]
    assert company.call("GET", "prices/A/SKU-1/10")["Price"]["Price"] == 8
    company.call("DELETE", "prices/A/SKU-1/10", expect=204)
    assert company.refusal("GET", "prices/A/SKU-1/10", status=404) == 2000430
    twice = {"Price": {"ArticleNumber": "SKU-1", "PriceList": "A", "FromQuantity": 0, "Price": 1}}
    assert company.refusal("POST", "prices", twice) == 2000762


def test_the_small_registers_are_there_and_can_be_added_to(company: Company) -> None:
    assert "NOK" in [currency["Code"] for currency in company.call("GET", "currencies")["Currencies"]]
    company.call(
        "POST", "currencies", {"Currency": {"Code": "CZK", "Description": "Koruna", "BuyRate": 0.45, "Unit": 1}}, expect=201
    )
    company.call("PUT", "currencies/CZK", {"Currency": {"BuyRate": 0.4567}})
    assert company.invoice(Currency="CZK")["CurrencyRate"] == D("0.4567")
    assert company.refusal("DELETE", "currencies/CZK") == 2000310
    company.call("POST", "units", {"Unit": {"Code": "l", "Description": "liter"}}, expect=201)
    company.call("DELETE", "units/l", expect=204)
    assert company.refusal("GET", "units/l", status=404) == 2000432
    company.call("POST", "termsofpayments", {"TermsOfPayment": {"Code": "45", "Description": "45 dagar"}}, expect=201)
    assert company.invoice(TermsOfPayment="45")["DueDate"] == "2026-04-24"
    assert company.call("GET", "modesofpayments/BG")["ModeOfPayment"]["AccountNumber"] == "1930"
    assert company.call("GET", "pricelists")["PriceLists"][0]["Code"] == "A"


def test_company_settings_name_the_company(company: Company) -> None:
    told = company.call("GET", "settings/company")["CompanySettings"]
    assert (told["DatabaseNumber"], told["Name"]) == (str(company.tenant), f"Bolag {company.tenant} AB")
