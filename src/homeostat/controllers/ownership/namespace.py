"""The Namespace loop: deletes everything in a namespace that is being deleted, Pods first, then the namespace itself.

Rules: pkg/controller/namespace, with ordered deletion. The caches show what is left and which finalizers it waits for;
that the namespace is empty is confirmed by live reads before its finalizer is taken away.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from homeostat.api import meta
from homeostat.api.catalogue import Catalogue
from homeostat.api.kinds import EVENT, NAMESPACE, POD, Kind
from homeostat.api.types import Obj
from homeostat.controllers.ownership.garbagecollector import START_DELAY_SECONDS, Collected, trim
from homeostat.controllers.writing import status_patch
from homeostat.kit.clock import rfc3339
from homeostat.loop.contract import (
    Absent,
    Action,
    Confirm,
    DeleteCollection,
    Key,
    Later,
    Loop,
    Patch,
    Update,
    Watch,
    World,
)

FINALIZER = "kubernetes"
AGAIN_SECONDS = 2.0

# (type, reason and message when all is well): what kubectl shows of a namespace that is being deleted.
_WELL = {
    "NamespaceDeletionDiscoveryFailure": ("ResourcesDiscovered", "All resources successfully discovered"),
    "NamespaceDeletionGroupVersionParsingFailure": (
        "ParsedGroupVersions",
        "All legacy kube types successfully parsed",
    ),
    "NamespaceDeletionContentFailure": (
        "ContentDeleted",
        "All content successfully deleted, may be waiting on finalization",
    ),
    "NamespaceContentRemaining": ("ContentRemoved", "All content successfully removed"),
    "NamespaceFinalizersRemaining": ("ContentHasNoFinalizers", "All content-preserving finalizers finished"),
}


def loop() -> Loop:
    """The loop `namespace`."""

    def follows(catalogue: Catalogue) -> tuple[Watch, ...]:
        return tuple(Watch(kind, _content_keys, trim) for kind in catalogue.derived(_content))

    own = (Watch(NAMESPACE),)
    return Loop("namespace", own, decide, parallel=4, start_delay_seconds=START_DELAY_SECONDS, follows=follows)


def _content(catalogue: Catalogue) -> tuple[Kind, ...]:
    """The kinds whose objects are in namespaces, and go with them."""
    found = catalogue.derived(Collected).kinds
    return tuple(kind for kind in found if kind.namespaced and "deletecollection" in kind.verbs)


def _content_keys(old: Obj | None, new: Obj | None, world: World) -> Iterable[Key]:
    """The namespace of a deleted object, when it is being deleted itself."""
    space = meta.namespace(old or {}) if new is None else ""
    namespace = world.get(NAMESPACE, "", space) if space else None
    return (space,) if namespace is not None and meta.deleting(namespace) else ()


def decide(key: Key, world: World) -> list[Action]:
    """Take a namespace that is being deleted one step further."""
    namespace = world.get(NAMESPACE, "", key)
    if namespace is None or not meta.deleting(namespace):
        return []
    if FINALIZER not in ((namespace.get("spec") or {}).get("finalizers") or ()):
        return []
    content = world.catalogue.derived(_content)
    left = {kind: items for kind in content if (items := world.list(kind, key))}
    pods = left.get(POD, ())
    actions: list[Action] = [*_report(namespace, left, world)]
    if pods:
        # Pods are deleted first, so that nothing that guards or serves them (policies, secrets) is deleted while they
        # run.
        if any(not meta.deleting(pod) for pod in pods):
            actions.append(DeleteCollection(POD, key, note="the namespace is being deleted"))
        return [*actions, Later(AGAIN_SECONDS)]
    actions += [DeleteCollection(kind, key, note="the namespace is being deleted") for kind in (*content, EVENT)]
    absent = tuple(Absent(kind, key) for kind in (*content, EVENT))
    return [*actions, Confirm(absent, (_finalize(namespace),)), Later(AGAIN_SECONDS)]


def _finalize(namespace: Obj) -> Update:
    spec = namespace.get("spec") or {}
    kept = [name for name in spec.get("finalizers") or () if name != FINALIZER]
    # Without a resourceVersion: the status written in this round has just changed it.
    metadata = {name: value for name, value in namespace["metadata"].items() if name != "resourceVersion"}
    finalized = {**namespace, "metadata": metadata, "spec": {**spec, "finalizers": kept}}
    return Update(NAMESPACE, finalized, subresource="finalize", note="nothing is left in it")


def _report(namespace: Obj, left: Mapping[Kind, Sequence[Obj]], world: World) -> list[Patch]:
    """The conditions, and the phase Terminating."""
    bad: dict[str, tuple[str, str]] = {}
    counts = {f"{kind.plural}.{kind.group}": len(items) for kind, items in left.items()}
    if counts:
        listed = ", ".join(f"{name} has {count} resource instances" for name, count in sorted(counts.items()))
        bad["NamespaceContentRemaining"] = ("SomeResourcesRemain", f"Some resources are remaining: {listed}")
    guards = Counter(name for items in left.values() for item in items for name in meta.finalizers(item))
    if guards:
        listed = ", ".join(f"{name} in {count} resource instances" for name, count in sorted(guards.items()))
        text = f"Some content in the namespace has finalizers remaining: {listed}"
        bad["NamespaceFinalizersRemaining"] = ("SomeFinalizersRemain", text)
    if world.failure:
        text = f"Failed to delete all resource types, 1 remaining: {world.failure}"
        bad["NamespaceDeletionContentFailure"] = ("ContentDeletionFailed", text)
    conditions = [dict(item) for item in meta.conditions(namespace)]
    for name, well in _WELL.items():
        reason, message = bad.get(name, well)
        new = {"type": name, "status": "True" if name in bad else "False", "reason": reason, "message": message}
        meta.set_condition(conditions, new, rfc3339(world.now))
    status = {**(namespace.get("status") or {}), "phase": "Terminating", "conditions": conditions}
    return status_patch(NAMESPACE, namespace, status)
