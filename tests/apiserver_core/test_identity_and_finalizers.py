"""Metadata: what a client may set at creation, what it may change later, and what keeps an object that is being
deleted."""

from __future__ import annotations

import pytest

MAPS = "/api/v1/namespaces/default/configmaps"
PODS = "/api/v1/namespaces/default/pods"
NODES = "/api/v1/nodes"


# Birth


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("uid", "00000000-0000-0000-0000-000000000001"),
        ("creationTimestamp", "2001-01-01T00:00:00Z"),
        ("deletionTimestamp", "2001-01-01T00:00:00Z"),
        ("deletionGracePeriodSeconds", 5),
        ("selfLink", "/somewhere"),
        ("generation", 17),
    ],
)
def test_what_only_the_server_says_is_not_taken_from_a_creator(story, field, value):
    async def scenario(api):
        made = await api.create(MAPS, {"metadata": {"name": "m", field: value}})
        assert made["metadata"].get(field) != value
        assert await api.get(f"{MAPS}/m") == made

    story(scenario)


def test_a_new_object_has_no_revision_yet(story):
    """An object that was read and is created again must not pass for the old one."""

    async def scenario(api):
        status, error = await api.ask("POST", MAPS, {"metadata": {"name": "m", "resourceVersion": "12"}})
        assert status == 500
        assert error["message"] == "resourceVersion should not be set on objects to be created"
        assert (await api.ask("GET", f"{MAPS}/m"))[0] == 404
        await api.create(MAPS, {"metadata": {"name": "m", "resourceVersion": ""}})

    story(scenario)


@pytest.mark.parametrize("prefix", ["web-", "a", "x" * 70])
def test_a_drawn_name_begins_with_its_prefix_and_fits(story, prefix):
    async def scenario(api):
        made = [await api.create(MAPS, {"metadata": {"generateName": prefix}}) for _ in range(5)]
        drawn = [obj["metadata"]["name"] for obj in made]
        assert len(set(drawn)) == 5
        assert all(name.startswith(prefix[:58]) and len(name) <= 63 for name in drawn)
        assert made[0]["metadata"]["generateName"] == prefix

    story(scenario)


def test_a_name_wins_over_a_prefix(story):
    async def scenario(api):
        made = await api.create(MAPS, {"metadata": {"name": "m", "generateName": "other-"}})
        assert made["metadata"]["name"] == "m"

    story(scenario)


def test_the_same_name_may_live_in_each_namespace_and_kind(story):
    async def scenario(api):
        await api.create("/api/v1/namespaces", {"metadata": {"name": "two"}})
        uids = set()
        for path in (MAPS, "/api/v1/namespaces/two/configmaps", "/api/v1/namespaces/default/secrets"):
            uids.add((await api.create(path, {"metadata": {"name": "same"}}))["metadata"]["uid"])
        assert len(uids) == 3

    story(scenario)


# Updates


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("creationTimestamp", "2001-01-01T00:00:00Z"),
        ("deletionTimestamp", "2001-01-01T00:00:00Z"),
        ("deletionGracePeriodSeconds", 0),
        ("generation", 99),
        ("selfLink", "/x"),
    ],
)
def test_an_update_cannot_touch_what_the_server_keeps(story, method, field, value):
    async def scenario(api):
        old = await api.create(MAPS, {"metadata": {"name": "m"}})
        body = {"metadata": {"name": "m", field: value}, "data": {"a": "b"}}
        media = "application/json" if method == "PUT" else "application/merge-patch+json"
        status, new = await api.ask(method, f"{MAPS}/m", body, media=media)
        assert (status, new["data"]) == (200, {"a": "b"}), new
        assert new["metadata"].get(field) == old["metadata"].get(field)

    story(scenario)


def test_labels_and_annotations_are_replaced_by_an_update_and_merged_by_a_patch(story):
    async def scenario(api):
        await api.create(MAPS, {"metadata": {"name": "m", "labels": {"a": "1", "b": "2"}}})
        patched = await api.merge(f"{MAPS}/m", {"metadata": {"labels": {"b": None, "c": "3"}}})
        assert patched["metadata"]["labels"] == {"a": "1", "c": "3"}
        _, put = await api.ask("PUT", f"{MAPS}/m", {"metadata": {"name": "m", "labels": {"d": "4"}}})
        assert put["metadata"]["labels"] == {"d": "4"}

    story(scenario)


@pytest.mark.parametrize(
    ("patch", "status"),
    [
        ({"metadata": {"resourceVersion": "1"}}, 409),
        ({"metadata": {"uid": "00000000-0000-0000-0000-000000000000"}}, 409),
        ({"metadata": {"name": "other"}}, 400),
        ({"metadata": {"namespace": "other"}}, 400),
        ({"kind": "Secret"}, 422),
        ({"apiVersion": "v2"}, 422),
    ],
)
def test_a_patch_that_makes_it_another_object_is_refused(story, patch, status):
    async def scenario(api):
        old = await api.create(MAPS, {"metadata": {"name": "m"}})
        received, error = await api.ask("PATCH", f"{MAPS}/m", patch, media="application/merge-patch+json")
        assert received == status, error
        assert await api.get(f"{MAPS}/m") == old

    story(scenario)


