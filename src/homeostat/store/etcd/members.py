"""Calls to etcd's members: which one is asked, how long it may take, what its refusals mean.

The first endpoint is the local one and is asked first; one that fails is passed over until others have failed too. A
call that only reads is repeated on the next member. A call that writes is sent once: whether it happened is for the
caller to find out (`Unknown`).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any, Protocol, TypeVar

import grpc
import grpc.aio

from homeostat.kit import clock, tasks
from homeostat.kit.backoff import Backoff
from homeostat.kit.log import logger
from homeostat.store.contract import StoreError, Unavailable

# One member's time to answer, longer with each attempt of a call. Ten times what a healthy member under load needs,
# and short enough to ask another within the second that a lost master may cost.
ATTEMPT_SECONDS = Backoff(first_seconds=0.25, ceiling_seconds=1.0, factor=1.5)
# All attempts of one call: an election is over within half of it, and without a quorum nobody waits longer.
CALL_SECONDS_MAX = 2.0
_PAUSE_SECONDS = 0.02
# What a member says before it lets anything into the log.
_REFUSALS = ("too many requests", "unhealthy cluster")
# After the local member has failed: one that keeps its connections and says nothing costs an attempt each time.
_LOCAL_AGAIN = Backoff(first_seconds=2.0, ceiling_seconds=60.0)
# Of `urge`: between two attempts, and how many may be out at once.
_URGE_SECONDS = 0.05
_URGED_MAX = 12

_log = logger("store.etcd")


class Message(Protocol):
    """A protocol message."""

    def SerializeToString(self) -> bytes:
        """The bytes on the wire."""
        ...


Answer = TypeVar("Answer")


class Unknown(StoreError):
    """A write was sent and not answered: it may have happened, it may still happen."""


class CompactedThere(StoreError):
    """etcd has forgotten the revision that was asked for."""


class FutureThere(StoreError):
    """etcd has not reached the revision that was asked for."""


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """The client's certificate and key, and the authority that signed the members' certificates (PEM files)."""

    ca: Path
    certificate: Path
    key: Path


# What gRPC is told. Large listings are pages of many megabytes. A silent connection with a call on it is pinged, no
# more often than etcd allows by default (`--grpc-keepalive-min-time`, 5 s).
_OPTIONS = [
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    ("grpc.keepalive_time_ms", 5_500),
    ("grpc.keepalive_timeout_ms", 1_000),
    ("grpc.keepalive_permit_without_calls", 0),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.http2.bdp_probe", 0),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 500),
    ("grpc.enable_retries", 0),
    ("grpc.use_local_subchannel_pool", 1),
]


class Members:
    """The channels to all members of one cluster."""

    def __init__(self, endpoints: Sequence[str], tls: TlsFiles | None = None) -> None:
        if not endpoints:
            raise ValueError("no etcd endpoint is given")
        self.endpoints = [endpoint.rsplit("//", 1)[-1] for endpoint in endpoints]
        self._tls = tls
        self._channels: list[grpc.aio.Channel] = []
        self._methods: dict[tuple[int, str], Any] = {}
        self._preferred = 0
        self._shunned: frozenset[int] = frozenset()
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
        if self._preferred and self._channels and 0 not in self._shunned and clock.monotonic() >= self._local_again_at:
            state = self._channels[0].get_state(try_to_connect=True)
            if state == grpc.ChannelConnectivity.READY:
                self._preferred = 0
        return self._preferred

    def pass_over(self, member: int) -> None:
        """Ask another member first from now on, when `member` is the one that is."""
        if member == self._preferred:
            others = [(member + step) % len(self.endpoints) for step in range(1, len(self.endpoints) + 1)]
            self._preferred = next((other for other in others if other not in self._shunned), others[0])
            if member == 0:
                self._local_again_at = clock.monotonic() + _LOCAL_AGAIN.delay(self._local_failures)
                self._local_failures += 1

    def shun(self, members: frozenset[int]) -> None:
        """Ask these no more, and all others again."""
        self._shunned = members
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

    async def read(
        self, path: str, request: Message, answer: type[Answer], *, seconds: float = CALL_SECONDS_MAX
    ) -> Answer:
        """Ask members until one answers. Raises Unavailable naming what each said, CompactedThere, FutureThere."""
        deadline = clock.monotonic() + seconds
        said: dict[str, str] = {}
        for attempt in count():
            member = self.preferred
            left = max(deadline - clock.monotonic(), 0.001)
            try:
                seconds_max = min(ATTEMPT_SECONDS.delay(attempt), left)
                return await self.once(member, path, request, answer, seconds=seconds_max)
            except grpc.aio.AioRpcError as error:
                said[self.endpoints[member]] = explain(error)
            self.pass_over(member)
            if clock.monotonic() >= deadline:
                break
            await clock.sleep(_PAUSE_SECONDS)
        raise lost(said, len(self.endpoints))

    async def urge(self, path: str, request: Message, answer: type[Answer]) -> Answer:
        """As `read`, for what must be done as soon as there is a leader again: another member is asked every few
        milliseconds while those before have not answered."""
        deadline = clock.monotonic() + CALL_SECONDS_MAX
        said: dict[str, str] = {}
        pending: dict[asyncio.Task[Answer | grpc.aio.AioRpcError | StoreError], int] = {}
        try:
            while clock.monotonic() < deadline:
                if len(pending) < _URGED_MAX:
                    member = self.preferred
                    self.pass_over(member)
                    work = self.once(member, path, request, answer, seconds=ATTEMPT_SECONDS.ceiling_seconds)
                    pending[tasks.spawn(_quiet(work), name="etcd-urge")] = member
                done, _ = await asyncio.wait(pending, timeout=_URGE_SECONDS, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    endpoint = self.endpoints[pending.pop(task)]
                    found = task.result()
                    if isinstance(found, grpc.aio.AioRpcError):
                        said[endpoint] = explain(found)
                    elif isinstance(found, StoreError):
                        raise found
                    else:
                        self._preferred = self.endpoints.index(endpoint)
                        return found
                if done and not pending:
                    await clock.sleep(_PAUSE_SECONDS)
            raise lost(said, len(self.endpoints))
        finally:
            await tasks.stop(*pending)

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
            await clock.sleep(_PAUSE_SECONDS)

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
        """A write was answered after so long: patience goes as it came, once they are quick again."""
        if seconds < ATTEMPT_SECONDS.first_seconds / 2:
            self._late = 0


async def _quiet(work: Coroutine[Any, Any, Answer]) -> Answer | grpc.aio.AioRpcError | StoreError:
    try:
        return await work
    except (grpc.aio.AioRpcError, StoreError) as error:
        return error


@asynccontextmanager
async def connected(endpoints: Sequence[str], tls: TlsFiles | None = None) -> AsyncIterator[Members]:
    """Channels for a moment."""
    members = Members(endpoints, tls)
    members.open()
    try:
        yield members
    finally:
        await members.close()


def _serialize(message: Message) -> bytes:
    return message.SerializeToString()


def lost(said: dict[str, str], members: int) -> Unavailable:
    """What a call ends with when no member has answered it."""
    told = "; ".join(f"{endpoint}: {text}" for endpoint, text in said.items()) or "no answer in time"
    return Unavailable(
        f"etcd has no quorum or cannot be reached ({members} members; more than half must be up): {told}"
    )


def explain(error: grpc.aio.AioRpcError) -> str:
    """A member's failure in a few words."""
    if error.code() == grpc.StatusCode.DEADLINE_EXCEEDED:
        return "no answer in time"
    text = str(error.details() or error.code().name)
    if text.startswith("failed to connect to all addresses"):
        return "cannot connect"
    return text.removeprefix("etcdserver: ")


def refused(error: grpc.aio.AioRpcError, endpoint: str) -> StoreError | None:
    """An answer that no other member would give differently; None for a failure of the member or the way to it."""
    text = str(error.details() or "")
    if "required revision has been compacted" in text:
        return CompactedThere(text)
    if "required revision is a future revision" in text:
        return FutureThere(text)
    if "database space exceeded" in text:
        return Unavailable(
            f"etcd at {endpoint} is full (NOSPACE alarm): it takes deletions only. Compact the history, defragment "
            "each member, then disarm the alarm; or raise --quota-backend-bytes"
        )
    if "request is too large" in text:
        return Unavailable(f"etcd at {endpoint}: the value is larger than its --max-request-bytes")
    if error.code() == grpc.StatusCode.DATA_LOSS:
        return Unavailable(f"etcd at {endpoint} found its data corrupt: {text}")
    if error.code() in (grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED):
        return Unavailable(f"etcd at {endpoint} refuses this client: {text}")
    return None


def surely_not_done(error: grpc.aio.AioRpcError) -> bool:
    """Whether the failed write never reached the log of any member, now or later."""
    text = str(error.details() or "")
    return text.startswith("failed to connect to all addresses") or any(words in text for words in _REFUSALS)
