"""Patches of three types over the wire: what they change, what they refuse, and how they meet other writers."""

from __future__ import annotations

import asyncio

import pytest

PODS = "/api/v1/namespaces/default/pods"
MAPS = "/api/v1/namespaces/default/configmaps"
JSON_PATCH = "application/json-patch+json"
MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"


def test_each_type_changes_the_object_its_own_way(story):
    async def scenario(api):
        await api.pod("a", volumes=[{"name": "one", "emptyDir": {}}])
        strategic = {"spec": {"containers": [{"name": "main", "image": "new"}]}, "metadata": {"labels": {"x": "1"}}}
        status, pod = await api.ask("PATCH", f"{PODS}/a", strategic, media=STRATEGIC)
        assert (status, pod["spec"]["containers"][0]["image"], pod["metadata"]["labels"]) == (200, "new", {"x": "1"})
        pod = await api.merge(f"{PODS}/a", {"metadata": {"labels": {"x": None, "y": "2"}}})
        assert pod["metadata"]["labels"] == {"y": "2"}
        operations = [
            {"op": "test", "path": "/metadata/labels/y", "value": "2"},
            {"op": "replace", "path": "/metadata/labels/y", "value": "3"},
        ]
        status, pod = await api.ask("PATCH", f"{PODS}/a", operations, media=JSON_PATCH)
        assert (status, pod["metadata"]["labels"]) == (200, {"y": "3"})

    story(scenario)


@pytest.mark.parametrize(
    ("patch", "media", "status"),
    [
        (b"{", MERGE, 400),
        ([1], MERGE, 400),
        ({"metadata": {"labels": {"x": 7}}}, MERGE, 422),
        ({"metadata": {"name": "b"}}, MERGE, 400),
        ({"kind": "Secret"}, MERGE, 422),
        ({"kind": 7}, MERGE, 422),
        ([{"op": "test", "path": "/data", "value": 1}], JSON_PATCH, 422),
        ([{"op": "replace", "path": "/metadata", "value": []}], JSON_PATCH, 422),
        ([{"op": "remove", "path": ""}], JSON_PATCH, 422),
        ({"metadata": {"name": "a"}}, "application/apply-patch+yaml", 415),
        ({}, "application/json", 415),
    ],
)
def test_a_patch_that_cannot_be_is_refused_and_changes_nothing(story, patch, media, status):
    async def scenario(api):
        before = await api.create(MAPS, {"metadata": {"name": "a"}})
        answer, error = await api.ask("PATCH", f"{MAPS}/a", patch, media=media)
        assert (answer, error["kind"], error["status"]) == (status, "Status", "Failure")
        assert await api.get(f"{MAPS}/a") == before

    story(scenario)


def test_a_patch_that_makes_no_object_of_the_kind_is_invalid_in_kubernetes_words(story):
    """handlers/patch.go: not the 400 of an update, for the client did not send the object."""

    async def scenario(api):
        await api.create(MAPS, {"metadata": {"name": "a"}, "data": {"x": "y" * 40_000}})
        status, error = await api.ask("PATCH", f"{MAPS}/a", {"immutable": "no"}, media=MERGE)
        assert (status, error["reason"], error["details"]["causes"][0]["field"]) == (422, "Invalid", "patch")
        assert error["message"].startswith(' "" is invalid: patch: Invalid value: "{')
        why = "json: cannot unmarshal string into Go struct field ConfigMap.immutable of type bool"
        assert error["message"].endswith(f": {why}") and len(error["message"]) < 30_000
        status, error = await api.ask("PATCH", f"{MAPS}/a", {"colour": "red"}, media=MERGE, fieldValidation="Strict")
        assert (status, error["reason"]) == (422, "Invalid")
        assert error["message"].endswith(': strict decoding error: unknown field "colour"')

    story(scenario)


def test_server_side_apply_is_refused_by_naming_what_is_supported(story):
    async def scenario(api):
        _, error = await api.ask("PATCH", f"{MAPS}/a", {}, media="application/apply-patch+yaml")
        assert JSON_PATCH in error["message"]
        assert MERGE in error["message"]
        assert STRATEGIC in error["message"]

    story(scenario)


def test_patches_that_meet_are_all_applied(story):
    """patch.go: without a resourceVersion in it a patch is made again on top of what came in between."""

    async def scenario(one, other):
        await one.create(MAPS, {"metadata": {"name": "a"}})
        answers = await asyncio.gather(
            *(
                (one, other)[number % 2].ask("PATCH", f"{MAPS}/a", {"data": {f"k{number}": "v"}}, media=MERGE)
                for number in range(12)
            )
        )
        assert {status for status, _ in answers} == {200}
        assert len((await other.get(f"{MAPS}/a"))["data"]) == 12

    story(scenario, servers=2)


def test_a_patch_that_names_a_stale_revision_is_a_conflict(story):
    async def scenario(api):
        first = await api.create(MAPS, {"metadata": {"name": "a"}})
        revision = first["metadata"]["resourceVersion"]
        await api.merge(f"{MAPS}/a", {"metadata": {"resourceVersion": revision}, "data": {"x": "1"}})
        patch = {"metadata": {"resourceVersion": revision}, "data": {"x": "2"}}
        status, error = await api.ask("PATCH", f"{MAPS}/a", patch, media=MERGE)
        assert (status, error["reason"]) == (409, "Conflict")

    story(scenario)


def test_a_patch_cannot_change_who_the_object_is(story):
    async def scenario(api):
        first = await api.create(MAPS, {"metadata": {"name": "a"}})
        patch = {"metadata": {"creationTimestamp": "2001-01-01T00:00:00Z", "deletionTimestamp": "2001-01-01T00:00:00Z"}}
        assert await api.merge(f"{MAPS}/a", patch) == first
        status, _ = await api.ask("PATCH", f"{MAPS}/a", {"metadata": {"uid": "other"}}, media=MERGE)
        assert status == 409

    story(scenario)


def test_a_patch_of_what_is_not_there_is_404(story):
    async def scenario(api):
        assert (await api.ask("PATCH", f"{MAPS}/a", {}, media=MERGE))[0] == 404

    story(scenario)


def test_unknown_fields_in_a_patch_are_warned_of_once(story):
    async def scenario(api):
        await api.create(MAPS, {"metadata": {"name": "a"}})
        response = await api.send("PATCH", f"{MAPS}/a", {"datum": 1}, media=MERGE)
        assert response.headers["warning"] == '299 - "unknown field \\"datum\\""'
        status, _ = await api.ask("PATCH", f"{MAPS}/a", {"datum": 1}, media=MERGE, fieldValidation="Strict")
        assert status in (400, 422)

    story(scenario)
