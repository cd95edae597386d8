"""`homeostat status`: what runs, printed."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import click
import orjson

from homeostat.cli.options import known, name_option, output_option


@click.command("status")
@name_option
@output_option
def command(name: str, output: str) -> None:
    """Show what runs, and its health. Exit code 1 when the cluster does not run or a node is not Ready."""
    from homeostat.operate.cluster_status import gather

    folder = known(name)
    state = asyncio.run(gather(folder))
    if output == "json":
        click.echo(orjson.dumps(state, option=orjson.OPT_INDENT_2).decode())
    else:
        click.echo("\n".join(_lines(state)))
    sys.exit(0 if state["healthy"] else 1)


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
    console = [f"Console {state['console']}, `homeostat console` signs in"] if state["console"] else []
    lines = [head, *console, *([state["trouble"]] if state["trouble"] else []), *state["etcd"], *node_lines(state)]
    if state["controlPlane"]:
        lines.append("")
        lines.append(f"{'CONTROL PLANE':<38}{'READY':<8}RESTARTS")
        for row in state["controlPlane"]:
            lines.append(f"{row['pod']:<38}{'yes' if row['ready'] else 'no':<8}{row['restarts']}")
    services = service_lines(state["services"])
    return [*lines, "", *services] if services else lines
