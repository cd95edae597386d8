"""Taking a cluster down: end its processes, forget it, and find out whether it runs."""

from __future__ import annotations

import os
import select
import signal
from contextlib import suppress

from homeostat.cluster.errors import LabError
from homeostat.cluster.lab_orders import Order
from homeostat.cluster.state_folder import Folder
from homeostat.kit import clock
from homeostat.lab.processes import orders, user_namespace
from homeostat.operate import kubectl_context

_STOP_SECONDS = 60.0


def stop(folder: Folder, *, purge: bool = False) -> bool:
    """End the cluster's processes; True when there were any. With `purge` also forget it. Raises LabError."""
    running = is_running(folder)
    if running:
        pid = int(orders.ask(folder.supervisor_socket, Order("status"))["pid"])
        orders.ask(folder.supervisor_socket, Order("down"), timeout_seconds=_STOP_SECONDS)
        _wait_for_end(pid)
    if purge:
        if folder.exists():
            with suppress(LabError):
                kubectl_context.leave(folder)
        if os.geteuid() == 0:
            folder.purge()
        else:
            # Containers' files may belong to users that only such a namespace knows.
            user_namespace.inside(folder.purge)
            folder.purge()
    return running


def abandon(supervisor: int) -> None:
    """End a supervisor that is this process's child and may not have started, with all that it started."""
    with suppress(ProcessLookupError):
        os.kill(supervisor, signal.SIGTERM)
    _wait_for_end(supervisor, seconds=_STOP_SECONDS)


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
    """Wait until the process is gone, by its pidfd; kill it when it does not end. Raises nothing."""
    with suppress(ProcessLookupError):
        descriptor = os.pidfd_open(pid)
        try:
            waiting = select.poll()
            waiting.register(descriptor, select.POLLIN)
            began = clock.monotonic()
            if not waiting.poll(seconds * 1000) and clock.monotonic() - began >= seconds:
                os.kill(pid, signal.SIGKILL)
        finally:
            os.close(descriptor)
