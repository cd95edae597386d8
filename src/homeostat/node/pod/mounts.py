"""What a container sees of the pod's files: its volume mounts, its hosts file, and its termination message file."""

from __future__ import annotations

import os
from collections.abc import Mapping

from homeostat.api.types import Obj
from homeostat.node.isolation import mounting
from homeostat.node.podspec import env, spec
from homeostat.node.podspec.downward import ConfigError
from homeostat.node.volumes.volumes import PodFiles
from homeostat.runtime.contract import Mount

TERMINATION_LOG = "/dev/termination-log"
_HOSTS = "/etc/hosts"


def volume_mounts(
    files: PodFiles, pod: Obj, container: Obj, variables: Mapping[str, str], *, isolates: bool
) -> list[Mount]:
    """The container's volume mounts. Raises ConfigError."""
    volumes = {volume["name"]: volume for volume in spec.spec(pod).get("volumes") or []}
    result = []
    for number, mount in enumerate(container.get("volumeMounts") or []):
        volume = volumes.get(mount["name"])
        if volume is None:
            raise ConfigError(f'volume "{mount["name"]}" not found')
        base = (volume.get("hostPath") or {}).get("path") or str(files.volume(mount["name"]))
        inside = mount.get("subPath") or env.expand_all(mount.get("subPathExpr") or "", variables)
        if ".." in inside.split("/") or inside.startswith("/"):
            raise ConfigError(f"invalid subPath {inside!r}: must be relative and must not contain '..'")
        host_path = base
        if inside and isolates:
            host_path = _part(files, base, inside, (container["name"], number))
        elif inside:
            host_path = os.path.join(base, inside)
            if not os.path.exists(host_path):
                os.makedirs(host_path, exist_ok=True)
        propagation = mount.get("mountPropagation") or "None"
        result.append(Mount(mount["mountPath"], host_path, bool(mount.get("readOnly")), propagation=propagation))
    return result


def _part(files: PodFiles, base: str, inside: str, mount: tuple[str, int]) -> str:
    try:
        return mounting.bind_part(base, inside, files.part(*mount))
    except OSError as error:
        raise ConfigError(f'failed to prepare subPath for volumeMount "{mount[1]}": {error}') from error


def last_words(files: PodFiles, container: Obj, attempt: int) -> Mount:
    """The file for the container's termination message."""
    path = container.get("terminationMessagePath") or TERMINATION_LOG
    return Mount(path, files.termination_file(container["name"], attempt), optional=path == TERMINATION_LOG)


def hosts(files: PodFiles, container: Obj, text: str) -> list[Mount]:
    """The pod's hosts file, unless the container brings one of its own."""
    mine = {os.path.normpath(mount["mountPath"]) for mount in container.get("volumeMounts") or []}
    return [] if _HOSTS in mine else [Mount(_HOSTS, files.hosts(text))]
