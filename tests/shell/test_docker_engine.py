"""docker and crictl over a real containerd: what they show is true, and what they do happens."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import orjson
import pytest
import uvloop

from homeostat.lab.images.stock import BUSYBOX, PAUSE
from homeostat.runtime.contract import Container, ContainerSpec, Resources, Sandbox, SandboxSpec
from homeostat.runtime.cri.cri_runtime import CriRuntime
from tests.shell.conftest import Said, Tool
from tests.support.engine import Engine, remove_all
from tests.support.patience import eventually

pytestmark = pytest.mark.real
T = TypeVar("T")
TALK = (
    "trap 'echo bye; exit 0' TERM; trap 'echo hup' HUP; echo one; echo two; echo bad >&2; while :; do sleep 0.05; done"
)


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    one = Engine()
    yield one
    one.close()


@dataclass
class Node:
    """A kubelet's part: makes pods and their containers."""

    engine: Engine
    logs: Path

    def do(self, work: Callable[[CriRuntime], Coroutine[Any, Any, T]]) -> T:
        async def main() -> T:
            runtime = CriRuntime(f"unix://{self.engine.socket}", node_address="10.88.0.1")
            await runtime.start()
            try:
                return await work(runtime)
            finally:
                await runtime.close()

        return uvloop.run(main())

    def pod(self, name: str = "kube-apiserver-master-1", **more: Any) -> Sandbox:
        given = {"log_directory": str(self.logs / name), "labels": {"component": name}, "host_network": True, **more}
        spec = SandboxSpec(pod_uid=f"uid-{name}", namespace="kube-system", name=name, **given)
        return self.do(lambda runtime: runtime.run_sandbox(spec))

    def run(self, box: Sandbox, name: str = "kube-apiserver", script: str = TALK, **more: Any) -> Container:
        async def work(runtime: CriRuntime) -> Container:
            log = str(self.logs / box.spec.name / f"{name}.log")
            spec = ContainerSpec(name=name, image=BUSYBOX, command=("sh", "-c", script), log_path=log, **more)
            made = await runtime.create_container(box.id, spec)
            return await runtime.start_container(made.id)

        return self.do(work)


@pytest.fixture
def node(engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Node]:
    monkeypatch.setenv("CONTAINER_RUNTIME_ENDPOINT", f"unix://{engine.socket}")
    one = Node(engine, tmp_path)
    yield one
    one.do(remove_all)


def test_the_guides_words_kill_an_api_server(node: Node, tool: Tool) -> None:
    """GUIDE.md, section 2, steps 3 and 4: `docker ps` with a filter and a format, then `docker kill ID [ID]`."""
    box = node.pod()
    one = node.run(box)
    other = node.run(box, "sidecar")
    find = ("docker", "ps", "-f", "name=.*kube-apiserver.*", "--format", "{{.ID}}")
    assert tool(*find).lines == [other.id[:12], one.id[:12], box.id[:12]]
    mine = ("docker", "ps", "-q", "-f", "name=k8s_kube-apiserver_")
    assert tool(*mine).word == one.id[:12]
    assert tool("docker", "kill", one.id[:12]).word == one.id[:12]
    # At once, without a wait: the engine knows it.
    assert tool(*mine).lines == []
    exited = tool("docker", "ps", "-a", "-f", "exited=137", "--format", "{{.ID}} {{.State}} {{.Status}}").word
    assert re.fullmatch(rf"{one.id[:12]} exited Exited \(137\) (Less than a second|\d seconds?) ago", exited)
    # What the kubelet does then: a container with the next attempt, under a new ID and name.
    again = node.run(box, attempt=1)
    assert tool(*mine).word == again.id[:12]
    assert tool("docker", "ps", "-l", "--format", "{{.Names}}").word.endswith("_uid-kube-apiserver-master-1_1")
    # A pod's sandbox is killed like any container: it is not ready then, which is what a kubelet acts upon.
    assert tool("docker", "kill", box.id).word == box.id
    ready = node.do(lambda runtime: runtime.sandboxes())
    assert [found.ready for found in ready] == [False]
    assert tool("docker", "ps", "-q", "-f", f"id={box.id[:20]}").lines == []


