"""Get and list: the rules of "Kubernetes API Concepts, Resource versions" and "Retrieving large results in chunks"."""

from __future__ import annotations

import pytest

from homeostat.apiserver.settings import Settings
from homeostat.kit import clock
from homeostat.store.memory import MemoryState

PODS = "/api/v1/namespaces/default/pods"


def names(listing):
    return [item["metadata"]["name"] for item in listing["items"]]


def test_a_created_object_is_read_back_with_the_revision_of_its_commit(story):
    async def scenario(api):
        created = await api.pod("a")
        assert await api.get(f"{PODS}/a") == created
        assert created["metadata"]["resourceVersion"] == str(await api.store.revision())

    story(scenario)


def test_apiversion_kind_and_metadata_come_first(story):
    async def scenario(api):
        await api.pod("a")
        assert list(await api.get(f"{PODS}/a"))[:3] == ["apiVersion", "kind", "metadata"]

    story(scenario)


def test_what_is_not_there_is_404_with_kubernetes_words(story):
    async def scenario(api):
        status, error = await api.ask("GET", "/apis/apps/v1/namespaces/default/deployments/web")
        assert (status, error["reason"]) == (404, "NotFound")
        assert error["message"] == 'deployments.apps "web" not found'
        assert error["details"] == {"name": "web", "group": "apps", "kind": "deployments"}

    story(scenario)


def test_a_list_is_in_key_order_over_all_namespaces(story):
    async def scenario(api):
        await api.create("/api/v1/namespaces", {"metadata": {"name": "another"}})
        for namespace, name in (("default", "b"), ("another", "z"), ("default", "a")):
            await api.create(f"/api/v1/namespaces/{namespace}/configmaps", {"metadata": {"name": name}})
        assert names(await api.get("/api/v1/configmaps")) == ["z", "a", "b"]
        assert names(await api.get("/api/v1/namespaces/default/configmaps")) == ["a", "b"]

    story(scenario)


def test_a_namespace_whose_name_begins_another_does_not_mix_with_it(story):
    async def scenario(api):
        await api.create("/api/v1/namespaces", {"metadata": {"name": "default-2"}})
        await api.create("/api/v1/namespaces/default-2/configmaps", {"metadata": {"name": "there"}})
        await api.create("/api/v1/namespaces/default/configmaps", {"metadata": {"name": "here"}})
        assert names(await api.get("/api/v1/namespaces/default/configmaps")) == ["here"]

    story(scenario)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"labelSelector": "app=web"}, ["a", "b"]),
        ({"labelSelector": "app=web,tier=front"}, ["a"]),
        ({"labelSelector": "app!=web"}, ["c"]),
        ({"labelSelector": "tier in (front, back)"}, ["a", "b"]),
        ({"labelSelector": "!tier"}, ["c"]),
        ({"fieldSelector": "metadata.name=b"}, ["b"]),
        ({"fieldSelector": "spec.nodeName=n1"}, ["a", "c"]),
        ({"fieldSelector": "spec.nodeName!=n1"}, ["b"]),
        ({"fieldSelector": "status.phase=Pending,spec.nodeName="}, ["b"]),
        ({"fieldSelector": "spec.nodeName=n1", "labelSelector": "app=web"}, ["a"]),
    ],
)
def test_selectors_choose(story, query, expected):
    async def scenario(api):
        await api.pod("a", labels={"app": "web", "tier": "front"}, nodeName="n1")
        await api.pod("b", labels={"app": "web", "tier": "back"})
        await api.pod("c", labels={"app": "db"}, nodeName="n1")
        assert names(await api.get(PODS, **query)) == expected

    story(scenario)


def test_a_field_that_is_not_selectable_is_refused_by_name(story):
    async def scenario(api):
        status, error = await api.ask("GET", PODS, fieldSelector="spec.priority=1")
        assert status == 400
        assert "field label not supported: spec.priority" in error["message"]

    story(scenario)


