"""Workers that come and go while the cluster runs, for `homeostat node add` and `remove`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

from homeostat.api import meta
from homeostat.api.errors import ApiError
from homeostat.api.kinds import NODE
from homeostat.client.drain import drain
from homeostat.cluster.lab_orders import Order
from homeostat.cluster.state_folder import Folder, LabError
from homeostat.cluster.topology import WORKERS_MAX
from homeostat.kit import clock
from homeostat.lab.prepare import prepare
from homeostat.lab.processes import user_namespace
from homeostat.lab.processes.orders import ask
from homeostat.operate.clients import administering

READY_SECONDS = 60.0
_DRAIN_SECONDS = 60.0
_LOOK_SECONDS = 0.05


def add_worker(folder: Folder, *, say: Callable[[str], None]) -> str:
    """Add the next worker and wait until it is Ready; its name. Raises LabError."""
    cluster = folder.load()
    _check(folder)
    if cluster.workers >= WORKERS_MAX:
        raise LabError(f"a cluster has at most {WORKERS_MAX} workers")
    grown = replace(cluster, workers=cluster.workers + 1)
    name = grown.nodes()[-1].name
    ask(folder.supervisor_socket, Order("status"))
    say(f"preparing {name}")
    prepare(folder, grown)
    say(f"booting it and waiting until it is Ready, for at most {READY_SECONDS:.0f} s")
    ask(folder.supervisor_socket, Order("add-node", node=name))
    asyncio.run(wait_ready(folder, name))
    return name


def remove_worker(folder: Folder, name: str, *, say: Callable[[str], None]) -> None:
    """Move a worker's pods elsewhere, turn it off, and forget it. Raises LabError."""
    cluster = folder.load()
    _check(folder)
    workers = [node.name for node in cluster.nodes() if not node.control_plane]
    if name not in workers:
        raise LabError(f"there is no worker {name!r}; the workers are {', '.join(workers)}")
    say(f"moving its Pods to other nodes, for at most {_DRAIN_SECONDS:.0f} s")
    asyncio.run(_drain(folder, name))
    say("turning it off")
    ask(folder.supervisor_socket, Order("remove-node", node=name), timeout_seconds=READY_SECONDS)
    prepare(folder, replace(cluster, removed=[*cluster.removed, name]))
    asyncio.run(_forget(folder, name))
    user_namespace.forget(folder.node(name))


def _check(folder: Folder) -> None:
    if not folder.load().kind.are_hosts:
        raise LabError(
            "nodes can be added and removed only in clusters of real nodes (`homeostat up --runtime container`)"
        )


async def wait_ready(folder: Folder, name: str) -> None:
    """Return once the node is Ready. Raises LabError when that takes too long."""
    deadline = clock.monotonic() + READY_SECONDS
    async with administering(folder) as client:
        while clock.monotonic() < deadline:
            with suppress(ApiError):
                if meta.condition_true(await client.get(NODE, name), "Ready"):
                    return
            await clock.sleep(_LOOK_SECONDS)
    raise LabError(f"{name} was not Ready within {READY_SECONDS:.0f} s; see {folder.node(name)}/var/log/units")


async def _drain(folder: Folder, name: str) -> None:
    """Move the node's Pods elsewhere. Raises LabError when some stay."""
    async with administering(folder) as client:
        left = await drain(client, name, seconds=_DRAIN_SECONDS)
    if left:
        pods = ", ".join(sorted(map(meta.key, left)))
        raise LabError(f"{name} still runs {pods} after {_DRAIN_SECONDS:.0f} s; it is cordoned, not removed")


async def _forget(folder: Folder, name: str) -> None:
    async with administering(folder) as client:
        with suppress(ApiError):
            await client.delete(NODE, name)
