"""A further Linux machine for stories of joining: it shares nothing with a lab but the network.

`python -m tests.support.joiner NAME WORD...` makes namespaces and control groups of its own, says the process ID of the
first process in them, waits there for a cable called eth0 (`ADDRESS` and `GATEWAY` are its environment's), and runs
WORD... as a user of that machine would. At its end, and at SIGTERM, everything there ends and nothing is left.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from homeostat.kit import kernel
from homeostat.lab.hosts import control_groups

_SPACES = kernel.NEWNS | kernel.NEWNET | kernel.NEWUTS | kernel.NEWIPC | kernel.NEWCGROUP | kernel.NEWPID
# What programs of a machine share by their paths.
_OWN = ("/run", "/var/lib/cni", "/var/lib/containerd")
_CABLE_SECONDS = 20.0


def main(name: str, words: list[str]) -> int:
    """Be the machine; the exit code of what it ran."""
    groups = control_groups.find(f"homeostat-joiner-{os.getpid()}")
    groups.make(name)
    for old in control_groups.stale("homeostat-joiner"):
        old.remove()
    go, ready = os.pipe()
    between = os.fork()
    if not between:
        os.close(ready)
        os.read(go, 1)
        kernel.die_with_parent(signal.SIGKILL)
        kernel.unshare(_SPACES)
        first = os.fork()
        if not first:
            kernel.die_with_parent(signal.SIGKILL)
            _boot(name, groups)
            os.execvp(words[0], words)
        print(first, flush=True)
        signal.signal(signal.SIGTERM, lambda *_: os.kill(first, signal.SIGTERM))
        os._exit(os.waitstatus_to_exitcode(os.waitpid(first, 0)[1]) & 0xFF)
    groups.join(name, between)
    os.write(ready, b"g")
    signal.signal(signal.SIGTERM, lambda *_: os.kill(between, signal.SIGTERM))
    code = os.waitstatus_to_exitcode(os.waitpid(between, 0)[1])
    return code if groups.remove_soon() else 99


def _boot(name: str, groups: control_groups.Groups) -> None:
    kernel.mount("", "/", "", kernel.REC | kernel.PRIVATE)
    kernel.mount("proc", "/proc", "proc")
    for place in _OWN:
        if Path(place).is_dir():
            kernel.mount("tmpfs", place, "tmpfs")
    kernel.unmount(control_groups.ROOT)
    unified = not groups.hierarchies[0].controllers
    control_groups.mount_inside(groups, unified=unified)
    if unified:
        control_groups.leave_root()
    kernel.set_hostname(name)
    deadline = time.monotonic() + _CABLE_SECONDS
    while not Path("/proc/self/net/dev").read_text().count("eth0") and time.monotonic() < deadline:
        time.sleep(0.02)
    commands = ["link set lo up", f"addr add {os.environ['ADDRESS']} dev eth0", "link set eth0 up"]
    commands.append(f"route add default via {os.environ['GATEWAY']}")
    subprocess.run(["ip", "-batch", "-"], input="\n".join(commands) + "\n", text=True, check=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
