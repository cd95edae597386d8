"""Writing a volume's files so that a reader sees all of the old ones or all of the new ones.

The layout is Kubernetes' (volume/util AtomicWriter): a folder of its own per version, `..data` pointing to the newest,
and every visible name a link through `..data`. Replacing that one link changes all files at once.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from homeostat.kit import chance
from homeostat.node.isolation import ownership
from homeostat.node.volumes.payload import File

_DATA = "..data"
_READ_ONLY = 0o440


def write(folder: Path, files: Mapping[str, File], group: int | None = None) -> bool:
    """Make `folder` show `files`; returns whether that changed anything. With a `group`, it may read all of them.

    Raises OSError, and ValueError for a path that leads out of the volume."""
    for path in files:
        if os.path.isabs(path) or ".." in path.split("/") or path.split("/")[0].startswith(".."):
            raise ValueError(f"invalid path {path!r}: must be relative and must not contain '..'")
    folder.mkdir(parents=True, exist_ok=True)
    if group is not None:
        files = {path: replace(file, mode=file.mode | 0o440) for path, file in files.items()}
    old = folder / os.readlink(folder / _DATA) if (folder / _DATA).is_symlink() else None
    if old is not None and _same(old, files):
        return False
    version = folder / f"..{chance.token_hex(6)}"
    for path, file in files.items():
        target = version / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(file.data)
        target.chmod(file.mode)
        if file.user is not None:
            os.chown(target, file.user, -1)
    version.mkdir(exist_ok=True)
    if group is not None:
        ownership.give(version, group, _READ_ONLY)
    _point(folder / _DATA, version.name)
    tops = {path.split("/")[0] for path in files}
    for top in tops:
        if not (folder / top).is_symlink():
            _point(folder / top, f"{_DATA}/{top}")
    for entry in folder.iterdir():
        if entry.name not in tops and not entry.name.startswith(".."):
            entry.unlink()
    if old is not None:
        shutil.rmtree(old, ignore_errors=True)
    return True


def _point(link: Path, target: str) -> None:
    temporary = link.with_name(f"..new-{link.name}")
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(target)
    os.replace(temporary, link)


def _same(version: Path, files: Mapping[str, File]) -> bool:
    present = {str(path.relative_to(version)): path for path in version.rglob("*") if path.is_file()}
    if present.keys() != files.keys():
        return False
    return all(
        present[path].read_bytes() == file.data and (present[path].stat().st_mode & 0o777) == file.mode
        for path, file in files.items()
    )
