"""What each pod uses now, from the runtime's figures and from the disk."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from homeostat.api import meta
from homeostat.api.types import Obj
from homeostat.node.housekeeping.eviction import Usage
from homeostat.node.housekeeping.signals import folder_bytes
from homeostat.node.podspec import spec
from homeostat.node.podspec.node_config import NodeConfig
from homeostat.node.volumes import payload
from homeostat.node.volumes.volumes import PodFiles
from homeostat.runtime.contract import Container, Runtime, Stats


async def measured(
    runtime: Runtime, config: NodeConfig, pods: Iterable[Obj]
) -> tuple[Mapping[str, Usage], Mapping[str, Stats]]:
    """The usage of each pod by UID, and the runtime's figures by container ID. Raises RuntimeFault."""
    stats = {found.container_id: found for found in await runtime.stats()}
    containers: dict[str, list[Container]] = {}
    for container in await runtime.containers():
        containers.setdefault(container.pod_uid, []).append(container)
    listed = list(pods)
    folders = {meta.uid(pod): await _on_disk(config, pod) for pod in listed}
    usage = {}
    for pod in listed:
        uid = meta.uid(pod)
        memory: dict[str, int] = {}
        disk = dict(folders[uid][0])
        for container in containers.get(uid, ()):
            found = stats.get(container.id)
            if found is not None:
                name = container.spec.name
                memory[name] = found.memory_working_set_bytes
                disk[name] = disk.get(name, 0) + found.writable_bytes
        usage[uid] = Usage(memory, disk, folders[uid][1])
    return usage, stats


async def _on_disk(config: NodeConfig, pod: Obj) -> tuple[dict[str, int], dict[str, int]]:
    """The sizes of the pod's logs by container, and of its emptyDir volumes by name; those in memory are no disk."""
    files = PodFiles(config, pod)
    logs = {c["name"]: await folder_bytes(files.logs / c["name"]) for c in spec.all_containers(pod)}
    volumes = {name: await folder_bytes(files.volume(name)) for name in _volumes_on_disk(pod, files)}
    return logs, volumes


def _volumes_on_disk(pod: Obj, files: PodFiles) -> list[str]:
    names = [v["name"] for v in spec.spec(pod).get("volumes") or [] if payload.volume_type(v) == "emptyDir"]
    return [name for name in names if not os.path.ismount(files.volume(name))]


def left_behind(config: NodeConfig, known: frozenset[str]) -> list[Path]:
    """The folders of pods that no longer exist."""
    folder = config.root / "pods"
    return [entry for entry in folder.iterdir() if entry.name not in known] if folder.is_dir() else []
