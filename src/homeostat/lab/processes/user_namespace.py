"""A user namespace around a lab that an ordinary user starts: inside it that user is root, and only there.

Where `newuidmap` is installed and the user has ranges of subordinate IDs (/etc/subuid, /etc/subgid), containers have a
full set of users; otherwise there is only one, root.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

from homeostat.cluster.state_folder import remove
from homeostat.kit import kernel
from homeostat.kit.log import logger

_log = logger("lab")


def enter() -> None:
    """Move this process into a user namespace of its own, as root there. Raises OSError."""
    uid, gid = os.geteuid(), os.getegid()
    maps, wanted = _maps(uid), many_users()
    ready_read, ready_write = os.pipe2(os.O_CLOEXEC)
    mapper = _fork_mapper(ready_read, ready_write, maps, (uid, gid)) if wanted else 0
    kernel.unshare(kernel.NEWUSER)
    os.close(ready_write)
    mapped = bool(mapper) and os.waitstatus_to_exitcode(os.waitpid(mapper, 0)[1]) == 0
    os.close(ready_read)
    if not mapped:
        _log.info("containers have root as their only user: there is no newuidmap, or no range in /etc/subuid")
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"0 {uid} 1")
        Path("/proc/self/gid_map").write_text(f"0 {gid} 1")
    os.setresgid(0, 0, 0)
    os.setresuid(0, 0, 0)


def many_users() -> bool:
    """Whether this user's namespaces can have more users than one."""
    found = shutil.which("newuidmap") and shutil.which("newgidmap")
    return bool(found) and all(_maps(os.geteuid()).values())


def _maps(uid: int) -> dict[str, list[tuple[int, int]]]:
    return {"uid": _ranges(Path("/etc/subuid"), uid), "gid": _ranges(Path("/etc/subgid"), uid)}


def inside(work: Callable[[], None]) -> None:
    """Do `work` in a child that is in such a namespace: on files that belong to a lab's containers."""
    pid = os.fork()
    if pid:
        os.waitpid(pid, 0)
        return
    try:
        enter()
        work()
    except BaseException:  # noqa: BLE001 - the child of a fork must never return into its parent's work
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(0)


def forget(path: Path) -> None:
    """Remove a node's folder: an ordinary user's labs leave files in it that belong to users of containers."""
    if os.geteuid() and many_users():
        inside(lambda: remove(path))
    remove(path)


def _fork_mapper(
    ready_read: int, ready_write: int, maps: dict[str, list[tuple[int, int]]], own: tuple[int, int]
) -> int:
    """A child that stays outside and maps the IDs of this process when that has entered its namespace."""
    target = os.getpid()
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        os.close(ready_write)
        os.read(ready_read, 1)
        for kind, mine in zip(("uid", "gid"), own, strict=True):
            words, next_id = ["0", str(mine), "1"], 1
            for first, count in maps[kind]:
                words += [str(next_id), str(first), str(count)]
                next_id += count
            subprocess.run([f"new{kind}map", str(target), *words], check=True)
        code = 0
    except (OSError, subprocess.CalledProcessError) as error:
        _log.warning("subordinate IDs cannot be mapped: %s", error)
    finally:
        os._exit(code)


def _ranges(file: Path, uid: int) -> list[tuple[int, int]]:
    """The user's ranges of subordinate IDs: first and count."""
    try:
        lines = file.read_text().splitlines()
    except OSError:
        return []
    try:
        names = {str(uid), pwd.getpwuid(uid).pw_name}
    except KeyError:
        names = {str(uid)}
    found = []
    for line in lines:
        name, _, numbers = line.partition(":")
        first, _, count = numbers.partition(":")
        if name in names and first.isdigit() and count.isdigit():
            found.append((int(first), int(count)))
    return found
