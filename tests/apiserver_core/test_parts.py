"""The small pure parts of the request path, each by its own rule."""

from __future__ import annotations

import pytest

from homeostat.api.catalogue import Catalogue
from homeostat.api.documents import yaml_documents
from homeostat.api.documents.json_documents import DocumentError
from homeostat.api.kinds import EVENT, POD
from homeostat.api.printing.change_summary import summarize
from homeostat.apiserver.cache import stored_form
from homeostat.apiserver.cache.cached_objects import maker
from homeostat.apiserver.path.routing import Routes
from homeostat.apiserver.read import continue_tokens
from homeostat.wire.message import Request

CATALOGUE = Catalogue.builtin()

# URLs (k8s.io/apiserver/pkg/endpoints/request, requestinfo_test.go's kinds of paths)


@pytest.mark.parametrize(
    ("method", "path", "query", "expected"),
    [
        ("GET", "/api/v1/namespaces", {}, ("list", "", "namespaces", "", "", "")),
        ("GET", "/api/v1/namespaces/other", {}, ("get", "", "namespaces", "", "other", "other")),
        ("PUT", "/api/v1/namespaces/other/finalize", {}, ("update", "", "namespaces", "finalize", "other", "other")),
        ("GET", "/api/v1/namespaces/other/pods", {}, ("list", "", "pods", "", "other", "")),
        ("GET", "/api/v1/namespaces/other/pods", {"watch": "1"}, ("watch", "", "pods", "", "other", "")),
        ("GET", "/api/v1/namespaces/other/pods", {"watch": "0"}, ("list", "", "pods", "", "other", "")),
        ("GET", "/api/v1/namespaces/other/pods", {"watch": "false"}, ("list", "", "pods", "", "other", "")),
        ("GET", "/api/v1/pods", {}, ("list", "", "pods", "", "", "")),
        ("HEAD", "/api/v1/namespaces/other/pods/a", {}, ("get", "", "pods", "", "other", "a")),
        ("DELETE", "/api/v1/namespaces/other/pods", {}, ("deletecollection", "", "pods", "", "other", "")),
        ("PATCH", "/api/v1/namespaces/other/pods/a/status", {}, ("patch", "", "pods", "status", "other", "a")),
        ("POST", "/apis/apps/v1/namespaces/other/deployments", {}, ("create", "apps", "deployments", "", "other", "")),
        ("GET", "/apis/apps/v1/deployments/", {}, ("list", "apps", "deployments", "", "", "")),
        ("GET", "/api/v1/nodes/n1/status", {}, ("get", "", "nodes", "status", "", "n1")),
    ],
)
def test_urls_of_resources(method, path, query, expected):
    info = Routes(CATALOGUE).decide(Request(method, path, query))
    assert info.is_resource
    assert (info.verb, info.group, info.resource, info.subresource, info.namespace, info.name) == expected


@pytest.mark.parametrize(
    "path", ["/", "/api", "/api/v1", "/apis/apps/v1", "/healthz", "/api/v1/watch/pods", "/metrics"]
)
def test_urls_of_other_things(path):
    info = Routes(CATALOGUE).decide(Request("GET", path))
    assert (info.is_resource, info.verb, info.path) == (False, "get", path)


# Stored values

OBJECT = {
    "spec": {"nodeName": "n1", "hostNetwork": True},
    "metadata": {"name": "a", "namespace": "x", "resourceVersion": "7", "annotations": {"resourceVersion": "no"}},
    "kind": "Pod",
    "apiVersion": "v1",
}


def test_a_value_holds_the_cause_and_the_object_and_takes_its_revision_later():
    value = stored_form.frame(b'{"loop":"x"}', stored_form.encode(OBJECT), 7.0)
    assert stored_form.cause_of(value) == b'{"at":7.000000,"loop":"x"}'
    assert stored_form.time_of(stored_form.cause_of(value)) == 7.0
    assert stored_form.time_of(stored_form.cause_of(stored_form.frame(b"{}", b"", 7.5))) == 7.5
    assert stored_form.time_of(b'{"loop":"from before times were kept"}') == 0.0
    data = stored_form.stamp_stored(value, 12345)
    assert data == stored_form.stamp(stored_form.encode(OBJECT), 12345)
    decoded = stored_form.decode(data)
    assert decoded == {**OBJECT, "metadata": {**OBJECT["metadata"], "resourceVersion": "12345"}}
    assert list(decoded) == ["apiVersion", "kind", "metadata", "spec"]
    assert stored_form.decode(stored_form.restamp(data, 99))["metadata"]["resourceVersion"] == "99"


