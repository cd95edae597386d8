"""Add-ons: made once, kept as their owner wants them, with the names and ports that others rely on."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from homeostat.api import kinds
from homeostat.api.catalogue import Catalogue
from homeostat.api.errors import ApiError
from homeostat.api.kinds import DEPLOYMENT, SERVICE
from homeostat.client.api_client import ApiClient
from homeostat.client.contract import Client
from homeostat.client.in_process import InProcessTransport
from homeostat.cluster.topology import Cluster
from homeostat.kit import virtual
from homeostat.lab.images import stock
from homeostat.operate import addons
from tests.support import api_edge

Obj = dict[str, Any]
CLUSTER = Cluster(name="c", index=0, runtime="container", store="etcd")


def by_kind(cluster: Cluster = CLUSTER) -> dict[str, Obj]:
    return {obj["kind"]: obj for obj in addons.objects(cluster)}


def on_a_server(story: Callable[[Client], Awaitable[None]]) -> None:
    """`story` over a whole API server: defaults, validation, allocation of addresses."""

    async def test(world: api_edge.World) -> None:
        await story(ApiClient(InProcessTransport([world.server.handle], api_edge.ADMIN)))

    api_edge.story(test, service_cluster_ip_range="10.96.0.0/16")


def test_plain_processes_have_no_cluster_dns() -> None:
    """Their names and addresses are the host's."""
    assert addons.objects(Cluster(name="c", index=0, runtime="process")) == []


def test_the_service_is_where_everybody_looks_for_it() -> None:
    """kubeadm: Service kube-dns in kube-system, the tenth address, port 53 over UDP and TCP, metrics on 9153."""
    service = by_kind()["Service"]
    assert (service["metadata"]["namespace"], service["metadata"]["name"]) == ("kube-system", "kube-dns")
    assert service["spec"]["clusterIP"] == "10.96.0.10"
    ports = [(port["name"], port["port"], port["protocol"]) for port in service["spec"]["ports"]]
    assert ports == [("dns", 53, "UDP"), ("dns-tcp", 53, "TCP"), ("metrics", 9153, "TCP")]
    assert service["spec"]["selector"] == by_kind()["Deployment"]["spec"]["template"]["metadata"]["labels"]


def test_another_service_range_moves_the_address_for_pods_as_well() -> None:
    """The kubelet writes --cluster-dns into resolv.conf: both have to be the same address."""
    settings = {"apiserver": {"service-cluster-ip-range": "10.100.0.0/16"}}
    moved = Cluster(name="c", index=0, runtime="container", store="etcd", settings=settings)
    assert by_kind(moved)["Service"]["spec"]["clusterIP"] == "10.100.0.10"
    assert moved.flags.text("kubelet", "cluster-dns") == "10.100.0.10"
    (container,) = by_kind(moved)["Deployment"]["spec"]["template"]["spec"]["containers"]
    assert "--address=10.100.0.10" in container["command"]


def test_a_cluster_dns_flag_of_the_user_is_respected() -> None:
    settings = {"kubelet": {"cluster-dns": "192.0.2.53", "cluster-domain": "example.org"}}
    own = Cluster(name="c", index=0, runtime="container", store="etcd", settings=settings)
    assert own.flags.text("kubelet", "cluster-dns") == "192.0.2.53"
    (container,) = by_kind(own)["Deployment"]["spec"]["template"]["spec"]["containers"]
    assert "--domain=example.org" in container["command"]


def test_two_servers_that_would_rather_not_share_a_node() -> None:
    """One node's loss must not be the end of all names."""
    spec = by_kind()["Deployment"]["spec"]
    assert spec["replicas"] == 2
    (preference,) = spec["template"]["spec"]["affinity"]["podAntiAffinity"][
        "preferredDuringSchedulingIgnoredDuringExecution"
    ]
    assert preference["podAffinityTerm"]["topologyKey"] == "kubernetes.io/hostname"


