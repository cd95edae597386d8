"""Tables: the columns and words that kubectl users know."""

import importlib.util
import pathlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from homeostat.api import kinds
from homeostat.api.catalogue import Catalogue
from homeostat.api.printing import tables
from homeostat.api.printing.print_columns import human_duration

_spec = importlib.util.spec_from_file_location("objects", pathlib.Path(__file__).with_name("objects.py"))
objects = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(objects)

NOW = 1767225600.0 + 600  # ten minutes into 2026
MADE = "2026-01-01T00:00:00Z"


def printer(kind):
    return Catalogue.builtin().resource(kind).printer


def definitions(kind):
    return [column.definition() for column in printer(kind).columns]


def rows(kind, obj, now):
    return printer(kind).cells(obj, now)


def shown(kind, obj, *, wide=False):
    """The row as a dict from column name to cell; without -o wide, only its columns."""
    obj = {"metadata": {"name": "x", "creationTimestamp": MADE} | obj.pop("metadata", {}), **obj}
    columns = definitions(kind)
    cells = rows(kind, obj, NOW)
    assert len(columns) == len(cells)
    pairs = zip(columns, cells, strict=True)
    return {column["name"].upper(): cell for column, cell in pairs if wide or not column["priority"]}


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.9, "0s"),
        (-0.5, "0s"),
        (-5, "<invalid>"),
        (119, "119s"),
        (120, "2m"),
        (330, "5m30s"),
        (3599, "59m"),
        (3 * 3600 - 1, "179m"),
        (3 * 3600 + 60, "3h1m"),
        (9 * 3600, "9h"),
        (47 * 3600, "47h"),
        (2 * 86400 + 4 * 3600, "2d4h"),
        (8 * 86400, "8d"),
        (729 * 86400, "729d"),
        (3 * 365 * 86400 + 40 * 86400, "3y40d"),
        (9 * 365 * 86400, "9y"),
    ],
)
def test_ages_in_kubectls_words(seconds, text):
    assert human_duration(seconds) == text


def container(name="c", **status):
    return {"name": name, "ready": False, "restartCount": 0, **status}


def pod(statuses, *, phase="Running", init=(), spec=None, **more):
    base = {"containers": [{"name": "c"}], "nodeName": "n1"}
    status = {"phase": phase, "containerStatuses": statuses, "initContainerStatuses": list(init)}
    status |= more.pop("status", {})
    return {"spec": base | (spec or {}), "status": status, **more}


RUNNING = container(ready=True, state={"running": {}})


def test_a_running_pod():
    row = shown(kinds.POD, pod([RUNNING], status={"podIPs": [{"ip": "127.1.0.2"}]}), wide=True)
    assert row == {
        "NAME": "x",
        "READY": "1/1",
        "STATUS": "Running",
        "RESTARTS": "0",
        "AGE": "10m",
        "IP": "127.1.0.2",
        "NODE": "n1",
        "NOMINATED NODE": "<none>",
        "READINESS GATES": "<none>",
    }


CRASHED = {"terminated": {"exitCode": 1, "reason": "Error", "finishedAt": "2026-01-01T00:09:55Z"}}


@pytest.mark.parametrize(
    ("obj", "ready", "status", "restarts"),
    [
        (pod([], phase="Pending"), "0/1", "Pending", "0"),
        (
            pod([container(state={"waiting": {"reason": "CrashLoopBackOff"}}, restartCount=3, lastState=CRASHED)]),
            "0/1",
            "CrashLoopBackOff",
            "3 (5s ago)",
        ),
        (pod([container(state=CRASHED)]), "0/1", "Error", "0"),
        (pod([container(state={"terminated": {"exitCode": 137, "signal": 9}})]), "0/1", "Signal:9", "0"),
        (pod([container(state={"terminated": {"exitCode": 3}})]), "0/1", "ExitCode:3", "0"),
        (
            pod([container(state={"terminated": {"exitCode": 0, "reason": "Completed"}})], phase="Succeeded"),
            "0/1",
            "Completed",
            "0",
        ),
        (pod([], phase="Failed", status={"reason": "Evicted"}), "0/1", "Evicted", "0"),
        (pod([RUNNING], metadata={"deletionTimestamp": MADE}), "1/1", "Terminating", "0"),
        (
            pod([RUNNING], metadata={"deletionTimestamp": MADE}, status={"reason": "NodeLost"}),
            "1/1",
            "Unknown",
            "0",
        ),
        (
            pod(
                [],
                phase="Pending",
                status={"conditions": [{"type": "PodScheduled", "status": "False", "reason": "SchedulingGated"}]},
            ),
            "0/1",
            "SchedulingGated",
            "0",
        ),
    ],
)
def test_the_status_of_a_pod_says_what_is_wrong(obj, ready, status, restarts):
    row = shown(kinds.POD, obj)
    assert (row["READY"], row["STATUS"], row["RESTARTS"]) == (ready, status, restarts)


