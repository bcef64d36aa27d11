"""What a process counts of itself, served for Prometheus on `LAGERBRO_METRICS_PORT` where that is set.

Figures of the business (lag, what stands still, the tie-out) are read from the database by `starters/exporter.py` instead: they
are the same whichever worker is asked, and must not be lost when one ends.
"""

from prometheus_client import Counter, Histogram, start_http_server

from worker.settings import Settings

STEPS = Histogram(
    "lagerbro_step_seconds",
    "How long one attempt of a step takes.",
    ["activity"],
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
)
RETRIES = Counter(
    "lagerbro_step_failures_total",
    "Attempts that did not succeed, by what cures them: time, a person, or a mended program.",
    ["activity", "code", "cure"],
)


def serve_metrics(settings: Settings) -> None:
    """Serve what this process counts. A thread of its own: scraping does not wait for the event loop."""
    if settings.metrics_port is not None:
        start_http_server(settings.metrics_port, addr=settings.metrics_host)
