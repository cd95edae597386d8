"""Strategic merge patch over the real schemas: keys, directives, order, and mistakes.

The rules are those of apimachinery's strategicpatch; the round trip uses a difference like that of `kubectl apply`.
"""

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeostat.api import kinds
from homeostat.api.errors import ApiError
from homeostat.api.patch import patch_forms
from homeostat.api.shape.schema import schema_of

POD = schema_of(kinds.POD)


def merged(obj, change, kind=kinds.POD):
    before = copy.deepcopy(obj)
    result = patch_forms.apply(patch_forms.STRATEGIC_PATCH, obj, change, schema_of(kind))
    assert obj == before, "the original must stay as it was"
    return result


def containers(*names, **more):
    return {"spec": {"containers": [{"name": name, "image": "1"} for name in names], **more}}


def names_of(obj, field="containers"):
    return [item["name"] for item in obj["spec"][field]]


def test_containers_merge_by_name():
    result = merged(containers("a", "b"), {"spec": {"containers": [{"name": "b", "image": "2"}]}})
    assert result["spec"]["containers"] == [{"name": "a", "image": "1"}, {"name": "b", "image": "2"}]


def test_a_new_item_comes_before_those_that_only_the_server_has():
    result = merged(containers("a", "b"), {"spec": {"containers": [{"name": "c", "image": "3"}]}})
    assert names_of(result) == ["c", "a", "b"]


def test_nested_lists_merge_by_their_own_keys():
    obj = {
        "spec": {"containers": [{"name": "a", "env": [{"name": "X", "value": "1"}], "ports": [{"containerPort": 1}]}]}
    }
    change = {"name": "a", "env": [{"name": "Y", "value": "2"}], "ports": [{"containerPort": 1, "name": "http"}]}
    (container,) = merged(obj, {"spec": {"containers": [change]}})["spec"]["containers"]
    assert {item["name"]: item["value"] for item in container["env"]} == {"X": "1", "Y": "2"}
    assert container["ports"] == [{"containerPort": 1, "name": "http"}]


def test_a_null_removes_a_field_and_never_stays():
    obj = {"metadata": {"labels": {"a": "1", "b": "2"}}}
    assert merged(obj, {"metadata": {"labels": {"a": None, "c": None}}}) == {"metadata": {"labels": {"b": "2"}}}
    assert merged({}, {"metadata": {"labels": {"a": None, "b": "1"}}}) == {"metadata": {"labels": {"b": "1"}}}


def test_lists_without_a_strategy_are_replaced():
    obj = {"spec": {"tolerations": [{"key": "a"}], "containers": [{"name": "a", "command": ["x", "y"]}]}}
    change = {"spec": {"tolerations": [{"key": "b"}], "containers": [{"name": "a", "command": ["z"]}]}}
    assert merged(obj, change) == {
        "spec": {"tolerations": [{"key": "b"}], "containers": [{"name": "a", "command": ["z"]}]}
    }


def test_conditions_of_a_node_merge_by_type():
    obj = {"status": {"conditions": [{"type": "Ready", "status": "True"}, {"type": "Disk", "status": "False"}]}}
    result = merged(obj, {"status": {"conditions": [{"type": "Ready", "status": "Unknown"}]}}, kinds.NODE)
    assert result["status"]["conditions"] == [
        {"type": "Ready", "status": "Unknown"},
        {"type": "Disk", "status": "False"},
    ]


def test_ports_of_a_service_merge_by_port_though_two_protocols_share_one():
    tcp, udp = {"port": 53, "protocol": "TCP", "name": "t"}, {"port": 53, "protocol": "UDP", "name": "u"}
    result = merged({"spec": {"ports": [tcp, udp]}}, {"spec": {"ports": [{"port": 53, "name": "dns"}]}}, kinds.SERVICE)
    # The patch's key is the port alone: the first of the two is meant (apimachinery does the same).
    assert result["spec"]["ports"] == [tcp | {"name": "dns"}, udp]


def test_an_item_is_deleted_by_its_key():
    result = merged(containers("a", "b"), {"spec": {"containers": [{"name": "a", "$patch": "delete"}]}})
    assert names_of(result) == ["b"]
    assert merged({}, {"spec": {"containers": [{"name": "a", "$patch": "delete"}]}}) == {"spec": {"containers": []}}


def test_a_list_is_replaced_on_demand():
    change = {"spec": {"containers": [{"$patch": "replace"}, {"name": "z", "image": "9"}]}}
    assert merged(containers("a", "b"), change)["spec"]["containers"] == [{"name": "z", "image": "9"}]


def test_a_map_is_replaced_or_emptied_on_demand():
    obj = {"metadata": {"labels": {"a": "1"}, "name": "x"}}
    assert merged(obj, {"metadata": {"labels": {"$patch": "replace", "b": "2"}}})["metadata"]["labels"] == {"b": "2"}
    assert merged(obj, {"metadata": {"labels": {"$patch": "delete"}}})["metadata"]["labels"] == {}


