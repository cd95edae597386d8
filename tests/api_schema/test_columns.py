"""What `kubectl get` and `kubectl get -o wide` show of every kind that has columns of its own."""

from __future__ import annotations

import pytest

from homeostat.api import kinds
from homeostat.api.catalogue import Catalogue
from homeostat.api.printing import tables

NOW = 1767225600.0 + 600  # ten minutes into 2026
MADE = "2026-01-01T00:00:00Z"


def printer(kind):
    return Catalogue.builtin().resource(kind).printer


def definitions(kind):
    return [column.definition() for column in printer(kind).columns]


def rows(kind, obj, now):
    return printer(kind).cells(obj, now)


def cells(kind, obj, *, wide=False):
    """The cells of an object's row that are shown."""
    whole = {**obj, "metadata": {"name": "x", "creationTimestamp": MADE, **obj.get("metadata", {})}}
    columns, row = definitions(kind), rows(kind, whole, NOW)
    assert len(columns) == len(row)
    return [cell for column, cell in zip(columns, row, strict=True) if wide or not column["priority"]]


def headings(kind, *, wide):
    return [column["name"].upper() for column in definitions(kind) if wide or not column["priority"]]


@pytest.mark.parametrize(
    ("kind", "narrow", "wide"),
    [
        ("pods", "NAME READY STATUS RESTARTS AGE", "IP NODE NOMINATED-NODE READINESS-GATES"),
        ("deployments", "NAME READY UP-TO-DATE AVAILABLE AGE", "CONTAINERS IMAGES SELECTOR"),
        ("replicasets", "NAME DESIRED CURRENT READY AGE", "CONTAINERS IMAGES SELECTOR"),
        (
            "daemonsets",
            "NAME DESIRED CURRENT READY UP-TO-DATE AVAILABLE NODE-SELECTOR AGE",
            "CONTAINERS IMAGES SELECTOR",
        ),
        ("statefulsets", "NAME READY AGE", "CONTAINERS IMAGES"),
        ("replicationcontrollers", "NAME DESIRED CURRENT READY AGE", "CONTAINERS IMAGES SELECTOR"),
        ("jobs", "NAME STATUS COMPLETIONS DURATION AGE", "CONTAINERS IMAGES SELECTOR"),
        ("cronjobs", "NAME SCHEDULE TIMEZONE SUSPEND ACTIVE LAST-SCHEDULE AGE", "CONTAINERS IMAGES SELECTOR"),
        ("services", "NAME TYPE CLUSTER-IP EXTERNAL-IP PORT(S) AGE", "SELECTOR"),
        ("endpointslices", "NAME ADDRESSTYPE PORTS ENDPOINTS AGE", ""),
        (
            "nodes",
            "NAME STATUS ROLES AGE VERSION",
            "INTERNAL-IP EXTERNAL-IP OS-IMAGE KERNEL-VERSION CONTAINER-RUNTIME",
        ),
        ("namespaces", "NAME STATUS AGE", ""),
        ("configmaps", "NAME DATA AGE", ""),
        ("secrets", "NAME TYPE DATA AGE", ""),
        ("serviceaccounts", "NAME SECRETS AGE", ""),
        ("leases", "NAME HOLDER AGE", ""),
        ("priorityclasses", "NAME VALUE GLOBAL-DEFAULT AGE PREEMPTIONPOLICY", ""),
        ("poddisruptionbudgets", "NAME MIN-AVAILABLE MAX-UNAVAILABLE ALLOWED-DISRUPTIONS AGE", ""),
        ("roles", "NAME CREATED-AT", None),
        ("clusterroles", "NAME CREATED-AT", None),
        ("rolebindings", "NAME ROLE AGE", "USERS GROUPS SERVICEACCOUNTS"),
        ("clusterrolebindings", "NAME ROLE AGE", "USERS GROUPS SERVICEACCOUNTS"),
        ("networkpolicies", "NAME POD-SELECTOR AGE", ""),
        ("ingresses", "NAME CLASS HOSTS ADDRESS PORTS AGE", ""),
        ("resourcequotas", "NAME REQUEST LIMIT AGE", None),
        ("limitranges", "NAME CREATED-AT", None),
    ],
)
def test_columns(kind, narrow, wide):
    """Names as kubectl prints them: capitals, words joined by hyphens."""
    found = next(each for each in Catalogue.builtin().kinds if each.plural == kind and each.group != "extensions")
    shown = [name.replace(" ", "-") for name in headings(found, wide=False)]
    assert shown == narrow.split()
    if wide is not None:
        every = [name.replace(" ", "-") for name in headings(found, wide=True)]
        assert sorted(every) == sorted([*shown, *wide.split()])


