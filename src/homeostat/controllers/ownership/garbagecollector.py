"""The garbage collector: deletes objects whose owners are gone; handles foreground deletion and orphaning.

Rules: pkg/controller/garbagecollector. A key names one object. An object that is not being deleted is judged by its
owner references: while one owner is there and stays, the object stays (references to others are dropped); when all are
gone, or wait for their dependents in a foreground deletion, the object is deleted. An object that is being deleted with
the finalizer `foregroundDeletion` keeps it until nothing that it owns blocks it; with `orphan`, until no dependent
names it any more.

Why absence is safe to act on: uids are never used twice, so an owner that has been gone once is gone for good. It is
known to be gone when its deletion was seen here (`World.was_deleted`), or when a live read says so: each deletion that
rests on an owner that is merely missing from the caches is wrapped in `Confirm`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from homeostat.api import meta
from homeostat.api.catalogue import Catalogue
from homeostat.api.errors import qualified
from homeostat.api.kinds import EVENT, Kind
from homeostat.api.rules import ownership
from homeostat.api.types import Obj
from homeostat.controllers.writing import STRATEGIC
from homeostat.loop.contract import Absent, Action, Confirm, Delete, Key, Loop, Patch, Record, Watch, World

FOREGROUND = "foregroundDeletion"
ORPHAN = "orphan"
# How many deletions are remembered; for an owner that was deleted earlier, a live read decides.
_DELETIONS_MAX = 20_000
# Its watches, one for each kind, are most of what a controller manager has: they are not what a failover waits for.
START_DELAY_SECONDS = 2.0


class Collected:
    """The kinds of a catalogue whose objects take part: those that can be watched and deleted, in one version each.

    Events never own nor are owned, and there are too many of them to cache.
    """

    def __init__(self, catalogue: Catalogue) -> None:
        able = [kind for kind in catalogue.stored_kinds() if {"list", "watch", "delete"} <= kind.verbs]
        self.kinds = tuple(kind for kind in able if kind.home is not EVENT)
        self.by_resource = {qualified(kind.plural, kind.group): kind for kind in self.kinds}
        self.by_group_kind = {(kind.group, kind.kind): kind for kind in self.kinds}


@dataclass(slots=True)
class _Verdict:
    """An object's owner references by what is known of the owners."""

    solid: list[Obj] = field(default_factory=list)
    waiting: list[Obj] = field(default_factory=list)
    gone: list[Obj] = field(default_factory=list)
    # Owners that the caches do not have: gone only if a live read confirms it.
    missing: list[Absent] = field(default_factory=list)
    invalid: list[str] = field(default_factory=list)


def trim(obj: Obj) -> Obj:
    """What is kept of an object that no other loop needs: its identity and its owners."""
    metadata = obj["metadata"]
    kept = {name: metadata[name] for name in _KEPT if name in metadata}
    return {"apiVersion": obj.get("apiVersion"), "kind": obj.get("kind"), "metadata": kept}


_KEPT = (
    "name",
    "namespace",
    "uid",
    "resourceVersion",
    "creationTimestamp",
    "deletionTimestamp",
    "finalizers",
    "ownerReferences",
)


def loop() -> Loop:
    """The loop `garbage-collector`, over every kind that can own or be owned."""

    def follows(catalogue: Catalogue) -> tuple[Watch, ...]:
        return tuple(Watch(kind, _keys_of(kind), trim) for kind in catalogue.derived(Collected).kinds)

    return Loop(
        "garbage-collector",
        (),
        collect,
        parallel=20,
        start_delay_seconds=START_DELAY_SECONDS,
        follows=follows,
        deletions_max=_DELETIONS_MAX,
    )


def key_of(kind: Kind, obj: Obj) -> Key:
    """`replicasets.apps|namespace/name`."""
    return f"{qualified(kind.plural, kind.group)}|{meta.key(obj)}"


class _keys_of:
    """Which objects a changed object of `kind` concerns."""

    def __init__(self, kind: Kind) -> None:
        self._kind = kind

    def __call__(self, old: Obj | None, new: Obj | None, world: World) -> Iterable[Key]:
        if new is None:
            return [*_dependents(meta.uid(old or {}), world), *_waiting_owners(old or {}, world)]
        found: list[Key] = []
        before = _outline(old) if old is not None else ((), False, ())
        now = _outline(new)
        if before != now:
            if meta.deleting(new) or (ownership.owner_references(new) and not _stays(new, world)):
                found.append(key_of(self._kind, new))
            if meta.deleting(new) and FOREGROUND in meta.finalizers(new):
                found += _dependents(meta.uid(new), world)
            if old is not None and before[0] != now[0]:
                found += _waiting_owners(old, world)
        return found


