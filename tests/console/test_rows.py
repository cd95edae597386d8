"""Objects as rows: kubectl's words with a tone, times as seconds, and cells that sort as people expect."""

from __future__ import annotations

from typing import Any

import pytest

from homeostat.api.catalogue import Catalogue
from homeostat.console.rows import layout
from homeostat.console.rows.layout import Layout, TableLayout
from homeostat.console.rows.sorting import number_in, sort_key
from homeostat.console.rows.status_words import status_of
from homeostat.console.rows.trimmed import Packing, trim

NOW = 1_800_000_000.0


def made(group: str, version: str, plural: str) -> Layout:
    catalogue = Catalogue.builtin()
    kind = catalogue.by_resource(group, version, plural)
    assert kind is not None
    return Layout(group, plural, catalogue.resource(kind).printer)


def pod(phase: str = "Running", *, ready: bool = True, state: Any = None, last: Any = None, **meta: Any) -> Any:
    container = {
        "name": "a",
        "ready": ready,
        "restartCount": 1,
        "state": state or {"running": {}},
        "lastState": last or {},
    }
    status = {"phase": phase, "containerStatuses": [container]}
    if ready:
        status["conditions"] = [{"type": "Ready", "status": "True"}]
    return {"metadata": {"name": "p", **meta}, "spec": {"containers": [{"name": "a"}]}, "status": status}


def waiting(reason: str) -> Any:
    return {"waiting": {"reason": reason}}


def scaled(want: int, **status: Any) -> Any:
    return {"spec": {"replicas": want}, "status": status}


def ended(code: int, **more: Any) -> Any:
    return {"terminated": {"exitCode": code, **more}}


