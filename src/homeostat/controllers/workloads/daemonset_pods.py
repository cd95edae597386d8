"""A DaemonSet's Pods: which nodes are to have one, what it looks like there, and which of those that exist are wrong.

Rules: pkg/controller/daemon (NodeShouldRunDaemonPod, CreatePodTemplate, podsShouldBeOnNode).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from homeostat.api import meta
from homeostat.api.kinds import DAEMONSET
from homeostat.api.rules import ownership, wellknown
from homeostat.api.rules.nodeaffinity import pinned, pinned_node, required_nodes
from homeostat.api.rules.tolerations import HARD_EFFECTS, untolerated, with_toleration
from homeostat.api.types import Obj
from homeostat.controllers.nodes import taints

_ALWAYS_TOLERATED = (
    (wellknown.TAINT_NOT_READY, wellknown.NO_EXECUTE),
    (wellknown.TAINT_UNREACHABLE, wellknown.NO_EXECUTE),
    (wellknown.TAINT_DISK_PRESSURE, wellknown.NO_SCHEDULE),
    (wellknown.TAINT_MEMORY_PRESSURE, wellknown.NO_SCHEDULE),
    (wellknown.TAINT_PID_PRESSURE, wellknown.NO_SCHEDULE),
    (wellknown.TAINT_UNSCHEDULABLE, wellknown.NO_SCHEDULE),
)


@dataclass(slots=True)
class Placement:
    """Where Pods of a DaemonSet are and are to be: `pods` by node; `wanted` nodes are to have one, `tolerated` ones
    may keep what they have."""

    pods: dict[str, list[Obj]]
    wanted: list[Obj] = field(default_factory=list)
    tolerated: set[str] = field(default_factory=set)


def placement(daemon_set: Obj, pods: Iterable[Obj], nodes: Iterable[Obj]) -> Placement:
    """The nodes judged, and the Pods by the node that they are bound to or meant for."""
    result = Placement({})
    for pod in pods:
        result.pods.setdefault(target_node(pod), []).append(pod)
    spec = daemon_set["spec"]["template"].get("spec") or {}
    tolerations, allowed = all_tolerations(spec), required_nodes(spec)
    for node in nodes:
        name = meta.name(node)
        if spec.get("nodeName", name) != name or not allowed.matches(name, meta.labels(node)):
            continue
        effects = {taint["effect"] for taint in untolerated(taints.of(node), tolerations, HARD_EFFECTS)}
        if not effects:
            result.wanted.append(node)
        if wellknown.NO_EXECUTE not in effects:
            result.tolerated.add(name)
    return result


def all_tolerations(spec: Obj) -> list[Obj]:
    """The template's tolerations with those that every daemon has: it runs where others may not."""
    given = list(spec.get("tolerations") or ())
    always = list(_ALWAYS_TOLERATED)
    if spec.get("hostNetwork"):
        always.append((wellknown.TAINT_NETWORK_UNAVAILABLE, wellknown.NO_SCHEDULE))
    for key, effect in always:
        given = with_toleration(given, {"key": key, "operator": "Exists", "effect": effect})
    return given


def target_node(pod: Obj) -> str:
    """The node that the Pod is bound to, or that its affinity names; empty when there is neither."""
    return meta.pod_node(pod) or pinned_node(pod["spec"])


def new_pod(daemon_set: Obj, node: str, revision_hash: str) -> Obj:
    """The Pod for a node: the scheduler binds it there, since its affinity admits no other."""
    template = daemon_set["spec"]["template"]
    given = template.get("metadata") or {}
    labels = {**(given.get("labels") or {}), wellknown.LABEL_REVISION_HASH: revision_hash}
    if number := meta.annotations(daemon_set).get(wellknown.ANNOTATION_TEMPLATE_GENERATION):
        labels[wellknown.LABEL_TEMPLATE_GENERATION] = number
    metadata: Obj = {
        "generateName": f"{meta.name(daemon_set)}-",
        "namespace": meta.namespace(daemon_set),
        "labels": labels,
        "ownerReferences": [ownership.controller_reference(DAEMONSET, daemon_set)],
    }
    metadata |= {name: given[name] for name in ("annotations", "finalizers") if given.get(name)}
    spec = dict(template.get("spec") or {})
    spec["tolerations"] = all_tolerations(spec)
    spec["affinity"] = pinned(spec.get("affinity") or {}, node)
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def is_current(pod: Obj, revision_hash: str) -> bool:
    """Whether the Pod was made from the current template."""
    return meta.labels(pod).get(wellknown.LABEL_REVISION_HASH) == revision_hash


def oldest_first(pods: Iterable[Obj]) -> list[Obj]:
    """Bound Pods before others, then by creation and name."""
    return sorted(pods, key=lambda pod: (not meta.pod_node(pod), meta.created_at(pod), meta.name(pod)))
