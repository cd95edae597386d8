"""Kinds that are added and removed while servers run: all that the API does with a kind, on the server that has it
alone.

Rules: kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace

import orjson

from homeostat.api.catalogue import Catalogue
from homeostat.kit import clock, tasks, virtual
from homeostat.store.memory import MemoryState
from homeostat.wire.message import Request
from tests.support.api_edge import ADMIN, World, config, start
from tests.support.crontabs import CATALOGUE, CRONTABS, GROUP, PATH, V1, crontab

TABLE = {"accept": "application/json;as=Table;g=meta.k8s.io;v=v1"}
AGGREGATED = {"accept": "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"}
MERGE = {"content-type": "application/merge-patch+json"}


def story(test: Callable[[World, World], Awaitable[None]]) -> None:
    """Two servers of one process with a store each; the first one is to have the kind."""

    async def main() -> None:
        one, other = await start(MemoryState(), config()), await start(MemoryState(), config())
        await clock.sleep(0.5)
        await test(World(one), World(other))
        await one.stop()
        await other.stop()

    virtual.run(main, seed=1)


async def watched(world: World, seconds: float, **query: str) -> list[tuple[str, str]]:
    """What a watch brings within a time, or until it ends."""
    response = await world.server.handle(Request("GET", PATH, {"watch": "true", **query}, {}, b"", ADMIN))
    assert not isinstance(response.body, bytes)
    found: list[tuple[str, str]] = []
    chunks = response.body

    async def read() -> None:
        async for chunk in chunks:
            for line in chunk.splitlines():
                event = orjson.loads(line)
                found.append((event["type"], event["object"]["metadata"]["name"]))

    task = tasks.spawn(read(), name="watch")
    await clock.sleep(seconds)
    found.append(("ended" if task.done() else "open", ""))
    await tasks.stop(task)
    return found


def test_a_kind_is_served_from_the_moment_on_that_its_server_has_it():
    async def scenario(one: World, other: World) -> None:
        for world in (one, other):
            assert (await world.get(PATH)).status == 404
        one.server.serve(CATALOGUE)
        made = await one.make(PATH, crontab("a", more=1))
        assert made["metadata"]["generation"] == 1
        assert made["spec"] == {"image": "app", "replicas": 1}
        listed = (await one.get(PATH)).obj
        assert (listed["kind"], listed["apiVersion"], len(listed["items"])) == ("CronTabList", f"{GROUP}/v1", 1)
        assert (await one.get(f"/apis/{GROUP}/v1/crontabs")).obj["items"][0]["metadata"]["name"] == "a"
        assert (await other.get(PATH)).status == 404
        assert other.server.catalogue is Catalogue.builtin()
        one.server.serve(Catalogue.builtin())
        assert (await one.get(f"{PATH}/a")).status == 404

    story(scenario)


def test_writes_keep_generation_and_status_as_those_of_custom_resources():
    async def scenario(one: World, _: World) -> None:
        one.server.serve(CATALOGUE)
        await one.make(PATH, crontab("a") | {"status": {"runs": 7}})
        assert "status" not in (await one.get(f"{PATH}/a")).obj
        changed = (await one.call("PATCH", f"{PATH}/a", {"spec": {"replicas": 3}}, headers=MERGE)).obj
        assert (changed["metadata"]["generation"], changed["spec"]["replicas"]) == (2, 3)
        labelled = {"metadata": {"labels": {"x": "y"}}, "status": {"runs": 1}}
        kept = (await one.call("PATCH", f"{PATH}/a", labelled, headers=MERGE)).obj
        assert (kept["metadata"]["generation"], "status" in kept) == (2, False)
        status = {"metadata": {"labels": {"x": "z"}}, "status": {"runs": 1}, "spec": {"replicas": 9}}
        said = (await one.call("PATCH", f"{PATH}/a/status", status, headers=MERGE)).obj
        assert (said["status"], said["spec"]["replicas"], said["metadata"]["labels"]) == ({"runs": 1}, 3, {"x": "y"})
        assert said["metadata"]["generation"] == 2
        strategic = {"content-type": "application/strategic-merge-patch+json"}
        refused = await one.call("PATCH", f"{PATH}/a", {"spec": {}}, headers=strategic)
        assert (refused.status, "strategic" in refused.message.partition("include:")[2]) == (415, False)
        wrong = await one.post(PATH, crontab("b") | {"apiVersion": f"{GROUP}/v9"})
        assert (wrong.status, "does not match the expected API version" in wrong.message) == (400, True)
        nothing = await one.post(PATH, {"metadata": {"name": "no good name"}, "spec": 5})
        assert nothing.status == 422

    story(scenario)


def test_selections_and_tables_follow_the_definition():
    async def scenario(one: World, _: World) -> None:
        one.server.serve(CATALOGUE)
        await one.make(PATH, crontab("a", color="red", replicas=2))
        await one.make(PATH, crontab("b", color="blue"))
        red = (await one.get(f"{PATH}?fieldSelector=spec.color=red")).obj["items"]
        assert [item["metadata"]["name"] for item in red] == ["a"]
        refused = await one.get(f"{PATH}?fieldSelector=spec.image=app")
        assert (refused.status, refused.message) == (400, "field label not supported: spec.image")
        table = (await one.get(PATH, headers=TABLE)).obj
        assert [column["name"] for column in table["columnDefinitions"]] == ["Name", "Spec", "Replicas", "Age"]
        assert [row["cells"] for row in table["rows"]] == [["a", "app", 2, "0s"], ["b", "app", 1, "0s"]]
        # Objects that were there before can be selected by a field that is selectable from now on.
        one.server.serve(CATALOGUE.with_definitions((replace(CRONTABS, versions=(replace(V1, selectable=()),)),)))
        assert (await one.get(f"{PATH}?fieldSelector=spec.color=red")).status == 400
        one.server.serve(CATALOGUE)
        red = (await one.get(f"{PATH}?fieldSelector=spec.color=red")).obj["items"]
        assert [item["metadata"]["name"] for item in red] == ["a"]

    story(scenario)


def test_a_watch_brings_changes_and_ends_when_its_kind_changes_or_goes():
    async def scenario(one: World, _: World) -> None:
        one.server.serve(CATALOGUE)
        first = (await one.make(PATH, crontab("a")))["metadata"]["resourceVersion"]
        reading = tasks.spawn(watched(one, 2.0, resourceVersion=first), name="reading")
        unrelated = tasks.spawn(one.get("/api/v1/pods?watch=true&timeoutSeconds=60"), name="pods")
        await clock.sleep(0.1)
        await one.make(PATH, crontab("b"))
        await clock.sleep(0.1)
        one.server.serve(Catalogue.builtin())
        assert await reading == [("ADDED", "b"), ("ended", "")]
        assert not unrelated.done()
        await tasks.stop(unrelated)
        # What happened before comes again from the store's history, to who resumes when the kind is back.
        one.server.serve(CATALOGUE)
        assert await watched(one, 1.0, resourceVersion=first) == [("ADDED", "b"), ("open", "")]

    story(scenario)


def test_discovery_lists_the_kind_in_both_forms():
    async def scenario(one: World, other: World) -> None:
        before = (await one.get("/apis", headers=AGGREGATED)).headers["etag"]
        one.server.serve(CATALOGUE)
        reply = await one.get("/apis", headers=AGGREGATED)
        assert reply.headers["etag"] != before
        last = reply.obj["items"][-1]
        assert last["metadata"]["name"] == GROUP
        (resource,) = last["versions"][0]["resources"]
        assert (resource["resource"], resource["scope"], resource["shortNames"]) == ("crontabs", "Namespaced", ["ct"])
        assert [part["subresource"] for part in resource["subresources"]] == ["status"]
        listed = (await one.get(f"/apis/{GROUP}/v1")).obj["resources"]
        assert [entry["name"] for entry in listed] == ["crontabs", "crontabs/status"]
        assert (await one.get(f"/apis/{GROUP}")).obj["preferredVersion"]["version"] == "v1"
        assert (await one.get("/apis")).obj["groups"][-1]["name"] == GROUP
        assert (await other.get(f"/apis/{GROUP}/v1")).status == 404
        assert (await other.get("/apis", headers=AGGREGATED)).headers["etag"] == before

    story(scenario)


def test_openapi_has_the_kind_with_its_schema():
    async def scenario(one: World, other: World) -> None:
        one.server.serve(CATALOGUE)
        index = (await one.get("/openapi/v3")).obj["paths"]
        url = index[f"apis/{GROUP}/v1"]["serverRelativeURL"]
        document = (await one.get(url)).obj
        schema = document["components"]["schemas"]["com.example.stable.v1.CronTab"]
        assert schema["properties"]["spec"]["properties"]["replicas"]["default"] == 1
        assert schema["x-kubernetes-group-version-kind"] == [{"group": GROUP, "version": "v1", "kind": "CronTab"}]
        assert "com.example.stable.v1.CronTabList" in document["components"]["schemas"]
        assert f"/apis/{GROUP}/v1/namespaces/{{namespace}}/crontabs/{{name}}/status" in document["paths"]
        assert f"apis/{GROUP}/v1" not in (await other.get("/openapi/v3")).obj["paths"]
        assert "com.example.stable.v1.CronTab" in (await one.get("/openapi/v2")).obj["definitions"]
        assert "com.example.stable.v1.CronTab" not in (await other.get("/openapi/v2")).obj["definitions"]
        protobuf = {"accept": "application/com.github.proto-openapi.spec.v2@v1.0+protobuf"}
        assert b"com.example.stable.v1.CronTab" in (await one.get("/openapi/v2", headers=protobuf)).raw
        one.server.serve(CATALOGUE.with_definitions((replace(CRONTABS, short_names=()),)))
        assert (await one.get("/openapi/v3")).obj["paths"][f"apis/{GROUP}/v1"]["serverRelativeURL"] != url
        assert (await one.get(url)).status == 301

    story(scenario)
