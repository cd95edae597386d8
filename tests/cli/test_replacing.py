"""`homeostat node replace`: in which order a lost master is rebuilt, and what is left alone when that fails."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from homeostat.cluster.lab_orders import Order
from homeostat.cluster.node_layout import NodeFolder
from homeostat.cluster.state_folder import Folder, LabError
from homeostat.cluster.topology import Cluster
from homeostat.operate import replace_master
from homeostat.store.etcd.admin import Member

CLUSTER = Cluster("ha", 0, runtime="container", store="etcd")


class Played:
    """Writes down what would be done, in order."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, folder: Folder) -> None:
        self.done: list[str] = []
        self.refusal: LabError | None = None
        # What etcd's members say when they are asked, one after the other.
        self.health: list[list[Member] | LabError] = [[Member(2, "master-2", (), ())]]
        self._data = NodeFolder(folder.node("master-2")).var / "lib/etcd/member"
        self._data.mkdir(parents=True)
        monkeypatch.setattr(replace_master, "ask", self._ask)
        monkeypatch.setattr(replace_master.host_reach, "in_network", lambda _, work: work())
        monkeypatch.setattr(replace_master.etcd_members, "replace_member", self._replace)
        monkeypatch.setattr(replace_master, "prepare", lambda *_: self.done.append("prepare"))
        monkeypatch.setattr(replace_master, "wait_ready", self._ready)
        monkeypatch.setattr(replace_master.etcd_members, "members", self._members)

    def _ask(self, _: Path, order: Order, **__: object) -> None:
        if order.verb != "status":
            self.done.append(f"{order.verb} {order.node}")

    def _replace(self, cluster: Cluster, pki: Path, name: str) -> None:
        # Its data are there until the others have let it go.
        assert self._data.exists()
        self.done.append(f"replace {name}")
        if self.refusal is not None:
            raise self.refusal

    def _members(self, *_: object) -> list[Member]:
        self.done.append("ask for the member")
        health = self.health.pop(0)
        if isinstance(health, LabError):
            raise health
        return health

    async def _ready(self, *_: object) -> None:
        self.done.append("wait for the node")


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    folder = Folder(tmp_path / "ha")
    folder.save(CLUSTER)
    return folder


def test_a_master_leaves_before_its_disk_is_forgotten_and_joins_what_is_there(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    played = Played(monkeypatch, folder)
    replace_master.replace_master(folder, "master-2", say=lambda _: None)
    assert played.done == [
        "stop-node master-2",
        "replace master-2",
        "prepare",
        "start-node master-2",
        "wait for the node",
        "ask for the member",
    ]
    own = NodeFolder(folder.node("master-2"))
    assert not (own.var / "lib/etcd").exists()
    pod = yaml.safe_load((own.kubernetes / "manifests/etcd.yaml").read_text())
    words = pod["spec"]["containers"][0]["command"]
    assert "--name=master-2" in words and "--initial-cluster-state=existing" in words


def test_members_that_do_not_answer_while_a_new_one_joins_are_asked_again(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    played = Played(monkeypatch, folder)
    joining = Member(2, "master-2", (), (), trouble="it has not joined yet")
    played.health = [LabError("etcd has no quorum"), [], [joining], [replace(joining, trouble="")]]
    replace_master.replace_master(folder, "master-2", say=lambda _: None)
    assert played.done[-4:] == ["ask for the member"] * 4


def test_a_master_that_cannot_be_replaced_comes_back_as_it_was(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    played = Played(monkeypatch, folder)
    played.refusal = LabError("1 of 3 etcd members are healthy")
    with pytest.raises(LabError, match="1 of 3"):
        replace_master.replace_master(folder, "master-2", say=lambda _: None)
    assert played.done == ["stop-node master-2", "replace master-2", "start-node master-2"]
    assert (NodeFolder(folder.node("master-2")).var / "lib/etcd/member").exists()


@pytest.mark.parametrize(
    ("cluster", "node", "words"),
    [
        (CLUSTER, "worker-1", "node remove"),
        (CLUSTER, "nowhere", "nowhere is no master"),
        (replace(CLUSTER, runtime="process", store="sqlite"), "master-1", "only masters with an etcd member"),
    ],
)
def test_what_has_no_etcd_member_is_not_replaced(
    folder: Folder, monkeypatch: pytest.MonkeyPatch, cluster: Cluster, node: str, words: str
) -> None:
    played = Played(monkeypatch, folder)
    folder.save(cluster)
    with pytest.raises(LabError, match=words):
        replace_master.replace_master(folder, node, say=lambda _: None)
    assert played.done == []
