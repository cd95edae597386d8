"""One line about a commit: what a reader of a transcript wants to know of each kind. Pure."""

from __future__ import annotations

from homeostat.api import meta
from homeostat.api.rules.endpoints import is_ready
from homeostat.api.types import Obj


def describe(kind: str, key: str, old: Obj | None, new: Obj | None) -> str:
    """`Pod default/web-1 changed: Running, ready on worker-2`."""
    if new is None:
        return f"{kind} {key} deleted"
    verb = "created" if old is None else "changed"
    of_kind = _DESCRIBE.get(kind)
    what = of_kind(new) if of_kind else ""
    if meta.deleting(new):
        what = f"{what}, deleting" if what else "deleting"
    return f"{kind} {key} {verb}" + (f": {what}" if what else "")


def _pod(pod: Obj) -> str:
    parts = [meta.pod_phase(pod) or "new", "ready" if meta.pod_ready(pod) else "not ready"]
    where = f" on {meta.pod_node(pod)}" if meta.pod_node(pod) else ""
    restarts = meta.pod_restarts(pod)
    return ", ".join(parts) + where + (f", {restarts} restarts" if restarts else "")


def _workload(obj: Obj) -> str:
    status = obj.get("status") or {}
    wanted = (obj.get("spec") or {}).get("replicas")
    return f"{wanted} wanted, {status.get('replicas', 0)} there, {status.get('readyReplicas', 0)} ready"


def _daemon_set(obj: Obj) -> str:
    status = obj.get("status") or {}
    return f"{status.get('desiredNumberScheduled', 0)} wanted, {status.get('numberReady', 0)} ready"


def _node(node: Obj) -> str:
    ready = meta.condition(node, "Ready") or {}
    taints = [f"{t['key']}:{t['effect']}" for t in (node.get("spec") or {}).get("taints") or []]
    return f"Ready={ready.get('status', '?')}" + (f" {' '.join(taints)}" if taints else "")


def _slice(piece: Obj) -> str:
    ends = piece.get("endpoints") or []
    ready = sum(map(is_ready, ends))
    return f"{ready} of {len(ends)} endpoints ready"


def _lease(lease: Obj) -> str:
    return str((lease.get("spec") or {}).get("holderIdentity") or "free")


def _event(event: Obj) -> str:
    return f"{event.get('reason', '')}: {event.get('message', '')}"


_DESCRIBE = {
    "Pod": _pod,
    "Deployment": _workload,
    "ReplicaSet": _workload,
    "DaemonSet": _daemon_set,
    "Node": _node,
    "EndpointSlice": _slice,
    "Lease": _lease,
    "Event": _event,
}
