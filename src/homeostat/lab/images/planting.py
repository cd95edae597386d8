"""Giving a node the images of a seed before its containerd starts for the first time.

The nodes of a cluster can share the trees of the images' layers, which containers only read: a node's own root has
links to them, so that it is made in milliseconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import orjson

from homeostat.cluster.state_folder import LabError, remove, replace_file
from homeostat.lab.images.mirror import SNAPSHOTS, mirror
from homeostat.lab.images.seed import Seed

# In the node's containerd root, which leaves files of others alone: the archive that each image came from.
_RECORD = "homeostat-images.json"
_DATABASE = "io.containerd.metadata.v1.bolt/meta.db"


@dataclass(frozen=True, slots=True)
class Layers:
    """What nodes share: a `folder` with the layers of each seed that a node came from, and where nodes see it."""

    folder: Path
    seen: str


def plant(seed: Seed, root: Path, layers: Layers | None = None) -> dict[str, Path]:
    """Give `root`, a node's /var/lib/containerd whose containerd does not run, the content of the seed.

    With `layers` it shares them, where the seed's snapshotter can. A root that has been used is left as it is. Returns
    the images that it does not have in the seed's version, by name and archive: they have to be imported once its
    containerd runs, and then `note` called. Mostly there are none. Safe to repeat after a crash. Raises LabError when
    the disk is full or other files are there.
    """
    try:
        if not (root / _DATABASE).exists():
            scratch = root.with_name(f".{root.name}.planting")
            remove(scratch)
            root.parent.mkdir(parents=True, exist_ok=True)
            mirror(seed.path, scratch, layers=_share(seed, layers) if layers else "")
            _write(scratch, {name: path.name for name, path in seed.images.items()})
            # Takes the place of an empty folder, never of one with something in it.
            scratch.rename(root)
        had = _read(root)
    except OSError as error:
        raise LabError(f"{root} cannot be given its images: {error}") from error
    return {name: path for name, path in seed.images.items() if had.get(name) != path.name}


def _share(seed: Seed, layers: Layers) -> str:
    """Have the seed's layers among the shared ones; where nodes see them, empty where nothing can be shared."""
    if not (seed.path / SNAPSHOTS).exists():
        return ""
    key = seed.path.parent.name
    target = layers.folder / key
    if not target.exists():
        scratch = layers.folder / f".{key}"
        remove(scratch)
        layers.folder.mkdir(parents=True, exist_ok=True)
        mirror(seed.path / SNAPSHOTS, scratch)
        scratch.rename(target)
    return f"{layers.seen}/{key}"


def note(root: Path, images: Mapping[str, Path]) -> None:
    """Remember that images were imported from these archives."""
    _write(root, {**_read(root), **{name: path.name for name, path in images.items()}})


def _read(root: Path) -> dict[str, str]:
    try:
        return dict(orjson.loads((root / _RECORD).read_bytes()))
    except (FileNotFoundError, ValueError):
        return {}


def _write(root: Path, images: Mapping[str, str]) -> None:
    replace_file(root / _RECORD, orjson.dumps(dict(images)), durable=False)
