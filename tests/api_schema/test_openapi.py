"""OpenAPI: what kubectl and client generators read."""

import json

import pytest

from homeostat.api.catalogue import Catalogue
from homeostat.api.openapi.openapi_documents import Documents

CATALOGUE = Catalogue.builtin()
DOCUMENTS = CATALOGUE.derived(Documents)
NAMES = list(json.loads(DOCUMENTS.v3_index)["paths"])


def references(node):
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "$ref" and isinstance(value, str):
                yield value
            else:
                yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


def document(name):
    return json.loads(DOCUMENTS.v3(name))


def test_the_index_names_every_group_and_version():
    expected = {f"apis/{g}/{v}" if g else f"api/{v}" for g, versions in CATALOGUE.groups.items() for v in versions}
    assert set(NAMES) == expected
    url = json.loads(DOCUMENTS.v3_index)["paths"]["apis/apps/v1"]["serverRelativeURL"]
    assert url == f"/openapi/v3/apis/apps/v1?hash={DOCUMENTS.v3_hash('apis/apps/v1')}"


def test_there_is_no_document_for_an_unknown_group():
    assert DOCUMENTS.v3("apis/nowhere/v1") is None


@pytest.mark.parametrize("name", NAMES)
def test_every_reference_leads_somewhere_and_every_id_is_used_once(name):
    shown = document(name)
    known = shown["components"]["schemas"]
    assert {ref.removeprefix("#/components/schemas/") for ref in references(shown["paths"])} <= set(known)
    assert {ref.removeprefix("#/components/schemas/") for ref in references(known)} <= set(known)
    methods = ("get", "put", "post", "patch", "delete")
    ids = [item[m]["operationId"] for item in shown["paths"].values() for m in methods if m in item]
    assert len(ids) == len(set(ids)) > 0


def test_the_second_version_refers_to_what_it_defines():
    shown = json.loads(DOCUMENTS.v2)
    assert shown["swagger"] == "2.0"
    assert {ref.removeprefix("#/definitions/") for ref in references(shown)} <= set(shown["definitions"])


def test_kubectl_learns_that_strict_validation_is_served():
    """kubectl's field validation asks each kind's PATCH operation for the parameters `fieldValidation` and `dryRun`."""
    for kind in CATALOGUE.kinds:
        if "patch" in kind.verbs:
            shown = document(f"apis/{kind.group}/{kind.version}" if kind.group else f"api/{kind.version}")
            place = kind.path("{namespace}" if kind.namespaced else "", "{name}")
            patch = shown["paths"][place]["patch"]
            assert patch["x-kubernetes-group-version-kind"]["kind"] == kind.kind
            assert {"fieldValidation", "dryRun"} <= {parameter["name"] for parameter in patch["parameters"]}


def test_explain_and_apply_find_types_prose_and_merge_keys():
    schemas = document("api/v1")["components"]["schemas"]
    containers = schemas["io.k8s.api.core.v1.PodSpec"]["properties"]["containers"]
    assert containers["x-kubernetes-patch-merge-key"] == "name"
    assert containers["x-kubernetes-patch-strategy"] == "merge"
    assert containers["items"]["allOf"] == [{"$ref": "#/components/schemas/io.k8s.api.core.v1.Container"}]
    assert containers["description"].startswith("List of containers belonging to the pod.")
    pod = schemas["io.k8s.api.core.v1.Pod"]
    assert pod["x-kubernetes-group-version-kind"] == [{"group": "", "kind": "Pod", "version": "v1"}]
    assert pod["properties"]["apiVersion"]["type"] == "string"
    assert "enum" not in pod["properties"]["apiVersion"]


def test_quantities_and_ports_have_their_published_forms():
    schemas = document("api/v1")["components"]["schemas"]
    quantity = schemas["io.k8s.apimachinery.pkg.api.resource.Quantity"]
    assert quantity["oneOf"] == [{"type": "string"}, {"type": "number"}]
    port = schemas["io.k8s.apimachinery.pkg.util.intstr.IntOrString"]
    assert (port["format"], port["oneOf"]) == ("int-or-string", [{"type": "integer"}, {"type": "string"}])


@pytest.mark.parametrize(
    ("name", "path", "method", "operation", "tag"),
    [
        ("api/v1", "/api/v1/pods", "get", "listCoreV1PodForAllNamespaces", "core_v1"),
        ("api/v1", "/api/v1/nodes/{name}", "get", "readCoreV1Node", "core_v1"),
        (
            "api/v1",
            "/api/v1/namespaces/{namespace}/pods/{name}/exec",
            "post",
            "connectCoreV1PostNamespacedPodExec",
            "core_v1",
        ),
        (
            "apis/rbac.authorization.k8s.io/v1",
            "/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}/roles",
            "delete",
            "deleteRbacAuthorizationV1CollectionNamespacedRole",
            "rbacAuthorization_v1",
        ),
        (
            "apis/apps/v1",
            "/apis/apps/v1/namespaces/{namespace}/deployments/{name}/scale",
            "put",
            "replaceAppsV1NamespacedDeploymentScale",
            "apps_v1",
        ),
    ],
)
def test_operations_have_the_names_that_client_generators_know(name, path, method, operation, tag):
    shown = document(name)["paths"][path][method]
    assert shown["operationId"] == operation
    assert shown["tags"] == [tag]
