"""Environment, downward API, volumes and status in tables: one row a rule of the kubelet."""

from __future__ import annotations

import base64
import itertools
from pathlib import Path
from typing import Any

import pytest

from homeostat.node.decide import conditions
from homeostat.node.decide.plan import plan
from homeostat.node.decide.status import Facts, pod_status
from homeostat.node.pod.mounts import volume_mounts
from homeostat.node.podspec import spec
from homeostat.node.podspec.downward import ConfigError, Surroundings, field_value, resource_value
from homeostat.node.podspec.env import environment, expand, expand_all
from homeostat.node.podspec.node_config import NodeConfig
from homeostat.node.podspec.view import View
from homeostat.node.probes.probe_results import ProbeRule, Tally
from homeostat.node.serve import logs
from homeostat.node.volumes.payload import File, files
from homeostat.node.volumes.volumes import PodFiles, VolumeError
from homeostat.runtime.contract import Container, ContainerSpec, ContainerState, Sandbox, SandboxSpec

Obj = dict[str, Any]
NOW = 1_800_000_000.0
AROUND = Surroundings("10.1.0.7", "10.0.0.1", {"cpu": "4", "memory": "8Gi", "ephemeral-storage": "10Gi"})

# $(NAME), as k8s.io/kubernetes/third_party/forked/golang/expansion reads it.

VALUES = {"A": "1", "B": "two", "EMPTY": "", "DOLLAR": "$(A)", "a.b-c": "odd"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        ("plain", "plain"),
        ("$(A)", "1"),
        ("x$(A)y", "x1y"),
        ("$(A)$(B)", "1two"),
        ("$(a.b-c)", "odd"),
        ("$(EMPTY)", ""),
        ("$(NONE)", "$(NONE)"),
        ("$()", "$()"),
        ("$( A)", "$( A)"),
        ("$$(A)", "$(A)"),
        ("$$$(A)", "$1"),
        ("$$$$(A)", "$$(A)"),
        ("$$", "$"),
        ("$$$", "$$"),
        ("$", "$"),
        ("$A", "$A"),
        ("${A}", "${A}"),
        ("$(A", "$(A"),
        ("$(", "$("),
        ("A)", "A)"),
        ("(A)", "(A)"),
        ("$(A))", "1)"),
        ("$($(A))", "$($(A))"),
        ("$(A$(B))", "$(A$(B))"),
        ("$((A))", "$((A))"),
        ("$(DOLLAR)", "$(A)"),
        ("a$b$(A)c$", "a$b1c$"),
    ],
)
def test_references_are_expanded_once_from_left_to_right(text: str, expected: str) -> None:
    assert expand(text, VALUES) == expected


@pytest.mark.parametrize(
    ("text", "missing"),
    [("$(NONE)/x", "NONE"), ("$(EMPTY)", "EMPTY"), ("$(Z)$(Y)$(Z)", "Y, Z"), ("$(A)/$(NONE)", "NONE")],
)
def test_a_sub_path_needs_a_value_for_every_name(text: str, missing: str) -> None:
    with pytest.raises(ConfigError, match=f"^missing value for {missing}$"):
        expand_all(text, VALUES)


@pytest.mark.parametrize(("text", "expected"), [("$(A)/$(B)", "1/two"), ("$$(NONE)", "$(NONE)"), ("x", "x")])
def test_a_sub_path_whose_names_have_values(text: str, expected: str) -> None:
    assert expand_all(text, VALUES) == expected


# env and envFrom


def pod(**more: Any) -> Obj:
    metadata = {"name": "web", "namespace": "default", "uid": "u-1", "labels": {"app": "web"}}
    return {"metadata": metadata, "spec": {"containers": [{"name": "main", "image": "app:1"}], **more}}


def text64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


SOURCES: dict[tuple[str, str], Obj | None] = {
    ("ConfigMap", "c"): {"data": {"colour": "blue", "size": "9"}, "binaryData": {"raw": text64("bytes")}},
    ("Secret", "s"): {"data": {"word": text64("hush"), "colour": text64("red")}},
    ("ConfigMap", "none"): None,
    ("Secret", "none"): None,
}


