"""Kinds that the control plane itself depends on: Node, Lease, PriorityClass, PodDisruptionBudget, Event, Binding.

Rules: pkg/apis/core, coordination, scheduling and policy validation.
"""

from __future__ import annotations

from homeostat.api import names
from homeostat.api.errors import Cause
from homeostat.api.fields import Causes, duplicate, forbidden, invalid, not_supported, required
from homeostat.api.rules import wellknown
from homeostat.api.types import Obj
from homeostat.api.validation.balancing import check_range
from homeostat.api.validation.common import (
    check_at_most_all,
    check_enum,
    check_immutable,
    check_int_or_percent,
    check_name,
    check_needed_enum,
    check_selector,
)

_USER_PRIORITY_MAX = 1_000_000_000
_SYSTEM_CLASSES = {"system-node-critical": 2_000_001_000, "system-cluster-critical": 2_000_000_000}
_ONCE = 'node updates may not change {} except from "" to valid'


def check_node(obj: Obj, out: Causes) -> None:
    """A Node's taints: known effects, each key and effect once."""
    seen: set[tuple[str, str]] = set()
    for position, taint in enumerate((obj.get("spec") or {}).get("taints") or ()):
        path = f"metadata.taints[{position}]"  # where kube-apiserver says that they are
        key, effect = taint.get("key") or "", taint.get("effect") or ""
        out += [invalid(f"{path}.key", key, why) for why in names.qualified_name(key)]
        value = taint.get("value") or ""
        if problems := names.label_value(value):
            out.append(invalid(f"{path}.value", value, ";".join(problems)))
        check_needed_enum(effect, f"{path}.effect", wellknown.TAINT_EFFECTS, out)
        if (key, effect) in seen:
            cause = duplicate(path, taint)
            out.append(Cause(cause.reason, path, f"{cause.message}: taints must be unique by key and effect pair"))
        seen.add((key, effect))
    _check_pod_ranges((obj.get("spec") or {}).get("podCIDRs") or [], out)


def _check_pod_ranges(ranges: list[str], out: Causes) -> None:
    """A Node's ranges of Pod addresses: one of each family at most."""
    families = []
    for position, text in enumerate(ranges):
        check_range(text, f"spec.podCIDRs[{position}]", out)
        families.append(":" in text)
    if len(families) != len(set(families)):
        out.append(invalid("spec.podCIDRs", ranges, "may specify no more than one CIDR for each IP family"))
    for position, text in enumerate(ranges):
        if text in ranges[:position]:
            out.append(duplicate(f"spec.podCIDRs[{position}]", text))


def check_node_update(new: Obj, old: Obj, out: Causes) -> None:
    """Addresses and the provider's id are set once."""
    ours, theirs = new.get("spec") or {}, old.get("spec") or {}
    for field, said in (("podCIDRs", "podCIDR"), ("providerID", "providerID")):
        if theirs.get(field) and ours.get(field) != theirs[field]:
            out.append(forbidden(f"spec.{field}", _ONCE.format(said)))


def check_lease(obj: Obj, out: Causes) -> None:
    """A Lease's numbers."""
    spec = obj.get("spec") or {}
    seconds, transitions = spec.get("leaseDurationSeconds"), spec.get("leaseTransitions")
    if seconds is not None and seconds <= 0:
        out.append(invalid("spec.leaseDurationSeconds", seconds, "must be greater than 0"))
    if transitions is not None and transitions < 0:
        out.append(invalid("spec.leaseTransitions", transitions, "must be greater than or equal to 0"))
    if spec.get("strategy"):
        out += [invalid("spec.strategy", spec["strategy"], why) for why in names.qualified_name(spec["strategy"])]
    elif spec.get("preferredHolder"):
        out.append(forbidden("spec.preferredHolder", "may only be specified when `strategy` is defined"))


def check_priority_class(obj: Obj, out: Causes) -> None:
    """A PriorityClass: the highest values and the system's names are the system's own."""
    name, value = (obj.get("metadata") or {}).get("name") or "", obj.get("value") or 0
    if name.startswith("system-"):
        if _SYSTEM_CLASSES.get(name) != value:
            why = f"{name} is not a known system priority class"
            reserved = "priority class names with 'system-' prefix are reserved for system use only. error:"
            out.append(forbidden("metadata.name", f"{reserved} {why}"))
    elif value > _USER_PRIORITY_MAX:
        why = f"maximum allowed value of a user defined priority is {_USER_PRIORITY_MAX}"
        out.append(forbidden("value", why))
    check_enum(obj.get("preemptionPolicy"), "preemptionPolicy", ("Never", "PreemptLowerPriority"), out)


def check_priority_class_update(new: Obj, old: Obj, out: Causes) -> None:
    """A PriorityClass keeps its value."""
    if (new.get("value") or 0) != (old.get("value") or 0):
        out.append(forbidden("value", "may not be changed in an update."))
    check_immutable(new.get("preemptionPolicy"), old.get("preemptionPolicy"), "preemptionPolicy", out)


def check_disruption_budget(obj: Obj, out: Causes) -> None:
    """A PodDisruptionBudget says either how many must stay or how many may go."""
    spec = obj.get("spec") or {}
    if spec.get("minAvailable") is not None and spec.get("maxUnavailable") is not None:
        out.append(invalid("spec", spec, "minAvailable and maxUnavailable cannot be both set"))
    for field in ("minAvailable", "maxUnavailable"):
        check_int_or_percent(spec.get(field), f"spec.{field}", out)
        check_at_most_all(spec.get(field), f"spec.{field}", out)
    check_selector(spec.get("selector"), "spec.selector", out)
    policies = ("AlwaysAllow", "IfHealthyBudget")
    check_enum(spec.get("unhealthyPodEvictionPolicy"), "spec.unhealthyPodEvictionPolicy", policies, out)


def check_event(obj: Obj, out: Causes) -> None:
    """An Event is in the namespace of the object it is about."""
    namespace = (obj.get("metadata") or {}).get("namespace") or ""
    field = "regarding" if "regarding" in obj else "involvedObject"
    about = (obj.get(field) or {}).get("namespace") or ""
    if about and about != namespace:
        out.append(invalid(f"{field}.namespace", about, "does not match event.namespace"))


def check_binding(obj: Obj, out: Causes) -> None:
    """A Binding names a Node."""
    target = obj.get("target") or {}
    if target.get("kind") not in (None, "", "Node"):
        out.append(not_supported("target.kind", target["kind"], ("Node", "<empty>")))
    if not target.get("name"):
        out.append(required("target.name"))


def check_runtime_class(obj: Obj, out: Causes) -> None:
    """A RuntimeClass names its handler."""
    check_name(obj.get("handler"), "handler", names.dns1123_label, out)
