"""A store handle with the troubles that real stores have: it is slow, it lags behind its peers, it does not answer.

The state behind it is the memory store's, so nothing that was acknowledged is ever lost.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from typing import cast

from homeostat.kit import chance, clock
from homeostat.store.contract import Batch, Entry, Page, Unavailable
from homeostat.store.memory import MemoryState, MemoryStore


@dataclass(slots=True)
class Disk:
    """What all handles of a cluster share: how slow commits are and how far watches lag, at most, in seconds; and
    whether the store answers at all."""

    commit_seconds: float = 0.0
    lag_seconds: float = 0.0
    away: bool = False


class TroubledStore(MemoryStore):
    """See the module. A commit waits both before and after it has happened."""

    def __init__(self, state: MemoryState, disk: Disk) -> None:
        super().__init__(state)
        self._disk = disk

    async def revision(self) -> int:
        """See the contract."""
        self._check()
        return await super().revision()

    async def get(self, key: str) -> Entry | None:
        """See the contract."""
        self._check()
        return await super().get(key)

    async def list(self, prefix: str, *, revision: int = 0, limit: int = 0, after: str = "") -> Page:
        """See the contract. Raises Unavailable."""
        self._check()
        return await super().list(prefix, revision=revision, limit=limit, after=after)

    async def commit(self, key: str, expected_revision: int, value: bytes, *, delete: bool = False) -> int:
        """See the contract."""
        await self._pause(self._disk.commit_seconds)
        self._check()
        committed = await super().commit(key, expected_revision, value, delete=delete)
        await self._pause(self._disk.commit_seconds)
        return committed

    def watch(self, prefix: str, *, after_revision: int) -> AsyncIterator[Batch]:
        """See the contract."""
        return self._late(super().watch(prefix, after_revision=after_revision))

    async def _late(self, batches: AsyncIterator[Batch]) -> AsyncGenerator[Batch, None]:
        async with aclosing(cast("AsyncGenerator[Batch, None]", batches)) as stream:
            async for batch in stream:
                await self._pause(self._disk.lag_seconds)
                yield batch

    async def _pause(self, seconds_max: float) -> None:
        if seconds_max:
            await clock.sleep(chance.uniform(0, seconds_max))

    def _check(self) -> None:
        if self._disk.away:
            raise Unavailable("the simulated store does not answer")
