"""The shim by itself: commands in a fork of a warm parent, many containers in one shim, and what they leave behind."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from homeostat.runtime.children.processes import start_ticks
from homeostat.runtime.shim import shim_process

SECONDS_MAX = 10.0


def folder(tmp_path: Path, *argv: str, **more: Any) -> Path:
    place = tmp_path / "container"
    place.mkdir()
    spec = {
        "argv": argv,
        "env": {"PATH": os.environ["PATH"], "WHO": "me"},
        "cwd": str(tmp_path),
        "log_path": str(tmp_path / "log"),
        "log_bytes_max": 1 << 20,
        "log_files_max": 5,
        "stop_signal": "SIGTERM",
        "orphan_grace_seconds": 0.2,
        **more,
    }
    (place / "spec.json").write_text(json.dumps(spec))
    return place


def forked(work: Callable[[], int]) -> int:
    """Run `work` in a child; returns its process ID."""
    pid = os.fork()
    if pid:
        return pid
    code = 99
    try:
        code = work()
    finally:
        os._exit(code)


def until(check: Callable[[], Any]) -> Any:
    end = time.monotonic() + SECONDS_MAX
    while time.monotonic() < end:
        if found := check():
            return found
        time.sleep(0.002)
    raise AssertionError("never so")


def children_of(pid: int) -> list[int]:
    """Its living children: by their parent's ID, as not every kernel lists them."""
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                fields = Path(f"/proc/{entry}/stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[1]) == pid and fields[0] != "Z":
                found.append(int(entry))
    return found


def read(path: Path) -> dict[str, Any] | None:
    return json.loads(path.read_text()) if path.exists() else None


def builtin(argv: list[str]) -> int:
    print("builtin", argv, os.environ["WHO"], os.getcwd(), flush=True)
    return 7


def test_a_builtin_runs_in_the_fork_with_its_environment_and_log(tmp_path: Path) -> None:
    place = folder(tmp_path, "component", "--x")
    os.waitpid(forked(lambda: shim_process.run(place, builtin, names={"component"})), 0)
    assert (read(place / "exit.json") or {})["code"] == 7
    assert (tmp_path / "log").read_text().endswith(f"stdout F builtin ['component', '--x'] me {tmp_path}\n")


def test_other_commands_are_programs_beside_builtins(tmp_path: Path) -> None:
    place = folder(tmp_path, "echo", "hello")
    os.waitpid(forked(lambda: shim_process.run(place, builtin, names={"component"})), 0)
    assert (tmp_path / "log").read_text().endswith("stdout F hello\n")


def test_a_builtin_without_names_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="names"):
        shim_process.run(folder(tmp_path, "x"), builtin)


def test_a_builtin_that_raises_ends_with_one_and_says_why(tmp_path: Path) -> None:
    def broken(argv: list[str]) -> int:
        raise RuntimeError("no luck")

    place = folder(tmp_path, "component")
    os.waitpid(forked(lambda: shim_process.run(place, broken, names={"component"})), 0)
    assert (read(place / "exit.json") or {})["code"] == 1
    assert "stderr F RuntimeError: no luck" in (tmp_path / "log").read_text()


def test_a_container_has_one_shim(tmp_path: Path) -> None:
    place = folder(tmp_path, "sleep", "100")
    first = forked(lambda: shim_process.run(place))
    pids = until(lambda: read(place / "pid.json"))
    second = forked(lambda: shim_process.run(place))
    assert os.waitstatus_to_exitcode(os.waitpid(second, 0)[1]) == shim_process.ALREADY_RUN
    os.kill(pids["pid"], signal.SIGKILL)
    os.waitpid(first, 0)
    assert (read(place / "exit.json") or {})["code"] == 137
    assert shim_process.run(place) == shim_process.ALREADY_RUN


