"""What a change changed, in a few words for a journal: phases, readiness, counts, or else the parts that differ.

Pure: two forms of an object in, text out.
"""

from __future__ import annotations

from typing import Any

from homeostat.api import meta
from homeostat.api.types import Obj

_PARTS_MAX = 6
# Numbers in a status or spec that summarize an object of a kind by themselves.
_COUNTS = ("replicas", "readyReplicas", "availableReplicas", "updatedReplicas", "numberReady", "desiredNumberScheduled")


def summarize(old: Obj | None, new: Obj, *, deleted: bool) -> str:
    """A line such as `phase Pending -> Running; Ready False -> True`."""
    if deleted:
        return "deleted"
    if old is None:
        node = (new.get("spec") or {}).get("nodeName")
        return f"created on {node}" if isinstance(node, str) and node else "created"
    said: list[str] = []
    if meta.deleting(new) and not meta.deleting(old):
        said.append("deletion asked")
    said += _moved("node", _at(old, "spec", "nodeName"), _at(new, "spec", "nodeName"))
    said += _moved("phase", _at(old, "status", "phase"), _at(new, "status", "phase"))
    said += _conditions(old, new)
    said += _restarts(old, new)
    for part in ("spec", "status"):
        for count in _COUNTS:
            said += _moved(f"{part}.{count}", _at(old, part, count), _at(new, part, count))
    said += _taints(old, new)
    if not said:
        said = [f"{path} changed" for path in _differing(old, new)]
    return "; ".join(said[:_PARTS_MAX])


def _at(obj: Obj, part: str, field: str) -> Any:
    return (obj.get(part) or {}).get(field)


def _moved(label: str, before: Any, after: Any) -> list[str]:
    if before == after:
        return []
    shown = ("none" if value is None else value for value in (before, after))
    return [f"{label} " + " -> ".join(str(value) for value in shown)]


def _conditions(old: Obj, new: Obj) -> list[str]:
    found: list[str] = []
    for condition in meta.conditions(new):
        name, status = condition.get("type", ""), condition.get("status")
        before = meta.condition(old, name)
        if (before or {}).get("status") == status:
            continue
        reason = condition.get("reason")
        moved = f"{name} {(before or {}).get('status') or 'none'} -> {status}"
        found.append(f"{moved} ({reason})" if reason and status != "True" else moved)
    return found


def _restarts(old: Obj, new: Obj) -> list[str]:
    before, after = meta.pod_restarts(old), meta.pod_restarts(new)
    return [f"restarts {before} -> {after}"] if before != after else []


def _taints(old: Obj, new: Obj) -> list[str]:
    before = {_taint(taint) for taint in _at(old, "spec", "taints") or ()}
    after = {_taint(taint) for taint in _at(new, "spec", "taints") or ()}
    added, removed = sorted(after - before), sorted(before - after)
    return [f"taint {taint} added" for taint in added] + [f"taint {taint} removed" for taint in removed]


def _taint(taint: Obj) -> str:
    return f"{taint.get('key')}:{taint.get('effect')}"


def _differing(old: Obj, new: Obj) -> list[str]:
    """The paths, two fields deep, at which the two differ; resourceVersion is no change."""
    found: list[str] = []
    for part in sorted({*old, *new}):
        before, after = old.get(part), new.get(part)
        if before == after:
            continue
        if not isinstance(before, dict) or not isinstance(after, dict):
            found.append(part)
            continue
        fields = sorted({*before, *after} - {"resourceVersion", "managedFields"})
        found += [f"{part}.{field}" for field in fields if before.get(field) != after.get(field)]
    return found
