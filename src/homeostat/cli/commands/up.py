"""`homeostat up`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from homeostat.cli.options import name_option
from homeostat.cli.progress import TerminalReporter, print_line

if TYPE_CHECKING:
    from homeostat.operate.cluster_plan import ClusterOptions


@click.command("up")
@name_option
@click.option(
    "--control-planes",
    type=int,
    help="Masters, each with an API server, controller manager and scheduler. [default: 3]",
)
@click.option("--workers", type=int, help="Workers. [default: 2]")
@click.option(
    "--runtime",
    type=click.Choice(["auto", "container", "process", "simulated"]),
    envvar="HOMEOSTAT_RUNTIME",
    help="What runs containers: `container` needs namespaces and containerd. [default: auto, the best that works here]",
)
@click.option(
    "--store", type=click.Choice(["auto", "etcd", "sqlite", "memory"]), help="What keeps objects. [default: auto]"
)
@click.option(
    "--api-port",
    type=click.IntRange(1, 65535),
    help="The API's port on 127.0.0.1. [default: the first free one from 6443]",
)
@click.option(
    "--console-port",
    type=click.IntRange(1, 65535),
    help="The Console's port on 127.0.0.1. [default: the first free one from 9000]",
)
@click.option("--no-console", is_flag=True, help="Without the Console.")
@click.option("--node-cidr", metavar="CIDR", help="The nodes' addresses with real nodes. [default: 172.30.0.0/24]")
@click.option(
    "--set",
    "assignments",
    multiple=True,
    metavar="COMPONENT.FLAG=VALUE",
    help="A component's flag, as Kubernetes names it; may be repeated.",
)
def command(
    *,
    name: str,
    control_planes: int | None,
    workers: int | None,
    runtime: str | None,
    store: str | None,
    api_port: int | None,
    console_port: int | None,
    no_console: bool,
    node_cidr: str | None,
    assignments: tuple[str, ...],
) -> None:
    """Boot a cluster, or bring one back with all its objects. Returns when every node is Ready."""
    from homeostat.api.flags.flag_settings import SettingsError, parse_settings
    from homeostat.operate.cluster_plan import ClusterOptions
    from homeostat.operate.setting_files import with_contents

    try:
        settings = parse_settings(with_contents(assignments)).to_dict() if assignments else None
    except SettingsError as error:
        raise click.BadParameter(str(error), param_hint="--set") from error
    if no_console and console_port:
        raise click.BadParameter("a Console that is not there has no port", param_hint="--console-port")
    port = 0 if no_console else console_port
    _boot(ClusterOptions(name, control_planes, workers, runtime, store, api_port, settings, node_cidr, port))


def _boot(options: ClusterOptions) -> None:
    from homeostat.cli.commands.status import service_lines
    from homeostat.operate.cluster_status import published_rows
    from homeostat.operate.up import boot

    started = boot(options, TerminalReporter())
    context = started.cluster.context
    print_line(f"cluster {options.name!r} is up after {started.seconds:.1f} s; kubectl uses the context {context!r}")
    for line in service_lines(published_rows(started.folder, awaited=started.services)):
        print_line(line)
    if started.console:
        print_line(f"Console: {started.console} (signs in once; `homeostat console` prints another link)")
