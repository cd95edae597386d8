"""Strategic merge patch: a merge patch whose lists of objects merge by key, as the schema says.

The rules are those of apimachinery's strategicpatch package: `$patch` (replace, delete), `$retainKeys`,
`$deleteFromPrimitiveList/x`, `$setElementOrder/x`. The original is never changed: the result shares with it whatever
the patch does not touch, so a small patch costs little however large the object is. All steps are linear in the lists.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol

from homeostat.api.errors import ApiError, bad_request
from homeostat.api.fields import show
from homeostat.api.types import Obj

_PATCH = "$patch"
_RETAIN = "$retainKeys"
_DELETE_FROM = "$deleteFromPrimitiveList/"
_ORDER = "$setElementOrder/"


class Place(Protocol):
    """What merging needs of a schema node (`api.shape.schema.Schema` is one)."""

    patch_strategy: tuple[str, ...]
    patch_merge_key: str

    @property
    def items(self) -> Place | None:
        """What a list holds."""
        ...

    def field(self, name: str) -> Place | None:
        """The node under a key."""
        ...


def apply(original: Obj, patch: Obj, schema: Place | None) -> Obj:
    """`original` with `patch` merged in; shares unchanged parts. Raises ApiError (400 or 422) on a bad patch."""
    return _merge_map(original, patch, schema)


def _rejected(message: str) -> ApiError:
    return ApiError(422, "Invalid", message)


def _merge_map(original: Obj, patch: Obj, schema: Place | None) -> Obj:
    directive = patch.get(_PATCH)
    if directive is not None:
        return _directed_map(directive, patch)
    merged = dict(original)
    done: set[str] = set()
    if any(key.startswith("$") for key in patch):
        _retain(merged, patch)
        done = _order_lists(merged, patch, schema)
    for key, value in patch.items():
        if key in done:
            continue
        if key.startswith("$"):
            _delete_from_list(merged, key, value)
        elif value is None:
            merged.pop(key, None)
        else:
            merged[key] = _merge_value(merged.get(key), value, schema.field(key) if schema is not None else None)
    return merged


def _directed_map(directive: Any, patch: Obj) -> Obj:
    if directive == "replace":
        return {key: _fresh(value) for key, value in patch.items() if not key.startswith("$") and value is not None}
    if directive == "delete":
        return {}
    raise _rejected(f"unknown patch type: {directive} in map: {show(patch)}")


def _merge_value(current: Any, value: Any, place: Place | None) -> Any:
    """The value of a key that the patch sets to `value`, where `current` was before."""
    strategy = place.patch_strategy if place is not None else ()
    if isinstance(value, dict) and isinstance(current, dict) and "replace" not in strategy:
        return _merge_map(current, value, place)
    if isinstance(value, list) and isinstance(current, list) and "merge" in strategy and place is not None:
        return _merge_list(current, value, place)
    return _fresh(value)


def _fresh(value: Any) -> Any:
    """A patch's value where there was none before: without directives and nulls."""
    if isinstance(value, dict):
        return {key: _fresh(item) for key, item in value.items() if not key.startswith("$") and item is not None}
    if isinstance(value, list):
        return [_fresh(item) for item in value if not (isinstance(item, dict) and _is_directive_item(item))]
    return value


def _is_directive_item(item: Obj) -> bool:
    """Whether a list's item only directs: a deletion, or a replacement marker that carries nothing else."""
    return item.get(_PATCH) == "delete" or (item.get(_PATCH) == "replace" and len(item) == 1)


def _retain(merged: Obj, patch: Obj) -> None:
    """$retainKeys: drop every field of the original that it does not list."""
    listed = patch.get(_RETAIN)
    if listed is None:
        return
    allowed = set(listed) if isinstance(listed, list) and all(isinstance(key, str) for key in listed) else None
    if allowed is None or any(
        key not in allowed for key, value in patch.items() if value is not None and not key.startswith("$")
    ):
        raise bad_request("invalid patch format of retainKeys")
    for key in [key for key in merged if key not in allowed]:
        del merged[key]


def _delete_from_list(merged: Obj, key: str, value: Any) -> None:
    """$deleteFromPrimitiveList/x: remove these scalars from the list x."""
    if key == _RETAIN:
        return
    if not key.startswith(_DELETE_FROM):
        raise bad_request(f"unknown patch directive: {key}")
    if not isinstance(value, list) or any(isinstance(item, dict | list) for item in value):
        raise bad_request("invalid patch format of primitive list")
    name = key.removeprefix(_DELETE_FROM)
    current = merged.get(name)
    if isinstance(current, list):
        gone = set(value)
        merged[name] = [item for item in current if isinstance(item, dict | list) or item not in gone]


