"""Identifying processes, ending them, and reading how they ended. Used by the shim: the standard library only."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

_MARK = b"HOMEOSTAT_CONTAINER="


def start_ticks(pid: int) -> int:
    """When the process started, in clock ticks after boot (it distinguishes a process from a later one of the same ID);
    0 when there is none, or only its remains."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
    except OSError:
        return 0
    return 0 if fields[0] in (b"Z", b"X") else int(fields[19])


def exit_code_of(status: int) -> int:
    """A wait status as a container's exit code: 128 + the signal's number for a signal."""
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


def kill_group(pid: int, number: int) -> None:
    """Signal a process group that may be gone."""
    try:
        os.killpg(pid, number)
    except (ProcessLookupError, PermissionError):
        pass


def kill(pid: int) -> None:
    """SIGKILL to a process that may be gone."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def reap() -> Iterator[tuple[int, int]]:
    """The children that have ended, with their wait statuses; never waits for one."""
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if not pid:
            return
        yield pid, status


def mark_of(pid: int) -> str:
    """The container that a process's environment names; empty when it names none or cannot be read."""
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            words = file.read().split(b"\0")
    except OSError:
        return ""
    for word in words:
        if word.startswith(_MARK):
            return word[len(_MARK) :].decode(errors="replace")
    return ""


def children() -> list[int]:
    """This process's children, including those that are not reaped yet."""
    me = str(os.getpid()).encode()
    try:
        with open(f"/proc/self/task/{os.getpid()}/children", "rb") as file:
            return [int(word) for word in file.read().split()]
    except FileNotFoundError:
        pass  # a kernel without CONFIG_PROC_CHILDREN: look at every process
    found = []
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            with open(f"/proc/{entry}/stat", "rb") as file:
                if file.read().rpartition(b")")[2].split()[1] == me:
                    found.append(int(entry))
        except OSError:
            continue
    return found
