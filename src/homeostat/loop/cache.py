"""The view that decisions get: several informers' caches as one `World`, at one moment."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from typing import TypeAlias

from homeostat.api.catalogue import Catalogue
from homeostat.api.kinds import Kind
from homeostat.api.types import Obj
from homeostat.kit import clock
from homeostat.loop.objects import ObjectIndex

# Group and kind: the same for all versions of a resource.
GroupKind: TypeAlias = tuple[str, str]


class UnwatchedKind(LookupError):
    """A decision reads a kind that its loop does not watch: a mistake in the loop."""


class CacheWorld:
    """Implements `loop.contract.World` over indexes by group and kind, with a fixed `now`, `failure`, `catalogue` (the
    built-in kinds, if not given) and `memory`. `deleted` are the uids of objects whose deletion was seen."""

    __slots__ = ("_failure", "_indexes", "_now", "catalogue", "deleted", "memory")

    def __init__(
        self,
        indexes: Mapping[GroupKind, ObjectIndex],
        now: float,
        failure: str = "",
        catalogue: Catalogue | None = None,
        memory: object = None,
    ) -> None:
        self._indexes = indexes
        self._now = now
        self._failure = failure
        self.catalogue = catalogue or Catalogue.builtin()
        self.memory = memory
        self.deleted: Container[str] = ()

    @property
    def now(self) -> float:
        """Seconds since the epoch."""
        return self._now

    def get(self, kind: Kind, namespace: str, name: str) -> Obj | None:
        """The cached object."""
        return self._index(kind).get(namespace, name)

    def list(self, kind: Kind, namespace: str = "") -> Sequence[Obj]:
        """Cached objects, ordered by namespace and name."""
        return self._index(kind).list(namespace)

    def owned(self, kind: Kind, owner_uid: str) -> Sequence[Obj]:
        """Objects with an owner of this uid, without a controller when it is empty."""
        return self._index(kind).owned(owner_uid)

    def on_node(self, kind: Kind, node_name: str) -> Sequence[Obj]:
        """Objects with this spec.nodeName."""
        return self._index(kind).on_node(node_name)

    def exists_uid(self, uid: str) -> bool:
        """Whether any watched kind holds this uid."""
        return any(index.by_uid(uid) is not None for index in self._indexes.values())

    def was_deleted(self, uid: str) -> bool:
        """Whether the deletion of the object with this uid was seen."""
        return uid in self.deleted

    @property
    def failure(self) -> str:
        """The error of the key's last round of actions, empty when there was none."""
        return self._failure

    def _index(self, kind: Kind) -> ObjectIndex:
        try:
            return self._indexes[(kind.group, kind.kind)]
        except KeyError:
            raise UnwatchedKind(f"{kind.kind} is read but not watched: add a Watch for it to the loop") from None


class PresentWorld(CacheWorld):
    """A world whose `now` is the clock: for what maps changes to keys, which happens all the time and seldom asks."""

    __slots__ = ()

    def __init__(self, indexes: Mapping[GroupKind, ObjectIndex], catalogue: Catalogue | None = None) -> None:
        super().__init__(indexes, 0.0, catalogue=catalogue)

    @property
    def now(self) -> float:
        """Seconds since the epoch, at this moment."""
        return clock.wall()
