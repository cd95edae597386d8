"""`homeostat drill`: break the cluster on purpose and see whether it recovers as predicted."""

from __future__ import annotations

import asyncio
import sys

import click
import orjson

from homeostat.cli.group import Group
from homeostat.cli.options import known, name_option, output_option, terminal_width

# What `make up` shows: one API server, then one node.
FIRST = ("api-server", "node")


@click.group("drill", cls=Group)
def command() -> None:
    """List and run failure drills."""


@command.command("list")
@name_option
def list_drills(name: str) -> None:
    """List the drills and what each breaks."""
    from homeostat.cluster.state_folder import Folder
    from homeostat.cluster.topology import Cluster
    from homeostat.drill.library import library

    folder = Folder.of(name)
    cluster = folder.load() if folder.exists() else Cluster(name=name, index=0)
    for drill in library(cluster.flags).values():
        click.echo(f"{drill.name:<20} {drill.title}")
    click.echo(f"{'first':<20} The first drill: {', then '.join(FIRST)}")


@command.command("run")
@click.argument("drill")
@name_option
@output_option
def run(drill: str, name: str, output: str) -> None:
    """Run one drill, and print what was predicted and what happened. Exit code 1 when a prediction is not met."""
    from homeostat.drill.report import as_json, text

    folder = known(name)
    quiet = output == "json"

    def say(line: str) -> None:
        if not quiet:
            click.echo(f"  {line}")

    from homeostat.operate.drills import run_drills

    names = list(FIRST) if drill == "first" else [drill]
    reports = asyncio.run(run_drills(folder, names, say=say))
    if quiet:
        click.echo(orjson.dumps([as_json(report) for report in reports], option=orjson.OPT_INDENT_2).decode())
    else:
        for report in reports:
            click.echo("")
            click.echo("\n".join(text(report, timeline=drill != "first", width=terminal_width())))
    sys.exit(0 if all(report.passed for report in reports) else 1)
