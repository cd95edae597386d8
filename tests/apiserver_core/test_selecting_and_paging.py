"""Which objects a list or a watch is about: field selectors of each kind, label selectors, versions, limits, tokens."""

from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from homeostat.api import kinds
from homeostat.api.catalogue import Catalogue
from homeostat.apiserver.cache import selection
from homeostat.apiserver.cache.cached_objects import Item

CORE = "/api/v1/namespaces/default"
APPS = "/apis/apps/v1/namespaces/default"


def names(listing):
    return [item["metadata"]["name"] for item in listing["items"]]


async def maps(api, count, **labels):
    for number in range(count):
        await api.create(f"{CORE}/configmaps", {"metadata": {"name": f"m{number:02}", "labels": labels}})


def event(name, kind, about, reason="Began", of="Normal"):
    return {
        "metadata": {"name": name},
        "involvedObject": {"kind": kind, "name": about, "namespace": "default"},
        "reason": reason,
        "type": of,
        "source": {"component": "kubelet"},
    }


def secret(name, kind):
    return {"metadata": {"name": name}, "type": kind}


# (where, objects, selector -> names)
SELECTABLE = [
    (
        f"{CORE}/secrets",
        [secret("a", "Opaque"), secret("b", "example.com/x")],
        {"type=Opaque": ["a"], "type!=Opaque": ["b"], "metadata.name=b,type=example.com/x": ["b"]},
    ),
    (
        f"{CORE}/events",
        [event("a", "Pod", "p"), event("b", "Node", "p"), event("c", "Pod", "q", "Ended", "Warning")],
        {
            "involvedObject.kind=Pod": ["a", "c"],
            "involvedObject.kind=Pod,involvedObject.name=p": ["a"],
            "type=Warning": ["c"],
            "reason!=Ended": ["a", "b"],
            "source=kubelet": ["a", "b", "c"],
            "involvedObject.namespace=default,type==Normal": ["a", "b"],
        },
    ),
    (
        "/api/v1/nodes",
        [{"metadata": {"name": "a"}}, {"metadata": {"name": "b"}, "spec": {"unschedulable": True}}],
        {"spec.unschedulable=true": ["b"], "spec.unschedulable=false": ["a"], "metadata.name!=a": ["b"]},
    ),
    (
        f"{CORE}/services",
        [
            {"metadata": {"name": "a"}, "spec": {"ports": [{"port": 1}]}},
            {"metadata": {"name": "b"}, "spec": {"type": "NodePort", "ports": [{"port": 1}]}},
        ],
        {"spec.type=NodePort": ["b"], "spec.type!=NodePort": ["a"]},
    ),
    (
        "/api/v1/namespaces",
        [{"metadata": {"name": "extra"}}],
        {"status.phase=Active": ["default", "extra"], "metadata.name=extra": ["extra"], "name=extra": ["extra"]},
    ),
]


@pytest.mark.parametrize(
    ("path", "objects", "expected"), SELECTABLE, ids=[row[0].rpartition("/")[2] for row in SELECTABLE]
)
def test_fields_of_each_kind_select(story, path, objects, expected):
    async def scenario(api):
        for obj in objects:
            await api.create(path, obj)
        for selector, wanted in expected.items():
            assert names(await api.get(path, fieldSelector=selector)) == wanted, selector
            watch = await api.watch(path, fieldSelector=selector)
            assert [name for _, name in watch.received()] == wanted, selector
            await watch.stop()

    story(scenario)


@pytest.mark.parametrize(
    ("path", "selector", "words"),
    [
        (f"{CORE}/configmaps", "data=x", '"data" is not a known field selector'),
        (f"{CORE}/configmaps", "metadata.labels=x", '"metadata.labels" is not a known field selector'),
        (f"{APPS}/deployments", "spec.replicas=1", '"spec.replicas" is not a known field selector'),
        (f"{CORE}/pods", "spec.nodeName", "invalid selector"),
        (f"{CORE}/pods", "spec.nodeName in (a)", ""),
        (f"{CORE}/pods", "a=b=c", ""),
    ],
)
def test_what_cannot_be_selected_by_is_400(story, path, selector, words):
    async def scenario(api):
        for query in ({}, {"watch": "true"}):
            status, error = await api.ask("GET", path, fieldSelector=selector, **query)
            assert (status, error["reason"]) == (400, "BadRequest")
            assert words in error["message"]
        assert (await api.ask("DELETE", path, None, fieldSelector=selector))[0] == 400

    story(scenario)


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        ("", "abcd"),
        ("app", "abc"),
        ("!app", "d"),
        ("app=web", "ab"),
        ("app==web", "ab"),
        ("app!=web", "cd"),
        ("app in (web,db)", "abc"),
        ("app notin (web)", "cd"),
        ("app in (web),tier", "a"),
        ("app=web,!tier", "b"),
        ("size>3", "a"),
        ("size<3", "c"),
        ("app=", ""),
        (" app = web , tier = front ", "a"),
    ],
)
def test_label_selectors(story, selector, expected):
    labels = {
        "a": {"app": "web", "tier": "front", "size": "5"},
        "b": {"app": "web", "size": "3"},
        "c": {"app": "db", "size": "1"},
        "d": {},
    }

    async def scenario(api):
        for name, own in labels.items():
            await api.create(f"{CORE}/configmaps", {"metadata": {"name": name, "labels": own}})
        assert "".join(names(await api.get(f"{CORE}/configmaps", labelSelector=selector))) == expected

    story(scenario)


