"""SQLite's bad days: a full disk, files that are not ours, files that vanish, long paths, endless writing."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from homeostat.kit import tasks
from homeostat.store import sqlite_checkpoint, sqlite_file
from homeostat.store.contract import Compacted, Stale, Unavailable
from homeostat.store.sqlite import SqliteStore
from homeostat.store.sqlite_follow import Follower

# Runs in a child: the limit on the size of files is a process's own. 300 KiB is the "disk".
_FULL_DISK = """
import asyncio, resource, sys
from homeostat.store.contract import Unavailable
from homeostat.store.sqlite import SqliteStore

async def main(path):
    store = SqliteStore(path)
    await store.start()
    known = {}
    async def watch(count):
        seen = 0
        async for batch in store.watch("/", after_revision=0):
            seen += len(batch)
            if seen >= count:
                return seen
    async def fill(count):
        refused = 0
        for n in range(count):
            key = f"/k/{len(known):04}"
            try:
                known[key] = await store.commit(key, 0, key.encode() * 500)
            except Unavailable as error:
                refused += 1
                message = str(error)
                assert "make room" in message and path in message, message
        return refused
    async def check():
        assert {e.key: e.revision for e in (await store.list("/k/")).entries} == known
        for key, revision in known.items():
            entry = await store.get(key)
            assert entry.revision == revision and entry.value == key.encode() * 500
        assert await store.revision() == max(known.values())
        assert await watch(len(known)) == len(known)
    assert await fill(5) == 0
    room = resource.getrlimit(resource.RLIMIT_FSIZE)
    for _ in range(3):
        resource.setrlimit(resource.RLIMIT_FSIZE, (300 << 10, room[1]))
        before = len(known)
        assert await fill(200) > 0
        await check()
        resource.setrlimit(resource.RLIMIT_FSIZE, room)
        assert await fill(5) == 0
        await check()
    await store.close()
    store = SqliteStore(path)
    await store.start()
    await check()
    await store.close()
    print("fine", len(known))

