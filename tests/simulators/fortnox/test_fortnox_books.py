"""Vouchers, years, series, accounts, payments, and what can be read of them."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from tests.simulators.fortnox.harness import Company, row, voucher

D = Decimal


def post(company: Company, body: Any, **query: Any) -> Any:
    query.setdefault("financialyear", company.year())
    return company.call("POST", "vouchers", body, expect=201, **query)["Voucher"]


def test_a_voucher_is_numbered_stored_and_moves_the_balances(company: Company) -> None:
    body = voucher((4960, 812.5), (1460, -812.5), Comments="erp-vou-0000004410")
    first, second = post(company, body), post(company, body)
    assert (first["VoucherNumber"], second["VoucherNumber"], first["Year"]) == (1, 2, company.year())
    assert first["@url"].endswith(f"/3/vouchers/L/1?financialyear={company.year()}")
    assert [(line["Account"], line["Debit"], line["Credit"]) for line in first["VoucherRows"]] == [
        (4960, D("812.5"), 0),
        (1460, 0, D("812.5")),
    ]
    assert first["VoucherRows"][1]["Description"] == "Lager av handelsvaror"
    assert [company.balance(4960), company.balance(1460)] == [1625, -1625]
    assert company.call("GET", "vouchers/L/1", financialyear=company.year())["Voucher"] == first
    series = company.call("GET", "voucherseries/L", financialyear=company.year())["VoucherSeries"]
    assert (series["NextVoucherNumber"], series["Manual"]) == (3, True)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (voucher((4960, 10), (1460, -9.99)), 2999008),
        (voucher((4960, 10), (1461, -10)), 2000423),
        (voucher((4960, 10), (1460, -10), series="B"), 2999013),
        (voucher((4960, 10), (1460, -10), series="Q"), 2999012),
        (voucher((4960, 10), (1460, -10), date="2025-12-31"), 2999011),
        (voucher((4960, 10), (1460, -10), date="2031-01-01"), 2999002),
        (voucher((4960, 10), (1460, -10), Description="x" * 201), 2000107),
        (voucher((4960, 10), (1460, -10), Description=None), 2001795),
        (voucher((4960, 10), (1460, -10), VoucherNumber=5), 2001399),
        (voucher(), 2999029),
        ({"Voucher": {**voucher((4960, 10))["Voucher"], "VoucherRows": [{"Account": 4960, "Debit": 5, "Credit": 5}]}}, 2999029),
        (
            {
                "Voucher": {
                    **voucher((4960, 10))["Voucher"],
                    "VoucherRows": [{"Account": 4960, "Debit": -5}, {"Account": 1460, "Debit": 5}],
                }
            },
            2999029,
        ),
    ],
)
def test_what_cannot_be_booked_is_refused(company: Company, body: Any, code: int) -> None:
    assert company.refusal("POST", "vouchers", body, financialyear=company.year()) == code


def test_a_locked_period_and_an_inactive_account_refuse_a_voucher(company: Company) -> None:
    body = voucher((4960, 10), (1460, -10))
    company.simulator.ask("PUT", "locked-period", {"tenantId": company.tenant, "endDate": "2026-03-31"})
    assert company.refusal("POST", "vouchers", body, financialyear=company.year()) == 2000401
    company.simulator.ask("PUT", "locked-period", {"tenantId": company.tenant, "endDate": "2026-03-09"})
    company.simulator.ask("POST", "accounts/1460", {"tenantId": company.tenant, "active": False, "financialYear": company.year()})
    assert company.refusal("POST", "vouchers", body, financialyear=company.year()) == 2000550
    company.call("PUT", "accounts/1460", {"Account": {"Active": True}}, financialyear=company.year())
    post(company, body)


def test_a_voucher_cannot_be_changed_or_deleted(company: Company) -> None:
    post(company, voucher((4960, 10), (1460, -10)))
    for method in ("PUT", "DELETE"):
        assert company.send(method, "vouchers/L/1").status_code == 405


def test_without_a_year_the_preselected_one_is_read_and_written(company: Company) -> None:
    for day in ("2026-03-10", "2027-03-10"):
        post(company, voucher((4960, 10), (1460, -10), date=day, Description=day), financialyear=company.year(day))
    assert company.call("GET", "vouchers/L/1")["Voucher"]["Description"] == "2027-03-10"
    assert company.call("GET", "vouchers/L/1", financialyear=company.year())["Voucher"]["Description"] == "2026-03-10"
    assert company.call("GET", "vouchers/L/1", financialyeardate="2026-05-05")["Voucher"]["Description"] == "2026-03-10"
    assert company.refusal("POST", "vouchers", voucher((4960, 10), (1460, -10))) == 2999011
    company.knobs(preselectedYear=company.year())
    assert company.call("GET", "vouchers/L/1")["Voucher"]["Description"] == "2026-03-10"


def test_voucher_lists_have_no_rows_and_are_kept_apart_by_series_year_and_date(company: Company) -> None:
    for day in ("2026-03-10", "2026-03-11"):
        post(company, voucher((4960, 10), (1460, -10), date=day, Comments=f"erp-{day}"))
    post(company, voucher((4960, 10), (1460, -10), series="A"))
    company.booked()
    year = company.year()

    def listed(path: str, **query: Any) -> list[str]:
        answer = company.call("GET", path, financialyear=year, **query)
        assert all("VoucherRows" not in found for found in answer["Vouchers"])
        return [f"{found['VoucherSeries']}{found['VoucherNumber']}" for found in answer["Vouchers"]]

    assert listed("vouchers") == ["A1", "B1", "L1", "L2"]
    assert listed("vouchers/sublist/L") == listed("vouchers", voucherseries="L") == ["L1", "L2"]
    assert listed("vouchers/sublist/L", fromdate="2026-03-11", todate="2026-03-11") == ["L2"]
    assert company.call("GET", "vouchers/sublist/L", financialyear=company.year("2025-01-01"))["Vouchers"] == []
    company.knobs(sublistDates="ignored")
    assert listed("vouchers/sublist/L", fromdate="2026-03-11", todate="2026-03-11") == ["L1", "L2"]


def test_years_have_small_ids_in_the_order_of_their_making(open_company: Callable[..., Company]) -> None:
    company = open_company(
        financialYears=[{"from": "2026-01-01", "to": "2026-12-31"}, {"from": "2025-01-01", "to": "2025-12-31"}]
    )
    years = company.call("GET", "financialyears")["FinancialYears"]
    assert [(year["Id"], year["FromDate"], year["AccountingMethod"]) for year in years] == [
        (1, "2026-01-01", "ACCRUAL"),
        (2, "2025-01-01", "ACCRUAL"),
    ]
    assert company.call("GET", "financialyears", date="2027-01-01")["FinancialYears"] == []
    made = company.call(
        "POST", "financialyears", {"FinancialYear": {"FromDate": "2027-01-01", "ToDate": "2027-12-31"}}, expect=201
    )
    assert made["FinancialYear"]["Id"] == 3
    assert company.call("GET", "accounts/1460", financialyear=3)["Account"]["Active"] is True
    again = {"FinancialYear": {"FromDate": "2027-06-01", "ToDate": "2028-05-31"}}
    assert company.refusal("POST", "financialyears", again) == 2999026


def test_a_year_with_vouchers_cannot_be_taken_away(company: Company) -> None:
    company.booked()
    company.simulator.ask("DELETE", f"financial-years/{company.year()}?tenantId={company.tenant}", expect=400)


def test_accounts_and_series_belong_to_a_year(company: Company) -> None:
    year, next_year = company.year(), company.year("2027-01-01")
    made = company.call("POST", "accounts", {"Account": {"Number": 4971, "Description": "Svinn"}}, expect=201, financialyear=year)
    assert (made["Account"]["Year"], made["Account"]["BalanceCarriedForward"]) == (year, 0)
    assert (
        company.refusal("POST", "accounts", {"Account": {"Number": 4971, "Description": "Svinn"}}, financialyear=year) == 2999027
    )
    assert company.refusal("GET", "accounts/4971", financialyear=next_year, status=404) == 2000423
    changed = company.call("PUT", "accounts/4971", {"Account": {"BalanceBroughtForward": 100.5}}, financialyear=year)["Account"]
    assert (changed["BalanceBroughtForward"], changed["BalanceCarriedForward"]) == (D("100.5"), D("100.5"))
    company.call("POST", "voucherseries", {"VoucherSeries": {"Code": "M", "Manual": True}}, expect=201, financialyear=year)
    codes = [series["Code"] for series in company.call("GET", "voucherseries", financialyear=year)["VoucherSeriesCollection"]]
    assert codes == ["A", "B", "C", "D", "L", "M"]
    assert company.refusal("GET", "voucherseries/M", financialyear=next_year, status=404) == 2999012
    company.call("PUT", "voucherseries/L", {"VoucherSeries": {"Manual": False}}, financialyear=year)
    assert company.refusal("POST", "vouchers", voucher((4960, 10), (1460, -10)), financialyear=year) == 2999013


def test_an_account_that_the_chart_lacks_is_made_for_every_year(company: Company) -> None:
    made = company.simulator.ask("POST", "accounts/4972", {"tenantId": company.tenant, "description": "Svinn", "active": True})
    assert len(made["financialYears"]) == 19
    account = company.call("GET", "accounts/4972", financialyear=company.year("2010-12-01"))["Account"]
    assert (account["Description"], account["Active"]) == ("Svinn", True)


def test_an_account_can_demand_a_cost_centre(company: Company) -> None:
    company.call("PUT", "accounts/4960", {"Account": {"CostCenterSettings": "MANDATORY"}}, financialyear=company.year())
    body = voucher((4960, 10), (1460, -10))
    assert company.refusal("POST", "vouchers", body, financialyear=company.year()) == 2999029
    body["Voucher"]["VoucherRows"][0]["CostCenter"] = "SYD"
    post(company, body)


def test_the_predefined_accounts_and_series_rule_what_a_booking_uses(company: Company) -> None:
    assert company.call("GET", "predefinedvoucherseries/INVOICE")["PreDefinedVoucherSeries"]["VoucherSeries"] == "B"
    company.call("PUT", "predefinedvoucherseries/INVOICE", {"PreDefinedVoucherSeries": {"VoucherSeries": "A"}})
    company.call("PUT", "predefinedaccounts/CUSTCLAIM", {"PreDefinedAccount": {"Account": 1580}})
    booked = company.booked()
    assert booked["VoucherSeries"] == "A"
    assert company.voucher_of(booked)[1580] == 1500
    assert company.refusal("PUT", "predefinedaccounts/CUSTCLAIM", {"PreDefinedAccount": {"Account": 9998}}) == 2001265
    assert company.refusal("GET", "predefinedaccounts/NOTHING", status=404) == 2001403


def pay(company: Company, invoice: Any, amount: Any, **fields: Any) -> Any:
    body = {
        "InvoiceNumber": int(invoice["DocumentNumber"]),
        "Amount": amount,
        "PaymentDate": "2026-04-08",
        "ModeOfPayment": "BG",
        **fields,
    }
    return company.call("POST", "invoicepayments", {"InvoicePayment": body}, expect=201)["InvoicePayment"]


def test_only_a_booked_payment_lowers_the_balance(company: Company) -> None:
    invoice = company.booked()
    part = pay(company, invoice, 500)
    assert (part["Booked"], part["ModeOfPaymentAccount"], part["InvoiceTotal"]) == (False, 1930, "1500")
    assert company.read(invoice)["Balance"] == 1500
    booked = company.call("PUT", f"invoicepayments/{part['Number']}/bookkeep")["InvoicePayment"]
    assert company.voucher_of(booked) == {1930: 500, 1510: -500}
    assert (booked["VoucherSeries"], company.read(invoice)["Balance"], company.read(invoice)["FinalPayDate"]) == ("C", 1000, None)
    rest = pay(company, invoice, 1000)
    company.call("PUT", f"invoicepayments/{rest['Number']}/bookkeep")
    assert (company.read(invoice)["Balance"], company.read(invoice)["FinalPayDate"]) == (0, "2026-04-08")
    assert [found["DocumentNumber"] for found in company.call("GET", "invoices", filter="fullypaid")["Invoices"]] == [
        invoice["DocumentNumber"]
    ]


def test_equal_payments_are_all_taken_but_not_more_than_remains(company: Company) -> None:
    invoice = company.booked()
    numbers = [pay(company, invoice, 1500)["Number"] for _ in range(3)]
    company.call("PUT", f"invoicepayments/{numbers[0]}/bookkeep")
    assert company.refusal("PUT", f"invoicepayments/{numbers[1]}/bookkeep") == 2003055
    listed = company.call("GET", "invoicepayments", invoicenumber=invoice["DocumentNumber"])["InvoicePayments"]
    assert [(found["Number"], found["Booked"]) for found in listed] == [
        (numbers[0], True),
        (numbers[1], False),
        (numbers[2], False),
    ]
    company.call("DELETE", f"invoicepayments/{numbers[1]}", expect=204)
    assert company.refusal("DELETE", f"invoicepayments/{numbers[0]}") == 2999023


def test_a_payment_needs_a_booked_invoice_a_known_mode_and_a_later_date(company: Company) -> None:
    draft, booked = company.invoice(), company.booked()

    def refused(invoice: Any, **fields: Any) -> int:
        body = {"InvoiceNumber": int(invoice["DocumentNumber"]), "Amount": 10, "PaymentDate": "2026-04-08", **fields}
        return company.refusal("POST", "invoicepayments", {"InvoicePayment": body})

    assert refused(draft) == 2999007
    assert refused(booked, ModeOfPayment="SWISH") == 2999022
    assert refused(booked, PaymentDate="2026-03-09") == 2999020
    assert refused(booked, Amount=1500.01) == 2003055
    assert refused(booked, Amount=-1) == 2003055


def test_a_payment_in_another_currency_books_the_difference_of_the_rates(company: Company) -> None:
    invoice = company.booked([row(1, 100, 0, AccountNumber=3105)], Currency="EUR", CurrencyRate=11, CurrencyUnit=1)
    payment = pay(company, invoice, 1150, AmountCurrency=100, CurrencyRate=11.5)
    booked = company.call("PUT", f"invoicepayments/{payment['Number']}/bookkeep")["InvoicePayment"]
    assert company.voucher_of(booked) == {1930: 1150, 1510: -1100, 3960: -50}
    assert company.read(invoice)["Balance"] == 0


def test_a_write_off_settles_what_the_bank_kept(company: Company) -> None:
    invoice = company.booked()
    payment = pay(company, invoice, 1490, WriteOffs=[{"Amount": 10, "AccountNumber": 6570}])
    booked = company.call("PUT", f"invoicepayments/{payment['Number']}/bookkeep")["InvoicePayment"]
    assert company.voucher_of(booked) == {1930: 1490, 6570: 10, 1510: -1500}
    assert company.read(invoice)["Balance"] == 0


def test_the_sie_file_holds_every_voucher(company: Company) -> None:
    company.call("PUT", "accounts/1460", {"Account": {"BalanceBroughtForward": 1000}}, financialyear=company.year())
    post(company, voucher((4960, 812.5), (1460, -812.5), Description="Leverans åäö", Comments="erp"))
    company.booked()
    response = company.send("GET", "sie/4", financialyear=company.year())
    lines = response.content.decode("cp437").split("\r\n")
    assert '#KONTO 1460 "Lager av handelsvaror"' in lines
    assert '#VER L 1 20260310 "Leverans åäö"' in lines
    assert "#TRANS 1460 {} -812.50" in lines
    assert "#IB 0 1460 1000.00" in lines
    assert "#UB 0 1460 187.50" in lines
    assert "#RES 0 3001 -1200.00" in lines
    assert len([line for line in lines if line.startswith("#VER")]) == 2
    balances = company.send("GET", "sie/1", financialyear=company.year())
    assert b"#VER" not in balances.content


def test_a_supplier_invoice_must_balance_and_is_booked_as_its_rows_say(company: Company) -> None:
    supplier = company.call("POST", "suppliers", {"Supplier": {"Name": "Kniv och Ek AB", "SupplierNumber": "L1"}}, expect=201)[
        "Supplier"
    ]
    rows = [
        {"Account": 2440, "Credit": 125, "Code": "TOT"},
        {"Account": 2641, "Debit": 25, "Code": "VAT"},
        {"Account": 4010, "Debit": 100},
    ]
    body = {
        "SupplierNumber": supplier["SupplierNumber"],
        "InvoiceNumber": "F-77",
        "InvoiceDate": "2026-03-10",
        "Total": 125,
        "VAT": 25,
    }
    unbalanced = {"SupplierInvoice": {**body, "SupplierInvoiceRows": rows[:2]}}
    assert company.refusal("POST", "supplierinvoices", unbalanced) == 2000755
    made = company.call("POST", "supplierinvoices", {"SupplierInvoice": {**body, "SupplierInvoiceRows": rows}}, expect=201)[
        "SupplierInvoice"
    ]
    assert (made["GivenNumber"], made["Total"], made["Balance"], made["Cancelled"]) == ("1", "125", "125", False)
    [listed] = company.call("GET", "supplierinvoices", filter="unbooked")["SupplierInvoices"]
    assert (listed["Cancel"], listed["InvoiceNumber"]) == (False, "F-77")
    booked = company.call("PUT", "supplierinvoices/1/bookkeep")["SupplierInvoice"]
    assert company.voucher_of(booked) == {2440: -125, 2641: 25, 4010: 100}
    assert company.refusal("PUT", "supplierinvoices/1/cancel") == 2999004


def test_a_supplier_invoice_is_registered_changed_credited_and_cancelled_and_the_books_follow(company: Company) -> None:
    wish = {"invoiceNumber": "F-1", "date": "2026-03-10", "currency": "EUR", "rate": "11.40", "purchase": "PO-1"}
    line = {"account": 2490, "article": "A", "quantity": 10, "price": "10.50"}

    def desk(path: str, body: dict[str, Any]) -> Any:
        return company.simulator.ask("POST", path, {"tenantId": company.tenant} | body)

    desk("accounts/2490", {"description": "Mottaget ej fakturerat"})
    made = desk("supplier-invoices", wish | {"lines": [line]})
    assert (made["GivenNumber"], made["YourReference"], made["Booked"], made["Total"]) == ("1", "PO-1", True, "105")
    [row] = [row for row in made["SupplierInvoiceRows"] if row["Account"] == 2490]
    assert (row["Debit"], row["DebitCurrency"], row["Quantity"], row["ArticleNumber"]) == (1197, 105, 10, "A")
    assert company.balance(2490) == 1197
    desk("supplier-invoices/1/edit", wish | {"rate": "11.00", "lines": [line]})
    assert company.balance(2490) == 1155
    note = company.call("PUT", "supplierinvoices/1/credit")["SupplierInvoice"]
    assert (note["GivenNumber"], note["Credit"], note["CreditReference"], note["Booked"]) == ("2", True, 1, False)
    company.call("PUT", "supplierinvoices/2/bookkeep")
    assert company.balance(2490) == 0
    desk("supplier-invoices/2/edit", {"cancelled": True})
    assert company.balance(2490) == 1155
