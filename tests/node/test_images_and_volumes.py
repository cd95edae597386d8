"""Pulls side by side or in turn, and a pod's files where its users are kept apart."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from homeostat.api.kinds import POD
from homeostat.kit import clock
from homeostat.node.isolation import mounting
from homeostat.node.pod import mounts
from homeostat.node.podspec.downward import ConfigError, Surroundings
from homeostat.node.podspec.node_config import NodeConfig
from homeostat.node.volumes import atomicdir
from homeostat.node.volumes.payload import File, TokenProjection, files
from homeostat.node.volumes.volumes import PodFiles, VolumeError, memory_size

from .conftest import Stage, container

Play = Callable[..., None]
Obj = dict[str, Any]
AROUND = Surroundings("10.1.0.7", "10.0.0.1", {}, isolates=True)


# Pulls: KubeletConfiguration serializeImagePulls, maxParallelImagePulls


@pytest.mark.parametrize(
    ("settings", "seconds"),
    [
        ({}, 30),
        ({"serialize-image-pulls": "false"}, 10),
        ({"serialize-image-pulls": "false", "max-parallel-image-pulls": "2"}, 20),
    ],
)
def test_how_many_images_are_pulled_at_once(
    play: Play, tmp_path: Path, settings: dict[str, str], seconds: float
) -> None:
    async def story(stage: Stage) -> None:
        stage.runtime.pull_seconds = 10
        begun = clock.monotonic()
        names = ("one", "two", "three")
        await asyncio.gather(*(stage.pod(name, containers=[container("main", image=f"{name}:1")]) for name in names))
        for name in names:
            await stage.ready(name)
        assert seconds <= clock.monotonic() - begun < seconds + 5

    play(story, isolated=tmp_path, settings=settings)


def test_a_pod_that_goes_does_not_wait_for_its_image(play: Play, tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        stage.runtime.pull_seconds = 100
        await stage.pod(containers=[container("main", image="large:1")])
        await stage.until(lambda _: stage.runtime.pulls)
        begun = clock.monotonic()
        await stage.api.delete(POD, "web", "default")
        await stage.until(lambda pod: pod is None)
        assert clock.monotonic() - begun < 5

    play(story, isolated=tmp_path)


def test_a_missing_pull_secret_is_reported_and_the_pull_is_tried(play: Play, tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        await stage.pod(containers=[container("main", image="open:1")], imagePullSecrets=[{"name": "none"}])
        await stage.ready()
        [reported] = await stage.events("FailedToRetrieveImagePullSecret")
        assert reported.startswith("Unable to retrieve some image pull secrets (none)")
        assert stage.runtime.pulls[0][1] is None

    play(story, isolated=tmp_path)


# Files


def config(root: Path) -> NodeConfig:
    return NodeConfig(name="n1", address="10.0.0.1", root=root, log_root=root / "var")


def pod(**more: Any) -> Obj:
    body = {"containers": [{"name": "main", "image": "app:1"}], **more}
    return {"metadata": {"name": "web", "namespace": "default", "uid": "u-1"}, "spec": body}


@pytest.fixture
def quiet(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Path, int]]:
    """What would have been mounted: where, and how large."""
    made: list[tuple[Path, int]] = []

    def note(folder: Path, size: int = 0) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        made.append((folder, size))

    monkeypatch.setattr(mounting, "make_tmpfs", note)
    return made


def test_secrets_and_volumes_of_that_medium_are_in_memory(tmp_path: Path, quiet: list[tuple[Path, int]]) -> None:
    volumes = [
        {"name": "disk", "emptyDir": {}},
        {"name": "memory", "emptyDir": {"medium": "Memory", "sizeLimit": "1Mi"}},
        {"name": "secret", "secret": {"secretName": "s"}},
        {"name": "config", "configMap": {"name": "c"}},
        {"name": "token", "projected": {"sources": []}},
    ]
    wanted = pod(volumes=volumes)
    sources: Obj = {("Secret", "s"): {"data": {}}, ("ConfigMap", "c"): {"data": {"k": "v"}}}
    made = PodFiles(config(tmp_path), wanted, isolates=True)
    made.make_volumes(wanted, sources, {}, AROUND)
    assert [(folder.name, size) for folder, size in quiet] == [("memory", 1 << 20), ("secret", 0), ("token", 0)]
    assert made.volume("disk").stat().st_mode & 0o7777 == 0o777
    assert (made.volume("config") / "k").read_text() == "v"
    quiet.clear()
    PodFiles(config(tmp_path / "other"), wanted).make_volumes(wanted, sources, {}, AROUND)
    assert quiet == [], "where users are not kept apart nothing is mounted"


@pytest.mark.parametrize(
    ("limit", "pod_memory", "size"),
    [("", "", 0), ("1Mi", "", 1 << 20), ("", "2Mi", 2 << 20), ("1Mi", "2Mi", 1 << 20), ("3Mi", "2Mi", 2 << 20)],
)
def test_the_size_of_a_volume_in_memory(limit: str, pod_memory: str, size: int) -> None:
    resources = {"resources": {"limits": {"memory": pod_memory}}} if pod_memory else {}
    wanted = pod(containers=[{"name": "main", **resources}])
    assert memory_size(wanted, {"sizeLimit": limit} if limit else {}) == size


@pytest.mark.parametrize(
    ("context", "mode", "user"),
    [({}, 0o644, None), ({"fsGroup": 9}, 0o600, None), ({"runAsUser": 7}, 0o600, 7)],
)
def test_who_may_read_a_token(context: Obj, mode: int, user: int | None) -> None:
    """pkg/volume/projected: the pod's one user, or its group (which is given the file besides)."""
    projection = TokenProjection("", 3600, "token")
    volume = {"name": "t", "projected": {"sources": [{"serviceAccountToken": {"path": "token"}}]}}
    made = files(pod(securityContext=context), volume, {}, {projection: "jwt"}, AROUND)
    assert made == {"token": File(b"jwt", mode, user)}