def _order_lists(merged: Obj, patch: Obj, schema: Place | None) -> set[str]:
    """$setElementOrder/x: merge x, then order it. Returns the patch's keys that are dealt with."""
    done: set[str] = set()
    for directive, order in patch.items():
        if not directive.startswith(_ORDER):
            continue
        name = directive.removeprefix(_ORDER)
        done |= {directive, name}
        place = schema.field(name) if schema is not None else None
        original, change = merged.get(name), patch.get(name)
        if name in patch and change is None:
            merged.pop(name, None)
            continue
        if not isinstance(order, list) or not isinstance(change or [], list):
            raise bad_request("invalid patch format of setElementOrder list")
        key = place.patch_merge_key if place is not None else ""
        _check_order(change or [], order, key)
        both = original if change is None else _merge_value(original, change, place)
        if isinstance(both, list):
            merged[name] = _ordered(both, order, original if isinstance(original, list) else [], key)
    return done


def _check_order(change: list[Any], order: list[Any], key: str) -> None:
    """The patch's items must come in the order that the directive lists."""
    kept = [item for item in change if not (isinstance(item, dict) and _PATCH in item)]
    wanted = [_identity(item, key) for item in order]
    remaining = iter(wanted)
    if not all(_identity(item, key) in remaining for item in kept):
        raise bad_request(f"The order in patch list:\n{show(change)}\n doesn't match {_ORDER} list:\n{show(order)}\n")


def _identity(item: Any, key: str) -> Any:
    """What identifies an item of a list: the value of its merge key, or the scalar itself."""
    if isinstance(item, dict) and key:
        if key not in item:
            raise _rejected(f"map: {show(item)} does not contain declared merge key: {key}")
        item = item[key]
    if isinstance(item, dict | list):
        raise _rejected("lists of lists are not supported" if isinstance(item, list) else "cannot merge by a map")
    return item


def _merge_list(original: list[Any], patch: list[Any], place: Place) -> list[Any]:
    kinds = {isinstance(item, dict) for item in (*original, *patch)}
    if len(kinds) > 1:
        raise _rejected("list element types are not identical")
    if True not in kinds:
        merged = list(dict.fromkeys(_identity(item, "") for item in (*original, *patch)))
        return _ordered(merged, patch, original, "")
    key = place.patch_merge_key
    if not key:
        raise _rejected("cannot merge lists without merge key")
    original, changes = _directed_items(original, patch, key)
    return _ordered(_merge_items(original, changes, place), changes, original, key)


def _directed_items(original: list[Any], patch: list[Any], key: str) -> tuple[list[Any], list[Any]]:
    """The original after the items that are directives, and the items left to merge."""
    changes: list[Any] = []
    gone: set[Any] = set()
    replace = False
    for item in patch:
        match item.get(_PATCH):
            case None:
                changes.append(item)
            case "delete":
                gone.add(_identity(item, key))
            case "replace":
                replace = True
            case "merge":
                raise _rejected("merging lists cannot yet be specified in the patch")
            case other:
                raise _rejected(f"unknown patch type: {other} in map: {show(item)}")
    if replace:
        return _fresh(changes), []
    return [item for item in original if _identity(item, key) not in gone] if gone else original, changes


def _merge_items(original: list[Any], changes: list[Any], place: Place) -> list[Any]:
    merged = list(original)
    key, items = place.patch_merge_key, place.items
    where: dict[Any, int] = {}
    for position, item in enumerate(merged):
        where.setdefault(_identity(item, key), position)
    for change in changes:
        identity = _identity(change, key)
        position = where.get(identity, -1)
        if position < 0:
            where[identity] = len(merged)
            merged.append(_fresh(change))
        else:
            merged[position] = _merge_map(merged[position], change, items)
    return merged


def _places(items: Iterable[Any], key: str) -> dict[Any, int]:
    """The first position of each identity."""
    places: dict[Any, int] = {}
    for position, item in enumerate(items):
        places.setdefault(_identity(item, key), position)
    return places


def _ordered(merged: list[Any], order: list[Any], server: list[Any], key: str) -> list[Any]:
    """`merged` with the items of `order` in that order, the others inserted where the server's list had them.

    An item that only the server has comes before the next ordered item if it did so on the server; an ordered item
    that is new to the server comes as early as it can (strategicpatch, normalizeElementOrder).
    """
    if not order:
        return merged
    wanted, before = _places(order, key), _places(server, key)
    identities = [_identity(item, key) for item in merged]
    pairs = list(zip(identities, merged, strict=True))
    right = sorted((pair for pair in pairs if pair[0] in wanted), key=lambda pair: wanted[pair[0]])
    left = [pair for pair in pairs if pair[0] not in wanted]
    left.sort(key=lambda pair: before.get(pair[0], len(before)))
    woven: list[Any] = []
    taken = 0
    for identity, item in right:
        here = before.get(identity, -1)
        while taken < len(left) and before.get(left[taken][0], here) < here:
            woven.append(left[taken][1])
            taken += 1
        woven.append(item)
    return woven + [item for _, item in left[taken:]]
