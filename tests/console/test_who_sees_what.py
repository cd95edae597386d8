"""Rights: nobody sees through another's watch, a right that is lost ends the news, and Secrets keep their values."""

from __future__ import annotations

import orjson
import pytest

from homeostat.kit import clock
from tests.support.api_edge import rule
from tests.support.console_bench import CONFIG_MAPS, MAPS, SECRETS, Bench, story

RBAC = "/apis/rbac.authorization.k8s.io/v1"


async def allow(bench: Bench, user: str, *rules: dict, namespace: str = "default") -> None:
    """A Role of that name for the user."""
    await bench.world.make(f"{RBAC}/namespaces/{namespace}/roles", {"metadata": {"name": user}, "rules": list(rules)})
    binding = {
        "metadata": {"name": user},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": user},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user}],
    }
    await bench.world.make(f"{RBAC}/namespaces/{namespace}/rolebindings", binding)
    await clock.sleep(0.1)


async def forbid(bench: Bench, user: str) -> None:
    await bench.world.call("DELETE", f"{RBAC}/namespaces/default/rolebindings/{user}")
    await clock.sleep(0.1)


def watches(bench: Bench, token: str) -> int:
    """How many watches were made with a user's token."""
    return sum(
        asked.headers.get("authorization") == f"Bearer {token}" and "watch" in asked.query
        for slot in bench.slots
        for asked in slot.asked
    )


@pytest.mark.parametrize("what", ["list", "object", "objects"])
def test_a_user_does_not_see_through_anothers_watch(what: str) -> None:
    async def run(bench: Bench) -> None:
        await bench.config_map("private", a="hidden value")
        admin, eve = await bench.page(), await bench.page("eve")
        admin.say("open", 1, what=what, resource=CONFIG_MAPS, namespace="default", name="private")
        await admin.until(lambda: admin.of(what, 1))
        eve.say("open", 1, what=what, resource=CONFIG_MAPS, namespace="default", name="private")
        (refused,) = await eve.until(lambda: eve.of("error", 1))
        assert (refused["status"]["code"], refused["status"]["reason"]) == (403, "Forbidden")
        assert (
            'User "eve" cannot list resource "configmaps" in API group "" in the namespace "default"'
            in (refused["status"]["message"])
        )
        await bench.config_map("more", a="hidden value")
        await clock.sleep(20)
        assert b"hidden value" not in orjson.dumps(eve.said) and not eve.of(what)

    story(run)


def test_a_right_in_one_namespace_is_one_there_alone() -> None:
    async def run(bench: Bench) -> None:
        await allow(bench, "eve", rule("list watch", "configmaps"))
        await bench.config_map("mine", a="1")
        await bench.world.make("/api/v1/namespaces/kube-system/configmaps", {"metadata": {"name": "other"}})
        eve = await bench.page("eve")
        for number, namespace in enumerate(("default", "kube-system", "")):
            eve.say("open", number, what="list", resource=CONFIG_MAPS, namespace=namespace)
        await eve.until(lambda: len(eve.of("error")) == 2 and eve.rows(0))
        assert eve.rows(0) == ["mine"]
        assert {said["id"] for said in eve.of("error")} == {1, 2}
        assert b'"other"' not in orjson.dumps(eve.said)

    story(run)


def test_one_object_by_its_name_is_enough_to_follow_it() -> None:
    async def run(bench: Bench) -> None:
        await allow(bench, "eve", rule("list watch get", "configmaps", names=("mine",)))
        await bench.config_map("mine", a="1")
        await bench.config_map("other", a="1")
        eve = await bench.page("eve")
        eve.say("open", 1, what="object", resource=CONFIG_MAPS, namespace="default", name="mine")
        eve.say("open", 2, what="object", resource=CONFIG_MAPS, namespace="default", name="other")
        await eve.until(lambda: eve.of("object", 1) and eve.of("error", 2))
        assert eve.of("object", 1)[0]["object"]["data"] == {"a": "1"}

    story(run)


def test_a_lost_right_ends_the_news_within_fifteen_seconds_and_others_go_on() -> None:
    async def run(bench: Bench) -> None:
        await allow(bench, "eve", rule("list watch", "configmaps"))
        eve = await bench.page("eve")
        eve.say("open", 1, what="objects", resource=CONFIG_MAPS, namespace="default")
        await eve.until(lambda: eve.of("objects", 1))
        admin = await bench.page()
        admin.say("open", 1, what="objects", resource=CONFIG_MAPS, namespace="default")
        await admin.until(lambda: admin.of("objects", 1))
        assert (watches(bench, "eve"), watches(bench, "admin")) == (1, 0), "one watch serves both"
        await forbid(bench, "eve")
        (refused,) = await eve.until(lambda: eve.of("error", 1), 16)
        assert refused["status"]["code"] == 403
        told = len(eve.said)
        await bench.config_map("later", a="hidden value")
        await admin.until(lambda: "later" in admin.names(1), 2)
        assert watches(bench, "admin") == 1, "the watch is made anew with the other's token"
        await clock.sleep(30)
        assert {said["type"] for said in eve.said[told:]} == {"tick"}

    story(run)


