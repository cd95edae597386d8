"""Corners of the three patch forms: RFC 6902's appendix, directives of strategic merge, what kubectl sends."""

from __future__ import annotations

import copy

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeostat.api import kinds
from homeostat.api.errors import ApiError
from homeostat.api.patch import patch_forms
from homeostat.api.shape.schema import schema_of


def json_patched(obj, *operations):
    before = copy.deepcopy(obj)
    result = patch_forms.apply(patch_forms.JSON_PATCH, obj, list(operations))
    assert obj == before, "the original must stay as it was"
    return result


def op(name, path, value=..., **more):
    return {"op": name, "path": path, **({} if value is ... else {"value": value}), **more}


# JSON Patch: the examples of RFC 6902, appendix A, and pointers of RFC 6901


@pytest.mark.parametrize(
    ("obj", "operations", "expected"),
    [
        ({"foo": "bar"}, [op("add", "/baz", "qux")], {"foo": "bar", "baz": "qux"}),
        ({"foo": ["bar", "baz"]}, [op("add", "/foo/1", "qux")], {"foo": ["bar", "qux", "baz"]}),
        ({"foo": ["bar"]}, [op("add", "/foo/1", "end")], {"foo": ["bar", "end"]}),
        ({"foo": ["bar"]}, [op("add", "/foo/-", ["abc", "def"])], {"foo": ["bar", ["abc", "def"]]}),
        ({"foo": 1}, [op("add", "/foo", 2)], {"foo": 2}),
        ({"baz": "qux", "foo": "bar"}, [op("remove", "/baz")], {"foo": "bar"}),
        ({"foo": ["bar", "qux", "baz"]}, [op("remove", "/foo/1")], {"foo": ["bar", "baz"]}),
        ({"baz": "qux"}, [op("replace", "/baz", "boo")], {"baz": "boo"}),
        ({"a": {"b": 1}}, [op("replace", "/a/b", None)], {"a": {"b": None}}),
        (
            {"foo": {"bar": "baz", "waldo": "fred"}, "qux": {"corge": "grault"}},
            [{"op": "move", "from": "/foo/waldo", "path": "/qux/thud"}],
            {"foo": {"bar": "baz"}, "qux": {"corge": "grault", "thud": "fred"}},
        ),
        (
            {"foo": ["all", "grass", "cows", "eat"]},
            [{"op": "move", "from": "/foo/1", "path": "/foo/3"}],
            {"foo": ["all", "cows", "eat", "grass"]},
        ),
        ({"a": {"b": 1}}, [{"op": "copy", "from": "/a", "path": "/c"}], {"a": {"b": 1}, "c": {"b": 1}}),
        ({"baz": "qux", "foo": ["a", 2, "c"]}, [op("test", "/baz", "qux"), op("test", "/foo/1", 2)], None),
        ({"a": {"b": [1, {"c": None}]}}, [op("test", "/a", {"b": [1, {"c": None}]})], None),
        ({"/": 9, "~1": 10}, [op("test", "/~01", 10)], None),
        ({"a/b": 1}, [op("replace", "/a~1b", 2)], {"a/b": 2}),
        ({"m~n": 1}, [op("replace", "/m~0n", 2)], {"m~n": 2}),
        ({"": 1}, [op("replace", "/", 2)], {"": 2}),
        ({"metadata": {}}, [op("add", "/metadata/labels", {"a": "b"}), op("remove", "/metadata/labels/a")],
         {"metadata": {"labels": {}}}),
        ({"a": 1}, [], None),
        ({"a": 1}, [op("add", "/b", 1, comment="unknown members are ignored")], {"a": 1, "b": 1}),
        ({"a": 1}, [op("replace", "", {"b": 2})], {"b": 2}),
    ],
)  # fmt: skip
def test_operations(obj, operations, expected):
    assert json_patched(obj, *operations) == (obj if expected is None else expected)


