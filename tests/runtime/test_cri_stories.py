"""Stories of the CRI runtime over a real containerd: faults of the engine and of containers, adoption, and what
specifications become in the kernel."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import uvloop

from homeostat.kit import chance, clock
from homeostat.lab.images.spec import ImageSpec
from homeostat.lab.images.stock import BUSYBOX
from homeostat.lab.images.tree import Tree
from homeostat.runtime.contract import (
    Container,
    ContainerSpec,
    ContainerState,
    Dns,
    HttpAsk,
    LogSpan,
    Mount,
    PortMapping,
    Resources,
    RuntimeEvent,
    RuntimeFault,
    Sandbox,
    SandboxSpec,
    Security,
    StreamOptions,
)
from homeostat.runtime.cri.runtime import CriRuntime
from tests.support.engine import Engine, remove_all
from tests.support.enginehost import PREFIX, own_cgroups
from tests.support.patience import eventually

pytestmark = pytest.mark.real
State = ContainerState
NODE = "10.88.0.1"  # the node's own address on the pods' bridge


class Node:
    """One node's runtime, and what its agent would have heard."""

    def __init__(self, engine: Engine, root: Path) -> None:
        self.engine = engine
        self.root = root
        self.runtime = CriRuntime(f"unix://{engine.socket}", node_address=NODE, seccomp_root=str(root))
        self.heard: list[RuntimeEvent] = []

    async def listen(self) -> None:
        async for event in self.runtime.events():
            self.heard.append(event)

    async def box(self, pod: str = "web", **more: Any) -> Sandbox:
        given = {"log_directory": str(self.root / pod), "hostname": pod, **more}
        return await self.runtime.run_sandbox(SandboxSpec(pod_uid=f"uid-{pod}", namespace="default", name=pod, **given))

    def spec(self, script: str, **more: Any) -> ContainerSpec:
        name = more.pop("name", "main")
        given = {"image": BUSYBOX, "command": ("sh", "-c", script), "log_path": str(self.root / "web" / f"{name}.log")}
        return ContainerSpec(name=name, **{**given, **more})

    async def run(self, script: str, box: Sandbox | None = None, **more: Any) -> Container:
        made = await self.runtime.create_container((box or await self.box()).id, self.spec(script, **more))
        return await self.runtime.start_container(made.id)

    async def now(self, container: Container) -> Container:
        return next(known for known in await self.runtime.containers() if known.id == container.id)

    async def ended(self, container: Container) -> Container:
        async with asyncio.timeout(20):
            while (found := await self.now(container)).state is not State.EXITED:
                await clock.sleep(0.02)
        return found

    async def hears(self, container: Container) -> None:
        async with asyncio.timeout(20):
            while RuntimeEvent(container.pod_uid, container.id) not in self.heard:
                await clock.sleep(0.005)

    async def says(self, script: str, box: Sandbox | None = None, **more: Any) -> str:
        """What a container writes before it ends."""
        ended = await self.ended(await self.run(script, box, **more))
        lines = [line.data.decode() async for line in self.runtime.read_log(ended.id, LogSpan())]
        assert ended.exit_code == 0, lines
        return "\n".join(lines)

    async def order(self, word: str) -> None:
        await asyncio.to_thread(self.engine.order, word)


Story = Callable[[Node], Awaitable[None]]


def written(path: Path) -> bool:
    return path.exists() and path.stat().st_size > 0


@pytest.fixture
def play(engine: Engine, tmp_path: Path) -> Callable[[Story], None]:
    def run(story: Story) -> None:
        async def main() -> None:
            node = Node(engine, tmp_path)
            await node.runtime.start()
            listener = asyncio.ensure_future(node.listen())
            try:
                await story(node)
            finally:
                listener.cancel()
                await remove_all(node.runtime)
                await node.runtime.close()

        engine.within(lambda: uvloop.run(main()))

    return run


