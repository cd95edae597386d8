"""Delete: grace, finalizers, propagation, preconditions, collections and Namespaces (registry/rest/delete.go)."""

from __future__ import annotations

import asyncio

import pytest

PODS = "/api/v1/namespaces/default/pods"
MAPS = "/api/v1/namespaces/default/configmaps"
DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"


def test_a_delete_answers_with_a_status_that_names_the_object(story):
    async def scenario(api):
        created = await api.create(MAPS, {"metadata": {"name": "a"}})
        status, answer = await api.ask("DELETE", f"{MAPS}/a")
        assert (status, answer["kind"], answer["status"]) == (200, "Status", "Success")
        assert answer["details"] == {"name": "a", "kind": "configmaps", "uid": created["metadata"]["uid"]}
        assert (await api.ask("GET", f"{MAPS}/a"))[0] == 404
        assert (await api.ask("DELETE", f"{MAPS}/a"))[0] == 404

    story(scenario)


def test_of_many_that_delete_at_once_one_succeeds(story):
    async def scenario(one, other):
        await one.create(MAPS, {"metadata": {"name": "a"}})
        await other.settle()
        answers = await asyncio.gather(*((one, other)[n % 2].ask("DELETE", f"{MAPS}/a") for n in range(6)))
        assert sorted(status for status, _ in answers) == [200] + [404] * 5

    story(scenario, servers=2)


# Pods


def test_a_pod_on_a_node_gets_its_grace_and_goes_when_the_node_says_so(story):
    async def scenario(api):
        await api.pod("a", nodeName="n1", terminationGracePeriodSeconds=20)
        watch = await api.watch(resourceVersion=await api.newest())
        status, going = await api.ask("DELETE", f"{PODS}/a")
        metadata = going["metadata"]
        assert (status, metadata["deletionGracePeriodSeconds"]) == (200, 20)
        assert metadata["deletionTimestamp"] == "2027-01-15T08:00:20Z"
        assert (await api.get(f"{PODS}/a")) == going
        options = {"gracePeriodSeconds": 0, "preconditions": {"uid": metadata["uid"]}}
        status, gone = await api.ask("DELETE", f"{PODS}/a", options)
        assert (status, gone["kind"]) == (200, "Pod")
        assert (await api.ask("GET", f"{PODS}/a"))[0] == 404
        await api.settle()
        assert watch.received() == [("MODIFIED", "a"), ("DELETED", "a")]
        await watch.stop()

    story(scenario)


@pytest.mark.parametrize(
    ("spec", "phase", "options", "seconds"),
    [
        ({"nodeName": "n1"}, "Running", {}, 30),
        ({"nodeName": "n1"}, "Running", {"gracePeriodSeconds": 5}, 5),
        ({"nodeName": "n1"}, "Running", {"gracePeriodSeconds": -1}, 1),
        ({"nodeName": "n1"}, "Running", {"gracePeriodSeconds": 0}, None),
        ({"nodeName": "n1"}, "Succeeded", {}, None),
        ({"nodeName": "n1"}, "Failed", {"gracePeriodSeconds": 60}, None),
        ({}, "Pending", {}, None),
    ],
)
def test_how_long_a_pod_stays(story, spec, phase, options, seconds):
    async def scenario(api):
        await api.pod("a", **spec)
        await api.merge(f"{PODS}/a/status", {"status": {"phase": phase}})
        _, answer = await api.ask("DELETE", f"{PODS}/a", options)
        status, _ = await api.ask("GET", f"{PODS}/a")
        assert status == (404 if seconds is None else 200)
        if seconds is not None:
            assert answer["metadata"]["deletionGracePeriodSeconds"] == seconds

    story(scenario)


def test_a_second_delete_may_shorten_the_wait_and_not_lengthen_it(story):
    async def scenario(api):
        await api.pod("a", nodeName="n1")
        graces = []
        for seconds in (20, 60, 5):
            _, pod = await api.ask("DELETE", f"{PODS}/a", {"gracePeriodSeconds": seconds})
            graces.append(pod["metadata"]["deletionGracePeriodSeconds"])
        assert graces == [20, 20, 5]

    story(scenario)


# Finalizers and propagation


def test_a_finalizer_holds_an_object_until_it_is_taken_away(story):
    async def scenario(api):
        await api.create(MAPS, {"metadata": {"name": "a", "finalizers": ["example.com/hold"]}})
        watch = await api.watch(MAPS, resourceVersion=await api.newest(MAPS))
        status, held = await api.ask("DELETE", f"{MAPS}/a")
        assert (status, held["metadata"]["deletionGracePeriodSeconds"]) == (200, 0)
        assert held["metadata"]["deletionTimestamp"]
        before = await api.store.revision()
        assert (await api.ask("DELETE", f"{MAPS}/a"))[1] == held
        assert await api.store.revision() == before
        more = {"metadata": {"finalizers": ["example.com/hold", "example.com/more"]}}
        status, error = await api.ask("PATCH", f"{MAPS}/a", more, media="application/merge-patch+json")
        assert status == 422
        assert "no new finalizers can be added if the object is being deleted" in error["message"]
        await api.merge(f"{MAPS}/a", {"metadata": {"finalizers": None}})
        assert (await api.ask("GET", f"{MAPS}/a"))[0] == 404
        await api.settle()
        assert watch.received() == [("MODIFIED", "a"), ("DELETED", "a")]
        await watch.stop()

    story(scenario)


