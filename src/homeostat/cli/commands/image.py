"""`homeostat image`: the images on a cluster's nodes, and building one from a folder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING

import click
import orjson

from homeostat.cli.group import Group
from homeostat.cli.options import known, name_option, output_option
from homeostat.cluster.lab_orders import Order
from homeostat.cluster.state_folder import Folder, LabError
from homeostat.lab.processes.orders import ask

if TYPE_CHECKING:
    import subprocess


@click.group("image", cls=Group)
def command() -> None:
    """Build and load images, and list what nodes have."""


@command.command("build", context_settings={"ignore_unknown_options": True})
@click.argument("image", metavar="IMAGE")
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.argument("words", nargs=-1, type=click.UNPROCESSED, metavar="[COMMAND]...")
@click.option(
    "--to", "file", type=click.Path(path_type=Path, dir_okay=False), required=True, help="The archive to write."
)
@click.option(
    "--base",
    default="homeostat.local/busybox:1",
    show_default=True,
    metavar="IMAGE",
    help="The base image: an image that clusters bring along (`image list --available`), or `scratch`.",
)
def build_image(image: str, folder: Path, words: tuple[str, ...], file: Path, base: str) -> None:
    """Build an image of the files in FOLDER.

    COMMAND is what its containers run. IMAGE has a registry and a tag, such as example.local/app:1. `image load` loads
    the archive onto a cluster's nodes.
    """
    import shutil

    from homeostat.lab.images import build, own

    archive = build.build(own.of_folder(image, folder, base=base, command=words))
    try:
        shutil.copyfile(archive, file)
    except OSError as error:
        raise LabError(f"cannot write {file}: {error.strerror}") from error
    click.echo(f"{file} holds {image}; `homeostat image load {file}` brings it onto the nodes")


@command.command("load")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--as", "image", default="", metavar="NAME", help="Names the image of an archive that has no name in it.")
@name_option
def load_image(file: Path, image: str, name: str) -> None:
    """Load an image's archive onto all running nodes.

    FILE is what `image build` or `docker save` has written, or an OCI layout, gzipped or not.
    """
    from homeostat.lab.images.load import load
    from homeostat.lab.images.reader import examine

    folder = _with_images(name)
    archive = examine(file, name=image)
    on, off = _nodes(folder)
    if not on:
        raise LabError(f"no node of {folder.name} is on; `homeostat node start NODE` turns one on")
    load(archive, on, _entering(folder))
    click.echo(f"loaded {', '.join(archive.names)} onto {', '.join(on)}")
    if off:
        click.echo(f"not onto {', '.join(off)}, which {'is' if len(off) == 1 else 'are'} off", err=True)


@command.command("list")
@click.argument("node", required=False)
@click.option("--available", is_flag=True, help="The images that every cluster brings along, and which have a shell.")
@output_option
@name_option
def list_images(node: str | None, output: str, name: str, *, available: bool) -> None:
    """List the images of all running nodes, or of one."""
    from homeostat.lab.images.load import Listed, listed

    if available:
        if node:
            raise click.UsageError("--available is about every cluster; leave the node out")
        _show_available(output)
        return
    folder = _with_images(name)
    on, off = _nodes(folder)
    if node in off:
        raise LabError(f"{node} is off; `homeostat node start {node}` turns it on")
    if node and node not in on:
        raise LabError(f"there is no node {node!r}; the nodes are {', '.join(on + off)}")
    nodes_of: dict[Listed, list[str]] = {}
    for each in [node] if node else on:
        for image in listed(each, _entering(folder)):
            nodes_of.setdefault(image, []).append(each)
    found = sorted(nodes_of.items(), key=lambda item: item[0].name)
    if output == "json":
        rows = [{"name": i.name, "digest": i.digest, "size": i.size, "nodes": nodes} for i, nodes in found]
        click.echo(orjson.dumps(rows, option=orjson.OPT_INDENT_2))
        return
    lines = [("IMAGE", "DIGEST", "SIZE", "NODES")]
    for image, nodes in found:
        where = "all" if not node and len(nodes) == len(on) else ", ".join(nodes)
        lines.append((image.name, image.digest.removeprefix("sha256:")[:12], image.size, where))
    _print_table(lines)


def _show_available(output: str) -> None:
    """The images of this machine's programs, with what each is for. Raises LabError when a program is missing."""
    from homeostat.lab.images import stock

    specs = sorted(stock.all_specs(), key=lambda spec: spec.name)
    if output == "json":
        rows = [{"name": spec.name, "shell": spec.has_shell, "about": spec.about} for spec in specs]
        click.echo(orjson.dumps(rows, option=orjson.OPT_INDENT_2))
        return
    lines = [(spec.name, "yes" if spec.has_shell else "no", spec.about) for spec in specs]
    _print_table([("IMAGE", "SHELL", "ABOUT"), *lines])


def _print_table(lines: Sequence[Sequence[str]]) -> None:
    """Columns side by side; the last one is not filled up."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for *cells, last in lines:
        click.echo("  ".join([*map(str.ljust, cells, widths), last]))


def _with_images(name: str) -> Folder:
    """The folder of a cluster whose nodes have images. Raises LabError."""
    folder = known(name)
    if not folder.load().kind.are_hosts:
        raise LabError(f"{name!r} has no images: its pods are plain processes (`homeostat up --runtime container`)")
    return folder


def _nodes(folder: Folder) -> tuple[list[str], list[str]]:
    """The nodes that are on, and those that are off. Raises LabError when the cluster does not run."""
    children = [child for child in ask(folder.supervisor_socket, Order("status"))["children"] if child["node"]]
    return [c["node"] for c in children if c["pid"]], [c["node"] for c in children if not c["pid"]]


def _entering(
    folder: Folder,
) -> Callable[[str, Sequence[str], IO[bytes] | None], subprocess.CompletedProcess[bytes]]:
    from homeostat.lab.hosts import enter

    def run(node: str, argv: Sequence[str], stdin: IO[bytes] | None) -> subprocess.CompletedProcess[bytes]:
        return enter.run(folder, node, argv, stdin=stdin)

    return run
