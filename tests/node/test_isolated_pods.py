"""A node whose runtime isolates: what a pod says reaches the runtime, image by image and field by field."""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from homeostat.api.kinds import CONFIGMAP, EVENT, POD, RUNTIMECLASS, SECRET
from homeostat.client.contract import STRATEGIC_PATCH
from homeostat.kit import clock
from homeostat.node.isolation import mounting
from homeostat.runtime.contract import Image, PortMapping
from homeostat.runtime.simulated import Behaviour, behaviours

from .conftest import Stage, condition, container, state, status_of

Play = Callable[..., None]
V1 = ("cpu", "memory", "pids", "cpuset")


@pytest.fixture
def pod_isolation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A node's folder, with cgroup v1 hierarchies that are plain folders; nothing is mounted."""
    for name in V1:
        (tmp_path / "cgroup" / name).mkdir(parents=True)
    monkeypatch.setattr(mounting, "make_tmpfs", lambda folder, size=0: folder.mkdir(parents=True, exist_ok=True))
    return tmp_path


def write(path: str, text: str) -> None:
    Path(path).write_text(text)


def spec_of(stage: Stage, name: str = "main") -> Any:
    return stage.runtime.container_named(name).spec


def test_a_pod_has_its_place_its_names_and_its_files(play: Play, pod_isolation: Path) -> None:
    async def story(stage: Stage) -> None:
        main = container(
            "main", command=["serve", "$(WHO)"], args=["--fast"], env=[{"name": "WHO", "value": "me"}],
            ports=[{"containerPort": 80, "hostPort": 8080}],
        )  # fmt: skip
        aliases = [{"ip": "10.9.9.9", "hostnames": ["db", "db.local"]}]
        await stage.pod(containers=[main], hostAliases=aliases, hostPID=True, subdomain="sub", hostname="first")
        pod = await stage.ready()
        uid = pod["metadata"]["uid"]
        (box,) = await stage.runtime.sandboxes()
        assert box.spec.hostname == "first"
        assert box.spec.host_pid and not box.spec.host_ipc
        assert box.spec.ports == (PortMapping(80, 8080),)
        assert box.spec.log_directory == str(pod_isolation / f"log/default_web_{uid}")
        assert box.spec.cgroup_parent == f"/kubepods/besteffort/pod{uid}"
        assert box.spec.dns.servers == ("10.96.0.10",)
        assert box.spec.dns.searches[:3] == ("default.svc.cluster.local", "svc.cluster.local", "cluster.local")
        wanted = spec_of(stage)
        assert (wanted.command, wanted.args) == (("serve", "me"), ("--fast",))
        assert wanted.log_path == f"{box.spec.log_directory}/main/0.log"
        mounts = {mount.container_path: Path(mount.host_path) for mount in wanted.mounts}
        hosts = mounts["/etc/hosts"].read_text()
        assert f"{box.ip}\tfirst.sub.default.svc.cluster.local\tfirst\n" in hosts
        assert "10.9.9.9\tdb\tdb.local" in hosts
        assert mounts["/dev/termination-log"].stat().st_mode & 0o777 == 0o666
        assert status_of(pod)["containerID"].startswith("containerd://")
        for name in V1[:3]:
            assert (pod_isolation / "cgroup" / name / f"kubepods/besteffort/pod{uid}").is_dir()
        await stage.api.delete(POD, "web", "default")
        await stage.until(lambda pod: pod is None)
        assert not (pod_isolation / f"cgroup/cpu/kubepods/besteffort/pod{uid}").exists()
        assert not (pod_isolation / f"node/pods/{uid}").exists()

    play(story, isolated=pod_isolation)


def test_the_engine_gets_the_handler_of_the_runtime_class(play: Play, pod_isolation: Path) -> None:
    """pkg/kubelet/runtimeclass: the class is looked up by its name; the engine knows its handler."""

    async def story(stage: Stage) -> None:
        await stage.pod(containers=[container("main")], runtimeClassName="sandboxed")

        async def is_said() -> bool:
            said = [event["message"] for event in (await stage.api.list(EVENT)).items]
            return any('runtimeclass.node.k8s.io "sandboxed" not found' in message for message in said)

        await until(is_said)
        await stage.api.create(RUNTIMECLASS, {"metadata": {"name": "sandboxed"}, "handler": "runsc"})
        await stage.ready()
        (box,) = await stage.runtime.sandboxes()
        assert box.spec.runtime_handler == "runsc"

    play(story, isolated=pod_isolation)