@pytest.mark.parametrize("selector", ["a in b", "a in (", "=b", "a=b,", "a b", "a==b==c", "-a", "a=b c", "a in ()x"])
def test_a_label_selector_that_cannot_be_read_is_400(story, selector):
    async def scenario(api):
        for query in ({}, {"watch": "1"}):
            status, error = await api.ask("GET", f"{CORE}/configmaps", labelSelector=selector, **query)
            assert (status, error["reason"]) == (400, "BadRequest"), error

    story(scenario)


# Pages


@pytest.mark.parametrize("limit", [1, 2, 3, 6, 7, 100])
@pytest.mark.parametrize("selector", ["", "keep=yes"])
def test_pages_of_every_size_cover_everything_once(story, limit, selector):
    async def scenario(api):
        for number in range(7):
            labels = {"keep": "yes"} if number % 3 else {}
            await api.create(f"{CORE}/configmaps", {"metadata": {"name": f"m{number}", "labels": labels}})
        query = {"labelSelector": selector} if selector else {}
        whole = names(await api.get(f"{CORE}/configmaps", **query))
        seen, token, revisions = [], "", set()
        while True:
            page = await api.get(
                f"{CORE}/configmaps", limit=str(limit), **query, **({"continue": token} if token else {})
            )
            assert 0 < len(page["items"]) <= limit
            seen += names(page)
            revisions.add(page["metadata"]["resourceVersion"])
            token = page["metadata"].get("continue", "")
            if not token:
                assert "remainingItemCount" not in page["metadata"]
                break
            if not selector:
                assert page["metadata"]["remainingItemCount"] == 7 - len(seen)
            else:
                assert "remainingItemCount" not in page["metadata"], "it is not known with a selector"
        assert (seen, len(revisions)) == (whole, 1)

    story(scenario)


@pytest.mark.parametrize("limit", ["0", "-1", ""])
def test_a_limit_of_nothing_is_no_limit(story, limit):
    async def scenario(api):
        await maps(api, 3)
        page = await api.get(f"{CORE}/configmaps", limit=limit)
        assert len(page["items"]) == 3 and "continue" not in page["metadata"]

    story(scenario)


@pytest.mark.parametrize("limit", ["many", "1.5", "1e3", "0x10", "99999999999999999999"])
def test_a_limit_that_is_no_number_is_400(story, limit):
    async def scenario(api):
        status, error = await api.ask("GET", f"{CORE}/configmaps", limit=limit)
        assert (status, error["reason"]) == (400, "BadRequest")

    story(scenario)


def test_a_token_goes_on_though_the_object_it_ended_at_has_gone(story):
    async def scenario(api):
        await maps(api, 4)
        page = await api.get(f"{CORE}/configmaps", limit="2")
        for name in ("m01", "m02"):
            await api.ask("DELETE", f"{CORE}/configmaps/{name}")
        await api.create(f"{CORE}/configmaps", {"metadata": {"name": "m015"}})
        rest = await api.get(f"{CORE}/configmaps", **{"continue": page["metadata"]["continue"]})
        assert names(rest) == ["m02", "m03"]
        assert rest["metadata"]["resourceVersion"] == page["metadata"]["resourceVersion"]

    story(scenario)


def forged(**fields):
    return base64.urlsafe_b64encode(json.dumps(fields).encode()).decode()


