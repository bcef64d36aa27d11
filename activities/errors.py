"""What an activity says when waiting, and not a person, is the cure."""


class Waiting(Exception):
    """Nothing is wrong yet: try again in `seconds`. `code` is shown as the reason when it has lasted too long."""

    def __init__(self, code: str, text: str, seconds: float) -> None:
        super().__init__(text)
        self.code = code
        self.seconds = seconds
