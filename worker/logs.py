"""Logs: one event is one line of JSON. What might carry personal data or a secret does not get in, redaction comes last."""

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

_FIELDS = frozenset(
    [
        "event", "level", "why", "timestamp", "logger", "merchant", "document", "workflow", "activity", "attempt", "code", "text",
        "error", "seconds", "count", "topic", "address", "build", "sealing", "queue", "outcome",
        "name", "pid", "port", "restarts",
    ]
)  # fmt: skip
_SECRETS = re.compile(r"(?i)(bearer|basic)\s+[A-Za-z0-9._~+/=-]+|(password|secret|token|authorization)\S{0,3}[=:]\s*\S+")
_MAIL = re.compile(r"[\w.+-]+@[\w-]+\.[\w.-]+")


def redacted(text: str) -> str:
    """The text without credentials, mail addresses and control characters."""
    plain = _MAIL.sub("(mail)", _SECRETS.sub("(secret)", text))
    return "".join(c if c.isprintable() else " " for c in plain)


def _listed_fields_only(_logger: Any, _name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    dropped = sorted(set(event) - _FIELDS)
    kept = {name: redacted(value) if isinstance(value, str) else value for name, value in event.items() if name in _FIELDS}
    return kept | ({"dropped": ",".join(dropped)} if dropped else {})


def configure_logs(level: str = "INFO") -> None:
    """One handler for our own events and for the libraries', whose chatter starts at warnings."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                _exceptions_by_name,
                _listed_fields_only,
                structlog.processors.JSONRenderer(ensure_ascii=False),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    for chatty in ("httpx", "httpcore", "sqlalchemy", "asyncio", "uvicorn.access"):
        logging.getLogger(chatty).setLevel(logging.WARNING)


def _exceptions_by_name(_logger: Any, _name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A traceback may quote a document: its type and place are kept, its text goes through the same redaction."""
    raised = event.pop("exc_info", None)
    if raised is True:
        raised = sys.exc_info()
    if isinstance(raised, BaseException):
        raised = (type(raised), raised, raised.__traceback__)
    if raised and raised[0]:
        event.setdefault("error", raised[0].__name__)
        trace = raised[2]
        while trace is not None and trace.tb_next is not None:
            trace = trace.tb_next
        if trace is not None:
            event.setdefault("text", f"{event.get('event')} at {trace.tb_frame.f_code.co_name}:{trace.tb_lineno}")
    return event
