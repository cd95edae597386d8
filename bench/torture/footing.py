"""A share of the processors for who measures.

The clients of a cluster are other machines. Here they share the cluster's processors, and a client that waits for its
turn measures its own waiting: on two cores with sixteen that want them, a second and a half. Only the process that
measures is spared that, and it needs little: what a group counts for is divided among the processors by what it does on
each, so that one which shared a group with a busy process would wait all the same.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from homeostat.lab.hosts import control_groups
from homeostat.lab.hosts.control_groups import Groups

_PREFIX = "homeostat-torture"
_GROUP = "probes"


@contextmanager
def own_group() -> Iterator[None]:
    """Run the block in a control group that the kernel's scheduler gives as much as a whole cluster."""
    for left in control_groups.stale(_PREFIX):
        left.remove()
    found = control_groups.find(f"{_PREFIX}-{os.getpid()}")
    groups = Groups(
        found.name, tuple(h for h in found.hierarchies if not h.controllers or "cpu" in h.controllers.split(","))
    )
    with suppress(OSError):
        groups.make(_GROUP)
        groups.join(_GROUP, os.getpid())
    try:
        yield
    finally:
        for hierarchy in groups.hierarchies:
            with suppress(OSError):
                Path(hierarchy.base, "cgroup.procs").write_text(str(os.getpid()))
        groups.remove()
