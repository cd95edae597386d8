"""Watch: "Kubernetes API Concepts, Efficient detection of changes" and "Streaming lists"."""

from __future__ import annotations

import asyncio
from itertools import islice

import pytest

from homeostat.apiserver.settings import Settings
from homeostat.kit import clock

PODS = "/api/v1/namespaces/default/pods"
MAPS = "/api/v1/namespaces/default/configmaps"


def test_a_watch_delivers_every_change_in_order_with_its_revision(story):
    async def scenario(api):
        watch = await api.watch(resourceVersion=await api.newest())
        await api.pod("a")
        await api.merge(f"{PODS}/a", {"metadata": {"labels": {"x": "1"}}})
        await api.ask("DELETE", f"{PODS}/a")
        await api.settle()
        assert watch.received() == [("ADDED", "a"), ("MODIFIED", "a"), ("DELETED", "a")]
        revisions = [int(event["object"]["metadata"]["resourceVersion"]) for event in watch.events]
        assert revisions == sorted(set(revisions))
        # The deletion's own revision, so that a client can go on from there.
        assert revisions[-1] == await api.store.revision()
        await watch.stop()

    story(scenario)


@pytest.mark.parametrize("query", [{}, {"resourceVersion": "0"}])
def test_without_a_version_a_watch_begins_with_what_is_there(story, query):
    async def scenario(api):
        await api.pod("a")
        watch = await api.watch(**query)
        await api.pod("b")
        await api.settle()
        assert watch.received() == [("ADDED", "a"), ("ADDED", "b")]
        await watch.stop()

    story(scenario)


def test_a_watch_resumes_after_a_version_without_loss_or_repetition(story):
    async def scenario(api):
        await api.pod("a")
        middle = await api.newest()
        await api.pod("b")
        await api.merge(f"{PODS}/b", {"metadata": {"labels": {"x": "1"}}})
        watch = await api.watch(resourceVersion=middle)
        await api.pod("c")
        await api.settle()
        assert watch.received() == [("ADDED", "b"), ("MODIFIED", "b"), ("ADDED", "c")]
        await watch.stop()

    story(scenario)


def test_nothing_is_lost_between_the_answer_and_the_first_read(story):
    async def scenario(api):
        response = await api.send("GET", PODS, watch="1", resourceVersion=await api.newest())
        await api.pod("a")
        await api.pod("b")
        chunk = await anext(response.body)
        assert chunk.count(b'"type":"ADDED"') == 2
        await response.body.aclose()

    story(scenario)


def test_selectors_turn_into_added_and_deleted_when_an_object_comes_and_goes(story):
    """cacher.go: an object that stops matching is DELETED, in the form that it had, at the revision of the change."""

    async def scenario(api):
        watch = await api.watch(labelSelector="app=web", resourceVersion=await api.newest())
        await api.pod("a", labels={"app": "db"})
        await api.merge(f"{PODS}/a", {"metadata": {"labels": {"app": "web"}}})
        await api.merge(f"{PODS}/a", {"metadata": {"labels": {"more": "1"}}})
        gone = await api.merge(f"{PODS}/a", {"metadata": {"labels": {"app": "db"}}})
        await api.ask("DELETE", f"{PODS}/a")
        await api.settle()
        assert watch.received() == [("ADDED", "a"), ("MODIFIED", "a"), ("DELETED", "a")]
        last = watch.events[-1]["object"]["metadata"]
        assert last["labels"]["app"] == "web"
        assert last["resourceVersion"] == gone["metadata"]["resourceVersion"]
        await watch.stop()

    story(scenario)


def test_a_node_agent_sees_its_own_pods_only(story):
    async def scenario(api):
        mine = await api.watch("/api/v1/pods", fieldSelector="spec.nodeName=n1", resourceVersion=await api.newest())
        others = await api.watch("/api/v1/pods", fieldSelector="spec.nodeName=n2", resourceVersion=await api.newest())
        await api.pod("a", nodeName="n1")
        await api.pod("b", nodeName="n2")
        await api.pod("c")
        await api.settle()
        assert (mine.received(), others.received()) == ([("ADDED", "a")], [("ADDED", "b")])
        await mine.stop()
        await others.stop()

    story(scenario)