def env(*variables: Obj, sources: list[Obj] | None = None, services: dict[str, str] | None = None) -> dict[str, str]:
    container = {"name": "main", "env": list(variables), "envFrom": sources or []}
    return environment(pod(), container, SOURCES, services or {}, AROUND)


def ref(kind: str, name: str, key: str, **more: Any) -> Obj:
    return {"name": "X", "valueFrom": {f"{kind}KeyRef": {"name": name, "key": key, **more}}}


@pytest.mark.parametrize(
    ("variable", "expected"),
    [
        (ref("configMap", "c", "colour"), {"X": "blue"}),
        (ref("configMap", "c", "raw"), {"X": "bytes"}),
        (ref("secret", "s", "word"), {"X": "hush"}),
        (ref("configMap", "c", "no", optional=True), {}),
        (ref("secret", "none", "no", optional=True), {}),
        ({"name": "X"}, {"X": ""}),
        ({"name": "X", "value": ""}, {"X": ""}),
        ({"name": "X", "value": "$(X)"}, {"X": "$(X)"}),
        ({"name": "X", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}, {"X": "web"}),
    ],
)
def test_where_a_variable_comes_from(variable: Obj, expected: dict[str, str]) -> None:
    assert env(variable) == expected


@pytest.mark.parametrize(
    ("variable", "message"),
    [
        (ref("configMap", "none", "x"), 'configmap "none" not found'),
        (ref("secret", "none", "x"), 'secret "none" not found'),
        (ref("configMap", "c", "x"), "couldn't find key x in ConfigMap default/c"),
        (ref("secret", "s", "x", optional=False), "couldn't find key x in Secret default/s"),
        ({"name": "X", "valueFrom": {"fileKeyRef": {}}}, "unsupported environment source: fileKeyRef"),
        ({"name": "X", "valueFrom": {"fieldRef": {"fieldPath": "spec.x"}}}, "unsupported fieldPath: spec.x"),
    ],
)
def test_what_a_variable_lacks_is_said_as_the_kubelet_does(variable: Obj, message: str) -> None:
    with pytest.raises(ConfigError) as error:
        env(variable)
    assert str(error.value) == message


def test_later_sources_win_over_earlier_ones_and_env_over_all() -> None:
    both = [{"configMapRef": {"name": "c"}}, {"secretRef": {"name": "s"}}]
    assert env(sources=both)["colour"] == "red"
    assert env(sources=both[::-1])["colour"] == "blue"
    assert env({"name": "colour", "value": "mine"}, sources=both)["colour"] == "mine"
    assert env(sources=[{"secretRef": {"name": "none", "optional": True}}]) == {}
    with pytest.raises(ConfigError, match='secret "none" not found'):
        env(sources=[{"secretRef": {"name": "none"}}])


def test_values_of_objects_are_taken_as_they_are() -> None:
    """Only `value` is expanded: what comes from a ConfigMap may hold dollar signs."""
    sources = {("ConfigMap", "c"): {"data": {"text": "$(A) and $$"}}}
    container = {"name": "main", "env": [{"name": "A", "value": "1"}, ref("configMap", "c", "text")]}
    assert environment(pod(), container, sources, {}, AROUND)["X"] == "$(A) and $$"


def test_a_variable_sees_those_above_it_alone() -> None:
    made = env({"name": "ONE", "value": "$(TWO)"}, {"name": "TWO", "value": "2"}, {"name": "SUM", "value": "$(TWO)"})
    assert made == {"ONE": "$(TWO)", "TWO": "2", "SUM": "2"}


# The downward API


@pytest.mark.parametrize("path", ["spec.hostname", "metadata.labels['a'", "metadata.finalizers", "", "status.phase"])
def test_paths_that_are_no_fields_of_the_downward_api(path: str) -> None:
    with pytest.raises(ConfigError, match="unsupported fieldPath"):
        field_value(pod(), path, AROUND)


@pytest.mark.parametrize(
    ("value", "line"),
    [
        ("plain", 'k="plain"'),
        ('say "hi"', 'k="say \\"hi\\""'),
        ("a\\b", 'k="a\\\\b"'),
        ("two\nlines", 'k="two\\nlines"'),
    ],
)
def test_annotations_are_quoted_lines(value: str, line: str) -> None:
    made = pod()
    made["metadata"]["annotations"] = {"k": value}
    assert field_value(made, "metadata.annotations", AROUND) == line
    assert field_value(made, "metadata.annotations['k']", AROUND) == value


