"""What a page shows is always a state that was, whatever happens to the API servers, and it says how old that is."""

from __future__ import annotations

import pytest

from homeostat.api import errors
from homeostat.kit import chance, clock, tasks
from homeostat.wire.fields import error_response
from homeostat.wire.message import Request, Response
from tests.support.console_bench import CONFIG_MAPS, MAPS, Bench, Obj, Page, story

State = frozenset[tuple[str, str]]


class History:
    """Every state that the ConfigMaps were in, with the revisions between which it came to be."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.states: list[tuple[int, int, State]] = []

    async def note(self) -> None:
        reply = (await self.bench.world.get(MAPS)).obj
        revision = int(reply["metadata"]["resourceVersion"])
        state = frozenset((each["metadata"]["uid"], each["metadata"]["resourceVersion"]) for each in reply["items"])
        before = self.states[-1][1] if self.states else 0
        self.states.append((before, revision, state))

    def possible(self, revision: int) -> list[State]:
        """What can have been true at a revision."""
        at = max(index for index, (_, high, _) in enumerate(self.states) if high <= revision)
        return [state for _, _, state in self.states[at : at + 2]]


async def act(bench: Bench, names: list[str]) -> None:
    """One write, at random."""
    name = chance.choice(names)
    what = chance.below(4)
    if what == 0:
        await bench.world.call("DELETE", f"{MAPS}/{name}")
    elif what == 1:
        await bench.world.post(MAPS, {"metadata": {"name": name}, "data": {"a": str(chance.below(100))}})
    else:
        body = f'{{"data": {{"a": "{chance.below(1000)}"}}}}'.encode()
        headers = {"content-type": "application/merge-patch+json"}
        await bench.world.call("PATCH", f"{MAPS}/{name}", body, headers=headers)


def shake(bench: Bench) -> None:
    """Something happens to an API server, at random."""
    slot = chance.choice(bench.slots)
    chance.choice([slot.kill, slot.hang, slot.revive, slot.revive])()


def look_around(page: Page) -> None:
    """What a person does, at random."""
    match chance.below(5):
        case 0:
            page.say("change", 1, first=chance.below(6), count=1 + chance.below(20))
        case 1:
            page.say("change", 1, search=chance.choice(["", "map", "map-1", "nothing"]))
        case 2:
            page.say(
                "change",
                1,
                sort={"column": chance.choice(["Name", "Age", "Data"]), "descending": bool(chance.below(2))},
            )
        case 3:
            page.say("merge", 1)
        case _:
            pass


@pytest.mark.parametrize("seed", range(40))
def test_what_a_page_shows_is_always_a_state_that_was(seed: int) -> None:
    async def run(bench: Bench) -> None:
        names = [f"map-{number}" for number in range(12)]
        history = History(bench)
        for name in names[:6]:
            await bench.config_map(name, a="0")
        await history.note()
        page = await bench.page()

        def check(said: Obj) -> None:
            if said["type"] == "objects" and said["state"] != "loading":
                shown = frozenset(
                    (uid, obj["metadata"]["resourceVersion"]) for uid, obj in page.sets[said["id"]].items()
                )
                unchecked.append((int(said["revision"]), shown))

        unchecked: list[tuple[int, State]] = []
        page.watchers.append(check)
        page.say("open", 1, what="list", resource=CONFIG_MAPS, namespace="default", count=20)
        page.say("open", 2, what="objects", resource=CONFIG_MAPS, namespace="default")
        page.say("open", 3, what="object", resource=CONFIG_MAPS, namespace="default", name="map-3")
        for _ in range(80):
            await act(bench, names)
            await history.note()
            if chance.below(4) == 0:
                shake(bench)
            if chance.below(4) == 0:
                look_around(page)
            await clock.sleep(chance.uniform(0.0, 0.4))
        for slot in bench.slots:
            slot.revive()
        page.say("change", 1, search="", first=0, count=20, sort={"column": "Name", "descending": False})
        await clock.sleep(5.0)
        page.say("merge", 1)
        await clock.sleep(1.0)
        for revision, shown in unchecked:
            assert shown in history.possible(revision), f"at {revision}"
        now = (await bench.world.get(MAPS)).obj["items"]
        assert {(uid, obj["metadata"]["resourceVersion"]) for uid, obj in page.sets[2].items()} == {
            (each["metadata"]["uid"], each["metadata"]["resourceVersion"]) for each in now
        }
        rows = page.lists[1]
        assert [(rows[at]["name"], rows[at]["revision"], rows[at]["gone"]) for at in sorted(rows)] == sorted(
            ((each["metadata"]["name"], each["metadata"]["resourceVersion"], False) for each in now),
            key=lambda row: int(row[0].partition("-")[2]),
        )
        last = page.of("list", 1)[-1]
        assert (last["total"], last["matched"], last["fresh"], last["state"]) == (len(now), len(now), 0, "live")
        held = next((each for each in now if each["metadata"]["name"] == "map-3"), None)
        shown = page.of("object", 3)[-1]["object"]
        assert (shown and shown["metadata"]["resourceVersion"]) == (held and held["metadata"]["resourceVersion"])

    story(run, servers=3, seed=seed)


def test_the_page_moves_to_the_next_api_server_and_says_how_long_it_took() -> None:
    async def run(bench: Bench) -> None:
        page = await bench.page()
        page.say("open", 2, what="objects", resource=CONFIG_MAPS, namespace="default")
        await page.until(lambda: page.of("objects", 2))
        bench.slots[0].kill()
        (moved,) = await page.until(lambda: page.of("failover"), 0.5)
        assert (moved["from"], moved["to"]) == ("master-1", "master-2") and 0 <= moved["gap_ms"] < 300
        bench.slots[1].hang()
        await page.until(lambda: len(page.of("failover")) == 2, 1.0)
        assert page.of("failover")[1]["to"] == "master-3" and page.of("failover")[1]["gap_ms"] < 500
        await bench.config_map("after", a="1")
        await page.until(lambda: "after" in page.names(2), 1.0)
        assert all(said["state"] == "live" for said in page.of("objects", 2))
        assert not page.of("outage")

    story(run, servers=3)


def test_without_api_servers_what_was_known_stays_and_says_how_old_it_is() -> None:
    async def run(bench: Bench) -> None:
        await bench.config_map("kept", a="1")
        page = await bench.page()
        page.say("open", 1, what="list", resource=CONFIG_MAPS, namespace="default")
        await page.until(lambda: page.rows(1))
        for slot in bench.slots:
            slot.kill()
        gone_at = clock.wall()
        await page.until(lambda: page.of("outage"), 1.0)
        await page.until(lambda: page.of("list", 1)[-1]["state"] == "stale", 1.0)
        await clock.sleep(30.0)
        assert page.rows(1) == ["kept"]
        assert abs(page.of("list", 1)[-1]["as_of"] - gone_at) < 0.5
        page.say("open", 2, what="list", resource=CONFIG_MAPS, namespace="default")
        bench.slots[1].revive()
        await page.until(lambda: page.of("server"), 0.6)
        assert page.of("server")[-1]["name"] == "master-2"
        await page.until(lambda: page.of("list", 1)[-1]["state"] == "live", 1.0)
        await page.until(lambda: page.rows(2) == ["kept"], 2.0)

    story(run, servers=2)


def test_an_expired_revision_leads_to_a_new_list_without_a_blank_moment() -> None:
    async def run(bench: Bench) -> None:
        await bench.config_map("a", a="1")
        await bench.config_map("b", a="1")
        page = await bench.page()
        page.say("open", 2, what="objects", resource=CONFIG_MAPS, namespace="default")
        await page.until(lambda: len(page.names(2)) == 2)
        feed = next(iter(bench.console.pool._kept.values())).feed
        bench.slots[0].kill()
        await bench.world.call("DELETE", f"{MAPS}/a")
        await bench.config_map("c", a="1")
        feed.revision = "1"  # compacted long ago
        told = len(page.said)
        bench.slots[0].revive()
        await page.until(lambda: page.names(2) == ["b", "c"], 3.0)
        news = [said for said in page.said[told:] if said["type"] == "objects"]
        assert not any(said.get("reset") for said in news)
        assert sum(len(said["set"]) for said in news) == 1, "b is not sent again"

    story(run, servers=1)


def test_when_all_come_back_at_once_the_page_stays_with_the_first_that_answers() -> None:
    async def run(bench: Bench) -> None:
        page = await bench.page()
        for number in range(6):
            page.say("open", number, what="objects", resource=CONFIG_MAPS, namespace="default", name=f"m-{number}")
        await page.until(lambda: len(page.of("objects")) >= 6)
        browser = await bench.browser("root")
        for slot in bench.slots:
            slot.hang()
        await page.until(lambda: page.of("outage"), 2)
        asking = [tasks.spawn(browser.send("GET", f"/k8s{MAPS}"), name="asking") for _ in range(9)]
        await clock.sleep(1)
        for slot in bench.slots:
            slot.revive()
        await page.until(lambda: page.of("server"), 1)
        await clock.sleep(3)
        assert len(page.of("server")) == 1 and not page.of("failover")
        assert {(await each).status for each in asking} <= {200, 503}

    for seed in range(10):
        story(run, servers=3, seed=seed)


def test_a_list_of_many_pages_whose_revision_expires_on_the_way_is_whole() -> None:
    async def run(bench: Bench) -> None:
        for number in range(1_203):
            await bench.config_map(f"m-{number}")
        expired = [0]

        def refuse(request: Request) -> Response | None:
            if "continue" not in request.query or expired[0]:
                return None
            expired[0] += 1
            return error_response(errors.expired("the provided continue parameter is too old"))

        bench.slots[0].instead = refuse
        page = await bench.page()
        page.say("open", 1, what="objects", resource=CONFIG_MAPS, namespace="default")
        await page.until(lambda: len(page.sets.get(1, {})) == 1_203)
        assert expired == [1]
        pages = [asked.query.get("limit") for asked in bench.slots[0].asked if asked.path == MAPS]
        assert pages == ["500", "500", None, None], "a page, the refusal, all of it, the watch"

    story(run)


def test_a_list_that_is_older_than_what_is_known_is_not_believed_at_once() -> None:
    async def run(bench: Bench) -> None:
        await bench.config_map("a", a="1")
        older = (await bench.world.get(MAPS)).raw
        page = await bench.page()
        page.say("open", 1, what="objects", resource=CONFIG_MAPS, namespace="default")
        await page.until(lambda: page.names(1) == ["a"])
        await bench.config_map("b", a="1")
        await page.until(lambda: page.names(1) == ["a", "b"])
        told = len(page.said)
        slot, lists = bench.slots[0], [0]

        def answer(request: Request) -> Response | None:
            if request.path != MAPS:
                return None
            if "watch" in request.query and lists[0] < 2:
                return error_response(errors.expired("too old resource version"))
            lists[0] += "watch" not in request.query
            return Response(200, older) if "watch" not in request.query and lists[0] < 2 else None

        slot.instead = answer
        slot.kill()
        await clock.sleep(0.05)
        slot.revive()
        await clock.sleep(5)
        assert lists[0] == 2 and page.names(1) == ["a", "b"]
        assert not any(said.get("gone") for said in page.said[told:] if said["type"] == "objects")

    story(run)


def test_an_object_that_cannot_be_read_does_not_end_the_news() -> None:
    async def run(bench: Bench) -> None:
        await bench.config_map("a")
        slot = bench.slots[0]
        odd = b'{"kind":"ConfigMapList","items":[{"metadata":5}]}'
        slot.instead = lambda request: Response(200, odd) if request.path == MAPS else None
        page = await bench.page()
        page.say("open", 1, what="objects", resource=CONFIG_MAPS, namespace="default")
        await clock.sleep(3)
        slot.instead = lambda request: None
        await page.until(lambda: page.names(1) == ["a"], 2)

    story(run)