@pytest.mark.parametrize(
    ("obj", "operation"),
    [
        ({}, op("remove", "/a")),
        ({}, op("replace", "/a", 1)),
        ({}, op("add", "/a/b", 1)),
        ({"a": []}, op("add", "/a/1", 1)),
        ({"a": [1]}, op("remove", "/a/1")),
        ({"a": [1]}, op("replace", "/a/-", 1)),
        ({"a": [1]}, op("add", "/a/x", 1)),
        ({"a": [1]}, op("add", "/a/-1", 1)),
        ({"a": [1]}, op("add", "/a/01", 1)),
        ({"a": "text"}, op("add", "/a/b", 1)),
        ({"a": 1}, op("test", "/a", 2)),
        ({"a": 1}, op("test", "/a", "1")),
        ({"a": 1}, op("test", "/b", None)),
        ({"a": 1}, {"op": "move", "from": "/b", "path": "/c"}),
        ({"a": 1}, {"op": "copy", "from": "/b", "path": "/c"}),
        ({"a": {"b": 1}}, {"op": "move", "from": "/a", "path": "/a/b"}),
        ({"a": 1}, op("add", "no-slash", 1)),
        ({"a": 1}, op("replace", "", [1])),
        ({"a": 1}, op("replace", "/a~2b", 1)),
    ],
)
def test_an_operation_that_does_not_apply_is_422(obj, operation):
    with pytest.raises(ApiError) as caught:
        json_patched(obj, operation)
    assert (caught.value.code, caught.value.reason) == (422, "Invalid")
    assert caught.value.message.startswith("the server rejected our request due to an error in our request")


@pytest.mark.parametrize(
    "operations",
    [
        {"op": "add"},
        "add",
        [["add"]],
        [None],
        [{}],
        [{"op": "Add", "path": "/a", "value": 1}],
        [{"op": "merge", "path": "/a", "value": 1}],
        [{"op": "add", "path": "/a"}],
        [{"op": "add", "value": 1}],
        [{"op": "remove"}],
        [{"op": "move", "path": "/a"}],
        [{"op": "copy", "path": "/a", "from": 1}],
        [{"op": "test", "path": 5, "value": 1}],
    ],
)
def test_a_malformed_patch_is_400(operations):
    with pytest.raises(ApiError) as caught:
        patch_forms.apply(patch_forms.JSON_PATCH, {"a": 1}, operations)
    assert (caught.value.code, caught.value.reason) == (400, "BadRequest")


def test_of_operations_all_or_none_take_place():
    obj = {"a": [1, 2, 3]}
    with pytest.raises(ApiError):
        json_patched(obj, op("remove", "/a/0"), op("add", "/b", 1), op("test", "/c", 1))
    assert obj == {"a": [1, 2, 3]}


def test_a_test_guards_what_follows():
    """How clients without a resourceVersion compare and swap."""
    guarded = [op("test", "/spec/replicas", 1), op("replace", "/spec/replicas", 2)]
    assert json_patched({"spec": {"replicas": 1}}, *guarded) == {"spec": {"replicas": 2}}
    with pytest.raises(ApiError, match="testing value /spec/replicas failed"):
        json_patched({"spec": {"replicas": 5}}, *guarded)


def test_ten_thousand_operations_and_not_one_more():
    many = [op("replace", "/a", number) for number in range(10_000)]
    assert json_patched({"a": 0}, *many) == {"a": 9_999}
    with pytest.raises(ApiError) as caught:
        json_patched({"a": 0}, *many, many[0])
    assert caught.value.code == 413
    assert "The allowed maximum operations in a JSON patch is 10000, got 10001" in caught.value.message


LEAF = st.one_of(st.none(), st.booleans(), st.integers(-3, 3), st.text("ab/~", max_size=3))
TREE = st.recursive(
    LEAF,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text("x~/", max_size=2), inner, max_size=3)
    ),
    max_leaves=8,
)


def pointer(*parts):
    return "".join("/" + part.replace("~", "~0").replace("/", "~1") for part in parts)


@given(st.dictionaries(st.text("x~/", max_size=2), TREE, max_size=3), st.text("k~/", min_size=1, max_size=3), TREE)
def test_what_is_added_can_be_tested_copied_moved_and_removed(obj, key, value):
    """A chain that ends where it began, over any keys and values."""
    away = "elsewhere"
    result = json_patched(
        obj,
        op("add", pointer(key), value),
        op("test", pointer(key), value),
        {"op": "copy", "from": pointer(key), "path": pointer(away)},
        op("test", pointer(away), value),
        op("remove", pointer(key)),
        {"op": "move", "from": pointer(away), "path": pointer(key)},
        op("test", pointer(key), value),
        op("remove", pointer(key)),
    )
    assert result == {name: item for name, item in obj.items() if name != key}


# Merge patch


