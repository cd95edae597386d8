"""What is wrong with a body, in the words of each fieldValidation; the shape of every refusal; watches row by row."""

from __future__ import annotations

import pytest

MAPS = "/api/v1/namespaces/default/configmaps"
PODS = "/api/v1/namespaces/default/pods"
DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"
MERGE, STRATEGIC, JSON_PATCH = (
    f"application/{form}+json" for form in ("merge-patch", "strategic-merge-patch", "json-patch")
)


# Refusals


@pytest.mark.parametrize(
    ("method", "path", "body", "code", "reason"),
    [
        ("GET", f"{MAPS}/gone", None, 404, "NotFound"),
        ("GET", "/api/v1/widgets", None, 404, "NotFound"),
        ("GET", "/apis/nowhere.io/v1/things", None, 404, "NotFound"),
        ("PUT", f"{MAPS}/gone", {"metadata": {"name": "gone"}}, 404, "NotFound"),
        ("PUT", MAPS, {"metadata": {"name": "m"}}, 405, "MethodNotAllowed"),
        ("POST", f"{MAPS}/m", {"metadata": {"name": "m"}}, 405, "MethodNotAllowed"),
        ("PATCH", MAPS, {}, 405, "MethodNotAllowed"),
        ("POST", MAPS, {"metadata": {"name": "m"}}, 409, "AlreadyExists"),
        ("POST", MAPS, {"metadata": {"name": "No"}}, 422, "Invalid"),
        ("POST", MAPS, {"metadata": {}}, 422, "Invalid"),
        ("POST", MAPS, {}, 422, "Invalid"),
        ("POST", MAPS, [], 400, "BadRequest"),
        ("POST", MAPS, b"", 400, "BadRequest"),
        ("POST", MAPS, b"{", 400, "BadRequest"),
        ("POST", MAPS, b"\xff\xfe", 400, "BadRequest"),
        ("POST", MAPS, {"kind": "Secret", "metadata": {"name": "x"}}, 400, "BadRequest"),
        ("POST", MAPS, {"apiVersion": "v2", "metadata": {"name": "x"}}, 400, "BadRequest"),
        ("POST", MAPS, {"metadata": {"name": "x", "namespace": "other"}}, 400, "BadRequest"),
        ("POST", MAPS, {"metadata": "text"}, 400, "BadRequest"),
        ("POST", MAPS, {"metadata": {"name": "x"}, "data": {"k": 1}}, 400, "BadRequest"),
        ("POST", MAPS, {"metadata": {"name": "x"}, "data": ["k"]}, 400, "BadRequest"),
        ("POST", MAPS, {"metadata": {"name": "x", "labels": {"a": True}}}, 400, "BadRequest"),
        ("POST", MAPS, {"metadata": {"name": "x", "finalizers": "a"}}, 400, "BadRequest"),
        ("POST", PODS, {"metadata": {"name": "x"}, "spec": {"containers": {}}}, 400, "BadRequest"),
        ("POST", PODS, {"metadata": {"name": "x"}, "spec": {"hostNetwork": "yes"}}, 400, "BadRequest"),
        ("POST", PODS, {"metadata": {"name": "x"}, "spec": {"activeDeadlineSeconds": 1.5}}, 400, "BadRequest"),
        ("PUT", f"{MAPS}/m", {"metadata": {"name": "n"}}, 400, "BadRequest"),
        ("DELETE", f"{MAPS}/gone", None, 404, "NotFound"),
        ("DELETE", f"{MAPS}/m", b"{", 400, "BadRequest"),
        ("DELETE", f"{MAPS}/m", {"propagationPolicy": "Later"}, 422, "Invalid"),
        ("DELETE", f"{MAPS}/m", {"gracePeriodSeconds": "soon"}, 400, "BadRequest"),
    ],
)
def test_a_refusal_is_a_status_and_changes_nothing(story, method, path, body, code, reason):
    """The same reason and code in the body as in the answer's head, and what it is about."""

    async def scenario(api):
        await api.create(MAPS, {"metadata": {"name": "m"}})
        before = await api.store.revision()
        media = STRATEGIC if method == "PATCH" else "application/json"
        status, answer = await api.ask(method, path, body, media=media)
        assert (status, answer.get("reason")) == (code, reason), answer
        assert (answer["kind"], answer["apiVersion"], answer["status"]) == ("Status", "v1", "Failure")
        assert answer["code"] == code and answer["message"]
        assert await api.store.revision() == before

    story(scenario)


