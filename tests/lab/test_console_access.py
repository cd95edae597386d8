"""A sign-in code of the Console: what it may do, and for how long."""

from __future__ import annotations

from typing import Any

import pytest

from homeostat.api import kinds
from homeostat.api.certificates import bootstrap_tokens
from homeostat.client.api_client import ApiClient
from homeostat.client.in_process import InProcessTransport
from homeostat.cluster.errors import LabError
from homeostat.cluster.topology import Cluster
from homeostat.kit import clock
from homeostat.operate import addons, console_access
from tests.support import api_edge
from tests.support.certificates import CSRS, node_csr

Obj = dict[str, Any]
CLUSTER = Cluster("demo", 0, console_port=9000)
ACCOUNTS = "/api/v1/namespaces/kube-system/serviceaccounts"
SECRETS = "/api/v1/namespaces/kube-system/secrets"
REQUEST = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 43200}}


async def code_of(world: api_edge.World) -> str:
    client = ApiClient(InProcessTransport([world.server.handle], api_edge.ADMIN))
    await addons.ensure(client, addons.objects(CLUSTER))
    link = await console_access.link(client, CLUSTER)
    head, _, code = link.partition("#code=")
    assert head == "http://127.0.0.1:9000/"
    return code


async def asked(world: api_edge.World, token: str, method: str, path: str, body: Any = None) -> api_edge.Reply:
    return await world.call(method, path, body, user=None, headers={"authorization": f"Bearer {token}"})


def test_a_code_may_ask_for_a_token_of_the_consoles_account_which_is_an_administrators() -> None:
    async def scenario(world: api_edge.World) -> None:
        code = await code_of(world)
        made = await asked(world, code, "POST", f"{ACCOUNTS}/console-user/token", REQUEST)
        assert made.status == 201
        token = made.obj["status"]["token"]
        secret = (await asked(world, token, "GET", f"{SECRETS}/bootstrap-token-{code[:6]}")).obj
        gone = {"preconditions": {"uid": secret["metadata"]["uid"]}}
        assert (await asked(world, token, "DELETE", f"{SECRETS}/{secret['metadata']['name']}", gone)).status == 200
        assert (await asked(world, code, "POST", f"{ACCOUNTS}/console-user/token", REQUEST)).status == 401

    api_edge.story(scenario)


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", f"{ACCOUNTS}/default/token", REQUEST),
        ("POST", "/api/v1/namespaces/default/serviceaccounts/console-user/token", REQUEST),
        ("GET", f"{ACCOUNTS}/console-user", None),
        ("GET", ACCOUNTS, None),
        ("GET", SECRETS, None),
        ("GET", "/api/v1/pods", None),
        ("POST", CSRS, "csr"),
        ("POST", "/api/v1/namespaces", {"metadata": {"name": "mine"}}),
    ],
)
def test_a_code_may_do_nothing_else(method: str, path: str, body: Any) -> None:
    async def scenario(world: api_edge.World) -> None:
        code = await code_of(world)
        await world.account("kube-system")
        await world.account("default", "console-user")
        refused = await asked(world, code, method, path, node_csr("w9") if body == "csr" else body)
        assert (refused.status, refused.obj["reason"]) == (403, "Forbidden")

    api_edge.story(scenario)


def test_a_code_ends_after_ten_minutes_and_signs_nothing() -> None:
    async def scenario(world: api_edge.World) -> None:
        code = await code_of(world)
        secret = world.reader.get(kinds.SECRET, "kube-system", f"bootstrap-token-{code[:6]}")
        assert secret is not None
        data = bootstrap_tokens.data_of(secret)
        assert "usage-bootstrap-signing" not in data
        assert data["auth-extra-groups"] == "system:bootstrappers:homeostat:console"
        await clock.sleep(598)
        assert (await asked(world, code, "POST", f"{ACCOUNTS}/console-user/token", REQUEST)).status == 201
        await clock.sleep(3)
        assert (await asked(world, code, "POST", f"{ACCOUNTS}/console-user/token", REQUEST)).status == 401

    api_edge.story(scenario)


def test_a_cluster_without_the_console_has_no_rights_for_codes_and_says_how_to_get_one() -> None:
    without = Cluster("demo", 0, console_port=0)
    assert addons.objects(without) == []

    async def scenario(world: api_edge.World) -> None:
        client = ApiClient(InProcessTransport([world.server.handle], api_edge.ADMIN))
        with pytest.raises(LabError, match="homeostat up --name demo --console-port PORT"):
            await console_access.link(client, without)

    api_edge.story(scenario)