@pytest.mark.parametrize(
    ("obj", "change", "expected"),
    [
        ({}, {"a": {"b": None}}, {"a": {}}),
        ({"a": 1}, {"a": {"b": None, "c": 1}}, {"a": {"c": 1}}),
        ({"a": {"b": 1}}, {"a": None}, {}),
        ({"a": {"b": 1}}, {"a": {}}, {"a": {"b": 1}}),
        ({"a": {"b": 1}}, {"a": []}, {"a": []}),
        ({"a": [1, 2]}, {"a": [None]}, {"a": [None]}),
        ({"a": [{"b": 1}]}, {"a": [{"b": None}]}, {"a": [{"b": None}]}),
        ({"a": 1}, {}, {"a": 1}),
        ({"a": False}, {"a": 0}, {"a": 0}),
    ],
)
def test_merge_patches(obj, change, expected):
    result = patch_forms.apply(patch_forms.MERGE_PATCH, obj, change)
    assert orjson.dumps(result) == orjson.dumps(expected)


@pytest.mark.parametrize("change", [[], "text", 1, None, True])
@pytest.mark.parametrize("form", [patch_forms.MERGE_PATCH, patch_forms.STRATEGIC_PATCH])
def test_a_merge_patch_is_an_object(form, change):
    with pytest.raises(ApiError) as caught:
        patch_forms.apply(form, {"a": 1}, change)
    assert caught.value.code == 400


@pytest.mark.parametrize("body", [b"", b"{", b"{'a': 1}", b"\xff", b"[1,]"])
@pytest.mark.parametrize("form", patch_forms.CONTENT_TYPES)
def test_a_body_that_is_no_json_is_400(form, body):
    with pytest.raises(ApiError) as caught:
        patch_forms.apply(form, {"a": 1}, body)
    assert caught.value.code == 400


@pytest.mark.parametrize(
    "form", ["application/json", "text/plain", "", "application/apply-patch+yaml", "application/strategic-merge+json"]
)
def test_other_patch_types_are_415_and_the_message_lists_the_supported_ones(form):
    with pytest.raises(ApiError) as caught:
        patch_forms.apply(form, {"a": 1}, {})
    assert caught.value.code == 415
    for known in patch_forms.CONTENT_TYPES:
        assert known in caught.value.message


# Strategic merge patch over the schemas of the API


def merged(obj, change, kind=kinds.POD):
    before = copy.deepcopy(obj)
    result = patch_forms.apply(patch_forms.STRATEGIC_PATCH, obj, change, schema_of(kind))
    assert obj == before, "the original must stay as it was"
    return result


def spec(**fields):
    return {"spec": fields}


C = {"name": "c", "image": "1"}
D = {"name": "d", "image": "1"}