TWO_INITS = {"initContainers": [{"name": "i0"}, {"name": "i1"}]}
DONE = container("i0", state={"terminated": {"exitCode": 0}})
WAITING = container(state={"waiting": {"reason": "PodInitializing"}})


@pytest.mark.parametrize(
    ("init", "status"),
    [
        ([container("i0", state={"running": {}})], "Init:0/2"),
        ([DONE, container("i1", state={"waiting": {"reason": "PodInitializing"}})], "Init:1/2"),
        ([DONE, container("i1", state=CRASHED)], "Init:Error"),
        ([container("i0", state={"waiting": {"reason": "CrashLoopBackOff"}})], "Init:CrashLoopBackOff"),
        ([container("i0", state={"terminated": {"exitCode": 2}})], "Init:ExitCode:2"),
        ([DONE, container("i1", state={"terminated": {"exitCode": 0}})], "PodInitializing"),
    ],
)
def test_a_pod_that_initializes(init, status):
    assert shown(kinds.POD, pod([WAITING], phase="Pending", init=init, spec=TWO_INITS))["STATUS"] == status


def test_a_sidecar_counts_as_a_container():
    spec = {"initContainers": [{"name": "side", "restartPolicy": "Always"}]}
    side = container("side", started=True, ready=True, state={"running": {}}, restartCount=2)
    row = shown(kinds.POD, pod([RUNNING], init=[side], spec=spec))
    assert (row["READY"], row["STATUS"], row["RESTARTS"]) == ("2/2", "Running", "2")


def test_one_container_done_and_one_running():
    done = container("d", state={"terminated": {"exitCode": 0, "reason": "Completed"}})
    assert shown(kinds.POD, pod([done, RUNNING]))["STATUS"] == "NotReady"
    ready = {"conditions": [{"type": "Ready", "status": "True"}]}
    assert shown(kinds.POD, pod([done, RUNNING], status=ready))["STATUS"] == "Running"


def test_a_pod_that_has_ended_says_so_in_its_row():
    ended = {"metadata": {"name": "p"}, "status": {"phase": "Succeeded"}}
    running = {"metadata": {"name": "q"}, "status": {"phase": "Running"}}
    first, second = tables.table(printer(kinds.POD), [ended, running], NOW)["rows"]
    assert first["conditions"][0]["reason"] == "Succeeded"
    assert "conditions" not in second


TEMPLATE = {"spec": {"containers": [{"name": "a", "image": "i:1"}, {"name": "b", "image": "i:2"}]}}
SELECTOR = {"matchLabels": {"app": "web"}}


def test_a_deployment():
    status = {"readyReplicas": 2, "updatedReplicas": 3, "availableReplicas": 2}
    obj = {"spec": {"replicas": 3, "template": TEMPLATE, "selector": SELECTOR}, "status": status}
    assert list(shown(kinds.DEPLOYMENT, dict(obj)).items()) == [
        ("NAME", "x"),
        ("READY", "2/3"),
        ("UP-TO-DATE", 3),
        ("AVAILABLE", 2),
        ("AGE", "10m"),
    ]
    wide = shown(kinds.DEPLOYMENT, obj, wide=True)
    assert (wide["CONTAINERS"], wide["IMAGES"], wide["SELECTOR"]) == ("a,b", "i:1,i:2", "app=web")


