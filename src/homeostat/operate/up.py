"""Bringing a cluster up: plan, prepare, fork the supervisor, and report each step until every node is Ready."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from textwrap import shorten
from typing import TypeAlias

from homeostat.api import meta
from homeostat.api.errors import ApiError
from homeostat.api.kinds import NODE, SERVICE
from homeostat.client.contract import Client
from homeostat.cluster.lab_orders import Order
from homeostat.cluster.state_folder import Folder, LabError
from homeostat.cluster.topology import API_HOST, Cluster
from homeostat.kit import clock, tasks
from homeostat.lab.daemon import Held, daemonize
from homeostat.lab.prepare import prepare
from homeostat.lab.processes.forking import Rooms
from homeostat.lab.processes.orders import ask_async
from homeostat.operate import addons, console_access, kubectl_context
from homeostat.operate.clients import administering
from homeostat.operate.cluster_plan import ClusterOptions, listening, plan
from homeostat.operate.down import abandon
from homeostat.operate.steps import Progress, Reporter
from homeostat.wire.message import Request

_UP_SECONDS = 120.0
_LOOK_SECONDS = 0.02
_GUARD_SECONDS = 0.5
_ENDING = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
# Of a cluster that came up: its Services as namespace/name, what could not be made, and the link to its Console.
_CameUp: TypeAlias = tuple[list[str], str, str]
# A child that was launched so often during a start will not stay up.
_LAUNCHES_MAX = 5
_WHY_LETTERS_MAX = 60


@dataclass(frozen=True, slots=True)
class Started:
    """A cluster that is up: `services` are those that there are, as namespace/name; `console` is a link that signs in
    to its Console, empty without one."""

    folder: Folder
    cluster: Cluster
    seconds: float
    services: list[str]
    console: str = ""


def boot(options: ClusterOptions, report: Reporter) -> Started:
    """Bring the cluster up and wait until every node is Ready. Raises LabError."""
    began = clock.monotonic()
    folder = Folder.of(options.name)
    # An `up` that is asked to end leaves nothing behind, by whatever signal it is.
    for number in _ENDING:
        signal.signal(number, signal.default_int_handler)
    with folder.only_one() as lock:
        planned = plan(folder, options)
        cluster = planned.cluster
        if planned.note:
            report.warn(planned.note)
        with planned.claim, listening(folder, cluster) as (api, console):
            report.say("preparing certificates, images and the nodes' files")
            prepare(folder, cluster)
            if cluster.store == "sqlite":
                # After `prepare`, which has made sure that the disk has room for a copy.
                from homeostat.operate import store_check

                store_check.before_start(folder, cluster)
            # Between the fork and `try` nothing would end the supervisor: signals are blocked until then.
            signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)
            supervisor = daemonize(folder, cluster, _load, Held(lock, planned.claim, api, console))
    shown = report.progress(["API", *(f"node {node.name}" for node in cluster.nodes())], began)
    try:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDING)
        services, note, link = asyncio.run(_come_up(folder, cluster, supervisor, shown, began))
    except (LabError, KeyboardInterrupt):
        shown.close()
        abandon(supervisor)
        raise
    shown.close()
    if note:
        report.warn(note)
    kubectl_context.join(folder)
    return Started(folder, cluster, clock.monotonic() - began, services, link)


def _load(sockets: dict[str, socket.socket]) -> Rooms:
    """Only the supervisor and its forks need the rooms."""
    from homeostat import compose

    compose.preload_shared()
    return Rooms(compose.COMPONENTS, compose.preload, lambda argv: compose.run_component(argv, sockets))


async def _come_up(folder: Folder, cluster: Cluster, supervisor: int, shown: Progress, began: float) -> _CameUp:
    """Return when every node is Ready. Raises LabError when something keeps ending or the time is over."""
    guard = tasks.spawn(_guard(supervisor, folder, shown), name="up/guard")
    watch = tasks.spawn(_watch(folder, cluster, shown, began), name="up/watch")
    try:
        async with asyncio.timeout(_UP_SECONDS):
            await asyncio.wait((guard, watch), return_when=asyncio.FIRST_COMPLETED)
    except TimeoutError:
        text = f"the cluster was not ready within {_UP_SECONDS:.0f} s; see {folder.log} and `homeostat status`"
        raise LabError(text) from None
    finally:
        await tasks.stop(*(task for task in (guard, watch) if not task.done()))
    if guard.done() and not guard.cancelled():
        raise LabError(guard.result())
    return watch.result()


async def _watch(folder: Folder, cluster: Cluster, shown: Progress, began: float) -> _CameUp:
    async with administering(folder) as client:
        await _api_answers(client, shown)
        shown.reached("API", f"answers on https://{API_HOST}:{cluster.api_port}")
        waiting = {node.name for node in cluster.nodes()}
        started = clock.wall() - (clock.monotonic() - began)
        while waiting:
            for name, trouble in sorted((await _nodes(client, started)).items()):
                if trouble:
                    shown.step(f"node {name}", trouble)
                elif name in waiting:
                    waiting.discard(name)
                    shown.reached(f"node {name}", "Ready")
            await clock.sleep(_LOOK_SECONDS)
        # Not before: Pods that are scheduled while one node alone is Ready all land there.
        note = await _give_addons(client, cluster)
        services, link = [], ""
        with suppress(ApiError):
            services = [meta.key(service) for service in (await client.list(SERVICE)).items]
            link = await console_access.link(client, cluster) if cluster.console_port else ""
        return services, note, link


async def _give_addons(client: Client, cluster: Cluster) -> str:
    """Make what is missing of the add-ons; why one could not be made, or nothing. The cluster works without."""
    try:
        await addons.ensure(client, addons.objects(cluster))
    except ApiError as error:
        return f"an add-on could not be made, the next `homeostat up` tries again: {error}"
    return ""


async def _api_answers(client: Client, shown: Progress) -> None:
    while True:
        try:
            status = (await client.raw(Request("GET", "/readyz"))).status
        except ApiError:
            shown.step("API", "no API server listens yet")
        else:
            if status == 200:
                return
            shown.step("API", "an API server listens and is not ready yet")
        await clock.sleep(_LOOK_SECONDS)


async def _nodes(client: Client, started: float) -> dict[str, str]:
    """Of each node that is registered why it is not Ready; empty when its kubelet has said since `started` (wall clock)
    that it is: what it said before the cluster went down does not count."""
    try:
        nodes = (await client.list(NODE)).items
    except ApiError:
        return {}
    found = {}
    for node in nodes:
        ready = meta.condition(node, "Ready") or {}
        # Times in the API are whole seconds.
        fresh = meta.time_of(ready.get("lastHeartbeatTime")) >= int(started)
        why = str(ready.get("message") or ready.get("reason") or "") if fresh else "its kubelet has not reported yet"
        is_ready = fresh and ready.get("status") == "True"
        found[meta.name(node)] = "" if is_ready else f"registered, not ready: {shorten(why, _WHY_LETTERS_MAX)}"
    return found


async def _guard(supervisor: int, folder: Folder, shown: Progress) -> str:
    """Returns only when the cluster cannot come up: says what keeps ending. Until then it shows which nodes boot."""
    log = folder.log / "supervisor.log"
    while True:
        await clock.sleep(_GUARD_SECONDS)
        pid, status = os.waitpid(supervisor, os.WNOHANG)  # noqa: ASYNC222 - it never waits
        if pid:
            code = os.waitstatus_to_exitcode(status)
            return f"the supervisor ended with status {code} ({_last_error(log)}); its log is {log}"
        with suppress(LabError):
            children = (await ask_async(folder.supervisor_socket, Order("status"), timeout_seconds=5))["children"]
            for child in children:
                if child["node"] and child["pid"]:
                    shown.step(f"node {child['node']}", "booting", only_first=True)
            if ending := [child["name"] for child in children if child["launches"] >= _LAUNCHES_MAX]:
                return f"{' and '.join(ending)} kept ending ({_last_error(log)}); the log is {log}"


def _last_error(log: Path) -> str:
    """The last line of the log that an exception left, or its last line."""
    lines = log.read_text(errors="replace").strip().splitlines() or ["nothing was logged"]
    errors = [line for line in lines if "Error" in line.partition(":")[0] and not line.startswith(" ")]
    return (errors or lines)[-1]
