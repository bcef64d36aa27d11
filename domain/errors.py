"""When a business rule says no."""

from domain.reasons import REASONS


class Refused(Exception):
    """A person must decide: nothing was written, and waiting does not help.

    `code` is one of `domain.reasons.REASONS` and becomes the workflow's `BlockedReason`; the text names the thing and
    what is wrong with it, in words a person will search for. It holds numbers and keys, never personal data.
    """

    def __init__(self, code: str, text: str) -> None:
        if code not in REASONS:
            raise ValueError(f"unknown reason {code!r}: declare it in domain/reasons.py")
        super().__init__(text)
        self.code = code


class LookAgain(Exception):
    """What was read proves nothing: a line is missing, a quantity is null. Absent is never zero, so ask again."""
