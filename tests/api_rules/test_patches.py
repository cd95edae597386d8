"""JSON Patch and JSON Merge Patch: what they change, what they leave alone, and how invalid ones are refused."""

import copy

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeostat.api.errors import ApiError
from homeostat.api.patch import patch_forms

SCALAR = st.one_of(st.booleans(), st.integers(-5, 5), st.text("ab", max_size=2))
# Values that a merge patch can say: no nulls inside objects.
VALUE = st.recursive(
    SCALAR,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text("xyz", max_size=1), inner, max_size=3)
    ),
    max_leaves=12,
)
OBJECT = st.dictionaries(st.text("xyz", max_size=2), VALUE, max_size=4)
ANY_PATCH = st.recursive(
    st.one_of(SCALAR, st.none()),
    lambda inner: st.one_of(
        st.lists(inner, max_size=2), st.dictionaries(st.text("xyz", max_size=1), inner, max_size=3)
    ),
    max_leaves=10,
)


@given(OBJECT, OBJECT)
def test_merging_a_difference_gives_the_new_object(old, new):
    before = copy.deepcopy(old)
    difference = patch_forms.merge_diff(old, new)
    assert patch_forms.merge_patch(old, difference) == new
    assert old == before
    assert (difference == {}) is (old == new)


@given(OBJECT, st.dictionaries(st.text("xyz", max_size=1), ANY_PATCH, max_size=3))
def test_merging_twice_is_merging_once_and_leaves_no_null(old, change):
    before = copy.deepcopy(old)
    once = patch_forms.merge_patch(old, change)
    assert patch_forms.merge_patch(once, change) == once
    assert old == before
    assert not any(value is None for value in once.values())


# The examples of RFC 7386, appendix A, that are objects.
@pytest.mark.parametrize(
    ("obj", "change", "result"),
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_rfc_7386(obj, change, result):
    assert patch_forms.apply(patch_forms.MERGE_PATCH, obj, change) == result


def test_a_merge_patch_shares_what_it_does_not_touch():
    obj = {"metadata": {"name": "a"}, "spec": {"big": [1, 2, 3]}}
    new = patch_forms.merge_patch(obj, {"metadata": {"labels": {"a": "b"}}})
    assert new["spec"] is obj["spec"]
    assert obj["metadata"] == {"name": "a"}


@pytest.mark.parametrize(
    ("operations", "result"),
    [
        ([{"op": "add", "path": "/b", "value": 1}], {"a": [1, 2], "b": 1}),
        ([{"op": "add", "path": "/a/-", "value": 3}], {"a": [1, 2, 3]}),
        ([{"op": "remove", "path": "/a/0"}], {"a": [2]}),
        ([{"op": "replace", "path": "/a/1", "value": {"x": 1}}], {"a": [1, {"x": 1}]}),
        ([{"op": "test", "path": "/a/0", "value": 1}, {"op": "remove", "path": "/a"}], {}),
        ([{"op": "copy", "from": "/a", "path": "/b"}], {"a": [1, 2], "b": [1, 2]}),
        ([{"op": "move", "from": "/a", "path": "/c~1d"}], {"c/d": [1, 2]}),
        ([], {"a": [1, 2]}),
    ],
)
def test_json_patch(operations, result):
    obj = {"a": [1, 2]}
    assert patch_forms.apply(patch_forms.JSON_PATCH, obj, operations) == result
    assert obj == {"a": [1, 2]}


@pytest.mark.parametrize(
    ("operations", "code", "message"),
    [
        ({"a": 1}, 400, "error decoding patch: a JSON patch must be a list of operations"),
        (["x"], 400, "error decoding patch: unknown operation"),
        ([{"op": "frob", "path": "/a"}], 400, "error decoding patch: unknown operation"),
        ([{"op": "add", "path": "/a"}], 400, 'error decoding patch: operation "add" needs "value"'),
        ([{"op": "move", "path": "/a"}], 400, 'error decoding patch: operation "move" needs "from"'),
        ([{"op": "add", "path": 7, "value": 1}], 400, 'error decoding patch: operation "add" needs "path"'),
        ([{"op": "test", "path": "/a/0", "value": 2}], 422, "the server rejected our request due to an error"),
        ([{"op": "remove", "path": "/zzz"}], 422, "the server rejected our request due to an error"),
        ([{"op": "replace", "path": "/a/9", "value": 1}], 422, "the server rejected our request due to an error"),
        ([{"op": "add", "path": "/a/0/x", "value": 1}], 422, "the server rejected our request due to an error"),
        ([{"op": "add", "path": "nope", "value": 1}], 422, "the server rejected our request due to an error"),
        ([{"op": "copy", "from": "/zzz", "path": "/b"}], 422, "the server rejected our request due to an error"),
        ([{"op": "replace", "path": "", "value": 3}], 422, "the server rejected our request due to an error"),
        ([{"op": "test", "path": "/a", "value": 1}] * 10_001, 413, "The allowed maximum operations in a JSON patch"),
    ],
)
def test_a_bad_json_patch_is_refused(operations, code, message):
    with pytest.raises(ApiError) as problem:
        patch_forms.apply(patch_forms.JSON_PATCH, {"a": [1]}, operations)
    assert problem.value.code == code
    assert problem.value.message.startswith(message)


def test_a_patch_cannot_grow_by_copying_itself():
    operations = [{"op": "copy", "from": "/a", "path": f"/a/x{i}"} for i in range(40)]
    with pytest.raises(ApiError) as problem:
        patch_forms.apply(patch_forms.JSON_PATCH, {"a": {"seed": "s" * 1000}}, operations)
    assert problem.value.code == 422
    assert "copying more than" in problem.value.message


def test_an_error_does_not_repeat_the_document():
    obj = {"data": {"secret": "s" * 10_000}}
    with pytest.raises(ApiError) as problem:
        patch_forms.apply(patch_forms.JSON_PATCH, obj, [{"op": "replace", "path": "/nope/x", "value": 1}])
    assert "sss" not in problem.value.message


def test_bodies_are_decoded_and_media_types_checked():
    assert patch_forms.apply(f"{patch_forms.MERGE_PATCH}; charset=utf-8", {"a": 1}, b'{"b":2}') == {"a": 1, "b": 2}
    with pytest.raises(ApiError) as problem:
        patch_forms.apply(patch_forms.MERGE_PATCH, {}, b"{")
    assert (problem.value.code, problem.value.reason) == (400, "BadRequest")
    with pytest.raises(ApiError) as problem:
        patch_forms.apply(patch_forms.MERGE_PATCH, {}, b"[1]")
    assert problem.value.code == 400
    with pytest.raises(ApiError) as problem:
        patch_forms.apply("application/json", {}, b"{}")
    assert problem.value.code == 415


@pytest.mark.parametrize("form", [patch_forms.MERGE_PATCH, patch_forms.STRATEGIC_PATCH])
def test_a_patch_that_is_nested_without_end_is_refused(form):
    deep: dict = {}
    for _ in range(5000):
        deep = {"a": deep}
    with pytest.raises(ApiError) as problem:
        patch_forms.apply(form, {}, deep)
    assert problem.value.code == 400
    with pytest.raises(ApiError):
        patch_forms.apply(form, {}, b'{"a":' * 5000 + b"1" + b"}" * 5000)


def test_the_result_can_be_encoded():
    result = patch_forms.apply(
        patch_forms.JSON_PATCH, {"a": 1}, [{"op": "add", "path": "/b", "value": {"c": [1.5, None]}}]
    )
    assert orjson.loads(orjson.dumps(result)) == result
