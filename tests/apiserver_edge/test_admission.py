"""Admission: what every object goes through before it is stored."""

from __future__ import annotations

from homeostat.kit import clock, tasks
from tests.support.api_edge import World, pod, story

PODS = "/api/v1/namespaces/default/pods"


async def limited(w: World, *limits) -> None:
    body = {"metadata": {"name": "limits"}, "spec": {"limits": list(limits)}}
    await w.make("/api/v1/namespaces/default/limitranges", body)


def test_nothing_is_made_in_a_namespace_that_is_not_there():
    async def scenario(w: World) -> None:
        reply = await w.post("/api/v1/namespaces/nowhere/configmaps", {"metadata": {"name": "c"}})
        assert (reply.status, reply.message) == (404, 'namespaces "nowhere" not found')

    story(scenario)


def test_nothing_is_made_in_a_namespace_that_is_going():
    async def scenario(w: World) -> None:
        await w.make("/api/v1/namespaces", {"metadata": {"name": "gone"}})
        await w.call("DELETE", "/api/v1/namespaces/gone")
        reply = await w.post("/api/v1/namespaces/gone/configmaps", {"metadata": {"name": "c"}})
        assert reply.status == 403
        assert reply.message == (
            'configmaps "c" is forbidden: unable to create new content in namespace gone because it is being terminated'
        )
        cause = reply.obj["details"]["causes"][0]
        assert cause["reason"] == "NamespaceTerminating" and cause["field"] == "metadata.namespace"

    story(scenario)


def test_system_namespaces_cannot_be_deleted():
    async def scenario(w: World) -> None:
        for name in ("default", "kube-system", "kube-public"):
            reply = await w.call("DELETE", f"/api/v1/namespaces/{name}")
            assert reply.status == 403
            assert reply.message == f'namespaces "{name}" is forbidden: this namespace may not be deleted'

    story(scenario)


def test_a_pod_gets_the_default_account_and_a_way_to_its_token():
    async def scenario(w: World) -> None:
        await w.account(imagePullSecrets=[{"name": "registry"}])
        spec = (await w.pod())["spec"]
        assert spec["serviceAccountName"] == "default"
        assert spec["imagePullSecrets"] == [{"name": "registry"}]
        (volume,) = spec["volumes"]
        assert volume["name"].startswith("kube-api-access-")
        token, certificate, namespace = volume["projected"]["sources"]
        assert token == {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}}
        assert certificate["configMap"]["name"] == "kube-root-ca.crt"
        assert namespace["downwardAPI"]["items"][0]["path"] == "namespace"
        (mount,) = spec["containers"][0]["volumeMounts"]
        assert mount["mountPath"] == "/var/run/secrets/kubernetes.io/serviceaccount"
        assert mount["name"] == volume["name"] and mount["readOnly"]

    story(scenario)


def test_no_token_is_mounted_where_pod_or_account_say_so_or_something_is_there():
    async def scenario(w: World) -> None:
        await w.account()
        await w.account(name="quiet", automountServiceAccountToken=False)
        assert "volumes" not in (await w.pod("a", automountServiceAccountToken=False))["spec"]
        assert "volumes" not in (await w.pod("b", serviceAccountName="quiet"))["spec"]
        loud = await w.pod("c", serviceAccountName="quiet", automountServiceAccountToken=True)
        assert len(loud["spec"]["volumes"]) == 1
        own = pod("d", volumes=[{"name": "mine", "emptyDir": {}}])
        own["spec"]["containers"][0]["volumeMounts"] = [
            {"name": "mine", "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount"}
        ]
        assert [v["name"] for v in (await w.make(PODS, own))["spec"]["volumes"]] == ["mine"]

    story(scenario)


def test_a_pod_waits_a_moment_for_its_default_account_and_not_for_another_one():
    async def scenario(w: World) -> None:
        waiting = tasks.spawn(w.post(PODS, pod("early")), name="early")
        await clock.sleep(1)
        assert not waiting.done()
        await w.account()
        assert (await waiting).status == 201
        reply = await w.post(PODS, pod("other", serviceAccountName="nobody"))
        assert reply.status == 403
        assert reply.message == (
            'pods "other" is forbidden: error looking up service account default/nobody: '
            'serviceaccount "nobody" not found'
        )

    story(scenario)


def test_a_mirror_pod_has_no_account_and_may_use_no_secret():
    async def scenario(w: World) -> None:
        mirror = pod("etcd-m1", nodeName="m1")
        mirror["metadata"]["annotations"] = {"kubernetes.io/config.mirror": "hash"}
        made = await w.make(PODS, mirror)
        assert "serviceAccountName" not in made["spec"] and "volumes" not in made["spec"]
        mirror["metadata"]["name"] = "bad"
        mirror["spec"]["volumes"] = [{"name": "s", "secret": {"secretName": "x"}}]
        reply = await w.post(PODS, mirror)
        assert reply.status == 403 and "a mirror pod may not reference secrets" in reply.message

    story(scenario)


