"""The lab's network for a command on the host that has no way into it: one of an ordinary user's lab.

As root the host reaches the nodes' addresses; otherwise the lab has a user namespace of its own around its network, and
what is to talk to nodes must be there. A child enters both, does the work, and hands back what came of it: the command
itself stays on the host, where the relay is and its user's files are.
"""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from typing import TypeVar, cast

from homeostat.cluster.lab_orders import Order
from homeostat.cluster.state_folder import Folder, LabError
from homeostat.lab.links.connect import enter
from homeostat.lab.processes.orders import ask

T = TypeVar("T")


def in_network(folder: Folder, work: Callable[[], T]) -> T:
    """Do `work` where the nodes' addresses are; its result, which must be plain data. It is done in a child unless the
    host reaches them, so call it before this process has other threads. Raises LabError, also what `work` raises as
    one."""
    pid = _supervisor(folder)
    if not apart(pid):
        return work()
    reading, writing = os.pipe2(os.O_CLOEXEC)
    if child := os.fork():
        os.close(writing)
        with os.fdopen(reading, "rb") as pipe:
            pickled = pipe.read()
        os.waitpid(child, 0)
        well, value = pickle.loads(pickled) if pickled else (False, "it ended without a word")
        if not well:
            raise LabError(value)
        return cast(T, value)
    os.close(reading)
    outcome: tuple[bool, object] = (False, "it ended without a word")
    try:
        enter(pid)
        outcome = (True, work())
    except LabError as error:
        outcome = (False, str(error))
    except BaseException as error:  # noqa: BLE001 - the child of a fork must never return into its parent's work
        outcome = (False, f"{type(error).__name__}: {error}")
    finally:
        with os.fdopen(writing, "wb") as pipe:
            pipe.write(pickle.dumps(outcome))
        os._exit(0)


def apart(pid: int) -> bool:
    """Whether a lab's process is in another user namespace than this one, and its network out of reach."""
    try:
        return os.readlink(f"/proc/{pid}/ns/user") != os.readlink("/proc/self/ns/user")
    except OSError:
        return False


def _supervisor(folder: Folder) -> int:
    return int(ask(folder.supervisor_socket, Order("status"))["pid"])
