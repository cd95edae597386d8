"""The story of a run: the few moments that somebody who watches the cluster would report, in stable names.

Pods are called by their owner and the order in which they came (`web-1`), so that a story does not depend on drawn
names. Times are seconds since the story began.
"""

from __future__ import annotations

from homeostat.api import meta
from homeostat.api.types import Obj
from homeostat.kit import clock
from homeostat.sim.record.commit_ledger import Commit
from homeostat.sim.sim_cluster import SimCluster

_COMPONENTS = ("kube-controller-manager", "kube-scheduler")


class Milestones:
    """Listens to a cluster from its making on; `begin` starts the story, `lines` are what happened since."""

    def __init__(self, cluster: SimCluster) -> None:
        self.lines: list[str] = []
        self.moments: dict[str, float] = {}
        self._cluster = cluster
        self._began: float | None = None
        self._names: dict[str, str] = {}
        self._counts: dict[str, int] = {}
        self._backends: dict[str, set[str]] = {}
        cluster.ledger.checks.append(self._commit)
        cluster.on_rules.append(self._ruled)

    def begin(self) -> None:
        """The story begins now."""
        self._began = clock.monotonic()

    def record(self, text: str) -> None:
        """Add a line; the first moment of each text is kept in `moments`, in seconds since the begin."""
        if self._began is not None:
            since = clock.monotonic() - self._began
            self.moments.setdefault(text, since)
            self.lines.append(f"{since:8.1f} s  {text}")

    def text(self) -> str:
        """The whole story."""
        return "".join(f"{line}\n" for line in self.lines)

    def name_of(self, pod: Obj) -> str:
        """What a pod is called in the story."""
        known = self._names.get(meta.uid(pod))
        if known is None:
            labels = meta.labels(pod)
            app = labels.get("app") or labels.get("daemon") or "pod"
            self._counts[app] = self._counts.get(app, 0) + 1
            known = self._names[meta.uid(pod)] = f"{app}-{self._counts[app]}"
        return known

    def _commit(self, commit: Commit) -> None:
        match commit.kind:
            case "Pod":
                self._pod(commit)
            case "Node":
                self._node(commit)
            case "Lease" if commit.obj["metadata"]["name"] in _COMPONENTS:
                self._lease(commit)

    def _pod(self, commit: Commit) -> None:
        name, old, new = self.name_of(commit.obj), commit.old, commit.new
        if new is None:
            self.record(f"pod {name} is gone")
        elif old is None:
            self.record(f"pod {name} is created")
        else:
            self._pod_changed(name, old, new)

    def _pod_changed(self, name: str, old: Obj, new: Obj) -> None:
        if meta.pod_node(old) != meta.pod_node(new):
            self.record(f"pod {name} is bound to {meta.pod_node(new)}")
        if not meta.deleting(old) and meta.deleting(new):
            self.record(f"pod {name} is being deleted")
        if meta.pod_restarts(old) != meta.pod_restarts(new):
            self.record(f"pod {name} has restarted {meta.pod_restarts(new)} times")
        if meta.pod_ready(old) != meta.pod_ready(new):
            self.record(f"pod {name} is {'ready' if meta.pod_ready(new) else 'not ready'}")

    def _node(self, commit: Commit) -> None:
        old, new = commit.old, commit.new
        if old is None or new is None:
            self.record(f"node {commit.key} is {'gone' if new is None else 'registered'}")
            return
        before, after = (meta.condition(node, "Ready") or {} for node in (old, new))
        if before.get("status") != after.get("status"):
            self.record(f"node {commit.key} is Ready={after.get('status')} ({after.get('reason')})")
        had, has = _taints(old), _taints(new)
        for taint in [taint for taint in has if taint not in had]:
            self.record(f"node {commit.key} is tainted {taint}")
        for taint in [taint for taint in had if taint not in has]:
            self.record(f"node {commit.key} is no longer tainted {taint}")

    def _lease(self, commit: Commit) -> None:
        before, after = (_holder(lease) for lease in (commit.old, commit.new))
        if before != after:
            self.record(f"{commit.obj['metadata']['name']} is led by {after or 'nobody'}")

    def _ruled(self, service: str, addresses: list[str]) -> None:
        pods = {
            pod["status"].get("podIP"): self.name_of(pod)
            for pod in self._cluster.ledger.all("Pod", meta.split_key(service)[0])
        }
        names = {pods.get(address, address) for address in addresses}
        before = self._backends.get(service, set())
        self._backends[service] = names
        for name in sorted(before - names):
            self.record(f"service {service} no longer leads to {name}")
        for name in sorted(names - before):
            self.record(f"service {service} leads to {name}")


def _taints(node: Obj) -> list[str]:
    return [f"{taint['key']}:{taint['effect']}" for taint in (node.get("spec") or {}).get("taints") or []]


def _holder(lease: Obj | None) -> str:
    holder = ((lease or {}).get("spec") or {}).get("holderIdentity") or ""
    return str(holder).partition("_")[0]
