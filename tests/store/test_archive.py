"""A store into a backup file and out of it into another, of its own kind or not; and files that are no good backup.

After a restore nothing may go back in time: revisions go on above all that clients of the lost store can have seen,
and who watches from an old one has to start over (as `etcdutl snapshot restore --bump-revision --mark-compacted`).
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from homeostat.store import archive, sqlite_seed
from homeostat.store.archive import ArchiveError, Header, Reader
from homeostat.store.contract import Compacted, Entry, Store, Unavailable
from homeostat.store.etcd import seed
from homeostat.store.etcd.members import PATIENT_CALL_SECONDS_MAX
from homeostat.store.etcd.store import EtcdStore
from homeostat.store.memory import MemoryStore
from homeostat.store.sqlite import SqliteStore
from tests.support.etcd import EtcdCluster, empty_root

BASE = 5_000_000


def header(revision: int) -> Header:
    return Header("home", "v1.36.0", "memory", revision, "2026-01-01T00:00:00Z", {"name": "home", "workers": 2})


async def back_up(store: Store, path: Path) -> Header:
    writer = archive.Writer(path)
    try:
        writer.add_file("pki/ca.key", b"secret\x00")
        revision, entries = await archive.entries_of(store)
        async for entry in entries:
            writer.add(entry)
        return writer.finish(header(revision))
    finally:
        writer.discard()


async def fill(store: Store) -> None:
    for n in range(1200):
        await store.commit(f"/k/{n:04}", 0, os.urandom(n % 40))
    await store.commit("/k/0001", 2, b"changed")
    await store.commit("/k/0002", 3, b"gone", delete=True)
    await store.commit("/é/\U0001f600", 0, bytes(range(256)) * 12_000)


def made(path: Path, work: Callable[[MemoryStore], Any] = fill) -> list[Entry]:
    """Back up a filled store into `path`; returns what it held."""

    async def main() -> list[Entry]:
        store = MemoryStore()
        await store.start()
        await work(store)
        await back_up(store, path)
        held = (await store.list("")).entries
        await store.close()
        return held

    return asyncio.run(main())


def contents(entries: list[Entry]) -> list[tuple[str, bytes]]:
    return [(entry.key, entry.value) for entry in entries]


@pytest.mark.real
@pytest.mark.parametrize("target", ["sqlite", "etcd"])
@pytest.mark.parametrize("source", ["sqlite", "etcd"])
def test_a_store_of_either_kind_is_restored_into_either(
    etcd: EtcdCluster, tmp_path: Path, source: str, target: str
) -> None:
    async def opened(kind: str, place: str) -> Store:
        if kind == "sqlite":
            return SqliteStore(tmp_path / place, synchronous="OFF")
        root = await empty_root(etcd.endpoints)
        return EtcdStore(etcd.endpoints, root=root, call_seconds=PATIENT_CALL_SECONDS_MAX)

    async def main() -> None:
        old = await opened(source, "old.db")
        await old.start()
        await fill(old)
        await back_up(old, tmp_path / "backup")
        held = contents((await old.list("")).entries)
        await old.close()
        found = Reader(tmp_path / "backup")
        new: Store
        if target == "sqlite":
            newest = sqlite_seed.seed(tmp_path / "new.db", BASE, found.entries())
            new = SqliteStore(tmp_path / "new.db", synchronous="OFF")
        else:
            root = (await empty_root(etcd.endpoints)).replace(b"/", b"/new", 1)
            newest = await seed.seed(etcd.endpoints, BASE, found.entries(), root=root)
            new = EtcdStore(etcd.endpoints, root=root, call_seconds=PATIENT_CALL_SECONDS_MAX)
        await new.start()
        restored = await new.list("")
        assert contents(restored.entries) == held
        assert min(entry.revision for entry in restored.entries) > BASE > found.header.revision
        # The note of the restore itself takes one of etcd's revisions.
        assert await new.revision() == newest <= restored.revision
        for revision in (1, found.header.revision, BASE - 1):
            with pytest.raises(Compacted):
                await anext(new.watch("/", after_revision=revision))
            with pytest.raises(Compacted):
                await new.list("/", revision=revision)
        watch = new.watch("/", after_revision=newest)
        following = await new.commit("/k/0003", restored.entries[2].revision, b"next")
        assert following == restored.revision + 1
        assert [event.revision for event in await anext(watch)] == [following]
        await new.close()

    asyncio.run(asyncio.wait_for(main(), 60))


@pytest.mark.real
def test_etcd_members_that_hold_something_are_not_filled(etcd: EtcdCluster, tmp_path: Path) -> None:
    async def main() -> None:
        root = await empty_root(etcd.endpoints)
        with pytest.raises(Unavailable, match="not empty"):
            await seed.seed(etcd.endpoints, BASE, [], root=root)
        # What an interrupted restore has left is deleted by the next.
        await seed.clear(etcd.endpoints, root=root)
        assert await seed.base_of(etcd.endpoints, root=root) is None
        await seed.seed(etcd.endpoints, BASE, [Entry("/a", b"x", 7)], root=root)
        assert await seed.base_of(etcd.endpoints, root=root) == BASE

    asyncio.run(main())


def test_an_empty_store_can_be_restored(tmp_path: Path) -> None:
    async def nothing(store: Store) -> None:
        pass

    assert made(tmp_path / "backup", nothing) == []
    sqlite_seed.seed(tmp_path / "new.db", BASE, Reader(tmp_path / "backup").entries())

    async def main() -> None:
        store = SqliteStore(tmp_path / "new.db", synchronous="OFF")
        await store.start()
        assert await store.revision() == BASE
        assert (await store.list("")).entries == []
        assert await store.commit("/a", 0, b"x") == BASE + 1
        await store.compact(BASE + 1)
        assert await store.revision() == BASE + 1
        await store.close()

    asyncio.run(main())


def test_a_backup_is_of_one_moment(tmp_path: Path) -> None:
    async def main() -> None:
        store = MemoryStore()
        await store.start()
        await fill(store)
        held = (await store.list("")).entries
        _, entries = await archive.entries_of(store)
        seen = []
        async for entry in entries:
            if len(seen) == 10:
                for late in held[500:600]:
                    await store.commit(late.key, late.revision, b"", delete=True)
            seen.append(entry)
        assert seen == held
        await store.close()

    asyncio.run(main())


def test_a_backup_says_what_it_contains(tmp_path: Path) -> None:
    held = made(tmp_path / "backup")
    found = Reader(tmp_path / "backup")
    assert (found.header.cluster, found.header.revision, found.header.entries) == ("home", 1203, len(held))
    assert found.header.plan == {"name": "home", "workers": 2}
    assert found.header.base > found.header.revision + 100_000_000
    assert found.files() == {"pki/ca.key": b"secret\x00"}
    assert list(found.entries()) == held
    # Private keys and Secrets are in it.
    assert (tmp_path / "backup").stat().st_mode & 0o777 == 0o600


def test_what_was_not_finished_leaves_no_file(tmp_path: Path) -> None:
    writer = archive.Writer(tmp_path / "backup")
    writer.add(Entry("/a", b"x", 1))
    writer.discard()
    assert list(tmp_path.iterdir()) == []


def cut(content: bytes) -> bytes:
    return content[:-100]


def flip(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (cut, "is cut short"),
        (lambda content: content[:5000], "is cut short"),
        (lambda content: content[:40], "its header is damaged"),
        (lambda content: content + b"more", "is damaged: its checksum"),
        (flip, "is damaged: its checksum"),
        (lambda content: content.replace(b'"format":1', b'"format":9'), "has format 9"),
        (lambda content: content.replace(b'"revision"', b'"revisiom"'), "its header is damaged"),
        (lambda _: b"SQLite format 3\x00", "no backup made by"),
        (lambda _: b"", "no backup made by"),
    ],
    ids=["cut", "cut-early", "head-only", "longer", "flipped", "newer", "strange-header", "other", "empty"],
)
def test_a_damaged_backup_is_refused_with_what_is_wrong(
    tmp_path: Path, damage: Callable[[bytes], bytes], words: str
) -> None:
    path = tmp_path / "backup"
    made(path)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(ArchiveError, match=words):
        Reader(path)


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(ArchiveError, match=r"cannot write .*missing/backup: No such file"):
        archive.Writer(tmp_path / "missing" / "backup")
    with pytest.raises(ArchiveError, match="cannot read"):
        Reader(tmp_path / "missing")


def test_a_seed_replaces_nothing_until_it_is_whole(tmp_path: Path) -> None:
    def broken() -> Any:
        yield Entry("/a", b"x", 1)
        raise ArchiveError("the rest cannot be unpacked")

    with pytest.raises(ArchiveError):
        sqlite_seed.seed(tmp_path / "store.db", BASE, broken())
    assert list(tmp_path.iterdir()) == []
