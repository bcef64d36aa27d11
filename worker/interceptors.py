"""Where meaning becomes Temporal's terms, once for all activities.

A refusal needs a person and is not retried; an unavailable system is retried as soon as it says; whatever else goes wrong is
a bug, retried loudly until it is mended. Every step that lasts also says that it lives, so that a worker that is killed is
noticed within seconds and not at the end of the step's time.
"""

import asyncio
from datetime import timedelta
from typing import Any

import structlog
from temporalio import activity
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory
from temporalio.worker import ActivityInboundInterceptor, ActivityOutboundInterceptor, ExecuteActivityInput, Interceptor

from activities.errors import Waiting
from clients.errors import RateLimited, Rejected, Unavailable
from domain.errors import LookAgain, Refused
from worker.metrics import RETRIES, STEPS

log = structlog.get_logger("activity")

SIGN_OF_LIFE_SECONDS = 2.0


class Meaning(Interceptor):
    """Given to every worker."""

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        return _Translating(next)


class _Remembering(ActivityOutboundInterceptor):
    """Keeps the last progress an activity reported, so that a sign of life does not wipe it out."""

    def __init__(self, next: ActivityOutboundInterceptor) -> None:
        super().__init__(next)
        self.progress: tuple[Any, ...] = ()

    def heartbeat(self, *details: Any) -> None:
        self.progress = details
        super().heartbeat(*details)


class _Translating(ActivityInboundInterceptor):
    def init(self, outbound: ActivityOutboundInterceptor) -> None:
        self._outbound = _Remembering(outbound)
        super().init(self._outbound)

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        if activity.info().heartbeat_timeout is None:
            return await self._translated(input)
        living = asyncio.create_task(self._live())
        try:
            return await self._translated(input)
        finally:
            living.cancel()

    async def _live(self) -> None:
        self._outbound.progress = tuple(activity.info().heartbeat_details)
        while True:
            await asyncio.sleep(SIGN_OF_LIFE_SECONDS)
            activity.heartbeat(*self._outbound.progress)

    async def _translated(self, input: ExecuteActivityInput) -> Any:
        info = activity.info()
        with structlog.contextvars.bound_contextvars(**whose(info)), STEPS.labels(info.activity_type).time():
            return await self._in_our_terms(input)

    async def _in_our_terms(self, input: ExecuteActivityInput) -> Any:
        try:
            return await self.next.execute_activity(input)
        except Refused as refusal:
            _say("refused", refusal.code)
            raise ApplicationError(str(refusal), type=refusal.code, non_retryable=True) from None
        except Rejected as refusal:
            _say("refused", "unexpected-refusal")
            raise ApplicationError(str(refusal), type="unexpected-refusal", non_retryable=True) from None
        except Waiting as waiting:
            _count(waiting.code, "time")
            raise _later(str(waiting), waiting.code, waiting.seconds) from None
        except LookAgain as unclear:
            _count("unclear-answer", "time")
            raise _later(str(unclear), "unclear-answer", None) from None
        except RateLimited as limited:
            _count("rate-limited", "time")
            raise _later(str(limited), "no-answer", limited.retry_after) from None
        except Unavailable as unavailable:
            _say("no answer", "no-answer", "time")
            raise _later(str(unavailable), "no-answer", None) from None
        except Exception as bug:
            _count(type(bug).__name__, "program")
            log.error("unexpected", error=type(bug).__name__)
            raise


def _later(text: str, code: str, seconds: float | None) -> ApplicationError:
    delay = None if seconds is None else timedelta(seconds=seconds)
    return ApplicationError(text, type=code, category=ApplicationErrorCategory.BENIGN, next_retry_delay=delay)


def whose(info: activity.Info) -> dict[str, Any]:
    """What every line of an attempt says: whose document it is about, in which process, at which step and attempt."""
    _, merchant, document = [*(info.workflow_id or "").split("/", 2), "", ""][:3]
    said = {"merchant": merchant, "document": document.partition("#")[0] or merchant, "workflow": info.workflow_id}
    return said | {"activity": info.activity_type, "attempt": info.attempt}


def _count(code: str, cure: str) -> None:
    RETRIES.labels(activity.info().activity_type, code, cure).inc()


def _say(event: str, code: str, cure: str = "person") -> None:
    """One line in the log. A refusal may quote what was refused: its words stay in the sealed failure and in our table."""
    _count(code, cure)
    log.info(event, code=code)