# Finalizers


async def leaving(api, *finalizers):
    """A ConfigMap that is deleted and held by these."""
    await api.create(MAPS, {"metadata": {"name": "m", "finalizers": list(finalizers)}})
    status, received = await api.ask("DELETE", f"{MAPS}/m")
    assert status == 200 and received["metadata"]["deletionTimestamp"]
    return received


def test_a_leaving_object_takes_no_new_finalizers(story):
    async def scenario(api):
        await leaving(api, "example.com/a")
        more = {"metadata": {"finalizers": ["example.com/a", "example.com/b"]}}
        status, error = await api.ask("PATCH", f"{MAPS}/m", more, media="application/merge-patch+json")
        assert (status, error["reason"]) == (422, "Invalid")
        assert error["details"]["causes"][0]["field"] == "metadata.finalizers"
        assert "no new finalizers can be added if the object is being deleted" in error["message"]

    story(scenario)


def test_a_leaving_object_can_still_be_changed_and_deleted_again(story):
    async def scenario(api):
        first = await leaving(api, "example.com/a")
        changed = await api.merge(f"{MAPS}/m", {"data": {"a": "b"}})
        assert changed["metadata"]["deletionTimestamp"] == first["metadata"]["deletionTimestamp"]
        status, again = await api.ask("DELETE", f"{MAPS}/m")
        assert (status, again["metadata"]) == (200, changed["metadata"])

    story(scenario)


@pytest.mark.parametrize(
    ("held", "kept", "gone"),
    [
        (["example.com/a"], [], True),
        (["example.com/a", "example.com/b"], ["example.com/b"], False),
        (["example.com/a", "example.com/b"], [], True),
    ],
)
def test_the_last_finalizer_lets_go(story, held, kept, gone):
    async def scenario(api):
        await leaving(api, *held)
        watch = await api.watch(MAPS, resourceVersion=await api.newest(MAPS))
        await api.merge(f"{MAPS}/m", {"metadata": {"finalizers": kept}})
        await api.settle()
        assert watch.received() == [("DELETED" if gone else "MODIFIED", "m")]
        assert ((await api.ask("GET", f"{MAPS}/m"))[0] == 404) is gone
        await watch.stop()

    story(scenario)


def test_the_deleted_event_shows_the_last_form(story):
    """A controller must see in the event what its finalizer's removal wrote."""

    async def scenario(api):
        await leaving(api, "example.com/a")
        watch = await api.watch(MAPS, resourceVersion=await api.newest(MAPS))
        await api.merge(f"{MAPS}/m", {"metadata": {"finalizers": None}, "data": {"last": "words"}})
        await api.settle()
        (event,) = watch.events
        assert (event["type"], event["object"]["data"]) == ("DELETED", {"last": "words"})
        assert "finalizers" not in event["object"]["metadata"]
        assert int(event["object"]["metadata"]["resourceVersion"]) == await api.store.revision()
        await watch.stop()

    story(scenario)


def test_a_name_is_free_as_soon_as_its_object_has_gone(story):
    async def scenario(api):
        first = await leaving(api, "example.com/a")
        status, error = await api.ask("POST", MAPS, {"metadata": {"name": "m"}})
        assert (status, error["reason"]) == (409, "AlreadyExists")
        await api.merge(f"{MAPS}/m", {"metadata": {"finalizers": None}})
        second = await api.create(MAPS, {"metadata": {"name": "m"}})
        assert second["metadata"]["uid"] != first["metadata"]["uid"]

    story(scenario)


def test_finalizers_may_be_taken_and_given_while_nothing_is_deleted(story):
    async def scenario(api):
        await api.create(MAPS, {"metadata": {"name": "m", "finalizers": ["example.com/a"]}})
        await api.merge(f"{MAPS}/m", {"metadata": {"finalizers": ["example.com/b"]}})
        assert (await api.merge(f"{MAPS}/m", {"metadata": {"finalizers": None}}))["metadata"].get("finalizers") is None
        assert (await api.get(f"{MAPS}/m"))["metadata"]["name"] == "m"

    story(scenario)


@pytest.mark.parametrize(
    ("before", "policy", "after"),
    [
        ([], "Orphan", ["orphan"]),
        ([], "Foreground", ["foregroundDeletion"]),
        (["foregroundDeletion"], "Orphan", ["orphan"]),
        (["orphan"], "Foreground", ["foregroundDeletion"]),
        (["example.com/a"], "Background", ["example.com/a"]),
        (["orphan", "example.com/a"], "Background", ["example.com/a"]),
        (["example.com/a"], "Foreground", ["example.com/a", "foregroundDeletion"]),
    ],
)
def test_a_policy_decides_about_the_collectors_finalizers(story, before, policy, after):
    async def scenario(api):
        await api.create(MAPS, {"metadata": {"name": "m", "finalizers": before}})
        status, received = await api.ask("DELETE", f"{MAPS}/m", {"propagationPolicy": policy})
        assert (status, received["metadata"]["finalizers"]) == (200, after)

    story(scenario)


