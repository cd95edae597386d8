"""Pods and pod templates: the spec as a whole, and what an update of a Pod may change.

Rules: pkg/apis/core/validation (ValidatePodSpec, ValidatePodUpdate).
"""

from __future__ import annotations

from homeostat.api import names
from homeostat.api.fields import Causes, forbidden, invalid, required
from homeostat.api.shape.remembered import Remembered, text_of
from homeostat.api.types import Obj
from homeostat.api.validation.common import check_enum, check_name
from homeostat.api.validation.objectmeta import check_annotations, check_labels
from homeostat.api.validation.podspec.containers import check_containers
from homeostat.api.validation.podspec.placement import (
    check_affinity,
    check_gated_placement,
    check_spread,
    check_tolerations,
)
from homeostat.api.validation.podspec.resolution import check_dns, check_host_aliases
from homeostat.api.validation.podspec.security import check_pod_security
from homeostat.api.validation.podspec.volumes import check_volumes

_RESTART = ("Always", "OnFailure", "Never")
_DNS = ("ClusterFirstWithHostNet", "ClusterFirst", "Default", "None")
_NAMES = (
    ("serviceAccountName", names.dns1123_subdomain),
    ("nodeName", names.dns1123_subdomain),
    ("hostname", names.dns1123_label),
    ("subdomain", names.dns1123_label),
    ("priorityClassName", names.dns1123_subdomain),
    ("runtimeClassName", names.dns1123_subdomain),
    ("schedulerName", names.qualified_name),
)
_INT32_MAX = 2**31 - 1
_GOOD = Remembered()
_UPDATABLE = (
    "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,"
    "`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),"
    "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"
)


def check_pod(pod: Obj, out: Causes) -> None:
    """A new Pod."""
    spec = pod.get("spec")
    if not spec:
        out.append(required("spec.containers"))
        return
    check_pod_spec(spec, "spec", out)
    if spec.get("ephemeralContainers"):
        out.append(forbidden("spec.ephemeralContainers", "cannot be set on create"))
    if spec.get("schedulingGates") and spec.get("nodeName"):
        out.append(forbidden("spec.nodeName", "cannot be set until all schedulingGates have been cleared"))


def check_template(template: Obj | None, path: str, out: Causes) -> None:
    """A pod template: its metadata and its spec."""
    if not template:
        out.append(required(path))
        return
    metadata = template.get("metadata") or {}
    check_labels(metadata.get("labels"), f"{path}.labels", out)
    check_annotations(metadata.get("annotations"), f"{path}.annotations", out)
    check_pod_spec(template.get("spec") or {}, f"{path}.spec", out)
    if (template.get("spec") or {}).get("ephemeralContainers"):
        why = "ephemeral containers not allowed in pod template"
        out.append(forbidden(f"{path}.spec.ephemeralContainers", why))


def check_pod_spec(spec: Obj, path: str, out: Causes) -> None:
    """A PodSpec, of a Pod or in a template. A spec that was valid before is recognised and not checked again."""
    text = text_of(spec)
    if text in _GOOD:
        return
    found = len(out)
    _judge_pod_spec(spec, path, out)
    if len(out) == found:
        _GOOD.add(text)


def _judge_pod_spec(spec: Obj, path: str, out: Causes) -> None:
    if volumes := spec.get("volumes"):
        check_volumes(volumes, f"{path}.volumes", out)
    check_containers(spec, path, out)
    check_enum(spec.get("restartPolicy"), f"{path}.restartPolicy", _RESTART, out)
    check_enum(spec.get("dnsPolicy"), f"{path}.dnsPolicy", _DNS, out)
    if selector := spec.get("nodeSelector"):
        check_labels(selector, f"{path}.nodeSelector", out)
    for field, rule in _NAMES:
        value = spec.get(field)
        if value:
            out += [invalid(f"{path}.{field}", value, why) for why in rule(value)]
    _check_times(spec, path, out)
    if affinity := spec.get("affinity"):
        check_affinity(affinity, f"{path}.affinity", out)
    if tolerations := spec.get("tolerations"):
        check_tolerations(tolerations, f"{path}.tolerations", out)
    if constraints := spec.get("topologySpreadConstraints"):
        check_spread(constraints, f"{path}.topologySpreadConstraints", out)
    for position, gate in enumerate(spec.get("readinessGates") or ()):
        where = f"{path}.readinessGates[{position}].conditionType"
        out += [
            invalid(where, gate.get("conditionType"), why)
            for why in names.qualified_name(gate.get("conditionType") or "")
        ]
    for position, gate in enumerate(spec.get("schedulingGates") or ()):
        check_name(gate.get("name"), f"{path}.schedulingGates[{position}].name", names.qualified_name, out)
    check_pod_security(spec, path, out)
    check_dns(spec, path, out)
    if aliases := spec.get("hostAliases"):
        check_host_aliases(aliases, f"{path}.hostAliases", out)


