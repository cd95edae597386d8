"""Writes core v1 Events about objects, as client-go's recorder does, without delaying its callers.

The same event again becomes a higher count on the first one; more than ten similar ones (all but the message the same)
within ten minutes become one combined event; each source and object may emit 25 at once and then one every 5 minutes.
What is over a limit is dropped: events are best effort. All are written one by one, 100 at once and then 50 a second
(the client's rate in kube-scheduler), so that 3,000 Pods that start get their nodes before their events; and while the
component is busy with other writes, an event waits for them, but no longer than five seconds.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from homeostat.api.errors import ApiError
from homeostat.api.kinds import Kind
from homeostat.api.types import Obj
from homeostat.client.contract import Client, Unreachable
from homeostat.kit import chance, clock, tasks
from homeostat.kit.log import logger

EVENT = Kind("", "v1", "Event", "events", "event", namespaced=True)

# client-go, tools/record/events_cache.go.
_SIMILAR_MAX = 10
_SIMILAR_SECONDS = 600.0
_BURST = 25
_REFILL_SECONDS = 300.0
_CACHE_MAX = 4096
_COMBINED = "(combined from similar events): "

_QUEUE_MAX = 5000
_WRITES_BURST = 100
_WRITES_PER_SECOND = 50.0
_COURTESY_SECONDS_MAX = 5.0
_COURTESY_STEP_SECONDS = 0.1
_TRIES_MAX = 3
_TRY_PAUSE_SECONDS = 1.0
_FLUSH_SECONDS_MAX = 1.0

_log = logger("events")

V = TypeVar("V")


class _Recent(Generic[V]):
    """A map of the most recently used `_CACHE_MAX` entries."""

    def __init__(self) -> None:
        self._entries: OrderedDict[tuple[str, ...], V] = OrderedDict()

    def get(self, key: tuple[str, ...]) -> V | None:
        if key not in self._entries:
            return None
        self._entries.move_to_end(key)
        return self._entries[key]

    def put(self, key: tuple[str, ...], value: V) -> None:
        self._entries[key] = value
        self._entries.move_to_end(key)
        if len(self._entries) > _CACHE_MAX:
            self._entries.popitem(last=False)


@dataclass(slots=True)
class _Bucket:
    """The tokens that one source has left for one object, as of `moment` (monotonic seconds)."""

    tokens: float
    moment: float


@dataclass(slots=True)
class _Similar:
    """The distinct messages of similar events since `moment` (monotonic seconds of the newest)."""

    moment: float
    messages: set[str] = field(default_factory=set)


@dataclass(slots=True)
class _Written:
    """An event that is in the API, and how often it has been seen."""

    namespace: str
    name: str
    first_time: str
    count: int


class EventRecorder:
    """Records as `component` on `host`. `dropped` counts what was over a limit. `busy` says whether the component has
    so much else to write that events should wait."""

    def __init__(
        self, client: Client, component: str, *, host: str = "", busy: Callable[[], bool] = lambda: False
    ) -> None:
        self.dropped = 0
        self._client = client
        self._component = component
        self._host = host
        self._busy = busy
        # Events, each with the moment when it was recorded (monotonic seconds).
        self._queue: asyncio.Queue[tuple[Obj, float]] = asyncio.Queue(_QUEUE_MAX)
        self._buckets: _Recent[_Bucket] = _Recent()
        self._similar: _Recent[_Similar] = _Recent()
        self._written: _Recent[_Written] = _Recent()
        self._writer: asyncio.Task[None] | None = None
        self._pace = _Bucket(_WRITES_BURST, clock.monotonic())

    def start(self) -> None:
        """Begin to write."""
        if self._writer is None:
            self._writer = tasks.spawn(self._write_all(), name=f"{self._component}/events")

    async def stop(self) -> None:
        """Write what waits, within a second, and end."""
        writer, self._writer = self._writer, None
        if writer is not None:
            try:
                async with asyncio.timeout(_FLUSH_SECONDS_MAX):
                    await self._queue.join()
            except TimeoutError:
                _log.debug("%s: %d events were not written", self._component, self._queue.qsize())
            await tasks.stop(writer)

    def record(self, about: Obj, reason: str, message: str, event_type: str = "Normal", *, component: str = "") -> None:
        """Note that `reason` happened to `about`, a whole object. Returns at once.

        `component` is the part of this component that says so, such as `deployment-controller`.
        """
        involved = reference(about)
        if not self._allowed(involved):
            self.dropped += 1
            return
        message = self._combined(involved, event_type, reason, message)
        now = clock.now_rfc3339()
        namespace = involved.get("namespace") or "default"
        # Kubernetes names events by the nanosecond; moments can be equal here, so chance fills the last six digits.
        moment = int(clock.wall() * 1e3) * 1_000_000 + chance.below(1_000_000)
        component = component or self._component
        source = {"component": component} | ({"host": self._host} if self._host else {})
        event: Obj = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": f"{involved['name']}.{moment:x}", "namespace": namespace},
            "involvedObject": involved,
            "reason": reason,
            "message": message,
            "type": event_type,
            "source": source,
            "reportingComponent": component,
            "reportingInstance": self._host,
            "firstTimestamp": now,
            "lastTimestamp": now,
            "count": 1,
        }
        try:
            self._queue.put_nowait((event, clock.monotonic()))
        except asyncio.QueueFull:
            self.dropped += 1

    def _allowed(self, involved: Obj) -> bool:
        """Take one token of the object's bucket."""
        key = _identity(involved)
        now = clock.monotonic()
        bucket = self._buckets.get(key)
        if bucket is None:
            bucket = _Bucket(_BURST, now)
            self._buckets.put(key, bucket)
        bucket.tokens = min(_BURST, bucket.tokens + (now - bucket.moment) / _REFILL_SECONDS)
        bucket.moment = now
        if bucket.tokens < 1:
            return False
        bucket.tokens -= 1
        return True

    def _combined(self, involved: Obj, event_type: str, reason: str, message: str) -> str:
        """The message, marked as combined once there were too many different ones for the same reason."""
        key = (*_identity(involved), event_type, reason)
        now = clock.monotonic()
        similar = self._similar.get(key)
        if similar is None or now - similar.moment > _SIMILAR_SECONDS:
            similar = _Similar(now)
            self._similar.put(key, similar)
        similar.moment = now
        if len(similar.messages) < _SIMILAR_MAX:
            similar.messages.add(message)
            return message
        return message if message in similar.messages else _COMBINED + message

    async def _write_all(self) -> None:
        while True:
            event, moment = await self._queue.get()
            try:
                while self._busy() and clock.monotonic() - moment < _COURTESY_SECONDS_MAX:
                    await clock.sleep(_COURTESY_STEP_SECONDS)
                await self._keep_pace()
                await self._write(event)
            finally:
                self._queue.task_done()

    async def _keep_pace(self) -> None:
        """Take one token for a write; wait for it when there is none."""
        pace, now = self._pace, clock.monotonic()
        pace.tokens = min(_WRITES_BURST, pace.tokens + (now - pace.moment) * _WRITES_PER_SECOND) - 1
        pace.moment = now
        if pace.tokens < 0:
            await clock.sleep(-pace.tokens / _WRITES_PER_SECOND)

    async def _write(self, event: Obj) -> None:
        """Write one event; after a few tries it is dropped."""
        for _ in range(_TRIES_MAX):
            try:
                await self._count_or_create(event)
                return
            except Unreachable:
                await clock.sleep(_TRY_PAUSE_SECONDS)
            except ApiError as error:
                # For one, a namespace that is going takes no new events.
                _log.debug("%s: event %s: %s", self._component, event["reason"], error)
                break
        self.dropped += 1

    async def _count_or_create(self, event: Obj) -> None:
        message = event["message"]
        same = _COMBINED if message.startswith(_COMBINED) else message
        key = (*_identity(event["involvedObject"]), event["type"], event["reason"], same)
        known = self._written.get(key)
        if known is not None:
            patch = {"count": known.count + 1, "lastTimestamp": event["lastTimestamp"], "message": message}
            try:
                await self._client.patch(EVENT, known.name, known.namespace, patch)
            except ApiError as error:
                if error.code != 404:
                    raise
                # Events expire after an hour: count on under a new one.
                event |= {"count": known.count + 1, "firstTimestamp": known.first_time}
            else:
                known.count += 1
                return
        created = await self._client.create(EVENT, event)
        metadata = created["metadata"]
        written = _Written(metadata["namespace"], metadata["name"], event["firstTimestamp"], event["count"])
        self._written.put(key, written)


def reference(about: Obj) -> Obj:
    """The ObjectReference of a whole object."""
    metadata = about["metadata"]
    return {
        "apiVersion": about.get("apiVersion", ""),
        "kind": about.get("kind", ""),
        "name": metadata["name"],
        "namespace": metadata.get("namespace", ""),
        "uid": metadata.get("uid", ""),
        "resourceVersion": metadata.get("resourceVersion", ""),
    }


def _identity(involved: Obj) -> tuple[str, str, str, str]:
    return involved["kind"], involved["namespace"], involved["name"], involved["uid"]
