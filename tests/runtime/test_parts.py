"""Addresses, logs, and the simulated runtime, one by one."""

from __future__ import annotations

from pathlib import Path

import pytest

from homeostat.kit import clock, virtual
from homeostat.runtime.contract import (
    ContainerSpec,
    ContainerState,
    HttpAsk,
    LogSpan,
    ProbeError,
    RuntimeFault,
    SandboxSpec,
)
from homeostat.runtime.logs import log_writer
from homeostat.runtime.logs.log_reader import parse, read
from homeostat.runtime.logs.log_writer import CriLog
from homeostat.runtime.shared.pod_addresses import AddressPool
from homeostat.runtime.simulated import Behaviour, SimulatedRuntime, behaviours


def test_an_address_comes_back_last() -> None:
    pool = AddressPool("10.0.0.0/29")
    first = [pool.take() for _ in range(3)]
    assert first == ["10.0.0.1", "10.0.0.2", "10.0.0.3"]
    pool.release("10.0.0.1")
    assert [pool.take() for _ in range(5)] == ["10.0.0.4", "10.0.0.5", "10.0.0.6", "10.0.0.1", None]


def test_addresses_of_others_do_not_matter() -> None:
    pool = AddressPool("10.0.0.0/30")
    pool.hold("192.168.0.1")
    pool.hold("10.0.0.1")
    pool.release("192.168.0.1")
    assert [pool.take(), pool.take()] == ["10.0.0.2", None]


def lines(path: Path, tail: int | None = None) -> list[bytes]:
    async def main() -> list[bytes]:
        return [line.data async for line in read(str(path), LogSpan(tail), lambda: False)]

    return virtual.run(main, seed=1)


def test_a_line_waits_for_its_end_and_a_long_one_is_split(tmp_path: Path) -> None:
    log = CriLog(str(tmp_path / "log"))
    log.write("stdout", b"half ")
    log.write("stderr", b"other\n")
    log.write("stdout", b"line\n" + b"x" * (log_writer.LINE_BYTES_MAX + 5) + b"\nlast")
    log.close()
    found = [parse(line) for line in (tmp_path / "log").read_bytes().splitlines()]
    parts = [(line.stream, len(line.data), line.partial) for line in found if line]
    assert parts == [
        ("stderr", 5, False),
        ("stdout", 9, False),
        ("stdout", log_writer.LINE_BYTES_MAX, True),
        ("stdout", 5, False),
        ("stdout", 4, False),
    ]


@pytest.mark.parametrize("tail", [0, 1, 5, 39, 40, 41, 1000])
def test_the_last_lines_are_found_across_files(tmp_path: Path, tail: int) -> None:
    path = tmp_path / "log"
    log = CriLog(str(path), bytes_max=500, files_max=5)
    everything = [f"line {i}".encode() for i in range(40)]
    for line in everything:
        log.write("stdout", line + b"\n")
    log.close()
    assert (tmp_path / "log.1").exists()
    assert lines(path, tail) == (everything[-tail:] if tail else [])


def test_only_so_many_files_are_kept(tmp_path: Path) -> None:
    log = CriLog(str(tmp_path / "log"), bytes_max=200, files_max=3)
    for i in range(100):
        log.write("stdout", f"line {i}\n".encode())
    log.close()
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["log", "log.1", "log.2"]
    assert lines(tmp_path / "log")[-1] == b"line 99"


def test_what_is_no_log_line_is_passed_over() -> None:
    assert parse(b"nonsense") is None
    assert parse(b"2026-01-01T00:00:00Z stdout F ") is not None


def simulated(**table: Behaviour) -> SimulatedRuntime:
    return SimulatedRuntime(pod_cidr="10.0.0.0/24", node_address="10.9.0.1", behaviour=behaviours(table))


async def started(runtime: SimulatedRuntime, name: str = "main", **annotations: str) -> str:
    box = await runtime.run_sandbox(SandboxSpec("u", "default", "web", annotations=annotations))
    container = await runtime.create_container(box.id, ContainerSpec(name=name, image="app"))
    await runtime.start_container(container.id)
    return container.id


def test_a_simulated_container_follows_its_behaviour() -> None:
    async def main() -> None:
        runtime = simulated(main=Behaviour(start_seconds=2, exit_after_seconds=5, exit_code=3))
        one = await started(runtime)
        assert clock.monotonic() == 2
        events = runtime.events()
        event = await anext(events)  # type: ignore[arg-type]
        assert (event.container_id, clock.monotonic()) == (one, 7)
        (ended,) = await runtime.containers()
        assert (ended.state, ended.exit_code) == (ContainerState.EXITED, 3)

    virtual.run(main, seed=1)


def test_annotations_describe_a_behaviour_for_all_or_one() -> None:
    async def main() -> None:
        runtime = SimulatedRuntime(pod_cidr="10.0.0.0/24", node_address="10.9.0.1")
        key = "simulated.homeostat/exit-after-seconds"
        await started(runtime, "main", **{key: "9", f"{key}.main": "4", "simulated.homeostat/exit-code": "2"})
        await anext(runtime.events())  # type: ignore[arg-type]
        assert clock.monotonic() == 4
        with pytest.raises(RuntimeFault, match="'soon' is not a number"):
            await started(runtime, **{key: "soon"})

    virtual.run(main, seed=1)


def test_a_frozen_container_answers_no_probe_and_needs_force() -> None:
    async def main() -> None:
        runtime = simulated()
        one = await started(runtime)
        ask = HttpAsk("10.0.0.1", 80, timeout_seconds=2)
        assert (await runtime.http_get(ask)).status == 200
        runtime.freeze(one)
        with pytest.raises(ProbeError, match="i/o timeout"):
            await runtime.http_get(ask)
        assert (await runtime.exec_sync(one, ("x",), timeout_seconds=3)).timed_out
        begun = clock.monotonic()
        await runtime.stop_container(one, timeout_seconds=10)
        assert clock.monotonic() - begun == 10
        assert (await runtime.containers())[0].exit_code == 137

    virtual.run(main, seed=1)


def test_a_reboot_ends_everything() -> None:
    async def main() -> None:
        runtime = simulated()
        await started(runtime)
        runtime.reboot()
        (box,) = await runtime.sandboxes()
        assert not box.ready
        assert (await runtime.containers())[0].exit_code == 137

    virtual.run(main, seed=1)


def test_the_same_seed_gives_the_same_run() -> None:
    async def main() -> list[str]:
        runtime = simulated()
        return [await started(runtime) for _ in range(3)]

    assert virtual.run(main, seed=7) == virtual.run(main, seed=7)
    assert virtual.run(main, seed=7) != virtual.run(main, seed=8)
