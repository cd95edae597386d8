"""Tolerations: what one covers, and two lists made one. Pure.

Rules: core/v1 Toleration.ToleratesTaint; pkg/util/tolerations (MergeTolerations).
"""

from __future__ import annotations

from collections.abc import Sequence

from homeostat.api.types import Obj


def tolerates(toleration: Obj, taint: Obj) -> bool:
    """Whether one toleration covers one taint."""
    if toleration.get("effect") and toleration["effect"] != taint.get("effect"):
        return False
    key, operator = toleration.get("key") or "", toleration.get("operator") or "Equal"
    if key and key != taint.get("key"):
        return False
    if operator == "Exists":
        return True
    return bool(key) and operator == "Equal" and (toleration.get("value") or "") == (taint.get("value") or "")


def merged(first: Sequence[Obj], second: Sequence[Obj]) -> list[Obj]:
    """Both lists in their order, without those that another one covers; of equal ones the first stays."""
    everything = [*first, *second]
    kept: list[Obj] = []
    for position, toleration in enumerate(everything):
        later = (other for other in everything[position + 1 :] if other != toleration)
        if not any(_covers(other, toleration) for other in (*kept, *later)):
            kept.append(toleration)
    return kept


def _covers(wide: Obj, narrow: Obj) -> bool:
    """Whether `wide` tolerates all that `narrow` does, and as long."""
    if wide == narrow:
        return True
    operator = wide.get("operator") or "Equal"
    key = wide.get("key") or ""
    if (narrow.get("key") or "") != key and (key or operator != "Exists"):
        return False
    if (narrow.get("effect") or "") != (wide.get("effect") or "") and wide.get("effect"):
        return False
    longest, asked = wide.get("tolerationSeconds"), narrow.get("tolerationSeconds")
    if wide.get("effect") == "NoExecute" and longest is not None and (asked is None or asked > longest):
        return False
    if operator == "Equal":
        same = (narrow.get("value") or "") == (wide.get("value") or "")
        return (narrow.get("operator") or "Equal") == "Equal" and same
    return operator == "Exists"
