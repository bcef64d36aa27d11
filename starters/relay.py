"""The relay: from the outbox to processes, from the inbox to nudges.

Reads unsent rows with SKIP LOCKED and no cursor, because commit order is not id order. A row is claimed for a while, its effect
made in Temporal, and only then marked: killed anywhere in between it is done again, and again is harmless. What must be unique
is unique in `bridge.process`, because Temporal forgets. What waits for a flow is compared with its switch, again and again.
"""

import asyncio
import signal
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Hashable
from typing import Any

import structlog
from sqlalchemy import text
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from domain.flows import FLOWS, Flow
from erp import flows
from erp.database import Database, rows
from starters.documents import BY_TOPIC, TOLD
from starters.merchants import start_syncing, start_watching
from starters.pace import Pace
from worker.health import alive
from worker.logs import configure_logs
from worker.metrics import serve_metrics
from worker.settings import Settings
from worker.temporal import SERVER_MAY_COME_LATER, connect
from worker.tracing import interceptors
from workflows.watch_warehouse import WatchWarehouse

log = structlog.get_logger("relay")

Subject = tuple[str, str, str | None]
"""What hints are about: merchant, kind, and our document, or None for one that is not ours."""

BATCH = 50
IDLE_SECONDS = 1.0
HINTS_GATHER_SECONDS = 0.02
NUDGE_SECONDS = 1.0
TEND_SECONDS = 5.0
ASK_AGAIN_SECONDS = 300.0
AT_ONCE = 8
ARTICLES_AT_ONCE = 5000
GATHER_SECONDS = 0.2

_CLAIM = text(
    """
    update bridge.outbox set claimed_until = now() + interval '10 seconds', attempts = attempts + 1
    where outbox_no in (select outbox_no from bridge.outbox
                        where delivered_at is null and coalesce(claimed_until, 'epoch') < now() and topic <> 'articles.changed'
                        order by outbox_no limit :most for update skip locked)
    returning outbox_no, merchant_id, topic, document, created_at
    """
)
_CLAIM_ARTICLES = text(
    """
    update bridge.outbox set claimed_until = now() + interval '10 seconds', attempts = attempts + 1
    where outbox_no in (select outbox_no from bridge.outbox
                        where delivered_at is null and coalesce(claimed_until, 'epoch') < now() and topic = 'articles.changed'
                        order by outbox_no limit :most for update skip locked)
    returning outbox_no, merchant_id
    """
)
_ARTICLES_TOLD = text(
    "update bridge.outbox set delivered_at = now(), outcome = 'told', last_error = null"
    " where outbox_no = any(cast(:numbers as bigint[]))"
)
_DELIVERED = text(
    "update bridge.outbox set delivered_at = now(), outcome = :outcome, last_error = null where outbox_no = :outbox_no"
)
_FAILED = text(
    """
    update bridge.outbox set last_error = left(:error, 300), claimed_until = now() + make_interval(secs => least(attempts, 30))
    where outbox_no = :outbox_no
    """
)
_NUDGES = text(
    """
    update bridge.inbox set claimed_until = now() + interval '5 seconds'
    where inbox_no in (select inbox_no from bridge.inbox
                       where applied_at is null and coalesce(claimed_until, 'epoch') < now()
                       order by inbox_no limit :most for update skip locked)
    returning inbox_no, merchant_id, source, kind, doc_id, document
    """
)
_DOCUMENTS = text(
    """
    select merchant_id, kind, doc_id, document from bridge.watched where doc_id = any(cast(:ids as bigint[]))
    """
)
_APPLIED = text("update bridge.inbox set applied_at = now(), outcome = :outcome where inbox_no = any(cast(:numbers as bigint[]))")
_WORKFLOW = text(
    """
    select workflow_id from bridge.process
    where merchant_id = :merchant and kind = :kind and document = :document and ended_at is null order by run desc limit 1
    """
)


