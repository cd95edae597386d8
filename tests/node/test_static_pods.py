"""Static pods: from files, without the API; shown by mirrors when it is there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import yaml

from homeostat.api.kinds import POD
from homeostat.kit import clock
from homeostat.node.machine.static_pods import read_folder
from homeostat.runtime.contract import ContainerSpec, SandboxSpec
from homeostat.runtime.simulated import Behaviour

from .conftest import Stage, condition, is_ready

Play = Callable[..., None]


def write(folder: Path, name: str = "db", image: str = "db:1") -> None:
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "kube-system"}}
    pod["spec"] = {"hostNetwork": True, "containers": [{"name": "main", "image": image, "command": [name]}]}
    (folder / f"{name}.yaml").write_text(yaml.safe_dump(pod))


async def mirror(stage: Stage, name: str = "db") -> dict | None:
    return await stage.get(f"{name}-node-1", "kube-system")


def test_it_runs_without_an_api_and_gets_its_mirror_when_there_is_one(play: Play, tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        await stage.agent.stop()
        stage.uplink.open = False
        write(tmp_path)
        stage.agent = stage._agent()
        await stage.agent.start()
        await clock.sleep(0.1)
        assert len(await stage.running()) == 1
        assert await mirror(stage) is None
        stage.uplink.open = True
        await clock.sleep(10)
        shown = await mirror(stage)
        assert shown is not None
        assert is_ready(shown)
        assert shown["status"]["podIP"] == "10.0.0.1"
        annotations = shown["metadata"]["annotations"]
        assert annotations["kubernetes.io/config.mirror"] == annotations["kubernetes.io/config.hash"]
        assert shown["metadata"]["ownerReferences"][0]["kind"] == "Node"

    play(story, folder=tmp_path)


def test_a_deleted_mirror_comes_back_and_the_pod_runs_on(play: Play, tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        write(tmp_path)
        await clock.sleep(25)
        shown = await mirror(stage)
        before = await stage.running()
        assert shown is not None
        await stage.api.delete(POD, "db-node-1", "kube-system")
        await clock.sleep(5)
        again = await mirror(stage)
        assert again is not None
        assert again["metadata"]["uid"] != shown["metadata"]["uid"]
        assert is_ready(again)
        assert await stage.running() == before

    play(story, folder=tmp_path)


def test_a_changed_file_replaces_the_pod_the_old_one_ending_first(play: Play, tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        write(tmp_path)
        await clock.sleep(25)
        before = (await stage.running())[0]
        write(tmp_path, image="db:2")
        for _ in range(300):
            assert len(await stage.running()) <= 1
            await clock.sleep(0.1)
        after = (await stage.running())[0]
        assert (before.spec.image, after.spec.image) == ("db:1", "db:2")
        shown = await mirror(stage)
        assert shown is not None
        assert shown["spec"]["containers"][0]["image"] == "db:2"
        assert condition(shown, "Ready")["status"] == "True"

    play(story, folder=tmp_path)


def test_a_removed_file_ends_the_pod_and_its_mirror(play: Play, tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        write(tmp_path)
        await clock.sleep(25)
        (tmp_path / "db.yaml").unlink()
        await clock.sleep(25)
        assert await mirror(stage) is None
        assert await stage.runtime.sandboxes() == []

    play(story, folder=tmp_path)


def test_a_new_agent_adopts_its_static_pods(play: Play, tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        write(tmp_path)
        await clock.sleep(25)
        before = await stage.running()
        await stage.restart_agent()
        await clock.sleep(30)
        assert await stage.running() == before

    play(story, folder=tmp_path)


def slow_to_start(_: SandboxSpec, spec: ContainerSpec) -> Behaviour:
    """`etcd` takes a second, `stuck` for ever."""
    return Behaviour(start_seconds={"etcd": 1.0, "stuck": 1e9}.get(spec.argv[0], 0.0))


def test_static_pods_of_a_booting_node_start_in_the_order_of_their_files(play: Play, tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        await stage.agent.stop()
        for name in ("kube-scheduler", "etcd", "kube-apiserver"):
            write(tmp_path, name)
        stage.agent = stage._agent()
        await stage.agent.start()
        await clock.sleep(0.5)
        assert [box.spec.name for box in await stage.runtime.sandboxes()] == ["etcd-node-1"]
        await clock.sleep(1.0)
        started = sorted(await stage.running(), key=lambda found: found.started_at)
        assert [found.spec.argv[0] for found in started] == ["etcd", "kube-apiserver", "kube-scheduler"]

    play(story, folder=tmp_path, behaviour=slow_to_start)


def test_a_static_pod_that_does_not_start_keeps_the_next_waiting_for_a_moment_only(play: Play, tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        await stage.agent.stop()
        write(tmp_path, "a", image="b:1")
        write(tmp_path, "stuck")
        write(tmp_path, "web")
        stage.agent = stage._agent()
        await stage.agent.start()
        await clock.sleep(6)
        assert [found.spec.argv[0] for found in await stage.running()] == ["a", "web"]

    play(story, folder=tmp_path, behaviour=slow_to_start)


def test_a_file_that_is_no_pod_harms_no_other(tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / "bad.yaml").write_text("{")
    (tmp_path / "list.yaml").write_text("- 1")
    (tmp_path / "empty.yaml").write_text("kind: Pod\nmetadata: {name: x}\nspec: {}\n")
    (tmp_path / ".hidden.yaml").write_text("kind: Pod")
    (tmp_path / "notes.txt").write_text("hello")
    (pod,) = read_folder(tmp_path, "node-1", 0.0).values()
    assert pod["metadata"]["name"] == "db-node-1"
