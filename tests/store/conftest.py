"""Runs the conformance suite's stories on each store."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from homeostat.store.contract import Store
from homeostat.store.etcd.members import PATIENT_CALL_SECONDS_MAX
from homeostat.store.etcd.store import EtcdStore
from homeostat.store.memory import MemoryStore
from homeostat.store.sqlite import SqliteStore
from tests.support.etcd import EtcdCluster, empty_root

Story = Callable[[Store], Awaitable[None]]
RunStory = Callable[[Story], None]


@pytest.fixture(scope="session")
def etcd() -> Iterator[EtcdCluster]:
    """One member that all stories share, each under a root of its own."""
    cluster = EtcdCluster(flags=["--heartbeat-interval=10", "--election-timeout=100"])
    try:
        yield cluster
    finally:
        cluster.close()


@pytest.fixture(params=["memory", "sqlite", "etcd"])
def run_story(request: pytest.FixtureRequest, tmp_path: Path) -> RunStory:
    """Runs a story on an open, empty store."""

    async def opened() -> Store:
        if request.param == "memory":
            return MemoryStore()
        if request.param == "sqlite":
            # Durability has its own tests, with processes that are killed.
            return SqliteStore(tmp_path / "store.db", synchronous="OFF")
        cluster: EtcdCluster = request.getfixturevalue("etcd")
        root = await empty_root(cluster.endpoints)
        return EtcdStore(cluster.endpoints, root=root, call_seconds=PATIENT_CALL_SECONDS_MAX)

    def run(story: Story) -> None:
        async def main() -> None:
            store = await opened()
            await store.start()
            try:
                async with asyncio.timeout(100):
                    await story(store)
            finally:
                await store.close()

        asyncio.run(main())

    return run
