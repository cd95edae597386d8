"""A pod's volumes and other files on the node: made, kept current, mapped to mounts, and removed.

    ROOT/pods/UID/volumes/NAME      emptyDir, and the files of configMap, secret, downwardAPI and projected volumes
    ROOT/pods/UID/termination/NAME  what a container may write about its end
    ROOT/logs/NS_NAME_UID/...       the containers' logs

Volumes of other types are refused by name. Sizes and media of emptyDir are not enforced.
"""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Callable, Mapping
from pathlib import Path

from homeostat.api import meta
from homeostat.api.types import Obj
from homeostat.node import atomicdir, env, payload, spec
from homeostat.node.downward import ConfigError, Surroundings
from homeostat.node.env import Sources
from homeostat.node.payload import TokenWish
from homeostat.runtime.contract import Mount

TERMINATION_LOG = "/dev/termination-log"
TERMINATION_BYTES_MAX = 4096


class VolumeError(Exception):
    """One volume cannot be had; the message is that of the FailedMount event."""

    def __init__(self, volume: str, message: str) -> None:
        super().__init__(f'MountVolume.SetUp failed for volume "{volume}" : {message}')


class PodFiles:
    """The files of one pod under the node's `root`."""

    def __init__(self, root: Path, pod: Obj) -> None:
        uid = meta.uid(pod)
        self._folder = root / "pods" / uid
        self._logs = root / "logs" / f"{meta.namespace(pod)}_{meta.name(pod)}_{uid}"

    def make_volumes(self, pod: Obj, sources: Sources, tokens: Mapping[TokenWish, str], around: Surroundings) -> None:
        """Make what is missing and renew what has changed. Raises VolumeError."""
        for volume in spec.spec(pod).get("volumes") or []:
            kind, name = payload.volume_type(volume), volume["name"]
            try:
                if kind == "emptyDir":
                    self._volume(name).mkdir(parents=True, exist_ok=True)
                elif kind == "hostPath":
                    _check_host_path(volume["hostPath"])
                elif kind in payload.FILES:
                    atomicdir.write(self._volume(name), payload.files(pod, volume, sources, tokens, around))
                else:
                    raise VolumeError(name, f"volumes of type {kind} are not supported by this node")
            except (ConfigError, OSError, ValueError) as error:
                raise VolumeError(name, str(error)) from error

    def mounts(self, pod: Obj, container: Obj, variables: Mapping[str, str]) -> tuple[Mount, ...]:
        """The container's mounts, its termination log among them. Raises ConfigError."""
        volumes = {volume["name"]: volume for volume in spec.spec(pod).get("volumes") or []}
        result = []
        for mount in container.get("volumeMounts") or []:
            volume = volumes.get(mount["name"])
            if volume is None:
                raise ConfigError(f'volume "{mount["name"]}" not found')
            base = (volume.get("hostPath") or {}).get("path") or str(self._volume(mount["name"]))
            inside = mount.get("subPath") or env.expand_all(mount.get("subPathExpr") or "", variables)
            if ".." in inside.split("/") or inside.startswith("/"):
                raise ConfigError(f"invalid subPath {inside!r}: must be relative and must not contain '..'")
            host_path = os.path.join(base, inside) if inside else base
            if inside and not os.path.exists(host_path):
                os.makedirs(host_path, exist_ok=True)
            result.append(Mount(mount["mountPath"], host_path, bool(mount.get("readOnly"))))
        own = container.get("terminationMessagePath") or TERMINATION_LOG
        result.append(Mount(own, self._termination(container), optional=own == TERMINATION_LOG))
        return tuple(result)

    def log_path(self, container_name: str, attempt: int) -> str:
        """The log file of one instance of a container."""
        return str(self._logs / container_name / f"{attempt}.log")

    def termination_message(self, container: Obj) -> str:
        """What the container wrote about its end."""
        try:
            with open(self._termination(container, make=False), "rb") as file:
                return file.read(TERMINATION_BYTES_MAX).decode("utf-8", "replace")
        except OSError:
            return ""

    def prune_logs(self, container_name: str, kept: set[int]) -> None:
        """Drop the logs of instances that are not `kept`."""
        folder = self._logs / container_name
        for entry in folder.iterdir() if folder.is_dir() else ():
            attempt = entry.name.split(".", 1)[0]
            if attempt.isdecimal() and int(attempt) not in kept:
                entry.unlink(missing_ok=True)

    def remove(self) -> None:
        """Remove volumes and logs."""
        for folder in (self._folder, self._logs):
            shutil.rmtree(folder, ignore_errors=True)

    def _volume(self, name: str) -> Path:
        return self._folder / "volumes" / name

    def _termination(self, container: Obj, *, make: bool = True) -> str:
        path = self._folder / "termination" / container["name"]
        if make:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"")
        return str(path)


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


def token_wishes(pod: Obj) -> list[TokenWish]:
    """The tokens that the pod's volumes show."""
    return [wish for volume in spec.spec(pod).get("volumes") or [] for wish in payload.token_wishes(volume)]
