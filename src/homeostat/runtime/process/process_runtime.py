"""The runtime of plain processes: no root, no images, no isolation; each container is a process group of its own.

A container's command is a program of the host and sees the host's files, with its mounts at their paths: in a mount
namespace of its own (`runtime.children.rootview`). Where the kernel does not allow that, and always besides, mounts
appear as links in the container's own folder, `$HOMEOSTAT_ROOT`: a volume mounted at `/etc/app` is
`$HOMEOSTAT_ROOT/etc/app`. A command starts in that folder, or in its `workingDir` (without namespaces: the path of that
name in the folder). Resource limits and security contexts are not enforced. Each pod has a loopback address of its own;
its commands should listen on that one only (`status.podIP` of the downward API).

Containers belong to their shims (`runtime.shim.shim_process`), so they outlive this object: a new one adopts them
(`start`).
"""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path

from homeostat.kit import chance, clock
from homeostat.kit.log import logger
from homeostat.runtime.children import rootview
from homeostat.runtime.children.processes import kill_group, start_ticks
from homeostat.runtime.contract import (
    CONTAINER,
    Container,
    ContainerEvent,
    ContainerSpec,
    ContainerState,
    ExecResult,
    HttpAnswer,
    HttpAsk,
    LogLine,
    LogSpan,
    Mount,
    RuntimeEvent,
    RuntimeFault,
    Sandbox,
    SandboxSpec,
)
from homeostat.runtime.logs import log_reader
from homeostat.runtime.logs.log_writer import FILES_MAX, SIZE_BYTES_MAX
from homeostat.runtime.process import shim_client, shim_watch
from homeostat.runtime.process.shim_launcher import Launcher, LocalLauncher
from homeostat.runtime.process.state_folders import Folders
from homeostat.runtime.process.stream_urls import StreamUrls
from homeostat.runtime.shared import network_probe
from homeostat.runtime.shared.event_stream import EventStream
from homeostat.runtime.shared.pod_addresses import AddressPool
from homeostat.runtime.shared.without_images import Plain
from homeostat.runtime.streaming.stream_server import StreamServer

_log = logger("runtime")
_START_SECONDS_MAX = 20.0
_KILL_SECONDS_MAX = 5.0
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
LOST = "the container's shim ended without a report"


@dataclass(frozen=True, slots=True)
class ProcessOptions:
    """How the process runtime runs containers; `orphan_grace_seconds` is what they get when their shim is asked to
    end."""

    log_bytes_max: int = SIZE_BYTES_MAX
    log_files_max: int = FILES_MAX
    orphan_grace_seconds: float = 1.0