def test_scalars_are_added_once_and_taken_out_by_directive():
    obj = {"metadata": {"finalizers": ["a", "b"]}}
    assert sorted(merged(obj, {"metadata": {"finalizers": ["b", "c"]}})["metadata"]["finalizers"]) == ["a", "b", "c"]
    change = {"metadata": {"$deleteFromPrimitiveList/finalizers": ["a", "zzz"]}}
    assert merged(obj, change) == {"metadata": {"finalizers": ["b"]}}
    both = {"metadata": {"finalizers": ["c"], "$deleteFromPrimitiveList/finalizers": ["a"]}}
    assert sorted(merged(obj, both)["metadata"]["finalizers"]) == ["b", "c"]
    ordered = {"metadata": {"$deleteFromPrimitiveList/finalizers": ["a"], "$setElementOrder/finalizers": ["b"]}}
    assert merged(obj, ordered) == {"metadata": {"finalizers": ["b"]}}


def test_the_order_of_a_list_is_set():
    change = {"spec": {"$setElementOrder/containers": [{"name": "b"}, {"name": "a"}]}}
    assert names_of(merged(containers("a", "b"), change)) == ["b", "a"]


def test_items_of_the_server_keep_their_place_among_ordered_ones():
    change = {
        "spec": {
            "$setElementOrder/containers": [{"name": "a"}, {"name": "new"}, {"name": "c"}],
            "containers": [{"name": "new", "image": "1"}],
        }
    }
    # "b" was injected between "a" and "c" by somebody else.
    assert names_of(merged(containers("a", "b", "c"), change)) == ["a", "new", "b", "c"]


def test_an_order_that_contradicts_its_list_is_refused():
    change = {
        "spec": {
            "$setElementOrder/containers": [{"name": "b"}, {"name": "a"}],
            "containers": [{"name": "a"}, {"name": "b"}],
        }
    }
    with pytest.raises(ApiError, match="The order in patch list") as problem:
        merged(containers("a", "b"), change)
    assert problem.value.code == 400


def test_only_the_retained_keys_stay():
    obj = {"spec": {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}}}
    change = {"spec": {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}}
    assert merged(obj, change, kinds.DEPLOYMENT) == {"spec": {"strategy": {"type": "Recreate"}}}
    volumes = {"spec": {"volumes": [{"name": "v", "emptyDir": {}}]}}
    swap = {"spec": {"volumes": [{"$retainKeys": ["name", "configMap"], "name": "v", "configMap": {"name": "c"}}]}}
    assert merged(volumes, swap) == {"spec": {"volumes": [{"name": "v", "configMap": {"name": "c"}}]}}


@pytest.mark.parametrize(
    ("change", "code", "message"),
    [
        ({"spec": {"containers": [{"image": "2"}]}}, 422, "does not contain declared merge key: name"),
        ({"spec": {"containers": ["x"]}}, 422, "list element types are not identical"),
        ({"spec": {"$patch": "frob"}}, 422, "unknown patch type: frob"),
        ({"spec": {"containers": [{"$patch": "frob", "name": "a"}]}}, 422, "unknown patch type: frob"),
        ({"spec": {"containers": [{"$patch": "merge", "name": "a"}]}}, 422, "merging lists cannot yet be specified"),
        ({"spec": {"$frob/containers": []}}, 400, "unknown patch directive"),
        ({"spec": {"$setElementOrder/containers": 7}}, 400, "invalid patch format of setElementOrder list"),
        ({"spec": {"$retainKeys": ["a"], "b": 1}}, 400, "invalid patch format of retainKeys"),
        ({"metadata": {"$deleteFromPrimitiveList/finalizers": "x"}}, 400, "invalid patch format of primitive list"),
        ({"spec": {"containers": [{"name": {"a": 1}}]}}, 422, "cannot merge by a map"),
    ],
)
def test_mistakes_are_refused(change, code, message):
    with pytest.raises(ApiError, match=message.replace("$", r"\$")) as problem:
        merged(containers("a") | {"metadata": {"finalizers": ["f"]}}, change)
    assert problem.value.code == code


def test_a_change_of_type_replaces():
    assert merged({"spec": {"containers": None}}, {"spec": {"containers": [{"name": "a"}]}})["spec"]["containers"]
    assert merged({"spec": "x"}, {"spec": {"nodeName": "n"}}) == {"spec": {"nodeName": "n"}}


def test_untouched_parts_are_shared_with_the_original():
    obj = containers("a", "b") | {"status": {"phase": "Running"}}
    result = merged(obj, {"spec": {"containers": [{"name": "b", "image": "2"}]}})
    assert result["status"] is obj["status"]
    assert result["spec"]["containers"][0] is obj["spec"]["containers"][0]