@pytest.mark.parametrize(
    ("resources", "resource", "divisor", "expected"),
    [
        ({"limits": {"cpu": "2"}}, "limits.cpu", "0", "2"),
        ({"limits": {"cpu": "250m"}}, "limits.cpu", "1", "1"),
        ({"limits": {"cpu": "250m"}}, "limits.cpu", "1m", "250"),
        ({}, "limits.cpu", "1", "4"),
        ({}, "limits.memory", "1Gi", "8"),
        ({}, "limits.ephemeral-storage", "1Gi", "10"),
        ({}, "requests.cpu", "1m", "0"),
        ({"limits": {"memory": "1Gi"}}, "requests.memory", "1Mi", "1024"),
        ({"requests": {"memory": "1Mi"}, "limits": {"memory": "1Gi"}}, "requests.memory", "1Ki", "1024"),
        ({"requests": {"memory": "1000001"}}, "requests.memory", "1M", "2"),
    ],
)
def test_resources_are_given_in_units_and_rounded_up(
    resources: Obj, resource: str, divisor: str, expected: str
) -> None:
    container = {"name": "main", "resources": resources}
    wanted = {"spec": {"containers": [container]}}
    assert resource_value(wanted, container, {"resource": resource, "divisor": divisor}, AROUND) == expected


@pytest.mark.parametrize(
    "ref", [{"resource": "limits.gpu"}, {"resource": "cpu"}, {"resource": "limits.cpu", "containerName": "no"}]
)
def test_resources_that_are_not_supported(ref: Obj) -> None:
    with pytest.raises(ConfigError):
        resource_value(pod(), {"name": "main"}, ref, AROUND)


# Files of volumes


def made_files(volume: Obj) -> dict[str, File]:
    sources = {("ConfigMap", "c"): {"data": {"a": "A", "b": "B"}}, ("Secret", "s"): {"data": {"k": text64("K")}}}
    return files(pod(), {"name": "v", **volume}, sources, {}, AROUND)


@pytest.mark.parametrize(
    ("volume", "expected"),
    [
        ({"configMap": {"name": "c"}}, {"a": (b"A", 0o644), "b": (b"B", 0o644)}),
        ({"configMap": {"name": "c", "defaultMode": 0o400}}, {"a": (b"A", 0o400), "b": (b"B", 0o400)}),
        ({"configMap": {"name": "c", "defaultMode": 0, "items": [{"key": "a", "path": "x"}]}}, {"x": (b"A", 0)}),
        ({"configMap": {"name": "c", "items": [{"key": "a", "path": "d/x", "mode": 0o600}]}}, {"d/x": (b"A", 0o600)}),
        (
            {"configMap": {"name": "c", "defaultMode": 0o444, "items": [{"key": "a", "path": "x", "mode": 0}]}},
            {"x": (b"A", 0)},
        ),
        (
            {"configMap": {"name": "c", "optional": True, "items": [{"key": "no", "path": "x"}]}},
            {},
        ),
        ({"configMap": {"name": "gone", "optional": True}}, {}),
        ({"secret": {"secretName": "s", "defaultMode": 0o440}}, {"k": (b"K", 0o440)}),
        (
            {"downwardAPI": {"items": [{"path": "n", "fieldRef": {"fieldPath": "metadata.name"}, "mode": 0o400}]}},
            {"n": (b"web", 0o400)},
        ),
        ({"projected": {"sources": []}}, {}),
        (
            {"projected": {"sources": [{"configMap": {"name": "c"}}, {"secret": {"name": "s"}}]}},
            {"a": (b"A", 0o644), "b": (b"B", 0o644), "k": (b"K", 0o644)},
        ),
    ],
)
def test_which_files_a_volume_has(volume: Obj, expected: dict[str, tuple[bytes, int]]) -> None:
    assert {path: (file.data, file.mode) for path, file in made_files(volume).items()} == expected


