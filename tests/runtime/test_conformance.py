"""One suite for every runtime: the contract's promises, kept by real processes, by a real container engine,
and by simulated ones alike."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import uvloop

from homeostat.kit import clock, virtual
from homeostat.lab.images.stock import BUSYBOX
from homeostat.runtime.contract import (
    Container,
    ContainerSpec,
    ContainerState,
    LogSpan,
    ProbeError,
    Runtime,
    RuntimeEvent,
    RuntimeFault,
    Sandbox,
    SandboxSpec,
)
from homeostat.runtime.cri.cri_runtime import CriRuntime
from homeostat.runtime.process.process_runtime import ProcessOptions, ProcessRuntime
from homeostat.runtime.simulated import Behaviour, SimulatedRuntime, behaviours
from tests.support.engine import Engine, remove_all

State = ContainerState
UNKNOWN = "0" * 64

# What containers do, by name: as a script, and as a simulated behaviour.
SCRIPTS = {
    "runs": "trap 'exit 143' TERM; sleep 60 & wait",
    "well": "exit 0",
    "badly": "exit 3",
    "polite": "trap 'exit 7' TERM; while :; do sleep 0.01; done",
    "stubborn": "trap '' TERM; while :; do sleep 0.01; done",
    "talks": "echo one; echo two; echo three",
}
SIMULATED = {
    "well": Behaviour(exit_after_seconds=0.1),
    "badly": Behaviour(exit_after_seconds=0.1, exit_code=3),
    "polite": Behaviour(stop_seconds=0.01, stop_code=7),
    "stubborn": Behaviour(stop_seconds=1000),
}


class Stage:
    """One runtime, and short words for what agents do with it."""

    def __init__(self, runtime: Runtime, root: Path) -> None:
        self.runtime = runtime
        self.root = root

    async def box(self, pod: str = "web", **more: Any) -> Sandbox:
        return await self.runtime.run_sandbox(SandboxSpec(pod_uid=f"uid-{pod}", namespace="default", name=pod, **more))

    def spec(self, name: str, **more: Any) -> ContainerSpec:
        argv = ("/bin/sh", "-c", SCRIPTS[name])
        log = str(self.root / f"{name}.log")
        return ContainerSpec(name=name, image=BUSYBOX, argv=argv, command=argv, log_path=log, **more)

    async def create(self, name: str = "runs", box: Sandbox | None = None, **more: Any) -> Container:
        return await self.runtime.create_container((box or await self.box()).id, self.spec(name, **more))

    async def start(self, name: str = "runs", box: Sandbox | None = None, **more: Any) -> Container:
        made = await self.create(name, box, **more)
        return await self.runtime.start_container(made.id)

    async def now(self, container: Container) -> Container | None:
        return next((c for c in await self.runtime.containers() if c.id == container.id), None)

    async def state(self, container: Container) -> State | None:
        found = await self.now(container)
        return found.state if found else None

    async def ended(self, container: Container) -> Container:
        async with asyncio.timeout(10):
            while True:
                found = await self.now(container)
                assert found is not None
                if found.state is State.EXITED:
                    return found
                await clock.sleep(0.005)


Story = Callable[[Stage], Awaitable[None]]


@pytest.fixture(params=["process", "simulated", pytest.param("cri", marks=pytest.mark.real)])
def play(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[Story], None]:
    engine: Engine | None = request.getfixturevalue("engine") if request.param == "cri" else None

    def make() -> Runtime:
        where = {"pod_cidr": "127.77.9.0/24", "node_address": "127.0.0.1"}
        if engine is not None:
            return CriRuntime(engine.socket, node_address="127.0.0.1")
        if request.param == "process":
            return ProcessRuntime(tmp_path / "state", options=ProcessOptions(), **where)
        return SimulatedRuntime(behaviour=behaviours(SIMULATED), **where)

    def run(story: Story) -> None:
        async def main() -> None:
            runtime = make()
            await runtime.start()
            try:
                await story(Stage(runtime, tmp_path))
            finally:
                if engine is not None:
                    await remove_all(runtime)  # the engine outlives the story
                await runtime.close(stop_containers=True)

        if engine is not None:
            engine.within(lambda: uvloop.run(main()))
        elif request.param == "process":
            uvloop.run(main())
        else:
            virtual.run(main, seed=1)

    return run


def test_a_sandbox_has_an_address_of_its_own_until_it_is_stopped(play: Callable[[Story], None]) -> None:
    async def story(stage: Stage) -> None:
        one, two = await stage.box("one"), await stage.box("two")
        assert one.ip != two.ip
        assert (one.ready, one.spec.name) == (True, "one")
        await stage.runtime.stop_sandbox(one.id)
        (left,) = await stage.runtime.sandboxes("uid-one")
        assert not left.ready
        assert [box.id for box in await stage.runtime.sandboxes() if box.ready] == [two.id]
        await stage.runtime.remove_sandbox(one.id)
        assert await stage.runtime.sandboxes("uid-one") == []

    play(story)


def test_a_pod_of_the_host_has_the_nodes_address(play: Callable[[Story], None]) -> None:
    async def story(stage: Stage) -> None:
        assert (await stage.box(host_network=True)).ip == "127.0.0.1"
        assert (await stage.box("second", host_network=True)).ip == "127.0.0.1"

    play(story)


def test_a_container_goes_from_created_to_running_to_exited(play: Callable[[Story], None]) -> None:
    async def story(stage: Stage) -> None:
        made = await stage.create("runs", attempt=2)
        assert (made.state, made.spec.attempt, made.pod_uid) == (State.CREATED, 2, "uid-web")
        started = await stage.runtime.start_container(made.id)
        assert started.state is State.RUNNING
        assert started.started_at >= made.created_at > 0
        await stage.runtime.stop_container(made.id, timeout_seconds=5)
        ended = await stage.ended(made)
        assert ended.finished_at >= started.started_at
        assert ended.id == made.id

    play(story)


@pytest.mark.parametrize(("name", "code"), [("well", 0), ("badly", 3)])
def test_the_exit_code_is_kept(play: Callable[[Story], None], name: str, code: int) -> None:
    async def story(stage: Stage) -> None:
        ended = await stage.ended(await stage.start(name))
        assert ended.exit_code == code

    play(story)


@pytest.mark.parametrize(
    ("name", "patience", "code"), [("polite", 5.0, 7), ("stubborn", 0.2, 137), ("polite", 0.0, 137)]
)
def test_a_stop_is_a_signal_then_patience_then_force(
    play: Callable[[Story], None], name: str, patience: float, code: int
) -> None:
    async def story(stage: Stage) -> None:
        one = await stage.start(name)
        await clock.sleep(0.2)  # until the script has set its trap
        await stage.runtime.stop_container(one.id, timeout_seconds=patience)
        ended = await stage.now(one)
        assert ended is not None
        assert (ended.state, ended.exit_code) == (State.EXITED, code)

    play(story)


def test_every_order_may_be_given_twice_and_to_what_is_not_there(play: Callable[[Story], None]) -> None:
    async def story(stage: Stage) -> None:
        box = await stage.box()
        one = await stage.start("runs", box)
        again = await stage.runtime.start_container(one.id)
        assert (again.id, again.started_at) == (one.id, one.started_at)
        for target in (one.id, UNKNOWN):
            for _ in range(2):
                await stage.runtime.stop_container(target, timeout_seconds=0)
        for target in (one.id, UNKNOWN):
            for _ in range(2):
                await stage.runtime.remove_container(target)
        for target in (box.id, UNKNOWN):
            for _ in range(2):
                await stage.runtime.stop_sandbox(target)
                await stage.runtime.remove_sandbox(target)
        assert await stage.runtime.containers() == []
        assert await stage.runtime.sandboxes() == []

    play(story)


def test_removing_kills_what_runs(play: Callable[[Story], None]) -> None:
    async def story(stage: Stage) -> None:
        one = await stage.start("stubborn")
        await stage.runtime.remove_container(one.id)
        assert await stage.state(one) is None

    play(story)


def test_stopping_a_sandbox_ends_its_containers_and_no_others(play: Callable[[Story], None]) -> None:
    async def story(stage: Stage) -> None:
        box, other = await stage.box(), await stage.box("other")
        mine, theirs = await stage.start("runs", box), await stage.start("stubborn", other)
        await stage.runtime.stop_sandbox(box.id)
        assert (await stage.ended(mine)).exit_code == 137
        assert await stage.state(theirs) is State.RUNNING
        assert {c.id for c in await stage.runtime.containers("uid-web")} == {mine.id}

    play(story)


def test_what_is_asked_of_nothing_is_a_fault(play: Callable[[Story], None]) -> None:
    async def story(stage: Stage) -> None:
        with pytest.raises(RuntimeFault):
            await stage.runtime.create_container(UNKNOWN, stage.spec("runs"))
        with pytest.raises(RuntimeFault):
            await stage.runtime.start_container(UNKNOWN)
        with pytest.raises(RuntimeFault):
            await stage.runtime.exec_sync(UNKNOWN, ("true",), timeout_seconds=1)
        ended = await stage.ended(await stage.start("well"))
        with pytest.raises(RuntimeFault):
            await stage.runtime.exec_sync(ended.id, ("true",), timeout_seconds=1)

    play(story)


def test_a_command_runs_in_a_container(play: Callable[[Story], None]) -> None:
    async def story(stage: Stage) -> None:
        one = await stage.start("runs")
        result = await stage.runtime.exec_sync(one.id, ("true",), timeout_seconds=5)
        assert (result.exit_code, result.timed_out) == (0, False)

    play(story)


def test_an_address_where_nothing_listens_refuses(play: Callable[[Story], None]) -> None:
    async def story(stage: Stage) -> None:
        box = await stage.box()
        with pytest.raises(ProbeError, match="connection refused"):
            await stage.runtime.tcp_connect(box.ip, 9, timeout_seconds=1)

    play(story)


def test_an_end_is_reported_as_an_event(play: Callable[[Story], None]) -> None:
    async def story(stage: Stage) -> None:
        events = stage.runtime.events()
        received: list[RuntimeEvent] = []

        async def listen() -> None:
            async for event in events:
                received.append(event)

        listener = asyncio.ensure_future(listen())
        await clock.sleep(0.01)
        one = await stage.start("well")
        async with asyncio.timeout(10):
            while not any(event.container_id == one.id for event in received):
                await clock.sleep(0.005)
        listener.cancel()
        assert await stage.state(one) is State.EXITED, "the state is there when the event is received"
        assert {event.pod_uid for event in received} == {"uid-web"}

    play(story)


def test_lists_are_oldest_first(play: Callable[[Story], None]) -> None:
    async def story(stage: Stage) -> None:
        box = await stage.box()
        made = []
        for attempt in range(4):
            made.append((await stage.create("runs", box, attempt=attempt)).id)
            await clock.sleep(0.002)
        assert [c.id for c in await stage.runtime.containers("uid-web")] == made

    play(story)


def test_an_ended_container_stays_in_the_list_with_its_log_until_it_is_removed(play: Callable[[Story], None]) -> None:
    async def story(stage: Stage) -> None:
        one = await stage.start("talks")
        if isinstance(stage.runtime, SimulatedRuntime):
            for line in ("one", "two", "three"):
                stage.runtime.say(one.id, line)
            stage.runtime.kill(one.id, exit_code=0)
        await stage.ended(one)

        async def read(**span: Any) -> list[bytes]:
            return [line.data async for line in stage.runtime.read_log(one.id, LogSpan(**span))]

        assert await read() == [b"one", b"two", b"three"]
        assert await read(tail_lines=2) == [b"two", b"three"]
        assert await read(tail_lines=0) == []
        assert await read(tail_lines=9) == [b"one", b"two", b"three"]
        assert await read(since=clock.wall() + 60) == []
        assert await read(follow=True) == [b"one", b"two", b"three"]

    play(story)


def test_addresses_are_given_again_only_after_they_were_released(play: Callable[[Story], None]) -> None:
    async def story(stage: Stage) -> None:
        boxes = [await stage.box(f"p{number}") for number in range(4)]
        assert len({box.ip for box in boxes}) == 4
        for box in boxes[:2]:
            await stage.runtime.stop_sandbox(box.id)
        later = [await stage.box(f"q{number}") for number in range(2)]
        assert not {box.ip for box in later} & {box.ip for box in boxes[2:]}

    play(story)


def test_a_healthy_runtime_says_nothing_of_its_status(play: Callable[[Story], None]) -> None:
    async def story(stage: Stage) -> None:
        assert await stage.runtime.status() == ""
        assert stage.runtime.name and stage.runtime.version

    play(story)