@pytest.mark.parametrize(
    "token",
    [
        "x",
        "%%%",
        "bm90IGpzb24",
        forged(),
        forged(v="meta.k8s.io/v9", rv=1, start="a"),
        forged(v="meta.k8s.io/v1", rv=0, start="a\u0000"),
        forged(v="meta.k8s.io/v1", rv=1),
        forged(v="meta.k8s.io/v1", rv=1, start="../secrets/a"),
        forged(v="meta.k8s.io/v1", rv="one", start="a"),
    ],
)
def test_a_token_that_nobody_gave_out_is_400(story, token):
    """A forged token must never lead outside of its resource."""

    async def scenario(api):
        await maps(api, 2)
        status, error = await api.ask("GET", f"{CORE}/configmaps", **{"continue": token, "limit": "1"})
        assert (status, error["reason"]) == (400, "BadRequest"), error

    story(scenario)


# Versions


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, "new"),
        ({"resourceVersion": "0"}, "new"),
        ({"resourceVersion": "OLD"}, "new"),
        ({"resourceVersion": "0", "resourceVersionMatch": "NotOlderThan"}, "new"),
        ({"resourceVersion": "OLD", "resourceVersionMatch": "NotOlderThan"}, "new"),
        ({"resourceVersion": "OLD", "resourceVersionMatch": "Exact"}, "old"),
        ({"resourceVersion": "OLD", "resourceVersionMatch": "Exact", "limit": "500"}, "old"),
        ({"resourceVersion": "0", "resourceVersionMatch": "Exact"}, 422),
        ({"resourceVersionMatch": "Exact"}, 422),
        ({"resourceVersionMatch": "NotOlderThan"}, 422),
        ({"resourceVersion": "OLD", "resourceVersionMatch": "Newest"}, 422),
        ({"resourceVersion": "newest"}, 400),
        ({"resourceVersion": "-1"}, 400),
        ({"resourceVersion": "1.5"}, 400),
        ({"resourceVersion": "FUTURE"}, 504),
        ({"resourceVersion": "FUTURE", "resourceVersionMatch": "Exact"}, 504),
    ],
)
def test_the_matrix_of_versions(story, query, expected):
    """The table of "Kubernetes API Concepts, Semantics for get and list"."""

    async def scenario(api):
        await api.create(f"{CORE}/configmaps", {"metadata": {"name": "m"}, "data": {"is": "old"}})
        old = await api.newest(f"{CORE}/configmaps")
        await api.merge(f"{CORE}/configmaps/m", {"data": {"is": "new"}})
        named = {"OLD": old, "FUTURE": str(int(old) + 1000)}
        asked = {key: named.get(value, value) for key, value in query.items()}
        status, found = await api.ask("GET", f"{CORE}/configmaps", **asked)
        if isinstance(expected, int):
            assert status == expected, found
        else:
            assert (status, [item["data"]["is"] for item in found["items"]]) == (200, [expected])

    story(scenario)


@pytest.mark.parametrize(
    ("version", "status"), [("0", 200), ("NOW", 200), ("FUTURE", 504), ("x", 400), ("", 200), ("-5", 400)]
)
def test_versions_of_one_object(story, version, status):
    async def scenario(api):
        made = await api.create(f"{CORE}/configmaps", {"metadata": {"name": "m"}})
        now = made["metadata"]["resourceVersion"]
        asked = {"NOW": now, "FUTURE": str(int(now) + 99)}.get(version, version)
        found, received = await api.ask("GET", f"{CORE}/configmaps/m", resourceVersion=asked)
        assert found == status
        if status == 504:
            assert received["reason"] == "Timeout"
            assert received["details"]["causes"] == [
                {"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}
            ]
            assert received["details"]["retryAfterSeconds"] >= 1

    story(scenario)


def test_a_token_brings_its_own_version(story):
    async def scenario(api):
        await maps(api, 3)
        page = await api.get(f"{CORE}/configmaps", limit="1")
        token, version = page["metadata"]["continue"], page["metadata"]["resourceVersion"]
        status, error = await api.ask("GET", f"{CORE}/configmaps", **{"continue": token, "resourceVersion": version})
        assert status == 400
        assert error["message"] == "specifying resource version is not allowed when using continue"
        status, _ = await api.ask("GET", f"{CORE}/configmaps", **{"continue": token, "resourceVersion": "0"})
        assert status == 200

    story(scenario)


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ({"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan", "allowWatchBookmarks": "true"}, 200),
        ({"sendInitialEvents": "true"}, 422),
        ({"sendInitialEvents": "true", "resourceVersionMatch": "Exact"}, 422),
        ({"resourceVersionMatch": "NotOlderThan"}, 422),
        ({"timeoutSeconds": "soon"}, 400),
        ({"resourceVersion": "x"}, 400),
    ],
)
def test_options_of_watches(story, query, status):
    async def scenario(api):
        response = await api.send("GET", f"{CORE}/configmaps", watch="true", **query)
        assert response.status == status, response.body
        if status == 200:
            await response.body.aclose()

    story(scenario)


