"""What the scheduler writes: bindings, failed attempts, and the deletion of preempted pods. It decides nothing."""

from __future__ import annotations

from collections.abc import Callable

from homeostat.api import meta
from homeostat.api.errors import ApiError
from homeostat.api.kinds import POD
from homeostat.api.types import Obj
from homeostat.client.contract import STRATEGIC_PATCH, Client
from homeostat.kit import clock
from homeostat.kit.log import logger
from homeostat.loop.recorder import EventRecorder
from homeostat.scheduler.cycle import Placement
from homeostat.scheduler.podinfo import DEFAULT_SCHEDULER, PodInfo
from homeostat.wire.cause import Seen, WriteCause

COMPONENT = "scheduler"

_log = logger("scheduler")


class Writes:
    """See the module. Events go through `recorder`, which never waits, and writes when not `busy`."""

    def __init__(self, client: Client, *, host: str = "", busy: Callable[[], bool] = lambda: False) -> None:
        self._client = client
        self.recorder = EventRecorder(client, DEFAULT_SCHEDULER, host=host, busy=busy)

    async def bind(self, pod: PodInfo, node: str) -> None:
        """Give the pod its node. Raises ApiError."""
        binding = {
            "apiVersion": "v1",
            "kind": "Binding",
            "metadata": {"name": meta.name(pod.pod), "namespace": pod.namespace, "uid": pod.uid},
            "target": {"apiVersion": "v1", "kind": "Node", "name": node},
        }
        await self._client.create(POD, binding, subresource="binding", cause=_cause(pod, f"fits on {node}"))
        self.recorder.record(pod.pod, "Scheduled", f"Successfully assigned {pod.key} to {node}")

    async def refuse(self, pod: PodInfo, placement: Placement) -> None:
        """Record why the pod has no node, once for each reason, and its nominated node. Raises ApiError."""
        known = meta.condition(pod.pod, "PodScheduled") or {}
        status: Obj = {}
        if known.get("message") != placement.message or known.get("reason") != "Unschedulable":
            self.recorder.record(pod.pod, "FailedScheduling", placement.message, "Warning")
            status["conditions"] = [_unschedulable(known, placement.message)]
        if placement.nominated_node != str((pod.pod.get("status") or {}).get("nominatedNodeName") or ""):
            status["nominatedNodeName"] = placement.nominated_node or None
        if status:
            await self._patch_status(pod, status, _cause(pod, placement.message))

    async def withdraw(self, pod: PodInfo, why: PodInfo) -> None:
        """The nomination of `pod` is withdrawn: `why` is recorded first. Best effort."""
        try:
            await self._patch_status(pod, {"nominatedNodeName": None}, _cause(why, f"{pod.key} comes after {why.key}"))
        except ApiError as error:
            _log.info("the nomination of %s could not be cleared: %s", pod.key, error)

    async def evict(self, victim: PodInfo, pod: PodInfo, node: str) -> None:
        """Delete `victim`, so that `pod` fits on the node; with the condition DisruptionTarget that says why. Raises
        ApiError, but not when the victim has gone by itself."""
        cause = _cause(pod, f"preempted by {pod.key} on {node}")
        condition = {
            "type": "DisruptionTarget",
            "status": "True",
            "reason": "PreemptionByScheduler",
            "message": f"{DEFAULT_SCHEDULER}: preempting to accommodate a higher priority pod",
            "lastTransitionTime": clock.now_rfc3339(),
        }
        options = {"preconditions": {"uid": victim.uid}}
        try:
            await self._patch_status(victim, {"conditions": [condition]}, cause)
            await self._client.delete(POD, meta.name(victim.pod), victim.namespace, options=options, cause=cause)
        except ApiError as error:
            if error.code not in (404, 409):
                raise
            return
        self.recorder.record(victim.pod, "Preempted", f"Preempted by pod {pod.uid} on node {node}")

    async def _patch_status(self, pod: PodInfo, status: Obj, cause: WriteCause) -> None:
        await self._client.patch(
            POD,
            meta.name(pod.pod),
            pod.namespace,
            {"metadata": {"uid": pod.uid}, "status": status},
            content_type=STRATEGIC_PATCH,
            subresource="status",
            cause=cause,
        )


def _unschedulable(known: Obj, message: str) -> Obj:
    since = known.get("lastTransitionTime") if known.get("status") == "False" else None
    return {
        "type": "PodScheduled",
        "status": "False",
        "reason": "Unschedulable",
        "message": message,
        "lastProbeTime": None,
        "lastTransitionTime": since or clock.now_rfc3339(),
    }


def _cause(pod: PodInfo, note: str) -> WriteCause:
    seen = Seen("Pod", pod.namespace, meta.name(pod.pod), meta.resource_version(pod.pod))
    return WriteCause(loop=COMPONENT, key=pod.key, note=note, seen=(seen,))
