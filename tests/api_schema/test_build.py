"""The build hook: how the facts are made from what the two packages ship."""

import ast
import importlib.util
import pathlib

ROOT = pathlib.Path(__file__).parents[2]
_spec = importlib.util.spec_from_file_location("hatch_build", ROOT / "hatch_build.py")
hatch_build = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(hatch_build)


def test_what_kubernetes_validate_added_is_taken_away():
    raw = {
        "description": "prose",
        "type": ["object", "null"],
        "properties": {
            "kind": {"type": ["string", "null"], "enum": ["Pod"]},
            "spec": {"$ref": "#/$defs/io.k8s.api.core.v1.PodSpec", "description": "prose"},
            "tags": {"type": "array", "items": {"type": ["string", "null"]}, "x-kubernetes-list-type": "set"},
        },
        "required": ["spec"],
    }
    assert hatch_build.clean(raw) == {
        "type": "object",
        "properties": {
            "kind": {"type": "string"},
            "spec": {"$ref": "io.k8s.api.core.v1.PodSpec"},
            "tags": {"type": "array", "items": {"type": "string"}, "x-kubernetes-list-type": "set"},
        },
        "required": ["spec"],
    }


RESOURCE = """
class PodBinding(res.NamespacedSubResource, m_core_v1.Binding):
    _api_info = res.ApiInfo(
        resource=res.ResourceDef('', 'v1', 'Binding'),
        parent=res.ResourceDef('', 'v1', 'Pod'),
        plural='pods',
        verbs=['post'],
        action='binding',
    )
"""


def test_a_resource_is_read_without_importing_it():
    assert hatch_build._resource_of(ast.parse(RESOURCE).body[0]) == {
        "gvk": ["", "v1", "Binding"],
        "parent": ["", "v1", "Pod"],
        "plural": "pods",
        "verbs": ["post"],
        "action": "binding",
        "namespaced": True,
    }


def definition(kind, *, version="v1", properties=()):
    gvk = [{"group": "g", "version": version, "kind": kind}]
    return {"x-kubernetes-group-version-kind": gvk, "properties": {name: {} for name in properties}}


def resource(kind, *, version="v1", action=""):
    gvk = ["g", version, kind]
    own = {"gvk": gvk, "parent": gvk if action else [], "plural": kind.lower() + "s", "namespaced": True}
    return {**own, "verbs": ["get", "global_list", "list", "post"], "action": action}


def test_only_what_the_definitions_bear_out_is_kept():
    """The models may be of a newer Kubernetes: its new kinds and status subresources must not be served."""
    known = {
        "a": definition("Old", properties=["status"]),
        "b": definition("Plain"),
        "c": definition("Beta", version="v1beta1"),
    }
    found = [
        resource("Old"),
        resource("Old", action="status"),
        resource("Plain"),
        resource("Plain", action="status"),
        resource("Beta", version="v1beta1"),
        resource("New"),
    ]
    table = hatch_build.build_kinds(known, found)
    assert [(kind["kind"], sorted(kind["subresources"])) for kind in table] == [("Old", ["status"]), ("Plain", [])]
    assert table[0]["verbs"] == ["create", "get", "list"]


def test_only_reachable_definitions_are_kept():
    known = {"a": {"properties": {"x": {"items": {"$ref": "b"}}}}, "b": {"properties": {"y": {"$ref": "a"}}}, "c": {}}
    assert list(hatch_build.reachable(known, ["a"])) == ["a", "b"]
