"""A real lab for tests that drive it as a user does, with `kubectl` and `homeostat`."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.support.keeper import Keeper
from tests.support.kubectl import kubectl_path

ROOT = Path(__file__).parents[2]
HOMEOSTAT = [str(Path(sys.executable).with_name("homeostat"))]
_COMMAND_SECONDS = 60

Done = subprocess.CompletedProcess[str]


@dataclass
class Lab:
    """A running cluster. `kubectl` and `homeostat` run the commands as a user would, against this cluster alone."""

    name: str
    env: dict[str, str]
    namespace: str = "default"
    _running: list[subprocess.Popen[str]] = field(default_factory=list)

    def kubectl(
        self, *args: str, input: str | None = None, check: bool = True, env: dict[str, str] | None = None
    ) -> Done:
        command = [kubectl_path(), "--namespace", self.namespace, *args]
        return _run(command, input=input, check=check, env={**self.env, **(env or {})})

    def homeostat(self, *args: str, check: bool = True) -> Done:
        return _run([*HOMEOSTAT, *args, "--name", self.name], input=None, check=check, env=self.env)

    def out(self, *args: str, input: str | None = None) -> str:
        """What a command that must succeed prints."""
        return self.kubectl(*args, input=input).stdout

    def json(self, *args: str) -> Any:
        return json.loads(self.out(*args, "-o", "json"))

    def refused(self, *args: str, input: str | None = None) -> str:
        """The words of a command that must fail."""
        done = self.kubectl(*args, input=input, check=False)
        assert done.returncode != 0, f"kubectl {args} should have failed: {done.stdout}"
        return done.stderr

    def follow(self, *args: str) -> subprocess.Popen[str]:
        """A command that runs on: a watch, a followed log. It ends with the test."""
        command = [kubectl_path(), "--namespace", self.namespace, *args]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=self.env)
        self._running.append(process)
        return process

    def stop_following(self) -> None:
        for process in self._running:
            process.kill()
            process.wait()
            process.stdout.close()
        self._running.clear()

    def container_folder(self, container_id: str) -> Path:
        """The working folder of a container, by the ID in its status."""
        state = Path(self.env["XDG_STATE_HOME"]) / "homeostat" / self.name
        return next(state.glob(f"nodes/*/runtime/containers/{container_id.removeprefix('process://')}/root"))

    def at(self, namespace: str) -> Lab:
        """The same cluster, seen from another namespace."""
        return Lab(self.name, self.env, namespace)


def _run(command: list[str], *, input: str | None, check: bool, env: dict[str, str]) -> Done:
    done = subprocess.run(
        command, input=input, capture_output=True, text=True, env=env, timeout=_COMMAND_SECONDS, cwd=ROOT
    )
    if check and done.returncode != 0:
        words = " ".join(Path(word).name if index == 0 else word for index, word in enumerate(command))
        pytest.fail(f"{words}\nended with {done.returncode}\n{done.stdout}{done.stderr}", pytrace=True)
    return done


@contextmanager
def labs() -> Iterator[Callable[[], Lab]]:
    """Makes labs that are not up yet; all of them are taken down at the end, even when the tests are killed."""
    keepers: list[Keeper] = []
    # Short: a Unix socket's path has 107 bytes at most, and the lab's are deep in its state folder.
    home = Path(tempfile.mkdtemp(prefix="lab-"))
    labs = itertools.count(1)

    def make() -> Lab:
        name = f"lab-{os.getpid()}-{next(labs)}"
        env = {**os.environ, "XDG_STATE_HOME": str(home), "KUBECONFIG": str(home / f"{name}.kubeconfig")}
        lab = Lab(name, env)
        keepers.append(Keeper(name, env))
        return lab

    try:
        yield make
    finally:
        for keeper in keepers:
            keeper.begin()
        for keeper in keepers:
            keeper.wait()
        shutil.rmtree(home, ignore_errors=True)