def of(plural, group=""):
    return next(each for each in Catalogue.builtin().kinds if (each.plural, each.group) == (plural, group))


def service(**spec):
    return {"spec": {"type": "ClusterIP", "clusterIPs": ["10.0.0.1"], "clusterIP": "10.0.0.1", **spec}}


@pytest.mark.parametrize(
    ("obj", "row"),
    [
        (service(), ["x", "ClusterIP", "10.0.0.1", "<none>", "<none>", "10m"]),
        (
            service(ports=[{"port": 80, "protocol": "TCP"}, {"port": 53, "protocol": "UDP"}]),
            ["x", "ClusterIP", "10.0.0.1", "<none>", "80/TCP,53/UDP", "10m"],
        ),
        (
            service(type="NodePort", ports=[{"port": 80, "nodePort": 30080, "protocol": "TCP"}]),
            ["x", "NodePort", "10.0.0.1", "<none>", "80:30080/TCP", "10m"],
        ),
        (service(clusterIP="None", clusterIPs=["None"]), ["x", "ClusterIP", "None", "<none>", "<none>", "10m"]),
        (
            service(externalIPs=["203.0.113.1", "203.0.113.2"]),
            ["x", "ClusterIP", "10.0.0.1", "203.0.113.1,203.0.113.2", "<none>", "10m"],
        ),
        (service(type="LoadBalancer"), ["x", "LoadBalancer", "10.0.0.1", "<pending>", "<none>", "10m"]),
        (
            {**service(type="LoadBalancer"), "status": {"loadBalancer": {"ingress": [{"ip": "198.51.100.9"}]}}},
            ["x", "LoadBalancer", "10.0.0.1", "198.51.100.9", "<none>", "10m"],
        ),
        (
            {"spec": {"type": "ExternalName", "externalName": "db.example.com"}},
            ["x", "ExternalName", "<none>", "db.example.com", "<none>", "10m"],
        ),
    ],
)
def test_services(obj, row):
    assert cells(kinds.SERVICE, obj) == row


def test_the_selector_of_a_service_is_shown_wide():
    obj = service(selector={"tier": "b", "app": "a"})
    assert cells(kinds.SERVICE, obj, wide=True)[-1] == "app=a,tier=b"
    assert cells(kinds.SERVICE, service(), wide=True)[-1] == "<none>"


@pytest.mark.parametrize(
    ("obj", "status", "roles"),
    [
        ({}, "Unknown", "<none>"),
        ({"status": {"conditions": [{"type": "Ready", "status": "True"}]}}, "Ready", "<none>"),
        ({"status": {"conditions": [{"type": "Ready", "status": "Unknown"}]}}, "NotReady", "<none>"),
        (
            {"spec": {"unschedulable": True}, "status": {"conditions": [{"type": "Ready", "status": "True"}]}},
            "Ready,SchedulingDisabled",
            "<none>",
        ),
        (
            {
                "metadata": {
                    "labels": {"node-role.kubernetes.io/worker": "", "node-role.kubernetes.io/control-plane": ""}
                }
            },
            "Unknown",
            "control-plane,worker",
        ),
        ({"metadata": {"labels": {"kubernetes.io/role": "edge"}}}, "Unknown", "edge"),
    ],
)
def test_nodes(obj, status, roles):
    assert cells(kinds.NODE, obj)[:3] == ["x", status, roles]


def test_a_node_in_full():
    info = {
        "kubeletVersion": "v1.36.0",
        "osImage": "Debian 13",
        "kernelVersion": "6.12",
        "containerRuntimeVersion": "p://1",
    }
    addresses = [{"type": "Hostname", "address": "x"}, {"type": "InternalIP", "address": "10.1.0.2"}]
    row = cells(kinds.NODE, {"status": {"nodeInfo": info, "addresses": addresses}}, wide=True)
    assert row[4:] == ["v1.36.0", "10.1.0.2", "<none>", "Debian 13", "6.12", "p://1"]
    assert cells(kinds.NODE, {}, wide=True)[5:] == ["<none>", "<none>", "<unknown>", "<unknown>", "<unknown>"]


POD = {
    "spec": {"containers": [{"name": "a", "image": "i"}, {"name": "b", "image": "j"}]},
    "status": {"phase": "Running"},
}


def pod(*statuses, phase="Running", **more):
    status = {"phase": phase, "containerStatuses": list(statuses), **more.pop("status", {})}
    return {**POD, "status": status, **more}


def ran(name, **fields):
    return {"name": name, "ready": True, "restartCount": 0, "state": {"running": {"startedAt": MADE}}, **fields}


def waits(name, reason, **fields):
    return {"name": name, "ready": False, "restartCount": 0, "state": {"waiting": {"reason": reason}}, **fields}


