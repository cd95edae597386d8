"""The only place that wires rooms together: each component of a lab, from its parts, in a process of its own.

`run_component(argv)` is what the warm parent's forks run: `kube-apiserver --state=FOLDER --node=NODE` and so on. Each
component has a module here; `preload` imports it, so that the parent does that once and in the order of need. Add-ons
run in Pods of their own and know of no state folder: they import no more than they need.
"""

from __future__ import annotations

import asyncio
import importlib
import os
import signal
import socket
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import uvloop

from homeostat.kit import log, tasks

if TYPE_CHECKING:
    from homeostat.compose.shared.place import Place

Work: TypeAlias = "Callable[[Place, asyncio.Event], Awaitable[None]]"
AddOn: TypeAlias = Callable[[Mapping[str, str], asyncio.Event], Awaitable[None]]

# Which module each component is in.
_MODULES = {
    "homeostat-network": "network",
    "homeostat-console": "console",
    "kubelet": "kubelet",
    "kube-proxy": "kubeproxy",
    "kube-apiserver": "apiserver",
    "kube-controller-manager": "controllers",
    "kube-scheduler": "scheduler",
}


COMPONENTS = tuple(_MODULES)

_ADD_ONS = {"cluster-dns": "dns"}
ADD_ONS = tuple(_ADD_ONS)


# What nearly all components import, whichever room they are of.
_SHARED = (
    "homeostat.api.validation",
    "homeostat.compose.shared.place",
    "homeostat.compose.shared.certificate_rotation",
    "homeostat.loop.informer",
    "homeostat.wire.http_server",
)


def preload_shared() -> None:
    """Import and read what several components need: before the first fork, so that they share it."""
    for module in _SHARED:
        importlib.import_module(module)
    from homeostat.api import facts

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
    if argv[0] in _ADD_ONS:
        add_on: AddOn = importlib.import_module(f"homeostat.compose.{_ADD_ONS[argv[0]]}").run
        log.configure()
        uvloop.run(_until_signalled(lambda stop: add_on(options, stop)))
        return 0
    from homeostat.cluster.state_folder import Folder
    from homeostat.compose.shared import certificate_rotation
    from homeostat.compose.shared.node_sites import site_of
    from homeostat.compose.shared.place import Place

    folder = Folder(Path(options["state"]))
    cluster = folder.load()
    node = cluster.node(options["node"]) if "node" in options else None
    work = preload(argv[0])
    place = Place(folder, cluster, node, sockets)
    if node is not None:
        site_of(place).follow_clock()
    log.configure()

    async def live(stop: asyncio.Event) -> None:
        following = tasks.spawn(certificate_rotation.follow(), name="certificates")
        await work(place, stop)
        await tasks.stop(following)

    uvloop.run(_until_signalled(live))
    return 0


async def _until_signalled(work: Callable[[asyncio.Event], Awaitable[None]]) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await work(stop)
