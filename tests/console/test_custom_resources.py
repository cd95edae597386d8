"""Custom resources in lists: with the columns of their definition, or as rows that the API server makes."""

from __future__ import annotations

from homeostat.api.catalogue import Catalogue
from homeostat.api.catalogue.columns import PrinterColumn
from homeostat.api.catalogue.definition import Definition, Version
from homeostat.kit import clock
from tests.console.test_who_sees_what import allow
from tests.support.api_edge import rule
from tests.support.console_bench import Bench, story

THINGS = {"group": "example.com", "version": "v1", "plural": "things"}
PLACE = "/apis/example.com/v1/namespaces/default/things"
DEFINITION = {
    "metadata": {"name": "things.example.com"},
    "spec": {
        "group": "example.com",
        "scope": "Namespaced",
        "names": {"plural": "things", "kind": "Thing"},
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}},
                "additionalPrinterColumns": [
                    {"name": "Size", "type": "integer", "jsonPath": ".spec.size"},
                    {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
                ],
            }
        ],
    },
}


COLUMNS = (
    PrinterColumn("Size", "integer", ".spec.size"),
    PrinterColumn("Age", "date", ".metadata.creationTimestamp"),
)


async def define(bench: Bench) -> None:
    """The kind is served, and its definition can be read."""
    version = Version("v1", columns=COLUMNS)
    served = Definition("example.com", "Thing", "things", namespaced=True, versions=(version,))
    for slot in bench.slots:
        slot.server.serve(Catalogue.builtin().with_definitions([served]))
    await bench.world.make("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", DEFINITION)
    for number in (10, 2, 1):
        await bench.world.make(PLACE, thing(number))


def thing(number: int) -> dict:
    named = {"apiVersion": "example.com/v1", "kind": "Thing", "metadata": {"name": f"t-{number}"}}
    return {**named, "spec": {"size": number}}


async def check(bench: Bench, token: str) -> None:
    page = await bench.page(token)
    sort = {"column": "Size", "descending": False}
    page.say("open", 1, what="list", resource=THINGS, namespace="default", sort=sort)
    page.say("open", 2, what="objects", resource=THINGS, namespace="default")
    await page.until(lambda: page.rows(1) and page.names(2))
    (first,) = page.of("list", 1)
    assert [(column["name"], column["kind"]) for column in first["columns"]] == [
        ("Name", "text"), ("Size", "number"), ("Age", "age"),
    ]  # fmt: skip
    assert page.rows(1) == ["t-1", "t-2", "t-10"] and page.lists[1][0]["cells"][1] == 1
    assert page.lists[1][0]["cells"][2] == page.lists[1][0]["created"] > 0
    await bench.world.make(PLACE, thing(5))
    await page.until(lambda: page.of("list", 1)[-1]["fresh"] == 1 and len(page.names(2)) == 4)
    page.say("merge", 1)
    await page.until(lambda: page.rows(1) == ["t-1", "t-2", "t-5", "t-10"])
    await bench.world.call("DELETE", f"{PLACE}/t-2")
    await page.until(lambda: page.lists[1][1]["gone"] and len(page.names(2)) == 3)


def test_who_may_read_the_definition_gets_its_columns() -> None:
    async def run(bench: Bench) -> None:
        await define(bench)
        await check(bench, "admin")
        assert not any("Table" in asked.headers.get("accept", "") for asked in bench.slots[0].asked)

    story(run)


def test_for_others_the_api_server_makes_the_rows() -> None:
    async def run(bench: Bench) -> None:
        await define(bench)
        await allow(bench, "eve", rule("get list watch", "things", "example.com"))
        await check(bench, "eve")
        assert any("Table" in asked.headers.get("accept", "") for asked in bench.slots[0].asked)

    story(run)


def test_a_resource_that_is_not_there_is_an_error() -> None:
    async def run(bench: Bench) -> None:
        page = await bench.page()
        page.say("open", 1, what="list", resource=THINGS, namespace="default")
        (refused,) = await page.until(lambda: page.of("error", 1))
        assert refused["status"]["code"] == 404

    story(run)


def test_a_definition_that_goes_takes_its_list_with_it() -> None:
    async def run(bench: Bench) -> None:
        await define(bench)
        page = await bench.page()
        page.say("open", 1, what="list", resource=THINGS, namespace="default")
        await page.until(lambda: page.rows(1))
        for slot in bench.slots:
            slot.server.serve(Catalogue.builtin())
            slot.kill()
        await clock.sleep(1)
        for slot in bench.slots:
            slot.revive()
        (refused,) = await page.until(lambda: page.of("error", 1))
        assert refused["status"]["code"] == 404 and page.rows(1) == ["t-1", "t-2", "t-10"]

    story(run)
