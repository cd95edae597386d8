"""Defaulting: the values that Kubernetes fills in, and that filling in twice is filling in once."""

import copy
import importlib.util
import pathlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from homeostat.api import kinds
from homeostat.api.catalogue import Catalogue
from homeostat.api.shape.structural import conform

_spec = importlib.util.spec_from_file_location("objects", pathlib.Path(__file__).with_name("objects.py"))
objects = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(objects)


def defaulted(kind, obj):
    obj = copy.deepcopy(obj)
    CATALOGUE.resource(kind).apply_defaults(obj)
    return obj


def pod_spec(**more):
    return {"containers": [{"name": "c", "image": "nginx"}], **more}


def test_a_pod_gets_its_pod_defaults():
    obj = defaulted(kinds.POD, {"metadata": {"name": "p"}, "spec": pod_spec()})
    assert obj["spec"] == {
        "containers": [
            {
                "name": "c",
                "image": "nginx",
                "imagePullPolicy": "Always",
                "resources": {},
                "terminationMessagePath": "/dev/termination-log",
                "terminationMessagePolicy": "File",
            }
        ],
        "dnsPolicy": "ClusterFirst",
        "enableServiceLinks": True,
        "restartPolicy": "Always",
        "schedulerName": "default-scheduler",
        "securityContext": {},
        "terminationGracePeriodSeconds": 30,
    }


def test_what_a_pod_says_is_kept():
    spec = pod_spec(terminationGracePeriodSeconds=0, enableServiceLinks=False, restartPolicy="Never")
    got = defaulted(kinds.POD, {"spec": spec})["spec"]
    assert got["terminationGracePeriodSeconds"] == 0
    assert got["enableServiceLinks"] is False
    assert got["restartPolicy"] == "Never"


@pytest.mark.parametrize(
    ("image", "policy"),
    [
        ("nginx", "Always"),
        ("nginx:latest", "Always"),
        ("nginx:1.2", "IfNotPresent"),
        ("registry:5000/nginx", "Always"),
        ("registry:5000/nginx:1", "IfNotPresent"),
        ("nginx@sha256:abc", "IfNotPresent"),
    ],
)
def test_the_pull_policy_follows_the_tag(image, policy):
    obj = defaulted(kinds.POD, {"spec": {"containers": [{"name": "c", "image": image}]}})
    assert obj["spec"]["containers"][0]["imagePullPolicy"] == policy


