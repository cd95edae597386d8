"""Which Pods may be evicted under which budget, and how replicas are scaled: one row a case, through a server.

Rules: "Disruptions" and "Specifying a Disruption Budget" of the Kubernetes documentation; the Scale subresource.
"""

from __future__ import annotations

import pytest

from tests.support.api_edge import World, story

PODS = "/api/v1/namespaces/default/pods"
APPS = "/apis/apps/v1/namespaces/default"
PDBS = "/apis/policy/v1/namespaces/default/poddisruptionbudgets"
MERGE = {"content-type": "application/merge-patch+json"}
STRATEGIC = {"content-type": "application/strategic-merge-patch+json"}
JSON_PATCH = {"content-type": "application/json-patch+json"}


async def put_pod(w: World, name: str, *, ready: bool = True, phase: str = "Running", owner=None, **labels: str):
    """A Pod on a node with this status."""
    spec = {"containers": [{"name": "app", "image": "none"}], "terminationGracePeriodSeconds": 0, "nodeName": "n1"}
    metadata = {"name": name, "labels": labels or {"app": "web"}, **({"ownerReferences": [owner]} if owner else {})}
    await w.make(PODS, {"metadata": metadata, "spec": spec})
    conditions = [{"type": "Ready", "status": "True" if ready else "False"}]
    reply = await w.call("PATCH", f"{PODS}/{name}/status", {"status": {"phase": phase, "conditions": conditions}},
                         headers=MERGE)  # fmt: skip
    assert reply.status == 200, reply.raw


async def budget(w: World, name: str = "web", selector=None, **spec):
    chosen = {"matchLabels": {"app": "web"}} if selector is None else selector
    await w.make(PDBS, {"metadata": {"name": name}, "spec": {"selector": chosen, **spec}})


async def evict(w: World, name: str, **fields):
    body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name}, **fields}
    return await w.post(f"{PODS}/{name}/eviction", body)


async def replica_set(w: World, replicas: int):
    """An owner of Pods, as the reference to it."""
    template = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "a", "image": "i"}]}}
    spec = {"replicas": replicas, "selector": {"matchLabels": {"app": "web"}}, "template": template}
    made = await w.make(f"{APPS}/replicasets", {"metadata": {"name": "rs"}, "spec": spec})
    return {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "rs", "controller": True,
            "uid": made["metadata"]["uid"]}  # fmt: skip


@pytest.mark.parametrize(
    ("ready", "spec", "evicted"),
    [
        (3, {"minAvailable": 0}, 3),
        (3, {"minAvailable": 1}, 2),
        (3, {"minAvailable": 2}, 1),
        (3, {"minAvailable": 3}, 0),
        (3, {"minAvailable": 9}, 0),
    ],
)
def test_a_count_that_must_stay(ready, spec, evicted):
    async def scenario(w: World) -> None:
        await w.account()
        await budget(w, **spec)
        for number in range(ready):
            await put_pod(w, f"p{number}")
        codes = [(await evict(w, f"p{number}")).status for number in range(ready)]
        assert codes == [201] * evicted + [429] * (ready - evicted)

    story(scenario)


@pytest.mark.parametrize(
    ("wanted", "ready", "spec", "evicted"),
    [
        (4, 4, {"maxUnavailable": 1}, 1),
        (4, 4, {"maxUnavailable": 0}, 0),
        (4, 4, {"maxUnavailable": "50%"}, 2),
        (4, 4, {"maxUnavailable": "25%"}, 1),
        (5, 5, {"maxUnavailable": "25%"}, 2),  # rounded up
        (4, 4, {"minAvailable": "50%"}, 2),
        (3, 3, {"minAvailable": "50%"}, 1),  # two must stay: rounded up
        (4, 3, {"maxUnavailable": 1}, 0),  # one is missing already
        (4, 4, {"maxUnavailable": "100%"}, 4),
    ],
)
def test_shares_of_what_the_controller_wants(wanted, ready, spec, evicted):
    async def scenario(w: World) -> None:
        await w.account()
        owner = await replica_set(w, wanted)
        await budget(w, **spec)
        for number in range(ready):
            await put_pod(w, f"p{number}", owner=owner)
        codes = [(await evict(w, f"p{number}")).status for number in range(ready)]
        assert codes == [201] * evicted + [429] * (ready - evicted)

    story(scenario)


