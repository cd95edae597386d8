"""A signal that comes when the supervisor has just been forked ends it: `up` leaves nothing behind at any moment."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

# In a process of its own: it forks, and takes signals. The supervisor is one that would never end by itself.
STORY = """
import os, signal, sys
from homeostat.cli.progress import TerminalReporter
from homeostat.operate import up
from homeostat.lab import daemon
from homeostat.operate.cluster_plan import ClusterOptions

def daemonize(*_, **__):
    pid = os.fork()
    if pid == 0:
        daemon._default_signals()
        while True:
            signal.pause()
    os.kill(os.getpid(), int(sys.argv[1]))
    open("supervisor", "w").write(str(pid))
    return pid

up.daemonize = daemonize
try:
    up.boot(ClusterOptions("one", control_planes=1, workers=0, runtime="simulated"), TerminalReporter())
except KeyboardInterrupt:
    pid, status = os.waitpid(int(open("supervisor").read()), 0)
    sys.exit(os.waitstatus_to_exitcode(status) + 50)
"""


@pytest.mark.parametrize("number", [1, 2, 15], ids=["hangup", "interrupt", "terminate"])
def test_a_signal_right_after_the_fork_ends_the_supervisor(tmp_path: Path, number: int) -> None:
    environment = {**os.environ, "XDG_STATE_HOME": str(tmp_path / "state"), "KUBECONFIG": str(tmp_path / "config")}
    words = [sys.executable, "-c", STORY, str(number)]
    done = subprocess.run(
        words, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 50 - 15, done.stdout + done.stderr
