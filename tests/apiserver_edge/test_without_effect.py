"""Fields and kinds without effect are warned about when an object is created; others are not."""

from __future__ import annotations

from typing import Any

import pytest

from homeostat.api import kinds
from homeostat.api.catalogue import Catalogue
from homeostat.api.errors import qualified
from homeostat.api.flags.flag_settings import Settings
from homeostat.api.shape.schema import schema_of
from homeostat.apiserver import without_effect
from homeostat.controllers.registry import Authority, all_loops
from homeostat.controllers.services.servicelb import CLASS
from tests.support.api_edge import World, pod, story

Obj = dict[str, Any]
SERVED = {qualified(kind.plural, kind.group): kind for kind in Catalogue.builtin().kinds if "create" in kind.verbs}
# Who acts on each kind that says nothing.
ATTENDED = {
    "bindings": "the API server",
    "certificatesigningrequests.certificates.k8s.io": "csrapproving, csrsigning, csrcleaner",
    "clusterrolebindings.rbac.authorization.k8s.io": "the authorizer",
    "clusterroles.rbac.authorization.k8s.io": "the authorizer, aggregation rules included",
    "configmaps": "the kubelet",
    "controllerrevisions.apps": "the DaemonSet loop; data, else",
    "daemonsets.apps": "daemonset",
    "deployments.apps": "deployment",
    "endpoints": "endpointslice mirroring",
    "endpointslices.discovery.k8s.io": "the service proxy",
    "events": "people; upkeep expires them",
    "events.events.k8s.io": "the same",
    "ipaddresses.networking.k8s.io": "the allocation of addresses",
    "leases.coordination.k8s.io": "leader election and node health",
    "limitranges": "admission",
    "localsubjectaccessreviews.authorization.k8s.io": "the API server",
    "namespaces": "namespace",
    "nodes": "the scheduler",
    "poddisruptionbudgets.policy": "disruption",
    "pods": "the scheduler and the kubelet",
    "podtemplates": "nobody, in Kubernetes as well: data for clients",
    "priorityclasses.scheduling.k8s.io": "admission and the scheduler",
    "replicasets.apps": "replicaset",
    "rolebindings.rbac.authorization.k8s.io": "the authorizer",
    "roles.rbac.authorization.k8s.io": "the authorizer",
    "runtimeclasses.node.k8s.io": "admission and the kubelet",
    "secrets": "the kubelet",
    "selfsubjectaccessreviews.authorization.k8s.io": "the API server",
    "selfsubjectreviews.authentication.k8s.io": "the API server",
    "selfsubjectrulesreviews.authorization.k8s.io": "the API server",
    "serviceaccounts": "the API server",
    "services": "the service proxy",
    "subjectaccessreviews.authorization.k8s.io": "the API server",
    "tokenreviews.authentication.k8s.io": "the API server",
}
# These loops follow every kind, whatever it is.
_OF_ALL_KINDS = ("garbage-collector", "namespace")


def test_every_served_kind_is_attended_or_says_that_it_is_not():
    assert not ATTENDED.keys() & without_effect.KINDS.keys()
    assert ATTENDED.keys() | without_effect.KINDS.keys() == SERVED.keys()


@pytest.mark.parametrize("resource", sorted(without_effect.KINDS))
def test_a_kind_without_a_controller_says_what_will_not_happen(resource):
    (sentence,) = without_effect.warnings(SERVED[resource], {"metadata": {"name": "x"}})
    assert sentence == without_effect.KINDS[resource]
    assert sentence.startswith("this cluster ") and ": " in sentence


@pytest.mark.parametrize("resource", sorted(ATTENDED))
def test_a_kind_that_something_acts_on_says_nothing(resource):
    assert without_effect.warnings(SERVED[resource], {"metadata": {"name": "x"}, "spec": {}}) == []


def test_a_kind_with_a_loop_is_not_listed():
    loops = all_loops(Settings(), Authority("PEM", "https://api"))
    # Without a mapping of its own a loop decides about the objects of the kind themselves.
    decided = {
        qualified(watch.kind.plural, watch.kind.group)
        for loop in loops
        if loop.name not in _OF_ALL_KINDS
        for watch in loop.watching(Catalogue.builtin())
        if watch.keys is None
    }
    assert {"deployments.apps", "replicasets.apps", "daemonsets.apps"} <= decided
    assert not decided & without_effect.KINDS.keys()


def in_pod(**spec: Any) -> Obj:
    return {"spec": {"containers": [{"name": "app"}], **spec}}