def test_files_belong_to_the_pods_group_and_stay_when_nothing_changes(tmp_path: Path) -> None:
    wanted = {"deep/key": File(b"x", 0o400), "own": File(b"y", 0o600, 77)}
    assert atomicdir.write(tmp_path / "v", wanted, 4321)
    assert not atomicdir.write(tmp_path / "v", wanted, 4321)
    key, own = os.stat(tmp_path / "v/deep/key"), os.stat(tmp_path / "v/own")
    assert (key.st_gid, key.st_mode & 0o777) == (4321, 0o440)
    assert (own.st_uid, own.st_gid, own.st_mode & 0o777) == (77, 4321, 0o640)
    assert os.stat(tmp_path / "v/deep").st_gid == 4321


def test_a_volume_that_cannot_be_mounted_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(folder: Path, size: int = 0) -> None:
        raise OSError(1, "mount: Operation not permitted")

    monkeypatch.setattr(mounting, "make_tmpfs", refuse)
    wanted = pod(volumes=[{"name": "m", "emptyDir": {"medium": "Memory"}}])
    with pytest.raises(VolumeError, match=r'volume "m" : .*Operation not permitted'):
        PodFiles(config(tmp_path), wanted, isolates=True).make_volumes(wanted, {}, {}, AROUND)


def test_mounts_carry_what_they_are_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mounting, "bind_part", lambda base, inside, place: f"{place}={base}/{inside}")
    wanted = pod(volumes=[{"name": "h", "hostPath": {"path": "/srv"}}])
    made = PodFiles(config(tmp_path), wanted, isolates=True)
    asked = [
        {"name": "h", "mountPath": "/a", "readOnly": True, "mountPropagation": "HostToContainer"},
        {"name": "h", "mountPath": "/b", "subPathExpr": "$(NAME)/x"},
    ]
    whole, part = mounts.volume_mounts(
        made, wanted, {"name": "main", "volumeMounts": asked}, {"NAME": "web"}, isolates=True
    )
    assert (whole.host_path, whole.read_only, whole.propagation) == ("/srv", True, "HostToContainer")
    assert part.host_path == f"{made.part('main', 1)}=/srv/web/x"


def test_a_part_that_leads_out_of_its_volume_is_a_mistake_of_the_container(tmp_path: Path) -> None:
    (tmp_path / "srv").mkdir()
    (tmp_path / "srv/out").symlink_to("/etc")
    wanted = pod(volumes=[{"name": "h", "hostPath": {"path": str(tmp_path / "srv")}}])
    made = PodFiles(config(tmp_path), wanted, isolates=True)
    asked = {"name": "main", "volumeMounts": [{"name": "h", "mountPath": "/a", "subPath": "out/passwd"}]}
    with pytest.raises(ConfigError, match='failed to prepare subPath for volumeMount "0"'):
        mounts.volume_mounts(made, wanted, asked, {}, isolates=True)


def test_a_container_that_brings_its_hosts_file_keeps_it(tmp_path: Path) -> None:
    made = PodFiles(config(tmp_path), pod(), isolates=True)
    own = {"name": "main", "volumeMounts": [{"name": "v", "mountPath": "/etc/hosts"}]}
    assert mounts.hosts(made, own, "x") == []
    [mount] = mounts.hosts(made, {"name": "main"}, "new\n")
    assert (mount.container_path, Path(mount.host_path).read_text()) == ("/etc/hosts", "new\n")


def test_logs_and_last_words_of_each_instance_go_when_it_does(tmp_path: Path) -> None:
    made = PodFiles(config(tmp_path), pod(), isolates=True)
    for attempt in range(3):
        made.termination_file("main", attempt)
        log = Path(made.log_path("main", attempt))
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text("x")
    made.prune("main", {2})
    assert [path.name for path in (made.folder / "termination/main").iterdir()] == ["2"]
    assert [path.name for path in (made.logs / "main").iterdir()] == ["2.log"]
    assert str(made.logs) == str(tmp_path / "var/default_web_u-1")


def test_nothing_is_deleted_through_a_mount(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A part of a hostPath volume that could not be unmounted is the host's data."""
    made = PodFiles(config(tmp_path), pod(), isolates=True)
    (made.folder / "parts").mkdir(parents=True)
    monkeypatch.setattr(mounting, "unmount_below", lambda folder: False)
    assert not made.remove()
    assert made.folder.exists()
    monkeypatch.setattr(mounting, "unmount_below", lambda folder: True)
    assert made.remove()
    assert not made.folder.exists()