def test_a_pod_that_asks_for_users_of_its_own_does_not_run_with_the_nodes(play: Play, pod_isolation: Path) -> None:
    """Pod Security lets a Pod with `hostUsers: false` be root, for it is nobody on the node: so it must be."""

    async def story(stage: Stage) -> None:
        await stage.pod(containers=[container("main")], hostUsers=False)

        async def is_said() -> bool:
            said = [event["message"] for event in (await stage.api.list(EVENT)).items]
            return any("user namespaces are not supported by this node" in message for message in said)

        await until(is_said)
        assert await stage.runtime.sandboxes() == []

    play(story, isolated=pod_isolation)


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    while not await condition():
        await clock.sleep(0.1)


def test_limits_reach_the_container_and_its_pod(play: Play, pod_isolation: Path) -> None:
    async def story(stage: Stage) -> None:
        limits = {"cpu": "500m", "memory": "64Mi"}
        await stage.pod(containers=[container("main", resources={"limits": limits, "requests": limits})])
        pod = await stage.ready()
        resources = spec_of(stage).resources
        assert (resources.cpu_shares, resources.cpu_quota, resources.cpu_period) == (512, 50_000, 100_000)
        assert (resources.memory_limit_bytes, resources.oom_score_adj) == (64 << 20, -997)
        (box,) = await stage.runtime.sandboxes()
        assert box.spec.cgroup_parent == f"/kubepods/pod{pod['metadata']['uid']}"

    play(story, isolated=pod_isolation)


