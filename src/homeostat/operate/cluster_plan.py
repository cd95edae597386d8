"""Which cluster `up` boots: the saved one, or a new one of the options given; and its claim to addresses and ports."""

from __future__ import annotations

import errno
import os
import socket
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from homeostat.cluster.errors import LabError
from homeostat.cluster.node_kinds import API_PORT, POD_RANGE, SERVICE_RANGE, UPLINK_PORT
from homeostat.cluster.state_folder import Folder, free_indexes, state_root
from homeostat.cluster.topology import API_HOST, CLUSTERS_MAX, CONTROL_PLANES_MAX, WORKERS_MAX, Cluster
from homeostat.lab.hosts import requirements
from homeostat.lab.kinds.choice import kind_of
from homeostat.lab.links import address_ranges

_PORTS_TRIED = 100
# Where the search for the Console's port begins.
_CONSOLE_PORT = 9000


@dataclass(frozen=True, slots=True)
class ClusterOptions:
    """What the user gave; None where nothing was given: a cluster that exists keeps its own."""

    name: str
    control_planes: int | None = None
    workers: int | None = None
    runtime: str | None = None
    store: str | None = None
    api_port: int | None = None
    settings: dict[str, dict[str, str]] | None = None
    node_cidr: str | None = None
    # 0: no Console.
    console_port: int | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """The cluster to run, and the socket that claims its addresses on this machine for as long as it is open. `note`
    says what a person may want to know of the choice."""

    cluster: Cluster
    claim: socket.socket
    note: str = ""


def plan(folder: Folder, options: ClusterOptions) -> Plan:
    """The cluster to run: a new one, or the saved one with its runtime options changed. Raises LabError."""
    _check(options)
    if folder.exists():
        cluster = _saved(folder, options)
        return Plan(cluster, _claim(cluster))
    given = {key: value for key in ClusterOptions.__slots__ if (value := getattr(options, key)) is not None}
    given["runtime"], note = _runtime(options)
    if options.store in (None, "auto"):
        given["store"] = "etcd" if given["runtime"] == "container" else "sqlite"
    given["api_port"] = options.api_port or _free_port(API_PORT, "--api-port")
    if options.console_port is None:
        given["console_port"] = _free_console_port()
    for index in _in_turn(free_indexes()):
        cluster = _check_store(Cluster(index=index, **given))
        if cluster.node_cidr:
            kind_of(cluster).check_addresses(cluster)
        with suppress(LabError):
            return Plan(cluster, _claim(cluster), note)
    raise LabError(f"the addresses of {CLUSTERS_MAX} clusters are all in use; `homeostat down --purge` forgets one")


def _in_turn(indexes: list[int]) -> list[int]:
    """The order in which to try indexes. A stopped cluster of another state folder cannot be seen here, and needs its
    addresses again when it starts: folders beside the usual one begin at places of their own."""
    usual = Path.home() / ".local" / "state" / "homeostat"
    start = 0 if state_root() == usual else zlib.crc32(os.fsencode(state_root())) % CLUSTERS_MAX
    return [i for i in indexes if i >= start] + [i for i in indexes if i < start]


def _claim(cluster: Cluster) -> socket.socket:
    """Claim the cluster's addresses against clusters of other users and state folders. Raises LabError."""
    kind_of(cluster).check_addresses(cluster)
    try:
        return _listen(UPLINK_PORT, host=f"{cluster.network}.0.1")
    except OSError as error:
        text = f"the addresses {cluster.network}.0.0/16 of cluster {cluster.name!r} are in use by another cluster "
        raise LabError(text + "of this machine; stop that one first") from error


def _saved(folder: Folder, options: ClusterOptions) -> Cluster:
    """The saved cluster, with what may change changed. Raises LabError for what may not."""
    saved = folder.load()
    for part in ("control_planes", "workers", "store", "runtime"):
        asked, kept = getattr(options, part), getattr(saved, part)
        if asked not in (None, "auto", kept):
            option = "--" + part.replace("_", "-")
            text = f"cluster {folder.name!r} was made with {option} {kept}; "
            raise LabError(text + f"`homeostat down --name {folder.name} --purge` forgets it")
    may = ("api_port", "console_port", "settings")
    changed = {key: getattr(options, key) for key in may if getattr(options, key) is not None}
    if saved.console_port is None and options.console_port is None:
        changed["console_port"] = _free_console_port()
    return replace(saved, **changed)


def _check(options: ClusterOptions) -> None:
    if options.control_planes is not None and not 1 <= options.control_planes <= CONTROL_PLANES_MAX:
        raise LabError(f"--control-planes is 1 to {CONTROL_PLANES_MAX}")
    if options.workers is not None and not 0 <= options.workers <= WORKERS_MAX:
        raise LabError(f"--workers is 0 to {WORKERS_MAX}")
    if options.node_cidr is not None:
        given = (options.settings or {}).get("apiserver", {}).get("service-cluster-ip-range")
        address_ranges.node_range(options.node_cidr, {"pods": POD_RANGE, "services": given or SERVICE_RANGE})


def _check_store(cluster: Cluster) -> Cluster:
    if cluster.store == "memory" and cluster.control_planes > 1:
        text = (
            "--store memory is inside one API server: it needs --control-planes 1 (and loses everything when that ends)"
        )
        raise LabError(text)
    kind_of(cluster).check_store(cluster)
    return cluster


def _runtime(options: ClusterOptions) -> tuple[str, str]:
    """The runtime to use, and a note when that is not the best one. Raises LabError when it cannot be had."""
    if options.runtime not in (None, "auto", "container"):
        return str(options.runtime), ""
    # What only the other runtimes have decides as well.
    if options.runtime != "container" and options.store in ("sqlite", "memory"):
        return "process", ""
    why = requirements.obstacle()
    if why and options.runtime == "container":
        raise LabError(f"--runtime container: {why}")
    if why:
        return "process", f"nodes are processes of this host: {why}"
    return "container", ""


def _free_console_port() -> int:
    return _free_port(_CONSOLE_PORT, "--console-port")


def _free_port(first: int, option: str) -> int:
    for port in range(first, first + _PORTS_TRIED):
        with suppress(OSError), _listen(port):
            return port
    raise LabError(f"ports {first} to {first + _PORTS_TRIED} are all in use; name one with {option}")


def _listen(port: int, *, host: str = API_HOST) -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((host, port))
        sock.listen(1024)
    except OSError:
        sock.close()
        raise
    return sock


@contextmanager
def listening(folder: Folder, cluster: Cluster) -> Iterator[tuple[socket.socket, socket.socket | None]]:
    """The API's listening socket and the Console's, if it has one, for the length of a block. Raises LabError when a
    port is taken."""
    with ExitStack() as opened:
        api = opened.enter_context(_own(folder, cluster.api_port, "the API", "--api-port"))
        if not cluster.console_port:
            yield api, None
            return
        yield api, opened.enter_context(_own(folder, cluster.console_port, "the Console", "--console-port"))


def _own(folder: Folder, port: int, what: str, option: str) -> socket.socket:
    try:
        return _listen(port)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            text = f"port {port}, where {what} of cluster {folder.name!r} is, is in use by another program or cluster; "
            raise LabError(f"{text}`homeostat up{folder.naming} {option} PORT` takes another one") from error
        raise LabError(f"cannot listen on {API_HOST}:{port}: {error.strerror}") from error
