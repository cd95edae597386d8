"""Linux's calls for namespaces and mounts, which Python 3.11 does not have. Each raises OSError with what it was about.

Call them in a process of one thread: namespaces belong to threads.
"""

from __future__ import annotations

import ctypes
import os

_libc = ctypes.CDLL(None, use_errno=True)

NEWNS, NEWCGROUP, NEWUTS, NEWIPC = 0x00020000, 0x02000000, 0x04000000, 0x08000000
NEWUSER, NEWPID, NEWNET = 0x10000000, 0x20000000, 0x40000000

RDONLY, NOSUID, NODEV, NOEXEC, REMOUNT = 1, 2, 4, 8, 32
# These have the same numbers in statvfs.
_KEPT = NOSUID | NODEV | NOEXEC | 1024 | 2048
BIND, REC = 4096, 16384
PRIVATE, SLAVE, SHARED = 1 << 18, 1 << 19, 1 << 20
_DETACH = 2
_SET_PDEATHSIG, _SET_NAME, _SET_CHILD_SUBREAPER = 1, 15, 36
# pivot_root has no wrapper in the C library; its number by machine.
_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}


def _check(result: int, about: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{about}: {os.strerror(number)}")


def unshare(flags: int) -> None:
    """Leave the namespaces of `flags` for new ones (with NEWPID: for the next child)."""
    _check(_libc.unshare(flags), f"unshare({flags:#x})")


def setns(descriptor: int, kind: int) -> None:
    """Enter the namespace of type `kind` (a NEW* flag) that `descriptor` refers to."""
    _check(_libc.setns(descriptor, kind), f"setns({kind:#x})")


def mount(source: str, target: str, kind: str = "", flags: int = 0, data: str = "") -> None:
    """mount(2)."""
    words = [word.encode() for word in (source, target, kind, data)]
    _check(_libc.mount(words[0], words[1], words[2], flags, words[3] or None), f"mount {kind or source} on {target}")


def bind(source: str, target: str, *, read_only: bool = False, recursive: bool = True) -> None:
    """Show `source` at `target` as well."""
    mount(source, target, "", BIND | (REC if recursive else 0))
    if read_only:
        # A remount inside a user namespace must not drop flags that the host has set.
        kept = os.statvfs(target).f_flag & _KEPT
        mount("", target, "", BIND | REMOUNT | RDONLY | kept)


def unmount(target: str) -> None:
    """Detach a mount and all below it."""
    _check(_libc.umount2(target.encode(), _DETACH), f"umount {target}")


def pivot(new_root: str) -> None:
    """Make the mount `new_root` the root, and detach the old one."""
    number = _PIVOT_ROOT[os.uname().machine]
    os.chdir(new_root)
    _check(_libc.syscall(number, b".", b"."), f"pivot_root {new_root}")
    unmount(".")
    os.chdir("/")


def set_hostname(name: str) -> None:
    """This UTS namespace's host name."""
    data = name.encode()
    _check(_libc.sethostname(data, len(data)), f"sethostname {name}")


def die_with_parent(number: int) -> None:
    """Have the kernel send signal `number` to this process when its parent ends."""
    _check(_libc.prctl(_SET_PDEATHSIG, int(number), 0, 0, 0), "prctl(PR_SET_PDEATHSIG)")


def set_name(name: str) -> None:
    """The name that `ps -o comm` and `top` show, at most 15 characters."""
    _check(_libc.prctl(_SET_NAME, name.encode()[:15], 0, 0, 0), "prctl(PR_SET_NAME)")
