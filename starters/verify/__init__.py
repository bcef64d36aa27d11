"""`lagerbro verify`: the invariants of the books, checked read-only on any database at any time."""

from starters.verify.check import CannotCheck
from starters.verify.online import Online, open_online
from starters.verify.prove import ProveReport, print_proofs, prove
from starters.verify.report import Report, print_report
from starters.verify.run import verify

__all__ = [
    "CannotCheck",
    "Online",
    "ProveReport",
    "Report",
    "open_online",
    "print_proofs",
    "print_report",
    "prove",
    "verify",
]