POD_ROWS: list[tuple[Obj, str]] = [
    (in_pod(hostUsers=False), "spec.hostUsers: nodes of this cluster have no user namespaces"),
    (in_pod(resourceClaims=[{"name": "gpu"}]), "spec.resourceClaims: this cluster allocates no devices"),
    (in_pod(resources={"requests": {"cpu": "1"}}), "spec.resources: this cluster counts and limits"),
    (
        in_pod(containers=[{"name": "a"}, {"name": "b", "restartPolicyRules": [{"action": "Restart"}]}]),
        "spec.containers[1].restartPolicyRules: this cluster restarts a container by restartPolicy alone",
    ),
    (
        in_pod(initContainers=[{"name": "i", "volumeDevices": [{"name": "v", "devicePath": "/dev/x"}]}]),
        "spec.initContainers[0].volumeDevices: nodes of this cluster have no block volumes",
    ),
    (
        in_pod(volumes=[{"name": "v", "persistentVolumeClaim": {"claimName": "c"}}]),
        "spec.volumes[0].persistentVolumeClaim: this cluster binds no volumes: the Pod will stay Pending",
    ),
    (in_pod(volumes=[{"name": "v", "ephemeral": {"volumeClaimTemplate": {}}}]), "spec.volumes[0].ephemeral: "),
    (
        in_pod(volumes=[{"name": "e", "emptyDir": {}}, {"name": "n", "nfs": {"server": "s", "path": "/"}}]),
        "spec.volumes[1].nfs: nodes of this cluster have no volumes of this type: the Pod will not start",
    ),
]


@pytest.mark.parametrize(("obj", "said"), POD_ROWS)
def test_a_field_of_a_pod_that_nothing_reads_is_named(obj, said):
    (sentence,) = without_effect.warnings(kinds.POD, obj)
    assert sentence.startswith(said)
    # In a template as well, where the template is.
    (sentence,) = without_effect.warnings(kinds.DEPLOYMENT, {"spec": {"template": obj}})
    assert sentence.startswith(f"spec.template.{said}")
    (sentence,) = without_effect.warnings(kinds.PODTEMPLATE, {"template": obj})
    assert sentence.startswith(f"template.{said}")
    # Of a kind without a controller that is enough.
    assert without_effect.warnings(kinds.JOB, {"spec": {"template": obj}}) == [without_effect.KINDS["jobs.batch"]]


def test_every_listed_field_has_a_row_and_is_a_field():
    spec = schema_of(kinds.POD).at("spec")
    assert spec is not None
    containers, volumes = spec.field("containers"), spec.field("volumes")
    assert containers is not None and volumes is not None and containers.items and volumes.items
    for fields, schema in (
        (without_effect.POD_FIELDS, spec),
        (without_effect.CONTAINER_FIELDS, containers.items),
        (without_effect.VOLUME_FIELDS, volumes.items),
    ):
        for name in fields:
            assert name in schema.properties
            assert any(f".{name}: " in said for _, said in POD_ROWS)


def test_a_usual_pod_says_nothing():
    names = ("configMap", "downwardAPI", "emptyDir", "hostPath", "projected", "secret")
    volumes = [{"name": name.lower(), name: {}} for name in names]
    assert (
        without_effect.warnings(kinds.POD, in_pod(volumes=volumes, resources={}, resourceClaims=[], hostUsers=True))
        == []
    )


@pytest.mark.parametrize(("asked", "count"), [(None, 0), (CLASS, 0), ("example.com/other", 1)])
def test_a_service_of_a_foreign_load_balancer_class_says_that_nobody_serves_it(asked, count):
    spec = {"type": "LoadBalancer", "loadBalancerClass": asked}
    assert len(without_effect.warnings(kinds.SERVICE, {"spec": spec})) == count


def test_the_warning_reaches_the_client():
    async def scenario(w: World) -> None:
        template = pod("x")["spec"] | {"restartPolicy": "Never"}
        body = {"metadata": {"name": "once"}, "spec": {"template": {"spec": template}}}
        reply = await w.post("/apis/batch/v1/namespaces/default/jobs", body)
        assert reply.status == 201
        assert reply.headers["warning"] == '299 - "this cluster has no Job controller: nothing will run"'
        await w.account()
        claim = [{"name": "v", "persistentVolumeClaim": {"claimName": "c"}}]
        reply = await w.post("/api/v1/namespaces/default/pods", pod("p", volumes=claim))
        assert "this cluster binds no volumes: the Pod will stay Pending" in reply.headers["warning"]
        assert "warning" not in (await w.post("/api/v1/namespaces/default/pods", pod("q"))).headers

    story(scenario)


def test_what_has_no_effect_is_listed_in_one_order():
    """Not in that of a set, which differs from one server to the next."""
    types = ("awsElasticBlockStore", "cephfs", "cinder", "fc", "flocker", "gcePersistentDisk", "iscsi", "nfs", "rbd")
    pod = {"spec": {"volumes": [{"name": "x", **{each: {} for each in reversed(types)}}]}}
    said = without_effect.warnings(kinds.POD, pod)
    assert [text.partition(":")[0] for text in said] == [f"spec.volumes[0].{each}" for each in types]