def test_an_item_knows_what_selectors_ask_for():
    value = stored_form.frame(b"{}", stored_form.encode(OBJECT), 7.0)
    item = maker(CATALOGUE.resource(POD).selectable.zeros)("x/a", value, 5)
    assert (item.namespace, item.name, item.revision) == ("x", "a", 5)
    assert (item.field("spec.nodeName"), item.field("spec.hostNetwork")) == ("n1", "true")
    assert (item.field("status.phase"), item.field("metadata.name")) == ("", "a")
    assert item.at(8).data == stored_form.restamp(item.data, 8)
    event = {"apiVersion": "v1", "kind": "Event", "metadata": {"name": "e"}, "involvedObject": {"name": "a"}}
    item = maker(CATALOGUE.resource(EVENT).selectable.zeros)(
        "x/e", stored_form.frame(b"{}", stored_form.encode(event), 7.0), 5
    )
    assert item.field("regarding.name") == item.field("involvedObject.name") == "a"


def test_tokens_go_around():
    assert continue_tokens.parse(continue_tokens.token(7, "x/a").text()) == continue_tokens.token(7, "x/a")


# Summaries


def pod(**status):
    return {"metadata": {"name": "a"}, "spec": {"nodeName": "n1"}, "status": status}


def condition(kind, status, reason=""):
    return {"type": kind, "status": status, "reason": reason}


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        (None, pod(), "created on n1"),
        (None, {"metadata": {}}, "created"),
        (pod(phase="Running"), pod(phase="Failed"), "phase Running -> Failed"),
        (
            pod(conditions=[condition("Ready", "True")]),
            pod(conditions=[condition("Ready", "False", "Crashed")]),
            "Ready True -> False (Crashed)",
        ),
        (
            pod(containerStatuses=[{"restartCount": 1}]),
            pod(containerStatuses=[{"restartCount": 2}]),
            "restarts 1 -> 2",
        ),
        ({"spec": {}}, {"spec": {"nodeName": "n2"}}, "node none -> n2"),
        ({"spec": {"replicas": 2}}, {"spec": {"replicas": 5}}, "spec.replicas 2 -> 5"),
        ({"spec": {}}, {"spec": {"taints": [{"key": "k", "effect": "NoSchedule"}]}}, "taint k:NoSchedule added"),
        ({"spec": {"taints": [{"key": "k", "effect": "NoSchedule"}]}}, {"spec": {}}, "taint k:NoSchedule removed"),
        ({"metadata": {}}, {"metadata": {"deletionTimestamp": "2027-01-15T08:00:00Z"}}, "deletion asked"),
        ({"metadata": {"labels": {"a": "1"}}}, {"metadata": {"labels": {}}}, "metadata.labels changed"),
        ({"metadata": {"resourceVersion": "1"}}, {"metadata": {"resourceVersion": "2"}}, ""),
    ],
)
def test_a_change_in_words(old, new, text):
    assert summarize(old, new, deleted=False) == text


# YAML


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (b"a: yes", {"a": True}),
        (b"a: 'yes'", {"a": "yes"}),
        (b"a: 2026-01-02T03:04:05Z", {"a": "2026-01-02T03:04:05Z"}),
        (b"2: x\ntrue: y", {"2": "x", "true": "y"}),
        (b"base: &b {x: 1}\nuse: *b", {"base": {"x": 1}, "use": {"x": 1}}),
        (b"", None),
    ],
)
def test_yaml_means_json(text, value):
    assert yaml_documents.load(text) == value


@pytest.mark.parametrize(
    "text", [b"a: [", b"? [1]\n: x", b"a: !!python/object:os.system x", b"a: !!binary aGk=", b"\x00"]
)
def test_yaml_that_json_cannot_say_is_refused(text):
    with pytest.raises(DocumentError):
        yaml_documents.load(text)
