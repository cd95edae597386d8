"""`homeostat node`: the machines of a cluster."""

from __future__ import annotations

import asyncio
import math

import click

from homeostat.cli.options import known, name_option
from homeostat.lab.control import Answer, ask
from homeostat.lab.state import Folder, LabError


@click.group("node")
def command() -> None:
    """List, stop, start, cut and heal nodes."""


@command.command("list")
@name_option
def list_nodes(name: str) -> None:
    """The nodes, with their address and what the cluster thinks of them."""
    from homeostat.cli.status import gather, node_lines

    for line in node_lines(asyncio.run(gather(known(name)))):
        click.echo(line)


@command.command("stop")
@click.argument("node")
@name_option
def stop_node(node: str, name: str) -> None:
    """Turn a node off: its kubelet and every container on it end."""
    _order(name, node, {"do": "stop-node", "node": node})
    click.echo(f"{node} is off")


@command.command("start")
@click.argument("node")
@name_option
def start_node(node: str, name: str) -> None:
    """Turn a node on again."""
    _order(name, node, {"do": "start-node", "node": node})
    click.echo(f"{node} is on")


@command.command("cut")
@click.argument("node")
@name_option
@click.option("--for", "seconds", type=float, default=3600.0, show_default=True, help="Heals by itself after SECONDS.")
def cut_node(node: str, name: str, seconds: float) -> None:
    """Cut a node's uplink: nothing reaches it and it reaches nothing."""
    if not 0 < seconds < math.inf:
        raise click.BadParameter("a cut lasts a finite number of seconds, more than 0", param_hint="--for")
    _order(name, node, {"do": "cut", "node": node, "seconds": seconds}, network=True)
    click.echo(f"{node} is cut off; `homeostat node heal {node}` joins it again (at the latest in {seconds:g} s)")


@command.command("heal")
@click.argument("node")
@name_option
def heal_node(node: str, name: str) -> None:
    """Join a node that was cut off."""
    _order(name, node, {"do": "heal", "node": node}, network=True)
    click.echo(f"{node} is joined")


def _order(name: str, node: str, order: Answer, *, network: bool = False) -> None:
    folder: Folder = known(name)
    names = [each.name for each in folder.load().nodes()]
    if node not in names:
        raise LabError(f"there is no node {node!r}; the nodes are {', '.join(names)}")
    ask(folder.network_socket if network else folder.supervisor_socket, order)
