"""What can go wrong when another system is called: no answer, or an answer that says no.

Texts carry method, path, status and the vendor's words. They never carry a body, a query value or a credential, and nothing is
chained under them: the errors of httpx, json and pydantic hold the request or what was read.
"""


class ApiError(Exception):
    """A call to another system failed."""


class Unavailable(ApiError):
    """No usable answer: try again.

    `outcome_unknown` is False only when the request cannot have been executed (it never left, or it was turned away before it
    was looked at). When it is True, a write may have happened: look before doing it again.
    """

    def __init__(self, text: str, *, outcome_unknown: bool, retry_after: float | None = None) -> None:
        super().__init__(text)
        self.outcome_unknown = outcome_unknown
        self.retry_after = retry_after


class RateLimited(Unavailable):
    """Too many requests. It was not executed; `retry_after` is in seconds, None when they did not say."""

    def __init__(self, text: str, *, retry_after: float | None = None) -> None:
        super().__init__(text, outcome_unknown=False, retry_after=retry_after)


class Unreadable(Unavailable):
    """An answer came, and it is not theirs: a page of HTML, an empty or cut body, a value of the wrong kind, a redirect."""

    def __init__(self, text: str) -> None:
        super().__init__(text, outcome_unknown=True)


class Rejected(ApiError):
    """They said no: the request is wrong, or a person must act. `code` is the vendor's, `text` the vendor's words."""

    def __init__(self, message: str, *, status: int, code: str | None = None, text: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.text = text


class Unauthorised(Rejected):
    """The credentials, the licence or the scopes do not suffice: a matter of the connection, not of one document."""


class NotFound(Rejected):
    """What was asked for is not there."""
