"""What the supervisor did, one JSON line an event, in `logs/supervisor.log`; and aloud for whoever watches."""

import json
import os
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from starters.stack.child import make_room


class Journal:
    """Appends to the log; `tell` gets the same in words."""

    def __init__(self, log: Path, tell: Callable[[str], None] | None = None) -> None:
        self._log = log
        self._tell = tell

    def note(self, event: str, name: str = "", text: str = "") -> None:
        line = {"timestamp": datetime.now(UTC).isoformat(), "event": event, "name": name, "text": text}
        with suppress(FileNotFoundError):  # the folder may be removed under a running stack
            make_room(self._log)
            with os.fdopen(os.open(self._log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "a", encoding="utf-8") as out:
                out.write(json.dumps({key: value for key, value in line.items() if value}, ensure_ascii=False) + "\n")
        if self._tell is not None:
            self._tell(" ".join(part for part in (name, event, f"({text})" if text else "") if part))
