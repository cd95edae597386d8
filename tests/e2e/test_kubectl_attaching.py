"""kubectl run, attach and debug with input and terminals, on nodes that are processes."""

from __future__ import annotations

import subprocess
from contextlib import closing

import pytest

from tests.streams.terminal import Terminal
from tests.support.kubectl import kubectl_path
from tests.support.patience import eventually
from tests.support.real_lab import Lab

pytestmark = [pytest.mark.real]

RUN = ("--image=none", "--restart=Never")


def command(lab: Lab, *words: str) -> list[str]:
    return [kubectl_path(), "--namespace", lab.namespace, *words]


def test_run_with_input_shows_the_output_and_returns_the_exit_code(lab: Lab) -> None:
    script = ("--command", "--", "sh", "-c", "echo go; wc -c; exit 7")
    done = subprocess.run(
        command(lab, "run", "once", "-i", "--rm", "--quiet", *RUN, *script),
        env=lab.env, input=b"x" * 1234, capture_output=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 7, done.stderr
    assert b"1234" in done.stdout
    eventually(lambda: lab.out("get", "pods", "-o", "name") == "")


def test_run_with_a_terminal_is_a_shell_that_ends_when_it_is_left(lab: Lab) -> None:
    words = command(lab, "run", "shell", "-it", "--rm", *RUN, "--command", "--", "sh")
    with closing(Terminal(words, lab.env, 30, 100)) as terminal:
        terminal.type("\n")
        terminal.until("#", seconds=40)
        terminal.type("echo si''ze $(stty size) en''d\n")
        terminal.until("size 30 100 end")
        terminal.type("exit 3\n")
        assert terminal.ends(seconds=40) == 3


def test_debug_with_input_talks_to_its_ephemeral_container(lab: Lab) -> None:
    lab.kubectl("run", "target", *RUN, "--command", "--", "sleep", "600")
    lab.kubectl("wait", "pod/target", "--for=condition=Ready", "--timeout=40s")
    words = command(lab, "debug", "-i", "target", "--image=none", "--profile=general", "-c", "look", "--", "cat")
    with subprocess.Popen(
        words, env=lab.env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as visit:
        assert visit.stdin is not None and visit.stdout is not None
        visit.stdin.write(b"hello\n")
        visit.stdin.flush()
        assert visit.stdout.readline() == b"hello\n"
        visit.kill()
