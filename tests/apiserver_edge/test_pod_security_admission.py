"""Pod Security admission: which Pods it refuses, what it warns about, and what it leaves alone.

Rules: k8s.io/pod-security-admission/admission; plugin/pkg/admission/security/podsecurity.
"""

from __future__ import annotations

import logging
from typing import Any

import pytest

from homeostat.api import kinds
from homeostat.api.podsecurity.configuration import Configuration
from homeostat.api.podsecurity.levels import LevelVersion, Policy
from homeostat.apiserver.admission import existing_pods, pod_security
from homeostat.wire.message import User
from tests.support.api_edge import ADMIN, World, pod, story

Obj = dict[str, Any]
LABEL = "pod-security.kubernetes.io/"
SAFE = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "runAsNonRoot": True,
    "seccompProfile": {"type": "RuntimeDefault"},
}
BARE_PROBLEMS = (
    'allowPrivilegeEscalation != false (container "app" must set securityContext.allowPrivilegeEscalation=false), '
    'unrestricted capabilities (container "app" must set securityContext.capabilities.drop=["ALL"]), '
    'runAsNonRoot != true (pod or container "app" must set securityContext.runAsNonRoot=true), '
    'seccompProfile (pod or container "app" must set securityContext.seccompProfile.type to "RuntimeDefault" or '
    '"Localhost")'
)


def container(name: str = "app", **context: Any) -> Obj:
    return {"name": name, "image": "none", "securityContext": SAFE | context}


def safe_pod(name: str, **spec: Any) -> Obj:
    return pod(name, **{"containers": [container()], **spec})


def template(spec: Obj) -> Obj:
    return {"metadata": {"labels": {"app": "x"}}, "spec": spec}


def deployment(name: str, spec: Obj) -> Obj:
    selector = {"matchLabels": {"app": "x"}}
    return {"metadata": {"name": name}, "spec": {"selector": selector, "template": template(spec)}}


async def namespace(w: World, name: str = "ns", **labels: str) -> None:
    keyed = {LABEL + key.replace("_", "-"): value for key, value in labels.items()}
    await w.make("/api/v1/namespaces", {"metadata": {"name": name, "labels": keyed}})
    await w.account(name)


async def relabel(w: World, name: str = "ns", **labels: str | None):
    keyed = {LABEL + key.replace("_", "-"): value for key, value in labels.items()}
    patch = {"content-type": "application/merge-patch+json"}
    return await w.call("PATCH", f"/api/v1/namespaces/{name}", {"metadata": {"labels": keyed}}, headers=patch)


def warnings(reply) -> list[str]:
    """The texts of the Warning headers."""
    value = reply.headers.get("warning", "")
    return [
        part.replace('\\"', '"') for part in value.removeprefix('299 - "').removesuffix('"').split('", 299 - "')
    ] * (value != "")


PODS = "/api/v1/namespaces/ns/pods"


def test_a_pod_that_violates_what_is_enforced_is_forbidden_in_kubernetes_words():
    async def scenario(w: World) -> None:
        await namespace(w, enforce="restricted")
        reply = await w.post(PODS, pod("x"))
        assert (reply.status, reply.obj["reason"]) == (403, "Forbidden")
        assert reply.message == f'pods "x" is forbidden: violates PodSecurity "restricted:latest": {BARE_PROBLEMS}'
        assert reply.obj["details"] == {"name": "x", "kind": "pods"}
        assert "warning" not in reply.headers, "what is refused is not warned about"
        assert (await w.post(PODS, safe_pod("y"))).status == 201

    story(scenario)


def test_the_version_of_the_label_says_which_rules_count():
    async def scenario(w: World) -> None:
        await namespace(w, enforce="restricted", enforce_version="v1.7")
        old = pod("x", securityContext={"runAsNonRoot": True})
        assert (await w.post(PODS, old)).status == 201
        reply = await w.post(PODS, pod("y"))
        assert 'violates PodSecurity "restricted:v1.7": runAsNonRoot != true' in reply.message

    story(scenario)


def test_a_generated_name_is_named():
    async def scenario(w: World) -> None:
        await namespace(w, enforce="baseline")
        body = pod("", hostNetwork=True)
        body["metadata"] = {"generateName": "web-"}
        message = (await w.post(PODS, body)).message
        assert message.startswith('pods "web-') and message.endswith(
            '" is forbidden: violates PodSecurity "baseline:latest": host namespaces (hostNetwork=true)'
        )
        assert not message.startswith('pods "web-"')

    story(scenario)


def test_dry_run_is_judged_as_well():
    async def scenario(w: World) -> None:
        await namespace(w, enforce="baseline")
        assert (await w.post(f"{PODS}?dryRun=All", pod("x", hostPID=True))).status == 403

    story(scenario)