def test_it_may_do_what_it_needs_and_no_more() -> None:
    """The system's own role system:kube-dns is bound to the ServiceAccount kube-dns; this is the rest."""
    (rule,) = by_kind()["ClusterRole"]["rules"]
    assert (rule["resources"], rule["verbs"]) == (["namespaces", "pods"], ["list", "watch"])
    (subject,) = by_kind()["ClusterRoleBinding"]["subjects"]
    assert (subject["kind"], subject["name"]) == ("ServiceAccount", "kube-dns")
    (container,) = by_kind()["Deployment"]["spec"]["template"]["spec"]["containers"]
    assert container["securityContext"]["capabilities"] == {"add": ["NET_BIND_SERVICE"], "drop": ["ALL"]}


def test_the_image_has_the_command() -> None:
    (container,) = by_kind()["Deployment"]["spec"]["template"]["spec"]["containers"]
    assert container["command"][0] in stock.COMPONENTS


def test_every_object_is_taken_as_it_is() -> None:
    """By the API's own validation, and a second time without a change."""

    async def story(client: Client) -> None:
        wanted = addons.objects(CLUSTER)
        await addons.ensure(client, wanted)
        before = [await find(client, obj) for obj in wanted]
        await addons.ensure(client, wanted)
        assert [await find(client, obj) for obj in wanted] == before
        assert before[3]["spec"]["clusterIP"] == "10.96.0.10"

    on_a_server(story)


def test_what_its_owner_has_changed_stays() -> None:
    async def story(client: Client) -> None:
        wanted = addons.objects(CLUSTER)
        await addons.ensure(client, wanted)
        await client.patch(DEPLOYMENT, "kube-dns", "kube-system", {"spec": {"replicas": 5}})
        await client.delete(SERVICE, "kube-dns", "kube-system")
        await addons.ensure(client, wanted)
        assert (await client.get(DEPLOYMENT, "kube-dns", "kube-system"))["spec"]["replicas"] == 5
        assert (await client.get(SERVICE, "kube-dns", "kube-system"))["spec"]["clusterIP"] == "10.96.0.10"

    on_a_server(story)


@pytest.mark.parametrize(
    ("image", "expected"),
    [("homeostat.local/homeostat:0.0.1", stock.HOMEOSTAT), ("registry.example/coredns:1.12", "the same")],
)
def test_an_older_image_of_ours_is_renewed_and_others_are_not(image: str, expected: str) -> None:
    """The nodes have this Homeostat's images; an older one may be gone with the node's disk."""

    async def story(client: Client) -> None:
        older = addons.objects(CLUSTER)
        older[-1]["spec"]["template"]["spec"]["containers"][0]["image"] = image
        await addons.ensure(client, older)
        await addons.ensure(client, addons.objects(CLUSTER))
        found = await client.get(DEPLOYMENT, "kube-dns", "kube-system")
        (container,) = found["spec"]["template"]["spec"]["containers"]
        assert container["image"] == (image if expected == "the same" else expected)
        assert container["readinessProbe"]["httpGet"]["path"] == "/ready"

    on_a_server(story)


def test_what_cannot_be_made_is_an_error_in_the_end() -> None:
    class Refusing:
        asked = 0

        async def create(self, kind: kinds.Kind, obj: Obj) -> Obj:
            self.asked += 1
            raise ApiError(403, "Forbidden", "not you")

    async def story() -> None:
        refusing = Refusing()
        with pytest.raises(ApiError, match="not you"):
            await addons.ensure(refusing, addons.objects(CLUSTER)[:1])  # type: ignore[arg-type]
        assert refusing.asked == 10

    virtual.run(story, seed=1)


async def find(client: Client, obj: Obj) -> Obj:
    kind = Catalogue.builtin().by_kind(obj["kind"], obj["apiVersion"])
    assert kind is not None
    return await client.get(kind, obj["metadata"]["name"], obj["metadata"].get("namespace", ""))
