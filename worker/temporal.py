"""The one way this project connects to Temporal: the SDK's variables, our converter."""

from typing import Any

from temporalio.client import Client

from worker.codec import data_converter
from worker.settings import Settings


async def connect(settings: Settings, **options: Any) -> Client:
    """A client for `TEMPORAL_ADDRESS` and `TEMPORAL_NAMESPACE`, with payloads sealed. Fails at once if nobody answers."""
    connection: dict[str, Any] = {"target_host": "127.0.0.1:7233", **settings.temporal_connection()}
    return await Client.connect(**connection, data_converter=data_converter(settings), **options)