def test_what_ps_shows(node: Node, tool: Tool) -> None:
    box = node.pod()
    one = node.run(box)
    ended = node.run(box, "once", "exit 3")
    eventually(lambda: tool("docker", "ps", "-q", "-f", f"id={ended.id}").lines == [])
    head, first, second = tool("docker", "ps").lines
    assert head.split() == ["CONTAINER", "ID", "IMAGE", "COMMAND", "CREATED", "STATUS", "PORTS", "NAMES"]
    assert first.startswith(f"{one.id[:12]}   {BUSYBOX}")
    assert '"sh -c trap \'echo by…"' in first and " Up " in first
    assert first.endswith("k8s_kube-apiserver_kube-apiserver-master-1_kube-system_uid-kube-apiserver-master-1_0")
    assert PAUSE in second and "k8s_POD_kube-apiserver-master-1_" in second
    names = {"kube-apiserver": one.id, "once": ended.id, "POD": box.id}
    label = '{{.Label "io.kubernetes.container.name"}} {{.ID}}'
    shown = dict(line.split() for line in tool("docker", "ps", "-a", "--no-trunc", "--format", label).lines)
    assert shown == names
    assert tool("docker", "ps", "-aq", "-f", "label=io.kubernetes.docker.type=podsandbox").word == box.id[:12]
    assert tool("docker", "ps", "-aq", "-f", "label=component").word == box.id[:12]
    assert tool("docker", "ps", "-q", "-f", "status=exited").word == ended.id[:12]
    assert tool("docker", "ps", "-aq", "-f", f"ancestor={BUSYBOX}").lines == [ended.id[:12], one.id[:12]]
    assert tool("docker", "ps", "-q", "-f", f"before={one.id[:12]}").word == box.id[:12]
    whole = orjson.loads(tool("docker", "ps", "-l", "-a", "--format", "json").word)
    assert (whole["State"], whole["Status"][:10]) == ("exited", "Exited (3)")
    assert re.fullmatch(
        r"\d[.\d]*k?M?B \(virtual [.\d]+k?M?B\)", tool("docker", "ps", "-s", "-n", "1", "--format", "{{.Size}}").word
    )
    table = tool("docker", "ps", "-q", "--format", "table {{.ID}}\\t{{.State}}").lines
    assert table == ["CONTAINER ID   STATE", f"{one.id[:12]}   running", f"{box.id[:12]}   running"]


def test_signals_pauses_and_stops(node: Node, tool: Tool) -> None:
    box = node.pod()
    one = node.run(box)
    name = "k8s_kube-apiserver_kube-apiserver-master-1_kube-system_uid-kube-apiserver-master-1_0"
    state = ("docker", "ps", "-a", "-f", f"id={one.id}", "--format", "{{.State}} {{.Status}}")
    assert tool("docker", "kill", "--signal=HUP", name).word == name
    eventually(lambda: "hup" in tool("docker", "logs", one.id[:5]).lines)
    assert tool(*state).word.startswith("running Up ")

    assert tool("docker", "pause", name).code == 0
    assert tool(*state).word.startswith("paused Up ") and tool(*state).word.endswith("(Paused)")
    assert "is already paused" in tool("docker", "pause", name).err
    assert tool("docker", "ps", "-q", "-f", "status=paused").word == one.id[:12]
    assert "unpause the container before exec" in tool("docker", "exec", name, "true").err
    # A stop thaws it first, then sends its own signal, which this one follows.
    assert tool("docker", "stop", name).word == name
    assert tool(*state).word.startswith("exited Exited (0)")
    eventually(lambda: tool("docker", "logs", name).lines[-1] == "bye")
    assert tool("docker", "stop", name).code == 0, "one that has ended is stopped"
    assert "is not paused" in tool("docker", "unpause", name).err

    frozen = node.run(box, "frozen")
    assert tool("docker", "pause", frozen.id).code == 0
    assert tool("docker", "kill", frozen.id).code == 0
    assert tool("docker", "ps", "-aq", "-f", f"id={frozen.id}", "-f", "status=exited").word == frozen.id[:12]

    stubborn = node.run(box, "stubborn", "trap '' TERM; while :; do sleep 0.05; done")
    assert tool("docker", "stop", "-t", "1", stubborn.id).code == 0
    assert tool("docker", "wait", stubborn.id[:12]).word == "137"
    assert tool("docker", "stop", "-t", "0", box.id[:12]).code == 0
    assert tool("docker", "ps", "-q").lines == []


