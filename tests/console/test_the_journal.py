"""The journal for pages: recorded causes where there are some, with each user's own sight; inferred ones elsewhere."""

from __future__ import annotations

from typing import Any

from homeostat.console.rows.writers import newest_writer
from homeostat.kit import clock
from tests.console.test_who_sees_what import allow
from tests.support.api_edge import rule
from tests.support.console_bench import MAPS, Bench, Page, story

INFERRED = {"records_causes": False}


def entries(page: Page, number: int = 1) -> list[dict[str, Any]]:
    return [entry for said in page.of("journal", number) for entry in said["entries"]]


def test_what_was_recorded_comes_first_and_then_what_happens() -> None:
    async def run(bench: Bench) -> None:
        await bench.config_map("before")
        page = await bench.page()
        page.say("open", 1, what="journal", since=0, limit=50)
        await page.until(lambda: "before" in [entry["name"] for entry in entries(page)])
        assert page.of("journal", 1)[0]["recorded"] is True
        await bench.config_map("after")
        await page.until(lambda: "after" in [entry["name"] for entry in entries(page)], 1.5)
        await clock.sleep(3)
        revisions = [entry["revision"] for entry in entries(page)]
        assert revisions == sorted(set(revisions)), "each entry once, in its order"
        page.say("open", 2, what="journal", since=revisions[-1], limit=50)
        await page.until(lambda: page.of("journal", 2))
        assert entries(page, 2) == []

    story(run)


def test_it_is_asked_at_most_four_times_a_second_and_once_when_nothing_happens() -> None:
    async def run(bench: Bench) -> None:
        browser = await bench.browser()
        pages = [await browser.page() for _ in range(5)]
        for page in pages:
            page.say("open", 1, what="journal", since=0, limit=50)
        await clock.sleep(5)
        asked = bench.slots[0].asked
        for period, most in ((10.0, 11), (10.0, 41)):
            del asked[:]
            for number in range(20):
                if most > 11:
                    await bench.config_map(f"{most}-{number}")
                await clock.sleep(period / 20)
            assert sum(request.path == "/homeostat/journal" for request in asked) <= most
        for page in pages:
            page.leave()
        await clock.sleep(1)
        del asked[:]
        await clock.sleep(5)
        assert not [request for request in asked if request.path == "/homeostat/journal"]

    story(run)


def test_each_user_sees_entries_of_their_own() -> None:
    async def run(bench: Bench) -> None:
        await allow(bench, "eve", rule("get list watch", "pods"))
        path = {"verbs": ["get"], "nonResourceURLs": ["/homeostat/journal"]}
        role = "/apis/rbac.authorization.k8s.io/v1/clusterrole"
        await bench.world.make(f"{role}s", {"metadata": {"name": "journal"}, "rules": [path]})
        reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "journal"}
        who = [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "eve"}]
        binding = {"metadata": {"name": "journal"}, "roleRef": reference, "subjects": who}
        await bench.world.make(f"{role}bindings", binding)
        await clock.sleep(0.1)
        admin, eve = await bench.page(), await bench.page("eve")
        for page in (admin, eve):
            page.say("open", 1, what="journal", since=0, limit=50)
        await bench.config_map("private")
        await bench.world.pod("web")
        await admin.until(lambda: {"private", "web"} <= {entry["name"] for entry in entries(admin)})
        await eve.until(lambda: "web" in {entry["name"] for entry in entries(eve)})
        assert {entry["kind"] for entry in entries(eve)} == {"Pod"}

    story(run)


def test_without_a_journal_it_is_inferred_from_watches_and_managed_fields() -> None:
    async def run(bench: Bench) -> None:
        await bench.world.pod("before")
        page = await bench.page()
        page.say("open", 1, what="journal", since=0, limit=50)
        await page.until(lambda: page.of("journal", 1))
        assert page.of("journal", 1)[0]["recorded"] is False
        await clock.sleep(2)
        assert entries(page) == [], "what was before is not known"
        managed = f'"managedFields":[{{"manager":"gitops","operation":"Update","time":"{clock.now_rfc3339()}"}}]'
        bench.slots[0].altered = lambda data: data.replace(b'"name":"web"', f'{managed},"name":"web"'.encode())
        await bench.world.pod("web")
        await page.until(lambda: entries(page), 1)
        (entry,) = entries(page)
        assert (entry["verb"], entry["kind"], entry["namespace"], entry["name"]) == ("ADDED", "Pod", "default", "web")
        assert entry["cause"] == {"loop": "gitops", "key": "default/web", "inferred": True}
        assert entry["summary"] == "created"
        await bench.world.call("DELETE", "/api/v1/namespaces/default/pods/before?gracePeriodSeconds=0")
        await page.until(lambda: entries(page)[-1]["verb"] == "DELETED", 1)
        assert entries(page)[-1]["cause"] is None, "managed fields do not say who deletes"
        await bench.config_map("not-watched")

    story(run, settings=INFERRED)


def test_who_may_not_see_everything_infers_from_what_they_may() -> None:
    async def run(bench: Bench) -> None:
        eve = await bench.page("eve")
        eve.say("open", 1, what="journal", since=0, limit=50)
        await eve.until(lambda: eve.of("journal", 1))
        await bench.world.pod("web")
        await bench.world.get(MAPS)
        await clock.sleep(3)
        assert entries(eve) == [] and not eve.of("error")

    story(run, settings=INFERRED)


def test_the_newest_field_manager_is_who_wrote() -> None:
    def managed(*fields: dict[str, str]) -> Any:
        return newest_writer({"metadata": {"managedFields": list(fields)}})

    first = {"manager": "kubectl", "operation": "Update", "time": "2026-01-01T00:00:00Z"}
    second = {"manager": "kubelet", "operation": "Update", "subresource": "status", "time": "2026-01-01T00:00:05Z"}
    assert managed() is None
    assert managed(second, first).manager == managed(first, second).manager == "kubelet"
    assert managed(second).subresource == "status"
    assert managed({"manager": "x"}).at == 0.0
