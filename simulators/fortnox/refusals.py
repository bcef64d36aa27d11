"""Fortnox's way of saying no: a Swedish text, a number, and two letter casings.

Validation (400) answers in lower case, "not found" (404) capitalised, as recorded. Codes nobody has seen are
artificial (2999xxx) and settable, so that a client cannot come to depend on a guess.
"""

from simulators.fortnox.wire import Answer, write_json


class Refusal(Exception):
    """A request that Fortnox would refuse; nothing of it is written."""

    def __init__(self, status: int, code: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message

    def answer(self) -> Answer:
        if self.status == 404:
            body = {"Error": 1, "Message": self.message, "Code": self.code}
        else:
            body = {"error": 1, "message": self.message, "code": self.code}
        return Answer(self.status, write_json({"ErrorInformation": body}).encode())


def invalid(code: int, message: str) -> Refusal:
    return Refusal(400, code, message)


def missing(code: int, message: str) -> Refusal:
    return Refusal(404, code, message)


def unknown_field(name: str) -> Refusal:
    return invalid(2001399, f"Felaktigt fältnamn ({name})")


def wrong_body() -> Refusal:
    return invalid(2001392, "Ingen eller felaktig typ av data.")


def bad_parameter() -> Refusal:
    return invalid(2000588, "Ogiltig parameter i anropet.")


def bad_identifier() -> Refusal:
    return invalid(2000729, "A valid identifier was not provided.")