@pytest.mark.parametrize(
    ("policy", "healthy", "least", "status"),
    [
        (None, 2, 2, 201),  # the budget is met without it
        (None, 1, 2, 429),
        ("IfHealthyBudget", 2, 2, 201),
        ("IfHealthyBudget", 1, 2, 429),
        ("AlwaysAllow", 0, 2, 201),
        ("AlwaysAllow", 2, 2, 201),
    ],
)
def test_a_pod_that_is_not_ready(policy, healthy, least, status):
    """unhealthyPodEvictionPolicy: whether a Pod that serves nobody may go although the budget is not met."""

    async def scenario(w: World) -> None:
        await w.account()
        await budget(w, minAvailable=least, **({"unhealthyPodEvictionPolicy": policy} if policy else {}))
        for number in range(healthy):
            await put_pod(w, f"good{number}")
        await put_pod(w, "sick", ready=False)
        reply = await evict(w, "sick")
        assert reply.status == status, reply.raw

    story(scenario)


@pytest.mark.parametrize(("phase", "status"), [("Succeeded", 201), ("Failed", 201), ("Pending", 201), ("Running", 429)])
def test_pods_that_no_budget_protects(phase, status):
    async def scenario(w: World) -> None:
        await w.account()
        await budget(w, minAvailable=5)
        await put_pod(w, "p", phase=phase)
        assert (await evict(w, "p")).status == status

    story(scenario)


@pytest.mark.parametrize(
    ("selector", "status"),
    [
        ({"matchLabels": {"app": "web"}}, 429),
        ({"matchLabels": {"app": "db"}}, 201),
        ({"matchExpressions": [{"key": "app", "operator": "In", "values": ["web", "db"]}]}, 429),
        ({"matchExpressions": [{"key": "app", "operator": "DoesNotExist"}]}, 201),
        ({}, 429),  # all Pods of the namespace
    ],
)
def test_whom_a_budget_protects(selector, status):
    async def scenario(w: World) -> None:
        await w.account()
        await budget(w, selector=selector, minAvailable=1)
        await put_pod(w, "p")
        assert (await evict(w, "p")).status == status

    story(scenario)


def test_two_budgets_over_one_pod_are_refused_as_a_mistake():
    async def scenario(w: World) -> None:
        await w.account()
        for name in ("one", "two"):
            await budget(w, name, minAvailable=0)
        await put_pod(w, "p")
        reply = await evict(w, "p")
        assert reply.status == 500
        assert "more than one PodDisruptionBudget" in reply.message
        assert (await w.get(f"{PODS}/p")).status == 200

    story(scenario)


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"deleteOptions": {"preconditions": {"uid": "00000000-0000-0000-0000-000000000000"}}}, 409),
        ({"deleteOptions": {"gracePeriodSeconds": 5}}, 201),
        ({"deleteOptions": {"dryRun": ["All"]}}, 201),
        ({"metadata": {"name": "other"}}, 400),
        ({"kind": "Pod"}, 400),
    ],
)
def test_options_of_an_eviction(fields, status):
    async def scenario(w: World) -> None:
        await w.account()
        await put_pod(w, "p")
        reply = await evict(w, "p", **fields)
        assert reply.status == status, reply.raw
        there = await w.get(f"{PODS}/p")
        gone = status == 201 and "dryRun" not in str(fields) and "grace" not in str(fields)
        assert there.status == (404 if gone else 200)
        if "grace" in str(fields):
            assert there.obj["metadata"]["deletionGracePeriodSeconds"] == 5
            target = [c for c in there.obj["status"]["conditions"] if c["type"] == "DisruptionTarget"]
            assert target[0]["reason"] == "EvictionByEvictionAPI"

    story(scenario)