def test_warn_and_audit_let_the_pod_in(caplog):
    async def scenario(w: World) -> None:
        await namespace(w, warn="baseline", audit="restricted", audit_version="v1.0")
        reply = await w.post(PODS, pod("x", hostPID=True))
        assert reply.status == 201
        assert warnings(reply) == ['would violate PodSecurity "baseline:latest": host namespaces (hostPID=true)']

    with caplog.at_level(logging.INFO, logger="homeostat.audit"):
        story(scenario)
    (record,) = [each for each in caplog.records if each.name == "homeostat.audit"]
    assert record.getMessage() == (
        'user "admin", create pods ns/x: would violate PodSecurity "restricted:v1.0": host namespaces (hostPID=true), '
        'runAsNonRoot != true (pod or container "app" must set securityContext.runAsNonRoot=true)'
    )


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/apis/apps/v1/namespaces/ns/deployments", lambda spec: deployment("d", spec)),
        ("/apis/apps/v1/namespaces/ns/replicasets", lambda spec: deployment("d", spec)),
        ("/apis/apps/v1/namespaces/ns/daemonsets", lambda spec: deployment("d", spec)),
        (
            "/apis/apps/v1/namespaces/ns/statefulsets",
            lambda spec: {
                "metadata": {"name": "d"},
                "spec": deployment("d", spec)["spec"] | {"serviceName": "s"},
            },
        ),
        (
            "/api/v1/namespaces/ns/replicationcontrollers",
            lambda spec: {"metadata": {"name": "d"}, "spec": {"selector": {"app": "x"}, "template": template(spec)}},
        ),
        (
            "/api/v1/namespaces/ns/podtemplates",
            lambda spec: {"metadata": {"name": "d"}, "template": template(spec)},
        ),
        (
            "/apis/batch/v1/namespaces/ns/jobs",
            lambda spec: {"metadata": {"name": "d"}, "spec": {"template": template({"restartPolicy": "Never"} | spec)}},
        ),
        (
            "/apis/batch/v1/namespaces/ns/cronjobs",
            lambda spec: {
                "metadata": {"name": "d"},
                "spec": {
                    "schedule": "* * * * *",
                    "jobTemplate": {"spec": {"template": template({"restartPolicy": "Never"} | spec)}},
                },
            },
        ),
    ],
)
def test_a_template_is_warned_about_and_never_refused(path, body):
    wrong = 'would violate PodSecurity "baseline:latest": privileged (container "app" must not set {}=true)'.format(
        "securityContext.privileged"
    )

    async def scenario(w: World) -> None:
        await namespace(w, enforce="baseline")
        bad = {"name": "app", "image": "none", "securityContext": {"privileged": True}}
        made = await w.post(path, body({"containers": [bad]}))
        assert made.status == 201, made.raw
        assert wrong in warnings(made)
        # An update of anything else says so again; of the status it does not.
        patch = {"content-type": "application/merge-patch+json"}
        changed = await w.call("PATCH", f"{path}/d", {"metadata": {"labels": {"a": "b"}}}, headers=patch)
        assert (changed.status, warnings(changed)) == (200, [wrong])
        good = await w.post(path, body({"containers": [container()]}) | {"metadata": {"name": "good"}})
        assert good.status == 201 and wrong not in warnings(good)

    story(scenario)


def test_only_an_update_that_changes_what_runs_is_judged():
    async def scenario(w: World) -> None:
        await namespace(w)
        await w.make(PODS, pod("x", hostNetwork=True))
        await relabel(w, enforce="baseline")
        patch = {"content-type": "application/strategic-merge-patch+json"}
        labelled = await w.call("PATCH", f"{PODS}/x", {"metadata": {"labels": {"a": "b"}}}, headers=patch)
        assert labelled.status == 200
        status = await w.call("PATCH", f"{PODS}/x/status", {"status": {"phase": "Running"}}, headers=patch)
        assert status.status == 200
        image = {"spec": {"containers": [{"name": "app", "image": "other"}]}}
        refused = await w.call("PATCH", f"{PODS}/x", image, headers=patch)
        assert refused.status == 403
        assert refused.message.endswith('violates PodSecurity "baseline:latest": host namespaces (hostNetwork=true)')
        # What is not allowed now may go.
        assert (await w.call("DELETE", f"{PODS}/x")).status == 200

    story(scenario)


def test_an_update_of_a_seccomp_annotation_is_judged():
    """Versions of the policies before v1.19 go by the annotations (isSignificantPodUpdate)."""
    key = "container.seccomp.security.alpha.kubernetes.io/app"
    old = {"metadata": {"annotations": {}}, "spec": {"containers": [{"name": "app", "image": "a"}]}}
    new = {"metadata": {"annotations": {key: "unconfined"}}, "spec": {"containers": [{"name": "app", "image": "a"}]}}
    other = {"metadata": {"annotations": {key + "x": "unconfined"}}, "spec": old["spec"]}
    assert pod_security._runs_something_new(new, old)
    assert pod_security._runs_something_new(old, new)
    assert not pod_security._runs_something_new(other, old)


