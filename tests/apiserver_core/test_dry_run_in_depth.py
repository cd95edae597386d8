"""Dry run on every verb: the answer is that of the real thing, and nothing is there afterwards.

"Kubernetes API Concepts, Dry-run": every stage of a request runs but for the storing.
"""

from __future__ import annotations

import pytest

PODS = "/api/v1/namespaces/default/pods"
MAPS = "/api/v1/namespaces/default/configmaps"
DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"


def deployment(name="web", **spec):
    template = {"metadata": {"labels": {"app": name}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    own = {"selector": {"matchLabels": {"app": name}}, "template": template, **spec}
    return {"metadata": {"name": name}, "spec": own}


async def untouched(api, watch, before):
    """Neither the store nor a watcher has seen anything."""
    await api.settle()
    assert await api.store.revision() == before
    assert watch.events == []
    await watch.stop()


@pytest.fixture
def dry(story):
    """Runs `scenario(api)` and says that nothing was stored by it."""

    def run(prepare, scenario):
        async def whole(api):
            await prepare(api)
            before = await api.store.revision()
            watch = await api.watch("/api/v1/pods", resourceVersion=str(before))
            await scenario(api)
            await untouched(api, watch, before)

        story(whole)

    return run


async def nothing(api):
    pass


def test_a_create_shows_defaults_identity_and_first_status(dry):
    async def scenario(api):
        pod = await api.create(PODS, {"metadata": {"name": "a"}, "spec": {"containers": [{"name": "c", "image": "i"}]}},
                               dryRun="All")  # fmt: skip
        assert pod["metadata"]["uid"] and pod["metadata"]["creationTimestamp"]
        assert pod["spec"]["restartPolicy"] == "Always"
        assert pod["status"]["phase"] == "Pending"
        assert (await api.ask("GET", f"{PODS}/a"))[0] == 404

    dry(nothing, scenario)


def test_a_create_draws_a_name_and_finds_what_is_wrong(dry):
    async def scenario(api):
        made = await api.create(MAPS, {"metadata": {"generateName": "m-"}}, dryRun="All")
        assert made["metadata"]["name"].startswith("m-") and len(made["metadata"]["name"]) == 7
        status, error = await api.ask("POST", MAPS, {"metadata": {"name": "Bad_Name"}}, dryRun="All")
        assert (status, error["reason"]) == (422, "Invalid")

    dry(nothing, scenario)


def test_a_create_of_what_is_there_already_exists(dry):
    async def prepare(api):
        await api.create(MAPS, {"metadata": {"name": "m"}})

    async def scenario(api):
        status, error = await api.ask("POST", MAPS, {"metadata": {"name": "m"}}, dryRun="All")
        assert (status, error["reason"]) == (409, "AlreadyExists")

    dry(prepare, scenario)


def test_an_update_shows_the_new_generation_on_the_old_revision(dry):
    async def prepare(api):
        await api.create(DEPLOYMENTS, deployment(replicas=1))

    async def scenario(api):
        old = await api.get(f"{DEPLOYMENTS}/web")
        status, new = await api.ask("PUT", f"{DEPLOYMENTS}/web", deployment(replicas=3), dryRun="All")
        assert status == 200
        assert (new["spec"]["replicas"], new["metadata"]["generation"]) == (3, 2)
        assert new["metadata"]["resourceVersion"] == old["metadata"]["resourceVersion"]
        assert await api.get(f"{DEPLOYMENTS}/web") == old

    dry(prepare, scenario)


@pytest.mark.parametrize(
    ("media", "body"),
    [
        ("application/json-patch+json", [{"op": "add", "path": "/data/k", "value": "v"}]),
        ("application/merge-patch+json", {"data": {"k": "v"}}),
        ("application/strategic-merge-patch+json", {"data": {"k": "v"}}),
    ],
)
def test_a_patch_of_each_kind(dry, media, body):
    async def prepare(api):
        await api.create(MAPS, {"metadata": {"name": "m"}, "data": {"a": "b"}})

    async def scenario(api):
        status, new = await api.ask("PATCH", f"{MAPS}/m", body, media=media, dryRun="All")
        assert (status, new["data"]) == (200, {"a": "b", "k": "v"})
        assert (await api.get(f"{MAPS}/m"))["data"] == {"a": "b"}

    dry(prepare, scenario)


def test_a_stale_update_is_a_conflict_in_a_dry_run_too(dry):
    async def prepare(api):
        await api.create(MAPS, {"metadata": {"name": "m"}})
        await api.merge(f"{MAPS}/m", {"data": {"a": "b"}})

    async def scenario(api):
        stale = {"metadata": {"name": "m", "resourceVersion": "1"}}
        status, error = await api.ask("PUT", f"{MAPS}/m", stale, dryRun="All")
        assert (status, error["reason"]) == (409, "Conflict")

    dry(prepare, scenario)


def test_a_status_is_not_written(dry):
    async def prepare(api):
        await api.pod("a")

    async def scenario(api):
        body = {"status": {"phase": "Running"}}
        status, new = await api.ask("PATCH", f"{PODS}/a/status", body, media="application/merge-patch+json",
                                    dryRun="All")  # fmt: skip
        assert (status, new["status"]["phase"]) == (200, "Running")
        assert (await api.get(f"{PODS}/a"))["status"]["phase"] == "Pending"

    dry(prepare, scenario)


@pytest.mark.parametrize(
    ("options", "query"),
    [
        ({"dryRun": ["All"]}, {}),
        (None, {"dryRun": "All"}),
        ({"dryRun": ["All"], "propagationPolicy": "Foreground"}, {}),
    ],
)
def test_a_delete_by_body_or_query(dry, options, query):
    async def prepare(api):
        await api.create(MAPS, {"metadata": {"name": "m"}})

    async def scenario(api):
        status, answer = await api.ask("DELETE", f"{MAPS}/m", options, **query)
        assert status == 200
        if options and "propagationPolicy" in options:
            assert answer["metadata"]["finalizers"] == ["foregroundDeletion"]
            assert answer["metadata"]["deletionTimestamp"]
        else:
            assert answer["status"] == "Success"
        assert "deletionTimestamp" not in (await api.get(f"{MAPS}/m"))["metadata"]

    dry(prepare, scenario)


def test_a_graceful_delete_of_a_pod(dry):
    async def prepare(api):
        await api.pod("a", nodeName="n1")

    async def scenario(api):
        status, answer = await api.ask("DELETE", f"{PODS}/a", {"dryRun": ["All"]})
        assert (status, answer["metadata"]["deletionGracePeriodSeconds"]) == (200, 30)
        assert "deletionTimestamp" not in (await api.get(f"{PODS}/a"))["metadata"]

    dry(prepare, scenario)


def test_a_collection_is_listed_and_stays(dry):
    async def prepare(api):
        for name in ("a", "b"):
            await api.create(MAPS, {"metadata": {"name": name}})

    async def scenario(api):
        status, answer = await api.ask("DELETE", MAPS, None, dryRun="All")
        assert status == 200
        assert [item["metadata"]["name"] for item in answer["items"]] == ["a", "b"]
        assert len((await api.get(MAPS))["items"]) == 2

    dry(prepare, scenario)


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", MAPS, {"metadata": {"name": "n"}}),
        ("PUT", f"{MAPS}/m", {"metadata": {"name": "m"}}),
        ("DELETE", f"{MAPS}/m", None),
        ("DELETE", MAPS, None),
    ],
)
@pytest.mark.parametrize("value", ["all", "true", "None"])
def test_only_all_is_a_dry_run(dry, method, path, body, value):
    """A misspelt dry run must never become a real one."""

    async def prepare(api):
        await api.create(MAPS, {"metadata": {"name": "m"}})

    async def scenario(api):
        status, error = await api.ask(method, path, body, dryRun=value)
        assert (status, error["reason"]) == (422, "Invalid")
        assert error["details"]["causes"][0]["field"] == "dryRun"

    dry(prepare, scenario)


@pytest.mark.parametrize("value", [["Some"], ["All", "Some"], "All"])
def test_the_body_of_a_delete_says_all_or_nothing(dry, value):
    async def prepare(api):
        await api.create(MAPS, {"metadata": {"name": "m"}})

    async def scenario(api):
        status, error = await api.ask("DELETE", f"{MAPS}/m", {"dryRun": value})
        assert status in (400, 422), error

    dry(prepare, scenario)


def test_a_dry_run_of_a_dry_run_gives_the_same_answer(dry):
    async def prepare(api):
        await api.create(DEPLOYMENTS, deployment())

    async def scenario(api):
        body = {"spec": {"replicas": 7}}
        answers = [
            await api.ask("PATCH", f"{DEPLOYMENTS}/web", body, media="application/merge-patch+json", dryRun="All")
            for _ in range(2)
        ]
        assert answers[0] == answers[1]

    dry(prepare, scenario)
