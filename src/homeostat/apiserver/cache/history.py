"""Changes from before a hub's window, read from the store: for a watch that resumes on a server that started later."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import cast

from homeostat.api import errors
from homeostat.apiserver.cache.cached_objects import Item, Maker
from homeostat.apiserver.cache.window import Change
from homeostat.store.contract import Batch, Compacted, FutureRevision, Store, Unavailable

# Every commit of the cluster is below this key.
ROOT = "/registry/"
# Less than a client waits for the head of an answer.
SECONDS_MAX = 8.0


async def changes(store: Store, prefix: str, make: Maker, *, after: int, until: int) -> list[Change]:
    """The changes of a resource with `after` < revision <= `until`, oldest first. Raises 410 when they are gone, and
    Unavailable when the store does not return them within a time: another server's may."""
    try:
        async with asyncio.timeout(SECONDS_MAX):
            return await _changes(store, prefix, make, after, until)
    except TimeoutError:
        raise Unavailable(store.silence()) from None
    except Compacted as error:
        raise too_old(after, error.oldest) from error
    except FutureRevision:
        return []


async def _changes(store: Store, prefix: str, make: Maker, after: int, until: int) -> list[Change]:
    # A store may count what is no commit: a hub that was loaded at such a revision has its window begin there.
    until = min(until, await store.revision())
    if after >= until:
        return []
    page = await store.list(prefix, revision=after)
    state: dict[str, Item] = {}
    for entry in page.entries:
        key = entry.key[len(prefix) :]
        state[key] = make(key, entry.value, entry.revision)
    found: list[Change] = []
    # The newest commit is one below ROOT, so an event of `until` or later comes without waiting.
    batches = cast(AsyncGenerator[Batch, None], store.watch(ROOT, after_revision=after))
    async with aclosing(batches):
        async for batch in batches:
            for event in batch:
                if event.revision <= until and event.key.startswith(prefix):
                    key = event.key[len(prefix) :]
                    item = make(key, event.value, event.revision)
                    found.append(Change(item, state.get(key), deleted=event.deleted))
                    if event.deleted:
                        state.pop(key, None)
                    else:
                        state[key] = item
            if batch and batch[-1].revision >= until:
                return found
    return found


def too_old(revision: int, oldest: int) -> errors.ApiError:
    """410: kube-apiserver's words for a resourceVersion that is no longer kept."""
    return errors.expired(f"too old resource version: {revision} ({oldest})")
