"""A container's own view of the file system: the host's, with the container's mounts at their paths.

In a mount namespace of its own (with a user namespace around it, when not root) the process gets a new root: a small
tmpfs whose entries are bound to the host's, so that paths which the host lacks can be made in it. A folder deeper down
in which something must be made (`/etc` for `/etc/app`) gets an overlay in memory, or is treated like the root where it
holds mounts. `/dev` then has the standard devices only. So `/etc/app` of a volume mount is `/etc/app` for the command,
and nothing on the host changes. New files beside such mount points are in memory and go with the container; all other
writes reach the host, for this is a view and no jail.

Used by the shim in the forked child: no imports beyond what the shim has.
"""

from __future__ import annotations

import ctypes
import os
import stat
from collections.abc import Sequence

_libc = ctypes.CDLL(None, use_errno=True)

_CLONE_NEWNS, _CLONE_NEWUSER = 0x00020000, 0x10000000
_MS_RDONLY, _MS_REMOUNT, _MS_BIND, _MS_REC = 1, 32, 4096, 16384
_MS_UNBINDABLE, _MS_PRIVATE = 1 << 17, 1 << 18
# Flags that a remount inside a user namespace must not drop (statvfs has the same numbers for these).
_KEPT_FLAGS = 2 | 4 | 8 | 1024 | 2048
# What a container's /dev has (OCI runtime specification, "Default Devices"), with the host's places for the rest.
_DEVICES = frozenset(
    (
        "null",
        "zero",
        "full",
        "random",
        "urandom",
        "tty",
        "ptmx",
        "pts",
        "shm",
        "mqueue",
        "fd",
        "stdin",
        "stdout",
        "stderr",
    )
)


class ViewError(OSError):
    """The view cannot be made; the message says which step failed."""


def enter(stage: str, mounts: Sequence[tuple[str, str, bool]], folders: Sequence[str]) -> None:
    """Move this process into the view. `stage` is an empty folder to build it on; `mounts` are (source, target,
    read-only); `folders` must exist in it. Raises ViewError. Call it in a process of one thread."""
    _own_namespaces()
    _mount("", "/", "", _MS_REC | _MS_PRIVATE)
    layers = _hidden_tmpfs(stage)
    _mount("tmpfs", stage, "tmpfs", 0, "mode=755")
    # Else the host's folder that holds the stage would be bound with the stage in it.
    _mount("", stage, "", _MS_UNBINDABLE)
    view = _View(stage, layers)
    for source, target, read_only in sorted(mounts, key=lambda mount: mount[1].count("/")):
        view.add(source, target, read_only=read_only)
    for folder in folders:
        view.make(os.path.realpath(folder), is_folder=True)
    os.close(layers)
    os.chdir(stage)
    os.chroot(".")
    os.chdir("/")


