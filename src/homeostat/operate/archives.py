"""A cluster into one file, and out of it into a new cluster: what `homeostat backup` and `restore` do.

A backup holds the live entries at one revision, the cluster's plan, and the keys that nothing else can make again: the
authority and the key of the service accounts, so that kubeconfigs and tokens stay valid. All other certificates are
made again by `up`.

A restored store continues far above the backup's revision. What was written after the backup is lost, and clients may
have seen its revisions: none of them may be used again with another meaning. Their watches have to start over.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from homeostat import KUBERNETES_VERSION
from homeostat.cluster.node_layout import NodeFolder
from homeostat.cluster.state_folder import Folder, LabError, replace_file
from homeostat.cluster.topology import Cluster
from homeostat.kit import clock, private
from homeostat.lab.kinds.choice import kind_of
from homeostat.lab.links import host_reach
from homeostat.operate.down import is_running
from homeostat.store import archive, sqlite_seed
from homeostat.store.archive import ArchiveError, Header
from homeostat.store.contract import Compacted, Store, StoreError
from homeostat.store.sqlite import SqliteStore

# Of the pki folder: what cannot be made again without invalidating what was given out before.
KEPT = ("ca.crt", "ca.key", "sa.key")


def back_up(folder: Folder, target: Path, *, force: bool) -> Header:
    """Write a cluster, running or not, into `target`. Raises LabError."""
    cluster = folder.load()
    if target.exists() and not force:
        raise LabError(f"{target} is there already; --force overwrites it")

    def write() -> Header:
        with _explained():
            return asyncio.run(_back_up(store_of(folder, cluster), cluster, target, files=kept_files(folder.pki)))

    # Its members are only there where the nodes are.
    return host_reach.in_network(folder, write) if cluster.store == "etcd" and is_running(folder) else write()


async def _back_up(store: Store, cluster: Cluster, target: Path, *, files: dict[str, bytes]) -> Header:
    writer = archive.Writer(target)
    try:
        await store.start()
        try:
            for name, content in files.items():
                writer.add_file(name, content)
            revision, entries = await archive.entries_of(store)
            async for entry in entries:
                writer.add(entry)
        finally:
            await store.close()
        plan = cluster.to_dict()
        return writer.finish(
            Header(cluster.name, KUBERNETES_VERSION, cluster.store, revision, clock.now_rfc3339(), plan)
        )
    finally:
        writer.discard()


def kept_files(pki: Path) -> dict[str, bytes]:
    """What a backup contains beside the objects, by name."""
    return {f"pki/{name}": (pki / name).read_bytes() for name in KEPT}


def store_of(folder: Folder, cluster: Cluster) -> Store:
    """A handle on the cluster's store from outside of its nodes. Raises LabError."""
    if cluster.store == "memory":
        raise LabError(f"cluster {cluster.name!r} keeps its objects in memory: there is nothing to back up")
    if cluster.store == "etcd":
        from homeostat.compose.shared import etcd_members
        from homeostat.store.etcd.members import PATIENT_CALL_SECONDS_MAX
        from homeostat.store.etcd.store import EtcdStore

        if not is_running(folder):
            raise LabError(f"cluster {cluster.name!r} is not running, and its etcd members with it; start it first")
        endpoints, files = etcd_members.endpoints(cluster), etcd_members.client_files(folder.pki)
        return EtcdStore(endpoints, tls=files, call_seconds=PATIENT_CALL_SECONDS_MAX)
    file = kind_of(cluster).sqlite_file(folder, cluster)
    if not file.exists():
        raise LabError(f"cluster {cluster.name!r} has no store yet")
    return SqliteStore(file)


def restore(source: Path, name: str, *, force: bool, say: Callable[[str], None]) -> tuple[Header, Cluster]:
    """Make cluster `name`, which does not run, out of a backup; the next `up` boots it. `say` gets each step. Raises
    LabError, and has changed nothing then unless the disk is full or broken."""
    with _explained():
        say(f"checking the backup {source}")
        found = archive.Reader(source)
        files = _kept_of(found)
        folder = Folder.of(name)
        with folder.only_one():
            cluster = _plan(found.header, folder, name)
            if cluster.store == "memory":
                raise LabError(f"cluster {name!r} keeps its objects in memory: nothing can be restored into it")
            if _files_of_store(folder, cluster) and not force:
                raise LabError(f"cluster {name!r} has a store already; --force replaces it by the backup's")
            say(f"replacing what cluster {name!r} holds by {found.header.entries} objects")
            _write_files(folder, files)
            _empty(folder, cluster)
            _fill(folder, cluster, source, found)
            folder.save(cluster)
    return found.header, cluster


def _plan(header: Header, folder: Folder, name: str) -> Cluster:
    """A cluster that exists keeps its plan; a new one gets the backup's."""
    if folder.exists():
        return folder.load()
    try:
        return replace(Cluster(**header.plan), name=name)
    except TypeError as error:
        raise LabError(f"the backup's plan is not one that this version knows: {error}") from error


def _kept_of(found: archive.Reader) -> dict[str, bytes]:
    """The backup's keys, by their names in the pki folder. Raises LabError when it lacks one."""
    files = found.files()
    for name in KEPT:
        if f"pki/{name}" not in files:
            raise LabError(f"the backup lacks {name}; use another one")
    return {name: files[f"pki/{name}"] for name in KEPT}


def _write_files(folder: Folder, files: dict[str, bytes]) -> None:
    private.folder(folder.pki)
    # Certificates of another authority would be taken for good ones.
    for path in folder.pki.iterdir():
        path.unlink()
    for name, content in files.items():
        replace_file(folder.pki / name, content, mode=0o644 if name.endswith(".crt") else 0o600)


def _empty(folder: Folder, cluster: Cluster) -> None:
    """Take away what the cluster held."""
    for path in _files_of_store(folder, cluster):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def _files_of_store(folder: Folder, cluster: Cluster) -> list[Path]:
    if cluster.store == "etcd":
        data = [NodeFolder(folder.node(node.name)).var / "lib/etcd" for node in cluster.masters()]
        return [path for place in data for path in place.glob("*")]
    sqlite = kind_of(cluster).sqlite_file(folder, cluster)
    return [path for ending in ("", "-wal", "-shm") if (path := sqlite.with_name(sqlite.name + ending)).exists()]


def _fill(folder: Folder, cluster: Cluster, source: Path, found: archive.Reader) -> None:
    if cluster.store == "etcd":
        from homeostat.compose.shared import etcd_restore

        for node in cluster.masters():
            place = NodeFolder(folder.node(node.name)).kubernetes
            place.mkdir(parents=True, exist_ok=True)
            replace_file(place / etcd_restore.FILE, source.read_bytes())
        return
    file = kind_of(cluster).sqlite_file(folder, cluster)
    file.parent.mkdir(parents=True, exist_ok=True)
    sqlite_seed.seed(file, found.header.base, found.entries())


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except Compacted as error:
        raise LabError("the backup took longer than the store keeps its history; try again") from error
    except (ArchiveError, StoreError) as error:
        raise LabError(str(error)) from error
    except OSError as error:
        raise LabError(f"{error.filename or 'the backup'}: {error.strerror}") from error
