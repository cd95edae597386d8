"""What the node has left: memory, disk, inodes and process IDs, as the kernel reports them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from homeostat.kit import clock
from homeostat.node.housekeeping.eviction import Signal

_MEMINFO, _LOADAVG, _PID_MAX = Path("/proc/meminfo"), Path("/proc/loadavg"), Path("/proc/sys/kernel/pid_max")


def read(root: Path, image_root: Path) -> Mapping[str, Signal]:
    """The signals by Kubernetes' names. What cannot be read is left out."""
    found: dict[str, Signal] = {}
    try:
        found["memory.available"] = _memory(_MEMINFO.read_text())
        found["pid.available"] = _processes(_LOADAVG.read_text(), _PID_MAX.read_text())
    except (OSError, ValueError, KeyError, IndexError):
        pass
    for name, folder in (("nodefs", root), ("imagefs", image_root)):
        try:
            disk = os.statvfs(folder)
        except OSError:
            continue
        found[f"{name}.available"] = Signal(disk.f_bavail * disk.f_frsize, disk.f_blocks * disk.f_frsize)
        if disk.f_files:
            found[f"{name}.inodesFree"] = Signal(disk.f_favail, disk.f_files)
    return found


def _memory(text: str) -> Signal:
    amounts = {line.split(":")[0]: int(line.split()[1]) << 10 for line in text.splitlines() if line.endswith("kB")}
    return Signal(amounts["MemAvailable"], amounts["MemTotal"])


def _processes(load: str, most: str) -> Signal:
    running = int(load.split()[3].partition("/")[2])
    return Signal(max(int(most) - running, 0), int(most))


async def folder_bytes(folder: Path) -> int:
    """What the files below a folder take on the disk; links and mounts of others are not followed.

    Other work runs between one folder and the next."""
    total = 0
    try:
        device = os.lstat(folder).st_dev
    except OSError:
        return 0
    for path, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if _device(os.path.join(path, name)) == device]
        for name in files:
            try:
                total += os.lstat(os.path.join(path, name)).st_blocks * 512
            except OSError:
                continue
        await clock.sleep(0)
    return total


def _device(path: str) -> int:
    try:
        return os.lstat(path).st_dev
    except OSError:
        return -1
