"""What Fortnox's error codes mean for a person: which reason of ours a refusal is.

Every code that is known is named here, most of them only by the document that was refused (`None`): then the answer's words say
what to correct. Some refusals have no known code and are told by their text. What is not known is never retried by itself.
"""

DOCUMENTS = {"invoice": "invoice-refused", "customer": "customer-refused", "voucher": "voucher-refused"}

_ACCOUNT = ("2000423", "2000550", "2001265", "2001303", "2001304", "2001403", "2002462")
_RIGHTS = (
    *("2000311", "2000663", "2000719", "2001101", "2001103", "2001339", "2001393", "2002455"),
    *("2003275", "2004054"),
)
_VAT = ("2004052", "2004167")
_TERMS = ("2000429", "2000435")
_WAREHOUSE = ("2003127", "2003498")
_BY_DOCUMENT = (
    *("1000030", "1000031", "2000013", "2000106", "2000107", "2000108", "2000134", "2000204", "2000310", "2000321", "2000359"),
    *("2000428", "2000430", "2000431", "2000432", "2000433", "2000434", "2000439", "2000499", "2000513", "2000587", "2000588"),
    *("2000637", "2000699", "2000729", "2000755", "2000762", "2000861", "2000947", "2001161", "2001243", "2001302", "2001383"),
    *("2001392", "2001399", "2001600", "2001740", "2001795", "2001846", "2001896", "2002115", "2002980", "2003157", "2004021"),
    *("2003055", "2003614", "2003977", "2005095"),
)

CODES: dict[str, str | None] = {
    **dict.fromkeys(_BY_DOCUMENT, None),
    **dict.fromkeys(_ACCOUNT, "account-missing"),
    **dict.fromkeys(_RIGHTS, "fortnox-rights-missing"),
    **dict.fromkeys(_VAT, "vat-not-registered"),
    **dict.fromkeys(_TERMS, "terms-missing"),
    **dict.fromkeys(_WAREHOUSE, "fortnox-warehouse-on"),
    "1000003": "no-answer",
    "2000401": "period-locked",
    "2002141": "period-locked",
    "2000427": "currency-missing",
    "2004194": "vat-number-refused",
}

_TEXTS = (
    ("räkenskapsår", "financial-year-missing"),
    ("verifikationsserie", "voucher-series-wrong"),
    ("låst perioden", "period-locked"),
    ("låst period", "period-locked"),
    ("valuta", "currency-missing"),
    ("moms", "vat-not-registered"),
    ("leveranssätt", "terms-missing"),
    ("betalningsvillkor", "terms-missing"),
    ("licens", "fortnox-rights-missing"),
    ("feature inte tillgänglig", "fortnox-rights-missing"),
    ("förvalt konto", "account-missing"),
)


def reason_of(document: str, code: str | None, words: str) -> str:
    """The reason that a refusal of an invoice, a customer or a voucher is. A known code wins over the words."""
    known = CODES.get(code or "")
    if known:
        return known
    if code not in CODES:
        said = words.casefold()
        for part, reason in _TEXTS:
            if part in said:
                return reason
    return DOCUMENTS[document]
