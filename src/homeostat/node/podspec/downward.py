"""The downward API: a pod's own fields and resources as text, for environments and files. Pure.

Field paths are those of core/v1 (fieldpath.ExtractFieldPathAsString) and the pod's addresses; another one is refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from homeostat.api import meta, quantity
from homeostat.api.rules.podresources import container_requests
from homeostat.api.types import Obj
from homeostat.node.podspec import spec

_SUBSCRIPT = re.compile(r"metadata\.(labels|annotations)\['(.+)'\]")


class ConfigError(Exception):
    """What a container or volume refers to is not there, or not supported; the message is the kubelet's."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a pod's own object does not contain: its address, the node's, the node's allocatable resources, and whether
    the pod's users are kept apart."""

    pod_ip: str = ""
    host_ip: str = ""
    allocatable: Mapping[str, str] = field(default_factory=dict)
    isolates: bool = False


def field_value(pod: Obj, path: str, around: Surroundings) -> str:
    """The text of `path`. Raises ConfigError."""
    addresses = {
        "status.podIP": around.pod_ip,
        "status.podIPs": around.pod_ip,
        "status.hostIP": around.host_ip,
        "status.hostIPs": around.host_ip,
    }
    if path in addresses:
        return addresses[path]
    plain: dict[str, Callable[[Obj], str]] = {
        "metadata.name": meta.name,
        "metadata.namespace": meta.namespace,
        "metadata.uid": meta.uid,
        "spec.nodeName": meta.pod_node,
        "spec.serviceAccountName": lambda pod: spec.spec(pod).get("serviceAccountName") or "",
        "metadata.labels": lambda pod: _lines(meta.labels(pod)),
        "metadata.annotations": lambda pod: _lines(meta.annotations(pod)),
    }
    if path in plain:
        return plain[path](pod)
    subscript = _SUBSCRIPT.fullmatch(path)
    if subscript is None:
        raise ConfigError(f"unsupported fieldPath: {path}")
    return str((meta.metadata(pod).get(subscript[1]) or {}).get(subscript[2], ""))


def _lines(values: Mapping[str, str]) -> str:
    """One `key="value"` a line, by key, as fieldpath.FormatMap writes them."""
    return "\n".join(f'{key}="{_escape(value)}"' for key, value in sorted(values.items()))


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t")


def resource_value(pod: Obj, container: Obj, ref: Obj, around: Surroundings) -> str:
    """The text of a resourceFieldRef, in units of its divisor, rounded up. Raises ConfigError.

    A limit that is not set is what the node can give; a request that is not set is the limit, else 0.
    """
    name = ref.get("containerName") or container.get("name")
    owner = next((c for c in spec.all_containers(pod) if c["name"] == name), None)
    if owner is None:
        raise ConfigError(f"container {name} not found")
    side, _, resource = str(ref["resource"]).partition(".")
    if side not in ("limits", "requests") or resource not in ("cpu", "memory", "ephemeral-storage"):
        raise ConfigError(f"unsupported container resource : {ref['resource']}")
    resources = owner.get("resources") or {}
    if side == "requests":
        given = container_requests(resources).get(resource, "0")
    else:
        given = (resources.get("limits") or {}).get(resource) or around.allocatable.get(resource, "0")
    divisor = quantity.of(ref.get("divisor") or "0").nanos or quantity.of("1").nanos
    return str(-(-quantity.of(given).nanos // divisor))
