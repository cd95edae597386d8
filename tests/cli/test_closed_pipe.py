"""A reader that leaves early, as in `homeostat events | head -1`."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest


def run(program: str) -> subprocess.CompletedProcess[str]:
    """Run a Python program whose standard output nobody reads any more."""
    reader, writer = os.pipe()
    os.close(reader)
    try:
        return subprocess.run([sys.executable, "-c", program], stdout=writer, stderr=subprocess.PIPE, text=True)
    finally:
        os.close(writer)


def test_a_command_ends_without_a_word():
    program = "import sys; sys.argv = ['homeostat', 'drill', 'list']; from homeostat.cli.main import main; main()"
    done = run(program)
    assert (done.returncode, done.stderr) == (1, "")


def test_a_start_goes_on_when_nobody_reads_its_progress():
    done = run(
        "import sys; from homeostat.cli.progress import PlainProgress; shown = PlainProgress(0.0); "
        "shown.step('API', 'boots'); shown.reached('node a', 'Ready'); sys.stderr.write('went on')"
    )
    assert (done.returncode, done.stderr) == (0, "went on")


def test_up_boots_the_cluster_when_nobody_reads_what_it_prints(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    done = run(
        "import sys; from homeostat.cli.commands import up; "
        "from homeostat.operate import cluster_plan, up as starting; "
        "starting.daemonize = lambda *_, **__: sys.exit(7); "
        "up._boot(cluster_plan.ClusterOptions('one', control_planes=1, workers=0, runtime='simulated'))"
    )
    assert (done.returncode, done.stderr) == (7, "")