@pytest.mark.parametrize(
    ("orphan", "finalizers"),
    [(True, ["orphan"]), (False, None)],
)
def test_the_old_way_to_orphan_still_works(story, orphan, finalizers):
    async def scenario(api):
        await api.create(MAPS, {"metadata": {"name": "m"}})
        status, received = await api.ask("DELETE", f"{MAPS}/m", {"orphanDependents": orphan})
        assert status == 200
        assert (received["metadata"].get("finalizers") if finalizers else received["status"]) == (
            finalizers or "Success"
        )

    story(scenario)


# Preconditions


@pytest.mark.parametrize("field", ["uid", "resourceVersion"])
@pytest.mark.parametrize("right", [True, False])
def test_a_delete_may_say_which_object_it_means(story, field, right):
    async def scenario(api):
        made = await api.create(MAPS, {"metadata": {"name": "m"}})
        value = made["metadata"][field] if right else "1"
        status, received = await api.ask("DELETE", f"{MAPS}/m", {"preconditions": {field: value}})
        if right:
            assert (status, received["status"]) == (200, "Success")
            return
        label = {"uid": "UID", "resourceVersion": "ResourceVersion"}[field]
        assert (status, received["reason"]) == (409, "Conflict")
        assert received["message"] == (
            'Operation cannot be fulfilled on configmaps "m": Precondition failed: '
            f"{label} in precondition: 1, {label} in object meta: {made['metadata'][field]}"
        )

    story(scenario)


def test_preconditions_hold_for_deletes_that_wait_too(story):
    async def scenario(api):
        made = await api.create(MAPS, {"metadata": {"name": "m", "finalizers": ["example.com/a"]}})
        body = {"preconditions": {"resourceVersion": made["metadata"]["resourceVersion"]}}
        assert (await api.ask("DELETE", f"{MAPS}/m", body))[0] == 200
        assert (await api.ask("DELETE", f"{MAPS}/m", body))[0] == 409

    story(scenario)


# Grace of Pods


@pytest.mark.parametrize(
    ("spec", "asked", "expected"),
    [
        ({"terminationGracePeriodSeconds": 5}, None, 5),
        ({"terminationGracePeriodSeconds": 5}, 60, 60),
        ({"terminationGracePeriodSeconds": 5}, 1, 1),
        ({}, -7, 1),
        ({}, None, 30),
    ],
)
def test_the_grace_of_a_pod_on_a_node(story, spec, asked, expected):
    async def scenario(api):
        await api.pod("a", nodeName="n1", **spec)
        options = {} if asked is None else {"gracePeriodSeconds": asked}
        status, received = await api.ask("DELETE", f"{PODS}/a", options)
        assert (status, received["metadata"]["deletionGracePeriodSeconds"]) == (200, expected)
        assert received["metadata"]["generation"] == 2

    story(scenario)


def test_grace_by_query_is_grace_by_body(story):
    async def scenario(api):
        await api.pod("a", nodeName="n1")
        _, received = await api.ask("DELETE", f"{PODS}/a", None, gracePeriodSeconds="7")
        assert received["metadata"]["deletionGracePeriodSeconds"] == 7
        for text in ("soon", "1.5", ""):
            status, _ = await api.ask("DELETE", f"{PODS}/a", None, gracePeriodSeconds=text)
            assert status == (200 if text == "" else 400), text

    story(scenario)


def test_no_grace_at_all_removes_a_pod_at_once(story):
    async def scenario(api):
        await api.pod("a", nodeName="n1")
        status, received = await api.ask("DELETE", f"{PODS}/a", {"gracePeriodSeconds": 0})
        assert (status, received["kind"]) == (200, "Pod")
        assert (await api.ask("GET", f"{PODS}/a"))[0] == 404

    story(scenario)


def test_a_pod_with_a_finalizer_and_no_grace_waits_for_its_finalizer_only(story):
    async def scenario(api):
        containers = [{"name": "c", "image": "i"}]
        metadata = {"name": "a", "finalizers": ["example.com/a"]}
        await api.create(PODS, {"metadata": metadata, "spec": {"nodeName": "n1", "containers": containers}})
        _, received = await api.ask("DELETE", f"{PODS}/a", {"gracePeriodSeconds": 0})
        assert received["metadata"]["deletionGracePeriodSeconds"] == 0
        await api.merge(f"{PODS}/a", {"metadata": {"finalizers": None}})
        assert (await api.ask("GET", f"{PODS}/a"))[0] == 404

    story(scenario)
