"""What `why`, `events`, `status`, `kubeconfig`, `drill list` and the small commands print."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
import pytest

from homeostat.api.errors import ApiError, forbidden
from homeostat.client.contract import Unreachable, WatchEvent
from homeostat.cluster.state_folder import Folder, LabError
from homeostat.kit import clock
from homeostat.kit.clock import rfc3339
from homeostat.operate import cluster_status

from .conftest import Api, Command

Obj = dict[str, Any]


def entry(revision: int, kind: str, name: str, *seen: int, loop: str = "", note: str = "", **more: Any) -> Obj:
    cause = {"loop": loop, "note": note, "seen": [{"revision": number} for number in seen]}
    fields = {"namespace": "default", "verb": "MODIFIED", "summary": "", "time": 100.0 + revision, **more}
    return {"revision": revision, "kind": kind, "name": name, "cause": cause, **fields}


STORY = [
    entry(10, "Pod", "web-1", loop="kubelet/worker-1", note="container main ended", summary="not ready"),
    entry(11, "EndpointSlice", "web-x", 10, loop="controller-manager/endpointslice", note="ready: -10.1.0.1"),
    entry(12, "ConfigMap", "else", loop="user/kubectl"),
    entry(14, "Deployment", "web", 10, loop="controller-manager/deployment"),
]


# why


def test_why_shows_causes_the_write_itself_and_its_consequences(command: Command, api: Api) -> None:
    api.journal = STORY
    said = command("why", "EndpointSlice/web-x")
    assert said.code == 0
    assert said.out.splitlines() == [
        "      +0.000 s  Pod default/web-1 modified (not ready)  <- kubelet/worker-1: container main ended",
        "=>    +1.000 s  EndpointSlice default/web-x modified  <- controller-manager/endpointslice: ready: -10.1.0.1",
    ]
    assert api.closed == 1


def test_why_shows_consequences_of_a_cause(command: Command, api: Api) -> None:
    api.journal = STORY
    lines = command("why", "pod/web-1").out.splitlines()
    assert [line[:2] for line in lines] == ["=>", "  ", "  "]
    assert "ConfigMap" not in "".join(lines)


def test_why_as_json_gives_the_entries_as_they_were_recorded(command: Command, api: Api) -> None:
    api.journal = STORY
    assert orjson.loads(command("why", "pod/web-1", "-o", "json").out) == [STORY[0], STORY[1], STORY[3]]


def test_why_of_a_kind_without_namespaces_asks_for_none(command: Command, api: Api) -> None:
    api.journal = [entry(3, "Node", "worker-1", loop="kubelet/worker-1", namespace="")]
    assert "Node worker-1 modified" in command("why", "node/worker-1").out
    assert api.asked[0].get("namespace") is None


@pytest.mark.parametrize(
    "words", [("deploy/web",), ("deploy", "web"), ("Deployment", "web"), ("deployments.apps/web",)], ids=" ".join
)
def test_why_takes_an_object_in_kubectls_words(command: Command, api: Api, words: tuple[str, ...]) -> None:
    api.journal = STORY
    assert "=>    +4.000 s  Deployment default/web modified" in command("why", *words).out


def test_why_of_something_that_nobody_wrote(command: Command, api: Api) -> None:
    said = command("why", "pod/typo", "-n", "team")
    assert said.complaint == "homeostat: nothing is recorded about pod/typo in namespace 'team'; is the name right?"
    assert api.closed == 1


def test_why_does_not_show_the_object_of_another_namespace(command: Command, api: Api) -> None:
    api.journal = STORY
    said = command("why", "deploy/web", "-n", "nope")
    assert said.out == "" and said.code == 1
    assert said.complaint == (
        "homeostat: nothing is recorded about deployment/web in namespace 'nope'; it is in 'default': -n default"
    )


def test_why_of_an_entry_that_the_journal_has_dropped_since(command: Command, api: Api) -> None:
    """The entry about the object is shown by itself when the journal's window no longer reaches it."""
    old = entry(1, "Pod", "web-1", loop="user/kubectl")

    async def raw(request: Any) -> Any:
        from homeostat.wire.message import Response

        items = [old] if "name" in request.query else []
        return Response(200, body=orjson.dumps({"items": items}))

    api.raw = raw  # type: ignore[method-assign]
    assert command("why", "pod/web-1").out.startswith("=>    +0.000 s  Pod default/web-1 modified")


