"""docker and crictl over an engine that lives in the test: what is shown of odd things, what is asked of the engine and
in which order, and what becomes of its refusals."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any

import orjson
import pytest

from homeostat.shell import crictl
from homeostat.shell.docker import change_commands, main, stats_command
from tests.shell.conftest import Tool
from tests.shell.fake_engine import CREATED, EXITED, SECOND, UNKNOWN, FakeEngine
from tests.support.patience import eventually


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> FakeEngine:
    one = FakeEngine()
    monkeypatch.setattr(main, "Engine", lambda: one)
    monkeypatch.setattr(crictl, "Engine", lambda: one)
    return one


def changes(engine: FakeEngine) -> list[tuple[Any, ...]]:
    return [what for what in engine.asked if what[0] not in ("pids", "wait")]


# -- what is shown -------------------------------------------------------------------------------------------------


def test_a_node_without_containers(engine: FakeEngine, tool: Tool) -> None:
    assert tool("docker", "ps").lines == ["CONTAINER ID   IMAGE     COMMAND   CREATED   STATUS    PORTS     NAMES"]
    assert tool("docker", "ps", "-q").out == ""
    assert tool("docker", "ps", "--format", "{{.ID}}").out == ""
    assert tool("docker", "images").lines == ["REPOSITORY   TAG       IMAGE ID   CREATED   SIZE"]
    assert tool("crictl", "ps", "-o", "json").out.split() == ["{", '"containers":', "[]", "}"]


def test_states_that_are_rare(engine: FakeEngine, tool: Tool) -> None:
    pod = engine.pod("web")
    engine.container("made", pod, state=CREATED)
    engine.container("lost", pod, state=UNKNOWN)
    engine.container("oom", pod, state=EXITED, exit_code=137, reason="OOMKilled", finished_at=engine.now - 90 * SECOND)
    shown = dict(
        line.split(" ", 1) for line in tool("docker", "ps", "-a", "--format", "{{.ID}} {{.State}}: {{.Status}}").lines
    )
    assert shown["cmade1111111"] == "created: Created"
    assert shown["clost1111111"] == "dead: Dead"
    assert shown["coom11111111"] == "exited: Exited (137) About a minute ago"
    assert tool("docker", "ps", "-q", "-f", "status=dead").word == "clost1111111"
    assert tool("docker", "inspect", "-f", "{{.State.OOMKilled}} {{.State.Pid}}", "coom").word == "true 0"


def test_one_that_has_gone_since_it_was_listed(engine: FakeEngine, tool: Tool) -> None:
    gone = engine.container("gone", engine.pod("web"), ago=5)
    del engine.statuses[gone]
    said = tool("docker", "ps", "-f", f"id={gone}", "--format", "{{.Command}} {{.Status}}")
    assert (said.code, said.word) == (0, '"" Up 5 seconds')


def test_long_words_are_cut_and_whole_when_asked_for(engine: FakeEngine, tool: Tool) -> None:
    spec = {"process": {"args": ["program", "--with", "many=words"]}}
    mounts = [SimpleNamespace(host_path="/var/lib/kubelet/pods/x", container_path="/data", readonly=True)]
    one = engine.container("app", engine.pod("web"), spec=spec, mounts=mounts, image="sha256:" + "b" * 64)
    cut = ("docker", "ps", "-f", f"id={one}", "--format", "{{.ID}} {{.Image}} {{.Command}} {{.Mounts}}")
    assert tool(*cut).word == f'{one[:12]} {"b" * 12} "program --with many…" /var/lib/kubel…'
    assert tool(*cut, "--no-trunc").word == (
        f'{one} sha256:{"b" * 64} "program --with many=words" /var/lib/kubelet/pods/x'
    )


def test_a_pods_ports_and_networks(engine: FakeEngine, tool: Tool) -> None:
    spaces = {"linux": {"namespaces": [{"type": "network"}]}}
    config = {"port_mappings": [{"container_port": 80, "host_port": 8080}]}
    own = engine.pod("own", runtimeSpec=spaces, config=config)
    engine.pod("host")
    inner = engine.container("app", own)
    shown = {
        line.split()[0]: line.split()[1:]
        for line in tool("docker", "ps", "--format", "{{.ID}} {{.Networks}} {{.Ports}}").lines
    }
    assert shown["podown000000"] == ["none", "0.0.0.0:8080->80/tcp"]
    assert shown["podhost00000"] == ["host"]
    assert shown[inner[:12]] == [f"container:{own}"]


def test_images_by_every_name(engine: FakeEngine, tool: Tool) -> None:
    engine.image("registry:5000/app:1", "registry:5000/app:2", digests=("registry:5000/app@sha256:dd",))
    engine.image(digests=("lonely@sha256:ee",), letter="c", size=5)
    engine.image(letter="d")
    form = "{{.Repository}}|{{.Tag}}|{{.Digest}}|{{.ID}}|{{.Size}}|{{.CreatedSince}}"
    assert tool("docker", "images", "--format", form).lines == [
        f"registry:5000/app|1|sha256:dd|{'a' * 12}|1.23MB|N/A",
        f"registry:5000/app|2|sha256:dd|{'a' * 12}|1.23MB|N/A",
        f"lonely|<none>|sha256:ee|{'c' * 12}|5B|N/A",
        f"<none>|<none>|<none>|{'d' * 12}|1.23MB|N/A",
    ]
    assert tool("docker", "images", "-q", "registry:5000/app").word == "a" * 12
    assert tool("docker", "images", "--format", "{{.Tag}}", "registry:5000/app:2").word == "2"
    assert tool("docker", "image", "ls", "-q", "--no-trunc", "lonely").word == "sha256:" + "c" * 64


def test_the_longer_forms_of_commands(engine: FakeEngine, tool: Tool) -> None:
    one = engine.container("app", engine.pod("web"))
    assert tool("docker", "container", "ls", "-q", "-f", f"id={one}").word == one[:12]
    assert tool("docker", "container", "kill", one[:12]).word == one[:12]
    assert orjson.loads(tool("docker", "container", "inspect", one).out)[0]["Id"] == one


def test_an_ambiguous_beginning_is_no_name(engine: FakeEngine, tool: Tool) -> None:
    pod = engine.pod("web")
    engine.container("app1", pod), engine.container("app2", pod)
    said = tool("docker", "kill", "capp")
    assert (said.code, said.out) == (1, "")
    assert said.err.endswith("multiple IDs found with provided prefix: capp\n")
    assert changes(engine) == []


WRONG = {
    ("ps", "one"): (1, '"docker ps" accepts no arguments.'),
    ("ps", "-n", "many"): (125, 'invalid argument "many" for "-n, --last" flag'),
    ("ps", "-f", "name"): (125, "bad format of filter"),
    ("ps", "--format", "{{.Nix}}"): (1, "can't evaluate field Nix in type *formatter.ContainerContext"),
    ("ps", "--format", "{{.ID"): (64, "template parsing error: template: :1: unclosed action"),
    ("kill",): (1, '"docker kill" requires at least 1 argument.'),
    ("stop", "-t", "soon", "x"): (125, 'invalid argument "soon" for "-t, --time" flag'),
    ("logs",): (1, '"docker logs" requires exactly 1 argument.'),
    ("exec", "x"): (1, '"docker exec" requires at least 2 arguments.'),
    ("inspect",): (1, '"docker inspect" requires at least 1 argument.'),
    ("top",): (1, '"docker top" requires at least 1 argument.'),
    ("rm", "--frce", "x"): (125, "unknown flag: --frce\nSee 'docker rm --help'."),
}


@pytest.mark.parametrize("words", WRONG, ids=" ".join)
def test_command_lines_that_are_wrong(engine: FakeEngine, tool: Tool, words: tuple[str, ...]) -> None:
    engine.container("app", engine.pod("web"))
    code, text = WRONG[words]
    said = tool("docker", *words)
    assert (said.code, said.out) == (code, "")
    assert text in said.err


# -- what is done --------------------------------------------------------------------------------------------------


def test_of_several_the_sandboxes_are_killed_first(engine: FakeEngine, tool: Tool) -> None:
    """So that the kubelet which sees a container's end sees that its sandbox has ended too."""
    pod = engine.pod("web")
    one = engine.container("app", pod)
    order = threading.Lock()
    killed: list[str] = []
    kill = engine.kill

    def slowly(container: str, number: int, *, exec_id: str = "") -> None:
        with order:
            killed.append(container)
            kill(container, number)

    engine.kill = slowly  # type: ignore[method-assign]
    assert tool("docker", "kill", one[:12], pod[:12]).lines == [one[:12], pod[:12]], (
        "printed in the order of the arguments"
    )
    assert killed == [pod, one]