def _outline(obj: Obj) -> tuple[object, bool, object]:
    """What of an object this loop reacts to."""
    return ownership.owner_references(obj), meta.deleting(obj), meta.finalizers(obj)


def _stays(obj: Obj, world: World) -> bool:
    """Whether no owner is gone or being deleted, so that there is nothing to do: a later change of an owner queues
    the key of `obj` as its dependent."""
    space = meta.namespace(obj)
    for reference in ownership.owner_references(obj):
        kind = _kind_of(reference, world)
        owner = _cached(kind, reference, space, world) if kind is not None else None
        if owner is None or meta.deleting(owner) or (kind is not None and kind.namespaced and not space):
            return False
    return True


def _dependents(uid: str, world: World) -> list[Key]:
    return [key_of(kind, item) for kind in world.catalogue.derived(Collected).kinds for item in world.owned(kind, uid)]


def _waiting_owners(obj: Obj, world: World) -> list[Key]:
    """The owners of `obj` that may have waited for it."""
    found = []
    for reference in ownership.owner_references(obj):
        kind = _kind_of(reference, world)
        owner = _cached(kind, reference, meta.namespace(obj), world) if kind is not None else None
        if kind is not None and owner is not None and meta.deleting(owner):
            found.append(key_of(kind, owner))
    return found


def _kind_of(reference: Obj, world: World) -> Kind | None:
    """The collected kind of an owner; None where it is unknown or not collected."""
    place = (ownership.group_of(reference), str(reference.get("kind")))
    return world.catalogue.derived(Collected).by_group_kind.get(place)


def _cached(kind: Kind, reference: Obj, namespace: str, world: World) -> Obj | None:
    owner = world.get(kind, namespace if kind.namespaced else "", str(reference.get("name")))
    return owner if owner is not None and meta.uid(owner) == reference.get("uid") else None


def collect(key: Key, world: World) -> list[Action]:
    """Judge one object."""
    resource, _, place = key.partition("|")
    kind = world.catalogue.derived(Collected).by_resource.get(resource)
    obj = world.get(kind, *meta.split_key(place)) if kind is not None else None
    if kind is None or obj is None:
        return []
    if not meta.deleting(obj):
        return _judge(kind, obj, world)
    if ORPHAN in meta.finalizers(obj):
        return _orphan_dependents(kind, obj, world)
    if FOREGROUND in meta.finalizers(obj):
        return _finish_foreground(kind, obj, world)
    return []


def _owned(uid: str, world: World) -> list[tuple[Kind, Obj]]:
    return [(kind, item) for kind in world.catalogue.derived(Collected).kinds for item in world.owned(kind, uid)]


def _orphan_dependents(kind: Kind, obj: Obj, world: World) -> list[Action]:
    uid = meta.uid(obj)
    cut: list[Action] = [_drop(item_kind, item, [uid], "orphaned") for item_kind, item in _owned(uid, world)]
    return cut or [_without_finalizer(kind, obj, ORPHAN)]


def _finish_foreground(kind: Kind, obj: Obj, world: World) -> list[Action]:
    uid = meta.uid(obj)
    for _, item in _owned(uid, world):
        if any(ref.get("uid") == uid and ref.get("blockOwnerDeletion") for ref in ownership.owner_references(item)):
            return []
    return [_without_finalizer(kind, obj, FOREGROUND)]


def _without_finalizer(kind: Kind, obj: Obj, finalizer: str) -> Patch:
    kept = [name for name in meta.finalizers(obj) if name != finalizer]
    body = {"metadata": {"resourceVersion": meta.metadata(obj).get("resourceVersion"), "finalizers": kept}}
    return Patch(kind, meta.namespace(obj), meta.name(obj), body, note=f"{finalizer} is done")


def _drop(kind: Kind, obj: Obj, uids: Iterable[str], note: str) -> Patch:
    if kind.custom:
        # Defined kinds have no strategic merge patch: the whole list, as it was when this was decided.
        gone = set(uids)
        kept = [reference for reference in ownership.owner_references(obj) if reference.get("uid") not in gone]
        return _with_owners(kind, obj, kept, note)
    references = [{"$patch": "delete", "uid": uid} for uid in uids]
    body = {"metadata": {"uid": meta.uid(obj), "ownerReferences": references}}
    return Patch(kind, meta.namespace(obj), meta.name(obj), body, content_type=STRATEGIC, note=note)