def test_without_cgroups_nothing_is_limited_and_pods_run(play: Play, tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        await stage.pod(containers=[container("main", resources={"limits": {"cpu": "1", "memory": "64Mi"}})])
        await stage.ready()
        resources = spec_of(stage).resources
        assert (resources.cpu_shares, resources.memory_limit_bytes) == (0, 0)
        assert resources.oom_score_adj == -997
        (box,) = await stage.runtime.sandboxes()
        assert box.spec.cgroup_parent == ""
        await clock.sleep(5)
        reported = "cgroups cannot be written: limits of CPU and memory are not enforced"
        assert await stage.events("NotEnforced") == [reported], "it is said once, of the node"

    play(story, isolated=tmp_path)


def test_who_a_container_runs_as(play: Play, pod_isolation: Path) -> None:
    async def story(stage: Stage) -> None:
        own = {
            "runAsUser": 7, "readOnlyRootFilesystem": True, "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]},
        }  # fmt: skip
        shared = {
            "runAsUser": 5, "runAsGroup": 6, "fsGroup": 9, "supplementalGroups": [8],
            "seccompProfile": {"type": "RuntimeDefault"},
        }  # fmt: skip
        mounts = [{"name": "scratch", "mountPath": "/scratch"}]
        await stage.pod(
            containers=[container("main", securityContext=own, volumeMounts=mounts)],
            securityContext=shared, volumes=[{"name": "scratch", "emptyDir": {}}],
        )  # fmt: skip
        await stage.ready()
        shield = spec_of(stage).security
        assert (shield.user, shield.group, shield.supplemental_groups) == (7, 6, (8, 9))
        assert shield.read_only_root and shield.no_new_privileges and not shield.privileged
        assert (shield.capabilities_add, shield.capabilities_drop) == (("NET_BIND_SERVICE",), ("ALL",))
        assert shield.seccomp == "RuntimeDefault"
        scratch = os.stat(spec_of(stage).mounts[0].host_path)
        assert (scratch.st_gid, scratch.st_mode & 0o7777) == (9, 0o2777)

    play(story, isolated=pod_isolation)


@pytest.mark.parametrize(
    ("user", "context", "message"),
    [
        ("", {"runAsNonRoot": True}, "container has runAsNonRoot and image will run as root"),
        ("0:0", {"runAsNonRoot": True}, "container has runAsNonRoot and image will run as root"),
        ("www", {"runAsNonRoot": True}, "image has non-numeric user (www), cannot verify user is non-root"),
        ("7", {"runAsNonRoot": True, "runAsUser": 0}, "container's runAsUser breaks non-root policy"),
        ("7", {"runAsNonRoot": True}, ""),
        ("", {"runAsNonRoot": True, "runAsUser": 5}, ""),
    ],
)
def test_root_is_refused_where_the_pod_says_so(
    play: Play, pod_isolation: Path, user: str, context: dict, message: str
) -> None:
    """kuberuntime/security_context.go, verifyRunAsNonRoot."""

    async def story(stage: Stage) -> None:
        stage.runtime.present["app:1"] = Image("sha256:app", ("app:1",), user=user)
        await stage.pod(securityContext=context)
        if not message:
            await stage.ready()
            return
        pod = await stage.until(lambda pod: pod if pod and state(pod).get("waiting", {}).get("message") else None)
        assert state(pod)["waiting"]["reason"] == "CreateContainerConfigError"
        assert message in state(pod)["waiting"]["message"]

    play(story, isolated=pod_isolation)


def test_an_unsafe_sysctl_is_refused_and_an_allowed_one_set(play: Play, pod_isolation: Path) -> None:
    """pkg/kubelet/sysctl: the pod fails before it is given a place."""

    async def story(stage: Stage) -> None:
        bad = {"sysctls": [{"name": "kernel.msgmax", "value": "1"}]}
        await stage.pod("bad", securityContext=bad)
        pod = await stage.phase("Failed", "bad")
        assert pod["status"]["reason"] == "SysctlForbidden"
        assert pod["status"]["message"] == 'forbidden sysctl: "kernel.msgmax" not allowlisted'
        good = {"sysctls": [{"name": "net.ipv4.tcp_syncookies", "value": "1"}, {"name": "vm.swap", "value": "2"}]}
        await stage.pod("good", securityContext=good)
        await stage.ready("good")
        (box,) = await stage.runtime.sandboxes()
        assert box.spec.sysctls == {"net.ipv4.tcp_syncookies": "1", "vm.swap": "2"}

    play(story, isolated=pod_isolation, settings={"allowed-unsafe-sysctls": "vm.*"})


# Images


def test_an_image_that_cannot_be_had_backs_off_as_kubernetes_does(play: Play, pod_isolation: Path) -> None:
    """images/image_manager.go: ErrImagePull, then ImagePullBackOff; 10 s, then twice as long each time."""

    async def story(stage: Stage) -> None:
        stage.runtime.broken["gone:1"] = "not found"
        await stage.pod(containers=[container("main", image="gone:1")])
        pod = await stage.until(lambda pod: pod if pod and state(pod).get("waiting", {}).get("message") else None)
        assert state(pod)["waiting"] == {"reason": "ErrImagePull", "message": "not found"}
        pod = await stage.until(lambda pod: pod if state(pod)["waiting"]["reason"] == "ImagePullBackOff" else None)
        assert state(pod)["waiting"]["message"] == 'Back-off pulling image "gone:1": ErrImagePull: not found'
        await clock.sleep(75)
        at = [moment for _, _, moment in stage.runtime.pulls]
        assert [round(later - sooner) for sooner, later in itertools.pairwise(at)] == [10, 20, 40]
        stage.runtime.broken.clear()
        await stage.ready(seconds=100)
        assert 'Failed to pull image "gone:1": not found' in await stage.events("Failed")
        assert "Error: ImagePullBackOff" in await stage.events("Failed")
        assert any("Image size: 4096 bytes." in text for text in await stage.events("Pulled"))

    play(story, isolated=pod_isolation)


def test_an_image_that_appears_on_the_node_starts_the_pods_that_wait_for_it(play: Play, pod_isolation: Path) -> None:
    """Its presence is asked for before the pull's back-off (image_manager.go: EnsureImageExists)."""

    async def story(stage: Stage) -> None:
        stage.runtime.broken["later:1"] = "no registry"
        await stage.pod(containers=[container("main", image="later:1")])
        await clock.sleep(80)  # the fourth pull has failed: the next one is 80 s away
        assert len(stage.runtime.pulls) == 4
        stage.runtime.present["later:1"] = Image("sha256:later", ("later:1",))
        await stage.ready(seconds=5)
        assert len(stage.runtime.pulls) == 4
        assert 'Container image "later:1" already present on machine' in await stage.events("Pulled")
        # Looking for it often is not said often: once for each wait.
        events = (await stage.api.list(EVENT, "default")).items
        assert sum(event["count"] for event in events if event["reason"] == "BackOff") <= 4

    play(story, isolated=pod_isolation)


@pytest.mark.parametrize(
    ("policy", "image", "pulled", "reason"),
    [
        ("IfNotPresent", "app:1", 0, ""),
        ("IfNotPresent", "app:2", 1, ""),
        ("Always", "app:1", 1, ""),
        ("Never", "app:1", 0, ""),
        ("Never", "app:2", 0, "ErrImageNeverPull"),
        ("IfNotPresent", "App Two", 0, "InvalidImageName"),
    ],
)
def test_the_pull_policy_decides(
    play: Play, pod_isolation: Path, policy: str, image: str, pulled: int, reason: str
) -> None:
    async def story(stage: Stage) -> None:
        await stage.pod(containers=[container("main", image=image, imagePullPolicy=policy)])
        if reason:
            await stage.until(lambda pod: pod and state(pod).get("waiting", {}).get("reason") == reason)
        else:
            await stage.ready()
        assert len(stage.runtime.pulls) == pulled

    play(story, isolated=pod_isolation)


def test_a_pull_secret_opens_its_registry(play: Play, pod_isolation: Path) -> None:
    async def story(stage: Stage) -> None:
        image = "registry.local:5000/team/app:1"
        stage.runtime.guarded[image] = "right"
        auths = {"registry.local:5000": {"auth": base64.b64encode(b"me:wrong").decode()}}
        auths["registry.local:5000/team"] = {"username": "me", "password": "right"}
        data = {".dockerconfigjson": base64.b64encode(json.dumps({"auths": auths}).encode()).decode()}
        metadata = {"name": "pull", "namespace": "default"}
        await stage.create(SECRET, {"metadata": metadata, "type": "kubernetes.io/dockerconfigjson", "data": data})
        await stage.pod(containers=[container("main", image=image)], imagePullSecrets=[{"name": "pull"}])
        await stage.ready()
        assert [auth.password for _, auth, _ in stage.runtime.pulls] == ["right"]

    play(story, isolated=pod_isolation)


def test_pods_that_begin_together_share_a_read(play: Play, pod_isolation: Path) -> None:
    """The guide's rollout: what all pods of a Deployment refer to is not read once for each."""

    async def story(stage: Stage) -> None:
        await stage.create(CONFIGMAP, {"metadata": {"name": "c", "namespace": "default"}, "data": {"k": "v"}})
        volumes = [{"name": "c", "configMap": {"name": "c"}}]
        await asyncio.gather(*(stage.pod(f"web-{place}", volumes=volumes) for place in range(5)))
        for place in range(5):
            await stage.ready(f"web-{place}")
        assert stage.uplink.asked.count("GET /api/v1/namespaces/default/configmaps/c") == 1

    play(story, isolated=pod_isolation)


# Ends


def test_a_container_out_of_memory_says_so(play: Play, pod_isolation: Path) -> None:
    async def story(stage: Stage) -> None:
        await stage.pod(restartPolicy="Never")
        await stage.ready()
        stage.runtime.out_of_memory(stage.runtime.container_named("main").id)
        pod = await stage.phase("Failed")
        ended = state(pod)["terminated"]
        assert (ended["reason"], ended["exitCode"]) == ("OOMKilled", 137)

    play(story, isolated=pod_isolation)


def test_last_words_of_each_instance_are_its_own(play: Play, pod_isolation: Path) -> None:
    async def story(stage: Stage) -> None:
        await stage.pod()
        await stage.ready()
        first = stage.runtime.container_named("main")
        write(first.spec.mounts[-1].host_path, "out of ideas")
        stage.runtime.kill(first.id, exit_code=3)
        pod = await stage.until(lambda pod: pod if pod and status_of(pod)["restartCount"] == 1 else None)
        assert status_of(pod)["lastState"]["terminated"]["message"] == "out of ideas"
        second = stage.runtime.container_named("main")
        assert first.spec.mounts[-1].host_path != second.spec.mounts[-1].host_path

    play(story, isolated=pod_isolation)


def test_a_new_agent_adopts_what_runs(play: Play, pod_isolation: Path) -> None:
    async def story(stage: Stage) -> None:
        await stage.pod()
        await stage.ready()
        before = stage.runtime.container_named("main").id
        await stage.restart_agent()
        await clock.sleep(5)
        assert [c.id for c in await stage.running()] == [before]

    play(story, isolated=pod_isolation, behaviour=behaviours({"main": Behaviour()}))


# Ephemeral containers, and sizes


async def debug(stage: Stage, **more: Any) -> None:
    body = {"spec": {"ephemeralContainers": [{"name": "debug", "image": "app:1", **more}]}}
    await stage.api.patch(POD, "web", "default", body, content_type=STRATEGIC_PATCH, subresource="ephemeralcontainers")


def ephemeral(pod: dict | None) -> dict:
    return next(iter((pod or {}).get("status", {}).get("ephemeralContainerStatuses", [])), {"state": {}})


def test_an_ephemeral_container_runs_once_beside_its_target(play: Play, pod_isolation: Path) -> None:
    async def story(stage: Stage) -> None:
        await stage.pod()
        await stage.ready()
        await debug(stage, targetContainerName="main", stdin=True, tty=True)
        await stage.until(lambda pod: ephemeral(pod)["state"].get("running"))
        wanted = spec_of(stage, "debug")
        assert wanted.target_id == stage.runtime.container_named("main").id
        assert wanted.stdin and wanted.tty
        stage.runtime.kill(stage.runtime.container_named("debug").id, exit_code=2)
        ended = await stage.until(lambda pod: ephemeral(pod)["state"].get("terminated"))
        assert ended["exitCode"] == 2
        await clock.sleep(60)
        pod = await stage.ready()
        assert ephemeral(pod)["restartCount"] == 0, "it is never started again"

    play(story, isolated=pod_isolation)


def test_an_ephemeral_container_waits_for_a_target_that_does_not_run(play: Play, pod_isolation: Path) -> None:
    async def story(stage: Stage) -> None:
        await stage.pod(restartPolicy="OnFailure", containers=[container("main"), container("over")])
        await stage.until(lambda pod: pod and state(pod, "over").get("terminated"))
        await debug(stage, targetContainerName="over")
        waiting = await stage.until(lambda pod: ephemeral(pod)["state"].get("waiting", {}).get("message"))
        assert waiting == 'unable to find target container "over"'

    play(story, isolated=pod_isolation, behaviour=behaviours({"over": Behaviour(exit_after_seconds=1)}))


def amounts(cpu: str, memory: str) -> dict:
    both = {"cpu": cpu, "memory": memory}
    return {"limits": both, "requests": both}


async def resize(stage: Stage, resources: dict, name: str = "web") -> None:
    body = {"spec": {"containers": [{"name": "main", "resources": resources}]}}
    await stage.api.patch(POD, name, "default", body, content_type=STRATEGIC_PATCH, subresource="resize")


def test_a_running_container_is_resized(play: Play, pod_isolation: Path) -> None:
    async def story(stage: Stage) -> None:
        await stage.pod(containers=[container("main", resources=amounts("500m", "64Mi"))])
        pod = await stage.ready()
        assert status_of(pod)["resources"] == amounts("500m", "64Mi")
        assert status_of(pod)["allocatedResources"] == {"cpu": "500m", "memory": "64Mi"}
        await resize(stage, amounts("1", "128Mi"))
        pod = await stage.until(lambda pod: pod if status_of(pod).get("resources") == amounts("1", "128Mi") else None)
        [(_, limits)] = stage.runtime.resized
        assert (limits.cpu_quota, limits.memory_limit_bytes, limits.oom_score_adj) == (100_000, 128 << 20, -997)
        assert status_of(pod)["restartCount"] == 0
        assert not condition(pod, "PodResizePending")
        await stage.restart_agent()
        await clock.sleep(5)
        assert len(stage.runtime.resized) == 1, "what it has is not given again"

    play(story, isolated=pod_isolation)


def test_a_container_that_wants_it_is_restarted_for_its_new_size(play: Play, pod_isolation: Path) -> None:
    async def story(stage: Stage) -> None:
        policy = [{"resourceName": "memory", "restartPolicy": "RestartContainer"}]
        await stage.pod(containers=[container("main", resources=amounts("500m", "64Mi"), resizePolicy=policy)])
        await stage.ready()
        await resize(stage, amounts("500m", "128Mi"))
        await stage.until(lambda pod: pod and status_of(pod)["restartCount"] == 1)
        assert spec_of(stage).resources.memory_limit_bytes == 128 << 20
        assert "Container main resize requires restart" in await stage.events("Killing")
        assert stage.runtime.resized == []

    play(story, isolated=pod_isolation)


def test_a_size_that_the_node_lacks_waits_or_can_never_be(play: Play, pod_isolation: Path) -> None:
    """The node has 4 CPUs: 100 will never fit, 3 fit when the other pod has gone."""

    async def story(stage: Stage) -> None:
        await stage.pod("other", containers=[container("main", resources=amounts("2", "64Mi"))])
        await stage.pod(containers=[container("main", resources=amounts("1", "64Mi"))])
        await stage.ready("other")
        await stage.ready()
        await resize(stage, amounts("100", "64Mi"))
        pod = await stage.until(lambda pod: pod if condition(pod, "PodResizePending") else None)
        assert condition(pod, "PodResizePending")["reason"] == "Infeasible"
        await resize(stage, amounts("3", "64Mi"))
        await stage.until(lambda pod: condition(pod, "PodResizePending")["reason"] == "Deferred")
        assert spec_of(stage).resources.cpu_quota == 100_000
        await stage.api.delete(POD, "other", "default")
        pod = await stage.until(lambda pod: pod if not condition(pod, "PodResizePending") else None, seconds=200)
        assert stage.runtime.resized[-1][1].cpu_quota == 300_000

    play(story, isolated=pod_isolation)


# Tokens


class Tokens:
    """Replaces the API's token subresource: counts what it gives."""

    def __init__(self, stage: Stage, life_seconds: float) -> None:
        self.given: list[float] = []
        self._life = life_seconds
        client = stage.agent._client
        self._create = client.create
        client.create = self.create  # type: ignore[method-assign]

    async def create(self, kind: Any, obj: dict, **options: Any) -> dict:
        if options.get("subresource") != "token":
            return await self._create(kind, obj, **options)
        self.given.append(clock.wall())
        ends = clock.rfc3339(clock.wall() + self._life)
        return {"status": {"token": f"token-{len(self.given)}", "expirationTimestamp": ends}}


def test_tokens_are_renewed_after_four_fifths_of_their_life(play: Play, pod_isolation: Path) -> None:
    """pkg/kubelet/token: also for a pod to which something happens all the time, and by a new agent."""

    async def story(stage: Stage) -> None:
        tokens = Tokens(stage, 3600)
        sources = [{"serviceAccountToken": {"path": "token", "expirationSeconds": 3600}}]
        await stage.pod(volumes=[{"name": "t", "projected": {"sources": sources}}])
        pod = await stage.ready()
        file = pod_isolation / "node/pods" / pod["metadata"]["uid"] / "volumes/t/token"
        assert read(file) == "token-1"
        for _ in range(60):
            await clock.sleep(50)
            stage.runtime.stir(pod["metadata"]["uid"])
        assert read(file) == "token-2"
        assert 2880 <= tokens.given[1] - tokens.given[0] < 3000
        await stage.restart_agent()
        tokens = Tokens(stage, 3600)
        await clock.sleep(120)
        assert len(tokens.given) == 1, "a new agent knows no token, and brings one to what runs"

    play(story, isolated=pod_isolation)


def read(path: Path) -> str:
    return path.read_text()
