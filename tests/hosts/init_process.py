"""A node's init in namespaces of its own, with units that tests can follow: `python init_process.py FOLDER [patient]`.

Units: `steady` sleeps, `stubborn` ignores SIGTERM, `brief` ends at once with code 3, `worker` is a forked component,
`kubelet` takes a moment to end on SIGPWR, and then leaves a file.
Each writes a line into FOLDER/NAME.starts when it starts. A patient init waits very long for what does not end, and has
one unit alone: `etcd`, which ignores SIGTERM.
"""

from __future__ import annotations

import os
import shutil
import sys
import time
from pathlib import Path

from homeostat.cluster import node_layout
from homeostat.kit import kernel
from homeostat.lab.inside import init
from homeostat.lab.inside.init import Init
from homeostat.lab.inside.units import Unit
from homeostat.lab.processes import orders


def units(folder: Path) -> list[Unit]:
    def shell(name: str, text: str) -> Unit:
        return Unit(name, f"the {name} unit", ("/bin/sh", "-c", f"echo $$ >>{folder}/{name}.starts; {text}"))

    last = f"sleep 0.3; echo done >{folder}/kubelet.ended; exit 0"
    return [
        shell("kubelet", f"trap '{last}' PWR; sleep 1000 & wait"),
        shell("steady", "exec sleep 1000"),
        shell("stubborn", "trap '' TERM; while :; do sleep 1000 & wait; done"),
        shell("brief", "exit 3"),
        Unit("worker", "a component", ("worker", str(folder)), component=True),
    ]


def waiting(folder: Path) -> list[Unit]:
    (folder / "etcd").symlink_to(shutil.which("sleep") or "/bin/sleep")
    text = f"trap '' TERM; echo $$ >>{folder}/etcd.starts; exec {folder}/etcd 1000"
    return [Unit("etcd", "a member that waits for a successor", ("/bin/sh", "-c", text))]


def work(argv: list[str]) -> int:
    with Path(argv[1], "worker.starts").open("a") as file:
        file.write(f"{os.getpid()}\n")
    print("the component says hello", flush=True)
    time.sleep(1000)
    return 0


def main(folder: Path, *, patient: bool) -> int:
    user = 0 if os.geteuid() == 0 else kernel.NEWUSER
    kernel.unshare(user | kernel.NEWPID | kernel.NEWNS)
    pid = os.fork()
    if pid:
        (folder / "init.pid").write_text(str(pid))
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    kernel.mount("", "/", "", kernel.REC | kernel.PRIVATE)
    kernel.mount("proc", "/proc", "proc")
    (folder / "logs").mkdir()
    node_layout.UNIT_LOGS = str(folder / "logs")
    if patient:
        init._GRACE_SECONDS = 1000.0
    made = waiting(folder) if patient else units(folder)
    return Init(made, orders.bind(folder / "init.sock"), work).run()


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), patient=sys.argv[2:] == ["patient"]))
