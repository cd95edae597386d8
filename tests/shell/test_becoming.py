"""The tools of a node that become another program give it the signals that a shell would."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

_SUDO = "from homeostat.shell import sudo; sudo.main(['cat', '/proc/self/status'])"
_IPTABLES = """
from homeostat.shell import iptables
iptables._PLACES = (FOLDER,)
iptables.main(['iptables', *WORDS])
"""
_ENTER = """
from pathlib import Path
from homeostat.lab.hosts import enter
from homeostat.cluster.state_folder import Folder
enter.words = lambda folder, node, argv: list(argv)
enter.become(Folder.of('demo'), 'worker-1', ['cat', '/proc/self/status'])
"""
_SSH = """
from homeostat.cli.commands import ssh
ssh.known, ssh.check_host = (lambda _: ssh.Folder.of('demo')), (lambda *_: None)
ssh._serves_ssh, ssh._apart = bool, (lambda _: False)
ssh.enter.process = lambda *_: 1
ssh.Folder.load = lambda _: None
ssh.client = lambda *_, **__: ['cat', '/proc/self/status']
ssh.command(['worker-1'], standalone_mode=False)
"""


def _ignored(script: str) -> int:
    """The signals that the program ignores which the script has become, as a mask."""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    lines = [line for line in done.stdout.splitlines() if line.startswith("SigIgn:")]
    assert lines, done.stderr
    return int(lines[0].split()[1], 16)


@pytest.mark.parametrize("script", [_SUDO, _ENTER, _SSH], ids=["sudo", "enter", "ssh"])
def test_a_program_that_a_tool_becomes_ends_when_nobody_reads_what_it_writes(script: str) -> None:
    assert not _ignored(script) & 1 << (signal.SIGPIPE - 1)


@pytest.mark.parametrize("words", [["-L"], ["-A", "INPUT", "-j", "ACCEPT"]], ids=["become", "child"])
def test_the_real_iptables_ends_when_nobody_reads_what_it_writes(tmp_path: Path, words: list[str]) -> None:
    real = tmp_path / "iptables"
    real.write_text("#!/bin/sh\nexec cat /proc/self/status\n")
    real.chmod(0o755)
    script = _IPTABLES.replace("FOLDER", repr(str(tmp_path))).replace("WORDS", repr(words))
    assert not _ignored(script) & 1 << (signal.SIGPIPE - 1)