def test_a_container_that_does_not_end_is_reported(
    engine: FakeEngine, tool: Tool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(change_commands, "_END_SECONDS", 0.05)
    one = engine.container("app", engine.pod("web"))
    engine.deaf.add(one)
    said = tool("docker", "kill", one)
    assert said.code == 1
    assert f"tried to kill container, but did not receive an exit event: {one}" in said.err


def test_other_signals_are_not_waited_for(engine: FakeEngine, tool: Tool) -> None:
    one = engine.container("app", engine.pod("web"))
    engine.deaf.add(one)
    assert tool("docker", "kill", "-s", "USR1", one[:12]).word == one[:12]
    assert changes(engine) == [("kill", one, 10)]


def test_a_frozen_one_is_killed_and_thawed(engine: FakeEngine, tool: Tool) -> None:
    one = engine.container("app", engine.pod("web"))
    engine.frozen.add(one)
    assert tool("docker", "kill", one).word == one
    assert changes(engine) == [("kill", one, 9), ("unpause", one)]


def test_a_frozen_one_is_thawed_before_it_is_stopped(engine: FakeEngine, tool: Tool) -> None:
    one = engine.container("app", engine.pod("web"))
    engine.frozen.add(one)
    assert tool("docker", "stop", "-t", "3", one).word == one
    assert changes(engine) == [("unpause", one), ("stop_container", one, 3)]


def test_a_sandbox_alone_is_stopped_by_signals(engine: FakeEngine, tool: Tool) -> None:
    """The CRI's StopPodSandbox would end its pod's containers too, which docker's stop did not."""
    pod = engine.pod("web")
    one = engine.container("app", pod)
    assert tool("docker", "stop", pod).word == pod
    assert changes(engine) == [("kill", pod, 15)]
    assert tool("docker", "ps", "-q").word == one[:12]


def test_a_stop_with_a_signal_of_ones_own_and_a_kill_in_the_end(engine: FakeEngine, tool: Tool) -> None:
    one = engine.container("app", engine.pod("web"))
    kill = engine.kill

    def only_by_kill(container: str, number: int, *, exec_id: str = "") -> None:
        (engine.deaf.discard if number == 9 else engine.deaf.add)(container)
        kill(container, number)

    engine.kill = only_by_kill  # type: ignore[method-assign]
    assert tool("docker", "stop", "-s", "INT", "-t", "0", one).word == one
    assert changes(engine) == [("kill", one, 2), ("kill", one, 9)]


def test_what_the_engine_refuses_is_passed_on(engine: FakeEngine, tool: Tool) -> None:
    pod = engine.pod("web")
    one, two = engine.container("app", pod), engine.container("two", pod)
    engine.refuses[one] = "cannot freeze: the cgroup is gone"
    said = tool("docker", "pause", one[:12], two[:12])
    assert (said.code, said.lines) == (1, [two[:12]])
    assert said.err == "Error response from daemon: cannot freeze: the cgroup is gone\n"


def test_start_of_one_that_was_created(engine: FakeEngine, tool: Tool) -> None:
    one = engine.container("app", engine.pod("web"), state=CREATED)
    assert tool("docker", "start", one).word == one
    assert changes(engine) == [("start_container", one)]


def test_a_restart_without_a_kubelet_says_what_is_wrong(
    engine: FakeEngine, tool: Tool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(change_commands, "_SUCCESSOR_SECONDS", 0.05)
    one = engine.container("app", engine.pod("web"))
    said = tool("docker", "restart", one)
    assert said.code == 1
    assert "the kubelet has started none in its place" in said.err and "systemctl status kubelet" in said.err


def test_a_restart_waits_for_the_successor(engine: FakeEngine, tool: Tool) -> None:
    pod = engine.pod("web")
    one = engine.container("app", pod)

    def kubelet() -> None:
        eventually(lambda: ("stop_container", one, 10) in engine.asked)
        engine.containers_known.append(
            SimpleNamespace(**{**vars(engine.containers_known[0]), "id": "next".ljust(64, "2"), "state": 1})
        )
        engine.containers_known[-1].created_at = engine.now

    thread = threading.Thread(target=kubelet)
    thread.start()
    said = tool("docker", "restart", one[:12])
    thread.join()
    assert (said.code, said.lines) == (0, [one[:12]])
    assert "the kubelet runs next22222222 in its place" in said.err


def test_removing_a_sandbox_stops_it_first(engine: FakeEngine, tool: Tool) -> None:
    pod = engine.pod("web")
    assert tool("docker", "rm", pod).code == 1
    assert changes(engine) == []
    assert tool("docker", "rm", "-f", pod).word == pod
    assert changes(engine) == [("stop_pod", pod), ("remove_pod", pod)]


def test_removing_a_running_container_by_force(engine: FakeEngine, tool: Tool) -> None:
    one = engine.container("app", engine.pod("web"))
    engine.frozen.add(one)
    assert tool("docker", "rm", "-f", one).word == one
    assert changes(engine) == [("unpause", one), ("kill", one, 9), ("remove_container", one)]


def test_wait_prints_each_exit_code(engine: FakeEngine, tool: Tool) -> None:
    one = engine.container("app", engine.pod("web"), state=EXITED, exit_code=3, finished_at=1)
    said = tool("docker", "wait", one[:12], "nosuch")
    assert (said.code, said.lines) == (1, ["3"])


# -- details -------------------------------------------------------------------------------------------------------


def test_inspect_shows_limits_rights_and_mounts(engine: FakeEngine, tool: Tool) -> None:
    spec = {
        "hostname": "web",
        "process": {
            "args": ["app"],
            "cwd": "/srv",
            "env": ["A=1"],
            "user": {"uid": 7, "gid": 8},
            "oomScoreAdj": 999,
            "capabilities": {"bounding": ["CAP_NET_ADMIN"]},
        },
        "root": {"readonly": True},
        "linux": {
            "cgroupsPath": "/kubepods/x",
            "maskedPaths": ["/proc/kcore"],
            "resources": {"cpu": {"shares": 512, "quota": 50000, "period": 100000}, "memory": {"limit": 1 << 26}},
        },
    }
    mounts = [SimpleNamespace(host_path="/a", container_path="/b", readonly=True)]
    one = engine.container("app", engine.pod("web"), spec=spec, mounts=mounts, log_path="/var/log/pods/x/0.log")
    engine.frozen.add(one)
    found = orjson.loads(tool("docker", "inspect", one).out)[0]
    assert found["State"]["Status"] == "paused" and found["State"]["Paused"] and found["State"]["Running"]
    assert found["HostConfig"] == {
        "NetworkMode": found["HostConfig"]["NetworkMode"],
        "CgroupParent": "/kubepods/x",
        "CpuShares": 512,
        "CpuQuota": 50000,
        "CpuPeriod": 100000,
        "Memory": 1 << 26,
        "OomScoreAdj": 999,
        "ReadonlyRootfs": True,
        "CapAdd": ["CAP_NET_ADMIN"],
        "Privileged": False,
    }
    assert found["Mounts"] == [{"Type": "bind", "Source": "/a", "Destination": "/b", "Mode": "", "RW": False}]
    config = found["Config"]
    assert (config["User"], config["Env"], config["WorkingDir"]) == ("7:8", ["A=1"], "/srv")
    assert found["NetworkSettings"]["IPAddress"] == "10.244.1.7"
    assert found["LogPath"] == "/var/log/pods/x/0.log"


def test_inspect_finds_the_type_that_was_named(engine: FakeEngine, tool: Tool) -> None:
    engine.container("app", engine.pod("web"))
    engine.image("registry/app:1")
    assert orjson.loads(tool("docker", "inspect", "--type", "image", "registry/app:1").out)[0]["Size"] == 1234567
    assert tool("docker", "inspect", "--type", "container", "registry/app:1").err == (
        "Error: No such container: registry/app:1\n"
    )
    assert tool("docker", "inspect", "-f", "{{json .RepoTags}}", "a" * 12).word == '["registry/app:1"]'


def test_stats_of_what_cannot_be_measured(engine: FakeEngine, tool: Tool, monkeypatch: pytest.MonkeyPatch) -> None:

    monkeypatch.setattr(stats_command, "_INTERVAL_SECONDS", 0.0)
    monkeypatch.setattr(stats_command, "_traffic", lambda pid: (None, None))
    one = engine.container("app", engine.pod("web"))
    engine.refuses[one] = "no such process"
    line = tool(
        "docker", "stats", "--no-stream", "--format", "{{.CPUPerc}} {{.NetIO}} {{.BlockIO}} {{.PIDs}}", one
    ).word
    assert line == "-- -- -- --"


def test_crictl_lists_the_last_ones_and_by_id(engine: FakeEngine, tool: Tool) -> None:
    pod = engine.pod("web")
    old, new = engine.container("old", pod, ago=50, state=EXITED), engine.container("new", pod, ago=5)
    assert tool("crictl", "ps", "-q", "-l").word == new
    assert tool("crictl", "ps", "-q", "-n", "2").lines == [new, old]
    assert tool("crictl", "ps", "-aq", "--id", old[:6]).word == old
    assert tool("crictl", "pods", "-q", "-s", "notready").out == ""
    assert tool("crictl", "-r", "unix:///other.sock", "ps", "-q").word == new, "a node has one engine"
    assert tool("crictl", "ps", "-o", "xml").code == 1
    assert tool("crictl", "ps", "--namespace", "^kube").lines[1:] == []