@pytest.mark.parametrize("media", ["text/plain", "application/xml", JSON_PATCH, "multipart/form-data"])
@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_bodies_in_other_languages_are_415(story, method, media):
    async def scenario(api):
        await api.create(MAPS, {"metadata": {"name": "m"}})
        path = MAPS if method == "POST" else f"{MAPS}/m"
        status, answer = await api.ask(method, path, {"metadata": {"name": "m"}}, media=media)
        assert (status, answer["reason"]) == (415, "UnsupportedMediaType")
        assert "application/json" in answer["message"]

    story(scenario)


# fieldValidation

UNKNOWN = {"metadata": {"name": "x", "nmae": "y"}, "dta": {"a": "b"}}


@pytest.mark.parametrize(
    ("how", "status", "warned"),
    [("", 201, True), ("Warn", 201, True), ("Ignore", 201, False), ("Strict", 400, False), ("strict", 422, False)],
)
def test_unknown_fields_of_a_creation(story, how, status, warned):
    async def scenario(api):
        response = await api.send("POST", MAPS, UNKNOWN, **({"fieldValidation": how} if how else {}))
        assert response.status == status, response.body
        warning = response.headers.get("warning", "")
        assert [field in warning for field in ("metadata.nmae", "dta")] == [warned, warned]
        if how == "Strict":
            for words in (b"strict decoding error", b'unknown field \\"dta\\"', b'unknown field \\"metadata.nmae\\"'):
                assert words in response.body
        if status == 201:
            assert "dta" not in await api.get(f"{MAPS}/x")

    story(scenario)


@pytest.mark.parametrize(
    ("media", "body"),
    [
        (MERGE, {"dta": {"a": "b"}}),
        (STRATEGIC, {"dta": {"a": "b"}}),
        (JSON_PATCH, [{"op": "add", "path": "/dta", "value": {"a": "b"}}]),
    ],
)
@pytest.mark.parametrize(("how", "status"), [("Strict", 422), ("Warn", 200), ("Ignore", 200)])
def test_unknown_fields_of_a_patch(story, media, body, how, status):
    async def scenario(api):
        await api.create(MAPS, {"metadata": {"name": "m"}})
        response = await api.send("PATCH", f"{MAPS}/m", body, media=media, fieldValidation=how)
        assert response.status == status, response.body
        assert ('unknown field \\"dta\\"' in response.headers.get("warning", "")) is (how == "Warn")

    story(scenario)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b'{"metadata": {"name": "x", "name": "x"}}', "metadata.name"),
        (b'{"metadata": {"name": "x"}, "data": {}, "data": {}}', "data"),
    ],
)
def test_a_field_twice_is_strictly_wrong(story, body, field):
    async def scenario(api):
        status, answer = await api.ask("POST", MAPS, body, fieldValidation="Strict")
        assert status == 400 and f'duplicate field "{field}"' in answer["message"]
        response = await api.send("POST", MAPS, body, fieldValidation="Warn")
        assert response.status == 201 and f'duplicate field \\"{field}\\"' in response.headers["warning"]

    story(scenario)


# Watches


async def change(api, name, **labels):
    return await api.merge(f"{MAPS}/{name}", {"metadata": {"labels": labels}})


@pytest.mark.parametrize(
    ("selector", "steps", "expected"),
    [
        ({}, [{"a": "1"}, {"a": "2"}], ["ADDED", "MODIFIED", "MODIFIED", "DELETED"]),
        ({"labelSelector": "a=1"}, [{"a": "1"}, {"a": "2"}, {"a": "1"}], ["ADDED", "DELETED", "ADDED", "DELETED"]),
        ({"labelSelector": "a"}, [{"b": "1"}, {"a": "2"}, {"a": None}], ["ADDED", "DELETED"]),
        ({"labelSelector": "!a"}, [{"a": "1"}, {"a": None}], ["ADDED", "DELETED", "ADDED", "DELETED"]),
        ({"labelSelector": "a=9"}, [{"a": "1"}], []),
        ({"fieldSelector": "metadata.name=m"}, [{"a": "1"}], ["ADDED", "MODIFIED", "DELETED"]),
        ({"fieldSelector": "metadata.name=other"}, [{"a": "1"}], []),
    ],
)
def test_what_a_watcher_with_a_selector_sees_of_one_life(story, selector, steps, expected):
    """An object that comes into or leaves the selection is added or deleted, whatever happened to it in truth."""

    async def scenario(api):
        watch = await api.watch(MAPS, resourceVersion=await api.newest(MAPS), **selector)
        await api.create(MAPS, {"metadata": {"name": "m"}})
        for labels in steps:
            await change(api, "m", **labels)
        await api.ask("DELETE", f"{MAPS}/m")
        await api.settle()
        assert [event["type"] for event in watch.events] == expected
        await watch.stop()

    story(scenario)


