"""`homeostat join`."""

from __future__ import annotations

from pathlib import Path

import click

from homeostat.cluster.state_folder import LabError


@click.command("join")
@click.argument("url", metavar="URL")
@click.option(
    "--token", required=True, envvar="HOMEOSTAT_TOKEN", help="A bootstrap token, as `join-command` prints it."
)
@click.option(
    "--ca-cert-hash",
    "fingerprints",
    multiple=True,
    required=True,
    metavar="sha256:HASH",
    help="The fingerprint of the cluster's CA; may be repeated.",
)
@click.option("--node-name", default="", help="The node's name. [default: this machine's host name]")
@click.option("--node-address", default="", help="Its address. [default: the one from which the API is reached]")
@click.option(
    "--root",
    type=click.Path(path_type=Path),
    default=Path("/var/lib/homeostat-node"),
    show_default=True,
    help="The folder of the node's data.",
)
@click.option(
    "--runtime", type=click.Choice(["cri", "process", "simulated"]), default="cri", show_default=True, help="Of Pods."
)
@click.option(
    "--cri-endpoint",
    default="",
    help="A container engine's socket. [default: a containerd of the node's own]",
)
@click.option("--port", type=click.IntRange(1, 65535), default=10250, show_default=True, help="The kubelet's port.")
def command(
    url: str,
    token: str,
    fingerprints: tuple[str, ...],
    node_name: str,
    node_address: str,
    root: Path,
    runtime: str,
    cri_endpoint: str,
    port: int,
) -> None:
    """Make this machine a worker of the cluster at URL, and run its services in the foreground; Ctrl-C ends them."""
    import socket

    from homeostat.compose.join.joined_node import Joining
    from homeostat.compose.join.token_discovery import Invitation

    if url.partition("://")[0] != "https":
        raise LabError(f"{url} is not the URL of a cluster's API, such as https://172.30.0.11:443")
    node = (node_name or socket.gethostname()).lower()
    joining = Joining(
        Invitation(url.rstrip("/"), token, fingerprints),
        node,
        node_address or _address_towards(url),
        root,
        runtime,
        cri_endpoint,
        port,
    )
    _run(joining)


def _address_towards(url: str) -> str:
    """This machine's address on the way to the API. Raises LabError."""
    import socket
    from urllib.parse import urlsplit

    parts = urlsplit(url)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            # Nothing is sent: the kernel chooses the way.
            probe.connect((parts.hostname or "", parts.port or 443))
        except OSError as error:
            raise LabError(f"there is no way from this machine to {url}: {error.strerror}") from error
        return str(probe.getsockname()[0])


def _run(joining: object) -> None:
    import asyncio
    import signal

    from homeostat.compose.join.joined_node import Joining, become, run
    from homeostat.kit import log

    assert isinstance(joining, Joining)
    log.configure()

    async def work() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        member = await become(joining)
        click.echo(f"node {joining.node} has joined the cluster at {joining.invitation.url}")
        await run(member, stop)
        click.echo(f"node {joining.node} has stopped; `homeostat join` with the same --root starts it again")

    asyncio.run(work())