def _check_times(spec: Obj, path: str, out: Causes) -> None:
    deadline = spec.get("activeDeadlineSeconds")
    if deadline is not None and not 1 <= deadline <= _INT32_MAX:
        out.append(invalid(f"{path}.activeDeadlineSeconds", deadline, f"must be between 1 and {_INT32_MAX}, inclusive"))
    grace = spec.get("terminationGracePeriodSeconds")
    if grace is not None and grace < 0:
        out.append(invalid(f"{path}.terminationGracePeriodSeconds", grace, "must be greater than or equal to 0"))


def check_pod_update(new: Obj, old: Obj, out: Causes) -> None:
    """An update of a Pod: images, a sooner deadline, more tolerations; the rest of the spec is fixed."""
    ours, theirs = new.get("spec") or {}, old.get("spec") or {}
    if ours == theirs:
        return
    check_pod_spec(ours, "spec", out)
    for field in ("containers", "initContainers"):
        if len(ours.get(field) or ()) != len(theirs.get(field) or ()):
            out.append(forbidden(f"spec.{field}", "pod updates may not add or remove containers"))
            return
    _check_deadline(ours.get("activeDeadlineSeconds"), theirs.get("activeDeadlineSeconds"), out)
    _check_more_tolerations(ours.get("tolerations") or [], theirs.get("tolerations") or [], out)
    gated = bool(theirs.get("schedulingGates"))
    for gate in ours.get("schedulingGates") or ():
        if gate not in (theirs.get("schedulingGates") or ()):
            why = f"only deletion is allowed, but found new scheduling gate '{gate.get('name')}'"
            out.append(forbidden("spec.schedulingGates", why))
    if gated:
        check_gated_placement(ours, theirs, out)
    changed = sorted(
        field
        for field in {*ours, *theirs}
        if (ours.get(field) or None) != (theirs.get(field) or None)
        and not _may_change(field, ours, theirs, gated=gated)
    )
    if changed:
        listed = ", ".join(f"spec.{field}" for field in changed)
        out.append(forbidden("spec", f"{_UPDATABLE}\nchanged: {listed}\n"))


def _may_change(field: str, ours: Obj, theirs: Obj, *, gated: bool) -> bool:
    new, old = ours.get(field), theirs.get(field)
    match field:
        case "activeDeadlineSeconds" | "tolerations" | "schedulingGates":
            return True  # checked on their own
        case "terminationGracePeriodSeconds":
            return new == 1 and old is not None and old < 0
        case "containers" | "initContainers":
            return _without_images(new) == _without_images(old)
    if field == "affinity":
        return gated and _but_for_nodes(new) == _but_for_nodes(old)
    return gated and field == "nodeSelector"


def _but_for_nodes(affinity: Obj | None) -> Obj:
    return {field: value for field, value in (affinity or {}).items() if field != "nodeAffinity"}


def _without_images(containers: list[Obj] | None) -> list[Obj]:
    return [{key: value for key, value in each.items() if key != "image"} for each in containers or ()]


def _check_deadline(new: int | None, old: int | None, out: Causes) -> None:
    if old is None or new == old:
        return
    path = "spec.activeDeadlineSeconds"
    if new is None:
        out.append(invalid(path, None, "must not update from a positive integer to nil value"))
    elif new > old:
        out.append(invalid(path, new, "must be less than or equal to previous value"))


def _check_more_tolerations(new: list[Obj], old: list[Obj], out: Causes) -> None:
    """Every old toleration stays; only its seconds may differ."""
    kept = [{key: value for key, value in each.items() if key != "tolerationSeconds"} for each in new]
    for toleration in old:
        bare = {key: value for key, value in toleration.items() if key != "tolerationSeconds"}
        if bare not in kept:
            why = "existing toleration can not be modified except its tolerationSeconds"
            out.append(forbidden("spec.tolerations", why))
            return