def test_long_lists_merge_in_one_pass():
    obj = {"spec": {"containers": [{"name": "a", "env": [{"name": f"V{i}", "value": "1"} for i in range(4000)]}]}}
    env = [{"name": f"V{i}", "value": "2"} for i in range(3999, -1, -1)]
    result = merged(obj, {"spec": {"containers": [{"name": "a", "env": env}]}})
    assert result["spec"]["containers"][0]["env"] == env


# The round trip: difference, then merge


def difference(old, new, place):
    """A two-way strategic merge patch from `old` to `new`, with deletions and element orders as kubectl sends them."""
    change = {key: None for key in old if key not in new}
    for key, value in new.items():
        before = old.get(key)
        if before == value:
            continue
        field = place.field(key)
        mergeable = field is not None and "merge" in field.patch_strategy
        if isinstance(value, dict) and isinstance(before, dict):
            change[key] = difference(before, value, field)
            if "retainKeys" in field.patch_strategy:
                change[key]["$retainKeys"] = sorted(value)
        elif isinstance(value, list) and isinstance(before, list) and mergeable:
            change |= list_difference(key, before, value, field)
        else:
            change[key] = value
    return change


def list_difference(name, before, after, field):
    key = field.patch_merge_key
    if not key:
        gone = [item for item in before if item not in after]
        added = [item for item in after if item not in before]
        found = {f"$setElementOrder/{name}": after}
        return found | ({name: added} if added else {}) | ({f"$deleteFromPrimitiveList/{name}": gone} if gone else {})
    old_lists, kept = {item[key]: item for item in before}, {item[key] for item in after}
    changes = []
    for item in after:
        inner = difference(old_lists[item[key]], item, field.items) if item[key] in old_lists else dict(item)
        if "retainKeys" in field.patch_strategy and item[key] in old_lists and inner:
            inner["$retainKeys"] = sorted(item)
        if inner:
            changes.append({key: item[key]} | inner)
    changes += [{key: gone, "$patch": "delete"} for gone in old_lists if gone not in kept]
    found = {f"$setElementOrder/{name}": [{key: item[key]} for item in after]}
    return found | ({name: changes} if changes else {})


def unique(items, key):
    return st.lists(items, max_size=4, unique_by=lambda item: item[key])


SHORT = st.sampled_from(["a", "b", "c", "d"])
ENV = unique(st.fixed_dictionaries({"name": SHORT}, optional={"value": SHORT}), "name")
PORTS = unique(st.fixed_dictionaries({"containerPort": st.integers(1, 4)}, optional={"name": SHORT}), "containerPort")
CONTAINER = st.fixed_dictionaries(
    {"name": SHORT},
    optional={"image": SHORT, "env": ENV, "ports": PORTS, "command": st.lists(SHORT, max_size=2)},
)
VOLUME = st.one_of(
    st.fixed_dictionaries({"name": SHORT, "emptyDir": st.just({})}),
    st.fixed_dictionaries({"name": SHORT, "configMap": st.fixed_dictionaries({"name": SHORT})}),
)
POD_OBJECT = st.fixed_dictionaries(
    {},
    optional={
        "metadata": st.fixed_dictionaries(
            {},
            optional={
                "labels": st.dictionaries(SHORT, SHORT, max_size=3),
                "finalizers": st.lists(SHORT, max_size=3, unique=True),
            },
        ),
        "spec": st.fixed_dictionaries(
            {},
            optional={
                "containers": unique(CONTAINER, "name"),
                "volumes": unique(VOLUME, "name"),
                "tolerations": st.lists(st.fixed_dictionaries({"key": SHORT}), max_size=2),
                "nodeSelector": st.dictionaries(SHORT, SHORT, max_size=2),
            },
        ),
    },
)


@given(POD_OBJECT, POD_OBJECT)
def test_merging_a_strategic_difference_gives_the_new_object_in_its_order(old, new):
    assert merged(old, difference(old, new, POD)) == new


@given(POD_OBJECT, POD_OBJECT)
def test_a_patch_that_is_applied_again_changes_nothing(old, new):
    change = difference(old, new, POD)
    once = merged(old, change)
    assert merged(once, change) == once


@given(POD_OBJECT, POD_OBJECT)
def test_a_plain_object_as_a_patch_keeps_what_it_does_not_name(old, new):
    result = merged(old, new)
    theirs, ours = (old.get("metadata") or {}).get("labels") or {}, (new.get("metadata") or {}).get("labels") or {}
    assert (result.get("metadata") or {}).get("labels", {}) == {**theirs, **ours}
    kept = {item["name"] for obj in (old, new) for item in (obj.get("spec") or {}).get("containers") or ()}
    assert {item["name"] for item in (result.get("spec") or {}).get("containers") or ()} == kept
