"""Control groups are all that is left of a lab when its supervisor dies in whatever way, for the kernel keeps them. A
small process waits for the supervisor's end and removes them."""

from __future__ import annotations

import os
import signal
import sys
import traceback

from homeostat.kit import kernel
from homeostat.lab.nodes.cgroups import Groups


def watch(groups: Groups, inherited: list[int]) -> int:
    """Fork the janitor; returns a descriptor that this process and its children hold while the lab lives.

    `inherited` are descriptors that the janitor has no use for. It is no child of this process, which ends all of its
    own; so call this before that adopts orphans.
    """
    reading, writing = os.pipe2(os.O_CLOEXEC)
    if between := os.fork():
        os.close(reading)
        os.waitpid(between, 0)
        return writing
    if os.fork():
        os._exit(0)
    try:
        os.close(writing)
        for descriptor in inherited:
            os.close(descriptor)
        os.setsid()
        kernel.set_name("homeostat-janit")
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
        os.read(reading, 1)
        groups.remove_soon()
    except BaseException:  # noqa: BLE001 - the child of a fork must never return into its parent's work
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(0)
