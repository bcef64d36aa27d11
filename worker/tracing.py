"""Traces over OTLP where `LAGERBRO_TRACE_ENDPOINT` is set: one trace from the relay's start through every step of an order.

Spans carry the names and ids of processes and steps, never what they carry. Off, nothing of it is imported.
"""

from typing import Any

from worker.settings import Settings


def interceptors(settings: Settings, service: str) -> list[Any]:
    """What to give `connect` so that client and workers trace; empty when tracing is off."""
    if settings.trace_endpoint is None:
        return []
    from opentelemetry import trace
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor
    from temporalio.contrib.opentelemetry import TracingInterceptor

    resource = Resource.create({"service.name": f"lagerbro-{service}", "service.version": settings.build_id})
    provider = TracerProvider(resource=resource)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=settings.trace_endpoint, timeout=5)))
    trace.set_tracer_provider(provider)
    return [TracingInterceptor(provider.get_tracer("lagerbro"))]
