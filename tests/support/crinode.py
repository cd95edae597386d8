"""A node with a real container engine and the CRI runtime over it, in short words for stories."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import uvloop

from homeostat.kit import clock
from homeostat.lab.images.stock import BUSYBOX
from homeostat.runtime.contract import (
    Container,
    ContainerSpec,
    ContainerState,
    LogSpan,
    RuntimeEvent,
    Sandbox,
    SandboxSpec,
)
from homeostat.runtime.cri.cri_runtime import CriRuntime
from tests.support.engine import Engine, remove_all

State = ContainerState
NODE = "10.88.0.1"  # the node's own address on the pods' bridge


class Node:
    """One node's runtime, and the events its agent would have received."""

    def __init__(self, engine: Engine, root: Path) -> None:
        self.engine = engine
        self.root = root
        self.runtime = CriRuntime(f"unix://{engine.socket}", node_address=NODE, seccomp_root=str(root))
        self.received: list[RuntimeEvent] = []

    async def listen(self) -> None:
        async for event in self.runtime.events():
            self.received.append(event)

    async def box(self, pod: str = "web", **more: Any) -> Sandbox:
        given = {"log_directory": str(self.root / pod), "hostname": pod, **more}
        return await self.runtime.run_sandbox(SandboxSpec(pod_uid=f"uid-{pod}", namespace="default", name=pod, **given))

    def spec(self, script: str, **more: Any) -> ContainerSpec:
        name = more.pop("name", "main")
        given = {"image": BUSYBOX, "command": ("sh", "-c", script), "log_path": str(self.root / "web" / f"{name}.log")}
        return ContainerSpec(name=name, **{**given, **more})

    async def run(self, script: str, box: Sandbox | None = None, **more: Any) -> Container:
        made = await self.runtime.create_container((box or await self.box()).id, self.spec(script, **more))
        return await self.runtime.start_container(made.id)

    async def now(self, container: Container) -> Container:
        return next(known for known in await self.runtime.containers() if known.id == container.id)

    async def ended(self, container: Container) -> Container:
        async with asyncio.timeout(20):
            while (found := await self.now(container)).state is not State.EXITED:
                await clock.sleep(0.02)
        return found

    async def receives(self, container: Container) -> None:
        async with asyncio.timeout(20):
            while RuntimeEvent(container.pod_uid, container.id) not in self.received:
                await clock.sleep(0.005)

    async def says(self, script: str, box: Sandbox | None = None, **more: Any) -> str:
        """What a container writes before it ends."""
        ended = await self.ended(await self.run(script, box, **more))
        lines = [line.data.decode() async for line in self.runtime.read_log(ended.id, LogSpan())]
        assert ended.exit_code == 0, lines
        return "\n".join(lines)

    async def order(self, word: str) -> None:
        await asyncio.to_thread(self.engine.order, word)


Story = Callable[[Node], Awaitable[None]]


def written(path: Path) -> bool:
    return path.exists() and path.stat().st_size > 0


def run_story(engine: Engine, root: Path, story: Story) -> None:
    """Play one story on a node of its own, in the engine's network; its pods are removed afterwards."""

    async def main() -> None:
        node = Node(engine, root)
        await node.runtime.start()
        listener = asyncio.ensure_future(node.listen())
        try:
            await story(node)
        finally:
            listener.cancel()
            await remove_all(node.runtime)
            await node.runtime.close()

    engine.within(lambda: uvloop.run(main()))


def processes(mark: str) -> list[int]:
    """The processes of the machine whose command line has the mark."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                if mark.encode() in (entry / "cmdline").read_bytes():
                    found.append(int(entry.name))
            except OSError:
                continue
    return found
