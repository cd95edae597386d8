"""What the kubelet reports about usage at /stats/summary (stats/v1alpha1): pods and containers as the runtime measures
them, and what the node has left. A runtime that does not measure leaves the figures out."""

from __future__ import annotations

from collections.abc import Mapping

from homeostat.api import meta
from homeostat.api.types import Obj
from homeostat.kit import clock
from homeostat.node.agent import NodeAgent
from homeostat.node.housekeeping import usage
from homeostat.node.housekeeping.eviction import Signal, Usage
from homeostat.node.podspec import spec
from homeostat.runtime.contract import Container, RuntimeFault, Stats


async def of(agent: NodeAgent) -> Obj:
    """The summary of an agent's node."""
    pods = agent.pods()
    try:
        used, stats = await usage.measured(agent.runtime, agent.config, pods) if agent.runtime.real else ({}, {})
        containers = await agent.runtime.containers()
    except RuntimeFault:
        used, stats, containers = {}, {}, []
    summary = [_pod(pod, used.get(meta.uid(pod), Usage()), _of_pod(pod, containers, stats)) for pod in pods]
    return {"node": _node(agent.config.name, agent.signals() if agent.runtime.real else {}), "pods": summary}


def _of_pod(pod: Obj, containers: list[Container], stats: Mapping[str, Stats]) -> dict[str, tuple[Container, Stats]]:
    """The pod's running containers that are measured, by name."""
    return {c.spec.name: (c, stats[c.id]) for c in containers if c.pod_uid == meta.uid(pod) and c.id in stats}


def _node(name: str, left: Mapping[str, Signal]) -> Obj:
    moment = clock.now_rfc3339()
    node: Obj = {"nodeName": name}
    if "memory.available" in left:
        memory = left["memory.available"]
        amounts = {"availableBytes": memory.available, "workingSetBytes": memory.capacity - memory.available}
        node["memory"] = {"time": moment} | amounts
    if "nodefs.available" in left:
        node["fs"] = _disk(left, "nodefs", moment)
    if "imagefs.available" in left:
        node["runtime"] = {"imageFs": _disk(left, "imagefs", moment)}
    if "pid.available" in left:
        processes = left["pid.available"]
        running = processes.capacity - processes.available
        node["rlimit"] = {"time": moment, "maxpid": processes.capacity, "curproc": running}
    return node


def _disk(left: Mapping[str, Signal], name: str, moment: str) -> Obj:
    space, inodes = left[f"{name}.available"], left.get(f"{name}.inodesFree")
    summary = {"time": moment, "availableBytes": space.available, "capacityBytes": space.capacity}
    summary["usedBytes"] = space.capacity - space.available
    if inodes is not None:
        summary |= {"inodesFree": inodes.available, "inodes": inodes.capacity}
    return summary


def _pod(pod: Obj, used: Usage, running: Mapping[str, tuple[Container, Stats]]) -> Obj:
    summary: Obj = {
        "podRef": {"name": meta.name(pod), "namespace": meta.namespace(pod), "uid": meta.uid(pod)},
        "startTime": (pod.get("status") or {}).get("startTime"),
        "containers": [_container(c["name"], used, running.get(c["name"])) for c in spec.mains(pod)],
    }
    if running:
        at = clock.rfc3339(max(stats.at for _, stats in running.values()))
        cpu = sum(stats.cpu_nanoseconds for _, stats in running.values())
        summary["cpu"] = {"time": at, "usageCoreNanoSeconds": cpu}
        summary["memory"] = {"time": at, "workingSetBytes": used.of("memory")}
        summary["ephemeral-storage"] = {"time": at, "usedBytes": used.of("ephemeral-storage")}
    volumes = [{"name": name, "usedBytes": size} for name, size in used.volumes.items()]
    return summary | ({"volume": volumes} if volumes else {})


def _container(name: str, used: Usage, running: tuple[Container, Stats] | None) -> Obj:
    if running is None:
        return {"name": name}
    container, stats = running
    at = clock.rfc3339(stats.at)
    disk = used.disk.get(name, 0)
    return {
        "name": name,
        "startTime": clock.rfc3339(container.started_at),
        "cpu": {"time": at, "usageCoreNanoSeconds": stats.cpu_nanoseconds},
        "memory": {"time": at, "workingSetBytes": stats.memory_working_set_bytes},
        "rootfs": {"time": at, "usedBytes": stats.writable_bytes, "inodesUsed": stats.writable_inodes},
        "logs": {"time": at, "usedBytes": max(disk - stats.writable_bytes, 0)},
    }
