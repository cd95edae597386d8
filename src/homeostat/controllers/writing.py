"""What several loops need for their writes: the smallest status patch, and dropping the fields that Go would omit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from homeostat.api import meta
from homeostat.api.kinds import Kind
from homeostat.api.types import Obj
from homeostat.loop.contract import Patch

STRATEGIC = "application/strategic-merge-patch+json"


def status_patch(kind: Kind, obj: Obj, status: Mapping[str, Any], *, note: str = "") -> list[Patch]:
    """What turns the status of `obj` into `status`, as one merge patch of the fields that differ; none if none do.

    It has no resourceVersion: the loop is the only writer of this status, it says in `observedGeneration` which spec
    it saw, and a former leader's late write is corrected by the event that it causes.
    """
    old: Obj = obj.get("status") or {}
    changes: Obj = {field: value for field, value in status.items() if old.get(field) != value}
    changes |= {field: None for field in old if field not in status}
    if not changes:
        return []
    return [Patch(kind, meta.namespace(obj), meta.name(obj), {"status": changes}, subresource="status", note=note)]


def without_zeros(fields: Mapping[str, Any]) -> Obj:
    """The fields that Go's `omitempty` would write."""
    return {field: value for field, value in fields.items() if value not in (0, "", None, [], {})}