def test_an_ephemeral_container_is_judged():
    async def scenario(w: World) -> None:
        await namespace(w, enforce="restricted")
        await w.make(PODS, safe_pod("x"))
        patch = {"content-type": "application/strategic-merge-patch+json"}
        debugger = {"name": "debugger", "image": "none", "securityContext": {"privileged": True}}
        path = f"{PODS}/x/ephemeralcontainers"
        reply = await w.call("PATCH", path, {"spec": {"ephemeralContainers": [debugger]}}, headers=patch)
        assert reply.status == 403
        assert 'privileged (container "debugger" must not set securityContext.privileged=true)' in reply.message
        good = {"spec": {"ephemeralContainers": [container("debugger")]}}
        assert (await w.call("PATCH", path, good, headers=patch)).status == 200

    story(scenario)


def test_binding_and_eviction_are_not_judged():
    async def scenario(w: World) -> None:
        await namespace(w)
        await w.make("/api/v1/nodes", {"metadata": {"name": "n"}})
        await w.make(PODS, pod("x", hostNetwork=True))
        await relabel(w, enforce="restricted")
        binding = {"metadata": {"name": "x"}, "target": {"kind": "Node", "name": "n"}}
        assert (await w.post(f"{PODS}/x/binding", binding)).status == 201
        eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "x"}}
        assert (await w.post(f"{PODS}/x/eviction", eviction)).status == 201

    story(scenario)


# Namespaces


def test_labels_that_say_no_level_are_refused_on_create_and_when_they_change():
    async def scenario(w: World) -> None:
        body = {"metadata": {"name": "bad", "labels": {f"{LABEL}enforce": "strict", f"{LABEL}warn-version": "1.25"}}}
        reply = await w.post("/api/v1/namespaces", body)
        assert (reply.status, reply.obj["reason"]) == (422, "Invalid")
        assert reply.message == (
            'Namespace "bad" is invalid: [metadata.labels[pod-security.kubernetes.io/enforce]: '
            'Invalid value: "strict": must be one of privileged, baseline, restricted, '
            'metadata.labels[pod-security.kubernetes.io/warn-version]: Invalid value: "1.25": '
            'must be "latest" or "v1.x"]'
        )
        await namespace(w)
        assert (await relabel(w, enforce="strict")).status == 422
        assert (await relabel(w, enforce="baseline")).status == 200

    story(scenario)


def test_bad_labels_from_before_stay_changeable_and_are_enforced_in_full():
    async def scenario(w: World) -> None:
        await namespace(w)

        def damage(obj: Obj) -> Obj:
            obj["metadata"]["labels"][f"{LABEL}enforce"] = "strict"
            return obj

        admission = w.server._parts.admission
        w.server._writes.admit(())
        await w.writer.change(kinds.NAMESPACE, "", "ns", damage, user=ADMIN)
        w.server._writes.admit(admission)
        patch = {"content-type": "application/merge-patch+json"}
        other = await w.call("PATCH", "/api/v1/namespaces/ns", {"metadata": {"labels": {"a": "b"}}}, headers=patch)
        assert other.status == 200
        assert 'violates PodSecurity "restricted:latest"' in (await w.post(PODS, pod("x"))).message
        assert (await relabel(w, enforce="stricter")).status == 422

    story(scenario)


def test_a_stricter_level_warns_of_the_pods_that_are_there():
    async def scenario(w: World) -> None:
        await namespace(w)
        for name in ("b", "a", "c"):
            await w.make(PODS, pod(name, hostPID=True))
        for name in ("e", "d"):
            await w.make(PODS, pod(name, hostNetwork=True))
        await w.make(PODS, pod("f", hostIPC=True, hostNetwork=True, volumes=[{"name": "v", "hostPath": {"path": "/"}}]))
        await w.make(PODS, safe_pod("fine"))
        reply = await relabel(w, enforce="baseline")
        assert reply.status == 200
        assert warnings(reply) == [
            'existing pods in namespace "ns" violate the new PodSecurity enforce level "baseline:latest"',
            "a (and 4 other pods): host namespaces",
            "f: host namespaces, hostPath volumes",
        ]
        # The same again, looser, or in another mode: nothing to say.
        assert warnings(await relabel(w, enforce="baseline", audit="restricted")) == []
        assert warnings(await relabel(w, enforce="privileged")) == []
        assert warnings(await relabel(w, enforce="baseline", enforce_version="v1.30"))[1:] == [
            "a (and 4 other pods): host namespaces",
            "f: host namespaces, hostPath volumes",
        ]

    story(scenario)


