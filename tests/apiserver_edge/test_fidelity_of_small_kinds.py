"""Events by their source, addresses and ranges of Services, claims of StatefulSets, times of early years, tables."""

from __future__ import annotations

import pytest

from homeostat.kit import clock
from tests.support.api_edge import World, pod, story

EVENTS = "/api/v1/namespaces/default/events"
NEW_EVENTS = "/apis/events.k8s.io/v1/namespaces/default/events"
ADDRESSES = "/apis/networking.k8s.io/v1/ipaddresses"
RANGES = "/apis/networking.k8s.io/v1/servicecidrs"
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"
ABOUT = {"namespace": "default", "name": "p", "kind": "Pod"}


def test_events_are_found_by_their_source_or_else_by_the_controller_that_reported_them():
    """pkg/registry/core/event, ToSelectableFields: an event without a source component has its reporting controller."""

    async def scenario(w: World) -> None:
        old = {"metadata": {"name": "old"}, "involvedObject": ABOUT, "source": {"component": "kubelet"}}
        new = {"metadata": {"name": "new"}, "regarding": ABOUT, "reportingController": "example.com/c"}
        new |= {"reportingInstance": "i", "action": "a", "type": "Normal", "reason": "R"}
        await w.make(EVENTS, old)
        await w.make(NEW_EVENTS, {**new, "eventTime": "2026-01-01T00:00:00.000000Z"})

        async def names(path: str, selector: str) -> list[str]:
            reply = await w.get(f"{path}?fieldSelector={selector}")
            assert reply.status == 200, reply.raw
            return [found["metadata"]["name"] for found in reply.obj["items"]]

        assert await names(EVENTS, "source=kubelet") == ["old"]
        assert await names(EVENTS, "source=example.com/c") == ["new"]
        assert await names(EVENTS, "source!=kubelet") == ["new"]
        assert await names(EVENTS, "reportingComponent=example.com/c") == ["new"]
        assert await names(NEW_EVENTS, "reportingController=example.com/c") == ["new"]
        for path, selector in ((NEW_EVENTS, "source=kubelet"), (EVENTS, "reportingController=x")):
            assert (await w.get(f"{path}?fieldSelector={selector}")).status == 400

    story(scenario)


@pytest.mark.parametrize("name", ["2001:db8::1", "::1", "10.1.2.3", "::ffff:10.0.0.1"])
def test_an_ip_address_is_named_after_its_address(name):
    async def scenario(w: World) -> None:
        spec = {"parentRef": {"group": "gateway.example", "resource": "gateways", "name": "g"}}
        made = await w.make(ADDRESSES, {"metadata": {"name": name}, "spec": spec})
        assert made["metadata"]["name"] == name
        assert (await w.get(f"{ADDRESSES}/{name}")).status == 200
        # It is nobody's reservation: the upkeep of Services leaves it alone.
        await clock.sleep(200)
        assert (await w.get(f"{ADDRESSES}/{name}")).status == 200
        changed = {**made, "spec": {"parentRef": {**spec["parentRef"], "name": "h"}}}
        assert (await w.call("PUT", f"{ADDRESSES}/{name}", changed)).status == 422
        assert (await w.call("DELETE", f"{ADDRESSES}/{name}")).status == 200

    story(scenario)


@pytest.mark.parametrize("name", ["a", "10.1.2.03", "2001:DB8::1", "2001:db8:0::1", "10.0.0.0/8", "10.0.0.256"])
def test_an_ip_address_with_another_name_is_refused(name):
    async def scenario(w: World) -> None:
        spec = {"parentRef": {"resource": "services", "namespace": "default", "name": "s"}}
        reply = await w.post(ADDRESSES, {"metadata": {"name": name}, "spec": spec})
        assert (reply.status, reply.obj["reason"]) == (422, "Invalid")

    story(scenario)


def test_the_range_of_services_is_an_object_that_is_ready_and_comes_back():
    """kube-apiserver's controller of the default ServiceCIDR."""

    async def scenario(w: World) -> None:
        found = (await w.get(f"{RANGES}/kubernetes")).obj
        assert found["spec"] == {"cidrs": ["127.11.0.0/24"]}
        (condition,) = found["status"]["conditions"]
        assert (condition["type"], condition["status"]) == ("Ready", "True")
        assert condition["message"] == "Kubernetes default Service CIDR is ready"
        service = (await w.get("/api/v1/namespaces/default/services/kubernetes")).obj
        reserved = (await w.get(f"{ADDRESSES}/{service['spec']['clusterIP']}")).obj
        assert reserved["spec"]["parentRef"]["name"] == "kubernetes"
        assert (await w.call("DELETE", f"{RANGES}/kubernetes")).status == 200
        await clock.sleep(61)
        again = (await w.get(f"{RANGES}/kubernetes")).obj
        assert again["metadata"]["uid"] != found["metadata"]["uid"] and again["status"]["conditions"]

    story(scenario)


