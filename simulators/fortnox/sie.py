"""SIE export: a financial year as the text file every Swedish accounting program reads."""

from datetime import date

from simulators.fortnox import company, ledger
from simulators.fortnox.call import Call
from simulators.fortnox.documents import held
from simulators.fortnox.refusals import bad_identifier
from simulators.fortnox.wire import ZERO, Answer, from_ore, to_ore


def export(call: Call, kind: str) -> Answer:
    """Write the year as a SIE file in code page 437: balances (1-3) and all vouchers (4)."""
    if kind not in ("1", "2", "3", "4"):
        raise bad_identifier()
    year = ledger.year_asked(call)
    described = company.described(call)
    lines = [
        "#FLAGGA 0",
        '#PROGRAM "Fortnox" 3.0',
        "#FORMAT PC8",
        f"#GEN {call.today.replace('-', '')}",
        f"#SIETYP {kind}",
        f"#ORGNR {described['organisationNumber']}",
        f"#FNAMN {_quoted(described['name'])}",
        f"#RAR 0 {_compact(year['from_date'])} {_compact(year['to_date'])}",
    ]
    accounts = call.store.all("SELECT * FROM account WHERE tenant = ? AND year = ? ORDER BY number", call.tenant, year["id"])
    lines += [f"#KONTO {row['number']} {_quoted(row['description'])}" for row in accounts]
    lines += ['#DIM 1 "Kostnadsställe"', '#DIM 6 "Projekt"']
    for row in accounts:
        if row["number"] < 3000:
            if row["opening"]:
                lines.append(f"#IB 0 {row['number']} {from_ore(row['opening'])}")
            if row["opening"] or row["moved"]:
                lines.append(f"#UB 0 {row['number']} {from_ore(row['opening'] + row['moved'])}")
        elif row["moved"]:
            lines.append(f"#RES 0 {row['number']} {from_ore(row['moved'])}")
    if kind == "4":
        lines += _sie_vouchers(call, year["id"])
    return Answer(200, ("\r\n".join(lines) + "\r\n").encode("cp437", errors="replace"), "application/octet-stream")


def _sie_vouchers(call: Call, year: int) -> list[str]:
    lines: list[str] = []
    for row in call.store.all(
        "SELECT body FROM voucher WHERE tenant = ? AND year = ? ORDER BY series, number", call.tenant, year
    ):
        voucher = held(row)
        day = _compact(voucher["TransactionDate"])
        lines += [
            f"#VER {voucher['VoucherSeries']} {voucher['VoucherNumber']} {day} {_quoted(voucher['Description'])}",
            "{",
        ]
        for line in voucher["VoucherRows"]:
            objects = " ".join(
                f'{dimension} "{line[name]}"' for dimension, name in ((1, "CostCenter"), (6, "Project")) if line[name]
            )
            amount = to_ore(line["Debit"] + ZERO) - to_ore(line["Credit"] + ZERO)
            extra = (
                f" {_compact(voucher['TransactionDate'])} {_quoted(line['TransactionInformation'])}"
                if line["TransactionInformation"]
                else ""
            )
            lines.append(f"#TRANS {line['Account']} {{{objects}}} {amount}{extra}")
        lines.append("}")
    return lines


def _quoted(text_now: str) -> str:
    return '"' + text_now.replace('"', '\\"').replace("\r", " ").replace("\n", " ") + '"'


def _compact(day_now: str) -> str:
    return date.fromisoformat(day_now).strftime("%Y%m%d")