def test_tolerations_of_failed_nodes_come_from_the_settings_unless_the_pod_has_its_own():
    async def scenario(w: World) -> None:
        await w.account()
        own = {
            "key": "node.kubernetes.io/not-ready",
            "operator": "Exists",
            "effect": "NoExecute",
            "tolerationSeconds": 3,
        }
        spec = (await w.pod("a", tolerations=[own]))["spec"]
        assert {t["key"].rpartition("/")[2]: t["tolerationSeconds"] for t in spec["tolerations"]} == {
            "not-ready": 3,
            "unreachable": 5,
        }
        assert (await w.pod("b", tolerations=[{"operator": "Exists"}]))["spec"]["tolerations"] == [
            {"operator": "Exists"}
        ]

    story(scenario, default_unreachable_toleration_seconds=5)


def test_priority_comes_from_the_class():
    async def scenario(w: World) -> None:
        await w.account()
        classes = "/apis/scheduling.k8s.io/v1/priorityclasses"
        assert (await w.pod("plain"))["spec"]["priority"] == 0
        await w.make(classes, {"metadata": {"name": "low"}, "value": 7, "globalDefault": True})
        assert (await w.pod("usual"))["spec"]["priorityClassName"] == "low"
        node = (await w.pod("node", priorityClassName="system-node-critical"))["spec"]
        assert (node["priority"], node["preemptionPolicy"]) == (2_000_001_000, "PreemptLowerPriority")
        reply = await w.post(PODS, pod("lost", priorityClassName="lost"))
        assert reply.message == 'pods "lost" is forbidden: no PriorityClass with name lost was found'
        reply = await w.post(PODS, pod("liar", priorityClassName="low", priority=9))
        assert reply.status == 403 and "the integer value of priority (9) must not be provided" in reply.message
        reply = await w.post(classes, {"metadata": {"name": "other"}, "value": 1, "globalDefault": True})
        assert reply.status == 403 and "PriorityClass low is already marked as default" in reply.message

    story(scenario)


def test_a_new_node_takes_no_pods_yet():
    async def scenario(w: World) -> None:
        node = await w.make("/api/v1/nodes", {"metadata": {"name": "n1"}})
        assert {"effect": "NoSchedule", "key": "node.kubernetes.io/not-ready"} in node["spec"]["taints"]

    story(scenario)


def test_limit_ranges_fill_in_what_containers_leave_out():
    async def scenario(w: World) -> None:
        await w.account()
        await limited(w, {"type": "Container", "default": {"cpu": "2"}, "defaultRequest": {"cpu": "500m"}})
        made = await w.pod()
        assert made["spec"]["containers"][0]["resources"] == {"requests": {"cpu": "500m"}, "limits": {"cpu": "2"}}
        note = made["metadata"]["annotations"]["kubernetes.io/limit-ranger"]
        assert note == "LimitRanger plugin set: cpu request for container app; cpu limit for container app"

    story(scenario)


def test_limit_ranges_refuse_what_is_out_of_bounds():
    async def scenario(w: World) -> None:
        await w.account()
        await limited(w, {"type": "Container", "max": {"cpu": "1"}, "min": {"memory": "10Mi"}})
        big = pod("big")
        big["spec"]["containers"][0]["resources"] = {"limits": {"cpu": "2", "memory": "20Mi"}}
        reply = await w.post(PODS, big)
        assert reply.status == 403
        assert "maximum cpu usage per Container is 1, but limit is 2" in reply.message
        big["spec"]["containers"][0]["resources"] = {"limits": {"cpu": "1", "memory": "5Mi"}}
        reply = await w.post(PODS, big)
        assert "minimum memory usage per Container is 10Mi, but request is 5Mi" in reply.message
        big["spec"]["containers"][0]["resources"] = {"limits": {"cpu": "1", "memory": "20Mi"}}
        assert (await w.post(PODS, big)).status == 201

    story(scenario)


def test_a_resize_keeps_to_the_limits_of_the_namespace():
    """plugin/pkg/admission/limitranger: SupportsAttributes takes pods/resize in."""

    async def scenario(w: World) -> None:
        await w.account()
        await limited(w, {"type": "Container", "max": {"cpu": "1"}})
        small, large = ({"requests": {"cpu": cpu}, "limits": {"cpu": cpu}} for cpu in ("500m", "2"))
        await w.make(PODS, pod("web", containers=[{"name": "app", "image": "none", "resources": small}]))
        patch = {"content-type": "application/strategic-merge-patch+json"}
        body = {"spec": {"containers": [{"name": "app", "resources": large}]}}
        reply = await w.call("PATCH", f"{PODS}/web/resize", body, headers=patch)
        assert reply.status == 403
        assert "maximum cpu usage per Container is 1, but limit is 2" in reply.message

    story(scenario)