def _with_owners(kind: Kind, obj: Obj, references: list[Obj], note: str) -> Patch:
    metadata = {"resourceVersion": meta.metadata(obj).get("resourceVersion"), "ownerReferences": references}
    return Patch(kind, meta.namespace(obj), meta.name(obj), {"metadata": metadata}, note=note)


def _weigh(obj: Obj, world: World) -> _Verdict:
    """Sort the object's owner references."""
    verdict = _Verdict()
    space = meta.namespace(obj)
    for reference in ownership.owner_references(obj):
        uid = str(reference.get("uid"))
        kind = _kind_of(reference, world)
        if kind is None:
            # Of owners of kinds that are not served here nothing is known: they count as there.
            verdict.solid.append(reference)
        elif kind.namespaced and not space:
            verdict.solid.append(reference)
            verdict.invalid.append(_wrong_namespace(reference, space))
        elif (owner := _cached(kind, reference, space, world)) is not None:
            waits = meta.deleting(owner) and FOREGROUND in meta.finalizers(owner)
            (verdict.waiting if waits and reference.get("blockOwnerDeletion") else verdict.solid).append(reference)
        else:
            verdict.gone.append(reference)
            if not world.was_deleted(uid):
                place = space if kind.namespaced else ""
                verdict.missing.append(Absent(kind, place, str(reference.get("name")), uid))
            if world.exists_uid(uid):
                verdict.invalid.append(_wrong_namespace(reference, space))
    return verdict


def _wrong_namespace(reference: Obj, space: str) -> str:
    who = f"{reference.get('apiVersion')}/{reference.get('kind')}, namespace: {space}, name: {reference.get('name')}"
    return f'ownerRef [{who}, uid: {reference.get("uid")}] does not exist in namespace "{space}"'


def _judge(kind: Kind, obj: Obj, world: World) -> list[Action]:
    if not ownership.owner_references(obj):
        return []
    verdict = _weigh(obj, world)
    events: list[Action] = [Record(obj, "OwnerRefInvalidNamespace", text, "Warning") for text in verdict.invalid]
    if verdict.solid:
        surplus = [str(reference.get("uid")) for reference in [*verdict.gone, *verdict.waiting]]
        steps: list[Action] = [_drop(kind, obj, surplus, "another owner stays")] if surplus else []
    elif verdict.waiting:
        steps = _delete_for_waiting(kind, obj, verdict, world)
    else:
        steps = [_delete(kind, obj, _policy(obj), "its owners are gone")]
    if steps and verdict.missing:
        steps = [Confirm(tuple(verdict.missing), tuple(steps))]
    return [*events, *steps]


def _delete_for_waiting(kind: Kind, obj: Obj, verdict: _Verdict, world: World) -> list[Action]:
    """An owner waits for this object: it is deleted in the foreground too when it owns others."""
    dependents = [item for _, item in _owned(meta.uid(obj), world)]
    if not dependents:
        return [_delete(kind, obj, _policy(obj), "its owner waits for it to go")]
    steps: list[Action] = []
    if any(meta.deleting(item) and FOREGROUND in meta.finalizers(item) for item in dependents):
        # A circle of owners that wait for each other: this object no longer holds its owner up.
        steps.append(_loosen(kind, obj, verdict.waiting))
    return [*steps, _delete(kind, obj, "Foreground", "its owner waits for it to go")]


def _loosen(kind: Kind, obj: Obj, waiting: list[Obj]) -> Patch:
    """Let owners that wait for `obj` no longer wait."""
    if kind.custom:
        loose = [
            {**reference, "blockOwnerDeletion": False} if reference in waiting else reference
            for reference in ownership.owner_references(obj)
        ]
        return _with_owners(kind, obj, loose, "a circle")
    loosened = [{"uid": reference.get("uid"), "blockOwnerDeletion": False} for reference in waiting]
    body = {"metadata": {"uid": meta.uid(obj), "ownerReferences": loosened}}
    return Patch(kind, meta.namespace(obj), meta.name(obj), body, content_type=STRATEGIC, note="a circle")


def _policy(obj: Obj) -> str:
    if ORPHAN in meta.finalizers(obj):
        return "Orphan"
    return "Foreground" if FOREGROUND in meta.finalizers(obj) else "Background"


def _delete(kind: Kind, obj: Obj, propagation: str, note: str) -> Delete:
    space, name = meta.namespace(obj), meta.name(obj)
    return Delete(kind, space, name, uid=meta.uid(obj), propagation=propagation, note=note)
