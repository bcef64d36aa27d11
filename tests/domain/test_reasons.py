"""The catalogue of reasons is whole: in both languages, on the page, and neither more nor less than the source can say."""

import ast
import inspect
from collections.abc import Iterator
from pathlib import Path

import pytest

from domain.flows import FLOWS
from domain.fortnox_errors import CODES, DOCUMENTS, reason_of
from domain.reasons import REASONS
from domain.reasons_page import page
from domain.reasons_sv import SWEDISH, WHO

REPOSITORY = Path(inspect.getfile(page)).resolve().parents[1]
PRODUCTION = ("domain", "erp", "activities", "workflows", "worker", "starters")
CATALOGUE = {"reasons.py", "reasons_sv.py", "reasons_page.py"}
RAISING = {"Refused": 0, "Waiting": 0, "Blocked": 3}


def _trees() -> Iterator[tuple[str, ast.Module]]:
    for folder in PRODUCTION:
        for file in sorted((REPOSITORY / folder).rglob("*.py")):
            if file.name not in CATALOGUE:
                yield str(file.relative_to(REPOSITORY)), ast.parse(file.read_text(encoding="utf-8"))


def test_every_reason_is_told_in_both_languages_with_who_acts_and_what_to_do() -> None:
    for code, reason in REASONS.items():
        assert reason.who in WHO, code
        assert reason.sentence.endswith(".") and reason.remedy.endswith("."), code
        assert SWEDISH[code].sentence.endswith(".") and SWEDISH[code].remedy.endswith("."), code


def test_the_page_is_fresh() -> None:
    assert (REPOSITORY / "docs" / "reasons.md").read_text(encoding="utf-8") == page(), (
        "run python -m domain.reasons_page > docs/reasons.md"
    )


def test_whatever_the_source_raises_is_in_the_catalogue() -> None:
    unknown = []
    for name, tree in _trees():
        for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
            place = RAISING.get(getattr(call.func, "id", getattr(call.func, "attr", "")))
            if place is not None and len(call.args) > place:
                said = call.args[place]
                if isinstance(said, ast.Constant) and isinstance(said.value, str) and said.value not in REASONS:
                    unknown.append(f"{name}:{call.lineno} {said.value}")
    assert unknown == []


def test_nothing_in_the_catalogue_is_said_by_nobody() -> None:
    said = {
        node.value
        for _, tree in _trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value in REASONS
    }
    made = {flow.off for flow in FLOWS.values()}
    assert sorted(set(REASONS) - said - made) == []


def test_every_code_of_fortnox_leads_to_a_reason() -> None:
    assert set(CODES.values()) - {None} <= set(REASONS)
    assert set(DOCUMENTS.values()) <= set(REASONS)
    assert len(CODES) > 70
    for code in CODES:
        for document in DOCUMENTS:
            assert reason_of(document, code, "") in REASONS


@pytest.mark.parametrize(
    ("document", "code", "words", "reason"),
    [
        ("invoice", "2000401", "Företaget har låst perioden t.o.m. 2026-10-31", "period-locked"),
        ("invoice", "2999002", "Räkenskapsår saknas för valt datum", "financial-year-missing"),
        ("invoice", "2001303", "Kunde inte hitta konto 3999", "account-missing"),
        ("invoice", "2000427", "", "currency-missing"),
        ("invoice", "2003498", "Faktura som bokförs måste vara klarmarkerad.", "fortnox-warehouse-on"),
        ("customer", "2004194", "Ogiltigt VAT-nummer.", "vat-number-refused"),
        ("customer", "2000106", "Värdet måste vara alfanumeriskt", "customer-refused"),
        ("voucher", "2999013", "Verifikationsserien är inte manuell (F)", "voucher-series-wrong"),
        ("voucher", "9999999", "Något annat", "voucher-refused"),
        ("invoice", None, "Kunde inte hämta moms", "vat-not-registered"),
    ],
)
def test_a_refusal_of_fortnox_says_what_a_person_must_do(document: str, code: str, words: str, reason: str) -> None:
    assert reason_of(document, code, words) == reason