def test_a_token_that_ends_signs_its_pages_out_and_the_watch_goes_on_with_anothers() -> None:
    async def run(bench: Bench) -> None:
        account = "/api/v1/namespaces/default/serviceaccounts"
        await bench.world.account(name="short")
        made = await bench.world.post(f"{account}/short/token", {"spec": {"expirationSeconds": 600}})
        binding = {
            "metadata": {"name": "short"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
            "subjects": [{"kind": "ServiceAccount", "name": "short", "namespace": "default"}],
        }
        await bench.world.make(f"{RBAC}/clusterrolebindings", binding)
        await clock.sleep(0.1)
        short = await bench.page(made.obj["status"]["token"])
        short.say("open", 1, what="objects", resource=CONFIG_MAPS, namespace="default")
        await short.until(lambda: short.of("objects", 1))
        admin = await bench.page()
        admin.say("open", 1, what="objects", resource=CONFIG_MAPS, namespace="default")
        await bench.world.call("DELETE", f"{account}/short")
        await short.until(lambda: short.of("signed_out") and short.ended, 20)
        await bench.config_map("later", a="1")
        await admin.until(lambda: "later" in admin.names(1), 2)

    story(run)


def test_who_leaves_hands_the_watch_over() -> None:
    async def run(bench: Bench) -> None:
        first, second = await bench.page(), await bench.page("root")
        for page in (first, second):
            page.say("open", 1, what="objects", resource=CONFIG_MAPS, namespace="default")
            await page.until(lambda page=page: page.of("objects", 1))
        first.leave()
        await clock.sleep(1)
        assert watches(bench, "root") == 1
        await bench.config_map("later", a="1")
        await second.until(lambda: "later" in second.names(1), 2)
        lists = [asked for asked in bench.slots[0].asked if asked.path == MAPS and "watch" not in asked.query]
        assert len(lists) == 1, "the list is not made again"

    story(run)


def test_a_watch_that_nobody_looks_at_ends_after_a_moment() -> None:
    async def run(bench: Bench) -> None:
        page = await bench.page()
        page.say("open", 1, what="objects", resource=CONFIG_MAPS, namespace="default")
        await page.until(lambda: page.of("objects", 1))
        page.say("close", 1)
        await clock.sleep(5)
        page.say("open", 2, what="list", resource=CONFIG_MAPS, namespace="default")
        await page.until(lambda: page.of("list", 2))
        assert len(bench.console.pool.places) == 1 and watches(bench, "admin") == 1
        page.leave()
        await clock.sleep(11)
        assert not bench.console.pool.places

    story(run)


def test_values_of_secrets_are_in_no_message_whatever_is_asked() -> None:
    async def run(bench: Bench) -> None:
        place = "/api/v1/namespaces/default/secrets"
        applied = {"kubectl.kubernetes.io/last-applied-configuration": '{"data":{"password":"c2VjcmV0LXZhbHVl"}}'}
        values = {"password": "c2VjcmV0LXZhbHVl", "tls.crt": "", "tls.key": "c2VjcmV0LXZhbHVl"}
        for name, kind in (("plain", "Opaque"), ("tls", "kubernetes.io/tls")):
            body = {"metadata": {"name": name, "annotations": applied}, "type": kind, "data": values}
            await bench.world.make(place, body)
        page = await bench.page()
        page.say("open", 1, what="list", resource=SECRETS, namespace="")
        page.say("open", 2, what="objects", resource=SECRETS, namespace="default", fields="type=kubernetes.io/tls")
        page.say("open", 3, what="object", resource=SECRETS, namespace="default", name="plain")
        await page.until(lambda: page.rows(1) and page.names(2) and page.of("object", 3))
        patch = {"data": {"more": "c2VjcmV0LXZhbHVl"}, "stringData": {"text": "secret-value"}}
        headers = {"content-type": "application/merge-patch+json"}
        for name in ("plain", "tls"):
            await bench.world.call("PATCH", f"{place}/{name}", patch, headers=headers)
        await page.until(lambda: "more" in page.of("object", 3)[-1]["object"]["data"])
        assert page.names(2) == ["tls"]
        said = orjson.dumps(page.said)
        assert b"c2VjcmV0" not in said and b"secret-value" not in said
        assert page.of("object", 3)[-1]["object"]["data"] == {
            "password": 12, "tls.crt": 0, "tls.key": 12, "more": 12, "text": 12,
        }  # fmt: skip
        kept = [entry.packed for each in bench.console.pool._kept.values() for entry in each.feed.entries.values()]
        assert not any(b"c2VjcmV0" in packed or b"secret-value" in packed for packed in kept)

    story(run)


def test_a_right_that_is_given_is_one_from_then_on() -> None:
    async def run(bench: Bench) -> None:
        eve = await bench.page("eve")
        for number in range(30):
            eve.say("open", number, what="list", resource=CONFIG_MAPS, namespace="default")
        await eve.until(lambda: len(eve.of("error")) == 30)
        reviews = [asked for asked in bench.slots[0].asked if "selfsubjectaccessreviews" in asked.path]
        assert len(reviews) <= 60
        await allow(bench, "eve", rule("list watch", "configmaps"))
        await clock.sleep(2.1)
        del bench.slots[0].asked[:]
        eve.say("open", 99, what="list", resource=CONFIG_MAPS, namespace="default")
        await eve.until(lambda: eve.of("list", 99), 1)

    story(run)