@pytest.mark.parametrize(
    ("volume", "message"),
    [
        ({"configMap": {"name": "gone"}}, 'configmap "gone" not found'),
        ({"secret": {"secretName": "gone"}}, 'secret "gone" not found'),
        ({"configMap": {"name": "c", "items": [{"key": "no", "path": "x"}]}}, "references non-existent config key: no"),
        (
            {"projected": {"sources": [{"clusterTrustBundle": {}}]}},
            "projected source clusterTrustBundle is not supported",
        ),
    ],
)
def test_why_a_volume_has_no_files(volume: Obj, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        made_files(volume)


def files_of(root: Path, wanted: Obj) -> PodFiles:
    return PodFiles(NodeConfig(name="n1", address="10.0.0.1", root=root), wanted)


@pytest.mark.parametrize("kind", ["nfs", "csi", "persistentVolumeClaim", "ephemeral", "image", "gitRepo"])
def test_volumes_of_other_types_are_refused_by_name(kind: str, tmp_path: Path) -> None:
    wanted = pod(volumes=[{"name": "v", kind: {}}])
    with pytest.raises(VolumeError, match=f'volume "v" : volumes of type {kind} are not supported by this node'):
        files_of(tmp_path, wanted).make_volumes(wanted, {}, {}, AROUND)


@pytest.mark.parametrize(
    ("mount", "message"),
    [
        ({"subPathExpr": "$(NONE)"}, "missing value for NONE"),
        ({"subPath": "../x"}, "invalid subPath"),
        ({"subPath": "/etc"}, "invalid subPath"),
        ({"subPathExpr": "$(UP)/x"}, "invalid subPath"),
        ({"name": "other"}, 'volume "other" not found'),
    ],
)
def test_mounts_that_cannot_be(mount: Obj, message: str, tmp_path: Path) -> None:
    wanted = pod(volumes=[{"name": "v", "emptyDir": {}}])
    container = {"name": "main", "volumeMounts": [{"name": "v", "mountPath": "/d", **mount}]}
    with pytest.raises(ConfigError, match=message):
        volume_mounts(files_of(tmp_path, wanted), wanted, container, {"UP": ".."}, isolates=False)


# Probes: results to verdicts


@pytest.mark.parametrize(
    ("successes", "failures", "results", "verdicts"),
    [
        (1, 3, "....", "++++"),
        (1, 3, "xxx", "  -"),
        (1, 1, "x.x", "-+-"),
        (1, 3, ".xx.xxx", "++++++-"),
        (2, 3, "....", " +++"),
        (3, 2, "..x...", "     +"),
        (2, 2, "..x.x.xx..", " ++++++--+"),
    ],
)
def test_thresholds(successes: int, failures: int, results: str, verdicts: str) -> None:
    """Dots succeed and crosses fail; plus and minus are the verdict after each, blank while there is none."""
    rule = ProbeRule.of({"successThreshold": successes, "failureThreshold": failures})
    tally, seen = Tally(), ""
    for result in results:
        tally = tally.add(rule, result=result == ".")
        seen += {True: "+", False: "-", None: " "}[tally.verdict]
    assert seen == verdicts


# Phases and what kubectl shows of containers

RUNNING, EXITED, CREATED = ContainerState.RUNNING, ContainerState.EXITED, ContainerState.CREATED
WORDS = {"run": (RUNNING, 0), "ok": (EXITED, 0), "bad": (EXITED, 3), "new": (CREATED, 0)}


def seen(wanted: Obj, *, ready: bool = True, sandbox: bool = True, **words: str) -> View:
    """The pod's containers by name, each in one word."""
    by_name = {}
    for container in spec.all_containers(wanted):
        if (word := words.get(container["name"])) is None:
            continue
        state, code = WORDS[word]
        made = ContainerSpec(name=container["name"], image="app:1", spec_hash=spec.container_hash(container))
        name = container["name"]
        by_name[name] = [Container(f"id-{name}", "box", "u-1", made, state, NOW - 9, NOW - 8, NOW - 1, code)]
    up = frozenset(f"id-{name}" for name, word in words.items() if word == "run")
    box = Sandbox("box", SandboxSpec("u-1", "default", "web", 0), "10.1.0.7", NOW - 10, sandbox)
    return View(sandboxes=(box,), containers=by_name, started=up, ready=up if ready else frozenset())


def reported(wanted: Obj, view: View, *, ending: bool = False) -> Obj:
    waiting = plan(wanted, view, NOW).waiting
    facts = Facts("10.0.0.1", "simulated", NOW - 10, NOW, waiting, ending=ending)
    return pod_status(wanted, view, facts)


def duo(policy: str, **more: Any) -> Obj:
    return pod(restartPolicy=policy, **more) | {
        "spec": {**pod(**more)["spec"], "restartPolicy": policy, "containers": [{"name": "a"}, {"name": "b"}]}
    }


@pytest.mark.parametrize(
    ("policy", "a", "b", "phase"),
    [
        ("Always", "run", "run", "Running"),
        ("Always", "run", "bad", "Running"),
        ("Always", "ok", "ok", "Running"),
        ("Always", "bad", "bad", "Running"),
        ("Always", "run", "", "Pending"),
        ("Always", "run", "new", "Pending"),
        ("Always", "", "", "Pending"),
        ("OnFailure", "run", "bad", "Running"),
        ("OnFailure", "ok", "bad", "Running"),
        ("OnFailure", "bad", "bad", "Running"),
        ("OnFailure", "ok", "ok", "Succeeded"),
        ("OnFailure", "run", "ok", "Running"),
        ("Never", "run", "bad", "Running"),
        ("Never", "ok", "bad", "Failed"),
        ("Never", "ok", "ok", "Succeeded"),
        ("Never", "bad", "bad", "Failed"),
        ("Never", "ok", "", "Pending"),
    ],
)
def test_the_phase_follows_policy_and_containers(policy: str, a: str, b: str, phase: str) -> None:
    wanted = duo(policy)
    words = {name: word for name, word in (("a", a), ("b", b)) if word}
    assert reported(wanted, seen(wanted, **words))["phase"] == phase


@pytest.mark.parametrize(
    ("a", "b", "phase"),
    [("ok", "ok", "Succeeded"), ("ok", "bad", "Failed"), ("bad", "bad", "Failed"), ("ok", "", "Failed")],
)
@pytest.mark.parametrize("policy", ["Always", "OnFailure", "Never"])
def test_a_pod_that_ends_says_how_whatever_its_policy(policy: str, a: str, b: str, phase: str) -> None:
    wanted = duo(policy)
    words = {name: word for name, word in (("a", a), ("b", b)) if word}
    assert reported(wanted, seen(wanted, sandbox=False, **words), ending=True)["phase"] == phase


@pytest.mark.parametrize("before", ["Succeeded", "Failed"])
def test_an_end_is_for_good(before: str) -> None:
    wanted = duo("Always") | {"status": {"phase": before}}
    assert reported(wanted, seen(wanted, a="run", b="run"))["phase"] == before


INIT = {"name": "init", "image": "app:1"}
SIDE = {"name": "side", "image": "app:1", "restartPolicy": "Always"}


@pytest.mark.parametrize(
    ("policy", "init", "phase", "initialized"),
    [
        ("Always", "", "Pending", False),
        ("Always", "run", "Pending", False),
        ("Always", "bad", "Pending", False),
        ("OnFailure", "bad", "Pending", False),
        ("Never", "bad", "Failed", False),
        ("Never", "run", "Pending", False),
        ("Always", "ok", "Pending", True),
    ],
)
def test_init_containers_hold_the_pod_pending(policy: str, init: str, phase: str, initialized: bool) -> None:
    wanted = pod(restartPolicy=policy, initContainers=[INIT])
    status = reported(wanted, seen(wanted, **({"init": init} if init else {})))
    assert status["phase"] == phase
    said = next(item for item in status["conditions"] if item["type"] == "Initialized")
    assert (said["status"] == "True") is initialized
    if not initialized:
        assert said["reason"] == "ContainersNotInitialized"
        assert said["message"] == "containers with incomplete status: [init]"


@pytest.mark.parametrize(
    ("words", "reason"),
    [({}, "PodInitializing"), ({"init": "ok"}, "ContainerCreating")],
    ids=["while init containers run", "afterwards"],
)
def test_why_app_containers_wait(words: dict[str, str], reason: str) -> None:
    wanted = pod(initContainers=[INIT])
    (main,) = reported(wanted, seen(wanted, **words))["containerStatuses"]
    assert main["state"] == {"waiting": {"reason": reason}}


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("ok", {"exitCode": 0, "reason": "Completed"}),
        ("bad", {"exitCode": 3, "reason": "Error"}),
    ],
)
def test_an_ended_container_says_how(word: str, expected: Obj) -> None:
    wanted = pod(restartPolicy="Never")
    (main,) = reported(wanted, seen(wanted, main=word))["containerStatuses"]
    ended = main["state"]["terminated"]
    assert expected.items() <= ended.items()
    assert (ended["startedAt"], ended["finishedAt"]) == ("2027-01-15T07:59:52Z", "2027-01-15T07:59:59Z")
    assert ended["containerID"] == "simulated://id-main"


