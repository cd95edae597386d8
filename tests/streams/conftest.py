"""kubectl against an API server, a kubelet and a runtime, all real: containerd, or plain processes."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.engine import Engine
from tests.support.kubectl import kubectl_path

ROOT = Path(__file__).parents[2]


class Site:
    """The running world; every program here runs in its network: the engine's, or (without an engine) the host's."""

    def __init__(self, engine: Engine | None, folder: Path, port: int) -> None:
        self.engine = engine
        self.folder = folder
        self.port = port
        self.enter = ["nsenter", "-t", str(engine.init), "-n"] if engine else []
        # Where the Pod's web server has its pages.
        self.pages = "/site" if engine else str(folder / "site")

    def within(self, work: Callable[[], None]) -> None:
        """Do something in the world's network."""
        if self.engine is not None:
            self.engine.within(work)
        else:
            work()

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


@contextmanager
def living(engine: Engine | None) -> Iterator[Site]:
    enter = ["nsenter", "-t", str(engine.init), "-m", "-p", "-n"] if engine else []
    with tempfile.TemporaryDirectory(prefix="homeostat-streams-") as folder:
        world = subprocess.Popen(
            [*enter, sys.executable, "-m", "tests.streams.world", folder, engine.socket if engine else ""],
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


@pytest.fixture(scope="session")
def contained() -> Iterator[Site]:
    """Containers of containerd."""
    engine = Engine()
    try:
        with living(engine) as site:
            yield site
    finally:
        engine.close()


@pytest.fixture(scope="session")
def plain() -> Iterator[Site]:
    """Plain processes."""
    with living(None) as site:
        yield site


@pytest.fixture(params=["contained", "plain"])
def site(request: pytest.FixtureRequest) -> Site:
    """One after the other: what kubectl sees is the same."""
    found: Site = request.getfixturevalue(request.param)
    return found


@pytest.fixture(params=["websocket", "spdy"])
def ws(request: pytest.FixtureRequest) -> bool:
    return bool(request.param == "websocket")
