"""RBAC: what roles and bindings allow, how a refusal reads, and that nobody grants more than they hold."""

from __future__ import annotations

import time

import pytest

from homeostat.api import kinds
from homeostat.apiserver.authz.rbac import Rbac
from homeostat.apiserver.authz.rbac_policy import cluster_role_bindings, cluster_roles, reconciled
from homeostat.apiserver.authz.rbac_rules import describe, missing, parse, parse_all
from homeostat.apiserver.contract import RequestInfo
from homeostat.wire.message import User
from tests.support.api_edge import World, rule, story

RBAC = "/apis/rbac.authorization.k8s.io/v1"
BOB = User("bob", ("system:authenticated",))


class Shelf:
    """A reader over a plain list of objects."""

    def __init__(self, *objects) -> None:
        self.objects = list(objects)
        self.changes = 1

    def add(self, *objects) -> None:
        self.objects += objects
        self.changes += 1

    def get(self, kind, namespace, name):
        found = (o for o in self.list(kind, namespace) if o["metadata"]["name"] == name)
        return next(found, None)

    def list(self, kind, namespace=""):
        same = [o for o in self.objects if o["kind"] == kind.kind]
        return [o for o in same if not namespace or o["metadata"].get("namespace") == namespace]

    def revision(self, kind):
        return self.changes


