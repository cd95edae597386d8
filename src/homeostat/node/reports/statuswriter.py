"""Writing pod statuses to the API: the newest wanted status of each pod, retried until the API has it.

A pod's worker never waits for the API: it hands over the status it wants, and this writer writes it when it can. Writes
of one pod follow each other; those of different pods run side by side.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from homeostat.api import meta
from homeostat.api.errors import ApiError
from homeostat.api.kinds import POD
from homeostat.api.types import Obj
from homeostat.client.contract import STRATEGIC_PATCH, Client
from homeostat.kit import clock, tasks
from homeostat.kit.backoff import Backoff
from homeostat.kit.log import logger
from homeostat.node.decide.status_patch import status_patch
from homeostat.node.reports.notes import Notes
from homeostat.wire.cause import Seen, WriteCause

_log = logger("kubelet.status")
_RETRY = Backoff(first_seconds=0.2, ceiling_seconds=2.0)
# A request on a connection that was cut silently must not hold the pod's next write for ever.
_REQUEST_SECONDS_MAX = 10.0
# The cause of a status that is written once more after its own cause was recorded.
_AGAIN = "the API had another status"


@dataclass(slots=True)
class _Wanted:
    """A pod's wanted status; `version` grows with each `put`, and `noted` is the one last written with its notes."""

    pod: Obj
    status: Obj
    notes: Notes = field(default_factory=Notes)
    version: int = 0
    noted: int = -1
    task: asyncio.Task[None] | None = None
    settled: asyncio.Event = field(default_factory=asyncio.Event)


class StatusWriter:
    """`current` gives the API object of a pod as the node's cache has it (for a static pod: its mirror), or None."""

    def __init__(self, client: Client, node_name: str, current: Callable[[Obj], Obj | None]) -> None:
        self._client = client
        self._loop = f"kubelet/{node_name}"
        self._current = current
        self._wanted: dict[str, _Wanted] = {}
        self._newest: dict[str, Obj] = {}

    def put(self, pod: Obj, status: Obj, notes: Iterable[str]) -> None:
        """Want `status` for `pod`; `notes` say what happened since the last time, the oldest first."""
        uid = meta.uid(pod)
        wanted = self._wanted.get(uid)
        if wanted is None:
            wanted = self._wanted[uid] = _Wanted(pod, status)
        wanted.pod, wanted.status = pod, status
        wanted.notes.add(*notes)
        wanted.version += 1
        self.poke(uid)

    def poke(self, uid: str) -> None:
        """Compare again: the pod's object in the API has changed."""
        wanted = self._wanted.get(uid)
        if wanted is None or (wanted.task is not None and not wanted.task.done()):
            return
        if self._patch(wanted) is None:
            wanted.settled.set()
            return
        wanted.settled.clear()
        wanted.task = tasks.spawn(self._write(uid, wanted), name=f"{self._loop}/status/{meta.key(wanted.pod)}")

    async def settled(self, uid: str) -> None:
        """Wait until the API has what is wanted, or nothing is."""
        wanted = self._wanted.get(uid)
        if wanted is not None:
            await wanted.settled.wait()

    def forget(self, uid: str) -> None:
        """The pod is gone: want nothing for it any more."""
        wanted = self._wanted.pop(uid, None)
        self._newest.pop(uid, None)
        if wanted is not None:
            wanted.settled.set()
            if wanted.task is not None:
                wanted.task.cancel()

    async def stop(self) -> None:
        """End the writes under way."""
        running = [wanted.task for wanted in self._wanted.values()]
        self._wanted.clear()
        await tasks.stop(*running)

    def _base(self, wanted: _Wanted) -> Obj | None:
        """The newest form of the API object that is known: a write's answer may be ahead of the cache."""
        cached, answered = self._current(wanted.pod), self._newest.get(meta.uid(wanted.pod))
        if cached is None or answered is None or meta.uid(cached) != meta.uid(answered):
            return cached
        return answered if meta.resource_version(answered) > meta.resource_version(cached) else cached

    def _patch(self, wanted: _Wanted) -> tuple[Obj, Obj] | None:
        """The object to patch and the patch; None when there is nothing to do (now)."""
        base = self._base(wanted)
        if base is None:
            return None
        patch = status_patch(base.get("status") or {}, wanted.status, clock.now_rfc3339())
        return (base, patch) if patch is not None else None

    async def _write(self, uid: str, wanted: _Wanted) -> None:
        failures = 0
        sent: Obj | None = None
        while True:
            todo = self._patch(wanted)
            if todo is None:
                break
            base, patch = todo
            if patch == sent:
                _log.warning("%s: the API does not keep %s as written", meta.key(wanted.pod), sorted(patch))
                break
            try:
                async with asyncio.timeout(_REQUEST_SECONDS_MAX):
                    self._newest[uid] = await self._send(base, patch, wanted)
                failures, sent = 0, patch
            except ApiError as error:
                # After a 404 or 409 too: the pod may be gone, or another one may have its name, but an API server that
                # is behind, or whose write lost a race, answers so as well. It ends when the cache drops the pod.
                _log.debug("%s: %s", meta.key(wanted.pod), error)
                await clock.sleep(_RETRY.delay(failures))
                failures += 1
            except TimeoutError:
                failures += 1
        wanted.settled.set()

    async def _send(self, base: Obj, patch: Obj, wanted: _Wanted) -> Obj:
        name, namespace = meta.name(base), meta.namespace(base)
        seen = (Seen("Pod", namespace, name, meta.resource_version(base)),)
        version, notes = wanted.version, wanted.notes.pending()
        note = "; ".join(notes) if wanted.noted < wanted.version else _AGAIN
        cause = WriteCause(self._loop, f"{namespace}/{name}", note, seen)
        body = {"metadata": {"uid": meta.uid(base)}, "status": patch}
        answer = await self._client.patch(
            POD, name, namespace, body, content_type=STRATEGIC_PATCH, subresource="status", cause=cause
        )
        wanted.noted = version
        wanted.notes.written(notes)
        return answer
