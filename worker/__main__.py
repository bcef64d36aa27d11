"""The worker: reads settings, connects, wires the activities, and works until it is told to stop."""

import asyncio
import logging
import signal
import sys
from datetime import timedelta

import structlog
from temporalio.client import Client
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from activities.articles import Articles
from activities.corrections import Corrections
from activities.erp import Erp
from activities.fortnox import Fortnox
from activities.ongoing import Ongoing, Rules
from activities.purchase_corrections import PurchaseCorrections
from activities.purchases import Purchases
from activities.reconcile import Reconcile
from activities.returns import Returns
from activities.supplier_invoices import SupplierInvoices
from activities.vouchers import Vouchers
from activities.watch import Watch
from activities.writing import WriteRules
from erp.database import Database
from worker.health import alive
from worker.interceptors import Meaning
from worker.keyring import KeyRing
from worker.logs import configure_logs
from worker.metrics import serve_metrics
from worker.settings import Settings
from worker.temporal import SERVER_MAY_COME_LATER, connect
from worker.tracing import interceptors
from worker.wiring import exchange_rates, fortnox_connections, ongoing_connections, sftp_connections
from workflows import options
from workflows.approve_differences import ApproveDifferences
from workflows.exchange_rates import FetchExchangeRates
from workflows.match_supplier_invoices import MatchSupplierInvoices
from workflows.post_vouchers import PostVouchers
from workflows.receive_purchase_order import ReceivePurchaseOrder
from workflows.receive_return import ReceiveReturn
from workflows.reconcile_stock import ReconcileStock
from workflows.sales_order import FulfilSalesOrder
from workflows.sync_articles import SyncArticles
from workflows.watch_warehouse import WatchWarehouse

WORKFLOWS = [
    FulfilSalesOrder,
    ReceiveReturn,
    ReceivePurchaseOrder,
    SyncArticles,
    WatchWarehouse,
    PostVouchers,
    MatchSupplierInvoices,
    FetchExchangeRates,
    ReconcileStock,
    ApproveDifferences,
]
GRACE = timedelta(seconds=30)

log = structlog.get_logger("worker")


def workers(client: Client, database: Database, keys: KeyRing, settings: Settings) -> tuple[list[Worker], list[object]]:
    """One worker per queue, all in this process; and what must be closed after them."""
    patience = timedelta(seconds=settings.doubt_seconds)
    deadline = timedelta(seconds=settings.client_deadline_seconds)
    settle = timedelta(seconds=settings.settle_seconds)
    warehouse = ongoing_connections(database, keys, settings)
    accounting = fortnox_connections(database, keys, settings)
    banks = exchange_rates(database, settings)
    erp = Erp(database)
    ongoing = Ongoing(database, warehouse, Rules(patience, deadline, settings.build_id, settle))
    articles = Articles(database, warehouse, settle)
    back = Returns(database, warehouse, Rules(patience, deadline, settings.build_id, settle))
    purchases = Purchases(database, warehouse, Rules(patience, deadline, settings.build_id, settle))
    watch = Watch(database, warehouse)
    files = sftp_connections(database, keys, settings)
    reconcile = Reconcile(database, warehouse, settings.build_id, files)
    rules = WriteRules(deadline, settle, patience)
    fortnox = Fortnox(database, accounting, rules)
    vouchers = Vouchers(database, accounting, rules)
    supplier_invoices = SupplierInvoices(database, accounting, settings.build_id)
    corrections = Corrections(database, warehouse, accounting)
    purchase_corrections = PurchaseCorrections(database, settings.build_id)
    shared = {"interceptors": [Meaning()], "graceful_shutdown_timeout": GRACE, "build_id": settings.build_id}
    many = settings.worker_concurrency
    return [
        Worker(
            client,
            task_queue=options.ORDERS_QUEUE,
            workflows=WORKFLOWS,
            activities=[
                erp.open_exception,
                erp.close_exceptions,
                corrections.weigh_correction,
                corrections.correct_rows,
                corrections.close_purchase,
                purchase_corrections.correct_purchase,
                banks.fetch_exchange_rates,
                supplier_invoices.match_purchase,
                supplier_invoices.decide_invoice,
            ],
            workflow_runner=UnsandboxedWorkflowRunner(),
            sticky_queue_schedule_to_start_timeout=timedelta(seconds=1),
            max_cached_workflows=2000,
            **shared,  # type: ignore[arg-type]
        ),
        Worker(
            client,
            task_queue=options.ONGOING_QUEUE,
            activities=[
                ongoing.send_sales_order,
                ongoing.look_at_sales_order,
                ongoing.cancel_sales_order,
                articles.send_changed_articles,
                back.announce_return,
                back.look_at_return,
                back.cancel_return,
                back.settle_without_credit,
                purchases.send_purchase_order,
                purchases.look_at_purchase_order,
                watch.find_changes,
                watch.sweep,
                corrections.adopt_order,
                reconcile.plan_reconciliation,
                reconcile.compare_stock,
                reconcile.settle_differences,
                reconcile.write_reconciliation_file,
                reconcile.decide_difference,
                reconcile.waiting_differences,
            ],
            max_concurrent_activities=many,
            **shared,  # type: ignore[arg-type]
        ),
        Worker(
            client,
            task_queue=options.FORTNOX_QUEUE,
            activities=[
                fortnox.invoice_shipment,
                fortnox.credit_return,
                fortnox.sweep_surplus_invoices,
                vouchers.post_vouchers,
                vouchers.sweep_surplus_vouchers,
                supplier_invoices.read_supplier_invoices,
                corrections.correct_invoice,
            ],
            max_concurrent_activities=many,
            **shared,  # type: ignore[arg-type]
        ),
    ], [warehouse, accounting, banks, files]


async def main() -> None:
    settings = Settings.from_environment()
    configure_logs(settings.log_level)
    logging.getLogger("temporalio").setLevel(logging.WARNING)
    keys = settings.key_ring()
    database = Database(settings.database("app"), pool_size=max(10, settings.worker_concurrency))
    client = await connect(settings, SERVER_MAY_COME_LATER, interceptors=interceptors(settings, "worker"))
    serve_metrics(settings)
    running, connections = workers(client, database, keys, settings)
    stop = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    log.info("worker started", build=settings.build_id, sealing=settings.sealing)
    tasks = [asyncio.create_task(worker.run()) for worker in running]
    stopping = asyncio.create_task(stop.wait())
    async with alive(settings):
        await asyncio.wait([*tasks, stopping], return_when=asyncio.FIRST_COMPLETED)
    await asyncio.gather(*(worker.shutdown() for worker in running))
    results = await asyncio.gather(*tasks, return_exceptions=True)
    for each in connections:
        await each.aclose()  # type: ignore[attr-defined]
    await database.close()
    await asyncio.sleep(0.3)  # the SDK may crash a process that ends at once
    if failed := [result for result in results if isinstance(result, BaseException)]:
        log.error("worker failed", error=type(failed[0]).__name__)
        sys.exit(1)


if __name__ == "__main__":
    import uvloop

    uvloop.run(main())
