"""The probes of one pod's running containers: one task per probe, and what they have established.

Readiness and liveness wait for the startup probe. A container that has not been ready yet is asked more often than its
period says (pauses grow up to the period), as the kubelet does after each change of the pod, so that a
relaunched container serves again soon; such early failures count for nothing and are not reported.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from homeostat.api.types import Obj
from homeostat.kit import clock, tasks
from homeostat.node.probes.handlers import Target, probe
from homeostat.node.probes.probe_results import ProbeRule, Tally
from homeostat.runtime.contract import Runtime

_FIELDS = {"startup": "startupProbe", "readiness": "readinessProbe", "liveness": "livenessProbe"}
_EAGER_SECONDS, _EAGER_GROWTH = 0.025, 1.6


@dataclass(slots=True)
class _Watched:
    """One container under watch."""

    tasks: list[asyncio.Task[None]] = field(default_factory=list)
    started: asyncio.Event = field(default_factory=asyncio.Event)
    ready: bool = False
    liveness_failed: str = ""
    grace: float | None = None


class Prober:
    """Probes the containers of one pod. `changed` is called after each change of what is established, with the
    container and a few words on it, `unhealthy` with the container and a message for each failure."""

    def __init__(
        self, runtime: Runtime, changed: Callable[[Obj, str], None], unhealthy: Callable[[Obj, str], None]
    ) -> None:
        self._runtime = runtime
        self._changed = changed
        self._unhealthy = unhealthy
        self._watched: dict[str, _Watched] = {}

    @property
    def started(self) -> frozenset[str]:
        """IDs of containers that have started: no startup probe, or one that has succeeded."""
        return frozenset(key for key, watched in self._watched.items() if watched.started.is_set())

    @property
    def ready(self) -> frozenset[str]:
        """IDs of containers that have started and are ready."""
        return frozenset(key for key, w in self._watched.items() if w.started.is_set() and w.ready)

    @property
    def liveness_failed(self) -> dict[str, str]:
        """IDs of containers that a startup or liveness probe wants killed, with the Killing event's message."""
        return {key: watched.liveness_failed for key, watched in self._watched.items() if watched.liveness_failed}

    def grace(self, container_id: str) -> float | None:
        """The termination grace period of the liveness probe that failed, if it sets one."""
        watched = self._watched.get(container_id)
        return watched.grace if watched else None

    def watch(self, target: Target, started_at: float, *, was_started: bool = False, was_ready: bool = False) -> None:
        """Begin to probe a running container; one that is watched already is left alone. `was_started` and `was_ready`
        are what a former agent had established."""
        if target.container_id in self._watched:
            return
        watched = self._watched[target.container_id] = _Watched()
        container = target.container
        if was_started or not container.get(_FIELDS["startup"]):
            watched.started.set()
        watched.ready = was_ready or not container.get(_FIELDS["readiness"])
        for kind, name in _FIELDS.items():
            if container.get(name) and not (kind == "startup" and was_started):
                work = self._run(kind, container[name], target, watched, started_at)
                watched.tasks.append(tasks.spawn(work, name=f"probe/{kind}/{container['name']}"))

    def keep(self, container_ids: set[str]) -> None:
        """Forget all containers but these."""
        for container_id in [key for key in self._watched if key not in container_ids]:
            for task in self._watched.pop(container_id).tasks:
                task.cancel()

    def stop_judging(self) -> None:
        """The pod is ending: only readiness is still probed."""
        for watched in self._watched.values():
            watched.liveness_failed = ""
            for task in watched.tasks:
                if not task.get_name().startswith("probe/readiness/"):
                    task.cancel()

    async def stop(self) -> None:
        """End all probes."""
        running = [task for watched in self._watched.values() for task in watched.tasks]
        self._watched.clear()
        await tasks.stop(*running)

    async def _run(self, kind: str, handler: Obj, target: Target, watched: _Watched, started_at: float) -> None:
        rule = ProbeRule.of(handler)
        if kind != "startup":
            await watched.started.wait()
        await clock.sleep(max(0.0, started_at + rule.initial_delay - clock.wall()))
        tally, eager, due = Tally(), _EAGER_SECONDS, clock.monotonic()
        if kind == "readiness":
            due += rule.period
        while True:
            outcome = await probe(self._runtime, handler, target, rule.timeout)
            on_time = clock.monotonic() >= due
            if on_time:
                due = max(due + rule.period, clock.monotonic())
            if outcome.ok or on_time:
                tally = tally.add(rule, result=outcome.ok)
                if not outcome.ok:
                    self._unhealthy(target.container, f"{kind.capitalize()} probe failed: {outcome.message}")
                if self._establish(kind, tally, target, watched, rule):
                    return
            pause = max(0.0, due - clock.monotonic())
            if kind != "liveness" and tally.verdict is not True:
                pause, eager = min(pause, eager), eager * _EAGER_GROWTH
            await clock.sleep(pause)

    def _establish(self, kind: str, tally: Tally, target: Target, watched: _Watched, rule: ProbeRule) -> bool:
        """Take over the verdict; True when this probe has done its work."""
        if kind == "readiness":
            if watched.ready is not (tally.verdict is True):
                watched.ready = tally.verdict is True
                verdict = "succeeds" if watched.ready else "fails"
                self._changed(target.container, f"readiness probe {verdict}")
            return False
        if tally.verdict is False:
            name = target.container["name"]
            watched.liveness_failed = f"Container {name} failed {kind} probe, will be restarted"
            watched.grace = rule.grace
            self._changed(target.container, f"{kind} probe fails, it will be restarted")
            return True
        if kind == "startup" and tally.verdict is True:
            watched.started.set()
            self._changed(target.container, "startup probe succeeds")
            return True
        return False


def established(pod: Obj) -> dict[str, tuple[bool, bool]]:
    """What a former agent had established, by the pod's status: started and ready, by container ID."""
    status = pod.get("status") or {}
    entries = (*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ()))
    return {
        str(entry["containerID"]).rpartition("/")[2]: (bool(entry.get("started")), bool(entry.get("ready")))
        for entry in entries
        if entry.get("containerID")
    }
