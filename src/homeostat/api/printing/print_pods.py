"""How Pods are printed: the STATUS, READY and RESTARTS that kubectl users read.

Source: `printPod` of kube-apiserver's printers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from homeostat.api import meta
from homeostat.api.printing.print_columns import AGE, NAME, NONE, Printer, age, human_duration, spec, status, text, wide
from homeostat.api.rules.containers import is_sidecar
from homeostat.api.types import Obj

_COLUMNS = (
    NAME,
    text("Ready", "How many of the containers are ready."),
    text("Status", "What the containers are doing, in a word."),
    text("Restarts", "How often containers were restarted, and when last."),
    AGE,
    wide("IP", "The address of the Pod."),
    wide("Node", "The node that the Pod is bound to."),
    wide("Nominated Node", "The node where room is being made for the Pod."),
    wide("Readiness Gates", "How many of the Pod's readiness gates are passed."),
)


@dataclass(slots=True)
class _Count:
    """What is counted over the containers. `last_restart` is in seconds since the epoch, 0 for never."""

    reason: str
    ready: int = 0
    restarts: int = 0
    last_restart: float = 0.0

    def restarted(self, container: Obj) -> None:
        """Count the restarts of one container."""
        self.restarts += container.get("restartCount") or 0
        ended = (container.get("lastState") or {}).get("terminated") or {}
        self.last_restart = max(self.last_restart, meta.time_of(ended.get("finishedAt")))


def _ended_text(ended: Obj, prefix: str) -> str:
    """Why a container ended: the reason, else the signal, else the exit code."""
    if ended.get("reason"):
        return f"{prefix}{ended['reason']}"
    if ended.get("signal"):
        return f"{prefix}Signal:{ended['signal']}"
    return f"{prefix}ExitCode:{ended.get('exitCode') or 0}"


def _count_init(pod: Obj, count: _Count) -> tuple[bool, _Count]:
    """Go through the init containers up to the first that is not done.

    Returns whether the Pod is still initializing, and the counts of the sidecars alone.
    """
    sidecars = {container.get("name") for container in spec(pod).get("initContainers") or () if is_sidecar(container)}
    of_sidecars = _Count("")
    for at, container in enumerate(status(pod).get("initContainerStatuses") or ()):
        count.restarted(container)
        sidecar = container.get("name") in sidecars
        if sidecar:
            of_sidecars.restarted(container)
        state = container.get("state") or {}
        ended, waiting = state.get("terminated"), state.get("waiting") or {}
        if ended is not None and not ended.get("exitCode"):
            continue
        if sidecar and container.get("started"):
            count.ready += bool(container.get("ready"))
            continue
        if ended is not None:
            count.reason = _ended_text(ended, "Init:")
        elif waiting.get("reason") and waiting["reason"] != "PodInitializing":
            count.reason = f"Init:{waiting['reason']}"
        else:
            count.reason = f"Init:{at}/{len(spec(pod).get('initContainers') or ())}"
        return True, of_sidecars
    return False, of_sidecars


def _count_containers(pod: Obj, count: _Count) -> None:
    """Go through the containers; the first one that is not well names the status."""
    running = False
    for container in reversed(status(pod).get("containerStatuses") or ()):
        count.restarted(container)
        state = container.get("state") or {}
        ended, waiting = state.get("terminated"), state.get("waiting") or {}
        if waiting.get("reason"):
            count.reason = waiting["reason"]
        elif ended is not None:
            count.reason = _ended_text(ended, "")
        elif container.get("ready") and state.get("running") is not None:
            running = True
            count.ready += 1
    if running and count.reason == "Completed":
        count.reason = "Running" if meta.pod_ready(pod) else "NotReady"


def _tally(pod: Obj) -> _Count:
    """The status word and the counts of a Pod."""
    seen = status(pod)
    count = _Count(seen.get("reason") or seen.get("phase") or "")
    scheduled = meta.condition(pod, "PodScheduled") or {}
    if scheduled.get("reason") == "SchedulingGated":
        count.reason = "SchedulingGated"
    initializing, sidecars = _count_init(pod, count)
    if not initializing or meta.condition_true(pod, "Initialized"):
        count.restarts, count.last_restart = sidecars.restarts, sidecars.last_restart
        _count_containers(pod, count)
    if meta.deleting(pod):
        if seen.get("reason") == "NodeLost":
            count.reason = "Unknown"
        elif not meta.pod_terminal(pod):
            count.reason = "Terminating"
    return count


def status_word(pod: Obj) -> str:
    """The Pod's STATUS as `kubectl get pods` shows it: Running, CrashLoopBackOff, Init:0/1, Terminating, ..."""
    return _tally(pod).reason


def _gates(pod: Obj) -> str:
    gates = spec(pod).get("readinessGates") or ()
    passed = sum(meta.condition_true(pod, gate.get("conditionType") or "") for gate in gates)
    return f"{passed}/{len(gates)}" if gates else NONE


def _cells(pod: Obj, now: float) -> list[Any]:
    count = _tally(pod)
    said, seen = spec(pod), status(pod)
    total = len(said.get("containers") or ()) + sum(map(is_sidecar, said.get("initContainers") or ()))
    restarts = str(count.restarts)
    if count.restarts and count.last_restart:
        restarts += f" ({human_duration(now - count.last_restart)} ago)"
    addresses = seen.get("podIPs") or [{"ip": seen.get("podIP")}]
    return [
        meta.name(pod),
        f"{count.ready}/{total}",
        count.reason,
        restarts,
        age(pod, now),
        addresses[0].get("ip") or NONE,
        said.get("nodeName") or NONE,
        seen.get("nominatedNodeName") or NONE,
        _gates(pod),
    ]


def _conditions(pod: Obj) -> list[Obj]:
    """The row's own conditions: that the Pod has run to its end."""
    ends = {"Succeeded": "The pod has completed successfully.", "Failed": "The pod failed."}
    phase = meta.pod_phase(pod)
    if phase not in ends:
        return []
    return [{"type": "Completed", "status": "True", "reason": phase, "message": ends[phase]}]


PRINTERS = {("", "pods"): Printer(_COLUMNS, _cells, _conditions)}
