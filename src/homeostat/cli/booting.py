"""What `up` does: plan, prepare, fork the supervisor, and show how the cluster comes to life."""

from __future__ import annotations

import asyncio
import os
import socket
from contextlib import suppress

import click

from homeostat.api import meta
from homeostat.api.errors import ApiError
from homeostat.api.kinds import NODE
from homeostat.cli.connect import administering
from homeostat.cli.progress import Progress, progress
from homeostat.client.contract import Client
from homeostat.kit import clock
from homeostat.lab import boot as lab
from homeostat.lab import kubeconfig
from homeostat.lab.state import Folder, LabError
from homeostat.lab.supervisor import Rooms
from homeostat.lab.topology import Cluster
from homeostat.wire.message import Request

_UP_SECONDS = 120.0
_LOOK_SECONDS = 0.02


def boot(wish: lab.Wish) -> None:
    """Bring the cluster up and wait until every node is Ready. Raises LabError."""
    began = clock.monotonic()
    folder = Folder.of(wish.name)
    with folder.only_one() as lock:
        planned = lab.plan(folder, wish)
        cluster = planned.cluster
        with planned.claim, lab.listen(cluster.api_port) as api:
            lab.prepare(folder, cluster)
            supervisor = lab.daemonize(folder, planned, _load, lock=lock, api=api)
    shown = progress(["API", *(f"node {node.name}" for node in cluster.nodes())])
    try:
        asyncio.run(_come_up(folder, cluster, supervisor, shown, began))
    except (LabError, KeyboardInterrupt):
        shown.close()
        with suppress(LabError):
            lab.stop(folder)
        raise
    shown.close()
    kubeconfig.merge(kubeconfig.load(folder.kubeconfig), kubeconfig.user_file())
    took = clock.monotonic() - began
    click.echo(f"cluster {cluster.name!r} is up after {took:.1f} s; kubectl uses the context {cluster.context!r}")


def _load(sockets: dict[str, socket.socket]) -> Rooms:
    """Only the supervisor and its forks need the rooms."""
    from homeostat import compose

    return Rooms(compose.COMPONENTS, compose.preload, lambda argv: compose.run_component(argv, sockets))


async def _come_up(folder: Folder, cluster: Cluster, supervisor: int, shown: Progress, began: float) -> None:
    """Return when every node is Ready. Raises LabError when the supervisor ends or the time is over."""
    try:
        async with asyncio.timeout(_UP_SECONDS), administering(folder) as client:
            await _api_answers(client, supervisor, folder)
            shown.reached("API", f"answers on https://{lab.API_HOST}:{cluster.api_port}", clock.monotonic() - began)
            waiting = {node.name for node in cluster.nodes()}
            while waiting:
                for name in sorted(waiting & await _ready_nodes(client)):
                    waiting.discard(name)
                    shown.reached(f"node {name}", "Ready", clock.monotonic() - began)
                _still_alive(supervisor, folder)
                await clock.sleep(_LOOK_SECONDS)
    except TimeoutError:
        text = f"the cluster was not ready within {_UP_SECONDS:.0f} s; see {folder.log} and `homeostat status`"
        raise LabError(text) from None


async def _api_answers(client: Client, supervisor: int, folder: Folder) -> None:
    while True:
        with suppress(ApiError):
            if (await client.raw(Request("GET", "/readyz"))).status == 200:
                return
        _still_alive(supervisor, folder)
        await clock.sleep(_LOOK_SECONDS)


async def _ready_nodes(client: Client) -> set[str]:
    try:
        nodes = (await client.list(NODE)).items
    except ApiError:
        return set()
    return {meta.name(node) for node in nodes if meta.condition_true(node, "Ready")}


def _still_alive(supervisor: int, folder: Folder) -> None:
    pid, status = os.waitpid(supervisor, os.WNOHANG)
    if pid:
        log = folder.log / "supervisor.log"
        last = log.read_text().strip().rpartition("\n")[2]
        raise LabError(
            f"the supervisor ended with status {os.waitstatus_to_exitcode(status)} ({last}); its log is {log}"
        )