def test_a_shim_that_is_asked_to_end_sends_sigterm_first_and_then_kills(tmp_path: Path) -> None:
    place = folder(tmp_path, "sh", "-c", "trap 'echo asked' TERM; echo up; while :; do sleep 0.01; done")
    pid = forked(lambda: shim_process.run(place))
    until(lambda: (tmp_path / "log").exists() and "up" in (tmp_path / "log").read_text())
    os.kill(pid, signal.SIGTERM)
    os.waitpid(pid, 0)
    assert "asked" in (tmp_path / "log").read_text()
    assert (read(place / "exit.json") or {})["code"] == 137


def test_the_shim_loads_no_more_than_it_needs() -> None:
    heavy = ("asyncio", "subprocess", "msgspec", "logging")
    code = f"import sys, homeostat.runtime.shim.shim_process; print([name for name in {heavy} if name in sys.modules])"
    root = str(Path(shim_process.__file__).parents[3])
    with os.popen(f'PYTHONPATH="{root}" {sys.executable} -S -c "{code}"') as answer:
        assert answer.read().strip() == "[]"


def test_one_shim_has_many_containers_and_what_one_leaves_behind_ends_with_it_alone(tmp_path: Path) -> None:
    places = []
    for name, script in (
        ("first", "setsid sleep 100 & exec sleep 100"),
        ("second", "exec sleep 100"),
        ("third", "exit 5"),
    ):
        (tmp_path / name).mkdir()
        places.append(folder(tmp_path / name, "sh", "-c", script))

    def keep() -> int:
        kept = shim_process.Shim()
        for number, place in enumerate(places):
            # Their folders carry the containers' IDs.
            assert kept.take(place.rename(place.with_name(f"c{number}")))
        kept.serve(lambda: kept.asked_to_stop and not kept.folders)
        return 0

    pid = forked(keep)
    first, second, third = (place.with_name(f"c{number}") for number, place in enumerate(places))
    assert (until(lambda: read(third / "exit.json")) or {})["code"] == 5
    one, two = (until(lambda place=place: read(place / "pid.json"))["pid"] for place in (first, second))
    stray = until(lambda: children_of(one))[0]
    os.kill(one, signal.SIGKILL)
    assert (until(lambda: read(first / "exit.json")) or {})["code"] == 137
    assert not start_ticks(stray)
    assert start_ticks(two)
    assert not (second / "exit.json").exists()
    os.kill(pid, signal.SIGTERM)
    os.waitpid(pid, 0)
    assert (read(second / "exit.json") or {})["code"] == 143
    assert not start_ticks(two)


def test_a_daemon_of_a_container_belongs_to_its_first_process(tmp_path: Path) -> None:
    script = "(setsid sh -c 'echo $$; exec sleep 100' &); sleep 100 & wait; wait"
    place = folder(tmp_path, "sh", "-c", script)
    pid = forked(lambda: shim_process.run(place))
    root = until(lambda: read(place / "pid.json"))["pid"]
    daemon = int(until(lambda: re.search(r"stdout F (\d+)", (tmp_path / "log").read_text()))[1])
    until(lambda: daemon in children_of(root))
    os.kill(pid, signal.SIGTERM)
    os.waitpid(pid, 0)
    assert not start_ticks(daemon)


def test_a_container_that_ends_while_its_folder_is_gone_takes_no_other_with_it(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    lost, kept = (folder(tmp_path / name, "sleep", "100") for name in ("a", "b"))
    lost, kept = (place.rename(place.with_name(name)) for place, name in ((lost, "c0"), (kept, "c1")))

    def keep() -> int:
        shim_ = shim_process.Shim()
        for place in (lost, kept):
            shim_.take(place)
        shim_.serve(lambda: shim_.asked_to_stop and not shim_.folders)
        return 0

    pid = forked(keep)
    root, other = (until(lambda place=place: read(place / "pid.json"))["pid"] for place in (lost, kept))
    shutil.rmtree(lost)
    os.kill(root, signal.SIGKILL)
    until(lambda: not start_ticks(root))
    os.kill(other, signal.SIGTERM)
    assert (until(lambda: read(kept / "exit.json")) or {})["code"] == 143
    os.kill(pid, signal.SIGTERM)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
