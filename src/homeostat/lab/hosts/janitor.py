"""Control groups are all that is left of a lab when its supervisor dies in whatever way, for the kernel keeps them. A
small process waits for the supervisor's end and removes them."""

from __future__ import annotations

import os
import signal

from homeostat.lab.hosts.control_groups import Groups
from homeostat.lab.processes.forking import fork_apart


def watch(groups: Groups, inherited: list[int]) -> int:
    """Fork the janitor; returns a descriptor that this process and its children hold while the lab lives.

    `inherited` are descriptors that the janitor has no use for. It is no child of this process, which ends all of its
    own; so call this before that adopts orphans.
    """
    reading, writing = os.pipe2(os.O_CLOEXEC)

    def wait_and_remove() -> None:
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
        os.read(reading, 1)
        groups.remove_soon()

    fork_apart("homeostat-janit", wait_and_remove, close=[writing, *inherited])
    os.close(reading)
    return writing