def test_requests_follow_limits_in_pods_but_not_in_templates():
    container = {"name": "c", "resources": {"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "500m"}}}
    pod = defaulted(kinds.POD, {"spec": {"containers": [container]}})
    assert pod["spec"]["containers"][0]["resources"]["requests"] == {"cpu": "500m", "memory": "1Gi"}
    template = {"template": {"spec": {"containers": [container]}}}
    deployment = defaulted(kinds.DEPLOYMENT, {"spec": template})
    assert deployment["spec"]["template"]["spec"]["containers"][0]["resources"] == container["resources"]


def test_host_network_opens_the_container_ports_on_the_host():
    container = {"name": "c", "ports": [{"containerPort": 80}]}
    pod = defaulted(kinds.POD, {"spec": {"hostNetwork": True, "containers": [container]}})
    assert pod["spec"]["containers"][0]["ports"] == [{"containerPort": 80, "hostPort": 80, "protocol": "TCP"}]


def test_probes_and_volumes_in_a_template():
    probe = {"httpGet": {"port": 80}}
    container = {
        "name": "c",
        "image": "i:1",
        "livenessProbe": probe,
        "lifecycle": {"preStop": {"httpGet": {"port": 1}}},
    }
    volumes = [
        {"name": "plain"},
        {"name": "cm", "configMap": {"name": "c"}},
        {"name": "sa", "projected": {"sources": [{"serviceAccountToken": {"path": "t"}}]}},
        {"name": "host", "hostPath": {"path": "/x"}},
    ]
    template = {"spec": {"containers": [container], "volumes": volumes, "serviceAccountName": "me"}}
    spec = defaulted(kinds.CRONJOB, {"spec": {"jobTemplate": {"spec": {"template": template}}}})
    pod = spec["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    assert pod["containers"][0]["livenessProbe"] == {
        "httpGet": {"port": 80, "path": "/", "scheme": "HTTP"},
        "timeoutSeconds": 1,
        "periodSeconds": 10,
        "successThreshold": 1,
        "failureThreshold": 3,
    }
    assert pod["containers"][0]["lifecycle"]["preStop"]["httpGet"]["scheme"] == "HTTP"
    assert pod["volumes"][0]["emptyDir"] == {}
    assert pod["volumes"][1]["configMap"]["defaultMode"] == 420
    token = {"path": "t", "expirationSeconds": 3600}
    assert pod["volumes"][2]["projected"] == {"defaultMode": 420, "sources": [{"serviceAccountToken": token}]}
    assert pod["volumes"][3]["hostPath"]["type"] == ""
    assert pod["serviceAccount"] == "me"
    assert spec["spec"]["concurrencyPolicy"] == "Allow"


def test_a_deployment_rolls_by_a_quarter():
    spec = defaulted(kinds.DEPLOYMENT, {})["spec"]
    assert spec == {
        "replicas": 1,
        "progressDeadlineSeconds": 600,
        "revisionHistoryLimit": 10,
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}},
    }


def test_a_recreate_deployment_has_no_rolling_settings():
    spec = defaulted(kinds.DEPLOYMENT, {"spec": {"strategy": {"type": "Recreate"}, "replicas": 0}})["spec"]
    assert spec["strategy"] == {"type": "Recreate"}
    assert spec["replicas"] == 0


def test_daemon_and_stateful_sets():
    daemon = defaulted(kinds.DAEMONSET, {})["spec"]
    assert daemon["updateStrategy"] == {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1, "maxSurge": 0}}
    stateful = defaulted(kinds.STATEFULSET, {"spec": {"volumeClaimTemplates": [{"metadata": {"name": "d"}}]}})["spec"]
    assert stateful["updateStrategy"] == {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}}
    assert stateful["podManagementPolicy"] == "OrderedReady"
    assert stateful["volumeClaimTemplates"][0]["spec"] == {"volumeMode": "Filesystem"}
    on_delete = defaulted(kinds.STATEFULSET, {"spec": {"updateStrategy": {"type": "OnDelete"}}})
    assert on_delete["spec"]["updateStrategy"] == {"type": "OnDelete"}


def test_a_job_runs_once_and_takes_its_templates_labels():
    job = defaulted(kinds.JOB, {"spec": {"template": {"metadata": {"labels": {"a": "b"}}}}})
    assert (job["spec"]["completions"], job["spec"]["parallelism"], job["spec"]["backoffLimit"]) == (1, 1, 6)
    assert job["metadata"]["labels"] == {"a": "b"}
    queue = defaulted(kinds.JOB, {"spec": {"parallelism": 3}})
    assert "completions" not in queue["spec"]


def test_a_service_targets_its_own_port():
    spec = defaulted(kinds.SERVICE, {"spec": {"ports": [{"port": 80}]}})["spec"]
    assert spec == {
        "internalTrafficPolicy": "Cluster",
        "ports": [{"port": 80, "protocol": "TCP", "targetPort": 80}],
        "sessionAffinity": "None",
        "type": "ClusterIP",
    }


def test_services_by_type():
    assert defaulted(kinds.SERVICE, {"spec": {"type": "NodePort"}})["spec"]["externalTrafficPolicy"] == "Cluster"
    assert "internalTrafficPolicy" not in defaulted(kinds.SERVICE, {"spec": {"type": "ExternalName"}})["spec"]
    sticky = defaulted(kinds.SERVICE, {"spec": {"sessionAffinity": "ClientIP"}})["spec"]
    assert sticky["sessionAffinityConfig"] == {"clientIP": {"timeoutSeconds": 10800}}


