"""The journal under attack: nobody forges a cause, everybody's writes bear their name, and nobody reads of what is not
theirs. Over real sockets, by identity."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import orjson

from homeostat.apiserver.cache import stored_form
from homeostat.drill.chain import line
from homeostat.wire.cause import HEADER, Seen, WriteCause, decode
from homeostat.wire.message import User
from tests.support.api_site import TOKENS, Site, story

MAPS = "/api/v1/namespaces/default/configmaps"
IDENTITIES = {
    **TOKENS,
    "manager": User("system:kube-controller-manager", ("system:authenticated",)),
    "node": User("system:node:w1", ("system:nodes", "system:authenticated")),
    "owner": User("olga", ("system:authenticated",)),
}
FORGED = WriteCause("controller-manager/namespace", "kube-system/x", "an operator asked", (Seen("Pod", "a", "b", 3),))


async def _write(site: Site, token: str, name: str, header: str, *, verb: str = "POST") -> None:
    body = orjson.dumps({"metadata": {"name": name}})
    path = MAPS if verb == "POST" else f"{MAPS}/{name}"
    caller = await site.call(
        verb, path, f"{HEADER}: {header}", "Content-Type: application/json", body=body, token=token
    )
    status, _, answer = await caller.answer()
    assert status < 300, answer


async def _journal(site: Site, query: str = "", token: str = "admin") -> list[dict[str, Any]]:
    status, _, body = await (await site.call("GET", f"/homeostat/journal?{query}", token=token)).answer()
    assert status == 200, body
    found: list[dict[str, Any]] = orjson.loads(body)["items"]
    return found


async def _entry(site: Site, name: str) -> dict[str, Any]:
    return (await _journal(site, f"kind=configmap&namespace=default&name={name}"))[-1]


async def _own(site: Site) -> None:
    """Olga owns the namespace default; the agent of w1 may write there for once."""
    who = [
        {"kind": "User", "name": IDENTITIES[each].name, "apiGroup": "rbac.authorization.k8s.io"}
        for each in ("owner", "node")
    ]
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "admin"}
    path = "/apis/rbac.authorization.k8s.io/v1/namespaces/default/rolebindings"
    await site.world.make(path, {"metadata": {"name": "owners"}, "roleRef": role, "subjects": who})


def test_the_cause_of_a_write_is_believed_of_the_cluster_s_own_components_only() -> None:
    async def scenario(site: Site) -> None:
        await _own(site)
        header = FORGED.encode().decode()
        for token, user, believed in (
            ("owner", "olga", False),
            ("admin", "admin", False),
            ("node", "system:node:w1", False),
            ("manager", "system:kube-controller-manager", True),
        ):
            await _write(site, token, token, header)
            entry = await _entry(site, token)
            assert entry["user"] == user
            assert entry["cause"]["loop"] == ("controller-manager/namespace" if believed else f"user/{user}")
            assert ("seen" in entry["cause"]) is believed

    story(scenario, static_tokens=IDENTITIES)


def test_a_node_speaks_for_its_own_agent_alone() -> None:
    async def scenario(site: Site) -> None:
        await _own(site)
        for name, loop, believed in (
            ("a", "kubelet/w1", True),
            ("b", "kubelet/w2", False),
            ("c", "scheduler", False),
            ("d", "user/admin", False),
        ):
            await _write(site, "node", name, WriteCause(loop, note="x").encode().decode())
            entry = await _entry(site, name)
            assert (entry["user"], entry["cause"]["loop"]) == (
                "system:node:w1",
                loop if believed else "user/system:node:w1",
            )

    story(scenario, static_tokens=IDENTITIES)


def test_whoever_writes_cannot_write_another_user_into_the_cause() -> None:
    async def scenario(site: Site) -> None:
        await _write(site, "manager", "a", json.dumps({"loop": "controller-manager/x", "user": "admin", "at": 3}))
        assert (await _entry(site, "a"))["user"] == "system:kube-controller-manager"

    story(scenario, static_tokens=IDENTITIES)


def test_what_is_stored_beside_an_object_is_bounded() -> None:
    async def scenario(site: Site) -> None:
        await _own(site)
        long = WriteCause(
            "controller-manager/x", "k" * 2000, "n" * 2000, tuple(Seen("Pod", "a", "b", n) for n in range(60))
        )
        seen = [{"kind": "Pod", "namespace": "a", "name": "b" * 600, "revision": 1}] * 90
        huge = json.dumps({"loop": "controller-manager/x", "seen": seen})
        for token in ("owner", "manager"):
            for name, header in (("long", long.encode().decode()), ("huge", huge)):
                await _write(site, token, f"{token}-{name}", header)
        for entry in await _journal(site, "kind=configmap&namespace=default"):
            assert len(orjson.dumps(entry)) < 5000
        assert len((await _entry(site, "manager-long"))["cause"]["seen"]) == 16

    story(scenario, static_tokens=IDENTITIES)


def test_a_subresource_s_cause_is_judged_by_the_same_rule() -> None:
    async def scenario(site: Site) -> None:
        await site.world.pod("web", terminationGracePeriodSeconds=0)
        header = FORGED.encode().decode()
        eviction = orjson.dumps({"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "web"}})
        path = "/api/v1/namespaces/default/pods/web/eviction"
        caller = await site.call("POST", path, f"{HEADER}: {header}", "Content-Type: application/json", body=eviction)
        assert (await caller.answer())[0] == 201
        entry = (await _journal(site, "kind=pod&namespace=default&name=web"))[-1]
        assert (entry["user"], entry["cause"]["loop"]) == ("admin", "user/admin")

    story(scenario, static_tokens=IDENTITIES)


def test_nobody_reads_in_the_journal_of_objects_that_they_may_not_get() -> None:
    """A grant of the path shows only what the user may get anyway, and names no object beside it."""

    async def scenario(site: Site) -> None:
        await _own(site)
        refused, _, _ = await (await site.call("GET", "/homeostat/journal", token="owner")).answer()
        assert refused == 403
        rules = [{"verbs": ["get"], "nonResourceURLs": ["/homeostat/*"]}]
        rbac = "/apis/rbac.authorization.k8s.io/v1"
        await site.world.make(f"{rbac}/clusterroles", {"metadata": {"name": "journal"}, "rules": rules})
        role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "journal"}
        who = [{"kind": "User", "name": "olga", "apiGroup": "rbac.authorization.k8s.io"}]
        await site.world.make(
            f"{rbac}/clusterrolebindings", {"metadata": {"name": "j"}, "roleRef": role, "subjects": who}
        )
        hidden = "/api/v1/namespaces/kube-system/secrets"
        await site.world.make(hidden, {"metadata": {"name": "hidden"}, "stringData": {"key": "value"}})
        seen = (Seen("Secret", "kube-system", "hidden", 5), Seen("ConfigMap", "default", "own", 6))
        await _write(site, "manager", "own", WriteCause("controller-manager/x", seen=seen).encode().decode())
        for query in ("limit=5000", "kind=secret&namespace=kube-system&name=hidden"):
            found = await _journal(site, query, token="owner")
            assert {each["namespace"] for each in found} <= {"default"}
            assert b"hidden" not in orjson.dumps(found)
        own = (await _journal(site, "kind=configmap&name=own", token="owner"))[-1]
        assert [each["name"] for each in own["cause"]["seen"]] == ["own"]
        assert "hidden" in [each["name"] for each in await _journal(site, "kind=secret")]

    story(scenario, static_tokens=IDENTITIES)


def test_values_that_were_stored_without_a_user_are_still_read() -> None:
    value = b'{"at":1800000000.5,"loop":"user/kubectl","key":"","note":"create","seen":[]}\n{"metadata":{}}'
    said = decode(stored_form.cause_of(value))
    assert said is not None and (said.loop, said.user) == ("user/kubectl", "")
    assert stored_form.time_of(stored_form.cause_of(value)) == 1800000000.5


def test_a_line_for_a_terminal_has_no_control_characters() -> None:
    entry = {
        "kind": "Pod", "namespace": "a", "name": "b", "verb": "MODIFIED", "summary": "phase x -> \x1b[2Jy", "time": 1.0,
        "user": "eve\x1b]0;", "cause": {"loop": "user/eve\x1b]0;", "note": "\rgone"},
    }  # fmt: skip
    (text,) = line(entry, 0.0)
    assert text.isprintable() and "\\x1b[2J" in text
    assert quote("\x1b") not in text
