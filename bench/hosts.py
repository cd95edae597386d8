"""What a person feels of a lab whose nodes are hosts: 3 + 2 nodes with containers, etcd, and DNS.

    python -m bench.hosts

It boots the cluster under a state folder of its own, measures, breaks it, and purges it. The first boot makes the
images, which stay for the others: it is not counted. Where the machine is shared, the seconds are what the others left
over; the processor time beside them moves less.
"""

from __future__ import annotations

import asyncio
import os
import re
import signal
import statistics
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from bench import scenes
from bench.figures import Row
from bench.lab import COMMAND, Lab, lab, pss_megabytes
from homeostat.client.contract import Client
from homeostat.cluster.lab_orders import Order
from homeostat.cluster.state_folder import Folder
from homeostat.lab.processes.orders import ask_async
from homeostat.operate.clients import administering

_BOOTS, _RELAUNCHES, _ROLLOUTS, _SCALINGS = 3, 5, 5, 3
_SETTLE_SECONDS, _IDLE_SECONDS = 10.0, 20.0
_NODES = 5
# Around a master's loss of power: several elections would fit in.
_LOSS_SECONDS = 12.0
# The kernel's name of everything of ours starts so; containers' programs, the engine and etcd are not ours.
_OWN = re.compile(r"^(homeostat|init$|kubelet|kube-proxy|kube-apiserver|kube-controller|kube-scheduler|cluster-dns)")


def boot(made: Lab) -> tuple[float, float]:
    """Seconds until all nodes are Ready, and the processor time of the cluster until `up` has ended."""
    printed = made.run("up", "--runtime", "container")
    ready = [float(seconds) for seconds in re.findall(r"([\d.]+) s  node \S+ Ready", printed)]
    if len(ready) != _NODES:
        raise RuntimeError(f"the cluster did not come up: {printed}")
    return max(ready), processor_seconds(made)


def stop(made: Lab) -> float:
    """Seconds until the cluster is down."""
    began = time.monotonic()
    made.run("down")
    return time.monotonic() - began


def processor_seconds(made: Lab) -> float:
    """What the cluster has used so far, as its control groups know; 0 where there are none."""
    total = 0.0
    for path in (f"cpuacct/{_groups(made)}/cpuacct.usage", f"{_groups(made)}/cpu.stat"):
        with suppress(OSError):
            text = Path("/sys/fs/cgroup", path).read_text()
            total = int(text) / 1e9 if path.endswith("usage") else int(text.split()[1]) / 1e6
            break
    return total


def _groups(made: Lab) -> str:
    return f"homeostat-homeostat-{made.processes()[0]}"


def own_processes(made: Lab) -> list[int]:
    """Those of the cluster that are this project's."""
    found = []
    for pid in made.processes():
        with suppress(OSError):
            if _OWN.match(Path(f"/proc/{pid}/comm").read_text().strip()):
                found.append(pid)
    return found


def _first_process(made: Lab, container: str) -> int:
    """The process that a container began with. Raises RuntimeError where there are no control groups to identify it
    by."""
    for pid in sorted(made.processes()):
        with suppress(OSError):
            if container in Path(f"/proc/{pid}/cgroup").read_text():
                return pid
    raise RuntimeError(f"no process of container {container} is found")


async def _command(made: Lab, *words: str) -> str:
    process = await asyncio.create_subprocess_exec(
        COMMAND, *words, env=made.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    out, _ = await process.communicate()
    if process.returncode:
        raise RuntimeError(f"homeostat {' '.join(words)}: {out.decode().strip()}")
    return out.decode()


async def life(made: Lab, client: Client) -> dict[str, float]:
    """Pods come, are rolled over and killed; then masters are lost."""

    def kill(container: str) -> None:
        os.kill(_first_process(made, container), signal.SIGKILL)

    found: dict[str, list[float]] = {"scale": [], "roll": [], "relaunch": []}
    await scenes.start_app(client, 2)
    for number in range(_ROLLOUTS):
        found["roll"].append(await scenes.roll(client, str(number), 2))
    for _ in range(_SCALINGS):
        found["scale"].append(await scenes.scale(client, 30))
        for _ in range(_RELAUNCHES // _SCALINGS + 1):
            found["relaunch"].append(await scenes.relaunch(client, kill))
        await scenes.scale(client, 2)
    result = {name: statistics.median(times) for name, times in found.items()}
    # Ordered from the supervisor itself: a command would need a while to start on a busy machine.
    orders = Folder.of("homeostat").supervisor_socket

    async def cut(node: str) -> None:
        await ask_async(orders, Order("cut", node=node, seconds=60.0))

    result["succession"] = await scenes.succession(client, "kube-controller-manager", cut)
    for number in range(1, 4):
        await _command(made, "node", "heal", f"master-{number}")
    await asyncio.sleep(_SETTLE_SECONDS)
    victim = await scenes.leader(client, "kube-controller-manager")
    gap, failed = await scenes.gap_of_writes(client, lambda: _command(made, "node", "power-off", victim), _LOSS_SECONDS)
    return result | {"gap": gap, "failed": failed}


async def _live(made: Lab) -> dict[str, float]:
    async with administering(Folder.of("homeostat")) as client:
        return await life(made, client)


@contextmanager
def state_home(home: str) -> Iterator[None]:
    """This process looks where the lab's commands do."""
    before = os.environ.get("XDG_STATE_HOME")
    os.environ["XDG_STATE_HOME"] = home
    try:
        yield
    finally:
        del os.environ["XDG_STATE_HOME"]
        if before is not None:
            os.environ["XDG_STATE_HOME"] = before


def rows() -> list[Row]:
    """Measure; one row a figure."""
    with lab() as made, state_home(made.home):
        boot(made)
        boots, downs = [], [stop(made)]
        for _ in range(_BOOTS):
            made.run("down", "--purge")
            boots.append(boot(made))
            if len(boots) < _BOOTS:
                downs.append(stop(made))
        time.sleep(_SETTLE_SECONDS)
        memory = pss_megabytes(own_processes(made))
        before = processor_seconds(made)
        time.sleep(_IDLE_SECONDS)
        idle = 100 * (processor_seconds(made) - before) / _IDLE_SECONDS
        seen = asyncio.run(_live(made))
    ready, used = (statistics.median(column) for column in zip(*boots, strict=True))
    return [
        Row.below("hosts: up of 3 + 2, all nodes Ready", ready, 12.0, "s", note=f"{used:.1f} s of processor time"),
        Row.below("hosts: down", statistics.median(downs), 2.0, "s"),
        Row.below("hosts: Deployment from 2 to 30 ready pods", seen["scale"], 7.3, "s", go="7.3 s"),
        Row.below("hosts: rollout of 2 pods", seen["roll"], 1.3, "s", go="1.3 s"),
        Row.below("hosts: container relaunch, ready again", seen["relaunch"], 0.65, "s", go="0.65 s"),
        Row.below("hosts: memory of our own processes, PSS", memory, 700, "MB"),
        Row.below("hosts: idle CPU of 3 + 2, of one core", idle, 20.0, "%"),
        Row.below("hosts: a cut-off leader's successor acts", seen["succession"], 20.0, "s"),
        Row.below(
            "hosts: power-off of a master, longest gap between writes",
            seen["gap"],
            1.0,
            "s",
            note=f"{seen['failed']:.0f} writes failed",
        ),
    ]


def main() -> None:
    """The command."""
    for row in rows():
        print(row.line())


if __name__ == "__main__":
    main()
