"""Bringing a cluster up and taking it down: the state folder's content, and the supervisor as a daemon."""

from __future__ import annotations

import contextlib
import errno
import os
import resource
import signal
import socket
import sys
import traceback
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from homeostat.cluster import certificates, kubeconfig, static_pods
from homeostat.cluster.state_folder import Folder, LabError, free_indexes, replace_file, state_root
from homeostat.cluster.topology import (
    API_PORT,
    CLUSTERS_MAX,
    CONTROL_PLANES_MAX,
    POD_RANGE,
    SERVICE_RANGE,
    UPLINK_PORT,
    WORKERS_MAX,
    Cluster,
)
from homeostat.kit import clock, collector, log
from homeostat.lab.hosts import host_lab as hosts
from homeostat.lab.hosts import requirements
from homeostat.lab.inside import node_files, planted_images
from homeostat.lab.links import address_ranges, host_ports
from homeostat.lab.processes import orders, user_namespace
from homeostat.lab.processes.container_host import Containers
from homeostat.lab.processes.forking import Rooms
from homeostat.lab.processes.process_title import set_title
from homeostat.lab.supervise.supervisor import Child, Shim, Supervisor

API_HOST = "127.0.0.1"
_STOP_SECONDS = 60.0
_PORTS_TRIED = 100

# Makes the rooms for a supervisor that holds these sockets for its components.
Load = Callable[[dict[str, socket.socket]], Rooms]


@dataclass(frozen=True, slots=True)
class Wish:
    """What the user asked for; None where nothing was said: a cluster that exists keeps its own."""

    name: str
    control_planes: int | None = None
    workers: int | None = None
    runtime: str | None = None
    store: str | None = None
    api_port: int | None = None
    settings: dict[str, dict[str, str]] | None = None
    node_cidr: str | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """The cluster to run, and the socket that claims its addresses on this machine for as long as it is open. `note`
    says what a person may want to know of the choice."""

    cluster: Cluster
    claim: socket.socket
    note: str = ""


def plan(folder: Folder, wish: Wish) -> Plan:
    """The cluster to run: a new one, or the saved one with its runtime options changed. Raises LabError."""
    _check(wish)
    if folder.exists():
        cluster = _saved(folder, wish)
        return Plan(cluster, _claim(cluster))
    given = {key: value for key in Wish.__slots__ if (value := getattr(wish, key)) is not None}
    given["runtime"], note = _runtime(wish)
    if wish.store in (None, "auto"):
        given["store"] = "etcd" if given["runtime"] == "container" else "sqlite"
    given["api_port"] = wish.api_port or _free_port()
    for index in _in_turn(free_indexes()):
        cluster = _check_store(Cluster(index=index, **given))
        if cluster.contained and cluster.node_cidr:
            requirements.check_range(cluster.node_network)
        with contextlib.suppress(LabError):
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
    if cluster.contained:
        requirements.check_range(cluster.node_network)
    try:
        return _listen(UPLINK_PORT, host=f"{cluster.network}.0.1")
    except OSError as error:
        text = f"the addresses {cluster.network}.0.0/16 of cluster {cluster.name!r} are in use by another cluster "
        raise LabError(text + "of this machine; stop that one first") from error


def _saved(folder: Folder, wish: Wish) -> Cluster:
    """The saved cluster, with what may change changed. Raises LabError for what may not."""
    saved = folder.load()
    for part in ("control_planes", "workers", "store", "runtime"):
        asked, kept = getattr(wish, part), getattr(saved, part)
        if asked not in (None, "auto", kept):
            option = "--" + part.replace("_", "-")
            text = f"cluster {folder.name!r} was made with {option} {kept}; "
            raise LabError(text + f"`homeostat down --name {folder.name} --purge` forgets it")
    changed = {key: getattr(wish, key) for key in ("api_port", "settings") if getattr(wish, key) is not None}
    return replace(saved, **changed)


def _check(wish: Wish) -> None:
    if wish.control_planes is not None and not 1 <= wish.control_planes <= CONTROL_PLANES_MAX:
        raise LabError(f"--control-planes is 1 to {CONTROL_PLANES_MAX}")
    if wish.workers is not None and not 0 <= wish.workers <= WORKERS_MAX:
        raise LabError(f"--workers is 0 to {WORKERS_MAX}")
    if wish.node_cidr is not None:
        given = (wish.settings or {}).get("apiserver", {}).get("service-cluster-ip-range")
        address_ranges.node_range(wish.node_cidr, {"pods": POD_RANGE, "services": given or SERVICE_RANGE})


