"""As a node, and as whoever has a token to join: nobody gets a certificate in another's name. Over TLS, with the loops
of a controller manager."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from homeostat.api import meta
from homeostat.api.certificates import bootstrap_tokens
from homeostat.api.errors import ApiError
from homeostat.api.kinds import CONFIGMAP, CSR, NODE
from homeostat.client.contract import Client
from homeostat.cluster.state_folder import LabError
from homeostat.compose.join.token_discovery import bootstrap_client
from homeostat.compose.shared.kubelet_clients import Kubelets
from homeostat.wire import pki, tls
from homeostat.wire.http_server import serve
from homeostat.wire.message import Request, Response
from tests.support.certificates import SERVING, SERVING_USAGES, csr, request_pem
from tests.support.joinable import Cluster, cluster

Obj = dict[str, Any]
pytestmark = pytest.mark.real
FOREIGN = ("kubernetes.default.svc", "10.96.0.1", "192.0.2.11", "127.0.0.1", "w2", "192.0.2.102")


def _story(folder: Path, test: Callable[[Cluster], Awaitable[None]]) -> None:
    async def main() -> None:
        async with asyncio.timeout(60), cluster(folder) as made:
            await test(made)

    asyncio.run(main())


async def _join(made: Cluster, name: str, address: str) -> Client:
    """A node that joined, as its own key speaks to the API."""
    folder = made.folder / f"node-{name}"
    await bootstrap_client(made.invitation(), folder, name, address)
    client = made.tls_client(folder / f"kubelet-{name}.crt", folder / f"kubelet-{name}.key")
    await client.create(NODE, {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}})
    return client


async def _claim(client: Client, name: str, addresses: Sequence[str]) -> None:
    """Write addresses into the node's own status, as a kubelet does."""
    node = await client.get(NODE, name)
    listed = [{"type": "InternalIP", "address": each} for each in addresses]
    await client.update(NODE, {**node, "status": {"addresses": listed}}, subresource="status")


async def _answer(made: Cluster, client: Client, asker: str, names: Sequence[str], number: int) -> Obj:
    """The conditions of a request for a serving certificate, once there are any."""
    request = csr(f"{asker}-{number}", request_pem(f"system:node:{asker}", ["system:nodes"], names), SERVING,
                  SERVING_USAGES)  # fmt: skip
    await client.create(CSR, request)

    async def answered() -> Any:
        return ((await made.admin.get(CSR, f"{asker}-{number}")).get("status") or {}).get("conditions")

    return {each["type"]: each for each in await made.until(answered)}


def test_a_node_gets_no_serving_certificate_for_names_that_it_wrote_itself(tmp_path: Path) -> None:
    async def scenario(made: Cluster) -> None:
        w1, w2 = await _join(made, "w1", "192.0.2.101"), await _join(made, "w2", "192.0.2.102")
        for client, name in ((w1, "w1"), (w2, "w2")):
            await _claim(client, name, [*FOREIGN, "192.0.2.101"])
        for number, name in enumerate(FOREIGN):
            conditions = await _answer(made, w1, "w1", ["w1", name], number)
            assert "Approved" not in conditions
            assert conditions["Denied"]["message"].startswith(f"node w1 is not known by {name}")
        # What it joined with is its own, whatever it says of itself.
        assert "Approved" in await _answer(made, w1, "w1", ["w1", "192.0.2.101"], 99)

    _story(tmp_path, scenario)


def test_a_node_cannot_change_what_it_is_bound_to(tmp_path: Path) -> None:
    async def scenario(made: Cluster) -> None:
        w1 = await _join(made, "w1", "192.0.2.101")
        record = await made.admin.get(CONFIGMAP, "homeostat-nodes", "kube-system")
        assert record["data"] == {"w1": "192.0.2.101"}
        changed = {**record, "data": {"w1": "10.96.0.1"}}
        writes = (
            lambda: w1.update(CONFIGMAP, changed),
            lambda: w1.patch(CONFIGMAP, "homeostat-nodes", "kube-system", {"data": {"w1": "10.96.0.1"}}),
            lambda: w1.delete(CONFIGMAP, "homeostat-nodes", "kube-system"),
            lambda: w1.get(CONFIGMAP, "homeostat-nodes", "kube-system"),
        )
        for write in writes:
            with pytest.raises(ApiError) as refused:
                await write()
            assert refused.value.code == 403
        # A further client certificate of its own binds nothing.
        request = csr(
            "again", request_pem("system:node:w1", ["system:nodes"]), "kubernetes.io/kube-apiserver-client-kubelet"
        )
        request["metadata"]["annotations"] = {bootstrap_tokens.ADDRESSES: "192.0.2.55"}
        await w1.create(CSR, request)

        async def issued() -> Any:
            return ((await made.admin.get(CSR, "again")).get("status") or {}).get("certificate")

        assert base64.b64decode(await made.until(issued)).startswith(b"-----BEGIN CERTIFICATE")
        assert (await made.admin.get(CONFIGMAP, "homeostat-nodes", "kube-system"))["data"] == {"w1": "192.0.2.101"}

    _story(tmp_path, scenario)


