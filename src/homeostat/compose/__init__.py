"""The only place that wires rooms together: each component of a lab, from its parts, in a process of its own.

`run_component(argv)` is what the warm parent's forks run: `kube-apiserver --state=FOLDER --node=NODE` and so on. Each
component has a module here; `preload` imports it, so that the parent does that once and in the order of need.
"""

from __future__ import annotations

import asyncio
import importlib
import os
import signal
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path

import uvloop

from homeostat.api import facts
from homeostat.compose import rotation
from homeostat.compose.place import Place
from homeostat.kit import log, tasks
from homeostat.lab.state import Folder

Work = Callable[[Place, asyncio.Event], Awaitable[None]]

# Which module each component is in.
_MODULES = {
    "homeostat-network": "network",
    "kubelet": "kubelet",
    "kube-proxy": "kubeproxy",
    "kube-apiserver": "apiserver",
    "kube-controller-manager": "controllers",
    "kube-scheduler": "scheduler",
}


COMPONENTS = tuple(_MODULES)


# What nearly all components import, whichever room they are of.
_SHARED = ("homeostat.api.validation", "homeostat.compose.place", "homeostat.loop.informer", "homeostat.wire.server")


def preload_shared() -> None:
    """Import and read what several components need: before the first fork, so that they share it."""
    for module in _SHARED:
        importlib.import_module(module)
    facts.definitions()


def preload(component: str) -> Work:
    """Import all that a component needs; its work."""
    # A linear algebra library that starts threads would make every later fork unsafe.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    work: Work = importlib.import_module(f"homeostat.compose.{_MODULES[component]}").run
    return work


def run_component(argv: list[str], sockets: dict[str, socket.socket]) -> int:
    """Run one component until SIGTERM; the exit code. `sockets` are those that the supervisor holds for it."""
    options = dict(word.removeprefix("--").split("=", 1) for word in argv[1:])
    folder = Folder(Path(options["state"]))
    cluster = folder.load()
    node = cluster.node(options["node"]) if "node" in options else None
    work = preload(argv[0])
    log.configure()
    uvloop.run(_until_told(work, Place(folder, cluster, node, sockets)))
    return 0


async def _until_told(work: Work, place: Place) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    following = tasks.spawn(rotation.follow(), name="certificates")
    await work(place, stop)
    await tasks.stop(following)