@pytest.mark.parametrize("words", [("why", "pod/x"), ("events",)], ids=" ".join)
@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (forbidden("pods", "", "x", "no"), "homeostat: the API server says: "),
        (Unreachable("connect to 127.0.0.1:6443: refused"), "homeostat: the API cannot be reached (connect to"),
        (ApiError(500, "InternalError", "the disk is full"), "homeostat: the API server says: the disk is full"),
    ],
    ids=["refused", "unreachable", "broken"],
)
def test_an_error_of_the_api_is_one_line(
    command: Command, api: Api, words: tuple[str, ...], error: Exception, expected: str
) -> None:
    api.error = error
    assert command(*words).complaint.startswith(expected)
    assert api.closed == 1


# events


def event(name: str, age: float, *, namespace: str = "default", **more: Any) -> Obj:
    moment = rfc3339(clock.wall() - age)
    return {
        "metadata": {"name": name, "namespace": namespace, "creationTimestamp": moment, "resourceVersion": "1"},
        "involvedObject": {"kind": "Pod", "namespace": namespace, "name": "web"},
        "type": "Normal",
        "reason": name,
        "message": f"{name} happened",
        "lastTimestamp": moment,
        **more,
    }


def reasons(out: str) -> list[str]:
    return [line.split()[4] for line in out.splitlines()]


def test_events_are_printed_newest_last_with_age_and_count(command: Command, api: Api) -> None:
    api.objects["Event"] = [event("Late", 5), event("Early", 100, count=4, type="Warning"), event("Middle", 50)]
    lines = command("events").out.splitlines()
    assert reasons("\n".join(lines)) == ["Early", "Middle", "Late"]
    assert lines[0].endswith("Pod default/web  Early happened (x4)")
    assert "Warning" in lines[0]
    assert "(x" not in lines[1]
    assert 100 <= int(lines[0].split()[0]) <= 110


def test_tail_keeps_the_newest(command: Command, api: Api) -> None:
    api.objects["Event"] = [event(f"E{age}", age) for age in (1, 2, 3, 4, 5)]
    assert reasons(command("events", "--tail", "2").out) == ["E2", "E1"]


def test_a_namespace_narrows_the_events(command: Command, api: Api) -> None:
    api.objects["Event"] = [event("Here", 1), event("There", 2, namespace="team")]
    assert reasons(command("events", "-n", "team").out) == ["There"]


def test_events_of_a_namespace_that_does_not_exist_are_an_error(command: Command, api: Api) -> None:
    api.objects["Namespace"] = [{"metadata": {"name": name}} for name in ("default", "team")]
    assert command("events", "-n", "nope").complaint == "homeostat: there is no namespace 'nope'"
    assert command("events", "-n", "taem").complaint.endswith("; did you mean 'team'?")
    empty = command("events", "-n", "team")
    assert (empty.out, empty.err, empty.code) == ("", "no events in namespace 'team'\n", 0)
    assert command("events").err == "no events\n"


@pytest.mark.parametrize(
    "times",
    [
        {"lastTimestamp": None, "eventTime": "micro"},
        {"lastTimestamp": None, "eventTime": None},
    ],
    ids=["event time", "creation time"],
)
def test_events_of_the_newer_api_have_their_time_too(command: Command, api: Api, times: Obj) -> None:
    newer = event("Newer", 10)
    moment = newer["lastTimestamp"]
    newer |= {name: moment.replace("Z", ".000001Z") if value else None for name, value in times.items()}
    api.objects["Event"] = [newer, event("Older", 20)]
    assert reasons(command("events").out) == ["Older", "Newer"]


