"""`homeostat status`: what runs, as the supervisor, the uplinks and the API tell it."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Collection
from typing import Any

import click
import orjson

from homeostat.cli.options import known, name_option, output_option
from homeostat.lab.state import Folder, LabError

_API_SECONDS = 5.0


@click.command("status")
@name_option
@output_option
def command(name: str, output: str) -> None:
    """What runs and how it is. Exit code 1 when the cluster does not run or a node is not Ready."""
    folder = known(name)
    state = asyncio.run(gather(folder))
    if output == "json":
        click.echo(orjson.dumps(state, option=orjson.OPT_INDENT_2).decode())
    else:
        click.echo("\n".join(_lines(state)))
    sys.exit(0 if state["healthy"] else 1)


async def gather(folder: Folder) -> dict[str, Any]:
    """The state as data: `healthy`, `running`, `api`, `nodes`, `controlPlane`, `etcd`, `services`, `trouble`."""
    from homeostat.lab.control import ask_async

    cluster = folder.load()
    state: dict[str, Any] = {
        "name": cluster.name,
        "context": cluster.context,
        "server": f"https://127.0.0.1:{cluster.api_port}",
        "running": False,
        "healthy": False,
        "nodes": [],
        "controlPlane": [],
        "etcd": [],
        "services": [],
        "trouble": "",
    }
    try:
        supervisor = await ask_async(folder.supervisor_socket, {"do": "status"}, timeout_seconds=_API_SECONDS)
        network = await ask_async(folder.network_socket, {"do": "status"}, timeout_seconds=_API_SECONDS)
    except LabError as error:
        state["trouble"] = f"the cluster is not running ({error})"
        return state
    state["running"] = True
    state["services"] = published_rows(folder)
    await _ask_api(folder, state)
    cut = supervisor["cut"] if cluster.contained else network["cut"]
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
    from homeostat.lab.nodes.memberlog import trouble_of

    ready = {row["node"] for row in pods if row["pod"].startswith("etcd-") and row["ready"]}
    found = [trouble_of(folder, node) for node in masters if node not in ready]
    return [str(trouble) for trouble in found if trouble is not None]


async def _ask_api(folder: Folder, state: dict[str, Any]) -> None:
    from homeostat.api import meta
    from homeostat.api.errors import ApiError
    from homeostat.api.kinds import NODE, POD
    from homeostat.cli.connect import administering

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
    from homeostat.lab.published import read

    found = [entry for entry in read(folder.published) if entry.open or entry.service in awaited]
    entries = sorted(found, key=lambda entry: (entry.service, entry.port_name))
    return [{"service": entry.service, "port": entry.port_name, "url": entry.url} for entry in entries]


def service_lines(rows: list[dict[str, str]]) -> list[str]:
    """The Services that this host reaches as a table; nothing without one."""
    if not rows:
        return []
    names = [f"{row['service']}:{row['port']}" if row["port"] else row["service"] for row in rows]
    width = max(38, max(map(len, names)) + 2)
    return [
        f"{'SERVICE':<{width}}ON THIS HOST",
        *(f"{n:<{width}}{row['url']}" for n, row in zip(names, rows, strict=True)),
    ]


def node_lines(state: dict[str, Any]) -> list[str]:
    """The nodes as a table."""
    lines = [f"{'NODE':<12}{'STATUS':<10}{'ADDRESS':<16}NOTE"]
    for row in state["nodes"]:
        status = {"True": "Ready", "False": "NotReady", "Unknown": "NotReady"}.get(row["ready"], "unknown")
        note = "" if row["on"] else "turned off"
        if row["cutForSeconds"]:
            note = f"cut off; heals by itself in {row['cutForSeconds']:.0f} s"
        lines.append(f"{row['name']:<12}{status:<10}{row['address']:<16}{note}".rstrip())
    return lines


def _lines(state: dict[str, Any]) -> list[str]:
    head = f"cluster {state['name']!r}, context {state['context']!r}, {state['server']}"
    if not state["running"]:
        return [head, state["trouble"]]
    lines = [head, *([state["trouble"]] if state["trouble"] else []), *state["etcd"], *node_lines(state)]
    if state["controlPlane"]:
        lines.append("")
        lines.append(f"{'CONTROL PLANE':<38}{'READY':<8}RESTARTS")
        for row in state["controlPlane"]:
            lines.append(f"{row['pod']:<38}{'yes' if row['ready'] else 'no':<8}{row['restarts']}")
    services = service_lines(state["services"])
    return [*lines, "", *services] if services else lines
