"""The containers of a node as docker showed them under a kubelet: names, sandboxes as containers, states. Pure.

Names are those of the kubelet's dockershim: `k8s_CONTAINER_POD_NAMESPACE_UID_ATTEMPT`, and `k8s_POD_...` for the
container that holds a pod's namespaces.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from homeostat.shell.engine.formats import human_duration
from homeostat.shell.tool_error import ToolError

SANDBOX_NAME = "POD"
_STATES = ("created", "running", "exited", "unknown")


@dataclass(frozen=True, slots=True)
class Box:
    """A container, or a pod's sandbox (then `pod_id` is its own `id`). `created` is nanoseconds since the epoch."""

    id: str
    pod_id: str
    name: str
    image: str
    image_id: str
    state: str
    created: int
    labels: dict[str, str] = field(default_factory=dict)

    @property
    def sandbox(self) -> bool:
        """Whether it holds a pod's namespaces."""
        return self.id == self.pod_id

    @property
    def running(self) -> bool:
        """Whether its first process runs."""
        return self.state == "running"


@dataclass(frozen=True, slots=True)
class Detail:
    """What the engine knows beside. Times are nanoseconds since the epoch, 0 for never; `spec` is the OCI runtime
    specification, `config` what the kubelet asked for."""

    started: int = 0
    finished: int = 0
    exit_code: int = 0
    pid: int = 0
    ip: str = ""
    reason: str = ""
    message: str = ""
    log_path: str = ""
    mounts: tuple[tuple[str, str, bool], ...] = ()  # from, to, read-only
    config: dict[str, Any] = field(default_factory=dict)
    spec: dict[str, Any] = field(default_factory=dict)
    exited_code_known: bool = True

    @property
    def args(self) -> list[str]:
        """The command line."""
        process = self.spec.get("process") or {}
        return list(process.get("args") or [])


def boxes_of(pods: Iterable[Any], containers: Iterable[Any], *, pause_image: str = "") -> list[Box]:
    """What the CRI lists, as docker's list: newest first."""
    by_id = {pod.id: pod for pod in pods}
    found = [_sandbox(pod, pause_image) for pod in by_id.values()]
    found += [_container(container, by_id.get(container.pod_sandbox_id)) for container in containers]
    return sorted(found, key=lambda box: (-box.created, box.name))


def _sandbox(pod: Any, pause_image: str) -> Box:
    meta = pod.metadata
    labels = {**pod.labels, "io.kubernetes.docker.type": "podsandbox", "io.kubernetes.container.name": SANDBOX_NAME}
    name = f"k8s_{SANDBOX_NAME}_{meta.name}_{meta.namespace}_{meta.uid}_{meta.attempt}"
    state = "exited" if pod.state else "running"
    return Box(pod.id, pod.id, name, pause_image, "", state, pod.created_at, labels | _pod_labels(meta))


def _container(container: Any, pod: Any) -> Box:
    own = container.metadata
    labels = {
        **container.labels,
        "io.kubernetes.docker.type": "container",
        "io.kubernetes.container.name": own.name,
        "io.kubernetes.sandbox.id": container.pod_sandbox_id,
    }
    labels |= _pod_labels(pod.metadata) if pod is not None else {}
    where = "_".join(labels.get(f"io.kubernetes.pod.{part}", "") for part in ("name", "namespace", "uid"))
    name = f"k8s_{own.name}_{where}_{own.attempt}"
    state = _STATES[container.state]
    image = container.image.image
    created = container.created_at
    return Box(container.id, container.pod_sandbox_id, name, image, container.image_ref, state, created, labels)


def _pod_labels(meta: Any) -> dict[str, str]:
    words = {"name": meta.name, "namespace": meta.namespace, "uid": meta.uid}
    return {f"io.kubernetes.pod.{key}": value for key, value in words.items()}


def find(boxes: Sequence[Box], word: str) -> Box:
    """The one that an ID, a unique beginning of one, or a name means. Raises ToolError with docker's text."""
    for box in boxes:
        if word in (box.id, box.name, f"/{box.name}"):
            return box
    near = [box for box in boxes if word and box.id.startswith(word)]
    if len(near) > 1:
        raise ToolError(f"multiple IDs found with provided prefix: {word}")
    if not near:
        raise ToolError(f"No such container: {word}")
    return near[0]


def status_text(box: Box, detail: Detail, *, paused: bool, now: int) -> str:
    """`Up 3 seconds`, `Exited (137) 5 seconds ago`, `Created`. `now` is nanoseconds since the epoch."""
    if box.state == "created":
        return "Created"
    if box.running:
        up = human_duration((now - (detail.started or box.created)) / 1e9)
        return f"Up {up} (Paused)" if paused else f"Up {up}"
    if box.state == "unknown":
        return "Dead"
    if not detail.finished:
        return f"Exited ({detail.exit_code})"
    return f"Exited ({detail.exit_code}) {human_duration((now - detail.finished) / 1e9)} ago"


def ports_text(detail: Detail) -> str:
    """`0.0.0.0:8080->80/tcp`: the host ports of a pod, which its sandbox holds."""
    names = ("tcp", "udp", "sctp")
    mapped = []
    for port in detail.config.get("port_mappings") or []:
        protocol = port.get("protocol", 0)
        word = names[protocol] if isinstance(protocol, int) else str(protocol).lower()
        if port.get("host_port"):
            mapped.append(f"{port.get('host_ip') or '0.0.0.0'}:{port['host_port']}->{port['container_port']}/{word}")
    return ", ".join(mapped)


def successor(boxes: Sequence[Box], of: Box) -> Box | None:
    """The newest running container with the same place in the same pod: what the kubelet started after `of`."""
    place = _place(of)
    later = [box for box in boxes if _place(box) == place and box.running and box.id != of.id]
    return next((box for box in later if box.created > of.created), None)


def _place(box: Box) -> tuple[str | None, ...]:
    words = ("io.kubernetes.pod.namespace", "io.kubernetes.pod.name", "io.kubernetes.container.name")
    return tuple(box.labels.get(word) for word in words)