def test_replica_sets_daemon_sets_and_stateful_sets():
    spec = {"replicas": 3, "template": TEMPLATE, "selector": SELECTOR}
    row = shown(kinds.REPLICASET, {"spec": spec, "status": {"replicas": 2, "readyReplicas": 1}})
    assert (row["DESIRED"], row["CURRENT"], row["READY"]) == (3, 2, 1)
    row = shown(kinds.STATEFULSET, {"spec": spec, "status": {"readyReplicas": 1}})
    assert row == {"NAME": "x", "READY": "1/3", "AGE": "10m"}
    row = shown(kinds.DAEMONSET, {"spec": spec, "status": {"desiredNumberScheduled": 2, "numberReady": 1}})
    assert (row["DESIRED"], row["READY"], row["NODE SELECTOR"]) == (2, 1, "<none>")


@pytest.mark.parametrize(
    ("spec", "status", "expected"),
    [
        ({"completions": 3}, {"succeeded": 1, "startTime": MADE}, ("Running", "1/3", "10m")),
        ({"parallelism": 2}, {}, ("Running", "0/1 of 2", "")),
        ({"completions": 1}, {"conditions": [{"type": "Failed", "status": "True"}]}, ("Failed", "0/1", "")),
        (
            {"completions": 1},
            {
                "conditions": [{"type": "Complete", "status": "True"}],
                "succeeded": 1,
                "startTime": MADE,
                "completionTime": "2026-01-01T00:00:30Z",
            },
            ("Complete", "1/1", "30s"),
        ),
    ],
)
def test_jobs(spec, status, expected):
    row = shown(kinds.JOB, {"spec": spec, "status": status})
    assert (row["STATUS"], row["COMPLETIONS"], row["DURATION"]) == expected


def test_a_cron_job_and_a_budget():
    row = shown(kinds.CRONJOB, {"spec": {"schedule": "* * * * *", "suspend": False}})
    assert (row["SUSPEND"], row["LAST SCHEDULE"], row["TIMEZONE"]) == ("False", "<none>", "<none>")
    row = shown(kinds.PDB, {"spec": {"minAvailable": "50%"}, "status": {"disruptionsAllowed": 1}})
    assert (row["MIN AVAILABLE"], row["MAX UNAVAILABLE"], row["ALLOWED DISRUPTIONS"]) == ("50%", "N/A", 1)


def test_a_node():
    conditions = [{"type": "Ready", "status": "Unknown"}]
    status = {"conditions": conditions, "nodeInfo": {"kubeletVersion": "v1.36.0"}}
    status["addresses"] = [{"type": "InternalIP", "address": "127.0.0.1"}]
    labels = {"node-role.kubernetes.io/control-plane": "", "kubernetes.io/role": "master"}
    row = shown(
        kinds.NODE, {"metadata": {"labels": labels}, "spec": {"unschedulable": True}, "status": status}, wide=True
    )
    assert row["STATUS"] == "NotReady,SchedulingDisabled"
    assert row["ROLES"] == "control-plane,master"
    assert (row["VERSION"], row["INTERNAL-IP"], row["EXTERNAL-IP"]) == ("v1.36.0", "127.0.0.1", "<none>")
    assert row["OS-IMAGE"] == "<unknown>"


def test_services():
    ports = [{"port": 80, "protocol": "TCP", "nodePort": 30080}, {"port": 53, "protocol": "UDP"}]
    spec = {"type": "NodePort", "clusterIPs": ["10.96.0.1"], "ports": ports, "selector": {"a": "b"}}
    row = shown(kinds.SERVICE, {"spec": spec}, wide=True)
    assert row["PORT(S)"] == "80:30080/TCP,53/UDP"
    assert (row["CLUSTER-IP"], row["EXTERNAL-IP"], row["SELECTOR"]) == ("10.96.0.1", "<none>", "a=b")
    assert shown(kinds.SERVICE, {"spec": {"type": "LoadBalancer"}})["EXTERNAL-IP"] == "<pending>"


def test_endpoints_are_cut_short():
    addresses = [{"ip": f"10.0.0.{n}"} for n in range(5)]
    row = shown(kinds.ENDPOINTS, {"subsets": [{"addresses": addresses, "ports": [{"port": 80}]}]})
    assert row["ENDPOINTS"] == "10.0.0.0:80,10.0.0.1:80,10.0.0.2:80 + 2 more..."
    assert shown(kinds.ENDPOINTS, {})["ENDPOINTS"] == "<none>"
    slice_row = shown(kinds.ENDPOINTSLICE, {"addressType": "IPv4", "ports": [{"port": 80}], "endpoints": []})
    assert (slice_row["PORTS"], slice_row["ENDPOINTS"]) == ("80", "<unset>")


