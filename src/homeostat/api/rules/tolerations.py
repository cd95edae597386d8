"""Tolerations: which taints a Pod tolerates, and how lists of tolerations are put together. Pure.

Kubernetes: Taints and Tolerations; core/v1 Toleration.ToleratesTaint; pkg/util/tolerations (MergeTolerations).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import TypeAlias

import orjson

from homeostat.api.rules import wellknown
from homeostat.api.types import Obj

# Key, effect, operator and value.
_Place: TypeAlias = tuple[str, str, str, str]
_IDENTITY = ("key", "effect", "operator", "value")


# Taints with these effects keep Pods away that do not tolerate them; those with the soft one only make a node worse.
HARD_EFFECTS = frozenset({wellknown.NO_SCHEDULE, wellknown.NO_EXECUTE})
SOFT_EFFECTS = frozenset({wellknown.PREFER_NO_SCHEDULE})


def tolerates(toleration: Obj, taint: Obj) -> bool:
    """Whether the toleration matches the taint. An empty effect matches every effect and an empty operator is Equal. An
    empty key matches every key, with Exists alone; an unknown operator matches nothing."""
    if toleration.get("effect") and toleration["effect"] != taint.get("effect"):
        return False
    key, operator = toleration.get("key") or "", toleration.get("operator") or "Equal"
    if key and key != taint.get("key"):
        return False
    if operator == "Exists":
        return True
    return bool(key) and operator == "Equal" and (toleration.get("value") or "") == (taint.get("value") or "")


def matching(tolerations: Iterable[Obj], taint: Obj) -> Obj | None:
    """The first toleration that matches the taint, whose tolerationSeconds count; None when there is none."""
    return next((toleration for toleration in tolerations if tolerates(toleration, taint)), None)


def untolerated(taints: Iterable[Obj], tolerations: Sequence[Obj], effects: Collection[str]) -> list[Obj]:
    """The taints with one of `effects` that no toleration matches, in their order; empty when all are tolerated."""
    return [taint for taint in taints if taint.get("effect") in effects and matching(tolerations, taint) is None]


def with_toleration(tolerations: Sequence[Obj], wanted: Obj) -> list[Obj]:
    """The list with `wanted` in it: in the place of the one with the same key, effect, operator and value, whose
    tolerationSeconds it replaces, else at the end (AddOrUpdateTolerationInPodSpec)."""
    result, found = [], False
    for toleration in tolerations:
        is_same = all((toleration.get(field) or "") == (wanted.get(field) or "") for field in _IDENTITY)
        if not (is_same and found):
            result.append(wanted if is_same else toleration)
        found = found or is_same
    return result if found else [*result, wanted]


def merged(first: Sequence[Obj], second: Sequence[Obj]) -> list[Obj]:
    """Both lists in their order, without those that another one covers; of equal ones the first stays.

    The cost follows the number of tolerations: each is compared with the longest of those that may cover it.
    """
    distinct = list({_written(each): each for each in reversed((*first, *second))}.values())[::-1]
    longest: dict[_Place, Obj] = {}
    for toleration in distinct:
        place = _place(toleration, toleration.get("effect") or "")
        known = longest.get(place)
        # Of two that cover each other the later one is kept.
        if known is None or _covers(toleration, known):
            longest[place] = toleration
    return [each for each in distinct if not any(_covers(wide, each) for wide in _wider(each, longest))]


def _written(toleration: Obj) -> bytes:
    return orjson.dumps(toleration, option=orjson.OPT_SORT_KEYS)


def _place(toleration: Obj, effect: str, operator: str = "") -> _Place:
    """Tolerations of one place differ in their seconds alone; of Exists the value does not count."""
    operator = operator or toleration.get("operator") or "Equal"
    value = "" if operator == "Exists" else toleration.get("value") or ""
    return toleration.get("key") or "", effect, operator, value


def _wider(toleration: Obj, longest: Mapping[_Place, Obj]) -> Iterator[Obj]:
    """The longest ones of each place whose tolerations may cover this one, without itself."""
    for effect in {"", toleration.get("effect") or ""}:
        everything: _Place = ("", effect, "Exists", "")
        for place in (everything, _place(toleration, effect, "Exists"), _place(toleration, effect)):
            found = longest.get(place)
            if found is not None and found is not toleration:
                yield found


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
    if wide.get("effect") == wellknown.NO_EXECUTE and longest is not None and (asked is None or asked > longest):
        return False
    if operator == "Equal":
        same = (narrow.get("value") or "") == (wide.get("value") or "")
        return (narrow.get("operator") or "Equal") == "Equal" and same
    return operator == "Exists"
