"""Names, labels, annotations, owners and finalizers, of any kind."""

import pytest

from homeostat.api import kinds
from homeostat.api.catalogue import Catalogue
from tests.support.rules import change_faults, faults, named


def config(**metadata):
    obj = named(kinds.CONFIGMAP)
    obj["metadata"] |= metadata
    return obj


def test_an_object_needs_a_name_or_a_prefix_for_one():
    assert faults(kinds.CONFIGMAP, config(name="")) == [
        "metadata.name: Required value: name or generateName is required"
    ]
    (text,) = faults(kinds.CONFIGMAP, config(generateName="A-"))
    assert text.startswith('metadata.generateName: Invalid value: "A-": a lowercase RFC 1123 subdomain')


def test_namespaces_belong_to_namespaced_kinds():
    assert faults(kinds.CONFIGMAP, config(namespace="")) == ["metadata.namespace: Required value"]
    node = named(kinds.NODE)
    node["metadata"]["namespace"] = "default"
    assert faults(kinds.NODE, node) == ["metadata.namespace: Forbidden: not allowed on this type"]


@pytest.mark.parametrize(
    ("kind", "name", "good"),
    [
        (kinds.POD, "a.b", True),
        (kinds.NAMESPACE, "a.b", False),
        (kinds.NAMESPACE, "a-b", True),
        (kinds.SERVICE, "1a", False),
        (kinds.CONFIGMAP, "1a.b", True),
        (kinds.CLUSTERROLE, "system:a", True),
        (kinds.CLUSTERROLE, "a/b", False),
        (kinds.CONFIGMAP, "system:a", False),
    ],
)
def test_each_kind_has_its_rule_for_names(kind, name, good):
    found = [text for text in faults(kind, named(kind, name)) if text.startswith("metadata.name")]
    assert (found == []) is good


def test_labels_and_annotations():
    found = faults(kinds.CONFIGMAP, config(labels={"-a": "b", "c": "-d"}, annotations={"Example.com/A": "any thing"}))
    assert [text.partition(": name part")[0].partition(": a valid")[0] for text in found] == [
        'metadata.labels: Invalid value: "-a"',
        'metadata.labels: Invalid value: "-d"',
    ]
    assert faults(kinds.CONFIGMAP, config(annotations={"a": "x" * 262_143})) == []
    assert faults(kinds.CONFIGMAP, config(annotations={"a": "x" * 262_144})) == [
        "metadata.annotations: Too long: may not be more than 262144 bytes"
    ]
    assert faults(kinds.CONFIGMAP, config(annotations={"a": "é" * 131_072})) != []


def owner(**fields):
    return {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "r", "uid": "u", **fields}


def test_owners_are_complete_and_one_controls():
    assert faults(kinds.CONFIGMAP, config(ownerReferences=[owner(controller=True), owner(name="s")])) == []
    assert faults(kinds.CONFIGMAP, config(ownerReferences=[owner(uid="", apiVersion="")])) == [
        'metadata.ownerReferences[0].apiVersion: Invalid value: "": version must not be empty',
        'metadata.ownerReferences[0].uid: Invalid value: "": must not be empty',
    ]
    (two,) = faults(kinds.CONFIGMAP, config(ownerReferences=[owner(controller=True), owner(controller=True, name="s")]))
    assert two.endswith('Only one reference can have Controller set to true. Found "true" in references for r and s')
    (event,) = faults(kinds.CONFIGMAP, config(ownerReferences=[owner(apiVersion="v1", kind="Event")]))
    assert event.endswith("is disallowed from being an owner")


def test_finalizers_have_a_domain_or_are_kubernetes_own():
    assert faults(kinds.CONFIGMAP, config(finalizers=["example.com/a", "foregroundDeletion"])) == []
    assert faults(kinds.CONFIGMAP, config(finalizers=["mine"])) == [
        'metadata.finalizers[0]: Invalid value: "mine": '
        "name is neither a standard finalizer name nor is it fully qualified"
    ]
    (both,) = faults(kinds.CONFIGMAP, config(finalizers=["orphan", "foregroundDeletion"]))
    assert both.endswith('finalizer "orphan" and "foregroundDeletion" cannot be both set')


@pytest.mark.parametrize("field", ["name", "namespace", "uid", "creationTimestamp"])
def test_identity_never_changes(field):
    old = config(uid="u", creationTimestamp="2026-01-01T00:00:00Z")
    assert change_faults(kinds.CONFIGMAP, old, lambda obj: obj["metadata"].update({field: "other"})) == [
        f'metadata.{field}: Invalid value: "other": field is immutable'
    ]


def test_a_generation_never_falls():
    old = config(generation=3)
    assert change_faults(kinds.CONFIGMAP, old, lambda obj: obj["metadata"].update(generation=2)) == [
        "metadata.generation: Invalid value: 2: must not be decremented"
    ]


def test_labels_are_judged_on_updates_of_any_subresource():
    for subresource in ("", "status"):
        found = change_faults(kinds.DEPLOYMENT, named(kinds.DEPLOYMENT), bad_label, subresource)
        assert any(text.startswith("metadata.labels") for text in found)


def bad_label(obj):
    obj["metadata"]["labels"] = {"a": "-"}


@pytest.mark.parametrize("kind", Catalogue.builtin().kinds, ids=lambda kind: f"{kind.group}.{kind.kind}")
def test_every_kind_answers_for_an_empty_object(kind):
    obj = named(kind)
    assert all(text.partition(": ")[2] for text in faults(kind, obj))
    assert all(isinstance(text, str) for text in change_faults(kind, obj, lambda same: None))
