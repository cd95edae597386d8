"""A pod as the scheduler needs it: its identity, and what it needs of a node. Pure.

What a pod needs (`Needs`) is compiled once for all pods that say the same, which pods of one template do; so it may be
compared by identity, and what follows from it and from nodes alone is kept per `Needs` (`Snapshot.static_fit`).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import orjson

from homeostat.api import meta
from homeostat.api.rules import ownership
from homeostat.api.rules.hostports import HostPort, host_ports
from homeostat.api.rules.nodeaffinity import PreferredNodes, RequiredNodes, preferred_nodes, required_nodes
from homeostat.api.rules.podresources import Amounts, pod_requests
from homeostat.api.types import Obj
from homeostat.scheduler.podterms import Labels, PodTerm, Spread, preferred_terms, required_terms, spreads

DEFAULT_SCHEDULER = "default-scheduler"
# What a container without requests counts as when nodes are scored (NodeResources, non-zero requests).
_NONZERO = {"cpu": "100m", "memory": "200Mi"}
# What a pod that requires others nearby weighs for them (InterPodAffinity, hardPodAffinityWeight).
_HARD_AFFINITY_WEIGHT = 1
_NEEDS_MAX = 2048


@dataclass(frozen=True, slots=True, eq=False)
class Needs:
    """What a pod needs. `requests` are milli-CPU for `cpu` and whole units for the rest.
    `unsupported` says why no node can ever run it; empty where that is not so. `attracts` are the terms
    by which the pod, once placed, makes its node better or worse for others."""

    requests: Amounts
    nonzero_cpu: int
    nonzero_memory: int
    required_nodes: RequiredNodes
    preferred_nodes: PreferredNodes
    tolerations: tuple[Obj, ...]
    affinity: tuple[PodTerm, ...]
    anti_affinity: tuple[PodTerm, ...]
    preferred: tuple[PodTerm, ...]
    attracts: tuple[PodTerm, ...]
    spreads: tuple[Spread, ...]
    host_ports: frozenset[HostPort]
    may_preempt: bool
    unsupported: str

    @property
    def regards_pods(self) -> bool:
        """Whether other pods' places decide where this one may go."""
        return bool(self.affinity or self.anti_affinity or self.spreads)


@dataclass(frozen=True, slots=True, eq=False)
class PodInfo:
    """See the module. `nominated` is the node on which others were preempted for it; `since` orders by age."""

    key: str
    uid: str
    namespace: str
    labels: Labels
    owner: str
    priority: int
    since: str
    deleting: bool
    nominated: str
    needs: Needs
    pod: Obj

    def same_to_scheduler(self, other: PodInfo) -> bool:
        """Whether a decision about the one would be that about the other."""
        mine = (self.uid, self.priority, self.needs, self.labels, self.deleting)
        return mine == (other.uid, other.priority, other.needs, other.labels, other.deleting)


def pod_info(pod: Obj) -> PodInfo:
    """Read a pod."""
    metadata, spec, status = pod["metadata"], pod["spec"], pod.get("status") or {}
    return PodInfo(
        key=meta.key(pod),
        uid=meta.uid(pod),
        namespace=meta.namespace(pod),
        labels=meta.labels(pod),
        owner=ownership.controller_uid(pod),
        priority=int(spec.get("priority") or 0),
        since=str(status.get("startTime") or metadata.get("creationTimestamp") or ""),
        deleting="deletionTimestamp" in metadata,
        nominated=str(status.get("nominatedNodeName") or ""),
        needs=_needs(_words(pod, spec)),
        pod=pod,
    )


def is_bound_form(waiting: Obj, bound: Obj) -> bool:
    """Whether `bound` is the pod that waited with a node, and otherwise the same to the scheduler."""
    old, new = waiting["metadata"], bound["metadata"]
    same = old.get("uid") == new.get("uid") and old.get("labels") == new.get("labels")
    same = same and ("deletionTimestamp" in old) == ("deletionTimestamp" in new)
    before, now = waiting["spec"], bound["spec"]
    return same and len(now) == len(before) + ("nodeName" not in before) and before.items() <= now.items()


_FIELDS = ("nodeSelector", "affinity", "tolerations", "topologySpreadConstraints", "overhead", "preemptionPolicy")


def _words(pod: Obj, spec: Obj) -> bytes:
    """All that a pod's needs are made of. Volumes get a new name in each pod of a template, so only claims count."""
    words: Obj = {field: spec[field] for field in _FIELDS if spec.get(field)}
    words["containers"] = [_container(item) for item in spec["containers"]]
    if initial := spec.get("initContainers"):
        words["initContainers"] = [_container(item) for item in initial]
    if claims := [item for item in spec.get("volumes") or () if "persistentVolumeClaim" in item or "ephemeral" in item]:
        words["volumes"] = claims
    if spec.get("resourceClaims"):
        words["resourceClaims"] = [item["name"] for item in spec["resourceClaims"]]
    if "affinity" in words or "topologySpreadConstraints" in words:
        words["namespace"], words["labels"] = meta.namespace(pod), meta.labels(pod)
    return orjson.dumps(words)


def _container(container: Obj) -> Obj:
    kept: Obj = {"resources": container.get("resources")}
    if ports := [port for port in container.get("ports") or () if port.get("hostPort")]:
        kept["ports"] = ports
    if policy := container.get("restartPolicy"):
        kept["restartPolicy"] = policy
    return kept


@lru_cache(maxsize=_NEEDS_MAX)
def _needs(words: bytes) -> Needs:
    said: Obj = orjson.loads(words)
    affinity = said.get("affinity") or {}
    whose = said.get("namespace", ""), said.get("labels", {})
    preferred = preferred_terms(affinity, *whose)
    hard = required_terms(affinity.get("podAffinity"), *whose, weight=_HARD_AFFINITY_WEIGHT)
    nonzero = pod_requests(said, missing=_NONZERO)
    return Needs(
        requests=pod_requests(said),
        nonzero_cpu=nonzero.get("cpu", 0),
        nonzero_memory=nonzero.get("memory", 0),
        required_nodes=required_nodes(said),
        preferred_nodes=preferred_nodes(said),
        tolerations=tuple(said.get("tolerations") or ()),
        affinity=hard,
        anti_affinity=required_terms(affinity.get("podAntiAffinity"), *whose),
        preferred=preferred,
        attracts=(*hard, *preferred),
        spreads=spreads(said.get("topologySpreadConstraints") or (), *whose),
        host_ports=host_ports(said),
        may_preempt=said.get("preemptionPolicy") != "Never",
        unsupported=_unsupported(said),
    )


def _unsupported(said: Obj) -> str:
    """Why nothing here can run the pod: this scheduler binds no volumes and allocates no devices."""
    for volume in said.get("volumes") or ():
        claim = volume.get("persistentVolumeClaim")
        if claim is not None:
            return f'pod uses persistentVolumeClaim "{claim.get("claimName")}", and this cluster binds no volumes'
        return f'pod has the ephemeral volume "{volume.get("name")}", and this cluster binds no volumes'
    for name in said.get("resourceClaims") or ():
        return f'pod has the resource claim "{name}", and this cluster allocates no devices'
    return ""