def test_a_node_asks_in_no_other_node_s_name(tmp_path: Path) -> None:
    async def scenario(made: Cluster) -> None:
        w1 = await _join(made, "w1", "192.0.2.101")
        await _join(made, "w2", "192.0.2.102")
        for number, other in enumerate(("w2", "master-1")):
            pem = request_pem(f"system:node:{other}", ["system:nodes"], [other])
            with pytest.raises(ApiError) as refused:
                await w1.create(CSR, csr(f"mine-{number}", pem, SERVING, SERVING_USAGES))
            assert refused.value.code == 403
        assert [meta.name(each) for each in (await made.admin.list(CSR)).items if "mine" in meta.name(each)] == []

    _story(tmp_path, scenario)


def test_a_token_to_join_gives_nobody_the_place_of_a_planned_node_or_of_the_api(tmp_path: Path) -> None:
    async def scenario(made: Cluster) -> None:
        for name, address, why in (
            ("master-1", "192.0.2.11", "one of the cluster's own nodes"),
            ("kubernetes.default.svc", "192.0.2.101", "that of an API server"),
            ("w1", "10.96.0.1", "an address of the API servers or of Services"),
            ("w1", "192.0.2.11", "an address of the API servers or of Services"),
            ("w1", "127.0.0.1", "an address of the API servers or of Services"),
        ):
            with pytest.raises(LabError, match=why):
                await bootstrap_client(made.invitation(), tmp_path / "node", name, address)
        assert not (await made.admin.get(CONFIGMAP, "homeostat-nodes", "kube-system")).get("data")

    _story(tmp_path, scenario)


def test_a_token_to_join_does_not_take_the_place_of_a_node_that_is_alive(tmp_path: Path) -> None:
    async def scenario(made: Cluster) -> None:
        w1 = await _join(made, "w1", "192.0.2.101")
        node = await w1.get(NODE, "w1")
        ready = [{"type": "Ready", "status": "True", "reason": "KubeletReady", "message": "ready"}]
        await w1.update(NODE, {**node, "status": {"conditions": ready}}, subresource="status")
        with pytest.raises(LabError, match="exists and is Ready"):
            await bootstrap_client(made.invitation(), tmp_path / "thief", "w1", "192.0.2.150")

    _story(tmp_path, scenario)


def test_an_api_server_sends_nothing_to_a_server_that_is_not_the_node(tmp_path: Path) -> None:
    """A node's address is what its agent writes: another machine's, or an API server's, shows another name."""

    async def scenario() -> None:
        authority = pki.make_authority("the cluster")
        (tmp_path / "ca.crt").write_bytes(authority.certificate)
        for file, names in (("w1", ["w1", "127.0.0.1"]), ("api", ["kubernetes", "127.0.0.1"])):
            pair = pki.issue(authority, file, names=names, server=True, client=True)
            (tmp_path / f"{file}.crt").write_bytes(pair.certificate)
            (tmp_path / f"{file}.key").write_bytes(pair.key)
        asked: list[str] = []

        async def handle(request: Request) -> Response:
            asked.append(request.path)
            return Response(200, b"ok")

        kubelets = Kubelets(
            tls.client_context(tmp_path / "ca.crt", certificate=tmp_path / "api.crt", key=tmp_path / "api.key")
        )
        for file, reached in (("api", []), ("w1", ["/healthz"])):
            context = tls.server_context(tmp_path / f"{file}.crt", tmp_path / f"{file}.key")
            server = await serve(handle, host="127.0.0.1", tls=context)
            status = {
                "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}],
                "daemonEndpoints": {"kubeletEndpoint": {"Port": server.port}},
            }
            with suppress(ApiError):
                await kubelets.dial({"metadata": {"name": "w1"}, "status": status})(Request("GET", "/healthz"))
            assert asked == reached
            await server.close(grace_seconds=0)

    asyncio.run(scenario())
