"""Stories of the CRI runtime over a real containerd: faults of the engine and of containers, stops, adoption."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
import uvloop

from homeostat.kit import chance, clock
from homeostat.lab.images.spec import ImageSpec
from homeostat.lab.images.stock import BUSYBOX
from homeostat.lab.images.tree import Tree
from homeostat.runtime.contract import (
    Container,
    Dns,
    LogSpan,
    Resources,
    RuntimeEvent,
    RuntimeFault,
    Sandbox,
    Security,
)
from homeostat.runtime.cri.cri_runtime import CriRuntime
from tests.support.crinode import NODE, Node, State, Story, processes
from tests.support.engine import Engine, remove_all
from tests.support.enginehost import PREFIX, own_cgroups
from tests.support.patience import eventually

pytestmark = pytest.mark.real

# -- the engine's faults -----------------------------------------------------------------------------------------------


def test_an_engine_that_is_killed_takes_no_container_with_it_and_no_end_goes_unheard(
    on_node: Callable[[Story], None],
) -> None:
    async def story(node: Node) -> None:
        mark = f"3{chance.below(10**8):08d}"
        stays = await node.run(f"exec sleep {mark}1", await node.box("stays"), name="stays")
        dies = await node.run(f"exec sleep {mark}2", await node.box("dies"), name="dies")
        stopped = await node.box("stopped")
        load = [asyncio.ensure_future(node.box(f"load-{n}")) for n in range(3)]
        await clock.sleep(0.05)
        await node.order("kill")
        for result in await asyncio.gather(*load, return_exceptions=True):
            assert isinstance(result, Sandbox) or (isinstance(result, RuntimeFault) and result.reason == "Unavailable")
        with pytest.raises(RuntimeFault) as fault:
            await node.runtime.containers("uid-stays")
        assert fault.value.reason == "Unavailable"
        assert "does not answer" in fault.value.message and node.engine.socket in fault.value.message
        for call in (
            node.runtime.run_sandbox(stopped.spec),
            node.runtime.exec_sync(stays.id, ("true",), timeout_seconds=1),
            node.runtime.stop_container(stays.id, timeout_seconds=1),
            node.runtime.image_status(BUSYBOX),
        ):
            with pytest.raises(RuntimeFault) as fault:
                await call
            assert fault.value.reason == "Unavailable"
        assert (await node.runtime.status()).startswith("container runtime is down: ")
        (victim,) = processes(f"sleep\0{mark}2")
        os.kill(victim, signal.SIGKILL)
        node.received.clear()
        await node.order("start")
        await node.receives(dies)
        assert (await node.now(dies)).exit_code == 137
        assert await node.now(stays) == stays, "it never noticed"
        assert RuntimeEvent(stays.pod_uid, stays.id) not in node.received, "nothing about it changed"
        assert processes(f"sleep\0{mark}1")
        assert await node.runtime.status() == ""
        assert (await node.runtime.exec_sync(stays.id, ("true",), timeout_seconds=5)).exit_code == 0

    on_node(story)


def test_an_agent_that_starts_while_the_engine_is_down_waits_for_it(engine: Engine, tmp_path: Path) -> None:
    async def story() -> None:
        engine.order("stop")
        node = Node(engine, tmp_path)
        await node.runtime.start()
        assert "container runtime is down" in await node.runtime.status()
        await node.order("start")
        async with asyncio.timeout(20):
            while await node.runtime.status():
                await clock.sleep(0.01)
        async with asyncio.timeout(20):
            while node.runtime.version == "unknown":
                await clock.sleep(0.01)
        assert node.runtime.name == "containerd"
        await node.runtime.close()

    uvloop.run(story())


def test_a_new_runtime_adopts_everything_that_runs_with_all_it_was_asked_for(on_node: Callable[[Story], None]) -> None:
    async def story(node: Node) -> None:
        mine = {"labels": {"app": "web"}, "annotations": {"note": "kept"}, "attempt": 3}
        box = await node.box(**mine, dns=Dns(("10.96.0.10",), ("default.svc",), ("ndots:5",)))
        fields = {"attempt": 7, "spec_hash": "cafe", "stop_signal": "SIGUSR1", "env": (("PASSWORD", "secret"),)}
        one = await node.run("sleep 60 & wait", box, **fields, resources=Resources(memory_limit_bytes=64 << 20))
        second = CriRuntime(node.engine.socket, node_address=NODE)
        await second.start()
        (adopted_box,) = await second.sandboxes(box.spec.pod_uid)
        (adopted,) = await second.containers(box.spec.pod_uid)
        assert adopted_box == box
        assert adopted == replace(one, spec=replace(one.spec, env=())), "all but the environment, which may be secret"
        made = await second.create_container(adopted_box.id, node.spec("true", name="later"))
        assert made.spec.log_path.startswith(box.spec.log_directory)
        assert not {event for event in node.received if event.container_id == made.id}
        await second.stop_container(one.id, timeout_seconds=0)
        await node.receives(one)
        await second.close()

    on_node(story)


def test_after_a_loss_of_power_pods_are_found_ended_and_may_be_made_again(on_node: Callable[[Story], None]) -> None:
    async def story(node: Node) -> None:
        box = await node.box()
        ran = await node.run("sleep 60 & wait", box)
        made = await node.runtime.create_container(box.id, node.spec("true", name="never-started"))
        node.received.clear()
        await node.order("reboot")
        await node.receives(ran)
        (old,) = await node.runtime.sandboxes(box.spec.pod_uid)
        assert (old.id, old.ready) == (box.id, False)
        ended = await node.now(ran)
        assert (ended.state, ended.exit_code != 0) == (State.EXITED, True)
        assert ended.spec == ran.spec
        assert (await node.now(made)).state in (State.CREATED, State.EXITED)
        new = await node.runtime.run_sandbox(replace(box.spec, attempt=1))
        again = await node.run("echo again", new, attempt=1)
        assert (await node.ended(again)).exit_code == 0
        await node.runtime.remove_sandbox(old.id)
        assert [one.id for one in await node.runtime.sandboxes(box.spec.pod_uid)] == [new.id]
        assert [one.id for one in await node.runtime.containers(box.spec.pod_uid)] == [again.id]

    on_node(story)


def test_a_killed_shim_ends_its_pod_and_no_other(on_node: Callable[[Story], None]) -> None:
    async def story(node: Node) -> None:
        box, other = await node.box(), await node.box("other")
        one, two = await node.run("sleep 60 & wait", box), await node.run("sleep 60 & wait", other, name="two")
        (shim,) = processes(f"-id\0{box.id}")
        os.kill(shim, signal.SIGKILL)
        await node.receives(one)
        assert ((await node.now(one)).state, (await node.now(two)).state) == (State.EXITED, State.RUNNING)
        async with asyncio.timeout(10):
            while (await node.runtime.sandboxes(box.spec.pod_uid))[0].ready:
                await clock.sleep(0.01)

    on_node(story)


# -- containers' faults ------------------------------------------------------------------------------------------------


def test_a_container_over_its_memory_limit_is_oom_killed(on_node: Callable[[Story], None]) -> None:
    """containerd learns of it by an event of its own; on a busy machine it may see the end first, and say Error."""

    async def oom_killed(node: Node, greedy: Container) -> bool:
        assert (await node.ended(greedy)).exit_code == 137
        await node.receives(greedy)
        with suppress(TimeoutError):
            async with asyncio.timeout(5):
                while (await node.now(greedy)).reason != "OOMKilled":
                    await clock.sleep(0.01)
                return True
        return False

    async def story(node: Node) -> None:
        limits = Resources(memory_limit_bytes=16 << 20, oom_score_adj=1000)
        for attempt in range(4):
            box = await node.box(f"greedy-{attempt}")
            if await oom_killed(node, await node.run("exec tail /dev/zero", box, resources=limits)):
                return
        pytest.fail("four containers over their limit ended, and none was OOMKilled")

    on_node(story)


def test_a_command_that_is_missing_is_a_start_error_in_the_engines_words(on_node: Callable[[Story], None]) -> None:
    async def story(node: Node) -> None:
        box = await node.box()
        made = await node.runtime.create_container(box.id, node.spec("", command=("/nowhere/program",)))
        with pytest.raises(RuntimeFault, match='exec: "/nowhere/program"') as fault:
            await node.runtime.start_container(made.id)
        assert fault.value.reason == "RunContainerError"
        failed = await node.now(made)
        assert (failed.state, failed.exit_code, failed.reason) == (State.EXITED, 128, "StartError")
        assert "no such file or directory" in failed.message
        assert failed.started_at == 0.0 < failed.finished_at

    on_node(story)


def test_an_image_that_is_missing_or_no_image_has_the_kubelets_reasons(on_node: Callable[[Story], None]) -> None:
    async def story(node: Node) -> None:
        assert await node.runtime.image_status("homeostat.local/missing:1") is None
        for image, reason in (("UPPER", "InvalidImageName"), ("127.0.0.1:9/missing:1", "ErrImagePull")):
            with pytest.raises(RuntimeFault) as fault:
                await node.runtime.pull_image(image)
            assert fault.value.reason == reason
        with pytest.raises(RuntimeFault) as fault:
            await node.runtime.image_status("UPPER")
        assert fault.value.reason == "InvalidImageName"
        box = await node.box()
        with pytest.raises(RuntimeFault) as fault:
            await node.runtime.create_container(box.id, node.spec("true", image="homeostat.local/missing:1"))
        assert fault.value.reason == "CreateContainerError"

    on_node(story)


def test_images_are_listed_and_removed_by_their_id_with_all_their_names(on_node: Callable[[Story], None]) -> None:
    async def story(node: Node) -> None:
        tree = Tree()
        tree.text("word", "hello" * 50_000)
        names = {"homeostat.test/one:1", "homeostat.test/two:1"}
        node.engine.load(ImageSpec("homeostat.test/one:1", (tree,), user="1234"))
        node.engine.ctr("images", "tag", *sorted(names))
        async with asyncio.timeout(5):
            while (found := await node.runtime.image("homeostat.test/two:1")) is None:
                await clock.sleep(0.01)
        assert found.id == await node.runtime.image_status("homeostat.test/one:1")
        (listed,) = [image for image in await node.runtime.images() if image.id == found.id]
        assert (set(listed.tags), listed.user) == (names, "1234")
        assert listed.size_bytes > 100
        for _ in range(2):
            await node.runtime.remove_image(found.id)
        assert [await node.runtime.image_status(name) for name in sorted(names)] == [None, None]
        (used,) = await node.runtime.image_filesystems()
        assert used.path.startswith(str(node.engine.root))

    on_node(story)


def test_a_sandbox_whose_pause_dies_is_reported_and_no_longer_ready(on_node: Callable[[Story], None]) -> None:
    async def story(node: Node) -> None:
        box = await node.box()
        node.engine.ctr("tasks", "kill", "-s", "SIGKILL", box.id)
        async with asyncio.timeout(10):
            while RuntimeEvent(box.spec.pod_uid) not in node.received:
                await clock.sleep(0.005)
        (left,) = await node.runtime.sandboxes(box.spec.pod_uid)
        assert not left.ready

    on_node(story)


def test_orders_whose_answers_were_lost_may_be_given_again(on_node: Callable[[Story], None]) -> None:
    async def story(node: Node) -> None:
        box = await node.box()
        assert (await node.runtime.run_sandbox(box.spec)).id == box.id, "the same attempt of the same pod is the same"
        spec = node.spec("true", spec_hash="one")
        made = await node.runtime.create_container(box.id, spec)
        assert (await node.runtime.create_container(box.id, spec)).id == made.id
        with pytest.raises(RuntimeFault, match="is reserved for"):
            await node.runtime.create_container(box.id, replace(spec, spec_hash="two"))

    on_node(story)


# -- stopping ----------------------------------------------------------------------------------------------------------


def test_the_stop_signal_is_the_containers_own_and_force_comes_after_it(on_node: Callable[[Story], None]) -> None:
    async def story(node: Node) -> None:
        box = await node.box()

        async def stopped(asked: str, traps: str, patience_seconds: float = 10) -> int:
            script = f"{traps}; echo set; while :; do sleep 0.02; done"
            one = await node.run(script, box, name=asked.lower(), stop_signal=asked)
            async for _ in node.runtime.read_log(one.id, LogSpan(follow=True)):
                break  # the traps are set
            await node.runtime.stop_container(one.id, timeout_seconds=patience_seconds)
            return (await node.now(one)).exit_code

        traps = 'for s in 2 10 15; do trap "exit $s" $s; done'
        assert [await stopped(asked, traps) for asked in ("SIGTERM", "SIGINT", "SIGUSR1")] == [15, 2, 10]
        assert await stopped("SIGUSR2", "trap '' USR2", patience_seconds=0.1) == 137

    on_node(story)


# -- without root ------------------------------------------------------------------------------------------------------


def test_without_root_pods_run_as_root_only_and_unmeasured_and_a_full_disk_is_reported(tmp_path: Path) -> None:
    async def story() -> None:
        node = Node(engine, tmp_path)
        node.runtime = CriRuntime(engine.socket, cgroups=False)
        await node.runtime.start()
        box = await node.box()
        await with_one_user(node, box)
        await with_a_full_disk(node)
        await remove_all(node.runtime)
        await node.runtime.close()

    async def with_one_user(node: Node, box: Sandbox) -> None:
        limits = Resources(memory_limit_bytes=64 << 20, cpu_shares=2, oom_score_adj=1000)
        one = await node.run("sleep 60 & wait", box, resources=limits, security=Security(seccomp="RuntimeDefault"))
        result = await node.runtime.exec_sync(one.id, ("id", "-u"), timeout_seconds=5)
        assert result.output == b"0\n"
        with pytest.raises(RuntimeFault, match="unable to setup user") as fault:
            await node.run("true", box, name="other", security=Security(user=1000))
        assert fault.value.reason == "RunContainerError"
        assert await node.runtime.stats() == []
        await node.runtime.stop_container(one.id, timeout_seconds=0)
        assert (await node.now(one)).exit_code == 137

    async def with_a_full_disk(node: Node) -> None:
        filler = engine.root / "data" / "filler"
        engine.run("sh", "-c", f"cat /dev/zero > {filler} 2>/dev/null || true")
        with pytest.raises(RuntimeFault, match="no space left on device") as fault:
            await node.box("full")
        assert fault.value.reason == "CreatePodSandboxError"
        assert await node.runtime.status() == ""
        engine.run("rm", str(filler))
        box = await node.box("full", attempt=1)
        assert await node.says("echo room", box) == "room"

    engine = Engine(rootless=True)
    try:
        engine.within(lambda: uvloop.run(story()))
    finally:
        engine.close()


# -- the tests' own engine ---------------------------------------------------------------------------------------------


def test_an_engine_leaves_nothing_behind_even_when_its_user_is_killed() -> None:
    script = "import sys; from tests.support.engine import Engine; e = Engine(); print(e.root, e.init, flush=True)"
    with subprocess.Popen(
        [sys.executable, "-c", f"{script}; sys.stdin.read()"], stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True
    ) as user:
        assert user.stdout is not None
        root, init = user.stdout.readline().split()
        assert processes(f"{root}/config.toml")
        user.kill()
    eventually(lambda: not Path(root).exists() and not processes(root))
    assert not Path(f"/proc/{init}").exists()
    assert not [left for folder in own_cgroups().values() for left in gone_hosts(folder)]


def gone_hosts(folder: Path) -> list[Path]:
    """Cgroups of hosts that have ended."""
    found = folder.glob(f"{PREFIX}*")
    return [left for left in found if not Path(f"/proc/{left.name.removeprefix(PREFIX)}").exists()]