def test_one_that_has_ended_comes_back_as_the_kubelets_next(node: Node, tool: Tool) -> None:
    """Under a kubelet each start is a container of its own, so `docker start` and `restart` speak of its successor."""
    box = node.pod()
    one = node.run(box)
    made: list[str] = []

    def kubelet() -> None:
        eventually(lambda: next(c for c in node.do(lambda r: r.containers()) if c.id == one.id).state.value == "exited")
        made.append(node.run(box, attempt=1).id)

    thread = threading.Thread(target=kubelet)
    thread.start()
    restarted = tool("docker", "restart", "-t", "5", one.id[:12])
    thread.join()
    assert restarted.lines == [one.id[:12]]
    assert f"the kubelet runs {made[0][:12]} in its place" in restarted.err
    again = tool("docker", "start", one.id[:12])
    assert (again.code, again.lines) == (0, [one.id[:12]])
    assert made[0][:12] in again.err
    assert tool("docker", "start", made[0]).word == made[0]
    tool("docker", "kill", made[0])
    refused = tool("docker", "start", made[0])
    assert refused.code == 1
    assert "the kubelet makes a new one" in refused.err


def test_removing(node: Node, tool: Tool) -> None:
    box = node.pod()
    one, two = node.run(box), node.run(box, "two")
    refused = tool("docker", "rm", one.id[:12])
    assert refused.code == 1
    assert refused.err.startswith(
        f"Error response from daemon: You cannot remove a running container {one.id}. Stop the"
    )
    tool("docker", "kill", one.id)
    assert tool("docker", "rm", one.id).word == one.id
    assert tool("docker", "rm", "-f", two.id[:12]).word == two.id[:12]
    assert tool("docker", "rm", "-f", box.id[:12]).word == box.id[:12]
    assert tool("docker", "ps", "-aq").lines == []


def test_logs(node: Node, tool: Tool) -> None:
    box = node.pod()
    one = node.run(box)
    eventually(lambda: "bad" in tool("docker", "logs", one.id[:12]).err)
    said = tool("docker", "logs", one.id[:12])
    assert (said.lines, said.err) == (["one", "two"], "bad\n")
    # The two streams meet in the log in any order.
    last = tool("docker", "logs", "--tail", "2", one.id)
    assert len(last.lines) + len(last.err.splitlines()) == 2
    stamped = tool("docker", "logs", "-t", "-n", "all", one.id).lines
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:]+\.\d{9}(Z|[-+]\d\d:\d\d) two", stamped[1])
    assert tool("docker", "logs", "--since", "1h", one.id).lines == ["one", "two"]
    assert tool("docker", "logs", "--until", "1h", one.id).lines == []
    assert tool("docker", "logs", "--since", "soon", one.id).code == 1
    assert tool("docker", "logs", box.id).out == ""
    # Followed until its end.
    threading.Timer(0.3, lambda: node.do(lambda r: r.stop_container(one.id, timeout_seconds=5))).start()
    assert tool("docker", "logs", "-f", "--tail", "2", one.id).lines[-1] == "bye"


