"""An `up` that is interrupted removes everything it started."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.conftest import SMALL
from tests.support.patience import eventually
from tests.support.ports import own_port
from tests.support.real_lab import HOMEOSTAT, Lab

pytestmark = [pytest.mark.real]


@pytest.mark.parametrize(
    ("how", "when"),
    [
        (signal.SIGTERM, "log/supervisor.log"),
        (signal.SIGINT, "nodes/worker-1/runtime"),
        (signal.SIGHUP, "nodes/worker-1/runtime"),
    ],
    ids=["terminated early", "interrupted", "hung up on"],
)
def test_an_interrupted_up_leaves_no_process(new_lab: Callable[[], Lab], how: signal.Signals, when: str) -> None:
    lab = new_lab()
    folder = Path(lab.env["XDG_STATE_HOME"]) / "homeostat" / lab.name
    command = [*HOMEOSTAT, "up", "--name", lab.name, *SMALL, *own_port()]
    up = subprocess.Popen(command, env=lab.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        eventually(lambda: (folder / when).exists(), seconds=20)
        up.send_signal(how)
        eventually(lambda: up.poll() is not None)
        assert up.returncode != 0
    finally:
        up.kill()
    eventually(lambda: not _processes_of(folder), seconds=20)
    assert "was not running" in lab.homeostat("down").stdout


def _processes_of(folder: Path) -> list[str]:
    """What has files of the state folder open, the lock among them: every process of the lab."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            links = [str(link.readlink()) for link in (process / "fd").iterdir()]
        except OSError:
            continue
        if any(link.startswith(f"{folder}/") for link in links):
            found.append((process / "cmdline").read_text())
    return found
