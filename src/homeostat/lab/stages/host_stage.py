"""A lab whose nodes are hosts as a stage for drills: faults are what a person could do to such a machine."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

from homeostat.api.types import Obj
from homeostat.cluster import node_layout
from homeostat.cluster.lab_orders import Order
from homeostat.cluster.state_folder import LabError
from homeostat.lab.hosts import enter
from homeostat.lab.links import host_ports, published_services
from homeostat.lab.processes.orders import ask_async
from homeostat.lab.stages.process_stage import LabStage

_KILL_SECONDS = 10.0


class HostStage(LabStage):
    """Implements `drill.contract.Stage` for such a lab."""

    async def _kill(self, node: str, container_id: str) -> str:
        argv = ["docker", "kill", container_id]
        done = await asyncio.to_thread(enter.run, self._folder, node, argv, timeout_seconds=_KILL_SECONDS)
        if done.returncode:
            raise LabError(f"docker kill on {node}: {done.stderr.decode(errors='replace').strip()}")
        return f"{node}# docker kill {container_id[:12]}"

    async def kill_agent(self, node: str) -> str:
        """SIGKILL to the kubelet; what it runs continues."""
        init = enter.process(self._folder, node)
        order = Order("kill", unit="kubelet", signal=int(signal.SIGKILL))
        await ask_async(Path(f"/proc/{init}/root{node_layout.INIT_SOCKET}"), order)
        return f"{node}# systemctl kill -s KILL kubelet"

    async def cut(self, node: str, *, seconds: float) -> str:
        """Pull the cable."""
        await ask_async(self._folder.supervisor_socket, Order("cut", node=node, seconds=seconds))
        return f"homeostat node cut {node}"

    async def heal(self, node: str) -> str:
        """Plug it in again."""
        await ask_async(self._folder.supervisor_socket, Order("heal", node=node))
        return f"homeostat node heal {node}"

    def _address(self, spec: Obj) -> tuple[str, int]:
        """The Service's port on this host."""
        for entry in published_services.read(self._folder.published):
            if entry.open and any(port.get("nodePort") == entry.node_port for port in spec["ports"]):
                return host_ports.HOST, entry.host_port
        raise LabError("the app's Service has no port on this host: it has no ready endpoint, or no node port")