def ended(name, code, reason="", **fields):
    state = {"terminated": {"exitCode": code, **({"reason": reason} if reason else {}), **fields}}
    return {"name": name, "ready": False, "restartCount": 0, "state": state}


@pytest.mark.parametrize(
    ("obj", "ready", "status"),
    [
        (pod(ran("a"), ran("b")), "2/2", "Running"),
        (pod(ran("a"), waits("b", "CrashLoopBackOff")), "1/2", "CrashLoopBackOff"),
        (pod(ran("a"), waits("b", "ImagePullBackOff")), "1/2", "ImagePullBackOff"),
        (pod(ended("a", 1, "Error"), ran("b")), "1/2", "Error"),
        (pod(ended("a", 3), ended("b", 3)), "0/2", "ExitCode:3"),
        (pod(ended("a", 137, signal=9), ended("b", 137, signal=9)), "0/2", "Signal:9"),
        (pod(ended("a", 0, "Completed"), ended("b", 0, "Completed"), phase="Succeeded"), "0/2", "Completed"),
        (pod(phase="Pending"), "0/2", "Pending"),
        (pod(phase="Failed", status={"reason": "Evicted"}), "0/2", "Evicted"),
        (pod(ran("a"), ran("b"), metadata={"deletionTimestamp": MADE}), "2/2", "Terminating"),
        (
            pod(ran("a"), ran("b"), metadata={"deletionTimestamp": MADE}, status={"reason": "NodeLost"}),
            "2/2",
            "Unknown",
        ),
        (
            pod(phase="Pending", status={"conditions": [{"type": "PodScheduled", "status": "False",
                                                          "reason": "SchedulingGated"}]}),
            "0/2",
            "SchedulingGated",
        ),
    ],
)  # fmt: skip
def test_the_status_of_pods(obj, ready, status):
    assert cells(kinds.POD, obj)[1:3] == [ready, status]


@pytest.mark.parametrize(
    ("statuses", "text"),
    [
        ([ran("a"), ran("b")], "0"),
        ([ran("a", restartCount=2), ran("b", restartCount=1)], "3"),
        (
            [ran("a", restartCount=2, lastState={"terminated": {"finishedAt": "2026-01-01T00:05:00Z", "exitCode": 1}}),
             ran("b")],
            "2 (5m ago)",
        ),
        (
            [ran("a", restartCount=1, lastState={"terminated": {"finishedAt": "2026-01-01T00:05:00Z", "exitCode": 1}}),
             ran("b", restartCount=1, lastState={"terminated": {"finishedAt": "2026-01-01T00:09:00Z", "exitCode": 1}})],
            "2 (60s ago)",
        ),
    ],
)  # fmt: skip
def test_restarts_of_pods(statuses, text):
    assert cells(kinds.POD, pod(*statuses))[3] == text


def test_where_a_pod_is():
    obj = pod(ran("a"), status={"podIP": "10.1.0.5", "podIPs": [{"ip": "10.1.0.5"}], "nominatedNodeName": "n2"})
    obj["spec"] = {**obj["spec"], "nodeName": "n1", "readinessGates": [{"conditionType": "a"}, {"conditionType": "b"}]}
    obj["status"]["conditions"] = [{"type": "a", "status": "True"}]
    assert cells(kinds.POD, obj, wide=True)[5:] == ["10.1.0.5", "n1", "n2", "1/2"]
    assert cells(kinds.POD, pod(), wide=True)[5:] == ["<none>", "<none>", "<none>", "<none>"]


TEMPLATE = {"spec": {"containers": [{"name": "a", "image": "i:1"}, {"name": "b", "image": "j:2"}]}}