def test_what_is_unknown_is_said_in_dockers_words(node: Node, tool: Tool) -> None:
    box = node.pod()
    one = node.run(box)
    killed = tool("docker", "kill", "nosuch", one.id[:12])
    assert (killed.code, killed.lines) == (1, [one.id[:12]]), "the others are killed all the same"
    assert killed.err == "Error response from daemon: Cannot kill container: nosuch: No such container: nosuch\n"
    dead = tool("docker", "kill", one.id[:12])
    assert dead.err == (
        f"Error response from daemon: Cannot kill container: {one.id[:12]}: Container {one.id} is not running\n"
    )
    for command in ("stop", "rm", "start", "restart", "pause", "unpause", "logs", "wait"):
        said = tool("docker", command, "nosuch")
        assert (said.code, said.err) == (1, "Error response from daemon: No such container: nosuch\n"), command
    gone = tool("docker", "inspect", "nosuch")
    assert (gone.code, gone.out, gone.err) == (1, "[]\n", "Error: No such object: nosuch\n")
    assert (
        tool("docker", "exec", one.id, "true").err == f"Error response from daemon: Container {one.id} is not running\n"
    )
    assert "Invalid signal: FOO" in tool("docker", "kill", "-s", "FOO", one.id).err


def test_inspect(node: Node, tool: Tool) -> None:
    box = node.pod(host_network=False, hostname="master-1")
    one = node.run(box, resources=Resources(memory_limit_bytes=64 << 20, cpu_shares=256))
    form = "{{.Id}} {{.Name}} {{.State.Status}} {{.Config.Image}} {{.HostConfig.Memory}} {{index .Config.Cmd 0}}"
    name = "/k8s_kube-apiserver_kube-apiserver-master-1_kube-system_uid-kube-apiserver-master-1_0"
    assert tool("docker", "inspect", "-f", form, one.id[:12]).word == f"{one.id} {name} running {BUSYBOX} {64 << 20} sh"
    found = orjson.loads(tool("docker", "inspect", one.id, box.id).out)
    assert [each["Id"] for each in found] == [one.id, box.id]
    container, sandbox = found
    assert container["State"]["Pid"] > 0 and container["State"]["StartedAt"].startswith("20")
    assert container["NetworkSettings"]["IPAddress"] == sandbox["NetworkSettings"]["IPAddress"] == box.ip
    assert container["LogPath"].endswith("kube-apiserver.log")
    assert container["HostConfig"]["NetworkMode"] == f"container:{box.id}"
    assert sandbox["Config"]["Hostname"] == "master-1"
    image = orjson.loads(tool("docker", "inspect", BUSYBOX).out)[0]
    assert image["RepoTags"] == [BUSYBOX]
    assert image["Id"].startswith("sha256:")
    wrong = tool("docker", "inspect", "-f", "{{.Nix}}", one.id)
    assert wrong.code == 1 and 'map has no entry for key "Nix"' in wrong.err


def test_images(node: Node, tool: Tool) -> None:
    head, *rows = tool("docker", "images").lines
    assert head.split() == ["REPOSITORY", "TAG", "IMAGE", "ID", "CREATED", "SIZE"]
    assert {tuple(row.split()[:2]) for row in rows} == {
        ("homeostat.local/pause", "1"),
        ("homeostat.local/busybox", "1"),
    }
    only = tool("docker", "images", "-q", BUSYBOX).word
    assert re.fullmatch(r"[0-9a-f]{12}", only)
    assert tool("docker", "images", "--format", "{{.Repository}}:{{.Tag}}", "homeostat.local/busybox").word == BUSYBOX
    assert tool("docker", "images", "nosuch", "-q").lines == []
    assert "DIGEST" in tool("docker", "images", "--digests").lines[0]
    assert tool("crictl", "images", "-q").lines
    assert {item["repoTags"][0] for item in orjson.loads(tool("crictl", "images", "-o", "json").out)["images"]} == {
        BUSYBOX,
        PAUSE,
    }


