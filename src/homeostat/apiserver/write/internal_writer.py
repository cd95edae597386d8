"""Writes of the server itself, for subresource handlers, bootstrap and upkeep: `contract.Writer` over the verbs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from homeostat.api.catalogue import Resource
from homeostat.api.kinds import Kind
from homeostat.api.types import Obj
from homeostat.apiserver.cache import stored_form
from homeostat.apiserver.cache.served_catalogue import Served
from homeostat.apiserver.journal import causes
from homeostat.apiserver.write import kind_rules
from homeostat.apiserver.write.deletion import Deletes
from homeostat.apiserver.write.writing import Write, Writes
from homeostat.wire.message import User


class ServerWriter:
    """See the module. Options: `cause` (as `causes` gives it), `dry_run`, `subresource`; of a change `preconditions`
    and `is_read_only` (see `Writes.change`)."""

    def __init__(self, writes: Writes, served: Served) -> None:
        self._writes = writes
        self._served = served
        self._deletes = Deletes(writes)

    async def create(self, kind: Kind, obj: Obj, *, user: User, options: Obj | None = None) -> Obj:
        """Create; returns the stored object. Raises ApiError."""
        metadata = obj["metadata"]
        obj = {"apiVersion": kind.api_version, "kind": kind.kind, **obj, "metadata": dict(metadata)}
        resource = self._served.catalogue.resource(kind)
        kind_rules.accept(resource, obj)
        write = _write(
            resource,
            metadata.get("namespace", ""),
            metadata.get("name", ""),
            user,
            options=options or {},
            note="create",
        )
        return stored_form.decode(await self._writes.create(write, obj))

    async def change(
        self, kind: Kind, namespace: str, name: str, change: Callable[[Obj], Obj], *, user: User, **options: Any
    ) -> bytes:
        """Read, change and commit, again on conflict. Raises ApiError."""
        write = _write(self._served.catalogue.resource(kind), namespace, name, user, options=options, note="update")
        write.subresource = options.get("subresource", "")
        is_read_only = bool(options.get("is_read_only"))
        wanted = options.get("preconditions")
        return await self._writes.change(write, change, preconditions=wanted, is_read_only=is_read_only)

    async def delete(self, kind: Kind, namespace: str, name: str, *, user: User, options: Obj | None = None) -> Obj:
        """Delete by the kind's rules; the object or a Status. Raises ApiError."""
        resource = self._served.catalogue.resource(kind)
        write = _write(resource, namespace, name, user, options=options or {}, note="delete")
        data, _ = await self._deletes.delete(write)
        return stored_form.decode(data)


def _write(resource: Resource, namespace: str, name: str, user: User, *, options: Obj, note: str) -> Write:
    return Write(
        resource,
        namespace,
        name,
        user,
        options.get("cause") or causes.of_user(user.name, note),
        dry_run=bool(options.get("dry_run") or options.get("dryRun")),
        options={key: value for key, value in options.items() if key not in ("cause", "dry_run", "subresource")},
    )
