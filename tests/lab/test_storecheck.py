"""A start with a damaged SQLite file says so at once, with the way back; a whole file is copied before each start."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from homeostat.cluster import certificates
from homeostat.cluster.state_folder import Folder, LabError
from homeostat.cluster.topology import Cluster
from homeostat.operate import archives, store_check
from homeostat.store import archive
from homeostat.store.sqlite import SqliteStore

CLUSTER = Cluster("demo", 0, control_planes=1, workers=1)
OBJECTS = 400


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Folder:
    """A cluster that was up once, with objects."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    folder = Folder.of("demo")
    folder.save(CLUSTER)
    certificates.prepare(folder.pki, CLUSTER)
    write(folder, range(OBJECTS))
    return folder


def write(folder: Folder, numbers: range) -> None:
    async def main() -> None:
        store = SqliteStore(folder.store)
        await store.start()
        await asyncio.gather(
            *(store.commit(f"/registry/core/configmaps/ns/{number:05}", 0, b"{}" * 400) for number in numbers)
        )
        await store.close()

    asyncio.run(main())


def overwrite(file: Path, at: int, data: bytes) -> None:
    with file.open("r+b") as opened:
        opened.seek(at)
        opened.write(data)


def header(folder: Folder) -> None:
    overwrite(folder.store, 0, b"\x00" * 64)


def pages(folder: Folder) -> None:
    for at in range(4096 * 3, folder.store.stat().st_size, 4096):
        overwrite(folder.store, at, os.urandom(512))


def cut_short(folder: Folder) -> None:
    os.truncate(folder.store, folder.store.stat().st_size // 3)


def no_database(folder: Folder) -> None:
    folder.store.write_text("a letter to my aunt, who keeps bees\n" * 100)


DAMAGES = [header, pages, cut_short, no_database]


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_a_damaged_file_is_said_at_once_with_the_way_back_that_works(
    folder: Folder, damage: Callable[[Folder], None]
) -> None:
    store_check.before_start(folder, CLUSTER)
    for side in ("-wal", "-shm"):
        Path(f"{folder.store}{side}").unlink(missing_ok=True)
    damage(folder)
    with pytest.raises(LabError) as raised:
        store_check.before_start(folder, CLUSTER)
    (copy,) = store_check.copies(folder)
    assert str(folder.store) in str(raised.value)
    assert f"`homeostat restore --name demo --force {copy}`" in str(raised.value)
    found, _ = archives.restore(copy, "demo", force=True, say=print)
    assert found.entries == OBJECTS
    store_check.before_start(folder, CLUSTER)


def test_a_damaged_file_without_a_copy_still_says_what_would_help(folder: Folder) -> None:
    header(folder)
    with pytest.raises(LabError, match="homeostat restore --name demo --force FILE"):
        store_check.before_start(folder, CLUSTER)


def test_a_newer_schema_is_not_touched(folder: Folder) -> None:
    with sqlite3.connect(folder.store) as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(LabError, match="has schema 99 and this program knows up to"):
        store_check.before_start(folder, CLUSTER)


def test_a_log_that_was_cut_short_by_a_power_loss_is_no_damage(folder: Folder) -> None:
    """SQLite drops a last write that is not whole: it was never acknowledged."""
    with sqlite3.connect(folder.store) as keeping:
        keeping.execute("SELECT count(*) FROM log").fetchone()
        write(folder, range(OBJECTS, OBJECTS + 5))
        log = Path(f"{folder.store}-wal")
        kept = log.read_bytes()
    if kept:
        log.write_bytes(kept[:-100])
    store_check.before_start(folder, CLUSTER)


@pytest.mark.skipif(os.getuid() == 0, reason="root may write everywhere")
def test_a_file_of_another_mode_says_whose_it_should_be(folder: Folder) -> None:
    folder.store.chmod(0o000)
    with pytest.raises(LabError, match="check its owner and mode"):
        store_check.before_start(folder, CLUSTER)


def test_few_copies_are_kept_and_none_is_made_twice(folder: Folder) -> None:
    for round_ in range(store_check.COPIES_MAX + 2):
        store_check.before_start(folder, CLUSTER)
        store_check.before_start(folder, CLUSTER)
        write(folder, range(OBJECTS + 10 * round_, OBJECTS + 10 * round_ + 3))
    found = store_check.copies(folder)
    assert len(found) == store_check.COPIES_MAX
    assert archive.Reader(found[0]).header.entries == OBJECTS + 3 * (store_check.COPIES_MAX + 1)
    assert all(copy.stat().st_mode & 0o077 == 0 for copy in found)


def test_a_large_file_costs_its_copy_and_not_the_start(folder: Folder) -> None:
    store_check.before_start(folder, CLUSTER, check_seconds=0.0, copy_seconds=0.0)
    assert store_check.copies(folder) == []
