"""The process that runs all containers of a lab: their shim, and the warm parent of the control plane.

It is forked from the supervisor before that imports anything for itself, and imports what the control plane needs: the
two import side by side. Kubelets order what to launch, the supervisor what to end. When it is killed, the kernel ends
the containers' processes, the supervisor (a subreaper) whatever those leave, and the kubelets start all of them again.
"""

from __future__ import annotations

import os
import socket
from pathlib import Path

import orjson

from homeostat.cluster.lab_orders import Order
from homeostat.cluster.static_pods import COMPONENTS
from homeostat.kit.log import logger
from homeostat.lab.processes.forking import Rooms
from homeostat.lab.processes.orders import Answer, Orders, Reply
from homeostat.runtime.shim.shim_process import Shim

_log = logger("shim")


class Containers:
    """Serves orders on `listener` until SIGTERM, then ends every container; `inherited` are descriptors of the parent
    that it has no use for."""

    def __init__(self, listener: socket.socket, rooms: Rooms, *, inherited: list[int]) -> None:
        self._listener = listener
        self._rooms = rooms
        self._inherited = inherited
        self._awaited: list[tuple[set[Path], Reply]] = []

    def run(self, argv: list[str]) -> int:
        """The work of the forked child; `argv` says nothing but its name."""
        for descriptor in self._inherited:
            os.close(descriptor)
        self._shim = Shim(self._rooms.run, names=COMPONENTS)
        Orders(self._listener, self._shim.descriptors, self._handle)
        # Everything waits for the API server: its rooms are there before anybody asks.
        self._rooms.load(COMPONENTS[0])
        self._shim.serve(self._end_turn)
        return 0

    def _end_turn(self) -> bool:
        """Answer those whose containers have ended; True when nothing is left to do."""
        left = set(self._shim.folders)
        for awaited in list(self._awaited):
            folders, reply = awaited
            if not folders & left:
                self._awaited.remove(awaited)
                reply({"ended": len(folders)})
        return self._shim.asked_to_stop and not left

    def _handle(self, order: Order, reply: Reply) -> None:
        if order.verb == "launch":
            reply(self._launch(Path(order.dir)))
        elif order.verb == "end":
            folders = {folder for folder in self._shim.folders if order.node in folder.parts}
            for folder in folders:
                self._shim.end(folder, now=order.power)
            self._awaited.append((folders, reply))
        else:
            reply({"error": f"unknown order {order.verb!r}"})

    def _launch(self, folder: Path) -> Answer:
        try:
            self._rooms.load(str(orjson.loads((folder / "spec.json").read_bytes())["argv"][0]))
            taken = self._shim.take(folder)
        except (OSError, ValueError, KeyError, IndexError, TypeError) as error:
            _log.warning("cannot start the container in %s: %s", folder, error)
            return {"error": f"the shim cannot start the container: {error}"}
        return {"pid": os.getpid()} if taken else {"error": "the container has run already, or the cluster is ending"}