@pytest.mark.parametrize(
    ("before", "change", "after"),
    [
        # Keys of lists in a Pod: each list has its own.
        ({"volumes": [{"name": "v", "emptyDir": {}}]}, {"volumes": [{"name": "w", "emptyDir": {}}]},
         {"volumes": [{"name": "w", "emptyDir": {}}, {"name": "v", "emptyDir": {}}]}),
        ({"hostAliases": [{"ip": "1.1.1.1", "hostnames": ["a"]}]},
         {"hostAliases": [{"ip": "1.1.1.1", "hostnames": ["b"]}]},
         {"hostAliases": [{"ip": "1.1.1.1", "hostnames": ["b"]}]}),
        ({"imagePullSecrets": [{"name": "a"}]}, {"imagePullSecrets": [{"name": "b"}]},
         {"imagePullSecrets": [{"name": "b"}, {"name": "a"}]}),
        ({"topologySpreadConstraints": [{"topologyKey": "zone", "maxSkew": 1}]},
         {"topologySpreadConstraints": [{"topologyKey": "zone", "maxSkew": 2}]},
         {"topologySpreadConstraints": [{"topologyKey": "zone", "maxSkew": 2}]}),
        # Tolerations have no key: the list is replaced.
        ({"tolerations": [{"key": "a"}]}, {"tolerations": [{"key": "b"}]}, {"tolerations": [{"key": "b"}]}),
        # Inside a container.
        ({"containers": [{**C, "env": [{"name": "A", "value": "1"}]}]},
         {"containers": [{"name": "c", "env": [{"name": "A", "value": "2"}, {"name": "B", "value": "3"}]}]},
         {"containers": [{**C, "env": [{"name": "A", "value": "2"}, {"name": "B", "value": "3"}]}]}),
        ({"containers": [{**C, "volumeMounts": [{"mountPath": "/a", "name": "v"}]}]},
         {"containers": [{"name": "c", "volumeMounts": [{"mountPath": "/a", "name": "w"}]}]},
         {"containers": [{**C, "volumeMounts": [{"mountPath": "/a", "name": "w"}]}]}),
        ({"containers": [{**C, "args": ["a", "b"]}]}, {"containers": [{"name": "c", "args": ["z"]}]},
         {"containers": [{**C, "args": ["z"]}]}),
        ({"containers": [{**C, "resources": {"limits": {"cpu": "1"}}}]},
         {"containers": [{"name": "c", "resources": {"limits": {"memory": "1Gi"}}}]},
         {"containers": [{**C, "resources": {"limits": {"cpu": "1", "memory": "1Gi"}}}]}),
        # Null takes away, at any depth.
        ({"containers": [{**C, "args": ["a"]}]}, {"containers": [{"name": "c", "args": None}]}, {"containers": [C]}),
        ({"containers": [C], "nodeSelector": {"a": "b"}}, {"nodeSelector": None}, {"containers": [C]}),
        ({"nodeSelector": {"a": "b", "c": "d"}}, {"nodeSelector": {"a": None}}, {"nodeSelector": {"c": "d"}}),
        # Directives.
        ({"containers": [C, D]}, {"containers": [{"name": "c", "$patch": "delete"}]}, {"containers": [D]}),
        ({"containers": [C, D]}, {"containers": [{"name": "x", "$patch": "delete"}]}, {"containers": [C, D]}),
        ({"containers": [C, D]}, {"containers": [{"$patch": "replace"}, {"name": "x", "image": "9"}]},
         {"containers": [{"name": "x", "image": "9"}]}),
        ({"containers": [C, D]}, {"containers": [{"$patch": "replace"}]}, {"containers": []}),
        ({"nodeSelector": {"a": "b"}}, {"nodeSelector": {"$patch": "replace", "c": "d"}}, {"nodeSelector": {"c": "d"}}),
        ({"nodeSelector": {"a": "b"}}, {"nodeSelector": {"$patch": "delete"}}, {"nodeSelector": {}}),
        # What kubectl sends to add one container and order it.
        ({"containers": [C]}, {"$setElementOrder/containers": [{"name": "c"}, {"name": "d"}], "containers": [D]},
         {"containers": [C, D]}),
        ({"containers": [C, D]}, {"$setElementOrder/containers": [{"name": "d"}, {"name": "c"}]},
         {"containers": [D, C]}),
        # A volume changes what it is: kubectl retains the new type's fields only.
        ({"volumes": [{"name": "v", "emptyDir": {}}]},
         {"volumes": [{"$retainKeys": ["name", "configMap"], "name": "v", "configMap": {"name": "m"}}]},
         {"volumes": [{"name": "v", "configMap": {"name": "m"}}]}),
    ],
)  # fmt: skip
def test_strategic_merges_of_a_pod(before, change, after):
    assert merged(spec(**before), spec(**change)) == spec(**after)


@pytest.mark.parametrize(
    ("before", "change", "after"),
    [
        (["a", "b"], {"finalizers": ["c"]}, ["c", "a", "b"]),
        (["a", "b"], {"finalizers": ["b"]}, ["a", "b"]),
        (["a", "b"], {"$deleteFromPrimitiveList/finalizers": ["a"]}, ["b"]),
        (["a", "b"], {"$deleteFromPrimitiveList/finalizers": ["x"]}, ["a", "b"]),
        (["a", "b"], {"$deleteFromPrimitiveList/finalizers": ["a"], "finalizers": ["c"]}, ["c", "b"]),
        (
            ["a", "b"],
            {"$setElementOrder/finalizers": ["c", "b"], "$deleteFromPrimitiveList/finalizers": ["a"],
             "finalizers": ["c"]},
            ["c", "b"],
        ),
        (["a", "b"], {"$setElementOrder/finalizers": ["b", "a"]}, ["b", "a"]),
    ],
)  # fmt: skip
def test_finalizers_are_a_set_that_patches_add_to(before, change, after):
    """What only the patch has comes first, as in lists of maps."""
    assert merged({"metadata": {"finalizers": before}}, {"metadata": change}) == {"metadata": {"finalizers": after}}