@pytest.mark.parametrize(
    ("cidrs", "status"),
    [
        (["10.1.0.0/16"], 201),
        (["10.1.0.0/16", "2001:db8::/64"], 201),
        ([], 422),
        (["10.1.0.0/16", "10.2.0.0/16"], 422),
        (["10.1.0.1/16"], 422),
        (["x"], 422),
        (["10.1.0.0/16", "2001:db8::/64", "2001:db9::/64"], 422),
    ],
)
def test_a_range_of_services_has_one_network_of_a_family(cidrs, status):
    async def scenario(w: World) -> None:
        assert (await w.post(RANGES, {"metadata": {"name": "r"}, "spec": {"cidrs": cidrs}})).status == status

    story(scenario)


def test_a_statefulset_mounts_the_claims_that_are_made_for_its_pods():
    async def scenario(w: World) -> None:
        spec = pod("x", labels={"app": "a"})["spec"]
        spec["containers"][0]["volumeMounts"] = [{"name": "data", "mountPath": "/data"}]
        claim = {
            "metadata": {"name": "data"},
            "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
        }
        template = {"metadata": {"labels": {"app": "a"}}, "spec": spec}
        wanted = {"serviceName": "s", "selector": {"matchLabels": {"app": "a"}}, "template": template}
        path = "/apis/apps/v1/namespaces/default/statefulsets"
        made = await w.make(path, {"metadata": {"name": "s"}, "spec": {**wanted, "volumeClaimTemplates": [claim]}})
        assert "volumes" not in made["spec"]["template"]["spec"]
        assert (await w.call("PUT", f"{path}/s", {**made, "spec": {**made["spec"], "replicas": 3}})).status == 200
        refused = await w.post(path, {"metadata": {"name": "t"}, "spec": wanted})
        assert refused.status == 422
        assert "volumeMounts[0].name: Not found" in refused.message

    story(scenario)


@pytest.mark.parametrize(
    ("sent", "time", "micro"),
    [
        ("0001-01-01T00:00:02Z", "0001-01-01T00:00:02Z", "0001-01-01T00:00:02.000000Z"),
        ("0999-12-31T23:00:00.5-01:00", "1000-01-01T00:00:00Z", "1000-01-01T00:00:00.500000Z"),
        ("2026-01-01T00:00:00.1234567891Z", "2026-01-01T00:00:00Z", "2026-01-01T00:00:00.123456Z"),
    ],
)
def test_times_of_any_year_have_four_digits(sent, time, micro):
    async def scenario(w: World) -> None:
        made = await w.make(EVENTS, {"metadata": {"name": "e"}, "involvedObject": ABOUT, "firstTimestamp": sent,
                                     "eventTime": sent, "reportingComponent": "example.com/c",
                                     "reportingInstance": "i", "action": "a", "reason": "R"})  # fmt: skip
        assert (made["firstTimestamp"], made["eventTime"]) == (time, micro)

    story(scenario)


@pytest.mark.parametrize(
    "sent", ["0001-01-01T00:00:00+05:00", "9999-12-31T23:59:59-01:00", "2026-W01-1T00:00:00Z", "2026-01-01T00Z"]
)
def test_times_that_are_none_are_refused(sent):
    async def scenario(w: World) -> None:
        reply = await w.post(EVENTS, {"metadata": {"name": "e"}, "involvedObject": ABOUT, "firstTimestamp": sent})
        assert (reply.status, reply.obj["reason"]) == (400, "BadRequest")

    story(scenario)


REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
REVIEW = {"spec": {"resourceAttributes": {"verb": "get", "resource": "pods"}}}


def test_a_table_of_a_kind_that_has_none_is_not_acceptable():
    """endpoints/handlers/negotiation: without a TableConvertor a Table is no form to choose; the next one may be."""

    async def scenario(w: World) -> None:
        refused = await w.post(REVIEWS, REVIEW, headers={"accept": TABLE})
        assert (refused.status, refused.obj["reason"]) == (406, "NotAcceptable")
        assert refused.message.startswith("only the following media types are accepted: application/json")
        assert (await w.post(REVIEWS, REVIEW, headers={"accept": f"{TABLE},application/json"})).status == 201
        made = await w.post(
            "/api/v1/namespaces/default/configmaps", {"metadata": {"name": "m"}}, headers={"accept": TABLE}
        )
        assert (made.status, made.obj["kind"]) == (201, "Table")

    story(scenario)


def test_what_is_not_acceptable_is_not_done():
    """The form of the answer is chosen before anything is written."""

    async def scenario(w: World) -> None:
        path, html = "/api/v1/namespaces/default/configmaps", {"accept": "text/html"}
        assert (await w.post(path, {"metadata": {"name": "m"}}, headers=html)).status == 406
        assert (await w.get(f"{path}/m")).status == 404
        await w.make(path, {"metadata": {"name": "m"}})
        assert (
            await w.call("PUT", f"{path}/m", {"metadata": {"name": "m"}, "data": {"a": "b"}}, headers=html)
        ).status == 406
        merge = {**html, "content-type": "application/merge-patch+json"}
        assert (await w.call("PATCH", f"{path}/m", {"data": {"a": "b"}}, headers=merge)).status == 406
        assert (await w.call("DELETE", f"{path}/m", headers=html)).status == 406
        assert "data" not in (await w.get(f"{path}/m")).obj

    story(scenario)
