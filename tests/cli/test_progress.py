"""What people see while a command waits: each step once, and how long it has taken so far."""

from __future__ import annotations

import re

import pytest
from rich.console import Console

from homeostat.cli.progress import LiveProgress, PlainProgress, Steps
from homeostat.kit import clock


def test_through_a_pipe_each_step_is_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    shown = PlainProgress(clock.monotonic())
    for _ in range(3):
        shown.step("API", "no API server listens yet")
    shown.step("node a", "booting", only_first=True)
    shown.step("node a", "registered, not ready")
    shown.step("node a", "booting", only_first=True)
    shown.reached("API", "answers")
    shown.step("API", "no API server listens yet")
    lines = capsys.readouterr().out.splitlines()
    assert [re.sub(r"^ +\d+\.\d\d s  ", "", line) for line in lines] == [
        "API no API server listens yet",
        "node a booting",
        "node a registered, not ready",
        "API answers",
    ]


def test_on_a_terminal_the_seconds_of_what_has_not_arrived_run_on() -> None:
    shown = LiveProgress(["API", "node a"], clock.monotonic() - 17.0)
    try:
        shown.step("API", "no API server listens yet")
        shown.reached("node a", "Ready")
        shown.step("node a", "booting")
        first = drawn(shown)
        assert first == [["API", "no API server listens yet", "17"], ["node a", "Ready", "17"]]
        shown._began -= 10.0
        shown._arrived["node a"] -= 10.0
        assert drawn(shown) == [["API", "no API server listens yet", "27"], ["node a", "Ready", "17"]]
    finally:
        shown.close()


def drawn(shown: LiveProgress) -> list[list[str]]:
    """Component, step and whole seconds of each row."""
    console = Console(width=100, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    console.print(shown._table())
    rows = [re.split(r"\s{2,}", line.strip()) for line in console.export_text().splitlines()]
    return [[name, step, seconds.partition(".")[0]] for name, step, seconds in rows]


def test_the_steps_of_a_command_have_their_time(capsys: pytest.CaptureFixture[str]) -> None:
    Steps().say("turning master-1 off")
    assert re.fullmatch(r" +0\.\d\d s  turning master-1 off\n", capsys.readouterr().out)
