"""Control groups of a lab: one tree for each of its nodes, which the node sees as the whole.

On a machine with the first version of cgroups each controller has a hierarchy of its own; with the second there is one.
Where this user may not make any, nodes have none: containers run without limits, and `Groups.note` says so.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from homeostat.kit import kernel, machine_clock
from homeostat.runtime.children.processes import start_ticks

ROOT = "/sys/fs/cgroup"
_REMOVE_SECONDS = 10.0
_LOOK_SECONDS = 0.02
_LEAF = "init.scope"
# As much as twenty processes: in the first version 1024 are one, in the second 100.
_WEIGHTS = {"cpu.shares": "20480", "cpu.weight": "2000"}


@dataclass(frozen=True, slots=True)
class Hierarchy:
    """One mounted hierarchy: `controllers` as in its mount options (empty: the second version), `base` the folder in
    which groups may be made, `mount` its mount point."""

    controllers: str
    mount: str
    base: str

    @property
    def name(self) -> str:
        """The mount point's name below /sys/fs/cgroup; empty for the second version."""
        return os.path.relpath(self.mount, ROOT) if self.controllers else ""


@dataclass(frozen=True, slots=True)
class Groups:
    """The control groups of one cluster: a folder called `name` in every hierarchy."""

    name: str
    hierarchies: tuple[Hierarchy, ...]
    note: str = ""

    def make(self, node: str) -> None:
        """Make a node's groups. Raises OSError."""
        for hierarchy in self.hierarchies:
            folder = Path(hierarchy.base, self.name, node)
            folder.mkdir(parents=True, exist_ok=True)
            if not hierarchy.controllers:
                _delegate(Path(hierarchy.base), folder)
            elif "cpuset" in hierarchy.controllers:
                _inherit_cpuset(folder)
            _weigh(folder.parent)

    def join(self, node: str, pid: int) -> None:
        """Move a process into a node's groups, for the second version into a leaf: processes and subgroups exclude one
        another. Raises OSError."""
        for hierarchy in self.hierarchies:
            folder = Path(hierarchy.base, self.name, node)
            (folder / "cgroup.procs").write_text(str(pid))

    def remove(self, node: str = "") -> bool:
        """Remove a node's groups, or the cluster's, as far as nothing runs in them; whether they are gone."""
        return all(_remove(Path(h.base, self.name, node)) for h in self.hierarchies)

    def remove_soon(self, node: str = "") -> bool:
        """Wait for what is ending there, within a bound, and remove them; whether they are gone."""
        deadline = machine_clock.monotonic() + _REMOVE_SECONDS
        while not self.remove(node):
            if machine_clock.monotonic() > deadline:
                return False
            machine_clock.pause(_LOOK_SECONDS)
        return True


def find(name: str) -> Groups:
    """The hierarchies in which this user can make groups called `name`."""
    found = tuple(h for h in hierarchies(_lines("/proc/self/mountinfo"), _lines("/proc/self/cgroup")) if _usable(h))
    if any(not h.controllers or "memory" in h.controllers for h in found):
        return Groups(name, found)
    return Groups(name, (), "this user may make no control groups: limits of containers are not enforced")


def hierarchies(mountinfo: Iterable[str], own: Iterable[str]) -> list[Hierarchy]:
    """Every hierarchy below /sys/fs/cgroup, from the lines of /proc/self/mountinfo and /proc/self/cgroup. Pure.

    A group is made inside the one that this process is in, as it may be limited; the second version's at the top of
    what is mounted, since a group with processes may have no controllers for its children.
    """
    where = {}
    for line in own:
        _, controllers, path = line.rstrip("\n").split(":", 2)
        where[controllers] = path
    found = []
    for line in mountinfo:
        left, _, right = line.partition(" - ")
        root, mount = left.split()[3:5]
        kind, _, options = right.split()[:3]
        if not mount.startswith(ROOT):
            continue
        if kind == "cgroup2":
            found.append(Hierarchy("", mount, mount))
        elif kind == "cgroup":
            words = options.split(",")
            controllers = next((key for key in where if key and all(word in words for word in key.split(","))), "")
            if controllers:
                inside = os.path.relpath(where[controllers], root) if where[controllers].startswith(root) else "."
                found.append(Hierarchy(controllers, mount, os.path.normpath(os.path.join(mount, inside))))
    legacy = any(h.controllers and "memory" in h.controllers for h in found)
    return [h for h in found if h.controllers or not legacy]


def mount_inside(groups: Groups, *, unified: bool) -> None:
    """Mount the node's own view, in its mount and cgroup namespaces. Raises OSError."""
    if unified:
        kernel.mount("cgroup2", ROOT, "cgroup2", kernel.NOSUID | kernel.NODEV | kernel.NOEXEC)
        return
    kernel.mount("tmpfs", ROOT, "tmpfs", kernel.NOSUID | kernel.NODEV | kernel.NOEXEC, "mode=755")
    for hierarchy in groups.hierarchies:
        target = f"{ROOT}/{hierarchy.name}"
        os.makedirs(target, exist_ok=True)
        kernel.mount("cgroup", target, "cgroup", kernel.NOSUID | kernel.NODEV | kernel.NOEXEC, hierarchy.controllers)
        for alias in hierarchy.controllers.split(","):
            if "=" not in alias and alias != hierarchy.name:
                os.symlink(hierarchy.name, f"{ROOT}/{alias}")


def leave_root() -> None:
    """In a node with the second version: move all processes into a leaf, so that other groups can have controllers."""
    leaf = Path(ROOT, _LEAF)
    leaf.mkdir(exist_ok=True)
    for pid in Path(ROOT, "cgroup.procs").read_text().split():
        with suppress(OSError):
            (leaf / "cgroup.procs").write_text(pid)
    _enable(Path(ROOT))


def stale(name: str) -> list[Groups]:
    """Groups of former runs of the cluster (`name`-PID) whose supervisor is gone."""
    found = {}
    for hierarchy in find(name).hierarchies:
        for entry in Path(hierarchy.base).glob(f"{name}-*"):
            pid = entry.name.rpartition("-")[2]
            if pid.isdigit() and entry.name == f"{name}-{pid}" and not start_ticks(int(pid)):
                found[entry.name] = find(entry.name)
    return list(found.values())


def _lines(path: str) -> list[str]:
    try:
        with open(path) as file:
            return file.readlines()
    except OSError:
        return []


def _usable(hierarchy: Hierarchy) -> bool:
    return os.access(hierarchy.base, os.W_OK)


def _weigh(folder: Path) -> None:
    """To the kernel's scheduler a group is one among the host's processes: a whole cluster gets a larger share."""
    for name, weight in _WEIGHTS.items():
        with suppress(OSError):
            if (folder / name).exists():
                (folder / name).write_text(weight)


def _inherit_cpuset(folder: Path) -> None:
    for place in (folder.parent, folder):
        for name in ("cpuset.cpus", "cpuset.mems"):
            if not (place / name).read_text().strip():
                (place / name).write_text((place.parent / name).read_text())


def _delegate(base: Path, folder: Path) -> None:
    for place in (base, folder.parent):
        _enable(place)


def _enable(place: Path) -> None:
    wanted = (place / "cgroup.controllers").read_text().split()
    for controller in wanted:
        with suppress(OSError):
            (place / "cgroup.subtree_control").write_text(f"+{controller}")


def _remove(folder: Path) -> bool:
    for place, _, _ in os.walk(folder, topdown=False):
        with suppress(OSError):
            os.rmdir(place)
    return not folder.exists()
