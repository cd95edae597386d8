"""How a tutorial is read and followed, and that the guide for processes works as written.

The guide itself, on nodes that are hosts, is followed in tests/guide.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.console_person import at_the_browser
from tests.support.keeper import Keeper
from tests.support.kubectl import kubectl_path
from tests.support.tutorial import Names, Reader, Step, Terminal, steps

ROOT = Path(__file__).resolve().parents[2]
GUIDE = ROOT / "docs" / "guide-processes.md"
PAGE = """
Type this:

```console
$ echo one \\
    two
one two
```

```console within 3 s
core@worker-1:~# docker ps -q
4ee9ceb2fb46
```
"""


def test_a_page_is_read_as_commands_and_what_they_print() -> None:
    assert steps(PAGE) == [
        Step("echo one \\\n    two", expected=["one two"]),
        Step("docker ps -q", node="worker-1", within_seconds=3, expected=["4ee9ceb2fb46"]),
    ]


def test_a_browser_block_is_followed_at_the_console_wherever_one_is_logged_in() -> None:
    page = "```console\n$ ssh core@x\n```\n```browser within 9 s\nopen Workloads > Pods\nsee 3 rows\n```\n"
    page += "```console\ncore@n1:~# exit\n```\n```browser\nclear\n```\n"
    assert steps(page) == [
        Step("ssh core@x"),
        Step("open Workloads > Pods", node="n1", within_seconds=9, browser=True),
        Step("see 3 rows", node="n1", within_seconds=9, browser=True),
        Step("exit", node="n1"),
        Step("clear", browser=True),
    ]


def test_wildcards_match_words_and_lines() -> None:
    names = Names()
    assert names.matches(["a ... c", "..."], "a  b b c \nmore\n")
    assert names.matches(["on worker-...", "..."], "  on  worker-2\n")
    assert not names.matches(["on worker-1"], "on worker-2\n")
    assert not names.matches(["one"], "one\ntwo\n")
    assert names.matches(["...", "end"], "any\nthing\nend\n")


@pytest.mark.parametrize(
    ("shown", "printed"),
    [
        ("up after 9.8 s", "up after 31.25 s"),
        ("Running   1 (4s ago)   22s", "Running 1 (10s ago) 2m5s"),
        ("+14.255 s  Pod", "+0.000 s  Pod"),
        ("Up 3 seconds", "Up 1 second"),
    ],
)
def test_lengths_of_time_are_any(shown: str, printed: str) -> None:
    assert Names().matches([shown], f"{printed}\n")
    assert not Names().matches([shown], f"{printed} and more\n")
    assert not Names().matches(["1/1 Running 0"], "0/1 Running 0\n")


def test_names_that_a_cluster_makes_up_are_typed_as_they_are_here() -> None:
    names = Names()
    assert names.matches(["4ee9ceb2fb46", "172.30.0.11 8080:30299/TCP"], "aaaabbbbcccc\n172.30.7.11 8080:31111/TCP\n")
    assert names.typed("docker kill 4ee9ceb2fb46") == "docker kill aaaabbbbcccc"
    assert names.typed("curl http://172.30.0.22:30299") == "curl http://172.30.7.22:31111"
    assert names.matches(["4ee9ceb2fb46"], "aaaabbbbcccc\n")
    assert not names.matches(["4ee9ceb2fb46"], "ddddeeeeffff\n"), "it has its name already"


def test_two_names_on_the_page_are_two_here() -> None:
    names = Names()
    assert names.matches(["4ee9ceb2fb46"], "aaaabbbbcccc\n")
    assert not names.matches(["65e065fa76a8"], "aaaabbbbcccc\n"), "a new ID is shown"
    assert names.matches(["65e065fa76a8"], "ddddeeeeffff\n")
    assert not Names().matches(["4ee9ceb2fb46", "9e84b7d7b350"], "aaaabbbbcccc\naaaabbbbcccc\n")


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    opened = Terminal(tmp_path, dict(os.environ), tmp_path / "terminal.log")
    yield opened
    opened.close()


def test_a_terminal_is_one(terminal: Terminal) -> None:
    assert terminal.type("test -t 0 && test -t 1 && echo yes", seconds=10) == ("yes\n", 0)
    assert terminal.type("kept=here; false", seconds=10) == ("", 1)
    assert terminal.type("echo $kept", seconds=10) == ("here\n", 0)


def test_a_command_that_does_not_end_is_named(terminal: Terminal) -> None:
    with pytest.raises(AssertionError, match=r"not within 0\.3 s: sleep 20"):
        terminal.type("sleep 20", seconds=0.3)


def test_a_reader_tries_again_until_the_page_is_right(terminal: Terminal) -> None:
    count = "echo x >>tries; wc -l <tries"
    reader = Reader(terminal)
    with pytest.raises(AssertionError, match="printed:\n1\n"):
        reader.follow(Step(count, expected=["3"]))
    step = Step(count, within_seconds=20, expected=["3"])
    assert reader.follow(step) == "3\n" and step.ended > step.began


def test_a_command_that_fails_stops_the_reader(terminal: Terminal) -> None:
    with pytest.raises(AssertionError, match="exit code 3"):
        Reader(terminal).follow(Step("echo said; (exit 3)", expected=["said"]))


@pytest.fixture
def workshop(tmp_path: Path) -> Iterator[dict[str, str]]:
    """An environment of its own: state, kubeconfig and working folder; the guide's cluster is gone afterwards."""
    for name in ("examples", ".venv"):
        (tmp_path / name).symlink_to(ROOT / name)
    own = {"XDG_STATE_HOME": str(tmp_path / "state"), "KUBECONFIG": str(tmp_path / "kube"), "PWD": str(tmp_path)}
    tools = tmp_path / "bin"
    tools.mkdir()
    (tools / "kubectl").symlink_to(kubectl_path())
    environment = {**os.environ, **own, "PATH": f"{tools}:{Path(sys.executable).parent}:{os.environ['PATH']}"}
    keeper = Keeper("guide", environment)
    yield environment
    keeper.begin()
    keeper.wait()


@pytest.mark.real
@pytest.mark.slow
def test_the_guide_for_processes_works_as_written(workshop: dict[str, str], tmp_path: Path) -> None:
    for tool in ("curl", "ss"):
        assert shutil.which(tool, path=workshop["PATH"]), f"the guide needs {tool}"
    terminal = Terminal(tmp_path, workshop, tmp_path / "terminal.log")
    try:
        with at_the_browser() as person:
            reader = Reader(terminal, person=person)
            for step in steps(GUIDE.read_text()):
                reader.follow(step)
    finally:
        terminal.close()
