"""One page's WebSocket: batches, bounds, and pages that do not read, are not heard of, or talk nonsense."""

from __future__ import annotations

import itertools
import os

import pytest

from homeostat.kit import clock
from tests.support.console_bench import CONFIG_MAPS, MAPS, PODS, Bench, story


def test_a_page_is_told_at_most_ten_times_a_second_all_at_once() -> None:
    async def run(bench: Bench) -> None:
        page = await bench.page()
        page.say("open", 1, what="objects", resource=CONFIG_MAPS, namespace="default")
        page.say("open", 2, what="list", resource=CONFIG_MAPS, namespace="default")
        await page.until(lambda: page.of("objects", 1) and page.of("list", 2))
        await clock.sleep(1)
        told = []
        page.watchers.append(lambda said: told.append((clock.monotonic(), said)))
        for number in range(200):
            await bench.config_map(f"m-{number}", a="1")
            await clock.sleep(0.005)
        await clock.sleep(0.5)
        moments = sorted({moment for moment, said in told if said["type"] in ("list", "objects")})
        assert 8 <= len(moments) <= 14
        assert min(later - sooner for sooner, later in itertools.pairwise(moments)) >= 0.099
        assert len(page.names(1)) == 200

    story(run)


def test_a_change_is_told_at_once_when_nothing_was_told_just_before() -> None:
    async def run(bench: Bench) -> None:
        page = await bench.page()
        page.say("open", 1, what="objects", resource=CONFIG_MAPS, namespace="default")
        await page.until(lambda: page.of("objects", 1))
        await clock.sleep(2)
        await bench.config_map("m", a="1")
        await page.until(lambda: page.names(1) == ["m"], 0.05)

    story(run)


def test_a_page_that_does_not_read_is_told_the_newest_state_when_it_does() -> None:
    async def run(bench: Bench) -> None:
        page = await bench.page()
        page.say("open", 1, what="objects", resource=CONFIG_MAPS, namespace="default")
        await page.until(lambda: page.of("objects", 1))
        page.reading.clear()
        await bench.config_map("big", a="0")
        headers = {"content-type": "application/merge-patch+json"}
        for number in range(100):
            body = {"data": {"a": os.urandom(1).hex() * 50_000, "n": str(number)}}
            await bench.world.call("PATCH", f"{MAPS}/big", body, headers=headers)
            await clock.sleep(0.15)
        assert not page.ended
        told = len(page.said)
        page.reading.set()
        await page.until(lambda: [obj["data"]["n"] for obj in page.sets[1].values()] == ["99"], 2)
        assert len(page.said) - told < 20

    story(run)


def test_a_page_that_never_reads_is_dropped() -> None:
    async def run(bench: Bench) -> None:
        page = await bench.page()
        page.say("open", 1, what="objects", resource=CONFIG_MAPS, namespace="default")
        await page.until(lambda: page.of("objects", 1))
        page.reading.clear()
        for number in range(12):
            await bench.config_map(f"big-{number}", a="x" * 100_000)
            await clock.sleep(0.15)
        await clock.sleep(40)
        page.reading.set()
        await page.until(lambda: page.ended)
        await clock.sleep(11)
        assert not bench.console.pool.places

    story(run)


def test_a_page_that_is_not_heard_of_is_dropped() -> None:
    async def run(bench: Bench) -> None:
        page = await bench.page()
        page.say("open", 1, what="objects", resource=CONFIG_MAPS, namespace="default")
        await page.until(lambda: page.of("objects", 1))
        page.stream.write = lambda data: None  # type: ignore[method-assign] # a connection that is half open
        await clock.sleep(80)
        assert page.ended
        await clock.sleep(11)
        assert not bench.console.pool.places

    story(run)


PLACE = b'"id": 1, "resource": {"group": "", "version": "v1", "plural": "pods"}'


@pytest.mark.parametrize(
    "nonsense",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'{"op": "open"}',
        b'{"op": "fly", "id": 1}',
        b'{"op": "open", "id": "1", "what": "journal"}',
        b'{"op": "open", "id": 1, "what": "everything"}',
        b'{"op": "open", "id": 1, "what": "list", "resource": "pods"}',
        b'{"op": "open", "id": 1, "what": "list", "resource": {"group": "", "version": "v1", "plural": "../secrets"}}',
        b'{"op": "open", "id": 1, "what": "list", "resource": {"group": "a/b", "version": "v1", "plural": "pods"}}',
        b'{"op": "open", "what": "object", ' + PLACE + b"}",
        b'{"op": "open", "what": "object", ' + PLACE + b', "name": "a,b=c"}',
        b'{"op": "open", "what": "list", ' + PLACE + b', "namespace": "a/b"}',
        b'{"op": "open", "what": "list", ' + PLACE + b', "count": 1e9}',
        b'{"op": "open", "what": "list", ' + PLACE + b', "labels": "((("}',
        b'{"op": "open", "what": "list", ' + PLACE + b', "sort": 5}',
        b'{"op": "open", "what": "list", ' + PLACE + b', "statuses": [1]}',
        b'{"op": "open", "what": "objects", ' + PLACE + b', "fields": "x=y"}',
    ],
)
def test_nonsense_is_answered_and_the_page_goes_on(nonsense: bytes) -> None:
    async def run(bench: Bench) -> None:
        page = await bench.page()
        await page.until(lambda: page.of("hello"))
        page.raw(nonsense)
        if nonsense:
            (refused,) = await page.until(lambda: page.of("error"))
            assert refused["status"]["code"] == 400
        page.say("open", 2, what="list", resource=PODS, namespace="")
        await page.until(lambda: page.of("list", 2))
        assert not page.ended

    story(run)


