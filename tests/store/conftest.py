"""Runs the conformance suite's stories on each store."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from homeostat.store.contract import Store
from homeostat.store.memory import MemoryStore
from homeostat.store.sqlite import SqliteStore

Story = Callable[[Store], Awaitable[None]]
Tell = Callable[[Story], None]


@pytest.fixture(params=["memory", "sqlite"])
def tell(request: pytest.FixtureRequest, tmp_path: Path) -> Tell:
    """Runs a story on an open, empty store."""

    def run(story: Story) -> None:
        async def main() -> None:
            # Durability has its own tests, with processes that are killed.
            sqlite = SqliteStore(tmp_path / "store.db", synchronous="OFF")
            store: Store = MemoryStore() if request.param == "memory" else sqlite
            await store.start()
            try:
                async with asyncio.timeout(20):
                    await story(store)
            finally:
                await store.close()

        asyncio.run(main())

    return run
