"""The agent over a real containerd: limits, users, files, sizes and adoption as the kernel sees them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.engine import Engine

from .realnode import STORIES

pytestmark = pytest.mark.real
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def reported() -> Iterator[dict[str, str]]:
    """All stories, run by one process inside the engine's namespaces, where its mounts and cgroups are: what went
    wrong, by story."""
    engine = Engine()
    enter = ["nsenter", f"--target={engine.init}", "--mount", "--net", "--pid", "--cgroup", "--uts", "--ipc"]
    program = [sys.executable, "-m", "tests.node.realnode", str(engine.root / "node"), engine.socket]
    command = [*enter, f"--wd={ROOT}", *program]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=200, check=False)
        assert done.returncode == 0, done.stderr[-4000:]
        lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
        yield {line["story"]: line["why"] for line in lines}
    finally:
        engine.close()


@pytest.mark.parametrize("story", STORIES)
def test_the_story_holds(reported: dict[str, str], story: str) -> None:
    assert story in reported
    assert not reported[story], reported[story]
