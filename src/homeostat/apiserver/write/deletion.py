"""Deletes one object: performs what `deletion_rules` decides. The verb deletecollection calls it for each object."""

from __future__ import annotations

import orjson

from homeostat.api.kinds import Kind
from homeostat.api.types import Obj
from homeostat.apiserver.cache import stored_form
from homeostat.apiserver.cache.cached_objects import Item
from homeostat.apiserver.contract import Attributes
from homeostat.apiserver.write import deletion_rules, object_metadata
from homeostat.apiserver.write.writing import Write, Writes
from homeostat.kit import clock
from homeostat.store.contract import Stale

# Resources whose delete answers with the object rather than a Status (ReturnDeletedObject).
_RETURN_OBJECT = frozenset(
    {"pods", "services", "serviceaccounts", "persistentvolumes", "persistentvolumeclaims", "podtemplates",
     "resourcequotas"}
)  # fmt: skip


class Deletes:
    """Delete over the writes."""

    def __init__(self, writes: Writes) -> None:
        self._writes = writes

    async def delete(self, write: Write) -> tuple[bytes, bool]:
        """Delete by `write.options` (a DeleteOptions).

        Returns the object or a Status, and whether it is the object. Raises 404, 409 and 422.
        """
        deletion_rules.check_options(write.options)
        item = await self._writes.current(write)
        while True:
            if item is None:
                raise write.not_found()
            try:
                return await self._delete(write, item)
            except Stale as stale:
                item = self._writes.item(write.home, stale.current)

    async def _delete(self, write: Write, item: Item) -> tuple[bytes, bool]:
        kind = write.home
        old = stored_form.decode(item.data)
        preconditions = write.options.get("preconditions") or {}
        if failed := object_metadata.check_preconditions(old, preconditions):
            live = await self._writes.current(write, live=True)
            if live is not None and live.revision == item.revision:
                raise write.conflict(failed)
            if live is None:
                raise write.not_found()
            # The hub was behind.
            return await self._delete(write, live)
        attributes = Attributes(kind, "DELETE", write.namespace, write.name, write.user, None, old,
                                dry_run=write.dry_run, options=write.options, warnings=write.warnings)  # fmt: skip
        await self._writes.admit_delete(attributes)
        decision = deletion_rules.decide(kind, stored_form.decode(item.data), write.options, now=clock.wall())
        if write.dry_run:
            data = stored_form.stamp(stored_form.encode(decision.obj), item.revision)
        elif decision.remove:
            data = await self._writes.replace(write, item, decision.obj, delete=True)
        elif decision.changed:
            data = await self._writes.replace(write, item, decision.obj)
        else:
            data = item.data
        if not decision.remove or (not kind.group and kind.plural in _RETURN_OBJECT):
            return data, True
        return success(write.kind, write.name, old), False


def success(kind: Kind, name: str, old: Obj) -> bytes:
    """The Status of a completed delete."""
    details: Obj = {"name": name, "kind": kind.plural, "uid": old["metadata"].get("uid", "")}
    if kind.group:
        details["group"] = kind.group
    status = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}
    return orjson.dumps(status)
