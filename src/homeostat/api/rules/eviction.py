"""Which Pods a drain moves off a node, and how their eviction is asked for. Pure.

Kubernetes: Safely Drain a Node; API-initiated Eviction; kubectl drain --ignore-daemonsets.
"""

from __future__ import annotations

from homeostat.api import meta
from homeostat.api.rules import ownership, wellknown
from homeostat.api.types import Obj


def is_mirror(pod: Obj) -> bool:
    """Whether the API object only shows a static Pod, which the node runs from a file."""
    return wellknown.ANNOTATION_MIRROR in meta.annotations(pod)


def leaves_on_drain(pod: Obj) -> bool:
    """Whether a drain evicts the Pod and waits for its end. Mirror Pods stay; so do Pods of a DaemonSet, which would
    be recreated at once, unless they have ended."""
    if is_mirror(pod):
        return False
    controller = ownership.controller_of(pod) or {}
    return controller.get("kind") != "DaemonSet" or meta.pod_terminal(pod)


def eviction_of(pod: Obj) -> Obj:
    """The Eviction of this Pod only (by uid), not of a later one with its name."""
    return {
        "apiVersion": "policy/v1",
        "kind": "Eviction",
        "metadata": {"name": meta.name(pod), "namespace": meta.namespace(pod)},
        "deleteOptions": {"preconditions": {"uid": meta.uid(pod)}},
    }
