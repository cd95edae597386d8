"""Where an engine's events come from, best source first: the CRI's event stream; containerd's own events, where the CRI
of that time has none (containerd 1.6); and, without either, a look at everything each second.

They only say what to look at.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from enum import Enum

from google.protobuf.message import DecodeError

from homeostat.kit import clock, tasks
from homeostat.runtime.contract import RuntimeFault
from homeostat.runtime.cri import containerd_pb2 as containerd
from homeostat.runtime.cri import cri_pb2 as cri
from homeostat.runtime.cri.channel import RUNTIME, Channel
from homeostat.runtime.cri.fault_reasons import UNSUPPORTED

_EVENTS = "/containerd.services.events.v1.Events/"
_HELLO = "/homeostat/hello"
_FILTERS = ('namespace==k8s.io,topic~="^/tasks/(start|exit|oom|delete)$"', f'namespace==k8s.io,topic=="{_HELLO}"')
_HELLO_SECONDS = 0.1
_LOOK_SECONDS = 1.0


class What(Enum):
    """What an event is about. LIVE: from now on nothing will be missed, so it is time to look at everything. ENDED: the
    process has ended, and the engine's CRI side will know soon. SETTLED: it knows now, or is about to."""

    LIVE = "live"
    CHANGED = "changed"
    ENDED = "ended"
    SETTLED = "settled"
    OUT_OF_MEMORY = "out-of-memory"


@dataclass(frozen=True, slots=True)
class EngineEvent:
    """Something happened to a container or sandbox; LIVE has no `id`."""

    what: What
    id: str = ""


Source = Callable[[Channel], AsyncGenerator[EngineEvent, None]]


async def from_cri(channel: Channel) -> AsyncGenerator[EngineEvent, None]:
    """The CRI's event stream, as the kubelet's evented PLEG reads it. Raises RuntimeFault."""
    method, request = RUNTIME + "GetContainerEvents", cri.GetEventsRequest()
    async for event in channel.stream(method, request, cri.ContainerEventResponse):
        yield EngineEvent(What.CHANGED, event.container_id)


async def from_containerd(channel: Channel) -> AsyncGenerator[EngineEvent, None]:
    """containerd's task events. Raises RuntimeFault.

    It does not say when a subscription holds, so an event of our own is published until it comes back: then nothing
    is missed any more."""
    hello = tasks.spawn(_say_hello(channel), name="cri/hello")
    try:
        request = containerd.SubscribeRequest(filters=_FILTERS)
        async for envelope in channel.stream(_EVENTS + "Subscribe", request, containerd.Envelope):
            if envelope.topic != _HELLO:
                event = _task_event(envelope)
                if event is not None:
                    yield event
            elif not hello.done():
                await tasks.stop(hello)
                yield EngineEvent(What.LIVE)
    finally:
        await tasks.stop(hello)


async def _say_hello(channel: Channel) -> None:
    while True:
        try:
            request = containerd.PublishRequest(topic=_HELLO, event=containerd.Any())
            await channel.call(_EVENTS + "Publish", request, containerd.Empty)
        except RuntimeFault:
            return  # the stream gets an error too
        await clock.sleep(_HELLO_SECONDS)


def _task_event(envelope: containerd.Envelope) -> EngineEvent | None:
    """A task's event; the ends of execs are none."""
    data = envelope.event.value
    try:
        if envelope.topic == "/tasks/exit":
            ended = containerd.TaskExit.FromString(data)
            return EngineEvent(What.ENDED, ended.container_id) if ended.id == ended.container_id else None
        if envelope.topic == "/tasks/delete":
            deleted = containerd.TaskDelete.FromString(data)
            return EngineEvent(What.SETTLED, deleted.container_id) if deleted.id in ("", deleted.container_id) else None
        what = What.OUT_OF_MEMORY if envelope.topic == "/tasks/oom" else What.CHANGED
        return EngineEvent(what, containerd.TaskOOM.FromString(data).container_id)
    except DecodeError:
        return EngineEvent(What.LIVE)  # no known shape: look at everything


async def by_looking(channel: Channel) -> AsyncGenerator[EngineEvent, None]:
    """A look at everything each second, as the kubelet's generic PLEG does."""
    while True:
        await clock.sleep(_LOOK_SECONDS)
        yield EngineEvent(What.LIVE)


BEST_FIRST: tuple[Source, ...] = (from_cri, from_containerd, by_looking)


async def engine_events(channel: Channel) -> AsyncGenerator[EngineEvent, None]:
    """The events of the best source that the engine has. Raises RuntimeFault when the engine does not answer; ends when
    the engine ends it."""
    for source in BEST_FIRST:
        try:
            async for item in source(channel):
                yield item
            return
        except RuntimeFault as fault:
            if fault.reason != UNSUPPORTED:
                raise