@pytest.mark.parametrize(
    ("options", "query", "finalizers"),
    [
        ({"propagationPolicy": "Foreground"}, {}, ["foregroundDeletion"]),
        ({"propagationPolicy": "Orphan"}, {}, ["orphan"]),
        ({"orphanDependents": True}, {}, ["orphan"]),
        (None, {"propagationPolicy": "Foreground"}, ["foregroundDeletion"]),
        (None, {"orphanDependents": "true"}, ["orphan"]),
        ({"propagationPolicy": "Background"}, {}, None),
        ({"orphanDependents": False}, {}, None),
        ({}, {}, None),
    ],
)
def test_propagation_is_left_to_the_garbage_collector_by_finalizers(story, options, query, finalizers):
    async def scenario(api):
        await api.create(MAPS, {"metadata": {"name": "a"}})
        await api.ask("DELETE", f"{MAPS}/a", options, **query)
        status, obj = await api.ask("GET", f"{MAPS}/a")
        assert (obj["metadata"].get("finalizers") if status == 200 else None) == finalizers

    story(scenario)


@pytest.mark.parametrize(
    ("options", "status", "message"),
    [
        ({"propagationPolicy": "Sideways"}, 422, "supported values"),
        ({"propagationPolicy": "Orphan", "orphanDependents": True}, 422, "cannot be both set"),
        ({"gracePeriodSeconds": "soon"}, 400, "gracePeriodSeconds"),
        ({"dryRun": ["Some"]}, 422, "dryRun"),
    ],
)
def test_delete_options_that_make_no_sense_are_refused(story, options, status, message):
    async def scenario(api):
        await api.create(MAPS, {"metadata": {"name": "a"}})
        answer, error = await api.ask("DELETE", f"{MAPS}/a", options)
        assert answer == status
        assert message in error["message"]
        await api.get(f"{MAPS}/a")

    story(scenario)


@pytest.mark.parametrize("field", ["uid", "resourceVersion"])
def test_preconditions_must_hold(story, field):
    async def scenario(api):
        created = await api.create(MAPS, {"metadata": {"name": "a"}})
        status, error = await api.ask("DELETE", f"{MAPS}/a", {"preconditions": {field: "7777"}})
        assert (status, error["reason"]) == (409, "Conflict")
        assert "in precondition: 7777" in error["message"]
        right = {"preconditions": {field: created["metadata"][field]}}
        assert (await api.ask("DELETE", f"{MAPS}/a", right))[0] == 200

    story(scenario)


# Collections and Namespaces


def test_a_collection_is_deleted_by_its_selector(story):
    async def scenario(api):
        for name, app in (("a", "web"), ("b", "db"), ("c", "web")):
            await api.create(MAPS, {"metadata": {"name": name, "labels": {"app": app}}})
        status, answer = await api.ask("DELETE", MAPS, labelSelector="app=web")
        assert (status, answer["kind"]) == (200, "ConfigMapList")
        assert [item["metadata"]["name"] for item in answer["items"]] == ["a", "c"]
        assert [item["metadata"]["name"] for item in (await api.get(MAPS))["items"]] == ["b"]

    story(scenario)


def test_a_namespace_terminates_and_goes_when_it_is_finalized(story):
    async def scenario(api):
        path = "/api/v1/namespaces/team"
        await api.create("/api/v1/namespaces", {"metadata": {"name": "team"}})
        status, going = await api.ask("DELETE", path)
        assert (status, going["status"]["phase"], going["spec"]["finalizers"]) == (200, "Terminating", ["kubernetes"])
        # Not even a client that deletes again and again makes it go before its content has gone.
        assert (await api.ask("DELETE", path))[1] == going
        going["spec"]["finalizers"] = []
        assert (await api.ask("PUT", path, going))[1]["spec"]["finalizers"] == ["kubernetes"]
        assert (await api.ask("PUT", f"{path}/finalize", going))[0] == 200
        assert (await api.ask("GET", path))[0] == 404

    story(scenario)


def test_a_namespace_that_is_not_deleted_survives_finalize(story):
    async def scenario(api):
        path = "/api/v1/namespaces/default"
        namespace = await api.get(path)
        namespace["spec"]["finalizers"] = []
        await api.ask("PUT", f"{path}/finalize", namespace)
        assert (await api.get(path))["status"]["phase"] == "Active"

    story(scenario)
