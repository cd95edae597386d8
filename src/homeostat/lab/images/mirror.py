"""A second containerd root with the content of a first one: by hard links where nothing is written in place.

Image blobs and the trees of committed snapshots are never written again: containerd adds files by renaming them into
place and removes them by unlinking, and overlayfs copies a file before a container changes it. So they are linked. What
containerd does write in place, its databases, is copied. Each root can go while the other lives on.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
from pathlib import Path

# The folders below which nothing is written in place.
_IMMUTABLE = ("blobs", "snapshots")
# What overlayfs works in while it is mounted: of mode 000, and recreated when it is missing.
_WORK = "/work/work"


# Below a root: the trees of overlayfs's snapshots. Their number is the first group.
SNAPSHOTS = "io.containerd.snapshotter.v1.overlayfs/snapshots"
_TREE = re.compile(rf"/{re.escape(SNAPSHOTS)}/(\d+)/fs$")


def mirror(source: Path, target: Path, *, layers: str = "") -> None:
    """Make `target`, which must not exist, a mirror of the containerd root `source`, in which nothing may run.

    Across file systems, where there are no links, files are copied. With `layers` the trees of overlayfs's snapshots,
    which are nearly all the files there are, are left out: links lead to them below that folder, by their number. It
    needs to exist only where containers run. Raises OSError.
    """
    _folder(str(source), str(target), layers, linked=source.name in _IMMUTABLE)


def _folder(source: str, target: str, layers: str, *, linked: bool) -> None:
    if layers and (tree := _TREE.search(source)):
        os.symlink(f"{layers}/{tree.group(1)}/fs", target)
        return
    seen = os.stat(source)
    os.mkdir(target)
    if source.endswith(_WORK):
        return
    with os.scandir(source) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                _folder(entry.path, f"{target}/{entry.name}", layers, linked=linked or entry.name in _IMMUTABLE)
            elif linked:
                linked = _link(entry.path, f"{target}/{entry.name}")
            else:
                _copy(entry.path, f"{target}/{entry.name}")
    # Last, as a folder may have a mode that forbids to write in it.
    _same_owner(seen, target)
    os.chmod(target, stat.S_IMODE(seen.st_mode))
    for name in os.listxattr(source):
        # An opaque folder hides what lower layers have in it (overlayfs).
        os.setxattr(target, name, os.getxattr(source, name))


def _link(source: str, target: str) -> bool:
    """Link a file; where that cannot be, copy it and return False, so that its neighbours are copied at once."""
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError:
        _copy(source, target)
        return False
    return True


def _copy(source: str, target: str) -> None:
    seen = os.lstat(source)
    if stat.S_ISLNK(seen.st_mode):
        os.symlink(os.readlink(source), target)
    elif stat.S_ISREG(seen.st_mode):
        shutil.copy2(source, target)
    elif stat.S_ISCHR(seen.st_mode):
        # A whiteout: what a layer takes away from those below it (overlayfs).
        os.mknod(target, seen.st_mode, seen.st_rdev)
    else:
        return  # a socket or a pipe: nothing of an image
    _same_owner(seen, target)


def _same_owner(seen: os.stat_result, target: str) -> None:
    if (seen.st_uid, seen.st_gid) != (os.geteuid(), os.getegid()):
        os.chown(target, seen.st_uid, seen.st_gid, follow_symlinks=False)
        if not stat.S_ISLNK(seen.st_mode):
            os.chmod(target, stat.S_IMODE(seen.st_mode))
