"""What a new company starts with: the chart of accounts of a stock-holding merchant, series, currencies, terms.

Names and numbers are those of `apis/fortnox.md` section 13; the accounts beside them are the ones its text posts to.
"""

ACCOUNTS: tuple[tuple[int, str], ...] = (
    (1400, "Lager"),
    (1460, "Lager av handelsvaror"),
    (1465, "Lager av varor VMB"),
    (1466, "Lager av varor VMB, inköp"),
    (1467, "Lager av varor VMB, förenklad"),
    (1469, "Förändring av lager av handelsvaror"),
    (1480, "Förskott för varor och tjänster"),
    (1510, "Kundfordringar"),
    (1580, "Fordringar för kontokort och kuponger"),
    (1630, "Avräkning för skatter och avgifter"),
    (1910, "Kassa"),
    (1920, "Plusgiro"),
    (1930, "Företagskonto"),
    (2099, "Årets resultat"),
    (2440, "Leverantörsskulder"),
    (2611, "Utgående moms på försäljning inom Sverige, 25 %"),
    (2614, "Utgående moms omvänd skattskyldighet, 25 %"),
    (2615, "Utgående moms import av varor, 25 %"),
    (2621, "Utgående moms på försäljning inom Sverige, 12 %"),
    (2624, "Utgående moms omvänd skattskyldighet, 12 %"),
    (2625, "Utgående moms import av varor, 12 %"),
    (2631, "Utgående moms på försäljning inom Sverige, 6 %"),
    (2634, "Utgående moms omvänd skattskyldighet, 6 %"),
    (2635, "Utgående moms import av varor, 6 %"),
    (2641, "Debiterad ingående moms"),
    (2645, "Beräknad ingående moms på förvärv från utlandet"),
    (2650, "Redovisningskonto för moms"),
    (2850, "Skattekonto"),
    (2990, "Övriga upplupna kostnader"),
    (3001, "Försäljning inom Sverige, 25 % moms"),
    (3002, "Försäljning inom Sverige, 12 % moms"),
    (3003, "Försäljning inom Sverige, 6 % moms"),
    (3004, "Försäljning inom Sverige, momsfri"),
    (3105, "Försäljning varor till land utanför EU"),
    (3106, "Försäljning varor till annat EU-land, momspliktig"),
    (3108, "Försäljning varor till annat EU-land, momsfri"),
    (3231, "Försäljning inom byggsektorn, omvänd skattskyldighet"),
    (3305, "Försäljning tjänster till land utanför EU"),
    (3308, "Försäljning tjänster till annat EU-land"),
    (3520, "Fakturerade frakter"),
    (3521, "Fakturerade frakter, EU-land"),
    (3522, "Fakturerade frakter, export"),
    (3540, "Faktureringsavgifter"),
    (3740, "Öres- och kronutjämning"),
    (3960, "Valutakursvinster på fordringar och skulder av rörelsekaraktär"),
    (4000, "Inköp av handelsvaror"),
    (4010, "Inköp av handelsvaror i Sverige"),
    (4515, "Inköp av varor från annat EU-land, 25 %"),
    (4516, "Inköp av varor från annat EU-land, 12 %"),
    (4517, "Inköp av varor från annat EU-land, 6 %"),
    (4518, "Inköp av varor från annat EU-land, momsfri"),
    (4531, "Import tjänster land utanför EU, 25 %"),
    (4532, "Import tjänster land utanför EU, 12 %"),
    (4533, "Import tjänster land utanför EU, 6 %"),
    (4535, "Inköp av tjänster från annat EU-land, 25 %"),
    (4536, "Inköp av tjänster från annat EU-land, 12 %"),
    (4537, "Inköp av tjänster från annat EU-land, 6 %"),
    (4545, "Import av varor, 25 % moms"),
    (4546, "Import av varor, 12 % moms"),
    (4547, "Import av varor, 6 % moms"),
    (4960, "Förändring av lager av handelsvaror"),
    (4980, "Förändring av lager av värdepapper"),
    (4990, "Förändring av lager och pågående arbeten (ofördelad)"),
    (6570, "Bankkostnader"),
    (7960, "Valutakursförluster på fordringar och skulder av rörelsekaraktär"),
)

VAT_CODES = {2611: "U1", 2621: "U2", 2631: "U3", 2641: "I", 3001: "MP1", 3002: "MP2", 3003: "MP3", 3004: "MF", 3108: "VTEU", 3105: "E"}

SERIES: tuple[tuple[str, str, bool], ...] = (
    ("A", "Redovisning", True),
    ("B", "Kundfakturor", False),
    ("C", "Kundinbetalningar", False),
    ("D", "Leverantörsfakturor", False),
    ("L", "Lager", True),
)