def test_events_are_one_resource_in_both_of_their_groups(story):
    async def scenario(api):
        event = {
            "metadata": {"name": "e"},
            "involvedObject": {"kind": "Pod", "name": "a", "namespace": "default"},
            "reason": "Started",
            "message": "it began",
            "type": "Normal",
        }
        await api.create("/api/v1/namespaces/default/events", event)
        path = "/apis/events.k8s.io/v1/namespaces/default/events"
        assert (await api.get(f"{path}/e"))["note"] == "it began"
        listing = await api.get(path, fieldSelector="regarding.name=a")
        assert (listing["kind"], listing["apiVersion"], names(listing)) == ("EventList", "events.k8s.io/v1", ["e"])
        watch = await api.watch(path)
        assert watch.events[0]["object"]["regarding"]["name"] == "a"
        await watch.stop()

    story(scenario)


# Pages


async def fill(api, count):
    for number in range(count):
        await api.create("/api/v1/namespaces/default/configmaps", {"metadata": {"name": f"c{number:02d}"}})


MAPS = "/api/v1/namespaces/default/configmaps"


def test_pages_cover_everything_once_and_count_what_remains(story):
    async def scenario(api):
        await fill(api, 7)
        found, token, remaining = [], "", []
        while True:
            query = {"limit": "3"} | ({"continue": token} if token else {})
            page = await api.get(MAPS, **query)
            found += names(page)
            remaining.append(page["metadata"].get("remainingItemCount"))
            token = page["metadata"].get("continue", "")
            if not token:
                break
        assert found == [f"c{number:02d}" for number in range(7)]
        assert remaining == [4, 1, None]

    story(scenario)


def test_pages_show_one_moment_whatever_is_written_between_them(story):
    async def scenario(api):
        await fill(api, 6)
        first = await api.get(MAPS, limit="2")
        await api.ask("DELETE", f"{MAPS}/c03")
        await api.create(MAPS, {"metadata": {"name": "c02a"}})
        await api.merge(f"{MAPS}/c04", {"data": {"later": "yes"}})
        rest = await api.get(MAPS, **{"limit": "10", "continue": first["metadata"]["continue"]})
        assert names(rest) == ["c02", "c03", "c04", "c05"]
        assert "data" not in rest["items"][2]
        assert rest["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]

    story(scenario)


def test_pages_continue_from_the_stores_history_after_the_window(story):
    async def scenario(api):
        await fill(api, 6)
        first = await api.get(MAPS, limit="2", labelSelector="!none")
        for number in range(20):
            await api.merge(f"{MAPS}/c05", {"data": {"round": str(number)}})
        await api.ask("DELETE", f"{MAPS}/c02")
        token = first["metadata"]["continue"]
        second = await api.get(MAPS, **{"limit": "2", "continue": token, "labelSelector": "!none"})
        assert names(second) == ["c02", "c03"]
        last = await api.get(MAPS, **{"continue": second["metadata"]["continue"], "labelSelector": "!none"})
        assert names(last) == ["c04", "c05"]
        assert "data" not in last["items"][1]

    story(scenario, settings=Settings(window_events=4))


def test_a_token_of_compacted_pages_is_410_with_a_token_to_go_on_inconsistently(story):
    async def scenario(api):
        await fill(api, 5)
        first = await api.get(MAPS, limit="2")
        for number in range(10):
            await api.merge(f"{MAPS}/c04", {"data": {"round": str(number)}})
        await api.store.compact(await api.store.revision())
        status, error = await api.ask("GET", MAPS, limit="2", **{"continue": first["metadata"]["continue"]})
        assert (status, error["reason"]) == (410, "Expired")
        assert error["message"].startswith("The provided continue parameter is too old to display a consistent list")
        token = {"continue": error["metadata"]["continue"]}
        rest = await api.get(MAPS, **token)
        assert names(rest) == ["c02", "c03", "c04"]
        # What follows is counted from the page on, as for any other.
        page = await api.get(MAPS, limit="2", **token)
        assert (names(page), page["metadata"]["remainingItemCount"]) == (["c02", "c03"], 1)
        last = await api.get(MAPS, limit="2", **{"continue": page["metadata"]["continue"]})
        assert (names(last), last["metadata"].get("remainingItemCount")) == (["c04"], None)

    story(scenario, settings=Settings(window_events=2))


def test_a_broken_token_is_400(story):
    async def scenario(api):
        status, error = await api.ask("GET", MAPS, **{"continue": "!!"})
        assert status == 400
        assert error["message"].startswith("continue key is not valid")

    story(scenario)


# Revisions


def test_exact_reads_the_old_revision_and_not_older_than_the_current_state(story):
    async def scenario(api):
        await fill(api, 2)
        then = (await api.get(MAPS))["metadata"]["resourceVersion"]
        await fill_more(api)
        past = await api.get(MAPS, resourceVersion=then, resourceVersionMatch="Exact")
        assert (names(past), past["metadata"]["resourceVersion"]) == (["c00", "c01"], then)
        now = await api.get(MAPS, resourceVersion=then, resourceVersionMatch="NotOlderThan")
        assert names(now) == ["c00", "c01", "new"]

    async def fill_more(api):
        await api.create(MAPS, {"metadata": {"name": "new"}})

    story(scenario)


def test_a_revision_from_the_future_is_a_timeout_that_says_so(story):
    async def scenario(api):
        began = clock.monotonic()
        status, error = await api.ask("GET", MAPS, resourceVersion="999")
        assert (status, error["reason"]) == (504, "Timeout")
        assert error["message"].startswith("Too large resource version: 999, current: ")
        assert error["details"]["causes"][0]["reason"] == "ResourceVersionTooLarge"
        assert clock.monotonic() - began == pytest.approx(3.0)

    story(scenario)


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ({"resourceVersionMatch": "Exact"}, "forbidden unless resourceVersion is provided"),
        ({"resourceVersionMatch": "Exact", "resourceVersion": "0"}, 'forbidden for resourceVersion "0"'),
        ({"resourceVersionMatch": "Newest", "resourceVersion": "1"}, "supported values"),
    ],
)
def test_contradicting_list_options_are_refused(story, query, message):
    async def scenario(api):
        status, error = await api.ask("GET", MAPS, **query)
        assert (status, error["reason"]) == (422, "Invalid")
        assert message in error["message"]

    story(scenario)