class Inside:
    """The tools as programs among the engine's own processes, as on a node."""

    def __init__(self, engine: Engine) -> None:
        self._enter = ["nsenter", "-t", str(engine.init), "-m", "-p", "-n"]

    def __call__(self, *words: str, text: str | None = None) -> Said:
        command = [*self._enter, sys.executable, "-P", "-m", "homeostat.shell", *words]
        given = {"input": text} if text is not None else {"stdin": subprocess.DEVNULL}
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=os.environ, **given)
        return Said(done.returncode, done.stdout, done.stderr)


def test_commands_in_a_container(node: Node, engine: Engine) -> None:
    inside = Inside(engine)
    box = node.pod()
    one = node.run(box, env=(("KEPT", "kept"),)).id[:12]
    said = inside(
        "docker", "exec", "-e", "MORE=more", "-w", "/tmp", one, "sh", "-c", "echo $KEPT $MORE; pwd; echo e >&2; exit 7"
    )
    assert (said.code, said.lines, said.err) == (7, ["kept more", "/tmp"], "e\n")
    # Input is passed on whole, and so is its end.
    size = 1 << 20
    counted = inside("docker", "exec", "-i", one, "sh", "-c", "wc -c; echo done", text="x" * size)
    assert counted.lines == [str(size), "done"]
    assert inside("docker", "exec", one, "cat", text="not for it").lines == []
    missing = inside("docker", "exec", one, "nosuch")
    assert missing.code == 127
    assert 'exec: "nosuch": executable file not found in $PATH' in missing.err
    assert inside("docker", "exec", "-it", one, "sh").err == "the input device is not a TTY\n"
    assert inside("docker", "exec", "-u", "nobody-there", one, "id").code == 126
    assert inside("docker", "exec", "-u", "1234:5678", one, "id", "-u").word == "1234"
    # What was asked to continue in the background does.
    assert inside("docker", "exec", "-d", one, "sh", "-c", "exec sleep 1000").code == 0
    eventually(lambda: "sleep 1000" in inside("docker", "top", one, "-eo", "pid,args").out)
    titles = inside("docker", "top", one).lines
    assert titles[0].split() == ["UID", "PID", "PPID", "C", "STIME", "TTY", "TIME", "CMD"]
    assert any("sh -c trap" in line for line in titles[1:])
    used = inside("docker", "stats", "--no-stream", "--format", "{{.ID}} {{.CPUPerc}} {{.PIDs}}").lines
    shown = {line.split()[0]: line.split()[1:] for line in used}
    assert set(shown) == {one, box.id[:12]}
    assert float(shown[one][0].rstrip("%")) >= 0.0 and int(shown[one][1]) >= 2


def test_a_terminal(node: Node, engine: Engine) -> None:
    """`docker exec -it`: the command has a terminal of the window's size, and its end ends the session."""
    box = node.pod()
    one = node.run(box).id[:12]
    tool = [*Inside(engine)._enter, sys.executable, "-P", "-m", "homeostat.shell", "docker", "exec", "-it", one]
    script = (
        "stty cols 99 rows 33; "
        + " ".join(tool)
        + " sh -c 'stty size; read word; echo got $word; exit 5'; echo code $?"
    )
    done = subprocess.run(
        ["script", "-qec", script, "/dev/null"], input="hello\n", capture_output=True, text=True, timeout=60
    )
    lines = [line.strip() for line in done.stdout.splitlines()]
    assert "33 99" in lines
    # `script` may end its input with a zero byte, which the terminal shows.
    assert any(line.endswith("got hello") for line in lines)
    assert "code 5" in lines


