"""The table of kinds: what v1.36 serves, and how it is found."""

import subprocess
import sys

import pytest

from homeostat.api import facts, kinds
from homeostat.api.catalogue import Catalogue
from homeostat.api.kinds import Kind
from homeostat.api.shape.schema import schema_of

CATALOGUE = Catalogue.builtin()


def test_only_generally_available_versions_are_served():
    assert {kind.version for kind in CATALOGUE.kinds} == {"v1", "v2"}
    assert len(CATALOGUE.kinds) == 68


def test_every_kind_is_found_by_its_names():
    for kind in CATALOGUE.kinds:
        assert CATALOGUE.by_kind(kind.kind, kind.api_version) is kind
        assert CATALOGUE.by_resource(kind.group, kind.version, kind.plural) is kind


def test_a_bare_kind_is_the_one_that_discovery_lists_first():
    assert CATALOGUE.by_kind("Event") is kinds.EVENT
    assert CATALOGUE.by_kind("HorizontalPodAutoscaler") is kinds.HPA
    assert CATALOGUE.by_kind("Nonsense") is None
    assert CATALOGUE.by_kind("Pod", "apps/v1") is None


def test_the_core_group_comes_first_and_versions_by_preference():
    order = CATALOGUE.groups
    assert list(order)[:3] == ["", "apiregistration.k8s.io", "apps"]
    assert order["autoscaling"] == ("v2", "v1")


def test_a_pod_in_full():
    pod = kinds.POD
    assert (pod.api_version, pod.plural, pod.singular, pod.namespaced) == ("v1", "pods", "pod", True)
    assert pod.short_names == ("po",)
    assert pod.categories == ("all",)
    assert {"create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"} == pod.verbs
    assert set(pod.subresources) == {
        "attach",
        "binding",
        "ephemeralcontainers",
        "eviction",
        "exec",
        "log",
        "portforward",
        "proxy",
        "resize",
        "status",
    }


def test_paths_and_keys():
    assert kinds.POD.path("ns", "p", "status") == "/api/v1/namespaces/ns/pods/p/status"
    assert kinds.DEPLOYMENT.path() == "/apis/apps/v1/deployments"
    assert kinds.POD.key("ns", "p") == "/registry/core/pods/ns/p"
    assert kinds.NODE.key("", "n") == "/registry/core/nodes/n"


@pytest.mark.parametrize(
    ("kind", "name", "expected", "verbs"),
    [
        (kinds.POD, "eviction", ("policy", "v1", "Eviction"), {"create"}),
        (kinds.POD, "exec", ("", "v1", "PodExecOptions"), {"create", "get"}),
        (kinds.DEPLOYMENT, "scale", ("autoscaling", "v1", "Scale"), {"get", "patch", "update"}),
        (kinds.SERVICEACCOUNT, "token", ("authentication.k8s.io", "v1", "TokenRequest"), {"create"}),
        (kinds.NAMESPACE, "finalize", ("", "v1", "Namespace"), {"update"}),
        (kinds.CSR, "approval", ("certificates.k8s.io", "v1", "CertificateSigningRequest"), {"get", "patch", "update"}),
    ],
)
def test_subresources_say_what_they_take(kind: Kind, name, expected, verbs):
    found = kind.part(name)
    assert (found.group, found.version, found.kind) == expected
    assert found.verbs == verbs


def test_what_a_kind_does_not_have():
    assert kinds.CONFIGMAP.part("status") is None
    assert "status" not in kinds.CSINODE.subresources
    assert "deletecollection" not in kinds.NAMESPACE.verbs


def test_virtual_kinds_are_never_stored():
    virtual = {kind.kind for kind in CATALOGUE.kinds if kind.virtual}
    assert virtual == {
        "Binding",
        "ComponentStatus",
        "LocalSubjectAccessReview",
        "SelfSubjectAccessReview",
        "SelfSubjectReview",
        "SelfSubjectRulesReview",
        "SubjectAccessReview",
        "TokenReview",
    }


def test_a_short_name_means_one_resource():
    named = [(name, kind.plural) for kind in CATALOGUE.kinds for name in kind.short_names]
    by_name = {}
    for name, plural in named:
        assert by_name.setdefault(name, plural) == plural


def test_every_status_subresource_has_a_status_to_write():
    for kind in CATALOGUE.kinds:
        if "status" in kind.subresources:
            assert schema_of(kind).field("status") is not None, kind


def test_the_facts_say_where_they_come_from():
    assert {source["package"]: source["licence"] for source in facts.attribution()}[
        "kubernetes-validate"
    ] == "Apache-2.0"


def test_the_table_alone_does_not_load_the_schema():
    program = "import homeostat.api.kinds, homeostat.api.facts as f; print(f.definitions.cache_info().currsize)"
    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert shown.strip() == "0"