def test_an_eviction_that_only_pretends_uses_no_allowance():
    async def scenario(w: World) -> None:
        await w.account()
        await budget(w, minAvailable=1)
        for name in ("a", "b"):
            await put_pod(w, name)
        for _ in range(3):
            assert (await evict(w, "a", deleteOptions={"dryRun": ["All"]})).status == 201
        assert (await evict(w, "a")).status == 201
        assert (await evict(w, "b", deleteOptions={"dryRun": ["All"]})).status == 429

    story(scenario)


# Scale


def workload(name: str, replicas: int):
    template = {"metadata": {"labels": {"app": name}}, "spec": {"containers": [{"name": "a", "image": "i"}]}}
    return {"metadata": {"name": name}, "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": name}},
                                                  "template": template}}  # fmt: skip


@pytest.mark.parametrize("plural", ["deployments", "replicasets", "statefulsets"])
@pytest.mark.parametrize(
    ("method", "body", "headers", "replicas"),
    [
        ("PUT", {"metadata": {"name": "web"}, "spec": {"replicas": 4}}, {}, 4),
        ("PUT", {"metadata": {"name": "web"}, "spec": {}}, {}, 0),
        ("PATCH", {"spec": {"replicas": 4}}, MERGE, 4),
        ("PATCH", {"spec": {"replicas": 4}}, STRATEGIC, 4),
        ("PATCH", [{"op": "replace", "path": "/spec/replicas", "value": 0}], JSON_PATCH, 0),
        ("PATCH", [{"op": "test", "path": "/spec/replicas", "value": 9}], JSON_PATCH, None),
        ("PATCH", {"spec": {"replicas": "4"}}, MERGE, None),
        ("PATCH", {"spec": {"replicas": -4}}, MERGE, None),
        ("PATCH", {"spec": {"replicas": 1.5}}, MERGE, None),
        ("PATCH", {"spec": {"replicas": True}}, MERGE, None),
        ("PUT", {"metadata": {"name": "other"}, "spec": {"replicas": 4}}, {}, None),
        ("PUT", {"metadata": {"name": "web", "resourceVersion": "1"}, "spec": {"replicas": 4}}, {}, None),
    ],
)
def test_scaling(plural, method, body, headers, replicas):
    async def scenario(w: World) -> None:
        more = {"serviceName": "s"} if plural == "statefulsets" else {}
        made = workload("web", 2)
        await w.make(f"{APPS}/{plural}", {**made, "spec": {**made["spec"], **more}})
        reply = await w.call(method, f"{APPS}/{plural}/web/scale", body, headers=headers)
        now = (await w.get(f"{APPS}/{plural}/web")).obj["spec"]["replicas"]
        if replicas is None:
            assert 400 <= reply.status < 500, reply.raw
            assert now == 2
        else:
            assert (reply.status, reply.obj["spec"].get("replicas", 0), now) == (200, replicas, replicas), reply.raw

    story(scenario)


def test_a_scale_changes_nothing_but_the_replicas():
    async def scenario(w: World) -> None:
        await w.make(f"{APPS}/deployments", workload("web", 2))
        before = (await w.get(f"{APPS}/deployments/web")).obj
        sneaky = {"metadata": {"labels": {"a": "b"}}, "spec": {"replicas": 3, "paused": True}, "status": {"x": 9}}
        await w.call("PATCH", f"{APPS}/deployments/web/scale", sneaky, headers=MERGE)
        after = (await w.get(f"{APPS}/deployments/web")).obj
        before["spec"]["replicas"], before["metadata"]["generation"] = 3, 2
        before["metadata"]["resourceVersion"] = after["metadata"]["resourceVersion"]
        assert after == before

    story(scenario)


def test_what_has_no_scale_is_not_found():
    async def scenario(w: World) -> None:
        await w.account()
        await w.pod("p")
        for path in (f"{PODS}/p/scale", f"{APPS}/daemonsets/d/scale", f"{APPS}/deployments/nobody/scale"):
            assert (await w.get(path)).status == 404, path

    story(scenario)
