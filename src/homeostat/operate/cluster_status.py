"""What runs in a cluster and how it is, as the supervisor, the uplinks, the API and etcd's logs have it: data."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import Any

from homeostat.api import meta
from homeostat.api.errors import ApiError
from homeostat.api.kinds import NODE, POD
from homeostat.cluster.lab_orders import Order
from homeostat.cluster.state_folder import Folder, LabError
from homeostat.lab.hosts.etcd_log import trouble_of
from homeostat.lab.links.published_services import read
from homeostat.lab.processes.orders import ask_async
from homeostat.operate.clients import administering

_API_SECONDS = 5.0


async def gather(folder: Folder) -> dict[str, Any]:
    """The state as data: `healthy`, `running`, `console`, `nodes`, `controlPlane`, `etcd`, `services`, `trouble`."""
    cluster = folder.load()
    state: dict[str, Any] = {
        "name": cluster.name,
        "context": cluster.context,
        "server": f"https://127.0.0.1:{cluster.api_port}",
        "console": cluster.console_url,
        "running": False,
        "healthy": False,
        "nodes": [],
        "controlPlane": [],
        "etcd": [],
        "services": [],
        "trouble": "",
    }
    try:
        supervisor = await ask_async(folder.supervisor_socket, Order("status"), timeout_seconds=_API_SECONDS)
        network = await ask_async(folder.network_socket, Order("status"), timeout_seconds=_API_SECONDS)
    except LabError as error:
        state["trouble"] = f"the cluster is not running ({error})"
        return state
    state["running"] = True
    state["services"] = published_rows(folder)
    await _ask_api(folder, state)
    answers = {folder.supervisor_socket: supervisor, folder.network_socket: network}
    cut = answers[folder.path / cluster.kind.cut_socket]["cut"]
    powered = {child["node"]: child["wanted"] for child in supervisor["children"]}
    for node in cluster.nodes():
        row = next((each for each in state["nodes"] if each["name"] == node.name), None)
        if row is None:
            row = {"name": node.name, "ready": "unknown", "reason": ""}
            state["nodes"].append(row)
        row |= {"address": node.address, "on": powered.get(node.name, False)}
        row["cutForSeconds"] = cut.get(node.name, 0)
    _count_what_is_known(state)
    if cluster.store == "etcd":
        state["etcd"] = _member_troubles(folder, [node.name for node in cluster.masters()], state["controlPlane"])
    state["healthy"] = not state["trouble"] and all(row["ready"] == "True" for row in state["nodes"])
    return state


def _count_what_is_known(state: dict[str, Any]) -> None:
    """A node that is turned off or cut off is not Ready, nor is what runs there: the API learns that by silence only,
    up to a minute later."""
    for row in state["nodes"]:
        if row["on"] and not row["cutForSeconds"]:
            continue
        if row["ready"] == "True":
            row |= {"ready": "Unknown", "reason": "CutOff" if row["on"] else "TurnedOff"}
        for pod in state["controlPlane"]:
            if pod["node"] == row["name"]:
                pod["ready"] = False


def _member_troubles(folder: Folder, masters: list[str], pods: list[dict[str, Any]]) -> list[str]:
    """Why etcd members do not run, by their logs: of those that are not known to be ready."""
    ready = {row["node"] for row in pods if row["pod"].startswith("etcd-") and row["ready"]}
    found = [trouble_of(folder, node) for node in masters if node not in ready]
    return [str(trouble) for trouble in found if trouble is not None]


async def _ask_api(folder: Folder, state: dict[str, Any]) -> None:
    try:
        async with asyncio.timeout(_API_SECONDS), administering(folder) as client:
            nodes = (await client.list(NODE)).items
            pods = (await client.list(POD, "kube-system", labels="tier=control-plane")).items
    except (ApiError, TimeoutError) as error:
        state["trouble"] = f"the API does not answer: {error or 'timed out'}"
        return
    for node in nodes:
        ready = meta.condition(node, "Ready") or {}
        row = {"name": meta.name(node), "ready": ready.get("status", "Unknown"), "reason": ready.get("reason", "")}
        row["version"] = ((node.get("status") or {}).get("nodeInfo") or {}).get("kubeletVersion", "")
        state["nodes"].append(row)
    for pod in pods:
        statuses = (pod.get("status") or {}).get("containerStatuses") or [{}]
        row = {"pod": meta.name(pod), "node": pod["spec"].get("nodeName", ""), "ready": meta.pod_ready(pod)}
        state["controlPlane"].append({**row, "restarts": statuses[0].get("restartCount", 0)})


def published_rows(folder: Folder, *, awaited: Collection[str] = ()) -> list[dict[str, str]]:
    """The ports of this host that lead to Services: `service` (namespace/name), `port` (its name) and `url`. Of the
    Services in `awaited` those ports as well that open when there is a ready endpoint."""
    found = [entry for entry in read(folder.published) if entry.open or entry.service in awaited]
    entries = sorted(found, key=lambda entry: (entry.service, entry.port_name))
    return [{"service": entry.service, "port": entry.port_name, "url": entry.url} for entry in entries]
