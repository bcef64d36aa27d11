"""Histories are kept in the clear, so that they can be read and replayed without a key, and without traces of a machine."""

import dataclasses
from typing import Any

from temporalio.api.failure.v1 import Failure
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.converter import DefaultFailureConverter


class WithoutTraces(DefaultFailureConverter):
    """Failures without the lines of code they came from: paths of the machine that recorded them."""

    def to_failure(self, exception: BaseException, payload_converter: Any, failure: Failure) -> None:
        super().to_failure(exception, payload_converter, failure)
        cause: Failure | None = failure
        while cause is not None:
            cause.stack_trace = ""
            cause = cause.cause if cause.HasField("cause") else None


CONVERTER = dataclasses.replace(pydantic_data_converter, failure_converter_class=WithoutTraces)