@pytest.mark.parametrize(
    ("kind", "obj", "row"),
    [
        (
            kinds.DEPLOYMENT,
            {"spec": {"replicas": 3}, "status": {"readyReplicas": 2, "updatedReplicas": 3, "availableReplicas": 1}},
            ["x", "2/3", 3, 1, "10m"],
        ),
        (kinds.DEPLOYMENT, {"spec": {"replicas": 0}, "status": {}}, ["x", "0/0", 0, 0, "10m"]),
        (
            kinds.REPLICASET,
            {"spec": {"replicas": 3}, "status": {"replicas": 2, "readyReplicas": 1}},
            ["x", 3, 2, 1, "10m"],
        ),
        (
            kinds.DAEMONSET,
            {
                "spec": {"template": {"spec": {"nodeSelector": {"disk": "ssd"}}}},
                "status": {
                    "desiredNumberScheduled": 4,
                    "currentNumberScheduled": 3,
                    "numberReady": 2,
                    "updatedNumberScheduled": 1,
                    "numberAvailable": 2,
                },
            },
            ["x", 4, 3, 2, 1, 2, "disk=ssd", "10m"],
        ),
        (kinds.CONFIGMAP, {"data": {"a": "1", "b": "2"}, "binaryData": {"c": ""}}, ["x", 3, "10m"]),
        (kinds.SECRET, {"type": "Opaque", "data": {"a": "MQ=="}}, ["x", "Opaque", 1, "10m"]),
        (kinds.SERVICEACCOUNT, {"secrets": [{"name": "s"}]}, ["x", 1, "10m"]),
        (kinds.NAMESPACE, {"status": {"phase": "Terminating"}}, ["x", "Terminating", "10m"]),
        (kinds.LEASE, {"spec": {"holderIdentity": "n1"}}, ["x", "n1", "10m"]),
        (kinds.LEASE, {"spec": {}}, ["x", "", "10m"]),
        (
            kinds.PDB,
            {"spec": {"minAvailable": "50%"}, "status": {"disruptionsAllowed": 2}},
            ["x", "50%", "N/A", 2, "10m"],
        ),
        (kinds.PDB, {"spec": {"maxUnavailable": 1}, "status": {}}, ["x", "N/A", "1", 0, "10m"]),
    ],
)
def test_rows(kind, obj, row):
    assert cells(kind, obj) == row


@pytest.mark.parametrize("kind", [kinds.DEPLOYMENT, kinds.REPLICASET, kinds.DAEMONSET])
def test_what_a_workload_runs_is_shown_wide(kind):
    obj = {"spec": {"selector": {"matchLabels": {"app": "web"}}, "template": TEMPLATE}}
    assert cells(kind, obj, wide=True)[-3:] == ["a,b", "i:1,j:2", "app=web"]


@pytest.mark.parametrize(
    ("slices", "ports", "endpoints"),
    [
        ({"ports": [], "endpoints": []}, "<unset>", "<unset>"),
        ({"ports": [{"port": 80}], "endpoints": [{"addresses": ["10.1.0.1"]}]}, "80", "10.1.0.1"),
        (
            {
                "ports": [{"port": number} for number in (1, 2, 3, 4)],
                "endpoints": [{"addresses": [f"10.1.0.{number}"]} for number in range(1, 6)],
            },
            "1,2,3 + 1 more...",
            "10.1.0.1,10.1.0.2,10.1.0.3 + 2 more...",
        ),
    ],
)
def test_endpoint_slices(slices, ports, endpoints):
    row = cells(kinds.ENDPOINTSLICE, {"addressType": "IPv4", **slices})
    assert row == ["x", "IPv4", ports, endpoints, "10m"]


def subject(kind, name, namespace=""):
    return {"kind": kind, "name": name, **({"namespace": namespace} if namespace else {})}


def test_bindings_of_roles():
    obj = {
        "roleRef": {"kind": "ClusterRole", "name": "edit"},
        "subjects": [
            subject("User", "ann"),
            subject("User", "bob"),
            subject("Group", "devs"),
            subject("ServiceAccount", "ci", "tools"),
        ],
    }
    assert cells(kinds.ROLEBINDING, obj, wide=True) == ["x", "ClusterRole/edit", "10m", "ann, bob", "devs", "tools/ci"]
    assert cells(kinds.CLUSTERROLEBINDING, obj) == ["x", "ClusterRole/edit", "10m"]


def test_age_is_unknown_without_a_birthday():
    whole = {"metadata": {"name": "x"}}
    assert rows(kinds.CONFIGMAP, whole, NOW)[-1] == "<unknown>"


def test_a_table_is_whole():
    objs = [{"metadata": {"name": name, "creationTimestamp": MADE}} for name in ("a", "b")]
    made = tables.table(printer(kinds.CONFIGMAP), objs, NOW)
    assert (made["kind"], made["apiVersion"]) == ("Table", "meta.k8s.io/v1")
    assert [row["cells"][0] for row in made["rows"]] == ["a", "b"]
    for column in made["columnDefinitions"]:
        assert {"name", "type", "format", "description", "priority"} <= column.keys()
        assert column["type"] in ("string", "integer", "boolean", "number", "date")


@pytest.mark.parametrize(
    "kind", [kind for kind in Catalogue.builtin().kinds if "list" in kind.verbs], ids=lambda k: k.plural
)
def test_one_column_of_every_kind_is_its_name(kind):
    """What `kubectl get -o name` and completion go by."""
    columns = definitions(kind)
    row = rows(kind, {"metadata": {"name": "x", "creationTimestamp": MADE}}, NOW)
    assert [cell for column, cell in zip(columns, row, strict=True) if column["format"] == "name"] == ["x"]
