"""A real containerd for tests, in namespaces of its own (`enginehost`): one serves a whole session."""

from __future__ import annotations

import asyncio
import ctypes
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

from homeostat.lab.images import build, stock
from homeostat.lab.images.spec import ImageSpec
from homeostat.runtime.contract import Runtime

_CLONE_NEWNET = 0x40000000
_HERE = Path(__file__).resolve().parents[2]


async def remove_all(runtime: Runtime) -> None:
    """Remove every pod, a few at once."""
    bound = asyncio.Semaphore(4)

    async def remove(sandbox_id: str) -> None:
        async with bound:
            await runtime.remove_sandbox(sandbox_id)

    await asyncio.gather(*(remove(box.id) for box in await runtime.sandboxes()))


class Engine:
    """See the module. `close` ends it; so does the end of this process. `rootless`: in a user namespace of one ID."""

    def __init__(self, *, rootless: bool = False) -> None:
        self.root = Path(tempfile.mkdtemp(prefix="homeostat-engine-"))
        self.socket = str(self.root / "containerd.sock")
        self._host = subprocess.Popen(
            [sys.executable, "-m", "tests.support.enginehost", str(self.root), "rootless" if rootless else "root"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=_HERE,
        )
        try:
            self._answered()
            for spec in (stock.pause(), stock.busybox()):
                self.load(spec)
        except BaseException:
            self.close()
            raise

    def _answered(self) -> None:
        assert self._host.stdout is not None
        assert self._host.stdout.readline() == "ok\n", "the engine's host has ended"

    def order(self, word: str) -> None:
        """`start`, `kill`, `stop`, `freeze` or `thaw` the engine, or `reboot` its node."""
        assert self._host.stdin is not None
        print(word, file=self._host.stdin, flush=True)
        self._answered()

    def load(self, spec: ImageSpec) -> None:
        """Build an image and bring it in."""
        self.ctr("images", "import", str(build.build(spec)))

    def ctr(self, *words: str) -> str:
        """containerd's own client."""
        command = ["ctr", "-a", self.socket, "-n", "k8s.io", *words]
        return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout

    def run(self, *argv: str) -> str:
        """Run a program among the engine's mounts and processes."""
        command = ["nsenter", "-t", str(self.init), "-m", "-p", "-n", *argv]
        return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout

    @property
    def init(self) -> int:
        """The process ID of the namespaces' init, as this process sees it."""
        unshare = Path(f"/proc/{self._host.pid}/task/{self._host.pid}/children").read_text().split()[0]
        return int(Path(f"/proc/{unshare}/task/{unshare}/children").read_text().split()[0])

    def within(self, work: Callable[[], None]) -> None:
        """Run `work` in the engine's network, as a thread of this process; what it raises is raised here."""
        raised: list[BaseException] = []
        network = os.open(f"/proc/{self.init}/ns/net", os.O_RDONLY | os.O_CLOEXEC)

        def enter() -> None:
            try:
                if ctypes.CDLL(None, use_errno=True).setns(network, _CLONE_NEWNET):
                    raise OSError(ctypes.get_errno(), "setns")
                work()
            except BaseException as error:
                raised.append(error)

        thread = threading.Thread(target=enter, name="in-the-engines-network")
        thread.start()
        thread.join()
        os.close(network)
        if raised:
            raise raised[0]

    def close(self) -> None:
        """End it with everything in it."""
        if self._host.stdin is not None:
            self._host.stdin.close()
        self._host.wait(30)
