"""What a verification found, for a person and for a program."""

import json
from dataclasses import asdict, dataclass, field
from enum import StrEnum

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from starters.verify.check import Violation

CLEAN, VIOLATED, NOT_CHECKED = 0, 1, 2


class Verdict(StrEnum):
    """What may be said of a check. Only the first two are clean."""

    CLEAN = "clean"
    NOTHING_YET = "nothing yet"
    VIOLATED = "violated"
    NOTHING_PROVED = "no rows: nothing proved"
    NOT_CHECKED = "not checked"


@dataclass(frozen=True, slots=True)
class Result:
    """One check: `rows` it covered, what broke it, or `why` it could not be made. `listed`: allowed, but to be looked at."""

    invariant: str
    says: str
    verdict: Verdict
    rows: int = 0
    violations: int = 0
    samples: list[Violation] = field(default_factory=list)
    listed: list[Violation] = field(default_factory=list)
    why: str | None = None
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Report:
    """A whole verification. `heads`: each merchant's last link of the chain, to keep outside."""

    merchant: str | None
    taken_at: str
    online: bool
    results: list[Result]
    heads: dict[str, str]

    @property
    def exit_code(self) -> int:
        """0 clean, 1 something is violated, 2 something could not be checked or was not proved by any row."""
        verdicts = {result.verdict for result in self.results}
        if Verdict.VIOLATED in verdicts:
            return VIOLATED
        if not self.results or verdicts & {Verdict.NOT_CHECKED, Verdict.NOTHING_PROVED}:
            return NOT_CHECKED
        return CLEAN

    @property
    def violated(self) -> list[Result]:
        return [result for result in self.results if result.verdict == Verdict.VIOLATED]

    @property
    def not_checked(self) -> list[Result]:
        return [result for result in self.results if result.verdict in (Verdict.NOT_CHECKED, Verdict.NOTHING_PROVED)]

    def to_json(self) -> str:
        """The report as one JSON document."""
        return json.dumps({**asdict(self), "exit_code": self.exit_code, "verdict": _sentence(self)}, ensure_ascii=False, indent=2)


_COLOURS = {
    Verdict.CLEAN: "green",
    Verdict.NOTHING_YET: "dim",
    Verdict.VIOLATED: "bold red",
    Verdict.NOTHING_PROVED: "yellow",
    Verdict.NOT_CHECKED: "yellow",
}


def print_report(report: Report, console: Console | None = None) -> None:
    """A line for each check, then every violation with its document, then the verdict in one sentence."""
    console = console or Console(emoji=False)
    whose = f"merchant {report.merchant}" if report.merchant else "all merchants"
    table = Table(title=f"Verification of {whose}, {report.taken_at}", title_justify="left", header_style="bold")
    table.add_column("")
    table.add_column("what must hold", ratio=1)
    table.add_column("rows", justify="right")
    table.add_column("violations", justify="right")
    table.add_column("verdict")
    for result in report.results:
        colour = _COLOURS[result.verdict]
        table.add_row(
            result.invariant,
            escape(result.says),
            f"{result.rows:,}".replace(",", " "),
            str(result.violations) if result.violations else "",
            f"[{colour}]{result.verdict}[/]",
        )
    console.print(table)
    for result in report.results:
        colour = _COLOURS[result.verdict]
        for violation in result.samples:
            console.print(f"[{colour}]{result.invariant}[/] {_line(violation)}")
        if result.violations > len(result.samples):
            console.print(f"[{colour}]{result.invariant}[/] … and {result.violations - len(result.samples)} more")
        if result.verdict == Verdict.NOT_CHECKED:
            console.print(f"[{colour}]{result.invariant} not checked:[/] {escape(result.why or '')}")
        for item in result.listed:
            console.print(f"[dim]{result.invariant} listed: {_line(item)}[/]")
    for merchant, head in report.heads.items():
        console.print(f"[dim]head of {escape(merchant)}: {head}[/]")
    console.print(f"[{('green', 'bold red', 'yellow')[report.exit_code]}]{escape(_sentence(report))}[/]")


def _line(violation: Violation) -> str:
    return escape(" ".join(part for part in (violation.merchant, violation.document) if part) + f": {violation.detail}")


def _sentence(report: Report) -> str:
    rows = sum(result.rows for result in report.results)
    asked = "" if report.online else " Ongoing and Fortnox were not asked (--online asks them)."
    if report.exit_code == VIOLATED:
        broken = sorted({result.invariant for result in report.violated})
        return f"Violated: {', '.join(broken)} ({sum(result.violations for result in report.violated)} violations).{asked}"
    if report.exit_code == NOT_CHECKED:
        names = sorted({result.invariant for result in report.not_checked})
        return f"Not clean: no violation found, but not proved: {', '.join(names)}.{asked}"
    return f"Clean: {len(report.results)} checks over {rows} rows, no violation.{asked}"
