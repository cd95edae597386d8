"""Building images once: archives and layers are kept in the state root by a fingerprint of what went into them.

A fingerprint compares files by path, size and time, so asking again costs milliseconds. Builders that run side by
side, or die halfway, leave whole files only: each writes to a name of its own and renames it.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import orjson

from homeostat.cluster.state_folder import LabError, remove, state_root
from homeostat.lab.images import archive
from homeostat.lab.images.spec import ImageSpec
from homeostat.lab.images.tree import Tree

# Part of every name: raise it when the same input gives other bytes than before.
_FORMAT = 1
# Checkouts that take turns on one machine do not rebuild each time.
_ARCHIVES_KEPT = 4
# Two files each.
_LAYER_FILES_KEPT = 32


def images_root() -> Path:
    """Where built images are kept; it is safe to delete while no cluster starts. No cluster can have this name."""
    return state_root() / ".images"


def build(spec: ImageSpec) -> Path:
    """The image's archive. Raises LabError when a source vanished or the disk is full."""
    try:
        target = images_root() / "archives" / f"{_file_name(spec.name)}-{fingerprint(spec)[:16]}.tar"
        if not target.exists():
            with only_one(images_root()):
                _build(spec, target)
        return target
    except OSError as error:
        raise LabError(f"image {spec.name} cannot be built: {error}") from error


def fingerprint(spec: ImageSpec) -> str:
    """The digest of everything that the image contains."""
    known = [spec.name, spec.run_config(), [layer.fingerprint() for layer in spec.layers], _FORMAT]
    return hashlib.sha256(orjson.dumps(known)).hexdigest()


def _build(spec: ImageSpec, target: Path) -> None:
    if target.exists():
        return
    layers = [_layer(tree) for tree in spec.layers]
    whole(target, lambda out: archive.write(spec, layers, out))
    keep_newest(target.parent, f"{_file_name(spec.name)}-*", _ARCHIVES_KEPT)
    keep_newest(images_root() / "layers", "*", _LAYER_FILES_KEPT)


def _layer(tree: Tree) -> archive.Layer:
    """A layer's file; its digests are in a file beside it, which is written last."""
    target = images_root() / "layers" / f"{_FORMAT}-{tree.fingerprint()[:32]}"
    known = target.with_suffix(".json")
    if not known.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        layer = archive.pack(tree, target)
        whole(known, lambda out: out.write(orjson.dumps([layer.blob.digest, layer.blob.size, layer.diff_id])))
    for path in (target, known):
        os.utime(path)
    digest, size, diff_id = orjson.loads(known.read_bytes())
    return archive.Layer(archive.Blob(digest, size, file=target), diff_id)


def whole(target: Path, write: Callable[[BinaryIO], object]) -> None:
    """Write a file completely or not at all."""
    target.parent.mkdir(parents=True, exist_ok=True)
    scratch = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        with scratch.open("wb", buffering=archive.BUFFER_BYTES) as out:
            write(out)
        scratch.replace(target)
    finally:
        scratch.unlink(missing_ok=True)


@contextmanager
def only_one(folder: Path) -> Iterator[None]:
    """One builder at a time; what a dead one left half-written is removed."""
    folder.mkdir(parents=True, exist_ok=True)
    lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for scratch in folder.glob("*/.*"):
            remove(scratch)
        yield
    finally:
        os.close(lock)


def keep_newest(folder: Path, pattern: str, count: int) -> None:
    """Remove all but the `count` entries of a folder that were written or used last."""
    entries = sorted(folder.glob(pattern), key=lambda path: path.stat().st_mtime_ns, reverse=True)
    for path in entries[count:]:
        remove(path)


def _file_name(image: str) -> str:
    return re.sub(r"[^a-zA-Z0-9._-]", "_", image)