PREDEFINED_SERIES = {
    "INVOICE": "B",
    "CASHINVOICE": "B",
    "INVOICEPAYMENT": "C",
    "SUPPLIERINVOICE": "D",
    "SUPPLIERPAYMENT": "D",
    "ACCRUAL": "A",
    "MANUAL": "A",
}

PREDEFINED_ACCOUNTS = {
    "SALES": 3001,
    "SALES2": 3001,
    "SALES_25_SE": 3001,
    "SALES_12_SE": 3002,
    "SALES_6_SE": 3003,
    "SALES_0_SE": 3004,
    "SALES_25_SE2": 3001,
    "SALES_12_SE2": 3002,
    "SALES_6_SE2": 3003,
    "SALES_0_SE2": 3004,
    "SALESEUREV": 3108,
    "SALESEUVAT": 3106,
    "SALESEXPORT": 3105,
    "SALESEUREV2": 3308,
    "SALESEXPORT2": 3305,
    "SALESCONSTR2": 3231,
    "CUSTCLAIM": 1510,
    "SUPDEBT": 2440,
    "PURCASE": 4000,
    "ADMFEE": 3540,
    "FREIGHT": 3520,
    "ROUNDOFF": 3740,
    "OUTVAT_MP1": 2611,
    "OUTVAT_MP2": 2621,
    "OUTVAT_MP3": 2631,
    "INVAT": 2641,
    "CURRENCYWIN": 3960,
    "CURRENCYLOSS": 7960,
    "BG": 1930,
    "PG": 1920,
    "CASH": 1910,
    "CASHBYCARD": 1580,
    "AG": 1930,
    "PRODUCT_DEB": 4960,
    "PRODUCT_CRE": 1460,
}

# Code, name, rate in SEK, and how many units the rate is for.
CURRENCIES: tuple[tuple[str, str, str, int], ...] = (
    ("SEK", "Svenska kronor", "1", 1),
    ("EUR", "Euro", "11.2", 1),
    ("USD", "US dollar", "10.35", 1),
    ("GBP", "Brittiska pund", "13.15", 1),
    ("NOK", "Norska kronor", "96.4", 100),
    ("DKK", "Danska kronor", "150.15", 100),
    ("CHF", "Schweiziska franc", "11.85", 1),
    ("JPY", "Japanska yen", "6.95", 100),
    ("PLN", "Polska zloty", "2.62", 1),
)

TERMS: tuple[tuple[str, str], ...] = (("0", "Kontant"), ("10", "10 dagar"), ("15", "15 dagar"), ("20", "20 dagar"), ("30", "30 dagar"), ("60", "60 dagar"))
DEFAULT_TERMS = "30"

MODES: tuple[tuple[str, str, str], ...] = (
    ("AG", "Autogiro", "1930"),
    ("BG", "Bankgiro", "1930"),
    ("CARD", "Kontokort", "1580"),
    ("CASH", "Kontant", "1910"),
    ("PG", "Plusgiro", "1920"),
)

UNITS: tuple[tuple[str, str], ...] = (("st", "styck"), ("h", "timmar"), ("kg", "kilogram"), ("m", "meter"), ("förp", "förpackning"))
PRICE_LISTS: tuple[tuple[str, str], ...] = (("A", "Prislista A"),)

# Documents name a country, cards code it: Swedish for Sweden, English for the rest.
COUNTRIES = {
    "SE": "Sverige", "NO": "Norway", "DK": "Denmark", "FI": "Finland", "IS": "Iceland", "DE": "Germany", "FR": "France", "GB": "United Kingdom",
    "IE": "Ireland", "NL": "Netherlands", "BE": "Belgium", "LU": "Luxembourg", "AT": "Austria", "CH": "Switzerland", "ES": "Spain", "PT": "Portugal",
    "IT": "Italy", "PL": "Poland", "CZ": "Czech Republic", "SK": "Slovakia", "HU": "Hungary", "SI": "Slovenia", "HR": "Croatia", "GR": "Greece",
    "CY": "Cyprus", "MT": "Malta", "EE": "Estonia", "LV": "Latvia", "LT": "Lithuania", "BG": "Bulgaria", "RO": "Romania", "US": "United States",
    "CA": "Canada", "AU": "Australia", "NZ": "New Zealand", "JP": "Japan", "CN": "China", "HK": "Hong Kong", "SG": "Singapore", "IL": "Israel",
    "SA": "Saudi Arabia", "AE": "United Arab Emirates", "BH": "Bahrain", "LB": "Lebanon", "BR": "Brazil", "ZA": "South Africa", "TR": "Turkey",
    "IN": "India", "KR": "South Korea", "MX": "Mexico", "UA": "Ukraine",
}  # fmt: skip
