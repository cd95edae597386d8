"""The cgroups of pods: made and limited before a pod's sandbox, removed after it, in both kinds of hierarchies.

    /kubepods/podUID              Guaranteed
    /kubepods/burstable/podUID    Burstable
    /kubepods/besteffort/podUID   BestEffort

In cgroup v1 each controller is a hierarchy of its own below `root`; in v2 there is one, and a controller has to be
enabled from the top down. Where the node may not write there (rootless without delegation) nothing is enforced, and
`available` says so. Rules: pkg/kubelet/cm (pod_container_manager_linux.go, qos_container_manager_linux.go).
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

from homeostat.kit.log import logger
from homeostat.node.isolation import figures
from homeostat.runtime.contract import Resources

_log = logger("kubelet.cgroups")
_TOP = "/kubepods"
_QUALITIES = ("burstable", "besteffort")
_V1_LIMITED = ("cpu", "memory", "pids")
_V2_CONTROLLERS = ("cpu", "memory", "pids", "io", "cpuset")


class Cgroups:
    """The node's cgroups below `root`."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self.unified = (root / "cgroup.controllers").is_file()
        self.available = False

    def start(self, cpu_shares: int = 0) -> bool:
        """Make the groups of the three qualities; whether pods can be limited on this node. All pods together count
        `cpu_shares` against what else the node runs (0: as much as one process)."""
        try:
            for path in (_TOP, *(f"{_TOP}/{quality}" for quality in _QUALITIES)):
                self._make(path)
            self._limit(_TOP, Resources(cpu_shares=cpu_shares))
            self._limit(f"{_TOP}/besteffort", Resources(cpu_shares=figures.SHARES_MIN))
            self.available = any(True for _ in self._folders(_TOP))
        except OSError as error:
            _log.info("cgroups cannot be written, limits are not enforced: %s", error)
            self.available = False
        return self.available

    def make(self, path: str, resources: Resources) -> None:
        """Make a pod's group, or bring its limits up to date. Raises OSError."""
        self._make(path)
        self._limit(path, resources)

    def share(self, quality: str, cpu_shares: int) -> None:
        """Give all pods of one quality their part of the CPU."""
        try:
            self._limit(f"{_TOP}/{quality}", Resources(cpu_shares=cpu_shares))
        except OSError as error:
            _log.debug("%s: %s", quality, error)

    def remove(self, path: str) -> bool:
        """Remove a pod's group, and what is left below it; whether it is gone. Processes in it are killed."""
        gone = True
        for folder in self._hierarchies():
            gone &= _remove(folder / path.lstrip("/"))
        return gone

    def pods(self) -> dict[str, str]:
        """The groups of pods that are there: the pod's UID to the path."""
        found = {}
        for folder in self._hierarchies():
            for place in (_TOP, *(f"{_TOP}/{quality}" for quality in _QUALITIES)):
                for entry in (folder / place.lstrip("/")).glob("pod*"):
                    found[entry.name.removeprefix("pod")] = f"{place}/{entry.name}"
        return found

    # -- inside ----------------------------------------------------------------------------------------------------

    def _hierarchies(self) -> list[Path]:
        if self.unified:
            return [self._root]
        return [entry for entry in self._root.iterdir() if entry.is_dir()] if self._root.is_dir() else []

    def _folders(self, path: str) -> Iterator[tuple[str, Path]]:
        """The folders of a group in the hierarchies that limit something."""
        if self.unified:
            yield "", self._root / path.lstrip("/")
            return
        for controller in _V1_LIMITED:
            if (self._root / controller).is_dir():
                yield controller, self._root / controller / path.lstrip("/")

    def _make(self, path: str) -> None:
        for _, folder in self._folders(path):
            folder.mkdir(parents=True, exist_ok=True)
            if self.unified:
                self._enable(folder.parent)

    def _enable(self, parent: Path) -> None:
        """Let the children of a v2 group have the controllers that it has."""
        present = _read(parent / "cgroup.controllers").split()
        enabled = _read(parent / "cgroup.subtree_control").split()
        for name in _V2_CONTROLLERS:
            if name in present and name not in enabled:
                _write(parent / "cgroup.subtree_control", f"+{name}")

    def _limit(self, path: str, wanted: Resources) -> None:
        for controller, folder in self._folders(path):
            for name, value in (_v2(wanted) if self.unified else _v1(controller, wanted)).items():
                if (folder / name).exists() and _read(folder / name).strip() != value:
                    _write(folder / name, value)


def _v1(controller: str, wanted: Resources) -> dict[str, str]:
    if controller == "cpu":
        result = {"cpu.shares": str(wanted.cpu_shares)} if wanted.cpu_shares else {}
        result["cpu.cfs_period_us"] = str(wanted.cpu_period or figures.PERIOD_MICROSECONDS)
        return result | {"cpu.cfs_quota_us": str(wanted.cpu_quota or -1)}
    if controller == "memory":
        return {"memory.limit_in_bytes": str(wanted.memory_limit_bytes or -1)}
    return {}


def _v2(wanted: Resources) -> dict[str, str]:
    result = {"cpu.weight": str(figures.weight(wanted.cpu_shares))} if wanted.cpu_shares else {}
    limit = str(wanted.cpu_quota) if wanted.cpu_quota else "max"
    result["cpu.max"] = f"{limit} {wanted.cpu_period or figures.PERIOD_MICROSECONDS}"
    return result | {"memory.max": str(wanted.memory_limit_bytes or "max")}


def _remove(folder: Path) -> bool:
    """Remove a group from the bottom up."""
    if not folder.is_dir():
        return True
    for below in sorted((p for p in folder.rglob("*") if p.is_dir()), reverse=True):
        _remove_one(below)
    return _remove_one(folder)


def _remove_one(folder: Path) -> bool:
    for word in _read(folder / "cgroup.procs").split():
        try:
            os.kill(int(word), signal.SIGKILL)
        except ProcessLookupError:
            continue
    try:
        folder.rmdir()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""


def _write(path: Path, value: str) -> None:
    # One write, no creation: these files are the kernel's.
    descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(descriptor, value.encode())
    finally:
        os.close(descriptor)
