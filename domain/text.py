"""Free text as the accounting system takes it. Cleaned here, kept as it was in the ERP: text never blocks an order.

Fortnox permits letters, digits and a list of signs (code 2000359 refuses the rest); shared here as one function so that what
is sent and what is compared are the same.
"""

import re
import unicodedata

_LOOKALIKES = str.maketrans(
    {
        '"': "’",
        "'": "’",
        "“": "’",
        "”": "’",
        "‘": "’",
        "<": "(",
        ">": ")",
        "[": "(",
        "]": ")",
        "{": "(",
        "}": ")",
        "|": "/",
        "~": "-",
        "—": "–",
        "\t": " ",
    }
)
_FORBIDDEN = re.compile(r"[^\w’\\ –:.`´,;^¤#%§£$€¢¥©™°&/()=+\-*!?²³®½@\n]", re.UNICODE)


def keepable(*texts: str) -> bool:
    """Whether PostgreSQL can keep these texts at all: no NUL, and no half of a pair of surrogates, which JSON can carry."""
    return not any(c == "\0" or "\ud800" <= c <= "\udfff" for text in texts for c in text)


def cleaned(text: str | None, limit: int, one_line: bool = True) -> str:
    """The text with every sign Fortnox refuses replaced or dropped, cut at `limit` characters. Cleaning twice changes nothing."""
    if not text:
        return ""
    plain = unicodedata.normalize("NFC", text).translate(_LOOKALIKES)
    if one_line:
        plain = re.sub(r"[\r\n]+", " ", plain)
    plain = "".join(c for c in _FORBIDDEN.sub("", plain) if c == "\n" or unicodedata.category(c)[0] != "C")
    plain = "".join(c for c in plain if not c.isalnum() or unicodedata.category(c)[0] == "L" or c in "0123456789²³½")
    return re.sub(r" {2,}", " ", plain).strip()[:limit].rstrip()
