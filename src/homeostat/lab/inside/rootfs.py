"""A node's root: put together on a tmpfs in the node's own mount namespace, then made the root.

Programs and libraries are the host's, read-only; /etc, /var, /root and /home are the node's, on the host's disk; /run
and /tmp are in memory. After `enter` nothing else of the host can be seen.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from pathlib import Path

from homeostat.cluster import node_layout
from homeostat.cluster.node_layout import NodeFolder
from homeostat.kit import kernel

_QUIET = kernel.NOSUID | kernel.NODEV | kernel.NOEXEC


def enter(node: NodeFolder, needed: Iterable[str], tools: dict[str, str], layers: Path) -> None:
    """Move this process into the node's root. It has mount, network, PID and UTS namespaces of its own already.

    `needed` are folders of the host that must be there too (an interpreter, the program's source); `tools` are the
    scripts on the node's PATH; `layers` is what it shares with other nodes, if it is there. Raises OSError.
    """
    kernel.mount("", "/", "", kernel.REC | kernel.PRIVATE)
    stage = str(node.stage)
    node.stage.mkdir(exist_ok=True)
    kernel.mount("tmpfs", stage, "tmpfs", 0, "mode=755,size=64m")
    for name in node_layout.SHARED:
        _share(name, stage)
    for place, target, _ in node_layout.OWN:
        os.mkdir(stage + target)
        kernel.bind(str(node.own(place)), stage + target)
    for name in node_layout.ETC_SEEN:
        if _is_real_folder(f"/etc/{name}"):
            kernel.bind(f"/etc/{name}", _folder(stage, f"/etc/{name}"), read_only=True)
    # Before what may lie below it: a checkout in /tmp.
    _memory(stage)
    if layers.is_dir():
        kernel.bind(str(layers), _folder(stage, node_layout.LAYERS), read_only=True)
    bound: list[str] = []
    for path in sorted(needed):
        if not any(path.startswith(f"{above}/") for above in bound):
            os.makedirs(stage + path, exist_ok=True)
            kernel.bind(path, stage + path, read_only=True)
            bound.append(path)
    _put_tools(stage, tools)
    _devices(stage)
    kernel.mount("proc", _folder(stage, "/proc"), "proc", _QUIET)
    _sysfs(_folder(stage, "/sys"))
    # The container engine wants to see some; a node with control groups of its own gets a view of these alone.
    kernel.bind("/sys/fs/cgroup", stage + "/sys/fs/cgroup")
    for name in ("mnt", "srv", "media", "boot"):
        os.mkdir(f"{stage}/{name}")
    kernel.pivot(stage)
    # Containers may ask to see the mounts of their node, and to be seen with theirs.
    kernel.mount("", "/", "", kernel.REC | kernel.SHARED)


def needed_folders(paths: Iterable[str]) -> set[str]:
    """Those of `paths` that no shared folder holds already."""
    real = {os.path.realpath(path) for path in paths} | {os.path.abspath(path) for path in paths}
    return {path for path in real if path.split("/")[1] not in node_layout.SHARED}


def make_folders(node: NodeFolder) -> None:
    """Make what a node has on the host's disk."""
    for place, _, mode in node_layout.OWN:
        node.own(place).mkdir(parents=True, exist_ok=True)
        node.own(place).chmod(mode)
    for name in node_layout.VAR:
        (node.var / name).mkdir(parents=True, exist_ok=True)
    (node.var / "tmp").chmod(0o1777)
    run = node.var / "run"
    if not run.is_symlink():
        run.symlink_to("/run")


def _folder(stage: str, path: str) -> str:
    os.makedirs(stage + path, exist_ok=True)
    return stage + path


def _is_real_folder(path: str) -> bool:
    return os.path.isdir(path) and not os.path.islink(path)


def _share(name: str, stage: str) -> None:
    source, target = f"/{name}", f"{stage}/{name}"
    if os.path.islink(source):
        os.symlink(os.readlink(source), target)
    elif os.path.isdir(source):
        os.mkdir(target)
        kernel.bind(source, target, read_only=True)


def _put_tools(stage: str, tools: dict[str, str]) -> None:
    folder = Path(_folder(stage, node_layout.TOOLS))
    for name, text in tools.items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)


def _memory(stage: str) -> None:
    kernel.mount("tmpfs", _folder(stage, "/run"), "tmpfs", kernel.NOSUID | kernel.NODEV, "mode=755")
    kernel.mount("tmpfs", _folder(stage, "/tmp"), "tmpfs", kernel.NOSUID | kernel.NODEV, "mode=1777")
    for name in ("homeostat", "lock", "sshd", "netns", "containerd"):
        os.makedirs(f"{stage}/run/{name}", exist_ok=True)


def _devices(stage: str) -> None:
    dev = _folder(stage, "/dev")
    kernel.mount("tmpfs", dev, "tmpfs", kernel.NOSUID, "mode=755")
    for name in node_layout.DEVICES:
        source, target = f"/dev/{name}", f"{dev}/{name}"
        if os.path.exists(source) and stat.S_ISCHR(os.stat(source).st_mode):
            os.makedirs(os.path.dirname(target), exist_ok=True)
            os.close(os.open(target, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o666))
            kernel.bind(source, target)
    kernel.mount("devpts", _folder(stage, "/dev/pts"), "devpts", kernel.NOSUID, "newinstance,ptmxmode=0666,mode=620")
    os.symlink("pts/ptmx", f"{dev}/ptmx")
    kernel.mount("tmpfs", _folder(stage, "/dev/shm"), "tmpfs", kernel.NOSUID | kernel.NODEV, "mode=1777")
    kernel.mount("mqueue", _folder(stage, "/dev/mqueue"), "mqueue", _QUIET)
    for name, target in (("fd", "/proc/self/fd"), ("stdin", "fd/0"), ("stdout", "fd/1"), ("stderr", "fd/2")):
        os.symlink(target, f"{dev}/{name}")


def _sysfs(target: str) -> None:
    try:
        kernel.mount("sysfs", target, "sysfs", _QUIET)
    except PermissionError:
        # A user namespace inside a container sees only what its own sysfs shows.
        kernel.bind("/sys", target)
