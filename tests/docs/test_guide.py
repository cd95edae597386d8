"""The guide works as written: its commands are typed into one shell, in order, and print what it shows.

A console block holds commands (`$ ...`, continued after a backslash) and what they print, where `...` stands for any
text within a line and, alone on a line, for any lines.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.support.kubectl import kubectl_path

ROOT = Path(__file__).resolve().parents[2]
GUIDE = ROOT / "docs" / "guide.md"
SECONDS_MAX = 180


@dataclass
class Step:
    """One command of the guide and the lines that it should print."""

    command: str
    expected: list[str] = field(default_factory=list)


def steps(text: str) -> list[Step]:
    found: list[Step] = []
    for block in re.findall(r"```console\n(.*?)```", text, re.DOTALL):
        for line in block.splitlines():
            if line.startswith("$ "):
                found.append(Step(line[2:]))
            elif found[-1].command.endswith("\\"):
                found[-1].command += f"\n{line}"
            else:
                found[-1].expected.append(line)
    return found


def pattern(expected: list[str]) -> re.Pattern[str]:
    """Matches the whole output; runs of blanks match each other."""
    lines = [r"(?:.*\n)*?" if line == "..." else _line(line) + r"[ \t]*\n" for line in expected]
    return re.compile("".join(lines))


def _line(line: str) -> str:
    parts = [re.sub(r"(?:\\[ \t])+", r"[ \\t]+", re.escape(part)) for part in line.strip().split("...")]
    return r"[ \t]*" + ".*?".join(parts)


def script(todo: list[Step]) -> str:
    """The commands with a mark before each, ended at the first that fails."""
    parts = [
        f"echo; echo '@@ {i}'\n{step.command}\n_code=$?; [ $_code = 0 ] || exit $_code" for i, step in enumerate(todo)
    ]
    return "\n".join([*parts, "echo; echo '@@ end'"])


def test_wildcards_match_words_and_lines() -> None:
    assert pattern(["a ... c", "..."]).fullmatch("a  b b c \nmore\n")
    assert pattern(["on worker-...", "..."]).fullmatch("  on  worker-2\n")
    assert not pattern(["on worker-1"]).fullmatch("on worker-2\n")
    assert not pattern(["one"]).fullmatch("one\ntwo\n")
    assert pattern(["...", "end"]).fullmatch("any\nthing\nend\n")


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
    yield environment
    subprocess.run(["homeostat", "down", "--name", "guide", "--purge"], env=environment, timeout=90, check=True)


@pytest.mark.real
@pytest.mark.slow
def test_the_guide_works_as_written(workshop: dict[str, str], tmp_path: Path) -> None:
    for tool in ("curl", "ss"):
        assert shutil.which(tool, path=workshop["PATH"]), f"the guide needs {tool}"
    todo = steps(GUIDE.read_text())
    log = tmp_path / "output"
    with log.open("w") as sink:
        shell = subprocess.Popen(
            ["bash", "-c", script(todo)],
            cwd=tmp_path,
            env=workshop,
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            code = shell.wait(timeout=SECONDS_MAX)
        finally:
            _end_session(shell.pid)
    printed = re.split(r"\n?@@ (?:\d+|end)\n", log.read_text())[1:]
    assert code == 0, f"this failed: {todo[len(printed) - 1].command}\n{printed[-1]}"
    for step, text in zip(todo, printed, strict=False):
        assert pattern(step.expected).fullmatch(text), f"$ {step.command}\nprinted:\n{text}\nexpected:\n{step.expected}"


def _end_session(leader: int) -> None:
    """What the guide's shell left in the background: its group, which is the client alone."""
    try:
        os.killpg(leader, 9)
    except ProcessLookupError:
        pass
