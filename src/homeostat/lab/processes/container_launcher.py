"""The lab's way to launch a container: ask the shim of the lab, which was forked from the warm parent."""

from __future__ import annotations

from pathlib import Path

from homeostat.cluster.lab_orders import Order
from homeostat.cluster.state_folder import LabError
from homeostat.lab.processes.orders import ask_async


class WarmLauncher:
    """A `runtime.process.shim_launcher.Launcher` over the shim's socket."""

    def __init__(self, shim_socket: Path) -> None:
        self._socket = shim_socket

    async def launch(self, container_dir: Path) -> int:
        """Have the container in `container_dir` started; the shim's process ID. Raises OSError."""
        try:
            answer = await ask_async(self._socket, Order("launch", dir=str(container_dir)))
        except LabError as error:
            raise OSError(str(error)) from error
        return int(answer["pid"])
