"""What a create resets and an update keeps, kind by kind (the registry strategies of Kubernetes)."""

import copy

import pytest

from homeostat.api import kinds
from homeostat.api.catalogue import Catalogue
from homeostat.api.rules.qos import qos_class
from homeostat.api.shape.strategy import has_generation, prepare_create, prepare_update
from tests.support.rules import container, named, pod, template, workload


def created(kind, obj):
    obj = copy.deepcopy(obj)
    prepare_create(kind, obj)
    return obj


def updated(kind, old, change, subresource=""):
    new = copy.deepcopy(old)
    change(new)
    before = copy.deepcopy(old)
    prepare_update(kind, new, old, subresource)
    assert old == before
    return new


def set_at(*path):
    *parents, last, value = path

    def change(obj):
        for parent in parents:
            obj = obj.setdefault(parent, {})
        obj[last] = value

    return change


def test_a_new_object_begins_at_generation_one_where_its_kind_counts():
    obj = workload()
    obj["metadata"]["generation"] = 7
    assert created(kinds.DEPLOYMENT, obj)["metadata"]["generation"] == 1
    config = named(kinds.CONFIGMAP)
    config["metadata"]["generation"] = 7
    assert "generation" not in created(kinds.CONFIGMAP, config)["metadata"]
    assert has_generation(kinds.POD)
    assert not has_generation(kinds.LEASE)


def test_a_creator_cannot_bring_a_status_but_a_node_does():
    status = {"availableReplicas": 3}
    assert created(kinds.DEPLOYMENT, workload() | {"status": status})["status"] == {}
    assert created(kinds.REPLICASET, workload("ReplicaSet") | {"status": status})["status"] == {"replicas": 0}
    service = named(kinds.SERVICE, spec={}, status={"loadBalancer": {"ingress": [{"ip": "1.2.3.4"}]}})
    assert created(kinds.SERVICE, service)["status"] == {"loadBalancer": {}}
    node = named(kinds.NODE, status={"capacity": {"cpu": "4"}})
    assert created(kinds.NODE, node)["status"] == {"capacity": {"cpu": "4"}}
    assert "status" not in created(kinds.CONFIGMAP, named(kinds.CONFIGMAP))


def test_first_statuses_are_not_shared_between_objects():
    first, second = (created(kinds.SERVICE, named(kinds.SERVICE, spec={})) for _ in range(2))
    first["status"]["loadBalancer"]["ingress"] = []
    assert second["status"] == {"loadBalancer": {}}


def test_a_new_pod_is_pending_with_its_quality_of_service():
    obj = created(kinds.POD, pod() | {"status": {"phase": "Running", "podIP": "1.2.3.4"}})
    assert obj["status"] == {"phase": "Pending", "qosClass": "BestEffort"}


def test_a_gated_pod_says_why_it_is_not_scheduled():
    obj = created(kinds.POD, pod(schedulingGates=[{"name": "example.com/wait"}]))
    (condition,) = obj["status"]["conditions"]
    assert (condition["type"], condition["status"], condition["reason"]) == ("PodScheduled", "False", "SchedulingGated")


def both(cpu, memory):
    return {"cpu": cpu, "memory": memory}


@pytest.mark.parametrize(
    ("resources", "expected"),
    [
        ([{}], "BestEffort"),
        ([{"requests": {"cpu": "0"}}], "BestEffort"),
        ([{"requests": {"cpu": "1"}}], "Burstable"),
        ([{"limits": both("1", "1Gi"), "requests": both("1", "1Gi")}], "Guaranteed"),
        ([{"limits": both("1000m", "1Gi"), "requests": both("1", "1024Mi")}], "Guaranteed"),
        ([{"limits": both("2", "1Gi"), "requests": both("1", "1Gi")}], "Burstable"),
        ([{"limits": both("1", "1Gi"), "requests": both("1", "1Gi")}, {}], "Burstable"),
        ([{"limits": {"cpu": "1"}}], "Burstable"),
    ],
)
def test_quality_of_service(resources, expected):
    listed = [container(f"c{i}", resources=each) for i, each in enumerate(resources)]
    assert qos_class(pod(containers=listed)) == expected