@pytest.mark.parametrize(("ready", "sandbox"), list(itertools.product([True, False], repeat=2)))
def test_conditions_of_a_running_pod(ready: bool, sandbox: bool) -> None:
    wanted = pod(initContainers=[SIDE])
    view = seen(wanted, ready=ready, sandbox=sandbox, main="run", side="run")
    said = {item["type"]: item["status"] for item in reported(wanted, view)["conditions"]}
    word = "True" if ready else "False"
    assert said["Ready"] == said["ContainersReady"] == word
    assert said["PodReadyToStartContainers"] == ("True" if sandbox else "False")
    assert said["PodScheduled"] == "True"


def test_an_unready_sidecar_makes_the_pod_unready() -> None:
    wanted = pod(initContainers=[SIDE])
    view = seen(wanted, main="run", side="run")
    without = View(view.sandboxes, view.containers, view.started, frozenset({"id-main"}))
    said = next(item for item in reported(wanted, without)["conditions"] if item["type"] == "ContainersReady")
    assert said["message"] == "containers with unready status: [side]"


@pytest.mark.parametrize(
    ("present", "message"),
    [
        ([], 'corresponding condition of pod readiness gate "lb" does not exist.'),
        ([{"type": "lb", "status": "False"}], 'the status of pod readiness gate "lb" is not "True", but False'),
    ],
)
def test_readiness_gates_are_named(present: list[Obj], message: str) -> None:
    wanted = pod(readinessGates=[{"conditionType": "lb"}]) | {"status": {"conditions": present}}
    status = reported(wanted, seen(wanted, main="run"))
    said = next(item for item in status["conditions"] if item["type"] == "Ready")
    assert (said["status"], said["reason"], said["message"]) == ("False", "ReadinessGatesNotReady", message)
    assert set(conditions.OWNED) == {item["type"] for item in status["conditions"]}


