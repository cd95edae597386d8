"""A pod's volumes and other files on the node: made, kept current, and removed.

    ROOT/pods/UID/volumes/NAME              emptyDir, and the files of configMap, secret, downwardAPI and projected
    ROOT/pods/UID/termination/NAME/ATTEMPT  what a container may write about its end
    ROOT/pods/UID/hosts                     the pod's /etc/hosts, where the runtime isolates
    ROOT/pods/UID/parts/NAME/NUMBER         a part of a volume (subPath), where the runtime isolates
    LOGS/NS_NAME_UID/NAME/ATTEMPT.log       the containers' logs

Where the runtime isolates, secrets and tokens are in memory, as is an emptyDir of that medium, and volumes belong to
the pod's fsGroup. Volumes of other types are refused by name.
"""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Callable, Mapping
from pathlib import Path

from homeostat.api import meta, quantity
from homeostat.api.types import Obj
from homeostat.node.isolation import figures, mounting, ownership
from homeostat.node.podspec import spec
from homeostat.node.podspec.downward import ConfigError, Surroundings
from homeostat.node.podspec.env import Sources
from homeostat.node.podspec.node_config import NodeConfig
from homeostat.node.volumes import atomicdir, payload
from homeostat.node.volumes.payload import TokenProjection

TERMINATION_BYTES_MAX = 4096
_IN_MEMORY = ("secret", "projected")
# Any user of the pod may write into its own volumes and its termination message.
_FOLDER_MODE, _FILE_MODE = 0o777, 0o666


class VolumeError(Exception):
    """One volume cannot be set up; the message is that of the FailedMount event."""

    def __init__(self, volume: str, message: str) -> None:
        super().__init__(f'MountVolume.SetUp failed for volume "{volume}" : {message}')


class PodFiles:
    """The files of one pod; `isolates`: its containers run as users of their own and see mounts of their own."""

    def __init__(self, config: NodeConfig, pod: Obj, *, isolates: bool = False) -> None:
        uid = meta.uid(pod)
        self.folder = config.root / "pods" / uid
        self.logs = config.logs / f"{meta.namespace(pod)}_{meta.name(pod)}_{uid}"
        self._isolates = isolates

    def make_volumes(
        self, pod: Obj, sources: Sources, tokens: Mapping[TokenProjection, str], around: Surroundings
    ) -> None:
        """Make what is missing and renew what has changed. Raises VolumeError."""
        group = spec.fs_group(pod) if self._isolates else None
        for volume in spec.spec(pod).get("volumes") or []:
            kind, name = payload.volume_type(volume), volume["name"]
            try:
                if kind == "emptyDir":
                    self._make_empty(pod, volume, group)
                elif kind == "hostPath":
                    _check_host_path(volume["hostPath"])
                elif kind in payload.FILES:
                    if self._isolates and kind in _IN_MEMORY:
                        mounting.make_tmpfs(self.volume(name))
                    atomicdir.write(self.volume(name), payload.files(pod, volume, sources, tokens, around), group)
                else:
                    raise VolumeError(name, f"volumes of type {kind} are not supported by this node")
            except (ConfigError, OSError, ValueError) as error:
                raise VolumeError(name, str(error)) from error

    def _make_empty(self, pod: Obj, volume: Obj, group: int | None) -> None:
        folder, wanted = self.volume(volume["name"]), volume.get("emptyDir") or {}
        memory = self._isolates and wanted.get("medium") == "Memory"
        if folder.is_dir() and (not memory or os.path.ismount(folder)):
            return
        if memory:
            mounting.make_tmpfs(folder, memory_size(pod, wanted))
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(_FOLDER_MODE)
        if group is not None:
            ownership.give(folder, group)

    def volume(self, name: str) -> Path:
        """Where a volume of the pod is."""
        return self.folder / "volumes" / name

    def part(self, container: str, number: int) -> Path:
        """Where a part of a volume is bound for a container's mount of that number."""
        return self.folder / "parts" / container / str(number)

    def hosts(self, text: str) -> str:
        """The pod's hosts file, with this content."""
        path = self.folder / "hosts"
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists() or path.read_text() != text:
            path.write_text(text)
            path.chmod(0o644)
        return str(path)

    def log_path(self, container_name: str, attempt: int) -> str:
        """The log file of one instance of a container."""
        return str(self.logs / container_name / f"{attempt}.log")

    def termination_file(self, name: str, attempt: int) -> str:
        """A new, empty file for what an instance of a container says about its end."""
        path = self._termination(name, attempt)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
        path.chmod(_FILE_MODE)
        return str(path)

    def termination_message(self, name: str, attempt: int) -> str:
        """What an instance of a container wrote about its end."""
        try:
            with self._termination(name, attempt).open("rb") as file:
                return file.read(TERMINATION_BYTES_MAX).decode("utf-8", "replace")
        except OSError:
            return ""

    def prune(self, container_name: str, kept: set[int]) -> None:
        """Drop the logs and termination messages of instances that are not `kept`."""
        for folder in (self.logs / container_name, self.folder / "termination" / container_name):
            for entry in folder.iterdir() if folder.is_dir() else ():
                attempt = entry.name.split(".", 1)[0]
                if attempt.isdecimal() and int(attempt) not in kept:
                    entry.unlink(missing_ok=True)

    def remove(self) -> bool:
        """Remove volumes and logs; whether they are gone. What is mounted stays, so that nothing is deleted through
        a mount."""
        if self._isolates and self.folder.is_dir() and not mounting.unmount_below(self.folder):
            return False
        for folder in (self.folder, self.logs):
            shutil.rmtree(folder, ignore_errors=True)
        return True

    def _termination(self, name: str, attempt: int) -> Path:
        return self.folder / "termination" / name / str(attempt)