def test_a_namespace_is_active_and_held_by_its_finalizer():
    obj = created(kinds.NAMESPACE, named(kinds.NAMESPACE))
    assert obj["status"] == {"phase": "Active"}
    assert obj["spec"]["finalizers"] == ["kubernetes"]
    kept = updated(kinds.NAMESPACE, obj, set_at("spec", "finalizers", []))
    assert kept["spec"]["finalizers"] == ["kubernetes"]
    finalized = updated(kinds.NAMESPACE, obj, set_at("spec", "finalizers", []), "finalize")
    assert finalized["spec"]["finalizers"] == []


def test_a_job_selects_its_own_pods():
    spec = {"template": template({"app": "x"})}
    obj = named(kinds.JOB, "count", spec=spec)
    obj["metadata"]["uid"] = "u-1"
    job = created(kinds.JOB, obj)
    assert job["spec"]["selector"] == {"matchLabels": {"batch.kubernetes.io/controller-uid": "u-1"}}
    labels = job["spec"]["template"]["metadata"]["labels"]
    assert labels["app"] == "x"
    assert labels["job-name"] == labels["batch.kubernetes.io/job-name"] == "count"
    assert labels["controller-uid"] == "u-1"
    manual = created(kinds.JOB, named(kinds.JOB, spec=spec | {"manualSelector": True}))
    assert "selector" not in manual["spec"]


DEPLOYED = workload() | {"status": {"replicas": 1}}
DEPLOYED["metadata"] |= {"generation": 4, "labels": {"a": "b"}}


def test_a_change_of_the_spec_makes_a_new_generation():
    new = updated(kinds.DEPLOYMENT, DEPLOYED, set_at("spec", "replicas", 3))
    assert new["metadata"]["generation"] == 5


def test_a_change_of_labels_makes_none_but_one_of_a_deployments_annotations_does():
    assert updated(kinds.DEPLOYMENT, DEPLOYED, set_at("metadata", "labels", {}))["metadata"]["generation"] == 4
    annotated = updated(kinds.DEPLOYMENT, DEPLOYED, set_at("metadata", "annotations", {"a": "b"}))
    assert annotated["metadata"]["generation"] == 5
    replicaset = copy.deepcopy(DEPLOYED)
    assert (
        updated(kinds.REPLICASET, replicaset, set_at("metadata", "annotations", {"a": "b"}))["metadata"]["generation"]
        == 4
    )


def test_a_client_cannot_choose_a_generation():
    assert updated(kinds.DEPLOYMENT, DEPLOYED, set_at("metadata", "generation", 99))["metadata"]["generation"] == 4
    assert (
        "generation"
        not in updated(kinds.CONFIGMAP, named(kinds.CONFIGMAP), set_at("metadata", "generation", 9))["metadata"]
    )


def test_an_update_of_the_object_keeps_the_status():
    new = updated(kinds.DEPLOYMENT, DEPLOYED, set_at("status", {"replicas": 9}))
    assert new["status"] == {"replicas": 1}
    assert new["metadata"]["generation"] == 4


def test_an_update_of_the_status_keeps_everything_else():
    def change(obj):
        obj["status"] = {"replicas": 9}
        obj["spec"] = {"replicas": 0}
        obj["metadata"]["labels"] = {"z": "z"}

    new = updated(kinds.DEPLOYMENT, DEPLOYED, change, "status")
    assert new["status"] == {"replicas": 9}
    assert new["spec"] == DEPLOYED["spec"]
    assert new["metadata"]["labels"] == {"a": "b"}
    assert new["metadata"]["generation"] == 4