def test_events_of_both_versions_read_the_same():
    old = {
        "type": "Warning",
        "reason": "BackOff",
        "message": "Back-off restarting\n",
        "involvedObject": {"kind": "Pod", "name": "p"},
        "firstTimestamp": MADE,
        "lastTimestamp": "2026-01-01T00:09:00Z",
        "source": {"component": "kubelet", "host": "n1"},
        "count": 4,
    }
    new = {
        "type": "Warning",
        "reason": "BackOff",
        "note": "Back-off restarting\n",
        "regarding": {"kind": "Pod", "name": "p"},
        "deprecatedFirstTimestamp": MADE,
        "deprecatedLastTimestamp": "2026-01-01T00:09:00Z",
        "deprecatedSource": {"component": "kubelet", "host": "n1"},
        "deprecatedCount": 4,
    }
    row = shown(kinds.EVENT, old, wide=True)
    assert (row["LAST SEEN"], row["OBJECT"], row["MESSAGE"]) == ("60s", "pod/p", "Back-off restarting")
    assert (row["SOURCE"], row["FIRST SEEN"], row["COUNT"]) == ("kubelet, n1", "10m", 4)
    assert shown(kinds.EVENT_V1, new, wide=True) == row


def test_an_event_without_a_count_happened_once():
    row = shown(
        kinds.EVENT, {"eventTime": "2026-01-01T00:09:30.000000Z", "involvedObject": {"kind": "Node"}}, wide=True
    )
    assert (row["LAST SEEN"], row["COUNT"], row["OBJECT"]) == ("30s", 1, "node")


def test_an_autoscaler():
    target = {"type": "Utilization", "averageUtilization": 80}
    spec = {"scaleTargetRef": {"kind": "Deployment", "name": "d"}, "minReplicas": 1, "maxReplicas": 5}
    spec["metrics"] = [{"type": "Resource", "resource": {"name": "cpu", "target": target}}]
    row = shown(kinds.HPA, {"spec": spec})
    assert (row["REFERENCE"], row["TARGETS"], row["MINPODS"]) == ("Deployment/d", "cpu: <unknown>/80%", "1")


def test_bindings_roles_and_requests():
    subjects = [{"kind": "Group", "name": "g"}, {"kind": "ServiceAccount", "name": "s", "namespace": "n"}]
    row = shown(kinds.ROLEBINDING, {"roleRef": {"kind": "Role", "name": "r"}, "subjects": subjects}, wide=True)
    assert (row["ROLE"], row["GROUPS"], row["SERVICEACCOUNTS"]) == ("Role/r", "g", "n/s")
    assert shown(kinds.ROLE, {}) == {"NAME": "x", "CREATED AT": MADE}
    approved = {"conditions": [{"type": "Approved"}], "certificate": "eA=="}
    assert shown(kinds.CSR, {"spec": {"username": "u"}, "status": approved})["CONDITION"] == "Approved,Issued"


def test_volumes():
    spec = {
        "accessModes": ["ReadWriteOnce"],
        "capacity": {"storage": "1Gi"},
        "claimRef": {"namespace": "n", "name": "c"},
    }
    row = shown(kinds.PV, {"spec": spec, "status": {"phase": "Bound"}})
    assert (row["CAPACITY"], row["ACCESS MODES"], row["CLAIM"], row["STATUS"]) == ("1Gi", "RWO", "n/c", "Bound")
    assert shown(kinds.PVC, {"status": {"phase": "Pending"}})["CAPACITY"] == ""


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(Catalogue.builtin().kinds), st.randoms(use_true_random=False))
def test_whatever_fits_the_schema_can_be_printed(kind, random):
    obj = objects.any_object(kind, random)
    assert len(rows(kind, obj, NOW)) == len(definitions(kind))


@pytest.mark.parametrize("kind", Catalogue.builtin().kinds, ids=lambda kind: f"{kind.api_version}-{kind.kind}")
def test_an_empty_object_of_every_kind_can_be_printed(kind):
    assert len(rows(kind, {}, NOW)) == len(definitions(kind))
