"""Who owns what: finding an object's controller, and adopting or releasing children by selector.

Kubernetes' ControllerRefManager: a controller adopts the orphans that its selector matches, and releases children that
it no longer matches; it never takes a child from another controller.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from homeostat.api import meta
from homeostat.api.kinds import Kind
from homeostat.api.rules import ownership
from homeostat.api.types import Obj
from homeostat.controllers.writing import STRATEGIC
from homeostat.loop.contract import Action, Key, Patch, World

Matcher = Callable[[Mapping[str, str]], bool]


@dataclass(slots=True)
class Claim:
    """The children that belong to an owner now, and the patches that make the references say so."""

    children: list[Obj] = field(default_factory=list)
    actions: list[Action] = field(default_factory=list)


def claim(owner_kind: Kind, owner: Obj, child_kind: Kind, matches: Matcher, world: World) -> Claim:
    """The children of `owner`: those it controls and still selects, and the orphans that it adopts."""
    result = Claim()
    going = meta.deleting(owner)
    owner_uid = meta.uid(owner)
    for child in world.owned(child_kind, owner_uid):
        metadata = child["metadata"]
        references = metadata["ownerReferences"]
        # Nearly always there is one reference, and this is called for thousands of Pods.
        own = references[0] if len(references) == 1 else ownership.controller_of(child)
        if own is None or own["uid"] != owner_uid or not own.get("controller"):
            continue
        if matches(metadata.get("labels") or {}):
            result.children.append(child)
        elif not going:
            result.actions.append(_release(child_kind, child, owner_uid))
    if going:
        return result
    space = meta.namespace(owner)
    for orphan in world.owned(child_kind, ""):
        if meta.namespace(orphan) != space or meta.deleting(orphan) or not matches(meta.labels(orphan)):
            continue
        result.children.append(orphan)
        result.actions.append(_adopt(owner_kind, owner, child_kind, orphan))
    return result


def _adopt(owner_kind: Kind, owner: Obj, child_kind: Kind, child: Obj) -> Patch:
    reference = ownership.controller_reference(owner_kind, owner)
    body = {"metadata": {"uid": meta.uid(child), "ownerReferences": [reference]}}
    note = f"adopted by {owner_kind.kind} {meta.name(owner)}"
    return Patch(child_kind, meta.namespace(child), meta.name(child), body, content_type=STRATEGIC, note=note)


def _release(child_kind: Kind, child: Obj, owner_uid: str) -> Patch:
    body = {"metadata": {"uid": meta.uid(child), "ownerReferences": [{"$patch": "delete", "uid": owner_uid}]}}
    note = "released: the selector no longer matches"
    return Patch(child_kind, meta.namespace(child), meta.name(child), body, content_type=STRATEGIC, note=note)


def controller_key(child: Obj, owner_kind: Kind) -> Key | None:
    """The key of the child's controller, when that is an `owner_kind`."""
    reference = ownership.controller_of(child)
    if reference is None or not ownership.refers_to(reference, owner_kind):
        return None
    return f"{meta.namespace(child)}/{reference.get('name')}"


def _sole_owner(child: Obj) -> Obj | None:
    """The child's controller, when it has no other owner."""
    references: list[Obj] = child["metadata"].get("ownerReferences") or []
    return references[0] if len(references) == 1 and references[0].get("controller") else None


def owner_keys(
    owner_kind: Kind, selects: Callable[[Obj], Matcher]
) -> Callable[[Obj | None, Obj | None, World], Iterable[Key]]:
    """Which owners a changed child concerns: its controllers before and now; for an orphan all that select it."""

    def keys(old: Obj | None, new: Obj | None, world: World) -> Iterable[Key]:
        owner = _sole_owner(new) if new is not None else None
        if owner is not None and new is not None and (old is None or _sole_owner(old) == owner):
            # Nearly always: it has one owner, the one that it had.
            own = controller_key(new, owner_kind)
            return (own,) if own else ()
        found = {key for child in (old, new) if child is not None and (key := controller_key(child, owner_kind))}
        if new is not None and not meta.deleting(new) and ownership.controller_of(new) is None:
            labels = meta.labels(new)
            for owner in world.list(owner_kind, meta.namespace(new)):
                if selects(owner)(labels):
                    found.add(meta.key(owner))
        return sorted(found)

    return keys