def test_two_pods_are_one_other_pod():
    async def scenario(w: World) -> None:
        await namespace(w)
        for name in ("b", "a"):
            await w.make(PODS, pod(name, hostPID=True))
        assert warnings(await relabel(w, enforce="baseline"))[1] == "a (and 1 other pod): host namespaces"

    story(scenario)


def test_the_look_at_existing_pods_is_bounded_and_sees_each_controller_first(monkeypatch):
    monkeypatch.setattr(existing_pods, "PODS_MAX", 3)
    replica = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "r", "uid": "u1", "controller": True}

    async def scenario(w: World) -> None:
        await namespace(w)
        for number in range(5):
            body = pod(f"a{number}", hostPID=True)
            body["metadata"]["ownerReferences"] = [replica]
            await w.make(PODS, body)
        await w.make(PODS, pod("z", hostNetwork=True, volumes=[{"name": "v", "hostPath": {"path": "/"}}]))
        assert warnings(await relabel(w, enforce="baseline")) == [
            "new PodSecurity enforce level only checked against the first 3 of 6 existing pods",
            'existing pods in namespace "ns" violate the new PodSecurity enforce level "baseline:latest"',
            "a0 (and 1 other pod): host namespaces",
            "z: host namespaces, hostPath volumes",
        ]

    story(scenario)


# Defaults and exemptions


def test_defaults_count_where_a_namespace_says_nothing():
    async def scenario(w: World) -> None:
        await namespace(w)
        reply = await w.post(PODS, pod("x", hostPID=True))
        assert 'violates PodSecurity "baseline:v1.36"' in reply.message
        reply = await w.post(PODS, pod("y"))
        assert reply.status == 201
        assert warnings(reply) == [f'would violate PodSecurity "restricted:latest": {BARE_PROBLEMS}']

    defaults = Policy(LevelVersion("baseline", "v1.36"), warn=LevelVersion("restricted"))
    story(scenario, pod_security=Configuration(defaults))


def test_who_and_what_is_exempt_is_not_judged():
    exempt = Configuration(usernames=frozenset({"robot"}), namespaces=frozenset({"free"}))
    exempt = Configuration(Policy(), exempt.usernames, exempt.namespaces, frozenset({"sandboxed"}))

    async def scenario(w: World) -> None:
        await namespace(w, enforce="restricted")
        sandboxed = {"metadata": {"name": "sandboxed"}, "handler": "runc"}
        await w.make("/apis/node.k8s.io/v1/runtimeclasses", sandboxed)
        assert (await w.post(PODS, pod("a", runtimeClassName="sandboxed", hostPID=True))).status == 201
        robot = User("robot", ("system:masters",))
        assert (await w.post(PODS, pod("b", hostPID=True), user=robot)).status == 201
        assert (await w.post(PODS, pod("c", hostPID=True))).status == 403
        body = {
            "metadata": {"name": "free", "labels": {f"{LABEL}enforce": "baseline", f"{LABEL}audit-version": "v1.2"}}
        }
        made = await w.post("/api/v1/namespaces", body)
        assert warnings(made) == [
            'namespace "free" is exempt from Pod Security, and the policy (enforce=baseline:latest) will be ignored'
        ]
        await w.account("free")
        free = "/api/v1/namespaces/free"
        assert (await w.post(f"{free}/pods", pod("d", hostPID=True))).status == 201
        assert warnings(await relabel(w, "free", enforce="restricted", warn="baseline")) == [
            'namespace "free" is exempt from Pod Security, and the policy '
            "(enforce=restricted:latest, warn=baseline:latest) will be ignored"
        ]
        # A Pod of an exempt runtime class is not counted among those that violate.
        await relabel(w, enforce="privileged")
        await w.call("DELETE", f"{PODS}/b?gracePeriodSeconds=0")
        assert warnings(await relabel(w, enforce="baseline")) == []

    story(scenario, pod_security=exempt)


def test_pods_of_the_system_namespace_are_admitted_by_default():
    async def scenario(w: World) -> None:
        await w.account("kube-system")
        for number, spec in enumerate(({"hostNetwork": True}, {"volumes": [{"name": "v", "hostPath": {"path": "/"}}]})):
            reply = await w.post("/api/v1/namespaces/kube-system/pods", pod(f"p{number}", **spec))
            assert reply.status == 201 and "warning" not in reply.headers

    story(scenario)


def test_warnings_of_an_answer_are_bounded():
    """apiserver's endpoints/filters/warning.go: above 4,096 characters each warning is cut to 256."""

    async def scenario(w: World) -> None:
        await namespace(w, warn="baseline")
        context = {"privileged": True}
        many = [{"name": f"c{number}", "image": "none", "securityContext": context} for number in range(600)]
        reply = await w.post(PODS, pod("x", containers=many))
        assert reply.status == 201
        assert [len(text) for text in warnings(reply)] == [256]

    story(scenario)
