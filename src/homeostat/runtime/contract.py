"""The runtime's contract, in the CRI's shape: sandboxes and containers, what to do with them, and what happened.

A sandbox is a pod's place on the node (its address); containers run in it. A runtime keeps its own state: after a
restart of the agent it still knows what runs. Implementations: `simulated` (no process), `process` (plain processes),
`cri` (containerd or any CRI endpoint). What is asked of them is data of `runtime.spec`, named here too. Times are
wall-clock seconds since the epoch. Data and signatures alone: pure.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from homeostat.runtime.lifecycle_table import Table
from homeostat.runtime.spec import (
    ContainerSpec as ContainerSpec,
)
from homeostat.runtime.spec import (
    Dns as Dns,
)
from homeostat.runtime.spec import (
    ImageAuth as ImageAuth,
)
from homeostat.runtime.spec import (
    Mount as Mount,
)
from homeostat.runtime.spec import (
    PortMapping as PortMapping,
)
from homeostat.runtime.spec import (
    Resources as Resources,
)
from homeostat.runtime.spec import (
    SandboxSpec as SandboxSpec,
)
from homeostat.runtime.spec import (
    Security as Security,
)
from homeostat.runtime.spec import (
    StreamOptions as StreamOptions,
)


class ContainerState(Enum):
    """What the runtime knows of a container."""

    CREATED = "created"
    RUNNING = "running"
    EXITED = "exited"
    REMOVED = "removed"


class ContainerEvent(Enum):
    """What can happen to a container."""

    STARTED = "started"
    START_FAILED = "start-failed"
    EXITED = "exited"
    REMOVED = "removed"


CONTAINER: Table[ContainerState, ContainerEvent] = Table(
    "container",
    ContainerState.CREATED,
    {
        (ContainerState.CREATED, ContainerEvent.STARTED): ContainerState.RUNNING,
        (ContainerState.CREATED, ContainerEvent.START_FAILED): ContainerState.EXITED,
        (ContainerState.CREATED, ContainerEvent.REMOVED): ContainerState.REMOVED,
        (ContainerState.RUNNING, ContainerEvent.EXITED): ContainerState.EXITED,
        (ContainerState.EXITED, ContainerEvent.REMOVED): ContainerState.REMOVED,
    },
)


class RuntimeFault(Exception):
    """Base and only family of the runtime's errors. `reason` is what a container's waiting state shows:
    CreateContainerError, RunContainerError, ImagePullBackOff, ErrImagePull, InvalidImageName, NotFound, Unavailable."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


@dataclass(frozen=True, slots=True)
class Image:
    """An image on the node. `user` is what its configuration says: a number, a name, or empty for root."""

    id: str
    tags: tuple[str, ...] = ()
    digests: tuple[str, ...] = ()
    size_bytes: int = 0
    user: str = ""
    pinned: bool = False


@dataclass(frozen=True, slots=True)
class Stats:
    """What a container uses: CPU time in nanoseconds since its start, memory in bytes, its writable layer in bytes."""

    container_id: str
    cpu_nanoseconds: int = 0
    memory_working_set_bytes: int = 0
    writable_bytes: int = 0
    writable_inodes: int = 0
    at: float = 0.0


@dataclass(frozen=True, slots=True)
class Sandbox:
    """A sandbox as it is. `ready` turns False when it has stopped."""

    id: str
    spec: SandboxSpec
    ip: str
    created_at: float
    ready: bool = True


# The reason of a container that the engine found gone when it recovered: its end was not observed, and is dated then.
FOUND_GONE = "Unknown"


@dataclass(frozen=True, slots=True)
class Container:
    """A container as it is. `reason` and `message` explain an exit that the runtime itself has to explain
    (StartError, `FOUND_GONE`); a plain exit has none. `exit_code` of a signal is 128 + its number."""

    id: str
    sandbox_id: str
    pod_uid: str
    spec: ContainerSpec
    state: ContainerState
    created_at: float
    started_at: float = 0.0
    finished_at: float = 0.0
    exit_code: int = 0
    reason: str = ""
    message: str = ""
    image_id: str = ""


@dataclass(frozen=True, slots=True)
class ExecResult:
    """The end of a command run in a container. `timed_out`: it was killed when its time was over."""

    exit_code: int
    output: bytes = b""
    timed_out: bool = False


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """What an HTTP probe got."""

    status: int
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class HttpAsk:
    """An HTTP probe's request. `scheme` is HTTP or HTTPS (certificates are not checked, as in the kubelet)."""

    ip: str
    port: int
    path: str = "/"
    scheme: str = "HTTP"
    host: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    timeout_seconds: float = 1.0


class ProbeError(Exception):
    """The connection of an HTTP or TCP probe failed; the message says how."""


@dataclass(frozen=True, slots=True)
class RuntimeEvent:
    """Something changed for a pod. `container_id` is empty for events of a sandbox."""

    pod_uid: str
    container_id: str = ""