def role(name, *rules, namespace="", **more):
    kind = "Role" if namespace else "ClusterRole"
    meta = {"name": name, **({"namespace": namespace} if namespace else {}), **more.pop("metadata", {})}
    return {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": kind, "metadata": meta, "rules": list(rules), **more}


def binding(role_name, *subjects, namespace="", to="ClusterRole"):
    kind = "RoleBinding" if namespace else "ClusterRoleBinding"
    meta = {"name": f"{role_name}-binding", **({"namespace": namespace} if namespace else {})}
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": to, "name": role_name}
    return {"kind": kind, "metadata": meta, "roleRef": reference, "subjects": list(subjects)}


def user(name):
    return {"kind": "User", "name": name}


def ask(verb, resource, *, group="", namespace="", name="", sub=""):
    return RequestInfo(verb, "", True, group, "v1", resource, sub, namespace, name)


def may(rbac, who, *args, **more):
    return rbac.allowed(who, ask(*args, **more))[0]


def test_a_cluster_binding_holds_everywhere_and_a_role_binding_in_its_namespace():
    shelf = Shelf(role("reader", rule("get list", "pods")), binding("reader", user("bob"), namespace="a"))
    rbac = Rbac(shelf)
    assert may(rbac, BOB, "get", "pods", namespace="a")
    assert not may(rbac, BOB, "get", "pods", namespace="b")
    assert not may(rbac, BOB, "list", "pods")
    shelf.add(binding("reader", user("bob")))
    assert may(rbac, BOB, "list", "pods") and may(rbac, BOB, "get", "pods", namespace="b")
    assert not may(rbac, BOB, "delete", "pods", namespace="a")


def test_subresources_names_groups_and_wildcards():
    rbac = Rbac(
        Shelf(
            role(
                "mixed",
                rule("get", "pods/log */scale"),
                rule("update", "configmaps", names=["settings"]),
                rule("*", "*", group="batch"),
                rule("get", urls=["/metrics", "/debug/*"]),
            ),
            binding(
                "mixed", {"kind": "Group", "name": "ops"}, {"kind": "ServiceAccount", "name": "r", "namespace": "n"}
            ),
        )
    )
    ops = User("ann", ("ops",))
    assert may(rbac, ops, "get", "pods", sub="log", namespace="a")
    assert not may(rbac, ops, "get", "pods", namespace="a")
    assert may(rbac, ops, "get", "deployments", sub="scale", namespace="a")
    assert may(rbac, ops, "update", "configmaps", name="settings", namespace="a")
    assert not may(rbac, ops, "update", "configmaps", name="other", namespace="a")
    assert not may(rbac, ops, "update", "configmaps", namespace="a")
    assert may(rbac, ops, "deletecollection", "jobs", group="batch", sub="status")
    assert rbac.allowed(ops, RequestInfo("get", "/debug/pprof"))[0]
    assert rbac.allowed(ops, RequestInfo("get", "/metrics"))[0]
    assert not rbac.allowed(ops, RequestInfo("get", "/metrics/slis"))[0]
    assert may(rbac, User("system:serviceaccount:n:r"), "get", "pods", sub="log")
    assert not may(rbac, User("system:serviceaccount:other:r"), "get", "pods", sub="log")


def test_an_aggregated_role_has_the_rules_of_those_it_selects_even_of_other_aggregates():
    def selecting(label):
        return {"clusterRoleSelectors": [{"matchLabels": {label: "true"}}]}

    rbac = Rbac(
        Shelf(
            role("top", aggregationRule=selecting("to-top")),
            role("middle", aggregationRule=selecting("to-middle"), metadata={"labels": {"to-top": "true"}}),
            role("leaf", rule("get", "pods"), metadata={"labels": {"to-middle": "true", "to-top": "no"}}),
            binding("top", user("bob")),
        )
    )
    assert may(rbac, BOB, "get", "pods")


def test_system_masters_may_do_anything_and_a_missing_role_gives_nothing():
    rbac = Rbac(Shelf(binding("ghost", user("bob"))))
    assert may(rbac, User("root", ("system:masters",)), "escalate", "anything")
    assert not may(rbac, BOB, "get", "pods")


def test_the_reason_names_the_binding():
    rbac = Rbac(Shelf(role("reader", rule("get", "pods")), binding("reader", user("bob"), namespace="a")))
    _, why = rbac.allowed(BOB, ask("get", "pods", namespace="a"))
    assert why == 'RBAC: allowed by RoleBinding "reader-binding/a" of ClusterRole "reader" to User "bob"'


@pytest.mark.parametrize(
    ("held", "asked", "lacking"),
    [
        ([rule("*", "pods")], [rule("get list", "pods")], []),
        ([rule("get", "pods")], [rule("get list", "pods")], ['{APIGroups:[""], Resources:["pods"], Verbs:["list"]}']),
        ([rule("get", "pods", names=["a"])], [rule("get", "pods", names=["a"])], []),
        (
            [rule("get", "pods", names=["a"])],
            [rule("get", "pods")],
            ['{APIGroups:[""], Resources:["pods"], Verbs:["get"]}'],
        ),
        ([rule("get", urls=["/a/*"])], [rule("get", urls=["/a/b"])], []),
        ([rule("get", urls=["/a"])], [rule("get", urls=["/a/*"])], ['{NonResourceURLs:["/a/*"], Verbs:["get"]}']),
        ([rule("get", "*/scale")], [rule("get", "deployments/scale")], []),
    ],
)
def test_rules_cover_others_permission_by_permission(held, asked, lacking):
    assert [describe(each) for each in missing(parse_all(held), parse_all(asked))] == lacking


def test_the_bootstrap_policy_lets_everybody_do_their_work():
    rbac = Rbac(Shelf(*cluster_roles(), *cluster_role_bindings()))
    node = User("system:node:w1", ("system:nodes",))
    # Nodes hold nothing by RBAC: the Node authorizer speaks for them.
    assert not may(rbac, node, "patch", "pods", sub="status", namespace="a")
    assert not may(rbac, node, "get", "secrets", namespace="a", name="s")
    scheduler = User("system:kube-scheduler")
    assert may(rbac, scheduler, "create", "pods", sub="binding", namespace="a")
    assert not may(rbac, scheduler, "get", "secrets", namespace="a")
    loops = User("system:kube-controller-manager")
    assert may(rbac, loops, "create", "pods", namespace="a")
    assert may(rbac, loops, "delete", "configmaps", namespace="a")
    assert rbac.allowed(BOB, RequestInfo("get", "/api/v1"))[0]
    assert rbac.allowed(User("system:anonymous", ("system:unauthenticated",)), RequestInfo("get", "/healthz"))[0]
    assert not rbac.allowed(User("system:anonymous", ("system:unauthenticated",)), RequestInfo("get", "/api/v1"))[0]


def test_admin_edit_and_view_grow_by_what_aggregates_to_them():
    shelf = Shelf(*cluster_roles(), binding("admin", user("bob"), namespace="a"))
    rbac = Rbac(shelf)
    assert may(rbac, BOB, "get", "pods", namespace="a") and may(
        rbac, BOB, "create", "rolebindings", group=kinds.ROLE.group, namespace="a"
    )
    assert not may(rbac, BOB, "get", "widgets", group="example.org", namespace="a")
    label = {"rbac.authorization.k8s.io/aggregate-to-view": "true"}
    shelf.add(role("widgets", rule("get", "widgets", group="example.org"), metadata={"labels": label}))
    assert may(rbac, BOB, "get", "widgets", group="example.org", namespace="a")


def test_a_bootstrap_role_gets_back_what_it_lost_and_keeps_what_was_added():
    wanted = next(found for found in cluster_roles() if found["metadata"]["name"] == "system:basic-user")
    extra = rule("get", "pods")
    stored = {**wanted, "rules": [extra, wanted["rules"][0]]}
    assert reconciled(stored, wanted)["rules"] == [extra, *wanted["rules"]]
    assert reconciled(reconciled(stored, wanted), wanted) is None
    frozen = {**stored["metadata"], "annotations": {"rbac.authorization.kubernetes.io/autoupdate": "false"}}
    assert reconciled({**stored, "metadata": frozen}, wanted) is None


def test_a_cached_decision_costs_microseconds():
    rbac = Rbac(Shelf(*cluster_roles(), *cluster_role_bindings()))
    node, info = (
        User("system:node:w1", ("system:nodes", "system:authenticated")),
        ask("patch", "pods", sub="status", namespace="a", name="p"),
    )
    rbac.allowed(node, info)
    best = min(_time(lambda: rbac.allowed(node, info)) for _ in range(20))
    # Far above what it takes: only a decision that is made again each time is slower.
    assert best < 50e-6


def _time(call, times=200):
    began = time.perf_counter()
    for _ in range(times):
        call()
    return (time.perf_counter() - began) / times


def test_refusals_read_like_kubernetes():
    async def scenario(w: World) -> None:
        reply = await w.get("/api/v1/namespaces/default/pods", user=BOB)
        assert reply.status == 403
        assert reply.message == (
            'pods is forbidden: User "bob" cannot list resource "pods" in API group "" in the namespace "default"'
        )
        reply = await w.get("/apis/apps/v1/namespaces/a/deployments/web/scale", user=BOB)
        assert reply.message == (
            'deployments.apps "web" is forbidden: User "bob" cannot get resource "deployments/scale" '
            'in API group "apps" in the namespace "a"'
        )
        reply = await w.get("/metrics", user=BOB)
        assert reply.message == 'forbidden: User "bob" cannot get path "/metrics"'

    story(scenario)


def test_nobody_grants_what_they_do_not_hold():
    async def scenario(w: World) -> None:
        manage = rule("create update get", "roles rolebindings clusterroles", group=kinds.ROLE.group)
        await w.make(f"{RBAC}/clusterroles", role("manager", manage, rule("get", "pods")))
        await w.make(f"{RBAC}/clusterrolebindings", binding("manager", user("bob")))
        roles, bindings = f"{RBAC}/namespaces/default/roles", f"{RBAC}/namespaces/default/rolebindings"
        allowed = await w.post(roles, role("mine", rule("get", "pods"), namespace="default"), user=BOB)
        assert allowed.status == 201
        reply = await w.post(roles, role("more", rule("get", "secrets"), namespace="default"), user=BOB)
        assert reply.status == 403
        assert reply.message == (
            'roles.rbac.authorization.k8s.io "more" is forbidden: user "bob" (groups=["system:authenticated"]) is '
            "attempting to grant RBAC permissions not currently held:\n"
            '{APIGroups:[""], Resources:["secrets"], Verbs:["get"]}'
        )
        reply = await w.post(bindings, binding("cluster-admin", user("bob"), namespace="default"), user=BOB)
        assert reply.status == 403 and "not currently held" in reply.message
        bind = rule("bind", "clusterroles", group=kinds.ROLE.group, names=["cluster-admin"])
        await w.make(f"{RBAC}/clusterroles", role("binder", bind))
        await w.make(f"{RBAC}/clusterrolebindings", binding("binder", user("bob")))
        reply = await w.post(bindings, binding("cluster-admin", user("bob"), namespace="default"), user=BOB)
        assert reply.status == 201, reply.raw

    story(scenario)


def test_a_rule_parses_with_absent_parts():
    assert parse({"verbs": ["get"]}).resources == frozenset()