def test_a_huge_message_ends_the_page() -> None:
    async def run(bench: Bench) -> None:
        page = await bench.page()
        await page.until(lambda: page.of("hello"))
        page.raw(b" " * 70_000)
        await page.until(lambda: page.ended)

    story(run)


def test_what_a_page_may_follow_and_how_many_pages_there_are_is_bounded() -> None:
    async def run(bench: Bench) -> None:
        browser = await bench.browser()
        page = await browser.page()
        for number in range(101):
            page.say("open", number, what="list", resource=CONFIG_MAPS, namespace="default")
        (refused,) = await page.until(lambda: page.of("error"))
        assert (refused["id"], refused["status"]["code"]) == (100, 429)
        pages = [await browser.page() for _ in range(39)]
        await clock.sleep(0.1)
        assert (await browser.upgrade()).status == 429
        assert (await (await bench.browser()).upgrade()).status == 101, "another session has pages of its own"
        pages[0].leave()
        await clock.sleep(0.1)
        assert (await browser.upgrade()).status == 101

    story(run)


def test_ticks_come_every_five_seconds() -> None:
    async def run(bench: Bench) -> None:
        page = await bench.page()
        await clock.sleep(26)
        assert len(page.of("tick")) == 5

    story(run)


def test_more_objects_than_the_bound_are_refused_by_name() -> None:
    async def run(bench: Bench) -> None:
        for number in range(2_001):
            await bench.config_map(f"m-{number}")
        page = await bench.page()
        page.say("open", 1, what="objects", resource=CONFIG_MAPS, namespace="default")
        (refused,) = await page.until(lambda: page.of("error", 1))
        assert refused["status"]["code"] == 413 and "narrow it" in refused["status"]["message"]
        page.say("open", 2, what="list", resource=CONFIG_MAPS, namespace="default", first=1_990, count=20)
        await page.until(lambda: page.of("list", 2))
        assert page.of("list", 2)[0]["total"] == 2_001 and len(page.rows(2)) == 11
        await bench.world.call("DELETE", f"{MAPS}/m-0")
        page.say("open", 3, what="objects", resource=CONFIG_MAPS, namespace="default")
        await page.until(lambda: len(page.sets.get(3, {})) == 2_000)

    story(run)


def test_an_object_made_again_under_its_name_takes_its_place_back() -> None:
    async def run(bench: Bench) -> None:
        for name in ("a", "b", "c"):
            await bench.config_map(name)
        page = await bench.page()
        page.say("open", 1, what="list", resource=CONFIG_MAPS, namespace="default")
        await page.until(lambda: page.rows(1))
        await bench.world.call("DELETE", f"{MAPS}/b")
        await page.until(lambda: page.lists[1][1]["gone"])
        uid = page.lists[1][1]["uid"]
        await bench.config_map("b")
        await page.until(lambda: not page.lists[1][1]["gone"])
        assert page.rows(1) == ["a", "b", "c"] and page.lists[1][1]["uid"] != uid
        assert page.of("list", 1)[-1]["fresh"] == 0

    story(run)


def test_one_user_cannot_take_all_watches() -> None:
    async def run(bench: Bench) -> None:
        browser = await bench.browser()
        pages = [await browser.page() for _ in range(3)]
        for at, page in enumerate(pages):
            for number in range(90):
                name = f"m-{at}-{number}"
                page.say("open", number, what="object", resource=CONFIG_MAPS, namespace="default", name=name)
        await clock.sleep(5)
        assert len(bench.console.pool.places) == 200
        other = await bench.page("root")
        other.say("open", 1, what="list", resource=PODS, namespace="")
        await other.until(lambda: other.of("list", 1))
        pages[0].leave()
        await pages[2].until(lambda: len(pages[2].of("object")) == 90)

    story(run)


def test_how_long_ago_something_was_is_said_anew_every_ten_seconds() -> None:
    async def run(bench: Bench) -> None:
        await bench.world.pod("web")
        await bench.world.pod("calm")
        ended = {"exitCode": 1, "finishedAt": clock.now_rfc3339()}
        container = {"name": "app", "restartCount": 1, "state": {"running": {}}, "lastState": {"terminated": ended}}
        status = {"status": {"phase": "Running", "containerStatuses": [container]}}
        headers = {"content-type": "application/merge-patch+json"}
        await bench.world.call("PATCH", "/api/v1/namespaces/default/pods/web/status", status, headers=headers)
        page = await bench.page()
        page.say("open", 1, what="list", resource=PODS, namespace="default")
        await page.until(lambda: page.rows(1))
        before = page.lists[1][1]["cells"][3]
        await clock.sleep(31)
        told = [said["rows"] for said in page.of("list", 1) if not said.get("reset") and said["rows"]]
        assert 2 <= len(told) <= 4 and all(set(rows) == {"1"} for rows in told), "the calm one is not sent again"
        assert before != page.lists[1][1]["cells"][3] and page.lists[1][1]["cells"][3].endswith("s ago)")

    story(run)
