"""A node gets this machine's images when it first boots, and newer versions once when they have changed since."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from homeostat.cluster import node_layout
from homeostat.cluster.node_layout import NodeFolder
from homeostat.cluster.state_folder import Folder
from homeostat.cluster.topology import Cluster
from homeostat.lab.images import stock
from homeostat.lab.images.spec import ImageSpec
from homeostat.lab.images.tree import Tree
from homeostat.lab.inside import planted_images

pytestmark = pytest.mark.real
_CLUSTER = Cluster("homeostat", 0, control_planes=1, workers=0, runtime="container")


class Machine:
    """A machine whose one image changes, and a node of it with a played engine."""

    def __init__(self, state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.text = "one"
        self.refuses = False
        self.imported: list[str] = []
        self.folder = Folder.of("homeostat")
        self.var = NodeFolder(self.folder.node("master-1")).var
        monkeypatch.setattr(stock, "all_specs", self._specs)
        monkeypatch.setattr(planted_images, "_VAR", self.var)
        monkeypatch.setattr(planted_images, "_ctr", self._ctr)

    def _specs(self) -> list[ImageSpec]:
        tree = Tree()
        tree.text("text", self.text)
        return [ImageSpec("example.local/app:1", (tree,))]

    def _ctr(self, *words: str) -> subprocess.CompletedProcess[bytes]:
        if words[0] == "version":
            return subprocess.CompletedProcess(words, 0, b"", b"")
        if self.refuses:
            return subprocess.CompletedProcess(words, 1, b"", b"no space left on device")
        self.imported.append(Path(words[2]).name)
        return subprocess.CompletedProcess(words, 0, b"", b"")

    def boot(self) -> list[str]:
        """What the node imports in a boot."""
        self.imported.clear()
        planted_images.give_images(self.folder, _CLUSTER)
        planted_images.import_waiting()
        return list(self.imported)


@pytest.fixture
def machine(own_state: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(own_state, monkeypatch)


def test_a_node_s_first_boot_imports_nothing(machine: Machine) -> None:
    assert machine.boot() == []
    [planted] = node_layout.shared_layers(machine.folder.path).rglob("fs/text")
    assert planted.read_text() == "one"


def test_a_newer_version_is_imported_in_one_boot_and_not_again(machine: Machine) -> None:
    machine.boot()
    machine.text = "two"
    assert len(machine.boot()) == 1
    assert machine.boot() == []


def test_what_could_not_be_imported_is_tried_at_the_next_boot(machine: Machine) -> None:
    machine.boot()
    machine.text = "two"
    machine.refuses = True
    assert machine.boot() == []
    machine.refuses = False
    assert len(machine.boot()) == 1