def processes(mark: str) -> list[int]:
    """The processes of the machine whose command line has the mark."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                if mark.encode() in (entry / "cmdline").read_bytes():
                    found.append(int(entry.name))
            except OSError:
                continue
    return found


# -- the engine's faults -----------------------------------------------------------------------------------------------


def test_an_engine_that_is_killed_takes_no_container_with_it_and_no_end_goes_unheard(
    play: Callable[[Story], None],
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
        node.heard.clear()
        await node.order("start")
        await node.hears(dies)
        assert (await node.now(dies)).exit_code == 137
        assert await node.now(stays) == stays, "it never noticed"
        assert RuntimeEvent(stays.pod_uid, stays.id) not in node.heard, "nothing about it changed"
        assert processes(f"sleep\0{mark}1")
        assert await node.runtime.status() == ""
        assert (await node.runtime.exec_sync(stays.id, ("true",), timeout_seconds=5)).exit_code == 0

    play(story)


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


def test_a_new_runtime_adopts_everything_that_runs_with_all_it_was_asked_for(play: Callable[[Story], None]) -> None:
    async def story(node: Node) -> None:
        mine = {"labels": {"app": "web"}, "annotations": {"note": "kept"}, "attempt": 3}
        box = await node.box(**mine, dns=Dns(("10.96.0.10",), ("default.svc",), ("ndots:5",)))
        wishes = {"attempt": 7, "spec_hash": "cafe", "stop_signal": "SIGUSR1", "env": (("PASSWORD", "secret"),)}
        one = await node.run("sleep 60 & wait", box, **wishes, resources=Resources(memory_limit_bytes=64 << 20))
        second = CriRuntime(node.engine.socket, node_address=NODE)
        await second.start()
        (adopted_box,) = await second.sandboxes(box.spec.pod_uid)
        (adopted,) = await second.containers(box.spec.pod_uid)
        assert adopted_box == box
        assert adopted == replace(one, spec=replace(one.spec, env=())), "all but the environment, which may be secret"
        made = await second.create_container(adopted_box.id, node.spec("true", name="later"))
        assert made.spec.log_path.startswith(box.spec.log_directory)
        assert not {event for event in node.heard if event.container_id == made.id}
        await second.stop_container(one.id, timeout_seconds=0)
        await node.hears(one)
        await second.close()

    play(story)


def test_after_a_loss_of_power_pods_are_found_ended_and_may_be_made_again(play: Callable[[Story], None]) -> None:
    async def story(node: Node) -> None:
        box = await node.box()
        ran = await node.run("sleep 60 & wait", box)
        made = await node.runtime.create_container(box.id, node.spec("true", name="never-started"))
        node.heard.clear()
        await node.order("reboot")
        await node.hears(ran)
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

    play(story)


def test_a_killed_shim_ends_its_pod_and_no_other(play: Callable[[Story], None]) -> None:
    async def story(node: Node) -> None:
        box, other = await node.box(), await node.box("other")
        one, two = await node.run("sleep 60 & wait", box), await node.run("sleep 60 & wait", other, name="two")
        (shim,) = processes(f"-id\0{box.id}")
        os.kill(shim, signal.SIGKILL)
        await node.hears(one)
        assert ((await node.now(one)).state, (await node.now(two)).state) == (State.EXITED, State.RUNNING)
        async with asyncio.timeout(10):
            while (await node.runtime.sandboxes(box.spec.pod_uid))[0].ready:
                await clock.sleep(0.01)

    play(story)


# -- containers' faults ------------------------------------------------------------------------------------------------


def test_a_container_over_its_memory_limit_is_oom_killed(play: Callable[[Story], None]) -> None:
    async def story(node: Node) -> None:
        limits = Resources(memory_limit_bytes=16 << 20, oom_score_adj=1000)
        greedy = await node.run("exec tail /dev/zero", resources=limits)
        ended = await node.ended(greedy)
        await node.hears(greedy)
        async with asyncio.timeout(5):
            while (ended := await node.now(greedy)).reason != "OOMKilled":
                await clock.sleep(0.01)
        assert ended.exit_code == 137

    play(story)


def test_a_command_that_is_missing_is_a_start_error_in_the_engines_words(play: Callable[[Story], None]) -> None:
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

    play(story)


def test_an_image_that_is_missing_or_no_image_has_the_kubelets_reasons(play: Callable[[Story], None]) -> None:
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

    play(story)


def test_images_are_listed_and_removed_by_their_id_with_all_their_names(play: Callable[[Story], None]) -> None:
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

    play(story)


def test_a_sandbox_whose_pause_dies_is_heard_of_and_no_longer_ready(play: Callable[[Story], None]) -> None:
    async def story(node: Node) -> None:
        box = await node.box()
        node.engine.ctr("tasks", "kill", "-s", "SIGKILL", box.id)
        async with asyncio.timeout(10):
            while RuntimeEvent(box.spec.pod_uid) not in node.heard:
                await clock.sleep(0.005)
        (left,) = await node.runtime.sandboxes(box.spec.pod_uid)
        assert not left.ready

    play(story)


def test_orders_whose_answers_were_lost_may_be_given_again(play: Callable[[Story], None]) -> None:
    async def story(node: Node) -> None:
        box = await node.box()
        assert (await node.runtime.run_sandbox(box.spec)).id == box.id, "the same attempt of the same pod is the same"
        spec = node.spec("true", spec_hash="one")
        made = await node.runtime.create_container(box.id, spec)
        assert (await node.runtime.create_container(box.id, spec)).id == made.id
        with pytest.raises(RuntimeFault, match="is reserved for"):
            await node.runtime.create_container(box.id, replace(spec, spec_hash="two"))

    play(story)


# -- stopping ----------------------------------------------------------------------------------------------------------


def test_the_stop_signal_is_the_containers_own_and_force_comes_after_it(play: Callable[[Story], None]) -> None:
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

    play(story)


# -- what specifications become in the kernel --------------------------------------------------------------------------


def facts(text: str) -> dict[str, str]:
    """`name: value` lines."""
    return {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in text.splitlines())}


def test_a_restricted_container_has_the_user_groups_capabilities_and_confinement_it_asked_for(
    play: Callable[[Story], None],
) -> None:
    async def story(node: Node) -> None:
        strict = Security(
            user=1000,
            group=3000,
            supplemental_groups=(4000,),
            read_only_root=True,
            no_new_privileges=True,
            capabilities_drop=("ALL",),
            capabilities_add=("NET_BIND_SERVICE",),
            seccomp="RuntimeDefault",
        )
        script = """cat /proc/self/status; echo kcore: $(head -c 1 /proc/kcore | wc -c)
            touch /new 2>/dev/null && echo root: writable || echo root: read-only
            echo 1 2>/dev/null > /proc/sys/vm/overcommit_memory && echo sys: writable || echo sys: read-only"""
        seen = facts(await node.says(script, security=strict))
        assert seen["Uid"].split() == ["1000"] * 4
        assert seen["Gid"].split() == ["3000"] * 4
        assert "4000" in seen["Groups"].split()
        assert (seen["NoNewPrivs"], seen["Seccomp"]) == ("1", "2")
        assert int(seen["CapBnd"], 16) == 1 << 10, "CAP_NET_BIND_SERVICE alone"
        assert (seen["root"], seen["sys"], seen["kcore"]) == ("read-only", "read-only", "0")

    play(story)


def test_a_container_that_says_nothing_runs_as_its_image_says_and_unconfined(play: Callable[[Story], None]) -> None:
    async def story(node: Node) -> None:
        box = await node.box()
        seen = facts(await node.says("cat /proc/self/status", box))
        assert seen["Uid"].split() == ["0"] * 4
        assert (seen["NoNewPrivs"], seen["Seccomp"]) == ("0", "0")
        assert int(seen["CapBnd"], 16) == 0xA80425FB, "the engine's default set"
        group = Security(group=3000)
        seen = facts(await node.says("cat /proc/self/status", box, name="grouped", security=group))
        assert (seen["Uid"].split()[0], seen["Gid"].split()[0]) == ("0", "3000")

    play(story)


def test_a_privileged_pod_may_do_what_its_node_may(play: Callable[[Story], None]) -> None:
    async def story(node: Node) -> None:
        box = await node.box(security=Security(privileged=True))
        script = "cat /proc/self/status; mount -t tmpfs none /tmp && echo mount: done"
        seen = facts(await node.says(script, box, security=Security(privileged=True)))
        assert seen["mount"] == "done"
        assert int(seen["CapBnd"], 16) & 1 << 21, "CAP_SYS_ADMIN"

    play(story)


def test_a_localhost_seccomp_profile_is_that_file(play: Callable[[Story], None]) -> None:
    async def story(node: Node) -> None:
        rule = '{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO"}'
        profile = f'{{"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86_64"], "syscalls": [{rule}]}}'
        (node.root / "no-mkdir.json").write_text(profile)
        script = "mkdir /tmp/x 2>/dev/null && echo made || echo refused"
        said = await node.says(script, security=Security(seccomp="Localhost/no-mkdir.json"))
        assert said == "refused"

    play(story)


def test_limits_are_the_cgroups_and_change_while_it_runs(play: Callable[[Story], None]) -> None:
    async def story(node: Node) -> None:
        box = await node.box(cgroup_parent="/kubepods/burstable/poduid-web")
        limits = Resources(cpu_shares=512, cpu_quota=50_000, cpu_period=100_000, memory_limit_bytes=64 << 20)
        one = await node.run("sleep 60 & wait", box, resources=limits)

        async def seen(*files: str) -> list[str]:
            where = f"/sys/fs/cgroup/*/kubepods/burstable/poduid-web/{one.id}"
            script = " ".join(f"cat {where}/{name};" for name in files)
            answer = await asyncio.to_thread(node.engine.run, "sh", "-c", script)
            return answer.split()

        files = ("memory.limit_in_bytes", "cpu.shares", "cpu.cfs_quota_us")
        if not await seen("memory.limit_in_bytes"):
            pytest.fail("the container is not below its pod's cgroup")
        assert await seen(*files) == [str(64 << 20), "512", "50000"]
        more = replace(limits, cpu_shares=1024, cpu_quota=100_000, memory_limit_bytes=128 << 20)
        await node.runtime.update_resources(one.id, more)
        assert await seen(*files) == [str(128 << 20), "1024", "100000"]
        assert (await node.now(one)).spec.resources == more
        (used,) = await node.runtime.stats(box.spec.pod_uid)
        assert used.container_id == one.id
        assert used.cpu_nanoseconds > 0 < used.memory_working_set_bytes

    play(story)


def test_a_pod_has_its_name_dns_and_sysctls_and_its_containers_share_memory(play: Callable[[Story], None]) -> None:
    async def story(node: Node) -> None:
        dns = Dns(("10.96.0.10",), ("default.svc.cluster.local", "svc.cluster.local"), ("ndots:5",))
        box = await node.box(dns=dns, sysctls={"net.ipv4.ip_unprivileged_port_start": "80"}, hostname="chosen")
        script = "cat /etc/resolv.conf; hostname; cat /proc/sys/net/ipv4/ip_unprivileged_port_start; echo $HOSTNAME"
        assert (await node.says(script, box)).splitlines() == [
            "search default.svc.cluster.local svc.cluster.local",
            "nameserver 10.96.0.10",
            "options ndots:5",
            "chosen",
            "80",
            "chosen",
        ]
        await node.says("echo hello > /dev/shm/word", box, name="writer")
        assert await node.says("cat /dev/shm/word", box, name="reader") == "hello"

    play(story)


def test_processes_are_seen_as_the_pod_shares_them(play: Callable[[Story], None]) -> None:
    async def story(node: Node) -> None:
        alone, shared = await node.box("alone"), await node.box("shared", share_processes=True)
        host = await node.box("host", host_pid=True, host_network=True)
        script = "echo $$; ps -o comm | grep -c -e catatonit -e containerd"
        assert (await node.says(script + " || true", alone)).splitlines() == ["1", "0"]
        pid, others = (await node.says(script, shared, name="shared")).splitlines()
        assert (pid != "1", int(others)) == (True, 1), "the pod's pause is the first process"
        _, others = (await node.says(script, host, name="host")).splitlines()
        assert int(others) > 1, "the engine is among them"
        target = await node.run("exec sleep 4711", alone, name="target")
        assert "sleep 4711" in await node.says("ps -o args", alone, name="debugger", target_id=target.id)
        assert host.ip == NODE

    play(story)


def test_mounts_are_at_their_paths_and_read_only_where_asked(play: Callable[[Story], None]) -> None:
    async def story(node: Node) -> None:
        for name in ("data", "fixed"):
            (node.root / name).mkdir()
            (node.root / name / "word").write_text(name)
        mounts = (
            Mount("/data", str(node.root / "data")),
            Mount("/fixed", str(node.root / "fixed"), read_only=True),
            Mount("/etc/one", str(node.root / "data" / "word"), read_only=True),
        )
        script = "cat /data/word /fixed/word /etc/one; echo; echo new > /data/new; touch /fixed/x 2>&1"
        said = await node.says(script + "; true", mounts=mounts)
        assert said.splitlines() == ["datafixeddata", "touch: /fixed/x: Read-only file system"]
        assert (node.root / "data" / "new").read_text() == "new\n"

    play(story)


def test_mounts_made_later_reach_the_other_side_as_the_volume_says(play: Callable[[Story], None]) -> None:
    async def story(node: Node) -> None:
        box = await node.box(security=Security(privileged=True))
        for name in ("in", "out"):
            (node.root / name).mkdir()
            (node.root / name / "sub").mkdir()
        mounts = (
            Mount("/in", str(node.root / "in"), propagation="HostToContainer"),
            Mount("/out", str(node.root / "out"), propagation="Bidirectional"),
        )
        one = await node.run("sleep 60 & wait", box, mounts=mounts, security=Security(privileged=True))

        async def inside(script: str) -> bytes:
            return (await node.runtime.exec_sync(one.id, ("sh", "-c", script), timeout_seconds=5)).output

        def on_node(script: str) -> str:
            return node.engine.run("sh", "-c", script)

        on_node(f"mount -t tmpfs none {node.root}/in/sub && echo node > {node.root}/in/sub/word")
        assert await inside("cat /in/sub/word") == b"node\n"
        await inside("mount -t tmpfs none /out/sub && echo pod > /out/sub/word")
        assert on_node(f"cat {node.root}/out/sub/word") == "pod\n"
        on_node(f"umount {node.root}/in/sub {node.root}/out/sub")

    play(story)


def test_a_port_of_the_node_leads_to_the_pod_and_probes_reach_it(play: Callable[[Story], None]) -> None:
    async def story(node: Node) -> None:
        box = await node.box(ports=(PortMapping(container_port=8080, host_port=18080),))
        await node.run("echo hello > /tmp/index.html; exec httpd -f -p 8080 -h /tmp", box)
        async with asyncio.timeout(10):
            while True:
                try:
                    answer = await node.runtime.http_get(HttpAsk(box.ip, 8080, "/index.html"))
                    break
                except Exception:
                    await clock.sleep(0.02)
        assert (answer.status, answer.body) == (200, b"hello\n")
        await node.runtime.tcp_connect(box.ip, 8080, timeout_seconds=2)
        mapped = await node.runtime.http_get(HttpAsk(NODE, 18080, "/index.html", timeout_seconds=5))
        assert mapped.body == b"hello\n"

    play(story)


# -- commands, streams, logs -------------------------------------------------------------------------------------------


def test_commands_have_a_code_bounded_output_and_bounded_time(play: Callable[[Story], None]) -> None:
    async def story(node: Node) -> None:
        one = await node.run("sleep 60 & wait", env=(("WORD", "hello"),))

        async def exec_(*argv: str, seconds: float = 5) -> tuple[int, bytes, bool]:
            result = await node.runtime.exec_sync(one.id, argv, timeout_seconds=seconds)
            return result.exit_code, result.output, result.timed_out

        assert await exec_("sh", "-c", "echo $WORD; echo bad >&2; exit 3") == (3, b"hello\nbad\n", False)
        code, output, _ = await exec_("sh", "-c", "head -c 100000 /dev/zero")
        assert (code, len(output)) == (0, 16384)
        assert await exec_("sleep", "60", seconds=0.3) == (137, b"", True)
        with pytest.raises(RuntimeFault, match="executable file not found"):
            await exec_("nothing-of-this-name")

    play(story)


def test_streams_are_urls_of_the_engine_on_the_node(play: Callable[[Story], None]) -> None:
    async def story(node: Node) -> None:
        one = await node.run("sleep 60 & wait", stdin=True)
        urls = [
            await node.runtime.exec_url(one.id, ("sh",), StreamOptions(stdin=True, tty=True)),
            await node.runtime.attach_url(one.id, StreamOptions(stdin=True)),
            await node.runtime.port_forward_url(one.sandbox_id),
        ]
        assert [url.startswith("http://127.0.0.1:") for url in urls] == [True] * 3
        await node.runtime.stop_container(one.id, timeout_seconds=0)
        with pytest.raises(RuntimeFault) as fault:
            await node.runtime.exec_url(one.id, ("sh",), StreamOptions())
        assert fault.value.reason == "NotFound"

    play(story)


def test_a_log_goes_on_in_a_new_file_after_it_was_renamed(play: Callable[[Story], None]) -> None:
    async def story(node: Node) -> None:
        one = await node.run("n=0; while :; do n=$((n+1)); echo $n; sleep 0.01; done")
        log = Path(one.spec.log_path)
        async with asyncio.timeout(10):
            while not written(log):
                await clock.sleep(0.01)
        os.rename(log, f"{log}.1")
        await node.runtime.reopen_log(one.id)
        async with asyncio.timeout(10):
            while not written(log):
                await clock.sleep(0.01)
        await node.runtime.stop_container(one.id, timeout_seconds=0)
        lines = [int(line.data) async for line in node.runtime.read_log(one.id, LogSpan(follow=True))]
        assert lines == list(range(1, len(lines) + 1)), "no line is lost or doubled"

    play(story)


# -- without root ------------------------------------------------------------------------------------------------------


def test_without_root_pods_run_as_root_alone_and_unmeasured_and_a_full_disk_is_told(tmp_path: Path) -> None:
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
