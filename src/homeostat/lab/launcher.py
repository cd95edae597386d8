"""The lab's way to launch a container's shim: ask the supervisor, the warm parent, to fork it."""

from __future__ import annotations

from pathlib import Path

from homeostat.lab.control import ask_async


class WarmLauncher:
    """A `runtime.launcher.Launcher` over the supervisor's control socket."""

    def __init__(self, supervisor_socket: Path) -> None:
        self._socket = supervisor_socket

    async def launch(self, container_dir: Path) -> int:
        """Fork the shim of the container in `container_dir`; returns its process ID. Raises LabError."""
        answer = await ask_async(self._socket, {"do": "launch", "dir": str(container_dir)})
        return int(answer["pid"])
