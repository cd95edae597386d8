"""A wall clock that is off by what a file says; the monotonic clock advances evenly."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from homeostat.cluster.state_folder import LabError
from homeostat.kit import clock, world
from homeostat.operate.node_clock import parse_shift


def test_the_wall_clock_follows_its_file_and_the_monotonic_one_does_not(tmp_path: Path) -> None:
    file = tmp_path / "shift"
    file.write_text("600")
    with world.use(world.ShiftedWorld(file)):
        began = clock.monotonic()
        assert clock.wall() - time.time() == pytest.approx(600, abs=5)
        assert clock.monotonic() - began < 60


def test_it_notices_a_change_soon_but_does_not_read_the_file_each_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    moment = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: moment[0])
    file = tmp_path / "shift"
    shifted = world.ShiftedWorld(file)
    assert shifted.wall() == pytest.approx(time.time(), abs=5)
    file.write_text("-90.5")
    assert shifted.wall() == pytest.approx(time.time(), abs=5)
    moment[0] += 1.0
    assert shifted.wall() == pytest.approx(time.time() - 90.5, abs=5)
    file.unlink()
    moment[0] += 1.0
    assert shifted.wall() == pytest.approx(time.time(), abs=5)


@pytest.mark.parametrize("content", ["", "soon", "1e300", "nan", "inf", "600 seconds"])
def test_what_is_no_shift_is_none(tmp_path: Path, content: str) -> None:
    file = tmp_path / "shift"
    file.write_text(content)
    assert world.read_shift(file) == 0.0


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("+10m", 600.0), ("10m", 600.0), ("-10m", -600.0), ("-90s", -90.0), ("+1h30m", 5400.0), ("0", 0.0), ("-0", 0.0)],
)
def test_a_shift_is_a_duration_with_a_sign(text: str, seconds: float) -> None:
    assert parse_shift(text) == seconds


@pytest.mark.parametrize("text", ["", "soon", "+", "+-5m", "--5m", "5", "10 m", "-", "9000h"])
def test_anything_else_is_refused_in_words(text: str) -> None:
    with pytest.raises(LabError, match=r"says no shift of a clock; one is \+10m, -90s or 0|a year at most"):
        parse_shift(text)
