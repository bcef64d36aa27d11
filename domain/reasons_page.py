"""The page docs/reasons.md: every reason in English and Swedish, made from the catalogue.

python -m domain.reasons_page > docs/reasons.md
"""

from domain.fortnox_errors import CODES
from domain.reasons import REASONS
from domain.reasons_sv import SWEDISH, WHO


def page() -> str:
    """The whole page, the reasons in the order of the alphabet."""
    lines = [
        "# Why something stands still",
        "",
        "Made from `domain/reasons.py` by `python -m domain.reasons_page`; a test keeps it fresh. The code is the value of the",
        "search attribute `BlockedReason`. After mending, what stands still is tried again with `lagerbro order retry`, with the",
        "update `retry_now` in the Temporal UI, or by itself where the remedy says so.",
        "",
    ]
    for code in sorted(REASONS):
        reason = REASONS[code]
        lines += [
            f"## {code}",
            "",
            f"{reason.sentence} *Who acts:* {reason.who}. *What to do:* {reason.remedy}",
            "",
        ]
        swedish = SWEDISH.get(code)
        if swedish:
            lines += [f"{swedish.sentence} *Vem:* {WHO[reason.who]}. *Åtgärd:* {swedish.remedy}", ""]
    lines += [
        "## Fortnox's error codes",
        "",
        "A code that is not here, and one without a reason of its own, is `invoice-refused`, `customer-refused` or",
        "`voucher-refused` with Fortnox's own words.",
        "",
        "| code | reason |",
        "|---|---|",
        *(f"| {code} | {CODES[code] or 'by the document'} |" for code in sorted(CODES)),
        "",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    print(page(), end="")
