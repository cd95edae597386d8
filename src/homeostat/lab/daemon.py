"""The supervisor as a daemon: forked into the background, with the resources it keeps for as long as the cluster
runs."""

from __future__ import annotations

import os
import resource
import signal
import socket
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from homeostat.cluster.state_folder import Folder
from homeostat.cluster.topology import Cluster
from homeostat.kit import log
from homeostat.lab.kinds.choice import kind_of
from homeostat.lab.processes import orders
from homeostat.lab.processes.forking import Rooms
from homeostat.lab.processes.process_title import set_title
from homeostat.lab.supervise.supervisor import Child

# Makes the rooms for a supervisor that holds these sockets for its components.
Load = Callable[[dict[str, socket.socket]], Rooms]


@dataclass(frozen=True, slots=True)
class Held:
    """What a supervisor holds: the cluster's `lock`, a descriptor; the `claim` of its addresses; the API's socket and
    the Console's, if there is one."""

    lock: int
    claim: socket.socket
    api: socket.socket
    console: socket.socket | None = None


def daemonize(folder: Folder, cluster: Cluster, load: Load, held: Held) -> int:
    """Fork the supervisor into the background; returns its process ID. The child never returns.

    It keeps its locks and descriptors for as long as it lives.
    """
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        os.setsid()
        _default_signals()
        _redirect(folder.log / "supervisor.log")
        _supervise(folder, cluster, load, held)
        code = 0
    except BaseException:  # noqa: BLE001 - the child of a fork must never return into its parent's work
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def _default_signals() -> None:
    """Reset the signal handlers of the parent: until the supervisor serves, a signal ends it."""
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


def _supervise(folder: Folder, cluster: Cluster, load: Load, held: Held) -> None:
    log.configure()
    set_title(["homeostat"])
    # A relay of a whole cluster, and a server of many watches, have more connections than the usual 1,024.
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    control_socket = orders.bind(folder.supervisor_socket)
    inherited = [held.api.fileno(), held.claim.fileno(), held.lock]
    if held.console is not None:
        inherited.append(held.console.fileno())
    kind = kind_of(cluster)
    sockets = {"api": held.api, **kind.sockets([*inherited, control_socket.fileno()])}
    inherited += [each.fileno() for name, each in sockets.items() if name != "api"]
    if held.console is not None:
        sockets["console"] = held.console
    rooms = load(sockets)
    with kind.supervising(folder, cluster, rooms, control_socket, inherited) as supervisor:
        if held.console is not None:
            argv = ["homeostat-console", f"--state={folder.path}"]
            supervisor.keep(Child("console", argv, listener=held.console))
        supervisor.run()
    for path in (folder.supervisor_socket, folder.shim_socket, folder.network_socket):
        path.unlink(missing_ok=True)