def test_a_server_reads_what_another_wrote_a_moment_ago(story):
    async def scenario(one, other):
        await one.create(MAPS, {"metadata": {"name": "fresh"}})
        assert (await other.get(f"{MAPS}/fresh"))["metadata"]["name"] == "fresh"
        assert names(await other.get(MAPS)) == ["fresh"]

    story(scenario, servers=2)


def test_a_server_that_starts_later_serves_what_is_there(story):
    state = MemoryState()

    async def fill_it(api):
        await fill(api, 3)

    async def read_it(api):
        assert names(await api.get(MAPS)) == ["c00", "c01", "c02"]

    async def both(api):
        await fill_it(api)
        await api.stop()
        await api.start()
        await read_it(api)

    story(both, state=state)


def test_lists_of_one_state_that_differ_in_anything_are_not_taken_for_each_other(story):
    async def scenario(api):
        await fill(api, 4)
        asked = (
            {},
            {"limit": "2"},
            {"limit": "3"},
            {"fieldSelector": "metadata.name=c01"},
            {"labelSelector": "no=one"},
        )
        for _ in range(2):
            lists = [names(await api.get(MAPS, **query)) for query in asked]
            assert [len(found) for found in lists] == [4, 2, 3, 1, 0]
            assert names(await api.get("/api/v1/namespaces/other/configmaps")) == []
            assert names(await api.get("/api/v1/namespaces/default/secrets")) == []

    story(scenario)


def test_a_linearizable_read_is_given_up_after_one_time_for_store_and_hubs_together(story):
    async def scenario(api):
        await api.pod("a")

        async def far_ahead_and_late():
            await clock.sleep(Settings().linearizable_seconds / 2)
            return 999

        api.store.revision = far_ahead_and_late
        began = clock.monotonic()
        status, error = await api.ask("GET", f"{PODS}/a")
        assert (status, error["reason"]) == (503, "ServiceUnavailable")
        assert clock.monotonic() - began == pytest.approx(Settings().linearizable_seconds)

    story(scenario)
