"""Create and change: the path of every write from a decoded object to an acknowledged commit.

Everything that writes goes through `Writes`: the verbs of clients, the subresource handlers, the server's own upkeep.
A change is read, changed, judged and committed by compare and swap; on a conflict it starts again from what the store
holds, unless the caller named a resourceVersion.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from homeostat.api import errors
from homeostat.api.catalogue import Resource
from homeostat.api.errors import Cause
from homeostat.api.kinds import Kind
from homeostat.api.types import Obj
from homeostat.apiserver.admission.plugin import asked
from homeostat.apiserver.cache import stored_form
from homeostat.apiserver.cache.cached_objects import Item
from homeostat.apiserver.cache.feed import Feed
from homeostat.apiserver.contract import Admission, Attributes
from homeostat.apiserver.write import kind_rules, object_metadata
from homeostat.kit import chance, clock
from homeostat.store.contract import Entry, Event, Stale, Store, Unavailable
from homeostat.wire.message import User

_NAME_ATTEMPTS = 8


@dataclass(slots=True)
class Write:
    """One write: what, by whom, why, and how. `cause` is JSON; `options` the Create-, Update- or DeleteOptions."""

    resource: Resource
    namespace: str
    name: str
    user: User
    cause: bytes
    subresource: str = ""
    dry_run: bool = False
    field_validation: str = "Ignore"
    options: Obj = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    # Required fields that the client's object lacks; reported together with what validation finds.
    missing: list[Cause] = field(default_factory=list)
    # The kind that is asked for, and the one that the store keeps.
    kind: Kind = field(init=False)
    home: Kind = field(init=False)

    def __post_init__(self) -> None:
        self.kind = self.resource.kind
        self.home = self.kind.home

    def not_found(self) -> errors.ApiError:
        """404 for this object."""
        return errors.not_found(self.kind.plural, self.kind.group, self.name)

    def conflict(self, why: str = errors.STALE) -> errors.ApiError:
        """409 for this object."""
        return errors.conflict(self.kind.plural, self.kind.group, self.name, why)


class Writes:
    """Create and change over the store."""

    def __init__(self, store: Store, feed: Feed, *, measure: Callable[[str, float], None]) -> None:
        self._store = store
        self._feed = feed
        self._measure = measure
        self._admission: Sequence[Admission] = ()
        # Those that a resource's writes ask, by its plural: who mutates, who validates.
        self._asked: dict[str, tuple[list[Admission], list[Admission]]] = {}

    def admit(self, admission: Sequence[Admission]) -> None:
        """The plugins to ask from now on; they are made after this object, since they may write."""
        self._admission = admission
        self._asked.clear()

    # Create

    async def create(self, write: Write, obj: Obj) -> bytes:
        """Create `obj`, shaped and defaulted (`kind_rules.accept`); returns it as clients get it. Raises ApiError."""
        metadata = obj["metadata"]
        generate = "" if metadata.get("name") else metadata.get("generateName") or ""
        for attempt in range(_NAME_ATTEMPTS if generate else 1):
            if generate:
                metadata["name"] = kind_rules.generate_name(generate)
            try:
                return await self._create(write, obj, first=attempt == 0)
            except errors.ApiError as error:
                if not generate or error.reason != "AlreadyExists":
                    raise
        raise errors.already_exists(write.kind.plural, write.kind.group, metadata["name"])

    async def _create(self, write: Write, obj: Obj, *, first: bool) -> bytes:
        kind = write.home
        write.name = obj["metadata"].get("name") or ""
        attributes = Attributes(kind, "CREATE", write.namespace, write.name, write.user, obj,
                                dry_run=write.dry_run, options=write.options, warnings=write.warnings)  # fmt: skip
        if first:
            if self._admission:
                # Plugins read through the hubs: a Namespace made on another server a moment ago must be there.
                await self._feed.catch_up()
            object_metadata.born(obj, uid=chance.uuid4(), now=clock.now_rfc3339())
            await self._mutate(attributes)
            obj = attributes.obj or obj
            kind_rules.prepare_create(kind, obj)
        kind_rules.validate_create(kind, obj, write.missing)
        await self._validate(attributes)
        body = stored_form.encode(obj)
        if write.dry_run:
            if await self.current(write, live=True) is not None:
                raise errors.already_exists(write.kind.plural, write.kind.group, write.name)
            return body
        try:
            return await self._commit(write, 0, body)
        except Stale:
            raise errors.already_exists(write.kind.plural, write.kind.group, write.name) from None

    # Change

    async def change(
        self,
        write: Write,
        make: Callable[[Obj], Obj],
        *,
        preconditions: Obj | None = None,
        base: Item | None = None,
        is_read_only: bool = False,
    ) -> bytes:
        """Replace the object by what `make` gives for a private copy of it; returns it as clients get it.

        With `is_read_only` there is no copy: `make` leaves what it gets as it is, and what it gives may share all of it
        but the metadata.
        A resourceVersion in what `make` returns is a precondition; without one the change is made again on top of
        whatever came in between, until it wins: each time it does not, another write has. `make` gives a new object
        each time. Raises ApiError 404, 409 and what the rules say.
        """
        item = base or await self.current(write)
        while True:
            if item is None:
                raise write.not_found()
            old = stored_form.decode(item.data)
            new = make(old if is_read_only else stored_form.decode(item.data))
            wanted = new["metadata"].get("resourceVersion") or ""
            failed = object_metadata.check_preconditions(old, preconditions or {"uid": new["metadata"].get("uid")})
            if failed or (wanted and wanted != old["metadata"]["resourceVersion"]):
                # The hub may be behind: only what the store holds now can refuse.
                live = await self.current(write, live=True)
                if live is None or live.revision == item.revision:
                    raise write.conflict(failed) if failed else write.conflict()
                item = live
                continue
            new["metadata"]["resourceVersion"] = old["metadata"]["resourceVersion"]
            try:
                return await self._replace(write, item, old, new)
            except Stale as stale:
                item = self.item(write.home, stale.current)

    async def _replace(self, write: Write, item: Item, old: Obj, new: Obj) -> bytes:
        kind = write.home
        object_metadata.keep_system_fields(kind, new, old)
        attributes = Attributes(kind, "UPDATE", write.namespace, write.name, write.user, new, old, write.subresource,
                                write.dry_run, write.options, write.warnings)  # fmt: skip
        await self._mutate(attributes)
        new = attributes.obj or new
        kind_rules.prepare_update(kind, new, old, write.subresource)
        kind_rules.validate_update(kind, new, old, write.subresource, write.missing)
        await self._validate(attributes)
        ends = object_metadata.ends_with(new, old, kind)
        if new == old and not ends:
            await self._feed.catch_up()
            if self._hub_item(write) is item or write.dry_run:
                return item.data
        body = stored_form.encode(new)
        if write.dry_run:
            return stored_form.stamp(body, item.revision)
        return await self._commit(write, item.revision, body, delete=ends)

    # What both share

    def _hub_item(self, write: Write) -> Item | None:
        home = write.home
        key = f"{write.namespace}/{write.name}" if home.namespaced else write.name
        return self._feed.hub(home.prefix).items.get(key)

    def item(self, home: Kind, entry: Entry | None) -> Item | None:
        """A store entry as hubs keep it."""
        if entry is None:
            return None
        return self._feed.hub(home.prefix).make(entry.key[len(home.prefix) :], entry.value, entry.revision)

    async def current(self, write: Write, *, live: bool = False) -> Item | None:
        """The object as this server knows it; from the store when it does not know it or `live` is asked."""
        found = None if live else self._hub_item(write)
        if found is not None:
            return found
        home = write.home
        return self.item(home, await self._store.get(home.key(write.namespace, write.name)))

    async def _commit(self, write: Write, expected: int, body: bytes, *, delete: bool = False) -> bytes:
        """Commit; the new form as clients get it. Raises Stale, and 503 when the store cannot."""
        key = write.home.key(write.namespace, write.name)
        value = stored_form.frame(write.cause, body, clock.wall())
        started = clock.monotonic()
        try:
            revision = await self._store.commit(key, expected, value, delete=delete)
        except Unavailable as error:
            # No Retry-After: the write may have happened, so clients should not repeat it blindly.
            raise errors.unavailable(f"the store cannot take writes: {error}", retry_after_seconds=0) from error
        finally:
            self._measure("delete" if delete else "update" if expected else "create", clock.monotonic() - started)
        self._feed.applied_own(Event(key, value, revision, delete))
        item = None if delete else self._hub_item(write)
        if item is not None and item.revision == revision:
            # The same bytes once, not twice.
            return item.data
        return stored_form.stamp(body, revision)

    async def replace(self, write: Write, item: Item, new: Obj, *, delete: bool = False) -> bytes:
        """Put `new` in the place of `item` (or remove it, `new` being its last form) as it is. Raises Stale."""
        return await self._commit(write, item.revision, stored_form.encode(new), delete=delete)

    async def admit_delete(self, attributes: Attributes) -> None:
        """Ask the plugins about a delete. Raises ApiError."""
        await self._mutate(attributes)
        await self._validate(attributes)

    def _plugins(self, attributes: Attributes) -> tuple[list[Admission], list[Admission]]:
        plural = attributes.kind.plural
        found = self._asked.get(plural)
        if found is None:
            found = self._asked[plural] = asked(self._admission, plural)
        return found

    async def _mutate(self, attributes: Attributes) -> None:
        for plugin in self._plugins(attributes)[0]:
            await plugin.mutate(attributes)

    async def _validate(self, attributes: Attributes) -> None:
        for plugin in self._plugins(attributes)[1]:
            await plugin.validate(attributes)