def _check_store(cluster: Cluster) -> Cluster:
    if cluster.store == "memory" and cluster.control_planes > 1:
        text = "--store memory lives in one API server: it needs --control-planes 1 (and forgets all when that ends)"
        raise LabError(text)
    if cluster.store == "etcd" and not cluster.contained:
        raise LabError("--store etcd needs --runtime container: its members are Pods with an image")
    if cluster.store == "sqlite" and cluster.contained and cluster.control_planes > 1:
        raise LabError("--store sqlite is a file on one host: with --runtime container it needs --control-planes 1")
    return cluster


def _runtime(wish: Wish) -> tuple[str, str]:
    """The runtime to use, and a note when that is not the best one. Raises LabError when it cannot be had."""
    if wish.runtime not in (None, "auto", "container"):
        return str(wish.runtime), ""
    # What only the other runtimes have decides as well.
    if wish.runtime != "container" and wish.store in ("sqlite", "memory"):
        return "process", ""
    why = requirements.obstacle()
    if why and wish.runtime == "container":
        raise LabError(f"--runtime container: {why}")
    if why:
        return "process", f"nodes are processes of this host: {why}"
    return "container", ""


def _free_port() -> int:
    for port in range(API_PORT, API_PORT + _PORTS_TRIED):
        with contextlib.suppress(OSError), _listen(port):
            return port
    raise LabError(f"ports {API_PORT} to {API_PORT + _PORTS_TRIED} are all in use; name one with --api-port")


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


def listen(folder: Folder, port: int) -> socket.socket:
    """The API's listening socket. Raises LabError when the port is taken."""
    try:
        return _listen(port)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            text = (
                f"port {port}, where the API of cluster {folder.name!r} is, is in use by another program or cluster; "
            )
            raise LabError(f"{text}`homeostat up{folder.naming} --api-port PORT` takes another one") from error
        raise LabError(f"cannot listen on {API_HOST}:{port}: {error.strerror}") from error


def prepare(folder: Folder, cluster: Cluster) -> None:
    """Write what the components read: the plan, certificates, manifests, kubeconfig. Raises LabError."""
    if cluster.contained:
        requirements.check_room(folder.path)
    try:
        folder.save(cluster)
        folder.log.mkdir(parents=True, exist_ok=True)
        certificates.prepare(folder.pki, cluster)
        for node in cluster.nodes():
            if cluster.contained:
                node_files.write(folder, cluster, node)
                continue
            place = folder.node(node.name)
            (place / "manifests").mkdir(parents=True, exist_ok=True)
            if node.control_plane:
                static_pods.write(static_pods.of_processes(folder.path, cluster, node), place / "manifests")
        if cluster.contained:
            planted_images.give_images(folder, cluster)
        replace_file(folder.kubeconfig, kubeconfig.dump(certificates.admin_kubeconfig(folder.pki, cluster)))
    except OSError as error:
        raise LabError(f"cannot write to {folder.path}: {error.strerror}") from error


def daemonize(folder: Folder, planned: Plan, load: Load, *, lock: int, api: socket.socket) -> int:
    """Fork the supervisor into the background; returns its process ID. The child never returns.

    It keeps `lock`, the claim and the API's listening socket for as long as it lives.
    """
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        os.setsid()
        _default_signals()
        _redirect(folder.log / "supervisor.log")
        _supervise(folder, planned, load, lock=lock, api=api)
        code = 0
    except BaseException:  # noqa: BLE001 - the child of a fork must never return into its parent's work
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def _default_signals() -> None:
    """Undo what a parent that is itself coming up does about signals: until it serves, one ends the supervisor."""
    ending = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
    for number in ending:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, ending)


def _redirect(file: Path) -> None:
    sink = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.dup2(sink, 1)
    os.dup2(sink, 2)
    os.close(sink)
    os.close(null)


