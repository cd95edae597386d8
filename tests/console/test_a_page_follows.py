"""A page over real sockets: signs in, asks the API, follows lists and objects."""

from __future__ import annotations

import orjson

from tests.support.console_site import PODS, SECRETS, ConsoleSite, story


def test_a_token_signs_in_and_the_cookie_is_out_of_scripts_reach() -> None:
    async def run(site: ConsoleSite) -> None:
        browser = site.browser()
        status, headers, body = await browser.send("POST", "/console/session", {"token": "admin"})
        assert (status, orjson.loads(body)["user"]) == (200, "admin")
        assert f"homeostat-console-{site.port}=" in headers["set-cookie"]
        assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= set(headers["set-cookie"].split("; "))
        assert b"admin" not in headers["set-cookie"].encode()
        assert (await browser.sign_in(token="nobody's"))[0] == 401

    story(run)


def test_requests_of_the_api_are_sent_on_as_the_user() -> None:
    async def run(site: ConsoleSite) -> None:
        browser = await site.signed_in()
        await site.world.pod("web")
        status, headers, body = await browser.send("GET", "/k8s/api/v1/namespaces/default/pods/web")
        assert (status, orjson.loads(body)["metadata"]["name"]) == (200, "web")
        assert headers["x-homeostat-api-server"] == "master-1"
        assert headers["cache-control"] == "no-store"
        eve = await site.signed_in("eve")
        assert (await eve.send("GET", "/k8s/api/v1/namespaces/default/pods/web"))[0] == 403
        assert (await site.browser().send("GET", "/k8s/api/v1/namespaces/default/pods/web"))[0] == 401

    story(run)


def test_a_page_follows_a_list_and_an_object() -> None:
    async def run(site: ConsoleSite) -> None:
        await site.world.pod("web-1")
        browser = await site.signed_in()
        async with browser.page() as page:
            assert (await page.of("hello"))["user"] == "admin"
            await page.say("open", 1, what="list", resource=PODS, namespace="default", count=10)
            await page.say("open", 2, what="object", resource=PODS, namespace="default", name="web-1")
            listed = await page.of("list", 1)
            assert listed["reset"] and listed["state"] == "live" and listed["total"] == 1
            assert [row["name"] for row in listed["rows"].values()] == ["web-1"]
            assert [column["name"] for column in listed["columns"]][:3] == ["Name", "Ready", "Status"]
            assert (await page.of("object", 2))["object"]["metadata"]["name"] == "web-1"
            await site.world.pod("web-2")
            assert (await page.of("list", 1))["fresh"] == 1
            await page.say("merge", 1)
            merged = await page.hear(lambda said: said["type"] == "list" and said.get("reset"))
            assert [row["name"] for row in merged["rows"].values()] == ["web-1", "web-2"]
            await site.world.call("DELETE", "/api/v1/namespaces/default/pods/web-1?gracePeriodSeconds=0")
            gone = await page.of("object", 2)
            assert gone["object"] is None

    story(run)


def test_the_values_of_secrets_are_never_sent() -> None:
    async def run(site: ConsoleSite) -> None:
        applied = {"kubectl.kubernetes.io/last-applied-configuration": "aHVudGVyMg=="}
        made = {"metadata": {"name": "s", "annotations": applied}, "data": {"password": "aHVudGVyMg=="}}
        await site.world.make("/api/v1/namespaces/default/secrets", made)
        browser = await site.signed_in()
        async with browser.page() as page:
            for number, what in enumerate(("list", "object", "objects")):
                await page.say("open", number, what=what, resource=SECRETS, namespace="default", name="s")
                await page.of(what, number)
            said = orjson.dumps(page.said)
            assert b"aHVudGVyMg==" not in said and b"hunter2" not in said
            assert page.said[-1]["set"][0]["data"] == {"password": 7}

    story(run)