def join(pid: int) -> None:
    """Move this process into the view that process `pid` has. Raises OSError."""
    root = os.open(f"/proc/{pid}/root", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    if os.geteuid() != 0:
        user = os.open(f"/proc/{pid}/ns/user", os.O_RDONLY | os.O_CLOEXEC)
        if _libc.setns(user, _CLONE_NEWUSER):
            raise ViewError(ctypes.get_errno(), "joining the container's user namespace")
        os.close(user)
    os.fchdir(root)
    os.chroot(".")
    os.close(root)


def possible(stage: str) -> bool:
    """Whether this kernel lets this user make views: tried once, in a child process."""
    pid = os.fork()
    if not pid:
        code = 1
        try:
            enter(stage, [(os.devnull, "/homeostat-probe/x", False)], [])
            code = 0
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


class _View:
    """The tree under construction; `_opened` are host folders that were replaced by a tmpfs of bound entries."""

    def __init__(self, stage: str, layers: int) -> None:
        self._stage = stage
        self._layers = layers
        self._opened: set[str] = set()
        self._own: list[str] = []
        self._points = _mount_points()
        self._bind_entries("/")
        self._opened.add("/")

    def add(self, source: str, target: str, *, read_only: bool) -> None:
        """Bind `source` at `target`."""
        path = os.path.realpath(target)
        self.make(path, is_folder=os.path.isdir(source))
        _mount(source, self._stage + path, "", _MS_BIND | _MS_REC)
        if read_only:
            kept = os.statvfs(self._stage + path).f_flag & _KEPT_FLAGS
            _mount("", self._stage + path, "", _MS_BIND | _MS_REMOUNT | _MS_RDONLY | kept)
        self._own.append(path)

    def make(self, path: str, *, is_folder: bool) -> None:
        """Make `path` (without links in it) if it is not there."""
        parent = ""
        names = [name for name in path.split("/") if name]
        for place, name in enumerate(names):
            current = f"{parent}/{name}"
            if not os.path.lexists(self._stage + current):
                if not self._is_own(parent or "/"):
                    self._open(parent or "/")
                if is_folder or place < len(names) - 1:
                    os.mkdir(self._stage + current, 0o755)
                else:
                    _touch(self._stage + current)
                self._own.append(current)
            parent = current

    def _is_own(self, path: str) -> bool:
        """Whether entries may be made in `path`: it is part of a mount, or was made here."""
        return path in self._opened or any(path == own or path.startswith(own + "/") for own in self._own)

    def _open(self, folder: str) -> None:
        """Make a folder of the host one in which entries can be made."""
        holds_mounts = any(point.startswith(folder + "/") for point in self._points)
        if folder == "/dev" or holds_mounts or not self._overlay(folder):
            mode = stat.S_IMODE(os.stat(folder).st_mode)
            _mount("tmpfs", self._stage + folder, "tmpfs", 0, f"mode={mode:o}")
            self._bind_entries(folder, _DEVICES if folder == "/dev" else None)
        self._opened.add(folder)

    def _overlay(self, folder: str) -> bool:
        """Mount a folder in memory over the host's; False where the kernel does not let us."""
        here = f"/proc/self/fd/{self._layers}/{len(self._opened)}"
        os.makedirs(f"{here}/upper")
        os.mkdir(f"{here}/work")
        if any(mark in folder for mark in ",:\\"):
            return False  # characters that mean something in the mount's options
        options = f"lowerdir={folder},upperdir={here}/upper,workdir={here}/work"
        try:
            _mount("overlay", self._stage + folder, "overlay", 0, options)
        except ViewError:
            return False
        os.chmod(self._stage + folder, stat.S_IMODE(os.stat(folder).st_mode))
        return True

    def _bind_entries(self, folder: str, only: frozenset[str] | None = None) -> None:
        for entry in os.scandir(folder):
            if only is not None and entry.name not in only:
                continue
            try:
                _reproduce(entry, f"{self._stage}{folder.rstrip('/')}/{entry.name}")
            except OSError:
                continue  # what this user may not even look at stays out of the view


def _hidden_tmpfs(stage: str) -> int:
    """A tmpfs for the overlays' layers, reachable by the returned descriptor only once the stage covers it."""
    _mount("tmpfs", stage, "tmpfs", 0, "mode=700")
    return os.open(stage, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)


def _mount_points() -> list[str]:
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
        return [line.split(" ")[4] for line in file]


def _reproduce(entry: os.DirEntry[str], place: str) -> None:
    if entry.is_symlink():
        os.symlink(os.readlink(entry.path), place)
        return
    if entry.is_dir():
        os.mkdir(place, 0o755)
    else:
        _touch(place)
    _mount(entry.path, place, "", _MS_BIND | _MS_REC)


def _touch(path: str) -> None:
    os.close(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o644))


def _own_namespaces() -> None:
    user, group = os.geteuid(), os.getegid()
    if _libc.unshare(_CLONE_NEWNS if user == 0 else _CLONE_NEWNS | _CLONE_NEWUSER):
        raise ViewError(ctypes.get_errno(), "making a mount namespace")
    if user != 0:
        # The same user and group inside, and no others.
        for name, text in (("setgroups", "deny"), ("uid_map", f"{user} {user} 1"), ("gid_map", f"{group} {group} 1")):
            with open(f"/proc/self/{name}", "w") as file:
                file.write(text)


def _mount(source: str, target: str, kind: str, flags: int, data: str = "") -> None:
    if _libc.mount(source.encode(), target.encode(), kind.encode(), flags, data.encode()):
        number = ctypes.get_errno()
        raise ViewError(number, f"mounting {target}: {os.strerror(number)}")