def memory_size(pod: Obj, wanted: Obj) -> int:
    """The size of an emptyDir in memory: its limit or the pod's, whichever is less; 0: the kernel's own."""
    limits = [figures.pod_amount(pod).memory_limit]
    if wanted.get("sizeLimit") is not None:
        limits.append(quantity.of(wanted["sizeLimit"]).value)
    return min((limit for limit in limits if limit), default=0)


_TYPE_CHECKS: dict[str, tuple[Callable[[int], bool], str]] = {
    "Directory": (stat.S_ISDIR, "a directory"),
    "File": (stat.S_ISREG, "a file"),
    "Socket": (stat.S_ISSOCK, "a socket file"),
    "CharDevice": (stat.S_ISCHR, "a character device"),
    "BlockDevice": (stat.S_ISBLK, "a block device"),
}


def _check_host_path(source: Obj) -> None:
    path, wanted = source["path"], source.get("type") or ""
    if wanted in ("DirectoryOrCreate", "FileOrCreate"):
        if not os.path.exists(path):
            if wanted == "DirectoryOrCreate":
                os.makedirs(path, mode=0o755)
            else:
                os.close(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o644))
        wanted = wanted.removesuffix("OrCreate")
    if not wanted:
        return
    check, words = _TYPE_CHECKS.get(wanted, (lambda mode: False, f"of the known types, {wanted}"))
    if not os.path.exists(path) or not check(os.stat(path).st_mode):
        raise OSError(f"hostPath type check failed: {path} is not {words}")


def referred(pod: Obj) -> list[tuple[str, str]]:
    """The ConfigMaps and Secrets that the pod's volumes show."""
    return [ref for volume in spec.spec(pod).get("volumes") or [] for ref in payload.references(volume)]


def token_projections(pod: Obj) -> list[TokenProjection]:
    """The tokens that the pod's volumes show."""
    return [
        projection for volume in spec.spec(pod).get("volumes") or [] for projection in payload.token_projections(volume)
    ]
