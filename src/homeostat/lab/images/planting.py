"""Giving a node the images of a seed before its containerd starts for the first time."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import orjson

from homeostat.lab.images.mirror import mirror
from homeostat.lab.images.seed import Seed
from homeostat.lab.state import LabError, remove, replace_file

# In the node's containerd root, which leaves files of others alone: the archive that each image came from.
_RECORD = "homeostat-images.json"
_DATABASE = "io.containerd.metadata.v1.bolt/meta.db"


def plant(seed: Seed, root: Path) -> dict[str, Path]:
    """Give `root`, a node's /var/lib/containerd whose containerd does not run, the content of the seed.

    A root that has been used is left as it is. Returns the images that it does not have in the seed's version, by name
    and archive: they have to be imported once its containerd runs, and then `note` called. Mostly there are none.
    Safe to repeat after a crash. Raises LabError when the disk is full or other files are there.
    """
    try:
        if not (root / _DATABASE).exists():
            scratch = root.with_name(f".{root.name}.planting")
            remove(scratch)
            root.parent.mkdir(parents=True, exist_ok=True)
            mirror(seed.path, scratch)
            _write(scratch, {name: path.name for name, path in seed.images.items()})
            # Takes the place of an empty folder, never of one with something in it.
            scratch.rename(root)
        had = _read(root)
    except OSError as error:
        raise LabError(f"{root} cannot be given its images: {error}") from error
    return {name: path for name, path in seed.images.items() if had.get(name) != path.name}


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