def test_text_in_a_secret_becomes_data():
    secret = defaulted(kinds.SECRET, {"data": {"a": "eA==", "b": "eA=="}, "stringData": {"b": "hello"}})
    assert secret == {"type": "Opaque", "data": {"a": "eA==", "b": "aGVsbG8="}}


def test_rbac_subjects_and_references_get_their_group():
    subjects = [{"kind": "User", "name": "u"}, {"kind": "ServiceAccount", "name": "s"}]
    binding = defaulted(kinds.ROLEBINDING, {"roleRef": {"kind": "Role", "name": "r"}, "subjects": subjects})
    assert binding["roleRef"]["apiGroup"] == "rbac.authorization.k8s.io"
    assert [s.get("apiGroup") for s in binding["subjects"]] == ["rbac.authorization.k8s.io", None]


def test_network_policies_say_what_they_are_about():
    assert defaulted(kinds.NETWORKPOLICY, {})["spec"]["policyTypes"] == ["Ingress"]
    both = defaulted(kinds.NETWORKPOLICY, {"spec": {"egress": [{}]}})
    assert both["spec"]["policyTypes"] == ["Ingress", "Egress"]


def test_a_namespace_carries_its_name_as_a_label():
    namespace = defaulted(kinds.NAMESPACE, {"metadata": {"name": "n"}})
    assert namespace["metadata"]["labels"] == {"kubernetes.io/metadata.name": "n"}
    assert namespace["status"] == {"phase": "Active"}


def test_limit_ranges_fill_their_own_gaps():
    item = {"type": "Container", "max": {"cpu": "2"}, "min": {"cpu": "1", "memory": "1Mi"}}
    limits = defaulted(kinds.LIMITRANGE, {"spec": {"limits": [item]}})["spec"]["limits"][0]
    assert limits["default"] == {"cpu": "2"}
    assert limits["defaultRequest"] == {"cpu": "2", "memory": "1Mi"}


def test_an_autoscaler_watches_the_cpu():
    spec = defaulted(kinds.HPA, {"spec": {"behavior": {"scaleDown": {"stabilizationWindowSeconds": 5}}}})["spec"]
    assert spec["minReplicas"] == 1
    assert spec["metrics"][0]["resource"]["target"] == {"type": "Utilization", "averageUtilization": 80}
    assert spec["behavior"]["scaleDown"]["stabilizationWindowSeconds"] == 5
    assert spec["behavior"]["scaleDown"]["selectPolicy"] == "Max"


def test_the_defaults_are_not_shared_between_objects():
    first, second = defaulted(kinds.POD, {"spec": pod_spec()}), defaulted(kinds.POD, {"spec": pod_spec()})
    first["spec"]["securityContext"]["runAsUser"] = 1
    assert second["spec"]["securityContext"] == {}


CATALOGUE = Catalogue.builtin()
STORED = [kind for kind in CATALOGUE.kinds if not kind.virtual]


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(STORED), st.randoms(use_true_random=False))
def test_twice_is_once_for_every_kind(kind, random):
    obj = objects.any_object(kind, random)
    conform(CATALOGUE.resource(kind), obj)
    once = defaulted(kind, obj)
    assert defaulted(kind, once) == once
    assert conform(CATALOGUE.resource(kind), once, field_validation="Warn").problems == []


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(STORED), st.randoms(use_true_random=False))
def test_what_was_decoded_decodes_to_itself(kind, random):
    obj = objects.any_object(kind, random)
    assert conform(CATALOGUE.resource(kind), obj, field_validation="Strict").problems == []
    again = copy.deepcopy(obj)
    conform(CATALOGUE.resource(kind), again, field_validation="Strict")
    assert again == obj
