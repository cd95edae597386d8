"""What `up` writes for those who log in on a node."""

from __future__ import annotations

from pathlib import Path

import pytest

from homeostat.cluster.node_layout import PATH, NodeFolder
from homeostat.cluster.state_folder import Folder
from homeostat.cluster.topology import Cluster
from homeostat.lab.inside import login
from homeostat.lab.inside.units import units_of

CLUSTER = Cluster("homeostat", 0, runtime="container")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Folder:
    monkeypatch.setenv("HOME", str(tmp_path / "person"))
    (tmp_path / "person" / ".ssh").mkdir(parents=True)
    (tmp_path / "person" / ".ssh" / "id_ed25519.pub").write_text("ssh-ed25519 AAAAmine me@here\n")
    return Folder(tmp_path / "state")


def written(folder: Folder, node: str) -> NodeFolder:
    login.write(folder, CLUSTER, CLUSTER.node(node))
    return NodeFolder(folder.node(node))


def test_a_node_has_accounts_homes_and_a_server(folder: Folder) -> None:
    own = written(folder, "worker-1")
    assert "core:x:0:0:" in (own.etc / "passwd").read_text()
    assert "worker-1" in (own.etc / "motd").read_text()
    assert f"SetEnv PATH={PATH}\n" in (own.etc / "ssh" / "sshd_config").read_text()
    assert (own.var / "log" / "lastlog").exists(), "else the server reports at each login that it is missing"
    for secret in ("shadow", "ssh/ssh_host_ed25519_key"):
        assert (own.etc / secret).stat().st_mode & 0o007 == 0
    for home in (own.own("home") / "core", own.own("root")):
        assert {".bashrc", ".profile"} <= {path.name for path in home.iterdir()}


def test_the_persons_key_and_the_clusters_open_it(folder: Folder) -> None:
    own = written(folder, "worker-1")
    cluster, person = (own.etc / "ssh" / "authorized_keys").read_text().splitlines()
    assert cluster == (folder.ssh / "id_ed25519.pub").read_text().strip()
    assert person == "ssh-ed25519 AAAAmine me@here"


def test_all_nodes_show_the_same_key(folder: Folder) -> None:
    keys = {
        (written(folder, node).etc / "ssh" / "ssh_host_ed25519_key").read_text() for node in ("worker-1", "master-1")
    }
    assert len(keys) == 1
    assert len((folder.ssh / "known_hosts").read_text().splitlines()) == len(CLUSTER.nodes())


def test_another_up_leaves_a_persons_home_alone(folder: Folder) -> None:
    own = written(folder, "worker-1")
    (own.own("home") / "core" / ".bashrc").write_text("alias k=kubectl\n")
    key = (own.etc / "ssh" / "ssh_host_ed25519_key").read_text()
    written(folder, "worker-1")
    assert (own.own("home") / "core" / ".bashrc").read_text() == "alias k=kubectl\n"
    assert (own.etc / "ssh" / "ssh_host_ed25519_key").read_text() == key


def test_where_no_server_can_run_a_node_has_none() -> None:
    assert "sshd" in {unit.name for unit in units_of("worker-1")}
    assert "sshd" not in {unit.name for unit in units_of("worker-1", ssh=False)}
