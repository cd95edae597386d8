"""Reading a Pod: the few questions that the node asks of its spec, with the API's defaults where a field is absent.

Pods from the API come with their defaults; static pods from files may not. Pure.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import orjson

from homeostat.api import meta
from homeostat.api.rules import wellknown
from homeostat.api.types import Obj

GRACE_SECONDS_DEFAULT = 30


def spec(pod: Obj) -> Obj:
    """The pod's spec."""
    return pod.get("spec") or {}


def mains(pod: Obj) -> list[Obj]:
    """The app containers."""
    return spec(pod).get("containers") or []


def inits(pod: Obj) -> list[Obj]:
    """The init containers, sidecars among them, in order."""
    return spec(pod).get("initContainers") or []


def ephemerals(pod: Obj) -> list[Obj]:
    """The ephemeral containers, in the order in which they were added."""
    return spec(pod).get("ephemeralContainers") or []


def by_name(pod: Obj) -> dict[str, Obj]:
    """Every container of the pod, ephemeral ones among them."""
    return {container["name"]: container for container in (*all_containers(pod), *ephemerals(pod))}


def all_containers(pod: Obj) -> Iterator[Obj]:
    """Init containers first, then app containers."""
    yield from inits(pod)
    yield from mains(pod)


def restart_policy(pod: Obj) -> str:
    """Always, OnFailure or Never."""
    return spec(pod).get("restartPolicy") or "Always"


def host_network(pod: Obj) -> bool:
    """Whether the pod has the node's address."""
    return bool(spec(pod).get("hostNetwork"))


def fs_group(pod: Obj) -> int | None:
    """The group that the pod's own volumes belong to."""
    group = (spec(pod).get("securityContext") or {}).get("fsGroup")
    return None if group is None else int(group)


def is_static(pod: Obj) -> bool:
    """Whether the pod comes from a file of the node."""
    return meta.annotations(pod).get(wellknown.ANNOTATION_CONFIG_SOURCE, "api") != "api"


def grace_seconds(pod: Obj) -> float:
    """How long its containers may take to end: what the deletion says, else what the spec says."""
    metadata = pod.get("metadata") or {}
    asked = metadata.get("deletionGracePeriodSeconds") if metadata.get("deletionTimestamp") else None
    if asked is None:
        asked = spec(pod).get("terminationGracePeriodSeconds")
    return float(GRACE_SECONDS_DEFAULT if asked is None else asked)


def stop_signal(container: Obj) -> str:
    """The signal that asks the container to end."""
    return (container.get("lifecycle") or {}).get("stopSignal") or "SIGTERM"


def container_hash(container: Obj) -> str:
    """Changes when a container must be recreated: its name or image changed (the only mutable parts of a spec)."""
    text = orjson.dumps([container.get("name"), container.get("image")])
    return hashlib.blake2b(text, digest_size=4).hexdigest()
