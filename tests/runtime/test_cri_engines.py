"""Engines of other kinds than the containerd that is at hand: with the CRI's event stream, with none, slow to notice,
hanging, refusing. They are played by a fake at a real socket."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import grpc
import pytest
import uvloop

from homeostat.kit import clock
from homeostat.runtime.contract import Container, ContainerState, RuntimeEvent, RuntimeFault
from homeostat.runtime.cri import channel, event_sources, event_watch
from homeostat.runtime.cri import containerd_pb2 as containerd
from homeostat.runtime.cri import cri_pb2 as cri
from homeostat.runtime.cri.cri_runtime import CriRuntime
from tests.support.cri_fake import FakeEngine

ENDED = RuntimeEvent("uid-web", "c1")
Story = Callable[[FakeEngine, CriRuntime], Awaitable[None]]


@pytest.fixture
def play(tmp_path: Path) -> Callable[..., None]:
    def run(story: Story, *, speaks: str = "") -> None:
        async def main() -> None:
            async with FakeEngine(str(tmp_path / "cri.sock"), speaks=speaks) as engine:
                runtime = CriRuntime(engine.socket, node_address="192.0.2.1")
                await runtime.start()
                try:
                    await story(engine, runtime)
                finally:
                    await runtime.close()

        uvloop.run(main())

    return run


async def next_event(runtime: CriRuntime) -> RuntimeEvent:
    async with asyncio.timeout(10):
        return await anext(runtime.events())


async def main_container(runtime: CriRuntime) -> Container:
    (one,) = await runtime.containers("uid-web")
    return one


@pytest.mark.parametrize(("speaks", "topic"), [("cri", ""), ("containerd", "/tasks/exit"), ("", "")])
def test_an_end_is_noticed_however_the_engine_reports_it(play: Callable[..., None], speaks: str, topic: str) -> None:
    async def story(engine: FakeEngine, runtime: CriRuntime) -> None:
        assert (runtime.name, runtime.version) == ("fake", "v9")
        assert (await main_container(runtime)).state is ContainerState.RUNNING
        engine.end(code=3)
        if speaks:
            engine.report(topic)
        assert await next_event(runtime) == ENDED
        one = await main_container(runtime)
        assert (one.state, one.exit_code, one.reason, one.finished_at) == (ContainerState.EXITED, 3, "", 3.0)

    play(story, speaks=speaks)


def test_the_state_is_there_when_the_event_arrives_though_the_engine_notices_late(play: Callable[..., None]) -> None:
    async def story(engine: FakeEngine, runtime: CriRuntime) -> None:
        engine.end(code=1, late=4)
        engine.report("/tasks/exit")
        engine.report("/tasks/delete", containerd.TaskDelete(container_id="c1"))
        assert await next_event(runtime) == ENDED
        assert (await main_container(runtime)).state is ContainerState.EXITED

    play(story, speaks="containerd")


def test_the_end_of_a_command_in_a_container_is_no_end_of_the_container(play: Callable[..., None]) -> None:
    async def story(engine: FakeEngine, runtime: CriRuntime) -> None:
        await clock.sleep(0.3)  # until the first looks at everything are over
        engine.asked.clear()
        engine.report("/tasks/exit", containerd.TaskExit(container_id="c1", id="exec-1"))
        engine.report("/tasks/delete", containerd.TaskDelete(container_id="c1", id="exec-1"))
        await clock.sleep(0.05)
        assert not engine.calls("ContainerStatus")

    play(story, speaks="containerd")


@pytest.mark.parametrize("first", ["/tasks/oom", "/tasks/exit"])
def test_a_container_out_of_memory_is_reported_with_its_reason(play: Callable[..., None], first: str) -> None:
    async def story(engine: FakeEngine, runtime: CriRuntime) -> None:
        engine.end(code=137)
        pending = {"/tasks/oom": containerd.TaskOOM(container_id="c1"), "/tasks/exit": None}
        engine.report(first, pending.pop(first))
        await clock.sleep(0.02)
        engine.container.reason = "OOMKilled"  # the engine's CRI side learns of it on a path of its own
        engine.report(*pending.popitem())
        while (await main_container(runtime)).reason != "OOMKilled":
            assert await next_event(runtime) == ENDED

    play(story, speaks="containerd")


def test_what_no_event_reported_is_found_by_listing(play: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_watch, "_LOOKS_SECONDS", (0.05,))

    async def story(engine: FakeEngine, runtime: CriRuntime) -> None:
        engine.end()
        assert await next_event(runtime) == ENDED
        engine.pod.state = cri.SANDBOX_NOTREADY
        assert await next_event(runtime) == RuntimeEvent("uid-web")

    play(story, speaks="cri")


def test_an_engine_without_events_is_looked_at_again_and_again(
    play: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert event_sources._LOOK_SECONDS == 1.0, "the kubelet's generic PLEG"
    monkeypatch.setattr(event_sources, "_LOOK_SECONDS", 0.05)

    async def story(engine: FakeEngine, runtime: CriRuntime) -> None:
        async with asyncio.timeout(10):
            while len(engine.calls("ListContainers")) < 6:
                await clock.sleep(0.01)

    play(story)


def test_a_container_that_the_engine_lost_track_of_counts_as_ended(play: Callable[..., None]) -> None:
    async def story(engine: FakeEngine, runtime: CriRuntime) -> None:
        engine.container.state = cri.CONTAINER_UNKNOWN
        one = await main_container(runtime)
        assert (one.state, one.exit_code, one.reason) == (ContainerState.EXITED, 137, "ContainerStatusUnknown")

    play(story)


def test_states_never_go_back(play: Callable[..., None]) -> None:
    async def story(engine: FakeEngine, runtime: CriRuntime) -> None:
        engine.end()
        assert (await main_container(runtime)).state is ContainerState.EXITED
        engine.late = 100  # answers that were under way
        assert (await main_container(runtime)).state is ContainerState.EXITED

    play(story)


def test_an_engine_that_hangs_blocks_nobody(play: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    async def story(engine: FakeEngine, runtime: CriRuntime) -> None:
        engine.hangs = True
        request = cri.StatusRequest()
        with pytest.raises(RuntimeFault, match=r"no answer from the container engine at .* within 0\.1 s") as fault:
            method = channel.RUNTIME + "Status"
            await runtime._channel.call(method, request, cri.StatusResponse, timeout_seconds=0.1)
        assert fault.value.reason == "Unavailable"

    play(story)


def test_a_node_without_a_pod_network_says_so_as_the_kubelet_does(play: Callable[..., None]) -> None:
    async def story(engine: FakeEngine, runtime: CriRuntime) -> None:
        assert await runtime.status() == ""
        engine.conditions[1] = cri.RuntimeCondition(
            type="NetworkReady", reason="NetworkPluginNotReady", message="cni plugin not initialized"
        )
        assert await runtime.status() == (
            "container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady "
            "message:cni plugin not initialized"
        )

    play(story)


def test_an_engine_that_is_still_starting_is_not_there_yet(play: Callable[..., None]) -> None:
    async def story(engine: FakeEngine, runtime: CriRuntime) -> None:
        engine.refuses["Status"] = (grpc.StatusCode.UNKNOWN, "server is not initialized yet")
        assert "does not answer: server is not initialized yet" in await runtime.status()

    play(story)


@pytest.mark.parametrize(
    ("code", "text", "reason"),
    [
        (grpc.StatusCode.UNKNOWN, "RegistryUnavailable: no route", "RegistryUnavailable"),
        (grpc.StatusCode.UNKNOWN, "SignatureValidationFailed: no", "SignatureValidationFailed"),
        (grpc.StatusCode.NOT_FOUND, "not found", "ErrImagePull"),
        (grpc.StatusCode.UNAVAILABLE, "gone", "Unavailable"),
    ],
)
def test_a_pull_fails_for_the_kubelets_reasons(
    play: Callable[..., None], code: grpc.StatusCode, text: str, reason: str
) -> None:
    async def story(engine: FakeEngine, runtime: CriRuntime) -> None:
        engine.refuses["PullImage"] = (code, text)
        with pytest.raises(RuntimeFault) as fault:
            await runtime.pull_image("busybox")
        assert fault.value.reason == reason

    play(story)


def test_a_command_that_the_engine_ended_for_its_time_has_timed_out(play: Callable[..., None]) -> None:
    async def story(engine: FakeEngine, runtime: CriRuntime) -> None:
        engine.refuses["ExecSync"] = (grpc.StatusCode.DEADLINE_EXCEEDED, "timeout 1s exceeded")
        result = await runtime.exec_sync("c1", ("sleep", "9"), timeout_seconds=0.5)
        assert result.timed_out
        (request,) = engine.calls("ExecSync")
        assert isinstance(request, cri.ExecSyncRequest)
        assert request.timeout == 1, "whole seconds, and never none"

    play(story)


@pytest.mark.parametrize(
    ("speaks", "reported", "method"),
    [
        ("containerd", cri.SIGNAL_RUNTIME_DEFAULT, "Kill"),
        ("containerd", cri.SIGNAL_SIGINT, "StopContainer"),
        ("cri", cri.SIGNAL_RUNTIME_DEFAULT, "StopContainer"),
    ],
)
def test_who_sends_a_stop_signal_depends_on_what_the_engine_knows(
    play: Callable[..., None], speaks: str, reported: cri.Signal, method: str
) -> None:
    async def story(engine: FakeEngine, runtime: CriRuntime) -> None:
        engine.container.stop_signal = reported
        engine.container.annotations["cri.homeostat/spec"] = (
            '{"name": "main", "image": "busybox", "stop_signal": "SIGINT"}'
        )
        runtime._inventory.forget("c1")
        assert (await main_container(runtime)).spec.stop_signal == "SIGINT"
        await runtime.stop_container("c1", timeout_seconds=5)
        assert [name for name in ("Kill", "StopContainer") if engine.calls(name)] == [method]
        assert (await main_container(runtime)).state is ContainerState.EXITED

    play(story, speaks=speaks)