def test_a_deleted_event_of_a_selector_shows_the_object_as_it_was_selected(story):
    """A client with the selector must find in the event what it has in its cache."""

    async def scenario(api):
        await api.create(MAPS, {"metadata": {"name": "m", "labels": {"a": "1"}}})
        watch = await api.watch(MAPS, resourceVersion=await api.newest(MAPS), labelSelector="a=1")
        left = await change(api, "m", a="2")
        await api.settle()
        (event,) = watch.events
        assert (event["type"], event["object"]["metadata"]["labels"]) == ("DELETED", {"a": "1"})
        assert event["object"]["metadata"]["resourceVersion"] == left["metadata"]["resourceVersion"]
        await watch.stop()

    story(scenario)


@pytest.mark.parametrize(
    ("query", "initial", "bookmarked"),
    [
        ({}, ["ADDED"] * 3, False),
        ({"resourceVersion": "0"}, ["ADDED"] * 3, False),
        ({"resourceVersion": "NOW"}, [], False),
        ({"resourceVersion": "NOW", "allowWatchBookmarks": "true"}, [], False),
        (
            {"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan", "allowWatchBookmarks": "true"},
            ["ADDED"] * 3,
            True,
        ),
        (
            {
                "sendInitialEvents": "false",
                "resourceVersionMatch": "NotOlderThan",
                "allowWatchBookmarks": "true",
                "resourceVersion": "NOW",
            },
            [],
            False,
        ),
    ],
)
def test_how_a_watch_begins(story, query, initial, bookmarked):
    async def scenario(api):
        for name in ("a", "b", "c"):
            await api.create(MAPS, {"metadata": {"name": name}})
        now = await api.newest(MAPS)
        watch = await api.watch(MAPS, **{key: now if value == "NOW" else value for key, value in query.items()})
        await api.create(MAPS, {"metadata": {"name": "later"}})
        await api.settle()
        answer = [event["type"] for event in watch.events]
        assert [kind for kind in answer if kind != "BOOKMARK"] == [*initial, "ADDED"]
        ends = [
            event["object"]
            for event in watch.events
            if event["type"] == "BOOKMARK" and (event["object"]["metadata"].get("annotations") or {})
        ]
        assert len(ends) == bookmarked
        if bookmarked:
            assert ends[0]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}
            assert int(ends[0]["metadata"]["resourceVersion"]) >= int(now)
            assert (ends[0]["kind"], ends[0]["apiVersion"]) == ("ConfigMap", "v1")
        await watch.stop()

    story(scenario)


def test_a_watcher_of_every_version_ends_with_the_same_cache(story):
    """Whatever moment a watch resumes at, its events lead from the list of that moment to the state now."""

    async def scenario(api):
        moments = []
        for step in range(12):
            name = f"m{step % 4}"
            if step < 4:
                await api.create(MAPS, {"metadata": {"name": name}, "data": {"n": "0"}})
            elif step % 5 == 0:
                await api.ask("DELETE", f"{MAPS}/{name}")
                await api.create(MAPS, {"metadata": {"name": name}, "data": {"n": f"again {step}"}})
            else:
                await api.merge(f"{MAPS}/{name}", {"data": {"n": str(step)}})
            listing = await api.get(MAPS)
            moments.append((listing["metadata"]["resourceVersion"], listing["items"]))
        final = {item["metadata"]["name"]: item for item in moments[-1][1]}
        for version, items in moments:
            cache = {item["metadata"]["name"]: item for item in items}
            watch = await api.watch(MAPS, resourceVersion=version)
            for event in watch.events:
                name = event["object"]["metadata"]["name"]
                assert (name in cache) is (event["type"] != "ADDED")
                if event["type"] == "DELETED":
                    del cache[name]
                else:
                    cache[name] = event["object"]
            assert {n: o["metadata"]["resourceVersion"] for n, o in cache.items()} == {
                n: o["metadata"]["resourceVersion"] for n, o in final.items()
            }
            assert {n: o["data"] for n, o in cache.items()} == {n: o["data"] for n, o in final.items()}
            await watch.stop()

    story(scenario)