@pytest.mark.parametrize(
    ("obj", "word", "tone"),
    [
        (pod(), "Running", "ok"),
        (pod(ready=False), "Running", "change"),
        (pod(ready=False, state=ended(137, reason="Error")), "Terminated 137", "trouble"),
        (pod(ready=False, state={"waiting": {}}, last=ended(1)), "Terminated 1", "trouble"),
        (pod(last=ended(137)), "Running", "ok"),
        (pod(ready=False, state=waiting("CrashLoopBackOff"), last=ended(1)), "CrashLoopBackOff", "trouble"),
        (pod("Pending", ready=False, state=waiting("ContainerCreating")), "ContainerCreating", "change"),
        (pod("Pending", ready=False, state=waiting("ErrImagePull")), "ErrImagePull", "trouble"),
        (pod("Succeeded", ready=False, state=ended(0, reason="Completed")), "Completed", "idle"),
        (pod("Failed", ready=False, state=ended(2, reason="Error")), "Error", "trouble"),
        (pod(deletionTimestamp="2026-01-01T00:00:00Z"), "Terminating", "change"),
        ({"status": {"phase": "Pending", "conditions": [
            {"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}]}}, "Pending", "trouble"),
        ({"spec": {"initContainers": [{"name": "i"}]}, "status": {"phase": "Pending", "initContainerStatuses": [
            {"name": "i", "state": {"running": {}}}]}}, "Init:0/1", "change"),
        ({"spec": {"initContainers": [{"name": "i"}]}, "status": {"phase": "Pending", "initContainerStatuses": [
            {"name": "i", "state": ended(1, reason="Error")}]}}, "Init:Error", "trouble"),
    ],
)  # fmt: skip
def test_a_pod(obj: Any, word: str, tone: str) -> None:
    assert status_of("", "pods", obj) == (word, tone)


def conditions(**states: str) -> Any:
    return {"conditions": [{"type": name, "status": status} for name, status in states.items()]}


@pytest.mark.parametrize(
    ("place", "obj", "word", "tone"),
    [
        (("", "nodes"), {"status": conditions(Ready="True")}, "Ready", "ok"),
        (("", "nodes"), {"status": conditions(Ready="False")}, "Unhealthy (NotReady)", "trouble"),
        (("", "nodes"), {"status": conditions(Ready="Unknown")}, "Unhealthy (NotReady)", "trouble"),
        (("", "nodes"), {}, "Unhealthy (NotReady)", "trouble"),
        (("", "nodes"), {"spec": {"unschedulable": True}, "status": conditions(Ready="True")},
         "SchedulingDisabled", "change"),
        (("apps", "deployments"), scaled(2, replicas=2, updatedReplicas=2, availableReplicas=2),
         "Available", "ok"),
        (("apps", "deployments"), scaled(2, replicas=3, updatedReplicas=2, availableReplicas=2),
         "Progressing", "change"),
        (("apps", "deployments"), scaled(2, replicas=2, **conditions(Available="False")),
         "Unavailable", "trouble"),
        (("apps", "deployments"), {"metadata": {"generation": 2}, **scaled(0, observedGeneration=1)},
         "Progressing", "change"),
        (("apps", "deployments"), scaled(0), "Scaled to 0", "idle"),
        (("apps", "replicasets"), scaled(1, **conditions(ReplicaFailure="True")), "ReplicaFailure", "trouble"),
        (("apps", "daemonsets"), {"status": {"desiredNumberScheduled": 2, "numberReady": 1}}, "Progressing", "change"),
        (("batch", "jobs"), {"status": conditions(Complete="True")}, "Complete", "idle"),
        (("batch", "jobs"), {"status": conditions(Failed="True")}, "Failed", "trouble"),
        (("batch", "cronjobs"), {"spec": {"suspend": True}}, "Suspended", "idle"),
        (("", "persistentvolumeclaims"), {"status": {"phase": "Bound"}}, "Bound", "ok"),
        (("", "persistentvolumeclaims"), {"status": {"phase": "Lost"}}, "Lost", "trouble"),
        (("", "persistentvolumeclaims"), {}, "Pending", "change"),
        (("", "events"), {"type": "Warning"}, "Warning", "trouble"),
        (("", "services"), {"spec": {"type": "LoadBalancer"}}, "Pending", "change"),
        (("", "services"), {"spec": {"type": "ClusterIP"}}, "", "ok"),
        (("", "configmaps"), {"data": {}}, "", "ok"),
        (("apiextensions.k8s.io", "customresourcedefinitions"), {"status": conditions(Established="True")},
         "Established", "ok"),
        (("example.com", "things"), {"status": conditions(Ready="False")}, "NotReady", "trouble"),
        (("example.com", "things"), {"status": {"phase": "Failed"}}, "Failed", "trouble"),
        (("example.com", "things"), {"status": "odd"}, "", "ok"),
        (("example.com", "things"), {"status": {"conditions": "odd", "phase": 5}}, "", "ok"),
        (("example.com", "things"), {"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}},
         "Terminating", "change"),
    ],
)  # fmt: skip
def test_other_kinds(place: tuple[str, str], obj: Any, word: str, tone: str) -> None:
    assert status_of(*place, obj) == (word, tone)


def test_cells_are_kubectls_but_for_times_and_the_status() -> None:
    pods = made("", "v1", "pods")
    assert [(column.name, column.kind, column.wide) for column in pods.columns[:6]] == [
        ("Name", "text", False), ("Ready", "text", False), ("Status", "status", False), ("Restarts", "number", False),
        ("Age", "age", False), ("IP", "text", True),
    ]  # fmt: skip
    obj = pod(
        ready=False,
        state=ended(137),
        last=ended(1, finishedAt="2027-01-15T07:59:00Z"),
        creationTimestamp="2027-01-15T07:00:00Z",
    )
    cells = pods.cells(obj, "Terminated 137", NOW)
    assert cells[:5] == ("p", "0/1", "Terminated 137", "1 (60s ago)", 1_799_996_400.0)
    assert pods.is_relative(cells, "Terminated 137") and not pods.is_relative(("p", "1/1", "Running", "0"), "Running")
    events = made("", "v1", "events")
    event = {
        "metadata": {"name": "e"},
        "lastTimestamp": "2027-01-15T08:00:00Z",
        "eventTime": "2027-01-15T07:00:00.000000Z",
    }
    assert events.columns[0].kind == "age" and events.cells(event, "Normal", NOW)[0] == NOW


def test_a_custom_resource_has_the_columns_of_its_definition() -> None:
    columns = [
        {"name": "Size", "type": "integer", "jsonPath": ".spec.size"},
        {"name": "Last Backup", "type": "date", "jsonPath": ".status.lastBackup"},
        {"name": "Odd", "type": "string", "jsonPath": ".spec[?(@.x)]"},
        {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp", "priority": 1},
    ]
    definition = {"spec": {"versions": [{"name": "v1", "additionalPrinterColumns": columns}, {"name": "v2"}]}}
    found = layout.defined("example.com", "v1", "things", definition)
    assert [(column.name, column.kind, column.wide) for column in found.columns] == [
        ("Name", "text", False), ("Size", "number", False), ("Last Backup", "age", False), ("Age", "age", True),
    ]  # fmt: skip
    thing = {
        "metadata": {"name": "t", "creationTimestamp": "2027-01-15T08:00:00Z"},
        "spec": {"size": 3},
        "status": {"lastBackup": "x"},
    }
    assert found.cells(thing, "", NOW) == ("t", 3, None, NOW)
    assert [column.name for column in layout.defined("example.com", "v2", "things", definition).columns] == [
        "Name",
        "Age",
    ]


def test_a_table_gives_the_cells_where_no_definition_can_be_read() -> None:
    columns = [{"name": "Name", "type": "string"}, {"name": "Size", "type": "integer"}, {"name": "Age", "priority": 1}]
    table = TableLayout("example.com", "things", columns)
    obj = {"metadata": {"name": "t", "creationTimestamp": "2027-01-15T08:00:00Z"}}
    assert table.given(["t", 3, "5m"], obj, "") == ("t", 3, NOW)
    assert table.given(["t", {"odd": 1}, "5m"], obj, "")[1] == "{'odd': 1}"


@pytest.mark.parametrize(
    ("cells", "kind"),
    [
        (["1", "2", "10", "<none>"], "text"),
        (["web-1", "web-2", "web-10"], "text"),
        (["0/3", "1/3", "2/3", "3/3"], "text"),
        (["100m", "1", "1500m", "2"], "text"),
        (["1Ki", "1Mi", "1Gi", "20Gi"], "text"),
        (["5s", "2m", "3m30s", "2h", "3d4h", "1y2d"], "duration"),
        (["0", "2 (5m ago)", "10 (3s ago)"], "number"),
        ([1, 2, 10, None], "number"),
        ([False, True], "text"),
        ([NOW, NOW - 5, NOW - 500, None], "age"),
        (["10.0.0.2", "10.0.0.10"], "text"),
        (["Pending", "Running"], "status"),
    ],
)
def test_cells_sort_as_people_expect(cells: list[Any], kind: str) -> None:
    keys = [sort_key(cell, kind) for cell in cells]
    assert keys == sorted(keys) and len(set(keys)) == len(keys)


@pytest.mark.parametrize("text", ["", "a", "-", "1x", "1.2.3", "9" * 400, "1/", "/1", "²"])
def test_what_is_no_number_sorts_as_text(text: str) -> None:
    found = number_in(text)
    assert found is None or text == "9" * 400
    sort_key(text, "text")


def test_what_is_packed_comes_out_as_it_was_and_small() -> None:
    packing = Packing()
    pods = [trim("", "pods", pod(uid=f"{number:032x}", managedFields=[{"manager": "x" * 500}])) for number in range(50)]
    packed = [packing.pack(each) for each in pods]
    assert [packing.unpack(each) for each in packed] == pods
    assert max(map(len, packed[1:])) < 150
    assert "managedFields" not in pods[0]["metadata"]


@pytest.mark.parametrize(
    "data", [{"a": "aGk="}, {"a": "no base64!"}, {"a": None}, {"a": {"b": "aGk="}}, ["aGk="], "aGk="]
)
def test_no_shape_of_a_secret_keeps_a_value(data: Any) -> None:
    secret = trim("", "secrets", {"metadata": {"name": "s"}, "data": data, "stringData": data})
    assert "aGk=" not in str(secret) and "no base64" not in str(secret)
