"""kubectl against an API server, a kubelet and containerd, all real, in namespaces of their own."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.engine import Engine
from tests.support.kubectl import kubectl_path

ROOT = Path(__file__).parents[2]


class Site:
    """The running world; every program here runs in its network."""

    def __init__(self, engine: Engine, folder: Path, port: int) -> None:
        self.engine = engine
        self.folder = folder
        self.port = port
        self.enter = ["nsenter", "-t", str(engine.init), "-n"]

    def command(self, *words: str) -> list[str]:
        return [*self.enter, kubectl_path(), "--kubeconfig", str(self.folder / "kubeconfig"), *words]

    def run(
        self, *words: str, data: bytes | None = None, ws: bool = True, seconds: float = 40
    ) -> subprocess.CompletedProcess[bytes]:
        """kubectl, with `data` as its input, over WebSockets or SPDY."""
        given = {"input": data} if data is not None else {"stdin": subprocess.DEVNULL}
        return subprocess.run(self.command(*words), capture_output=True, timeout=seconds, env=env(ws=ws), **given)  # type: ignore[call-overload,no-any-return]


def env(*, ws: bool) -> dict[str, str]:
    word = "true" if ws else "false"
    return {**os.environ, "KUBECTL_REMOTE_COMMAND_WEBSOCKETS": word, "KUBECTL_PORT_FORWARD_WEBSOCKETS": word}


@pytest.fixture(scope="session")
def site() -> Iterator[Site]:
    engine = Engine()
    with tempfile.TemporaryDirectory(prefix="homeostat-streams-") as folder:
        command = ["nsenter", "-t", str(engine.init), "-m", "-p", "-n", sys.executable, "-m", "tests.streams.world"]
        world = subprocess.Popen(
            [*command, folder, engine.socket],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        try:
            assert world.stdout is not None and world.stdin is not None
            word, _, port = world.stdout.readline().partition(" ")
            assert word == "ready", "the world has ended"
            yield Site(engine, Path(folder), int(port))
        finally:
            world.stdin.close()
            world.wait(20)
            engine.close()


@pytest.fixture(params=["websocket", "spdy"])
def ws(request: pytest.FixtureRequest) -> bool:
    return bool(request.param == "websocket")