@pytest.mark.parametrize(
    ("kind", "before", "change", "after"),
    [
        # A Deployment's strategy: `kubectl patch` from rolling to recreating must drop what only rolling has.
        (
            kinds.DEPLOYMENT,
            {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}},
            {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}},
            {"strategy": {"type": "Recreate"}},
        ),
        (
            kinds.DEPLOYMENT,
            {"template": {"spec": {"containers": [C]}}},
            {"template": {"spec": {"containers": [{"name": "c", "image": "2"}]}}},
            {"template": {"spec": {"containers": [{"name": "c", "image": "2"}]}}},
        ),
        (
            kinds.SERVICE,
            {"ports": [{"port": 80, "nodePort": 30080}]},
            {"ports": [{"port": 80, "targetPort": 8080}, {"port": 443}]},
            {"ports": [{"port": 80, "nodePort": 30080, "targetPort": 8080}, {"port": 443}]},
        ),
        # Addresses and sources of a Service are plain lists.
        (
            kinds.SERVICE,
            {"externalIPs": ["1.1.1.1"]},
            {"externalIPs": ["2.2.2.2"]},
            {"externalIPs": ["2.2.2.2"]},
        ),
        (
            kinds.NODE,
            {"taints": [{"key": "a", "effect": "NoSchedule"}]},
            {"taints": [{"key": "b", "effect": "NoSchedule"}]},
            {"taints": [{"key": "b", "effect": "NoSchedule"}]},
        ),
        (kinds.NODE, {"podCIDRs": ["10.0.0.0/24"]}, {"podCIDRs": ["fd00::/64"]},
         {"podCIDRs": ["fd00::/64", "10.0.0.0/24"]}),
    ],
)  # fmt: skip
def test_strategic_merges_of_other_kinds(kind, before, change, after):
    assert merged(spec(**before), spec(**change), kind) == spec(**after)


def test_owners_merge_by_uid_and_conditions_by_type():
    owners = [{"uid": "1", "name": "a"}, {"uid": "2", "name": "b"}]
    result = merged({"metadata": {"ownerReferences": owners}}, {"metadata": {"ownerReferences": [
        {"uid": "2", "$patch": "delete"}, {"uid": "1", "controller": True}]}})  # fmt: skip
    assert result == {"metadata": {"ownerReferences": [{"uid": "1", "name": "a", "controller": True}]}}
    conditions = {"status": {"conditions": [{"type": "Ready", "status": "False"}, {"type": "Other", "status": "True"}]}}
    change = {"status": {"conditions": [{"type": "Ready", "status": "True"}]}}
    for kind in (kinds.POD, kinds.NODE, kinds.DEPLOYMENT):
        assert [item["status"] for item in merged(conditions, change, kind)["status"]["conditions"]] == ["True", "True"]


@pytest.mark.parametrize(
    "change",
    [
        spec(containers=[{"image": "without a key"}]),
        spec(containers=[{"$patch": "delete"}]),
        spec(containers=[{"name": "c", "$patch": "explode"}]),
        spec(nodeSelector={"$patch": "explode"}),
        spec(containers=["text"]),
        {"spec": {"$setElementOrder/containers": "c"}},
        {"spec": {"$setElementOrder/containers": [{"name": "x"}], "containers": [{"name": "c"}]}},
        {"metadata": {"$deleteFromPrimitiveList/finalizers": "a"}},
        {"spec": {"$unknown/containers": []}},
        {"spec": {"volumes": [{"name": "v", "$retainKeys": "name"}]}},
    ],
)
def test_mistakes_in_directives_are_reported(change):
    obj = {"metadata": {"finalizers": ["a"]}, **spec(containers=[C], volumes=[{"name": "v"}], nodeSelector={"a": "b"})}
    with pytest.raises(ApiError) as caught:
        merged(obj, change)
    assert caught.value.code in (400, 422)
    assert caught.value.message


@pytest.mark.parametrize("field", ["containers", "initContainers", "volumes", "imagePullSecrets", "hostAliases"])
def test_no_directive_stays_in_a_new_list(field):
    key = "ip" if field == "hostAliases" else "name"
    change = spec(**{field: [{key: "a"}, {key: "b", "$patch": "delete"}], f"$setElementOrder/{field}": [{key: "a"}]})
    assert merged({"spec": {}}, change) == spec(**{field: [{key: "a"}]})
