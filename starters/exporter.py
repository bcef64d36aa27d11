"""The business's figures for Prometheus, read from the database at each scrape: `python -m starters.exporter`.

One of it for an installation. What a single process counts of itself is served by that process (`worker/metrics.py`).
"""

import asyncio
from collections.abc import Iterable

import structlog
import uvicorn
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import CollectorRegistry
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from domain.errors import Refused
from domain.merchant import MerchantSettings
from erp.database import DATABASE_ERRORS, Database
from erp.finds import finds
from erp.measures import measured
from erp.vouchers import tie_out
from worker.logs import configure_logs
from worker.settings import Settings, SettingsError

log = structlog.get_logger("exporter")


class _Read:
    """What was read for one scrape, as a collector."""

    def __init__(self, families: list[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families


async def families(database: Database) -> list[Metric]:
    """Every figure of the business, as Prometheus takes it. `database` is the verify role."""
    lag = GaugeMetricFamily(
        "lagerbro_flow_lag_seconds", "Since a flow last ran, or its oldest waits.", labels=["merchant", "flow"]
    )
    blocked = GaugeMetricFamily("lagerbro_blocked", "Documents that stand still, by reason.", labels=["merchant", "code"])
    oldest = GaugeMetricFamily(
        "lagerbro_blocked_oldest_seconds", "How long the oldest has stood still.", labels=["merchant", "code"]
    )
    orders = GaugeMetricFamily("lagerbro_orders", "Orders under way, by status.", labels=["merchant", "status"])
    budget = GaugeMetricFamily(
        "lagerbro_api_budget_used_ratio", "Request slots in use or resting.", labels=["merchant", "system"]
    )
    connection = GaugeMetricFamily(
        "lagerbro_connection_blocked", "1 while credentials are refused.", labels=["merchant", "system"]
    )
    surplus = GaugeMetricFamily("lagerbro_surplus_documents", "Documents that a fault made twice.", labels=["merchant"])
    tied = GaugeMetricFamily(
        "lagerbro_tie_out_difference", "Must be 0: ledger less what it is compared with.", labels=["merchant", "with"]
    )
    waiting = GaugeMetricFamily("lagerbro_voucher_waiting", "Value of postings without a voucher.", labels=["merchant"])
    found = GaugeMetricFamily("lagerbro_found_only_by", "Changes that no quicker way found.", labels=["merchant", "way"])
    async with database.everyone() as session:
        figures = await measured(session)
        for row in figures["merchants"]:
            who = row["merchant_id"]
            try:
                settings = MerchantSettings.of(row["settings"] or {})
            except Refused:
                continue  # doctor and verify say what is wrong with them
            sums = await tie_out(session, who, settings.stock_account_numbers, not settings.opening_is_in_fortnox)
            tied.add_metric([who, "balances"], float(sums.ledger - sums.balances))
            tied.add_metric([who, "postings"], float(sums.posted - sums.vouchered - sums.waiting))
            waiting.add_metric([who], float(sums.waiting))
        for each in await finds(session):
            found.add_metric([each.merchant, "poll"], each.only_by_poll)
            found.add_metric([each.merchant, "sweep"], each.only_by_sweep)
    for row in figures["flows"]:
        lag.add_metric([row["merchant_id"], row["flow"]], row["lag"])
    for row in figures["blocked"]:
        blocked.add_metric([row["merchant_id"], row["code"]], row["count"])
        oldest.add_metric([row["merchant_id"], row["code"]], row["oldest"])
    for row in figures["orders"]:
        orders.add_metric([row["merchant_id"], row["status"]], row["count"])
    for row in figures["budget"]:
        budget.add_metric([row["merchant_id"], row["system"]], row["used"])
    for row in figures["connections"]:
        connection.add_metric([row["merchant_id"], row["system"]], row["blocked"])
    for row in figures["surplus"]:
        surplus.add_metric([row["merchant_id"]], row["count"])
    return [lag, blocked, oldest, orders, budget, connection, surplus, tied, waiting, found]


async def exposition(database: Database) -> bytes:
    """The whole page of one scrape."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Read(await families(database)))
    return generate_latest(registry)


def application(database: Database) -> Starlette:
    """`/metrics` and `/health`. While the database is away a scrape is 503, which Prometheus shows as down."""

    async def metrics(_request: Request) -> Response:
        return Response(await exposition(database), media_type=CONTENT_TYPE_LATEST)

    async def health(_request: Request) -> Response:
        return Response("ok")

    async def no_database(_request: Request, error: Exception) -> Response:
        log.warning("no database", error=type(error).__name__)
        return Response(status_code=503)

    return Starlette(
        exception_handlers=dict.fromkeys((*DATABASE_ERRORS, OSError), no_database),
        routes=[Route("/metrics", metrics), Route("/health", health)],
    )


async def serve(settings: Settings) -> None:
    """Serve until told to stop."""
    if settings.metrics_port is None:
        raise SettingsError("LAGERBRO_METRICS_PORT is not set: say where the figures are served")
    database = Database(settings.database("verify"), pool_size=2)
    config = uvicorn.Config(
        application(database),
        host=settings.metrics_host,
        port=settings.metrics_port,
        log_config=None,
        access_log=False,
        server_header=False,
    )
    await uvicorn.Server(config).serve()
    await database.close()


def main() -> None:
    settings = Settings.from_environment()
    configure_logs(settings.log_level)
    asyncio.run(serve(settings))


if __name__ == "__main__":
    main()