def test_events_as_json_are_one_object_a_line(command: Command, api: Api) -> None:
    api.objects["Event"] = [event("A", 2), event("B", 1)]
    lines = command("events", "-o", "json").out.splitlines()
    assert [orjson.loads(line)["reason"] for line in lines] == ["A", "B"]


def test_followed_events_go_on_until_the_user_has_seen_enough(command: Command, api: Api) -> None:
    api.objects["Event"] = [event("First", 1)]
    api.changes = [WatchEvent("ADDED", event("New", 0)), WatchEvent("DELETED", event("Gone", 0))]
    said = command("events", "-f")
    assert reasons(said.out) == ["First", "New"]
    assert said.code == 130


# status and node list


def asked(answers: dict[str, Obj]) -> Callable[..., Any]:
    async def ask(path: Any, order: Obj, *, timeout_seconds: float = 0.0) -> Obj:
        if path.name not in answers:
            raise LabError("no answer")
        return answers[path.name]

    return ask


@pytest.fixture
def running(monkeypatch: pytest.MonkeyPatch, saved: Callable[..., Folder], api: Api) -> Api:
    """One master and one worker; both on, both Ready."""
    saved(control_planes=1, workers=1)
    children = [{"node": name, "wanted": True} for name in ("master-1", "worker-1")]
    monkeypatch.setattr(
        cluster_status,
        "ask_async",
        asked({"supervisor.sock": {"children": children}, "network.sock": {"cut": {}}}),
    )
    api.objects["Node"] = [node("master-1"), node("worker-1")]
    api.objects["Pod"] = [control_pod("kube-apiserver-master-1")]
    return api


def node(name: str, ready: str = "True") -> Obj:
    return {"metadata": {"name": name}, "status": {"conditions": [{"type": "Ready", "status": ready}]}}


def control_pod(name: str, restarts: int = 0) -> Obj:
    conditions = [{"type": "Ready", "status": "True"}]
    statuses = [{"restartCount": restarts}]
    return {
        "metadata": {"name": name, "namespace": "kube-system"},
        "spec": {"nodeName": "master-1"},
        "status": {"conditions": conditions, "containerStatuses": statuses},
    }


def test_a_cluster_that_is_well_says_so(command: Command, running: Api) -> None:
    said = command("status")
    assert said.code == 0
    lines = [line.split() for line in said.out.splitlines()]
    assert [line[:2] for line in lines[2:4]] == [["master-1", "Ready"], ["worker-1", "Ready"]]
    assert lines[-1] == ["kube-apiserver-master-1", "yes", "0"]


@pytest.mark.parametrize(
    ("nodes", "trouble"),
    [
        ([node("master-1"), node("worker-1", "Unknown")], "worker-1    NotReady"),
        ([node("master-1"), node("worker-1", "False")], "worker-1    NotReady"),
        ([node("master-1")], "worker-1    unknown"),
        ([node("master-1"), {"metadata": {"name": "worker-1"}}], "worker-1    NotReady"),
    ],
    ids=["silent", "not ready", "never registered", "without status"],
)
def test_a_node_that_is_not_ready_makes_the_exit_code_1(
    command: Command, running: Api, nodes: list[Obj], trouble: str
) -> None:
    running.objects["Node"] = nodes
    said = command("status")
    assert trouble in said.out
    assert said.code == 1


