"""A master's etcd member as a command and a Pod, and what its log means when it will not start."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from homeostat.cluster import etcd_member
from homeostat.cluster.node_layout import NodeFolder
from homeostat.cluster.state_folder import Folder
from homeostat.lab.hosts import etcd_log
from homeostat.store.etcd.store import EtcdStore
from tests.support.etcd import EtcdCluster

MEMBERS = [etcd_member.Member(f"master-{n}", f"172.30.0.{10 + n}") for n in (1, 2, 3)]


def flags(words: list[str]) -> dict[str, str]:
    return dict(word[2:].split("=", 1) for word in words[1:])


@pytest.mark.parametrize(("members", "quorum", "tolerated"), [(1, 1, 0), (2, 2, 0), (3, 2, 1), (4, 3, 1), (5, 3, 2)])
def test_a_majority_is_a_quorum(members: int, quorum: int, tolerated: int) -> None:
    assert (etcd_member.quorum(members), etcd_member.tolerated(members)) == (quorum, tolerated)


def test_a_member_knows_the_others_and_speaks_tls_alone() -> None:
    given = flags(etcd_member.command(MEMBERS[1], MEMBERS))
    assert given["name"] == "master-2"
    assert given["initial-cluster"] == (
        "master-1=https://172.30.0.11:2380,master-2=https://172.30.0.12:2380,master-3=https://172.30.0.13:2380"
    )
    assert given["initial-cluster-state"] == "new"
    assert given["listen-client-urls"] == "https://127.0.0.1:2379,https://172.30.0.12:2379"
    assert given["client-cert-auth"] == given["peer-client-cert-auth"] == "true"
    # Plain HTTP is for the node's own probes.
    assert [url for url in given.values() if url.startswith("http://")] == ["http://127.0.0.1:2381"]


def test_a_member_that_was_added_joins_what_is_there() -> None:
    assert flags(etcd_member.command(MEMBERS[2], MEMBERS, joining=True))["initial-cluster-state"] == "existing"


def test_elections_wait_for_several_heartbeats() -> None:
    """etcd refuses an election timeout below five heartbeats."""
    given = flags(etcd_member.command(MEMBERS[0], MEMBERS))
    assert int(given["election-timeout"]) >= 5 * int(given["heartbeat-interval"])


def test_the_static_pod_keeps_its_data_on_the_node_and_is_probed_on_its_own_port() -> None:
    pod = etcd_member.static_pod(MEMBERS[0], MEMBERS, "homeostat.local/etcd:3.4.23")
    spec, container = pod["spec"], pod["spec"]["containers"][0]
    assert spec["hostNetwork"] and container["image"] == "homeostat.local/etcd:3.4.23"
    paths = {volume["name"]: volume["hostPath"]["path"] for volume in spec["volumes"]}
    mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    assert paths == mounts == {"data": "/var/lib/etcd", "certificates": "/etc/kubernetes/pki"}
    # Without a leader /health fails: that keeps a member from counting as started, but gets none killed.
    for probe, path in (("livenessProbe", "/metrics"), ("startupProbe", "/health")):
        assert container[probe]["httpGet"] == {"host": "127.0.0.1", "port": 2381, "scheme": "HTTP", "path": path}


def test_a_log_without_a_known_trouble_says_nothing() -> None:
    assert etcd_member.diagnose("master-1", "") is None
    ordinary = '{"level":"info","msg":"discarded a snapshot: crc mismatch"}\n{"level":"warn","msg":"slow"}'
    assert etcd_member.diagnose("master-1", ordinary) is None


@pytest.mark.parametrize(
    ("line", "part"),
    [
        # Which message a damaged log gives depends on where a record is cut.
        ('{"level":"fatal","msg":"discovery failed","error":"proto: integer overflow"}', "its log (WAL) is corrupt"),
        ("fatal: write: no space left on device", "make room on master-1"),
        ("the member has been permanently removed from the cluster", "homeostat node replace master-1"),
        ("x509: certificate has expired or is not yet valid", "`homeostat up` renews certificates"),
        ("listen tcp 172.30.0.11:2379: bind: address already in use", "end that process on master-1"),
    ],
)
def test_each_trouble_has_a_remedy(line: str, part: str) -> None:
    trouble = etcd_member.diagnose("master-1", line)
    assert trouble is not None and part in str(trouble)


def test_the_newest_log_of_a_masters_member_gives_the_reason(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    assert etcd_log.trouble_of(folder, "master-1") is None
    logs = NodeFolder(folder.node("master-1")).var / "log/pods/kube-system_etcd-master-1_abc/etcd"
    logs.mkdir(parents=True)
    for number, (at, text) in enumerate([(1000, "no space left on device"), (2000, "walpb: crc mismatch")]):
        # As the CRI writes it, behind more than is read.
        line = f'2026-01-01T00:00:00Z stderr F {{"level":"fatal","error":"{text}"}}\n'
        (logs / f"{number}.log").write_text('2026-01-01T00:00:00Z stderr F {"level":"info"}\n' * 3000 + line)
        os.utime(logs / f"{number}.log", (at, at))
    assert "its log (WAL) is corrupt" in str(etcd_log.trouble_of(folder, "master-1"))


# What a real member says


@pytest.fixture(scope="module")
def filled() -> Iterator[EtcdCluster]:
    """One member that holds something, and was killed."""
    cluster = EtcdCluster()

    async def fill() -> None:
        store = EtcdStore(cluster.endpoints)
        await store.start()
        for n in range(100):
            await store.commit(f"/{n}", 0, b"x" * 200)
        await store.close()

    try:
        asyncio.run(fill())
        cluster.kill(0)
        yield cluster
    finally:
        cluster.close()


def overwrite(path: Path, at: int) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        file.write(b"\xde\xad" * 8192)


def empty(path: Path, at: int) -> None:
    path.write_bytes(b"")


@pytest.mark.real
@pytest.mark.parametrize(
    ("file", "damage", "at", "what"),
    [
        ("wal/*.wal", overwrite, 2000, "its log (WAL) is corrupt"),
        ("wal/*.wal", empty, 0, "its log (WAL) is corrupt"),
        ("snap/db", overwrite, 0, "its database is corrupt"),
    ],
)
def test_a_damaged_member_is_known_by_its_log(
    filled: EtcdCluster, file: str, damage: Callable[[Path, int], None], at: int, what: str
) -> None:
    path = next((filled.data(0) / "member").glob(file))
    sound, before = path.read_bytes(), len(filled.log(0))
    try:
        damage(path, at)
        filled.start(0)
        assert filled.wait_ended(0) != 0
    finally:
        path.write_bytes(sound)
    trouble = etcd_member.diagnose("master-1", filled.log(0)[before:])
    assert trouble is not None
    assert str(trouble) == (
        f"etcd on master-1: {what}; its data cannot be trusted: "
        "`homeostat node replace master-1` rebuilds the member from the others"
    )
