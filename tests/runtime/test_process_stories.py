"""The process runtime with real processes: starting, failing, logging, stopping, adopting, and leaving nothing."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import uvloop

from homeostat.runtime.children.processes import start_ticks
from homeostat.runtime.contract import ContainerSpec, ContainerState, LogSpan, Mount, RuntimeFault, Sandbox, SandboxSpec
from homeostat.runtime.process.process_runtime import ProcessOptions, ProcessRuntime

State = ContainerState


class Stage:
    """One runtime over one folder; `restart` is an agent that dies and comes back."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.runtime = self._make()

    def _make(self, **options: int) -> ProcessRuntime:
        return ProcessRuntime(
            self.root / "state",
            pod_cidr="127.77.3.0/24",
            node_address="127.0.0.1",
            options=ProcessOptions(**options),
        )

    async def restart(self) -> None:
        await self.runtime.close()
        self.runtime = self._make()
        await self.runtime.start()

    async def sandbox(self, name: str = "web") -> Sandbox:
        return await self.runtime.run_sandbox(SandboxSpec(pod_uid=f"uid-{name}", namespace="default", name=name))

    def spec(self, script: str, name: str = "main", **more: object) -> ContainerSpec:
        log = str(self.root / f"{name}.log")
        return ContainerSpec(name=name, image="none", argv=("/bin/sh", "-c", script), log_path=log, **more)  # type: ignore[arg-type]

    async def run(self, script: str, name: str = "main", **more: object) -> str:
        box = await self.sandbox(name)
        container = await self.runtime.create_container(box.id, self.spec(script, name, **more))
        await self.runtime.start_container(container.id)
        return container.id

    async def state(self, container_id: str) -> State:
        return next(c.state for c in await self.runtime.containers() if c.id == container_id)

    async def ended(self, container_id: str) -> object:
        async with asyncio.timeout(10):
            while True:
                for container in await self.runtime.containers():
                    if container.id == container_id and container.state is State.EXITED:
                        return container
                await asyncio.sleep(0.005)

    async def log(self, container_id: str, **span: object) -> list[bytes]:
        return [line.data async for line in self.runtime.read_log(container_id, LogSpan(**span))]  # type: ignore[arg-type]

    def pids(self, container_id: str) -> dict[str, int]:
        return json.loads((self.root / "state" / "containers" / container_id / "pid.json").read_bytes())


def play(tmp_path: Path, story: Callable[[Stage], Awaitable[None]]) -> None:
    async def main() -> None:
        stage = Stage(tmp_path)
        await stage.runtime.start()
        try:
            await story(stage)
        finally:
            await stage.runtime.close(stop_containers=True)
        # A shim that has said how its container ended still has its own end before it.
        async with asyncio.timeout(5):
            while leftovers(tmp_path):
                await asyncio.sleep(0.005)

    uvloop.run(main())


def leftovers(root: Path) -> list[str]:
    """Live processes that this test's runtime started: by their words or their environment."""
    found = []
    for entry in os.listdir("/proc"):
        if not entry.isdigit() or int(entry) == os.getpid() or not start_ticks(int(entry)):
            continue
        try:
            words = Path(f"/proc/{entry}/cmdline").read_bytes() + Path(f"/proc/{entry}/environ").read_bytes()
        except OSError:
            continue
        if str(root / "state").encode() in words:
            found.append(entry)
    return found


async def gone(pid: int) -> None:
    async with asyncio.timeout(5):
        while start_ticks(pid):
            await asyncio.sleep(0.005)


