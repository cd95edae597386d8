"""Several processes on one SQLite file: they see each other's commits, share the writing, and may be killed."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from homeostat.kit import tasks
from homeostat.store.contract import Event, Unavailable
from homeostat.store.sqlite import SqliteStore

_LOAD = Path(__file__).with_name("load_process.py")
_specification = importlib.util.spec_from_file_location("load_process", _LOAD)
assert _specification is not None and _specification.loader is not None
load_process = importlib.util.module_from_spec(_specification)
_specification.loader.exec_module(load_process)


class Load:
    """A child that writes, and what it has been acknowledged."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.acknowledged: dict[int, tuple[str, str]] = {}

    async def line(self) -> bytes:
        assert self.process.stdout is not None
        return await self.process.stdout.readline()

    async def read(self, *, until: int | None = None) -> None:
        """Take in lines until so many are known, or to the end."""
        while until is None or len(self.acknowledged) < until:
            line = await self.line()
            if not line.endswith(b"\n"):
                assert until is None, "the child ended early"
                return
            key, revision, digest = line.decode().split()
            assert int(revision) not in self.acknowledged
            self.acknowledged[int(revision)] = (key, digest)

    async def kill(self) -> None:
        self.process.kill()
        await self.read()
        assert await self.process.wait() == -signal.SIGKILL


@asynccontextmanager
async def load(path: Path, name: str, *how: str) -> AsyncIterator[Load]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(_LOAD), str(path), name, *how, stdout=asyncio.subprocess.PIPE, limit=1 << 24
    )
    try:
        yield Load(process)
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def whole_log(store: SqliteStore) -> dict[int, Event]:
    """Every commit of a store that was never compacted; fails on a gap, a repetition or a torn value."""
    head = await store.revision()
    log: dict[int, Event] = {}
    if head == 0:
        return log
    async for batch in store.watch("", after_revision=0):
        for event in batch:
            assert event.revision == len(log) + 1
            load_process.seal(event.value)
            log[event.revision] = event
        if len(log) >= head:
            return log
    return log


def check(log: dict[int, Event], child: Load) -> None:
    for revision, (key, digest) in child.acknowledged.items():
        assert revision in log, f"acknowledged commit {revision} of {key} is lost"
        assert (log[revision].key, load_process.seal(log[revision].value)) == (key, digest)


async def check_current(store: SqliteStore, log: dict[int, Event]) -> None:
    """What is live is what the log says."""
    expected = {event.key: event for event in log.values()}
    page = await store.list("")
    assert {entry.key: (entry.revision, entry.value) for entry in page.entries} == {
        event.key: (event.revision, event.value) for event in expected.values() if not event.deleted
    }


def test_nothing_acknowledged_is_lost_when_writers_are_killed(tmp_path: Path) -> None:
    path = tmp_path / "store.db"

    async def main() -> None:
        acknowledged: list[Load] = []
        for round_number in range(3):
            async with load(path, f"a{round_number}") as one, load(path, f"b{round_number}") as two:
                await asyncio.gather(one.read(until=60), two.read(until=60))
                await one.kill()
                # The death of one, perhaps inside a commit, does not stop the other.
                await two.read(until=len(two.acknowledged) + 60)
                await two.kill()
            acknowledged += [one, two]
            store = SqliteStore(path)
            await store.start()
            log = await whole_log(store)
            for child in acknowledged:
                check(log, child)
            await check_current(store, log)
            assert await store.commit(f"/after/{round_number}", 0, load_process.sealed("after ", 10)) == len(log) + 1
            await store.close()

    asyncio.run(asyncio.wait_for(main(), 120))


def test_a_watcher_here_gets_every_commit_of_every_process_once_in_order(tmp_path: Path) -> None:
    path = tmp_path / "store.db"

    async def main() -> None:
        store = SqliteStore(path)
        await store.start()
        seen: list[Event] = []

        async def watch() -> None:
            async for batch in store.watch("", after_revision=0):
                seen.extend(batch)

        watcher = tasks.spawn(watch(), name="watch")
        async with load(path, "a") as one, load(path, "b") as two:
            both = asyncio.gather(one.read(until=150), two.read(until=150))
            revision = 0
            while not both.done():
                revision = await store.commit("/here", revision, load_process.sealed("here ", 100))
            await both
            await one.kill()
            await two.kill()
        log = await whole_log(store)
        check(log, one)
        check(log, two)
        while len(seen) < len(log):
            await asyncio.sleep(0.01)
        assert seen == list(log.values())
        await store.close()
        await watcher

    asyncio.run(asyncio.wait_for(main(), 60))


