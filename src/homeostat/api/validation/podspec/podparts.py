"""Changes of one part of a Pod: its ephemeral containers, and its containers' resources while they run.

Rules: pkg/apis/core/validation (validateEphemeralContainers, ValidatePodEphemeralContainersUpdate, ValidatePodResize).
"""

from __future__ import annotations

from typing import Any

from homeostat.api import names
from homeostat.api.fields import Causes, duplicate, forbidden, invalid, not_found
from homeostat.api.rules.eviction import is_mirror
from homeostat.api.rules.qos import qos_class
from homeostat.api.types import Obj
from homeostat.api.validation.common import check_name
from homeostat.api.validation.podspec.containers import check_container
from homeostat.api.validation.podspec.resources import check_resources

_EPHEMERAL = "spec.ephemeralContainers"
# What makes sense only for containers that are part of the Pod's work.
_NEVER_EPHEMERAL = (
    "ports",
    "livenessProbe",
    "readinessProbe",
    "startupProbe",
    "lifecycle",
    "resources",
    "resizePolicy",
    "restartPolicy",
)
_RESIZABLE = ("cpu", "memory")


def check_part(new: Obj, old: Obj, subresource: str, out: Causes) -> None:
    """A write of one of a Pod's subresources."""
    if subresource == "ephemeralcontainers":
        check_ephemeral_update(new, old, out)
    elif subresource == "resize":
        check_resize(new, old, out)


def check_ephemeral_update(new: Obj, old: Obj, out: Causes) -> None:
    """Ephemeral containers may be added; those that are there stay as they are."""
    if is_mirror(old):
        out.append(forbidden("", "static pods do not support ephemeral containers"))
        return
    spec = new.get("spec") or {}
    wanted = spec.get("ephemeralContainers") or []
    _check_all(spec, wanted, out)
    given = {each.get("name"): each for each in wanted}
    for present in (old.get("spec") or {}).get("ephemeralContainers") or []:
        name = present["name"]
        if name not in given:
            out.append(forbidden(_EPHEMERAL, f'existing ephemeral containers "{name}" may not be removed\n'))
        elif given[name] != present:
            out.append(forbidden(_EPHEMERAL, f'existing ephemeral containers "{name}" may not be changed\n'))


def _check_all(spec: Obj, wanted: list[Obj], out: Causes) -> None:
    apps = {each.get("name") for each in spec.get("containers") or []}
    taken = apps | {each.get("name") for each in spec.get("initContainers") or []}
    volumes = {volume.get("name") for volume in spec.get("volumes") or ()}
    for position, container in enumerate(wanted):
        where, name = f"{_EPHEMERAL}[{position}]", container.get("name")
        check_name(name, f"{where}.name", names.dns1123_label, out)
        if name and name in taken:
            out.append(duplicate(f"{where}.name", name))
        taken.add(name)
        target = container.get("targetContainerName")
        if target and target not in apps:
            out.append(not_found(f"{where}.targetContainerName", target))
        check_container(container, where, volumes, out)
        for field in _NEVER_EPHEMERAL:
            if container.get(field):
                out.append(forbidden(f"{where}.{field}", "cannot be set for an Ephemeral Container"))
        for place, mount in enumerate(container.get("volumeMounts") or []):
            for field in ("subPath", "subPathExpr"):
                if mount.get(field):
                    path = f"{where}.volumeMounts[{place}].{field}"
                    out.append(forbidden(path, "cannot be set for an Ephemeral Container"))


def check_resize(new: Obj, old: Obj, out: Causes) -> None:
    """CPU and memory of containers and sidecars may change, as long as the Pod's quality of service stays."""
    if is_mirror(old):
        out.append(forbidden("", "static pods cannot be resized"))
        return
    ours, theirs = new.get("spec") or {}, old.get("spec") or {}
    for group in ("containers", "initContainers"):
        wanted, present = ours.get(group) or [], theirs.get(group) or []
        if [each.get("name") for each in wanted] != [each.get("name") for each in present]:
            out.append(forbidden(f"spec.{group}", "pod resize may not add, remove, rename or reorder containers"))
            return
        for position, (after, before) in enumerate(zip(wanted, present, strict=True)):
            path = f"spec.{group}[{position}].resources"
            check_resources(after.get("resources"), path, out)
            if group == "initContainers" and before.get("restartPolicy") != "Always":
                if (after.get("resources") or {}) != (before.get("resources") or {}):
                    why = "resources for non-sidecar init containers are immutable"
                    out.append(forbidden(path, why))
            else:
                _check_change(after.get("resources") or {}, before.get("resources") or {}, path, out)
    quality = (old.get("status") or {}).get("qosClass") or qos_class(old)
    if qos_class(new) != quality:
        why = "Pod QOS Class may not change as a result of resizing"
        out.append(invalid("spec", qos_class(new), why))


def _check_change(after: Obj, before: Obj, path: str, out: Causes) -> None:
    for side in ("requests", "limits"):
        new, old = after.get(side) or {}, before.get(side) or {}
        removed = sorted(name for name in _RESIZABLE if name in old and name not in new)
        if removed:
            out.append(forbidden(f"{path}.{side}", f"resource {side} cannot be removed"))
        if _rest(new) != _rest(old):
            out.append(forbidden(f"{path}.{side}", "only cpu and memory resources are mutable"))
    if (after.get("claims") or []) != (before.get("claims") or []):
        out.append(forbidden(f"{path}.claims", "only cpu and memory resources are mutable"))


def _rest(amounts: Obj) -> dict[str, Any]:
    return {name: value for name, value in amounts.items() if name not in _RESIZABLE}