def test_a_container_runs_logs_and_reports_its_exit_code(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        one = await stage.run("echo out; echo err >&2; exit 3")
        end = await stage.ended(one)
        assert (end.exit_code, end.reason) == (3, "")  # type: ignore[attr-defined]
        assert sorted(await stage.log(one)) == [b"err", b"out"]

    play(tmp_path, story)


def test_an_exit_is_an_event(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        events = stage.runtime.events()
        one = await stage.run("true")
        async with asyncio.timeout(5):
            event = await anext(events)  # type: ignore[arg-type]
        assert event.container_id == one

    play(tmp_path, story)


def test_kill_9_counts_as_137_and_a_new_one_runs_at_once(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        one = await stage.run("exec sleep 100")
        begun = time.monotonic()
        os.kill(stage.pids(one)["pid"], signal.SIGKILL)
        end = await stage.ended(one)
        assert end.exit_code == 137  # type: ignore[attr-defined]
        box = (await stage.runtime.sandboxes())[0]
        two = await stage.runtime.create_container(box.id, stage.spec("exec sleep 100"))
        await stage.runtime.start_container(two.id)
        print("relaunch seconds", time.monotonic() - begun)
        assert await stage.state(two.id) is State.RUNNING

    play(tmp_path, story)


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (("no-such-program",), 'exec: "no-such-program": executable file not found in $PATH'),
        (("/no/such",), 'exec: "/no/such": stat /no/such: no such file or directory'),
        (("/etc/passwd",), 'exec: "/etc/passwd": permission denied'),
    ],
)
def test_a_command_that_cannot_start_is_a_start_error(tmp_path: Path, argv: tuple[str, ...], message: str) -> None:
    async def story(stage: Stage) -> None:
        box = await stage.sandbox()
        spec = ContainerSpec(name="main", image="none", argv=argv, log_path=str(tmp_path / "x.log"))
        container = await stage.runtime.create_container(box.id, spec)
        with pytest.raises(RuntimeFault) as caught:
            await stage.runtime.start_container(container.id)
        assert caught.value.reason == "RunContainerError"
        assert caught.value.message == f"unable to start container process: {message}"
        (kept,) = await stage.runtime.containers()
        assert (kept.state, kept.exit_code, kept.reason) == (State.EXITED, 128, "StartError")

    play(tmp_path, story)


def test_no_command_is_refused_for_there_are_no_images(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        box = await stage.sandbox()
        with pytest.raises(RuntimeFault, match="this runtime has no images") as caught:
            await stage.runtime.create_container(box.id, ContainerSpec(name="main", image="nginx"))
        assert caught.value.reason == "CreateContainerError"

    play(tmp_path, story)


def test_stop_is_the_signal_then_patience_then_force(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        polite = await stage.run("trap 'echo bye; exit 7' TERM; echo up; while :; do sleep 0.01; done", "polite")
        deaf = await stage.run("trap '' TERM; echo up; while :; do sleep 0.01; done", "deaf")
        for one in (polite, deaf):
            async for line in stage.runtime.read_log(one, LogSpan(follow=True)):
                assert line.data == b"up"
                break
        await stage.runtime.stop_container(polite, timeout_seconds=5)
        await stage.runtime.stop_container(deaf, timeout_seconds=0.2)
        assert (await stage.ended(polite)).exit_code == 7  # type: ignore[attr-defined]
        assert (await stage.ended(deaf)).exit_code == 137  # type: ignore[attr-defined]
        assert b"bye" in await stage.log(polite)

    play(tmp_path, story)


def test_grandchildren_in_sessions_of_their_own_end_with_the_container(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        one = await stage.run("setsid sleep 1000 & setsid sh -c 'echo $$; exec sleep 1000' & echo $!; wait")
        async for line in stage.runtime.read_log(one, LogSpan(follow=True)):
            stray = int(line.data)
            break
        assert start_ticks(stray)
        await stage.runtime.stop_container(one, timeout_seconds=0)
        await gone(stray)

    play(tmp_path, story)


def test_a_killed_shim_leaves_nothing_behind(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        one = await stage.run("setsid sh -c 'echo $$; exec sleep 1000' & wait")
        async for line in stage.runtime.read_log(one, LogSpan(follow=True)):
            stray = int(line.data)
            break
        pids = stage.pids(one)
        os.kill(pids["shim"], signal.SIGKILL)
        end = await stage.ended(one)
        assert end.reason == "ContainerStatusUnknown"  # type: ignore[attr-defined]
        await gone(pids["pid"])
        await gone(stray)

    play(tmp_path, story)


def test_a_new_agent_adopts_what_runs_and_learns_what_ended(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        lasting = await stage.run("exec sleep 100", "lasting")
        ending = await stage.run("exec sleep 100", "ending")
        never = await stage.runtime.create_container((await stage.sandbox()).id, stage.spec("true", "never"))
        pids = stage.pids(lasting)
        await stage.runtime.close()
        os.kill(stage.pids(ending)["pid"], signal.SIGKILL)
        await gone(stage.pids(ending)["shim"])
        await stage.restart()
        assert stage.pids(lasting) == pids
        assert await stage.state(lasting) is State.RUNNING
        assert await stage.state(never.id) is State.CREATED
        assert (await stage.ended(ending)).exit_code == 137  # type: ignore[attr-defined]
        os.kill(pids["pid"], signal.SIGKILL)
        assert (await stage.ended(lasting)).exit_code == 137  # type: ignore[attr-defined]

    play(tmp_path, story)


def test_commands_run_inside_share_folder_and_environment(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        (tmp_path / "volume").mkdir()
        (tmp_path / "volume" / "word").write_text("hello")
        mount = Mount("/etc/app", str(tmp_path / "volume"))
        one = await stage.run("exec sleep 100", env=(("WHO", "me"),), mounts=(mount,))
        result = await stage.runtime.exec_sync(
            one, ("sh", "-c", "echo $WHO; cat etc/app/word; exit 4"), timeout_seconds=5
        )
        assert (result.exit_code, result.output) == (4, b"me\nhello")
        late = await stage.runtime.exec_sync(one, ("sleep", "50"), timeout_seconds=0.1)
        assert late.timed_out
        missing = await stage.runtime.exec_sync(one, ("nope",), timeout_seconds=5)
        assert missing.exit_code != 0
        assert b"executable file not found" in missing.output

    play(tmp_path, story)


def test_logs_rotate_and_are_read_across_files(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        stage.runtime = stage._make(log_bytes_max=20_000, log_files_max=4)
        await stage.runtime.start()
        one = await stage.run("i=0; while [ $i -lt 1000 ]; do echo line-$i; i=$((i+1)); done")
        followed = [line.data async for line in stage.runtime.read_log(one, LogSpan(follow=True))]
        assert followed == [f"line-{i}".encode() for i in range(1000)]
        await stage.ended(one)
        assert (tmp_path / "main.log.1").exists()
        assert await stage.log(one, tail_lines=700) == [f"line-{i}".encode() for i in range(300, 1000)]

    play(tmp_path, story)


def test_pods_have_addresses_of_their_own_that_are_not_used_again_at_once(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        first, second = await stage.sandbox("a"), await stage.sandbox("b")
        assert (first.ip, second.ip) == ("127.77.3.1", "127.77.3.2")
        await stage.runtime.remove_sandbox(first.id)
        assert (await stage.sandbox("c")).ip == "127.77.3.3"
        await stage.restart()
        assert (await stage.sandbox("d")).ip == "127.77.3.4"

    play(tmp_path, story)


def test_mounts_are_at_their_paths_and_the_host_is_left_alone(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        if not stage.runtime.mounts_in_place:
            pytest.skip("this kernel gives this user no mount namespaces")
        (tmp_path / "volume").mkdir()
        (tmp_path / "volume" / "word").write_text("hello")
        mounts = (
            Mount("/etc/homeostat-test", str(tmp_path / "volume"), read_only=True),
            Mount("/homeostat-test/deep", str(tmp_path / "volume")),
            Mount("/var/run/homeostat/test", str(tmp_path / "volume")),
        )
        script = (
            "cat /etc/homeostat-test/word; echo x 2>/dev/null > /etc/homeostat-test/new || echo no; pwd; "
            "cat /var/run/homeostat/test/word; echo y > /homeostat-test/deep/new; ls /etc/passwd; exec sleep 100"
        )
        one = await stage.run(script, mounts=mounts, working_dir="/homeostat-test/work")
        wanted = [b"hellono", b"/homeostat-test/work", b"hello/etc/passwd"]
        lines: list[bytes] = []
        async for line in stage.runtime.read_log(one, LogSpan(follow=True)):
            lines.append(line.data)
            if len(lines) == len(wanted):
                break
        assert lines == wanted
        assert (tmp_path / "volume" / "new").read_text() == "y\n"
        inside = await stage.runtime.exec_sync(one, ("cat", "/etc/homeostat-test/word"), timeout_seconds=5)
        assert (inside.exit_code, inside.output) == (0, b"hello")

    play(tmp_path, story)
    assert not any(os.path.exists(place) for place in ("/etc/homeostat-test", "/homeostat-test", "/run/homeostat"))
