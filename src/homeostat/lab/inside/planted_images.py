"""The images that nodes have when they boot: this machine's own, planted before a node's engine starts for the first
time; newer versions wait in the node's folder until its kubelet starts."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote, unquote

from homeostat.cluster import node_layout
from homeostat.cluster.node_layout import NodeFolder
from homeostat.cluster.state_folder import Folder
from homeostat.cluster.topology import Cluster
from homeostat.kit import machine_clock
from homeostat.kit.log import logger
from homeostat.lab.images import build, planting, stock
from homeostat.lab.images.seed import prepare_seed

# Below /var. Where a node finds what it is still to import: a folder for each image, with its archive in it.
_WAITING = "lib/homeostat/images"
_ENGINE_ROOT = "lib/containerd"
_VAR = Path("/var")
_OVERLAY = "overlay"
_ENGINE_SECONDS, _LOOK_SECONDS = 30.0, 0.1
_log = logger("images")


def snapshotter(place: Path) -> str:
    """Which of containerd's snapshotters works below `place`: an overlay cannot lie on another."""
    best, kind = "", ""
    with open("/proc/self/mounts") as mounts:
        for line in mounts:
            _, mount, found = line.split(" ")[:3]
            if os.path.commonpath([mount, str(place)]) == mount and len(mount) >= len(best):
                best, kind = mount, found
    return "native" if kind == _OVERLAY else "overlayfs"


def give_images(folder: Folder, cluster: Cluster) -> None:
    """Give every node that does not run this machine's images. Raises LabError."""
    archives = {spec.name: build.build(spec) for spec in stock.all_specs()}
    seed = prepare_seed(archives, snapshotter=snapshotter(folder.path))
    layers = planting.Layers(node_layout.shared_layers(folder.path), node_layout.LAYERS)
    for node in cluster.nodes():
        var = NodeFolder(folder.node(node.name)).var
        _let_wait(var / _WAITING, planting.plant(seed, var / _ENGINE_ROOT, layers))


def _let_wait(place: Path, images: Mapping[str, Path]) -> None:
    shutil.rmtree(place, ignore_errors=True)
    for image, archive in images.items():
        target = place / quote(image, safe="") / archive.name
        target.parent.mkdir(parents=True)
        try:
            os.link(archive, target)
        except OSError:
            target.write_bytes(archive.read_bytes())


def import_waiting() -> None:
    """On a node whose engine runs or starts: import what waits. What cannot be imported is logged, and tried at the
    next boot."""
    waiting = sorted((_VAR / _WAITING).glob("*/*"))
    deadline = machine_clock.monotonic() + _ENGINE_SECONDS
    while waiting and _ctr("version").returncode and machine_clock.monotonic() < deadline:
        machine_clock.pause(_LOOK_SECONDS)
    for archive in waiting:
        done = _ctr("images", "import", str(archive))
        if done.returncode:
            _log.warning("image %s was not imported: %s", archive.name, done.stderr.decode(errors="replace").strip())
            continue
        planting.note(_VAR / _ENGINE_ROOT, {unquote(archive.parent.name): archive})
        shutil.rmtree(archive.parent, ignore_errors=True)


def _ctr(*words: str) -> subprocess.CompletedProcess[bytes]:
    command = ["ctr", "--address", node_layout.CONTAINERD_SOCKET, "-n", "k8s.io", *words]
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)
