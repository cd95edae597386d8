"""Features of a pod that this node does not support: refused by name, or reported as not enforced. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from homeostat.api.types import Obj
from homeostat.node.podspec import spec

_HOOKS = ("postStart", "preStop")


def refused(container: Obj) -> str:
    """Why this container cannot be run as it is meant to be; empty when it can."""
    for field in _HOOKS:
        if ((container.get("lifecycle") or {}).get(field) or {}).get("tcpSocket") is not None:
            return f"lifecycle.{field}: hooks of type tcpSocket are not supported by this node"
    if container.get("volumeDevices"):
        return "volumeDevices: block volumes are not supported by this node"
    return ""


def sandbox_refused(pod: Obj) -> str:
    """Why no sandbox of this pod is made on a node that isolates; empty when one is.

    A pod that asks for users of its own is not run with the node's: Pod Security allows it to be root.
    """
    if spec.spec(pod).get("hostUsers") is False:
        return "user namespaces are not supported by this node: hostUsers must not be false"
    return ""


def not_enforced(pod: Obj, *, mounts_in_place: bool) -> list[str]:
    """Fields that the process runtime accepts but cannot enforce, for it runs plain processes of one user."""
    found = set(_not_enforced(pod))
    if not mounts_in_place and any(container.get("volumeMounts") for container in spec.all_containers(pod)):
        found.add("containers[].volumeMounts[].mountPath (mounts are under $HOMEOSTAT_ROOT)")
    return sorted(found)


def not_done(pod: Obj) -> list[str]:
    """Fields that a runtime which isolates takes, and that change nothing all the same."""
    return sorted(set(_not_done(pod)))


def _not_done(pod: Obj) -> Iterator[str]:
    body = spec.spec(pod)
    shared = body.get("securityContext") or {}
    if shared.get("supplementalGroupsPolicy") == "Strict":
        yield "securityContext.supplementalGroupsPolicy"
    for name in ("seLinuxOptions", "windowsOptions"):
        if shared.get(name):
            yield f"securityContext.{name}"
    for container in spec.all_containers(pod):
        for name in ("seLinuxOptions", "windowsOptions"):
            if (container.get("securityContext") or {}).get(name):
                yield f"containers[].securityContext.{name}"
        for name in (container.get("resources") or {}).get("limits") or {}:
            if name.startswith("hugepages-"):
                yield f"containers[].resources.limits.{name}"
        if any(mount.get("recursiveReadOnly") == "Enabled" for mount in container.get("volumeMounts") or ()):
            yield "containers[].volumeMounts[].recursiveReadOnly"


def _not_enforced(pod: Obj) -> Iterator[str]:
    body = spec.spec(pod)
    yield from (f"securityContext.{name}" for name in _set_fields(body.get("securityContext")))
    for name in ("hostPID", "hostIPC", "shareProcessNamespace", "hostAliases", "dnsConfig"):
        if body.get(name):
            yield name
    for container in spec.all_containers(pod):
        yield from (f"containers[].securityContext.{name}" for name in _set_fields(container.get("securityContext")))
        yield from (
            f"containers[].resources.limits.{name}" for name in (container.get("resources") or {}).get("limits") or {}
        )
    for volume in body.get("volumes") or []:
        yield from (f"volumes[].emptyDir.{name}" for name in _set_fields(volume.get("emptyDir")))


def _set_fields(section: Obj | None) -> list[str]:
    """The fields of a section that ask for something."""
    return [name for name, value in (section or {}).items() if value not in (None, False, "", [], {})]
