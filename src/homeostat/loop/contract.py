"""Reconciliation as data: what a loop is, what it may read, and the actions it may return.

`decide(key, world) -> actions` is pure: no await, no clock, no chance, no logging. It gets a read-only view of informer
caches and returns actions; the runner (`loop.runner`) performs them, retries, and does not call `decide` for a key
again before the caches have seen the key's own last writes. State that a decision needs from earlier ones and that the
API does not store is its memory: it is passed in and returned (`remembering`), never changed in place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias, TypeVar, cast

from homeostat.api.catalogue import Catalogue
from homeostat.api.kinds import Kind
from homeostat.api.types import Obj

# `namespace/name`, or `name` for what has no namespace.
Key: TypeAlias = str


class World(Protocol):
    """What a decision may read: the caches of the kinds that the loop watches. Returned objects are shared: never
    change them."""

    @property
    def now(self) -> float:
        """Wall-clock seconds since the epoch, the same during one decision."""
        ...

    def get(self, kind: Kind, namespace: str, name: str) -> Obj | None:
        """The cached object, None when there is none; `namespace` is empty for cluster-scoped kinds."""
        ...

    def list(self, kind: Kind, namespace: str = "") -> Sequence[Obj]:
        """All cached objects of a kind, in one namespace or (empty) in all, ordered by namespace and name."""
        ...

    def owned(self, kind: Kind, owner_uid: str) -> Sequence[Obj]:
        """Objects of `kind` that have an ownerReference (controller or not) with this uid, ordered by namespace and
        name; with an empty `owner_uid` those that have no controller (no reference with `controller: true`)."""
        ...

    def on_node(self, kind: Kind, node_name: str) -> Sequence[Obj]:
        """Objects of `kind` with this spec.nodeName."""
        ...

    def exists_uid(self, uid: str) -> bool:
        """Whether any watched kind holds an object with this uid."""
        ...

    def was_deleted(self, uid: str) -> bool:
        """Whether the deletion of the object with this uid was seen: of the last `Loop.deletions_max` deletions."""
        ...

    @property
    def catalogue(self) -> Catalogue:
        """The kinds that the API serves, as far as this loop's caches are synced for them."""
        ...

    @property
    def failure(self) -> str:
        """The error message of this key's last round of actions; empty when that succeeded, or for the first round."""
        ...

    @property
    def memory(self) -> object:
        """The memory that this key's last decision returned (`Remember`), None before the first. See `remembering`."""
        ...


@dataclass(frozen=True, slots=True)
class Record:
    """Write an Event about `about` (a whole object). `event_type` is Normal or Warning. Best effort."""

    about: Obj
    reason: str
    message: str
    event_type: str = "Normal"


@dataclass(frozen=True, slots=True)
class Create:
    """Create `obj`. AlreadyExists counts as done when `ignore_exists`. Afterwards one event is recorded: `done`, in
    whose message `{name}` becomes the created object's name, or `failed`, in whose message `{error}` is filled in."""

    kind: Kind
    obj: Obj
    note: str = ""
    ignore_exists: bool = False
    done: Record | None = None
    failed: Record | None = None


@dataclass(frozen=True, slots=True)
class Update:
    """Replace the object (or its subresource, `status`); its metadata.resourceVersion is the precondition.

    `complete` is called with `obj` just before the write, and returns what is written: for what a decision cannot do
    (sign with a key, draw randomness, read the clock). It raises ApiError."""

    kind: Kind
    obj: Obj
    subresource: str = ""
    note: str = ""
    complete: Callable[[Obj], Obj] | None = None


@dataclass(frozen=True, slots=True)
class Patch:
    """Patch one object. `content_type` is the patch's media type."""

    kind: Kind
    namespace: str
    name: str
    patch: Obj
    subresource: str = ""
    content_type: str = "application/merge-patch+json"
    note: str = ""


@dataclass(frozen=True, slots=True)
class Delete:
    """Delete one object; NotFound counts as done. `uid` is a precondition when given."""

    kind: Kind
    namespace: str
    name: str
    uid: str = ""
    propagation: str = ""
    grace_seconds: int | None = None
    note: str = ""
    done: Record | None = None
    failed: Record | None = None


