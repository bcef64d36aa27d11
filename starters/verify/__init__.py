"""`lagerbro verify`: the invariants of the books, checked read-only on any database at any time."""

from starters.verify.online import Online, open_online
from starters.verify.report import Report, print_report
from starters.verify.run import verify

__all__ = ["Online", "Report", "open_online", "print_report", "verify"]
