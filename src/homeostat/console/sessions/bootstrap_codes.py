"""Sign-in codes that are bootstrap tokens of the cluster: each is exchanged once, whichever replica is asked.

A code may do one thing, ask for a token of the Console's ServiceAccount. With that token the code's own Secret is read
and deleted, by its UID. Who deleted it has signed in; everybody else comes too late: the replicas need not know of one
another, and the Console needs no rights of its own.
"""

from __future__ import annotations

from typing import Any

import orjson

from homeostat.api.certificates import bootstrap_tokens
from homeostat.api.errors import ApiError
from homeostat.client.contract import Unreachable
from homeostat.client.transport import Transport
from homeostat.console.settings import SESSION_SECONDS, Grant
from homeostat.wire.message import Request, Response

_ROOT = f"/api/v1/namespaces/{bootstrap_tokens.NAMESPACE}"
_TOKEN = f"{_ROOT}/serviceaccounts/{bootstrap_tokens.CONSOLE_ACCOUNT}/token"
_NOT_GOOD = (
    "this sign-in code is not good: it was used already, or is older than ten minutes, or was never made; "
    "`homeostat console` prints a new link"
)


class BootstrapCodes:
    """Implements `settings.Codes`. `transport` reaches the API servers and shows no credentials of its own."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def exchange(self, code: str) -> Grant:
        """See the contract."""
        parsed = bootstrap_tokens.parse(code)
        if parsed is None:
            raise refused()
        token = await self._token(code)
        await self._use_up(parsed[0], token)
        return Grant(token)

    async def _token(self, code: str) -> str:
        wanted = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest"}
        body = orjson.dumps({**wanted, "spec": {"expirationSeconds": int(SESSION_SECONDS)}})
        # One token more, which nobody has seen, is no harm: a connection that broke is tried again.
        answer = await self._ask("POST", _TOKEN, code, body)
        if answer.status == 401:
            raise refused()
        if answer.status in (403, 404):
            text = "this cluster does not let a code sign in to the Console; `homeostat up` makes what is missing"
            raise ApiError(401, "Unauthorized", text)
        token: str = _object(answer, 201)["status"]["token"]
        return token

    async def _use_up(self, identifier: str, token: str) -> None:
        path = f"{_ROOT}/secrets/{bootstrap_tokens.secret_name(identifier)}"
        answer = await self._ask("GET", path, token)
        if answer.status == 404:
            raise refused()
        uid = _object(answer, 200)["metadata"]["uid"]
        deletion = await self._ask("DELETE", path, token, orjson.dumps({"preconditions": {"uid": uid}}))
        # A Conflict: somebody has made a code of the same name since.
        if deletion.status in (404, 409):
            raise refused()
        _object(deletion, 200)

    async def _ask(self, method: str, path: str, token: str, body: bytes = b"") -> Response:
        headers = {"authorization": f"Bearer {token}", "accept": "application/json", "content-type": "application/json"}
        return await self._transport.send(Request(method, path, {}, headers, body), repeatable=True)


def refused() -> ApiError:
    """What is said of a code that is used, expired, forged or guessed: the same, so that nothing can be learned."""
    return ApiError(401, "Unauthorized", _NOT_GOOD)


def _object(answer: Response, wanted: int) -> dict[str, Any]:
    """The body of an answer that is as it should be. Raises Unreachable: the sign-in may work a moment later."""
    if answer.status != wanted or not isinstance(answer.body, bytes):
        raise Unreachable(f"the API server answered a sign-in with status {answer.status}; try again")
    found: dict[str, Any] = orjson.loads(answer.body)
    return found