asyncio.run(main(sys.argv[1]))
"""


def run(story: Callable[[], object]) -> None:
    async def main() -> None:
        async with asyncio.timeout(30):
            await story()  # type: ignore[misc]

    asyncio.run(main())


def refusal(path: Path) -> str:
    """The message with which a store at `path` refuses to start."""

    async def main() -> str:
        store = SqliteStore(path)
        with pytest.raises(Unavailable) as caught:
            await store.start()
        with pytest.raises(Unavailable):
            await store.revision()
        await store.close()
        return str(caught.value)

    return asyncio.run(asyncio.wait_for(main(), 20))


async def opened(path: Path, *, synchronous: str = "OFF") -> SqliteStore:
    store = SqliteStore(path, synchronous=synchronous)
    await store.start()
    return store


def test_on_a_full_disk_writes_are_refused_reads_go_on_and_nothing_is_lost(tmp_path: Path) -> None:
    child = subprocess.run(
        [sys.executable, "-c", _FULL_DISK, str(tmp_path / "store.db")], capture_output=True, text=True, timeout=180
    )
    assert child.returncode == 0, child.stderr
    assert child.stdout.startswith("fine")


def test_a_full_database_refuses_the_group_and_recovers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pages = 40
    connect = sqlite_file.connect

    def limited(path: Path, *, synchronous: str) -> sqlite3.Connection:
        connection = connect(path, synchronous=synchronous)
        connection.execute(f"PRAGMA max_page_count = {pages}")
        return connection

    monkeypatch.setattr(sqlite_file, "connect", limited)

    async def story() -> None:
        store = await opened(tmp_path / "store.db")
        await store.commit("/a", 0, b"x")
        answers = await asyncio.gather(
            *[store.commit(f"/big/{n}", 0, b"x" * 9_000) for n in range(50)], return_exceptions=True
        )
        assert {type(answer) for answer in answers} == {Unavailable}
        assert "disk is full" in str(answers[0])
        assert await store.revision() == 1
        assert await store.commit("/a", 1, b"small") == 2
        await store.close()

    run(story)


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    path.write_bytes(b"not a database at all, but long enough to have a header" * 100)
    assert "damaged or no database" in refusal(path)
    assert "move it away" in refusal(path)
    assert path.read_bytes().startswith(b"not a database")


def test_the_database_of_another_program_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE theirs (a)")
    connection.close()
    assert "another program" in refusal(path)


def test_the_file_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    run(lambda: _touch(path))
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    assert "schema 99" in refusal(path)


async def _touch(path: Path) -> None:
    store = await opened(path)
    for n in range(20):
        await store.commit(f"/{n}", 0, b"x" * 4_000)
    await store.close()


def test_a_file_cut_short_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    run(lambda: _touch(path))
    os.truncate(path, 6_000)
    assert "damaged" in refusal(path)


def test_damage_found_later_is_reported_by_the_read_that_finds_it(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    run(lambda: _touch(path))
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(size // 2)
        file.write(os.urandom(size // 4))

    async def story() -> None:
        try:
            store = await opened(path)
        except Unavailable:
            return
        with pytest.raises(Unavailable, match="damaged"):
            await store.list("/")
        await store.close()

    run(story)


@pytest.mark.parametrize("where", ["is-a-folder", "file/inside-a-file.db"])
def test_a_path_that_cannot_be_a_file_is_refused(tmp_path: Path, where: str) -> None:
    (tmp_path / "is-a-folder").mkdir()
    (tmp_path / "file").write_text("")
    assert "cannot open the store" in refusal(tmp_path / where)


def test_a_file_removed_while_in_use_makes_writes_unavailable(tmp_path: Path) -> None:
    async def story() -> None:
        path = tmp_path / "store.db"
        store = await opened(path)
        await store.commit("/a", 0, b"x")
        path.unlink()
        with pytest.raises(Unavailable, match="removed or replaced"):
            await store.commit("/a", 1, b"y")
        assert await store.get("/a") is not None
        await store.close()

    run(story)


def test_a_bad_setting_is_refused() -> None:
    with pytest.raises(ValueError, match="FULL, NORMAL, OFF"):
        SqliteStore("x.db", synchronous="EXTRA; DROP TABLE log")


def test_long_paths_work(tmp_path: Path) -> None:
    async def story() -> None:
        path = tmp_path / ("long-" * 30) / "store.db"
        one, two = await opened(path), await opened(path)

        async def first() -> int:
            return (await anext(two.watch("/", after_revision=0)))[0].revision

        waiting = tasks.spawn(first(), name="watch")
        await one.commit("/a", 0, b"x")
        assert await waiting == 1
        await one.close()
        await two.close()
        assert [name for name in os.listdir(f"{path}.peers") if name.endswith(".sock")] == []

    run(story)


def test_secrets_are_for_the_owner_alone(tmp_path: Path) -> None:
    async def story() -> None:
        store = await opened(tmp_path / "store.db")
        await store.commit("/a", 0, b"x")
        for name in ("store.db", "store.db-wal", "store.db-shm"):
            assert (tmp_path / name).stat().st_mode & 0o077 == 0, name
        assert (tmp_path / "store.db.peers").stat().st_mode & 0o077 == 0
        await store.close()

    run(story)


def test_the_file_does_not_grow_without_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_checkpoint, "_BYTES_BETWEEN", 256 << 10)
    monkeypatch.setattr(sqlite_checkpoint, "_LOG_BYTES_MAX", 512 << 10)

    async def story() -> None:
        path = tmp_path / "store.db"
        store = await opened(path)
        for n in range(30):
            await store.commit(f"/lasting/{n}", 0, b"x" * 4_000)
        sizes: list[int] = []
        revisions = [0] * 40

        async def update(n: int) -> None:
            revisions[n] = await store.commit(f"/k/{n}", revisions[n], b"y" * 4_000)

        for _ in range(12):
            for _ in range(10):
                await asyncio.gather(*[update(n) for n in range(40)])
            await store.compact(await store.revision())
            sizes.append(_pages(path))
        # Live: 70 values; a round writes 400. Without reuse it would be 4,800 pages and more.
        assert max(sizes[2:]) < 1_000
        # Without checkpoints it would be 41 MiB; the thread that makes them may come late on a busy machine.
        assert os.stat(f"{path}-wal").st_size <= 30 << 20
        assert len((await store.list("")).entries) == 70
        await store.close()

    run(story)
    # The last to close has moved everything into the file.
    assert os.listdir(tmp_path) in (["store.db", "store.db.peers"], ["store.db.peers", "store.db"])


def _pages(path: Path) -> int:
    connection = sqlite3.connect(path)
    try:
        return int(connection.execute("PRAGMA page_count").fetchone()[0])
    finally:
        connection.close()


def test_a_process_that_fell_behind_compaction_ends_its_watchers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story() -> None:
        path = tmp_path / "store.db"
        one, two = await opened(path), await opened(path)

        async def drain() -> None:
            async for _ in two.watch("/", after_revision=0):
                pass

        watcher = asyncio.gather(drain(), return_exceptions=True)
        await asyncio.sleep(0)
        with monkeypatch.context() as asleep:
            asleep.setattr(Follower, "catch_up", lambda self: None)
            asleep.setattr(two._parts._peers, "_look", lambda: None)  # type: ignore[union-attr]
            for revision in range(5):
                await one.commit("/a", revision, b"x")
            await one.compact(4)
        assert await two.revision() == 5
        (ended,) = await watcher
        assert isinstance(ended, Compacted)
        assert ended.oldest == 4
        # It continues from there.
        assert [event.revision for event in await anext(two.watch("/", after_revision=4))] == [5]
        with pytest.raises(Stale):
            await two.commit("/a", 4, b"x")
        await one.close()
        await two.close()

    run(story)


def test_a_killed_process_leaves_a_file_that_opens(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    script = (
        "import asyncio, os, signal, sys\n"
        "from homeostat.store.sqlite import SqliteStore\n"
        "async def main():\n"
        "    store = SqliteStore(sys.argv[1])\n"
        "    await store.start()\n"
        "    await store.commit('/a', 0, b'x')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        "asyncio.run(main())\n"
    )
    for _ in range(2):
        child = subprocess.run([sys.executable, "-c", script, str(path)], timeout=30, capture_output=True)
        assert child.returncode in (-signal.SIGKILL, 1)

    async def story() -> None:
        store = await opened(path)
        assert await store.revision() == 1
        await store.close()

    run(story)
