"""What the runtime is asked for when a pod gets its place. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from homeostat.api import meta
from homeostat.api.rules.ports import protocol_of
from homeostat.api.types import Obj
from homeostat.node.isolation import names, security
from homeostat.node.isolation.security import Profiles
from homeostat.node.podspec import spec
from homeostat.runtime.contract import Dns, PortMapping, SandboxSpec


@dataclass(frozen=True, slots=True)
class Surrounding:
    """What a place takes from the node: its name, the cluster's domain, where logs are, and the node's profiles."""

    node_name: str
    domain: str
    log_directory: str
    profiles: Profiles


def plain(pod: Obj, attempt: int) -> SandboxSpec:
    """For a runtime that does not isolate: an address and a name."""
    return SandboxSpec(
        pod_uid=meta.uid(pod),
        namespace=meta.namespace(pod),
        name=meta.name(pod),
        attempt=attempt,
        hostname=spec.spec(pod).get("hostname") or meta.name(pod),
        host_network=spec.host_network(pod),
        annotations=meta.annotations(pod),
    )


def isolated(pod: Obj, attempt: int, around: Surrounding, dns: Dns, cgroup_parent: str) -> SandboxSpec:
    """The sandbox's spec for a runtime that isolates pods."""
    body = spec.spec(pod)
    return SandboxSpec(
        pod_uid=meta.uid(pod),
        namespace=meta.namespace(pod),
        name=meta.name(pod),
        attempt=attempt,
        hostname=names.sandbox_host_name(pod, around.domain, around.node_name),
        host_network=spec.host_network(pod),
        annotations=meta.annotations(pod),
        labels=meta.labels(pod),
        host_pid=bool(body.get("hostPID")),
        host_ipc=bool(body.get("hostIPC")),
        share_processes=bool(body.get("shareProcessNamespace")),
        dns=dns,
        ports=() if spec.host_network(pod) else port_mappings(pod),
        log_directory=around.log_directory,
        cgroup_parent=cgroup_parent,
        security=security.sandbox_security(pod, around.profiles),
        sysctls=security.sysctls(pod),
    )


def port_mappings(pod: Obj) -> tuple[PortMapping, ...]:
    """The ports of the node that lead into the pod."""
    return tuple(
        PortMapping(int(port["containerPort"]), int(port["hostPort"]), protocol_of(port), port.get("hostIP") or "")
        for container in spec.all_containers(pod)
        for port in container.get("ports") or []
        if port.get("hostPort")
    )