def test_a_kubelet_may_label_its_node_with_the_status():
    node = named(kinds.NODE, spec={"unschedulable": True}, status={})

    def change(obj):
        obj["metadata"]["labels"] = {"zone": "a"}
        obj["spec"] = {}
        obj["status"] = {"phase": "x"}

    new = updated(kinds.NODE, node, change, "status")
    assert new["metadata"]["labels"] == {"zone": "a"}
    assert new["spec"] == {"unschedulable": True}
    assert new["status"] == {"phase": "x"}


def test_a_write_of_a_pods_status_cannot_change_its_owners():
    obj = pod()
    obj["metadata"]["ownerReferences"] = [{"uid": "u"}]
    new = updated(kinds.POD, obj, set_at("metadata", "ownerReferences", []), "status")
    assert new["metadata"]["ownerReferences"] == [{"uid": "u"}]


def test_an_approval_changes_conditions_only():
    request = named(kinds.CSR, spec={"request": "x"}, status={"certificate": "c"})

    def change(obj):
        obj["spec"] = {"request": "y"}
        obj["status"] = {"certificate": "z", "conditions": [{"type": "Approved"}]}

    new = updated(kinds.CSR, request, change, "approval")
    assert new["spec"] == {"request": "x"}
    assert new["status"] == {"certificate": "c", "conditions": [{"type": "Approved"}]}


def test_a_binding_is_no_new_generation():
    obj = created(kinds.POD, pod())
    assert updated(kinds.POD, obj, set_at("spec", "nodeName", "n1"), "binding")["metadata"]["generation"] == 1


def service(kind="ClusterIP", *, ports=None, **spec):
    listed = ports or [{"port": 80, "protocol": "TCP"}]
    return named(kinds.SERVICE, "web", spec={"type": kind, "ports": listed, **spec})


def test_a_service_keeps_its_address_when_a_client_leaves_it_out():
    old = service(clusterIP="10.0.0.1", clusterIPs=["10.0.0.1"], ipFamilies=["IPv4"])
    new = copy.deepcopy(service())
    prepare_update(kinds.SERVICE, new, old)
    assert (new["spec"]["clusterIP"], new["spec"]["clusterIPs"]) == ("10.0.0.1", ["10.0.0.1"])
    other = service(clusterIP="10.0.0.2")
    prepare_update(kinds.SERVICE, other, old)
    assert other["spec"]["clusterIP"] == "10.0.0.2"
    assert "clusterIPs" not in other["spec"]


def test_a_service_keeps_or_gives_up_its_node_ports_with_its_type():
    old = service("NodePort", ports=[{"port": 80, "protocol": "TCP", "nodePort": 30080}])
    same = service("NodePort")
    prepare_update(kinds.SERVICE, same, old)
    assert same["spec"]["ports"][0]["nodePort"] == 30080
    plain = service("ClusterIP", ports=copy.deepcopy(old["spec"]["ports"]))
    prepare_update(kinds.SERVICE, plain, old)
    assert "nodePort" not in plain["spec"]["ports"][0]


def test_a_node_port_is_not_kept_twice():
    old = service("NodePort", ports=[{"port": 80, "nodePort": 30080}])
    new = service("NodePort", ports=[{"port": 80}, {"port": 81, "nodePort": 30080}])
    prepare_update(kinds.SERVICE, new, old)
    assert "nodePort" not in new["spec"]["ports"][0]


def test_a_service_that_becomes_a_name_gives_up_its_address():
    old = service(clusterIP="10.0.0.1", clusterIPs=["10.0.0.1"])
    new = copy.deepcopy(old)
    new["spec"]["type"] = "ExternalName"
    prepare_update(kinds.SERVICE, new, old)
    assert "clusterIP" not in new["spec"]


@pytest.mark.parametrize("kind", Catalogue.builtin().kinds, ids=lambda kind: f"{kind.group}.{kind.kind}")
def test_an_update_that_changes_nothing_changes_nothing_in_any_kind(kind):
    obj = created(kind, named(kind, spec={"a": 1}) if "status" in kind.subresources else named(kind))
    for subresource in ("", *(name for name in ("status",) if name in kind.subresources)):
        assert updated(kind, obj, lambda same: None, subresource) == obj
