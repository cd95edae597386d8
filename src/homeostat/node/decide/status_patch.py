"""The smallest patch from a pod's status in the API to the one that the node wants. Pure."""

from __future__ import annotations

from homeostat.api import meta
from homeostat.api.types import Obj
from homeostat.node.decide.conditions import ADDED, OWNED, PASSING

# What the node writes; anything else in a status belongs to other writers.
_FIELDS = (
    "phase",
    "reason",
    "message",
    "hostIP",
    "hostIPs",
    "podIP",
    "startTime",
    "qosClass",
    "initContainerStatuses",
    "containerStatuses",
    "ephemeralContainerStatuses",
    "observedGeneration",
)


def status_patch(old: Obj, new: Obj, now_text: str) -> Obj | None:
    """The status part of a strategic merge patch, or None when nothing differs.

    Conditions are merged by type: only those of the node that changed are sent, with their transition times.
    """
    patch: Obj = {}
    for field in _FIELDS:
        if old.get(field) != new.get(field):
            patch[field] = new.get(field)
    ips = _ips_patch(old.get("podIPs") or [], new.get("podIPs") or [])
    if ips:
        patch["podIPs"] = ips
    conditions = _conditions_patch(old.get("conditions") or [], new.get("conditions") or [], now_text)
    if conditions:
        patch["conditions"] = conditions
    return patch or None


def _ips_patch(old: list[Obj], new: list[Obj]) -> list[Obj]:
    """podIPs merge by `ip`: those that are gone have to be named."""
    if old == new:
        return []
    return [{"$patch": "delete", "ip": entry["ip"]} for entry in old if entry not in new] + new


def _conditions_patch(old: list[Obj], new: list[Obj], now_text: str) -> list[Obj]:
    changed = []
    for wanted in new:
        if wanted["type"] not in OWNED + ADDED:
            continue
        present = meta.find_condition(old, wanted["type"])
        if present is not None and _same(present, wanted):
            continue
        moved = present is None or present.get("status") != wanted["status"]
        entry = dict(wanted)
        entry["lastTransitionTime"] = now_text if moved or present is None else present.get("lastTransitionTime")
        # A reason that no longer holds must be taken away by name.
        for field in ("reason", "message"):
            if field not in wanted and present is not None and present.get(field):
                entry[field] = None
        changed.append(entry)
    kept = {wanted["type"] for wanted in new}
    gone = [present["type"] for present in old if present["type"] in PASSING and present["type"] not in kept]
    return changed + [{"$patch": "delete", "type": name} for name in gone]


def _same(present: Obj, wanted: Obj) -> bool:
    fields = ("status", "reason", "message", "observedGeneration")
    return all((present.get(field) or None) == (wanted.get(field) or None) for field in fields)
