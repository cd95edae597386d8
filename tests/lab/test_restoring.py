"""A backup restored into a cluster whose store is etcd: its members run only when it does, so its masters finish it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from homeostat.cluster import certificates
from homeostat.cluster.node_layout import NodeFolder
from homeostat.cluster.state_folder import Folder, LabError
from homeostat.cluster.topology import Cluster
from homeostat.compose.shared import etcd_members, etcd_restore
from homeostat.compose.shared.place import Place
from homeostat.kit import clock, tasks
from homeostat.operate import archives
from homeostat.store.archive import Reader, Writer
from homeostat.store.contract import Compacted
from homeostat.store.etcd.store import EtcdStore
from homeostat.store.sqlite import SqliteStore
from tests.support.etcd import EtcdCluster

pytestmark = pytest.mark.real

OLD = Cluster("old", 0)
NEW = Cluster("new", 1, runtime="container", store="etcd")


@pytest.fixture
def backup(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A backup of a SQLite cluster."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    folder = Folder.of("old")
    folder.save(OLD)
    certificates.prepare(folder.pki, OLD)

    async def fill() -> None:
        store = SqliteStore(folder.store, synchronous="OFF")
        await store.start()
        for n in range(300):
            await store.commit(f"/registry/core/pods/default/{n:03}", 0, b"%d" % n)
        await store.close()

    asyncio.run(fill())
    header = archives.back_up(folder, tmp_path / "backup", force=False)
    assert (header.store, header.entries, header.revision) == ("sqlite", 300, 300)
    return tmp_path / "backup"


def restored(backup: Path) -> Folder:
    """The new cluster, saved as `up` would have, after the command's half of the restore."""
    folder = Folder.of("new")
    folder.save(NEW)
    archives.restore(backup, "new", force=True, say=print)
    return folder


def test_the_members_start_over_and_each_master_has_the_backup(backup: Path) -> None:
    folder = Folder.of("new")
    folder.save(NEW)
    stale = NodeFolder(folder.node("master-2")).var / "lib/etcd" / "member" / "snap"
    stale.mkdir(parents=True)
    with pytest.raises(LabError, match="--force replaces it"):
        archives.restore(backup, "new", force=False, say=print)
    archives.restore(backup, "new", force=True, say=print)
    assert not stale.exists() and stale.parents[1].exists()
    for node in NEW.masters():
        waiting = NodeFolder(folder.node(node.name)).kubernetes / etcd_restore.FILE
        assert waiting.read_bytes() == backup.read_bytes()
        assert waiting.stat().st_mode & 0o777 == 0o600
    for name in archives.KEPT:
        assert (folder.pki / name).read_bytes() == (Folder.of("old").pki / name).read_bytes()


def test_the_first_master_fills_the_members_once_and_the_others_wait_for_it(
    backup: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = restored(backup)
    members = EtcdCluster()
    monkeypatch.setattr(etcd_members, "endpoints", lambda *_: members.endpoints)
    monkeypatch.setattr(etcd_members, "client_files", lambda _: None)
    base = Reader(backup).header.base

    def place(n: int) -> Place:
        node = NEW.masters()[n]
        return Place(Folder(NodeFolder(folder.node(node.name)).kubernetes), NEW, node, {})

    async def story() -> None:
        stop = asyncio.Event()
        waiting = [tasks.spawn(etcd_restore.finish(place(n), stop), name="finish") for n in (1, 2)]
        await clock.sleep(0.2)
        assert not any(task.done() for task in waiting)
        await asyncio.gather(etcd_restore.finish(place(0), stop), *waiting)
        store = EtcdStore(members.endpoints)
        await store.start()
        page = await store.list("")
        assert [entry.value for entry in page.entries] == [b"%d" % n for n in range(300)]
        assert page.entries[0].revision > base
        with pytest.raises(Compacted):
            await anext(store.watch("", after_revision=300))
        # The backup is still there at the next boot, and restores nothing a second time.
        later = await store.commit("/registry/core/pods/default/new", 0, b"")
        await asyncio.gather(*(etcd_restore.finish(place(n), stop) for n in range(3)))
        assert await store.revision() == later
        await store.close()

    try:
        asyncio.run(asyncio.wait_for(story(), 60))
    finally:
        members.close()


def test_a_master_that_is_asked_to_stop_does_not_wait_on(backup: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = restored(backup)
    monkeypatch.setattr(etcd_members, "endpoints", lambda *_: ["127.0.0.1:1"])
    monkeypatch.setattr(etcd_members, "client_files", lambda _: None)
    monkeypatch.setattr("homeostat.store.etcd.seed.START_SECONDS_MAX", 0.1)

    async def story() -> None:
        stop = asyncio.Event()
        node = NEW.masters()[0]
        place = Place(Folder(NodeFolder(folder.node(node.name)).kubernetes), NEW, node, {})
        waiting = tasks.spawn(etcd_restore.finish(place, stop), name="finish")
        await clock.sleep(0.2)
        stop.set()
        await asyncio.wait_for(waiting, 10)

    asyncio.run(story())


def test_memory_has_no_backup_and_takes_none(backup: Path) -> None:
    folder = Folder.of("new")
    folder.save(replace(NEW, runtime="process", store="memory", control_planes=1))
    with pytest.raises(LabError, match="in memory"):
        archives.back_up(folder, backup.with_name("other"), force=False)
    with pytest.raises(LabError, match="in memory"):
        archives.restore(backup, "new", force=False, say=print)


def test_a_member_is_replaced_only_where_others_are() -> None:
    with pytest.raises(LabError, match="no master"):
        etcd_members.replace_member(NEW, Path(), "worker-1")
    with pytest.raises(LabError, match="only master"):
        etcd_members.replace_member(replace(NEW, control_planes=1), Path(), "master-1")


def test_a_restore_says_what_it_does(backup: Path) -> None:
    steps: list[str] = []
    Folder.of("new").save(NEW)
    archives.restore(backup, "new", force=True, say=steps.append)
    assert steps == [f"checking the backup {backup}", "replacing what cluster 'new' holds by 300 objects"]


def test_a_backup_without_its_keys_replaces_nothing(backup: Path, tmp_path: Path) -> None:
    pki = restored(backup).pki
    before = {path.name: path.read_bytes() for path in pki.iterdir()}
    writer = Writer(tmp_path / "keyless")
    writer.add_file("pki/ca.crt", b"another")
    writer.finish(replace(Reader(backup).header, entries=0))
    with pytest.raises(LabError, match=r"the backup lacks ca\.key"):
        archives.restore(tmp_path / "keyless", "new", force=True, say=print)
    assert {path.name: path.read_bytes() for path in pki.iterdir()} == before