class Relay:
    """Both directions in one process. Any number may run at once."""

    def __init__(self, database: Database, client: Client, pace: Pace | None = None) -> None:
        self._database = database
        self._client = client
        self._pace = pace or Pace()
        self._held: dict[Subject, dict[int, str]] = defaultdict(dict)
        self._told_at: dict[Hashable, float] = {}

    async def deliver_outbox(self) -> int:
        """Deliver what waits in the outbox; returns how many rows were taken."""
        async with self._database.everyone() as session:
            taken = await rows(session, _CLAIM, most=BATCH)
        gate = asyncio.Semaphore(AT_ONCE)
        by_document: dict[tuple[str, str], list[Any]] = defaultdict(list)
        for row in sorted(taken, key=lambda row: row.outbox_no):
            by_document[row.merchant_id, row.document].append(row)
        await asyncio.gather(*(self._deliver_all(gate, of_one) for of_one in by_document.values()))
        return len(taken)

    async def deliver_articles(self) -> int:
        """Tell the article process of each merchant whose articles have changed, once for all the rows that say so.

        Orders are delivered apart from these, so ten thousand changed articles stand in the way of none.
        """
        async with self._database.everyone() as session:
            taken = await rows(session, _CLAIM_ARTICLES, most=ARTICLES_AT_ONCE)
        by_merchant: dict[str, list[int]] = defaultdict(list)
        for row in taken:
            by_merchant[row.merchant_id].append(row.outbox_no)
        for merchant, numbers in by_merchant.items():
            try:
                await start_syncing(self._client, merchant)
            except RPCError as error:
                log.warning("not delivered", merchant=merchant, topic="articles.changed", error=error.status.name)
                continue
            async with self._database.everyone() as session:
                await session.execute(_ARTICLES_TOLD, {"numbers": numbers})
        if taken:
            await asyncio.sleep(GATHER_SECONDS)  # what changes meanwhile is told together
        return len(taken)

    async def _deliver_all(self, gate: asyncio.Semaphore, of_one: list[Any]) -> None:
        async with gate:
            for row in of_one:
                if not await self._deliver(row):
                    return

    async def _deliver(self, row: Any) -> bool:
        try:
            documents = BY_TOPIC.get(row.topic.partition(".")[0])
            if documents is None:
                outcome = f"unknown topic {row.topic}"
            else:
                outcome = await documents.deliver(self._database, self._client, row)
            if outcome.startswith("unknown topic"):
                log.error("unknown topic", topic=row.topic, document=row.document)
        except Exception as error:
            name = error.status.name if isinstance(error, RPCError) else type(error).__name__
            async with self._database.everyone() as session:
                await session.execute(_FAILED, {"outbox_no": row.outbox_no, "error": name})
            log.warning("not delivered", document=row.document, topic=row.topic, error=name)
            return False
        async with self._database.everyone() as session:
            await session.execute(_DELIVERED, {"outbox_no": row.outbox_no, "outcome": outcome})
        return True

    async def drain_inbox(self) -> int:
        """One nudge for each document that something was said about; returns how many rows were taken and applied.

        What may not be told yet is kept, claimed for longer than that takes, and joined by what comes meanwhile.
        """
        async with self._database.everyone() as session:
            taken = await rows(session, _NUDGES, most=BATCH * 10)
            unnamed = [row.doc_id for row in taken if row.kind in TOLD and row.document is None and row.doc_id is not None]
            names = {
                (row.merchant_id, row.kind, row.doc_id): row.document
                for row in (await rows(session, _DOCUMENTS, ids=unnamed) if unnamed else [])
            }
        for row in taken:
            document = row.document or names.get((row.merchant_id, row.kind, row.doc_id))
            self._held[row.merchant_id, row.kind, document][row.inbox_no] = row.source
        due = {about: self._held.pop(about) for about in list(self._held) if about[2] is None or not self._pace.wait(about)}
        gate = asyncio.Semaphore(AT_ONCE)
        await asyncio.gather(*(self._nudge(gate, about, said) for about, said in due.items()))
        return len(taken) + len(due)

    def until_due(self) -> float:
        """Seconds until something that is held back may be told; at most the idle time."""
        return min((self._pace.wait(about) for about in self._held), default=IDLE_SECONDS)

    async def _nudge(self, gate: asyncio.Semaphore, about: Subject, said: dict[int, str]) -> None:
        merchant, kind, document = about
        async with gate:
            try:
                if kind not in TOLD:
                    outcome = "no process of this kind yet"
                elif document is None:
                    outcome = "not one of ours"
                else:
                    self._pace.told(about)
                    again = set(said.values()) != {"webhook"}
                    outcome = await TOLD[kind].look(self._database, self._client, merchant, document, again)
            except RPCError as error:
                log.warning("not nudged", merchant=merchant, document=document, error=error.status.name)
                return
            async with self._database.everyone() as session:
                await session.execute(_APPLIED, {"outcome": outcome, "numbers": list(said)})

    async def tend_flows(self) -> int:
        """Let go on what waited for a flow that is on, and let run what was asked to.

        Says 0, there is nothing to do at once: what was told takes a while to show, and is told again after some minutes.
        """
        now = time.monotonic()
        self._told_at = {told: at for told, at in self._told_at.items() if now - at < ASK_AGAIN_SECONDS}
        async with self._database.everyone() as session:
            held, asked = await flows.held(session), await flows.asked(session)
        gate = asyncio.Semaphore(AT_ONCE)
        told_of: list[flows.Held | flows.Asked] = [*held, *asked]
        await asyncio.gather(*(self._tend(gate, each) for each in told_of if each not in self._told_at))
        return 0

    async def _tend(self, gate: asyncio.Semaphore, what: flows.Held | flows.Asked) -> None:
        async with gate:
            try:
                if isinstance(what, flows.Held):
                    correction = {"by": "lagerbro", "reason": f"the flow {what.flow} is on"}
                    await self._client.get_workflow_handle(await self._process_of(what)).signal("retry_now", correction)
                elif what.flow in FLOWS:
                    await self._run_now(FLOWS[what.flow], what.merchant)
            except RPCError as error:
                log.warning("flow not told", merchant=what.merchant, flow=what.flow, error=error.status.name)
                if error.status != RPCStatusCode.NOT_FOUND:
                    return
            self._told_at[what] = time.monotonic()

    async def _run_now(self, flow: Flow, merchant: str) -> None:
        if flow.schedule:
            await self._client.get_schedule_handle(f"{flow.schedule}/{merchant}").trigger()
        elif flow.process == "articles":
            await start_syncing(self._client, merchant)
        elif flow.process == "watch":
            await start_watching(self._client, merchant)
            await self._client.get_workflow_handle(f"watch/{merchant}").signal(WatchWarehouse.run_now)

    async def _process_of(self, waiting: flows.Held) -> str:
        async with self._database.everyone() as session:
            found = await rows(session, _WORKFLOW, merchant=waiting.merchant, kind=waiting.kind, document=waiting.document)
        return str(found[0].workflow_id) if found else f"{waiting.kind}/{waiting.document}"


