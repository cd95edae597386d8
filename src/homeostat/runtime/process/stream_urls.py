"""exec, attach and port-forward of the process runtime, as the runtime's contract has them."""

from __future__ import annotations

from functools import partial

from homeostat.runtime.contract import Container, ContainerState, RuntimeFault, Sandbox, StreamOptions
from homeostat.runtime.process import shim_streams
from homeostat.runtime.process.state_folders import Folders
from homeostat.runtime.streaming import channel_layout, commands, forwarding
from homeostat.runtime.streaming.stream_server import StreamServer


class StreamUrls:
    """The part of a runtime that streams. Commands are run by the container's shim, which also has the container's own
    streams; ports are those of the pod's own address."""

    _folders: Folders
    _sandboxes: dict[str, Sandbox]
    _streams: StreamServer

    def _get(self, container_id: str) -> Container:
        raise NotImplementedError

    async def exec_url(self, container_id: str, argv: tuple[str, ...], options: StreamOptions) -> str:
        """See Runtime."""
        if not argv:
            raise RuntimeFault("Failed", "a command is required")
        self._running(container_id)
        begin = partial(shim_streams.begin, self._folders.container(container_id), argv, options)
        work = partial(commands.serve, options=options, begin=begin, doing="executing command in")
        return await self._streams.url("exec", commands.PROTOCOL, work, channels=channel_layout.COMMAND)

    async def attach_url(self, container_id: str, options: StreamOptions) -> str:
        """See Runtime."""
        self._running(container_id)
        begin = partial(shim_streams.attach, self._folders.container(container_id), options)
        work = partial(commands.serve, options=options, begin=begin, doing="attaching to")
        return await self._streams.url("attach", commands.PROTOCOL, work, channels=channel_layout.COMMAND)

    async def port_forward_url(self, sandbox_id: str, ports: tuple[int, ...] = ()) -> str:
        """See Runtime."""
        sandbox = self._sandboxes.get(sandbox_id)
        if sandbox is None or not sandbox.ready:
            raise RuntimeFault("NotFound", f"sandbox {sandbox_id} is not ready")
        work = partial(forwarding.serve_ports, address=sandbox.ip)
        return await self._streams.url(
            "portforward", forwarding.PROTOCOL, work, channels=channel_layout.of_ports(ports)
        )

    def _running(self, container_id: str) -> Container:
        container = self._get(container_id)
        if container.state is not ContainerState.RUNNING:
            raise RuntimeFault("NotFound", f"container {container_id} is not running")
        return container