@dataclass(frozen=True, slots=True)
class DeleteCollection:
    """Delete all objects of `kind` in `namespace`, each by its own rules (grace, finalizers): they may still exist
    afterwards."""

    kind: Kind
    namespace: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Absent:
    """That no object of this name (and uid, when given) exists; without a name: nothing of the kind in `namespace`."""

    kind: Kind
    namespace: str
    name: str = ""
    uid: str = ""


@dataclass(frozen=True, slots=True)
class Confirm:
    """Perform `then` only if live reads (not caches) agree that all of `absent` is true; else do nothing.

    Absent from a cache is not absent from the API: an action that depends on absence and cannot be undone is confirmed
    first."""

    absent: tuple[Absent, ...]
    then: tuple[Action, ...]


@dataclass(frozen=True, slots=True)
class IfAllowed:
    """Perform `then` if the API allows `review` (the spec of a SubjectAccessReview), else `otherwise`."""

    review: Obj
    then: tuple[Action, ...]
    otherwise: tuple[Action, ...] = ()


@dataclass(frozen=True, slots=True)
class Later:
    """Reconcile this key again after `seconds`, even if no event arrives."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Remember:
    """Pass `memory` to this key's next decision, whether or not this one's other actions succeed; None drops it.

    It is kept as long as the loop runs: a new leader starts without it."""

    memory: object


Action: TypeAlias = (
    "Create | Update | Patch | Delete | DeleteCollection | Confirm | IfAllowed | Record | Later | Remember"
)
Memory = TypeVar("Memory")


def remembering(
    decide: Callable[[Key, World, Memory], tuple[list[Action], Memory]], empty: Memory
) -> Callable[[Key, World], list[Action]]:
    """Turns a decision that takes and returns the key's memory into a loop's `decide`.

    `empty` is the memory of a key that has none yet; a memory equal to it is not kept. Memories are immutable:
    the same decision from the same memory has the same result.
    """

    def decide_and_remember(key: Key, world: World) -> list[Action]:
        known = world.memory
        actions, memory = decide(key, world, empty if known is None else cast(Memory, known))
        return [Remember(None if memory == empty else memory), *actions]

    return decide_and_remember


@dataclass(frozen=True, slots=True)
class Watch:
    """A kind the loop watches. `keys` maps a changed object (its old and its new form, either may be None) to the keys
    to reconcile; None: the object's own key. A kind whose `keys` returns none is only read. `trim` returns the part of
    an object that this loop needs; a cache that several loops share keeps whole objects as soon as one of them has no
    trim."""

    kind: Kind
    keys: Callable[[Obj | None, Obj | None, World], Iterable[Key]] | None = None
    trim: Callable[[Obj], Obj] | None = None


@dataclass(frozen=True, slots=True)
class Loop:
    """One loop: a name (`replicaset`), what it watches, and its decision.

    `parallel` keys are reconciled concurrently; `start_keys` are reconciled once when the caches are synced (for loops
    that work on the whole cluster, with one key such as "all"). A loop that is not urgent starts `start_delay_seconds`
    after the others: its many watches would delay a start, or a failover. A loop over all kinds `follows` the
    catalogue: it returns further watches, which change as kinds are added and removed. `deletions_max` is of how many
    deleted objects the uids are kept for its decisions (`World.was_deleted`).
    """

    name: str
    watches: tuple[Watch, ...]
    decide: Callable[[Key, World], list[Action]]
    parallel: int = 4
    start_keys: tuple[Key, ...] = field(default=())
    start_delay_seconds: float = 0.0
    follows: Callable[[Catalogue], tuple[Watch, ...]] | None = None
    deletions_max: int = 0

    def watching(self, catalogue: Catalogue) -> tuple[Watch, ...]:
        """All its watches while the API serves these kinds."""
        return self.watches if self.follows is None else (*self.watches, *self.follows(catalogue))
