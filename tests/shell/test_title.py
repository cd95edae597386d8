"""The title of a forked process, as the real `ps` shows it (proc(5), cmdline)."""

from __future__ import annotations

import subprocess
import sys

import pytest

from homeostat.lab.processes.process_title import title_bytes

_PROGRAM = """
import os, subprocess, sys
from homeostat.lab.processes.process_title import set_title
pid = os.fork()
if not pid:
    assert set_title(sys.argv[1:])
    subprocess.run(["ps", "-o", "comm=,args=", "-ww", "-p", str(os.getpid())])
    print(subprocess.run(["sh", "-c", "echo $KEPT"], capture_output=True, text=True).stdout.strip(), flush=True)
    os._exit(0)
os.waitpid(pid, 0)
print(subprocess.run(["ps", "-o", "args=", "-p", str(os.getpid())], capture_output=True, text=True).stdout[:6])
"""


@pytest.mark.parametrize(
    "words",
    [["kubelet", "--node=worker-1"], ["kube-apiserver", *(f"--flag-{number}=value" for number in range(40))]],
    ids=["shorter than before", "longer than before"],
)
def test_ps_shows_the_title_of_a_fork(words: list[str]) -> None:
    command = [sys.executable, "-c", _PROGRAM, *words]
    # The longer one has room only in the environment: variables that were there are still there for what it starts.
    environment = {"KEPT": "kept", "PATH": "/usr/bin:/bin", "FILLING": "x" * 400}
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, env=environment, check=True)
    shown, kept, parent = done.stdout.splitlines()[:3]
    assert shown.split() == [words[0][:15], *words]
    assert kept == "kept"
    assert not parent.startswith("kube"), "the parent keeps its own"


def test_words_are_separated_by_zeros_where_they_fit() -> None:
    assert title_bytes([b"kubelet", b"-v"], 16, 99) == b"kubelet\0-v" + b"\0" * 6


def test_a_longer_title_is_one_text_over_the_environment() -> None:
    assert title_bytes([b"kubelet", b"--node=n"], 10, 20) == b"kubelet --node=n" + b"\0" * 4


def test_what_does_not_fit_is_cut() -> None:
    assert title_bytes([b"kubelet", b"--node=n"], 10, 10) == b"kubelet -\0"
    assert title_bytes([b"kubelet", b"--node=n"], 10, 12) == b"kubelet --n\0"