class ProcessRuntime(StreamUrls, Plain):
    """See the module. `root` holds its state; `pod_cidr` the addresses of pods; host-network pods have
    `node_address`."""

    name = "process"
    version = "0.1.0"
    real = True

    def __init__(
        self,
        root: Path,
        *,
        pod_cidr: str,
        node_address: str,
        launcher: Launcher | None = None,
        options: ProcessOptions | None = None,
    ) -> None:
        self._folders = Folders(root)
        self._addresses = AddressPool(pod_cidr)
        self._node_address = node_address
        self._launcher = launcher or LocalLauncher()
        self._options = options or ProcessOptions()
        self._sandboxes: dict[str, Sandbox] = {}
        self._containers: dict[str, Container] = {}
        self._pids: dict[str, int] = {}
        self._lives: dict[str, shim_watch.Life] = {}
        self._events = EventStream()
        self._streams = StreamServer()
        self.mounts_in_place = False

    # -- opening and closing ---------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Open the state folder and adopt what runs."""
        self._folders.make()
        self.mounts_in_place = rootview.possible(str(self._folders.probe))
        for sandbox in self._folders.read_sandboxes():
            self._sandboxes[sandbox.id] = sandbox
            if sandbox.ready:
                self._addresses.hold(sandbox.ip)
        for container in self._folders.read_containers():
            self._containers[container.id] = container
            await self._adopt(container)

    async def _adopt(self, container: Container) -> None:
        deadline = clock.monotonic() + _START_SECONDS_MAX
        while clock.monotonic() < deadline:
            pids, ended = self._folders.read_pids(container.id), self._folders.read_exit(container.id)
            if pids or ended or not self._folders.has_shim(container.id):
                break
            # A shim that the former agent launched is about to say what became of it.
            await clock.sleep(0.01)
        if pids is None and ended is None:
            return
        if pids is not None:
            self._move(container.id, ContainerEvent.STARTED, started_at=pids.started_at)
            self._pids[container.id] = pids.pid
            if ended is None and start_ticks(pids.shim) == pids.shim_ticks:
                life = shim_watch.Life(self._folders.container(container.id))
                self._watch(container.id, life, adopted=True)
                return
            self._on_exit(container.id)
        else:
            self._fail_start(container.id)

    async def close(self, *, stop_containers: bool = False) -> None:
        """Stop watching and streaming; with `stop_containers` everything ends first."""
        await self._streams.close()
        if stop_containers:
            for sandbox in list(self._sandboxes.values()):
                await self.stop_sandbox(sandbox.id)
        for life in self._lives.values():
            life.close()
        self._lives.clear()

    async def status(self) -> str:
        """Empty: there is no daemon that could be down."""
        return ""

    # -- images ----------------------------------------------------------------------------------------------------

    async def image_status(self, image: str) -> str | None:
        """Every image counts as present; its name is its ID, for nothing is ever read from it."""
        return image

    # -- sandboxes -------------------------------------------------------------------------------------------------

    async def run_sandbox(self, spec: SandboxSpec) -> Sandbox:
        """Give the pod an address."""
        address = self._node_address if spec.host_network else self._addresses.take()
        if address is None:
            raise RuntimeFault("CreatePodSandboxError", "no free address is left in the node's pod CIDR")
        sandbox = Sandbox(chance.token_hex(32), spec, address, clock.wall())
        self._folders.write_sandbox(sandbox)
        self._sandboxes[sandbox.id] = sandbox
        return sandbox

    async def stop_sandbox(self, sandbox_id: str) -> None:
        """Kill its containers, mark it stopped, and release its address."""
        sandbox = self._sandboxes.get(sandbox_id)
        if sandbox is None:
            return
        for container in [c for c in self._containers.values() if c.sandbox_id == sandbox_id]:
            await self.stop_container(container.id, timeout_seconds=0)
        if sandbox.ready:
            sandbox = replace(sandbox, ready=False)
            self._sandboxes[sandbox_id] = sandbox
            self._folders.write_sandbox(sandbox)
            self._addresses.release(sandbox.ip)

    async def remove_sandbox(self, sandbox_id: str) -> None:
        """Remove it and its containers."""
        await self.stop_sandbox(sandbox_id)
        for container in [c for c in self._containers.values() if c.sandbox_id == sandbox_id]:
            await self.remove_container(container.id)
        sandbox = self._sandboxes.pop(sandbox_id, None)
        if sandbox is not None:
            self._folders.drop_sandbox(sandbox_id)

    async def sandboxes(self, pod_uid: str = "") -> list[Sandbox]:
        """All sandboxes, or one pod's."""
        return [box for box in self._sandboxes.values() if not pod_uid or box.spec.pod_uid == pod_uid]

    # -- containers ------------------------------------------------------------------------------------------------

    async def create_container(self, sandbox_id: str, spec: ContainerSpec) -> Container:
        """Make the container's folder, with its mounts as links."""
        sandbox = self._sandboxes.get(sandbox_id)
        if sandbox is None:
            raise RuntimeFault("CreateContainerError", f"sandbox {sandbox_id} not found")
        if not spec.argv:
            text = f"no command specified: this runtime has no images, so container {spec.name!r} must set `command`"
            raise RuntimeFault("CreateContainerError", text)
        container = Container(
            id=chance.token_hex(32),
            sandbox_id=sandbox_id,
            pod_uid=sandbox.spec.pod_uid,
            spec=spec,
            state=CONTAINER.start,
            created_at=clock.wall(),
            image_id=spec.image,
        )
        try:
            self._folders.write_container(container, self._shim_spec(container, sandbox))
            _link_mounts(self._folders.container(container.id) / "root", spec.mounts)
            os.makedirs(os.path.dirname(spec.log_path), exist_ok=True)
            if not self._has_view(container):
                os.makedirs(self._cwd(container), exist_ok=True)
        except OSError as error:
            self._folders.drop_container(container.id)
            raise RuntimeFault("CreateContainerError", str(error)) from error
        self._containers[container.id] = container
        return container

    def _cwd(self, container: Container) -> str:
        root, wanted = self._folders.container(container.id) / "root", container.spec.working_dir
        if not wanted:
            return str(root)
        return wanted if self._has_view(container) else os.path.join(root, wanted.lstrip("/"))

    def _has_view(self, container: Container) -> bool:
        """Whether the container sees its mounts at their paths; one that has none needs no namespace."""
        needed = any(not mount.optional for mount in container.spec.mounts) or container.spec.working_dir
        return self.mounts_in_place and bool(needed)

    def _view(self, container: Container) -> dict[str, object] | None:
        if not self._has_view(container):
            return None
        mounts = [(mount.host_path, mount.container_path, mount.read_only) for mount in container.spec.mounts]
        return {"stage": str(self._folders.container(container.id) / "view"), "mounts": mounts}

    def _shim_spec(self, container: Container, sandbox: Sandbox) -> dict[str, object]:
        root = self._folders.container(container.id) / "root"
        environment = {"PATH": os.environ.get("PATH", _PATH), "HOSTNAME": sandbox.spec.hostname or sandbox.spec.name}
        environment |= {"HOME": str(root), **dict(container.spec.env)}
        environment |= {"HOMEOSTAT_ROOT": str(root), "HOMEOSTAT_CONTAINER": container.id}
        return {
            "argv": container.spec.argv,
            "env": environment,
            "cwd": self._cwd(container),
            "view": self._view(container),
            "log_path": container.spec.log_path,
            "log_bytes_max": self._options.log_bytes_max,
            "log_files_max": self._options.log_files_max,
            "stop_signal": container.spec.stop_signal,
            "orphan_grace_seconds": self._options.orphan_grace_seconds,
            "stdin": container.spec.stdin,
            "stdin_once": container.spec.stdin_once,
            "tty": container.spec.tty,
        }

    async def start_container(self, container_id: str) -> Container:
        """Launch the shim; returns when the command runs."""
        container = self._get(container_id)
        if container.state is not ContainerState.CREATED:
            return container
        folder = self._folders.container(container_id)
        life = shim_watch.Life(folder)
        try:
            shim = await self._launcher.launch(folder)
            await life.started(shim, timeout_seconds=_START_SECONDS_MAX)
        except (OSError, TimeoutError) as error:
            life.close()
            self._fail_start(container_id, str(error) or "the shim did not start in time")
            raise RuntimeFault("RunContainerError", self._get(container_id).message) from error
        pids = self._folders.read_pids(container_id)
        if pids is None:
            life.close()
            failed = self._fail_start(container_id)
            raise RuntimeFault("RunContainerError", failed.message)
        self._pids[container_id] = pids.pid
        container = self._move(container_id, ContainerEvent.STARTED, started_at=pids.started_at)
        self._watch(container_id, life)
        return container

    def _fail_start(self, container_id: str, message: str = "") -> Container:
        ended = self._folders.read_exit(container_id)
        return self._move(
            container_id,
            ContainerEvent.START_FAILED,
            started_at=0.0,
            finished_at=ended.finished_at if ended else clock.wall(),
            exit_code=ended.code if ended else 128,
            reason="StartError",
            message=ended.message if ended else message or LOST,
        )

    async def stop_container(self, container_id: str, *, timeout_seconds: float) -> None:
        """The stop signal to the process group, patience, then SIGKILL."""
        life = self._lives.get(container_id)
        if life is None:
            return
        pid, container = self._pids[container_id], self._get(container_id)
        if timeout_seconds > 0:
            number = getattr(signal, container.spec.stop_signal, signal.SIGTERM)
            kill_group(pid, number)
            if await life.wait(timeout_seconds):
                return
        kill_group(pid, signal.SIGKILL)
        if not await life.wait(_KILL_SECONDS_MAX):
            _log.warning("container %s outlives SIGKILL", container_id)

    async def remove_container(self, container_id: str) -> None:
        """Forget it; its log stays."""
        container = self._containers.get(container_id)
        if container is None:
            return
        await self.stop_container(container_id, timeout_seconds=0)
        self._move(container_id, ContainerEvent.REMOVED)
        del self._containers[container_id]
        self._pids.pop(container_id, None)
        self._folders.drop_container(container_id)

    async def containers(self, pod_uid: str = "") -> list[Container]:
        """All containers, or one pod's."""
        return [c for c in self._containers.values() if not pod_uid or c.pod_uid == pod_uid]

    # -- commands and probes ----------------------------------------------------------------------------------------

    async def exec_sync(self, container_id: str, argv: tuple[str, ...], *, timeout_seconds: float) -> ExecResult:
        """Run a command beside the container's own, in its folder and environment."""
        if self._get(container_id).state is not ContainerState.RUNNING:
            raise RuntimeFault("NotFound", f"container {container_id} is not running")
        return await shim_client.run(self._folders.container(container_id), argv, timeout_seconds=timeout_seconds)

    async def http_get(self, ask: HttpAsk) -> HttpAnswer:
        """See Runtime."""
        return await network_probe.http_get(ask)

    async def tcp_connect(self, ip: str, port: int, *, timeout_seconds: float) -> None:
        """See Runtime."""
        await network_probe.tcp_connect(ip, port, timeout_seconds)

    def read_log(self, container_id: str, span: LogSpan) -> AsyncIterator[LogLine]:
        """See Runtime."""
        path = self._get(container_id).spec.log_path
        return log_reader.read(path, span, lambda: container_id in self._lives)

    def events(self) -> AsyncIterator[RuntimeEvent]:
        """See Runtime."""
        return self._events.listen()

    # -- exits -----------------------------------------------------------------------------------------------------

    def _get(self, container_id: str) -> Container:
        try:
            return self._containers[container_id]
        except KeyError:
            raise RuntimeFault("NotFound", f"container {container_id} not found") from None

    def _watch(self, container_id: str, life: shim_watch.Life, *, adopted: bool = False) -> None:
        self._lives[container_id] = life
        life.on_end(lambda: self._on_exit(container_id), adopted=adopted)

    def _on_exit(self, container_id: str) -> None:
        """Its shim has closed its pipe: take over the report, or make good for a shim that was killed."""
        self._lives.pop(container_id, None)
        ended = self._folders.read_exit(container_id)
        if ended is None:
            shim_watch.end_leftovers(container_id)
        container = self._move(
            container_id,
            ContainerEvent.EXITED,
            finished_at=ended.finished_at if ended else clock.wall(),
            exit_code=ended.code if ended else 137,
            reason=ended.reason if ended else "ContainerStatusUnknown",
            message=ended.message if ended else LOST,
        )
        self._events.emit(RuntimeEvent(container.pod_uid, container_id))

    def _move(self, container_id: str, event: ContainerEvent, **changes: float | int | str) -> Container:
        container = self._get(container_id)
        state = CONTAINER.move(container.state, event)
        container = replace(container, state=state, **changes)  # type: ignore[arg-type]
        self._containers[container_id] = container
        return container


def _link_mounts(root: Path, mounts: tuple[Mount, ...]) -> None:
    for mount in sorted(mounts, key=lambda mount: mount.container_path):
        link = root / mount.container_path.lstrip("/")
        if not link.is_symlink():
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(mount.host_path)