def test_one_object_and_one_namespace_can_be_watched(story):
    async def scenario(api):
        await api.create("/api/v1/namespaces", {"metadata": {"name": "other"}})
        since = await api.newest(MAPS)
        one = await api.watch(MAPS, fieldSelector="metadata.name=a", resourceVersion=since)
        anywhere = await api.watch("/api/v1/configmaps", fieldSelector="metadata.name=a", resourceVersion=since)
        namespace = await api.watch(MAPS, resourceVersion=since)
        for where, name in (("default", "a"), ("default", "b"), ("other", "a")):
            await api.create(f"/api/v1/namespaces/{where}/configmaps", {"metadata": {"name": name}})
        await api.settle()
        assert one.received() == [("ADDED", "a")]
        assert anywhere.received() == [("ADDED", "a"), ("ADDED", "a")]
        assert namespace.received() == [("ADDED", "a"), ("ADDED", "b")]
        for watch in (one, anywhere, namespace):
            await watch.stop()

    story(scenario)


def test_a_watch_that_ends_leaves_nothing_behind(story):
    async def scenario(api):
        watches = [
            await api.watch(resourceVersion="1"),
            await api.watch(fieldSelector="spec.nodeName=n1", resourceVersion="1"),
            await api.watch(fieldSelector="metadata.name=a", resourceVersion="1"),
            await api.watch("/api/v1/pods", resourceVersion="1"),
        ]
        text = (await api.send("GET", "/metrics")).body.decode()
        assert 'apiserver_registered_watchers{group="",resource="pods"} 4.0' in text
        for watch in watches:
            await watch.stop()
        text = (await api.send("GET", "/metrics")).body.decode()
        assert 'apiserver_registered_watchers{group="",resource="pods"} 0.0' in text

    story(scenario)


# Bookmarks, streaming lists, time-outs


def test_bookmarks_carry_the_newest_revision_of_the_whole_server(story):
    async def scenario(api):
        watch = await api.watch(allowWatchBookmarks="true", resourceVersion=await api.newest())
        plain = await api.watch(resourceVersion=await api.newest())
        await api.create(MAPS, {"metadata": {"name": "elsewhere"}})
        await clock.sleep(61)
        (bookmark,) = watch.events
        assert bookmark["type"] == "BOOKMARK"
        assert bookmark["object"]["kind"] == "Pod"
        assert bookmark["object"]["metadata"]["resourceVersion"] == str(await api.store.revision())
        assert plain.events == []
        await watch.stop()
        await plain.stop()

    story(scenario)


def test_a_streaming_list_ends_with_the_annotated_bookmark(story):
    async def scenario(api):
        await api.pod("a")
        await api.pod("b")
        watch = await api.watch(
            sendInitialEvents="true", resourceVersionMatch="NotOlderThan", allowWatchBookmarks="true"
        )
        await api.pod("c")
        await api.settle()
        assert [event["type"] for event in watch.events] == ["ADDED", "ADDED", "BOOKMARK", "ADDED"]
        marker = watch.events[2]["object"]["metadata"]
        assert marker["annotations"] == {"k8s.io/initial-events-end": "true"}
        assert int(marker["resourceVersion"]) == int(watch.events[3]["object"]["metadata"]["resourceVersion"]) - 1
        await watch.stop()

    story(scenario)


def test_a_streaming_list_needs_its_match_rule(story):
    async def scenario(api):
        status, error = await api.ask("GET", PODS, watch="1", sendInitialEvents="true")
        assert status == 422
        assert "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan" in error["message"]
        status, error = await api.ask("GET", PODS, watch="1", resourceVersionMatch="NotOlderThan")
        assert status == 422

    story(scenario)


def test_a_watch_ends_when_its_time_is_up_with_a_last_bookmark(story):
    async def scenario(api):
        began = clock.monotonic()
        watch = await api.watch(timeoutSeconds="10", allowWatchBookmarks="true", resourceVersion=await api.newest())
        await watch.task
        assert watch.ended == "closed"
        assert clock.monotonic() - began == pytest.approx(10, abs=0.01)
        assert [event["type"] for event in watch.events] == ["BOOKMARK"]

    story(scenario)


def test_without_a_timeout_a_watch_lives_for_half_an_hour_to_an_hour(story):
    async def scenario(api):
        began = clock.monotonic()
        watch = await api.watch()
        await watch.task
        assert 1800 <= clock.monotonic() - began <= 3600

    story(scenario)


# What is too old


