"""Calls to an engine over gRPC. Every failure leaves here as a RuntimeFault.

A connection is made in `open` (never before a fork), and again by itself whenever the engine comes back: until then
calls fail at once. Every call has a deadline, so an engine that hangs blocks no caller.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TypeVar

import grpc
from google.protobuf.message import Message

from homeostat.runtime.contract import RuntimeFault
from homeostat.runtime.cri.fault_reasons import NOT_FOUND, TOO_LATE, UNAVAILABLE, UNSUPPORTED

RUNTIME, IMAGES = "/runtime.v1.RuntimeService/", "/runtime.v1.ImageService/"
# What only reads is answered at once by a healthy engine; what works on containers may take long: the kubelet's bound.
READ_SECONDS_MAX = 10.0
WORK_SECONDS_MAX = 120.0
# An exec's output may fill both of its streams (containerd: 16 MiB each).
_ANSWER_BYTES_MAX = 40 << 20
_OPTIONS = [
    ("grpc.max_receive_message_length", _ANSWER_BYTES_MAX),
    ("grpc.initial_reconnect_backoff_ms", 50),
    # How long an engine may take to greet a connection: a busy machine's needs seconds, and a socket that nobody
    # listens on is refused at once.
    ("grpc.min_reconnect_backoff_ms", 5_000),
    ("grpc.max_reconnect_backoff_ms", 500),
    # Each channel has connections of its own: another one's broken state is not inherited.
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.enable_http_proxy", 0),
]

Answer = TypeVar("Answer", bound=Message)


class Channel:
    """One engine's socket: `endpoint` is a path or a `unix://` URL; `headers` go with every call."""

    def __init__(self, endpoint: str, *, headers: tuple[tuple[str, str], ...] = ()) -> None:
        self.path = endpoint.removeprefix("unix://")
        self._headers = headers
        self._channel: grpc.aio.Channel | None = None

    def open(self) -> None:
        """Make the channel, on the running loop; it connects when it is used."""
        if self._channel is None:
            self._channel = grpc.aio.insecure_channel(f"unix:{self.path}", options=_OPTIONS)

    async def close(self) -> None:
        """Close it; calls under way end."""
        channel, self._channel = self._channel, None
        if channel is not None:
            await channel.close()

    async def call(
        self, method: str, request: Message, kind: type[Answer], *, timeout_seconds: float | None = READ_SECONDS_MAX
    ) -> Answer:
        """One question, one answer. Raises RuntimeFault: Unavailable, Unsupported, NotFound,
        DeadlineExceeded (of work in the engine), or Failed for everything else that it reports."""
        stub = self._opened().unary_unary(method, request_serializer=_serialize, response_deserializer=kind.FromString)
        try:
            answer: Answer = await stub(request, timeout=timeout_seconds, metadata=self._headers)
        except grpc.aio.AioRpcError as error:
            raise self._fault(error, timeout_seconds) from error
        except grpc.aio.UsageError as error:  # closed under the call
            raise RuntimeFault(UNAVAILABLE, f"the connection to {self.path} is closed") from error
        return answer

    async def stream(self, method: str, request: Message, kind: type[Answer]) -> AsyncIterator[Answer]:
        """The answers to one question, until the engine ends them. Raises RuntimeFault as `call` does."""
        stub = self._opened().unary_stream(method, request_serializer=_serialize, response_deserializer=kind.FromString)
        call = stub(request, metadata=self._headers)
        try:
            async for answer in call:
                yield answer
        except grpc.aio.AioRpcError as error:
            raise self._fault(error, None) from error
        finally:
            call.cancel()

    def _opened(self) -> grpc.aio.Channel:
        if self._channel is None:
            raise RuntimeFault(UNAVAILABLE, f"the connection to {self.path} is closed")
        return self._channel

    def _fault(self, error: grpc.aio.AioRpcError, timeout_seconds: float | None) -> RuntimeFault:
        code, text = error.code(), error.details() or "no further words"
        if code is grpc.StatusCode.UNAVAILABLE or _STARTING in text:
            # "failed to connect to all addresses; last error: ... error: No such file or directory": the end says it.
            why = text.rpartition("error: ")[2]
            return RuntimeFault(UNAVAILABLE, f"the container engine at {self.path} does not answer: {why}")
        if code is grpc.StatusCode.CANCELLED:
            return RuntimeFault(UNAVAILABLE, f"the container engine at {self.path} broke off the call: {text}")
        if code is grpc.StatusCode.DEADLINE_EXCEEDED:
            if text == "Deadline Exceeded":  # ours, not one that the engine reports
                late = f"no answer from the container engine at {self.path} within {timeout_seconds or 0:g} s"
                return RuntimeFault(UNAVAILABLE, late)
            return RuntimeFault(TOO_LATE, text)
        if code is grpc.StatusCode.UNIMPLEMENTED:
            return RuntimeFault(UNSUPPORTED, text)
        return RuntimeFault(NOT_FOUND if code is grpc.StatusCode.NOT_FOUND else "Failed", text)


# containerd's answer while its CRI plugin still reads what runs.
_STARTING = "server is not initialized yet"


def _serialize(message: Message) -> bytes:
    return message.SerializeToString()