def test_commits_of_others_arrive_by_their_word_not_by_polling(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("homeostat.store.sqlite_follow._POLL_SECONDS", 3600.0)

    async def main() -> None:
        stores = [SqliteStore(tmp_path / "store.db") for _ in range(3)]
        for store in stores:
            await store.start()
        for turn in range(6):
            watches = [store.watch("/", after_revision=turn) for store in stores]
            waiting = [tasks.spawn(_next(watch), name="watch") for watch in watches]
            await stores[turn % 3].commit(f"/{turn}", 0, b"x")
            for watch in waiting:
                assert await watch == [Event(f"/{turn}", b"x", turn + 1, False)]
        for store in stores:
            await store.close()

    asyncio.run(asyncio.wait_for(main(), 20))


async def _next(watch: AsyncIterator[list[Event]]) -> list[Event]:
    return await anext(watch)


def test_a_commit_whose_writer_died_before_notifying_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("homeostat.store.sqlite_follow._POLL_SECONDS", 3600.0)
    path = tmp_path / "store.db"

    async def main() -> None:
        store = SqliteStore(path)
        await store.start()
        waiting = tasks.spawn(_next(store.watch("/load/", after_revision=0)), name="watch")
        async with load(path, "a", "fatal-notice") as child:
            assert await child.process.wait() == -signal.SIGKILL
            assert [event.revision for event in await waiting] == list(range(1, 9))
        await store.close()
        assert [name for name in os.listdir(f"{path}.peers") if name.endswith(".sock")] != []
        await store.start()
        assert len([name for name in os.listdir(f"{path}.peers") if name.endswith(".sock")]) == 1
        await store.close()

    asyncio.run(asyncio.wait_for(main(), 30))


def test_a_read_sees_what_another_process_has_committed(tmp_path: Path) -> None:
    async def main() -> None:
        one, two = SqliteStore(tmp_path / "store.db"), SqliteStore(tmp_path / "store.db")
        await one.start()
        await two.start()
        for turn in range(50):
            writer, reader = (one, two) if turn % 2 else (two, one)
            revision = await writer.commit("/a", turn, b"%d" % turn)
            assert await reader.revision() == revision
            entry = await reader.get("/a")
            assert entry is not None and entry.value == b"%d" % turn
        await one.close()
        await two.close()

    asyncio.run(asyncio.wait_for(main(), 20))


def test_a_stopped_process_that_holds_the_lock_makes_writes_unavailable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("homeostat.store.sqlite_follow._POLL_SECONDS", 0.02)
    monkeypatch.setattr("homeostat.store.sqlite.TURN_SECONDS_MAX", 0.2)
    path = tmp_path / "store.db"

    async def main() -> None:
        store = SqliteStore(path)
        await store.start()
        await store.commit("/before", 0, b"x")
        async with load(path, "a", "stop-inside") as child:
            assert await child.line() == b"stopping\n"
            answers = await asyncio.gather(
                *[store.commit(f"/during/{n}", 0, b"x") for n in range(5)], return_exceptions=True
            )
            assert [type(answer) for answer in answers] == [Unavailable] * 5
            entry = await store.get("/before")
            assert entry is not None
            child.process.kill()
            await child.process.wait()
        # The kernel gave the lock back, and what the stopped process had not committed is not there.
        assert await store.commit("/after", 0, b"x") == 2
        assert [entry.key for entry in (await store.list("")).entries] == ["/after", "/before"]
        await store.close()

    asyncio.run(asyncio.wait_for(main(), 30))


def test_what_others_have_acknowledged_is_in_every_revision_asked_for_afterwards(tmp_path: Path) -> None:
    """Linearizable reads: an answer is shared within a turn of the loop, and never beyond it."""

    async def main() -> None:
        writer, reader = SqliteStore(tmp_path / "store.db"), SqliteStore(tmp_path / "store.db")
        await writer.start()
        await reader.start()

        async def ask_every_turn() -> None:
            while True:
                await reader.revision()
                await asyncio.sleep(0)

        asking = tasks.spawn(ask_every_turn(), name="asking")
        for expected in range(50):
            revision = await writer.commit("/a", expected, b"x")
            assert await reader.revision() >= revision
        await tasks.stop(asking)
        await reader.close()
        await writer.close()

    asyncio.run(asyncio.wait_for(main(), 30))
