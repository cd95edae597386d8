"""Mounts that the node itself makes for pods: file systems in memory, and parts of volumes (subPath).

A part of a volume is opened step by step without following links, and what was opened is bound, so that a container
that swaps a folder for a link meanwhile gains nothing (pkg/volume/util/subpath). Raises OSError.
"""

from __future__ import annotations

import ctypes
import os
import stat
from pathlib import Path

_libc = ctypes.CDLL(None, use_errno=True)
_MS_BIND, _MNT_DETACH = 4096, 2
_SPACE = (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\"))


def make_tmpfs(folder: Path, size_bytes: int = 0) -> None:
    """A file system in memory at `folder`, which is made where it is missing; one that is there stays."""
    folder.mkdir(parents=True, exist_ok=True)
    if os.path.ismount(folder):
        return
    options = "mode=777" + (f",size={size_bytes}" if size_bytes else "")
    _mount("tmpfs", str(folder), "tmpfs", 0, options)


def bind_part(base: str, inside: str, place: Path) -> str:
    """What is at `inside` below `base`, bound at `place`; it is made as a folder where it is missing.

    Raises OSError also when it leads out of `base`."""
    if os.path.ismount(place):
        _unmount(str(place))
    descriptor = open_part(base, inside)
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            place.mkdir(exist_ok=True)
        else:
            place.touch()
        _mount(f"/proc/self/fd/{descriptor}", str(place), "", _MS_BIND, "")
    finally:
        os.close(descriptor)
    return str(place)


def open_part(base: str, inside: str) -> int:
    """A descriptor (O_PATH) of what is at `inside` below `base`, made as a folder like `base` where it is missing."""
    root = os.path.realpath(base)
    target = os.path.realpath(os.path.join(root, inside))
    if target != root and not target.startswith(root.rstrip("/") + "/"):
        raise OSError(f"subpath {inside!r} not within volume path {base!r}")
    steps = [step for step in target[len(root) :].split("/") if step]
    mode = stat.S_IMODE(os.stat(root).st_mode)
    at = os.open(root, os.O_PATH | os.O_CLOEXEC)
    for place, step in enumerate(steps):
        last = place == len(steps) - 1
        try:
            below = _open_step(step, at, mode, last=last)
        finally:
            os.close(at)
        at = below
    return at


def _open_step(step: str, at: int, mode: int, *, last: bool) -> int:
    flags = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC | (0 if last else os.O_DIRECTORY)
    try:
        found = os.open(step, flags, dir_fd=at)
    except FileNotFoundError:
        os.mkdir(step, dir_fd=at)
        os.chmod(step, mode, dir_fd=at)
        found = os.open(step, flags | os.O_DIRECTORY, dir_fd=at)
    if stat.S_ISLNK(os.fstat(found).st_mode):
        os.close(found)
        raise OSError(f"{step!r} has become a link")
    return found


def unmount_below(folder: Path) -> bool:
    """Take away all mounts at and below `folder`, the newest first; whether none is left."""
    for path in reversed(_mounts_below(folder)):
        _unmount(path)
    return not _mounts_below(folder)


def _mounts_below(folder: Path) -> list[str]:
    inside = os.path.realpath(folder)
    found = []
    with open("/proc/self/mountinfo") as lines:
        for line in lines:
            path = line.split(" ", 5)[4]
            for code, char in _SPACE:
                path = path.replace(code, char)
            if path == inside or path.startswith(inside + "/"):
                found.append(path)
    return found


def _mount(source: str, target: str, kind: str, flags: int, data: str) -> None:
    if _libc.mount(source.encode(), target.encode(), kind.encode(), flags, data.encode() or None) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"mount {target}: {os.strerror(number)}")


def _unmount(path: str) -> None:
    _libc.umount2(path.encode(), _MNT_DETACH)
