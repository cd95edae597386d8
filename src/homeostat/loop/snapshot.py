"""A `World` made from a plain list of objects: for tests of decisions."""

from __future__ import annotations

from collections.abc import Iterable

from homeostat.api.catalogue import Catalogue
from homeostat.api.kinds import Kind
from homeostat.api.types import Obj
from homeostat.loop.cache import CacheWorld, GroupKind
from homeostat.loop.objects import ObjectIndex

_EMPTY = ObjectIndex()


class Snapshot(CacheWorld):
    """A world of `objects` (each with apiVersion and kind) at `now`, seconds since the epoch.

    Kinds of which there is no object read as empty.
    """

    __slots__ = ()

    def __init__(
        self,
        now: float,
        objects: Iterable[Obj] = (),
        *,
        failure: str = "",
        catalogue: Catalogue | None = None,
        memory: object = None,
    ) -> None:
        indexes: dict[GroupKind, ObjectIndex] = {}
        for obj in objects:
            group, _, _ = obj["apiVersion"].rpartition("/")
            indexes.setdefault((group, obj["kind"]), ObjectIndex()).put(obj)
        super().__init__(indexes, now, failure, catalogue, memory)

    def _index(self, kind: Kind) -> ObjectIndex:
        return self._indexes.get((kind.group, kind.kind), _EMPTY)
