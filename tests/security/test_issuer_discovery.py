"""Whoever has a service account's token can find by which keys such tokens are checked, and check one: over TLS, by
the names that are in the documents."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import orjson
import pytest
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from homeostat.api.kinds import POD, SERVICEACCOUNT
from homeostat.client.http import HttpTransport
from homeostat.wire import tls
from homeostat.wire.message import Request, Response
from tests.support.joinable import ISSUER_HOST, Cluster, cluster

pytestmark = pytest.mark.real
DISCOVERY = "/.well-known/openid-configuration"


async def _fetch(made: Cluster, url: str, token: str = "", *, method: str = "GET") -> Response:
    """As a Pod: under the name in the URL, which DNS leads to an API server, trusting the cluster's authority alone."""
    parts = urlsplit(url)
    assert parts.hostname == ISSUER_HOST
    context = tls.client_context(made.folder / "ca.crt")
    transport = HttpTransport([made.url], tls=context, token=token, server_name=parts.hostname)
    try:
        return await transport.send(Request(method, parts.path), repeatable=False)
    finally:
        await transport.close()


async def _pod_token(made: Cluster, audience: str) -> str:
    await made.until(lambda: _account(made))
    spec = {"serviceAccountName": "default", "containers": [{"name": "main", "image": "app"}]}
    pod = await made.admin.create(POD, {"metadata": {"name": "web", "namespace": "default"}, "spec": spec})
    bound = {"apiVersion": "v1", "kind": "Pod", "name": "web", "uid": pod["metadata"]["uid"]}
    body = {"spec": {"audiences": [audience], "expirationSeconds": 600, "boundObjectRef": bound}}
    path = "/api/v1/namespaces/default/serviceaccounts/default/token"
    answer = await made.admin.raw(Request("POST", path, {}, {"content-type": "application/json"}, orjson.dumps(body)))
    assert isinstance(answer.body, bytes)
    return str(orjson.loads(answer.body)["status"]["token"])


async def _account(made: Cluster) -> Any:
    return (await made.admin.list(SERVICEACCOUNT, "default")).items


def test_a_projected_token_is_checked_by_following_its_issuer(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with asyncio.timeout(60), cluster(tmp_path) as made:
            issuer = f"https://{ISSUER_HOST}"
            to_api = await _pod_token(made, issuer)
            said = orjson.loads((await _fetch(made, issuer + DISCOVERY, to_api)).body)
            assert said["issuer"] == issuer
            answer = await _fetch(made, said["jwks_uri"], to_api)
            assert answer.headers["content-type"] == "application/jwk-set+json"
            found = orjson.loads(answer.body)
            assert all("d" not in key for key in found["keys"])
            keys = KeySet.import_key_set(found)
            algorithms = said["id_token_signing_alg_values_supported"]
            claims = jwt.decode(to_api, keys, algorithms=algorithms).claims
            assert claims["iss"] == issuer
            assert claims["sub"] == "system:serviceaccount:default:default"
            assert claims["kubernetes.io"]["pod"]["name"] == "web"
            head, body, signature = to_api.split(".")
            forged = f"{head}.{body}.{signature[:-4]}AAAA"
            with pytest.raises(JoseError):
                jwt.decode(forged, keys, algorithms=algorithms)

    asyncio.run(scenario())


def test_who_has_no_account_does_not_read_the_issuer_s_documents(tmp_path: Path) -> None:
    """As in Kubernetes: anonymous access needs a binding of its own."""

    async def scenario() -> None:
        async with asyncio.timeout(60), cluster(tmp_path) as made:
            issuer = f"https://{ISSUER_HOST}"
            token = await _pod_token(made, issuer)
            for path in (DISCOVERY, "/openid/v1/jwks"):
                assert (await _fetch(made, issuer + path)).status == 403
                assert (await _fetch(made, issuer + path, "nonsense")).status == 401
                assert (await _fetch(made, f"{issuer}{path}/more", token)).status in (403, 404)
                assert (await _fetch(made, issuer + path, token, method="POST")).status in (403, 405)

    asyncio.run(scenario())
