"""What Temporal stores is sealed: arguments, results, failures, summaries, details.

`decode` refuses by marking and never by raising: one signal sealed with an unknown key would otherwise make every later
workflow task of that workflow fail, for ever. A marked payload cannot be converted, so a signal is dropped with an error in
the log, an update is refused, and the workflow goes on. A payload that was not sealed is refused like a changed one.

The seal is bound to namespace and key id, never to the workflow id: the UI and the CLI send only the namespace.
"""

import dataclasses
from collections.abc import Sequence

import structlog
from temporalio.api.common.v1 import Payload
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.converter import DataConverter, DefaultFailureConverterWithEncodedAttributes, PayloadCodec

from worker.keyring import KeyRing, KeyRingError
from worker.settings import Settings

SEALED = b"binary/sealed"
REFUSED = b"binary/refused"

log = structlog.get_logger("codec")


class SealedCodec(PayloadCodec):
    """AES-256-GCM around whole payloads. The key's id travels in the metadata, so keys can be changed."""

    def __init__(self, ring: KeyRing, namespace: str) -> None:
        self._ring = ring
        self._namespace = namespace

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        return [self.seal(payload) for payload in payloads]

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        return [self.open(payload) for payload in payloads]

    def seal(self, payload: Payload) -> Payload:
        key_id, sealed = self._ring.encrypt(payload.SerializeToString(), "payload", self._namespace)
        return Payload(metadata={"encoding": SEALED, "kid": key_id.encode()}, data=sealed)

    def open(self, payload: Payload) -> Payload:
        """The payload inside, or a mark that says why not."""
        if payload.metadata.get("encoding") != SEALED:
            return _refused("not sealed")
        try:
            key_id = payload.metadata["kid"].decode("ascii")
            inside = self._ring.decrypt(key_id, payload.data, "payload", self._namespace)
            return Payload.FromString(inside)
        except KeyRingError as why:
            return _refused(str(why))
        except Exception as why:
            return _refused(type(why).__name__)


def codec(settings: Settings) -> PayloadCodec | None:
    """The codec of this installation; None, and said loudly, when sealing is off."""
    if settings.sealing == "off":
        log.warning("sealing is off: payloads are readable by whoever can read Temporal's database")
        return None
    return SealedCodec(settings.key_ring(), settings.temporal_namespace)


def data_converter(settings: Settings) -> DataConverter:
    """How every client, worker and replayer of this installation writes and reads payloads."""
    return dataclasses.replace(
        pydantic_data_converter,
        payload_codec=codec(settings),
        failure_converter_class=DefaultFailureConverterWithEncodedAttributes,
    )


def _refused(why: str) -> Payload:
    log.error("payload refused", why=why)
    return Payload(metadata={"encoding": REFUSED, "why": why.encode("utf-8", errors="replace")[:200]})
