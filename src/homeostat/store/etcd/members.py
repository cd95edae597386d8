"""Calls to etcd's members: which one is asked, and how long it may take.

The first endpoint is the local one and is asked first; one that fails is passed over until others have failed too. A
call that only reads is put to others too where one is late (`hedging`). A call that writes is sent once: whether it
happened is for the caller to find out (`Unknown`).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

import grpc
import grpc.aio

from homeostat.kit import clock
from homeostat.kit.backoff import Backoff
from homeostat.kit.log import logger
from homeostat.store.contract import Unavailable
from homeostat.store.etcd.failures import Unknown, explain, lost, refused, surely_not_done
from homeostat.store.etcd.hedging import PAUSE_SECONDS, HedgedCall, HedgePolicy

# One member's time to answer, longer with each attempt of a call. Ten times what a healthy member under load needs,
# and short enough to ask another within the second that a lost master may cost.
ATTEMPT_SECONDS = Backoff(first_seconds=0.25, ceiling_seconds=1.0, factor=1.5)
# All attempts of one call: an election is over within half of it, and without a quorum nobody waits longer. A commit
# has as long for an attempt that stays unanswered, an election, the fence, and the second attempt.
CALL_SECONDS_MAX = 2.0
# The same for commands that nobody else waits for, such as a restore: they rather finish late than fail.
PATIENT_CALL_SECONDS_MAX = 30.0
# After the local member has failed: one that keeps its connections and says nothing costs an attempt each time.
_LOCAL_AGAIN = Backoff(first_seconds=2.0, ceiling_seconds=60.0)
_READ_POLICY = HedgePolicy(ATTEMPT_SECONDS, at_once_max=2)
_CALL_ALL_POLICY = HedgePolicy(Backoff(first_seconds=0.05, ceiling_seconds=0.05), at_once_max=12)

_log = logger("store.etcd")


class Message(Protocol):
    """A protocol message."""

    def SerializeToString(self) -> bytes:
        """The bytes on the wire."""
        ...


Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """The client's certificate and key, and the authority that signed the members' certificates (PEM files)."""

    ca: Path
    certificate: Path
    key: Path


# gRPC's channel options. Large listings are pages of many megabytes. A silent connection with a call on it is pinged,
# no more often than etcd allows by default (`--grpc-keepalive-min-time`, 5 s).
_OPTIONS = [
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    ("grpc.keepalive_time_ms", 5_500),
    ("grpc.keepalive_timeout_ms", 1_000),
    ("grpc.keepalive_permit_without_calls", 0),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.http2.bdp_probe", 0),
    ("grpc.initial_reconnect_backoff_ms", 100),
    # How long a connection may take to be made: on busy cores a handshake of TLS needs half a second.
    ("grpc.min_reconnect_backoff_ms", 1_000),
    ("grpc.max_reconnect_backoff_ms", 500),
    ("grpc.enable_retries", 0),
    ("grpc.use_local_subchannel_pool", 1),
]


class Members:
    """The channels to all members of one cluster. `call_seconds` bounds all attempts of one call together."""

    def __init__(
        self, endpoints: Sequence[str], tls: TlsFiles | None = None, *, call_seconds: float = CALL_SECONDS_MAX
    ) -> None:
        if not endpoints:
            raise ValueError("no etcd endpoint is given")
        self.endpoints = [endpoint.rsplit("//", 1)[-1] for endpoint in endpoints]
        self.call_seconds = call_seconds
        self._tls = tls
        self._channels: list[grpc.aio.Channel] = []
        self._methods: dict[tuple[int, str], Any] = {}
        self._preferred = 0
        self._suspended: frozenset[int] = frozenset()
        # How often in a row writes were not answered in time, and when that was counted last.
        self._late, self._late_at = 0, 0.0
        # How often the local member has failed since it last answered, and until when it is left alone for that.
        self._local_failures = 0
        self._local_again_at = 0.0

    def open(self) -> None:
        """Make the channels, on the running loop. Raises Unavailable when a TLS file cannot be read."""
        credentials = None
        if self._tls is not None:
            try:
                credentials = grpc.ssl_channel_credentials(
                    root_certificates=self._tls.ca.read_bytes(),
                    private_key=self._tls.key.read_bytes(),
                    certificate_chain=self._tls.certificate.read_bytes(),
                )
            except OSError as error:
                raise Unavailable(f"etcd's client certificate: {error}") from error
        for endpoint in self.endpoints:
            if credentials is None:
                channel = grpc.aio.insecure_channel(endpoint, options=_OPTIONS)
            else:
                channel = grpc.aio.secure_channel(endpoint, credentials, options=_OPTIONS)
            self._channels.append(channel)

    async def close(self) -> None:
        """Close the channels."""
        channels, self._channels = self._channels, []
        self._methods.clear()
        for channel in channels:
            await channel.close()

    @property
    def preferred(self) -> int:
        """The member that is asked first: the local one, or for some time another where that one has failed."""
        if (
            self._preferred
            and self._channels
            and 0 not in self._suspended
            and clock.monotonic() >= self._local_again_at
        ):
            state = self._channels[0].get_state(try_to_connect=True)
            if state == grpc.ChannelConnectivity.READY:
                self._preferred = 0
        return self._preferred

    def pass_over(self, member: int) -> None:
        """Ask another member first from now on, when `member` is the one that is."""
        if member == self._preferred:
            others = [(member + step) % len(self.endpoints) for step in range(1, len(self.endpoints) + 1)]
            self._preferred = next((other for other in others if other not in self._suspended), others[0])
            if member == 0:
                self._local_again_at = clock.monotonic() + _LOCAL_AGAIN.delay(self._local_failures)
                self._local_failures += 1

    def prefer(self, member: int) -> None:
        """Ask this member first from now on: it has answered where others did not."""
        self._preferred = member

    def suspend(self, members: frozenset[int]) -> None:
        """Ask exactly these members no more: one that only an earlier call named is asked again."""
        self._suspended = members
        if self._preferred in members:
            self.pass_over(self._preferred)

    def stream(self, member: int, path: str, answer: type[Answer]) -> Any:
        """Begin a stream of requests and answers; the member ends it when it has no leader."""
        channel = self._channels[member]
        method = channel.stream_stream(
            path,
            request_serializer=_serialize,
            response_deserializer=answer.FromString,  # type: ignore[attr-defined]
        )
        return method(metadata=(("hasleader", "true"),))

    async def once(self, member: int, path: str, request: Message, answer: type[Answer], *, seconds: float) -> Answer:
        """One attempt at one member. Raises grpc.aio.AioRpcError, or what `refused` makes of it."""
        if not self._channels:
            raise Unavailable("the store is not open")
        method = self._methods.get((member, path))
        if method is None:
            method = self._methods[member, path] = self._channels[member].unary_unary(
                path,
                request_serializer=_serialize,
                response_deserializer=answer.FromString,  # type: ignore[attr-defined]
            )
        try:
            found: Answer = await method(request, timeout=seconds)
        except grpc.aio.AioRpcError as error:
            refusal = refused(error, self.endpoints[member])
            if refusal is not None:
                raise refusal from error
            raise
        if member == 0:
            self._local_failures = 0
        return found

    async def read(self, path: str, request: Message, answer: type[Answer], *, seconds: float | None = None) -> Answer:
        """Call a member, and others as well where it is late or fails: the first answer counts (`hedging`).

        `seconds` bounds it; without it, `call_seconds` does.
        Raises Unavailable naming what each said, CompactedThere and FutureThere."""
        first = self.preferred
        seconds = self.call_seconds if seconds is None else seconds
        others = HedgedCall(self, self._caller(path, request, answer), clock.monotonic() + seconds, _READ_POLICY)
        timer = asyncio.get_running_loop().call_later(ATTEMPT_SECONDS.first_seconds, others.start_beside, first)
        try:
            try:
                async with others.first_call:
                    return await self.once(first, path, request, answer, seconds=seconds)
            except TimeoutError:
                pass
            except grpc.aio.AioRpcError as error:
                others.start_after_failure(first, error)
            return await others.answer()
        finally:
            timer.cancel()
            others.cancel()

    async def call_all(self, path: str, request: Message, answer: type[Answer]) -> Answer:
        """As `read`, for what must be done as soon as there is a leader again: another member is asked every few
        milliseconds while those before have not answered."""
        caller = self._caller(path, request, answer)
        return await HedgedCall(self, caller, clock.monotonic() + self.call_seconds, _CALL_ALL_POLICY).run()

    def _caller(self, path: str, request: Message, answer: type[Answer]) -> Callable[[int], Awaitable[Answer]]:
        return lambda member: self.once(member, path, request, answer, seconds=ATTEMPT_SECONDS.ceiling_seconds)

    async def write(self, path: str, request: Message, answer: type[Answer], *, deadline: float) -> Answer:
        """Send once; on to the next member only when it surely was not sent. Raises Unknown, Unavailable."""
        said: dict[str, str] = {}
        while True:
            member, began = self.preferred, clock.monotonic()
            try:
                found = await self.once(member, path, request, answer, seconds=self._write_seconds)
            except grpc.aio.AioRpcError as error:
                said[self.endpoints[member]] = explain(error)
                self.pass_over(member)
                if error.code() is grpc.StatusCode.DEADLINE_EXCEEDED:
                    self._was_late(began)
                if not surely_not_done(error):
                    raise Unknown(f"{self.endpoints[member]}: {explain(error)}") from error
            else:
                self._was_answered(clock.monotonic() - began)
                return found
            if clock.monotonic() >= deadline:
                raise lost(said, len(self.endpoints))
            await clock.sleep(PAUSE_SECONDS)

    @property
    def _write_seconds(self) -> float:
        """How long a member has for a write. Where writes are late again and again nobody is hung: all are slow, and to
        find out what became of each would cost more than the write."""
        return ATTEMPT_SECONDS.delay(self._late)

    def _was_late(self, began: float) -> None:
        """A write that was sent then was not answered in time; those sent together count once."""
        if began >= self._late_at:
            self._late, self._late_at = self._late + 1, clock.monotonic()

    def _was_answered(self, seconds: float) -> None:
        """A write was answered after so long. A quick answer ends the patience that late ones have built up."""
        if seconds < ATTEMPT_SECONDS.first_seconds / 2:
            self._late = 0


@asynccontextmanager
async def connected(
    endpoints: Sequence[str], tls: TlsFiles | None = None, *, call_seconds: float = CALL_SECONDS_MAX
) -> AsyncIterator[Members]:
    """Channels for one command."""
    members = Members(endpoints, tls, call_seconds=call_seconds)
    members.open()
    try:
        yield members
    finally:
        await members.close()


def _serialize(message: Message) -> bytes:
    return message.SerializeToString()