@dataclass(frozen=True, slots=True)
class LogSpan:
    """Which part of a log is read. `tail_lines` None: all; `since` a wall-clock time, 0: all."""

    tail_lines: int | None = None
    since: float = 0.0
    follow: bool = False


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line (or part of one, when `partial`) of a container's log. `time` is RFC 3339 with nanoseconds."""

    time: str
    stream: str
    data: bytes
    partial: bool = False


class Runtime(Protocol):
    """See the module. Every method raises RuntimeFault; all are safe to repeat."""

    name: str
    version: str
    # Whether containers run for real, so that their environment and files matter.
    real: bool
    # Whether containers see their mounts at the paths that they ask for (known after `start`).
    mounts_in_place: bool
    # Whether containers come from images and are kept apart as their specs say: namespaces, users, limits, DNS.
    isolates: bool

    async def start(self) -> None:
        """Open, and adopt what a former agent left running."""
        ...

    async def close(self, *, stop_containers: bool = False) -> None:
        """Close everything (containers run on), or stop all containers first."""
        ...

    async def status(self) -> str:
        """Empty when healthy, else what is wrong."""
        ...

    async def image_status(self, image: str) -> str | None:
        """The image's ID, or None when it is not there."""
        ...

    async def pull_image(self, image: str, auth: ImageAuth | None = None) -> str:
        """Bring the image; returns its ID. Raises RuntimeFault with ErrImagePull, InvalidImageName, ..."""
        ...

    async def images(self) -> list[Image]:
        """All images; empty in a runtime that has none."""
        ...

    async def remove_image(self, image: str) -> None:
        """Remove an image by its ID; one that is gone counts as removed."""
        ...

    async def run_sandbox(self, spec: SandboxSpec) -> Sandbox:
        """Make a pod's place; it is ready afterwards."""
        ...

    async def stop_sandbox(self, sandbox_id: str) -> None:
        """Kill what runs in it and release its address; it is no longer ready. An unknown one counts as stopped."""
        ...

    async def remove_sandbox(self, sandbox_id: str) -> None:
        """Stop it and remove it with its containers."""
        ...

    async def sandboxes(self, pod_uid: str = "") -> list[Sandbox]:
        """All sandboxes, or one pod's, oldest first."""
        ...

    async def create_container(self, sandbox_id: str, spec: ContainerSpec) -> Container:
        """Prepare a container."""
        ...

    async def start_container(self, container_id: str) -> Container:
        """Run it. When its command cannot be started it is EXITED with StartError, and RuntimeFault is raised."""
        ...

    async def stop_container(self, container_id: str, *, timeout_seconds: float) -> None:
        """The stop signal, `timeout_seconds` of patience, then SIGKILL; returns when it has ended."""
        ...

    async def remove_container(self, container_id: str) -> None:
        """Forget a container that does not run (a running one is killed first); its log stays."""
        ...

    async def containers(self, pod_uid: str = "") -> list[Container]:
        """All containers, or one pod's, oldest first."""
        ...

    async def exec_sync(self, container_id: str, argv: tuple[str, ...], *, timeout_seconds: float) -> ExecResult:
        """Run a command in the container; `timeout_seconds` 0 waits for ever. Output is bounded to 16 KiB."""
        ...

    async def update_resources(self, container_id: str, resources: Resources) -> None:
        """Change a container's limits while it runs; from then on its spec has the new ones."""
        ...

    async def stats(self, pod_uid: str = "") -> list[Stats]:
        """What running containers use, all or one pod's; empty in a runtime that does not measure."""
        ...

    async def reopen_log(self, container_id: str) -> None:
        """Write on to a new file at the container's log path, after the old one was renamed."""
        ...

    async def exec_url(self, container_id: str, argv: tuple[str, ...], options: StreamOptions) -> str:
        """Where the runtime streams a command's input and output: a URL to be upgraded, good for one use.

        Raises RuntimeFault with reason Unsupported where there are no streams; so do the next two."""
        ...

    async def attach_url(self, container_id: str, options: StreamOptions) -> str:
        """Where the runtime streams the input and output of the container's first process."""
        ...

    async def port_forward_url(self, sandbox_id: str, ports: tuple[int, ...] = ()) -> str:
        """Where the runtime streams connections to ports of the pod. `ports` are those that a WebSocket client names
        beforehand; a SPDY client names one for each connection."""
        ...

    async def http_get(self, ask: HttpAsk) -> HttpAnswer:
        """Ask a pod over HTTP. Raises ProbeError."""
        ...

    async def tcp_connect(self, ip: str, port: int, *, timeout_seconds: float) -> None:
        """Open and close a connection. Raises ProbeError."""
        ...

    def read_log(self, container_id: str, span: LogSpan) -> AsyncIterator[LogLine]:
        """The container's log, oldest first; with `follow` until the container ends or the iterator is closed."""
        ...

    def events(self) -> AsyncIterator[RuntimeEvent]:
        """What happens, for one listener; never-ending."""
        ...
