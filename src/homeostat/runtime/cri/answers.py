"""What a CRI engine says, as the runtime's data: pure."""

from __future__ import annotations

from homeostat.runtime.contract import Container, ContainerState, Image, Sandbox, Stats
from homeostat.runtime.cri import cri_pb2 as cri
from homeostat.runtime.cri import labels

_NANO = 1e9
STATES = {
    cri.CONTAINER_CREATED: ContainerState.CREATED,
    cri.CONTAINER_RUNNING: ContainerState.RUNNING,
    cri.CONTAINER_EXITED: ContainerState.EXITED,
    # The engine lost track of it. Nothing runs that could be waited for, as far as anybody knows.
    cri.CONTAINER_UNKNOWN: ContainerState.EXITED,
}
# Reasons that say no more than the exit code does.
_PLAIN = {"Completed", "Error"}
_UNKNOWN_CODE = 137
STATUS_UNKNOWN = "ContainerStatusUnknown"


def sandbox(status: cri.PodSandboxStatus, *, node_address: str) -> Sandbox:
    """A sandbox; one of the host's network has the node's address."""
    spec = labels.read_sandbox(status.labels, status.annotations)
    on_host = spec.host_network or status.linux.namespaces.options.network == cri.NODE
    return Sandbox(
        id=status.id,
        spec=spec,
        ip=node_address if on_host else status.network.ip,
        created_at=status.created_at / _NANO,
        ready=status.state == cri.SANDBOX_READY,
    )


def container(status: cri.ContainerStatus, sandbox_id: str) -> Container:
    """A container in full."""
    spec = labels.read_container(status.labels, status.annotations, status.image.image)
    state = STATES[status.state]
    ended, lost = state is ContainerState.EXITED, status.state == cri.CONTAINER_UNKNOWN
    reason = "" if status.reason in _PLAIN else status.reason
    return Container(
        id=status.id,
        sandbox_id=sandbox_id,
        pod_uid=status.labels.get(labels.POD_UID, ""),
        spec=spec,
        state=state,
        created_at=status.created_at / _NANO,
        started_at=0.0 if reason == "StartError" else status.started_at / _NANO,
        finished_at=status.finished_at / _NANO,
        exit_code=_UNKNOWN_CODE if lost else status.exit_code,
        reason=(STATUS_UNKNOWN if lost else reason) if ended else "",
        message=status.message if ended else "",
        image_id=status.image_ref,
    )


def image(found: cri.Image) -> Image:
    """An image on the node."""
    user = str(found.uid.value) if found.HasField("uid") else found.username
    return Image(found.id, tuple(found.repo_tags), tuple(found.repo_digests), found.size, user, found.pinned)


def stats(found: cri.ContainerStats) -> Stats:
    """What a container uses."""
    return Stats(
        container_id=found.attributes.id,
        cpu_nanoseconds=found.cpu.usage_core_nano_seconds.value,
        memory_working_set_bytes=found.memory.working_set_bytes.value,
        writable_bytes=found.writable_layer.used_bytes.value,
        writable_inodes=found.writable_layer.inodes_used.value,
        at=found.cpu.timestamp / _NANO,
    )