def test_nodes_that_are_off_or_cut_are_shown_differently(
    command: Command, running: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    children = [{"node": "master-1", "wanted": True}, {"node": "worker-1", "wanted": False}]
    answers = {"supervisor.sock": {"children": children}, "network.sock": {"cut": {"master-1": 59.7}}}
    monkeypatch.setattr(cluster_status, "ask_async", asked(answers))
    lines = command("node", "list").out.splitlines()
    assert lines[1].endswith("cut off; heals by itself in 60 s")
    assert lines[2].endswith("turned off")


@pytest.mark.parametrize(
    ("wanted", "cut", "reason"), [(False, {}, "TurnedOff"), (True, {"master-1": 50.0}, "CutOff")], ids=["off", "cut"]
)
def test_what_the_supervisor_knows_counts_before_the_api_has_noticed(
    command: Command, running: Api, monkeypatch: pytest.MonkeyPatch, wanted: bool, cut: Obj, reason: str
) -> None:
    children = [{"node": "master-1", "wanted": wanted}, {"node": "worker-1", "wanted": True}]
    answers = {"supervisor.sock": {"children": children}, "network.sock": {"cut": cut}}
    monkeypatch.setattr(cluster_status, "ask_async", asked(answers))
    said = command("status")
    lines = [line.split() for line in said.out.splitlines()]
    assert said.code == 1
    assert [line[:2] for line in lines[2:4]] == [["master-1", "NotReady"], ["worker-1", "Ready"]]
    assert lines[-1] == ["kube-apiserver-master-1", "no", "0"]
    (master, _) = orjson.loads(command("status", "-o", "json").out)["nodes"]
    assert (master["ready"], master["reason"]) == ("Unknown", reason)


def test_an_api_that_does_not_answer_is_reported_with_what_is_known(command: Command, running: Api) -> None:
    running.error = Unreachable("nobody answers")
    said = command("status")
    assert "the API does not answer: nobody answers" in said.out
    assert "worker-1    unknown" in said.out
    assert said.code == 1


def test_a_cluster_that_does_not_run_says_so_and_its_status_is_still_json(
    command: Command, saved: Callable[..., Folder]
) -> None:
    saved()
    said = command("status", "-o", "json")
    state = orjson.loads(said.out)
    assert (said.code, state["running"], state["healthy"], state["nodes"]) == (1, False, False, [])
    assert "the cluster is not running" in state["trouble"]
    assert "the cluster is not running" in command("status").out


def test_the_status_as_json_has_all_of_it(command: Command, running: Api) -> None:
    state = orjson.loads(command("status", "-o", "json").out)
    assert state["healthy"] is True
    assert {row["name"]: row["ready"] for row in state["nodes"]} == {"master-1": "True", "worker-1": "True"}
    assert all(row["on"] and row["address"] and row["cutForSeconds"] == 0 for row in state["nodes"])


# the small ones


def test_the_kubeconfig_is_printed_as_it_is(command: Command, saved: Callable[..., Folder]) -> None:
    folder = saved()
    folder.kubeconfig.write_text("apiVersion: v1\n")
    assert command("kubeconfig").out == "apiVersion: v1\n"
    folder.kubeconfig.unlink()
    assert "`homeostat up --name homeostat` writes it again" in command("kubeconfig").complaint


def test_the_name_may_come_from_the_environment(
    command: Command, saved: Callable[..., Folder], monkeypatch: pytest.MonkeyPatch
) -> None:
    saved("second").kubeconfig.write_text("second\n")
    monkeypatch.setenv("HOMEOSTAT_NAME", "second")
    assert command("kubeconfig").out == "second\n"
    assert "no cluster 'first'" in command("kubeconfig", "--name", "first").complaint


def test_drills_are_listed_with_and_without_a_cluster(command: Command, saved: Callable[..., Folder]) -> None:
    before = command("drill", "list")
    assert before.code == 0
    saved()
    assert command("drill", "list").out == before.out
    names = [line.split()[0] for line in before.out.splitlines()]
    assert names[-1] == "first"
    assert {"container", "api-server", "node", "node-long"} <= set(names)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts_call_the_command_back(command: Command, shell: str) -> None:
    said = command("completion", shell)
    assert said.code == 0
    assert "_HOMEOSTAT_COMPLETE" in said.out


def test_the_version_names_both(command: Command) -> None:
    assert command("version").out.startswith("homeostat ")
    assert "Kubernetes API v1.36" in command("version").out