# Reading a spec


@pytest.mark.parametrize(
    ("metadata", "fields", "expected"),
    [
        ({}, {}, 30),
        ({}, {"terminationGracePeriodSeconds": 5}, 5),
        ({}, {"terminationGracePeriodSeconds": 0}, 0),
        ({"deletionTimestamp": "x", "deletionGracePeriodSeconds": 2}, {"terminationGracePeriodSeconds": 5}, 2),
        ({"deletionTimestamp": "x", "deletionGracePeriodSeconds": 0}, {}, 0),
        ({"deletionTimestamp": "x"}, {"terminationGracePeriodSeconds": 5}, 5),
        ({"deletionGracePeriodSeconds": 2}, {}, 30),
    ],
)
def test_the_grace_is_that_of_the_deletion_or_else_of_the_spec(metadata: Obj, fields: Obj, expected: int) -> None:
    assert spec.grace_seconds({"metadata": metadata, "spec": fields}) == expected


@pytest.mark.parametrize(
    "query",
    [{"tailLines": "many"}, {"sinceSeconds": "1.5"}, {"sinceTime": "yesterday"}, {"limitBytes": "x"}],
)
def test_log_options_that_mean_nothing(query: dict[str, str]) -> None:
    with pytest.raises(logs.LogRefusal) as refusal:
        logs.options(query, NOW)
    assert refusal.value.code == 400
