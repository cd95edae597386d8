"""What specifications become in the kernel, and the ways into containers, over a real containerd."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from homeostat.kit import clock
from homeostat.runtime.contract import (
    Dns,
    HttpAsk,
    LogSpan,
    Mount,
    PortMapping,
    Resources,
    RuntimeFault,
    Security,
    StreamOptions,
)
from tests.support.crinode import NODE, Node, Story, written
from tests.support.enginehost import own_cgroups

pytestmark = pytest.mark.real
V1 = "memory" in own_cgroups()

# -- what specifications become in the kernel --------------------------------------------------------------------------


def facts(text: str) -> dict[str, str]:
    """`name: value` lines."""
    return {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in text.splitlines())}


def test_a_restricted_container_has_the_user_groups_capabilities_and_confinement_it_asked_for(
    on_node: Callable[[Story], None],
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

    on_node(story)


def test_a_container_that_says_nothing_runs_as_its_image_says_and_unconfined(on_node: Callable[[Story], None]) -> None:
    async def story(node: Node) -> None:
        box = await node.box()
        seen = facts(await node.says("cat /proc/self/status", box))
        assert seen["Uid"].split() == ["0"] * 4
        assert (seen["NoNewPrivs"], seen["Seccomp"]) == ("0", "0")
        assert int(seen["CapBnd"], 16) == 0xA80425FB, "the engine's default set"
        group = Security(group=3000)
        seen = facts(await node.says("cat /proc/self/status", box, name="grouped", security=group))
        assert (seen["Uid"].split()[0], seen["Gid"].split()[0]) == ("0", "3000")

    on_node(story)


def test_a_privileged_pod_may_do_what_its_node_may(on_node: Callable[[Story], None]) -> None:
    async def story(node: Node) -> None:
        box = await node.box(security=Security(privileged=True))
        script = "cat /proc/self/status; mount -t tmpfs none /tmp && echo mount: done"
        seen = facts(await node.says(script, box, security=Security(privileged=True)))
        assert seen["mount"] == "done"
        assert int(seen["CapBnd"], 16) & 1 << 21, "CAP_SYS_ADMIN"

    on_node(story)


def test_a_localhost_seccomp_profile_is_that_file(on_node: Callable[[Story], None]) -> None:
    async def story(node: Node) -> None:
        rule = '{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO"}'
        profile = f'{{"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86_64"], "syscalls": [{rule}]}}'
        (node.root / "no-mkdir.json").write_text(profile)
        script = "mkdir /tmp/x 2>/dev/null && echo made || echo refused"
        said = await node.says(script, security=Security(seccomp="Localhost/no-mkdir.json"))
        assert said == "refused"

    on_node(story)


def test_limits_are_the_cgroups_and_change_while_it_runs(on_node: Callable[[Story], None]) -> None:
    async def story(node: Node) -> None:
        box = await node.box(cgroup_parent="/kubepods/burstable/poduid-web")
        limits = Resources(cpu_shares=512, cpu_quota=50_000, cpu_period=100_000, memory_limit_bytes=64 << 20)
        one = await node.run("sleep 60 & wait", box, resources=limits)

        async def seen() -> list[str]:
            where = f"/sys/fs/cgroup{'/*' if V1 else ''}/kubepods/burstable/poduid-web/{one.id}"
            script = "; ".join(f"cat {where}/{name}" for name in files)
            return (await asyncio.to_thread(node.engine.run, "sh", "-c", script)).split()

        files = ("memory.limit_in_bytes", "cpu.cfs_quota_us", "cpu.shares") if V1 else ("memory.max", "cpu.max")
        assert await seen() == [str(64 << 20), "50000", "512" if V1 else "100000"]
        more = replace(limits, cpu_shares=1024, cpu_quota=100_000, memory_limit_bytes=128 << 20)
        await node.runtime.update_resources(one.id, more)
        assert await seen() == [str(128 << 20), "100000", "1024" if V1 else "100000"]
        assert (await node.now(one)).spec.resources == more
        (used,) = await node.runtime.stats(box.spec.pod_uid)
        assert used.container_id == one.id
        assert used.cpu_nanoseconds > 0 < used.memory_working_set_bytes

    on_node(story)


def test_a_pod_has_its_name_dns_and_sysctls_and_its_containers_share_memory(on_node: Callable[[Story], None]) -> None:
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

    on_node(story)


def test_processes_are_seen_as_the_pod_shares_them(on_node: Callable[[Story], None]) -> None:
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

    on_node(story)


def test_mounts_are_at_their_paths_and_read_only_where_asked(on_node: Callable[[Story], None]) -> None:
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

    on_node(story)


def test_mounts_made_later_reach_the_other_side_as_the_volume_says(on_node: Callable[[Story], None]) -> None:
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

    on_node(story)


def test_a_port_of_the_node_leads_to_the_pod_and_probes_reach_it(on_node: Callable[[Story], None]) -> None:
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

    on_node(story)


# -- commands, streams, logs -------------------------------------------------------------------------------------------


def test_commands_have_a_code_bounded_output_and_bounded_time(on_node: Callable[[Story], None]) -> None:
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

    on_node(story)


def test_streams_are_urls_of_the_engine_on_the_node(on_node: Callable[[Story], None]) -> None:
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

    on_node(story)


def test_a_log_goes_on_in_a_new_file_after_it_was_renamed(on_node: Callable[[Story], None]) -> None:
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

    on_node(story)