def test_a_session_that_breaks_off_leaves_no_command_behind(node: Node, engine: Engine) -> None:
    box = node.pod()
    one = node.run(box).id[:12]
    inside = Inside(engine)
    tool = [
        *inside._enter,
        sys.executable,
        "-P",
        "-m",
        "homeostat.shell",
        "docker",
        "exec",
        one,
        "sleep",
        "4712",
    ]
    session = subprocess.Popen(tool, stdin=subprocess.DEVNULL)
    eventually(lambda: "sleep 4712" in inside("docker", "top", one, "-eo", "pid,args").out)
    for child in Path(f"/proc/{session.pid}/task/{session.pid}/children").read_text().split():
        os.kill(int(child), signal.SIGHUP)
    assert session.wait(20) != 0
    eventually(lambda: "sleep 4712" not in inside("docker", "top", one, "-eo", "pid,args").out)


def test_crictl(node: Node, tool: Tool) -> None:
    box = node.pod()
    one = node.run(box)
    ended = node.run(box, "once", "exit 3")
    eventually(lambda: ended.id in tool("crictl", "ps", "-a", "-q", "--state", "Exited").lines)
    head, row = tool("crictl", "ps").lines
    assert head.split() == ["CONTAINER", "IMAGE", "CREATED", "STATE", "NAME", "ATTEMPT", "POD", "ID", "POD"]
    assert row.split()[:2] == [one.id[:13], BUSYBOX] and row.split()[-2:] == [box.id[:13], "kube-apiserver-master-1"]
    assert tool("crictl", "ps", "-q", "--name", "^kube").word == one.id
    assert tool("crictl", "ps", "-aq", "--label", "io.kubernetes.container.name=once").word == ended.id
    assert tool("crictl", "ps", "-q", "--pod", "0000").lines == []
    assert tool("crictl", "pods", "-q", "--namespace", "kube-system", "--state", "ready").word == box.id
    assert tool("crictl", "pods", "--name", "nosuch", "-q").lines == []
    listed = orjson.loads(tool("crictl", "ps", "-a", "-o", "json").out)["containers"]
    assert {each["id"]: each["state"] for each in listed} == {one.id: "CONTAINER_RUNNING", ended.id: "CONTAINER_EXITED"}
    assert f"id: {box.id}" in tool("crictl", "pods", "-o", "yaml").out
    assert orjson.loads(tool("crictl", "inspect", one.id[:10]).out)["Id"] == one.id
    assert tool("crictl", "logs", "--tail", "1", one.id[:12]).code == 0
    assert "RuntimeName:  containerd" in tool("crictl", "version").out
    refused = tool("crictl", "rmp", box.id[:10])
    assert refused.code == 1 and "it is running" in refused.err
    assert tool("crictl", "stop", one.id).word == one.id
    assert tool("crictl", "rm", one.id).word == one.id
    assert tool("crictl", "stopp", box.id[:10]).word == f"Stopped sandbox {box.id}"
    assert tool("crictl", "rmp", box.id[:10]).word == f"Removed sandbox {box.id}"
    assert tool("crictl", "pods", "-q").lines == []


def test_the_engine_has_been_stopped(node: Node, engine: Engine, tool: Tool) -> None:
    box = node.pod()
    one = node.run(box)
    engine.order("stop")
    try:
        for words in (("ps",), ("kill", one.id), ("images",)):
            said = tool("docker", *words)
            assert said.code == 1
            assert said.err == (
                "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?\n"
            )
        assert "validate CRI v1 runtime API" in tool("crictl", "ps").err
    finally:
        engine.order("start")
    # Containers have gone on meanwhile.
    eventually(lambda: tool("docker", "ps", "-q").lines == [one.id[:12], box.id[:12]])


def test_version_and_info(node: Node, tool: Tool) -> None:
    assert re.match(r"\d+\.\d+", tool("docker", "version", "-f", "{{.Server.Version}}").word)
    assert "Server: containerd" in tool("docker", "version").out
    reported = orjson.loads(tool("docker", "info", "-f", "json").word)
    assert reported["Containers"] == 0 and reported["Images"] == 2 and reported["MemTotal"] > 0
    assert " Server Version: " in tool("docker", "info").out
