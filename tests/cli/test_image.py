"""`homeostat image`: what it prints of the nodes' images, and what it refuses."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import IO

import orjson
import pytest

from homeostat.cli.commands import image
from homeostat.cluster.lab_orders import Order
from homeostat.cluster.state_folder import Folder
from homeostat.cluster.topology import Cluster
from homeostat.lab.hosts import enter
from homeostat.lab.images.build import build
from homeostat.lab.images.spec import ImageSpec
from homeostat.lab.images.tree import Tree

from .conftest import Command

_TABLE = b"""REF                     TYPE DIGEST                 SIZE    PLATFORMS   LABELS
example.local/all:1     t    sha256:aaaaaaaaaaaaaaa 1.0 MiB linux/amd64 -
example.local/%s:1 t    sha256:bbbbbbbbbbbbbbb 2.0 MiB linux/amd64 -
"""


class Nodes:
    """The nodes of a played cluster: which nodes are on, and what was loaded onto them."""

    def __init__(self) -> None:
        self.on = {"master-1": 11, "worker-1": 12, "worker-2": 0}
        self.loaded: list[tuple[str, bytes]] = []

    def answer(self, _socket: Path, order: object) -> object:
        """As the supervisor."""
        assert order == Order("status")
        children = [{"name": "network", "node": "", "pid": 10}]
        return {"children": [*children, *({"name": f"node {n}", "node": n, "pid": pid} for n, pid in self.on.items())]}

    def run(
        self, _folder: Folder, node: str, argv: Sequence[str], *, stdin: IO[bytes] | None = None
    ) -> subprocess.CompletedProcess[bytes]:
        """As `ctr` on a node."""
        if "ls" in argv:
            return subprocess.CompletedProcess(argv, 0, _TABLE % node.encode(), b"")
        assert stdin is not None
        self.loaded.append((node, stdin.read()))
        return subprocess.CompletedProcess(argv, 0, b"", b"")


@pytest.fixture
def nodes(monkeypatch: pytest.MonkeyPatch) -> Nodes:
    played = Nodes()
    Folder.of("homeostat").save(Cluster("homeostat", 0, control_planes=1, workers=2, runtime="container"))
    monkeypatch.setattr(image, "ask", played.answer)
    monkeypatch.setattr(enter, "run", played.run)
    return played


@pytest.fixture
def archive() -> Path:
    tree = Tree()
    tree.text("a", "b")
    return build(ImageSpec("example.local/app:1", (tree,)))


def test_an_archive_goes_onto_every_node_that_is_on(command: Command, nodes: Nodes, archive: Path) -> None:
    said = command("image", "load", str(archive))
    assert said.code == 0
    assert said.out == "loaded example.local/app:1 onto master-1, worker-1\n"
    assert said.err == "not onto worker-2, which is off\n"
    assert sorted(nodes.loaded) == [("master-1", archive.read_bytes()), ("worker-1", archive.read_bytes())]


def test_a_file_that_is_no_archive_reaches_no_node(command: Command, nodes: Nodes, tmp_path: Path) -> None:
    file = tmp_path / "notes.txt"
    file.write_text("not an image\n" * 100)
    assert f"{file} cannot be loaded: it is no tar archive" in command("image", "load", str(file)).complaint
    assert nodes.loaded == []


def test_without_a_node_that_is_on_nothing_can_be_loaded(command: Command, nodes: Nodes, archive: Path) -> None:
    nodes.on = {"master-1": 0}
    assert "no node of homeostat is on; `homeostat node start NODE`" in command("image", "load", str(archive)).complaint


def test_images_are_listed_once_with_the_nodes_that_have_them(command: Command, nodes: Nodes) -> None:
    lines = command("image", "list").out.splitlines()
    assert [line.split() for line in lines] == [
        ["IMAGE", "DIGEST", "SIZE", "NODES"],
        ["example.local/all:1", "aaaaaaaaaaaa", "1.0", "MiB", "all"],
        ["example.local/master-1:1", "bbbbbbbbbbbb", "2.0", "MiB", "master-1"],
        ["example.local/worker-1:1", "bbbbbbbbbbbb", "2.0", "MiB", "worker-1"],
    ]


def test_one_node_s_images_are_listed_for_programs_too(command: Command, nodes: Nodes) -> None:
    rows = orjson.loads(command("image", "list", "worker-1", "-o", "json").out)
    assert [(row["name"], row["nodes"]) for row in rows] == [
        ("example.local/all:1", ["worker-1"]),
        ("example.local/worker-1:1", ["worker-1"]),
    ]


def test_a_node_that_is_off_or_unknown_has_no_list(command: Command, nodes: Nodes) -> None:
    assert "worker-2 is off; `homeostat node start worker-2`" in command("image", "list", "worker-2").complaint
    assert "the nodes are master-1, worker-1, worker-2" in command("image", "list", "worker-9").complaint


@pytest.mark.parametrize("words", [("list",), ("load", "x.tar")])
def test_a_cluster_of_plain_processes_has_no_images(command: Command, words: tuple[str, ...]) -> None:
    Folder.of("homeostat").save(Cluster("homeostat", 0, runtime="process"))
    assert "'homeostat' has no images: its pods are plain processes" in command("image", *words).complaint


def test_the_images_that_every_cluster_brings_are_listed_with_whether_they_have_a_shell(command: Command) -> None:
    """Without a cluster: who asks wants to know what to write into a manifest."""
    rows = orjson.loads(command("image", "list", "--available", "-o", "json").out)
    shells = {row["name"].partition("/")[2].partition(":")[0]: row["shell"] for row in rows}
    assert shells == {
        "busybox": True, "etcd": False, "hello": True, "homeostat": False, "pause": False, "python": True
    }  # fmt: skip
    lines = command("image", "list", "--available").out.splitlines()
    assert lines[0].split() == ["IMAGE", "SHELL", "ABOUT"]
    assert any(line.split()[:2] == ["homeostat.local/python:3", "yes"] for line in lines)
    assert "leave the node out" in command("image", "list", "worker-1", "--available").complaint
