"""`homeostat node`: the machines of a cluster."""

from __future__ import annotations

import asyncio
import math

import click

from homeostat.cli.group import Group
from homeostat.cli.options import known, name_option
from homeostat.cli.progress import Steps
from homeostat.cluster.lab_orders import Order
from homeostat.cluster.state_folder import Folder, LabError
from homeostat.lab.processes.orders import ask

# A node that is turned off ends its pods in good order.
_ORDER_SECONDS = 60.0


@click.group("node", cls=Group)
def command() -> None:
    """List, add, remove, replace, stop, start, cut and heal nodes, and set their clocks wrong."""


@command.command("list")
@name_option
def list_nodes(name: str) -> None:
    """List the nodes: address, and whether they are ready."""
    from homeostat.cli.commands.status import node_lines
    from homeostat.operate.cluster_status import gather

    for line in node_lines(asyncio.run(gather(known(name)))):
        click.echo(line)


@command.command("stop")
@click.argument("node")
@name_option
def stop_node(node: str, name: str) -> None:
    """Turn a node off: its kubelet and every container on it end."""
    flags = known(name).load().flags
    patience = _ORDER_SECONDS + flags.duration("kubelet", "shutdown-grace-period")
    _check_node(known(name), node)
    click.echo(f"turning {node} off: what runs on it ends in good order, within {patience:.0f} s")
    _order(name, node, Order("stop-node", node=node), seconds=patience)
    click.echo(f"{node} is off")


@command.command("start")
@click.argument("node")
@name_option
def start_node(node: str, name: str) -> None:
    """Turn a node on again."""
    _order(name, node, Order("start-node", node=node))
    click.echo(f"{node} is on")


@command.command("cut")
@click.argument("node")
@name_option
@click.option(
    "--for", "seconds", type=float, default=3600.0, show_default=True, help="The cut ends by itself after SECONDS."
)
def cut_node(node: str, name: str, seconds: float) -> None:
    """Cut a node's uplink: nothing reaches it and it reaches nothing."""
    if not 0 < seconds < math.inf:
        raise click.BadParameter("a cut lasts a finite number of seconds, more than 0", param_hint="--for")
    _order(name, node, Order("cut", node=node, seconds=seconds), network=True)
    click.echo(f"{node} is cut off; `homeostat node heal {node}` joins it again (at the latest in {seconds:g} s)")


@command.command("heal")
@click.argument("node")
@name_option
def heal_node(node: str, name: str) -> None:
    """Join a node that was cut off."""
    _order(name, node, Order("heal", node=node), network=True)
    click.echo(f"{node} is joined")


@command.command("power-off")
@click.argument("node")
@name_option
def power_off(node: str, name: str) -> None:
    """Cut a node's power: everything on it is killed at once."""
    _order(name, node, Order("stop-node", node=node, power=True))
    click.echo(f"{node} has lost its power")


@command.command("power-on")
@click.argument("node")
@name_option
def power_on(node: str, name: str) -> None:
    """Restore a node's power: it boots."""
    _order(name, node, Order("start-node", node=node))
    click.echo(f"{node} is on")


@command.command("add")
@name_option
def add_node(name: str) -> None:
    """Add a worker to a running cluster of real nodes.

    Returns when it is Ready.
    """
    from homeostat.operate.workers import add_worker

    node = add_worker(known(name), say=Steps().say)
    click.echo(f"{node} is Ready")


@command.command("remove")
@click.argument("node")
@name_option
def remove_node(node: str, name: str) -> None:
    """Remove a worker for good.

    Its pods are moved to other nodes, then it is turned off and deleted.
    """
    from homeostat.operate.workers import remove_worker

    remove_worker(known(name), node, say=Steps().say)
    click.echo(f"{node} is removed")


@command.command("replace")
@click.argument("node")
@name_option
def replace_node(node: str, name: str) -> None:
    """Rebuild a master whose disk is lost.

    Its etcd member joins the others and copies their data.
    """
    from homeostat.operate.replace_master import replace_master

    replace_master(known(name), node, say=Steps().say)
    click.echo(f"{node} is Ready, and its etcd member has joined again")


@command.command("clock", context_settings={"ignore_unknown_options": True})
@click.argument("node")
@click.argument("shift", type=click.UNPROCESSED)
@name_option
def set_clock(node: str, shift: str, name: str) -> None:
    """Set a node's clock wrong by SHIFT, such as +10m or -90s.

    0 sets it right, and so does turning the node off. Nodes share this machine's kernel and so its clock: it is the
    cluster's own programs on the node (kubelet, kube-proxy, control plane) that see another time.
    """
    from homeostat.operate.node_clock import shift_clock

    click.echo(shift_clock(known(name), node, shift))


def _order(name: str, node: str, order: Order, *, network: bool = False, seconds: float = _ORDER_SECONDS) -> None:
    folder: Folder = known(name)
    _check_node(folder, node)
    receiver = folder.path / folder.load().kind.cut_socket if network else folder.supervisor_socket
    ask(receiver, order, timeout_seconds=seconds)


def _check_node(folder: Folder, node: str) -> None:
    """Raises LabError for a node that there is not."""
    names = [each.name for each in folder.load().nodes()]
    if node not in names:
        raise LabError(f"there is no node {node!r}; the nodes are {', '.join(names)}")
