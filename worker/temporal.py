"""The one way this project connects to Temporal: the SDK's variables, our converter."""

import asyncio
from datetime import timedelta
from typing import Any

from temporalio.client import Client
from temporalio.service import GrpcCompression

from worker.codec import data_converter
from worker.settings import Settings

SERVER_MAY_COME_LATER = timedelta(minutes=5)


async def connect(settings: Settings, patience: timedelta = timedelta(0), **options: Any) -> Client:
    """A client for `TEMPORAL_ADDRESS` and `TEMPORAL_NAMESPACE`, with payloads sealed.

    Fails when nobody has answered within `patience`: a command fails at once, a process that stays waits for its server.
    Without compression: on a local network it costs more than it saves.
    """
    connection: dict[str, Any] = {"target_host": "127.0.0.1:7233", **settings.temporal_connection()}
    until = asyncio.get_running_loop().time() + patience.total_seconds()
    while True:
        try:
            return await Client.connect(
                **connection, data_converter=data_converter(settings), grpc_compression=GrpcCompression.NONE, **options
            )
        except RuntimeError:
            if asyncio.get_running_loop().time() >= until:
                raise
            await asyncio.sleep(0.25)