def _supervise(folder: Folder, planned: Plan, load: Load, *, lock: int, api: socket.socket) -> None:
    log.configure()
    set_title(["homeostat"])
    # A relay of a whole cluster, and a server of many watches, have more connections than the usual 1,024.
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    control_socket = orders.bind(folder.supervisor_socket)
    inherited = [api.fileno(), planned.claim.fileno(), lock]
    sockets = {"api": api}
    if planned.cluster.contained:
        sockets["host-ports"] = host_ports.fork([*inherited, control_socket.fileno()])
        inherited.append(sockets["host-ports"].fileno())
    rooms = load(sockets)
    lab = None
    if planned.cluster.contained:
        lab = hosts.enter(folder, planned.cluster, rooms, inherited)
        supervisor = Supervisor(children=lab.children(), control=control_socket, rooms=rooms, hosts=lab)
    else:
        supervisor = _of_processes(folder, planned.cluster, rooms, control_socket, inherited)
    supervisor.run()
    if lab:
        lab.end()
    for path in (folder.supervisor_socket, folder.shim_socket, folder.network_socket):
        path.unlink(missing_ok=True)


def _of_processes(
    folder: Folder, cluster: Cluster, rooms: Rooms, control_socket: socket.socket, inherited: list[int]
) -> Supervisor:
    """The supervisor of a lab whose nodes are node agents on the host itself."""
    shim_socket = orders.bind(folder.shim_socket)
    certificates.rehearse(folder.pki, cluster)
    collector.settle()
    own = f"--state={folder.path}"
    containers = Containers(shim_socket, rooms, inherited=inherited)
    shim = Child("shim", ["homeostat-shim"], work=containers.run)
    children = [shim, Child("network", ["homeostat-network", own])]
    for node in cluster.nodes():
        children.append(Child(f"kubelet on {node.name}", ["kubelet", own, f"--node={node.name}"], node=node.name))
    return Supervisor(children=children, control=control_socket, rooms=rooms, shim=Shim(shim, folder.shim_socket))


def stop(folder: Folder, *, purge: bool = False) -> bool:
    """End the cluster's processes; True when there were any. With `purge` also forget it. Raises LabError."""
    running = is_running(folder)
    if running:
        pid = int(orders.ask(folder.supervisor_socket, {"do": "status"})["pid"])
        orders.ask(folder.supervisor_socket, {"do": "down"}, timeout_seconds=_STOP_SECONDS)
        _wait_for_end(pid)
    if purge:
        if folder.exists():
            with contextlib.suppress(LabError):
                _leave_kubectl(folder)
        if os.geteuid() == 0:
            folder.purge()
        else:
            # Containers' files may belong to users that only such a namespace knows.
            user_namespace.inside(folder.purge)
            folder.purge()
    return running


def abandon(supervisor: int) -> None:
    """End a supervisor that is this process's child and may not have come up, with all that it started."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(supervisor, signal.SIGTERM)
    _wait_for_end(supervisor, seconds=_STOP_SECONDS)


def join_kubectl(folder: Folder) -> None:
    """Make the cluster's context the current one in the user's kubeconfig. Raises LabError."""
    context = folder.load().context
    before = kubeconfig.merge(kubeconfig.load(folder.kubeconfig), kubeconfig.user_file())
    # At a second `up` it is this cluster's own: what was before the first counts.
    if before != context:
        replace_file(folder.previous_context, before.encode())


def _leave_kubectl(folder: Folder) -> None:
    """Take the cluster out of the user's kubeconfig. Raises LabError."""
    previous = folder.previous_context.read_text() if folder.previous_context.exists() else ""
    kubeconfig.remove(folder.load().context, kubeconfig.user_file(), previous=previous)


def is_running(folder: Folder) -> bool:
    """Whether a supervisor holds the cluster's lock."""
    if not folder.path.is_dir():
        return False
    try:
        with folder.only_one():
            return False
    except LabError:
        return True


def _wait_for_end(pid: int, *, seconds: float = 5.0) -> None:
    """Wait until the process is gone, by its pidfd; kill it when it does not go. Raises nothing."""
    with contextlib.suppress(ProcessLookupError):
        descriptor = os.pidfd_open(pid)
        try:
            import select

            waiting = select.poll()
            waiting.register(descriptor, select.POLLIN)
            began = clock.monotonic()
            if not waiting.poll(seconds * 1000) and clock.monotonic() - began >= seconds:
                os.kill(pid, signal.SIGKILL)
        finally:
            os.close(descriptor)
