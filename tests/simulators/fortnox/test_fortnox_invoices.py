"""Invoices: what a draft becomes, what it adds up to, and what booking does to the books."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.simulators.fortnox.harness import Company, row

D = Decimal


def test_an_invoice_is_answered_as_fortnox_answers(company: Company) -> None:
    response = company.send("POST", "invoices", {"Invoice": company.invoice_body([row(10, 120.00), row("4", 50)])})
    assert (response.status_code, response.headers["location"]) == (201, "invoices")
    assert b"http:\\/\\/127.0.0.1" in response.content
    invoice = response.json()["Invoice"]
    assert invoice["@url"] == f"{company.simulator.address}/3/invoices/{invoice['DocumentNumber']}"
    assert (invoice["Net"], invoice["TotalVAT"], invoice["Total"], invoice["TotalToPay"], invoice["Balance"]) == (
        1400,
        350,
        1750,
        1750,
        1750,
    )
    assert (invoice["Credit"], invoice["CreditInvoiceReference"], invoice["CurrencyRate"], invoice["DeliveryDate"]) == (
        "false",
        "0",
        1,
        None,
    )
    assert [line["DeliveredQuantity"] for line in invoice["InvoiceRows"]] == ["10", "4"]
    assert [line["RowId"] for line in invoice["InvoiceRows"]] == [1, 2]
    assert invoice["DueDate"] == "2026-04-09"
    [listed] = company.call("GET", "invoices")["Invoices"]
    assert listed["CurrencyRate"] == "1"
    assert not {"Credit", "InvoiceRows", "YourOrderNumber", "NotCompleted"} & listed.keys()
    assert company.read(invoice) == invoice


def test_the_same_request_five_times_makes_five_invoices(company: Company) -> None:
    numbers = [company.invoice(ExternalInvoiceReference1="same")["DocumentNumber"] for _ in range(5)]
    assert numbers == ["1", "2", "3", "4", "5"]
    assert len(company.call("GET", "invoices", externalinvoicereference1="same")["Invoices"]) == 5


@pytest.mark.parametrize(("number", "ocr"), [(1, "133"), (18, "1842"), (30, "3046"), (32, "3244")])
def test_the_payment_reference_follows_the_recorded_rule(company: Company, number: int, ocr: str) -> None:
    assert company.invoice(DocumentNumber=number)["OCR"] == ocr


def test_an_own_number_is_kept_and_a_taken_one_refused(company: Company) -> None:
    assert company.invoice(DocumentNumber="5000000000")["DocumentNumber"] == "5000000000"
    assert company.refusal("POST", "invoices", {"Invoice": company.invoice_body(DocumentNumber="5000000000")}) == 2999001
    company.knobs(codes={"duplicateInvoiceNumber": 2000861})
    assert company.refusal("POST", "invoices", {"Invoice": company.invoice_body(DocumentNumber=5000000000)}) == 2000861
    assert [company.invoice()["DocumentNumber"], company.invoice(DocumentNumber=3)["DocumentNumber"]] == ["1", "3"]
    assert [company.invoice()["DocumentNumber"] for _ in range(2)] == ["2", "4"]


def test_what_is_not_sent_is_filled_from_the_card(company: Company) -> None:
    where = {"Address1": "Kajgatan 4", "ZipCode": "41104", "City": "Göteborg", "CountryCode": "NO", "YourReference": "Eva"}
    fees = {"InvoiceFreight": "49", "InvoiceAdministrationFee": "19.50", "InvoiceDiscount": 10, "TermsOfPayment": "10"}
    company.customer("K2", DeliveryName="Lagret", DeliveryAddress1="Port 2", Currency="EUR", **where, **fees)
    rows = [{"Description": "Vara", "DeliveredQuantity": 1, "Price": 100, "VAT": 25, "AccountNumber": 3001}]
    filled = company.invoice(rows, CustomerNumber="K2")
    assert (filled["Address1"], filled["City"], filled["Country"]) == ("Kajgatan 4", "Göteborg", "Norway")
    assert (filled["Freight"], filled["AdministrationFee"], filled["InvoiceRows"][0]["Discount"]) == (49, D("19.5"), 10)
    assert (filled["DueDate"], filled["Currency"], filled["CurrencyRate"], filled["YourReference"]) == (
        "2026-03-20",
        "EUR",
        D("11.2"),
        "Eva",
    )
    sent = company.invoice(
        rows, CustomerNumber="K2", Freight=0, AdministrationFee=0, DeliveryName=None, DeliveryAddress1="Grinden", DeliveryCity=""
    )
    assert (sent["Freight"], sent["AdministrationFee"]) == (0, 0)
    assert (sent["DeliveryName"], sent["DeliveryAddress1"]) == ("", "Grinden")


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"Frakt": 1}, 2001399),
        ({"VATType": "SEVAT"}, 2001399),
        ({"Booked": True}, 2001399),
        ({"CustomerNumber": "K9"}, 2000433),
        ({"CustomerNumber": None}, 2000204),
        ({"YourReference": "x" * 51}, 2001600),
        ({"Comments": "x" * 1025}, 2001896),
        ({"ExternalInvoiceReference1": "x" * 81}, 2000107),
        ({"Remarks": 'En "bra" vara'}, 2000359),
        ({"Remarks": "Tack 🙂"}, 2000359),
        ({"Remarks": "a\tb"}, 2000359),
        ({"Freight": "mycket"}, 2000108),
        ({"NotCompleted": "kanske"}, 2000134),
        ({"Currency": "XXX"}, 2000427),
        ({"TermsOfPayment": "99"}, 2000429),
        ({"InvoiceDate": "2026-02-30"}, 2999010),
        ({"InvoiceRows": [row(Quantity=1)]}, 2001399),
        ({"InvoiceRows": [row(vat=17)]}, 2999014),
        ({"InvoiceRows": [row(AccountNumber=3999)]}, 2001303),
        ({"InvoiceRows": [row(ArticleNumber="saknas")]}, 2000428),
        ({"InvoiceRows": [row(Unit="låda")]}, 2000432),
        ({"InvoiceRows": [row(Unit=None)]}, 2000699),
        ({"InvoiceRows": [row(VATCode="X1")]}, 2004052),
        ({"InvoiceRows": [{"DeliveredQuantity": 1, "Price": 5, "VAT": 25}]}, 2003977),
        ({"InvoiceRows": [row()] * 501}, 2999015),
        ({"InvoiceRows": "rader"}, 2001392),
    ],
)  # fmt: skip
def test_what_fortnox_refuses_leaves_nothing_behind(company: Company, fields: dict[str, Any], code: int) -> None:
    assert company.refusal("POST", "invoices", {"Invoice": {**company.invoice_body(), **fields}}) == code


def test_malformed_and_unwrapped_bodies_have_codes_of_their_own(company: Company) -> None:
    def code(raw: bytes) -> int:
        response = company.http.post("/3/invoices", content=raw, headers={"content-type": "application/json"})
        return int(response.json()["ErrorInformation"]["code"])

    assert code(b'{"Invoice":') == 2002115
    assert code(b'{"Invoice":{"Freight":NaN}}') == 2002115
    assert code(b'{"CustomerNumber":"K1"}') == 2001392
    assert code(b"") == 2001392


def test_some_texts_are_cut_without_a_word(company: Company) -> None:
    invoice = company.invoice([row(Description="d" * 300)], YourOrderNumber="n" * 75, DeliveryAddress1="a" * 70)
    assert len(invoice["InvoiceRows"][0]["Description"]) == 255
    assert (len(invoice["YourOrderNumber"]), len(invoice["DeliveryAddress1"])) == (30, 60)


def test_an_invoice_of_500_rows_is_taken(company: Company) -> None:
    invoice = company.invoice([row(1, "0.33") for _ in range(500)])
    assert len(invoice["InvoiceRows"]) == 500
    assert (invoice["Net"], invoice["TotalVAT"]) == (165, D("41.25"))


def test_absent_and_empty_keep_while_null_and_blank_clear(company: Company) -> None:
    made = company.invoice(OurReference="Syd", YourReference="Eva", Remarks="Tack", Comments="Internt", DeliveryDate="2026-03-12")
    changed = company.change(made, OurReference="", YourReference=None, Remarks="API_BLANK", DeliveryDate=None)
    told = [changed[name] for name in ("OurReference", "YourReference", "Remarks", "Comments", "DeliveryDate")]
    assert told == ["Syd", "", "", "Internt", None]


def test_rows_without_ids_are_matched_by_position_and_inherit(company: Company) -> None:
    made = company.invoice(
        [row(Description="Ett", Discount=10, DiscountType="PERCENT"), row(Description="Två"), row(Description="Tre")]
    )
    changed = company.change(made, InvoiceRows=[{"Description": "Nytt"}, {"DeliveredQuantity": 3}])
    first, second = changed["InvoiceRows"]
    assert (first["Description"], first["Discount"], first["DeliveredQuantity"]) == ("Nytt", 10, "10")
    assert (second["Description"], second["DeliveredQuantity"]) == ("Två", "3")
    assert not {line["RowId"] for line in changed["InvoiceRows"]} & {line["RowId"] for line in made["InvoiceRows"]}


def test_rows_with_ids_are_kept_changed_added_and_removed(company: Company) -> None:
    made = company.invoice([row(Description="Ett"), row(Description="Två"), row(Description="Tre")])
    ids = [line["RowId"] for line in made["InvoiceRows"]]
    changed = company.change(made, InvoiceRows=[{"RowId": ids[2]}, {"RowId": ids[0], "Price": 7}, row(Description="Ny")])
    assert [(line["Description"], line["Price"]) for line in changed["InvoiceRows"]] == [("Tre", 120), ("Ett", 7), ("Ny", 120)]


def test_an_article_fills_its_row(company: Company) -> None:
    company.article("SKU-1", VAT=12, Unit="st", SalesAccount=3002)
    company.call(
        "POST", "prices", {"Price": {"ArticleNumber": "SKU-1", "PriceList": "A", "FromQuantity": 0, "Price": 80}}, expect=201
    )
    company.call(
        "POST", "prices", {"Price": {"ArticleNumber": "SKU-1", "PriceList": "A", "FromQuantity": 10, "Price": 70}}, expect=201
    )
    lines = company.invoice([{"ArticleNumber": "SKU-1", "DeliveredQuantity": quantity} for quantity in (1, 10)])["InvoiceRows"]
    assert [(line["Description"], line["Unit"], line["VAT"], line["AccountNumber"]) for line in lines] == [
        ("Vara SKU-1", "st", 12, 3002)
    ] * 2
    assert [line["Price"] for line in lines] == [80, 70]
    assert company.invoice([{"ArticleNumber": "SKU-1"}])["InvoiceRows"][0]["DeliveredQuantity"] == "0"


@pytest.mark.parametrize(
    ("vat_type", "account", "rate"),
    [("SEVAT", 3001, 25), ("SEREVERSEDVAT", 3231, 0), ("EUREVERSEDVAT", 3108, 0), ("EUVAT", 3106, 25), ("EXPORT", 3105, 0)],
)
def test_a_row_without_account_gets_the_one_of_the_customers_vat_type(
    company: Company, vat_type: str, account: int, rate: int
) -> None:
    company.customer("K2", VATType=vat_type)
    [line] = company.invoice([{"Description": "Vara", "DeliveredQuantity": 1, "Price": 10}], CustomerNumber="K2")["InvoiceRows"]
    assert (line["AccountNumber"], line["VAT"]) == (account, rate)


@pytest.mark.parametrize(("rate", "account"), [(25, 3001), (12, 3002), (6, 3003), (0, 3004)])
def test_a_swedish_row_gets_the_account_of_its_rate(company: Company, rate: int, account: int) -> None:
    [line] = company.invoice([{"Description": "Vara", "DeliveredQuantity": 1, "Price": 10, "VAT": rate}])["InvoiceRows"]
    assert line["AccountNumber"] == account


def test_a_null_account_becomes_account_zero_and_cannot_be_booked(company: Company) -> None:
    invoice = company.invoice([row(AccountNumber=None)])
    assert invoice["InvoiceRows"][0]["AccountNumber"] == 0
    assert company.refusal("PUT", f"invoices/{invoice['DocumentNumber']}/bookkeep") == 2001303


def test_prices_and_quantities_keep_two_decimals_rounded_half_up(company: Company) -> None:
    [line] = company.invoice([row("1.005", "1.125")])["InvoiceRows"]
    assert (line["DeliveredQuantity"], line["Price"], line["Total"]) == ("1.01", D("1.13"), D("1.14"))
    company.knobs(priceDecimals=4)
    assert company.invoice([row(100, "1.1253")])["InvoiceRows"][0]["Total"] == D("112.53")


def test_vat_is_rounded_per_rate_or_per_row_as_set(company: Company) -> None:
    rows = [row(1, "0.33") for _ in range(10)]  # 0.0825 each, 0.825 together
    assert company.invoice(rows)["TotalVAT"] == D("0.83")
    company.knobs(vatRounding="row")
    assert company.invoice(rows)["TotalVAT"] == D("0.8")


def test_prices_with_vat_leave_the_gross_side_exact(company: Company) -> None:
    invoice = company.invoice([row(3, 100), row(1, 112, 12)], VATIncluded=True)
    assert (invoice["Total"], invoice["TotalVAT"], invoice["Net"]) == (412, 72, 340)
    assert [line["TotalExcludingVAT"] for line in invoice["InvoiceRows"]] == [240, 100]


def test_a_whole_amount_to_pay_is_a_setting(company: Company) -> None:
    company.knobs(roundOff=True)
    booked = company.booked([row(1, "99.90")])
    assert (booked["Total"], booked["RoundOff"], booked["TotalToPay"]) == (D("124.88"), D("0.12"), 125)
    assert company.voucher_of(booked) == {1510: 125, 3001: D("-99.9"), 2611: D("-24.98"), 3740: D("-0.12")}
    assert company.invoice([row(1, "99.60")])["TotalToPay"] == 125  # 124.50: half goes up
    assert company.invoice([row(1, "99.60")], Currency="EUR")["RoundOff"] == 0


def test_booking_makes_a_voucher_and_moves_the_balances(company: Company) -> None:
    booked = company.booked([row(10, 120), row(2, 100, 12, AccountNumber=3002)], Freight=49)
    assert (booked["Booked"], booked["VoucherSeries"], booked["VoucherNumber"]) == (True, "B", 1)
    assert booked["VoucherYear"] == company.year()
    assert company.voucher_of(booked) == {1510: D("1785.25"), 3001: -1200, 3002: -200, 3520: -49, 2611: D("-312.25"), 2621: -24}
    assert [company.balance(1510), company.balance(2621)] == [D("1785.25"), -24]
    voucher = company.call("GET", "vouchers/B/1", financialyear=company.year())["Voucher"]
    assert (voucher["ReferenceType"], voucher["ReferenceNumber"], voucher["TransactionDate"]) == ("INVOICE", "1", "2026-03-10")
    company.booked()
    assert company.state()["invoices"][1]["voucher"] == f"B/2/{company.year()}"


def test_a_foreign_invoice_is_booked_in_swedish_crowns(company: Company) -> None:
    booked = company.booked([row(1, "100.01", 0, AccountNumber=3105), row(1, "0.05", 0, AccountNumber=3108)], Currency="NOK")
    assert (booked["Total"], booked["CurrencyRate"], booked["CurrencyUnit"]) == (D("100.06"), D("96.4"), 100)
    assert company.voucher_of(booked) == {1510: D("96.46"), 3105: D("-96.41"), 3108: D("-0.05")}
    sent = company.invoice([row(1, 100)], Currency="EUR", CurrencyRate=11.5, CurrencyUnit=1)
    assert (sent["CurrencyRate"], sent["CurrencyUnit"]) == (D("11.5"), 1)


def test_a_draft_cannot_be_booked_before_it_is_complete(company: Company) -> None:
    draft = company.invoice(NotCompleted=True)
    assert company.refusal("PUT", f"invoices/{draft['DocumentNumber']}/bookkeep") == 2003498
    company.change(draft, NotCompleted=False)
    assert company.call("PUT", f"invoices/{draft['DocumentNumber']}/bookkeep")["Invoice"]["Booked"] is True


def test_the_warehouse_module_holds_booking_until_released(company: Company) -> None:
    company.knobs(warehouseModule=True)
    number = company.invoice()["DocumentNumber"]
    assert company.refusal("PUT", f"invoices/{number}/bookkeep") == 2003498
    company.call("PUT", f"invoices/{number}/warehouseready")
    assert company.call("PUT", f"invoices/{number}/bookkeep")["Invoice"]["Booked"] is True


def test_what_is_booked_is_final(company: Company) -> None:
    number = company.booked()["DocumentNumber"]
    assert company.refusal("PUT", f"invoices/{number}", {"Invoice": {"Remarks": "Ny"}}) == 2999004
    assert company.refusal("PUT", f"invoices/{number}/cancel") == 2999005
    assert company.refusal("PUT", f"invoices/{number}/bookkeep") == 2999003
    company.knobs(secondBookkeep="no-op")
    assert company.call("PUT", f"invoices/{number}/bookkeep")["Invoice"]["VoucherNumber"] == 1
    assert len(company.state()["vouchers"]) == 1


def test_a_locked_period_a_missing_year_and_an_inactive_account_refuse_the_booking(company: Company) -> None:
    number = company.invoice()["DocumentNumber"]
    company.simulator.ask("PUT", "locked-period", {"tenantId": company.tenant, "endDate": "2026-03-10"})
    assert company.call("GET", "settings/lockedperiod") == {"LockedPeriod": {"EndDate": "2026-03-10"}}
    assert company.refusal("PUT", f"invoices/{number}/bookkeep") == 2000401
    company.simulator.ask("PUT", "locked-period", {"tenantId": company.tenant, "endDate": None})
    company.simulator.ask("POST", "accounts/3001", {"tenantId": company.tenant, "active": False})
    assert company.refusal("PUT", f"invoices/{number}/bookkeep") == 2000550
    company.simulator.ask("POST", "accounts/3001", {"tenantId": company.tenant, "active": True})
    company.simulator.ask("DELETE", f"financial-years/{company.year()}?tenantId={company.tenant}")
    assert company.refusal("PUT", f"invoices/{number}/bookkeep") == 2999002
    company.simulator.ask("POST", "financial-years", {"tenantId": company.tenant, "from": "2026-01-01", "to": "2026-12-31"})
    assert company.call("PUT", f"invoices/{number}/bookkeep")["Invoice"]["Booked"] is True


def test_only_an_unbooked_invoice_can_be_cancelled_and_only_once(company: Company) -> None:
    draft = company.invoice(NotCompleted=True)
    assert company.call("PUT", f"invoices/{draft['DocumentNumber']}/cancel")["Invoice"]["Cancelled"] is True
    assert company.refusal("PUT", f"invoices/{draft['DocumentNumber']}/cancel") == 2999017
    assert company.refusal("PUT", f"invoices/{draft['DocumentNumber']}", {"Invoice": {"Remarks": "Ny"}}) == 2999016
    company.knobs(secondCancel="no-op")
    assert company.call("PUT", f"invoices/{draft['DocumentNumber']}/cancel")["Invoice"]["Cancelled"] is True
    assert company.call("GET", "invoices", filter="cancelled")["MetaInformation"]["@TotalResources"] == 1


def test_a_credit_by_action_mirrors_the_original_and_is_made_once(company: Company) -> None:
    assert company.refusal("PUT", f"invoices/{company.invoice()['DocumentNumber']}/credit") == 2999018
    booked = company.booked([row(3, 100)], Freight=10, ExternalInvoiceReference1="erp-inv-1")
    original = company.call("PUT", f"invoices/{booked['DocumentNumber']}/credit")["Invoice"]
    assert original["DocumentNumber"] == booked["DocumentNumber"]
    credit = company.call("GET", f"invoices/{original['CreditInvoiceReference']}")["Invoice"]
    assert (credit["Credit"], credit["CreditInvoiceReference"], credit["ExternalInvoiceReference1"]) == (
        "true",
        booked["DocumentNumber"],
        "",
    )
    assert (credit["Total"], credit["Booked"]) == (-booked["Total"], False)
    company.call("PUT", f"invoices/{credit['DocumentNumber']}/bookkeep")
    assert [company.balance(account) for account in (1510, 3001, 2611, 3520)] == [0, 0, 0, 0]
    assert company.refusal("PUT", f"invoices/{booked['DocumentNumber']}/credit") == 2999006


def test_a_negative_invoice_is_a_credit_with_a_reference_of_its_own(company: Company) -> None:
    booked = company.booked([row(-2, 100)], ExternalInvoiceReference1="erp-crn-1")
    assert (booked["Credit"], booked["Total"], booked["InvoiceRows"][0]["DeliveredQuantity"]) == ("true", -250, "-2")
    assert company.voucher_of(booked) == {1510: -250, 3001: 200, 2611: 50}
    company.knobs(negativeInvoiceIsCredit=False)
    assert company.invoice([row(-2, 100)])["Credit"] == "false"


def test_some_reads_change_the_world_and_each_is_counted(company: Company) -> None:
    number = company.booked()["DocumentNumber"]
    assert company.send("GET", f"invoices/{number}/preview").content.startswith(b"%PDF")
    assert company.call("GET", f"invoices/{number}")["Invoice"]["Sent"] is False
    for _ in range(2):
        assert company.call("GET", f"invoices/{number}/email")["Invoice"]["Sent"] is True
    assert company.send("GET", f"invoices/{number}/print").headers["content-type"] == "application/pdf"
    company.send("GET", f"invoices/{number}/printreminder")
    company.call("PUT", f"invoices/{number}/externalprint")
    assert company.call("GET", f"invoices/{number}")["Invoice"]["Reminders"] == 1
    assert company.state()["invoices"][0]["sent"] == {"email": 2, "print": 1, "printreminder": 1, "externalprint": 1}


def test_lists_are_paged_with_a_meta_block(company: Company) -> None:
    assert company.call("GET", "invoices") == {
        "MetaInformation": {"@TotalResources": 0, "@TotalPages": 0, "@CurrentPage": 1},
        "Invoices": [],
    }
    for _ in range(5):
        company.invoice()

    def numbers(**query: Any) -> list[str]:
        return [invoice["DocumentNumber"] for invoice in company.call("GET", "invoices", **query)["Invoices"]]

    assert company.call("GET", "invoices", limit=2)["MetaInformation"] == {
        "@TotalResources": 5,
        "@TotalPages": 3,
        "@CurrentPage": 1,
    }
    assert [numbers(limit=2, page=page) for page in (1, 2, 3, 4)] == [["1", "2"], ["3", "4"], ["5"], []]
    assert numbers(limit=2, offset=3) == ["4", "5"]
    assert numbers(sortby="documentnumber", sortorder="descending") == ["5", "4", "3", "2", "1"]
    assert company.refusal("GET", "invoices", filter="alla") == 2000587
    assert company.refusal("GET", "invoices", sortby="färg") == 2000588
    assert company.call("GET", "invoices", limit=9999)["MetaInformation"]["@TotalPages"] == 1


def test_a_search_finds_parts_and_other_cases_and_can_be_set_to_beginnings(company: Company) -> None:
    for reference in ("inv-1", "inv-10", "INV-1", "x-inv-1", "other"):
        company.invoice(ExternalInvoiceReference1=reference)

    def found(sought: str) -> list[str]:
        answer = company.call("GET", "invoices", externalinvoicereference1=sought)
        return [invoice["ExternalInvoiceReference1"] for invoice in answer["Invoices"]]

    assert found("inv-1") == ["inv-1", "inv-10", "INV-1", "x-inv-1"]
    assert found("nv-1") == ["inv-1", "inv-10", "INV-1", "x-inv-1"]
    assert found("inv-100") == []
    company.knobs(searchMode="prefix")
    assert found("inv-1") == ["inv-1", "inv-10", "INV-1"]


def test_lists_are_filtered_by_state_date_customer_and_row(company: Company) -> None:
    company.customer("K2", Name="Sydhavet AB")
    company.article("SKU-1")
    company.booked(InvoiceDate="2026-01-05", Currency="EUR")
    company.invoice(InvoiceDate="2026-02-05", CustomerNumber="K2", NotCompleted=True, OurReference="Lager", YourReference="Eva")
    company.invoice([row(ArticleNumber="SKU-1", AccountNumber=3002)], InvoiceDate="2026-03-05", OurReference="Lager")

    def numbers(**query: Any) -> list[str]:
        return [invoice["DocumentNumber"] for invoice in company.call("GET", "invoices", **query)["Invoices"]]

    assert numbers(filter="unbooked") == ["2", "3"]
    assert numbers(filter="unpaid") == ["1"]
    assert numbers(fromdate="2026-02-05", todate="2026-03-05") == ["2", "3"]
    assert numbers(customernumber="K2") == numbers(customername="sydhavet") == numbers(notcompleted="true") == ["2"]
    assert numbers(ourreference="lager", yourreference="eva") == ["2"]
    assert numbers(currency="EUR") == ["1"]
    assert numbers(articlenumber="sku-1") == numbers(accountnumberfrom=3002, accountnumberto=3002) == ["3"]
    assert numbers(lastmodified="2099-01-01 00:00") == []
    assert numbers(misspelled="x") == ["1", "2", "3"]
    company.knobs(unknownParameter="refused")
    assert company.refusal("GET", "invoices", misspelled="x") == 2000588


def test_a_company_on_the_cash_method_books_no_invoice(simulator: Any) -> None:
    company = Company(simulator, accountingMethod="CASH")
    company.customer()
    invoice = company.invoice()
    assert invoice["AccountingMethod"] == "CASH"
    assert company.refusal("PUT", f"invoices/{invoice['DocumentNumber']}/bookkeep") == 2999009
    company.close()


_amounts = st.decimals(min_value="-9999.99", max_value="9999.99", places=2)
_rows = st.lists(
    st.builds(
        row,
        quantity=st.decimals(min_value="-99.99", max_value="99.99", places=2).map(str),
        price=_amounts.map(str),
        vat=st.sampled_from([25, 12, 6, 0]),
        AccountNumber=st.sampled_from([3001, 3002, 3003, 3004]),
        Discount=st.sampled_from([0, 5, 33]),
    ),
    min_size=1,
    max_size=8,
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=_rows, included=st.booleans(), currency=st.sampled_from(["SEK", "EUR", "NOK"]), freight=_amounts.map(str))
def test_whatever_the_rows_the_figures_agree_and_the_voucher_balances(
    company: Company, rows: list[Any], included: bool, currency: str, freight: str
) -> None:
    booked = company.booked(rows, VATIncluded=included, Currency=currency, Freight=freight)
    totals = {name: D(booked[name]) for name in ("Net", "Gross", "TotalVAT", "Total", "Freight", "FreightVAT")}
    assert totals["Total"] == totals["Net"] + totals["TotalVAT"]
    quoted = sum((D(line["Total"]) for line in booked["InvoiceRows"]), D(0)) + totals["Freight"]
    assert quoted == (totals["Total"] if included else totals["Net"])
    expected = sum(
        (D(line["Total"]) * line["VAT"] / ((100 + line["VAT"]) if included else 100) for line in booked["InvoiceRows"]), D(0)
    )
    assert abs(totals["TotalVAT"] - totals["FreightVAT"] - expected) <= D("0.005") * 4
    claim = totals["Total"] * D(booked["CurrencyRate"]) / booked["CurrencyUnit"]
    assert abs(company.voucher_of(booked).get(1510, D(0)) - claim) <= D("0.005")