def test_a_version_from_before_the_window_is_replayed_from_the_stores_history(story):
    async def scenario(api):
        await api.pod("a", labels={"app": "web"})
        since = await api.newest()
        for number in range(9):
            await api.merge(f"{PODS}/a", {"metadata": {"annotations": {"round": str(number)}}})
        await api.merge(f"{PODS}/a", {"metadata": {"labels": {"app": None}}})
        await api.ask("DELETE", f"{PODS}/a")
        watch = await api.watch(resourceVersion=since)
        web = await api.watch(resourceVersion=since, labelSelector="app=web")
        assert watch.received() == [("MODIFIED", "a")] * 10 + [("DELETED", "a")]
        assert web.received() == [("MODIFIED", "a")] * 9 + [("DELETED", "a")]
        await watch.stop()
        await web.stop()

    story(scenario, settings=Settings(window_events=3))


def test_a_watch_goes_on_at_a_server_that_started_after_its_version(story):
    async def scenario(one, other):
        since = await one.newest()
        await other.stop()
        await one.pod("a")
        await other.start()
        await one.pod("b")
        watch = await other.watch(resourceVersion=since)
        assert watch.received() == [("ADDED", "a"), ("ADDED", "b")]
        await watch.stop()

    story(scenario, servers=2)


def test_a_compacted_version_is_410_gone(story):
    async def scenario(api):
        since = await api.newest()
        for number in range(5):
            await api.pod(f"p{number}")
        await api.store.compact(await api.store.revision())
        status, error = await api.ask("GET", PODS, watch="1", resourceVersion=since)
        assert (status, error["reason"]) == (410, "Expired")
        assert error["message"].startswith(f"too old resource version: {since} (")

    story(scenario, settings=Settings(window_events=2))


def test_a_watch_may_ask_for_a_version_that_this_server_has_not_reached(story):
    async def scenario(api):
        later = int(await api.newest()) + 1
        watch = await api.watch(resourceVersion=str(later))
        await api.pod("before")
        await api.pod("after")
        await api.settle()
        assert watch.received() == [("ADDED", "after")]
        await watch.stop()

    story(scenario)


def test_a_watcher_that_does_not_read_is_dropped_with_410_in_the_stream(story):
    async def scenario(api):
        response = await api.send("GET", PODS, watch="1", resourceVersion=await api.newest())
        first = asyncio.ensure_future(anext(response.body))
        await api.pod("a")
        assert b'"ADDED"' in await first
        for number in range(12):
            await api.merge(f"{PODS}/a", {"metadata": {"annotations": {"round": str(number)}}})
        chunks = [chunk async for chunk in response.body]
        assert len(chunks) == 1
        assert chunks[0].startswith(b'{"type":"ERROR","object":{"kind":"Status"')
        assert b'"code":410' in chunks[0]

    story(scenario, settings=Settings(watcher_events=10))


def test_a_stopped_server_breaks_its_watches_and_refuses_calls(story):
    async def scenario(one, other):
        watch = await one.watch()
        await one.server.stop()
        await one.settle()
        assert watch.ended == "broken"
        with pytest.raises(ConnectionRefusedError):
            await one.send("GET", PODS)
        await other.pod("a")

    story(scenario, servers=2)


def test_both_servers_deliver_the_same_events(story):
    async def scenario(one, other):
        since = await one.newest()
        watches = [await api.watch(resourceVersion=since) for api in (one, other)]
        for number in range(6):
            await (one, other)[number % 2].pod(f"p{number}")
        await one.settle()
        assert watches[0].events == watches[1].events
        assert [name for _, name in watches[0].received()] == [f"p{number}" for number in range(6)]
        for watch in watches:
            await watch.stop()

    story(scenario, servers=2)


def test_a_watch_resumes_from_the_history_while_the_window_moves_on(story):
    """What happens while the history is read is read from there as well, once the window has passed over it."""

    async def scenario(api):
        before = await api.newest()
        for name in "abcd":
            await api.pod(name)
        read, later = api.store.list, iter("efghij")

        async def slow(prefix, **options):
            found = await read(prefix, **options)
            for name in islice(later, 3):
                await api.pod(name)
            return found

        api.store.list = slow
        watch = await api.watch(resourceVersion=before)
        assert watch.received() == [("ADDED", name) for name in "abcdefghij"]
        await watch.stop()

    story(scenario, settings=Settings(window_events=2))