# Generations


async def generation(api, path):
    return (await api.get(path))["metadata"].get("generation")


TEMPLATE = {"metadata": {"labels": {"app": "x"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
SET = {"selector": {"matchLabels": {"app": "x"}}, "template": TEMPLATE}


@pytest.mark.parametrize(
    ("path", "body", "change", "steps"),
    [
        (f"{APPS}/deployments", {"spec": SET}, {"spec": {"replicas": 5}}, 1),
        (f"{APPS}/deployments", {"spec": SET}, {"metadata": {"labels": {"a": "b"}}}, 0),
        (f"{APPS}/deployments", {"spec": SET}, {"metadata": {"annotations": {"a": "b"}}}, 1),
        (f"{APPS}/replicasets", {"spec": SET}, {"spec": {"replicas": 5}}, 1),
        (f"{APPS}/replicasets", {"spec": SET}, {"metadata": {"annotations": {"a": "b"}}}, 0),
        (f"{APPS}/daemonsets", {"spec": SET}, {"spec": {"minReadySeconds": 3}}, 1),
        (f"{APPS}/statefulsets", {"spec": {**SET, "serviceName": "s"}}, {"spec": {"replicas": 2}}, 1),
        (f"{CORE}/pods", {"spec": TEMPLATE["spec"]}, {"spec": {"activeDeadlineSeconds": 9}}, 1),
        (f"{CORE}/pods", {"spec": TEMPLATE["spec"]}, {"metadata": {"labels": {"a": "b"}}}, 0),
        (f"{CORE}/configmaps", {}, {"data": {"a": "b"}}, None),
        (f"{CORE}/secrets", {}, {"data": {"a": "Yg=="}}, None),
        (f"{CORE}/services", {"spec": {"ports": [{"port": 1}]}}, {"spec": {"ports": [{"port": 2}]}}, None),
        ("/api/v1/nodes", {}, {"spec": {"unschedulable": True}}, None),
    ],
)
def test_generations_count_what_a_controller_must_look_at_again(story, path, body, change, steps):
    async def scenario(api):
        made = await api.create(path, {"metadata": {"name": "x"}, **body})
        assert made["metadata"].get("generation") == (None if steps is None else 1)
        await api.merge(f"{path}/x", change)
        assert await generation(api, f"{path}/x") == (None if steps is None else 1 + steps)
        await api.merge(f"{path}/x", change)
        assert await generation(api, f"{path}/x") == (None if steps is None else 1 + steps), "nothing changed"

    story(scenario)


def test_a_status_leaves_the_generation_and_the_spec_leaves_the_status(story):
    async def scenario(api):
        await api.create(f"{APPS}/deployments", {"metadata": {"name": "x"}, "spec": SET})
        both = {"spec": {"replicas": 9}, "status": {"replicas": 4, "observedGeneration": 1}}
        received = await api.merge(f"{APPS}/deployments/x/status", both)
        assert (received["spec"]["replicas"], received["status"]["replicas"], received["metadata"]["generation"]) == (
            1,
            4,
            1,
        )
        both["status"]["replicas"] = 7
        received = await api.merge(f"{APPS}/deployments/x", both)
        assert (received["spec"]["replicas"], received["status"]["replicas"], received["metadata"]["generation"]) == (
            9,
            4,
            2,
        )

    story(scenario)


TEXTS = st.sampled_from(("", "a", "b"))
TERMS = st.sampled_from(("metadata.name=a", "metadata.name!=a", "spec.nodeName=b", "status.phase!=b"))
LABELS = st.sampled_from(("x=a", "x!=a", "y=b", "x in (a,b)", "!y", "y"))


@settings(deadline=None)
@given(
    TEXTS,
    st.lists(TERMS, max_size=2),
    st.lists(LABELS, max_size=2),
    st.lists(st.tuples(TEXTS, st.sampled_from("ab"), TEXTS, TEXTS, TEXTS), max_size=6),
)
def test_one_object_is_selected_as_in_a_list(namespace, terms, labels, found):
    query = {"fieldSelector": ",".join(terms), "labelSelector": ",".join(labels)}
    chosen = selection.parse(Catalogue.builtin().resource(kinds.POD), namespace, query)
    items: list[Item] = []
    for place, name, label, other, field in found:
        item = Item(f"{place}/{name}", 1, b"{}", b"{}")
        item.labels = {key: value for key, value in (("x", label), ("y", other)) if value}
        item.fields = {"spec.nodeName": field, "status.phase": field}
        items.append(item)
    assert chosen.select(items) == [item for item in items if chosen.selects(item)]
