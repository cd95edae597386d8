"""The changes from before a server began, read from the store: so that a relaunched server's journal knows them too."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import cast

from homeostat.apiserver.cache.cached_objects import Item, maker
from homeostat.apiserver.cache.feed import prefix_of
from homeostat.apiserver.cache.history import ROOT
from homeostat.apiserver.cache.window import Change
from homeostat.store.contract import Batch, Compacted, Event, Store

# How much is loaded at most: older changes of a busy store are only in the journals of servers that ran then.
_REVISIONS_MAX = 3000
_make = maker({})


async def recall(store: Store, *, until: int) -> list[tuple[str, Change]]:
    """The changes up to revision `until` that the store still holds, oldest first, each with its resource's prefix."""
    after = max(0, until - _REVISIONS_MAX)
    while True:
        try:
            return await _changes(store, after, until)
        except Compacted as error:
            after = error.oldest


async def _changes(store: Store, after: int, until: int) -> list[tuple[str, Change]]:
    found: list[tuple[str, Change]] = []
    if after >= until:
        return found
    state: dict[str, Item] = {}
    if after:
        for entry in (await store.list(ROOT, revision=after)).entries:
            state[entry.key] = _item(entry.key, entry.value, entry.revision)
    batches = cast(AsyncGenerator[Batch, None], store.watch(ROOT, after_revision=after))
    async with aclosing(batches):
        async for batch in batches:
            found += [(prefix_of(event.key), _change(state, event)) for event in batch if event.revision <= until]
            if batch and batch[-1].revision >= until:
                break
    return found


def _change(state: dict[str, Item], event: Event) -> Change:
    item, old = _item(event.key, event.value, event.revision), state.pop(event.key, None)
    if not event.deleted:
        state[event.key] = item
    return Change(item, old, deleted=event.deleted)


def _item(key: str, value: bytes, revision: int) -> Item:
    prefix = prefix_of(key)
    # The journal needs no selectable field.
    return _make(key[len(prefix) :], value, revision)