async def _forever(
    does: Callable[[], Awaitable[int]],
    woken: asyncio.Event,
    stop: asyncio.Event,
    idle: Callable[[], float] = lambda: IDLE_SECONDS,
    gather: float = 0.0,
) -> None:
    """Do it again as long as there is something to do; else when woken, after a moment to gather what comes with it."""
    while not stop.is_set():
        try:
            taken = await does()
        except Exception as error:
            log.error("relay pauses", error=type(error).__name__)
            await asyncio.sleep(0.5)
            continue
        if taken:
            await asyncio.sleep(gather)
            continue
        try:
            await asyncio.wait_for(woken.wait(), idle())
            await asyncio.sleep(gather)
        except TimeoutError:
            continue
        finally:
            woken.clear()


async def _listen(database: Database, channels: dict[str, asyncio.Event], stop: asyncio.Event) -> None:
    """LISTEN on a connection of its own; a lost connection is made again, and the idle poll covers the gap."""
    while not stop.is_set():
        try:
            async with database.engine.connect() as connection:
                raw = await connection.get_raw_connection()
                driver: Any = raw.driver_connection
                for channel, event in channels.items():
                    await driver.add_listener(channel, lambda *_args, event=event: event.set())
                lost = asyncio.Event()
                driver.add_termination_listener(lambda _driver, lost=lost: lost.set())
                await lost.wait()
        except Exception as error:
            log.warning("listening again", error=type(error).__name__)
            await asyncio.sleep(0.5)


async def main() -> None:
    settings = Settings.from_environment()
    configure_logs(settings.log_level)
    serve_metrics(settings)
    database = Database(settings.database("relay"), pool_size=AT_ONCE + 4)
    relay = Relay(
        database,
        await connect(settings, SERVER_MAY_COME_LATER, interceptors=interceptors(settings, "relay")),
        Pace(NUDGE_SECONDS),
    )
    stop, outbox, articles, inbox, entity = (asyncio.Event() for _ in range(5))

    def end() -> None:
        for event in (stop, outbox, articles, inbox, entity):
            event.set()

    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, end)
    log.info("relay started")
    channels = {"lagerbro_outbox": outbox, "lagerbro_articles": articles, "lagerbro_inbox": inbox, "lagerbro_entity": entity}
    listening = asyncio.create_task(_listen(database, channels, stop))
    async with alive(settings):
        await asyncio.gather(
            _forever(relay.deliver_outbox, outbox, stop),
            _forever(relay.deliver_articles, articles, stop),
            _forever(relay.drain_inbox, inbox, stop, relay.until_due, HINTS_GATHER_SECONDS),
            _forever(relay.tend_flows, entity, stop, lambda: TEND_SECONDS),
        )
    listening.cancel()
    await database.close()
    await asyncio.sleep(0.3)


if __name__ == "__main__":
    import uvloop

    uvloop.run(main())
