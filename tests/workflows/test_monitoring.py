"""What is measured, logged and traced of real orders."""

import json
import re
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
import yaml
from prometheus_client import REGISTRY, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from starters.exporter import exposition
from tests.activities.world import Shop
from tests.conftest import REPOSITORY
from tests.erp.data import line
from tests.workflows.process import Processes
from worker.interceptors import whose
from worker.settings import Settings
from worker.tracing import interceptors

DEPLOY = REPOSITORY / "deploy"


async def measured(shop: Shop) -> dict[tuple[str, ...], float]:
    """This merchant's figures: name and the other labels' values, to the value."""
    found = {}
    for family in text_string_to_metric_families((await exposition(shop.verify)).decode()):
        for sample in family.samples:
            if sample.labels.get("merchant") == shop.merchant:
                others = [value for name, value in sorted(sample.labels.items()) if name != "merchant"]
                found[sample.name, *others] = sample.value
    return found


async def test_the_figures_are_those_of_the_books(processes: Processes, shop: Shop) -> None:
    await processes.begin("SO-1", [line("X")])
    await processes.blocked_by("unknown-article")
    await processes.begin("SO-2")
    await processes.reaches("at-warehouse", "SO-2")
    figures = await measured(shop)
    assert figures["lagerbro_blocked", "unknown-article"] == 1
    assert 0 <= figures["lagerbro_blocked_oldest_seconds", "unknown-article"] < 60
    assert figures["lagerbro_orders", "at-warehouse"] == 1
    assert figures["lagerbro_connection_blocked", "ongoing"] == 0
    assert figures["lagerbro_tie_out_difference", "balances"] == 0
    assert figures["lagerbro_tie_out_difference", "postings"] == 0
    counted = generate_latest(REGISTRY).decode()
    assert re.search(
        r'lagerbro_step_failures_total\{activity="send_sales_order",code="unknown-article",cure="person"\} [1-9]', counted
    )
    assert 'lagerbro_step_seconds_count{activity="send_sales_order"}' in counted


async def test_a_difference_in_the_books_is_a_figure_that_is_not_zero(processes: Processes, shop: Shop) -> None:
    assert processes
    async with shop.worker.database.merchant(shop.merchant) as session:
        from sqlalchemy import text

        statement = text("update erp.stock_balance set value = value + 1 where merchant_id = :m and article_number = 'A'")
        await session.execute(statement, {"m": shop.merchant})
    assert (await measured(shop))["lagerbro_tie_out_difference", "balances"] == -1


def _named(text: str) -> set[str]:
    return set(re.findall(r"\blagerbro_[a-z_]+", text))


async def test_dashboard_and_alerts_name_only_figures_that_are_there(processes: Processes, shop: Shop) -> None:
    await processes.begin("SO-1", [line("X")])
    await processes.blocked_by("unknown-article")
    page = (await exposition(shop.verify)).decode() + generate_latest(REGISTRY).decode()
    there = _named(page)
    dashboard = json.loads((DEPLOY / "grafana" / "lagerbro.json").read_text(encoding="utf-8"))
    rules = yaml.safe_load((DEPLOY / "prometheus" / "alerts.yaml").read_text(encoding="utf-8"))["groups"][0]["rules"]
    shown = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]] + [rule["expr"] for rule in rules]
    for expression in shown:
        assert _named(expression) <= there, expression
    plain = {name for name in there if not name.endswith(("_bucket", "_sum", "_count", "_created", "_seconds", "_total"))}
    assert plain <= _named(" ".join(shown)), "what is measured is also shown"
    for rule in rules:
        assert {"summary", "what_to_do"} <= set(rule["annotations"])


def test_each_line_of_an_attempt_says_whose_it_is() -> None:
    script = (
        "import structlog\n"
        "from worker.logs import configure_logs\n"
        "configure_logs('info')\n"
        "with structlog.contextvars.bound_contextvars(merchant='m', document='SO-1', workflow='w', activity='a', attempt=3):\n"
        "    structlog.get_logger('x').info('refused', code='c', text='mail anna@example.com token=abc')\n"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    said = json.loads(done.stdout)
    assert {name: said[name] for name in ("merchant", "document", "workflow", "activity", "attempt")} == {
        "merchant": "m",
        "document": "SO-1",
        "workflow": "w",
        "activity": "a",
        "attempt": 3,
    }
    assert "anna@example.com" not in done.stdout and "abc" not in done.stdout


@pytest.mark.parametrize(
    ("workflow_id", "merchant", "document"),
    [
        ("sales-order/m/SO-1", "m", "SO-1"),
        ("sales-order/m/SO-1#2", "m", "SO-1"),
        ("sales-order/m/A/B", "m", "A/B"),
        ("watch/m", "m", "m"),
        ("", "", ""),
    ],
)
def test_whose_an_attempt_is_stands_in_the_name_of_its_process(workflow_id: str, merchant: str, document: str) -> None:
    class Info:
        activity_type = "look"
        attempt = 1

    Info.workflow_id = workflow_id  # type: ignore[attr-defined]
    said = whose(Info())  # type: ignore[arg-type]
    assert (said["merchant"], said["document"]) == (merchant, document)


def test_without_an_endpoint_nothing_is_traced() -> None:
    assert interceptors(Settings(), "worker") == []


def test_spans_go_to_the_endpoint() -> None:
    received: list[tuple[str, int]] = []

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.append((self.path, len(self.rfile.read(int(self.headers["Content-Length"])))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            return

    server = HTTPServer(("127.0.0.1", 0), Collector)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    script = (
        "from opentelemetry import trace\n"
        "from worker.settings import Settings\n"
        "from worker.tracing import interceptors\n"
        f"[tracing] = interceptors(Settings(trace_endpoint='http://127.0.0.1:{server.server_port}/v1/traces'), 'worker')\n"
        "with tracing.tracer.start_as_current_span('look'):\n    pass\n"
        "trace.get_tracer_provider().force_flush()\n"
    )
    subprocess.run([sys.executable, "-c", script], cwd=REPOSITORY, check=True, timeout=60)
    server.shutdown()
    thread.join()
    server.server_close()
    assert received and received[0][0] == "/v1/traces"
